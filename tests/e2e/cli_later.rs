//! The commands of a case's later states through the real program: sealed, denied, taken back, held, rolled back, closed, each with its code.

use std::path::Path;

use serde_json::Value;

use crate::demo::Demo;
use crate::host::{program, said};
use crate::proving::triaged_and_proved;

/// The program against a demo.
pub struct Cli<'a> {
    pub demo: &'a Demo,
    pub folder: &'a Path,
}

impl Cli<'_> {
    /// Runs a command with `--json`; its one value.
    pub fn run(&self, who: &str, arguments: &[&str], code: i32) -> Value {
        let mut command = program(self.folder);
        command.args(["--server", &self.demo.line.api]).args(arguments).arg("--json").env("COUNTERSIGN_TOKEN", self.demo.token(who));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{who} {arguments:?}: {}", said(&output));
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        serde_json::from_slice(text).unwrap_or_else(|e| panic!("{who} {arguments:?}: {e}: {}", said(&output)))
    }

    /// Runs it without, for whoever reads sentences.
    pub fn read(&self, who: &str, arguments: &[&str]) -> String {
        let mut command = program(self.folder);
        command.args(["--server", &self.demo.line.api]).args(arguments).env("COUNTERSIGN_TOKEN", self.demo.token(who));
        let output = command.output().unwrap();
        assert!(output.status.success() && !output.stdout.contains(&0x1b), "{who} {arguments:?}: {}", said(&output));
        said(&output)
    }

    fn seal(&self, case: &str) -> String {
        self.run("nadia", &["case", "show", case], 0)["seal"]["sha256"].as_str().unwrap().to_owned()
    }

    fn state(&self, case: &str) -> String {
        self.run("nadia", &["case", "show", case], 0)["row"]["state"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_sealed_reopened_approved_rolled_back_and_looked_back_on_from_the_command_line() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let case = demo.open("nadia", "n.ferreira", "account_unlock", "assisted").await;
    triaged_and_proved(&demo, "nadia", &case, &["issued_code"]).await;
    for too_early in [
        &["case", "approve", &case, "yes", "--seal", "000000000000"][..],
        &["case", "roll-back", &case, "no"],
        &["case", "close", &case],
        &["case", "retry", &case],
    ] {
        cli.run("d.ruiz", too_early, 3);
    }
    cli.run("nadia", &["case", "seal", &case], 0);
    assert_eq!(cli.state(&case), "sealed");
    for (who, verb) in [("nadia", "approve"), ("nadia.deputy", "approve"), ("nadia.deputy", "deny"), ("triage-bot", "approve")] {
        let refused = cli.run(who, &["case", verb, &case, "it is fine", "--seal", &cli.seal(&case)], 3);
        assert!(["separation-of-duties", "not-permitted"].contains(&refused["error"].as_str().unwrap()), "{who}: {refused}");
    }
    // Whoever may not decide hears so and nothing of the seal, whatever they name.
    let refused = cli.run("nadia", &["case", "approve", &case, "it is fine", "--seal", "000000000000"], 3);
    assert!(!refused.to_string().contains(&cli.seal(&case)), "{refused}");
    let read = cli.seal(&case);
    cli.run("nadia", &["case", "reopen", &case, "one more thing"], 0);
    assert_ne!(cli.state(&case), "sealed");
    cli.run("nadia", &["case", "evidence", &case, "seen at nine", "--kind", "note"], 0);
    cli.run("nadia", &["case", "seal", &case], 0);
    // What was read is no longer what is sealed; and nobody decides without saying what they read.
    assert_eq!(cli.run("d.ruiz", &["case", "approve", &case, "as before", "--seal", &read], 7)["error"], "stale-seal");
    assert_eq!(cli.run("d.ruiz", &["case", "deny", &case, "as before", "--seal", &read], 7)["error"], "stale-seal");
    cli.run("d.ruiz", &["case", "approve", &case, "as before"], 2);
    cli.run("d.ruiz", &["case", "approve", &case, "as before", "--seal", "0123"], 2);
    let seal = cli.seal(&case);
    let told = cli.read("d.ruiz", &["case", "show", &case]);
    assert!(told.contains(&seal) && told.contains("plan: ") && told.contains("scope ") && told.contains("seen at nine"), "{told}");
    // What may be done is said by its command, and what is in the way once.
    assert!(told.contains("approve, deny") && told.contains("hand-over") && !told.contains("case_"), "{told}");
    let refused = cli.read("nadia.deputy", &["case", "show", &case]);
    assert_eq!(refused.matches("you can't decide it").count(), 1, "{refused}");
    assert!(refused.contains("the case is awaiting approval"), "{refused}");
    assert!(cli.read("d.ruiz", &["case", "statement", &case]).contains(&seal));
    let approved = cli.run("d.ruiz", &["case", "approve", &case, "called back on a known number", "--seal", &seal[..12]], 0);
    assert_eq!(approved["row"]["id"], case.as_str());
    demo.until(&case, "restored").await;
    cli.run("d.ruiz", &["case", "take-back", &case, "changed my mind"], 3);
    cli.run("nadia", &["case", "withdraw", &case, "too late"], 3);
    cli.run("d.ruiz", &["case", "review", &case, "fine"], 3);
    cli.run("a.lindqvist", &["case", "review", &case, "as it should be"], 0);
    cli.run("nadia", &["case", "revoke", &case, "grt-none", "no longer needed"], 6);
    cli.run("a.lindqvist", &["case", "roll-back", &case, "the wrong account"], 0);
    demo.until(&case, "rolled_back").await;
    cli.run("nadia", &["case", "close", &case], 3);
    let told = cli.read("nadia", &["case", "timeline", &case]);
    for event in ["sealed, revision 1", "opened the sealed case again", "approved", "looked back: in order"] {
        assert!(told.contains(event), "{event}: {told}");
    }
    assert!(!told.contains("state_changed") && !told.contains("grant_"), "no internal names: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_denied_held_flagged_taken_back_and_ended_from_the_command_line() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let denied = demo.open("nadia", "n.ferreira", "account_unlock", "assisted").await;
    triaged_and_proved(&demo, "nadia", &denied, &["issued_code"]).await;
    cli.run("nadia", &["case", "seal", &denied], 0);
    cli.run("d.ruiz", &["case", "deny", &denied, "the number on record is another one", "--seal", &cli.seal(&denied)], 0);
    assert_eq!(cli.state(&denied), "denied");
    cli.run("nadia", &["case", "withdraw", &denied, "too late"], 3);
    let listed = cli.run("nadia", &["case", "list", "state:denied", "--limit", "200"], 0);
    assert!(listed["rows"].as_array().unwrap().iter().any(|r| r["id"] == denied.as_str()), "{listed}");

    let urgent = demo.open("tom.becker", "j.costa", "account_unlock", "break_glass").await;
    triaged_and_proved(&demo, "tom.becker", &urgent, &["issued_code"]).await;
    cli.run("tom.becker", &["case", "seal", &urgent], 0);
    cli.run("d.ruiz", &["case", "approve", &urgent, "called back", "--seal", &cli.seal(&urgent)], 0);
    cli.run("d.ruiz", &["case", "take-back", &urgent, "the voice was odd"], 0);
    assert_eq!(cli.state(&urgent), "sealed");
    cli.run("d.ruiz", &["case", "take-back", &urgent, "again"], 3);
    cli.run("nadia", &["case", "hold", &urgent, "odd"], 3);
    cli.run("a.lindqvist", &["case", "hold", &urgent, "two calls from one number"], 0);
    cli.run("a.lindqvist", &["case", "hold", &urgent, "again"], 3);
    cli.run("d.ruiz", &["case", "approve", &urgent, "still fine", "--seal", &cli.seal(&urgent)], 3);
    cli.run("a.lindqvist", &["case", "lift-hold", &urgent, "spoke to her", "--contact", "ses-none"], 2);
    assert!(cli.run("nadia", &["case", "show", &urgent], 0)["row"]["held"] == true);
    assert!(cli.read("nadia", &["case", "show", &urgent]).contains("held"));

    let found = cli.read("nadia", &["subject", "list", "p.rossi"]);
    assert!(found.contains("SUBJECT") && found.contains("p.rossi") && found.contains("standard"), "{found}");
    let held = cli.read("nadia", &["subject", "show", "p.rossi"]);
    assert!(held.contains("held in directory: ") && held.contains("recorded address ") && !held.contains('@'), "{held}");
    assert!(cli.run("nadia", &["subject", "list", "nobody-of-that-name"], 0)["rows"].as_array().unwrap().is_empty());
    cli.run("nadia", &["subject", "show", "nobody"], 6);
    cli.run("triage-bot", &["subject", "list", "p.rossi"], 3);
    cli.run("nadia", &["subject", "list"], 2);
    let open = ["case", "open", "p.rossi", "password_reset", "--target", "directory", "--scope", "mail", "--channel", "phone"];
    let case = cli.run("nadia", &open, 0)["row"]["id"].as_str().unwrap().to_owned();
    cli.run("nadia", &["case", "flag", &case, "pressure"], 0);
    cli.run("nadia", &["case", "flag", &case, "pressure"], 3);
    cli.run("nadia", &["case", "flag", &case, "nonsense"], 2);
    let route = ["case", "route", &case, "account_unlock", "--target", "directory", "--scope", "mail"];
    assert_eq!(cli.run("nadia", &route, 0)["row"]["action"], "account_unlock");
    // Software reads only the cases it opened; to others it writes by the version that it was told.
    let unread = cli.run("triage-bot", &["case", "telemetry", &case, "three failed sign-ins"], 3);
    assert!(unread["detail"].as_str().unwrap().contains("--version"), "{unread}");
    let version = cli.run("nadia", &["case", "show", &case], 0)["row"]["version"].to_string();
    cli.run("triage-bot", &["case", "telemetry", &case, "three failed sign-ins", "--version", "1"], 7);
    let written = cli.run("triage-bot", &["case", "telemetry", &case, "three failed sign-ins", "--version", &version], 0);
    let next = written["version"].as_u64().expect("the version for its next write").to_string();
    cli.run("triage-bot", &["case", "telemetry", &case, "four by now", "--version", &next], 0);
    let its_own = demo.open("triage-bot", "p.rossi", "account_unlock", "assisted").await;
    cli.run("triage-bot", &["case", "telemetry", &its_own, "three failed sign-ins"], 0);
    let read = cli.run("triage-bot", &["case", "show", &its_own], 0)["row"]["version"].as_u64().unwrap().to_string();
    cli.run("triage-bot", &["case", "telemetry", &its_own, "four by now", "--version", &read], 0);
    cli.run("nadia", &["case", "telemetry", &case, "three failed sign-ins"], 3);
    cli.run("nadia", &["case", "triage", &case, "local_configuration", "the key was stuck", "--remedy-owner", "p-nadia"], 0);
    cli.run("nadia", &["case", "start-proof", &case, "issued_code", "--endpoint", "e-none"], 3);
    cli.run("nadia", &["case", "no-change", &case, "the keyboard was broken"], 0);
    assert_eq!(cli.state(&case), "no_change_needed");
    cli.run("nadia", &["case", "comment", &case, " "], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn software_reads_of_its_own_case_what_is_proved_and_is_told_no_untruth_about_what_it_is_not_told() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let case = demo.open("triage-bot", "n.ferreira", "account_unlock", "assisted").await;
    let before = cli.read("triage-bot", &["case", "show", &case]);
    assert!(before.contains("missing  ") && !before.contains("done     "), "{before}");
    triaged_and_proved(&demo, "nadia", &case, &["issued_code"]).await;
    let told = cli.read("triage-bot", &["case", "show", &case]);
    // No receipt is told, and nobody: what is done is said to be done all the same, and nobody to be there is said of nobody.
    assert!(told.contains("done     ") && told.contains("): done") && !told.contains("missing"), "{told}");
    for untold in ["could decide: no one", "works on it", "receipt ", "nadia", "d.ruiz"] {
        assert!(!told.contains(untold), "{untold}: {told}");
    }
    assert!(told.contains("could decide: enough are there, nobody is named to software"), "{told}");
    let whole = cli.read("nadia", &["case", "show", &case]);
    assert!(whole.contains("done     ") && whole.contains("works on it: ") && whole.contains("receipt "), "{whole}");
}
