//! What lists find: the kinds of flag a case carries, and the words and the skeleton of a subject's name.
//!
//! Contract: each is what the record makes of it; written anew where an older version of the program made it otherwise, and compared by
//! `doctor`. The index of words itself holds no text that could be compared. Knows nothing about who looks.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::rows::{self, Ordinal as _};
use super::verify::Verify;
use crate::base::ids::CaseId;
use crate::domain::anomaly::skeleton;
use crate::domain::case::Flag;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::FlagKind;
use crate::store::StoreError;

/// Subjects held in memory at once while a database is brought up to date.
const PAGE: i64 = 1_000;

/// A bit for each kind.
pub(super) fn bits<'a>(kinds: impl IntoIterator<Item = &'a FlagKind>) -> i64 {
    kinds.into_iter().fold(0, |bits, kind| bits | (1 << kind.ordinal()))
}

/// The kinds whose bits are set.
pub(super) fn kinds(bits: i64) -> BTreeSet<FlagKind> {
    FlagKind::ALL.iter().copied().filter(|kind| bits & (1 << kind.ordinal()) != 0).collect()
}

/// The bits of a case's flags.
pub(super) fn flagged(flags: &[Flag]) -> i64 {
    bits(flags.iter().map(|f| &f.kind))
}

/// The words of a subject, a blank before each.
pub(super) fn words(subject: &Subject) -> String {
    let texts = [subject.name.raw(), subject.id.as_str()];
    texts.iter().flat_map(|t| rows::words(t)).flat_map(|w| [" ".to_owned(), w]).collect()
}

/// Writes the flags of every case that has any, and what every subject is found by.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let keys: Vec<i64> = {
        let mut all = conn.prepare("SELECT id FROM cases WHERE flags <> 0")?;
        all.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?
    };
    for id in keys.into_iter().filter_map(CaseId::from_key) {
        let Some(case) = super::reads::fold(conn, id)? else { continue };
        conn.prepare_cached("UPDATE cases SET flag_kinds = ?2 WHERE id = ?1")?.execute([id.key(), flagged(&case.flags)])?;
    }
    let mut after = Some(String::new());
    while let Some(id) = after {
        after = fill_page(conn, &id)?;
    }
    Ok(())
}

/// Writes what [`PAGE`] subjects are found by, those that come after an id; the last one's id, and none after the end.
fn fill_page(conn: &Connection, after: &str) -> Result<Option<String>, StoreError> {
    let (mut last, mut moved) = (None, Vec::new());
    let mut page = conn.prepare_cached("SELECT id, body, row, words, skeleton FROM subjects WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut found = page.query(params![after, PAGE])?;
    while let Some(r) = found.next()? {
        last = Some(r.get(0)?);
        let Ok(subject) = serde_json::from_str::<Subject>(&r.get::<_, String>(1)?) else { continue };
        let (row, was, bones): (i64, String, String) = (r.get(2)?, r.get(3)?, r.get(4)?);
        if was != words(&subject) || bones != skeleton(subject.name.raw()) {
            moved.push((subject, row, was));
        }
    }
    for (subject, row, was) in moved {
        let now = words(&subject);
        let sql = "UPDATE subjects SET words = ?2, skeleton = ?3 WHERE id = ?1";
        conn.prepare_cached(sql)?.execute(params![subject.id.as_str(), now, skeleton(subject.name.raw())])?;
        rows::put_words(conn, "subject_words", row, Some(&was), &now)?;
    }
    Ok(last)
}

impl Verify<'_> {
    /// Whether a subject is found by its own name.
    pub(super) fn found_by(&mut self, subject: &Subject, kept: &str, bones: &str) {
        if kept != words(subject) || bones != skeleton(subject.name.raw()) {
            self.differs(format!("subject {}: is found by other words, or compared by another name, than its record's", subject.id));
        }
    }
}
