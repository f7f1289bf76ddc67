//! Answers that come while one goes on: they take no screen from under whoever types, and one call's failure is no lost connection.

use countersign::api::lists::{LogEntry, LogPage, QueuePage};
use countersign::client::{ClientError, Write, Written};
use countersign::console::action::Action;
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::update;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::cases::keys;
use crate::desk::{Desk, usual};
use crate::{canned, whole};

const CTRL_S: KeyEvent = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);

fn silence() -> ClientError {
    ClientError::Unreachable { server: "https://desk.example".into(), why: "no answer in time".into() }
}

/// Presses a key without an answer to what it sends; the number and place of that.
fn sends(desk: &mut Desk, key: KeyEvent) -> (u64, Place) {
    let effects = update::update(&mut desk.model, Message::Key(key));
    effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None }).unwrap()
}

#[test]
fn one_call_without_an_answer_is_no_lost_connection() {
    let mut desk = Desk::usual(80, 24);
    desk.server = Box::new(|ask| if matches!(ask, Ask::Cases(_)) { Some(Err(silence())) } else { usual(ask) });
    desk.press("ctrl-r");
    assert!(desk.text().contains("live ●") && !desk.text().contains("OFFLINE"), "{}", desk.text());
    desk.tell(Message::Live(Live::Down { why: silence(), again_in: 2 }));
    assert!(desk.text().contains("OFFLINE"), "{}", desk.text());
}

#[test]
fn a_case_that_was_taken_late_takes_no_screen_from_whoever_types() {
    let handed = || Ok(Reply::Written(Box::new(Written { case: Some(Box::new(canned::case())), version: Some(3), ..Written::default() })));
    let mut desk = Desk::usual(80, 24);
    let (seq, to) = sends(&mut desk, KeyEvent::from(KeyCode::Char('n')));
    desk.press("enter c");
    desk.write("half a sent");
    desk.tell(Message::Answer { seq, to, reply: handed() });
    assert!(desk.text().contains("half a sent") && desk.text().contains("CS-26-004127 is yours now."), "{}", desk.text());
    let mut desk = Desk::usual(80, 24);
    let (seq, to) = sends(&mut desk, KeyEvent::from(KeyCode::Char('n')));
    desk.press("/");
    desk.write("ok");
    desk.tell(Message::Answer { seq, to, reply: handed() });
    assert_eq!(desk.model.place(), Place::Queue);
    desk.press("esc");
    let (seq, to) = sends(&mut desk, KeyEvent::from(KeyCode::Char('n')));
    desk.tell(Message::Answer { seq, to, reply: handed() });
    assert!(matches!(desk.model.place(), Place::Case(_)), "whoever waits is led there");
}

#[test]
fn a_form_into_which_more_is_typed_while_it_is_sent_stays_open() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::proofing(), "c");
    desk.write("called back");
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.write(", at noon");
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.model.screen(to).typing() && desk.text().contains("What you typed since stands here and is not sent."), "{}", desk.text());
    assert!(!desk.text().contains("called back") && desk.model.shared.drafts.values().eq([", at noon"]), "sent once: {}", desk.text());
    // Words in the midst of what was sent: all of it stays, and it is said that it went as it was.
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.press("home");
    desk.write("so");
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.text().contains("so, at noon") && desk.text().contains("It went as it was when you sent it"), "{}", desk.text());
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(!desk.model.screen(to).typing() && desk.model.shared.drafts.is_empty(), "{}", desk.text());
}

#[test]
fn a_sign_in_that_comes_over_words_takes_none_of_them_for_a_token() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::proofing(), "c");
    desk.write("called");
    desk.tell(Message::Live(Live::Down { why: crate::waits::problem(401, "The token has expired."), again_in: 1 }));
    assert_eq!(desk.model.place(), Place::SignIn);
    let signs_in = |desk: &Desk| desk.done.iter().any(|e| matches!(e, Effect::UseToken(_)));
    desk.write(" back");
    desk.tell(Message::Key(KeyEvent::from(KeyCode::Enter)));
    assert!(!signs_in(&desk) && desk.text().contains("came while you were typing"), "{}", desk.text());
    desk.model.shared.now += chrono::TimeDelta::seconds(2);
    desk.write("tok");
    desk.tell(Message::Key(KeyEvent::from(KeyCode::Enter)));
    assert!(desk.done.iter().any(|e| matches!(e, Effect::UseToken(t) if secrecy::ExposeSecret::expose_secret(t) == "tok")), "{}", desk.text());
    assert!(desk.model.shared.drafts.values().eq(["called"]));
}

#[test]
fn a_filter_that_was_left_ends_no_typing_that_was_begun_since() {
    let mut desk = Desk::usual(80, 24);
    desk.server = Box::new(|ask| if matches!(ask, Ask::Cases(_)) { None } else { usual(ask) });
    desk.press("/");
    desk.write("pay");
    desk.press("enter");
    let asked = desk.done.iter().rev().find_map(|e| if let Effect::Ask { seq, to, ask: Ask::Cases(_) } = e { Some((*seq, *to)) } else { None });
    let (seq, to) = asked.unwrap();
    desk.press("esc /");
    desk.write("oka");
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Cases(QueuePage { rows: canned::rows(), before: None, after: None })) });
    assert!(desk.model.screen(Place::Queue).typing() && desk.text().contains("oka"), "{}", desk.text());
    desk.press("esc");
    assert!(desk.text().contains("mine unassigned !ended") && desk.text().contains("payments-batch"), "as it was: {}", desk.text());
}

#[test]
fn a_way_is_confirmed_only_with_what_it_costs_itself() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::proofing(), "r");
    let place = desk.model.place();
    assert!(matches!(place, Place::Route(Some(_))));
    desk.tell(Message::Timer(Timer::Form));
    desk.tell(Message::Key(KeyEvent::from(KeyCode::Right)));
    desk.server = Box::new(|ask| if matches!(ask, Ask::RoutePreview(_)) { None } else { usual(ask) });
    desk.tell(Message::Key(CTRL_S));
    assert!(desk.model.overlay.is_none() && desk.text().contains("Wait for what it would cost"), "{}", desk.text());
    let asked = desk.done.iter().rev().find_map(|e| if let Effect::Ask { seq, ask: Ask::RoutePreview(_), .. } = e { Some(*seq) } else { None });
    desk.tell(Message::Answer { seq: asked.unwrap(), to: place, reply: Ok(Reply::Preview(Box::new(whole::preview()))) });
    desk.tell(Message::Key(CTRL_S));
    assert!(desk.model.overlay.is_some() && desk.orders.is_empty(), "{}", desk.text());
}

#[test]
fn what_one_said_is_in_no_others_form_and_is_shown_before_it_is_sent() {
    let mut desk = keys((120, 40), &canned::nadia(), &whole::proofing(), "g q N");
    desk.write("pay");
    desk.tell(Message::Timer(Timer::Form));
    desk.press("enter");
    desk.model.shared.keep_draft("new-case-summary", "somebody else's words");
    let kept: Vec<&String> = desk.model.shared.drafts.keys().collect();
    assert!(kept.iter().all(|k| !k.contains("s-1")), "{kept:?}");
    for _ in 0..7 {
        desk.press("tab");
    }
    desk.write("lost her phone");
    assert!(desk.text().contains("lost her phone") && !desk.text().contains("somebody else"), "{}", desk.text());
    let own: Vec<&String> = desk.model.shared.drafts.iter().filter(|(_, text)| *text == "lost her phone").map(|(key, _)| key).collect();
    assert!(matches!(own[..], [key] if key.starts_with("new-case-") && key.len() > 30), "{own:?}");
}

#[test]
fn in_a_window_that_is_too_small_no_key_acts_but_the_one_that_leaves() {
    let mut desk = Desk::usual(59, 24);
    desk.press("a n L : enter");
    desk.tell(Message::Paste("x".into()));
    assert!(desk.orders.is_empty() && desk.model.overlay.is_none() && desk.model.pending.is_empty());
    desk.tell(Message::Resize(80, 24));
    desk.press("n");
    assert_eq!(desk.orders.len(), 1);
    desk.tell(Message::Resize(10, 5));
    desk.press("ctrl-c");
    assert!(desk.model.ended);
}

#[test]
fn a_case_is_given_to_one_of_those_it_waits_for() {
    let all = serde_json::json!({"rows": [
        {"operator": "kofi", "name": "Kofi Mensah", "roles": ["support_agent"], "on_shift": true, "fits": true},
        {"operator": "d.ruiz", "name": "Diego Ruiz", "roles": ["supervisor"], "on_shift": false, "fits": false}], "more": 3});
    let server = move |ask: &Ask| match ask {
        Ask::Assignable(_) => Some(Ok(Reply::Assignable(Box::new(serde_json::from_value(all.clone()).unwrap())))),
        Ask::Case(_) => Some(Ok(Reply::Case(Box::new(whole::proofing())))),
        other => usual(other),
    };
    let mut desk = Desk::new(120, 40, |_| {}, Box::new(server), true);
    for goes in ["j A", "enter A"] {
        desk.press(goes);
        let text = desk.text();
        assert!(text.contains("Kofi Mensah · support agent · on shift") && text.contains("3 more can be typed"), "{text}");
        assert!(text.contains("not on shift · it waits for others"), "{text}");
        desk.press("enter");
        let given = desk.orders.pop().map(|o| o.write);
        assert!(matches!(&given, Some(Write::Assign(a)) if a.operator.as_ref().is_some_and(|o| o.as_str() == "kofi")), "{given:?}");
    }
    desk.server = Box::new(|ask| if matches!(ask, Ask::Assignable(_)) { Some(Err(silence())) } else { usual(ask) });
    desk.press("A");
    assert!(desk.text().contains("who could take it is not known, type it"), "{}", desk.text());
    desk.write("m.chen");
    desk.press("enter");
    assert!(matches!(desk.orders.pop().map(|o| o.write), Some(Write::Assign(a)) if a.operator.as_ref().is_some_and(|o| o.as_str() == "m.chen")));
}

#[test]
fn who_was_typed_before_the_list_came_is_given_the_case_and_nobody_whose_name_holds_it() {
    let row = |operator: &str| serde_json::json!({"operator": operator, "name": "Ana Diaz", "roles": ["supervisor"], "on_shift": true, "fits": true});
    for (typed, others, given) in [("ana", ["diana", "m.chen"], "ana"), ("ana", ["diana", "ana"], "ana"), ("", ["diana", "ana"], "diana")] {
        let mut desk = Desk::usual(120, 40);
        desk.press("j A");
        desk.write(typed);
        let asked =
            desk.done.iter().rev().find_map(|e| if let Effect::Ask { seq, to, ask: Ask::Assignable(_) } = e { Some((*seq, *to)) } else { None });
        let (seq, to) = asked.unwrap();
        let all = serde_json::from_value(serde_json::json!({"rows": others.map(row), "more": 0})).unwrap();
        desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Assignable(Box::new(all))) });
        desk.press("enter");
        let order = desk.orders.pop().map(|o| o.write);
        assert!(matches!(&order, Some(Write::Assign(a)) if a.operator.as_ref().is_some_and(|o| o.as_str() == given)), "{typed}: {order:?}");
    }
}

#[test]
fn leaving_while_something_is_sent_is_asked_for_twice() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j");
    let (seq, to) = sends(&mut desk, KeyEvent::from(KeyCode::Char('a')));
    desk.tell(Message::Act(Action::Quit));
    assert!(!desk.model.ended && desk.text().contains("still being sent"), "{}", desk.text());
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    desk.press("j");
    desk.tell(Message::Act(Action::Quit));
    assert!(desk.model.ended);
    assert!(matches!(desk.orders[..], []) || desk.orders.iter().all(|o| matches!(o.write, Write::Assign(_))));
}

#[test]
fn a_timeline_that_is_read_anew_while_it_is_read_holds_each_entry_once_and_says_where_it_ends() {
    let one = whole::log().entries.pop().unwrap();
    let page = move |after: Option<u64>, last: u64| {
        let from = after.map_or(0, |a| a + 1);
        let to = (from + 100).min(last);
        // The cursor is a version of the case; an entry's own number is one of the whole log.
        let entries = (from..to).map(|at| LogEntry { seq: 48_000 + 7 * at, summary: format!("entry number {at}."), ..one.clone() }).collect();
        LogPage { entries, after: (to < last).then(|| to - 1), size: last, ..LogPage::default() }
    };
    let mut desk = keys((120, 40), &canned::nadia(), &whole::proofing(), "1");
    let (first, second) = (page.clone(), page.clone());
    desk.server = Box::new(move |ask| match ask {
        Ask::Timeline(_, None) => Some(Ok(Reply::Log(first(None, 150)))),
        Ask::Timeline(..) => None,
        other => usual(other),
    });
    desk.press("5 5");
    let asked = desk
        .done
        .iter()
        .rev()
        .find_map(|e| if let Effect::Ask { seq, to, ask: Ask::Timeline(_, Some(after)) } = e { Some((*seq, *to, *after)) } else { None });
    let (seq, to, after) = asked.unwrap();
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Log(second(Some(after), 150))) });
    let lines = |desk: &Desk| desk.model.screen(to).lines(&desk.model.shared, to);
    let held = lines(&desk).iter().filter(|l| l.contains("entry number")).count();
    assert_eq!(held, 150, "each once");
    desk.server = Box::new(move |ask| match ask {
        Ask::Timeline(_, after) => Some(Ok(Reply::Log(page(*after, 5000)))),
        other => usual(other),
    });
    desk.press("5");
    let told = "The first 2000 entries are shown. Later ones: countersign case timeline CS-26-004127 --after 1999";
    assert!(lines(&desk).iter().any(|l| l == told), "{:?}", lines(&desk).last());
}

#[test]
fn a_change_that_never_left_is_told_so_and_stays_in_its_form() {
    let unsent = || ClientError::NotSent { server: "https://desk.example".into(), why: "no connection".into() };
    let mut forms = [keys((100, 30), &canned::nadia(), &whole::proofing(), "c"), keys((100, 30), &whole::ruiz(), &whole::sealed(), "d a e")];
    for (desk, confirm) in forms.iter_mut().zip([None, Some('y')]) {
        desk.write("called back");
        desk.writes = Box::new(move |_| Err(unsent()));
        let asked = desk.done.len();
        desk.tell(Message::Key(CTRL_S));
        if let Some(key) = confirm {
            desk.tell(Message::Key(KeyEvent::from(KeyCode::Char(key))));
        }
        assert_eq!(desk.orders.len(), 1);
        let said = &desk.model.shared.notes.back().unwrap().text;
        assert!(said.contains("can't be reached, so nothing was sent: no connection"), "{said}");
        assert!(!desk.model.shared.notes.iter().any(|n| n.text.contains("not known")), "{:?}", desk.model.shared.notes);
        assert!(desk.text().contains("called back") && desk.model.shared.drafts.values().eq(["called back"]), "{}", desk.text());
        assert!(!desk.done[asked..].iter().any(|e| matches!(e, Effect::Ask { .. })), "nothing changed: nothing is read anew");
    }
}

#[test]
fn what_is_typed_into_a_reason_while_it_is_sent_stays_and_is_no_key() {
    let rows = || vec![canned::grant(4101, "t.one", 30, &serde_json::json!({}))];
    let mut ends = Desk::usual(100, 30);
    ends.server = Box::new(move |ask| match ask {
        Ask::Grants(_) => Some(Ok(Reply::Grants(countersign::api::lists::GrantPage { rows: rows(), after: None }))),
        other => usual(other),
    });
    ends.press("g r x g");
    let decides = keys((100, 30), &whole::ruiz(), &whole::sealed(), "d a e");
    for (mut desk, on) in [(ends, "x g"), (decides, "e")] {
        desk.write("called back");
        desk.press("ctrl-s");
        let (seq, to) = sends(&mut desk, KeyEvent::from(KeyCode::Char('y')));
        if !desk.model.screen(to).typing() {
            desk.press(on);
        }
        desk.write(", at noon");
        desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
        assert!(desk.model.place() == to && desk.model.screen(to).typing(), "{}", desk.text());
        let said = &desk.model.shared.notes.back().unwrap().text;
        assert!(said.contains("What you typed since stands here and is not sent."), "{said}");
        assert!(desk.model.shared.drafts.values().eq([", at noon"]), "{:?}", desk.model.shared.drafts);
        assert!(desk.text().contains(", at noon") && !desk.text().contains("called back"), "{}", desk.text());
    }
}

#[test]
fn that_it_is_not_known_whether_something_was_done_is_covered_by_nothing_lesser_and_is_read_whole() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::proofing(), "c");
    desk.write("called back on the number on record");
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.tell(Message::Live(Live::Down { why: silence(), again_in: 2 }));
    let lost = ClientError::Unanswered { server: "https://desk.example".into(), why: "no answer in time".into() };
    desk.tell(Message::Answer { seq, to, reply: Err(lost) });
    let unknown = "it is not known whether this was";
    let flat = |desk: &Desk| desk.text().replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat(&desk).contains(unknown), "{}", desk.text());
    desk.tell(Message::Live(Live::Up));
    assert!(desk.model.shared.notes.back().unwrap().text.contains("The connection is back."), "it is noted all the same");
    assert!(flat(&desk).contains(unknown), "{}", desk.text());
    desk.press("esc");
    assert!(flat(&desk).contains(unknown), "nobody could have read it yet: {}", desk.text());
    desk.model.shared.now += chrono::TimeDelta::seconds(4);
    desk.press("!");
    let read = flat(&desk);
    assert_eq!(desk.model.place(), Place::Messages);
    assert!(read.contains(unknown) && read.contains("Look before you do it again; what you wrote is kept as a draft."), "{}", desk.text());
    desk.press("esc");
    assert!(!flat(&desk).contains(unknown), "{}", desk.text());
    desk.press("!");
    let newest = desk.model.shared.notes.back().unwrap().text.clone();
    assert!(flat(&desk).matches(newest.as_str()).count() >= 2, "once it was read, the newest is: {}", desk.text());
}
