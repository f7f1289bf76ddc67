//! Questions other than the queue's: cases folded from their entries, subjects, people, texts, entries.
//!
//! Contract: each answer comes from one moment of the store. Knows nothing about threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use super::answers::ANSWER_LIFETIME_MS;
use super::batch::Kept;
use super::commit::int;
use super::errors::from_json;
use super::rows::{self, millis, time};
use super::{dates, mailboxes, schema};
use crate::base::ids::{CaseId, PersonId, SubjectId, TargetId, TextId};
use crate::base::{Digest, Time, Untrusted};
use crate::domain::case::Case;
use crate::domain::event::{Body, Entry};
use crate::domain::subject::Subject;
use crate::domain::view::{CaseRow, SubjectRow};
use crate::store::{KeptAnswer, KeptText, PersonDetails, StoreError, SubjectRecord};

/// The most names that [`names_like`] gives.
const NAMES: i64 = 20;
/// The most cases that [`linked`] gives.
const LINKED: i64 = 200;
/// The most entries one question gives.
pub(super) const ENTRIES: u16 = 1_000;
/// The most open cases named beside a subject at intake.
const OPEN_CASES: i64 = 20;

pub(super) fn entry(bytes: &[u8]) -> Result<Entry, StoreError> {
    serde_json::from_slice(bytes).map_err(|e| StoreError::Damaged(format!("an entry: {e}")))
}

pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    mut each: impl FnMut(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut out = Vec::new();
    while let Some(r) = found.next()? {
        out.push(each(r)?);
    }
    Ok(out)
}

pub(super) fn case_id(r: &Row) -> Result<CaseId, StoreError> {
    let key: i64 = r.get(0)?;
    CaseId::from_key(key).ok_or_else(|| StoreError::Damaged(format!("{key} is no case number")))
}

/// A case, from memory if it is there in its present version.
pub(super) fn case(conn: &mut Connection, kept: &Kept, id: CaseId) -> Result<Option<Arc<Case>>, StoreError> {
    case_in(&conn.transaction()?, kept, id)
}

/// The same, within a transaction.
pub(super) fn case_in(tx: &Transaction<'_>, kept: &Kept, id: CaseId) -> Result<Option<Arc<Case>>, StoreError> {
    let version: Option<i64> = tx.prepare_cached("SELECT version FROM cases WHERE id = ?1")?.query_row([id.key()], |r| r.get(0)).optional()?;
    let Some(version) = version.and_then(|v| u64::try_from(v).ok()) else { return Ok(None) };
    if let Some(case) = kept.case(id, version) {
        return Ok(Some(case));
    }
    let case = fold(tx, id)?.filter(|c| c.version == version);
    let case = Arc::new(case.ok_or_else(|| StoreError::Damaged(format!("the entries of {id} do not make version {version}")))?);
    kept.keep(Arc::clone(&case));
    Ok(Some(case))
}

/// A case from its entries alone.
pub(super) fn fold(conn: &Connection, id: CaseId) -> Result<Option<Case>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT bytes FROM entries WHERE case_key = ?1 ORDER BY version")?;
    let mut found = statement.query([id.key()])?;
    let mut case = None;
    while let Some(r) = found.next()? {
        let entry = entry(r.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        let Body::Case { event, .. } = &entry.body else {
            return Err(StoreError::Damaged(format!("entry {} is filed under {id} and is none of it", entry.seq)));
        };
        case = Case::apply(case, id, event, entry.at);
    }
    Ok(case)
}

/// A case's row.
pub(super) fn row(conn: &Connection, id: CaseId) -> Result<Option<CaseRow>, StoreError> {
    let sql = format!("SELECT {} FROM cases c WHERE c.id = ?1", rows::COLUMNS);
    Ok(all(conn, &sql, [id.key()], rows::get)?.pop())
}

/// The last number of that case's year under which anything is in the log, or was in a database that this one replaced.
pub(super) fn last_number(conn: &Connection, first: CaseId) -> Result<u32, StoreError> {
    let (from, until) = (first.key(), first.key() + (1 << 32));
    let sql = "SELECT case_key FROM entries WHERE case_key > ?1 AND case_key < ?2 ORDER BY case_key DESC LIMIT 1";
    let opened: Option<i64> = conn.query_row(sql, [from, until], |r| r.get(0)).optional()?;
    let replaced: Option<i64> = conn.query_row("SELECT value FROM counters WHERE name = ?1", [replaced(first)], |r| r.get(0)).optional()?;
    let last = (opened.unwrap_or(from) - from).max(replaced.unwrap_or(0));
    u32::try_from(last).map_err(|_| schema::refused("there are no case numbers left this year"))
}

/// The counter that holds the last case number of a year that a replaced database had given out.
pub(super) fn replaced(first: CaseId) -> String {
    format!("replaced_{:02}", first.key() >> 32)
}

/// Other cases of a subject that are, or ever were, about a target.
pub(super) fn linked(
    conn: &mut Connection,
    kept: &Kept,
    about: (&SubjectId, &TargetId),
    since: Time,
    but: Option<CaseId>,
) -> Result<Vec<Arc<Case>>, StoreError> {
    linked_in(&conn.transaction()?, kept, about, since, but)
}

/// The same, within a transaction.
pub(super) fn linked_in(
    tx: &Transaction<'_>,
    kept: &Kept,
    about: (&SubjectId, &TargetId),
    since: Time,
    but: Option<CaseId>,
) -> Result<Vec<Arc<Case>>, StoreError> {
    let sql = "SELECT c.id FROM went w CROSS JOIN cases c ON c.id = w.case_key WHERE w.subject = ?1 AND w.target = ?2 AND c.k_updated <= ?3
        AND c.id <> ?4 ORDER BY c.k_updated LIMIT ?5";
    let but = but.map_or(-1, CaseId::key);
    let ids = all(tx, sql, params![about.0.as_str(), about.1.as_str(), -millis(since), but, LINKED], case_id)?;
    let mut cases = Vec::with_capacity(ids.len());
    for id in ids {
        cases.extend(case_in(tx, kept, id)?);
    }
    Ok(cases)
}

/// Cases whose time has come, soonest first.
pub(super) fn due(conn: &Connection, now: Time, limit: u16) -> Result<Vec<CaseId>, StoreError> {
    all(
        conn,
        "SELECT id FROM cases WHERE next_due IS NOT NULL AND next_due <= ?1 ORDER BY next_due, id LIMIT ?2",
        params![millis(now), limit],
        case_id,
    )
}

/// Cases that are still to be decided or carried out: new, in proofing, sealed or approved.
pub(super) fn undecided(conn: &Connection, after: Option<CaseId>, limit: u16) -> Result<Vec<CaseId>, StoreError> {
    let after = after.map_or(-1, CaseId::key);
    all(
        conn,
        "SELECT id FROM cases INDEXED BY cases_undecided WHERE state IN (0, 1, 2, 3) AND id > ?1 ORDER BY id LIMIT ?2",
        params![after, limit],
        case_id,
    )
}

/// A subject.
pub(super) fn subject(conn: &mut Connection, id: &SubjectId) -> Result<Option<SubjectRecord>, StoreError> {
    subject_in(&conn.transaction()?, id)
}

/// The same, within a transaction.
pub(super) fn subject_in(tx: &Transaction<'_>, id: &SubjectId) -> Result<Option<SubjectRecord>, StoreError> {
    let found: Option<(i64, String)> =
        tx.prepare_cached("SELECT version, body FROM subjects WHERE id = ?1")?.query_row([id.as_str()], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let Some((version, body)) = found else { return Ok(None) };
    let cases: Option<i64> =
        tx.prepare_cached("SELECT cases FROM subject_cases WHERE subject = ?1")?.query_row([id.as_str()], |r| r.get(0)).optional()?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let subject: Subject = from_json("a subject", &body)?;
    let mailboxes = Arc::new(mailboxes::of(tx, &subject)?);
    let dates = Arc::new(dates::of(tx, &subject)?);
    Ok(Some(SubjectRecord { subject: Arc::new(subject), version: number(version), linked: number(cases.unwrap_or(0)), mailboxes, dates }))
}

/// Subjects by the beginnings of words of their name or id.
pub(super) fn find_subjects(conn: &mut Connection, text: &str, limit: u16) -> Result<Vec<SubjectRow>, StoreError> {
    let words = rows::words(text);
    let tx = conn.transaction()?;
    let parse = |r: &Row| from_json::<Subject>("a subject", r.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
    let subjects = if words.is_empty() {
        all(&tx, "SELECT body FROM subjects ORDER BY id LIMIT ?1", [limit], parse)?
    } else {
        // The index knows the beginnings of words: what is longer, or one letter, is compared.
        let beginnings = rows::beginnings("", &words);
        let (mut from, mut wheres, mut values) = ("subjects s", Vec::new(), Vec::<Value>::new());
        if !beginnings.is_empty() {
            from = "subject_words w CROSS JOIN subjects s ON s.row = w.rowid";
            values.push(beginnings.join(" AND ").into());
            wheres.push("w.subject_words MATCH ?1".to_owned());
        }
        for word in &words {
            values.push(format!(" {word}").into());
            wheres.push(format!("instr(s.words, ?{}) > 0", values.len()));
        }
        let sql = format!("SELECT body FROM (SELECT s.id, s.body FROM {from} WHERE {} LIMIT {limit}) ORDER BY id", wheres.join(" AND "));
        all(&tx, &sql, params_from_iter(values), parse)?
    };
    let open = "SELECT id FROM cases INDEXED BY cases_by_subject WHERE subject = ?1 AND ended = 0 ORDER BY k_updated LIMIT ?2";
    let row = |s: Subject| {
        let open_cases = all(&tx, open, params![s.id.as_str(), OPEN_CASES], case_id)?;
        Ok(SubjectRow { id: s.id, name: s.name, kind: s.kind, tier: s.tier, open_cases })
    };
    subjects.into_iter().map(row).collect()
}

/// Names of other subjects that look the same.
pub(super) fn names_like(conn: &Connection, skeleton: &str, but: &SubjectId) -> Result<Vec<Untrusted>, StoreError> {
    let sql = "SELECT body FROM subjects WHERE skeleton = ?1 AND skeleton <> '' AND id <> ?2 ORDER BY id LIMIT ?3";
    all(conn, sql, params![skeleton, but.as_str(), NAMES], |r| {
        let body: String = r.get(0)?;
        Ok(from_json::<Subject>("a subject", &body)?.name)
    })
}

/// Hashes of unused codes.
pub(super) fn saved_codes(conn: &Connection, subject: &SubjectId) -> Result<Vec<String>, StoreError> {
    all(conn, "SELECT hash FROM saved_codes WHERE subject = ?1 AND used = 0 ORDER BY hash", [subject.as_str()], |r| Ok(r.get(0)?))
}

/// Names and addresses.
pub(super) fn people(conn: &Connection, ids: &[PersonId]) -> Result<BTreeMap<PersonId, PersonDetails>, StoreError> {
    let mut out = BTreeMap::new();
    for id in ids {
        let found: Option<(String, Option<String>, Option<i64>)> = conn
            .prepare_cached("SELECT name, email, since FROM people WHERE id = ?1")?
            .query_row([id.as_str()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
            .optional()?;
        if let Some((name, email, since)) = found {
            let since = since.map(time).transpose()?;
            out.insert(id.clone(), PersonDetails { id: id.clone(), name: name.into(), email: email.map(Untrusted::from), since });
        }
    }
    Ok(out)
}

/// A policy's text.
pub(super) fn policy(conn: &Connection, sha256: &Digest) -> Result<Option<String>, StoreError> {
    Ok(conn.prepare_cached("SELECT body FROM policies WHERE sha256 = ?1")?.query_row([sha256.as_bytes()], |r| r.get(0)).optional()?)
}

/// Texts that are still there.
pub(super) fn texts(conn: &mut Connection, kept: &Kept, case: CaseId, ids: &[TextId]) -> Result<BTreeMap<TextId, KeptText>, StoreError> {
    texts_in(&conn.transaction()?, kept, case, ids)
}

/// The same, within a transaction.
pub(super) fn texts_in(tx: &Transaction<'_>, kept: &Kept, case: CaseId, ids: &[TextId]) -> Result<BTreeMap<TextId, KeptText>, StoreError> {
    let mut out = BTreeMap::new();
    let wrapped: Option<Vec<u8>> =
        tx.prepare_cached("SELECT wrapped FROM case_keys WHERE case_key = ?1")?.query_row([case.key()], |r| r.get(0)).optional()?;
    let Some(wrapped) = wrapped else { return Ok(out) };
    let key = kept.vault.case_key(case, &wrapped)?;
    for id in ids {
        let sql = "SELECT sealed FROM texts WHERE id = ?1 AND case_key = ?2";
        let sealed: Option<Vec<u8>> = tx.prepare_cached(sql)?.query_row(params![id.as_str(), case.key()], |r| r.get(0)).optional()?;
        if let Some(sealed) = sealed {
            let (salt, text) = key.open(case, id, &sealed)?;
            out.insert(id.clone(), KeptText { salt, text });
        }
    }
    Ok(out)
}

/// Entries from a place on.
pub(super) fn entries(conn: &Connection, from: u64, limit: u16) -> Result<Vec<Entry>, StoreError> {
    let read = |r: &Row| entry(r.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
    all(conn, "SELECT bytes FROM entries WHERE seq >= ?1 ORDER BY seq LIMIT ?2", params![int(from), limit.min(ENTRIES)], read)
}

/// Entries of a case.
pub(super) fn entries_of(conn: &Connection, case: CaseId, after: u64, limit: u16) -> Result<Vec<Entry>, StoreError> {
    let read = |r: &Row| entry(r.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
    let sql = "SELECT bytes FROM entries WHERE case_key = ?1 AND version > ?2 ORDER BY version LIMIT ?3";
    all(conn, sql, params![case.key(), int(after), limit.min(ENTRIES)], read)
}

/// Size and root of the tree.
pub(super) fn head(conn: &Connection) -> Result<(u64, Digest), StoreError> {
    let found: Option<(i64, [u8; 32])> =
        conn.prepare_cached("SELECT size, root FROM tree WHERE id = 0")?.query_row([], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    Ok(found.map_or_else(|| (0, Digest::of(b"")), |(size, root)| (u64::try_from(size).unwrap_or(0), Digest::from(root))))
}

/// The answer kept for a repeated request.
pub(super) fn kept_answer(conn: &Connection, kept: &Kept, principal: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError> {
    let oldest = millis(kept.ports.clock.now()) - ANSWER_LIFETIME_MS;
    let sql = "SELECT request, status, body FROM kept_answers WHERE principal = ?1 AND key = ?2 AND at >= ?3";
    let read = |r: &Row| {
        Ok(KeptAnswer {
            principal: principal.to_owned(),
            key: key.to_owned(),
            request_sha256: Digest::from(r.get::<_, [u8; 32]>(0)?),
            status: r.get(1)?,
            body: r.get(2)?,
        })
    };
    Ok(all(conn, sql, params![principal, key, oldest], read)?.pop())
}
