//! The screens of a case and of those who decide: how they look, what they refuse and why, what they send.

use countersign::api::case::{CaseDetail, RefusedAction, RoutePreview};
use countersign::api::lists::{Announcement, Me, QueuePage};
use countersign::api::problem::{Lacking, Problem};
use countersign::api::words::{CaseState, Decision};
use countersign::base::Untrusted;
use countersign::client::{ClientError, Write, Written};
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::widget::runs::shown;
use insta::assert_snapshot;

use crate::desk::{Desk, usual};
use crate::{canned, whole};

pub const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// A desk whose server knows one case and one reader.
pub fn desk((columns, rows): (u16, u16), me: &Me, case: &CaseDetail) -> Desk {
    let (me, case) = (me.clone(), case.clone());
    let server = move |ask: &Ask| {
        Some(Ok(match ask {
            Ask::Me => Reply::Me(Box::new(me.clone())),
            Ask::Case(_) => Reply::Case(Box::new(case.clone())),
            Ask::Statement(_, decision) => Reply::Statement(Box::new(whole::statement(decision.code()))),
            Ask::Timeline(..) | Ask::Log(..) => Reply::Log(whole::log()),
            Ask::Subjects(_) => Reply::Subjects(whole::subjects()),
            Ask::Subject(_) => Reply::Subject(Box::new(whole::subject())),
            Ask::RoutePreview(_) => Reply::Preview(Box::new(whole::preview())),
            Ask::Policy | Ask::CasePolicy(_) => Reply::Value(Box::new(whole::explained())),
            other => return usual(other),
        }))
    };
    let mut desk = Desk::new(columns, rows, |_| {}, Box::new(server), true);
    desk.tell(Message::Live(Live::Up));
    desk
}

fn at_case(size: (u16, u16), me: &Me, case: &CaseDetail) -> Desk {
    let mut desk = desk(size, me, case);
    desk.tell(Message::Open(case.row.id));
    desk
}

pub fn snap(name: &str, make: impl Fn((u16, u16)) -> Desk) {
    for size in SIZES {
        assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), make(size).picture());
    }
}

pub fn keys(size: (u16, u16), me: &Me, case: &CaseDetail, keys: &str) -> Desk {
    let mut desk = at_case(size, me, case);
    desk.press(keys);
    desk
}

#[test]
fn case_pages_look_right() {
    for (name, key) in [("overview", "1"), ("checklist", "2"), ("evidence", "3"), ("approvals", "4"), ("timeline", "5")] {
        snap(&format!("case_{name}"), |size| keys(size, &canned::nadia(), &whole::routed_by_me(), key));
    }
    snap("case_triage", |size| keys(size, &canned::nadia(), &whole::proofing(), "t"));
    snap("case_seal", |size| keys(size, &whole::ruiz(), &whole::proofing(), "s"));
}

#[test]
fn a_held_case_says_whom_to_reach_and_offers_only_contacts_since() {
    let vega = || {
        let mut me = whole::ruiz();
        me.operations = ["proof_start", "case_lift_hold", "case_comment"].map(str::to_owned).to_vec();
        me
    };
    snap("held_overview", |size| keys(size, &vega(), &whole::held(), "1"));
    snap("held_contacts", |size| keys(size, &vega(), &whole::held(), "p"));
    snap("held_lift", |size| keys(size, &vega(), &whole::held(), "x l"));
    let mut nobody = whole::held();
    let hold = nobody.hold.as_mut().unwrap();
    (hold.lifted_by, hold.sessions) = (Vec::new(), Vec::new());
    snap("held_lift_nobody", |size| keys(size, &vega(), &nobody, "x l"));
    let mut desk = keys((100, 30), &vega(), &whole::held(), "p up enter");
    assert!(desk.orders.is_empty(), "the one that waits can't be picked: {:?}", desk.orders);
    desk.press("down enter");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::Proof(p) if p.attester.as_ref().is_some_and(|a| a.as_str() == "p-ines")), "{order:?}");
    let mut desk = keys((100, 30), &vega(), &whole::held(), "x l");
    desk.write("spoke to her");
    desk.press("ctrl-s y");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::LiftHold(l) if l.contact_session.as_str() == "se-8"), "{order:?}");
}

#[test]
fn a_closed_case_says_beside_it_what_comes_before_it_is_rolled_back() {
    let mut case = whole::sealed();
    case.row.state = CaseState::Closed;
    let refused = |action: &str, reason: &str| RefusedAction { action: action.into(), code: "wrong-state".into(), reason: reason.into() };
    case.refused_actions = vec![
        refused("case_roll_back", countersign::domain::refusal::HELD_FIRST),
        refused("case_close", "\"close\" has no place in a case that is closed."),
    ];
    let text = keys((140, 50), &whole::ruiz(), &case, "").text();
    assert!(text.contains("roll-back: A closed case is") && text.contains("Not now: close"), "{text}");
}

#[test]
fn what_becomes_of_a_case_that_goes_another_way_is_said_alike_everywhere() {
    let (case, stays) = (whole::proofing(), whole::preview());
    let said = |preview: &RoutePreview| preview.becomes(&case).into_iter().map(|(_, says)| says).collect::<Vec<_>>().join(" ");
    assert!(said(&stays).contains("1 proof given so far still counts."), "{}", said(&stays));
    let mut gone = stays.clone();
    gone.checklist.items.iter_mut().for_each(|item| item.receipt = None);
    assert!(said(&gone).contains("1 proof given so far (") && said(&gone).contains("counts no more"), "{}", said(&gone));
    gone.problem = Some("It goes that way.".into());
    assert_eq!(said(&gone), "");
}

#[test]
fn deciding_looks_right() {
    snap("approve", |size| keys(size, &whole::ruiz(), &whole::sealed(), "d a"));
    snap("approve_blocked", |size| keys(size, &canned::nadia(), &whole::routed_by_me(), "d a"));
    snap("approve_confirm", |size| {
        let mut desk = keys(size, &whole::ruiz(), &whole::sealed(), "d a e");
        desk.write("the owner confirmed it by phone");
        desk.press("ctrl-s");
        desk
    });
}

#[test]
fn lists_and_forms_look_right() {
    snap("approvals_inbox", |size| desk(size, &whole::ruiz(), &whole::sealed()));
    snap("policy_case", |size| keys(size, &whole::ruiz(), &whole::sealed(), "w"));
    snap("log", |size| keys(size, &whole::ruiz(), &whole::sealed(), "g l"));
    snap("route_again", |size| keys(size, &canned::nadia(), &whole::proofing(), "r"));
    snap("route_new", |size| {
        let mut desk = desk(size, &canned::nadia(), &whole::sealed());
        desk.press("N");
        desk.write("pay");
        desk.tell(Message::Timer(Timer::Form));
        desk
    });
}

#[test]
fn a_case_that_is_routed_again_keeps_the_approver_groups_that_were_picked() {
    let mut case = whole::proofing();
    case.approver_groups = vec!["security".parse().unwrap(), "payments".parse().unwrap()];
    let mut desk = keys((120, 40), &canned::nadia(), &case, "r");
    assert!(desk.text().contains("security payments"), "{}", desk.text());
    desk.press("ctrl-s");
    desk.press("y");
    let order = desk.orders.pop().expect("it is sent");
    let Write::Route(body) = order.write else { panic!("{order:?}") };
    assert_eq!(body.approver_groups, case.approver_groups);
}

#[test]
fn enter_takes_no_subject_of_a_list_that_answers_other_words() {
    let me = canned::nadia();
    let all = whole::subjects();
    let server = move |ask: &Ask| match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(me.clone())))),
        Ask::Subjects(words) => {
            let mut page = all.clone();
            page.rows[0].name = Untrusted::from(format!("the one called {words}").as_str());
            if words == "d" {
                page.rows.push(page.rows[0].clone());
            }
            Some(Ok(Reply::Subjects(page)))
        }
        Ask::Subject(_) => {
            let mut record = whole::subject();
            record.name = Untrusted::from("the record of the one called pr");
            Some(Ok(Reply::Subject(Box::new(record))))
        }
        Ask::RoutePreview(_) => Some(Ok(Reply::Preview(Box::new(whole::preview())))),
        other => usual(other),
    };
    let mut desk = Desk::new(120, 40, |_| {}, Box::new(server), true);
    desk.press("N");
    desk.write("d");
    desk.press("enter");
    assert!(desk.text().contains("2 are found"), "an early Enter takes none of several:\n{}", desk.text());
    desk.press("ctrl-u");
    desk.write("pr");
    assert!(desk.text().contains("Looking …") && !desk.text().contains("called d"), "{}", desk.text());
    desk.press("down enter");
    let text = desk.text();
    assert!(text.contains("the record of the one called pr ·") && text.contains("What is to be restored"), "the only one that matches:\n{text}");
}

#[test]
fn a_blocked_approval_names_the_duty_and_who_could_decide() {
    for size in SIZES {
        let mut desk = keys(size, &canned::nadia(), &whole::routed_by_me(), "2");
        for key in ["1", "2", "3", "4", "5"] {
            desk.press(key);
            let text = desk.text();
            assert!(text.contains("you own the automation triage-bot") && text.contains("on shift: d.ruiz"), "{text}");
        }
        desk.press("d a");
        let text = desk.text();
        assert!(text.contains("You can't approve") && text.contains("d.ruiz"), "{text}");
        desk.press("s esc");
        assert!(desk.orders.is_empty() && desk.model.overlay.is_none(), "nothing goes out unconfirmed");
    }
}

#[test]
fn an_approval_that_alone_is_not_enough_says_so_before_it_is_signed() {
    let mut case = whole::sealed();
    let nearer = ["p.osei", "s.novak"].map(|o| o.parse().unwrap()).to_vec();
    case.after_yours = Some(Lacking { persons: 1, nearer });
    let mut desk = keys((120, 40), &whole::ruiz(), &case, "d a");
    let besides = "Your approval alone is not enough: one of p.osei or s.novak is needed besides.";
    assert!(desk.text().contains(besides), "{}", desk.text());
    desk.press("e");
    desk.write("seen");
    desk.press("ctrl-s");
    let text = desk.text();
    assert!(text.contains("Your approval alone is not enough") && !text.contains("Carried out at once"), "{text}");
}

#[test]
fn who_may_deny_and_not_approve_is_told_so_of_each() {
    let mut case = whole::sealed();
    let reason = "\"decide\" has no place in a case that is approved.".to_owned();
    case.refused_decisions = vec![RefusedAction { action: "approve".into(), reason, code: "wrong-state".into() }];
    let mut desk = keys((120, 40), &whole::ruiz(), &case, "d a");
    assert!(desk.text().contains("You can't approve"), "{}", desk.text());
    desk.press("esc d d");
    assert!(desk.text().contains("You may decide"), "{}", desk.text());
}

#[test]
fn whoever_insists_on_a_blocked_decision_is_told_that_the_attempt_stays_and_decides_nothing() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::routed_by_me(), "d a s");
    assert!(desk.text().contains("That you tried stands in the log"), "{}", desk.text());
    desk.press("y");
    let order = desk.orders.pop().unwrap();
    let Write::Decide(body) = order.write else { panic!("{order:?}") };
    assert_eq!((body.nonce.as_str(), body.seal_sha256), ("none", whole::routed_by_me().seal.unwrap().sha256), "no server issued this nonce");
}

#[test]
fn a_decision_is_sent_once_confirmed_by_another_key_with_what_was_shown() {
    let mut desk = keys((80, 24), &whole::ruiz(), &whole::sealed(), "d a s");
    assert!(desk.text().contains("A decision needs a reason"), "{}", desk.text());
    desk.write("seen");
    desk.press("ctrl-s");
    for other in ["enter", "ctrl-s", "s", "Y", "ctrl-y", "space", "j"] {
        desk.press(other);
        assert!(desk.orders.is_empty() && desk.model.overlay.is_some(), "{other} neither confirms nor cancels");
        assert!(desk.text().contains("means nothing here: y to"), "{}", desk.text());
    }
    for cancels in ["esc", "n"] {
        desk.press(cancels);
        assert!(desk.orders.is_empty() && desk.model.overlay.is_none(), "{cancels} cancels");
        assert!(desk.text().contains("Cancelled: nothing was sent."), "{}", desk.text());
        desk.press("e ctrl-s");
    }
    desk.press("y");
    let order = desk.orders.pop().unwrap();
    let Write::Decide(body) = order.write else { panic!("{order:?}") };
    assert_eq!((body.decision, body.reason.raw(), body.nonce.as_str()), (Decision::Approve, "seen", "n-1"));
    assert_eq!((body.seal_sha256, order.version), (whole::sealed().seal.unwrap().sha256, Some(3)));
    assert_eq!(desk.model.place(), Place::Case(whole::sealed().row.id));
}

#[test]
fn threat_t10_a_statement_that_differs_is_never_sent() {
    let mut other = whole::sealed();
    other.seal.as_mut().unwrap().plan_sha256 = countersign::base::Digest::of(b"another plan");
    let mut desk = keys((80, 24), &whole::ruiz(), &other, "d a e");
    desk.write("seen");
    desk.press("ctrl-s y");
    assert!(desk.orders.is_empty() && desk.text().contains("its plan_sha256 is not the one shown"), "{}", desk.text());
    let mut scope = whole::sealed();
    scope.plan.as_mut().unwrap().scope.push("admin".into());
    let mut desk = keys((80, 24), &whole::ruiz(), &scope, "d a e");
    desk.write("seen");
    desk.press("ctrl-s y");
    assert!(desk.orders.is_empty() && desk.text().contains("the plan shown"), "{}", desk.text());
}

#[test]
fn a_stale_decision_is_told_and_read_again_and_keeps_the_reason() {
    let mut desk = keys((80, 24), &whole::ruiz(), &whole::sealed(), "d d e");
    desk.write("wrong owner");
    let problem = Problem {
        kind: "urn:countersign:problem:stale".into(),
        title: "Stale".into(),
        status: 412,
        detail: "The case changed.".into(),
        request_id: None,
        field: None,
        duties: vec![],
        could_decide: None,
        mistakes: vec![],
    };
    desk.writes = Box::new(move |_| Err(ClientError::Problem(Box::new(problem.clone()))));
    desk.press("ctrl-s y");
    let text = desk.text();
    assert!(text.contains("Nothing was decided.") && text.contains("wrong owner"), "{text}");
    assert!(!text.contains("while you read it"), "it is as it was: {text}");
    let mut moved = whole::sealed();
    moved.row.version += 1;
    desk.server = Box::new(move |ask| match ask {
        Ask::Case(_) => Some(Ok(Reply::Case(Box::new(moved.clone())))),
        Ask::Statement(_, decision) => Some(Ok(Reply::Statement(Box::new(whole::statement(decision.code()))))),
        other => usual(other),
    });
    desk.press("s y");
    let text = desk.text();
    assert!(text.contains("The case changed while you read it: version 3 is now 4.") && text.contains("wrong owner"), "{text}");
    assert_eq!(desk.model.shared.drafts.values().next().map(String::as_str), Some("wrong owner"));
}

#[test]
fn a_case_that_changes_under_the_reader_is_read_again() {
    let mut desk = keys((80, 24), &whole::ruiz(), &whole::sealed(), "d a");
    let mut row = whole::sealed().row;
    row.version = 4;
    desk.done.clear();
    desk.tell(Message::Live(Live::News(Announcement::Case { row: Box::new(row) })));
    assert!(desk.done.iter().any(|e| matches!(e, Effect::Timer(Timer::Case, _))));
}

#[test]
fn what_is_refused_says_the_servers_reason_and_sends_nothing() {
    let desk = keys((80, 24), &canned::nadia(), &whole::routed_by_me(), "s");
    assert!(desk.text().contains("It is sealed already."), "{}", desk.text());
    assert!(desk.orders.is_empty());
}

#[test]
fn a_form_keeps_its_draft_and_sends_what_it_says() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::proofing(), "c");
    desk.write("call back at ten");
    desk.press("esc");
    assert!(desk.model.shared.drafts.values().any(|d| d == "call back at ten"));
    desk.press("c ctrl-s");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::Comment(text) if text.text.raw() == "call back at ten"), "{order:?}");
    assert!(desk.model.shared.drafts.is_empty());
}

#[test]
fn a_proof_is_started_from_what_the_server_offers() {
    let mut desk = keys((80, 24), &canned::nadia(), &whole::proofing(), "p enter");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::Proof(p) if p.attester.as_ref().is_some_and(|a| a.as_str() == "p-ines")), "{order:?}");
}

#[test]
fn routing_says_what_it_costs_before_anything_is_sent() {
    let mut desk = desk((80, 24), &canned::nadia(), &whole::sealed());
    desk.press("N");
    desk.write("pay");
    desk.tell(Message::Timer(Timer::Form));
    assert!(desk.text().contains("already open: CS-26-004090"), "{}", desk.text());
    desk.press("enter tab tab tab space");
    desk.tell(Message::Timer(Timer::Form));
    assert!(desk.text().contains("You give up deciding"), "{}", desk.text());
    let opened = whole::proofing();
    desk.writes = Box::new(move |_| Ok(Written { case: Some(Box::new(opened.clone())), version: Some(1), ..Written::default() }));
    desk.press("ctrl-s");
    assert!(desk.orders.is_empty(), "it is asked once more");
    desk.press("y");
    let order = desk.orders.pop().unwrap();
    assert!(matches!(&order.write, Write::Open(o) if o.scope.len() == 1 && o.target.as_str() == "vault"), "{order:?}");
    assert_eq!(desk.model.place(), Place::Case(whole::proofing().row.id));
}

#[test]
fn those_who_decide_begin_in_approvals() {
    assert_eq!(desk((80, 24), &whole::ruiz(), &whole::sealed()).model.place(), Place::Approvals);
    assert_eq!(desk((80, 24), &canned::nadia(), &whole::sealed()).model.place(), Place::Queue);
}

/// Texts that try to steer a terminal or a reader's eyes (threats T17, T18).
const NAUGHTY: [&str; 8] = [
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{9b}31m",
    "a\rb\u{8}c",
    "\u{202e}evil\u{202c}",
    "z\u{200b}e\u{feff}ro",
    "\u{e0041}tag",
    "\u{1b}]8;;http://x\u{1b}\\link",
];

/// A case in which every text from outside is naughty.
fn naughty(text: &str) -> CaseDetail {
    let mut case = whole::sealed();
    let bad = || Untrusted::from(text);
    case.row.subject_name = bad();
    case.subject.name = bad();
    case.requester = bad();
    case.summary = Some(bad());
    case.handover = Some(bad());
    text.clone_into(&mut case.opened_by);
    case.scope = vec![text.to_owned()];
    case.checklist.next = Some(text.to_owned());
    text.clone_into(&mut case.checklist.items[0].title);
    text.clone_into(&mut case.checklist.items[1].startable[0].label);
    case.evidence[0].text = Some(bad());
    case.comments[0].text = Some(bad());
    case.lineage[0].name = bad();
    case.approvals[0].reason = Some(bad());
    case.approvals[0].name = bad();
    text.clone_into(&mut case.plan.as_mut().unwrap().steps[0]);
    text.clone_into(&mut case.accountable[0].owner);
    case
}

#[test]
fn who_lost_a_race_is_told_who_decided_it_and_that_there_is_nothing_to_decide() {
    for size in SIZES {
        let mut desk = keys(size, &whole::ruiz(), &whole::sealed(), "d a e");
        desk.write("seen as well");
        let mut over = whole::sealed();
        (over.row.version, over.row.state, over.row.approvals_missing) = (over.row.version + 2, CaseState::Restored, 0);
        let mut chen = over.approvals[0].clone();
        (chen.operator, chen.id) = ("m.chen".parse().unwrap(), "ap-2".parse().unwrap());
        over.approvals.push(chen);
        let why = "\"decide\" has no place in a case that is restored.".to_owned();
        over.refused_actions = vec![RefusedAction { action: "case_decide".into(), reason: why, code: "wrong-state".into() }];
        desk.server = Box::new(move |ask| match ask {
            Ask::Me => Some(Ok(Reply::Me(Box::new(whole::ruiz())))),
            Ask::Case(_) => Some(Ok(Reply::Case(Box::new(over.clone())))),
            Ask::Statement(..) => None,
            other => usual(other),
        });
        desk.tell(Message::Timer(Timer::Case));
        desk.press("ctrl-s");
        let said = desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("m.chen approved it at 05 Mar 09:56Z. It is restored now."), "{}", desk.text());
        assert!(!said.contains("has no place") && !said.contains("Could decide") && desk.orders.is_empty(), "{}", desk.text());
    }
}

#[test]
fn naughty_texts_steer_no_screen() {
    for text in NAUGHTY {
        let case = naughty(text);
        let row = case.row.clone();
        for keys in ["1", "2", "3", "4", "5", "p", "t", "e", "d a", "d d", "r", "w", "x f", "g l", "g a", "!"] {
            let mut desk = at_case((120, 40), &whole::ruiz(), &case);
            desk.press(keys);
            let page = QueuePage { rows: vec![row.clone()], before: None, after: None };
            desk.server = Box::new(move |ask| if matches!(ask, Ask::Cases(_)) { Some(Ok(Reply::Cases(page.clone()))) } else { None });
            desk.press("ctrl-r");
            let drawn = desk.text();
            let bad = |c: char| c != '\n' && (c.is_control() || countersign::base::text::sanitise(&c.to_string(), false) != c.to_string());
            assert!(!drawn.contains(bad), "{keys}: {drawn:?}");
            let place = desk.model.place();
            let lines = desk.model.screen(place).lines(&desk.model.shared, place);
            assert!(!lines.iter().any(|l| shown(l).contains(bad)), "{keys} read out: {lines:?}");
        }
    }
}

#[test]
fn leaving_with_a_reason_that_was_not_sent_is_asked_for_twice() {
    let mut desk = keys((80, 24), &whole::ruiz(), &whole::sealed(), "d d e");
    desk.write("half a denial");
    desk.press("esc");
    let quit = || Message::Act(countersign::console::action::Action::Quit);
    desk.tell(quit());
    assert!(!desk.model.ended && desk.text().contains("was not sent") && desk.text().contains(":quit again leaves"), "{}", desk.text());
    desk.press("j");
    desk.tell(quit());
    assert!(!desk.model.ended, "another key in between: asked anew");
    desk.press("q");
    assert!(!desk.model.ended && matches!(desk.model.place(), Place::Case(_)), "the key goes back");
    assert!(desk.model.shared.drafts.values().any(|d| d == "half a denial"));
    desk.press("d d");
    desk.tell(quit());
    desk.tell(quit());
    assert!(desk.model.ended);
}

#[test]
fn a_key_that_means_nothing_says_so_and_commands_of_other_screens_are_named() {
    for size in SIZES {
        let mut desk = desk(size, &canned::nadia(), &whole::sealed());
        desk.press("Z");
        assert!(desk.text().contains("Z means nothing here; ? shows all keys."), "{}", desk.text());
        desk.press(":");
        desk.write("hold");
        let text = desk.text();
        let first = text.lines().find(|l| l.contains("▌") && l.contains("hold")).unwrap_or_default();
        assert!(first.contains("not here: open a case first"), "{text}");
    }
}
