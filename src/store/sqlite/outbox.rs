//! What waits to be done outside: taken for a while, put back, struck out.
//!
//! Contract: an effect that was taken is nobody else's until its lease ends; whoever took it and died loses it. Knows nothing about how
//! effects are carried out.

use rusqlite::{Connection, params};

use super::batch::Batch;
use super::errors::from_json;
use crate::store::{CommitError, OutboxDepth, OutboxItem, StoreError};

/// Whether anything is due, so that an idle worker causes no writing.
pub(super) fn anything(conn: &Connection, now: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE available <= ?1)")?.query_row([now], |r| r.get(0))?)
}

/// How much waits, and how much of it is due.
pub(super) fn depth(conn: &Connection, now: i64) -> Result<OutboxDepth, StoreError> {
    let sql = "SELECT count(*), coalesce(sum(available <= ?1), 0), coalesce(sum(tries > 0), 0) FROM outbox";
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    let found =
        conn.prepare_cached(sql)?.query_row([now], |r| Ok(OutboxDepth { waiting: whole(r.get(0)?), due: whole(r.get(1)?), tried: whole(r.get(2)?) }));
    Ok(found?)
}

/// Takes up to `limit` due effects until `until`.
pub(super) fn claim(batch: &Batch<'_>, now: i64, limit: u16, until: i64) -> Result<Vec<OutboxItem>, CommitError> {
    let mut statement = batch.conn.prepare_cached("SELECT id, effect, tries FROM outbox WHERE available <= ?1 ORDER BY available, id LIMIT ?2")?;
    let mut found = statement.query(params![now, limit])?;
    let mut items = Vec::new();
    while let Some(r) = found.next()? {
        let effect: String = r.get(1)?;
        items.push(OutboxItem { id: r.get(0)?, effect: from_json("an effect", &effect)?, tries: r.get(2)? });
    }
    for item in &items {
        batch.conn.prepare_cached("UPDATE outbox SET available = ?2, tries = tries + 1 WHERE id = ?1")?.execute([item.id, until])?;
    }
    Ok(items)
}

/// Puts an effect back.
pub(super) fn postpone(batch: &Batch<'_>, item: i64, not_before: i64) -> Result<(), CommitError> {
    batch.conn.prepare_cached("UPDATE outbox SET available = ?2 WHERE id = ?1")?.execute([item, not_before])?;
    Ok(())
}

/// Strikes an effect out.
pub(super) fn finish(batch: &Batch<'_>, item: i64) -> Result<(), CommitError> {
    batch.conn.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([item])?;
    Ok(())
}
