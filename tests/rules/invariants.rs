//! Invariants that hold whatever is asked, in whatever order, each by its number (product.md): quorum, seals, grants, policies, who could
//! decide, time, and what a decision was made on. The number of cases is bounded so that the whole stays within seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::Duration;
use countersign::domain::case::{ActorRef, ExecutionOutcome, Worker};
use countersign::domain::command::{Command, Decide};
use countersign::domain::event::CaseEvent;
use countersign::domain::policy::{DEFAULT, Policy, compare};
use countersign::domain::quorum::{self, Voter};
use countersign::domain::refusal::Refusal;
use countersign::domain::requirement::ApprovalNeed;
use countersign::domain::standing::Standing;
use countersign::domain::vocabulary::*;
use countersign::domain::{checklist, lineage, seal};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::play::*;
use crate::properties::{PEOPLE, step};

const GROUPS: &[&str] = &["legal", "owners", "security"];

/// A policy that differs from the built-in one in some of its numbers, stricter here and laxer there, never below the ceilings.
fn policy() -> impl Strategy<Value = Arc<Policy>> {
    let changes: Vec<(&str, &str)> = vec![
        ("approvals = 1\n", "approvals = 2\n"),
        ("approvals = 1\n", "approvals = 1\nfrom_groups = { security = 1 }\n"),
        ("approvals = 1\n", "approvals = 3\nother_employer = true\n"),
        ("delay = \"0 s\"", "delay = \"30 min\""),
        ("grace = \"0 s\"", "grace = \"60 s\""),
        ("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"2 h\""),
        ("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"12 h\""),
        ("email = \"30 min\"", "email = \"10 min\""),
        ("lineage = \"90 d\"", "lineage = \"180 d\""),
        ("attempts_per_code = 5", "attempts_per_code = 3"),
    ];
    let all = changes.len();
    subsequence(changes, 0..=all).prop_map(|changes| {
        let text = changes.iter().fold(DEFAULT.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
        Arc::new(Policy::parse(&text).unwrap())
    })
}

fn voters() -> impl Strategy<Value = Vec<Voter>> {
    let one = (select(vec!["p1", "p2", "p3", "p4"]), btree_set(select(GROUPS), 0..3), select(vec!["acme", "partner"]));
    vec(one, 0..6).prop_map(|all| {
        let voter = |(person, groups, employer): (&str, BTreeSet<&str>, &str)| Voter {
            person: id(person),
            employer: id(employer),
            groups: groups.into_iter().map(id).collect(),
        };
        all.into_iter().map(voter).collect()
    })
}

/// Whether the slots from the first on can be filled by persons that are not taken: every way is tried.
fn filled(slots: &[&str], persons: &BTreeMap<String, BTreeSet<String>>, taken: &BTreeSet<String>) -> bool {
    let Some((slot, rest)) = slots.split_first() else { return true };
    persons.iter().filter(|(p, groups)| groups.contains(*slot) && !taken.contains(*p)).any(|(person, _)| {
        let mut taken = taken.clone();
        taken.insert(person.clone());
        filled(rest, persons, &taken)
    })
}

/// What may happen to a restored case.
fn afterwards(play: &mut Play, what: u8) {
    let executor = || system(Worker::Executor);
    let attempt = u32::try_from(play.case().executions.len()).unwrap();
    let command = match what {
        0 => (op("vega"), Command::Hold { source: HoldSource::Security, reason: None }),
        1 => (op("vega"), Command::Review { note: text("v"), in_order: true }),
        2 => (op("nadia"), Command::Close),
        3 => (op("lind"), Command::RollBack { reason: text("b") }),
        4 => (executor(), ended(attempt, ExecutionOutcome::RolledBack)),
        5 => (executor(), ended(attempt, ExecutionOutcome::Failed { reason: FailureReason::Unreachable })),
        6 => (system(Worker::Grants), Command::ConfirmRevoked { grant: id("g-1") }),
        7 => (op("vega"), Command::Flag { kind: FlagKind::SuspectedCompromise }),
        8 => (op("nadia"), Command::Comment { text: text("c") }),
        _ => {
            play.now += Duration::minutes(37);
            (system(Worker::Deadlines), Command::Tick)
        }
    };
    let _ = play.act(command.0, &command.1);
}

#[test]
fn invariant_12_a_fact_that_is_only_known_fills_no_place_of_any_proof() {
    for gate in Method::ALL.iter().filter(|m| m.is_gate()) {
        let text = DEFAULT.replacen("\"saved_code\"", &format!("\"{}\"", gate.code()), 1);
        let mistakes = Policy::parse(&text).unwrap_err();
        assert!(mistakes.iter().any(|m| m.message.contains("is a gate beside proof")), "{gate}: {mistakes:?}");
    }
    // Nor does a policy that says nothing of it come to such a place, for anyone and anything.
    for (facts, need) in compare::requirements(&Policy::builtin().bundle).unwrap() {
        let places = need.proofs.iter().flat_map(|p| &p.any_of).flat_map(|set| &set.slots);
        assert!(places.clone().count() > 0 && places.flatten().all(|method| !method.is_gate()), "{facts}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariant_03_a_quorum_is_that_many_persons_of_whom_different_ones_fill_the_groups(
        voters in voters(), count in 0_u8..4, groups in btree_map(select(GROUPS), 1_u8..3, 0..3), other_employer in any::<bool>()
    ) {
        let need = ApprovalNeed { count, groups: groups.iter().map(|(g, n)| (id(g), *n)).collect(), other_employer, signature: false };
        let mut persons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for voter in &voters {
            persons.entry(voter.person.to_string()).or_default().extend(voter.groups.iter().map(ToString::to_string));
        }
        let slots: Vec<&str> = groups.iter().flat_map(|(g, n)| std::iter::repeat_n(*g, usize::from(*n))).collect();
        // A person of two accounts counts once, with the employer recorded first.
        let mut employers: BTreeMap<_, _> = BTreeMap::new();
        for voter in &voters {
            employers.entry(&voter.person).or_insert(voter.employer.as_str());
        }
        let other = !other_employer || employers.values().any(|e| *e != "acme");
        let enough = persons.len() >= need.persons() && filled(&slots, &persons, &BTreeSet::new()) && other;
        prop_assert_eq!(quorum::reached(&need, &voters, &BTreeSet::from([id("acme")])), enough);
    }

    #[test]
    fn invariant_03_the_number_missing_is_the_least_that_is_enough_with_those_given(
        voters in voters(), given in 0_usize..4, count in 0_u8..4, groups in btree_map(select(GROUPS), 1_u8..3, 0..3), other_employer in any::<bool>()
    ) {
        // One account a person: which of several counts is asked elsewhere.
        let mut one: BTreeMap<_, Voter> = BTreeMap::new();
        for voter in voters {
            one.entry(voter.person.clone()).or_insert(voter);
        }
        let voters: Vec<Voter> = one.into_values().collect();
        let (given, others) = voters.split_at(given.min(voters.len()));
        let need = ApprovalNeed { count, groups: groups.iter().map(|(g, n)| (id(g), *n)).collect(), other_employer, signature: false };
        let barred = BTreeSet::from([id("acme")]);
        let subsets = (0_u32..1 << others.len()).map(|set| others.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, v)| v).collect::<Vec<_>>());
        let enough = |set: &Vec<&Voter>| quorum::reached(&need, &given.iter().chain(set.iter().copied()).cloned().collect::<Vec<_>>(), &barred);
        if let Some(least) = subsets.filter(enough).map(|set| set.len()).min() {
            prop_assert_eq!(quorum::missing(&need, given, others, &barred), least);
        }
    }

    #[test]
    fn invariant_04_what_is_approved_and_executed_is_what_was_sealed_after_any_sequence(steps in vec((0_u8..24, select(PEOPLE)), 1..40), approved in any::<bool>()) {
        let mut play = Play::sealed(Tier::Standard);
        if approved {
            play.approve("sato").unwrap();
        }
        for (what, who) in steps {
            let (before, at, since) = (play.world.clone(), play.now, play.log.len());
            step(&mut play, what, who);
            let case = play.case();
            let happened = &play.log[since..];
            if matches!(case.state, CaseState::Sealed | CaseState::Approved) {
                // Only the register may have moved under a seal, which is looked at again; nothing that is done in the case does.
                let moved: Vec<_> = seal::broken(&play.world, play.now).into_iter().filter(|part| *part != "lineage").collect();
                prop_assert_eq!(moved, Vec::<&str>::new(), "sealed, and something else stands");
            } else if case.seal.is_none() {
                prop_assert_eq!(case.live_approvals().count(), 0, "an approval outlived its seal");
            }
            let decided = happened.iter().any(|e| matches!(e, CaseEvent::Decided { approval } if approval.decision == Decision::Approve));
            // An execution that finds at its beginning that something no longer holds is told as begun and failed, and touches nothing.
            let executes = happened.iter().any(|e| matches!(e, CaseEvent::ExecutionStarted { .. })) && case.state == CaseState::Executing;
            if decided || executes {
                prop_assert_eq!(seal::broken(&before, at), Vec::<&str>::new(), "approved or executed, and something else stood");
            }
        }
    }

    #[test]
    fn invariant_11_no_grant_lives_past_its_time_a_hold_or_the_cases_end_after_any_sequence(whats in vec(0_u8..14, 1..25)) {
        let mut play = Play::granted();
        let longest = checklist::requirement(&play.world).grant_lifetime.unwrap();
        for what in whats {
            afterwards(&mut play, what);
            let (case, now) = (play.case(), play.now);
            for grant in &case.grants {
                prop_assert!(grant.expires_at - grant.since <= longest.duration(), "longer than policy lets it");
                prop_assert!(grant.revoked_at.is_none() || grant.ending.is_some(), "gone without having been ended");
            }
            let ticked = matches!(what, 9..);
            for grant in case.live_grants() {
                prop_assert!(!ticked || grant.expires_at > now, "past its time");
                prop_assert!(case.hold.is_none(), "lives through a hold");
                prop_assert!(!case.state.is_ended(), "outlives its case");
                prop_assert!(case.next_due().is_some_and(|due| due <= grant.expires_at), "nobody would look at its end");
            }
        }
    }

    #[test]
    fn invariant_14_a_case_is_judged_by_no_less_than_the_policy_it_was_opened_under_and_the_one_in_force(
        pinned in policy(), current in policy(), tier in select(Tier::ALL), action in select(Action::ALL), path in select(Path::ALL), flag in select(FlagKind::ALL)
    ) {
        let mut play = Play::new(tier);
        play.open(op("nadia"), Path::Assisted);
        let case = Arc::make_mut(play.world.case.as_mut().unwrap());
        (case.route.action, case.route.path) = (action, path);
        let case = case.clone();
        play.act(op("vega"), &Command::Flag { kind: flag }).unwrap_or_default();
        (play.world.pinned, play.world.current) = (pinned.clone(), current.clone());
        let subject = play.world.subject.clone().unwrap();
        let asked = checklist::requirement(&play.world);
        for policy in [&pinned, &current] {
            let alone = policy.requirement(&subject, &case.route, &play.case().flags, case.request.opened_at);
            prop_assert!(compare::at_least(&asked, &alone), "laxer than one of the two");
            let plan = policy.plan(&subject, &case.route, case.request.opened_at);
            let planned = checklist::plan(&play.world).unwrap();
            prop_assert!(planned.scope.is_subset(&plan.scope), "wider than one of the two");
            prop_assert!(plan.lifetime.is_none_or(|own| planned.lifetime.is_some_and(|l| l <= own)), "longer than one of the two");
        }
    }

    #[test]
    fn invariant_15_those_who_could_decide_are_those_who_can(
        policy in policy(), disabled in btree_set(select(PEOPLE), 0..5), partners in btree_set(select(PEOPLE), 0..3), ties in vec((select(PEOPLE), select(PEOPLE)), 0..3)
    ) {
        let mut play = Play::new(Tier::Standard);
        (play.world.pinned, play.world.current) = (policy.clone(), policy);
        play.register(|r| {
            for account in disabled.iter().filter(|d| **d != "nadia") {
                r.operators.get_mut(&id(account)).unwrap().enabled = false;
            }
            for person in partners.iter().filter_map(|p| r.operators.get(&id(p)).map(|o| o.person.clone())).collect::<Vec<_>>() {
                r.persons.get_mut(&person).unwrap().employer = id("partner");
            }
        });
        let since = play.now - Duration::days(3);
        for (from, to) in ties {
            let person = |account: &str| human(account.split('-').next().unwrap());
            play.delegate(person(from), person(to), since, None);
        }
        play.proofed(op("nadia"));
        let could = lineage::could_decide(&play.world, play.now);
        prop_assert_eq!(play.case().has_flag(FlagKind::Deadlock), !could.enough, "shown at once");
        let asked = play.ask(op("nadia"), &Command::Seal);
        prop_assert_eq!(matches!(asked, Err(Refusal::Deadlock { .. })), !could.enough, "{:?}", asked.err());
        if !could.enough {
            return Ok(());
        }
        play.act(op("nadia"), &Command::Seal).unwrap();
        // Everyone else is refused whatever they try, and those together are enough.
        for account in PEOPLE.iter().filter(|a| !could.operators.contains(&id(a))) {
            let deny = play.decision(Decision::Deny);
            let who = play.account(account);
            prop_assert!(play.ask(who, &deny).is_err(), "{account} could, and is not named");
        }
        for account in &could.operators {
            let approve = play.decision(Decision::Approve);
            let who = play.account(account.as_str());
            prop_assert!(play.ask(who, &approve).is_ok(), "{account} is named, and can't");
        }
        // Who is said to bring it nearer does, until it is approved: a person of two accounts counts once, through one that helps.
        while play.case().state == CaseState::Sealed {
            let lacking = Standing::of(&play.world, play.now).lacking();
            let Some(account) = lacking.nearer.first() else { break };
            prop_assert!(could.operators.contains(account), "{account} was not named");
            prop_assert!(play.approve(account.as_str()).is_ok(), "{account} is named, and can't");
        }
        prop_assert_eq!(play.case().state, CaseState::Approved, "all of them together are enough");
    }

    #[test]
    fn invariant_16_nothing_that_is_asked_moves_the_day_a_case_expires_and_a_clock_that_went_back_ends_nothing(
        steps in vec((0_u8..23, select(PEOPLE)), 1..30), back in 1_i64..10_000
    ) {
        let mut play = Play::new(Tier::Standard);
        play.proofed(op("nadia"));
        let (opened, expires) = (play.case().request.opened_at, play.case().times.expires_at);
        for (what, who) in steps {
            step(&mut play, what, who);
            prop_assert_eq!((play.case().request.opened_at, play.case().times.expires_at), (opened, expires));
        }
        let before = play.case().clone();
        play.now = opened - Duration::minutes(back);
        play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
        prop_assert_eq!(play.case().state, before.state, "a clock that went back ended it");
        prop_assert_eq!(play.case().live_grants().count(), before.live_grants().count());
    }

    #[test]
    fn invariant_16_a_statement_counts_for_ten_minutes_of_the_servers_time_and_not_before_it_was_issued(offset in -2_000_i64..2_000) {
        let mut play = Play::sealed(Tier::Standard);
        let issued = play.now;
        let Command::Decide(decision) = play.decision(Decision::Approve) else { unreachable!() };
        play.now = issued + Duration::seconds(offset);
        let answer = play.ask(op("ruiz"), &Command::Decide(Decide { nonce_issued_at: issued, ..decision }));
        prop_assert_eq!(answer.is_ok(), (0..=600).contains(&offset), "{} s: {:?}", offset, answer);
        prop_assert!(answer.is_ok() || answer == Err(Refusal::StatementExpired));
    }

    #[test]
    fn invariant_18_a_decision_made_before_anything_changed_is_refused(steps in vec((11_u8..23, select(PEOPLE)), 1..12)) {
        let mut play = Play::sealed(Tier::Standard);
        let seen = play.decision(Decision::Approve);
        let version = play.case().changed;
        for (what, who) in steps {
            step(&mut play, what, who);
        }
        let moved = play.case().changed != version;
        let ties = !seal::broken(&play.world, play.now).is_empty();
        let who = ActorRef::Operator { operator: id("sato"), person: id("sato") };
        prop_assert!(play.ask(who, &seen).is_err() || !(moved || ties), "decided on what was not seen");
    }
}
