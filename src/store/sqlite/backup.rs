//! Copies of the whole store, and putting one back.
//!
//! Contract: a copy is of one moment and is made while the store is used; nothing is overwritten unless told, never a store that runs, and
//! a copy that does not verify is not put anywhere. What is replaced is compared first and kept aside. Knows no rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};

use super::vault::Vault;
use super::{MasterKey, look, reads, schema, sound, verify};
use crate::base::Time;
use crate::base::ids::{CaseId, PersonId};
use crate::domain::case::{Hand, LineageEntry};
use crate::domain::register::Register;
use crate::domain::subject::Subject;
use crate::store::StoreError;

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a store where it should go.
    #[error("{} exists already: give --replace to have it replaced and kept aside", .0.display())]
    Exists(PathBuf),
    /// The copy is not as it was written.
    #[error("the backup {} does not verify, nothing was restored and nothing was changed: {}", .0.display(), .1.join("; "))]
    Differs(PathBuf, Vec<String>),
    /// A file could not be copied.
    #[error("can't restore: {0}")]
    Io(#[from] std::io::Error),
    /// The backup could not be read or copied.
    #[error("can't restore {}, nothing was changed: {why}", file.display())]
    Unread {
        /// The backup.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The copy could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Backs the database up to a new file, and looks whether the copy is whole: a damaged database gives no backup.
pub(super) fn back_up(from: &Path, to: &Path) -> Result<(), StoreError> {
    let damaged = |what: &str| {
        StoreError::Damaged(format!("{what}; no backup was kept, because it would be damaged too (file {}). Restore an older backup", from.display()))
    };
    if let Err(error) = copy(from, to) {
        return Err(if sound::is_torn(&error) { damaged(&error.to_string()) } else { error });
    }
    let found = sound::damage_in(to);
    if !matches!(&found, Ok(found) if found.is_empty()) {
        drop(fs::remove_file(to));
    }
    match found?.first() {
        Some(first) => Err(damaged(first)),
        None => Ok(()),
    }
}

/// Copies the database to a new file, in one read of one moment.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let io = |e: std::io::Error| schema::refused(format!("can't write {}: {e}", to.display()));
    // Making the file first fails on one that exists, so that nothing is overwritten.
    let mut new = fs::File::options();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    drop(new.open(to).map_err(io)?);
    let made = (|| {
        let source = schema::open_reader(from)?;
        let mut copy = Connection::open(to)?;
        let backup = rusqlite::backup::Backup::new(&source, &mut copy)?;
        // All pages in one step: a read transaction of one moment, beside which the writer goes on.
        while backup.step(-1)? != rusqlite::backup::StepResult::Done {
            std::thread::yield_now();
        }
        drop(backup);
        // One file that stands for itself, without a write-ahead log beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        copy.close().map_err(|(_, e)| e)?;
        fs::File::open(to).and_then(|f| f.sync_all()).map_err(io)
    })();
    if made.is_err() {
        drop(fs::remove_file(to));
    }
    made
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

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

/// A case of the backup in which more had happened, with everyone who had a hand in it there. Nothing of it was verified, so it may keep people
/// from deciding and never let them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub case: CaseId,
    /// Who had acted in it.
    pub hands: BTreeSet<Hand>,
    /// Everyone in its lineage.
    pub lineage: BTreeSet<LineageEntry>,
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
    /// Denials since.
    pub denials: u64,
    /// Saved codes that were used, replaced or taken away since, which the backup would have taken for good; void in it now.
    pub codes: u64,
    /// Whether another policy was in force.
    pub policy: bool,
}

/// A backup that was verified and lies beside the place where it is to go; dropped, it leaves everything as it was.
#[derive(Debug)]
pub struct Restoring {
    _lock: fs::File,
    new: PathBuf,
    to: PathBuf,
    /// Entries of the backup.
    pub entries: u64,
    /// What it replaces.
    pub there: There,
}

const KEPT_WITH: [&str; 3] = ["", "-wal", "-shm"];

impl Restoring {
    /// Verifies a backup, log and projections, and lays it beside the place where a store is to be, which must be empty unless `replace`; a
    /// store that runs is never replaced. With the master key it opens every text too.
    pub fn prepare(from: &Path, to: &Path, replace: bool, master: Option<&MasterKey>, progress: &dyn Fn(u64, u64)) -> Result<Self, RestoreError> {
        let lock = schema::lock(to)?;
        if !replace && fs::metadata(to).is_ok_and(|m| m.len() > 0) {
            return Err(RestoreError::Exists(to.to_owned()));
        }
        let new = beside(to, ".restoring");
        // What a restore that was killed left beside its copy would be taken for a part of this one.
        for suffix in ["-wal", "-shm", "-journal"] {
            drop(fs::remove_file(beside(&new, suffix)));
        }
        schema::make_private(&new)?;
        let mut restoring = Self { _lock: lock, new, to: to.to_owned(), entries: 0, there: There::Nothing };
        take(from, &restoring.new).map_err(|e| unread(from, &e))?;
        restoring.entries = match check(&restoring.new, master, progress) {
            Ok(Ok(entries)) => entries,
            Ok(Err(found)) => return Err(RestoreError::Differs(from.to_owned(), found)),
            Err(error) => return Err(unread(from, &error)),
        };
        restoring.there = compare(&restoring.new, to);
        if let There::Same(lost) = &mut restoring.there {
            lost.codes = void_codes(&restoring.new, to)?;
            spare_numbers(&restoring.new, to)?;
        }
        Ok(restoring)
    }

    /// The file that will be the database: what must be true of it before it can be used is written into it now.
    pub fn file(&self) -> &Path {
        &self.new
    }

    /// Puts it in its place. A database that was there is kept under a name of its own, which is given.
    pub fn put(self, now: Time) -> Result<Option<PathBuf>, RestoreError> {
        let last = Connection::open(&self.new).map_err(StoreError::from)?;
        last.pragma_update(None, "journal_mode", "DELETE").map_err(StoreError::from)?;
        last.close().map_err(|(_, e)| StoreError::from(e))?;
        fs::File::open(&self.new)?.sync_all()?;
        let aside = if self.there == There::Nothing { None } else { Some(free_name(&self.to, now)) };
        if aside.is_some() {
            // What lies in its write-ahead log goes into the file, if that can be done at all, so that the file stands for itself.
            drop(Connection::open(&self.to).and_then(|old| old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))));
        }
        for suffix in KEPT_WITH.into_iter().rev() {
            let old = beside(&self.to, suffix);
            match &aside {
                Some(aside) if old.exists() => fs::rename(&old, beside(aside, suffix))?,
                // What an empty file or none left beside it is of no database.
                None if old.exists() => fs::remove_file(&old)?,
                _ => {}
            }
        }
        fs::rename(&self.new, &self.to)?;
        if let Some(folder) = self.to.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(aside)
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal", ".lock"] {
            drop(fs::remove_file(beside(&self.new, suffix)));
        }
    }
}

/// A name beside the database that nothing has yet.
fn free_name(to: &Path, now: Time) -> PathBuf {
    let named = |n: u32| {
        let again = if n == 0 { String::new() } else { format!("-{n}") };
        beside(to, &format!(".replaced-{}{again}", now.format("%Y%m%dT%H%M%SZ")))
    };
    (0..1_000).map(named).find(|p| !p.exists()).unwrap_or_else(|| named(1_000))
}

/// Puts a backup where a store is to be, as it is: whatever was revoked since counts again. Gives the number of entries.
pub fn restore(from: &Path, to: &Path, replace: bool, now: Time, progress: &dyn Fn(u64, u64)) -> Result<u64, RestoreError> {
    let restoring = Restoring::prepare(from, to, replace, None, progress)?;
    let entries = restoring.entries;
    restoring.put(now)?;
    Ok(entries)
}

/// Copies what a file holds, with what lies in a write-ahead log beside it: a copy by hand, or a database that was kept aside, may have one.
fn take(from: &Path, to: &Path) -> Result<(), StoreError> {
    let io = |e: std::io::Error| schema::refused(e.to_string());
    if fs::metadata(beside(from, "-wal")).is_ok_and(|m| m.len() > 0) {
        fs::remove_file(to).map_err(io)?;
        return copy(from, to);
    }
    let both = || std::io::copy(&mut fs::File::open(from)?, &mut fs::File::options().write(true).truncate(true).open(to)?);
    both().map_err(io)?;
    Ok(())
}

/// Makes void in the backup what saved codes the database there no longer takes.
fn void_codes(backup: &Path, there: &Path) -> Result<u64, StoreError> {
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

/// Keeps the backup from giving out a case number again under which the database there had a case: targets and mail know that one by it.
fn spare_numbers(backup: &Path, there: &Path) -> Result<(), StoreError> {
    let (old, new) = (schema::open_walker(there)?, Connection::open(backup)?);
    let mut last = old.prepare("SELECT max(id) FROM cases GROUP BY id >> 32")?;
    let keys: Vec<i64> = last.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    for key in keys {
        let Some(first) = CaseId::from_key((key >> 32) << 32) else { continue };
        let number = reads::last_number(&old, first)?;
        new.execute("INSERT OR REPLACE INTO counters (name, value) VALUES (?1, ?2)", (reads::replaced(first), number))?;
    }
    Ok(())
}

/// The database that is there beside the backup.
fn compare(backup: &Path, there: &Path) -> There {
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
    let ((moved, opened), denials) = (moved(&new, &old)?, u64::try_from(denials).unwrap_or(0));
    Ok(There::Same(Lost { entries: entries - common, was: Box::new(was), subjects, mailboxes, moved, opened, denials, codes: 0, policy }))
}

/// Cases of the backup in which more had happened, and how many it has not at all.
fn moved(new: &Connection, old: &Connection) -> Result<(Vec<Moved>, u64), StoreError> {
    let mut known = new.prepare("SELECT version FROM cases WHERE id = ?1")?;
    let mut then = old.prepare("SELECT id, version FROM cases ORDER BY id")?;
    let mut rows = then.query([])?;
    let (mut moved, mut opened) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (key, was): (i64, i64) = (row.get(0)?, row.get(1)?);
        let version: Option<i64> = known.query_row([key], |r| r.get(0)).optional()?;
        let Some(case) = CaseId::from_key(key).filter(|_| version != Some(was)) else { continue };
        if version.is_none() {
            opened += 1;
        } else if let Some(there) = reads::fold(old, case)? {
            moved.push(Moved { case, hands: there.hands, lineage: there.lineage });
        }
    }
    Ok((moved, opened))
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

fn unread(file: &Path, error: &StoreError) -> RestoreError {
    RestoreError::Unread { file: file.to_owned(), why: error.to_string() }
}

/// Verifies the copy, which is brought up to date before if an older version wrote it: it is compared with what this one makes. Gives how many
/// entries it has, or what is wrong with it.
fn check(path: &Path, master: Option<&MasterKey>, progress: &dyn Fn(u64, u64)) -> Result<Result<u64, Vec<String>>, StoreError> {
    let damage = sound::damage_in(path)?;
    if !damage.is_empty() {
        return Ok(Err(damage));
    }
    let mut conn = schema::open_walker(path)?;
    if schema::version(&conn)? == 0 {
        return Ok(Err(vec!["the file is empty".into()]));
    }
    if schema::older(path)?.is_some() {
        drop(conn);
        schema::bring_up(path)?;
        conn = schema::open_walker(path)?;
    }
    let vault = master.map(Vault::new).transpose()?;
    let found = verify::verify(&conn, vault.as_ref(), progress)?;
    if !found.is_empty() {
        return Ok(Err(found));
    }
    let entries: i64 = conn.query_row("SELECT count(*) FROM entries", [], |r| r.get(0))?;
    Ok(Ok(u64::try_from(entries).unwrap_or(0)))
}
