//! Invariant 5: two gates rest on two persons' words. Whom they are asked of, and whom not, as it could not count.

use std::collections::BTreeSet;

use chrono::Duration;
use countersign::base::ids::PersonId;
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::Ownership;
use countersign::domain::vocabulary::*;
use countersign::domain::{attest, checklist, mailboxes};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::attesting::{GATE, OWNERS, QUORUM, answer, begin, machine, one_mailbox, subject, yes};
use crate::play::*;

/// A privileged subject with those owners and Mona as the recorded manager, of whom two gates are asked.
fn two_gates(owners: &[&str]) -> Play {
    let mut play = machine(owners);
    play.world.case = None;
    let since = start() - Duration::days(100);
    subject(&mut play, |s| {
        *s = crate::play::subject(Tier::Privileged);
        (s.ial, s.aal) = (Ial::Ial3, Aal::Aal3);
        s.owners = owners.iter().map(|o| Ownership { person: id(o), since, until: None }).collect();
    });
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play
}

/// Who is offered for a method now.
fn offered(play: &Play, method: Method) -> BTreeSet<PersonId> {
    let progress = checklist::progress(&play.world, play.now);
    progress.items.iter().flat_map(|i| &i.startable).filter(|w| w.0 == method).filter_map(|w| w.2.clone()).collect()
}

/// Why nothing can be started for a method now.
fn hindered(play: &Play, method: Method) -> Option<String> {
    let progress = checklist::progress(&play.world, play.now);
    let item = progress.items.iter().find(|i| i.receipt.is_none() && i.methods.contains(&method))?;
    checklist::blocked(&play.world, item, play.now)
}

#[test]
fn two_gates_are_asked_of_two_people_and_of_nobody_where_one_alone_could_give_them() {
    let mut alone = two_gates(&[]);
    for method in [GATE, Method::InPerson] {
        assert!(offered(&alone, method).is_empty(), "{method}: asked in vain");
        assert!(hindered(&alone, method).unwrap().contains("another person's word"), "{method}");
        let refused = yes(&mut alone, method, "mona");
        let other = if method == GATE { Method::InPerson } else { GATE };
        assert!(matches!(&refused, Err(Refusal::EndpointUnusable(why)) if why.contains(other.label())), "{method}: {refused:?}");
    }
    let mut two = two_gates(&["own-1"]);
    assert_eq!(offered(&two, GATE), BTreeSet::from([id("mona"), id("own-1")]));
    yes(&mut two, GATE, "mona").unwrap();
    yes(&mut two, Method::InPerson, "own-1").unwrap();
    let progress = checklist::progress(&two.world, two.now);
    assert!(progress.items.iter().all(|i| i.gate == i.receipt.is_some()), "{progress:?}");
}

#[test]
fn whoever_gave_one_gate_is_not_sent_for_the_other_one_unless_somebody_else_gives_theirs_anew() {
    let mut play = two_gates(&["own-1"]);
    // Asked before either was given: her word for one of them could have counted.
    let (second, asked) = begin(&mut play, Method::InPerson, "mona");
    asked.unwrap();
    yes(&mut play, GATE, "mona").unwrap();
    assert_eq!(offered(&play, Method::InPerson), BTreeSet::from([id("own-1")]));
    assert!(matches!(yes(&mut play, Method::InPerson, "mona"), Err(Refusal::Already(why)) if why.contains("Ask someone else")));
    answer(&mut play, &second, "mona", "mona").unwrap();
    assert_eq!(offered(&play, Method::InPerson), BTreeSet::from([id("own-1")]), "what counted for nothing is not asked for again");
    // The owner can't come: they give the other gate, and what she gave counts for this one.
    yes(&mut play, GATE, "own-1").unwrap();
    let progress = checklist::progress(&play.world, play.now);
    assert!(progress.items.iter().all(|i| i.gate == i.receipt.is_some()), "{progress:?}");

    let mut anew = two_gates(&["own-1"]);
    yes(&mut anew, GATE, "mona").unwrap();
    yes(&mut anew, GATE, "own-1").unwrap();
    assert_eq!(offered(&anew, Method::InPerson), BTreeSet::from([id("mona"), id("own-1")]), "either gate can be another one's");
    yes(&mut anew, Method::InPerson, "mona").unwrap();
    assert!(checklist::progress(&anew.world, anew.now).items.iter().all(|i| i.gate == i.receipt.is_some()));
}

#[test]
fn two_who_share_a_mailbox_are_not_two_for_two_gates_and_that_is_said_before_anybody_is_asked() {
    let mut play = two_gates(&["own-1"]);
    one_mailbox(&mut play, &["mona", "own-1"]);
    for method in [GATE, Method::InPerson] {
        assert!(offered(&play, method).is_empty(), "{method}: asked in vain");
        assert!(hindered(&play, method).unwrap().contains("over a mailbox that is theirs alone"), "{method}");
    }
    let mut three = two_gates(&["own-1", "own-2"]);
    one_mailbox(&mut three, &["mona", "own-1"]);
    assert_eq!(offered(&three, GATE).len(), 3);
    yes(&mut three, GATE, "mona").unwrap();
    assert_eq!(offered(&three, Method::InPerson), BTreeSet::from([id("own-2")]));
}

#[test]
fn that_gates_need_several_people_is_said_of_gates_alone_and_a_shared_mailbox_by_whose_it_is() {
    // The other owner of a quorum shares the mailbox of whom the gate is asked of.
    let mut play = machine(&["own-1", "own-2"]);
    yes(&mut play, QUORUM, "own-1").unwrap();
    one_mailbox(&mut play, &["own-2", "mona"]);
    begin(&mut play, GATE, "mona").1.unwrap();
    assert!(offered(&play, QUORUM).is_empty());
    let of_quorum = |play: &Play| {
        let item = checklist::Item { methods: vec![QUORUM], gate: false, receipt: None, startable: Vec::new() };
        checklist::blocked(&play.world, &item, play.now).unwrap()
    };
    assert!(of_quorum(&play).contains("has the same mailbox as mona"), "{}", of_quorum(&play));
    // A gate beside no other one.
    let mut gate = machine(&["own-1", "own-2"]);
    one_mailbox(&mut gate, &["own-2", "mona"]);
    for owner in ["own-1", "own-2"] {
        yes(&mut gate, QUORUM, owner).unwrap();
    }
    assert!(hindered(&gate, GATE).unwrap().contains("has the same mailbox as own-2"), "{:?}", hindered(&gate, GATE));
    subject(&mut gate, |s| s.manager = None);
    assert!(hindered(&gate, GATE).unwrap().contains("said yes already, and their word counts once"), "{:?}", hindered(&gate, GATE));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_said_two_gates_are_offered_where_two_could_give_them_and_each_word_that_is_offered_fills_one(
        owners in btree_set(select(OWNERS.to_vec()), 0..4),
        shared in btree_set(select(vec!["mona", "own-1", "own-2", "own-3"]), 0..4),
        said in vec((select(vec![GATE, Method::InPerson, QUORUM]), select(vec!["own-1", "own-2", "own-3", "mona"])), 0..7),
    ) {
        let owners: Vec<&str> = owners.into_iter().collect();
        let mut play = two_gates(&owners);
        if shared.len() > 1 {
            one_mailbox(&mut play, &shared.iter().copied().collect::<Vec<_>>());
        }
        let filled = |play: &Play| checklist::progress(&play.world, play.now).items.iter().filter(|i| i.gate && i.receipt.is_some()).count();
        for (method, who) in said {
            let (counted, meant) = (filled(&play), offered(&play, method).contains(&id::<PersonId>(who)));
            let root = if shared.contains(who) { "shared" } else { who };
            let (session, started) = begin(&mut play, method, who);
            if started.is_ok() {
                answer(&mut play, &session, who, root).unwrap();
                prop_assert!(!meant || method == QUORUM || filled(&play) == counted + 1, "{} by {} was in vain", method, who);
            }
        }
        let apart = |p: &PersonId| mailboxes::double(&play.world, p, play.now).is_none();
        let proved: BTreeSet<PersonId> = {
            let progress = checklist::progress(&play.world, play.now);
            progress.items.iter().filter(|i| !i.gate).filter_map(|i| i.receipt.as_ref()).filter_map(attest::giver).cloned().collect()
        };
        let mut could = attest::attesters(&play.world, GATE, play.now);
        could.retain(|p| !proved.contains(p) && apart(p));
        let open = 2 - filled(&play);
        let gives = mailboxes::mailboxes(&play.world, &could) >= 2;
        let any = [GATE, Method::InPerson].iter().any(|m| !offered(&play, *m).is_empty());
        prop_assert_eq!(any, open > 0 && gives, "{:?}", could);
    }
}
