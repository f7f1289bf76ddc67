//! What waits for a decision, is held, flagged or to be looked back at: each page is the server's, and narrows by what is typed.

use std::sync::{Arc, Mutex};

use countersign::api::lists::QueuePage;
use countersign::api::problem::Problem;
use countersign::client::ClientError;
use countersign::console::effect::{Ask, Timer};
use countersign::console::message::{Message, Reply};
use countersign::console::model::Place;
use serde_json::json;

use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// A supervisor in Approvals, and the filters that were asked for.
fn desk(size: (u16, u16)) -> (Desk, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = move |ask: &Ask| match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(whole::ruiz())))),
        Ask::Cases(params) => {
            let filter = params.filter.clone().unwrap_or_default();
            seen.lock().unwrap().push(filter.clone());
            if filter.contains("bad:") {
                let problem: Problem = serde_json::from_value(json!({"type": "urn:countersign:problem:invalid", "title": "x", "status": 422,
                    "detail": "\"bad\" is not a field.", "request_id": "req-2"}))
                .unwrap();
                return Some(Err(ClientError::Problem(Box::new(problem))));
            }
            let mut rows = canned::rows();
            rows.retain(|row| !filter.contains("okafor") || row.subject_name.raw() == "m.okafor");
            Some(Ok(Reply::Cases(QueuePage { rows, before: None, after: None })))
        }
        other => usual(other),
    };
    let mut desk = Desk::new(size.0, size.1, |_| {}, Box::new(server), true);
    desk.press("g a");
    assert_eq!(desk.model.place(), Place::Approvals);
    (desk, asked)
}

#[test]
fn what_is_typed_narrows_the_page_and_never_runs_as_keys() {
    for size in [(80, 24), (120, 40), (60, 12)] {
        let (mut desk, asked) = desk(size);
        desk.press("j /");
        desk.write("okafor");
        assert!(desk.orders.is_empty() && desk.model.place() == Place::Approvals, "{}", desk.text());
        assert!(desk.text().contains("/ okafor"), "{}", desk.text());
        desk.tell(Message::Timer(Timer::Narrow));
        assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("state:sealed decidable okafor"));
        assert!(desk.text().contains("CS-26-004131") && !desk.text().contains("CS-26-004127"), "{}", desk.text());
        desk.press("enter");
        assert!(desk.text().contains("only okafor") && desk.text().contains("▌CS-26-004131"), "{}", desk.text());
        desk.press("2");
        assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("held okafor"), "it stays from page to page");
        desk.press("backspace");
        assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("held"));
        assert!(desk.text().contains("CS-26-004127") && !desk.text().contains("only okafor"), "{}", desk.text());
    }
}

#[test]
fn leaving_the_typing_shows_all_and_a_word_that_is_no_filter_is_said_where_it_stands() {
    let (mut desk, asked) = desk((80, 24));
    desk.press("/");
    desk.write("risk:");
    desk.tell(Message::Timer(Timer::Narrow));
    assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("state:sealed decidable"), "a field that is only begun is not asked for");
    desk.press("esc");
    assert!(!desk.model.screen(Place::Approvals).typing() && !desk.text().contains("risk:"), "{}", desk.text());
    desk.press("/");
    desk.write("bad:x");
    desk.press("enter");
    let line = desk.text().lines().find(|l| l.contains("bad:x")).unwrap_or_default().to_owned();
    assert!(line.contains("✕ \"bad\" is not a field."), "{}", desk.text());
    desk.press("backspace");
    assert!(desk.text().contains("m.okafor") && !desk.text().contains("bad:x"), "{}", desk.text());
}

#[test]
fn what_is_to_be_looked_back_at_is_what_waits_for_a_review() {
    let (mut desk, asked) = desk((80, 24));
    desk.press("4");
    assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("waiting:review"));
}
