//! Proposed policies: named on the page of the policy, opened, read, approved and ended, and what stands in the way of that.

use countersign::api::governance::{ProposalView, RegisterAnswer};
use countersign::api::lists::Me;
use countersign::api::problem::Problem;
use countersign::base::Digest;
use countersign::client::{ClientError, Write, Written};
use countersign::console::action::Action;
use countersign::console::effect::{Ask, Effect};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::update;
use crossterm::event::{KeyCode, KeyEvent};
use serde_json::{Value, json};

use crate::cases::{SIZES, snap};
use crate::desk::{Desk, usual};
use crate::{canned, whole};

fn digest(n: u32) -> Digest {
    Digest::of(format!("policy {n}").as_bytes())
}

/// A policy owner, or somebody else.
fn me(person: &str, role: &str, operations: &[&str]) -> Me {
    let mut value = serde_json::to_value(canned::nadia()).unwrap();
    canned::merge(
        &mut value,
        &json!({"operator": person, "person": format!("p-{person}"), "name": person, "roles": [role], "operations": operations}),
    );
    serde_json::from_value(value).unwrap()
}

fn morgan() -> Me {
    me("morgan", "policy_owner", &["policy_read", "register_read", "proposal_approve", "proposal_end"])
}

/// A proposal as the page of the policy has it.
fn row(n: u32, with: &Value) -> Value {
    let mut value = json!({
        "proposal": format!("prp-{n}"), "sha256": digest(n), "proposed_by": "p-ana", "approvals": [], "approvals_missing": 1, "approved_by": null,
        "effective_at": null, "more": 0, "unreadable": false, "settings": [
            {"name": "governance.token_lifetime", "was": "10 d", "would_be": "30 d", "lean": "laxer"},
            {"name": "delay.privileged", "was": "", "would_be": "1 h", "lean": "stricter"}]
    });
    canned::merge(&mut value, with);
    value
}

/// The page of the policy with these proposals.
fn policy(rows: &[Value]) -> Value {
    json!({"sha256": digest(0), "text": "version = 1\n", "accountable": [{"function": "business", "owner": "r.cole"}], "proposed": rows,
        "names": {"p-ana": "Ana Alpha", "p-omar": "Omar\u{1b}[31m Beta"}})
}

/// A proposal, whole.
fn view(row: &Value) -> ProposalView {
    let (text, settings) = ("version = 2\n\n[governance]\n".to_owned() + &"# a line of it\n".repeat(60), row["settings"].clone());
    let policy = json!({"sha256": row["sha256"], "text": text, "current_sha256": digest(0), "laxer": true, "stricter": true, "settings": settings,
        "classes": 640, "cases": [{"verdict": "laxer", "classes": 12, "example": "employee, standard", "gone": ["approvals: 2"], "added": ["approvals: 1"]}]});
    let policy = if row["unreadable"] == json!(true) { Value::Null } else { policy };
    let whole = json!({"id": row["proposal"], "proposed_by": row["proposed_by"], "proposed_at": canned::now(), "change": {"change": "set_policy"},
        "says": "another policy", "approvals": row["approvals"], "approvals_missing": row["approvals_missing"], "approved_by": row["approved_by"],
        "effective_at": row["effective_at"]});
    serde_json::from_value(json!({"proposal": whole, "policy": policy, "names": {}})).unwrap()
}

fn gone() -> ClientError {
    let problem: Problem = serde_json::from_value(json!({"type": "urn:countersign:problem:not-found", "title": "x", "status": 404,
        "detail": "The proposal prp-1 is not known, or waits no more.", "request_id": "req-1"}))
    .unwrap();
    ClientError::Problem(Box::new(problem))
}

/// A desk at the page of the policy.
fn desk((columns, rows): (u16, u16), me: &Me, all: &[Value]) -> Desk {
    let (me, all) = (me.clone(), all.to_vec());
    let server = move |ask: &Ask| match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(me.clone())))),
        Ask::Policy => Some(Ok(Reply::Value(Box::new(policy(&all))))),
        Ask::Proposal(id) => {
            let one = all.iter().find(|row| row["proposal"] == json!(id.as_str()));
            Some(one.map_or_else(|| Err(gone()), |row| Ok(Reply::Proposal(Box::new(view(row))))))
        }
        other => usual(other),
    };
    let mut desk = Desk::new(columns, rows, |_| {}, Box::new(server), true);
    desk.tell(Message::Live(Live::Up));
    desk.press("g p");
    desk
}

#[test]
fn proposed_policies_look_right() {
    snap("policy_proposed", |size| desk(size, &morgan(), &[row(1, &json!({"approvals_missing": 2}))]));
    let open = |size, keys: &str| {
        let mut desk = desk(size, &morgan(), &[row(1, &json!({}))]);
        desk.press(keys);
        desk
    };
    snap("proposal", |size| open(size, "enter"));
    snap("proposal_confirm", |size| open(size, "enter d a"));
}

#[test]
fn who_proposed_and_approved_it_is_named_and_how_many_it_waits_for_is_said() {
    let stand = |with: &Value| {
        let text = desk((120, 40), &morgan(), &[row(1, with)]).text();
        text.lines().find(|l| l.trim_start().starts_with("Stands")).unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    };
    assert!(stand(&json!({})).ends_with("waits for one further person"));
    assert!(stand(&json!({"approvals_missing": 2})).ends_with("waits for two further persons"));
    let seconded = stand(&json!({"approvals": ["p-omar"], "approvals_missing": 1}));
    assert!(seconded.contains("(p-omar), waits for one further person") && seconded.contains("Omar") && !seconded.contains('\u{1b}'), "{seconded}");
    let two = json!({"approvals": ["p-omar", "p-ines"], "approvals_missing": 0, "approved_by": "p-ines", "effective_at": canned::now()});
    assert!(stand(&two).contains("(p-omar) and person p-ines, counts from 05 Mar 10:00Z"), "{}", stand(&two));
    let text = desk((120, 40), &morgan(), &[row(1, &json!({}))]).text();
    assert!(text.contains("Ana Alpha (p-ana)") && !text.contains("person p-ana"), "{text}");
}

#[test]
fn it_is_read_and_then_approved_with_a_key_of_its_own() {
    for size in SIZES {
        let mut desk = desk(size, &morgan(), &[row(1, &json!({"approvals_missing": 2}))]);
        desk.press("enter");
        let text = desk.text();
        assert_eq!(desk.model.place(), Place::Proposal);
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(at("token_lifetime: 10 d → 30 d") < at("12 of 640 classes") && at("12 of 640 classes") < at("Its text"), "{text}");
        desk.press("d a");
        let text = desk.text();
        assert!(
            text.contains("Approve this policy?") && text.contains("It takes one further person after you.") && text.contains("Not yet read:"),
            "{text}"
        );
        desk.press("enter a d");
        assert!(desk.orders.is_empty(), "only its own key confirms");
        let waits = RegisterAnswer { approvals_missing: 1, events: vec!["proposal_seconded".into()], ..RegisterAnswer::default() };
        desk.writes = Box::new(move |_| Ok(Written { governed: Some(Box::new(waits.clone())), ..Written::default() }));
        desk.press("y");
        let order = desk.orders.pop().unwrap();
        assert!(matches!(&order.write, Write::ApproveProposal(id) if id.as_str() == "prp-1") && order.case.is_none(), "{order:?}");
        assert!(desk.text().contains("Approved. It waits for one further person."), "{}", desk.text());
        assert_eq!(desk.model.place(), Place::Proposal);

        desk.press("G d a");
        assert!(!desk.text().contains("Not yet read"), "{}", desk.text());
        desk.press("esc u");
        assert!(desk.text().contains("can't be undone"), "{}", desk.text());
    }
}

#[test]
fn the_last_approval_says_from_when_it_counts_and_an_end_leads_back() {
    let answers = [
        (json!({"effective_at": canned::now()}), "Approved: it counts from 05 Mar 10:00Z.", Place::Proposal),
        (json!({"events": ["proposal_approved", "changed"]}), "Approved: it is in force now.", Place::Policy(None)),
    ];
    for (with, said, place) in answers {
        let mut answer = serde_json::to_value(RegisterAnswer::default()).unwrap();
        canned::merge(&mut answer, &with);
        let answer: RegisterAnswer = serde_json::from_value(answer).unwrap();
        let mut desk = desk((80, 24), &morgan(), &[row(1, &json!({}))]);
        desk.writes = Box::new(move |_| Ok(Written { governed: Some(Box::new(answer.clone())), ..Written::default() }));
        desk.press("enter d a");
        assert!(desk.text().contains("Yours is the last approval"), "{}", desk.text());
        desk.press("y");
        assert!(desk.text().contains(said), "{}", desk.text());
        assert_eq!(desk.model.place(), place);
    }
    let mut own = desk((80, 24), &me("ana", "policy_owner", &["register_read", "proposal_approve", "proposal_end"]), &[row(1, &json!({}))]);
    own.press("enter d a");
    assert!(own.text().contains("You proposed it: somebody else must approve it."), "{}", own.text());
    own.press("d d");
    assert!(own.text().contains("Withdraw your proposal?"), "{}", own.text());
    let ended = RegisterAnswer { events: vec!["proposal_ended".into()], ..RegisterAnswer::default() };
    own.writes = Box::new(move |_| Ok(Written { governed: Some(Box::new(ended.clone())), ..Written::default() }));
    own.press("y");
    assert!(matches!(own.orders.pop().map(|o| o.write), Some(Write::EndProposal(_))));
    assert!(own.text().contains("Ended: it is proposed no more.") && own.model.place() == Place::Policy(None), "{}", own.text());
}

#[test]
fn a_repeated_approval_is_told_as_it_stands_and_never_as_an_end() {
    let stand = |with: &Value| {
        let mut answer = serde_json::to_value(RegisterAnswer::default()).unwrap();
        canned::merge(&mut answer, with);
        let answer: RegisterAnswer = serde_json::from_value(answer).unwrap();
        let mut desk = desk((120, 40), &morgan(), &[row(1, &json!({}))]);
        desk.writes = Box::new(move |_| Ok(Written { governed: Some(Box::new(answer.clone())), ..Written::default() }));
        desk.press("enter d a y");
        assert_eq!(desk.model.place(), Place::Proposal, "it is not over");
        desk.text()
    };
    let counts = stand(&json!({"events": ["proposal_approved"], "effective_at": canned::now()}));
    assert!(counts.contains("Approved: it counts from 05 Mar 10:00Z."), "{counts}");
    for known in [json!({}), json!({"events": ["proposal_approved"]})] {
        let text = stand(&known);
        assert!(text.contains("It was done before: see how it stands.") && !text.contains("proposed no more"), "{text}");
    }
}

#[test]
fn what_a_comparison_leaves_out_is_said_and_nothing_is_approved_before_it_was_shown() {
    let shown = |policy: &Value| {
        let mut whole = view(&row(1, &json!({})));
        let mut value = serde_json::to_value(&whole.policy).unwrap();
        canned::merge(&mut value, policy);
        whole.policy = serde_json::from_value(value).unwrap();
        whole
    };
    let server = |answer: ProposalView| -> crate::desk::Server {
        Box::new(move |ask| if matches!(ask, Ask::Proposal(_)) { Some(Ok(Reply::Proposal(Box::new(answer.clone())))) } else { usual(ask) })
    };
    let mut desk = desk((120, 40), &morgan(), &[row(1, &json!({}))]);
    desk.server = Box::new(|ask| if matches!(ask, Ask::Proposal(_)) { None } else { usual(ask) });
    desk.press("enter");
    desk.tell(Message::Act(Action::ApproveProposal));
    assert!(desk.model.overlay.is_none() && desk.text().contains("what nobody has seen nobody approves"), "{}", desk.text());
    desk.server = server(shown(&json!({"more_settings": 400, "more_cases": 30})));
    desk.press("ctrl-r");
    let text = desk.text();
    assert!(text.contains("400 more settings differ.") && text.contains("There are 30 more differences."), "{text}");
    desk.press("G d a");
    assert!(desk.text().contains("that differ: 402.") && !desk.text().contains("Not yet read"), "{}", desk.text());
    desk.press("esc g g");
    desk.server = server(shown(&json!({"current_sha256": digest(9)})));
    desk.press("ctrl-r");
    assert!(desk.text().contains("The policy in force changed"), "{}", desk.text());
    desk.press("d a");
    assert!(desk.text().contains("Not yet read"), "{}", desk.text());
}

#[test]
fn an_answer_about_a_proposal_that_was_left_names_it_and_leads_nowhere() {
    let mut desk = desk((120, 40), &morgan(), &[row(1, &json!({"approvals_missing": 2})), row(2, &json!({}))]);
    desk.press("enter enter d a");
    let effects = update::update(&mut desk.model, Message::Key(KeyEvent::from(KeyCode::Char('y'))));
    let sent = effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None });
    let (seq, to) = sent.unwrap();
    desk.press("esc enter down enter");
    assert!(desk.text().contains("Proposed policy prp-2"), "{}", desk.text());
    let waits = RegisterAnswer { approvals_missing: 1, events: vec!["proposal_seconded".into()], ..RegisterAnswer::default() };
    let written = Written { governed: Some(Box::new(waits)), ..Written::default() };
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::new(written))) });
    assert!(desk.text().contains("prp-1: Approved. It waits for one further person."), "{}", desk.text());
    assert!(desk.model.place() == Place::Proposal && desk.text().contains("Proposed policy prp-2"), "{}", desk.text());
}

#[test]
fn what_stands_in_the_way_is_said_before_anything_is_sent() {
    let refused = |desk: &mut Desk, keys: &str, why: &str| {
        desk.press(keys);
        let said = desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(desk.orders.is_empty() && said.contains(why), "{why}: {}", desk.text());
    };
    let mut agent = desk((80, 24), &canned::nadia(), &[row(1, &json!({}))]);
    refused(&mut agent, "j", "is for supervisors, security reviewers and policy owners.");
    refused(&mut agent, "enter", "is for supervisors");
    assert_eq!(agent.model.place(), Place::Policy(None));
    let mut supervisor = desk((80, 24), &me("d.ruiz", "supervisor", &["register_read"]), &[row(1, &json!({}))]);
    refused(&mut supervisor, "enter d a", "Security reviewers and policy owners decide about proposals");
    let approved = json!({"approvals": ["p-morgan"], "approvals_missing": 1});
    refused(&mut desk((80, 24), &morgan(), &[row(1, &approved)]), "enter d a", "You approved it already");
    let mut ended = desk((80, 24), &morgan(), &[row(1, &json!({}))]);
    ended.press("enter");
    ended.server = Box::new(|ask| if matches!(ask, Ask::Proposal(_)) { Some(Err(gone())) } else { usual(ask) });
    ended.press("ctrl-r");
    refused(&mut ended, "d a", "waits no more");
    let mut reading = Desk::new(80, 24, |c| c.read_only = true, Box::new(usual), true);
    reading.server = Box::new(|ask| match ask {
        Ask::Policy => Some(Ok(Reply::Value(Box::new(policy(&[row(1, &json!({}))]))))),
        Ask::Proposal(_) => Some(Ok(Reply::Proposal(Box::new(view(&row(1, &json!({}))))))),
        Ask::Me => Some(Ok(Reply::Me(Box::new(morgan())))),
        other => usual(other),
    });
    reading.tell(Message::Live(Live::Down { why: gone(), again_in: 1 }));
    reading.tell(Message::Live(Live::Up));
    reading.press("g p enter");
    refused(&mut reading, "d a", "started to read only");
}

#[test]
fn one_that_cannot_be_read_is_told_and_hides_nothing_and_nobody_approves_it() {
    let unreadable = row(1, &json!({"unreadable": true, "settings": []}));
    let mut desk = desk((80, 24), &morgan(), &[unreadable, row(2, &json!({}))]);
    desk.tell(Message::Resize(120, 40));
    let text = desk.text();
    assert!(text.contains("This version can't read it") && text.contains("prp-2") && text.contains("10 d → 30 d"), "{text}");
    desk.press("enter enter");
    assert!(desk.text().contains("Proposed policy prp-1") && desk.text().contains("This version can't read it"), "{}", desk.text());
    desk.press("d a");
    assert!(desk.orders.is_empty() && desk.text().contains("nobody can read nobody approves"), "{}", desk.text());
    desk.press("d d");
    assert!(desk.text().contains("Refuse this proposal?"), "{}", desk.text());
}

#[test]
fn of_more_than_five_each_is_shown_and_the_one_that_is_meant_is_opened() {
    let all: Vec<Value> = (1..8).map(|n| row(n, &json!({}))).collect();
    let mut desk = desk((120, 40), &morgan(), &all);
    let lines = desk.model.screen(Place::Policy(None)).lines(&desk.model.shared, Place::Policy(None)).join("\n");
    assert!((1..8).all(|n| lines.contains(&format!("Proposal: prp-{n}"))), "{lines}");
    desk.press("enter");
    assert!(desk.text().contains("Open which proposed policy") && desk.text().contains("prp-7 by Ana Alpha (p-ana)"), "{}", desk.text());
    desk.write("prp-6");
    desk.press("enter");
    assert!(desk.text().contains("Proposed policy prp-6"), "{}", desk.text());
    desk.press("esc");
    assert_eq!(desk.model.place(), Place::Policy(None));
}

#[test]
fn without_a_proposal_there_is_nothing_to_open() {
    let mut desk = desk((80, 24), &morgan(), &[]);
    let offered = countersign::console::view::hints(&desk.model);
    assert!(!offered.iter().any(|(_, hint)| *hint == "open"), "{offered:?}");
    desk.press("enter");
    assert_eq!(desk.model.place(), Place::Policy(None));
    let mut case = crate::cases::keys((80, 24), &whole::ruiz(), &whole::sealed(), "w");
    case.tell(Message::Act(Action::Open));
    assert!(matches!(case.model.place(), Place::Policy(Some(_))), "{:?}", case.model.place());
}
