//! The tour of the demo, played by its own words in the real program: each step is seen to be done, and the end is a restored case.

use crate::pty::Pty;

fn at_step(pty: &mut Pty, step: usize) {
    pty.shows(&format!("step {step} of 12"));
}

/// Moves down until the selected row is that one.
fn select(pty: &mut Pty, name: &str) {
    let selected = |p: &vt100::Screen| p.contents().lines().any(|l| l.starts_with('▌') && l.contains(name));
    for _ in 0..40 {
        if selected(pty.screen()) {
            return;
        }
        let before = pty.text();
        pty.write("j");
        pty.until("the selection moves", |p| p.contents() != before);
    }
    panic!("{name} was not found:\n{}", pty.text());
}

/// The code in sight: eight digits, four and four.
fn code(screen: &vt100::Screen) -> Option<String> {
    let is_code = |l: &&str| l.len() == 9 && l.as_bytes()[4] == b' ' && l.bytes().filter(u8::is_ascii_digit).count() == 8;
    screen.contents().lines().map(str::trim).find(is_code).map(str::to_owned)
}

#[test]
fn the_tour_leads_from_the_queue_to_restored() {
    let mut pty = Pty::at_home("tour", &["demo"], &[], (80, 24));
    pty.long("the demo's console", |p| p.contents().contains("T begins a tour"));
    pty.write("\u{1b}");
    pty.until("the offer is gone", |p| !p.contents().contains("T begins a tour"));
    pty.write("T");
    at_step(&mut pty, 1);
    pty.write("/");
    pty.write("sorensen\r");
    at_step(&mut pty, 2);
    pty.write("n");
    at_step(&mut pty, 3);
    // The server's news may be here before its answer, which leads to the case.
    pty.shows("Overview");
    // Left in the middle, and taken up where it was.
    pty.write("T");
    pty.shows("The tour waits; T goes on with it.");
    pty.write("T");
    pty.until("the tour again", |p| p.contents().contains("step 3 of 12") && !p.contents().contains("The tour waits"));
    pty.write("p");
    pty.shows("Start a proof");
    pty.write("\u{1b}[B");
    pty.shows("▌send a code to the recorded address e.sorensen-mail");
    pty.write("\r");
    at_step(&mut pty, 4);
    pty.write("gm");
    at_step(&mut pty, 5);
    pty.long("her code, by itself in front", |p| code(p).is_some());
    let code = code(pty.screen()).unwrap();
    pty.write("t");
    pty.shows("The code, as the subject types it");
    pty.write(&code);
    pty.write("\r");
    at_step(&mut pty, 6);
    pty.shows("The page took it");
    pty.write("\u{1b}");
    pty.shows("Checklist 1/1");
    pty.write("s");
    pty.shows("Esc cancel");
    pty.write("y");
    at_step(&mut pty, 7);
    // What the server announces may be here before the answer that the case's own screen waits for.
    pty.shows("Sealed: approval is requested.");
    pty.shows("awaiting approval");
    pty.write("da");
    pty.shows("You can't approve");
    at_step(&mut pty, 8);
    pty.write("gi");
    pty.shows("Work as");
    pty.write("d.ruiz\r");
    at_step(&mut pty, 9);
    pty.write("ga");
    pty.shows("rensen");
    select(&mut pty, "rensen");
    pty.write("da");
    at_step(&mut pty, 10);
    pty.shows("e writes the reason");
    pty.write("e");
    pty.write("called back, it was her");
    pty.shows("it was her");
    // What is announced meanwhile is read first; whoever sends then is told so, and presses it again.
    pty.again_until("Esc cancel", "\u{13}");
    pty.write("y");
    at_step(&mut pty, 12);
    pty.shows("Restored.");
    pty.write("\u{3}");
    assert!(pty.ended().success());
}
