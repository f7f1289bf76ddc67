//! What holds whatever is asked, in whatever order: sequences of commands, requirements and policy files at random. The number of cases is
//! bounded so that the whole stays within seconds.

use std::collections::BTreeSet;

use chrono::Duration;
use countersign::base::ids::PersonId;
use countersign::domain::case::{ActorRef, Case, ExecutionOutcome, Worker};
use countersign::domain::command::Command;
use countersign::domain::lineage;
use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::requirement::{ApprovalNeed, CodeRules, Deadlines, ProofNeed, ProofSet, Requirement, Seconds};
use countersign::domain::vocabulary::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::play::*;

pub const PEOPLE: &[&str] = &["nadia", "nadia-sup", "omar", "ruiz", "ruiz-two", "lind", "sato", "vega", "sam"];

/// One thing that somebody tries; what it names may not be there.
pub fn step(play: &mut Play, what: u8, who: &str) {
    let (by, name) = (play.account(who), play.name("n"));
    let agent = || op("nadia");
    let session = play.world.case.as_ref().and_then(|c| c.sessions.iter().rfind(|(_, s)| s.outcome.is_none()).map(|(id, _)| id.clone()));
    let (asker, command) = match what {
        0 => (by, Command::Open(open(1, Path::Assisted))),
        1 => (by, triage()),
        2 => (agent(), start_code(&name, "mail-1")),
        3 | 4 => match session {
            Some(session) => (ActorRef::Subject { session: session.clone() }, proof(session.as_str(), &name)),
            None => (by, triage()),
        },
        5 | 6 => (agent(), Command::Seal),
        7..=10 if play.world.case.is_some() => (by, play.decision(Decision::Approve)),
        11 => (by, Command::TakeBack { reason: text("r") }),
        12 => {
            let mut wide = route(Path::Assisted);
            wide.scope.insert(id("write"));
            (by, Command::Route { route: wide })
        }
        13 => (by, Command::Reopen { reason: text("r") }),
        14 => (by, Command::AddEvidence { id: id(&name), kind: EvidenceKind::Note, text: text("e") }),
        15 => (by, Command::Comment { text: text("c") }),
        16 => (system(Worker::Reassess), Command::Reassess),
        17 => (system(Worker::Executor), Command::StartExecution),
        18 => {
            let scope = play.world.case.as_ref().and_then(|c| c.plan.as_ref().map(|p| p.scope.clone())).unwrap_or_default();
            let attempt = play.world.case.as_ref().map_or(0, |c| u32::try_from(c.executions.len()).unwrap());
            (system(Worker::Executor), ended(attempt, ExecutionOutcome::Restored { scope }))
        }
        19 => (bot(vec![human(who.split('-').next().unwrap())]), Command::Route { route: route(Path::Assisted) }),
        20 => (bot(vec![]), Command::AddTelemetry { id: id(&name), text: text("t") }),
        21 => (by, Command::Flag { kind: FlagKind::Pressure }),
        22 => {
            let now = play.now;
            play.delegate(human("lind"), human("nadia"), now, Some(now));
            return;
        }
        _ => {
            play.now += Duration::hours(3);
            (system(Worker::Deadlines), Command::Tick)
        }
    };
    // A refusal changes nothing: that is seen below.
    let _ = play.act(asker, &command);
}

fn persons(case: &Case) -> BTreeSet<PersonId> {
    lineage::persons(&case.lineage)
}

fn seconds() -> impl Strategy<Value = Seconds> {
    select(vec![0_u32, 1, 60, 3_600, 86_400, u32::MAX]).prop_map(Seconds)
}

fn methods() -> impl Strategy<Value = BTreeSet<Method>> {
    btree_set(select(vec![Method::IssuedCode, Method::SavedCode, Method::Passkey, Method::RecoveryContact]), 1..4)
}

prop_compose! {
    fn proof_need()(sets in vec((vec(methods(), 1..4), any::<bool>()), 1..3)) -> ProofNeed {
        ProofNeed { any_of: sets.into_iter().map(|(slots, distinct_methods)| ProofSet { slots, distinct_methods }).collect() }
    }
}

prop_compose! {
    // As policy gives it: never fewer persons than group places.
    fn approvals()(count in 0_u8..4, groups in btree_map(select(vec!["security", "legal", "owners"]), 1_u8..3, 0..3), flags in any::<[bool; 2]>())
        -> ApprovalNeed {
        let places = groups.values().sum::<u8>();
        let groups = groups.into_iter().map(|(g, n)| (id(g), n)).collect();
        ApprovalNeed { count: count.max(places), groups, other_employer: flags[0], signature: flags[1] }
    }
}

prop_compose! {
    fn requirement()(
        needs in vec(proof_need(), 0..3), gates in methods(), approvals in approvals(), s in vec(seconds(), 18), grant in proptest::option::of(seconds()),
        tries in (1_u8..6, 1_u8..11), review in any::<bool>(),
        told in btree_set(select(vec![Role::Supervisor, Role::SecurityReviewer]), 0..3),
    ) -> Requirement {
        Requirement {
            // A requirement's own needs never imply one another: `merge_proofs` made it.
            proofs: countersign::domain::requirement::merge_proofs(&needs, &[]),
            gates, approvals, min_endpoint_age: s[0], receipt_lifetime: s[1], approval_lifetime: s[2], delay: s[3], grace: s[4],
            grant_lifetime: grant, restriction: s[5],
            deadlines: Deadlines { triage: s[6], proofing: s[7], approval: s[8], expiry: s[9], hold: s[10] },
            lineage_window: s[11], linked_window: s[12],
            codes: CodeRules { email: s[13], phone: s[14], postal: s[15], contact: s[16], page: s[17], attempts_per_code: tries.0, attempts_per_case: tries.1 },
            review, escalates_to: told.into_iter().collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_01_02_10_hold_after_any_sequence(steps in vec((0_u8..24, select(PEOPLE)), 1..40), head in 0_usize..4) {
        let mut play = Play::new(Tier::Standard);
        // Most random beginnings lead nowhere: some of the way is gone first.
        if head > 0 {
            play.proofed(op("nadia"));
        }
        if head > 1 {
            play.act(op("nadia"), &Command::Seal).unwrap();
        }
        if head > 2 {
            play.approve("sato").unwrap();
        }
        let mut known: BTreeSet<PersonId> = BTreeSet::new();
        for (what, who) in steps {
            let before = play.world.clone();
            let (at, since) = (play.now, play.log.len());
            step(&mut play, what, who);
            let Some(case) = play.world.case.as_deref() else { continue };
            prop_assert!(persons(case).is_superset(&known), "lineage shrank");
            known = persons(case);
            if play.log.len() == since {
                prop_assert_eq!(&before.case, &play.world.case, "a refusal changed the case");
            }
            // What stands recorded is no more than what is derived, and nobody in it counts as an approver when it matters.
            let derived = lineage::lineage(&play.world, play.now);
            prop_assert!(derived.is_superset(&case.lineage));
            // Asked at the moment of execution: a delegation made while the target is at work comes too late for it.
            let began = before.case.as_ref().is_none_or(|c| c.state != CaseState::Executing);
            if case.state == CaseState::Executing && began {
                let barred = lineage::persons(&derived);
                prop_assert!(case.live_approvals().all(|a| !barred.contains(&a.person)), "executing on the word of someone in the lineage");
            }
            let decided = play.log[since..].iter().any(|e| matches!(e, countersign::domain::event::CaseEvent::Decided { .. }));
            prop_assert!(!decided || !lineage::persons(&lineage::lineage(&before, at)).contains(&case.approvals.last().unwrap().person));
            // Never more than was recorded (invariant 10).
            let entitled = play.world.subject.as_ref().unwrap().entitled(&case.route.target);
            for execution in &case.executions {
                if let Some(ExecutionOutcome::Restored { scope }) = &execution.outcome {
                    prop_assert!(scope.is_subset(&entitled));
                }
            }
        }
    }

    #[test]
    fn applying_is_deterministic_and_the_case_is_the_fold_of_its_events(steps in vec((0_u8..23, select(PEOPLE)), 1..30)) {
        let mut play = Play::sealed(Tier::Standard);
        for (what, who) in steps {
            step(&mut play, what, who);
        }
        // Time stood still, so the events alone make the case again.
        let fold = || play.log.iter().fold(None, |case, event| Case::apply(case, play.case().id, event, play.now));
        let (once, again) = (fold(), fold());
        prop_assert_eq!(once.as_ref(), play.world.case.as_deref());
        prop_assert_eq!(once, again);
    }

    #[test]
    fn invariant_02_a_linked_case_contains_its_parents_lineage(steps in vec((0_u8..23, select(PEOPLE)), 0..20)) {
        let mut parent = Play::new(Tier::Standard);
        parent.open(op("omar"), Path::Assisted);
        for (what, who) in steps {
            step(&mut parent, what, who);
        }
        let mut child = Play::new(Tier::Standard);
        child.world.register = parent.world.register.clone();
        child.world.linked = vec![parent.world.case.clone().unwrap()];
        child.act(op("nadia"), &Command::Open(open(2, Path::Assisted))).unwrap();
        prop_assert!(persons(child.case()).is_superset(&persons(parent.case())));
    }

    #[test]
    fn invariant_02_a_case_contains_the_lineage_of_every_case_that_ever_was_where_it_was(
        ways in vec(0_usize..3, 1..5), moves in vec(0_usize..3, 0..3), first in 0_usize..3
    ) {
        const TARGETS: [&str; 3] = ["crm", "vault", "wiki"];
        let there = |at: usize| countersign::domain::case::Route { target: id(TARGETS[at]), ..route(Path::Assisted) };
        let open_at = |number, at| Command::Open(countersign::domain::command::Open { route: there(at), ..open(number, Path::Assisted) });
        let new = || {
            let mut play = Play::new(Tier::Standard);
            let subject = std::sync::Arc::make_mut(play.world.subject.as_mut().unwrap());
            subject.entitlements = TARGETS.iter().map(|t| (id(t), BTreeSet::from([id("read")]))).collect();
            play
        };
        let (mut parent, mut been) = (new(), BTreeSet::from([ways[0]]));
        parent.act(op("omar"), &open_at(1, ways[0])).unwrap();
        for at in &ways[1..] {
            been.extend(parent.act(op("omar"), &Command::Route { route: there(*at) }).is_ok().then_some(*at));
        }
        parent.act(op("omar"), &Command::Withdraw { reason: text("r") }).unwrap();
        let mut child = new();
        child.world.linked = vec![parent.world.case.clone().unwrap()];
        child.act(op("nadia"), &open_at(2, first)).unwrap();
        let mut meet = been.contains(&first);
        prop_assert_eq!(persons(child.case()).contains(&id::<PersonId>("omar")), meet);
        for at in moves {
            let moved = child.act(op("nadia"), &Command::Route { route: there(at) }).is_ok();
            meet |= moved && been.contains(&at);
            prop_assert_eq!(persons(child.case()).contains(&id::<PersonId>("omar")), meet, "and what it took in it keeps");
        }
    }

    #[test]
    fn invariant_14_stricter_is_commutative_associative_and_idempotent(a in requirement(), b in requirement(), c in requirement()) {
        prop_assert_eq!(a.stricter(&b), b.stricter(&a));
        prop_assert_eq!(a.stricter(&b).stricter(&c), a.stricter(&b.stricter(&c)));
        prop_assert_eq!(a.stricter(&a), a.clone());
        prop_assert_eq!(a.stricter(&b).stricter(&b), a.stricter(&b));
    }

    #[test]
    fn no_policy_file_panics_the_reader(text in "\\PC{0,300}", at in 0_usize..DEFAULT.len(), junk in "[\\[\\]{}=\"', a-z0-9_\\n-]{0,12}", cut in 0_usize..60) {
        let _ = Policy::parse(&text);
        // The real file with a piece torn out and something else put in.
        let chars: Vec<char> = DEFAULT.chars().collect();
        let at = at.min(chars.len());
        let torn: String = chars[..at].iter().copied().chain(junk.chars()).chain(chars[(at + cut).min(chars.len())..].iter().copied()).collect();
        if let Err(mistakes) = Policy::parse(&torn) {
            prop_assert!(!mistakes.is_empty() && mistakes.iter().all(|m| !m.message.is_empty()));
        }
    }
}
