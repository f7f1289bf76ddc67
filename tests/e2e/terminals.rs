//! Two real terminals against one server, through the whole story as it is typed: the agent opens, triages, proves and seals a case, is refused
//! in every way, and the supervisor in the other console approves it; the server carries it out and both see `restored`.

use serde_json::json;

use crate::attempts;
use crate::demo::Demo;
use crate::proving::{triaged_and_proved, types_code};
use crate::seat::{Seat, number_in};
use crate::story::restored;

async fn story(size: (u16, u16)) {
    let demo = Demo::start();
    let (mut nadia, mut ruiz) = (Seat::take(&demo, "nadia", size, &[]), Seat::take(&demo, "d.ruiz", size, &[]));
    let (subject, held) = ("n.ferreira", demo.account("n.ferreira").await);
    let case = nadia.intake(subject, "Nuno Ferreira", 1, "it does not let me in");
    nadia.pty.shows("you routed it");
    attempts::rerouted_by_someone_else(&demo, &case).await;
    nadia.pty.shows("password reset · assisted");
    nadia.triage("tried it with them, refused twice");
    nadia.send_code("n.ferreira-mail");
    types_code(&demo, "n.ferreira@ferrol.example", &case).await;
    nadia.pty.shows("Checklist 1/1");
    nadia.seal();
    nadia.pty.shows("awaiting approval");

    ruiz.open_waiting(&case);
    nadia.approve_in_vain("you routed it");
    assert_eq!(attempts::refusals(&demo, &case, "nadia", "separation-of-duties").await, 1, "the console's attempt stands in the log");
    let read = attempts::timeline(&demo, &case).await.iter().filter(|e| e["summary"].as_str().unwrap().contains("statement")).count();
    assert_eq!(read, 0, "looking at it is no attempt");
    attempts::all(&demo, &case).await;
    assert_eq!(demo.account(subject).await, held, "the target was not touched");

    ruiz.approve("called back, all is as it says");
    restored(&demo, subject, &case, &held, &json!(["mail"])).await;
    nadia.pty.shows("restored");
    ruiz.pty.shows("restored");
    attempts::told(&demo, &case).await;
    nadia.find_in_log("refused to Nadia Haddad: decide");
    assert!(nadia.pty.text().contains(&case), "{}", nadia.pty.text());
    nadia.leave();
    ruiz.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consoles_play_the_whole_story_at_120x40() {
    story((120, 40)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consoles_play_the_whole_story_at_80x24() {
    story((80, 24)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_withdrawn_in_the_console_and_created_again_by_someone_else_stays_out_of_its_agents_hands() {
    let demo = Demo::start();
    let mut nadia = Seat::take(&demo, "nadia", (100, 30), &[]);
    let first = nadia.intake("p.rossi", "Paola Rossi", 0, "forgot it");
    nadia.pty.write("xw");
    nadia.on("Withdraw the request", "they remembered");
    nadia.on("they remembered", "\u{13}");
    nadia.on(&format!("Withdraw {first}?"), "y");
    nadia.pty.shows("Withdrawn.");
    let again = demo.open("tom.becker", "p.rossi", "password_reset", "assisted").await;
    triaged_and_proved(&demo, "tom.becker", &again, &["issued_code", "manager_attestation"]).await;
    demo.act("tom.becker", &again, "seal", &json!({})).await;
    nadia.open(&again, "p.rossi");
    assert_eq!(number_in(&nadia.pty.text()), again);
    nadia.approve_in_vain("you routed it");
    attempts::withdrawn_and_created_again(&demo, &again, &first).await;
    nadia.leave();
}
