//! What comes late: answers after their screen was left, keys before there is anything to act on, the server's word on who one is.

use countersign::api::lists::{Announcement, QueuePage};
use countersign::api::problem::Problem;
use countersign::client::{ClientError, Write, Written};
use countersign::console::Identity;
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::update;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// A desk whose server is silent about what `silent` says until [`Late::answer`].
struct Late {
    desk: Desk,
}

impl Late {
    fn new(size: (u16, u16), silent: fn(&Ask) -> bool) -> Self {
        let server = move |ask: &Ask| if silent(ask) { None } else { answer(ask) };
        Self { desk: Desk::new(size.0, size.1, |_| {}, Box::new(server), true) }
    }

    /// The questions of a kind that were not answered.
    fn open(&self, wanted: fn(&Ask) -> bool) -> Vec<(u64, Place, Ask)> {
        let open = self.desk.done.iter().filter_map(|e| if let Effect::Ask { seq, to, ask } = e { Some((*seq, *to, ask.clone())) } else { None });
        open.filter(|(_, _, ask)| wanted(ask)).collect()
    }

    fn answer(&mut self, wanted: fn(&Ask) -> bool) {
        for (seq, to, ask) in self.open(wanted) {
            self.desk.done.retain(|e| !matches!(e, Effect::Ask { seq: other, .. } if *other == seq));
            self.desk.tell(Message::Answer { seq, to, reply: answer(&ask).unwrap() });
        }
    }
}

fn answer(ask: &Ask) -> Option<Result<Reply, ClientError>> {
    match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(whole::ruiz())))),
        Ask::Case(_) => Some(Ok(Reply::Case(Box::new(whole::sealed())))),
        Ask::Statement(_, decision) => Some(Ok(Reply::Statement(Box::new(whole::statement(decision.code()))))),
        other => usual(other),
    }
}

pub fn problem(status: u16, detail: &str) -> ClientError {
    let problem: Problem = serde_json::from_value(json!({
        "type": "urn:countersign:problem:x", "title": "X", "status": status, "detail": detail, "request_id": "req-9"
    }))
    .unwrap();
    ClientError::Problem(Box::new(problem))
}

/// Presses a key without an answer to what it sends; the number and place of that.
fn sends(desk: &mut Desk, key: KeyEvent) -> (u64, Place) {
    let effects = update::update(&mut desk.model, Message::Key(key));
    effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None }).unwrap()
}

const CTRL_S: KeyEvent = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);

/// A comment on a case is under way and the reader looks at another case.
fn left() -> (Desk, (u64, Place)) {
    let server = |ask: &Ask| match ask {
        Ask::Case(id) => {
            let mut case = whole::sealed();
            case.row.id = *id;
            Some(Ok(Reply::Case(Box::new(case))))
        }
        other => answer(other),
    };
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(server), true);
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.press("c");
    desk.write("hello");
    let sent = sends(&mut desk, CTRL_S);
    desk.tell(Message::Open("CS-26-004131".parse().unwrap()));
    assert!(desk.text().contains("CS-26-004131"), "{}", desk.text());
    (desk, sent)
}

#[test]
fn an_answer_to_a_change_is_told_though_its_screen_was_left() {
    let (mut desk, (seq, to)) = left();
    assert!(!desk.model.shared.drafts.is_empty());
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.text().contains("CS-26-004127: Commented on."), "{}", desk.text());
    assert!(desk.model.shared.drafts.is_empty(), "what was sent is no draft any more");

    let (mut desk, (seq, to)) = left();
    desk.tell(Message::Answer { seq, to, reply: Err(problem(409, "The case has ended.")) });
    assert!(desk.text().contains("CS-26-004127: Not commented on: The case has ended."), "{}", desk.text());
    assert!(!desk.model.shared.drafts.is_empty(), "what was not sent stays");
    assert_eq!(desk.model.shared.notes.back().and_then(|n| n.request_id.as_deref()), Some("req-9"));
}

#[test]
fn an_answer_that_comes_on_another_screen_names_its_case_once() {
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(answer), true);
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.press("c");
    desk.write("hello");
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.press("esc g q");
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.text().contains("✓ CS-26-004127: The comment is kept."), "{}", desk.text());
    let told = desk.model.shared.notes.iter().filter(|n| n.text.contains("comment")).count();
    assert_eq!(told, 1, "{:?}", desk.model.shared.notes);
}

#[test]
fn a_flag_says_what_it_does_and_is_confirmed() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = Desk::new(size.0, size.1, |_| {}, Box::new(answer), true);
        desk.tell(Message::Open(whole::sealed().row.id));
        desk.press("x f enter");
        let text = desk.text();
        assert!(desk.orders.is_empty() && text.contains("can't be taken back") && text.contains("the approval that counts now"), "{text}");
        for other in ["enter", "f", "space"] {
            desk.press(other);
            assert!(desk.orders.is_empty(), "{other} confirms nothing");
        }
        desk.press("y");
        assert!(matches!(desk.orders[..], [ref order] if matches!(order.write, Write::Flag(_))), "{:?}", desk.orders);
        assert!(desk.text().contains("The flag is noted."), "{}", desk.text());
    }
}

#[test]
fn whoever_did_something_is_not_moved_when_the_server_says_who_they_are() {
    let me = |ask: &Ask| matches!(ask, Ask::Me);
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Me));
    late.desk.press("/");
    late.desk.write("pay");
    late.answer(me);
    assert_eq!(late.desk.model.place(), Place::Queue);
    assert!(late.desk.text().contains("pay") && late.desk.text().contains("d.ruiz"), "{}", late.desk.text());

    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Me));
    late.answer(me);
    assert_eq!(late.desk.model.place(), Place::Approvals, "who did nothing yet begins where their work is");
}

#[test]
fn keys_pressed_before_the_list_is_there_are_played_once_it_is() {
    let cases = |ask: &Ask| matches!(ask, Ask::Cases(_));
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Cases(_) | Ask::Case(_)));
    late.desk.press("g q j j");
    assert!(late.desk.text().contains("Loading …: 2 keys wait for it"), "{}", late.desk.text());
    late.answer(cases);
    assert!(late.desk.text().contains("▌CS-26-004131"), "{}", late.desk.text());
    // On to a case that is not there either: its keys wait for it in turn.
    late.desk.press("g g j enter 4 j c");
    late.desk.write("hello");
    late.answer(|ask| matches!(ask, Ask::Case(_)));
    let text = late.desk.text();
    assert!(text.contains("hello") && text.contains("Comment"), "{text}");
    assert!(late.desk.orders.is_empty());
}

#[test]
fn what_was_pressed_blindly_changes_and_confirms_nothing() {
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Cases(_)));
    late.desk.press("g q j a");
    late.answer(|ask| matches!(ask, Ask::Cases(_)));
    assert!(late.desk.orders.is_empty() && late.desk.text().contains("nothing was sent"), "{}", late.desk.text());

    let proofing = |ask: &Ask| if matches!(ask, Ask::Case(_)) { Some(Ok(Reply::Case(Box::new(whole::proofing())))) } else { usual(ask) };
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Case(_)));
    late.desk.tell(Message::Open(whole::proofing().row.id));
    late.desk.press("s y");
    let (seq, to, ask) = late.open(|ask| matches!(ask, Ask::Case(_))).pop().unwrap();
    late.desk.tell(Message::Answer { seq, to, reply: proofing(&ask).unwrap() });
    assert!(late.desk.orders.is_empty() && late.desk.model.overlay.is_some(), "the question is asked, and what came after it is no answer");
    assert!(late.desk.text().contains("Look at this first"), "{}", late.desk.text());
}

#[test]
fn keys_that_wait_are_bounded_and_end_with_what_they_wait_for() {
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Case(_)));
    late.desk.tell(Message::Open(whole::sealed().row.id));
    for _ in 0..40 {
        late.desk.press("j");
    }
    assert!(late.desk.text().contains("no more keys are kept"), "{}", late.desk.text());
    late.desk.press("esc");
    assert!(late.desk.text().contains("Forgotten"), "{}", late.desk.text());
    late.desk.press("c");
    let (seq, to, _) = late.open(|ask| matches!(ask, Ask::Case(_))).pop().unwrap();
    late.desk.tell(Message::Answer { seq, to, reply: Err(problem(404, "There is no such case.")) });
    assert!(late.desk.text().contains("did nothing") && late.desk.text().contains("There is no such case."), "{}", late.desk.text());
    late.desk.press("esc");
    assert_ne!(late.desk.model.place(), to);
}

#[test]
fn a_token_is_kept_only_once_the_server_took_it() {
    let kept = |desk: &Desk| desk.done.iter().filter(|e| matches!(e, Effect::KeepSession)).count();
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(|_| Some(Err(problem(401, "No such token.")))), false);
    desk.write("wrong");
    desk.press("enter");
    assert!(kept(&desk) == 0 && desk.text().contains("No such token."), "{}", desk.text());
    // The server can't be reached: neither refused nor taken.
    desk.server = Box::new(|_| Some(Err(ClientError::Unreachable { server: "http://x".into(), why: "no connection".into() })));
    desk.press("enter");
    assert_eq!(kept(&desk), 0);
    // A late answer to what was asked with the former token says nothing about this one.
    desk.server = Box::new(|_| None);
    desk.press("enter");
    desk.tell(Message::Answer { seq: 1, to: Place::Queue, reply: answer(&Ask::Me).unwrap() });
    assert!(kept(&desk) == 0 && desk.model.place() == Place::SignIn);
    desk.server = Box::new(answer);
    desk.press("enter");
    assert!(kept(&desk) == 1 && desk.model.place() == Place::Approvals, "{}", desk.text());
}

#[test]
fn reading_only_is_the_present_users_and_ends_with_them() {
    let identity = |name: &str| Identity { name: name.into(), note: String::new(), token: name.to_owned().into() };
    let server = |ask: &Ask| match ask {
        Ask::Me => {
            let mut me = canned::nadia();
            me.read_only = true;
            Some(Ok(Reply::Me(Box::new(me))))
        }
        other => usual(other),
    };
    let mut desk = Desk::new(100, 30, |c| c.identities = vec![identity("auditor"), identity("d.ruiz")], Box::new(server), true);
    desk.press("n");
    assert!(desk.orders.is_empty() && desk.text().contains("Your sign-in may only read."), "{}", desk.text());
    desk.server = Box::new(answer);
    desk.press("g i");
    desk.write("ruiz");
    desk.press("enter g q n");
    assert!(desk.orders.len() == 1 && !desk.text().contains("read only"), "{}", desk.text());
}

#[test]
fn the_first_row_is_selected_until_someone_chooses_a_case() {
    let turned = |ask: &Ask| match ask {
        Ask::Cases(_) => {
            let mut rows = canned::rows();
            rows.rotate_left(2);
            Some(Ok(Reply::Cases(QueuePage { rows, before: None, after: None })))
        }
        other => usual(other),
    };
    for place in ["g q", "g a"] {
        let mut desk = Desk::new(80, 24, |_| {}, Box::new(answer), true);
        desk.press(place);
        assert!(desk.text().contains("▌CS-26-004119"), "{}", desk.text());
        desk.server = Box::new(turned);
        desk.tell(Message::Live(Live::News(Announcement::Register)));
        desk.tell(Message::Timer(Timer::Refresh));
        assert!(desk.text().contains("▌CS-26-004131"), "the first row, which is another case now:\n{}", desk.text());
        desk.press("j k");
        desk.server = Box::new(answer);
        desk.tell(Message::Timer(Timer::Refresh));
        assert!(desk.text().contains("▌CS-26-004131"), "chosen: the selection stays with the case:\n{}", desk.text());
    }
}

#[test]
fn help_is_cut_nowhere_and_says_what_is_below() {
    for (size, below) in [((80, 24), true), ((120, 60), false)] {
        let mut desk = Desk::usual(size.0, size.1);
        desk.press(":");
        desk.write("help");
        desk.press("enter");
        assert_eq!(desk.text().contains("more below"), below, "{}", desk.text());
        let mut seen = String::new();
        for _ in 0..60 {
            let text = desk.text();
            assert!(!text.contains('…'), "{text}");
            seen.push_str(&text);
            desk.press("j");
        }
        for row in countersign::console::action::Action::ALL.iter().map(|a| a.row()) {
            let here = row.scope.meets(countersign::console::action::Scope::QUEUE) && !matches!(row.name, "identity" | "mailbox" | "tutor");
            assert!(!here || seen.contains(row.name), "{} is missing", row.name);
        }
        let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("risk:high subject:vault-* mine !ended"), "{words}");
        assert!(seen.contains("above") == below && !desk.text().contains("more below"), "{}", desk.text());
    }
}

#[test]
fn a_case_that_was_taken_is_said_once_it_is_written() {
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(answer), true);
    desk.press("g q j");
    let (seq, to) = sends(&mut desk, KeyEvent::from(KeyCode::Char('L')));
    desk.press("g l");
    let written = Written { case: Some(Box::new(canned::case())), version: Some(4), ..Written::default() };
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::new(written))) });
    assert!(desk.text().contains("CS-26-004127 is kofi's now."), "{}", desk.text());
}

#[test]
fn a_change_without_an_answer_is_told_at_once_then_counted_and_its_outcome_is_unknown() {
    let mut desk = Desk::new(100, 24, |_| {}, Box::new(answer), true);
    desk.tell(Message::Live(Live::Up));
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.press("c");
    desk.write("hello");
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.tell(Message::Resize(100, 24));
    assert!(desk.text().contains("Sending: to be commented on …") && desk.text().contains("live ●"), "{}", desk.text());
    desk.model.shared.now += chrono::TimeDelta::seconds(4);
    desk.tell(Message::Timer(Timer::Clock));
    assert!(desk.text().contains("no answer for 4s ◌"), "{}", desk.text());
    let frozen = ClientError::Unreachable { server: "http://127.0.0.1:8443".into(), why: "no answer in time".into() };
    desk.tell(Message::Answer { seq, to, reply: Err(frozen) });
    let said = desk.model.shared.notes.back().unwrap().text.clone();
    assert!(said.contains("it is not known whether this was commented on") && said.contains("kept as a draft"), "{said}");
}

#[test]
fn a_refused_token_is_no_lost_connection() {
    let mut desk = Desk::new(100, 24, |_| {}, Box::new(answer), true);
    desk.tell(Message::Live(Live::Down { why: problem(401, "This token is not known."), again_in: 1 }));
    assert!(desk.text().contains("not signed in ◌") && !desk.text().contains("OFFLINE"), "{}", desk.text());
    desk.tell(Message::Live(Live::Up));
    assert!(desk.text().contains("live ●"), "{}", desk.text());
}

#[test]
fn the_key_that_leaves_goes_back_from_a_case_and_its_name_always_leaves() {
    let mut desk = Desk::new(100, 24, |_| {}, Box::new(answer), true);
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.press("q");
    assert!(!desk.model.ended && desk.model.place().name().is_some(), "{:?}", desk.model.place());
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.tell(Message::Act(countersign::console::action::Action::Quit));
    assert!(desk.model.ended);
    let mut top = Desk::new(100, 24, |_| {}, Box::new(answer), true);
    top.press("q");
    assert!(top.model.ended);
}

#[test]
fn the_bottom_line_is_that_of_an_open_list_and_of_who_looks() {
    let mut desk = Desk::new(100, 24, |_| {}, Box::new(answer), true);
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.press(":");
    let foot = desk.text().lines().last().unwrap().to_owned();
    assert!(foot.contains("↑ ↓ choose") && foot.contains("Esc leave") && !foot.contains("approve"), "{foot}");
    let mut watcher = Desk::new(
        100,
        24,
        |_| {},
        Box::new(|ask: &Ask| match ask {
            Ask::Me => {
                let mut me = whole::ruiz();
                me.roles = std::iter::once(countersign::api::words::Role::SecurityReviewer).collect();
                Some(Ok(Reply::Me(Box::new(me))))
            }
            other => answer(other),
        }),
        true,
    );
    watcher.tell(Message::Open(whole::sealed().row.id));
    watcher.press("!");
    watcher.press("esc");
    let foot = watcher.text().lines().last().unwrap().to_owned();
    assert!(foot.trim_start().starts_with("x h hold"), "{foot}");
}

#[test]
fn keys_that_waited_for_a_case_send_nothing() {
    let case = |ask: &Ask| matches!(ask, Ask::Case(_));
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Case(_)));
    late.desk.tell(Message::Open(whole::sealed().row.id));
    late.desk.press("c");
    late.desk.write("hello");
    late.desk.press("ctrl-s");
    late.answer(case);
    let text = late.desk.text();
    assert!(late.desk.orders.is_empty() && text.contains("hello") && text.contains("nothing was sent"), "{text}");

    for act in ["a", "L", "u"] {
        let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Case(_)));
        late.desk.tell(Message::Open(whole::sealed().row.id));
        late.desk.press("j");
        late.desk.press(act);
        late.answer(case);
        let text = late.desk.text();
        assert!(late.desk.orders.is_empty() && text.contains("before the case was there"), "{act}: {text}");
    }

    let grants = |ask: &Ask| matches!(ask, Ask::Grants(_));
    let mut late = Late::new((80, 24), |ask| matches!(ask, Ask::Grants(_)));
    late.desk.press("g r j j x g");
    assert!(late.desk.text().contains("wait for it"), "{}", late.desk.text());
    late.answer(grants);
    let text = late.desk.text();
    assert!(!late.desk.model.screen(Place::Grants).typing() && text.contains("before the list was there"), "{text}");
}

#[test]
fn an_answer_closes_only_the_form_it_belongs_to() {
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(answer), true);
    let id = whole::sealed().row.id;
    desk.tell(Message::Open(id));
    desk.press("c");
    desk.write("hello");
    let (seq, to) = sends(&mut desk, CTRL_S);
    desk.press("esc e");
    desk.write("what I saw");
    assert!(desk.model.screen(Place::Case(id)).typing() && desk.model.shared.drafts.len() == 2, "{}", desk.text());
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.text().contains("what I saw"), "{}", desk.text());
    assert_eq!(desk.model.shared.drafts.values().collect::<Vec<_>>(), ["what I saw"]);
}

#[test]
fn an_answer_leaves_the_same_form_alone_that_was_opened_anew_meanwhile() {
    for taken in [true, false] {
        let mut desk = Desk::new(80, 24, |_| {}, Box::new(answer), true);
        let id = whole::sealed().row.id;
        desk.tell(Message::Open(id));
        desk.press("c");
        desk.write("hello");
        let (seq, to) = sends(&mut desk, CTRL_S);
        desk.press("esc c");
        desk.write(" and more");
        let reply = if taken { Ok(Reply::Written(Box::default())) } else { Err(problem(409, "Not that.")) };
        desk.tell(Message::Answer { seq, to, reply });
        let text = desk.text();
        assert!(desk.model.screen(Place::Case(id)).typing() && text.contains("hello and more"), "{text}");
        assert_eq!(text.matches("Not that.").count(), usize::from(!taken), "told below, but not at a field of another form: {text}");
        assert_eq!(desk.model.shared.drafts.values().collect::<Vec<_>>(), ["hello and more"], "what was typed since is kept");
    }
}

#[test]
fn forms_say_that_what_they_send_is_for_good_as_the_table_of_acts_says() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let mut desk = Desk::new(columns, rows, |_| {}, Box::new(answer), true);
        desk.tell(Message::Open(whole::sealed().row.id));
        for (keys, why) in [
            ("c", "what was said stays in the log"),
            ("o", "what was said stays in the log"),
            ("e", "what is kept stays"),
            ("x h", "only security lifts it"),
            ("x v", "what was said stays in the log"),
        ] {
            desk.press(keys);
            let text = desk.text().split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
            assert!(text.contains("It can't be undone because") && text.contains(why), "{keys}: {}", desk.text());
            desk.press("esc");
        }
        desk.press("c");
        insta::assert_snapshot!(format!("for_good_{columns}x{rows}"), desk.picture());
    }
}

#[test]
fn what_is_said_again_is_one_message_that_counts_and_names_only_its_own_case() {
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(answer), true);
    desk.tell(Message::Open(whole::sealed().row.id));
    let mut comment = |after: &str| {
        desk.press("c");
        desk.write("hello");
        let (seq, to) = sends(&mut desk, CTRL_S);
        desk.press(after);
        desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
        desk.model.shared.notes.iter().map(|n| (n.times, n.text.clone())).collect::<Vec<_>>()
    };
    let (here, elsewhere) = ("The comment is kept.".to_owned(), "CS-26-004127: The comment is kept.".to_owned());
    assert_eq!(comment("esc"), [(1, here.clone())]);
    assert_eq!(comment("esc"), [(2, here.clone())]);
    assert_eq!(comment("esc g q"), [(2, here), (1, elsewhere)], "what was said in the case keeps its words");
    desk.press("!");
    assert!(desk.text().contains("The comment is kept. (2 times)"), "{}", desk.text());
}
