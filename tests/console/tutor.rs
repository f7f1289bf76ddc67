//! The tour: offered, begun, left, taken up again, and never in the way. The whole of it is played in `tests/e2e/tour.rs`.

use countersign::api::lists::QueuePage;
use countersign::console::effect::Ask;
use countersign::console::message::{Message, Reply};
use insta::assert_snapshot;

use crate::desk::{Desk, usual};
use crate::whole;

fn desk((columns, rows): (u16, u16)) -> Desk {
    Desk::new(columns, rows, |c| c.tour = Some("s-1".parse().unwrap()), Box::new(usual), true)
}

#[test]
fn the_tour_looks_right() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = desk(size);
        assert_snapshot!(format!("tour_offered_{}x{}", size.0, size.1), desk.picture());
        desk.press("T");
        assert_snapshot!(format!("tour_first_{}x{}", size.0, size.1), desk.picture());
    }
}

#[test]
fn it_can_be_left_and_taken_up_again() {
    let mut desk = desk((80, 24));
    desk.press("esc");
    assert!(!desk.text().contains("begins a tour"), "{}", desk.text());
    desk.press("T");
    assert!(desk.text().contains("Tour, step 1 of 12"), "{}", desk.text());
    desk.press("/");
    desk.write("sorensen");
    desk.press("enter");
    assert!(desk.text().contains("Tour, step 2 of 12"), "{}", desk.text());
    for leaves in ["esc", "T"] {
        desk.press(leaves);
        assert!(!desk.text().contains("Tour, step"), "{}", desk.text());
        desk.press("T");
        assert!(desk.text().contains("Tour, step 2 of 12"), "{}", desk.text());
    }
}

#[test]
fn whoever_is_not_at_the_case_is_led_to_it() {
    let server = |ask: &Ask| match ask {
        Ask::Case(_) => {
            let mut case = whole::proofing();
            (case.row.proof_done, case.row.proof_needed) = (1, 1);
            Some(Ok(Reply::Case(Box::new(case))))
        }
        Ask::Cases(_) => Some(Ok(Reply::Cases(QueuePage { rows: vec![whole::proofing().row], before: None, after: None }))),
        other => usual(other),
    };
    let mut desk = Desk::new(80, 24, |c| c.tour = Some("s-1".parse().unwrap()), Box::new(server), true);
    desk.press("T");
    desk.tell(Message::Open(whole::proofing().row.id));
    let said = |desk: &Desk| desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said(&desk).contains("Proved. Esc leads back to the case. s, then y"), "{}", desk.text());
    desk.press("esc");
    assert!(said(&desk).contains("Proved. Now to her case: g q, then ⏎. There s, then y"), "{}", desk.text());
}

#[test]
fn it_keeps_to_its_rows_in_every_size() {
    for (columns, rows) in [(60, 12), (60, 19), (60, 20), (200, 60)] {
        let mut desk = desk((columns, rows));
        desk.press("T");
        let text = desk.text();
        assert!(text.contains("The queue: what waits"), "{text}");
        assert!(text.lines().last().unwrap().contains("? help"), "{text}");
    }
}

#[test]
fn without_a_demo_it_says_where_it_is() {
    let mut desk = Desk::usual(80, 24);
    desk.press("T");
    assert!(desk.text().contains("The tour is in the demo"), "{}", desk.text());
}

#[test]
fn whoever_left_the_queue_at_the_first_step_is_led_back_to_it() {
    let mut desk = desk((80, 24));
    desk.press("T");
    assert!(desk.text().contains("The queue: what waits"), "{}", desk.text());
    desk.tell(Message::Open(whole::proofing().row.id));
    assert!(desk.text().contains("The tour begins in the queue, and g q leads there"), "{}", desk.text());
    desk.press("g q");
    assert!(desk.text().contains("The queue: what waits"), "{}", desk.text());
}
