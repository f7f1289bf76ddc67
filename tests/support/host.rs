//! A server founded and served by the real program from a settings file, in a throw-away folder, on loopback ports of the system's choice.
//!
//! Contract: everything goes through the command line or the network, as an operator's would. Every wait has a deadline.

#![allow(dead_code, reason = "each suite uses its own part")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take.
pub const SOON: Duration = Duration::from_secs(45);

const LISTEN: &str = "[listen]\nstaff = \"127.0.0.1:0\"\npages = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n";

/// A founded server, running or not. Ana owns policy, ben reviews security.
pub struct Host {
    pub folder: tempfile::TempDir,
    child: Option<Child>,
    pub line: Value,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The program with nothing of its user's.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"] {
        command.env(name, folder);
    }
    command.env_remove("COUNTERSIGN_TOKEN").env_remove("COUNTERSIGN_SERVER").env("NO_PROXY", "*").stdin(Stdio::null());
    command
}

/// Both outputs as text.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Host {
    /// Founds one; `settings` come before and after `[listen]`.
    pub fn founded(top: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.toml"), format!("{top}\n{LISTEN}{sections}")).unwrap();
        let host = Self { folder, child: None, line: Value::Null };
        let tokens = host.path("").display().to_string();
        host.here(&["init", "--policy-owner", "ana", "--security-reviewer", "ben", "--employer", "acme", "--tokens", &tokens], 0);
        host
    }

    /// One over what lies in a folder already; `settings` as with [`Self::founded`].
    pub fn over(folder: tempfile::TempDir, top: &str, sections: &str) -> Self {
        let (first, rest) = top.split_once("\n[").map_or((top, String::new()), |(first, rest)| (first, format!("[{rest}\n")));
        std::fs::write(folder.path().join("server.toml"), format!("{first}\n{LISTEN}{rest}{sections}")).unwrap();
        Self { folder, child: None, line: Value::Null }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn token(&self, who: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{who}.token"))).unwrap()
    }

    /// A command on the server's machine, with `--config` and `--json`; its answer, or its failure.
    pub fn here(&self, arguments: &[&str], code: i32) -> Value {
        let config = self.path("server.toml");
        let (first, rest) = arguments.split_first().unwrap();
        let first: Vec<&str> = first.split(' ').collect();
        let mut command = program(self.folder.path());
        command.args(first).arg("--config").arg(config).args(rest).arg("--json");
        answer(&command.output().unwrap(), arguments, code)
    }

    /// A command through the API, with `--json`.
    pub fn there(&self, who: &str, arguments: &[&str], code: i32) -> Value {
        let mut command = program(self.folder.path());
        command.args(["--server", &self.api()]).args(arguments).arg("--json").env("COUNTERSIGN_TOKEN", self.token(who));
        answer(&command.output().unwrap(), arguments, code)
    }

    /// Where the staff API is.
    pub fn api(&self) -> String {
        format!("http://{}", self.line["api"].as_str().unwrap())
    }

    /// Starts it, and waits until it listens. Its journal is `journal.jsonl` in the folder.
    pub fn serve(&mut self) {
        self.start(program(self.folder.path()));
    }

    /// Starts it as another program's child, e.g. `strace`'s; [`Self::end_under`] ends both.
    pub fn serve_under(&mut self, other: &str, words: &[&str]) {
        let plain = program(self.folder.path());
        let mut command = Command::new(other);
        command.args(words).arg(plain.get_program()).stdin(Stdio::null());
        for (name, value) in plain.get_envs() {
            if let Some(value) = value {
                command.env(name, value)
            } else {
                command.env_remove(name)
            };
        }
        self.start(command);
    }

    fn start(&mut self, mut command: Command) {
        let journal = std::fs::File::create(self.path("journal.jsonl")).unwrap();
        command.arg("serve").arg("--config").arg(self.path("server.toml")).arg("--json");
        let mut child = command.stdout(Stdio::piped()).stderr(journal).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (say, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = say.send(line);
        });
        let line = heard.recv_timeout(SOON).expect("the server did not start in time");
        self.line = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        self.child = Some(child);
    }

    /// Sends it a signal by its name, e.g. `HUP`.
    pub fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("it runs");
        assert!(Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap().success());
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal to the server that was started with [`Self::serve_under`], and waits until the other program ends with it.
    pub fn end_under(&mut self, signal: &str) {
        let mut child = self.child.take().expect("it runs");
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        for id in std::fs::read_to_string(children).unwrap().split_whitespace() {
            assert!(Command::new("kill").arg(format!("-{signal}")).arg(id).status().unwrap().success());
        }
        child.wait().unwrap();
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let mut child = self.child.take().expect("it runs");
        let until = Instant::now() + SOON;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
            assert!(Instant::now() < until, "the server does not end");
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|c| c.try_wait().unwrap().is_none())
    }
}

fn answer(output: &Output, arguments: &[&str], code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(output));
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    serde_json::from_slice(text).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", said(output)))
}
