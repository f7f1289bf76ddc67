//! The whole story in the linear mode, for screen readers: two sessions of the real program, typed line by line; every word that is needed
//! is heard, and nothing is written but lines of words.

use serde_json::json;

use crate::attempts;
use crate::demo::Demo;
use crate::proving::types_code;
use crate::pty::Pty;
use crate::seat::number_in;
use crate::story::restored;

/// Someone who listens.
pub struct Listener {
    pub pty: Pty,
}

impl Listener {
    pub fn take(demo: &Demo, who: &str, first: &str) -> Self {
        let arguments = ["--server", &demo.line.api, "--plain"];
        let mut listener = Self { pty: Pty::at_home(who, &arguments, &[("COUNTERSIGN_TOKEN", demo.token(who))], (80, 24)) };
        listener.pty.hear(first);
        listener
    }

    /// Types a line and waits for what is said to it; gives what was said until then.
    pub fn types(&mut self, line: &str, heard: &str) -> String {
        self.pty.write(&format!("{line}\n"));
        self.pty.hear(heard)
    }

    /// Leaves; all that was ever written is lines of words.
    pub fn leave(mut self) {
        self.pty.write("quit\n");
        assert!(self.pty.ended().success());
        let all = String::from_utf8(self.pty.bytes.clone()).unwrap();
        let drawn = |c: &char| ('\u{2500}'..='\u{259f}').contains(c) || (c.is_control() && !['\r', '\n'].contains(c));
        let found: Vec<char> = all.chars().filter(drawn).collect();
        assert!(found.is_empty(), "{found:?} in:\n{all}");
        let marks: Vec<&str> = all.lines().filter(|l| l.contains(['‖', '✕', '✓', '▌', '▲'])).collect();
        assert!(marks.is_empty(), "{marks:#?}");
        assert!(!all.contains("space bar") && !all.contains("is no command"), "{all}");
    }
}

/// The agent opens, triages, has it proved and seals. Gives the case's number.
async fn routed(demo: &Demo, nadia: &mut Listener) -> String {
    nadia.types("new-case", "Whose access?");
    nadia.types("n.ferreira", "1. Nuno Ferreira, employee, id n.ferreira");
    nadia.types("1", "What is to be restored");
    nadia.types("password reset", "Which way: assisted");
    nadia.types("", "Where (recorded entitlements): directory");
    nadia.types("", "Scope (recorded there): empty");
    nadia.types("1", "How it came in");
    nadia.types("ticket", "Came from");
    nadia.types("", "Asked by: subject");
    nadia.types("", "What they said: empty");
    nadia.types("it does not let me in\n.", "last field");
    let question = nadia.types(":send", "Type y to route it");
    assert!(question.contains("You give up deciding this case"), "{question}");
    let case = number_in(&nadia.types("y", ": Opened."));
    nadia.pty.hear("Next: triage it");

    nadia.types("triage", "What failed");
    nadia.types("locked out", "How it was reproduced");
    nadia.types("tried it with them, refused twice\n.", "Who owns the remedy");
    nadia.types(":send", "Triage is recorded.");
    let choices = nadia.types("prove", "empty line cancels");
    let code = "send a code to the recorded address n.ferreira-mail";
    let row = choices.lines().find(|l| l.contains(code)).unwrap_or_else(|| panic!("{choices}"));
    let number = row.split('.').next().unwrap().to_owned();
    nadia.types(&number, "Started: it was sent.");
    types_code(demo, "n.ferreira@ferrol.example", &case).await;
    // Nobody typed anything: it is said all the same.
    nadia.pty.hear("News of this case:");
    nadia.pty.hear("2 Checklist 1/1");
    nadia.types("request-approval", "Type y to");
    nadia.types("y", "State: awaiting approval");
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn two_listeners_play_the_whole_story_in_the_linear_mode() {
    let demo = Demo::start();
    let (mut nadia, mut ruiz) = (Listener::take(&demo, "nadia", "Queue, filter"), Listener::take(&demo, "d.ruiz", "Approvals, page 1"));
    let (subject, held) = ("n.ferreira", demo.account("n.ferreira").await);
    let case = routed(&demo, &mut nadia).await;

    let why = nadia.types("approve", "send-decision tries it all the same");
    assert!(why.contains("You can't approve: you routed it") && why.contains("on shift: d.ruiz"), "{why}");
    nadia.types("send-decision", "Type y to try it");
    nadia.types("y", "The server refused it. That you tried stands in the log");
    assert_eq!(attempts::refusals(&demo, &case, "nadia", "separation-of-duties").await, 1);
    assert_eq!(demo.account(subject).await, held, "the target was not touched");
    nadia.types("back", "State: awaiting approval");

    ruiz.pty.hear("Attention: Approval is asked of you");
    ruiz.types("refresh", &case);
    ruiz.types(&format!("open {case}"), "State: awaiting approval");
    ruiz.types("approve", "send-decision sends it; it is asked once more.");
    ruiz.types("write-reason", "Reason (required");
    ruiz.types("called back, all is as it says\n.", "last field");
    ruiz.types(":send", "Type y to approve");
    ruiz.types("y", "is approved by you");
    restored(&demo, subject, &case, &held, &json!(["mail"])).await;
    nadia.pty.hear("State: restored");
    ruiz.pty.hear("State: restored");
    let log = nadia.types("log", "Leaf digest");
    assert!(log.contains(&case), "{log}");
    nadia.types(&format!("open {case}"), "State: restored");
    nadia.types("5", "refused to Nadia Haddad: decide; they have a hand in it");
    nadia.leave();
    ruiz.leave();
}
