//! What is kept between two starts, and for whom: where one was, drafts, messages.

use std::collections::BTreeMap;

use countersign::api::lists::{GrantPage, QueuePage};
use countersign::client::ClientError;
use countersign::console::Identity;
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::keep::{self, Paths, State};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::update;
use insta::assert_snapshot;

use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// Somebody else.
fn as_ruiz(ask: &Ask) -> Option<Result<Reply, ClientError>> {
    if matches!(ask, Ask::Me) { Some(Ok(Reply::Me(Box::new(whole::ruiz())))) } else { usual(ask) }
}

/// The state as it was kept last.
fn kept(desk: &Desk) -> State {
    desk.done.iter().rev().find_map(|e| if let Effect::KeepState(state) = e { Some((**state).clone()) } else { None }).unwrap()
}

/// A console that is started where a state was kept.
fn again(size: (u16, u16), state: &State, server: fn(&Ask) -> Option<Result<Reply, ClientError>>) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.toml");
    keep::save_state(Some(&path), state).unwrap();
    let mut desk = Desk::new(size.0, size.1, |c| c.paths = Paths { state: Some(path), ..Paths::default() }, Box::new(server), true);
    desk.tell(Message::Live(Live::Up));
    desk
}

#[test]
fn whoever_comes_back_is_where_they_were_and_nobody_else_is() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = Desk::usual(size.0, size.1);
        desk.press("s r j j enter 2");
        let case = desk.model.place();
        assert!(matches!(case, Place::Case(_)) && desk.text().contains("2 Checklist"), "{}", desk.text());
        // Nobody leaves: it is kept all the same, once it changed, within seconds.
        let asked = desk.done.iter().filter(|e| matches!(e, Effect::Timer(Timer::Keep, after) if after.as_secs() <= 3)).count();
        assert_eq!(asked, 1, "one timer, however much changes");
        desk.tell(Message::Timer(Timer::Keep));
        let state = kept(&desk);
        assert!(state.owner.is_some() && state.case.is_some() && state.sort.as_deref() == Some("risk"), "{state:?}");

        let mut back = again(size, &state, usual);
        assert_eq!(back.model.place(), case);
        assert_snapshot!(format!("come_back_{}x{}", size.0, size.1), back.picture());
        back.press("esc");
        assert!(back.text().contains("▌CS-26-004131") && back.text().contains("by risk"), "{}", back.text());

        let other = again(size, &state, as_ruiz);
        assert_eq!(other.model.place(), Place::Approvals, "someone else begins where their work is");
        assert!(other.model.screens.queue.filter().is_none_or(|f| f == "!ended"), "{:?}", other.model.screens.queue.filter());
        // Until the server said who it is nothing is shown of where somebody was.
        let silent = again(size, &state, |ask| if matches!(ask, Ask::Me) { None } else { usual(ask) });
        assert_eq!(silent.model.place(), Place::Queue);
        assert!(!silent.text().contains("by risk"), "{}", silent.text());
    }
}

#[test]
fn leaving_before_anyone_is_known_keeps_what_was_kept() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j enter :");
    desk.write("quit");
    desk.press("enter");
    assert!(desk.model.ended);
    let state = kept(&desk);
    let mut offline = again((80, 24), &state, |_| None);
    offline.press("q");
    assert!(offline.model.ended);
    assert_eq!(kept(&offline), state);
}

#[test]
fn approvals_and_temporary_access_come_back_with_page_and_row() {
    for keys in ["g r tab j j", "g a 3 j"] {
        let mut desk = Desk::usual(80, 24);
        desk.press(keys);
        let selected = |desk: &Desk| desk.text().lines().find(|l| l.starts_with('▌')).map(str::to_owned);
        let (place, row) = (desk.model.place(), selected(&desk));
        assert!(row.is_some(), "{}", desk.text());
        desk.press(":");
        desk.write("quit");
        desk.press("enter");
        let state = kept(&desk);
        let mut back = again((80, 24), &state, usual);
        assert_eq!((back.model.place(), selected(&back)), (place, row), "{keys}");
        back.tell(Message::Timer(Timer::Keep));
        assert_eq!(kept(&back), state, "{keys}");
    }
}

#[test]
fn who_did_something_already_is_not_led_elsewhere() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j enter");
    desk.tell(Message::Timer(Timer::Keep));
    let mut back = again((80, 24), &kept(&desk), |ask| if matches!(ask, Ask::Me) { None } else { usual(ask) });
    back.press("j");
    let seq = back.done.iter().find_map(|e| if let Effect::Ask { seq, ask: Ask::Me, .. } = e { Some(*seq) } else { None }).unwrap();
    back.tell(Message::Answer { seq, to: Place::Queue, reply: Ok(Reply::Me(Box::new(canned::nadia()))) });
    assert_eq!(back.model.place(), Place::Queue);
}

#[test]
fn drafts_and_messages_are_those_of_who_is_signed_in() {
    let people = |c: &mut countersign::console::ConsoleConfig| {
        let one = |name: &str| Identity { name: name.into(), note: String::new(), token: name.to_owned().into() };
        c.identities = vec![one("nadia"), one("d.ruiz")];
    };
    let mut desk = Desk::new(80, 24, people, Box::new(usual), true);
    desk.press("enter c");
    desk.write("nadia's own words");
    desk.tell(Message::Timer(Timer::Draft));
    let owners = |desk: &Desk| -> Vec<String> {
        desk.done.iter().filter_map(|e| if let Effect::Draft(owner, _, Some(_)) = e { Some(owner.clone()) } else { None }).collect()
    };
    let hers = owners(&desk).pop().unwrap();
    desk.press("esc y");
    assert!(desk.model.shared.notes.iter().any(|n| n.text.starts_with("Copied")));

    // Each is asked for their own drafts.
    let of = hers.clone();
    desk.server = Box::new(move |ask| match ask {
        Ask::Drafts(owner) => {
            assert_ne!(*owner, of, "nobody is given another's drafts");
            Some(Ok(Reply::Drafts(BTreeMap::from([("x".to_owned(), "ruiz wrote this".to_owned())]), 0)))
        }
        other => as_ruiz(other),
    });
    desk.press("g i");
    desk.write("ruiz");
    desk.press("enter");
    assert_eq!(desk.model.shared.drafts.values().collect::<Vec<_>>(), ["ruiz wrote this"]);
    assert!(desk.model.shared.notes.is_empty(), "{:?}", desk.model.shared.notes);
    desk.press("!");
    assert!(desk.text().contains("Nothing happened yet."), "{}", desk.text());

    let of = hers.clone();
    desk.server = Box::new(move |ask| match ask {
        Ask::Drafts(owner) => {
            assert_eq!(*owner, of);
            Some(Ok(Reply::Drafts(BTreeMap::from([("x".to_owned(), "nadia's own words".to_owned())]), 0)))
        }
        other => usual(other),
    });
    desk.press("g i");
    desk.write("nadia");
    desk.press("enter");
    assert_eq!(desk.model.shared.drafts.values().collect::<Vec<_>>(), ["nadia's own words"]);
}

#[test]
fn the_same_account_of_another_server_is_somebody_else() {
    let owner = |server: &str| {
        let change = |c: &mut countersign::console::ConsoleConfig| c.server = server.parse().unwrap();
        let desk = Desk::new(80, 24, change, Box::new(|ask| if matches!(ask, Ask::Drafts(_)) { None } else { usual(ask) }), true);
        desk.done.iter().find_map(|e| if let Effect::Ask { ask: Ask::Drafts(owner), .. } = e { Some(owner.clone()) } else { None }).unwrap()
    };
    assert_eq!(owner("https://a.example/"), owner("https://a.example/"));
    assert_ne!(owner("https://a.example/"), owner("https://b.example/"));
}

#[test]
fn the_mailbox_says_that_it_looks_that_it_is_empty_and_that_it_cannot_look() {
    let open = |mail: fn() -> Option<Result<Reply, ClientError>>| {
        let server = move |ask: &Ask| if matches!(ask, Ask::Mail(..)) { mail() } else { usual(ask) };
        let mut desk = Desk::new(80, 24, |c| c.mailbox = Some("x".into()), Box::new(server), true);
        desk.press("g m");
        assert_eq!(desk.model.place(), Place::Mailbox);
        desk
    };
    let mut desk = open(|| None);
    assert!(desk.text().contains("Looking …"), "{}", desk.text());
    desk.press("j");
    assert!(desk.text().contains("wait"), "keys wait for it: {}", desk.text());
    let desk = open(|| Some(Ok(Reply::Mail(Some(countersign::console::mail::Mails { stamp: 1, mails: Vec::new() })))));
    assert!(desk.text().contains("No mail yet."), "{}", desk.text());
    let mut desk = open(|| Some(Err(ClientError::Configuration("The mail folder can't be read: gone.".into()))));
    assert!(desk.text().contains("✕ The mail folder can't be read: gone. It is tried again."), "{}", desk.text());
    let told = desk.model.shared.notes.len();
    desk.tell(Message::Timer(Timer::Refresh));
    assert_eq!(desk.model.shared.notes.len(), told, "looking again every second says nothing again");
}

#[test]
fn pages_that_come_back_are_bounded_by_what_there_is() {
    let mut state = kept(&{
        let mut desk = Desk::usual(80, 24);
        desk.press("g r");
        desk.tell(Message::Timer(Timer::Keep));
        desk
    });
    (state.page, state.case_page, state.case) = (Some(99), Some(99), Some("no case".into()));
    let nothing = |ask: &Ask| match ask {
        Ask::Grants(_) => Some(Ok(Reply::Grants(GrantPage { rows: Vec::new(), after: None }))),
        Ask::Cases(_) => Some(Ok(Reply::Cases(QueuePage::default()))),
        other => usual(other),
    };
    let desk = again((80, 24), &state, nothing);
    assert!(desk.model.place() == Place::Grants && desk.text().contains("No temporary access lives."), "{}", desk.text());
}

#[test]
fn what_had_no_answer_when_one_left_is_told_then_and_at_the_next_start() {
    for ended in [Message::Ended, Message::Act(countersign::console::action::Action::Leave)] {
        let mut desk = crate::cases::keys((100, 30), &whole::ruiz(), &whole::sealed(), "d a e");
        desk.write("called back");
        desk.press("ctrl-s");
        let effects = update::update(&mut desk.model, Message::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('y'))));
        assert!(effects.iter().any(|e| matches!(e, Effect::Send { .. })), "{effects:?}");
        desk.tell(ended);
        assert!(desk.model.ended);
        let known = "Whether CS-26-004127 was approved is not known: look before you do it again.";
        assert!(desk.model.shared.sending.unanswered().eq([known]));
        let kept = desk.done.iter().find_map(|e| match e {
            Effect::Draft(owner, key, Some(text)) if text.contains(known) => Some((owner.clone(), key.clone(), text.clone())),
            _ => None,
        });
        let (owner, key, text) = kept.unwrap();

        let folder = tempfile::tempdir().unwrap();
        keep::save_draft(Some(folder.path()), (&owner, &key), Some(&text)).unwrap();
        let place = folder.path().to_owned();
        let server = move |ask: &Ask| match ask {
            Ask::Drafts(owner) => Some(Ok(Reply::Drafts(keep::load_drafts(Some(&place), owner, std::time::SystemTime::now()).0, 0))),
            other => as_ruiz(other),
        };
        let mut back = Desk::new(100, 30, |_| {}, Box::new(server), true);
        back.press("!");
        let said = back.text().replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("Left at 2026-03-05 10:00Z without an answer. {known}")), "{}", back.text());
        assert!(back.model.shared.drafts.is_empty(), "it is no draft: {:?}", back.model.shared.drafts);
        assert!(back.done.iter().any(|e| matches!(e, Effect::Draft(o, k, None) if *o == owner && *k == key)), "it is told once");
    }
    let mut desk = Desk::usual(80, 24);
    desk.tell(Message::Ended);
    assert!(!desk.done.iter().any(|e| matches!(e, Effect::Draft(..))), "nothing was on its way");
}
