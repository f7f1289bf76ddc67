//! Temporary access: what is seen of it, when it is drawn again, and how one is ended.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use countersign::api::lists::{GrantPage, GrantRow};
use countersign::api::problem::Problem;
use countersign::client::{ClientError, Write};
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Message, Reply};
use countersign::console::model::Place;
use countersign::console::{update, view};
use crossterm::event::{KeyCode, KeyEvent};
use insta::assert_snapshot;
use ratatui::backend::CrosstermBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};
use serde_json::json;

use crate::canned;
use crate::desk::{Desk, usual};

/// A desk at which these grants are listed.
fn with(size: (u16, u16), rows: Vec<GrantRow>) -> Desk {
    let mut desk = Desk::usual(size.0, size.1);
    desk.server = Box::new(move |ask| match ask {
        Ask::Grants(_) => Some(Ok(Reply::Grants(GrantPage { rows: rows.clone(), after: None }))),
        other => usual(other),
    });
    desk.press("g r");
    assert_eq!(desk.model.place(), Place::Grants);
    desk
}

fn problem(status: u16, code: &str, detail: &str) -> ClientError {
    let problem: Problem = serde_json::from_value(json!({
        "type": format!("urn:countersign:problem:{code}"), "title": code, "status": status, "detail": detail, "request_id": "req-7"
    }))
    .unwrap();
    ClientError::Problem(Box::new(problem))
}

/// So many seconds pass, and the console wakes up.
fn passes(desk: &mut Desk, seconds: i64) {
    desk.done.clear();
    desk.model.shared.now += TimeDelta::seconds(seconds);
    desk.tell(Message::Timer(Timer::Clock));
}

/// How long until the console wakes up by itself, as it asked last.
fn wakes(desk: &Desk) -> Option<u128> {
    desk.done.iter().rev().find_map(|e| if let Effect::Timer(Timer::Clock, after) = e { Some(after.as_millis()) } else { None })
}

#[test]
fn what_lives_is_seen_with_its_end_and_its_case() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = with(size, canned::grants());
        assert!(desk.text().contains("Grants 3"), "{}", desk.text());
        assert_snapshot!(format!("grants_{}x{}", size.0, size.1), desk.picture());
        desk.press("j j");
        assert!(desk.text().contains("in 9m00s"), "{}", desk.text());
        desk.press("enter");
        assert_eq!(desk.model.place(), Place::Case("CS-26-004101".parse().unwrap()));
        desk.press("esc");
        assert!(desk.text().contains("▌CS-26-004101"), "the selection is where it was: {}", desk.text());
    }
}

#[test]
fn nothing_there_still_asking_and_not_answered_are_told_apart() {
    let desk = with((80, 24), Vec::new());
    assert!(desk.text().contains("No temporary access lives."), "{}", desk.text());
    assert_snapshot!("grants_none_80x24", desk.picture());
    let mut desk = Desk::usual(80, 24);
    desk.server = Box::new(|ask| if matches!(ask, Ask::Grants(_)) { None } else { usual(ask) });
    desk.press("g r");
    assert!(desk.text().contains("Asking the server …"), "{}", desk.text());
    desk.server =
        Box::new(|ask| if matches!(ask, Ask::Grants(_)) { Some(Err(problem(503, "failed", "The server can't answer now."))) } else { usual(ask) });
    desk.press("ctrl-r");
    assert!(desk.text().contains("✕ The server can't answer now. Ctrl-r tries again."), "{}", desk.text());
    desk.server = Box::new(usual);
    desk.press("ctrl-r");
    assert!(desk.text().contains("CS-26-004090"), "{}", desk.text());
}

#[test]
fn the_second_page_holds_what_has_ended() {
    let mut desk = Desk::usual(120, 40);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    desk.server = Box::new(move |ask| {
        let Ask::Grants(params) = ask else { return usual(ask) };
        seen.lock().unwrap().push(params.state.clone());
        let ended = json!({"state": "ended", "ending_why": "expired", "revoked_at": canned::now(), "refused": "This access is gone already."});
        let rows = if params.state.is_some() { vec![canned::grant(4001, "m.okafor", -5, &ended)] } else { canned::grants() };
        Some(Ok(Reply::Grants(GrantPage { rows, after: None })))
    });
    desk.press("g r 2");
    assert_eq!(*asked.lock().unwrap(), [None, Some("all".to_owned())]);
    assert!(desk.text().contains("✓ ended") && desk.text().contains("its time ran out"), "{}", desk.text());
    desk.press("x g");
    assert!(desk.text().contains("gone already") && !desk.model.screen(Place::Grants).typing(), "{}", desk.text());
    desk.press("tab");
    assert!(desk.text().contains("CS-26-004090"), "{}", desk.text());
}

#[test]
fn a_countdown_in_sight_changes_its_cells_alone_and_wakes_nobody_when_it_is_out_of_sight() {
    #[derive(Clone, Default)]
    struct Wire(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut desk = with((120, 40), canned::grants());
    assert!(wakes(&desk).is_some_and(|after| after <= 1_001), "{:?}", wakes(&desk));
    let (wire, area) = (Wire::default(), ratatui::layout::Rect::new(0, 0, 120, 40));
    let mut terminal = Terminal::with_options(CrosstermBackend::new(wire.clone()), TerminalOptions { viewport: Viewport::Fixed(area) }).unwrap();
    terminal.draw(|f| view::draw(f, &desk.model)).unwrap();
    let before = desk.text();
    for second in 1..4 {
        wire.0.lock().unwrap().clear();
        desk.model.shared.now = canned::now() + TimeDelta::seconds(second);
        desk.tell(Message::Timer(Timer::Clock));
        terminal.draw(|f| view::draw(f, &desk.model)).unwrap();
        let bytes = wire.0.lock().unwrap().len();
        assert!(bytes <= 300, "{bytes} bytes");
    }
    let changed: Vec<String> = before.lines().zip(desk.text().lines()).filter(|(a, b)| a != b).map(|(_, b)| b.to_owned()).collect();
    assert!(changed.iter().any(|l| l.contains("8m57s")) && changed.len() <= 4, "{changed:#?}");

    // The only one that ends soon is below what is in sight: the next change is minutes away.
    let far = |n| canned::grant(n, "far away", 300, &json!({}));
    let rows: Vec<GrantRow> = (1..40).map(far).chain([canned::grant(99, "soon", 5, &json!({}))]).collect();
    let mut desk = with((80, 24), rows);
    passes(&mut desk, 10);
    assert!(wakes(&desk).is_some_and(|after| after > 40_000), "{:?}", wakes(&desk));
    desk.press("G");
    assert!(wakes(&desk).is_some_and(|after| after <= 1_001), "in sight: {:?}", wakes(&desk));
    let ended = json!({"state": "ended", "revoked_at": canned::now(), "refused": "gone"});
    let mut desk = Desk::usual(80, 24);
    desk.server = Box::new(move |ask| match ask {
        Ask::Grants(_) => Some(Ok(Reply::Grants(GrantPage { rows: vec![canned::grant(1, "over", -5, &ended)], after: None }))),
        other => usual(other),
    });
    desk.press("g r");
    passes(&mut desk, 10);
    assert_eq!(wakes(&desk), None, "nothing counts down");
}

#[test]
fn ending_one_takes_a_reason_and_a_key_of_its_own() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = with(size, canned::grants());
        desk.press("x g");
        assert!(desk.text().contains("This access is ending already."), "{}", desk.text());
        desk.press("j j x g");
        assert!(desk.model.screen(Place::Grants).typing());
        desk.press("ctrl-s");
        assert!(desk.text().contains("✕ This must say something."), "{}", desk.text());
        desk.write("handed back by phone");
        assert_snapshot!(format!("grants_form_{}x{}", size.0, size.1), desk.picture());
        desk.press("ctrl-s");
        assert_snapshot!(format!("grants_confirm_{}x{}", size.0, size.1), desk.picture());
        desk.press("enter g x");
        assert!(desk.orders.is_empty(), "only its own key confirms");
        desk.press("y");
        let order = desk.orders.last().unwrap();
        assert_eq!((order.case, order.version), (Some("CS-26-004101".parse().unwrap()), Some(9)));
        assert!(matches!(&order.write, Write::RevokeGrant(grant, text) if grant.as_str() == "grt-4101" && text.text.raw() == "handed back by phone"));
        assert!(desk.text().contains("The access is being ended.") && !desk.model.screen(Place::Grants).typing(), "{}", desk.text());
        assert!(desk.model.shared.drafts.is_empty());
    }
}

#[test]
fn what_the_server_refuses_is_said_and_the_reason_is_kept() {
    let mut desk = with((80, 24), canned::grants());
    desk.press("G x g");
    assert!(desk.text().contains("needs the role support agent"), "{}", desk.text());
    desk.press("k k x g");
    desk.write("no longer needed");
    desk.writes = Box::new(|_| Err(problem(412, "stale", "The case changed.")));
    desk.press("ctrl-s y");
    assert!(desk.text().contains("The case changed meanwhile and nothing was sent."), "{}", desk.text());
    desk.press("x g");
    assert!(desk.text().contains("no longer needed"), "{}", desk.text());
    desk.press("esc");
    assert!(!desk.model.screen(Place::Grants).typing());
}

#[test]
fn an_answer_to_one_ended_access_leaves_the_form_of_another_alone() {
    for ended in [true, false] {
        let rows = (1..4).map(|n| canned::grant(4100 + n, "t.one", 30, &json!({}))).collect();
        let mut desk = with((80, 24), rows);
        desk.model.shared.keep_draft("case-CS-26-004101-revoke", "begun on the page of the case");
        desk.press("x g");
        desk.write("first");
        desk.press("ctrl-s");
        let effects = update::update(&mut desk.model, Message::Key(KeyEvent::from(KeyCode::Char('y'))));
        let sent = effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None });
        let (seq, to) = sent.unwrap();
        desk.press("esc j x g");
        desk.write("second");
        let reply = if ended { Ok(Reply::Written(Box::default())) } else { Err(problem(409, "conflict", "It is ending already.")) };
        desk.tell(Message::Answer { seq, to, reply });
        assert!(desk.model.screen(Place::Grants).typing() && desk.text().contains("second"), "{}", desk.text());
        let drafts: Vec<&str> = desk.model.shared.drafts.values().map(String::as_str).collect();
        assert_eq!(drafts.contains(&"first"), !ended, "{drafts:?}");
        assert!(drafts.contains(&"second") && drafts.contains(&"begun on the page of the case"), "{drafts:?}");
    }
}

/// A desk with so many grants, listed page by page; `first` is the number of the first one.
fn many(size: (u16, u16), first: Arc<Mutex<u32>>, last: u32) -> Desk {
    let mut desk = Desk::usual(size.0, size.1);
    desk.server = Box::new(move |ask| match ask {
        Ask::Grants(params) => {
            let from = params.after.as_ref().map_or(*first.lock().unwrap(), |after| after.parse().unwrap());
            let end = (from + 100).min(last);
            let rows = (from..end).map(|n| canned::grant(n, &format!("t.{n}"), 30, &json!({}))).collect();
            Some(Ok(Reply::Grants(GrantPage { rows, after: (end < last).then(|| end.to_string()) })))
        }
        other => usual(other),
    });
    desk.press("g r");
    desk
}

#[test]
fn beyond_the_first_page_the_selection_stays_and_what_is_ended_is_what_is_selected() {
    for size in [(80, 24), (120, 40)] {
        let first = Arc::new(Mutex::new(4000));
        let mut desk = many(size, Arc::clone(&first), 4350);
        desk.press("G");
        assert!(desk.text().contains("▌CS-26-004349"), "the end is the last one, not the last of the first page: {}", desk.text());
        desk.press("g g");
        for _ in 0..150 {
            desk.press("j");
        }
        assert!(desk.text().contains("▌CS-26-004150"), "{}", desk.text());
        let before = desk.text();
        desk.tell(Message::Timer(Timer::Refresh));
        assert_eq!(desk.text(), before, "nothing moves when it is read anew");
        *first.lock().unwrap() = 3900;
        desk.tell(Message::Timer(Timer::Refresh));
        assert!(desk.text().contains("▌CS-26-004150"), "it is followed though a hundred came before it: {}", desk.text());
        assert_snapshot!(format!("grants_second_page_{}x{}", size.0, size.1), desk.picture());
        desk.press("x g");
        desk.write("no longer needed");
        desk.press("ctrl-s y");
        assert_eq!(desk.orders.last().and_then(|o| o.case).map(|c| c.to_string()).as_deref(), Some("CS-26-004150"));
        assert!(desk.text().contains("▌CS-26-004150"), "{}", desk.text());
        desk.press("enter esc");
        assert!(desk.text().contains("▌CS-26-004150"), "{}", desk.text());
    }
}

#[test]
fn more_than_can_be_held_is_said() {
    let mut desk = many((80, 24), Arc::new(Mutex::new(4000)), 9000);
    desk.press("G");
    let text = desk.text();
    assert!(text.contains("▌CS-26-004999") && text.contains("The first 1000 are listed; `countersign grants --after` goes on."), "{text}");
}

#[test]
fn an_answer_leaves_the_form_of_the_same_access_alone_that_was_opened_anew() {
    let mut desk = with((80, 24), vec![canned::grant(4101, "t.one", 30, &json!({}))]);
    desk.press("x g");
    desk.write("first");
    desk.press("ctrl-s");
    let effects = update::update(&mut desk.model, Message::Key(KeyEvent::from(KeyCode::Char('y'))));
    let (seq, to) = effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None }).unwrap();
    desk.press("esc x g");
    desk.write(" thought");
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.model.screen(Place::Grants).typing() && desk.text().contains("first thought"), "{}", desk.text());
    assert_eq!(desk.model.shared.drafts.values().collect::<Vec<_>>(), ["first thought"]);
}
