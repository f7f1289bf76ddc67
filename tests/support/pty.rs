//! The program in a real terminal: a PTY whose output a vt100 emulator reads, so that a test sees what a user would see.
//!
//! Contract: every wait has a deadline; nothing sleeps. The child is killed when the terminal is dropped.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// The longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// A program in a terminal.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    chunks: mpsc::Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All that was written so far.
    pub bytes: Vec<u8>,
}

const fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn full(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

impl Pty {
    /// Starts a program.
    pub fn start(command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (sender, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let parser = vt100::Parser::new(full(rows), full(columns), 0);
        Self { child, master: pair.master, writer, chunks, parser, bytes: Vec::new() }
    }

    /// The terminal's screen and modes.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// Types.
    pub fn write(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(full(rows), full(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    fn take(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        self.parser.process(chunk);
    }

    /// Waits until the screen is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !wanted(self.screen()) {
            let got = self.chunks.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Ok(chunk) = got else { panic!("{what} was never seen; the screen:\n{}", self.text()) };
            self.take(&chunk);
        }
    }

    /// Waits until the screen shows a text.
    pub fn shows(&mut self, text: &str) {
        self.until(&format!("\"{text}\""), |s| s.contents().contains(text));
    }

    /// Waits until these bytes were written, seen or not.
    pub fn hears(&mut self, bytes: &str) {
        let end = Instant::now() + DEADLINE;
        while !String::from_utf8_lossy(&self.bytes).contains(bytes) {
            let got = self.chunks.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Ok(chunk) = got else { panic!("{bytes:?} was never written; the screen:\n{}", self.text()) };
            self.take(&chunk);
        }
    }

    /// Sends a signal (`TERM`, `HUP`).
    pub fn signal(&self, name: &str) {
        let id = self.child.process_id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success(), "{name} can't be sent");
    }

    /// What the terminal's driver does with keys: `ICANON | ECHO ...` in the words of the system.
    pub fn line_discipline(&self) -> String {
        self.master.get_termios().map(|t| format!("{:?}", t.local_flags)).unwrap_or_default()
    }

    /// Waits for the end; reads all that was written until then.
    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.chunks.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(chunk) => self.take(&chunk),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end; the screen:\n{}", self.text()),
            }
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
