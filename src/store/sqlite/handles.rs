//! What subjects are called from outside: their names and mail addresses, so that one who asks for itself is found by them.
//!
//! Contract: the rows of a subject are those of its record, replaced with it in the same transaction. Ids are not among them: they are found
//! as what they are. Knows nothing about who asks.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::errors::from_json;
use super::reads::all;
use super::verify::Verify;
use crate::base::ids::SubjectId;
use crate::domain::subject::Subject;
use crate::store::StoreError;

/// The most subjects that one name or address leads to.
const CALLED: u16 = 20;

/// Replaces the rows of a subject by those of its record; to be asked before the record itself is replaced.
pub(super) fn put(conn: &Connection, subject: &Subject) -> Result<(), StoreError> {
    let id = subject.id.as_str();
    let old: Option<String> = conn.prepare_cached("SELECT body FROM subjects WHERE id = ?1")?.query_row([id], |r| r.get(0)).optional()?;
    let (before, now) = (old.map(|body| from_json::<Subject>("a subject", &body)).transpose()?.map(|s| s.handles()), subject.handles());
    let before = before.unwrap_or_default();
    for gone in before.difference(&now) {
        conn.prepare_cached("DELETE FROM subject_handles WHERE handle = ?1 AND subject = ?2")?.execute(params![gone, id])?;
    }
    put_new(conn, subject)
}

/// Writes the rows of every subject there is. What can't be read as one has none; verifying names it.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    conn.execute("DELETE FROM subject_handles", [])?;
    let mut all = conn.prepare("SELECT body FROM subjects")?;
    let mut found = all.query([])?;
    while let Some(r) = found.next()? {
        if let Ok(subject) = serde_json::from_str::<Subject>(&r.get::<_, String>(0)?) {
            put_new(conn, &subject)?;
        }
    }
    Ok(())
}

fn put_new(conn: &Connection, subject: &Subject) -> Result<(), StoreError> {
    let id = subject.id.as_str();
    for new in subject.handles().iter().filter(|h| h.as_str() != id) {
        conn.prepare_cached("INSERT OR IGNORE INTO subject_handles (handle, subject) VALUES (?1, ?2)")?.execute(params![new, id])?;
    }
    Ok(())
}

impl Verify<'_> {
    /// Whether each name and address of a subject leads to it; how many rows that makes.
    pub(super) fn handles(&mut self, subject: &Subject) -> Result<i64, StoreError> {
        let id = subject.id.as_str();
        let mut rows = 0;
        for handle in subject.handles().iter().filter(|h| h.as_str() != id) {
            let sql = "SELECT EXISTS (SELECT 1 FROM subject_handles WHERE handle = ?1 AND subject = ?2)";
            rows += 1;
            if !self.conn.prepare_cached(sql)?.query_row(params![handle, id], |r| r.get::<_, bool>(0))? {
                self.differs(format!("subject {id}: is not found by a name or address of its record"));
            }
        }
        Ok(rows)
    }

    /// Whether there are names and addresses besides.
    pub(super) fn handles_in_all(&mut self, wanted: i64) -> Result<(), StoreError> {
        let rows: i64 = self.conn.query_row("SELECT count(*) FROM subject_handles", [], |r| r.get(0))?;
        if rows != wanted {
            self.differs(format!("subjects' names: there are {rows} rows, the records make {wanted}"));
        }
        Ok(())
    }
}

/// Whom a name or address leads to.
pub(super) fn called(conn: &Connection, handle: &str) -> Result<Vec<SubjectId>, StoreError> {
    let sql = "SELECT subject FROM subject_handles WHERE handle = ?1 ORDER BY subject LIMIT ?2";
    all(conn, sql, params![handle, CALLED], |r| {
        let id: String = r.get(0)?;
        SubjectId::parse(&id).map_err(|e| StoreError::Damaged(format!("a subject's name: {e}")))
    })
}
