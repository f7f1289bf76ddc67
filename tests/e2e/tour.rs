//! The tour of the demo, played by its own words in the real program: each step is seen to be done, and the end is a restored case.

use crate::pty::Pty;

fn at_step(pty: &mut Pty, step: usize) {
    pty.wait_for(&format!("step {step} of 12"));
}

/// Moves down until the selected row is that one.
fn select(pty: &mut Pty, name: &str) {
    let selected = |p: &Pty| p.text().lines().any(|l| l.starts_with('▌') && l.contains(name));
    for _ in 0..40 {
        if selected(pty) {
            return;
        }
        let before = pty.text();
        pty.keys("j");
        pty.wait_until("the selection moves", |p| p.text() != before);
    }
    panic!("{name} was not found:\n{}", pty.text());
}

#[test]
fn the_tour_leads_from_the_queue_to_restored() {
    let mut pty = Pty::start("tour", &["demo"], "", (80, 24));
    pty.wait_long("the demo's console", |p| p.text().contains("T begins a tour"));
    pty.keys("\u{1b}");
    pty.wait_until("the offer is gone", |p| !p.text().contains("T begins a tour"));
    pty.keys("T");
    at_step(&mut pty, 1);
    pty.keys("/");
    pty.keys("sorensen\r");
    at_step(&mut pty, 2);
    pty.keys("n");
    at_step(&mut pty, 3);
    // The server's news may be here before its answer, which leads to the case.
    pty.wait_for("Overview");
    // Left in the middle, and taken up where it was.
    pty.keys("T");
    pty.wait_for("The tour waits; T goes on with it.");
    pty.keys("T");
    pty.wait_until("the tour again", |p| p.text().contains("step 3 of 12") && !p.text().contains("The tour waits"));
    pty.keys("p");
    pty.wait_for("Start a proof");
    pty.keys("\u{1b}[B\u{1b}[B");
    pty.wait_for("▌send a code to the recorded address e.sorensen-mail");
    pty.keys("\r");
    at_step(&mut pty, 4);
    pty.keys("gm");
    at_step(&mut pty, 5);
    let code = |p: &Pty| {
        let is_code = |l: &&str| l.len() == 9 && l.as_bytes()[4] == b' ' && l.bytes().filter(u8::is_ascii_digit).count() == 8;
        p.text().lines().map(str::trim).find(is_code).map(str::to_owned)
    };
    pty.wait_long("her code, by itself in front", |p| code(p).is_some());
    let code = code(&pty).unwrap();
    pty.keys("t");
    pty.wait_for("The code, as the subject types it");
    pty.keys(&code);
    pty.keys("\r");
    at_step(&mut pty, 6);
    pty.wait_for("The page took the code");
    pty.keys("\u{1b}");
    pty.wait_for("Checklist 1/1");
    pty.keys("s");
    pty.wait_for("Esc cancel");
    pty.keys("y");
    at_step(&mut pty, 7);
    // What the server announces may be here before the answer that the case's own screen waits for.
    pty.wait_for("Sealed: approval is requested.");
    pty.wait_for("awaiting approval");
    pty.keys("da");
    pty.wait_for("You can't approve");
    at_step(&mut pty, 8);
    pty.keys("gi");
    pty.wait_for("Work as");
    pty.keys("d.ruiz\r");
    at_step(&mut pty, 9);
    pty.keys("ga");
    pty.wait_for("rensen");
    select(&mut pty, "rensen");
    pty.keys("da");
    at_step(&mut pty, 10);
    pty.wait_for("e writes the reason");
    pty.keys("e");
    pty.keys("called back, it was her");
    pty.wait_for("it was her");
    pty.keys("\u{13}");
    pty.wait_for("Esc cancel");
    pty.keys("y");
    at_step(&mut pty, 12);
    pty.wait_for("Restored.");
    pty.keys("\u{3}");
    assert_eq!(pty.end(), 0);
}
