//! A decision in the making: the world with the events so far applied, so that later rules see what earlier ones did.
//!
//! Contract: events come only through [`Draft::push`], which applies each at once. Knows no command.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actor;
use crate::base::Time;
use crate::base::ids::{ApprovalId, CaseId, PersonId};
use crate::domain::bounds::MAX_ITEMS;
use crate::domain::case::{ActorRef, Approval, Case, Flag, Hand, LineageEntry, Route, VoidReason, Worker};
use crate::domain::checklist;
use crate::domain::command::{Context, World};
use crate::domain::dates;
use crate::domain::derived::Derived;
use crate::domain::event::CaseEvent;
use crate::domain::lineage;
use crate::domain::refusal::{Act, CouldDecide, Refusal};
use crate::domain::requirement::{Requirement, Seconds};
use crate::domain::seal;
use crate::domain::standing::Standing;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{Action, CaseState, Decision, Duty, FlagKind, Path, Status};

/// Most lineage entries that one event carries, so that an entry of the log stays under its size limit.
const CHUNK: usize = 100;
/// Most scopes, and most picked groups, that a route may name.
const MAX_SCOPES: usize = 200;

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub world: World,
    pub case: Arc<Case>,
    pub code: &'static str,
    pub ctx: &'a Context,
    pub events: Vec<CaseEvent>,
}

impl<'a> Draft<'a> {
    pub fn new(world: &World, code: &'static str, ctx: &'a Context) -> Result<Self, Refusal> {
        let case = world.case.clone().ok_or_else(|| Refusal::Unknown("The case".to_owned()))?;
        Ok(Self { world: world.clone(), case, code, ctx, events: Vec::new() })
    }

    /// A draft that begins with a case's first event.
    pub fn opening(world: &World, id: CaseId, opened: CaseEvent, ctx: &'a Context) -> Option<Self> {
        let case = Arc::new(Case::apply(None, id, &opened, ctx.now)?);
        let mut world = world.clone();
        world.case = Some(case.clone());
        world.pinned = world.current.clone();
        Some(Self { world, case, code: "open", ctx, events: vec![opened] })
    }

    pub const fn now(&self) -> Time {
        self.ctx.now
    }

    pub fn push(&mut self, event: CaseEvent) {
        // Nobody else may hold it meanwhile, or each event would cost a copy of the whole case.
        self.world.case = None;
        self.world.derived = Derived::default();
        Arc::make_mut(&mut self.case).happens(&event, self.ctx.now);
        self.world.case = Some(self.case.clone());
        self.events.push(event);
    }

    /// Into another phase. Its clock is one for the life of the case: what was used of it before is gone, whoever sends the case back and for
    /// whatever reason, so that no deadline is moved by coming and going (invariant 16).
    pub fn go(&mut self, to: CaseState, time: Option<Seconds>) {
        let left = time.map(|time| self.left_of(to, time));
        self.enter(to, left);
    }

    /// What is left of a phase's time.
    fn left_of(&self, phase: CaseState, time: Seconds) -> Seconds {
        time.saturating_sub(self.case.used(phase, self.now()))
    }

    fn enter(&mut self, to: CaseState, left: Option<Seconds>) {
        let due = left.map(|left| self.now() + left.duration());
        let used = due.map(|_| self.case.used(to, self.now())).filter(|used| used.0 > 0);
        self.push(CaseEvent::StateChanged { to, due, used });
    }

    pub fn requirement(&self) -> Arc<Requirement> {
        checklist::requirement(&self.world)
    }

    pub fn subject(&self) -> Result<Arc<Subject>, Refusal> {
        self.world.subject.clone().ok_or_else(|| Refusal::Unknown("The subject".to_owned()))
    }

    // --- questions ---

    pub fn not_held(&self) -> Result<(), Refusal> {
        if self.case.hold.is_some() { Err(Refusal::Held) } else { Ok(()) }
    }

    pub fn stands(&self, states: &[CaseState]) -> Result<(), Refusal> {
        if states.contains(&self.case.state) { Ok(()) } else { Err(self.wrong_state()) }
    }

    /// That something may be done once more which was done that often.
    pub fn again(what: &'static str, done: usize) -> Result<(), Refusal> {
        if done >= MAX_ITEMS { Err(Refusal::Limit { what, limit: MAX_ITEMS }) } else { Ok(()) }
    }

    pub fn wrong_state(&self) -> Refusal {
        Refusal::WrongState { state: self.case.state, command: self.code }
    }

    /// Refuses someone who has a hand in the case, naming every duty and who could do it instead (invariant 1).
    pub fn outside_lineage(&self, act: Act, person: &PersonId) -> Result<(), Refusal> {
        let duties = lineage::duties(&self.world, person, self.now());
        if duties.is_empty() {
            return Ok(());
        }
        let approved = |a: &&Approval| a.decision == Decision::Approve;
        let could = match act {
            Act::Decide => lineage::could_decide(&self.world, self.now()),
            Act::LiftHold => lineage::could_review(&self.world, &BTreeSet::new(), self.now()),
            Act::LookBack => {
                let approvers = self.case.approvals.iter().filter(approved).map(|a| a.person.clone()).collect();
                lineage::could_review(&self.world, &approvers, self.now())
            }
        };
        Err(Refusal::SeparationOfDuties { act, duties, could })
    }

    /// Whether the approvals that count now meet the quorum: in force, by persons outside the lineage, through accounts that still could.
    pub fn quorum(&self) -> bool {
        Standing::of(&self.world, self.now()).reached()
    }

    /// Whether the case's subject can get back what that route asks for, in this case.
    pub fn recoverable(&self, route: &Route) -> Result<(), Refusal> {
        recoverable(&self.world, &*self.subject()?, (route, &self.case.flags), self.case.request.opened_at)
    }

    // --- consequences ---

    /// Records new hands and whatever lineage follows from them and from the register's history since (invariant 2).
    pub fn grow(&mut self, hands: Vec<Hand>) {
        let known = |h: &Hand| self.case.hands.iter().any(|k| k.who == h.who && k.duty == h.duty);
        let hands: BTreeSet<Hand> = hands.into_iter().filter(|h| !known(h)).collect();
        let mut probe = (*self.case).clone();
        probe.hands.extend(hands.iter().cloned());
        let world = World { case: Some(Arc::new(probe)), ..self.world.clone() };
        let derived = lineage::lineage(&world, self.now());
        let fresh: Vec<LineageEntry> = derived.difference(&self.case.lineage).cloned().collect();
        if hands.is_empty() && fresh.is_empty() {
            // Nobody new; but the path may be, or who decides the rules.
            self.assist();
            return;
        }
        self.grew(hands, &fresh);
        self.assist();
    }

    /// Records them in entries of a size that stays bounded.
    fn grew(&mut self, hands: BTreeSet<Hand>, fresh: &[LineageEntry]) {
        let mut hands = Some(hands);
        let mut chunks: Vec<BTreeSet<LineageEntry>> = fresh.chunks(CHUNK).map(|c| c.iter().cloned().collect()).collect();
        if chunks.is_empty() {
            chunks.push(BTreeSet::new());
        }
        for lineage in chunks {
            self.push(CaseEvent::LineageGrew { hands: hands.take().unwrap_or_default(), lineage });
        }
    }

    /// Records a lineage that another log of the same case tells of, whatever it came from: it only grows (invariant 2).
    pub fn grow_as_known(&mut self, hands: &BTreeSet<Hand>, lineage: &BTreeSet<LineageEntry>) {
        self.grow(hands.iter().cloned().collect());
        let fresh: Vec<LineageEntry> = lineage.difference(&self.case.lineage).cloned().collect();
        if !fresh.is_empty() {
            self.grew(BTreeSet::new(), &fresh);
            self.assist();
        }
    }

    /// Turns a runbook or self-service case into an assisted one if a decider of record has a hand in it (invariant 17). Not what is in a target's
    /// hands, failed there or ended: it would lose the plan by which it is brought to its end, or undone.
    fn assist(&mut self) {
        let undecided = matches!(self.case.state, CaseState::New | CaseState::Proofing | CaseState::Sealed | CaseState::Approved);
        if undecided && self.runs_itself() && self.decider_has_hand() {
            let known = lineage::persons(&lineage::lineage(&self.world, self.now()));
            let authors = known.intersection(&self.world.register.policy_deciders);
            let author = |p: &PersonId| LineageEntry { person: p.clone(), duty: Duty::RuleAuthor, via: None, case: None };
            let lineage: BTreeSet<LineageEntry> = authors.map(author).filter(|e| !self.case.lineage.contains(e)).take(CHUNK).collect();
            if !lineage.is_empty() {
                self.push(CaseEvent::LineageGrew { hands: BTreeSet::new(), lineage });
            }
            let route = Route { path: Path::Assisted, ..self.case.route.clone() };
            self.push(CaseEvent::Routed { route });
        }
    }

    /// Whether no agent completes it by hand.
    pub fn runs_itself(&self) -> bool {
        self.case.route.path.runs_itself()
    }

    pub fn decider_has_hand(&self) -> bool {
        let persons = lineage::persons(&lineage::lineage(&self.world, self.now()));
        !persons.is_disjoint(&self.world.register.policy_deciders)
    }

    pub fn void(&mut self, why: VoidReason) {
        let live: BTreeSet<ApprovalId> = self.case.live_approvals().map(|a| a.id.clone()).collect();
        if !live.is_empty() {
            self.push(CaseEvent::ApprovalsVoided { approvals: live, why });
        }
    }

    /// Back to gathering proof: whatever was approved no longer is, visibly.
    pub fn unseal(&mut self, why: VoidReason) {
        self.void(why);
        let due = self.requirement().deadlines.proofing;
        self.go(CaseState::Proofing, Some(due));
        let late = self.case.evidence.iter().flat_map(|e| actor::hands(&e.by, Duty::EvidenceEditor, e.at)).collect();
        self.grow(late);
    }

    /// Notes an anomaly once, in the server's name.
    pub fn notice(&mut self, kind: FlagKind) {
        if !self.case.has_flag(kind) {
            let by = ActorRef::System { worker: Worker::Reassess };
            self.push(CaseEvent::Flagged { flag: Flag { kind, by, at: self.now(), case: None } });
        }
    }

    /// Works out who could still decide, and shows at once if no one could, or if no owners are there to prove what only they can (invariant 15);
    /// that is over once somebody could.
    pub fn look_ahead(&mut self) -> CouldDecide {
        let could = lineage::could_decide(&self.world, self.now());
        if !could.enough || checklist::lacks_owners(&self.world, self.now()) {
            self.notice(FlagKind::Deadlock);
        } else {
            self.lower(FlagKind::Deadlock);
        }
        could
    }

    /// Takes back what the server itself noticed and is so no longer; not where a seal would ask for something else by it.
    fn lower(&mut self, kind: FlagKind) {
        let own = |f: &Flag| matches!(f.by, ActorRef::System { .. });
        if !self.case.flags.iter().any(|f| f.kind == kind) || !self.case.flags.iter().filter(|f| f.kind == kind).all(own) {
            return;
        }
        let left: Vec<Flag> = self.case.flags.iter().filter(|f| f.kind != kind).cloned().collect();
        let Some(subject) = self.world.subject.clone() else { return };
        let same = checklist::requirement_for(&self.world, &subject, (&self.case.route, &left), self.case.request.opened_at) == *self.requirement();
        if same || matches!(self.case.state, CaseState::New | CaseState::Proofing) {
            self.push(CaseEvent::FlagLowered { kind });
        }
    }

    /// Seals the case; without approvals to wait for, it is approved at once.
    pub fn seal(&mut self, by: &ActorRef) -> Result<(), Refusal> {
        let revision = self.case.revision.saturating_add(1);
        let (plan, seal) = seal::make(&self.world, revision, by, self.now())?;
        self.push(CaseEvent::Sealed { plan, seal });
        self.await_approval();
        let need = self.requirement();
        self.approve_if_reached(&need);
        Ok(())
    }

    /// The case waits for its approvers: no longer than policy's deadline, nor than the proof counts on which they are to decide.
    pub fn await_approval(&mut self) {
        let deadline = self.left_of(CaseState::Sealed, self.requirement().deadlines.approval);
        let proof = checklist::proof_until(&self.world, self.now()).map(|until| super::proof::left(until, self.now()));
        self.enter(CaseState::Sealed, Some(proof.map_or(deadline, |left| left.min(deadline))));
    }

    /// Schedules the execution if the quorum is reached: not before delay and grace are over.
    pub fn approve_if_reached(&mut self, need: &Requirement) {
        if self.quorum() {
            let not_before = self.now() + need.delay.max(need.grace).duration();
            self.go(CaseState::Approved, None);
            self.push(CaseEvent::ExecutionScheduled { not_before, again: None });
        }
    }

    /// Seals a self-service or runbook case by itself once nothing is missing.
    pub fn seal_by_itself(&mut self) -> Result<(), Refusal> {
        let ready = self.runs_itself() && self.case.hold.is_none() && self.case.state == CaseState::Proofing;
        if !ready || self.decider_has_hand() || !checklist::progress(&self.world, self.now()).complete || !self.look_ahead().enough {
            return Ok(());
        }
        self.seal(&ActorRef::System { worker: Worker::Deadlines })
    }
}

/// Whether a subject can get back what a route asks for in a case opened then: never more than was recorded before, never a retired identity
/// (invariant 10).
pub(super) fn recoverable(world: &World, subject: &Subject, (route, flags): (&Route, &[Flag]), opened: Time) -> Result<(), Refusal> {
    if route.subject != subject.id {
        return Err(Refusal::Unknown("The subject".to_owned()));
    }
    if subject.status == Status::Retired {
        return Err(Refusal::NotRecoverable("The identity is retired; a retired identity is not brought back.".to_owned()));
    }
    if route.action == Action::AccountReactivation && subject.status != Status::Suspended {
        return Err(Refusal::NotRecoverable("Only a suspended account can be reactivated.".to_owned()));
    }
    if route.scope.is_empty() {
        return Err(Refusal::Invalid { field: "scope", why: "name at least one recorded scope".to_owned() });
    }
    if route.scope.len() > MAX_SCOPES || route.picked_groups.len() > MAX_SCOPES {
        return Err(Refusal::Limit { what: "A route's list of scopes or groups", limit: MAX_SCOPES });
    }
    let entitled = subject.entitled(&route.target);
    if entitled.is_empty() {
        return Err(Refusal::NotRecoverable("Nothing was recorded for the subject in this target.".to_owned()));
    }
    if !route.scope.is_subset(&entitled) {
        return Err(Refusal::ScopeExceeds);
    }
    let age = checklist::requirement_for(world, subject, (route, flags), opened).min_endpoint_age;
    dates::scopes(subject, (&route.target, &route.scope), age, opened).map_or(Ok(()), |why| Err(Refusal::TooYoung(why)))
}
