//! The demo's folder: made for its owner alone, removed with it, or by the next demo if its owner was killed.
//!
//! Contract: a folder is another demo's while that one holds the lock in it, and is left alone then; at most [`MAX_SWEPT`] are swept at a start.
//! Knows nothing of what is in it.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::DemoError;
use crate::base::ports::{Random, SystemRandom};

/// How the folders' names begin.
const PREFIX: &str = "countersign-demo";
/// The file that is locked while the folder has an owner.
const LOCK: &str = "lock";
/// The most folders of demos that were killed which are removed at a start.
const MAX_SWEPT: usize = 16;

/// The folder.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes one under the system's folder for temporary files, and removes those that demos which were killed left there.
    pub fn new() -> Result<Self, DemoError> {
        Self::under(&std::env::temp_dir())
    }

    fn under(parent: &Path) -> Result<Self, DemoError> {
        sweep(parent);
        let path = parent.join(SystemRandom.id(PREFIX));
        let told = |e: std::io::Error| DemoError::Machine(format!("{}: {e}", path.display()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(told)?;
        // It has its name once it is locked: nobody ever finds it free.
        let unnamed = path.join("lock.new");
        let lock = File::create_new(&unnamed).map_err(told)?;
        lock.lock().map_err(told)?;
        std::fs::rename(&unnamed, path.join(LOCK)).map_err(told)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes folders whose owner is gone. What can't be looked into or removed is somebody else's, and stays.
fn sweep(parent: &Path) {
    let Ok(all) = std::fs::read_dir(parent) else { return };
    let ours = all.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let folders = ours.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    for folder in folders.map(|entry| entry.path()).filter(|path| is_left(path)).take(MAX_SWEPT) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Whether a folder's owner is gone: its lock is there and nobody holds it.
fn is_left(folder: &Path) -> bool {
    // One without a lock is just being made.
    File::options().write(true).open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_demo_left_is_removed_by_the_next_one_and_a_living_ones_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = Folder::under(parent.path()).unwrap();
        let killed = parent.path().join("countersign-demo-0123");
        let beginning = parent.path().join("countersign-demo-4567");
        for folder in [&killed, &beginning] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(killed.join(LOCK), "").unwrap();
        std::fs::write(killed.join("countersign.db"), "x").unwrap();
        let next = Folder::under(parent.path()).unwrap();
        assert!(!killed.exists() && beginning.exists() && living.path().exists() && next.path().exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
