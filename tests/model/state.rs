//! What the model keeps: two cases, the register's turns, and a ghost record of who truly did what.
//!
//! Contract: two states are the same if nothing that rules look at differs; versions, ids and comments are left out of the comparison, so the
//! space stays finite without cutting the exploration.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use countersign::domain::case::Case;
use countersign::domain::vocabulary::CaseState;

/// A state of the model.
#[derive(Clone, Debug)]
pub struct State {
    /// The two cases of one subject and target.
    pub cases: [Option<Arc<Case>>; 2],
    /// Whether Ruiz's delegation to Nadia was revoked.
    pub revoked: bool,
    /// Whether policy was loosened.
    pub loosened: bool,
    /// Disturbing acts so far.
    pub disturbed: BTreeSet<(usize, &'static str)>,
    /// The persons who truly had a hand, by case.
    pub hands: [BTreeSet<&'static str>; 2],
    /// The persons who truly approved what stands now, by case.
    pub approved: [BTreeSet<&'static str>; 2],
    /// The first thing that must never happen and did.
    pub broken: Option<&'static str>,
    /// What the comparison looks at.
    key: String,
}

impl State {
    pub fn new() -> Self {
        let mut state = Self {
            cases: [None, None],
            revoked: false,
            loosened: false,
            disturbed: BTreeSet::new(),
            hands: Default::default(),
            approved: Default::default(),
            broken: None,
            key: String::new(),
        };
        state.settle();
        state
    }

    pub fn is(&self, n: usize, state: CaseState) -> bool {
        self.cases[n].as_ref().is_some_and(|c| c.state == state)
    }

    /// Works the comparison out anew, after a change.
    pub fn settle(&mut self) {
        let cases: Vec<String> = self.cases.iter().map(|c| c.as_deref().map_or_else(String::new, shape)).collect();
        for n in 0..2 {
            if self.cases[n].as_ref().is_some_and(|c| settled(c.state)) {
                self.approved[n].clear();
            }
        }
        self.key =
            format!("{cases:?} {} {} {:?} {:?} {:?} {:?}", self.revoked, self.loosened, self.disturbed, self.hands, self.approved, self.broken);
    }
}

/// Whether nothing that is decided from here on depends on the approvals.
fn settled(state: CaseState) -> bool {
    state.is_ended() || state == CaseState::Restored
}

fn shape(case: &Case) -> String {
    // What was decided matters only until it was carried out: nothing leads back from there to deciding.
    let over = settled(case.state);
    let sessions: Vec<_> = case.sessions.iter().filter(|_| !over).map(|(id, s)| (id, s.outcome, s.failed_attempts)).collect();
    let seal = case.seal.as_ref().map(|s| s.sha256);
    let approvals: BTreeSet<_> = case
        .approvals
        .iter()
        .filter(|a| !over && Some(a.seal) == seal)
        .map(|a| (a.person.as_str(), a.operator.as_str(), a.void.is_some(), a.decision))
        .collect();
    let lineage: BTreeSet<_> = case.lineage.iter().map(|e| e.person.as_str()).collect();
    let evidence: Vec<_> = case.evidence.iter().map(|e| (&e.id, e.late)).collect();
    let runs: Vec<_> = case.executions.iter().map(|e| &e.outcome).collect();
    let grants: Vec<_> = case.grants.iter().map(|g| (g.ending.is_some(), g.revoked_at.is_some())).collect();
    let flags: BTreeSet<_> = case.flags.iter().map(|f| f.kind).collect();
    format!(
        "{:?} {:?} {} {} {} {sessions:?} {} {} {approvals:?} {lineage:?} {evidence:?} {runs:?} {grants:?} {flags:?} {} {}",
        case.state,
        case.route.scope,
        case.linked.len(),
        case.hold.is_some(),
        case.triage.is_some(),
        case.receipts.len(),
        case.seal.is_some(),
        case.reviews.is_empty(),
        case.taking_back()
    )
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for State {}
impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
