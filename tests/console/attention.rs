//! What calls for attention, how often, and what does not: with the clock in the test's hand.

use chrono::TimeDelta;
use countersign::api::lists::{Announcement, Counts};
use countersign::console::attention::{How, Wanted};
use countersign::console::effect::{Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use serde_json::json;

use crate::canned;
use crate::desk::{Desk, usual};

fn desk(how: How) -> Desk {
    let wanted = Wanted { how, ..Wanted::default() };
    let mut desk = Desk::new(80, 24, |c| c.attention = wanted, Box::new(usual), true);
    desk.tell(Message::Live(Live::Up));
    desk
}

/// What was called out since the last look.
fn calls(desk: &mut Desk) -> Vec<String> {
    let done = std::mem::take(&mut desk.done);
    done.into_iter().filter_map(|e| if let Effect::Attend(_, text) = e { Some(text) } else { None }).collect()
}

fn news(desk: &mut Desk, number: u32, due: i64, change: &serde_json::Value) {
    let row = canned::row(number, "someone", due, change);
    desk.tell(Message::Live(Live::News(Announcement::Case { row: Box::new(row) })));
}

fn approvals(desk: &mut Desk, approvals: u64) {
    let counts = Counts { approvals, ..canned::counts() };
    desk.tell(Message::Answer { seq: 9999, to: Place::Queue, reply: Ok(Reply::Counts(counts)) });
}

#[test]
fn what_waits_on_the_user_calls_once_and_not_too_often() {
    let mut desk = desk(How::Bell);
    assert!(calls(&mut desk).is_empty(), "what was there at the start is no news");
    let before = canned::counts().approvals;
    approvals(&mut desk, before + 1);
    assert_eq!(calls(&mut desk), [format!("Approval is asked of you: {} cases wait.", before + 1)]);
    // Given to nadia, then taken back by someone else, within the gap: one call at its end.
    news(&mut desk, 4500, 300, &json!({"assignee": "nadia"}));
    news(&mut desk, 4500, 300, &json!({"assignee": "kofi"}));
    assert!(calls(&mut desk).is_empty());
    desk.model.shared.now += TimeDelta::seconds(30);
    desk.tell(Message::Timer(Timer::Attention));
    assert_eq!(calls(&mut desk), ["CS-26-004500 is no longer yours but kofi's. And 1 more."]);
}

#[test]
fn what_the_user_did_and_what_is_others_does_not_call() {
    let mut desk = desk(How::Notify);
    calls(&mut desk);
    news(&mut desk, 4600, 300, &json!({"assignee": "kofi"}));
    news(&mut desk, 4600, 300, &json!({}));
    desk.model.shared.attention.wrote("CS-26-004601".parse().unwrap(), desk.model.shared.now);
    news(&mut desk, 4601, 300, &json!({"assignee": "nadia"}));
    news(&mut desk, 4601, 300, &json!({"assignee": "kofi"}));
    assert!(calls(&mut desk).is_empty());
}

#[test]
fn a_near_deadline_calls_once_through_a_timer() {
    let mut desk = desk(How::Bell);
    desk.model.shared.attention.wrote("CS-26-004700".parse().unwrap(), desk.model.shared.now);
    desk.done.clear();
    news(&mut desk, 4700, 25, &json!({"assignee": "nadia", "waiting_on": "agent"}));
    let wait = desk.done.iter().find_map(|e| if let Effect::Timer(Timer::Attention, after) = e { Some(*after) } else { None });
    let wait = wait.map(|w| TimeDelta::from_std(w).unwrap()).unwrap();
    assert!(wait <= TimeDelta::minutes(15), "{wait}");
    assert!(calls(&mut desk).is_empty());
    desk.model.shared.now += TimeDelta::minutes(16);
    desk.tell(Message::Timer(Timer::Attention));
    let called = calls(&mut desk);
    assert!(called.iter().any(|c| c.contains("CS-26-004700 is due in 9 minutes") || c.contains("more.")), "{called:?}");
    desk.model.shared.now += TimeDelta::minutes(1);
    desk.tell(Message::Timer(Timer::Attention));
    assert!(calls(&mut desk).is_empty(), "once");
}

#[test]
fn nothing_calls_unless_it_was_asked_for() {
    let mut desk = desk(How::Off);
    approvals(&mut desk, 99);
    news(&mut desk, 4800, 5, &json!({"assignee": "nadia", "waiting_on": "agent"}));
    assert!(calls(&mut desk).is_empty() && !desk.done.iter().any(|e| matches!(e, Effect::Timer(Timer::Attention, _))));
}
