//! The queue.

use countersign::api::lists::{Announcement, QueuePage};
use countersign::client::{ClientError, Write};
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use insta::assert_snapshot;
use serde_json::json;

use crate::canned;
use crate::desk::{Desk, usual};

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
    desk.writes = Box::new(move |_| Ok(countersign::client::Written { case: Some(handed.clone()), version: Some(3) }));
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
