//! Proposals that wait: counted in the head line, listed with what each would change and who could approve it, approved and withdrawn.

use countersign::api::governance::{RegisterAnswer, RegisterView};
use countersign::api::lists::{Counts, Me, QueuePage};
use countersign::client::{Write, Written};
use countersign::console::effect::Ask;
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use serde_json::{Value, json};

use crate::canned;
use crate::cases::{SIZES, snap};
use crate::desk::{Desk, usual};

fn me(person: &str, roles: &[&str], operations: &[&str]) -> Me {
    let mut value = serde_json::to_value(canned::nadia()).unwrap();
    canned::merge(
        &mut value,
        &json!({"operator": person, "person": format!("p-{person}"), "name": person, "roles": roles, "operations": operations}),
    );
    serde_json::from_value(value).unwrap()
}

/// Somebody who may approve proposals.
fn lind() -> Me {
    me("lind", &["security_reviewer"], &["queue_list", "register_read", "proposal_approve", "proposal_end"])
}

/// Rows of the register: an account for lind to approve, one that was approved, and a policy that lind proposed.
fn rows() -> RegisterView {
    let row = |id: &str, by: &str, says: &str, with: &Value| {
        let mut row = json!({"id": id, "proposed_by": by, "proposed_at": canned::now(), "change": {"change": "set_operator"}, "says": says,
            "approvals": [], "approvals_missing": 1, "approved_by": null, "effective_at": null, "could_approve": ["p-lind", "p-omar"], "for_you": false,
            "waits_until": "2026-03-12T10:00:00Z"});
        canned::merge(&mut row, with);
        row
    };
    let policy = json!({"change": {"change": "set_policy", "to": {"policy": "ab".repeat(32), "deciders": []}}, "could_approve": ["p-omar"]});
    let counting = json!({"approvals": ["p-omar"], "approved_by": "p-omar", "approvals_missing": 0, "effective_at": canned::now(),
        "could_approve": [], "waits_until": null});
    let account =
        "the account tom.becker of person p-tom may sign in as supervisor, in the groups desk; it is a further account of that person, who has tom";
    serde_json::from_value(
        json!({"version": 4, "policy_sha256": null, "persons": [], "operators": [], "automations": [], "delegations": [], "tokens": [],
        "proposals": [row("prp-1", "p-lind", "the policy abababab in place of the one in force", &policy),
            row("prp-2", "p-omar", "the account eve of person p-eve may sign in as support agent", &counting),
            row("prp-3", "p-morgan", account, &json!({"for_you": true}))],
        "names": {"p-morgan": "Morgan\u{1b}[31m Vale", "p-tom": "Tom Becker", "p-lind": "Anna Lind", "p-omar": "Omar Beta"}}),
    )
    .unwrap()
}

fn server(ask: &Ask, me: &Me) -> Option<Result<Reply, countersign::client::ClientError>> {
    match ask {
        Ask::Me => Some(Ok(Reply::Me(Box::new(me.clone())))),
        Ask::Counts => Some(Ok(Reply::Counts(Counts { proposals: 1, approvals: 0, ..canned::counts() }))),
        Ask::Cases(_) => Some(Ok(Reply::Cases(QueuePage::default()))),
        Ask::Proposals => Some(Ok(Reply::Register(Box::new(rows())))),
        other => usual(other),
    }
}

fn desk((columns, rows): (u16, u16), me: &Me) -> Desk {
    let me = me.clone();
    let mut desk = Desk::new(columns, rows, |_| {}, Box::new(move |ask| server(ask, &me)), true);
    desk.tell(Message::Live(Live::Up));
    desk
}

fn at_them(size: (u16, u16)) -> Desk {
    let mut desk = desk(size, &lind());
    desk.press("g o");
    desk
}

#[test]
fn proposals_that_wait_look_right() {
    snap("proposals", at_them);
    snap("proposals_confirm", |size| {
        let mut desk = at_them(size);
        desk.press("d a");
        desk
    });
}

#[test]
fn they_are_counted_in_the_head_line_and_lie_behind_the_last_page_of_approvals() {
    for size in SIZES {
        let mut desk = desk(size, &lind());
        desk.press("g a");
        let text = desk.text();
        assert!(text.lines().next().is_some_and(|l| l.contains("Proposals 1")), "{text}");
        desk.press("1");
        let said = desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("5 Proposals 1") && said.contains("1 proposal waits for your approval"), "{said}");
        desk.press("5");
        assert_eq!(desk.model.place(), Place::Proposals);
        desk.press("esc");
        assert_eq!(desk.model.place(), Place::Approvals);
        desk.press("4 tab");
        assert_eq!(desk.model.place(), Place::Proposals, "behind the last page");
    }
    let mut nadia = Desk::usual(80, 24);
    nadia.press("g a");
    assert!(!nadia.text().contains("Proposals"), "{}", nadia.text());
    nadia.press("g o");
    let text = nadia.text();
    assert!(text.contains("Proposals are for supervisors") && !text.contains("tries again"), "asking again helps nobody: {text}");
}

#[test]
fn what_waits_for_the_user_comes_first_and_is_approved_from_the_list_with_a_key_of_its_own() {
    for size in SIZES {
        let mut desk = at_them(size);
        let text = desk.text();
        assert!(text.contains("for you to approve: 1") && text.contains("Tom Becker") && text.contains("Morgan"), "{text}");
        assert!(text.contains("Anna Lind (p-lind)") && !text.contains("person p-tom"), "{text}");
        desk.press("d a");
        let asked = desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(asked.contains("Approve this proposal?") && asked.contains("It would change: the account tom.becker"), "{asked}");
        desk.press("enter a");
        assert!(desk.orders.is_empty(), "only its own key confirms");
        let counts = json!({"events": ["proposal_approved"], "effective_at": canned::now()});
        let mut answer = serde_json::to_value(RegisterAnswer::default()).unwrap();
        canned::merge(&mut answer, &counts);
        let answer: RegisterAnswer = serde_json::from_value(answer).unwrap();
        desk.writes = Box::new(move |_| Ok(Written { governed: Some(Box::new(answer.clone())), ..Written::default() }));
        desk.press("y");
        assert!(matches!(&desk.orders.pop().unwrap().write, Write::ApproveProposal(id) if id.as_str() == "prp-3"));
        assert!(desk.text().contains("Approved: it counts from 05 Mar 10:00Z."), "{}", desk.text());
    }
}

#[test]
fn ones_own_is_withdrawn_a_policy_is_read_whole_first_and_what_stands_in_the_way_is_said() {
    let mut desk = at_them((80, 24));
    desk.press("j d a");
    assert!(desk.text().contains("You proposed it") && desk.orders.is_empty(), "{}", desk.text());
    desk.press("d d");
    assert!(desk.text().contains("Withdraw your proposal?"), "{}", desk.text());
    desk.press("y");
    assert!(matches!(&desk.orders.pop().unwrap().write, Write::EndProposal(id) if id.as_str() == "prp-1"));
    desk.press("j d a");
    assert!(desk.text().contains("It is approved already."), "{}", desk.text());
    desk.press("g g enter");
    assert_eq!(desk.model.place(), Place::Proposal);
    assert!(desk.text().contains("Proposal prp-3") && desk.text().contains("Tom Becker"), "{}", desk.text());
    let mut omar = me("omar", &["policy_owner"], &["register_read", "proposal_approve", "proposal_end"]);
    omar.name = "omar".into();
    let mut other = self::desk((80, 24), &omar);
    other.press("g o j d a");
    assert!(other.orders.is_empty(), "{}", other.text());
    let mut nadia = self::desk((80, 24), &canned::nadia());
    nadia.press("g o");
    assert!(nadia.text().contains("for supervisors, security reviewers and policy owners"), "{}", nadia.text());
}

#[test]
fn whoever_listens_hears_them_numbered_and_opens_one_by_its_number() {
    let desk = at_them((80, 24));
    let lines = desk.model.screen(Place::Proposals).lines(&desk.model.shared, Place::Proposals);
    insta::assert_snapshot!("proposals_heard", lines.join("\n"));
    let mut talk = countersign::console::plain::talk::Talk::default();
    let (messages, said) = talk.hear(&desk.model, "pick 2");
    assert!(said.is_empty() && messages.len() == 3, "{messages:?}");
    let mut desk = desk;
    for message in messages {
        desk.tell(message);
    }
    assert_eq!(desk.model.place(), Place::Proposal);
    assert!(desk.text().contains("Proposed policy prp-1"), "{}", desk.text());
}
