//! The queue: a filter, an order and a place become one statement over one index.
//!
//! Contract: pages by keyset only, never by offset, so that the millionth page costs what the first does. Values are bound or numbers
//! made here, never text pasted into SQL. Knows nothing about who asks.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::rows::{self, Ordinal, column, millis};
use crate::base::ids::{OperatorId, PersonId};
use crate::domain::view::{CaseRow, Counts, Cursor, From, MAX_PAGE, QueueFilter, QueuePage, QueueQuery, Sort};
use crate::domain::vocabulary::CaseState;
use crate::store::StoreError;

/// Up to so many matches of a text are sorted; with more, the order's index is walked and each row compared.
const SORTED: i64 = 3_000;
/// Up to so many sealed cases are looked at when those one person could decide are counted.
const COUNTED: i64 = 1_000;

/// A statement being put together.
struct Query {
    from: String,
    wheres: Vec<String>,
    values: Vec<Value>,
}

impl Query {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn words<T: Ordinal>(&mut self, column: &str, words: impl ExactSizeIterator<Item = T>) {
        if words.len() > 0 {
            let list: Vec<String> = words.map(|w| w.ordinal().to_string()).collect();
            self.wheres.push(format!("c.{column} IN ({})", list.join(",")));
        }
    }
}

/// A page of the queue.
pub(super) fn page(conn: &Connection, query: &QueueQuery) -> Result<QueuePage, StoreError> {
    let limit = usize::from(query.limit.clamp(1, MAX_PAGE));
    let mut q = plan(conn, query)?;
    filter(&mut q, &query.filter);
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

/// Chooses the table and index to walk, and adds the conditions that the choice rests on.
fn plan(conn: &Connection, query: &QueueQuery) -> Result<Query, StoreError> {
    let mut q = Query { from: String::new(), wheres: Vec::new(), values: Vec::new() };
    let filter = &query.filter;
    if let Some(text) = &filter.text
        && by_text(conn, &mut q, text)?
    {
        return Ok(q);
    }
    let due = query.sort == Sort::Due;
    let only_state =
        if filter.decidable_by.is_some() { Some(CaseState::Sealed) } else { filter.states.first().copied().filter(|_| filter.states.len() == 1) };
    let open = filter.ended == Some(false)
        || only_state.is_some_and(|s| !s.is_ended())
        || (!filter.states.is_empty() && filter.states.iter().all(|s| !s.is_ended()));
    let index = if filter.subject.as_ref().is_some_and(|s| !s.ends_with('*')) {
        "cases_by_subject".to_owned()
    } else if due && filter.assignees.len() == 1 && !filter.unassigned {
        q.wheres.push("c.assignee IS NOT NULL".into());
        "cases_by_assignee".to_owned()
    } else if due && only_state.is_some() {
        "cases_by_state".to_owned()
    } else if due && filter.held == Some(true) {
        "cases_held".to_owned()
    } else {
        if open {
            q.wheres.push("c.ended = 0".into());
        }
        format!("cases_{}_{}", if open { "open" } else { "all" }, &column(query.sort)[2..])
    };
    q.from = format!("cases c INDEXED BY {index}");
    Ok(q)
}

/// Looks words up; true if the index of words leads the way, false if rows are to be compared while walking.
fn by_text(conn: &Connection, q: &mut Query, text: &str) -> Result<bool, StoreError> {
    let mut words = rows::words(text);
    // A case number is typed as `cs-26-4127`: its year is no word of the document, but a part of the key.
    if words.len() >= 2 && words[0] == "cs" && words[1].len() == 2 && words[1].bytes().all(|b| b.is_ascii_digit()) {
        let year: i64 = words[1].parse().unwrap_or(0);
        let (from, to) = (q.bind(year << 32), q.bind((year + 1) << 32));
        q.wheres.push(format!("c.id >= {from} AND c.id < {to}"));
        words.drain(..2);
    } else if words.first().is_some_and(|w| w == "cs") {
        words.remove(0);
    }
    if words.is_empty() {
        return Ok(false);
    }
    let matching = matching(&words);
    let sql = "SELECT count(*) FROM (SELECT 1 FROM case_words WHERE case_words MATCH ?1 LIMIT ?2)";
    let found: i64 = conn.prepare_cached(sql)?.query_row((&matching, SORTED), |r| r.get(0))?;
    if found < SORTED {
        let text = q.bind(matching);
        q.from = "case_words w CROSS JOIN cases c ON c.id = w.rowid".into();
        q.wheres.push(format!("w.case_words MATCH {text}"));
        return Ok(true);
    }
    for word in words {
        let word = q.bind(format!(" {word}"));
        q.wheres.push(format!("instr(c.words, {word}) > 0"));
    }
    Ok(false)
}

/// Words as the index of words takes them: each a prefix, all must be there.
pub(super) fn matching(words: &[String]) -> String {
    words.iter().map(|w| format!("\"{w}\"*")).collect::<Vec<_>>().join(" ")
}

fn filter(q: &mut Query, f: &QueueFilter) {
    q.words("state", f.states.iter().copied());
    q.words("risk", f.risks.iter().copied());
    q.words("action", f.actions.iter().copied());
    q.words("path", f.paths.iter().copied());
    q.words("channel", f.channels.iter().copied());
    q.words("kind", f.kinds.iter().copied());
    q.words("tier", f.tiers.iter().copied());
    q.words("waiting_on", f.waiting_on.iter().copied());
    if let Some(subject) = &f.subject {
        subject_is(q, subject);
    }
    assigned(q, f);
    let flag = |column: &str, wanted: Option<bool>| wanted.map(|w| format!("c.{column} {} 0", if w { "<>" } else { "=" }));
    q.wheres.extend([flag("held", f.held), flag("flags", f.flagged), flag("ended", f.ended)].into_iter().flatten());
    if f.held == Some(true) {
        q.wheres.push("c.held = 1".into());
    }
    if let Some(before) = f.due_before {
        let before = q.bind(millis(before));
        q.wheres.push(format!("c.k_due < {before}"));
    }
    if let Some(person) = &f.decidable_by {
        let person = q.bind(person.as_str().to_owned());
        q.wheres.push(decidable(&person));
    }
}

fn subject_is(q: &mut Query, subject: &str) {
    if let Some(prefix) = subject.strip_suffix('*') {
        // Ids are ASCII below '~', so this bounds everything that begins so.
        let (from, to) = (q.bind(prefix.to_owned()), q.bind(format!("{prefix}~")));
        q.wheres.push(format!("c.subject >= {from} AND c.subject < {to}"));
    } else {
        let subject = q.bind(subject.to_owned());
        q.wheres.push(format!("c.subject = {subject}"));
    }
}

fn assigned(q: &mut Query, f: &QueueFilter) {
    let mut either = Vec::new();
    if !f.assignees.is_empty() {
        let list: Vec<String> = f.assignees.iter().map(|a: &OperatorId| q.bind(a.as_str().to_owned())).collect();
        either.push(format!("c.assignee IN ({})", list.join(",")));
    }
    if f.unassigned {
        either.push("c.assignee IS NULL".into());
    }
    if !either.is_empty() {
        q.wheres.push(format!("({})", either.join(" OR ")));
    }
}

/// Sealed, outside the lineage, and not decided by them yet.
fn decidable(person: &str) -> String {
    format!(
        "c.state = {sealed} AND c.held = 0
         AND NOT EXISTS (SELECT 1 FROM lineage l WHERE l.case_key = c.id AND l.person = {person})
         AND NOT EXISTS (SELECT 1 FROM links k JOIN lineage l ON l.case_key = k.linked WHERE k.case_key = c.id AND l.person = {person})
         AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.case_key = c.id AND a.seal = c.seal AND a.person = {person})",
        sealed = CaseState::Sealed.ordinal()
    )
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
