//! What waits to be done outside: taken for a while, put back, struck out.
//!
//! Contract: an effect that was taken is nobody else's until its lease ends; whoever took it and died loses it. Knows nothing about how
//! effects are carried out.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::batch::Batch;
use super::errors::{from_json, to_json};
use crate::domain::effect::Lane;
use crate::domain::message::Became;
use crate::store::{CommitError, OutboxDepth, OutboxItem, StoreError};

/// Whether anything of a lane is due, so that an idle worker causes no writing.
pub(super) fn anything(conn: &Connection, lane: Lane, now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE lane = ?1 AND available <= ?2)";
    Ok(conn.prepare_cached(sql)?.query_row([i64::from(lane as u8), now], |r| r.get(0))?)
}

/// How much waits, and how much of it is due.
pub(super) fn depth(conn: &Connection, now: i64) -> Result<OutboxDepth, StoreError> {
    let sql = "SELECT count(*), coalesce(sum(available <= ?1), 0), coalesce(sum(tries > 0), 0) FROM outbox";
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    let found =
        conn.prepare_cached(sql)?.query_row([now], |r| Ok(OutboxDepth { waiting: whole(r.get(0)?), due: whole(r.get(1)?), tried: whole(r.get(2)?) }));
    Ok(found?)
}

/// Takes up to `limit` due effects of a lane until `until`.
pub(super) fn claim(batch: &Batch<'_>, lane: Lane, now: i64, limit: u16, until: i64) -> Result<Vec<OutboxItem>, CommitError> {
    let sql = "SELECT id, effect, tries, became FROM outbox WHERE lane = ?1 AND available <= ?2 ORDER BY available, id LIMIT ?3";
    let mut statement = batch.conn.prepare_cached(sql)?;
    let mut found = statement.query(params![lane as u8, now, limit])?;
    let mut items = Vec::new();
    while let Some(r) = found.next()? {
        let (effect, became): (String, String) = (r.get(1)?, r.get(3)?);
        let became = from_json("what became of a message", &became)?;
        items.push(OutboxItem { id: r.get(0)?, effect: from_json("an effect", &effect)?, tries: r.get(2)?, became });
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

/// Puts an effect back as if it had not been taken.
pub(super) fn put_back(batch: &Batch<'_>, item: i64, not_before: i64) -> Result<(), CommitError> {
    batch.conn.prepare_cached("UPDATE outbox SET available = ?2, tries = max(tries - 1, 0) WHERE id = ?1")?.execute([item, not_before])?;
    Ok(())
}

/// Puts a message back, with what became of it so far.
pub(super) fn postpone_rest(batch: &Batch<'_>, item: i64, not_before: i64, became: &BTreeMap<String, Became>) -> Result<(), CommitError> {
    let became = to_json(became)?;
    batch.conn.prepare_cached("UPDATE outbox SET available = ?2, became = ?3 WHERE id = ?1")?.execute(params![item, not_before, became])?;
    Ok(())
}

/// Strikes an effect out.
pub(super) fn finish(batch: &Batch<'_>, item: i64) -> Result<(), CommitError> {
    batch.conn.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([item])?;
    Ok(())
}
