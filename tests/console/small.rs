//! The smallest terminal that is worked in: what is typed, and what is wrong with it, is in sight in every form; messages are said whole.

use countersign::api::case::CaseDetail;
use countersign::api::lists::Me;
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
}
