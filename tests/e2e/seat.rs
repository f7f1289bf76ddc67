//! What someone does at the console, key by key, in a real terminal.
//!
//! Contract: before each step it is waited for until the screen shows what the step is about; nothing is typed blindly.

use crate::demo::Demo;
use crate::pty::Pty;

/// Ctrl-s: sends a form.
const SEND: &str = "\u{13}";
/// Ctrl-u: empties a line.
const EMPTY: &str = "\u{15}";

/// Someone at a console of their own.
pub struct Seat {
    pub pty: Pty,
}

/// The first case number in a text.
pub fn number_in(text: &str) -> String {
    let at = text.find("CS-26-").unwrap_or_else(|| panic!("no case in:\n{text}"));
    text[at..].chars().take("CS-26-000000".len()).collect()
}

impl Seat {
    /// Signs in with the account's token and waits for the first screen.
    pub fn take(demo: &Demo, who: &str, size: (u16, u16), more: &[&str]) -> Self {
        let arguments = [&["--server", &demo.line.api], more].concat();
        Self { pty: Pty::at_home(who, &arguments, &[("COUNTERSIGN_TOKEN", demo.token(who))], size) }
    }

    /// Presses keys once the screen shows a text.
    pub fn on(&mut self, shown: &str, keys: &str) {
        self.pty.shows(shown);
        self.pty.write(keys);
    }

    /// Opens a case in the routing form: the subject by name, the action so many to the right, all scope, by ticket. Gives its number.
    pub fn intake(&mut self, subject: &str, name: &str, action: usize, said: &str) -> String {
        self.on("Queue", "N");
        self.on("Whose access?", subject);
        self.on(&format!("{name} {subject} ·"), "\r");
        self.pty.shows("What is to be restored");
        self.pty.write(&"\u{1b}[C".repeat(action));
        self.pty.write("\t\t\t");
        self.on("Scope (recorded there", " ");
        self.on("You give up deciding this case", "\t");
        self.on("How it came in", "\u{1b}[C\u{1b}[C\u{1b}[C\t\t\t");
        self.on("What they said", said);
        self.on(said, SEND);
        self.on(&format!("Open a case for {name}?"), "y");
        self.pty.shows(": Opened.");
        self.pty.shows("1 Overview");
        number_in(&self.pty.text())
    }

    /// Triage of the case in front: locked out.
    pub fn triage(&mut self, seen: &str) {
        self.pty.write("t");
        self.on("Triage: what failed", "\u{1b}[C\t");
        self.on("How it was reproduced", seen);
        self.on(seen, SEND);
        self.pty.shows("Triage is recorded.");
    }

    /// Starts a proof by a code to a recorded address.
    pub fn send_code(&mut self, endpoint: &str) {
        self.pty.write("p");
        self.on("Start a proof", &format!("recorded address {endpoint}"));
        self.on(&format!("▌send a code to the recorded address {endpoint}"), "\r");
        self.pty.shows("Started: it was sent.");
    }

    /// Seals the case in front.
    pub fn seal(&mut self) {
        self.pty.write("s");
        self.on("Request approval of", "y");
        self.pty.shows("Sealed: approval is requested.");
    }

    /// Opens a case from the queue, whatever the filter was.
    pub fn open(&mut self, case: &str, subject: &str) {
        self.pty.write("gq");
        self.on("Waiting on", "/");
        self.pty.shows("Enter filters");
        self.pty.write(&format!("{EMPTY}subject:{subject} !ended\r"));
        // The filter's answer is there once no other case is shown.
        let only = |t: &str| t.contains(case) && t.matches("CS-26-").count() == 1 && !t.contains("Enter filters");
        self.pty.until("only that case", |s| only(&s.contents()));
        self.pty.write("\r");
        self.pty.shows("1 Overview");
    }

    /// Opens a case from the approvals inbox.
    pub fn open_waiting(&mut self, case: &str) {
        self.pty.write("ga");
        self.pty.shows("1 To decide");
        self.pty.shows(case);
        let marked = |text: &str| text.lines().find(|l| l.starts_with('▌')).map(str::to_owned);
        for _ in 0..60 {
            let here = marked(&self.pty.text());
            if here.as_ref().is_some_and(|l| l.contains(case)) {
                self.pty.write("\r");
                return self.pty.shows("1 Overview");
            }
            self.pty.write("j");
            self.pty.until("the next row", |s| marked(&s.contents()) != here);
        }
        panic!("{case} can't be reached:\n{}", self.pty.text());
    }

    /// Presses approve on a case of one's own: told why not and who could; insists, and is refused by the server too.
    pub fn approve_in_vain(&mut self, why: &str) {
        self.pty.write("da");
        self.pty.shows("You can't approve:");
        self.pty.shows(why);
        self.pty.shows("Could decide:");
        self.on("Blocked: see above.", "s");
        self.pty.shows("all the same?");
        self.on("That you tried stands in the log", "y");
        self.pty.shows("The server refused");
        self.pty.write("\u{1b}");
        self.pty.shows("5 Timeline");
    }

    /// Approves the case in front with a reason.
    pub fn approve(&mut self, reason: &str) {
        self.pty.write("da");
        self.on("You may decide", "e");
        self.on("Ctrl-s asks once more", reason);
        self.pty.shows(reason);
        // What is announced meanwhile is read first; whoever sends then is told so, and presses it again.
        self.pty.again_until("Esc cancel", SEND);
        self.on("Esc cancel", "y");
        self.pty.shows("is approved by you");
    }

    /// Walks up the log of the newest entry's case until an entry is in sight.
    pub fn find_in_log(&mut self, wanted: &str) {
        self.pty.write("gl");
        self.on("Leaf digest", "f");
        let detail = |text: &str| text.lines().find(|l| l.contains("Entry ")).map(str::to_owned);
        for _ in 0..80 {
            if self.pty.prose().contains(wanted) {
                return;
            }
            let here = detail(&self.pty.text());
            self.pty.write("k");
            self.pty.until("the entry before", |s| detail(&s.contents()) != here);
        }
        panic!("{wanted} is not in the log:\n{}", self.pty.text());
    }

    /// Leaves.
    pub fn leave(&mut self) {
        self.pty.write("\u{3}");
        assert!(self.pty.ended().success());
    }
}
