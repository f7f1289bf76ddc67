//! A whole case on the wire.

use super::parts;
use super::{actor_words, parts::duty};
use crate::api::case::{CaseDetail, Checklist, Comment, FlagDetail, RefusedAction, ReviewDetail, RoutePreview, SubjectDetail, TriageDetail, UNTOLD};
use crate::api::problem::CouldDecide;
use crate::base::Untrusted;
use crate::base::ids::{PersonId, SessionId, SubjectId};
use crate::domain::case::{ActorRef, Requester, TextRef};
use crate::domain::next;
use crate::domain::refusal::Refusal;
use crate::domain::view::CaseView;
use crate::domain::vocabulary::{Environment, InventorySource, Status};

/// What software hears of a route that can't be taken, whatever the reason.
pub const NOT_ROUTABLE: &str = "It can't be routed this way.";
/// What software hears of an operation that can't be done, beside its code.
const NOT_NOW: &str = "It can't be done now.";

impl From<&CaseView> for CaseDetail {
    fn from(v: &CaseView) -> Self {
        let whole = Self::whole(v);
        if matches!(v.asker, ActorRef::Automation { .. }) { whole.bare(v) } else { whole }
    }
}

impl CaseDetail {
    /// What software is told of a case that it opened: where it stands, what is missing by method and what it may do. Nobody's id or address, no one
    /// to turn to, and of the subject only kind, tier and risk, which follow from what is asked of it: software can be talked into telling (T16).
    fn bare(self, v: &CaseView) -> Self {
        let id = v.case.route.subject.clone();
        Self {
            row: crate::api::lists::CaseRow {
                subject_name: Untrusted::from(id.as_str()),
                assignee: None,
                flags: 0,
                flag_kinds: Vec::new(),
                ..self.row
            },
            bare: true,
            subject: unrecorded(id.clone(), Untrusted::from(id.as_str()), UNTOLD),
            approver_groups: Vec::new(),
            opened_by: match &v.case.request.opened_by {
                ActorRef::Automation { automation, .. } => automation.to_string(),
                _ => String::new(),
            },
            requester: match v.case.request.requester {
                Requester::Person(_) => Untrusted::from("a person"),
                _ => self.requester,
            },
            target_missing: false,
            summary: None,
            triage: None,
            checklist: bare_checklist(v),
            lineage: Vec::new(),
            evidence: Vec::new(),
            handover: None,
            comments: Vec::new(),
            plan: None,
            seal: None,
            approvals: Vec::new(),
            could_decide: CouldDecide { enough: v.could.enough, untold: true, ..CouldDecide::default() },
            after_yours: None,
            you_cannot_decide: Vec::new(),
            hold: None,
            flags: Vec::new(),
            executions: Vec::new(),
            grants: Vec::new(),
            messages: Vec::new(),
            reviews: Vec::new(),
            linked: Vec::new(),
            other_open_cases: Vec::new(),
            accountable: Vec::new(),
            // Sentences of refusals name persons and groups; their codes do not.
            refused_actions: self.refused_actions.into_iter().map(|r| RefusedAction { reason: NOT_NOW.to_owned(), ..r }).collect(),
            refused_decisions: Vec::new(),
            ..self
        }
    }

    fn whole(v: &CaseView) -> Self {
        let case = &v.case;
        let you = you(v);
        let text = |t: &TextRef| v.texts.get(&t.id).cloned();
        Self {
            row: v.row.clone().into(),
            bare: false,
            subject: subject(v),
            target: case.route.target.clone(),
            target_missing: v.lacks_target,
            scope: case.route.scope.iter().map(ToString::to_string).collect(),
            approver_groups: case.route.picked_groups.iter().cloned().collect(),
            requester: requester(v),
            opened_by: actor_words(&case.request.opened_by),
            summary: case.request.summary.as_ref().and_then(text),
            triage: case.triage.as_ref().map(|t| TriageDetail {
                failure: t.failure,
                reproduction: text(&t.reproduction),
                triage_owner: t.triage_owner.clone(),
                remedy_owner: t.remedy_owner.clone(),
                names: [&t.triage_owner, &t.remedy_owner].into_iter().filter_map(|id| Some((id.to_string(), v.names.get(id)?.clone()))).collect(),
            }),
            checklist: parts::checklist(v),
            lineage: v.lineage.iter().map(|e| duty(e, &v.names, you)).collect(),
            evidence: parts::evidence(v),
            handover: case.handover.as_ref().and_then(text),
            comments: v.comments.iter().map(|c| Comment { by: actor_words(&c.by), at: c.at, text: text(&c.text) }).collect(),
            plan: case.plan.as_ref().map(|p| parts::plan(v, p)),
            seal: case.seal.as_ref().map(parts::seal),
            approvals: case.approvals.iter().map(|a| parts::approval(v, a)).collect(),
            approvals_needed: next::approvals(&v.requirement.approvals),
            could_decide: (&v.could).into(),
            after_yours: v.after_yours.as_ref().map(Into::into),
            you_cannot_decide: v.duties.iter().map(|e| duty(e, &v.names, you)).collect(),
            hold: case.hold.as_ref().map(|h| parts::hold(v, h)),
            flags: case.flags.iter().map(|f| FlagDetail { kind: f.kind, by: actor_words(&f.by), at: f.at }).collect(),
            executions: case.executions.iter().map(parts::execution).collect(),
            grants: case.grants.iter().map(|g| parts::grant(v, g)).collect(),
            messages: parts::messages(case),
            reviews: reviews(v),
            linked: case.linked.iter().copied().collect(),
            other_open_cases: v.other_open.clone(),
            accountable: parts::accountable(&v.world),
            policy_sha256: case.policy,
            allowed_actions: v.allowed.iter().map(|a| (*a).to_owned()).collect(),
            refused_actions: v.refused.iter().map(|(action, why)| refused(action, why)).collect(),
            refused_decisions: v.refused_decisions.iter().map(|(decision, why)| refused(decision.code(), why)).collect(),
            execution_delay_seconds: v.requirement.delay.max(v.requirement.grace).0,
            execute_after: case.times.execute_after,
            expires_at: case.times.expires_at,
        }
    }
}

fn refused(action: &str, why: &Refusal) -> RefusedAction {
    RefusedAction { action: action.to_owned(), reason: why.to_string(), code: why.code().to_owned() }
}

fn you(v: &CaseView) -> Option<&PersonId> {
    match &v.asker {
        ActorRef::Operator { person, .. } => Some(person),
        _ => None,
    }
}

fn subject(v: &CaseView) -> SubjectDetail {
    v.world
        .subject
        .as_ref()
        .map_or_else(|| unrecorded(v.case.route.subject.clone(), v.row.subject_name.clone(), "not recorded"), |s| parts::subject(v, s))
}

/// A subject of whom nothing is said but its id.
fn unrecorded(id: SubjectId, name: Untrusted, why: &str) -> SubjectDetail {
    SubjectDetail {
        id,
        name,
        status: Status::Active,
        assurance: why.to_owned(),
        employer: None,
        inventory: InventorySource::None,
        environment: Environment::Corporate,
        owners: Vec::new(),
        dependents: Vec::new(),
        released: Vec::new(),
        entitled: Vec::new(),
        too_young: None,
        endpoints: Vec::new(),
    }
}

/// What is missing, by method: no receipts, no sessions, nobody who could attest and no address that could serve.
fn bare_checklist(v: &CaseView) -> Checklist {
    let mut checklist = parts::checklist(v);
    checklist.next = None;
    for item in &mut checklist.items {
        (item.receipt, item.sessions, item.startable, item.blocked) = (None, Vec::new(), Vec::new(), None);
    }
    checklist
}

fn requester(v: &CaseView) -> Untrusted {
    match &v.case.request.requester {
        Requester::Subject => Untrusted::from("the subject"),
        Requester::Person(id) => v.names.get(id).cloned().unwrap_or_else(|| Untrusted::from(id.as_str())),
        Requester::Automation(id) => Untrusted::from(id.as_str()),
        Requester::Unknown => Untrusted::from("unknown"),
    }
}

fn reviews(v: &CaseView) -> Vec<ReviewDetail> {
    let one = |r: &crate::domain::case::Review| ReviewDetail {
        by: actor_words(&r.by),
        at: r.at,
        note: v.texts.get(&r.note.id).cloned(),
        in_order: r.in_order,
    };
    v.case.reviews.iter().map(one).collect()
}

/// What routing would cost, from the view of the case as it would be, and of what somebody is waited for in it what would end. Software hears what would be needed, and no one's id or address.
pub fn preview(v: &CaseView, route: Result<Vec<SessionId>, String>) -> RoutePreview {
    let (ends, problem) = match route {
        Ok(ends) => (ends, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    if matches!(v.asker, ActorRef::Automation { .. }) {
        let could_decide = CouldDecide { enough: v.could.enough, untold: true, ..CouldDecide::default() };
        return RoutePreview {
            lineage: Vec::new(),
            you_give_up: true,
            could_decide,
            checklist: bare_checklist(v),
            approvals_needed: next::approvals(&v.requirement.approvals),
            problem: problem.map(|_| NOT_ROUTABLE.to_owned()),
            target_missing: false,
            ends: Vec::new(),
        };
    }
    RoutePreview {
        lineage: v.lineage.iter().map(|e| duty(e, &v.names, you(v))).collect(),
        you_give_up: !v.duties.is_empty(),
        could_decide: (&v.could).into(),
        checklist: parts::checklist(v),
        approvals_needed: next::approvals(&v.requirement.approvals),
        problem,
        target_missing: v.lacks_target,
        ends: ends.iter().filter_map(|id| v.case.sessions.get(id)).map(|proof| parts::waited(v, proof)).collect(),
    }
}
