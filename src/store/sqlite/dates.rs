//! Since when rows beside the log are as they are.
//!
//! Contract: what stands in the rows is the time of the change that made them so; where nothing stands, nothing is old enough. Knows no rules about
//! how old something has to be.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::reads::{all, entry};
use super::rows::{millis, time};
use super::verify::Verify;
use crate::base::Time;
use crate::domain::dates::{Dates, SavedCodes};
use crate::domain::event::{Body, Entry, RegisterChange, RegisterEvent};
use crate::domain::subject::Subject;
use crate::store::StoreError;

/// What is recorded of no time is younger than anything.
const UNKNOWN: Time = Time::MAX_UTC;

/// Writes since when rows are as they are, as far as the log tells: when it last named what they are of.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    // The log may be large, and little of it is about this: the rest is not parsed.
    let says = |what: &str| format!("instr(bytes, CAST('{what}' AS BLOB)) > 0");
    let kinds = [r#""event":"subject_recorded""#, r#""event":"codes_issued""#, r#""change":"set_person""#].map(says).join(" OR ");
    let mut statement = conn.prepare(&format!("SELECT bytes FROM entries WHERE case_key IS NULL AND ({kinds}) ORDER BY seq"))?;
    let mut found = statement.query([])?;
    while let Some(r) = found.next()? {
        let Entry { at, body: Body::Register { event, .. }, .. } = entry(r.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)? else { continue };
        let (sql, id) = match &event {
            RegisterEvent::SubjectRecorded { subject, .. } => ("UPDATE subjects SET since = ?2 WHERE id = ?1", subject.as_str()),
            RegisterEvent::CodesIssued { subject, .. } => ("UPDATE saved_codes SET since = ?2 WHERE subject = ?1", subject.as_str()),
            RegisterEvent::Changed { change: RegisterChange::SetPerson(person) } => {
                ("UPDATE people SET since = ?2 WHERE id = ?1 AND mailbox IS NOT NULL", person.id.as_str())
            }
            _ => continue,
        };
        conn.prepare_cached(sql)?.execute(params![id, millis(at)])?;
    }
    Ok(())
}

/// Since when a subject's record, its saved codes and the mailboxes of whoever could attest for it are as they are.
pub(super) fn of(conn: &Connection, subject: &Subject) -> Result<Dates, StoreError> {
    let known = |since: Option<i64>| since.map_or(Ok(UNKNOWN), time);
    let sql = "SELECT since FROM subjects WHERE id = ?1";
    let record: Option<Option<i64>> = conn.prepare_cached(sql)?.query_row([subject.id.as_str()], |r| r.get(0)).optional()?;
    let sql = "SELECT since FROM saved_codes WHERE subject = ?1 AND used = 0";
    let codes = all(conn, sql, [subject.id.as_str()], |r| known(r.get(0)?))?.into_iter().max().map_or(SavedCodes::None, SavedCodes::Issued);
    let mut mailboxes = BTreeMap::new();
    for person in subject.owners.iter().map(|o| &o.person).chain(&subject.manager) {
        let sql = "SELECT since FROM people WHERE id = ?1 AND mailbox IS NOT NULL";
        let since: Option<Option<i64>> = conn.prepare_cached(sql)?.query_row([person.as_str()], |r| r.get(0)).optional()?;
        if let Some(since) = since {
            mailboxes.insert(person.clone(), known(since)?);
        }
    }
    Ok(Dates { codes, mailboxes, record: record.map(known).transpose()? })
}

impl Verify<'_> {
    /// Whether every set of saved codes is from when the log says that it was issued.
    pub(super) fn dates(&mut self) -> Result<(), StoreError> {
        for (subject, issued) in self.codes.clone() {
            let sql = "SELECT EXISTS (SELECT 1 FROM saved_codes WHERE subject = ?1 AND since IS NOT ?2)";
            if self.conn.prepare_cached(sql)?.query_row(params![subject.as_str(), millis(issued)], |r| r.get::<_, bool>(0))? {
                self.differs(format!("saved codes of {subject}: they are not from when the log says that they were issued"));
            }
        }
        Ok(())
    }
}
