//! Explores the life of a case with colluding actors through the production `decide`, and finds no path past invariants 1 to 4 and 14;
//! with a defect seeded around the rules, it finds one.
//!
//! Contract: three models, each explored exhaustively within its [`acts::Bounds`], since one that held everything would never end. The judge
//! is [`oracle`], which never asks the rules. What is in each, and what is not and why:
//!
//! - `EVERYTHING`: every command on one case, roll-backs, retries, grants, ticks and comments among them, with one disturbance (route, reopen,
//!   hold, flag, evidence, telemetry, a wrong code, withdrawal, a revoked delegation, a laxer policy, or a linked case that is opened and
//!   perhaps withdrawn). Not in it: a linked case that lives on (`LINKED`), a second disturbance (`DISTURBED`).
//! - `LINKED`: two linked cases worked by different people from opening to restoring, side by side in every interleaving; on both, approvals by
//!   all seven accounts, denial, taking back, and looking again (`reassess`). Not in it: disturbances and what follows restoring
//!   (`EVERYTHING`); more than one account that takes back and one that denies, each of which approves too, for want of room.
//! - `DISTURBED`: one case and any two disturbances of it, in any order and at any time, with gates asked for after a flag, holds lifted,
//!   denial, taking back and looking again. Not in it: what follows restoring (`EVERYTHING`); a linked case does no more than open, which is
//!   all that matters to the other one's approvers (`LINKED` has the rest).
//!
//! Time stands still but for delays that are waited out: lifetimes are properties of `tests/rules`. A failed roll-back leads nowhere from which
//! anyone decides, and is left to tests of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod acts;
mod defect;
mod oracle;
#[path = "../support/play.rs"]
mod play;
mod state;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::register::Register;
use countersign::domain::subject::Subject;
use countersign::domain::vocabulary::{CaseState, Tier};
use defect::Defect;
use state::State;
use stateright::{Checker as _, Model, Property};

/// The life of a case, and what surrounds it.
pub struct Life {
    bounds: &'static acts::Bounds,
    defect: Option<Defect>,
    strict: Arc<Policy>,
    loose: Arc<Policy>,
    registers: [Arc<Register>; 2],
    subject: Arc<Subject>,
    fired: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Life {
    fn new(bounds: &'static acts::Bounds, defect: Option<Defect>) -> Self {
        let text = DEFAULT.replacen("approvals = 1", "approvals = 2", 1);
        let strict = Arc::new(Policy::parse(&text).expect("a stricter policy"));
        let registers = [false, true].map(|revoked| Arc::new(acts::register(revoked)));
        let subject = Arc::new(play::subject(Tier::Standard));
        Self { bounds, defect, strict, loose: Arc::new(Policy::builtin()), registers, subject, fired: Arc::default() }
    }
}

impl Model for Life {
    type State = State;
    type Action = acts::Act;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<acts::Act>) {
        // What is broken stays broken: the path to it is the answer.
        if state.broken.is_none() {
            acts::possible(self.bounds, state, actions);
        }
    }

    fn next_state(&self, state: &State, act: acts::Act) -> Option<State> {
        acts::perform(self, state, act)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no path past an invariant", |_, s: &State| s.broken.is_none()),
            Property::sometimes("restored is reached", |_, s: &State| s.is(0, CaseState::Restored)),
            Property::sometimes("the linked case is restored", |_, s: &State| s.is(1, CaseState::Restored)),
        ]
    }
}

const APPROVERS: &[&str] = &["nadia-sup", "omar", "ruiz", "lind", "lind-two", "sato", "tess"];

/// Every command, with one disturbance.
static EVERYTHING: acts::Bounds = acts::Bounds {
    openers: [&["nadia", "bot"], &["tess"]],
    steps: [
        &[
            "triage",
            "start",
            "prove",
            "seal",
            "execute",
            "restored",
            "failed",
            "too_much",
            "taken_back",
            "retry",
            "roll_back",
            "rolled_back",
            "revoke",
            "gone",
            "review",
            "close",
            "contact",
            "reached",
            "lift",
            "ask",
            "attest",
            "decline",
            "tick",
            "reassess",
            "comment",
            "assign",
            "handover",
            "no_change",
        ],
        &["withdraw"],
    ],
    disturbing: [&["route", "reopen", "hold", "flag", "evidence", "telemetry", "failed_attempt", "withdraw", "outage", "take_over"], &[]],
    around: &["revoke", "loosen", "linked"],
    approvers: APPROVERS,
    deniers: &["sato", "nadia-sup"],
    takers: &["lind", "sato"],
    disturbances: 1,
};

/// Two linked cases, worked by different people, both live from opening to restoring, side by side: approvals are given, taken back and
/// looked at again on either, and either may be denied.
static LINKED: acts::Bounds = acts::Bounds {
    openers: [&["nadia", "bot"], &["tess"]],
    steps: [
        &["triage", "start", "prove", "seal", "execute", "restored", "reassess"],
        &["triage", "start", "prove", "ask", "attest", "seal", "execute", "restored", "reassess"],
    ],
    disturbing: [&[], &[]],
    around: &[],
    approvers: APPROVERS,
    deniers: &["lind"],
    takers: &["sato"],
    disturbances: 0,
};

/// One case, disturbed twice, in any order and at any time.
static DISTURBED: acts::Bounds = acts::Bounds {
    openers: [&["nadia"], &["tess"]],
    steps: [&["triage", "start", "prove", "ask", "attest", "seal", "execute", "restored", "contact", "reached", "lift", "reassess"], &[]],
    disturbing: [&["route", "reopen", "hold", "flag", "evidence", "telemetry"], &[]],
    around: &["revoke", "loosen", "linked"],
    approvers: APPROVERS,
    deniers: &["lind"],
    takers: &["sato"],
    disturbances: 2,
};

const ALL: &[&str] = &[
    "open",
    "triage",
    "no_change",
    "route",
    "assign",
    "handover",
    "comment",
    "evidence",
    "telemetry",
    "start_proof",
    "record_failed_attempt",
    "record_proof",
    "record_decline",
    "seal",
    "reopen",
    "decide",
    "take_back",
    "start_execution",
    "end_execution",
    "confirm_taken_back",
    "retry",
    "roll_back",
    "revoke_grant",
    "confirm_revoked",
    "review",
    "close",
    "withdraw",
    "hold",
    "lift_hold",
    "take_over",
    "flag",
    "tick",
    "reassess",
];

/// Explores all there is; what is returned fired.
fn explore(bounds: &'static acts::Bounds) -> (BTreeSet<&'static str>, bool) {
    let life = Life::new(bounds, None);
    let fired = life.fired.clone();
    let checker = life.checker().threads(2).spawn_bfs().join();
    eprintln!("{} states, {} unique, depth {}", checker.state_count(), checker.unique_state_count(), checker.max_depth());
    let path = checker.discovery("no path past an invariant").map(|p| {
        let why = p.last_state().broken;
        format!("{why:?} {:?}", p.into_actions())
    });
    assert_eq!(path, None);
    assert!(checker.is_done(), "all of it");
    assert!(checker.discovery("restored is reached").is_some());
    let both = checker.discovery("the linked case is restored").is_some();
    (fired.lock().expect("nobody panicked").clone(), both)
}

#[test]
fn no_path_leads_past_an_invariant_and_every_command_fires() {
    let (fired, _) = explore(&EVERYTHING);
    assert_eq!(ALL.iter().collect::<BTreeSet<_>>().len(), 33, "the table of `tests/rules` has as many commands");
    let silent: Vec<&&str> = ALL.iter().filter(|c| !fired.contains(**c)).collect();
    assert!(silent.is_empty(), "never fired: {silent:?}");
}

#[test]
fn no_path_leads_past_an_invariant_where_two_linked_cases_live_side_by_side() {
    let (_, both) = explore(&LINKED);
    assert!(both, "the linked case is restored too");
}

#[test]
fn no_path_leads_past_an_invariant_where_a_case_is_disturbed_twice() {
    explore(&DISTURBED);
}

#[test]
fn every_seeded_defect_is_found() {
    for defect in Defect::ALL {
        let life = Life::new(&EVERYTHING, Some(*defect));
        let checker = life.checker().threads(2).finish_when(stateright::HasDiscoveries::AnyFailures).spawn_bfs().join();
        let found = checker.discovery("no path past an invariant");
        let why = found.as_ref().and_then(|path| path.last_state().broken);
        let acts = found.map(|path| format!("{:?}", path.into_actions())).unwrap_or_default();
        eprintln!("{defect:?}: {why:?} by {acts}");
        assert_eq!(why, Some(defect.shows_as()), "{defect:?} in {} states", checker.unique_state_count());
    }
}
