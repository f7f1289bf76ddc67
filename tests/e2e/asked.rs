//! Whoever approves at a terminal is shown all that is signed and nothing that steers the terminal, whatever a server sends; and what was typed
//! wrong is quoted harmlessly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::{get, post};
use axum::{Json, Router};
use countersign::api::case::{CaseDetail, Statement};
use countersign::api::recompute;
use serde_json::{Value, json};

use crate::pty::Pty;
use crate::whole;

/// Blanks the screen, and writes the clipboard.
const STEERS: &str = "\u{1b}[2J\u{1b}]52;c;aGFybQ==\u{7}\u{9b}31m\u{202e}";
/// The case that the server shows.
const CASE: &str = "CS-26-004127";

/// A server that says what steers a terminal wherever it words something itself: none of it is in any digest.
struct Liar {
    address: String,
    decided: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Puts it into every field that the server words.
fn steered() -> (CaseDetail, Statement) {
    let mut case = serde_json::to_value(whole::sealed()).unwrap();
    let said = |text: &str| Value::from(format!("{text}{STEERS}"));
    for (place, words) in [
        ("/opened_by", "kofi"),
        ("/requester", "the subject"),
        ("/approvals_needed", "2 persons"),
        ("/checklist/items/0/title", "old key"),
        ("/checklist/items/0/receipt/by", "the subject"),
        ("/lineage/0/sentence", "owns triage-bot"),
        ("/lineage/0/name", "Nadia"),
        ("/plan/steps/0", "make a new secret"),
        ("/seal/by", "kofi"),
        ("/evidence/0/by", "nadia"),
        ("/approvals/0/reason", "seen"),
        ("/approvals/0/name", "Astrid"),
        ("/subject/name", "payments-batch"),
    ] {
        *case.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = said(words);
    }
    case["allowed_actions"] = json!(["case_decide", format!("more{STEERS}")]);
    case["refused_actions"] = json!([{"action": format!("other{STEERS}"), "reason": format!("no{STEERS}"), "code": "wrong-place"}]);
    let case: CaseDetail = serde_json::from_value(case).unwrap();
    assert!(recompute::differences(&case).is_empty(), "none of it is signed");
    (case, whole::statement("approve"))
}

impl Liar {
    async fn start() -> Self {
        let (case, statement) = steered();
        let (shown, decided) = (serde_json::to_value(&case).unwrap(), Arc::new(AtomicUsize::new(0)));
        let (count, answer) = (Arc::clone(&decided), shown.clone());
        let decide = move || {
            count.fetch_add(1, Ordering::SeqCst);
            async move { Json(answer) }
        };
        let routes = Router::new()
            .route(&format!("/v1/cases/{CASE}"), get(move || async move { Json(shown) }))
            .route(&format!("/v1/cases/{CASE}/statement"), get(move || async move { Json(statement) }))
            .route(&format!("/v1/cases/{CASE}/decisions"), post(decide))
            .route("/v1/me", get(async || Json(whole::ruiz())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, decided, task }
    }

    fn approves(&self) -> Pty {
        let arguments = ["--server", &self.address, "case", "approve", CASE, "called back"];
        Pty::at_home("d.ruiz", &arguments, &[("COUNTERSIGN_TOKEN", "tok-1.secret")], (200, 80))
    }
}

/// Whether a program wrote anything that a terminal obeys but line ends.
fn steers(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.chars().any(|c| (c.is_control() && !matches!(c, '\r' | '\n')) || c == '\u{202e}')
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_all_that_is_signed_is_shown_before_it_is_asked_and_nothing_of_the_servers_steers_the_terminal() {
    let liar = Liar::start().await;
    let mut ruiz = liar.approves();
    let shown = ruiz.hear(&format!("Type {CASE} to approve it: "));
    let case = whole::sealed();
    let seal = case.seal.as_ref().unwrap();
    for wanted in [
        "plan: secret rotation in vault; scope payments.write",
        "rotated too: s-2",
        "the old credential is revoked; it can't be undone",
        "evidence ev-1 ",
        &case.evidence[0].sha256.to_string(),
        "receipt rc-1 by ",
        "2026-03-05 09:30:00, valid until 2026-03-05 20:00:00 UTC",
        "gate attestation by an owner (",
        "(p-nadia): owns triage-bot",
        "Ines Moreau (p-ines): owns the subject",
        &seal.sha256.to_string(),
        &case.policy_sha256.to_string(),
        "approver.account",
        "d.ruiz",
        "sha256 of the signed line: ",
        "␛]52;c;aGFybQ==",
    ] {
        assert!(shown.contains(wanted), "{wanted} in\n{shown}");
    }
    ruiz.write("yes\n");
    assert_eq!(ruiz.ended().exit_code(), 1, "{}", ruiz.text());
    assert!(ruiz.text().contains("Nothing was sent.") && !steers(&ruiz.bytes), "{:?}", String::from_utf8_lossy(&ruiz.bytes));
    assert_eq!(liar.decided.load(Ordering::SeqCst), 0, "nothing but the case's number is a yes");

    let mut ruiz = liar.approves();
    ruiz.hear("to approve it: ");
    ruiz.write(&format!("{CASE}\n"));
    assert_eq!(ruiz.ended().exit_code(), 0, "{}", ruiz.text());
    assert!(!steers(&ruiz.bytes), "{:?}", String::from_utf8_lossy(&ruiz.bytes));
    assert_eq!(liar.decided.load(Ordering::SeqCst), 1);
}

#[test]
fn what_was_typed_wrong_is_quoted_and_steers_nothing() {
    let odd = format!("CS-26{STEERS}");
    for arguments in
        [&["case", "show", &odd][..], &["case", &odd], &[&odd], &["--timeout", &odd, "whoami"], &["case", "list", "--sort", &odd, "--limit", &odd]]
    {
        let mut pty = Pty::at_home("script", arguments, &[], (200, 40));
        assert_eq!(pty.ended().exit_code(), 2, "{}", pty.text());
        let said = String::from_utf8_lossy(&pty.bytes).into_owned();
        assert!(said.contains("‹U+202E›") && said.contains("error: ") && !steers(&pty.bytes), "{said:?}");
    }
}
