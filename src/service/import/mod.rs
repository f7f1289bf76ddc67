//! Import of persons and subjects from the systems that know them: CSV or JSON, looked at whole before anything is written.
//!
//! Contract: a dry run and a real run give the same report; refused rows are named by line with the reason, and never stand in the way of
//! the good ones; rows that change nothing are not written. What is written goes through the register's commands, in batches; a run that
//! was interrupted is run again. Knows no file system.

pub mod parse;
mod person;
mod shared;
mod subject;
#[cfg(test)]
mod tests;
mod undated;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use parse::Format;

use shared::{Taken, TakenSubject};
use undated::Moments;

use super::register::Beside;
use super::{Ask, Service, ServiceError};
use crate::base::ids::{PersonId, SubjectId};
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::govern::{record_person, with_accounts};
use crate::domain::register::{Person, Register};
use crate::domain::subject::Subject;
use crate::store::PersonDetails;

/// The largest file, in bytes.
pub const MAX_FILE: usize = 64 * 1024 * 1024;
/// The most rows of one file.
pub const MAX_ROWS: usize = 200_000;
/// The most refused rows that a report lists; all are counted.
pub const MAX_LISTED: usize = 1_000;
/// The most rows with a warning that a report lists; all are counted.
pub const MAX_WARNED: usize = 100;
/// Rows written in one commit: each commit also writes the register as it then stands, so fewer and larger ones are quicker.
const BATCH: usize = 5_000;

/// Persons that wait to be written together.
#[derive(Default)]
struct Batch {
    persons: Vec<Person>,
    details: Vec<PersonDetails>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Persons.
    Persons,
    /// Subjects.
    Subjects,
}

/// The rows of a file as they are read, before anyone is looked up: the line of each, and why it can't be read.
pub fn read(kind: Kind, format: Format, bytes: &[u8]) -> Result<Vec<(u64, Option<String>)>, ImportError> {
    fn lines<T>(rows: Vec<parse::Row<T>>) -> Vec<(u64, Option<String>)> {
        rows.into_iter().map(|row| (row.line, row.row.err())).collect()
    }
    match kind {
        Kind::Persons => Ok(lines(parse::rows::<person::PersonIn>(format, bytes)?)),
        Kind::Subjects => Ok(lines(parse::rows::<subject::SubjectIn>(format, bytes)?)),
    }
}

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RefusedRow {
    /// Line in the file, from 1.
    pub line: u64,
    /// Its id, as far as it could be read; sanitised.
    pub id: Option<String>,
    /// Everything that is wrong with it.
    pub why: Vec<String>,
}

/// A row that is taken, and something about it that is worth looking at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WarnedRow {
    /// Line in the file, from 1.
    pub line: u64,
    /// Its id.
    pub id: String,
    /// What about it.
    pub says: Vec<String>,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Report {
    /// Rows read.
    pub rows: u64,
    /// Rows that are new.
    pub new: u64,
    /// Rows that change a record.
    pub changed: u64,
    /// Rows that say what is recorded already.
    pub unchanged: u64,
    /// Rows refused.
    pub refused: u64,
    /// The first of them, with reasons.
    pub refusals: Vec<RefusedRow>,
    /// Rows that are taken and worth looking at: a mailbox in them is somebody else's as well, something has no date and counts from now, or a date
    /// is passed over.
    pub warned: u64,
    /// The first of them.
    pub warnings: Vec<WarnedRow>,
    /// Whether the file was only looked at.
    pub dry_run: bool,
    /// Lines with a warning.
    #[serde(skip)]
    lines: BTreeSet<u64>,
    /// What is warned of last, so that it keeps nothing else from being listed: of the first [`MAX_WARNED`] rows what it is, of others that it is.
    #[serde(skip)]
    undated: Vec<(u64, String, Vec<String>)>,
}

impl Report {
    fn refuse(&mut self, line: u64, id: Option<String>, why: Vec<String>) {
        self.refused += 1;
        if self.refusals.len() < MAX_LISTED {
            self.refusals.push(RefusedRow { line, id, why });
        }
    }
}

impl Report {
    /// Counts a row once, and has it say what it warns of only if it is listed.
    fn warn(&mut self, line: u64, id: &impl ToString, says: impl FnOnce() -> Vec<String>) {
        if !self.lines.insert(line) {
            if let Some(listed) = self.warnings.iter_mut().find(|w| w.line == line) {
                listed.says.extend(says());
            }
            return;
        }
        self.warned += 1;
        if self.warnings.len() < MAX_WARNED {
            self.warnings.push(WarnedRow { line, id: id.to_string(), says: says() });
        }
    }

    /// What a row that is taken says, or leaves out, of dates.
    fn undated(&mut self, line: u64, id: &impl ToString, says: Vec<String>) {
        match (says.is_empty(), self.undated.len() < MAX_WARNED) {
            (true, _) => {}
            (false, true) => self.undated.push((line, id.to_string(), says)),
            (false, false) => self.undated.push((line, String::new(), Vec::new())),
        }
    }

    fn warn_of_dates(&mut self) {
        for (line, id, says) in std::mem::take(&mut self.undated) {
            self.warn(line, &id, || says);
        }
    }
}

/// Why a file could not be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is no such file.
    #[error("{0}")]
    File(String),
    /// The server refused or failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// Imports a file, or says what importing it would do.
    pub async fn import(&self, kind: Kind, format: Format, bytes: &[u8], dry_run: bool) -> Result<Report, ImportError> {
        if bytes.len() > MAX_FILE {
            return Err(ImportError::File(format!("The file is larger than {} MiB. Split it.", MAX_FILE / 1024 / 1024)));
        }
        match kind {
            Kind::Persons => self.import_persons(format, bytes, dry_run).await,
            Kind::Subjects => self.import_subjects(format, bytes, dry_run).await,
        }
    }

    async fn import_persons(&self, format: Format, bytes: &[u8], dry_run: bool) -> Result<Report, ImportError> {
        let rows = parse::rows::<person::PersonIn>(format, bytes)?;
        let (register, policy) = self.rules().await?;
        let named: BTreeSet<String> = rows.iter().filter_map(|r| r.row.as_ref().ok().map(|p| p.id.clone())).collect();
        let known = self.known_details(&named).await?;
        let mut report = Report { rows: rows.len() as u64, dry_run, ..Report::default() };
        let now = self.now();
        let moments = Moments { now, counts: now + policy.bundle.base.min_endpoint_age.duration() };
        let context = Ask::system(Worker::Host).context(now);
        // The register as it will be after the rows so far: a dry run refuses just what a run refuses.
        let (mut after, mut seen, mut batch) = (Register::clone(&register), BTreeSet::new(), Batch::default());
        let (mut taken, accounts): (Vec<Taken>, _) = (Vec::new(), with_accounts(&register));
        for row in rows {
            let checked = row.row.map_err(|why| (row.id, vec![why])).and_then(|p| {
                let id = Some(crate::base::text::sanitise(&p.id, false));
                person::check(&p, &register, &named, now).map_err(|why| (id, why))
            });
            let (person, details) = match checked {
                Ok(good) if seen.insert(good.0.id.clone()) => good,
                Ok((person, _)) => {
                    report.refuse(row.line, Some(person.id.to_string()), vec!["this id stands in the file more than once".to_owned()]);
                    continue;
                }
                Err((id, why)) => {
                    report.refuse(row.line, id, why);
                    continue;
                }
            };
            let old = register.persons.get(&person.id);
            let row_taken = Taken::of(row.line, &person, &details);
            // Since when an address is recorded is the server's own knowledge, once it knows the person.
            let same = |k: &PersonDetails| (&k.name, &k.email) == (&details.name, &details.email);
            let dates = undated::person(old.is_some(), known.get(&person.id), &details, moments);
            if old == Some(&person) && known.get(&person.id).is_some_and(same) {
                report.undated(row.line, &person.id, dates);
                report.unchanged += 1;
                taken.push(row_taken);
                continue;
            }
            // Also where only name or address changed: what is recorded of a person never changes without an entry (invariant 8).
            if let Err(refusal) = record_person((&mut after, &accounts), &policy, &person, &context) {
                report.refuse(row.line, Some(person.id.to_string()), vec![refusal.to_string()]);
                continue;
            }
            report.undated(row.line, &person.id, dates);
            *if old.is_none() { &mut report.new } else { &mut report.changed } += 1;
            taken.push(row_taken);
            batch.persons.push(person);
            // Also of whom no name or address is recorded yet.
            batch.details.push(PersonDetails { since: details.since.filter(|_| old.is_none()), ..details });
            if batch.details.len() >= BATCH {
                self.write_persons(std::mem::take(&mut batch), dry_run).await?;
            }
        }
        self.write_persons(batch, dry_run).await?;
        self.warn_of_persons(&taken, &after, &mut report).await?;
        report.warn_of_dates();
        Ok(report)
    }

    async fn write_persons(&self, batch: Batch, dry_run: bool) -> Result<(), ServiceError> {
        if dry_run || batch.details.is_empty() {
            return Ok(());
        }
        let command = RegisterCommand::RecordPersons { persons: batch.persons };
        let beside = Beside { people: batch.details, ..Beside::default() };
        self.govern(&Ask::system(Worker::Host), &command, &beside).await.map(drop)
    }

    /// Names and addresses that are recorded of those whom the file names.
    async fn known_details(&self, named: &BTreeSet<String>) -> Result<BTreeMap<PersonId, PersonDetails>, ServiceError> {
        let ids: Vec<PersonId> = named.iter().filter_map(|id| PersonId::parse(id).ok()).collect();
        let mut known = BTreeMap::new();
        for some in ids.chunks(BATCH) {
            known.extend(self.store.people(some).await?);
        }
        Ok(known)
    }

    async fn import_subjects(&self, format: Format, bytes: &[u8], dry_run: bool) -> Result<Report, ImportError> {
        let rows = parse::rows::<subject::SubjectIn>(format, bytes)?;
        let (register, policy) = self.rules().await?;
        let age = policy.bundle.base.min_endpoint_age.duration();
        let mut report = Report { rows: rows.len() as u64, dry_run, ..Report::default() };
        let mut seen = BTreeSet::new();
        let mut batch: Vec<TakenSubject> = Vec::new();
        for row in rows {
            let Some(subject) = self.one_subject((row, age), &register, &mut seen, &mut report).await? else { continue };
            batch.push(subject);
            if batch.len() == BATCH {
                self.take_subjects(std::mem::take(&mut batch), &register, &mut report).await?;
            }
        }
        self.take_subjects(batch, &register, &mut report).await?;
        report.warn_of_dates();
        Ok(report)
    }

    async fn take_subjects(&self, batch: Vec<TakenSubject>, register: &Register, report: &mut Report) -> Result<(), ServiceError> {
        self.warn_of_subjects(&batch, register, report).await?;
        let subjects: Vec<Subject> = batch.into_iter().filter(|t| t.differs).map(|t| t.subject).collect();
        if report.dry_run || subjects.is_empty() {
            return Ok(());
        }
        self.record_subjects(subjects).await
    }

    /// The subject of a row as it is to be recorded, or is already; `None` if it is refused.
    async fn one_subject(
        &self,
        (row, age): (parse::Row<subject::SubjectIn>, chrono::Duration),
        register: &Arc<Register>,
        seen: &mut BTreeSet<SubjectId>,
        report: &mut Report,
    ) -> Result<Option<TakenSubject>, ServiceError> {
        let read = match row.row {
            Ok(read) => read,
            Err(why) => {
                report.refuse(row.line, row.id, vec![why]);
                return Ok(None);
            }
        };
        let shown = Some(crate::base::text::sanitise(&read.id, false));
        let known = match SubjectId::parse(&read.id) {
            Ok(id) if !seen.insert(id.clone()) => {
                report.refuse(row.line, shown, vec!["this id stands in the file more than once".to_owned()]);
                return Ok(None);
            }
            Ok(id) => self.store.subject(&id).await?.map(|r| (r.subject, r.dates)),
            Err(_) => None,
        };
        let (known, dates) = known.unzip();
        let now = self.now();
        let mut subject = match subject::check(&read, register, known.as_deref(), now) {
            Ok(subject) => subject,
            Err(why) => {
                report.refuse(row.line, shown, why);
                return Ok(None);
            }
        };
        report.undated(row.line, &subject.id, undated::subject(&read, known.as_deref(), &subject, Moments { now, counts: now + age }));
        let differs = known.as_deref() != Some(&subject);
        // Of whom no date was kept, the manager is so at least since the record stands that is replaced now.
        if differs && known.as_ref().is_some_and(|k| k.manager.is_some() && k.manager == subject.manager) {
            subject.manager_since = subject.manager_since.or(dates.and_then(|d| d.record));
        }
        *match (differs, &known) {
            (false, _) => &mut report.unchanged,
            (true, Some(_)) => &mut report.changed,
            (true, None) => &mut report.new,
        } += 1;
        Ok(Some(TakenSubject { line: row.line, subject, differs }))
    }
}
