//! How a list is found: which index leads the way.
//!
//! Contract: whatever leads, the answer is the same, only the time differs; looking beforehand is bounded. Values are bound or numbers made
//! here, never text pasted into SQL. Knows nothing about pages or who asks.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::rows::{self, Ordinal, Tagged, column, millis};
use crate::base::ids::OperatorId;
use crate::domain::view::{QueueFilter, QueueQuery, Sort};
use crate::domain::vocabulary::CaseState;
use crate::store::StoreError;

/// Where one part of a filter leaves fewer rows than this, these are sorted; else the order's index is walked and each row compared. At a
/// million cases either takes about as long here.
const SORTED: usize = 3_000;
/// The same where only open cases are asked for, of which there are far fewer to walk.
const SORTED_OPEN: usize = 600;

/// A statement being put together.
#[derive(Default)]
pub(super) struct Query {
    pub(super) from: String,
    pub(super) wheres: Vec<String>,
    pub(super) values: Vec<Value>,
    /// The column by which what leads has the rows in order, where all have the last key and their numbers alone decide. Those ended cases that
    /// have another key are [`ended_and_due`].
    pub(super) by_number: Option<&'static str>,
}

impl Query {
    fn over(index: &str) -> Self {
        Self { from: format!("cases c INDEXED BY {index}"), ..Self::default() }
    }

    fn with(mut self, condition: impl Into<String>) -> Self {
        self.wheres.push(condition.into());
        self
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn words<T: Ordinal>(&mut self, column: &str, words: impl ExactSizeIterator<Item = T>) {
        if words.len() > 0 {
            let list: Vec<String> = words.map(|w| w.ordinal().to_string()).collect();
            self.wheres.push(format!("c.{column} IN ({})", list.join(",")));
        }
    }

    /// Whether fewer than so many rows are left.
    fn few(&self, conn: &Connection, most: usize) -> Result<bool, StoreError> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT {most})", self.from, self.wheres.join(" AND "));
        let found: i64 = conn.prepare_cached(&sql)?.query_row(params_from_iter(&self.values), |r| r.get(0))?;
        Ok(usize::try_from(found).is_ok_and(|found| found < most))
    }
}

/// Chooses the table and index to walk, with all conditions but the place.
pub(super) fn plan(conn: &Connection, query: &QueueQuery) -> Result<Query, StoreError> {
    let open = only_open(&query.filter);
    let mut q = lead(conn, query, open)?;
    filter(&mut q, &query.filter);
    Ok(q)
}

fn only_open(f: &QueueFilter) -> bool {
    f.ended == Some(false) || f.decidable_by.is_some() || (!f.states.is_empty() && f.states.iter().all(|s| !s.is_ended()))
}

/// What leads: the part of the filter that leaves few rows, else the index that has the rows in order.
fn lead(conn: &Connection, query: &QueueQuery, open: bool) -> Result<Query, StoreError> {
    let f = &query.filter;
    if f.subject.as_ref().is_some_and(|s| !s.ends_with('*')) {
        return Ok(Query::over("cases_by_subject"));
    }
    let most = if open { SORTED_OPEN } else { SORTED };
    let matching = matching(f, open);
    // What has ended is due no more, nearly always: it comes in the order of its numbers, which is that of the index of words.
    let by_number = query.sort == Sort::Due && f.ended == Some(true);
    if let Some(matching) = matching.as_deref().filter(|_| !by_number)
        && let Some(found) = few_found(conn, matching, most)?
    {
        return Ok(found);
    }
    for sparse in sparse(query, open) {
        if sparse.few(conn, most)? {
            return Ok(sparse);
        }
    }
    if let Some(matching) = matching.filter(|_| by_number) {
        let mut q = Query { from: "case_words w CROSS JOIN cases c ON c.id = w.rowid".to_owned(), by_number: Some("w.rowid"), ..Query::default() };
        let matching = q.bind(matching);
        return Ok(q.with(format!("w.case_words MATCH {matching}")).with(format!("c.k_due = {}", rows::NEVER)));
    }
    let due = query.sort == Sort::Due;
    let only_state = if f.decidable_by.is_some() { Some(CaseState::Sealed) } else { f.states.first().copied().filter(|_| f.states.len() == 1) };
    Ok(if due && f.assignees.len() == 1 && !f.unassigned {
        assigned_to(f, open)
    } else if due && only_state.is_some() {
        Query::over("cases_by_state")
    } else if due && f.held == Some(true) {
        Query::over("cases_held").with("c.held = 1")
    } else if by_number {
        Query { by_number: Some("c.id"), ..Query::over("cases_ended").with("c.ended = 1").with(format!("c.k_due = {}", rows::NEVER)) }
    } else {
        let walk = Query::over(&format!("cases_{}_{}", if open { "open" } else { "all" }, &column(query.sort)[2..]));
        if open { walk.with("c.ended = 0") } else { walk }
    })
}

/// The few ended cases that are due: held ones, whose hold has a clock.
pub(super) fn ended_and_due(query: &QueueQuery) -> Query {
    let mut q = Query::over("cases_ended_due").with("c.ended = 1").with(format!("c.k_due <> {}", rows::NEVER));
    filter(&mut q, &query.filter);
    q
}

/// Parts of the filter that an index of their own knows, each of which may leave few rows.
fn sparse(query: &QueueQuery, open: bool) -> Vec<Query> {
    let f = &query.filter;
    let mut found = Vec::new();
    if !f.assignees.is_empty() && !f.unassigned {
        found.push(assigned_to(f, open));
    }
    if f.decidable_by.is_some() || !f.states.is_empty() {
        let mut q = Query::over("cases_by_state");
        if f.decidable_by.is_some() {
            q.words("state", std::iter::once(CaseState::Sealed));
        } else {
            q.words("state", f.states.iter().copied());
        }
        found.push(q);
    }
    if let Some(subject) = &f.subject {
        let mut q = Query::over("cases_by_subject");
        subject_is(&mut q, subject);
        found.push(q);
    }
    if f.held == Some(true) {
        found.push(Query::over("cases_held").with("c.held = 1"));
    }
    if f.flagged == Some(true) || !f.flags.is_empty() {
        found.push(Query::over("cases_flagged").with("c.flags <> 0"));
    }
    if let Some(before) = f.due_before.filter(|_| query.sort != Sort::Due) {
        let mut q = Query::over(if open { "cases_open_due" } else { "cases_all_due" });
        let before = q.bind(millis(before));
        q = q.with(format!("c.k_due < {before}"));
        found.push(if open { q.with("c.ended = 0") } else { q });
    }
    found
}

fn assigned_to(f: &QueueFilter, open: bool) -> Query {
    let mut q = if open { Query::over("cases_open_assignee").with("c.ended = 0") } else { Query::over("cases_by_assignee") };
    q.wheres.push("c.assignee IS NOT NULL".to_owned());
    assigned(&mut q, f);
    q
}

/// The cases that the index of words finds, if they are fewer than so many.
fn few_found(conn: &Connection, matching: &str, most: usize) -> Result<Option<Query>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT rowid FROM case_words WHERE case_words MATCH ?1 LIMIT ?2")?;
    let found = statement.query_map((matching, i64::try_from(most).unwrap_or(i64::MAX)), |r| r.get(0))?;
    let found: Vec<i64> = found.collect::<Result<_, _>>()?;
    if found.len() >= most {
        return Ok(None);
    }
    let mut q = Query { from: "json_each(?1) w CROSS JOIN cases c ON c.id = w.value".to_owned(), ..Query::default() };
    let numbers: Vec<String> = found.iter().map(ToString::to_string).collect();
    q.bind(format!("[{}]", numbers.join(",")));
    Ok(Some(q))
}

/// Whether the index of words can find what is asked for among open and ended cases: these are then looked for each in its own order.
pub(super) fn splits(query: &QueueQuery) -> bool {
    let f = &query.filter;
    query.sort == Sort::Due && f.ended.is_none() && !only_open(f) && matching(f, false).is_some()
}

/// What the index of words is asked: the beginnings of all words, and the marks of what a case is, in open cases, in ended ones, or in both.
fn matching(f: &QueueFilter, open: bool) -> Option<String> {
    match (open, f.ended) {
        (true, _) => all_of(f, rows::OPEN),
        (false, Some(true)) => all_of(f, ""),
        (false, _) => all_of(f, "").zip(all_of(f, rows::OPEN)).map(|(ended, open)| format!("({ended}) OR ({open})")),
    }
}

fn all_of(f: &QueueFilter, mark: &str) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(text) = &f.text {
        parts.extend(rows::beginnings(mark, &words_and_year(text).0));
    }
    marks(&mut parts, mark, f.actions.iter().copied());
    marks(&mut parts, mark, f.paths.iter().copied());
    marks(&mut parts, mark, f.channels.iter().copied());
    marks(&mut parts, mark, f.kinds.iter().copied());
    marks(&mut parts, mark, f.tiers.iter().copied());
    marks(&mut parts, mark, f.risks.iter().copied());
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

fn marks<T: Tagged>(parts: &mut Vec<String>, mark: &str, words: impl Iterator<Item = T>) {
    let either: Vec<String> = words.map(|w| format!("\"{mark}{}\"", w.tag())).collect();
    if !either.is_empty() {
        parts.push(format!("({})", either.join(" OR ")));
    }
}

/// A text's words; a case number is typed as `cs-26-4127`: its year is no word of the document, but a part of the key.
fn words_and_year(text: &str) -> (Vec<String>, Option<i64>) {
    let mut words = rows::words(text);
    if words.first().is_none_or(|w| w != "cs") {
        return (words, None);
    }
    let year = words.get(1).filter(|w| w.len() == 2 && w.bytes().all(|b| b.is_ascii_digit())).and_then(|w| w.parse().ok());
    words.drain(..if year.is_some() { 2 } else { 1 });
    (words, year)
}

fn filter(q: &mut Query, f: &QueueFilter) {
    if let Some(text) = &f.text {
        let (words, year) = words_and_year(text);
        if let Some(year) = year {
            let (from, to) = (q.bind(year << 32), q.bind((year + 1) << 32));
            q.wheres.push(format!("c.id >= {from} AND c.id < {to}"));
        }
        for word in words {
            let word = q.bind(format!(" {word}"));
            q.wheres.push(format!("instr(c.words, {word}) > 0"));
        }
    }
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
    if !f.flags.is_empty() {
        q.wheres.push(format!("c.flag_kinds & {} <> 0", super::found::bits(&f.flags)));
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

/// Sealed, outside the lineage, and with no decision of theirs that counts.
pub(super) fn decidable(person: &str) -> String {
    format!(
        "c.state = {sealed} AND c.held = 0
         AND NOT EXISTS (SELECT 1 FROM lineage l WHERE l.case_key = c.id AND l.person = {person})
         AND NOT EXISTS (SELECT 1 FROM links k JOIN lineage l ON l.case_key = k.linked WHERE k.case_key = c.id AND l.person = {person})
         AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.case_key = c.id AND a.seal = c.seal AND a.person = {person}
                         AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.approval = a.id))",
        sealed = CaseState::Sealed.ordinal()
    )
}
