//! Copies of the whole store, and putting one back.
//!
//! Contract: a copy is of one moment and is made while the store is used; nothing is overwritten unless told, never a store that runs, and
//! a copy that does not verify is not put anywhere. What is replaced is compared first and kept aside. Knows no rules.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Datelike as _;
use rusqlite::Connection;

use super::replaced::{There, compare, raise_numbers, skip_numbers, void_codes};
use super::vault::Vault;
use super::{MasterKey, schema, sound, verify};
use crate::base::Time;
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

/// Backs the database up to a new file, and looks whether the copy is whole and its log and register are what they were: a damaged database
/// gives no backup. Its cases are left to `restore`, which goes through everything. `progress` is told how much of the log was looked at.
pub(super) fn back_up(from: &Path, to: &Path, progress: &dyn Fn(u64, u64)) -> Result<(), StoreError> {
    let damaged = |what: &str| {
        let file = from.display();
        StoreError::Damaged(format!("{what}; no backup was kept, because it would be damaged too (file {file}). Restore an older backup"))
    };
    let unread = |error: StoreError| match error {
        StoreError::Damaged(what) => damaged(&what),
        torn if sound::is_torn(&torn) => damaged(&torn.to_string()),
        other => other,
    };
    copy(from, to).map_err(unread)?;
    let found = broken(to, progress).map_err(unread);
    if !matches!(&found, Ok(found) if found.is_empty()) {
        drop(fs::remove_file(to));
    }
    match found?.first() {
        Some(first) => Err(damaged(first)),
        None => Ok(()),
    }
}

/// What is wrong with a copy as far as one pass over the file and its log shows. What an older version wrote is compared once it is brought up to date.
fn broken(path: &Path, progress: &dyn Fn(u64, u64)) -> Result<Vec<String>, StoreError> {
    let damage = sound::damage_in(path)?;
    if !damage.is_empty() {
        return Ok(damage);
    }
    let conn = schema::open_walker(path)?;
    if schema::version(&conn)? == 0 || schema::older(path)?.is_some() {
        return Ok(Vec::new());
    }
    verify::verify_log(&conn, progress)
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
            raise_numbers(&restoring.new, to)?;
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
        if !matches!(self.there, There::Same(_)) {
            skip_numbers(&last, u16::try_from(now.year()).unwrap_or(0))?;
        }
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
