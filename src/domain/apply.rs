//! How a case comes about: the fold of its events.
//!
//! Contract: never fails and never refuses; an event that has no place where the case stands changes nothing but the version, because
//! entries are facts. Knows no rules: which events may happen is `decide`.

use std::collections::{BTreeMap, BTreeSet};

use super::approval::VoidReason;
use super::bounds::Worked;
use super::case::{Case, Request, Route, Times};
use super::elsewhere::There;
use super::event::CaseEvent;
use super::grant::ExecutionOutcome;
use super::message::SentAt;
use super::receipt::SessionOutcome;
use super::requirement::Seconds;
use super::vocabulary::CaseState;
use crate::base::ids::{ApprovalId, CaseId};
use crate::base::{Digest, Time};

impl Case {
    /// The case after an event that happened at that time; `None` before [`CaseEvent::Opened`]. An event that has no place where the case
    /// stands changes nothing but the version: entries are facts, and reading them never fails.
    pub fn apply(case: Option<Self>, id: CaseId, event: &CaseEvent, at: Time) -> Option<Self> {
        match (case, event) {
            (None, CaseEvent::Opened { route, request, policy, linked, due, expires_at }) => {
                let times = Times {
                    updated_at: at,
                    due: *due,
                    passed: None,
                    paused_left: None,
                    used: BTreeMap::new(),
                    runs_since: due.map(|_| at),
                    expires_at: *expires_at,
                    escalated_at: None,
                    execute_after: None,
                    restricted_until: None,
                };
                Some(Self::opened(id, route, request, *policy, linked, times))
            }
            (None, _) => None,
            (Some(mut case), event) => {
                case.happens(event, at);
                Some(case)
            }
        }
    }

    /// What a further event makes of it, in place.
    pub fn happens(&mut self, event: &CaseEvent, at: Time) {
        self.version += 1;
        if !matches!(event, CaseEvent::Refused { .. } | CaseEvent::MessageSent { .. }) {
            self.times.updated_at = at;
            self.changed = self.version;
        }
        self.fold(event, at);
    }

    fn opened(id: CaseId, route: &Route, request: &Request, policy: Digest, linked: &BTreeSet<CaseId>, times: Times) -> Self {
        Self {
            id,
            version: 1,
            changed: 1,
            route: route.clone(),
            targets: BTreeSet::from([route.target.clone()]),
            request: request.clone(),
            state: CaseState::New,
            hold: None,
            policy,
            lineage: BTreeSet::new(),
            hands: BTreeSet::new(),
            linked: linked.clone(),
            triage: None,
            assignee: None,
            evidence: Vec::new(),
            receipts: Vec::new(),
            sessions: BTreeMap::new(),
            failed_attempts: 0,
            plan: None,
            seal: None,
            revision: 0,
            approvals: Vec::new(),
            flags: Vec::new(),
            executions: Vec::new(),
            undoing: None,
            taken_back: BTreeMap::new(),
            there: There::default(),
            grants: Vec::new(),
            reviews: Vec::new(),
            times,
            comments: Vec::new(),
            handover: None,
            messages: Vec::new(),
            elsewhere: BTreeSet::new(),
            turns: Vec::new(),
            contacts: BTreeSet::new(),
            worked: Worked::default(),
        }
    }

    /// Counts what is bounded by how often it was done.
    fn count(&mut self, event: &CaseEvent) {
        match event {
            CaseEvent::Assigned { .. } => self.worked.assigned += 1,
            CaseEvent::HandedOver { .. } => self.worked.handed_over += 1,
            CaseEvent::Triaged { .. } => self.worked.triaged += 1,
            CaseEvent::Routed { .. } => self.worked.routed += 1,
            CaseEvent::Reopened { .. } => self.worked.reopened += 1,
            CaseEvent::RollBackAsked { .. } => self.worked.undone += 1,
            _ => {}
        }
    }

    fn fold(&mut self, event: &CaseEvent, at: Time) {
        self.count(event);
        match event {
            CaseEvent::Opened { .. } | CaseEvent::Refused { .. } => {}
            CaseEvent::MessageSent { sent } => self.messages.push(SentAt { sent: sent.clone(), at }),
            CaseEvent::LineageGrew { hands, lineage } => {
                self.linked.extend(lineage.iter().filter_map(|e| e.case));
                self.hands.extend(hands.iter().cloned());
                self.lineage.extend(lineage.iter().cloned());
            }
            CaseEvent::Triaged { triage } => self.triage = Some(triage.clone()),
            CaseEvent::Assigned { operator } => self.assignee.clone_from(operator),
            CaseEvent::HandedOver { note } => self.handover = Some(note.clone()),
            CaseEvent::Commented { .. } => self.comments.push(self.version),
            CaseEvent::EvidenceAdded { evidence } => self.evidence.push(evidence.clone()),
            CaseEvent::Flagged { flag } => self.flags.push(flag.clone()),
            CaseEvent::FlagLowered { kind } => self.flags.retain(|f| f.kind != *kind),
            CaseEvent::Reviewed { review } => self.reviews.push(review.clone()),
            CaseEvent::SessionOpened { .. } | CaseEvent::AttemptFailed { .. } | CaseEvent::SessionEnded { .. } | CaseEvent::Proved { .. } => {
                self.fold_proof(event);
            }
            CaseEvent::Routed { .. }
            | CaseEvent::Reopened { .. }
            | CaseEvent::Sealed { .. }
            | CaseEvent::Decided { .. }
            | CaseEvent::ApprovalsVoided { .. }
            | CaseEvent::StateChanged { .. } => self.fold_seal(event, at),
            CaseEvent::ExecutionScheduled { .. }
            | CaseEvent::ExecutionStarted { .. }
            | CaseEvent::ExecutionEnded { .. }
            | CaseEvent::TakingBack { .. }
            | CaseEvent::TakenBack { .. }
            | CaseEvent::AttemptsKnown { .. }
            | CaseEvent::OrderTakenOver { .. }
            | CaseEvent::Granted { .. }
            | CaseEvent::GrantEnding { .. }
            | CaseEvent::GrantRevoked { .. }
            | CaseEvent::RollBackAsked { .. }
            | CaseEvent::Restricted { .. } => self.fold_execution(event, at),
            CaseEvent::Held { .. }
            | CaseEvent::HoldLifted { .. }
            | CaseEvent::ClockPaused { .. }
            | CaseEvent::ClockResumed { .. }
            | CaseEvent::Escalated { .. } => self.fold_clock(event, at),
        }
    }

    fn fold_proof(&mut self, event: &CaseEvent) {
        match event {
            CaseEvent::SessionOpened { session, proof } => {
                if self.hold.is_some() {
                    self.contacts.insert(session.clone());
                }
                self.sessions.insert(session.clone(), proof.clone());
            }
            CaseEvent::AttemptFailed { session } => {
                // Over a hold security's contact counts by its own sessions alone.
                if self.hold.is_none() {
                    self.failed_attempts = self.failed_attempts.saturating_add(1);
                }
                if let Some(s) = self.sessions.get_mut(session) {
                    s.failed_attempts = s.failed_attempts.saturating_add(1);
                }
            }
            CaseEvent::SessionEnded { session, outcome } => {
                if let Some(s) = self.sessions.get_mut(session) {
                    s.outcome = Some(*outcome);
                }
            }
            CaseEvent::Proved { receipt } => self.receipts.push(receipt.clone()),
            _ => {}
        }
    }

    fn fold_seal(&mut self, event: &CaseEvent, at: Time) {
        match event {
            CaseEvent::Routed { route } => {
                if !route.is_within(&self.route) {
                    self.turn(at);
                }
                self.targets.insert(route.target.clone());
                self.route = route.clone();
                self.unseal();
            }
            CaseEvent::Reopened { .. } => self.unseal(),
            CaseEvent::Sealed { plan, seal } => {
                self.plan = Some(plan.clone());
                self.revision = seal.revision;
                self.seal = Some(seal.clone());
            }
            CaseEvent::Decided { approval } => self.approvals.push(approval.clone()),
            CaseEvent::ApprovalsVoided { approvals, why } => self.void(approvals, *why),
            CaseEvent::StateChanged { to, due, .. } => {
                self.stop_clock(at);
                self.state = *to;
                if matches!(to, CaseState::New | CaseState::Proofing) {
                    self.unseal();
                }
                if *to == CaseState::Sealed {
                    self.times.execute_after = None;
                }
                self.times.passed = None;
                // While it is held, `due` is the hold's own escalation; the new phase's clock runs from the lifting on.
                if self.hold.is_some() {
                    self.times.paused_left = due.map(|due| Seconds(u32::try_from((due - at).num_seconds().max(0)).unwrap_or(u32::MAX)));
                } else {
                    self.times.paused_left = None;
                    self.times.due = *due;
                    self.times.runs_since = due.map(|_| at);
                }
            }
            _ => {}
        }
    }

    /// The phase's clock stands still: how long it ran is added up.
    fn stop_clock(&mut self, at: Time) {
        if self.times.runs_since.is_some() {
            self.times.used.insert(self.state, self.used(self.state, at));
            self.times.runs_since = None;
        }
    }

    /// Nothing is sealed any more: late telemetry becomes evidence like any other.
    fn unseal(&mut self) {
        self.seal = None;
        self.plan = None;
        self.times.execute_after = None;
        for item in &mut self.evidence {
            item.late = false;
        }
    }

    /// Something else is asked for from now on: whatever was proved, or is being proved, was for what was asked before.
    fn turn(&mut self, at: Time) {
        let due = self.worked.next_word(at);
        if self.worked.word_due != Some(due) {
            self.worked.word_before = self.turns.last().copied();
        }
        self.turns.push(self.version);
        self.worked.word_due = Some(due);
        for (id, session) in &mut self.sessions {
            session.outcome.get_or_insert(SessionOutcome::Rerouted);
            self.elsewhere.insert(id.clone());
        }
    }

    fn void(&mut self, approvals: &BTreeSet<ApprovalId>, why: VoidReason) {
        for approval in self.approvals.iter_mut().filter(|a| approvals.contains(&a.id)) {
            approval.void.get_or_insert(why);
        }
    }

    fn fold_execution(&mut self, event: &CaseEvent, at: Time) {
        match event {
            CaseEvent::ExecutionScheduled { not_before, .. } => self.times.execute_after = Some(*not_before),
            CaseEvent::ExecutionStarted { execution } => self.executions.push(execution.clone()),
            CaseEvent::ExecutionEnded { attempt, outcome } => self.end_execution(*attempt, outcome, at),
            CaseEvent::TakingBack { attempt } => {
                self.taken_back.entry(*attempt).or_insert(None);
            }
            CaseEvent::TakenBack { attempt } => {
                self.taken_back.entry(*attempt).or_default().get_or_insert(at);
            }
            CaseEvent::AttemptsKnown { attempts, ended } => {
                self.there.attempts = self.there.attempts.max(*attempts);
                self.there.ended.extend(ended);
            }
            CaseEvent::OrderTakenOver { order } => {
                self.there.orders.entry(order.attempt).or_insert_with(|| order.clone());
                self.taken_back.entry(order.attempt).or_insert(None);
            }
            CaseEvent::Granted { grant } => self.grants.push(grant.clone()),
            CaseEvent::GrantEnding { grant, why, reason } => {
                if let Some(g) = self.grants.iter_mut().find(|g| &g.id == grant && g.ending.is_none()) {
                    (g.ending, g.reason) = (Some((at, *why)), reason.clone());
                }
            }
            CaseEvent::GrantRevoked { grant } => {
                if let Some(g) = self.grants.iter_mut().find(|g| &g.id == grant) {
                    g.revoked_at.get_or_insert(at);
                }
            }
            CaseEvent::RollBackAsked { attempt, .. } => self.undoing = Some(*attempt),
            CaseEvent::Restricted { until } => self.times.restricted_until = Some(*until),
            _ => {}
        }
    }

    fn end_execution(&mut self, attempt: u32, outcome: &ExecutionOutcome, at: Time) {
        self.undoing = self.undoing.filter(|undone| *undone != attempt);
        if let Some(run) = self.executions.iter_mut().find(|e| e.attempt == attempt) {
            run.outcome = Some(outcome.clone());
            run.ended_at = Some(at);
        }
    }

    fn fold_clock(&mut self, event: &CaseEvent, at: Time) {
        match event {
            CaseEvent::Held { hold } => {
                self.stop_clock(at);
                self.hold = Some(hold.clone());
            }
            CaseEvent::HoldLifted { .. } => {
                self.hold = None;
                self.times.due = None;
            }
            CaseEvent::ClockPaused { left } => {
                self.stop_clock(at);
                self.times.due = None;
                self.times.paused_left = Some(*left);
            }
            CaseEvent::ClockResumed { due } => {
                self.times.due = Some(*due);
                if self.hold.is_none() {
                    self.times.paused_left = None;
                    self.stop_clock(at);
                    self.times.runs_since = Some(at);
                }
            }
            CaseEvent::Escalated { hold } => {
                let due = self.times.due.take();
                if let (true, Some(frozen)) = (hold, self.hold.as_mut()) {
                    frozen.escalated_at = Some(at);
                } else {
                    self.times.escalated_at = Some(at);
                    self.times.passed = self.times.passed.or(due);
                }
            }
            _ => {}
        }
    }
}
