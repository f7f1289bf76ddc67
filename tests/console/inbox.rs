//! What waits for a decision, is held, flagged or to be looked back at: each page is the server's, and narrows by what is typed.

use std::sync::{Arc, Mutex};

use countersign::api::lists::QueuePage;
use countersign::api::problem::Problem;
use countersign::api::words::Decision;
use countersign::client::ClientError;
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Message, Reply};
use countersign::console::model::Place;
use countersign::console::widget::runs::shown;
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

/// Answers the last question for cases, which was answered by nobody yet.
fn answer(desk: &mut Desk, reply: Result<Reply, ClientError>) {
    let asked = desk.done.iter().rev().find_map(|e| if let Effect::Ask { seq, to, ask: Ask::Cases(_) } = e { Some((*seq, *to)) } else { None });
    let (seq, to) = asked.unwrap();
    desk.tell(Message::Answer { seq, to, reply });
}

#[test]
fn keys_pressed_before_the_narrowed_list_is_there_act_on_what_is_found_in_it() {
    let silent = |ask: &Ask| if matches!(ask, Ask::Cases(_)) { None } else { usual(ask) };
    let all = || QueuePage { rows: canned::rows(), before: None, after: None };
    let found = || {
        let mut page = all();
        page.rows.retain(|row| row.subject_name.raw() == "m.okafor");
        page
    };
    let (first, okafor) = (all().rows[0].id, found().rows[0].id);
    assert_ne!(first, okafor);
    let begun = |keys: &str| {
        let (mut desk, _) = desk((80, 24));
        desk.server = Box::new(silent);
        desk.press("/");
        desk.write("okafor");
        desk.press(keys);
        assert!(desk.model.place() == Place::Approvals && desk.text().contains("for it; Esc forgets"), "{}", desk.text());
        desk
    };
    for (keys, place) in [("enter d a", Place::Approve(okafor, Decision::Approve)), ("enter d d", Place::Approve(okafor, Decision::Deny))] {
        let mut desk = begun(keys);
        answer(&mut desk, Ok(Reply::Cases(found())));
        assert_eq!(desk.model.place(), place, "{keys}");
    }
}

#[test]
fn a_page_is_never_narrowed_to_what_it_is_not() {
    for (page, words, own) in [("2", "!held", "held"), ("3", "ended okafor", "flagged !ended"), ("4", "waiting:subject", "waiting:review")] {
        let (mut desk, asked) = desk((120, 40));
        desk.press(page);
        desk.press("/");
        desk.write(words);
        desk.tell(Message::Timer(Timer::Narrow));
        desk.press("enter");
        assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some(own), "it is not asked for");
        let line = desk.text().lines().find(|l| l.contains(" only ")).unwrap_or_default().to_owned();
        assert!(line.contains(&format!("✕ This page lists \"{own}\" only; the queue's filter finds others.")), "{}", desk.text());
        desk.press("backspace");
        assert!(desk.text().contains("CS-26-004127") && !desk.text().contains("✕ This page"), "{}", desk.text());
    }
    let (mut desk, asked) = desk((80, 24));
    desk.press("2 /");
    desk.write("held flagged");
    desk.press("enter");
    assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("held held flagged"), "what the page is may be said, and more");
    let held = desk.text().matches("‖ held").count();
    assert_eq!(held, canned::rows().iter().filter(|row| row.held).count(), "only what is held is drawn so: {}", desk.text());
}

#[test]
fn every_page_counts_from_what_brought_the_case_there_and_not_from_its_last_change() {
    let (mut desk, _) = desk((120, 40));
    for (page, case, since, aloud) in [
        ("1", "CS-26-004127", "1:15", "waiting since 1:15"),
        ("2", "CS-26-004140", "2:10", "held since 2:10"),
        ("3", "CS-26-004127", "1:20", "flagged since 1:20"),
    ] {
        desk.press(page);
        let row = desk.text().lines().find(|l| l.contains(case)).unwrap().to_owned();
        assert!(row.contains(&format!(" {since} ")), "{row}");
        let lines = desk.model.screen(Place::Approvals).lines(&desk.model.shared, Place::Approvals);
        assert!(lines.iter().any(|l| l.contains(case) && shown(l).contains(aloud)), "{lines:#?}");
    }
}
