//! Grants as rows: kept beside their case's row, listed by when they end, filled from entries where there were none, and compared.
//!
//! Contract: what is written reads back equal; pages by keyset only. A row goes on to be read after its grant is gone. Knows nothing about who
//! asks.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::errors::{from_json, to_json};
use super::rows::{self, Ordinal as _, millis};
use super::verify::Verify;
use crate::base::Untrusted;
use crate::base::ids::{CaseId, SubjectId, TargetId};
use crate::domain::case::{Case, Grant};
use crate::domain::view::{Cursor, GrantPage, GrantQuery, GrantRow, MAX_PAGE};
use crate::domain::vocabulary::{Action, SubjectKind};
use crate::store::StoreError;

const PUT: &str = "INSERT INTO grants (case_key, name, live, k_end, body) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (case_key, name) DO UPDATE SET live = excluded.live, k_end = excluded.k_end, body = excluded.body
  WHERE body <> excluded.body";

/// A grant's columns: whether it lives, when it ends, all of it.
fn columns(grant: &Grant) -> Result<(bool, i64, String), StoreError> {
    Ok((rows::lives(grant), millis(grant.ends_at()), to_json(grant)?))
}

/// Writes a case's grants, if it has any.
pub(super) fn put(conn: &Connection, case: &Case) -> Result<(), StoreError> {
    for grant in &case.grants {
        let (live, end, body) = columns(grant)?;
        conn.prepare_cached(PUT)?.execute(params![case.id.key(), grant.id.as_str(), live, end, body])?;
    }
    Ok(())
}

/// Writes the grants of every case there is: the entries know them.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT case_key FROM entries WHERE case_key IS NOT NULL AND instr(bytes, CAST('\"event\":\"granted\"' AS BLOB)) > 0";
    let keys: Vec<i64> = conn.prepare(sql)?.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    for id in keys.into_iter().filter_map(CaseId::from_key) {
        if let Some(case) = super::reads::fold(conn, id)? {
            put(conn, &case)?;
        }
    }
    Ok(())
}

/// A page of grants: those that live, the one that ends soonest first; or all, the one that ends or ended last first.
pub(super) fn page(conn: &Connection, query: &GrantQuery) -> Result<GrantPage, StoreError> {
    let limit = usize::from(query.limit.clamp(1, MAX_PAGE));
    let (index, lives, beyond, order) = if query.live { ("grants_live", "g.live = 1", ">", "ASC") } else { ("grants_all", "1", "<", "DESC") };
    let sql = format!(
        "SELECT g.id, g.k_end, g.body, c.id, c.changed, c.subject, c.subject_name, c.kind, c.target, c.action
         FROM grants g INDEXED BY {index} CROSS JOIN cases c ON c.id = g.case_key
         WHERE {lives} AND (g.k_end, g.id) {beyond} (?1, ?2) ORDER BY g.k_end {order}, g.id {order} LIMIT ?3"
    );
    let start = if query.live { i64::MIN } else { i64::MAX };
    let (key, row) = query.after.map_or((start, start), |c| (c.key, c.case));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = statement.query(params![key, row, i64::try_from(limit + 1).unwrap_or(i64::MAX)])?;
    let (mut rows, mut cursors) = (Vec::new(), Vec::new());
    while let Some(r) = found.next()? {
        cursors.push(Cursor { key: r.get(1)?, case: r.get(0)? });
        rows.push(read(r)?);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let after = cursors.get(rows.len().wrapping_sub(1)).copied().filter(|_| more);
    Ok(GrantPage { rows, after })
}

fn read(r: &rusqlite::Row) -> Result<GrantRow, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("a grant's row: {what}"));
    let body: String = r.get(2)?;
    let text = |at: usize| r.get::<_, String>(at);
    Ok(GrantRow {
        grant: from_json("a grant", &body)?,
        case: CaseId::from_key(r.get(3)?).ok_or_else(|| damaged("no case number"))?,
        version: u64::try_from(r.get::<_, i64>(4)?).map_err(|_| damaged("no version"))?,
        subject: SubjectId::parse(&text(5)?).map_err(|e| damaged(&e.to_string()))?,
        subject_name: Untrusted::from(text(6)?),
        kind: SubjectKind::at(r.get(7)?).ok_or_else(|| damaged("no kind"))?,
        target: TargetId::parse(&text(8)?).map_err(|e| damaged(&e.to_string()))?,
        action: Action::at(r.get(9)?).ok_or_else(|| damaged("no action"))?,
    })
}

impl Verify<'_> {
    /// A case's grants against those that its entries make.
    pub(super) fn grants(&mut self, case: &Case) -> Result<(), StoreError> {
        for grant in &case.grants {
            let sql = "SELECT live, k_end, body FROM grants WHERE case_key = ?1 AND name = ?2";
            let wanted = columns(grant)?;
            let kept: Option<(bool, i64, String)> = self
                .conn
                .prepare_cached(sql)?
                .query_row(params![case.id.key(), grant.id.as_str()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .optional()?;
            if kept.as_ref() != Some(&wanted) {
                self.differs(format!("grant {} of {}: has a row that is not what its entries make", grant.id, case.id));
            }
        }
        let count: i64 = self.conn.prepare_cached("SELECT count(*) FROM grants WHERE case_key = ?1")?.query_row([case.id.key()], |r| r.get(0))?;
        if usize::try_from(count) != Ok(case.grants.len()) {
            self.differs(format!("grants of {}: there are {count} rows, its entries make {}", case.id, case.grants.len()));
        }
        Ok(())
    }
}
