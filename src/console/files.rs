//! What the console keeps on disk, done by a thread of its own: no disk is waited for between two keys.
//!
//! Contract: what is handed in is done in its order, one after the other; whoever drops it waits until all of it is done. At most [`MAX`] jobs
//! wait, what comes then is refused. Knows no file and no screen.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The most jobs that wait.
const MAX: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that are done one after the other.
pub(super) struct Files {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    /// Without any job yet. Where there can be no thread, jobs are done at once.
    pub fn new() -> Self {
        let (jobs, waiting) = sync_channel::<Job>(MAX);
        let work = move || waiting.into_iter().for_each(|job| job());
        let thread = std::thread::Builder::new().name("files".into()).spawn(work).ok();
        Self { jobs: thread.is_some().then_some(jobs), thread }
    }

    /// Does it once all that was handed in before is done. Says whether there was room for it.
    pub fn then(&self, job: impl FnOnce() + Send + 'static) -> bool {
        if let Some(jobs) = &self.jobs {
            return jobs.try_send(Box::new(job)).is_ok();
        }
        job();
        true
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn whoever_hands_in_never_waits_and_all_is_done_in_order_by_the_end() {
        let (begin, started) = channel::<()>();
        let (tell, told) = channel();
        let files = Files::new();
        let (go, wait) = channel::<()>();
        let first = move || {
            begin.send(()).unwrap();
            wait.recv().unwrap();
        };
        assert!(files.then(first));
        started.recv().unwrap();
        let taken = (0..MAX + 2).filter(|n| {
            let (n, tell) = (*n, tell.clone());
            files.then(move || tell.send(n).unwrap())
        });
        let taken: Vec<usize> = taken.collect();
        assert_eq!(taken.len(), MAX, "bounded, and nobody waited");
        go.send(()).unwrap();
        drop((files, tell));
        assert_eq!(told.iter().collect::<Vec<_>>(), taken);
    }
}
