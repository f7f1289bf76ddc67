//! The parts of a case on the wire.

use std::collections::BTreeMap;

use super::{actor_words, principal};
use crate::api::case::{
    Accountable, ApprovalDetail, Checklist, ChecklistItem, DutyInTheWay, EndpointUse, EvidenceItem, ExecutionDetail, GrantDetail, HoldDetail,
    ItemState, PlanDetail, ReceiptDetail, SealDetail, Startable, SubjectDetail,
};
use crate::api::sent::{self, MessageDetail, SessionDetail};
use crate::base::Untrusted;
use crate::base::digest::hex;
use crate::base::ids::{PersonId, SessionId, SubjectId};
use crate::domain::case::{
    Approval, Case, Execution, ExecutionOutcome, Grant, Hold, LineageEntry, MAX_ATTEMPTS_PER_CODE, Plan, ProofSession, Seal, SessionOutcome,
};
use crate::domain::checklist::{self, Item, Way, blocked, endpoint_problem};
use crate::domain::command::World;
use crate::domain::dates;
use crate::domain::effect::Notice;
use crate::domain::message::{Message, SentAt};
use crate::domain::next;
use crate::domain::policy::Policy;
use crate::domain::refusal;
use crate::domain::subject::Subject;
use crate::domain::view::CaseView;
use crate::domain::vocabulary::{CaseState, HoldSource};

/// A lineage entry with the person's name.
pub fn duty(entry: &LineageEntry, names: &BTreeMap<PersonId, Untrusted>, you: Option<&PersonId>) -> DutyInTheWay {
    let name = names.get(&entry.person).cloned().unwrap_or_else(|| Untrusted::from(entry.person.as_str()));
    let asked = if you == Some(&entry.person) { None } else { Some(name.line()) };
    DutyInTheWay {
        person: entry.person.clone(),
        name,
        duty: entry.duty,
        via: entry.via.as_ref().map(principal),
        case: entry.case,
        sentence: refusal::duty(entry, asked.as_deref()),
    }
}

pub(super) fn subject(view: &CaseView, subject: &Subject) -> SubjectDetail {
    let shown = if view.row.subject_name.raw() == subject.id.as_str() { view.row.subject_name.clone() } else { subject.name.clone() };
    let unusable = |id| endpoint_problem(&view.case, subject, &view.requirement, id, view.now);
    SubjectDetail {
        id: subject.id.clone(),
        name: shown,
        status: subject.status,
        assurance: format!("{}/{}", subject.ial.label(), subject.aal.label()),
        employer: subject.employer.clone(),
        inventory: subject.inventory,
        environment: subject.environment,
        owners: subject.owners_at(view.now).cloned().collect(),
        dependents: subject.dependents.clone(),
        released: checklist::plan(&view.world).map(|plan| subject.released(&plan.rotates)).unwrap_or_default(),
        too_young: too_young(view, subject),
        entitled: subject.entitled(&view.case.route.target).iter().map(ToString::to_string).collect(),
        endpoints: subject.endpoints.iter().map(|e| EndpointUse { id: e.id.clone(), kind: e.kind, unusable: unusable(&e.id) }).collect(),
    }
}

fn too_young(v: &CaseView, subject: &Subject) -> Option<String> {
    let target = &v.case.route.target;
    dates::scopes(subject, (target, &subject.entitled(target)), v.requirement.min_endpoint_age, v.case.request.opened_at)
}

pub(super) fn checklist(v: &CaseView) -> Checklist {
    let items: Vec<ChecklistItem> = v.progress.items.iter().map(|i| item(v, i)).collect();
    let done = items.iter().filter(|i| i.state == ItemState::Done).count();
    let next = Some(with_names(&next::step(&v.world, &v.progress, &v.could, v.now), &v.names));
    Checklist { done: u8::try_from(done).unwrap_or(u8::MAX), items, complete: v.progress.complete, next }
}

/// Words of the domain, which names persons by id, with the name before each id whose name is known.
fn with_names(said: &str, names: &BTreeMap<PersonId, Untrusted>) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let name = PersonId::parse(bare).ok().and_then(|id| names.get(&id)).map(Untrusted::line).filter(|name| name != bare);
        name.map_or_else(|| word.to_owned(), |name| format!("{name} ({bare}){}", &word[bare.len()..]))
    };
    said.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What somebody is waited for, and who or where.
pub(super) fn waited(v: &CaseView, proof: &ProofSession) -> String {
    let method = proof.method.label();
    match (&proof.attester, &proof.endpoint) {
        (Some(person), _) => with_names(&format!("{method}, asked of {person}"), &v.names),
        (None, Some(endpoint)) => format!("{method}, sent to the subject's recorded address {endpoint}"),
        (None, None) => format!("{method}, asked of the subject"),
    }
}

/// A way with why the asker can't start it now, if they can't.
fn way(v: &CaseView, way: &Way) -> Startable {
    let (method, endpoint, attester) = way;
    let refused = v.refused_ways.iter().find(|(refused, _)| refused == way).map(|(_, why)| why.to_string());
    let label = with_names(&next::start(*method, endpoint.as_ref(), attester.as_ref()), &v.names);
    Startable { method: *method, endpoint: endpoint.clone(), attester: attester.clone(), label, refused }
}

pub(super) fn hold(v: &CaseView, hold: &Hold) -> HoldDetail {
    let mut since: Vec<_> = v.case.sessions.iter().filter(|(_, s)| s.opened_at >= hold.since).collect();
    since.sort_by_key(|(_, s)| s.opened_at);
    HoldDetail {
        source: hold.source,
        // Policy freezes for one reason only, and nobody writes it down.
        reason: match &hold.reason {
            Some(reason) => v.texts.get(&reason.id).cloned(),
            None => (hold.source == HoldSource::Policy).then(|| Untrusted::from("a second recovery soon after another")),
        },
        since: hold.since,
        contacts: v.contacts.iter().map(|w| way(v, w)).collect(),
        sessions: since.into_iter().map(|(id, s)| session(&v.case, id, s, v.now)).collect(),
        lifted_by: v.lifted_by.clone(),
    }
}

fn item(v: &CaseView, item: &Item) -> ChecklistItem {
    let all = v.case.sessions.iter();
    let sessions: Vec<SessionDetail> = all.filter(|(_, s)| item.methods.contains(&s.method)).map(|(id, s)| proving(v, id, s)).collect();
    let open = sessions.iter().any(|s| s.outcome.is_none() && s.unsent.is_none());
    // What lapsed did not fail: it is missing again.
    let tried = sessions.iter().any(|s| !v.case.elsewhere.contains(&s.id)) && !sent::lapsed(&sessions);
    let state = match (&item.receipt, open, !tried) {
        (Some(_), ..) => ItemState::Done,
        (None, true, _) => ItemState::Pending,
        (None, false, true) => ItemState::Missing,
        (None, false, false) => ItemState::Failed,
    };
    let words: Vec<&str> = item.methods.iter().map(|m| m.label()).collect();
    ChecklistItem {
        title: words.join(" or "),
        methods: item.methods.clone(),
        gate: item.gate,
        state,
        receipt: item.receipt.as_ref().map(|r| ReceiptDetail {
            id: r.id.clone(),
            method: r.method,
            by: with_names(&actor_words(&r.by), &v.names),
            at: r.at,
            valid_until: r.valid_until,
        }),
        sessions,
        startable: item.startable.iter().map(|w| way(v, w)).collect(),
        blocked: blocked(&v.world, item, v.now).filter(|_| matches!(v.case.state, CaseState::New | CaseState::Proofing)),
        why: if item.gate { "policy's gate beside proof (SP 800-63B-4 §4.2.1)" } else { "policy's proof of identity (SP 800-63B-4 §4.2.2)" }
            .to_owned(),
    }
}

/// A session of a proof that is still to be gone by, which has lapsed once its receipt counts no more.
fn proving(v: &CaseView, id: &SessionId, s: &ProofSession) -> SessionDetail {
    let mut detail = session(&v.case, id, s, v.now);
    let gone_by = matches!(v.case.state, CaseState::New | CaseState::Proofing | CaseState::Sealed);
    let receipt = v.case.receipts.iter().find(|r| &r.session == id).filter(|_| gone_by && detail.outcome.as_deref() == Some("proved"));
    if receipt.is_some_and(|r| checklist::counts_until(&v.requirement, r) <= v.now) {
        detail.outcome = Some(sent::LAPSED.to_owned());
    }
    detail
}

/// What became of the messages to subject and attesters.
pub(super) fn messages(case: &Case) -> Vec<MessageDetail> {
    let one = |m: &SentAt| MessageDetail {
        message: match &m.sent.message {
            Message::Code { .. } => "code",
            Message::Attestation { .. } => "attestation",
            Message::Notice { notice: Notice::Started } => "started",
            Message::Notice { notice: Notice::Completed } => "completed",
            Message::Notice { notice: Notice::CodeUsed } => "code_used",
            Message::Notice { notice: Notice::Undone } => "undone",
        }
        .to_owned(),
        session: m.sent.session().cloned(),
        at: m.at,
        told: m.sent.told,
        untold: m.sent.untold.keys().map(|u| u.code().to_owned()).collect(),
        sentence: m.sent.sentence(),
    };
    case.messages.iter().map(one).collect()
}

fn session(case: &Case, id: &crate::base::ids::SessionId, s: &ProofSession, now: crate::base::Time) -> SessionDetail {
    let sent = case.messages.iter().rfind(|m| m.sent.session() == Some(id));
    let outcome = s.outcome.map(|o| match o {
        SessionOutcome::Proved if case.elsewhere.contains(id) => "proved_elsewhere",
        SessionOutcome::Proved => "proved",
        SessionOutcome::Declined => "declined",
        SessionOutcome::Exhausted => "exhausted",
        SessionOutcome::Superseded => "superseded",
        SessionOutcome::Rerouted => "rerouted",
    });
    SessionDetail {
        id: id.clone(),
        method: s.method,
        endpoint: s.endpoint.clone(),
        attester: s.attester.clone(),
        opened_at: s.opened_at,
        expires_at: s.expires_at,
        tries_left: MAX_ATTEMPTS_PER_CODE.saturating_sub(s.failed_attempts),
        outcome: outcome.or((s.expires_at <= now).then_some("expired")).map(str::to_owned),
        unsent: sent.and_then(|m| m.sent.in_vain()),
    }
}

pub(super) fn plan(v: &CaseView, plan: &Plan) -> PlanDetail {
    let mut released = v.world.subject.as_ref().map(|s| s.released(&plan.rotates)).unwrap_or_default();
    // What was released after the seal is rotated as it was sealed, whatever the target says of it.
    if let (Some(subject), Some(seal)) = (&v.world.subject, &v.case.seal) {
        released.retain(|dependent| !subject.depended_on(seal.at).any(|d| d == dependent));
    }
    let rotated = |s: &SubjectId| {
        let unless = if released.contains(s) { ", unless the target holds nothing for it: the record names it no more" } else { "" };
        format!("rotate the credential of {s}{unless}")
    };
    let scope: Vec<String> = plan.scope.iter().map(ToString::to_string).collect();
    let mut steps = vec![format!("{} in {} for {}", plan.action.label(), plan.target, scope.join(", "))];
    steps.extend(plan.revokes_old.then(|| "revoke the old credential".to_owned()));
    steps.extend(plan.rotates.iter().map(rotated));
    steps.extend(plan.lifetime.map(|l| format!("end the access after {} seconds", l.0)));
    PlanDetail {
        target: plan.target.clone(),
        scope,
        lifetime_seconds: plan.lifetime.map(|l| l.0),
        revokes_old: plan.revokes_old,
        rotates: plan.rotates.iter().cloned().collect(),
        released,
        reversible: plan.reversible,
        steps,
    }
}

pub(super) fn seal(s: &Seal) -> SealDetail {
    SealDetail {
        sha256: s.sha256,
        revision: s.revision,
        plan_sha256: s.plan_sha256,
        evidence_sha256: s.evidence_sha256,
        checklist_sha256: s.checklist_sha256,
        policy_sha256: s.policy_sha256,
        lineage_sha256: s.lineage_sha256,
        requirement_sha256: s.requirement_sha256,
        in_force_sha256: s.in_force,
        by: actor_words(&s.by),
        at: s.at,
    }
}

/// The code of a word that serde knows by one.
fn code<T: serde::Serialize>(word: &T) -> String {
    serde_json::to_value(word).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn approval(view: &CaseView, a: &Approval) -> ApprovalDetail {
    ApprovalDetail {
        id: a.id.clone(),
        revision: view.case.seal.as_ref().filter(|s| s.sha256 == a.seal).map(|s| s.revision),
        person: a.person.clone(),
        name: view.names.get(&a.person).cloned().unwrap_or_else(|| Untrusted::from(a.person.as_str())),
        operator: a.operator.clone(),
        decision: a.decision,
        reason: view.texts.get(&a.reason.id).cloned(),
        at: a.at,
        signature: code(&a.signature),
        void: a.void.as_ref().map(code),
    }
}

pub(super) fn evidence(view: &CaseView) -> Vec<EvidenceItem> {
    let item = |e: &crate::domain::case::Evidence| EvidenceItem {
        id: e.id.clone(),
        kind: e.kind,
        text: view.texts.get(&e.text.id).cloned(),
        salt: view.salts.get(&e.text.id).map(|s| hex(s)),
        sha256: e.text.sha256,
        by: actor_words(&e.by),
        at: e.at,
        late: e.late,
    };
    view.case.evidence.iter().map(item).collect()
}

pub(super) fn execution(e: &Execution) -> ExecutionDetail {
    let value = e.outcome.as_ref().and_then(|o| serde_json::to_value(o).ok());
    let restored = match &e.outcome {
        Some(ExecutionOutcome::Restored { scope }) => scope.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let reason = match &e.outcome {
        Some(ExecutionOutcome::Failed { reason, .. }) => Some(*reason),
        _ => None,
    };
    let outcome = value.as_ref().and_then(|v| v.get("kind")).and_then(|k| k.as_str()).unwrap_or("running").to_owned();
    ExecutionDetail { attempt: e.attempt, started_at: e.started_at, ended_at: e.ended_at, outcome, reason, restored_scope: restored }
}

pub(super) fn grant(view: &CaseView, g: &Grant) -> GrantDetail {
    GrantDetail {
        id: g.id.clone(),
        scope: g.scope.iter().map(ToString::to_string).collect(),
        expires_at: g.expires_at,
        ending: g.ending.is_some() && g.revoked_at.is_none(),
        reason: g.reason.as_ref().and_then(|r| view.texts.get(&r.id).cloned()),
        revoked_at: g.revoked_at,
    }
}

pub(super) fn accountable(world: &World) -> Vec<Accountable> {
    owners(&world.current)
}

/// The accountable owners that a policy names.
pub(super) fn owners(policy: &Policy) -> Vec<Accountable> {
    let o = &policy.bundle.owners;
    [
        ("identity governance", o.identity_governance.clone()),
        ("support operations", o.support_operations.clone()),
        ("security operations", o.security_operations.clone()),
        ("business", o.business.clone()),
    ]
    .into_iter()
    .map(|(function, owner)| Accountable { function: function.to_owned(), owner })
    .collect()
}
