//! The one thread that writes: it takes waiting jobs in batches, each in a savepoint, all in one transaction, and answers none before the
//! transaction's sync returned (invariant 8, T30).
//!
//! Contract: a job that is refused undoes itself alone; a batch that can't be committed undoes all its jobs and what was kept of them in
//! memory. At most [`WAITING`] jobs wait. When none came for [`REST`], the page cache is given back. Knows nothing about what jobs write.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::batch::{Batch, Kept, Tip};
use super::errors::told;
use super::schema::refused;
use crate::store::{CommitError, StoreError};

/// How many jobs may wait to be written.
const WAITING: usize = 1_024;
/// The most jobs in one transaction.
const BATCH: usize = 256;
/// How long nothing is written before the page cache is given back: it is there for bursts, and an idle server should be small
/// (performance.md, "server memory").
const REST: Duration = Duration::from_secs(10);

/// Told whether the transaction was committed.
type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;
type Work = Box<dyn FnOnce(&mut Batch<'_>) -> Answer + Send>;

/// Hands jobs to the writing thread.
pub(super) struct Writer {
    jobs: std::sync::Mutex<Option<SyncSender<Work>>>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
    seconds: Histogram,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(conn: Connection, tip: Tip, kept: Arc<Kept>) -> Result<Self, StoreError> {
        let (jobs, waiting) = sync_channel(WAITING);
        let run = move || run(&conn, tip, &kept, &waiting);
        let thread = std::thread::Builder::new().name("store-write".into()).spawn(run).map_err(|e| StoreError::Engine(Box::new(e)))?;
        Ok(Self { jobs: std::sync::Mutex::new(Some(jobs)), thread: std::sync::Mutex::new(Some(thread)), seconds: seconds() })
    }

    /// How long writes took, from being handed over until they were durable.
    pub(super) fn seconds(&self) -> Histogram {
        self.seconds.clone()
    }

    /// Has something written; returns once it is durable.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T, CommitError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Batch<'_>) -> Result<T, CommitError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let begun = std::time::Instant::now();
        let work: Work = Box::new(move |batch| {
            let result = batch.within_savepoint(job);
            Box::new(move |committed| {
                let result = match committed {
                    Ok(()) => result,
                    Err(e) => Err(CommitError::Store(told(e))),
                };
                drop(answer.send(result));
            })
        });
        let jobs = self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        jobs.try_send(work).map_err(|e| match e {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        drop(jobs);
        let written = answered.await.map_err(|_| StoreError::Closed)?;
        self.seconds.observe(begun.elapsed().as_secs_f64());
        written
    }

    /// Writes what waits and ends the thread.
    pub(super) fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            drop(thread.join());
        }
    }
}

/// From half a millisecond to some 16 seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 16))
}

fn run(conn: &Connection, mut tip: Tip, kept: &Kept, waiting: &Receiver<Work>) {
    while let Some(first) = next_after_rest(conn, waiting) {
        tip = transact(conn, tip, kept, first, waiting);
    }
    // Leaves a single file behind when the store is closed in order.
    drop(conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
}

/// Waits for the next job; `None` when no more can come. Wakes up once while there is none.
fn next_after_rest(conn: &Connection, waiting: &Receiver<Work>) -> Option<Work> {
    match waiting.recv_timeout(REST) {
        Ok(work) => Some(work),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => {
            // A cache that could not be emptied is as good as a full one.
            drop(conn.execute_batch("PRAGMA shrink_memory"));
            waiting.recv().ok()
        }
    }
}

/// One transaction; gives what is true after it.
fn transact(conn: &Connection, before: Tip, kept: &Kept, first: Work, waiting: &Receiver<Work>) -> Tip {
    let mut answers = Vec::new();
    let mut batch = Batch::new(conn, before.clone(), kept);
    let mut begun = conn.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from);
    let mut next = Some(first);
    while let Some(work) = next.take() {
        answers.push(work(&mut batch));
        // The engine undoes the whole transaction by itself when the disk is full or fails.
        if begun.is_ok() && conn.is_autocommit() {
            begun = Err(refused("the transaction was given up by the engine"));
        }
        if begun.is_ok() && answers.len() < BATCH {
            next = waiting.try_recv().ok();
        }
    }
    let committed = begun.and_then(|()| batch.finish());
    match committed {
        Ok(tip) => {
            kept.publish(&tip, batch.take_news());
            for answer in answers {
                answer(Ok(()));
            }
            tip
        }
        Err(e) => {
            if !conn.is_autocommit() {
                drop(conn.execute_batch("ROLLBACK"));
            }
            tracing::error!(error = e.code(), engine = e.engine(), "nothing of a batch was written");
            for answer in answers {
                answer(Err(&e));
            }
            before
        }
    }
}
