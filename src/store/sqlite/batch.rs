//! A transaction while it is being filled: what is true after the jobs so far, and what is to be told once it is committed.
//!
//! Contract: a job that fails leaves no trace here either. The tree, the register and the counters are written once a transaction, at its
//! end. Knows nothing about what changes mean.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::broadcast;

use super::answers::Answers;
use super::clock::ClockGuard;
use super::errors::{from_json, to_json};
use super::met::{Dated, Meetings};
use super::rows::Weights;
use super::rules::MAX_POLICIES;
use super::schema::refused;
use super::vault::Vault;
use crate::base::ids::{CaseId, PersonId};
use crate::base::ports::Ports;
use crate::base::{Digest, Time};
use crate::domain::anomaly::Met;
use crate::domain::case::Case;
use crate::domain::policy::Recent;
use crate::domain::register::Register;
use crate::domain::view::CaseRow;
use crate::log::Frontier;
use crate::store::{Announcement, CommitError, StoreError};

/// How many folded cases are kept in memory: at most twice this many.
const CASES: usize = 512;

/// What is true after the last committed transaction.
#[derive(Clone)]
pub(super) struct Tip {
    pub(super) tree: Frontier,
    /// Milliseconds; of the last entry.
    pub(super) last_at: i64,
    pub(super) register: Arc<Register>,
    /// Whether the register's row is older than this.
    pub(super) register_moved: bool,
    pub(super) counters: BTreeMap<&'static str, i64>,
}

/// The counters that are kept.
pub(super) const COUNTERS: [&str; 3] = ["open", "held", "grants"];

impl Tip {
    /// Reads what a store that was closed, or killed, left.
    pub(super) fn read(conn: &Connection) -> Result<Self, StoreError> {
        let tree = conn
            .query_row("SELECT size, frontier, last_at FROM tree WHERE id = 0", [], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?, r.get(2)?)))
            .optional()?;
        let (size, bytes, last_at) = tree.unwrap_or((0, Vec::new(), 0));
        let tree = Frontier::from_bytes(u64::try_from(size).unwrap_or(0), &bytes).map_err(|e| StoreError::Damaged(e.to_string()))?;
        let entries: i64 = conn.query_row("SELECT coalesce(max(seq) + 1, 0) FROM entries", [], |r| r.get(0))?;
        if entries != size {
            return Err(StoreError::Damaged(format!("the tree counts {size} entries, the log holds {entries}")));
        }
        let body: Option<String> = conn.query_row("SELECT body FROM register WHERE id = 0", [], |r| r.get(0)).optional()?;
        let register = body.map(|b| from_json("the register", &b)).transpose()?.unwrap_or_default();
        let mut counters = BTreeMap::new();
        for name in COUNTERS {
            let value: Option<i64> = conn.query_row("SELECT value FROM counters WHERE name = ?1", [name], |r| r.get(0)).optional()?;
            counters.insert(name, value.unwrap_or(0));
        }
        Ok(Self { tree, last_at, register: Arc::new(register), register_moved: false, counters })
    }

    /// Adds what a row changed.
    pub(super) fn count(&mut self, weights: Weights) {
        for (name, by) in [("open", weights.open), ("held", weights.held), ("grants", weights.grants)] {
            *self.counters.entry(name).or_default() += by;
        }
    }
}

/// Folded cases, in two generations: what was not asked for during a whole generation is forgotten.
#[derive(Default)]
struct Cache {
    young: HashMap<CaseId, Arc<Case>>,
    old: HashMap<CaseId, Arc<Case>>,
}

/// What is kept in memory beside the database, and shared between the writing thread and those who read.
pub(super) struct Kept {
    pub(super) ports: Ports,
    pub(super) vault: Vault,
    pub(super) clock: ClockGuard,
    register: RwLock<Arc<Register>>,
    cases: Mutex<Cache>,
    pub(super) meetings: Mutex<Meetings>,
    /// Parsed policies; at most [`MAX_POLICIES`].
    pub(super) policies: Mutex<Recent>,
    pub(super) announce: broadcast::Sender<Arc<Announcement>>,
}

/// What a transaction has to tell once it is committed.
#[derive(Default)]
pub(super) struct News {
    pub(super) cases: Vec<Arc<Case>>,
    pub(super) announcements: Vec<Announcement>,
    pub(super) meetings: Vec<Dated>,
}

impl Kept {
    pub(super) fn new(ports: Ports, vault: Vault, clock: ClockGuard, read: (Arc<Register>, Meetings), listeners: usize) -> Self {
        let (announce, _) = broadcast::channel(listeners);
        let (register, meetings) = (RwLock::new(read.0), Mutex::new(read.1));
        Self { ports, vault, clock, register, cases: Mutex::default(), meetings, policies: Mutex::new(Recent::new(MAX_POLICIES)), announce }
    }

    pub(super) fn register(&self) -> Arc<Register> {
        Arc::clone(&self.register.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often two met since then.
    pub(super) fn met(&self, since: Time, router: &PersonId, approver: &PersonId) -> [Met; 2] {
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner).count(since, router, approver)
    }

    /// A folded case, if one of this version or a later one is kept.
    pub(super) fn case(&self, id: CaseId, version: u64) -> Option<Arc<Case>> {
        let mut cache = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        let case = if let Some(case) = cache.young.get(&id) {
            Arc::clone(case)
        } else {
            let case = cache.old.remove(&id)?;
            cache.keep(Arc::clone(&case));
            case
        };
        (case.version >= version).then_some(case)
    }

    /// Keeps a folded case.
    pub(super) fn keep(&self, case: Arc<Case>) {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner).keep(case);
    }

    /// Makes a committed transaction known: memory first, then listeners.
    pub(super) fn publish(&self, tip: &Tip, news: News) {
        *self.register.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&tip.register);
        {
            let mut cache = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
            news.cases.into_iter().for_each(|case| cache.keep(case));
        }
        if !news.meetings.is_empty() {
            let mut meetings = self.meetings.lock().unwrap_or_else(PoisonError::into_inner);
            news.meetings.into_iter().for_each(|met| meetings.add(met));
        }
        if self.announce.receiver_count() > 0 {
            for announcement in news.announcements {
                drop(self.announce.send(Arc::new(announcement)));
            }
        }
    }
}

impl Cache {
    fn keep(&mut self, case: Arc<Case>) {
        let newest = [&self.young, &self.old].iter().filter_map(|g| g.get(&case.id)).map(|c| c.version).max();
        if newest.is_some_and(|v| v > case.version) {
            return;
        }
        if self.young.len() >= CASES {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&case.id);
        self.young.insert(case.id, case);
    }
}

/// A transaction being filled.
pub(super) struct Batch<'c> {
    pub(super) conn: &'c Connection,
    pub(super) tip: Tip,
    pub(super) kept: &'c Kept,
    pub(super) news: News,
    /// Rows of cases that are written once, at the end of a run of many changes.
    pub(super) deferred: Option<BTreeMap<CaseId, (CaseRow, Arc<Case>)>>,
    pub(super) answers: Answers,
    size_before: u64,
}

impl<'c> Batch<'c> {
    pub(super) fn new(conn: &'c Connection, tip: Tip, kept: &'c Kept) -> Self {
        let size_before = tip.tree.size();
        Self { conn, tip, kept, news: News::default(), deferred: None, answers: Answers::default(), size_before }
    }

    /// Runs a job so that it is undone alone if it fails.
    pub(super) fn within_savepoint<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T, CommitError>) -> Result<T, CommitError> {
        if self.conn.is_autocommit() {
            // Outside a transaction a savepoint is one by itself: entries would stand without the tree that goes with them.
            return Err(refused("no transaction could be begun").into());
        }
        let tip = self.tip.clone();
        let (cases, announcements, meetings) = (self.news.cases.len(), self.news.announcements.len(), self.news.meetings.len());
        self.conn.prepare_cached("SAVEPOINT job")?.execute([])?;
        match job(self) {
            Ok(done) => {
                self.conn.prepare_cached("RELEASE job")?.execute([])?;
                Ok(done)
            }
            Err(e) => {
                self.tip = tip;
                self.deferred = None;
                self.news.cases.truncate(cases);
                self.news.announcements.truncate(announcements);
                self.news.meetings.truncate(meetings);
                if !self.conn.is_autocommit() {
                    self.conn.execute_batch("ROLLBACK TO job; RELEASE job")?;
                }
                Err(e)
            }
        }
    }

    /// Writes what is written once a transaction, and commits; the sync is over when this returns.
    pub(super) fn finish(&mut self) -> Result<Tip, StoreError> {
        if self.tip.tree.size() != self.size_before {
            let (size, root): (i64, Digest) = (i64::try_from(self.tip.tree.size()).unwrap_or(i64::MAX), self.tip.tree.root());
            self.conn
                .prepare_cached("INSERT OR REPLACE INTO tree (id, size, frontier, root, last_at) VALUES (0, ?1, ?2, ?3, ?4)")?
                .execute(params![size, self.tip.tree.to_bytes(), root.as_bytes(), self.tip.last_at])?;
            for (name, value) in &self.tip.counters {
                self.conn.prepare_cached("INSERT OR REPLACE INTO counters (name, value) VALUES (?1, ?2)")?.execute(params![name, value])?;
            }
        }
        if self.tip.register_moved {
            let version = i64::try_from(self.tip.register.version).unwrap_or(i64::MAX);
            self.conn
                .prepare_cached("INSERT OR REPLACE INTO register (id, version, body) VALUES (0, ?1, ?2)")?
                .execute(params![version, to_json(&*self.tip.register)?])?;
            self.tip.register_moved = false;
        }
        self.clear_answers()?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(self.tip.clone())
    }

    /// What is to be told.
    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{MasterKey, SqliteOptions};

    #[test]
    fn t30_nothing_is_written_where_no_transaction_could_be_begun() {
        let (conn, ports) = (Connection::open_in_memory().unwrap(), Ports::system());
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        let (vault, clock) = (Vault::new(&MasterKey::new([7; 32])).unwrap(), ClockGuard::new(&ports, &SqliteOptions::default()));
        let kept = Kept::new(ports, vault, clock, Default::default(), 1);
        let tip = Tip { tree: Frontier::default(), last_at: 0, register: Arc::default(), register_moved: false, counters: BTreeMap::new() };
        let mut batch = Batch::new(&conn, tip, &kept);
        let put = |batch: &mut Batch<'_>| batch.within_savepoint(|b| Ok(b.conn.execute("INSERT INTO t VALUES (1)", [])?));
        let count = || conn.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0)).unwrap();
        assert!(put(&mut batch).is_err());
        assert_eq!(count(), 0);
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        put(&mut batch).unwrap();
        conn.execute_batch("ROLLBACK").unwrap();
        assert_eq!(count(), 0, "all of it is the transaction's");
    }
}
