//! Taking back what was done: what can be, what can't be, and what others did meanwhile.

use std::sync::{Arc, Mutex};

use countersign::api::case::CaseDetail;
use countersign::api::problem::Problem;
use countersign::api::requests::Assign;
use countersign::client::{ClientError, Write, Written};
use countersign::console::action::Action;
use countersign::console::effect::{Ask, Effect, Order};
use countersign::console::message::{Message, Reply};
use countersign::console::model::Place;
use countersign::console::update;
use crossterm::event::{KeyCode, KeyEvent};
use serde_json::json;

use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// A server that keeps whose the second case is, and its version.
struct Kept {
    assignee: Option<String>,
    version: u64,
    refused: Vec<serde_json::Value>,
}

fn detail(kept: &Kept) -> CaseDetail {
    let mut value = serde_json::to_value(canned::case()).unwrap();
    value["row"]["assignee"] = json!(kept.assignee);
    value["row"]["version"] = json!(kept.version);
    value["refused_actions"] = json!(kept.refused);
    serde_json::from_value(value).unwrap()
}

/// A desk whose server takes assignments; the second case is selected.
fn desk(size: (u16, u16)) -> (Desk, Arc<Mutex<Kept>>) {
    let kept = Arc::new(Mutex::new(Kept { assignee: Some("kofi".into()), version: 3, refused: Vec::new() }));
    let (asked, wrote) = (Arc::clone(&kept), Arc::clone(&kept));
    let mut desk = Desk::usual(size.0, size.1);
    desk.server = Box::new(move |ask| match ask {
        Ask::Case(_) => Some(Ok(Reply::Case(Box::new(detail(&asked.lock().unwrap()))))),
        other => usual(other),
    });
    desk.writes = Box::new(move |order: &Order| {
        let mut kept = wrote.lock().unwrap();
        match &order.write {
            Write::Assign(Assign { operator }) => kept.assignee = operator.as_ref().map(ToString::to_string),
            Write::TakeNext(_) => kept.assignee = Some("nadia".into()),
            _ => {}
        }
        kept.version += 1;
        Ok(Written { version: Some(kept.version), case: Some(Box::new(detail(&kept))), ..Written::default() })
    });
    desk.press("j");
    (desk, kept)
}

fn assigned(order: &Order) -> Option<&str> {
    let Write::Assign(Assign { operator }) = &order.write else { panic!("{order:?}") };
    operator.as_ref().map(countersign::base::ids::OperatorId::as_str)
}

/// The key of undo was let go of.
fn later(desk: &mut Desk) {
    desk.model.shared.now += chrono::TimeDelta::seconds(2);
}

/// Presses a key; what is sent or asked by it is not answered yet.
fn unanswered(desk: &mut Desk, key: char) -> Vec<Effect> {
    update::update(&mut desk.model, Message::Key(KeyEvent::from(KeyCode::Char(key))))
}

/// The number of what was sent.
fn sent(effects: &[Effect]) -> Option<(u64, Place)> {
    effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None })
}

#[test]
fn a_case_that_was_taken_goes_back_to_whose_it_was() {
    for size in [(80, 24), (120, 40)] {
        let (mut desk, kept) = desk(size);
        desk.press("u");
        assert!(desk.text().contains("There is nothing to undo"), "{}", desk.text());
        desk.press("a");
        assert!(desk.text().contains("CS-26-004127 is nadia's now. undo: u"), "{}", desk.text());
        kept.lock().unwrap().version = 17;
        desk.press("u");
        assert_eq!(desk.orders.len(), 1, "someone did something to the case: it is asked once more");
        assert!(desk.model.shared.notes.back().unwrap().text.contains("changed since, and nothing was undone yet"), "{}", desk.text());
        later(&mut desk);
        desk.press("u");
        let back = desk.orders.last().unwrap();
        assert_eq!((assigned(back), back.version), (Some("kofi"), Some(17)), "to whom it was, on the case as it is");
        assert!(desk.text().contains("Undone: that CS-26-004127 is nadia's."), "{}", desk.text());
        desk.press("u");
        assert_eq!(desk.orders.len(), 2, "once");
        assert!(desk.text().contains("There is nothing to undo"), "{}", desk.text());
    }
}

#[test]
fn acts_are_taken_back_last_first_on_every_screen() {
    let (mut desk, _) = desk((120, 40));
    desk.press("L");
    assert_eq!(assigned(desk.orders.last().unwrap()), None);
    desk.press("enter a");
    assert_eq!((desk.model.place(), assigned(desk.orders.last().unwrap())), (Place::Case("CS-26-004127".parse().unwrap()), Some("nadia")));
    desk.press("g l u");
    assert_eq!(assigned(desk.orders.last().unwrap()), None, "first what was done last");
    desk.press("u u");
    assert!(desk.orders.len() == 3 && desk.text().contains("One at a time"), "a key that is held down:\n{}", desk.text());
    later(&mut desk);
    desk.press("u");
    assert_eq!(assigned(desk.orders.last().unwrap()), Some("kofi"));
}

#[test]
fn the_case_that_was_taken_next_is_let_go() {
    let (mut desk, _) = desk((120, 40));
    desk.press("n");
    assert!(desk.text().contains("is yours now. undo: u"), "{}", desk.text());
    desk.press("u");
    assert_eq!(assigned(desk.orders.last().unwrap()), None);
}

#[test]
fn what_others_did_meanwhile_is_not_undone() {
    let (mut desk, kept) = desk((120, 40));
    desk.press("a");
    kept.lock().unwrap().assignee = Some("tom.becker".into());
    desk.press("u");
    assert_eq!(desk.orders.len(), 1);
    assert!(desk.text().contains("CS-26-004127 can't be given back because it is tom.becker's now"), "{}", desk.text());

    desk.press("L");
    kept.lock().unwrap().refused = vec![json!({"action": "case_assign", "reason": "The case is held.", "code": "held"})];
    desk.press("u");
    assert_eq!(desk.orders.len(), 2);
    assert!(desk.text().contains("can't be given back: The case is held."), "{}", desk.text());
}

#[test]
fn what_could_not_be_undone_now_can_be_tried_again() {
    let (mut desk, kept) = desk((120, 40));
    desk.press("a");
    let problem: Problem = serde_json::from_value(json!({
        "type": "urn:countersign:problem:stale", "title": "stale", "status": 412, "detail": "The case changed.", "request_id": "req-7"
    }))
    .unwrap();
    let ordinary = std::mem::replace(&mut desk.writes, Box::new(move |_| Err(ClientError::Problem(Box::new(problem.clone())))));
    desk.press("u");
    assert!(desk.text().contains("nothing was undone"), "{}", desk.text());
    desk.writes = ordinary;
    later(&mut desk);
    desk.press("u");
    assert_eq!(kept.lock().unwrap().assignee.as_deref(), Some("kofi"));
}

#[test]
fn what_is_final_says_so_before_and_when_it_is_tried() {
    let (mut desk, _) = desk((120, 40));
    desk.press("a enter c");
    desk.write("called back");
    desk.press("ctrl-s");
    assert!(!desk.text().contains("undo: u"), "{}", desk.text());
    desk.press("u");
    let said = desk.model.shared.notes.back().unwrap().text.clone();
    assert_eq!(said, "The comment can't be undone because what was said stays in the log. Undo again takes back that CS-26-004127 is nadia's.");
    assert_eq!(desk.orders.len(), 2);
    later(&mut desk);
    desk.press("u");
    assert_eq!(assigned(desk.orders.last().unwrap()), Some("kofi"));
    desk.press("s");
    let text = desk.text();
    assert!(text.contains("It can't be undone because whoever seals"), "{text}");
}

#[test]
fn an_approval_is_taken_back_with_a_reason_once_confirmed() {
    let (mut desk, kept) = desk((120, 40));
    let case = "CS-26-004127".parse().unwrap();
    let decide = serde_json::from_value(json!({"decision": "approve", "seal_sha256": "0".repeat(64), "nonce": "1.2", "reason": "fine"})).unwrap();
    let order = desk.model.shared.order(Write::Decide(decide), Some(case), Some(3));
    let seq = desk.model.shared.send(Place::Case(case), order);
    desk.press("ctrl-r");
    assert!(matches!(desk.orders.last().unwrap().write, Write::Decide(_)), "{seq}");
    kept.lock().unwrap().refused = vec![json!({"action": "approval_take_back", "reason": "It is carried out already.", "code": "already"})];
    desk.press("g q u");
    assert!(desk.text().contains("Your approval of CS-26-004127 can't be taken back: It is carried out already."), "{}", desk.text());

    kept.lock().unwrap().refused.clear();
    let decide = serde_json::from_value(json!({"decision": "approve", "seal_sha256": "0".repeat(64), "nonce": "1.2", "reason": "fine"})).unwrap();
    let order = desk.model.shared.order(Write::Decide(decide), Some(case), Some(3));
    desk.model.shared.send(Place::Case(case), order);
    desk.press("ctrl-r u");
    assert_eq!(desk.model.place(), Place::Case(case));
    assert!(desk.text().contains("Take your approval back"), "{}", desk.text());
    desk.write("it was the wrong case");
    desk.press("ctrl-s");
    assert!(desk.text().contains("It can't be undone because what is void stays void."), "{}", desk.text());
    desk.press("y");
    assert!(matches!(&desk.orders.last().unwrap().write, Write::TakeBack(text) if text.text.raw() == "it was the wrong case"));
}

#[test]
fn filter_sorting_and_saved_views_come_back() {
    let (mut desk, _) = desk((120, 40));
    let began = desk.model.screens.queue.filter().map(str::to_owned);
    desk.press("/ ctrl-u");
    desk.write("risk:high");
    desk.press("enter s r");
    assert_eq!(desk.model.screens.queue.filter(), Some("risk:high"));
    desk.press("V");
    desk.write("hot");
    desk.press("enter");
    assert_eq!(desk.model.shared.views.len(), 1);
    desk.press("u");
    assert!(desk.model.shared.views.is_empty());
    assert!(matches!(desk.done.iter().rev().find(|e| matches!(e, Effect::KeepView(..))), Some(Effect::KeepView(name, None)) if name == "hot"));
    desk.press("g a u u");
    assert_eq!(desk.model.screens.queue.filter().map(str::to_owned), began, "whatever is in front");
    assert!(desk.text().contains("Undone: the queue shows"), "{}", desk.text());
    assert!(desk.orders.is_empty());
}

#[test]
fn undo_stands_in_the_table_of_every_screen_and_nobody_inherits_it() {
    let (mut desk, _) = desk((120, 40));
    desk.press("a ?");
    let row = Action::Undo.row();
    assert!(row.keys == ["u"] && row.scope == countersign::console::action::Scope::ANY);
    desk.press("esc");
    desk.tell(countersign::console::message::Message::Act(Action::SignOut));
    desk.write("tok");
    desk.press("enter u");
    assert!(desk.text().contains("There is nothing to undo"), "{}", desk.text());
    assert_eq!(desk.orders.len(), 1);
}

#[test]
fn nothing_is_undone_while_the_last_act_has_no_answer_yet() {
    let (mut desk, kept) = desk((120, 40));
    desk.press("a");
    let (seq, to) = sent(&unanswered(&mut desk, 'L')).unwrap();
    desk.press("u");
    assert_eq!(desk.orders.len(), 1, "the act before is not the last one");
    assert!(desk.text().contains("Still sending: nothing is undone."), "{}", desk.text());
    let case = {
        let mut kept = kept.lock().unwrap();
        (kept.assignee, kept.version) = (None, 5);
        detail(&kept)
    };
    let written = Written { version: Some(5), case: Some(Box::new(case)), ..Written::default() };
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::new(written))) });
    desk.press("u");
    assert_eq!(desk.orders.len(), 1, "a key that was held down all the while is no new press");
    later(&mut desk);
    desk.press("u");
    assert_eq!(assigned(desk.orders.last().unwrap()), Some("nadia"), "what was done last");
}

#[test]
fn taking_back_is_told_as_every_change_is() {
    let (mut desk, _) = desk((120, 40));
    desk.press("a");
    desk.writes = Box::new(|_| Err(ClientError::Unreachable { server: "http://x".into(), why: "no answer in time".into() }));
    let effects = unanswered(&mut desk, 'u');
    let Some(Effect::Ask { seq, to, ask }) = effects.iter().find(|e| matches!(e, Effect::Ask { ask: Ask::Case(_), .. })) else {
        panic!("{effects:?}")
    };
    let reply = (desk.server)(ask).unwrap();
    let effects = update::update(&mut desk.model, Message::Answer { seq: *seq, to: *to, reply });
    assert!(desk.model.shared.notice.as_ref().unwrap().text.contains("Sending: to be given"), "{:?}", desk.model.shared.notice);
    let (seq, to) = sent(&effects).unwrap();
    desk.tell(Message::Answer { seq, to, reply: Err(ClientError::Unreachable { server: "http://x".into(), why: "no answer in time".into() }) });
    let said = &desk.model.shared.notes.back().unwrap().text;
    assert!(said.contains("CS-26-004127") && said.contains("it is not known whether this was given"), "{said}");
}

#[test]
fn a_late_answer_to_undo_moves_nobody() {
    let (mut desk, _) = desk((120, 40));
    let case = "CS-26-004127".parse().unwrap();
    let decide = serde_json::from_value(json!({"decision": "approve", "seal_sha256": "0".repeat(64), "nonce": "1.2", "reason": "fine"})).unwrap();
    let order = desk.model.shared.order(Write::Decide(decide), Some(case), Some(3));
    desk.model.shared.send(Place::Case(case), order);
    desk.press("ctrl-r");
    let effects = unanswered(&mut desk, 'u');
    let Some(Effect::Ask { seq, to, ask }) = effects.iter().find(|e| matches!(e, Effect::Ask { ask: Ask::Case(_), .. })) else {
        panic!("{effects:?}")
    };
    desk.press("g l");
    let reply = (desk.server)(ask).unwrap();
    desk.tell(Message::Answer { seq: *seq, to: *to, reply });
    assert!(desk.model.place() == Place::Log && desk.text().contains("Nothing was undone: you went on."), "{}", desk.text());
    desk.tell(Message::Open(case));
    assert!(!desk.model.screen(Place::Case(case)).typing(), "no form opens by itself later");
    later(&mut desk);
    desk.press("u");
    assert!(desk.text().contains("Take your approval back"), "{}", desk.text());
}

#[test]
fn whoever_signs_in_after_someone_else_finds_nothing_of_theirs() {
    for other in [false, true] {
        let (mut desk, _) = desk((120, 40));
        desk.press("a enter c");
        desk.write("half of a sentence");
        desk.press("esc");
        let problem: Problem = serde_json::from_value(json!({
            "type": "urn:countersign:problem:sign-in", "title": "Sign in", "status": 401, "detail": "The token has expired.", "request_id": "req-9"
        }))
        .unwrap();
        let server = std::mem::replace(&mut desk.server, Box::new(move |_| Some(Err(ClientError::Problem(Box::new(problem.clone()))))));
        desk.press("ctrl-r");
        assert_eq!(desk.model.place(), Place::SignIn);
        let mut server = server;
        desk.server = Box::new(move |ask| match ask {
            Ask::Me if other => Some(Ok(Reply::Me(Box::new(whole::ruiz())))),
            ask => server(ask),
        });
        desk.write("tok");
        desk.press("enter");
        assert_eq!(matches!(desk.model.place(), Place::Case(_)), !other, "{:?}", desk.model.place());
        assert_eq!(desk.model.shared.drafts.is_empty(), other, "{:?}", desk.model.shared.drafts);
        desk.press("u");
        assert_eq!(desk.orders.len(), if other { 1 } else { 2 });
        assert_eq!(desk.text().contains("There is nothing to undo"), other, "{}", desk.text());
    }
}

#[test]
fn what_could_not_be_undone_keeps_its_place_below_what_was_done_since() {
    let (mut desk, kept) = desk((120, 40));
    desk.press("a");
    let effects = unanswered(&mut desk, 'u');
    let Some(Effect::Ask { seq, to, .. }) = effects.iter().find(|e| matches!(e, Effect::Ask { ask: Ask::Case(_), .. })) else {
        panic!("{effects:?}")
    };
    let (seq, to) = (*seq, *to);
    desk.press("s r");
    let error = ClientError::Unreachable { server: "http://x".into(), why: "no answer in time".into() };
    desk.tell(Message::Answer { seq, to, reply: Err(error) });
    desk.press("u");
    assert!(desk.text().contains("Undone: the queue shows"), "what was done last:\n{}", desk.text());
    assert_eq!(desk.orders.len(), 1);
    later(&mut desk);
    desk.press("u");
    assert_eq!(kept.lock().unwrap().assignee.as_deref(), Some("kofi"), "then what was done before");
}
