//! The queue: a filter, an order and a place become one statement.
//!
//! Contract: pages by keyset only, never by offset, so that the millionth page costs what the first does. Knows nothing about who asks.

use rusqlite::{Connection, params_from_iter};

use super::plan::{decidable, plan};
use super::rows::{self, Ordinal as _, column};
use crate::base::ids::PersonId;
use crate::domain::view::{CaseRow, Counts, Cursor, From, MAX_PAGE, QueuePage, QueueQuery};
use crate::domain::vocabulary::CaseState;
use crate::store::StoreError;

/// Up to so many sealed cases are looked at when those one person could decide are counted.
const COUNTED: i64 = 1_000;

/// A page of the queue.
pub(super) fn page(conn: &Connection, query: &QueueQuery) -> Result<QueuePage, StoreError> {
    let limit = usize::from(query.limit.clamp(1, MAX_PAGE));
    let mut q = plan(conn, query)?;
    let k = column(query.sort);
    let down = !matches!(query.from, Some(From::Before(_) | From::End));
    if let Some(From::After(c) | From::Before(c)) = &query.from {
        let (key, case) = (q.bind(c.key), q.bind(c.case));
        q.wheres.push(format!("(c.{k}, c.id) {} ({key}, {case})", if down { ">" } else { "<" }));
    }
    let wheres = if q.wheres.is_empty() { "1".to_owned() } else { q.wheres.join(" AND ") };
    let order = if down { "ASC" } else { "DESC" };
    let most = q.bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
    let sql = format!("SELECT {} FROM {} WHERE {wheres} ORDER BY c.{k} {order}, c.id {order} LIMIT {most}", rows::COLUMNS, q.from);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(&q.values))?;
    let mut rows = Vec::with_capacity(limit + 1);
    while let Some(r) = found.next()? {
        rows.push(rows::get(r)?);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    if !down {
        rows.reverse();
    }
    let cursor = |row: &CaseRow| Cursor { key: rows::key(query.sort, row), case: row.id.key() };
    let first_is_start = if down { query.from.is_none() } else { !more };
    let last_is_end = if down { !more } else { query.from == Some(From::End) };
    Ok(QueuePage { before: rows.first().filter(|_| !first_is_start).map(cursor), after: rows.last().filter(|_| !last_is_end).map(cursor), rows })
}

/// The head line's numbers: counters that commits keep, and a bounded look at sealed cases.
pub(super) fn counts(conn: &Connection, person: Option<&PersonId>) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut statement = conn.prepare_cached("SELECT name, value FROM counters")?;
    let mut found = statement.query([])?;
    while let Some(r) = found.next()? {
        let value = u64::try_from(r.get::<_, i64>(1)?).unwrap_or(0);
        match r.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? {
            "open" => counts.open = value,
            "held" => counts.held = value,
            "grants" => counts.grants = value,
            _ => {}
        }
    }
    let log: i64 = conn.prepare_cached("SELECT coalesce(max(seq) + 1, 0) FROM entries")?.query_row([], |r| r.get(0))?;
    counts.log = u64::try_from(log).unwrap_or(0);
    if let Some(person) = person {
        let sql = format!(
            "SELECT count(*) FROM (SELECT id, seal, state, held FROM cases INDEXED BY cases_by_state WHERE state = {} ORDER BY k_due LIMIT ?2) c WHERE {}",
            CaseState::Sealed.ordinal(),
            decidable("?1")
        );
        let approvals: i64 = conn.prepare_cached(&sql)?.query_row((person.as_str(), COUNTED), |r| r.get(0))?;
        counts.approvals = u64::try_from(approvals).unwrap_or(0);
    }
    Ok(counts)
}
