//! The server's journal: what it notes about its own work, one JSON object a line, for whoever looks after it. Not the log, which is evidence.
//!
//! Contract: lines hold ids that the server made, codes, numbers and routes as patterns; no names, addresses, tokens, codes of proofs, texts or
//! words of others (`tests/tidy.rs` looks at every place that writes one, `tests/e2e/journal.rs` at what comes out). Of other people's crates
//! only warnings and errors are taken. Nothing waits for the reader: at most [`WAITING`] lines do, the last [`KEPT`] places for warnings and errors,
//! and those beyond are counted and left out.
//! To a terminal lines go as plain text. Knows nothing about what is served.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::server::JournalLevel;

/// Lines that may wait for a reader that is slow.
pub const WAITING: usize = 4_096;
/// Of these, places that only warnings and errors take: what needs someone is not left out for what anyone can have written.
pub const KEPT: usize = 1_024;
/// How long the end of the process waits for the last lines.
const LAST: Duration = Duration::from_secs(2);

/// A journal that is kept; what waits is written when it is dropped.
pub struct Journal {
    lines: Lines,
    ended: Receiver<()>,
}

impl Drop for Journal {
    fn drop(&mut self) {
        let until = Instant::now() + LAST;
        // A full queue takes the end as soon as one line of it is read.
        while self.lines.waiting.try_send(None).is_err() {
            if Instant::now() >= until {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let _ = self.ended.recv_timeout(LAST);
    }
}

/// Where lines are put; `None` is the end.
#[derive(Clone)]
struct Lines {
    waiting: SyncSender<Option<Vec<u8>>>,
    /// How many wait.
    count: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    /// Whether what is written now needs someone.
    urgent: bool,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let most = if self.urgent { WAITING } else { WAITING - KEPT };
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before >= most || self.waiting.try_send(Some(line.to_vec())).is_err() {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Self {
        Self { urgent: *about.level() <= Level::WARN, ..self.clone() }
    }
}

/// Keeps a journal for the whole process from now on. `None` if it is off, or if one is kept already.
pub fn keep(level: JournalLevel, to: impl Write + Send + 'static, plain: bool) -> Option<Journal> {
    let level = match level {
        JournalLevel::Off => return None,
        JournalLevel::Error => LevelFilter::ERROR,
        JournalLevel::Warn => LevelFilter::WARN,
        JournalLevel::Info => LevelFilter::INFO,
        JournalLevel::Debug => LevelFilter::DEBUG,
    };
    let (lines, ended) = writer(to, plain);
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("countersign", level);
    let layer = if plain {
        fmt::layer().with_ansi(false).with_writer(lines.clone()).boxed()
    } else {
        fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).with_writer(lines.clone()).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().ok()?;
    // What a panic says may quote what was being worked on: where it was is enough.
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic.location().map_or(("", 0), |l| (l.file(), l.line()));
        tracing::error!(file, line, "a part of the program broke off");
    }));
    Some(Journal { lines, ended })
}

fn writer(mut to: impl Write + Send + 'static, plain: bool) -> (Lines, Receiver<()>) {
    let (waiting, come) = sync_channel::<Option<Vec<u8>>>(WAITING);
    let (end, ended) = sync_channel(1);
    let lines = Lines { waiting, count: Arc::default(), lost: Arc::default(), urgent: false };
    let (lost, count) = (lines.lost.clone(), lines.count.clone());
    std::thread::spawn(move || {
        while let Ok(Some(line)) = come.recv() {
            count.fetch_sub(1, Ordering::Relaxed);
            // A reader that went away is no reason to end.
            let _ = to.write_all(&line);
            let lost = lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let _ = if plain {
                    writeln!(to, "WARN {lost} lines were left out")
                } else {
                    writeln!(to, r#"{{"level":"WARN","message":"lines were left out","lost":{lost},"target":"countersign::cli::journal"}}"#)
                };
            }
            let _ = to.flush();
        }
        let _ = end.send(());
    });
    (lines, ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    /// A reader that takes nothing until it is let go.
    struct Slow(Arc<Mutex<Vec<u8>>>, Option<Receiver<()>>, Sender<()>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(gate) = self.1.take() {
                let _ = self.2.send(());
                let _ = gate.recv();
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_slow_holds_nothing_up_and_learns_what_it_missed() {
        let (read, (go, gate), (taking, taken)) = (Arc::new(Mutex::new(Vec::new())), channel(), channel());
        let (lines, ended) = writer(Slow(read.clone(), Some(gate), taking), false);
        let mut to = lines.make_writer();
        to.write_all(b"first\n").unwrap();
        taken.recv().unwrap();
        for _ in 0..WAITING - KEPT + 2 {
            to.write_all(b"more\n").unwrap();
        }
        let mut urgent = Lines { urgent: true, ..lines.clone() };
        for _ in 0..=KEPT {
            urgent.write_all(b"needs someone\n").unwrap();
        }
        go.send(()).unwrap();
        drop(Journal { lines, ended });
        let text = String::from_utf8(read.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("first\n") && text.contains(r#""lost":3"#), "{text}");
        assert_eq!((text.matches("more\n").count(), text.matches("needs someone\n").count()), (WAITING - KEPT, KEPT));
    }
}
