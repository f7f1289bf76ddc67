//! The program in a real terminal: a PTY whose output a vt100 emulator reads, so that a test sees what a user would see.
//!
//! Contract: every wait is for what the screen says (or, for programs that write lines, for what was written), has a deadline, and prints
//! the screen when it fails; nothing sleeps. The child is killed when the terminal is dropped.

#![allow(dead_code, reason = "each suite uses its own part")]

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// The longest wait for anything: long, because it only passes when something is wrong.
const DEADLINE: Duration = Duration::from_mins(1);

/// How long a demo may take to be filled and to send all the mail of its past.
const FILLED: Duration = Duration::from_mins(3);

/// A program in a terminal.
pub struct Pty {
    name: String,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    chunks: mpsc::Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All that was written so far.
    pub bytes: Vec<u8>,
    /// How much of it was heard: see [`Pty::hear`].
    heard: usize,
    home: Option<tempfile::TempDir>,
}

const fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn full(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

/// The program with these arguments and nothing of the caller's environment but `PATH`: its own home, and these variables.
pub fn countersign(home: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_countersign"));
    command.env_clear();
    for (name, value) in [("PATH", std::env::var("PATH").unwrap_or_default()), ("TERM", "xterm-256color".to_owned())] {
        command.env(name, value);
    }
    for place in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR"] {
        command.env(place, home);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    command.args(arguments);
    command
}

impl Pty {
    /// Starts a program; `name` is who sits before it, for messages.
    pub fn start(name: &str, command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
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
        Self { name: name.to_owned(), child, master: pair.master, writer, chunks, parser, bytes: Vec::new(), heard: 0, home: None }
    }

    /// Starts the program itself, with a home of its own that goes with the terminal.
    pub fn at_home(name: &str, arguments: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let command = countersign(home.path(), arguments, variables);
        let mut pty = Self::start(name, command, size);
        pty.home = Some(home);
        pty
    }

    /// The home it was given by [`Pty::at_home`].
    pub fn home(&self) -> &std::path::Path {
        self.home.as_ref().unwrap().path()
    }

    /// The terminal's screen and modes.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// The screen's text without its line breaks, borders and runs of blanks: what a reader takes in, however it is broken.
    pub fn prose(&self) -> String {
        prose(&self.text())
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

    /// Takes in output until a condition holds.
    fn wait(&mut self, most: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + most;
        while !holds(self) {
            let got = self.chunks.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Ok(chunk) = got else { panic!("{}: {what} was never seen; the screen:\n{}", self.name, self.text()) };
            self.take(&chunk);
        }
    }

    /// Waits until the screen is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        self.wait(DEADLINE, what, |pty| wanted(pty.screen()));
    }

    /// Waits until the screen shows a text, be it broken over lines.
    pub fn shows(&mut self, text: &str) {
        let wanted = prose(text);
        self.until(&format!("\"{text}\""), |s| prose(&s.contents()).contains(&wanted));
    }

    /// Presses keys, and again whenever the screen came to rest without the text, until it shows it.
    pub fn again_until(&mut self, text: &str, keys: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.text().contains(text) {
            assert!(Instant::now() < end, "{}: \"{text}\" was never seen; the screen:\n{}", self.name, self.text());
            self.write(keys);
            while let Ok(chunk) = self.chunks.recv_timeout(Duration::from_millis(500)) {
                self.take(&chunk);
                if self.text().contains(text) {
                    break;
                }
            }
        }
    }

    /// Waits as long as a demo may take to be filled and to send all the mail of its past.
    pub fn long(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        self.wait(FILLED, what, |pty| wanted(pty.screen()));
    }

    /// What was written since the last [`Pty::hear`], as text.
    pub fn unheard(&self) -> String {
        String::from_utf8_lossy(&self.bytes[self.heard..]).into_owned()
    }

    /// Waits until that was written after everything that was heard before, and gives all that was written up to its end: for programs
    /// that write lines.
    pub fn hear(&mut self, text: &str) -> String {
        let find = |pty: &Self| pty.bytes[pty.heard..].windows(text.len()).position(|w| w == text.as_bytes());
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = find(self) {
                let (from, to) = (self.heard, self.heard + at + text.len());
                self.heard = to;
                return String::from_utf8_lossy(&self.bytes[from..to]).into_owned();
            }
            let got = self.chunks.recv_timeout(end.saturating_duration_since(Instant::now()));
            let Ok(chunk) = got else { panic!("{}: \"{text}\" was never said; since the last:\n{}", self.name, self.unheard()) };
            self.take(&chunk);
        }
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
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("{} does not end; the screen:\n{}", self.name, self.text()),
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

/// A text with every run of blanks, line breaks and borders as one blank.
fn prose(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || ('\u{2500}'..='\u{257f}').contains(&c)).filter(|w| !w.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
