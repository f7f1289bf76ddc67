//! Copies of the whole store, and putting one back.
//!
//! Contract: a copy is of one moment and is made while the store is used; nothing is overwritten unless told, never a store that runs, and
//! a copy that does not verify is not put anywhere. Knows nothing about what is copied.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{schema, verify};
use crate::store::StoreError;

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a store where it should go.
    #[error("{0} exists already; say so if it is to be replaced")]
    Exists(PathBuf),
    /// The copy is not as it was written.
    #[error("the backup does not verify, nothing was restored: {}", .0.join("; "))]
    Differs(Vec<String>),
    /// A file could not be copied.
    #[error("can't restore: {0}")]
    Io(#[from] std::io::Error),
    /// The copy could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies the database to a new file, in one read of one moment.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
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

/// Puts a backup where a store is to be. The place must be empty unless `replace`; a store that runs is never replaced. The copy is
/// verified, log and projections, before anything is swapped in. Gives the number of entries.
pub fn restore(from: &Path, to: &Path, replace: bool, progress: &dyn Fn(u64, u64)) -> Result<u64, RestoreError> {
    let _lock = schema::lock(to)?;
    let occupied = fs::metadata(to).is_ok_and(|m| m.len() > 0);
    if occupied && !replace {
        return Err(RestoreError::Exists(to.to_owned()));
    }
    let new = beside(to, ".restoring");
    schema::make_private(&new)?;
    std::io::copy(&mut fs::File::open(from)?, &mut fs::File::options().write(true).truncate(true).open(&new)?)?;
    let checked = check(&new, progress);
    let entries = match checked {
        Ok(entries) => entries,
        Err(e) => {
            drop(fs::remove_file(&new));
            return Err(e);
        }
    };
    fs::File::open(&new)?.sync_all()?;
    for suffix in ["-wal", "-shm"] {
        let old = beside(to, suffix);
        if old.exists() {
            fs::remove_file(old)?;
        }
    }
    fs::rename(&new, to)?;
    if let Some(folder) = to.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(entries)
}

fn check(path: &Path, progress: &dyn Fn(u64, u64)) -> Result<u64, RestoreError> {
    let conn = schema::open_reader(path)?;
    let unreadable = |e: rusqlite::Error| RestoreError::Differs(vec![e.to_string()]);
    let sound: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0)).map_err(unreadable)?;
    if sound != "ok" {
        return Err(RestoreError::Differs(vec![sound]));
    }
    if schema::version(&conn)? == 0 {
        return Err(RestoreError::Differs(vec!["the file is empty".into()]));
    }
    let found = verify::verify(&conn, None, progress)?;
    if !found.is_empty() {
        return Err(RestoreError::Differs(found));
    }
    let entries: i64 = conn.query_row("SELECT count(*) FROM entries", [], |r| r.get(0)).map_err(unreadable)?;
    Ok(u64::try_from(entries).unwrap_or(0))
}
