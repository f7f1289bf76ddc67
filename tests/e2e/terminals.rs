//! Two real terminals against one server: the agent's console says what stands in the way, the supervisor's shows the case and approves.

use serde_json::json;

use crate::demo::Demo;
use crate::proving::triaged_and_proved;
use crate::pty::Pty;

fn console(demo: &Demo, who: &str, size: (u16, u16)) -> Pty {
    Pty::start(who, &["--server", &demo.line.api], demo.token(who), size)
}

/// Opens one subject's case from the queue.
fn open(pty: &mut Pty, subject: &str, case: &str) {
    pty.keys("gq");
    pty.wait_for("Queue");
    pty.keys("/");
    pty.keys(&format!("subject:{subject}"));
    pty.keys("\r");
    // The filter's answer is there once no other case is shown.
    pty.wait_until("only that case", |p| p.text().contains(case) && p.text().matches("CS-26-").count() == 1);
    pty.keys("\r");
    pty.wait_until("the case", |p| p.text().contains("Overview") || p.text().contains("overview"));
}

async fn story(size: (u16, u16)) {
    let demo = Demo::start();
    let (mut nadia, mut ruiz) = (console(&demo, "nadia", size), console(&demo, "d.ruiz", size));
    nadia.wait_for("Queue");
    ruiz.wait_for("Approvals");
    let case = demo.open("triage-bot", "n.ferreira", "password_reset", "assisted").await;
    triaged_and_proved(&demo, "nadia", &case, &["issued_code"]).await;
    open(&mut nadia, "n.ferreira", &case);
    open(&mut ruiz, "n.ferreira", &case);
    demo.act("nadia", &case, "seal", &json!({})).await;
    nadia.wait_for("awaiting approval");
    ruiz.wait_for("awaiting approval");
    nadia.keys("da");
    nadia.wait_for("You can't approve");
    nadia.wait_for("Nothing can be sent");
    ruiz.keys("da");
    ruiz.wait_for("You may decide");
    ruiz.keys("e");
    ruiz.keys("called back, all is as it says");
    ruiz.wait_for("called back");
    ruiz.keys("\u{13}");
    ruiz.wait_for("Esc cancel");
    ruiz.keys("y");
    demo.until(&case, "restored").await;
    nadia.keys("\u{1b}");
    nadia.wait_for("restored");
    nadia.keys("\u{3}");
    ruiz.keys("\u{3}");
    assert_eq!((nadia.end(), ruiz.end()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consoles_play_the_story() {
    story((120, 40)).await;
}
