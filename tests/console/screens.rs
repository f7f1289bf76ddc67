//! Every screen there is has its picture at 80x24 and at 120x40: those that no other file here draws, and the list of all of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use countersign::api::words::Decision;
use countersign::console::effect::Ask;
use countersign::console::mail::{Mails, parse};
use countersign::console::message::Reply;
use countersign::console::model::Place;

use crate::cases::{SIZES, keys, snap};
use crate::desk::{Desk, usual};
use crate::{canned, whole};

/// The pictures of a place, without their size. A place that is added fails to compile here until it has some.
fn pictures(place: Place) -> &'static [&'static str] {
    match place {
        Place::SignIn => &["frame__sign_in"],
        Place::Queue => &["queue__queue", "queue__filter", "queue__narrowed", "queue__near", "queue__palette", "frame__offline"],
        Place::Case(_) => &[
            "cases__case_overview",
            "cases__case_checklist",
            "cases__case_evidence",
            "cases__case_approvals",
            "cases__case_timeline",
            "cases__case_triage",
            "cases__case_seal",
            "cases__case_prove",
            "cases__case_hold",
            "cases__held_overview",
        ],
        Place::Approvals => &["cases__approvals_inbox"],
        Place::Approve(..) => &["cases__approve", "cases__approve_blocked", "cases__approve_confirm", "cases__deny"],
        Place::Route(_) => &["cases__route_new", "cases__route_again"],
        Place::Policy(_) => &["cases__policy_case", "cases__policy", "cases__policy_proposed"],
        Place::Proposal => &["cases__proposal", "cases__proposal_confirm"],
        Place::Proposals => &["cases__proposals", "cases__proposals_confirm"],
        Place::Log => &["cases__log"],
        Place::Grants => &["grants__grants", "grants__grants_form", "grants__grants_confirm"],
        Place::Mailbox => &["cases__mailbox"],
        Place::Messages => &["frame__messages"],
        Place::Help => &["queue__help"],
    }
}

#[test]
fn every_screen_has_its_pictures_at_both_sizes() {
    let id = whole::sealed().row.id;
    let all = [
        Place::SignIn,
        Place::Queue,
        Place::Case(id),
        Place::Approvals,
        Place::Approve(id, Decision::Approve),
        Place::Route(None),
        Place::Policy(None),
        Place::Proposal,
        Place::Proposals,
        Place::Log,
        Place::Grants,
        Place::Mailbox,
        Place::Messages,
        Place::Help,
    ];
    let scopes: BTreeSet<String> = all.iter().map(|p| format!("{:?}", p.scope())).collect();
    assert_eq!(scopes.len(), all.len(), "each once: {scopes:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/snapshots");
    let names = all.iter().flat_map(|p| pictures(*p)).flat_map(|name| SIZES.map(|(w, h)| format!("console__{name}_{w}x{h}.snap")));
    let missing: Vec<String> = names.filter(|name| !folder.join(name).is_file()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_a_case_asks_and_says_when_it_stands_still_looks_right() {
    snap("case_prove", |size| keys(size, &canned::nadia(), &whole::proofing(), "p"));
    snap("case_hold", |size| keys(size, &canned::nadia(), &whole::routed_by_me(), "x h"));
    snap("deny", |size| keys(size, &whole::ruiz(), &whole::sealed(), "d d"));
}

#[test]
fn the_policy_in_force_looks_right() {
    snap("policy", |size| keys(size, &whole::ruiz(), &whole::sealed(), "g p"));
}

#[test]
fn the_mailbox_looks_right() {
    let mails = [
        "To: m.okafor@corp.example\r\nSubject: Your code for CS-26-004127\r\nDate: Mon, 5 Jan 2026 08:58:00 +0000\r\n\r\nYour code is 1234 5678.\r\n",
        "To: d.ruiz@corp.example\r\nSubject: A case waits for your decision\r\nDate: Mon, 5 Jan 2026 08:51:00 +0000\r\n\r\nCS-26-004127\r\n",
    ];
    snap("mailbox", |(columns, rows)| {
        let server = move |ask: &Ask| match ask {
            Ask::Mail(..) => Some(Ok(Reply::Mail(Some(Mails { stamp: 1, mails: mails.map(|m| Arc::new(parse(m))).to_vec() })))),
            other => usual(other),
        };
        let mut desk = Desk::new(columns, rows, |c| c.mailbox = Some("mail".into()), Box::new(server), true);
        desk.press("g m");
        desk
    });
}
