//! The queue: a filter, an order and a place become one statement.
//!
//! Contract: pages by keyset only, never by offset, so that the millionth page costs what the first does. Knows nothing about who asks.

use std::collections::BTreeMap;

use rusqlite::{Connection, params_from_iter};

use super::batch::Kept;
use super::plan::{Query, decidable, ended_and_due, plan, splits};
use super::reads;
use super::rows::{self, Ordinal as _, column};
use crate::base::ids::PersonId;
use crate::domain::view::{CaseRow, Counts, Cursor, From, MAX_PAGE, QueuePage, QueueQuery, Since};
use crate::domain::vocabulary::CaseState;
use crate::store::StoreError;

/// Up to so many sealed cases are looked at when those one person could decide are counted.
const COUNTED: i64 = 1_000;

/// A page of the queue. What it waits since is in the cases themselves: where that is asked for, each of the page's is read.
pub(super) fn page(conn: &mut Connection, kept: &Kept, query: &QueueQuery) -> Result<QueuePage, StoreError> {
    let mut page = rows_of(conn, query)?;
    if query.filter.waits() {
        let tx = conn.transaction()?;
        for row in &page.rows {
            if let Some(case) = reads::case_in(&tx, kept, row.id)? {
                page.since.insert(row.id, Since::of(&case));
            }
        }
    }
    Ok(page)
}

fn rows_of(conn: &Connection, query: &QueueQuery) -> Result<QueuePage, StoreError> {
    let limit = usize::from(query.limit.clamp(1, MAX_PAGE));
    let down = goes_down(query);
    let mut rows = if splits(query) { both(conn, query, limit + 1)? } else { walk(conn, query, limit + 1)? };
    let more = rows.len() > limit;
    rows.truncate(limit);
    if !down {
        rows.reverse();
    }
    let cursor = |row: &CaseRow| Cursor { key: rows::key(query.sort, row), case: row.id.key() };
    let first_is_start = if down { query.from.is_none() } else { !more };
    let last_is_end = if down { !more } else { query.from == Some(From::End) };
    let (before, after) = (rows.first().filter(|_| !first_is_start).map(cursor), rows.last().filter(|_| !last_is_end).map(cursor));
    Ok(QueuePage { before, after, rows, since: BTreeMap::new() })
}

const fn goes_down(query: &QueueQuery) -> bool {
    !matches!(query.from, Some(From::Before(_) | From::End))
}

/// The first rows of open and of ended cases, from one moment, put together in their order.
fn both(conn: &Connection, query: &QueueQuery, most: usize) -> Result<Vec<CaseRow>, StoreError> {
    let tx = conn.unchecked_transaction()?;
    let of = |ended: bool| {
        let mut query = query.clone();
        query.filter.ended = Some(ended);
        walk(&tx, &query, most)
    };
    let mut rows = of(false)?;
    rows.extend(of(true)?);
    sort(query, &mut rows, most);
    Ok(rows)
}

/// Brings rows from several places into the order in which the query goes.
fn sort(query: &QueueQuery, rows: &mut Vec<CaseRow>, most: usize) {
    rows.sort_by_cached_key(|row| (rows::key(query.sort, row), row.id.key()));
    if !goes_down(query) {
        rows.reverse();
    }
    rows.truncate(most);
}

/// So many rows from the query's place on, in the direction in which it goes.
fn walk(conn: &Connection, query: &QueueQuery, most: usize) -> Result<Vec<CaseRow>, StoreError> {
    let q = plan(conn, query)?;
    let by_number = q.by_number.is_some();
    let mut rows = ask(conn, query, q, most)?;
    if by_number {
        rows.extend(ask(conn, query, ended_and_due(query), most)?);
        sort(query, &mut rows, most);
    }
    Ok(rows)
}

fn ask(conn: &Connection, query: &QueueQuery, mut q: Query, most: usize) -> Result<Vec<CaseRow>, StoreError> {
    let k = column(query.sort);
    let (sign, order) = if goes_down(query) { (">", "ASC") } else { ("<", "DESC") };
    if let Some(From::After(c) | From::Before(c)) = &query.from {
        match q.by_number {
            None => {
                let (key, case) = (q.bind(c.key), q.bind(c.case));
                q.wheres.push(format!("(c.{k}, c.id) {sign} ({key}, {case})"));
            }
            Some(number) if c.key == rows::NEVER => {
                let case = q.bind(c.case);
                q.wheres.push(format!("{number} {sign} {case}"));
            }
            // All rows come after every other key.
            Some(_) if goes_down(query) => {}
            Some(_) => return Ok(Vec::new()),
        }
    }
    let wheres = if q.wheres.is_empty() { "1".to_owned() } else { q.wheres.join(" AND ") };
    let by = q.by_number.map_or_else(|| format!("c.{k} {order}, c.id {order}"), |number| format!("{number} {order}"));
    let limit = q.bind(i64::try_from(most).unwrap_or(i64::MAX));
    let sql = format!("SELECT {} FROM {} WHERE {wheres} ORDER BY {by} LIMIT {limit}", rows::COLUMNS, q.from);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(&q.values))?;
    let mut rows = Vec::with_capacity(most);
    while let Some(r) = found.next()? {
        rows.push(rows::get(r)?);
    }
    Ok(rows)
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
