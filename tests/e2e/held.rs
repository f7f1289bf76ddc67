//! "This wasn't me", said after access was restored: security reaches the subject and lifts the hold, in the console and in the linear mode.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::demo::{Demo, SOON};
use crate::letter::Letter;
use crate::plain::Listener;
use crate::proving::{triaged_and_proved, types_code};
use crate::seat::Seat;

/// Ctrl-s: sends a form.
const SEND: &str = "\u{13}";

/// A restored case whose subject said that it wasn't them.
async fn stopped(demo: &Demo, subject: &str) -> String {
    let case = demo.open("nadia", subject, "account_unlock", "assisted").await;
    triaged_and_proved(demo, "nadia", &case, &["issued_code"]).await;
    demo.act("nadia", &case, "seal", &json!({})).await;
    let (status, approved) = demo.decide("d.ruiz", &case, "approve").await;
    assert_eq!(status, 200, "{approved:#}");
    demo.until(&case, "restored").await;
    let told = demo.letter(&format!("{subject}@ferrol.example"), &["A recovery was completed", &case]);
    let (status, .., page) = demo.form(&told.link("n"), &[("word", &told.word())], None).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(demo.case(&case).await["row"]["held"], true);
    case
}

/// The subject types the code of the contact, once it came: the first one was for the proof.
async fn answers(demo: &Demo, subject: &str, case: &str) {
    let mailbox = format!("{subject}@ferrol.example");
    let code = |l: &&Letter| l.to == mailbox && l.subject.contains("Your code for case") && (l.subject.contains(case) || l.body.contains(case));
    let until = Instant::now() + SOON;
    while demo.letters().iter().filter(code).count() < 2 {
        assert!(Instant::now() < until, "no second code for {case}");
        tokio::task::block_in_place(|| std::thread::park_timeout(Duration::from_millis(50)));
    }
    types_code(demo, &mailbox, case).await;
}

async fn lifted(demo: &Demo, case: &str) {
    let now = demo.case(case).await;
    assert_eq!((&now["row"]["held"], &now["row"]["state"]), (&json!(false), &json!("restored")), "{:#}", now["hold"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_me_after_it_was_restored_is_looked_into_and_lifted_in_the_console_and_in_the_linear_mode() {
    let demo = Demo::start();
    let subject = "n.ferreira";
    let case = stopped(&demo, subject).await;
    let mut seat = Seat::take(&demo, "a.lindqvist", (120, 40), &[]);
    seat.pty.shows("1 To decide");
    seat.open(&case, subject);
    seat.pty.shows("HELD by");
    seat.pty.write("xl");
    seat.pty.shows("nobody answered since the hold");
    seat.pty.write("p");
    seat.on("Reach somebody over the held case", &format!("recorded address {subject}-mail"));
    seat.on(&format!("▌send a code to the recorded address {subject}-mail"), "\r");
    seat.pty.shows("Started: it was sent.");
    answers(&demo, subject, &case).await;
    seat.pty.shows(&format!("✓ Contact: issued code to {subject}-mail"));
    seat.pty.write("xl");
    seat.on("Lift the freeze", "spoke to him, it was him after all");
    seat.pty.shows(&format!("issued code to {subject}-mail"));
    seat.on("it was him after all", SEND);
    seat.on("Lift the freeze over", "y");
    seat.pty.shows("The freeze is lifted.");
    lifted(&demo, &case).await;
    seat.leave();

    let subject = "j.costa";
    let case = stopped(&demo, subject).await;
    let mut voice = Listener::take(&demo, "a.lindqvist", "flagged since");
    let heard = voice.types(&format!("open {case}"), "You can: ");
    assert!(heard.contains("State: restored") && heard.contains("Held by"), "{heard}");
    voice.types("lift-hold", "nobody answered since the hold");
    let choices = voice.types("prove", "empty line cancels");
    let code = format!("send a code to the recorded address {subject}-mail");
    let row = choices.lines().find(|l| l.contains(&code)).unwrap_or_else(|| panic!("{choices}"));
    let number = row.split('.').next().unwrap().to_owned();
    voice.types(&number, "Started: it was sent.");
    answers(&demo, subject, &case).await;
    voice.pty.hear("answered: the hold can be lifted by it");
    voice.types("lift-hold", "Reason");
    voice.types("spoke to her\n.", "Reached since the hold through");
    voice.types(":send", "Type y to lift it");
    voice.types("y", "The freeze is lifted.");
    lifted(&demo, &case).await;
    voice.leave();
}
