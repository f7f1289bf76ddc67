//! What the user meant stays what is sent, whatever the server says meanwhile: nothing is sent about what stands there by then.

use countersign::api::lists::{Announcement, QueuePage};
use countersign::client::{Write, Written};
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::{Identity, update};
use crossterm::event::{KeyCode, KeyEvent};

use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// At a case that can be proved; the server's answer about it can be changed by `changes` (how often it was asked).
fn at_case(changes: fn(u32) -> countersign::api::case::CaseDetail) -> Desk {
    let mut asked = 0;
    let server = move |ask: &Ask| match ask {
        Ask::Case(_) => {
            asked += 1;
            Some(Ok(Reply::Case(Box::new(changes(asked)))))
        }
        other => usual(other),
    };
    let mut desk = Desk::new(100, 30, |_| {}, Box::new(server), true);
    desk.tell(Message::Live(Live::Up));
    desk.tell(Message::Open(whole::proofing().row.id));
    desk
}

/// Two ways to prove; later the first is gone.
fn ways(asked: u32) -> countersign::api::case::CaseDetail {
    let mut case = whole::proofing();
    let mut other = case.checklist.items[1].startable[0].clone();
    other.attester = "p-other".parse().ok();
    "ask someone else to attest".clone_into(&mut other.label);
    case.checklist.items[1].startable.push(other);
    if asked > 1 {
        case.row.version += 1;
        case.checklist.items[1].startable.remove(0);
    }
    case
}

#[test]
fn a_proof_is_picked_by_what_it_is_and_never_by_its_place() {
    let mut desk = at_case(ways);
    desk.press("p");
    assert!(desk.text().contains("ask Ines Moreau to attest"), "{}", desk.text());
    desk.tell(Message::Timer(Timer::Case));
    desk.press("enter");
    assert!(desk.orders.is_empty() && desk.text().contains("can't be started any more"), "{:?}\n{}", desk.orders, desk.text());
    desk.press("p enter");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::Proof(p) if p.attester.as_ref().is_some_and(|a| a.as_str() == "p-other")), "{order:?}");
}

#[test]
fn a_case_is_given_to_someone_although_it_left_the_list_meanwhile() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j A");
    desk.server = Box::new(|ask| match ask {
        Ask::Cases(_) => Some(Ok(Reply::Cases(QueuePage { rows: canned::rows().into_iter().skip(2).collect(), before: None, after: None }))),
        other => usual(other),
    });
    desk.tell(Message::Timer(Timer::Refresh));
    assert!(!desk.text().contains("CS-26-004127"), "{}", desk.text());
    desk.write("kofi");
    desk.press("enter");
    let order = desk.orders.pop().unwrap();
    assert_eq!(order.case.map(|c| c.to_string()).as_deref(), Some("CS-26-004127"), "{order:?}");
}

/// A desk whose server never answers writes.
fn silent_to_writes(desk: &mut Desk, keys: &[KeyCode]) -> Vec<(u64, Place)> {
    let mut sent = Vec::new();
    for key in keys {
        for effect in update::update(&mut desk.model, Message::Key(KeyEvent::from(*key))) {
            if let Effect::Send { seq, to, .. } = effect {
                sent.push((seq, to));
            }
        }
    }
    sent
}

#[test]
fn a_key_that_is_held_down_takes_one_case() {
    let mut desk = Desk::usual(80, 24);
    let sent = silent_to_writes(&mut desk, &[KeyCode::Char('n'); 5]);
    assert_eq!(sent.len(), 1, "the next one is taken once the first was handed out");
    desk.tell(Message::Answer { seq: sent[0].0, to: sent[0].1, reply: Ok(Reply::Written(Box::default())) });
    assert_eq!(silent_to_writes(&mut desk, &[KeyCode::Char('n')]).len(), 1);
}

#[test]
fn what_waits_for_its_confirmation_is_not_said_to_be_done() {
    let mut desk = at_case(|_| whole::proofing());
    desk.press("c");
    desk.write("hello");
    let ctrl_s = KeyEvent::new(KeyCode::Char('s'), crossterm::event::KeyModifiers::CONTROL);
    let effects = update::update(&mut desk.model, Message::Key(ctrl_s));
    let (seq, to) = effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None }).unwrap();
    desk.press("esc s");
    assert!(desk.text().contains("Request approval of"), "{}", desk.text());
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    assert!(desk.model.shared.notes.back().is_some_and(|n| n.text == "The comment is kept."), "{:?}", desk.model.shared.notes);
    desk.press("y");
    assert!(desk.model.shared.notes.back().is_some_and(|n| n.text == "Sealed: approval is requested."), "{:?}", desk.model.shared.notes);
}

#[test]
fn an_answer_to_the_former_user_is_nobodys() {
    let identity = |name: &str| Identity { name: name.into(), note: String::new(), token: name.to_owned().into() };
    let change = move |c: &mut countersign::console::ConsoleConfig| c.identities = vec![identity("nadia"), identity("d.ruiz")];
    let mut desk = Desk::new(100, 30, change, Box::new(usual), true);
    let asked = update::update(&mut desk.model, Message::Live(Live::News(Announcement::Lagged)));
    assert!(asked.iter().all(|e| !matches!(e, Effect::Ask { .. })));
    let late = desk.model.shared.ask(Place::Queue, Ask::Me);
    desk.server = Box::new(|ask| match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(whole::ruiz())))),
        other => usual(other),
    });
    desk.press("g i");
    desk.write("ruiz");
    desk.press("enter");
    assert!(desk.text().contains("d.ruiz"), "{}", desk.text());
    desk.tell(Message::Answer { seq: late, to: Place::Queue, reply: Ok(Reply::Me(Box::new(canned::nadia()))) });
    let me = desk.model.shared.me.as_ref().and_then(|m| m.operator.as_ref()).map(ToString::to_string);
    assert_eq!(me.as_deref(), Some("d.ruiz"));
}

#[test]
fn signing_out_leaves_nothing_of_what_was_seen() {
    let mut desk = Desk::usual(80, 24);
    desk.press(":");
    desk.write("sign-out");
    desk.press("enter");
    assert_eq!(desk.model.place(), Place::SignIn);
    assert!(desk.done.iter().any(|e| matches!(e, Effect::ForgetSession)));
    desk.server = Box::new(|_| None);
    desk.press("esc");
    assert!(!desk.text().contains("payments-batch") && !desk.text().contains("nadia"), "{}", desk.text());
}

#[test]
fn whoever_went_elsewhere_stays_there_when_the_answer_comes() {
    let mut desk = Desk::new(
        100,
        30,
        |_| {},
        Box::new(|ask| match ask {
            Ask::Me => Some(Ok(Reply::Me(Box::new(whole::ruiz())))),
            Ask::Case(_) => Some(Ok(Reply::Case(Box::new(whole::sealed())))),
            Ask::Statement(_, decision) => Some(Ok(Reply::Statement(Box::new(whole::statement(decision.code()))))),
            other => usual(other),
        }),
        true,
    );
    desk.tell(Message::Open(whole::sealed().row.id));
    desk.press("d a e");
    desk.write("seen");
    desk.press("ctrl-s");
    let sent = silent_to_writes(&mut desk, &[KeyCode::Char('y')]);
    let [(seq, to)] = sent[..] else { panic!("{sent:?}") };
    desk.press("esc g q");
    assert_eq!(desk.model.place(), Place::Queue);
    let written = Written { case: Some(Box::new(whole::sealed())), version: Some(4), ..Written::default() };
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::new(written))) });
    assert_eq!(desk.model.place(), Place::Queue);
    assert!(desk.text().contains("is approved by you"), "{}", desk.text());
}

/// At a case of which a question is asked by these keys, and which has another version once it is asked for again.
fn asked_about(case: fn() -> countersign::api::case::CaseDetail, me: countersign::api::lists::Me, keys: &str) -> Desk {
    let mut asked = 0;
    let server = move |ask: &Ask| match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(me.clone())))),
        Ask::Statement(_, decision) => Some(Ok(Reply::Statement(Box::new(whole::statement(decision.code()))))),
        Ask::Subject(_) => Some(Ok(Reply::Subject(Box::new(whole::subject())))),
        Ask::RoutePreview(_) => {
            let mut preview = whole::preview();
            preview.checklist.items.iter_mut().for_each(|item| item.receipt = None);
            let asked =
                ["issued code, sent to the subject's recorded address e1".to_owned(), "manager attestation, asked of Hanna Voss (p-h)".to_owned()];
            preview.ends = asked.to_vec();
            Some(Ok(Reply::Preview(Box::new(preview))))
        }
        Ask::Case(_) => {
            asked += 1;
            let mut case = case();
            case.row.version += u64::from(asked > 3);
            Some(Ok(Reply::Case(Box::new(case))))
        }
        other => usual(other),
    };
    let mut desk = Desk::new(120, 40, |_| {}, Box::new(server), true);
    desk.tell(Message::Live(Live::Up));
    desk.tell(Message::Open(case().row.id));
    desk.press(keys);
    desk
}

#[test]
fn a_question_about_a_case_that_changed_is_confirmed_no_more_and_says_so() {
    let mut desk = asked_about(whole::sealed, whole::ruiz(), "d a e");
    desk.write("seen");
    desk.press("ctrl-s");
    assert!(desk.text().contains("y approve"), "{}", desk.text());
    for _ in 0..3 {
        desk.tell(Message::Timer(Timer::Case));
    }
    assert!(desk.text().contains("this can't be sent any more") && !desk.text().contains("y approve"), "{}", desk.text());
    desk.press("y");
    assert!(desk.orders.is_empty() && desk.model.overlay.is_some(), "{:?}", desk.orders);
    desk.press("esc");
    assert!(desk.model.overlay.is_none() && desk.text().contains("seen"), "{}", desk.text());
}

#[test]
fn sending_a_case_another_way_says_which_proofs_seal_and_approvals_go_before_it_is_done() {
    let mut desk = asked_about(whole::sealed, canned::nadia(), "r");
    let given = whole::sealed().checklist.items.iter().filter(|i| i.receipt.is_some()).count();
    assert!(given > 0);
    let flat = |desk: &Desk| desk.text().replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let goes = format!("{given} proof");
    let lines = desk.model.screen(desk.model.place()).lines(&desk.model.shared, desk.model.place()).join(" ");
    for said in [goes.as_str(), "no more:", "The seal goes: it has to be sealed and approved anew."] {
        assert!(lines.contains(said), "{said}: {lines}");
    }
    assert!(!lines.contains("still counts"), "{lines}");
    let ends = "2 requests that are waited for end (issued code, sent to the subject's recorded address e1; manager attestation, asked of Hanna Voss (p-h)): \
                they have to be asked anew.";
    assert!(lines.contains(ends), "{lines}");
    desk.press("ctrl-s");
    let question = flat(&desk);
    assert!(
        question.contains("Asked for: secret rotation in vault")
            && question.contains("The seal goes:")
            && question.contains("2 requests that are waited for end"),
        "{}",
        desk.text()
    );
    desk.press("esc");
    // The case changes: what was worked out on it is worked out anew, and that is said.
    let mut row = canned::rows().remove(1);
    row.version += 1;
    desk.tell(Message::Live(Live::News(Announcement::Case { row: Box::new(row) })));
    for _ in 0..3 {
        desk.tell(Message::Timer(Timer::Case));
    }
    assert!(desk.model.shared.notes.iter().any(|n| n.text.contains("what it would cost is worked out anew")), "{:?}", desk.model.shared.notes);
    // Where the proofs stay good, that is said.
    let mut desk = crate::cases::keys((120, 40), &canned::nadia(), &whole::proofing(), "r");
    assert!(flat(&desk).contains("still count") && desk.text().contains("●"), "{}", desk.text());
    desk.press("esc");
}
