//! Connections that read, each on a thread of its own, so that no query ever runs on a runtime's thread or crosses an await.
//!
//! Contract: at most [`WAITING`] questions wait; more are told that it is busy. Closing lets running questions end. Knows nothing about
//! what is asked.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::schema;
use crate::store::StoreError;

/// How many questions may wait for a connection.
const WAITING: usize = 1_024;

type Question = Box<dyn FnOnce(&mut Connection) + Send>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Question>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

/// The pool.
pub(super) struct Readers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Opens that many connections.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let shared = Arc::<Shared>::default();
        let mut threads = Vec::with_capacity(count);
        for i in 0..count.max(1) {
            let mut conn = schema::open_reader(path)?;
            let shared = Arc::clone(&shared);
            let run = move || {
                while let Some(question) = next(&shared) {
                    question(&mut conn);
                }
            };
            threads.push(std::thread::Builder::new().name(format!("store-read-{i}")).spawn(run).map_err(|e| StoreError::Engine(Box::new(e)))?);
        }
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    /// Asks on one of the connections.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |conn| drop(answer.send(question(conn))));
        {
            let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.closed {
                return Err(StoreError::Closed);
            }
            if queue.waiting.len() >= WAITING {
                return Err(StoreError::Busy);
            }
            queue.waiting.push_back(question);
        }
        self.shared.ready.notify_one();
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets what waits be answered and the threads end.
    pub(super) fn close(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.ready.notify_all();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(thread.join());
        }
    }
}

fn next(shared: &Shared) -> Option<Question> {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(question) = queue.waiting.pop_front() {
            return Some(question);
        }
        if queue.closed {
            return None;
        }
        queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}
