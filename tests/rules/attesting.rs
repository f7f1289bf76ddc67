//! Invariant 5: no receipt rests on one operator's word. Owner quorums, gates beside the proof, and who may attest at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use countersign::base::Digest;
use countersign::base::ids::PersonId;
use countersign::domain::case::{ActorRef, Receipt, TrustRoot};
use countersign::domain::command::Command;
use countersign::domain::policy::{DEFAULT, Policy, compare};
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::{Ownership, Subject};
use countersign::domain::vocabulary::*;
use countersign::domain::{attest, checklist, dates, lineage, mailboxes};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::play::*;

pub const OWNERS: [&str; 4] = ["own-1", "own-2", "own-3", "own-4"];
pub const QUORUM: Method = Method::OwnerQuorum;
pub const GATE: Method = Method::ManagerAttestation;

pub fn subject(play: &mut Play, change: impl FnOnce(&mut Subject)) {
    change(Arc::make_mut(play.world.subject.as_mut().unwrap()));
}

/// A service account with those owners and Mona as the recorded manager; its case opened by the bot and triaged by Nadia.
pub fn machine(owners: &[&str]) -> Play {
    let mut play = Play::new(Tier::Standard);
    let nobody = play.world.register.persons[&id::<PersonId>("mona")].clone();
    play.register(|r| {
        for owner in OWNERS {
            r.persons.insert(id(owner), countersign::domain::register::Person { id: id(owner), ..nobody.clone() });
        }
    });
    let since = start() - Duration::days(100);
    subject(&mut play, |s| {
        (s.kind, s.person) = (SubjectKind::ServiceAccount, None);
        s.owners = owners.iter().map(|o| Ownership { person: id(o), since, until: None }).collect();
    });
    play.open(bot(vec![]), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play
}

pub fn begin(play: &mut Play, method: Method, who: &str) -> (String, Result<(), Refusal>) {
    let session = play.name("ses");
    let command = Command::StartProof { session: id(&session), method, endpoint: None, attester: Some(id(who)) };
    let answer = play.act(op("nadia"), &command);
    (session, answer)
}

pub fn answer(play: &mut Play, session: &str, who: &str, root: &str) -> Result<(), Refusal> {
    let trust_root = TrustRoot { kind: TrustRootKind::Contact, sha256: Digest::of(root.as_bytes()) };
    let receipt = play.name("rcp");
    let who = ActorRef::Attester { person: id(who), session: id(session) };
    play.act(who, &Command::RecordProof { session: id(session), receipt: id(&receipt), trust_root })
}

pub fn yes(play: &mut Play, method: Method, who: &str) -> Result<(), Refusal> {
    let (session, started) = begin(play, method, who);
    started.and_then(|()| answer(play, &session, who, who))
}

fn complete(play: &Play) -> bool {
    checklist::progress(&play.world, play.now).complete
}

/// Whether two of the present owners and somebody beside them said yes, each over a mailbox of their own: every way is tried.
fn enough(play: &Play) -> bool {
    let owners: BTreeSet<&PersonId> = play.world.subject.as_deref().unwrap().owners_at(play.now).collect();
    let of = |method| play.case().receipts.iter().filter(move |r: &&Receipt| r.method == method);
    let apart = |a: &Receipt, b: &Receipt| a.trust_root.sha256 != b.trust_root.sha256 && attest::giver(a) != attest::giver(b);
    let owner = |r: &&Receipt| attest::giver(r).is_some_and(|p| owners.contains(p));
    of(QUORUM).filter(owner).any(|a| of(QUORUM).filter(owner).any(|b| apart(a, b) && of(GATE).any(|g| apart(a, g) && apart(b, g))))
}

#[test]
fn invariant_05_an_owner_quorum_is_two_present_owners_and_the_gate_beside_it_is_a_third_persons() {
    let mut play = machine(&["own-1", "own-2"]);
    yes(&mut play, QUORUM, "own-1").unwrap();
    assert!(!complete(&play), "one owner is no quorum");
    assert!(matches!(yes(&mut play, QUORUM, "own-1"), Err(Refusal::Already(_))), "and can't be it twice");
    assert!(matches!(yes(&mut play, GATE, "own-1"), Err(Refusal::Already(_))), "nor the gate beside it");
    let progress = checklist::progress(&play.world, play.now);
    let items = &progress.items;
    let ways: BTreeSet<_> = items.iter().flat_map(|i| &i.startable).filter(|s| s.0 == QUORUM).map(|s| s.2.clone().unwrap()).collect();
    assert_eq!(ways, BTreeSet::from([id("own-2")]), "the one who is missing is offered, and nobody else");
    yes(&mut play, QUORUM, "own-2").unwrap();
    assert!(matches!(play.act(op("nadia"), &Command::Seal), Err(Refusal::ChecklistIncomplete { missing }) if missing == vec![GATE]));
    yes(&mut play, GATE, "mona").unwrap();
    play.act(op("nadia"), &Command::Seal).unwrap();
}

#[test]
fn invariant_05_an_owner_who_gave_the_gate_first_can_still_be_of_the_quorum_and_then_another_gives_the_gate() {
    let mut play = machine(&["own-1", "own-2"]);
    for (method, who) in [(GATE, "own-1"), (QUORUM, "own-1"), (QUORUM, "own-2")] {
        assert!(!complete(&play));
        yes(&mut play, method, who).unwrap();
    }
    assert!(!complete(&play), "one person's word would be proof and gate");
    yes(&mut play, GATE, "mona").unwrap();
    assert!(complete(&play));
}

#[test]
fn invariant_05_a_single_owner_is_no_quorum_and_a_policy_that_knows_no_other_way_is_shown_to_lead_nowhere_at_once() {
    let mut play = machine(&["own-1"]);
    assert!(matches!(begin(&mut play, QUORUM, "own-1").1, Err(Refusal::EndpointUnusable(why)) if why.contains("two present owners")));
    assert!(!play.case().has_flag(FlagKind::Deadlock), "there are other ways");
    let quorum_only = DEFAULT.replacen(
        "any_of = [\n  { all = [[\"issued_code\"",
        "any_of = [\n  { all = [\"owner_quorum\"] },\n]\n\n[proof.unused]\nany_of = [\n  { all = [[\"issued_code\"",
        1,
    );
    assert_ne!(quorum_only, DEFAULT);
    let policy = Arc::new(Policy::parse(&quorum_only).unwrap());
    for (owners, stuck) in [(&OWNERS[..1], true), (&OWNERS[..2], false)] {
        let mut play = machine(owners);
        play.world.case = None;
        (play.world.pinned, play.world.current) = (policy.clone(), policy.clone());
        play.open(op("nadia"), Path::Assisted);
        assert_eq!(play.case().has_flag(FlagKind::Deadlock), stuck, "{owners:?}");
    }
}

#[test]
fn invariant_05_nobody_is_a_recovery_contact_as_none_is_recorded_and_the_built_in_policy_counts_on_none() {
    let mut play = machine(&OWNERS);
    play.world.current =
        Arc::new(Policy::parse(&DEFAULT.replace(", [\"issued_code\", \"saved_code\"]]", ", [\"issued_code\", \"recovery_contact\"]]")).unwrap());
    play.world.pinned = play.world.current.clone();
    for who in ["mona", "own-1"] {
        let refused = begin(&mut play, Method::RecoveryContact, who).1;
        assert!(matches!(&refused, Err(Refusal::EndpointUnusable(why)) if why.contains("No recovery contact is recorded")), "{refused:?}");
    }
    let written = Policy::builtin().bundle;
    for (facts, _) in compare::requirements(&written).unwrap() {
        let need = written.written(&facts);
        let named = need.proofs.iter().flat_map(|p| &p.any_of).flat_map(|set| &set.slots).flatten().any(|m| *m == Method::RecoveryContact);
        assert!(!named, "{facts}");
    }
}

#[test]
fn invariant_05_the_agent_of_a_bots_case_who_owns_what_it_is_about_proves_nothing_in_it() {
    let mut play = machine(&["omar", "nadia"]);
    // Omar owns the bot that opened it, Nadia triaged it; no owner is left who does not work the case.
    for who in ["omar", "nadia"] {
        for method in [QUORUM, GATE] {
            assert!(matches!(begin(&mut play, method, who).1, Err(Refusal::EndpointUnusable(_))), "{who}: {method}");
        }
    }
    begin(&mut play, GATE, "mona").1.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariant_05_two_owners_and_a_gate_are_three_persons_over_three_mailboxes(
        said in vec((select(vec![QUORUM, QUORUM, GATE]), select(vec!["own-1", "own-2", "own-3", "own-4", "mona"]), select(vec!["", "", "shared"])), 0..9),
        left in btree_set(select(OWNERS.to_vec()), 0..2)
    ) {
        let mut play = machine(&OWNERS);
        for (method, who, root) in said {
            let (session, started) = begin(&mut play, method, who);
            if started.is_ok() {
                answer(&mut play, &session, who, if root.is_empty() { who } else { root }).unwrap();
            }
            prop_assert_eq!(complete(&play), enough(&play));
        }
        let now = play.now;
        subject(&mut play, |s| s.owners.iter_mut().filter(|o| left.contains(o.person.as_str())).for_each(|o| o.until = Some(now)));
        play.now += Duration::seconds(1);
        prop_assert_eq!(complete(&play), enough(&play), "whoever is no longer an owner is none of the quorum");
    }

    #[test]
    fn invariant_05_whoever_works_a_case_attests_nothing_in_it_before_or_after(
        first in select(vec!["own-1", "own-2", "own-3"]), works in select(vec!["own-1", "own-2", "own-3", "own-4"]), how in 0_u8..4
    ) {
        let mut play = machine(&OWNERS);
        for owner in OWNERS {
            play.register(|r| {
                let account = r.operators[&id("nadia")].clone();
                r.operators.insert(id(owner), countersign::domain::register::Operator { id: id(owner), person: id(owner), ..account });
            });
        }
        let next = if first == "own-1" { "own-2" } else { "own-1" };
        for (method, who) in [(QUORUM, first), (QUORUM, next), (GATE, "mona")] {
            yes(&mut play, method, who).unwrap();
        }
        prop_assert!(complete(&play));
        let now = play.now;
        match how {
            0 => play.act(op(works), &triage()).unwrap(),
            1 => play.act(op(works), &Command::AddEvidence { id: id("ev-1"), kind: EvidenceKind::Note, text: text("e") }).unwrap(),
            // Who owned the bot that opened it, and who had it act for them.
            2 => play.register(|r| r.automations.get_mut(&id("bot")).unwrap().owners.push(Ownership { person: id(works), since: now - Duration::days(9), until: Some(now - Duration::days(2)) })),
            _ => {
                let picked = countersign::domain::case::Route { picked_groups: [id("security")].into(), ..play.case().route.clone() };
                play.act(bot(vec![human(works)]), &Command::Route { route: picked }).unwrap();
            }
        }
        prop_assert!(lineage::working_hands(&play.world, play.now).contains(&id::<PersonId>(works)));
        prop_assert!([QUORUM, GATE].iter().all(|m| !attest::attesters(&play.world, *m, play.now).contains(&id::<PersonId>(works))));
        prop_assert!(begin(&mut play, GATE, works).1.is_err(), "{works} is asked all the same");
        prop_assert_eq!(complete(&play), works != first && works != next, "{} worked it, and their yes counts", works);
    }
}

#[test]
fn invariant_05_a_manager_tied_to_software_of_her_own_that_did_nothing_here_attests_and_her_yes_stays_good() {
    for owner in ["mona", "own-1"] {
        let mut play = machine(&OWNERS);
        play.register(|r| {
            let idle = r.automations.values().next().unwrap().clone();
            let since = start() - Duration::days(100);
            let owners = vec![Ownership { person: id(owner), since, until: None }];
            r.automations.insert(id("idle"), countersign::domain::register::Automation { id: id("idle"), owners, sponsors: vec![], ..idle });
        });
        let principal = |p: &str| countersign::domain::register::Principal::Person(id(p));
        play.delegate(principal(owner), countersign::domain::register::Principal::Automation(id("idle")), start() - Duration::days(50), None);
        let method = if owner == "mona" { GATE } else { QUORUM };
        yes(&mut play, method, owner).unwrap();
        assert!(lineage::lineage(&play.world, play.now).iter().any(|e| e.person == id(owner) && e.duty == Duty::AutomationOwner));
        let (_, again) = begin(&mut play, method, owner);
        assert!(matches!(again, Err(Refusal::Already(_))), "it counts: {again:?}");
    }
}

/// Two whose mailboxes are one, as whoever knows addresses tells it.
pub fn one_mailbox(play: &mut Play, persons: &[&str]) {
    let readers = mailboxes::Readers { persons: persons.iter().map(|p| id(p)).collect(), more: false };
    let boxes = Arc::make_mut(&mut play.world.mailboxes);
    boxes.attesters.extend(persons.iter().map(|p| (id(p), readers.clone())));
}

#[test]
fn invariant_05_whose_mailbox_is_also_that_of_somebody_who_came_to_work_the_case_attests_no_more_and_their_yes_is_void() {
    let mut play = machine(&OWNERS);
    one_mailbox(&mut play, &["own-1", "sam"]);
    yes(&mut play, QUORUM, "own-1").unwrap();
    let given = |play: &Play| checklist::progress(&play.world, play.now).items.iter().filter(|i| i.receipt.is_some()).count();
    assert_eq!(given(&play), 1);
    play.act(op("nadia"), &Command::Assign { operator: Some(id("sam")) }).unwrap();
    assert_eq!(given(&play), 0);
    let refused = begin(&mut play, GATE, "own-1").1;
    assert!(matches!(&refused, Err(Refusal::EndpointUnusable(why)) if why.contains("also that of somebody who works this case")), "{refused:?}");
    // A mailbox of more persons than are named is nobody's own.
    let many = mailboxes::Readers { persons: BTreeSet::new(), more: true };
    Arc::make_mut(&mut play.world.mailboxes).attesters.insert(id("own-2"), many);
    assert!(matches!(begin(&mut play, QUORUM, "own-2").1, Err(Refusal::EndpointUnusable(_))));
}

#[test]
fn invariant_04_a_sealed_case_is_not_given_to_whom_would_void_its_proof_by_having_it() {
    let mut play = machine(&OWNERS);
    one_mailbox(&mut play, &["own-1", "sam"]);
    for (method, who) in [(QUORUM, "own-1"), (QUORUM, "own-2"), (GATE, "mona")] {
        yes(&mut play, method, who).unwrap();
    }
    play.act(op("nadia"), &Command::Seal).unwrap();
    let to = |who: &str| Command::Assign { operator: Some(id(who)) };
    let refused = play.ask(op("nadia"), &to("sam"));
    assert!(matches!(&refused, Err(Refusal::Already(why)) if why.contains("shares a recorded mailbox")), "{refused:?}");
    let over = Command::HandOver { note: text("n"), to: Some(id("sam")) };
    assert!(matches!(play.ask(op("nadia"), &over), Err(Refusal::Already(_))));
    play.act(op("nadia"), &to("lind")).unwrap();
    assert!(countersign::domain::seal::broken(&play.world, play.now).is_empty());
}

#[test]
fn invariant_05_what_is_recorded_of_whoever_attests_is_as_old_as_an_address_has_to_be() {
    let age = Policy::builtin()
        .requirement_with(&Policy::builtin(), &crate::play::subject(Tier::Standard), (&route(Path::Assisted), &[]), start())
        .min_endpoint_age;
    let (old, young) = (start() - age.duration(), start() - age.duration() + Duration::seconds(1));
    let offered =
        |play: &Play, method| attest::attesters(&play.world, method, play.now).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut play = machine(&["own-1", "own-2", "own-3"]);
    assert_eq!(play.case().request.opened_at, start());
    for (since, quorum, gate) in [(old, "own-1 own-2 own-3", "mona own-1 own-2 own-3"), (young, "own-1 own-2", "own-1 own-2")] {
        subject(&mut play, |s| (s.owners[2].since, s.manager_since) = (since, Some(since)));
        assert_eq!((offered(&play, QUORUM).as_str(), offered(&play, GATE).as_str()), (quorum, gate));
    }
    for who in ["mona", "own-3"] {
        let refused = begin(&mut play, GATE, who).1;
        assert!(matches!(&refused, Err(Refusal::TooYoung(why)) if why.contains("recorded too shortly before the request")), "{refused:?}");
    }
    // Of a manager without a date, the record tells; without either nobody knows, and it is too young.
    for (record, counts) in [(Some(old), true), (Some(young), false), (None, false)] {
        subject(&mut play, |s| s.manager_since = None);
        Arc::make_mut(&mut play.world.dates).record = record;
        assert_eq!(offered(&play, GATE).contains("mona"), counts, "{record:?}");
    }
    // With a mailbox of theirs that is too young two are left, and with another one there is no quorum any more.
    subject(&mut play, |s| s.owners[2].since = old);
    Arc::make_mut(&mut play.world.dates).mailboxes.extend([(id("own-1"), young), (id("own-2"), old)]);
    assert_eq!(offered(&play, QUORUM), "own-2 own-3");
    Arc::make_mut(&mut play.world.dates).mailboxes.insert(id("own-2"), young);
    assert_eq!(offered(&play, QUORUM), "");
}

#[test]
fn invariant_05_an_attestation_asked_for_before_the_mailbox_was_changed_counts_for_nothing_afterwards() {
    let mut play = machine(&["own-1"]);
    let (session, started) = begin(&mut play, GATE, "mona");
    started.unwrap();
    let now = play.now;
    Arc::make_mut(&mut play.world.dates).mailboxes.insert(id("mona"), now);
    assert!(matches!(answer(&mut play, &session, "mona", "mona"), Err(Refusal::TooYoung(_))));
}

#[test]
fn invariant_05_a_set_of_saved_codes_is_as_old_as_an_address_has_to_be_or_proves_nothing() {
    let begin = |issued: chrono::DateTime<chrono::Utc>| {
        let mut play = Play::new(Tier::Standard);
        play.world.dates = Arc::new(dates::Dates { codes: dates::SavedCodes::Issued(issued), ..dates::Dates::default() });
        play.open(op("nadia"), Path::Assisted);
        play.act(op("nadia"), &triage()).unwrap();
        let offered = checklist::progress(&play.world, play.now).items.iter().flat_map(|i| &i.startable).any(|w| w.0 == Method::SavedCode);
        let command = Command::StartProof { session: id("ses-s"), method: Method::SavedCode, endpoint: Some(id("mail-1")), attester: None };
        (play.act(op("nadia"), &command), offered)
    };
    assert!(matches!(begin(start() - Duration::days(8)), (Ok(()), true)));
    let mut none = Play::new(Tier::Standard);
    none.world.dates = Arc::new(dates::Dates { codes: dates::SavedCodes::None, ..dates::Dates::default() });
    none.open(op("nadia"), Path::Assisted);
    none.act(op("nadia"), &triage()).unwrap();
    let command = Command::StartProof { session: id("ses-n"), method: Method::SavedCode, endpoint: Some(id("mail-1")), attester: None };
    assert!(matches!(none.act(op("nadia"), &command), Err(Refusal::MethodUnusable(why)) if why.contains("no saved codes")));
    for late in [start() - Duration::days(6), start(), start() + Duration::minutes(1)] {
        let (refused, offered) = begin(late);
        assert!(matches!(&refused, Err(Refusal::TooYoung(why)) if why.contains("saved codes")) && !offered, "{refused:?}");
    }
}

#[test]
fn invariant_05_whoever_was_recorded_after_the_request_can_be_reached_over_a_hold_once_that_is_old_enough() {
    let mut play = machine(&["own-1"]);
    subject(&mut play, |s| {
        s.manager = None;
        s.endpoints.iter_mut().for_each(|e| e.recorded_at = start() + Duration::hours(1));
    });
    // Imported anew after the case was opened.
    Arc::make_mut(&mut play.world.dates).mailboxes.insert(id("own-1"), start() + Duration::hours(1));
    let said = |play: &Play| {
        let could = lineage::could_decide(&play.world, play.now);
        countersign::domain::next::step(&play.world, &checklist::progress(&play.world, play.now), &could, play.now)
    };
    assert!(said(&play).starts_with("withdraw it, and open another once the record is old enough"), "{}", said(&play));
    play.now += Duration::days(8);
    assert!(checklist::contacts(&play.world, play.now).is_empty(), "it proves nothing in this case, however long one waits");
    play.now = start() + Duration::days(1);
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    play.now += Duration::minutes(1);
    assert!(checklist::contacts(&play.world, play.now).is_empty());
    let reach = |session: &str| Command::StartProof { session: id(session), method: GATE, endpoint: None, attester: Some(id("own-1")) };
    let refused = play.ask(op("vega"), &reach("ses-c"));
    assert!(matches!(&refused, Err(Refusal::TooYoung(why)) if why.contains("it can serve over the hold from 09 Mar 11:00Z on")), "{refused:?}");
    play.now = start() + Duration::days(8);
    let ways = checklist::contacts(&play.world, play.now);
    assert!(ways.contains(&(GATE, None, Some(id("own-1")))) && ways.contains(&(Method::IssuedCode, Some(id("mail-1")), None)), "{ways:?}");
    play.act(op("vega"), &reach("ses-c")).unwrap();
    answer(&mut play, "ses-c", "own-1", "own-1").unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("reached"), contact: id("ses-c") }).unwrap();
    assert!(play.case().hold.is_none() && play.case().receipts.is_empty(), "contact is no proof");
    assert!(matches!(begin(&mut play, GATE, "own-1").1, Err(Refusal::TooYoung(_))), "nor does it become one after the hold");
}

#[test]
fn who_was_proofed_at_ial3_and_came_in_at_aal3_is_compared_on_site_beside_the_codes() {
    let mut play = Play::new(Tier::Standard);
    subject(&mut play, |s| (s.ial, s.aal) = (Ial::Ial3, Aal::Aal3));
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    let progress = checklist::progress(&play.world, play.now);
    let gate = progress.items.iter().find(|i| i.methods == [Method::InPerson]).unwrap();
    assert!(gate.gate && gate.startable.iter().any(|w| w.2 == Some(id("mona"))), "{gate:?}");
    assert!(yes(&mut play, Method::InPerson, "nadia").is_err(), "not by whoever works the case");
    yes(&mut play, Method::InPerson, "mona").unwrap();
    let progress = checklist::progress(&play.world, play.now);
    assert!(progress.items.iter().all(|i| i.gate == i.receipt.is_some()) && !progress.complete, "and it proves nothing by itself");
}
