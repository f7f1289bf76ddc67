//! One at a time: guesses at one session wait for each other, so that each is counted before the next is looked at (threats.md T23).
//!
//! Contract: bounded memory, a fixed number of places; two sessions may share one, which costs a wait and nothing else. The database's
//! versions hold the same line between several servers; this keeps one server from doing needless work.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Mutex, MutexGuard};

const PLACES: usize = 256;

/// The places.
pub(super) struct Locks {
    places: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Locks {
    pub(super) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    pub(super) async fn of(&self, key: &str) -> MutexGuard<'_, ()> {
        let hash = usize::try_from(self.hasher.hash_one(key) % (PLACES as u64)).unwrap_or(0);
        self.places[hash].lock().await
    }
}
