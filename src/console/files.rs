//! What the console keeps on disk, done by a thread of its own: no disk is waited for between two keys.
//!
//! Contract: what is handed in is done in its order, one after the other; whoever drops it waits until all of it is done, and at most [`LEAVING`]: a
//! disk that never answers keeps nobody. At most [`MAX`] jobs wait, what comes then is refused. Knows no file and no screen.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most jobs that wait.
const MAX: usize = 1024;

/// The longest that what was handed in is waited for at the end.
pub(super) const LEAVING: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that are done one after the other.
pub(super) struct Files {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Says nothing, and is closed once the thread has ended.
    ended: Receiver<()>,
}

impl Files {
    /// Without any job yet. Where there can be no thread, jobs are done at once.
    pub fn new() -> Self {
        let (jobs, waiting) = sync_channel::<Job>(MAX);
        let (lives, ended) = channel();
        let work = move || {
            for job in waiting {
                job();
            }
            drop(lives);
        };
        let thread = std::thread::Builder::new().name("files".into()).spawn(work).ok();
        Self { jobs: thread.is_some().then_some(jobs), thread, ended }
    }

    /// Does it once all that was handed in before is done. Says whether there was room for it.
    pub fn then(&self, job: impl FnOnce() + Send + 'static) -> bool {
        if let Some(jobs) = &self.jobs {
            return jobs.try_send(Box::new(job)).is_ok();
        }
        job();
        true
    }

    /// Takes no more, and waits that long until all that was handed in is done. Says whether it is.
    pub fn over(&mut self, most: Duration) -> bool {
        drop(self.jobs.take());
        let over = self.thread.is_none() || self.ended.recv_timeout(most) == Err(RecvTimeoutError::Disconnected);
        if over && let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        over
    }

    /// As [`Files::over`]; what is not done by then is waited for no more.
    pub fn leave(&mut self, most: Duration) -> bool {
        let over = self.over(most);
        self.thread = None;
        over
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.leave(LEAVING);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_disk_that_never_answers_keeps_nobody() {
        let mut files = Files::new();
        let (answer, never) = channel::<()>();
        assert!(files.then(move || _ = never.recv()));
        assert!(!files.over(Duration::from_millis(1)) && !files.leave(Duration::from_millis(1)));
        drop(files);
        answer.send(()).unwrap();
        let mut files = Files::new();
        assert!(files.then(|| ()) && files.over(LEAVING) && files.leave(LEAVING));
    }

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
