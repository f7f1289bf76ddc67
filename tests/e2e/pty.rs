//! The real program in a real terminal: keys in, a screen out.
//!
//! Contract: waits for what the screen says, with deadlines, and never sleeps; when a wait fails it prints the screen.

#![allow(dead_code, reason = "each suite uses its own part")]

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to say something.
const SOON: Duration = Duration::from_secs(20);
/// How long a demo may take to be filled before its console opens.
const FILLED: Duration = Duration::from_mins(3);

/// A terminal with the program in it.
pub struct Pty {
    name: String,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything it ever wrote, for programs that write lines.
    pub transcript: String,
    _folder: tempfile::TempDir,
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Pty {
    /// Starts the program with these arguments, its own folders, and that token.
    pub fn start(name: &str, arguments: &[&str], token: &str, size: (u16, u16)) -> Self {
        Self::start_with(name, arguments, token, size, &[])
    }

    /// The same, with further variables.
    pub fn start_with(name: &str, arguments: &[&str], token: &str, (columns, rows): (u16, u16), variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments);
        for place in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"] {
            command.env(place, folder.path());
        }
        for (variable, value) in [("COUNTERSIGN_TOKEN", token), ("TERM", "xterm-256color"), ("NO_PROXY", "*")] {
            command.env(variable, value);
        }
        for variable in ["COUNTERSIGN_SERVER", "EDITOR", "VISUAL", "NO_COLOR", "COLORTERM", "COLORFGBG", "STY"] {
            command.env_remove(variable);
        }
        for (variable, value) in variables {
            command.env(variable, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (mut reader, writer) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (tell, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(n) = reader.read(&mut bytes) {
                if n == 0 || tell.send(bytes[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let screen = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 0);
        Self { name: name.to_owned(), child, master: pair.master, writer, output, screen, transcript: String::new(), _folder: folder }
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// The screen with its colours.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).unwrap();
        self.screen.screen_mut().set_size(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
    }

    /// Waits until a condition on the screen holds.
    pub fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_within(SOON, what, holds);
    }

    /// Waits as long as a demo may take to be filled and to send all the mail of its past.
    pub fn wait_long(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_within(FILLED, what, holds);
    }

    fn wait_within(&mut self, most: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + most;
        while !holds(self) {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.transcript.push_str(&String::from_utf8_lossy(&bytes));
                }
                Err(why) => panic!("{}: {what}: {why}. The screen:\n{}\n", self.name, self.text()),
            }
        }
    }

    /// Waits until the screen says that.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("no {text:?}"), |pty| pty.text().contains(text));
    }

    /// Waits until that was written after everything that was waited for before: for programs that write lines.
    pub fn hear(&mut self, text: &str) {
        self.wait_until(&format!("no {text:?}"), |pty| pty.transcript.contains(text));
        let end = self.transcript.find(text).map_or(0, |at| at + text.len());
        self.transcript.drain(..end);
    }

    /// Waits until it ended, and gives its exit code.
    pub fn end(&mut self) -> u32 {
        while let Ok(bytes) = self.output.recv_timeout(SOON) {
            self.screen.process(&bytes);
        }
        self.child.wait().unwrap().exit_code()
    }
}
