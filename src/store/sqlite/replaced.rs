//! What a database that a backup replaces knows and the backup does not.
//!
//! Contract: nothing of what is replaced was verified, so what is read from it may narrow and never widen; what it can't give is said. The
//! backup is changed in two ways only: codes that are void there are void in it, and no case number that was given there is given again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{look, reads, schema};
use crate::base::ids::{CaseId, PersonId, SubjectId};
use crate::domain::elsewhere::{Elsewhere, OrderThere};
use crate::domain::register::Register;
use crate::domain::subject::Subject;
use crate::store::StoreError;

/// How many case numbers are left out where nobody can tell how many were given since the backup: more than are opened between two backups.
pub const SKIPPED: u32 = 10_000;
/// Case numbers have nine digits at most; a counter beyond them is none that this program wrote.
const HIGHEST: u32 = 999_000_000;

/// What stands where a backup is to be put, beside the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A newer version of this program wrote it; with the reason why it can't be read.
    Newer(String),
    /// Something that can't be read as a database of this program; with the reason.
    Unreadable(String),
    /// A log that begins otherwise, with so many entries: another server's.
    Other(u64),
    /// The same server's log, and what the backup knows nothing of.
    Same(Lost),
}

/// A case of the backup in which more had happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub case: CaseId,
    /// What had, as far as it counts here.
    pub there: Elsewhere,
}

/// An order of a case that the backup does not know at all, by which a target may hold access that this server can't take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Astray {
    /// The case.
    pub case: CaseId,
    /// Whose access.
    pub subject: SubjectId,
    /// What was ordered, and when it ends.
    pub order: OrderThere,
}

fn ids<S: serde::Serializer>(moved: &[Moved], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(moved.iter().map(|m| m.case))
}

/// What the database that is replaced knows and the backup does not.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Lost {
    /// Entries of the log.
    pub entries: u64,
    /// The register it had, as it was found: nothing in it was verified, so it may narrow and never widen.
    #[serde(skip)]
    pub was: Box<Register>,
    /// Subjects whose record had changed, as it was found there: it may narrow the backup's and never widen it.
    #[serde(skip)]
    pub subjects: Vec<Subject>,
    /// Persons whose mail address had changed: which of the two is theirs now nobody can tell.
    #[serde(skip)]
    pub mailboxes: Vec<PersonId>,
    /// Cases in which more had happened.
    #[serde(serialize_with = "ids")]
    pub moved: Vec<Moved>,
    /// Cases that were opened since: the backup knows nothing of them.
    pub opened: u64,
    /// What targets may hold by orders of these.
    #[serde(skip)]
    pub astray: Vec<Astray>,
    /// Denials since.
    pub denials: u64,
    /// Saved codes that were used, replaced or taken away since, which the backup would have taken for good; void in it now.
    pub codes: u64,
    /// Whether another policy was in force.
    pub policy: bool,
}

/// Makes void in the backup what saved codes the database there no longer takes.
pub(super) fn void_codes(backup: &Path, there: &Path) -> Result<u64, StoreError> {
    let old = schema::open_walker(there)?;
    let mut new = Connection::open(backup)?;
    let good: Vec<(String, String)> = {
        let mut all = new.prepare("SELECT subject, hash FROM saved_codes WHERE used = 0")?;
        all.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?
    };
    let (mut still, tx, mut void) = (old.prepare("SELECT 1 FROM saved_codes WHERE subject = ?1 AND hash = ?2 AND used = 0")?, new.transaction()?, 0);
    for (subject, hash) in good {
        if !still.exists([&subject, &hash])? {
            void += tx.execute("UPDATE saved_codes SET used = 1 WHERE subject = ?1 AND hash = ?2", [&subject, &hash])? as u64;
        }
    }
    tx.commit()?;
    Ok(void)
}

/// The database that is there beside the backup.
pub(super) fn compare(backup: &Path, there: &Path) -> There {
    if !fs::metadata(there).is_ok_and(|m| m.len() > 0) {
        return There::Nothing;
    }
    match schema::newer(there) {
        Ok(Some(why)) => There::Newer(why),
        _ => compared(backup, there).unwrap_or_else(|e| There::Unreadable(e.to_string())),
    }
}

fn compared(backup: &Path, there: &Path) -> Result<There, StoreError> {
    let (new, old) = (schema::open_walker(backup)?, schema::open_walker(there)?);
    schema::version(&old)?;
    let (entries, common) = shared(&new, &old)?;
    if entries > 0 && common == 0 {
        return Ok(There::Other(entries));
    }
    let (before, was) = (look::read_register(&new)?, look::read_register(&old)?);
    let sql = "SELECT count(*) FROM approvals WHERE decision = 1 AND seq >= ?1";
    let denials: i64 = old.query_row(sql, [i64::try_from(common).unwrap_or(i64::MAX)], |r| r.get(0))?;
    let policy = before.policy != was.policy;
    let (subjects, mailboxes) = (subjects(&new, &old)?, mailboxes(&new, &old)?);
    let lost = Lost { entries: entries - common, was: Box::new(was), subjects, mailboxes, policy, ..Lost::default() };
    moved(&new, &old, common, Lost { denials: u64::try_from(denials).unwrap_or(0), ..lost }).map(There::Same)
}

/// Cases of the backup in which more had happened, and those it has not at all: whatever has an entry there beyond those that both logs begin
/// with, since logs that parted may have as many entries of a case, and other ones.
fn moved(new: &Connection, old: &Connection, common: u64, mut lost: Lost) -> Result<Lost, StoreError> {
    let mut known = new.prepare("SELECT 1 FROM cases WHERE id = ?1")?;
    let mut since = old.prepare("SELECT DISTINCT case_key FROM entries WHERE seq >= ?1 AND case_key IS NOT NULL ORDER BY case_key")?;
    let mut rows = since.query([i64::try_from(common).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let key: i64 = row.get(0)?;
        let Some(case) = CaseId::from_key(key) else { continue };
        let Some(was) = reads::fold(old, case)? else { continue };
        let there = Elsewhere::of(&was);
        if known.exists([key])? {
            lost.moved.push(Moved { case, there });
        } else {
            lost.opened += 1;
            let subject = was.route.subject;
            lost.astray.extend(there.orders.into_iter().map(|order| Astray { case, subject: subject.clone(), order }));
        }
    }
    Ok(lost)
}

/// Has no case number given again under which the database there had a case: targets and mail know that one by it.
pub(super) fn raise_numbers(backup: &Path, there: &Path) -> Result<(), StoreError> {
    let (old, new) = (schema::open_walker(there)?, Connection::open(backup)?);
    years(&old)?.into_iter().try_for_each(|first| raise(&new, first, reads::last_number(&old, first)?))
}

/// Leaves case numbers out, where nobody can tell which were given since the backup: of every year there is, and of this one.
pub(super) fn skip_numbers(new: &Connection, year: u16) -> Result<(), StoreError> {
    let mut years = years(new)?;
    years.insert(CaseId::new(year, 0));
    years.into_iter().try_for_each(|first| raise(new, first, reads::last_number(new, first)?.saturating_add(SKIPPED)))
}

/// The first number, which no case has, of every year in which there are cases, or were in a database that this one replaced.
fn years(conn: &Connection) -> Result<BTreeSet<CaseId>, StoreError> {
    let sql = "SELECT id >> 32 FROM cases UNION SELECT CAST(substr(name, 10) AS INTEGER) FROM counters WHERE name GLOB 'replaced_[0-9][0-9]'";
    let mut all = conn.prepare(sql)?;
    let found: Vec<u16> = all.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    Ok(found.into_iter().map(|year| CaseId::new(year, 0)).collect())
}

/// Numbers of that year go on after this one at least; one that no case could have is none that this program wrote.
fn raise(conn: &Connection, first: CaseId, last: u32) -> Result<(), StoreError> {
    if last < HIGHEST {
        let sql = "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
        conn.execute(sql, (reads::replaced(first), last))?;
    }
    Ok(())
}

/// Subjects of the backup whose record is another by now.
fn subjects(new: &Connection, old: &Connection) -> Result<Vec<Subject>, StoreError> {
    let mut known = new.prepare("SELECT body FROM subjects WHERE id = ?1")?;
    let mut then = old.prepare("SELECT id, body FROM subjects")?;
    let mut rows = then.query([])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, was): (String, String) = (row.get(0)?, row.get(1)?);
        let body: Option<String> = known.query_row([&id], |r| r.get(0)).optional()?;
        if body.is_some_and(|body| body != was) {
            changed.push(serde_json::from_str(&was).map_err(|e| StoreError::Damaged(format!("a subject: {e}")))?);
        }
    }
    Ok(changed)
}

/// Persons of the backup who have another mail address by now, or none.
fn mailboxes(new: &Connection, old: &Connection) -> Result<Vec<PersonId>, StoreError> {
    let mut known = new.prepare("SELECT email FROM people WHERE id = ?1")?;
    let mut then = old.prepare("SELECT id, email FROM people")?;
    let mut rows = then.query([])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, was): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let email: Option<Option<String>> = known.query_row([&id], |r| r.get(0)).optional()?;
        if email.is_some_and(|email| email.is_some() && email != was) {
            changed.extend(PersonId::parse(&id));
        }
    }
    Ok(changed)
}

/// How many entries the second log has, and with how many of the same both begin. Entries hold their place and time, so logs that parted
/// never meet again.
fn shared(new: &Connection, old: &Connection) -> Result<(u64, u64), StoreError> {
    const LEAVES: &str = "SELECT leaf FROM entries ORDER BY seq";
    let (mut of_new, mut of_old) = (new.prepare(LEAVES)?, old.prepare(LEAVES)?);
    let (mut of_new, mut of_old) = (of_new.query([])?, of_old.query([])?);
    let (mut entries, mut common, mut parted) = (0, 0, false);
    while let Some(leaf) = of_old.next()? {
        entries += 1;
        if !parted {
            let same = match of_new.next()? {
                Some(other) => other.get_ref(0)? == leaf.get_ref(0)?,
                None => false,
            };
            parted = !same;
            common += u64::from(same);
        }
    }
    Ok((entries, common))
}
