//! The queue.

use countersign::api::lists::{Announcement, QueuePage};
use countersign::client::{ClientError, Write, Written};
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use insta::assert_snapshot;
use serde_json::json;

use crate::canned;
use crate::desk::{Desk, usual};

fn problem(status: u16, code: &str, detail: &str) -> ClientError {
    let problem: countersign::api::problem::Problem = serde_json::from_value(json!({
        "type": format!("urn:countersign:problem:{code}"), "title": code, "status": status, "detail": detail, "request_id": "req-7"
    }))
    .unwrap();
    ClientError::Problem(Box::new(problem))
}

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn snap(name: &str, keys: &str) {
    for (columns, rows) in SIZES {
        let mut desk = Desk::usual(columns, rows);
        desk.press(keys);
        assert_snapshot!(format!("{name}_{columns}x{rows}"), desk.picture());
    }
}

#[test]
fn queue_looks_right() {
    snap("queue", "j");
}

#[test]
fn filter_helps() {
    snap("filter", "/ r i");
}

/// Narrows as the server does: by how words begin.
fn narrowing(ask: &Ask) -> Option<Result<Reply, ClientError>> {
    let Ask::Cases(params) = ask else { return usual(ask) };
    let filter = params.filter.clone().unwrap_or_default();
    if filter.contains("risk:h") && !filter.contains("risk:high") {
        return Some(Err(problem(400, "bad-filter", "risk is low, medium, high.")));
    }
    let mut rows = canned::rows();
    for word in filter.split_whitespace().filter(|w| !w.contains(':') && !["mine", "unassigned", "!ended"].contains(w)) {
        rows.retain(|r| r.subject_name.line().to_lowercase().split(['.', '-', ' ']).any(|w| w.starts_with(word)));
    }
    Some(Ok(Reply::Cases(QueuePage { rows, before: None, after: None })))
}

fn asked(desk: &Desk) -> usize {
    desk.done.iter().filter(|e| matches!(e, Effect::Timer(Timer::Narrow, _))).count()
}

#[test]
fn the_list_narrows_while_a_filter_is_typed() {
    for (columns, rows) in SIZES {
        let mut desk = Desk::usual(columns, rows);
        desk.server = Box::new(narrowing);
        desk.press("/");
        desk.write("oka");
        assert!(desk.text().contains("build-ci-cert"), "not before the typing rests: {}", desk.text());
        assert_eq!(asked(&desk), 3, "each letter begins the rest anew");
        desk.tell(Message::Timer(Timer::Narrow));
        assert!(desk.text().contains("1 found") && !desk.text().contains("build-ci-cert"), "{}", desk.text());
        assert_snapshot!(format!("narrowed_{columns}x{rows}"), desk.picture());
        // What is there already is not asked for again.
        desk.server = Box::new(|ask| if matches!(ask, Ask::Cases(_)) { None } else { usual(ask) });
        desk.press("enter");
        assert!(desk.text().contains("▌CS-26-004131") && !desk.text().contains("Enter filters"), "{}", desk.text());
        assert!(desk.text().contains("mine unassigned !ended oka"), "{}", desk.text());
        desk.server = Box::new(narrowing);
        desk.press("u");
        assert!(desk.text().contains("build-ci-cert"), "undo shows what was there: {}", desk.text());
    }
}

#[test]
fn where_no_case_begins_so_rows_at_hand_that_come_near_are_offered_as_that() {
    for (columns, rows) in SIZES {
        let mut desk = Desk::usual(columns, rows);
        desk.server = Box::new(narrowing);
        desk.press("/");
        desk.write("okfr");
        desk.tell(Message::Timer(Timer::Narrow));
        assert!(desk.text().contains("none; 1 at hand come near") && desk.text().contains("m.okafor"), "{}", desk.text());
        assert_snapshot!(format!("near_{columns}x{rows}"), desk.picture());
        desk.press("enter");
        assert!(
            desk.text().contains("▌CS-26-004131") && desk.text().contains("build-ci-cert"),
            "the list stays, the row is selected: {}",
            desk.text()
        );
        desk.press("/");
        desk.write("zzzz");
        desk.tell(Message::Timer(Timer::Narrow));
        assert!(desk.text().contains("0 found") && desk.text().contains("No case begins with these words."), "{}", desk.text());
        desk.press("esc");
        assert!(desk.text().contains("▌CS-26-004131") && desk.text().contains("build-ci-cert"), "{}", desk.text());
    }
}

#[test]
fn one_question_at_a_time_is_asked_about_a_filter_and_an_answer_to_what_was_typed_before_is_dropped() {
    let mut desk = Desk::usual(80, 24);
    desk.server = Box::new(|ask| if matches!(ask, Ask::Cases(_)) { None } else { usual(ask) });
    let questions = |desk: &Desk| -> Vec<(u64, Option<String>)> {
        let asks =
            desk.done.iter().filter_map(|e| if let Effect::Ask { seq, ask: Ask::Cases(p), .. } = e { Some((*seq, p.filter.clone())) } else { None });
        asks.collect()
    };
    desk.press("/ b");
    desk.tell(Message::Timer(Timer::Narrow));
    desk.press("u");
    desk.tell(Message::Timer(Timer::Narrow));
    let first = questions(&desk);
    assert_eq!(first.len(), 1, "{first:?}");
    let empty = Ok(Reply::Cases(QueuePage::default()));
    desk.tell(Message::Answer { seq: first[0].0, to: Place::Queue, reply: empty });
    assert!(desk.text().contains("m.okafor"), "the answer to b is not shown under bu: {}", desk.text());
    let second = questions(&desk);
    assert_eq!(second.last().and_then(|q| q.1.as_deref()), Some("mine unassigned !ended bu"));
    desk.press("esc");
    let late = Ok(Reply::Cases(QueuePage::default()));
    desk.tell(Message::Answer { seq: second[1].0, to: Place::Queue, reply: late });
    assert!(desk.text().contains("m.okafor"), "left: no answer matters any more: {}", desk.text());
}

#[test]
fn a_field_that_is_half_typed_is_no_mistake_and_a_wrong_one_leaves_the_list_as_it_was() {
    let mut desk = Desk::usual(80, 24);
    desk.server = Box::new(narrowing);
    desk.press("/");
    desk.write("risk:");
    desk.tell(Message::Timer(Timer::Narrow));
    assert!(desk.text().contains("m.okafor") && !desk.text().contains("risk is low"), "{}", desk.text());
    desk.write("h");
    desk.tell(Message::Timer(Timer::Narrow));
    assert!(desk.text().contains("m.okafor") && desk.text().contains("risk is low, medium, high."), "{}", desk.text());
    desk.press("enter");
    assert!(desk.text().contains("Enter filters") && desk.text().contains("risk is low, medium, high."), "{}", desk.text());
    desk.press("esc");
    assert!(desk.text().contains("m.okafor") && desk.text().contains("mine unassigned !ended ─ by deadline"), "{}", desk.text());
}

#[test]
fn palette_lists_what_applies() {
    snap("palette", ":");
}

#[test]
fn help_lists_keys() {
    snap("help", "?");
}

#[test]
fn wide_queue_shows_the_case_beside_it() {
    let mut desk = Desk::usual(160, 40);
    desk.press("j");
    desk.tell(Message::Timer(Timer::Preview));
    assert_snapshot!("queue_160x40", desk.picture());
}

#[test]
fn states_of_the_list_are_told_apart() {
    let silent = Desk::new(80, 24, |_| {}, Box::new(|_| None), true);
    assert!(silent.text().contains("Asking the server"), "{}", silent.text());
    let empty = |ask: &Ask| if matches!(ask, Ask::Cases(_)) { Some(Ok(Reply::Cases(QueuePage::default()))) } else { usual(ask) };
    assert!(Desk::new(80, 24, |_| {}, Box::new(empty), true).text().contains("No case here."));
    let gone = |_: &Ask| Some(Err(ClientError::Unreachable { server: "http://x".into(), why: "no connection".into() }));
    let desk = Desk::new(80, 24, |_| {}, Box::new(gone), true);
    assert!(desk.text().contains("can't be reached") && desk.text().contains("Ctrl-r tries again"), "{}", desk.text());
    let small = Desk::usual(40, 10);
    assert!(small.text().contains("Too small: 60x12 needed, not 40x10"));
    assert!(Desk::usual(20, 5).text().contains("Too small: 60x12"));
}

#[test]
fn selection_follows_the_case_through_refreshes() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j j");
    assert!(desk.text().contains("▌CS-26-004131"), "{}", desk.text());
    let turned = |ask: &Ask| match ask {
        Ask::Cases(_) => {
            let mut rows = canned::rows();
            rows.reverse();
            Some(Ok(Reply::Cases(QueuePage { rows, before: None, after: None })))
        }
        _ => usual(ask),
    };
    desk.server = Box::new(turned);
    desk.tell(Message::Timer(Timer::Refresh));
    assert!(desk.text().contains("▌CS-26-004131"), "{}", desk.text());
}

#[test]
fn news_about_a_row_in_sight_show_at_once_and_others_draw_nothing() {
    let mut desk = Desk::usual(80, 24);
    let changed = canned::row(4131, "m.okafor", 65, &json!({"version": 4, "waiting_on": "approval", "approvals_missing": 1}));
    desk.tell(Message::Live(Live::News(Announcement::Case { row: Box::new(changed) })));
    assert!(desk.text().contains("1 approval"), "{}", desk.text());
    let drawn = desk.drawn;
    let far = canned::row(9999, "elsewhere", 65, &json!({}));
    desk.tell(Message::Live(Live::News(Announcement::Case { row: Box::new(far) })));
    assert_eq!(desk.drawn, drawn);
    let timers = desk.done.iter().filter(|e| matches!(e, Effect::Timer(Timer::Refresh, _))).count();
    assert_eq!(timers, 1, "news that come often are asked about once");
}

#[test]
fn take_next_opens_what_was_handed_out_and_assign_names_the_version() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j j a");
    let order = &desk.orders[0];
    assert_eq!((order.case.map(|c| c.to_string()).as_deref(), order.version), (Some("CS-26-004131"), Some(3)));
    assert!(matches!(&order.write, Write::Assign(a) if a.operator.as_ref().is_some_and(|o| o.as_str() == "nadia")));
    let handed = Box::new(canned::case());
    let id = handed.row.id;
    desk.writes = Box::new(move |_| Ok(Written { case: Some(handed.clone()), version: Some(3), ..Written::default() }));
    desk.press("n");
    assert_eq!(desk.model.place(), Place::Case(id));
    assert_ne!(desk.orders[0].key, desk.orders[1].key);
}

#[test]
fn reading_only_refuses_writes_with_the_reason() {
    let mut desk = Desk::new(80, 24, |c| c.read_only = true, Box::new(usual), true);
    desk.press("n");
    assert!(desk.orders.is_empty() && desk.text().contains("read only"), "{}", desk.text());
}

#[test]
fn a_million_cases_take_no_more_than_a_window() {
    fn page(from: usize) -> QueuePage {
        let rows = (from..(from + 100).min(1_000_000)).map(|n| canned::row(u32::try_from(n).unwrap(), "s", 60, &json!({}))).collect();
        QueuePage { rows, before: (from > 0).then(|| from.to_string()), after: (from + 100 < 1_000_000).then(|| (from + 100).to_string()) }
    }
    let server = |ask: &Ask| match ask {
        Ask::Cases(p) => Some(Ok(Reply::Cases(match (&p.after, &p.before) {
            (Some(a), _) => page(a.parse().unwrap()),
            (_, Some(b)) if b == "end" => page(999_900),
            (_, Some(b)) => page(b.parse::<usize>().unwrap() - 100),
            _ => page(0),
        }))),
        _ => usual(ask),
    };
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(server), true);
    for _ in 0..200 {
        desk.press("ctrl-d");
    }
    assert!(desk.text().contains("▌CS-26-002000"), "{}", desk.text());
    desk.press("G");
    assert!(desk.text().contains("▌CS-26-999999"), "{}", desk.text());
    for _ in 0..100 {
        desk.press("pgup");
    }
    assert!(desk.text().contains("▌CS-26-998999"), "{}", desk.text());
    desk.press("g g");
    assert!(desk.text().contains("▌CS-26-000000"), "{}", desk.text());
}

#[test]
fn a_page_that_comes_while_a_filter_is_typed_leaves_the_typing_alone() {
    let mut desk = Desk::usual(80, 24);
    desk.press("/ m i");
    desk.tell(Message::Timer(Timer::Refresh));
    desk.press("n e");
    assert!(desk.text().contains("mine"), "{}", desk.text());
    assert!(desk.orders.is_empty(), "n takes no case");
    desk.press("enter");
    assert!(!desk.text().contains("Enter filters"), "{}", desk.text());
}

#[test]
fn a_chord_of_another_place_does_nothing_by_its_second_key() {
    for (keys, chord) in [("d a", "d a"), ("x n", "x n"), ("x l", "x l")] {
        let mut desk = Desk::new(120, 40, |_| {}, Box::new(usual), true);
        desk.press(keys);
        assert!(desk.orders.is_empty() && desk.model.overlay.is_none() && desk.model.place() == Place::Queue, "{keys}: {:?}", desk.orders);
        assert!(desk.text().contains(&format!("{chord} means nothing here")), "{}", desk.text());
    }
    // Its first key alone means something in a case.
    let mut desk = Desk::new(120, 40, |_| {}, Box::new(usual), true);
    desk.press("g l s u");
    assert!(desk.text().contains("s u means nothing here"), "{}", desk.text());
    let mut desk = Desk::new(120, 40, |_| {}, Box::new(usual), true);
    desk.press("/");
    desk.write("dax");
    assert!(desk.text().contains("dax"), "what is typed is no chord: {}", desk.text());
}
