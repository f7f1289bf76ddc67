//! A terminal program in a PTY, measured as a user feels it: start to first paint, key to paint, bytes and CPU a key, idle, memory.
//!
//! Contract: Linux only (reads /proc); every wait has a deadline. The screen is a vt100 parser fed with what the program wrote; times are
//! taken straight after the read, before anything is parsed.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

type Error = Box<dyn std::error::Error>;

/// The terminal's size.
const ROWS: NonZero<u16> = NonZero::new(40).expect("not zero");
const COLS: NonZero<u16> = NonZero::new(120).expect("not zero");
/// Silence after which a paint counts as finished.
const QUIET: Duration = Duration::from_millis(40);
/// The longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running terminal program.
pub struct Probe {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    chunks: mpsc::Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    _master: Box<dyn portable_pty::MasterPty + Send>,
    started: Instant,
}

/// What one key cost.
#[derive(Debug, Clone, Copy)]
pub struct Press {
    /// Milliseconds to the last byte of the paint.
    pub paint_ms: f64,
    /// Bytes it wrote.
    pub bytes: usize,
}

impl Probe {
    /// Starts a program in a terminal of 120 x 40.
    pub fn start(command: CommandBuilder) -> Result<Self, Error> {
        let pair = native_pty_system().openpty(PtySize { rows: ROWS.get(), cols: COLS.get(), pixel_width: 0, pixel_height: 0 })?;
        let mut reader = pair.master.try_clone_reader()?;
        let writer = pair.master.take_writer()?;
        let (sender, chunks) = mpsc::channel();
        let started = Instant::now();
        let child = pair.slave.spawn_command(command)?;
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || sender.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, writer, chunks, screen: vt100::Parser::new(ROWS, COLS, 0), _master: pair.master, started })
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Milliseconds from the start until the screen shows this text (any text at all, if empty).
    pub fn until(&mut self, text: &str) -> Result<f64, Error> {
        let end = Instant::now() + DEADLINE;
        loop {
            let shown = self.text();
            if !text.is_empty() && shown.contains(text) {
                return Ok(ms(self.started.elapsed()));
            }
            let left = end.saturating_duration_since(Instant::now());
            let (at, bytes) = self.chunks.recv_timeout(left).map_err(|_| format!("never showed {text:?}; the screen:\n{shown}"))?;
            self.screen.process(&bytes);
            let now = self.text();
            if (text.is_empty() && !now.trim().is_empty()) || (!text.is_empty() && now.contains(text)) {
                return Ok(ms(at.duration_since(self.started)));
            }
        }
    }

    /// Reads on until nothing came for a while; returns the last time and the bytes.
    pub fn settle(&mut self, quiet: Duration) -> (Option<Instant>, usize) {
        let (mut last, mut bytes) = (None, 0);
        while let Ok((at, chunk)) = self.chunks.recv_timeout(quiet) {
            bytes += chunk.len();
            last = Some(at);
            self.screen.process(&chunk);
        }
        (last, bytes)
    }

    /// Reads for that long; returns the last time and the bytes.
    pub fn watch(&mut self, span: Duration) -> (Option<Instant>, usize) {
        let (end, mut last, mut bytes) = (Instant::now() + span, None, 0);
        while let Ok((at, chunk)) = self.chunks.recv_timeout(end.saturating_duration_since(Instant::now())) {
            bytes += chunk.len();
            last = Some(at);
            self.screen.process(&chunk);
        }
        (last, bytes)
    }

    /// Writes keys in one go and waits for the paint: for its first byte as long as it takes, then until it is quiet.
    pub fn press(&mut self, keys: &[u8]) -> Result<Press, Error> {
        let sent = Instant::now();
        self.writer.write_all(keys)?;
        self.writer.flush()?;
        let (mut at, chunk) = self.chunks.recv_timeout(DEADLINE).map_err(|_| format!("nothing was painted for {keys:?}"))?;
        self.screen.process(&chunk);
        let (last, bytes) = self.settle(QUIET);
        at = last.unwrap_or(at);
        Ok(Press { paint_ms: ms(at.saturating_duration_since(sent)), bytes: bytes + chunk.len() })
    }

    /// CPU milliseconds used so far, and voluntary context switches.
    pub fn cpu(&self) -> (f64, u64) {
        self.child.process_id().map_or((0.0, 0), usage)
    }

    /// Anonymous memory in MiB.
    pub fn anonymous_mib(&self) -> f64 {
        self.child.process_id().map_or(0.0, anonymous_mib)
    }

    /// Ends the program.
    pub fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU milliseconds that a process's living threads used so far, and their voluntary context switches.
pub fn usage(pid: u32) -> (f64, u64) {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.fold((0.0, 0), |(cpu, switches), task| {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let nanos: f64 = read("schedstat").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        let voluntary = read("status").lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok());
        (cpu + nanos / 1e6, switches + voluntary.unwrap_or(0))
    })
}

/// Anonymous memory of a process in MiB.
pub fn anonymous_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
