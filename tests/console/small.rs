//! The smallest terminal that is worked in: what is typed, and what is wrong with it, is in sight in every form; messages are said whole.

use countersign::api::case::CaseDetail;
use countersign::api::lists::Me;
use countersign::api::words::EvidenceKind;
use countersign::client::{ClientError, Write};
use countersign::console::message::Message;

use crate::cases::{desk, keys};
use crate::desk::Desk;
use crate::{canned, whole};

const LEAST: (u16, u16) = (60, 12);

/// Types a word into the form that the keys open, and sends it without one: both the word and the mistake must be seen.
fn form(me: &Me, case: &CaseDetail, opens: &str) {
    let mut desk = keys(LEAST, me, case, opens);
    desk.press("ctrl-s");
    assert!(desk.text().contains('✕'), "{opens}: what is wrong:\n{}", desk.text());
    typed(&mut desk, opens);
}

fn typed(desk: &mut Desk, opens: &str) {
    desk.write("quince");
    assert!(desk.text().contains("quince"), "{opens}: what is typed:\n{}", desk.text());
}

#[test]
fn every_form_shows_a_line_that_is_typed_and_what_is_wrong_with_it() {
    for opens in ["t", "e", "c", "o", "x n", "x w", "x h", "x o", "x v"] {
        form(&canned::nadia(), &whole::proofing(), opens);
        form(&canned::nadia(), &whole::routed_by_me(), opens);
    }
    form(&whole::ruiz(), &whole::held(), "x l");
    let mut deciding = keys(LEAST, &whole::ruiz(), &whole::sealed(), "d a e");
    deciding.press("ctrl-s");
    assert!(deciding.text().contains("A decision needs a reason."), "{}", deciding.text());
    typed(&mut deciding, "d a e");
    assert!(deciding.text().contains("Reason (required"), "{}", deciding.text());
    let mut ending = Desk::usual(LEAST.0, LEAST.1);
    ending.press("g r j j x g");
    ending.press("ctrl-s");
    assert!(ending.text().contains("✕ This must say something."), "{}", ending.text());
    typed(&mut ending, "g r x g");
    let mut routing = desk(LEAST, &canned::nadia(), &whole::sealed());
    routing.press("N");
    typed(&mut routing, "N");
}

#[test]
fn whoever_leaves_a_search_unchosen_begins_it_anew() {
    let mut desk = desk((80, 24), &canned::nadia(), &whole::sealed());
    desk.press("N");
    desk.write("fontaine");
    desk.press("esc N");
    desk.write("okafor");
    assert!(!desk.text().contains("fontaine") && desk.text().contains("okafor"), "{}", desk.text());
}

#[test]
fn a_message_is_said_whole_or_shows_where_the_rest_is() {
    let mut desk = Desk::usual(80, 24);
    desk.tell(Message::Trouble("CS-26-000059: No answer: it is not known whether this was commented on. Look before you do it again.".into()));
    let said = desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("Look before you do it again."), "{said}");
    desk.tell(Message::Trouble("filler ".repeat(80)));
    let text = desk.text();
    assert!(text.lines().last().unwrap().contains("…  (! all messages)"), "{text}");
    desk.press("j");
    assert!(!desk.text().contains("filler"), "{}", desk.text());
    // Over a question there is one line: what finds no room is not lost, however it is meant.
    desk.press(":");
    desk.tell(Message::Live(countersign::console::message::Live::Down { why: ClientError::Configuration("lost ".repeat(30)), again_in: 1 }));
    desk.tell(Message::Live(countersign::console::message::Live::Up));
    desk.model.shared.say(countersign::console::model::Tone::Info, "padding ".repeat(30));
    desk.tell(Message::Resize(80, 24));
    assert!(desk.text().lines().last().unwrap().contains("…  (! all messages)"), "{}", desk.text());
}

#[test]
fn a_terminal_that_is_too_small_says_what_is_needed_in_whatever_room_there_is() {
    for (columns, rows) in [(59, 24), (30, 24), (30, 1), (24, 2), (16, 5), (12, 2), (10, 4), (10, 1), (5, 3)] {
        let text = Desk::usual(columns, rows).text();
        let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("60x12") && !said.contains('…'), "{columns}x{rows}: {text}");
        let whole = ["Too small: 60x12 needed, not ", "Too small: 60x12", "Need 60x12", "60x12"];
        let whole = [format!("{}{columns}x{rows}", whole[0])].into_iter().chain(whole[1..].iter().map(|w| (*w).to_owned()));
        assert!(whole.into_iter().any(|w| w == said), "{columns}x{rows}, nothing is cut: {text}");
    }
}

#[test]
fn evidence_begins_with_its_text_and_no_letter_changes_its_kind() {
    for size in [LEAST, (80, 24)] {
        let mut desk = keys(size, &canned::nadia(), &whole::proofing(), "e");
        desk.write("log shows l and h and spaces");
        desk.press("ctrl-s");
        let Some(Write::Evidence(evidence)) = desk.orders.pop().map(|o| o.write) else { panic!("{}", desk.text()) };
        assert_eq!((evidence.text.raw(), evidence.kind), ("log shows l and h and spaces", EvidenceKind::ALL[0]));
    }
}
