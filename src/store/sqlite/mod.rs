//! The store on SQLite: embedded, durable before it answers, one writer, several readers.
//!
//! Contract: as [`crate::store::Store`]. A second process can't open the same file. Nothing here crosses an await but a channel: each
//! connection belongs to a thread of its own. Knows the tables; knows no rules and no HTTP.

mod answers;
mod around;
mod backup;
mod batch;
mod beside;
mod clock;
mod commit;
mod dates;
mod dues;
mod duties;
mod errors;
mod found;
mod grants;
mod handles;
mod look;
mod mailboxes;
mod met;
mod outbox;
mod plan;
mod queue;
mod reach;
mod readers;
mod reads;
mod replaced;
mod rows;
mod rules;
mod schema;
mod sound;
mod vault;
mod verify;
mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Datelike as _;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::broadcast;

use super::{
    About, Announcement, Around, Beside, Beyond, Change, CommitError, Committed, KeptAnswer, KeptText, OutboxDepth, OutboxItem, PersonDetails, Since,
    Store, StoreError, SubjectRecord,
};
use crate::base::ids::{CaseId, PersonId, SubjectId, TargetId, TextId};
use crate::base::ports::Ports;
use crate::base::{Digest, Time, Untrusted};
use crate::domain::anomaly::Met;
use crate::domain::case::Case;
use crate::domain::effect::Lane;
use crate::domain::event::Entry;
use crate::domain::message::Became;
use crate::domain::register::Register;
use crate::domain::view::{CaseRow, Counts, GrantPage, GrantQuery, QueuePage, QueueQuery, SubjectRow};

pub use backup::{RestoreError, Restoring, restore};
pub use beside::UNCHECKED;
pub use look::{
    Ages, MAX_SURVEY, Pulse, Survey, Young, ages_of, backup_of, head_of, older_file, policies_of, pulse_of, register_of, shared_mailboxes, survey,
    too_young, verify_file, without_mail,
};
pub use mailboxes::{Shared, SharedMailbox};
pub use replaced::{Lost, SKIPPED, There};
pub use sound::{damage_of, quick_damage_of};
pub use vault::MasterKey;

use batch::{Kept, Tip};
use clock::ClockGuard;
use readers::Readers;
use writer::Writer;

/// How a store is opened. [`SqliteOptions::default`] is right for a server.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// `synchronous=FULL`: an answer survives a power cut. `false` (NORMAL) exists for the control of the test that shows it, and for
    /// filling throw-away databases.
    pub durable: bool,
    /// How many connections read.
    pub readers: usize,
    /// How far the clock may leave its monotonic companion (threats.md T12; default 5 minutes).
    pub clock_step: Duration,
    /// How far an entry's time may lie behind the last entry's, for requests that overtake each other (default 10 s). Sample data that is
    /// written with times of the past needs more.
    pub reorder: Duration,
    /// Announcements kept for a slow listener before it is told that it lagged.
    pub announcements: usize,
    /// The writer's page cache, in KiB.
    pub writer_cache_kib: i64,
    /// Pages in the write-ahead log before they are moved to the database.
    pub checkpoint_pages: i64,
    /// The most pages (of 8 KiB) the database may take; `None` means as many as fit.
    pub max_pages: Option<i64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durable: true,
            readers: std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)),
            clock_step: Duration::from_mins(5),
            reorder: Duration::from_secs(10),
            announcements: 4_096,
            writer_cache_kib: 16 * 1_024,
            checkpoint_pages: 4_000,
            max_pages: None,
        }
    }
}

/// The store on SQLite.
pub struct SqliteStore {
    path: PathBuf,
    kept: Arc<Kept>,
    writer: Writer,
    readers: Readers,
    numbers: tokio::sync::Mutex<Numbers>,
    _lock: File,
}

/// The last case number that was given out. What is given out and opens nothing before the server ends is given again: nobody was told of it.
#[derive(Default)]
struct Numbers {
    year: u16,
    last: u32,
}

impl SqliteStore {
    /// Opens or makes the database. Refused with a sentence: a file in use, of something else, of a newer version, or of another master key.
    pub fn open(path: &Path, options: &SqliteOptions, ports: Ports, master: &MasterKey) -> Result<Self, StoreError> {
        let lock = schema::lock(path)?;
        let conn = schema::open_writer(path, options)?;
        let vault = vault::Vault::new(master)?;
        match schema::meta(&conn, "key_check")? {
            Some(check) if vault.fits(&check) => {}
            Some(_) => return Err(schema::refused("the master key is not the one this database was made with")),
            None => {
                let check = vault.check_value(&*ports.random)?;
                conn.execute("INSERT INTO meta (name, value) VALUES ('key_check', ?1)", [check])?;
            }
        }
        let tip = Tip::read(&conn)?;
        let clock = ClockGuard::new(&ports, options);
        let read = (Arc::clone(&tip.register), met::Meetings::read(&conn)?);
        let kept = Arc::new(Kept::new(ports, vault, clock, read, options.announcements));
        let writer = Writer::start(conn, tip, Arc::clone(&kept))?;
        let readers = Readers::open(path, options.readers)?;
        Ok(Self { path: path.to_owned(), kept, writer, readers, numbers: tokio::sync::Mutex::default(), _lock: lock })
    }

    /// Forgets a case's key and texts for good; entries, and with them the log, stay as they are (invariant 9).
    pub async fn erase_texts(&self, case: CaseId) -> Result<(), StoreError> {
        let erase = move |batch: &mut batch::Batch<'_>| {
            // Freed pages are overwritten, so that the key is not in the file any more.
            batch.conn.pragma_update(None, "secure_delete", true)?;
            batch.conn.execute("DELETE FROM case_keys WHERE case_key = ?1", [case.key()])?;
            batch.conn.execute("DELETE FROM texts WHERE case_key = ?1", [case.key()])?;
            Ok(())
        };
        self.writer.write(erase).await.map_err(store_error)
    }

    /// Writes what waits, ends the threads and lets go of the file. Dropping the store does the same.
    pub fn close(&self) {
        self.writer.close();
        self.readers.close();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// What went wrong in a write that compares nothing.
fn store_error(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(e) => e,
        other => StoreError::Engine(Box::new(other)),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, change: Change) -> Result<Committed, CommitError> {
        self.writer.write(move |batch| batch.commit(change)).await
    }

    async fn commit_all(&self, changes: Vec<Change>) -> Result<Committed, CommitError> {
        self.writer.write(move |batch| batch.commit_all(changes)).await
    }

    fn announcements(&self) -> broadcast::Receiver<Arc<Announcement>> {
        self.kept.announce.subscribe()
    }

    async fn next_case(&self, now: Time) -> Result<CaseId, StoreError> {
        let year = u16::try_from(now.year()).unwrap_or(0);
        let mut numbers = self.numbers.lock().await;
        if numbers.year != year || numbers.last == 0 {
            let last = self.readers.ask(move |conn| reads::last_number(conn, CaseId::new(year, 0))).await?;
            *numbers = Numbers { year, last };
        }
        numbers.last = numbers.last.checked_add(1).ok_or_else(|| schema::refused("there are no case numbers left this year"))?;
        Ok(CaseId::new(year, numbers.last))
    }

    async fn hand_back(&self, id: CaseId) {
        let mut numbers = self.numbers.lock().await;
        if CaseId::new(numbers.year, numbers.last) == id {
            // At none it is read anew which was the last.
            numbers.last = numbers.last.saturating_sub(1);
        }
    }

    async fn case(&self, id: CaseId) -> Result<Option<Arc<Case>>, StoreError> {
        let kept = Arc::clone(&self.kept);
        self.readers.ask(move |conn| reads::case(conn, &kept, id)).await
    }

    async fn row(&self, id: CaseId) -> Result<Option<CaseRow>, StoreError> {
        self.readers.ask(move |conn| reads::row(conn, id)).await
    }

    async fn linked(&self, subject: &SubjectId, target: &TargetId, since: Time, but: Option<CaseId>) -> Result<Vec<Arc<Case>>, StoreError> {
        let (kept, subject, target) = (Arc::clone(&self.kept), subject.clone(), target.clone());
        self.readers.ask(move |conn| reads::linked(conn, &kept, (&subject, &target), since, but)).await
    }

    async fn lately(&self, subject: &SubjectId, person: Option<&PersonId>, since: Time) -> Result<Vec<Arc<Case>>, StoreError> {
        let (kept, subject, person) = (Arc::clone(&self.kept), subject.clone(), person.cloned());
        self.readers.ask(move |conn| around::lately(conn, &kept, &subject, person.as_ref(), since)).await
    }

    async fn around(&self, about: About, since: Since) -> Result<Option<Around>, StoreError> {
        let kept = Arc::clone(&self.kept);
        self.readers.ask(move |conn| around::around(conn, &kept, &about, since)).await
    }

    async fn beside(&self, wanted: Beyond) -> Result<Beside, StoreError> {
        let kept = Arc::clone(&self.kept);
        self.readers.ask(move |conn| around::beside(conn, &kept, &wanted)).await
    }

    async fn queue(&self, query: &QueueQuery) -> Result<QueuePage, StoreError> {
        let (kept, query) = (Arc::clone(&self.kept), query.clone());
        self.readers.ask(move |conn| queue::page(conn, &kept, &query)).await
    }

    async fn grants(&self, query: &GrantQuery) -> Result<GrantPage, StoreError> {
        let query = query.clone();
        self.readers.ask(move |conn| grants::page(conn, &query)).await
    }

    async fn counts(&self, person: Option<&PersonId>) -> Result<Counts, StoreError> {
        let person = person.cloned();
        self.readers.ask(move |conn| queue::counts(conn, person.as_ref())).await
    }

    async fn due(&self, now: Time, limit: u16) -> Result<Vec<CaseId>, StoreError> {
        self.readers.ask(move |conn| reads::due(conn, now, limit)).await
    }

    async fn undecided(&self, after: Option<CaseId>, limit: u16) -> Result<Vec<CaseId>, StoreError> {
        self.readers.ask(move |conn| reads::undecided(conn, after, limit)).await
    }

    async fn subject(&self, id: &SubjectId) -> Result<Option<SubjectRecord>, StoreError> {
        let id = id.clone();
        self.readers.ask(move |conn| reads::subject(conn, &id)).await
    }

    async fn find_subjects(&self, text: &str, limit: u16) -> Result<Vec<SubjectRow>, StoreError> {
        let text = text.to_owned();
        self.readers.ask(move |conn| reads::find_subjects(conn, &text, limit)).await
    }

    async fn subjects_called(&self, handle: &str) -> Result<Vec<SubjectId>, StoreError> {
        let handle = handle.to_owned();
        self.readers.ask(move |conn| handles::called(conn, &handle)).await
    }

    async fn names_like(&self, skeleton: &str, but: &SubjectId) -> Result<Vec<Untrusted>, StoreError> {
        let (skeleton, but) = (skeleton.to_owned(), but.clone());
        self.readers.ask(move |conn| reads::names_like(conn, &skeleton, &but)).await
    }

    async fn met(&self, since: Time, router: &PersonId, approver: &PersonId) -> Result<[Met; 2], StoreError> {
        Ok(self.kept.met(since, router, approver))
    }

    async fn saved_codes(&self, subject: &SubjectId) -> Result<Vec<String>, StoreError> {
        let subject = subject.clone();
        self.readers.ask(move |conn| reads::saved_codes(conn, &subject)).await
    }

    async fn register(&self) -> Result<Arc<Register>, StoreError> {
        Ok(self.kept.register())
    }

    async fn people(&self, ids: &[PersonId]) -> Result<BTreeMap<PersonId, PersonDetails>, StoreError> {
        let ids = ids.to_vec();
        self.readers.ask(move |conn| reads::people(conn, &ids)).await
    }

    async fn mailbox_readers(&self, mailboxes: &[String]) -> Result<BTreeMap<String, crate::domain::mailboxes::Readers>, StoreError> {
        let mailboxes = mailboxes.to_vec();
        self.readers.ask(move |conn| mailboxes::of_all(conn, mailboxes)).await
    }

    async fn policy(&self, sha256: &Digest) -> Result<Option<String>, StoreError> {
        let sha256 = *sha256;
        self.readers.ask(move |conn| reads::policy(conn, &sha256)).await
    }

    async fn texts(&self, case: CaseId, ids: &[TextId]) -> Result<BTreeMap<TextId, KeptText>, StoreError> {
        let (kept, ids) = (Arc::clone(&self.kept), ids.to_vec());
        self.readers.ask(move |conn| reads::texts(conn, &kept, case, &ids)).await
    }

    async fn entries(&self, from: u64, limit: u16) -> Result<Vec<Entry>, StoreError> {
        self.readers.ask(move |conn| reads::entries(conn, from, limit)).await
    }

    async fn case_entries(&self, case: CaseId, after_version: u64, limit: u16) -> Result<Vec<Entry>, StoreError> {
        self.readers.ask(move |conn| reads::entries_of(conn, case, after_version, limit)).await
    }

    async fn head(&self) -> Result<(u64, Digest), StoreError> {
        self.readers.ask(|conn| reads::head(conn)).await
    }

    async fn claim(&self, lane: Lane, now: Time, limit: u16, lease_seconds: u32) -> Result<Vec<OutboxItem>, StoreError> {
        let now = now.timestamp_millis();
        if !self.readers.ask(move |conn| outbox::anything(conn, lane, now)).await? {
            return Ok(Vec::new());
        }
        let until = now + i64::from(lease_seconds) * 1_000;
        self.writer.write(move |batch| outbox::claim(batch, lane, now, limit, until)).await.map_err(store_error)
    }

    async fn outbox_depth(&self, now: Time) -> Result<OutboxDepth, StoreError> {
        let now = now.timestamp_millis();
        self.readers.ask(move |conn| outbox::depth(conn, now)).await
    }

    fn commit_seconds(&self) -> Histogram {
        self.writer.seconds()
    }

    async fn postpone(&self, item: i64, not_before: Time) -> Result<(), StoreError> {
        let not_before = not_before.timestamp_millis();
        self.writer.write(move |batch| outbox::postpone(batch, item, not_before)).await.map_err(store_error)
    }

    async fn put_back(&self, item: i64, not_before: Time) -> Result<(), StoreError> {
        let not_before = not_before.timestamp_millis();
        self.writer.write(move |batch| outbox::put_back(batch, item, not_before)).await.map_err(store_error)
    }

    async fn postpone_rest(&self, item: i64, not_before: Time, became: BTreeMap<String, Became>) -> Result<(), StoreError> {
        let not_before = not_before.timestamp_millis();
        self.writer.write(move |batch| outbox::postpone_rest(batch, item, not_before, &became)).await.map_err(store_error)
    }

    async fn finish(&self, item: i64) -> Result<(), StoreError> {
        self.writer.write(move |batch| outbox::finish(batch, item)).await.map_err(store_error)
    }

    async fn kept_answer(&self, principal: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError> {
        let (kept, principal, key) = (Arc::clone(&self.kept), principal.to_owned(), key.to_owned());
        self.readers.ask(move |conn| reads::kept_answer(conn, &kept, &principal, &key)).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let (from, to) = (self.path.clone(), to.to_owned());
        on_a_thread(move || backup::back_up(&from, &to, &|_, _| {})).await
    }

    async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<Vec<String>, StoreError> {
        let (tell, mut told) = tokio::sync::watch::channel((0, 0));
        let (path, kept) = (self.path.clone(), Arc::clone(&self.kept));
        let work = on_a_thread(move || {
            let damage = sound::damage_of(&path)?;
            if !damage.is_empty() {
                return Ok(damage);
            }
            verify::verify(&schema::open_walker(&path)?, Some(&kept.vault), &|done, of| {
                tell.send_replace((done, of));
            })
        });
        tokio::pin!(work);
        loop {
            tokio::select! {
                found = &mut work => return found,
                Ok(()) = told.changed() => {
                    let (done, of) = *told.borrow_and_update();
                    progress(done, of);
                }
            }
        }
    }
}

/// Runs something long on a thread of its own.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let run = move || drop(answer.send(work()));
    std::thread::Builder::new().name("store-long".into()).spawn(run).map_err(|e| StoreError::Engine(Box::new(e)))?;
    answered.await.map_err(|_| StoreError::Closed)?
}
