//! What the pages of a case say: overview, checklist, evidence and notes, approvals and seal, timeline.
//!
//! Contract: pure; everything in [`CaseDetail`] appears on one of them. Codes that were sent to a subject are in none of these types.

use std::collections::{BTreeMap, BTreeSet};

use super::ways;
use crate::api::case::{ApprovalDetail, CaseDetail, ChecklistItem, DutyInTheWay, ItemState, SealDetail};
use crate::api::cost::NO_TARGET;
use crate::api::lists::{LogEntry, named};
use crate::api::sent::ended;
use crate::api::words::{CaseState, Decision};
use crate::base::ids::CaseId;
use crate::base::ids::PersonId;
use crate::base::span::span;
use crate::base::text::sanitise;
use crate::base::{Time, Untrusted};
use crate::console::model::Shared;
use crate::console::screen::queue::draw::{deadline, until};
use crate::console::theme::Role;
use crate::console::widget::runs::running;
use crate::console::widget::sheet::Sheet;

/// One line of a text the server worded.
pub(in crate::console::screen) fn clean(text: &str) -> String {
    sanitise(text, false)
}

/// A time as it is read: day and minute, in UTC.
pub(in crate::console::screen) fn when(at: Time) -> String {
    at.format("%d %b %H:%MZ").to_string()
}

/// A text of the log with its times as they are read: `2026-03-02T09:00:00.000Z` becomes `02 Mar 09:00Z`.
pub(in crate::console::screen) fn readable(text: &str) -> String {
    let word = |w: &str| {
        let (stem, tail) = w.strip_suffix(',').map_or((w, ""), |stem| (stem, ","));
        let at = stem.parse::<Time>().ok().filter(|_| stem.contains('T') && stem.ends_with('Z'));
        at.map_or_else(|| w.to_owned(), |at| format!("{}{tail}", when(at)))
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn list<T: ToString>(all: &[T]) -> String {
    if all.is_empty() { "none".into() } else { all.iter().map(|x| clean(&x.to_string())).collect::<Vec<_>>().join(", ") }
}

/// Names of persons, as far as the case says them: a name stands with its id the first time, after that alone. An id without a name stands bare.
struct Names<'a> {
    known: BTreeMap<&'a str, &'a Untrusted>,
    said: BTreeSet<&'a str>,
    /// Ids beside names, since they were last taken: they are dimmed.
    beside: Vec<String>,
}

impl<'a> Names<'a> {
    fn of(case: &'a CaseDetail) -> Self {
        let triage = case.triage.iter().flat_map(|t| &t.names).map(|(id, name)| (id.as_str(), name));
        let known = triage.chain(case.lineage.iter().chain(&case.you_cannot_decide).map(|d| (d.person.as_str(), &d.name))).collect();
        Self { known, said: BTreeSet::new(), beside: Vec::new() }
    }

    fn name(&mut self, person: &'a PersonId) -> String {
        let id = person.as_str();
        let Some(name) = self.known.get(id).map(|name| name.line()).filter(|name| name != id) else { return id.to_owned() };
        if !self.said.insert(id) {
            return name;
        }
        let beside = format!("({id})");
        let text = format!("{name} {beside}");
        self.beside.push(beside);
        text
    }

    fn fact(&mut self, s: &mut Sheet, label: &str, text: impl Into<String>) {
        s.fact(label, text);
        s.dimmed(std::mem::take(&mut self.beside));
    }
}

/// Where what is asked for would be given, and how much of it.
fn reaches(s: &mut Sheet, case: &CaseDetail) {
    s.fact("Target", case.target.to_string());
    if case.target_missing {
        s.item(("▲", Role::Bad), NO_TARGET, Role::Bad);
    }
    s.fact("Scope", list(&case.scope));
}

/// What the case is about and where it stands.
pub(super) fn overview(case: &CaseDetail, shared: &Shared) -> Sheet {
    let mut s = Sheet::default();
    let mut names = Names::of(case);
    let row = &case.row;
    if let Some(next) = &case.checklist.next {
        s.fact_as("Next", clean(next), Role::Info);
    }
    if let Some(hold) = &case.hold {
        ways::contacts(&mut s, hold, shared.server_now());
    }
    s.fact(
        "Asked by",
        format!("{}, by {}; opened by {}, {}", case.requester.line(), row.channel.label(), clean(&case.opened_by), when(row.opened_at)),
    );
    s.fact("Path", row.path.label());
    reaches(&mut s, case);
    if let Some(text) = &case.summary {
        s.fact("Said", text.sanitise());
    }
    match &case.triage {
        Some(t) => {
            let owners = format!("triage {}, remedy {}", names.name(&t.triage_owner), names.name(&t.remedy_owner));
            names.fact(&mut s, "Triage", format!("{}; owned by: {owners}", t.failure.label()));
            if let Some(text) = &t.reproduction {
                s.fact("Reproduced", text.sanitise());
            }
        }
        None => s.fact_as("Triage", "not recorded", Role::Dim),
    }
    for flag in &case.flags {
        s.item(("⚑", Role::Warn), format!("{}, noticed by {}, {}", flag.kind.label(), clean(&flag.by), when(flag.at)), Role::Warn);
    }
    if let Some(note) = &case.handover {
        s.fact("Handover", note.sanitise());
    }
    if !case.other_open_cases.is_empty() {
        s.fact_as("Also open", list(&case.other_open_cases), Role::Warn);
    }
    if !case.linked.is_empty() {
        s.fact("Linked", format!("{} (their lineage counts here)", list(&case.linked)));
    }
    subject(&mut s, case, &mut names);
    if let Some(plan) = &case.plan {
        s.head("Plan");
        plan_facts(&mut s, plan);
        plan_steps(&mut s, plan);
    }
    outcome(&mut s, case, shared);
    told(&mut s, case);
    s.head("Clocks and owners");
    if let Some(due) = row.due {
        let stands = deadline(due - shared.server_now());
        s.fact("Due", format!("{} ({}{})", when(due), if stands.starts_with("late") { "" } else { "in " }, running(&stands)));
    }
    if let Some(after) = case.execute_after {
        s.fact("Executed", format!("not before {}", when(after)));
    } else if matches!(row.state, CaseState::New | CaseState::Proofing | CaseState::Sealed) {
        s.fact("Executed", carried_out(case, false));
    }
    s.fact("Expires", when(case.expires_at));
    s.fact("Last change", format!("{}, version {}", when(row.updated_at), row.version));
    for a in &case.accountable {
        s.fact("Accountable", format!("{}: {}", clean(&a.function), clean(&a.owner)));
    }
    s.fact("Policy", case.policy_sha256.short());
    s
}

fn subject<'a>(s: &mut Sheet, case: &'a CaseDetail, names: &mut Names<'a>) {
    let sub = &case.subject;
    s.head("Subject");
    s.fact("Name", format!("{}  (id {})", sub.name.line(), sub.id));
    s.fact("Kind", format!("{}, {} tier, {}", case.row.kind.label(), case.row.tier.label(), sub.status.label()));
    let employer = sub.employer.as_ref().map(|e| format!(", of {e}")).unwrap_or_default();
    s.fact("Assurance", format!("{}, recorded in {}, {}{employer}", clean(&sub.assurance), sub.inventory.label(), sub.environment.label()));
    if !sub.owners.is_empty() {
        let owners = sub.owners.iter().map(|owner| names.name(owner)).collect::<Vec<_>>().join(", ");
        names.fact(s, "Owners", owners);
    }
    if !sub.dependents.is_empty() {
        s.fact("Dependents", list(&sub.dependents));
    }
    if !sub.released.is_empty() {
        s.fact("Released", format!("{}: lately, so rotated all the same, unless the target holds nothing for them", list(&sub.released)));
    }
    s.fact("Held before", list(&sub.entitled));
    if let Some(why) = &sub.too_young {
        s.item(("▲", Role::Warn), clean(why), Role::Warn);
    }
    for e in &sub.endpoints {
        let (mark, text, heard) = match &e.unusable {
            None => (("✓", Role::Good), format!("{} {} can serve", e.kind.label(), e.id), ""),
            Some(why) => (("✕", Role::Warn), format!("{} {}: {}", e.kind.label(), e.id, clean(why)), "can't serve"),
        };
        s.item(mark, text, Role::Text);
        s.heard(heard);
    }
}

/// When the plan is carried out, once the last approval is there; `yours`: to someone about to give it, who is told if theirs is the last.
pub(in crate::console::screen) fn carried_out(case: &CaseDetail, yours: bool) -> String {
    let yours = yours && case.after_yours.as_ref().is_some_and(|lacking| lacking.persons == 0);
    match (case.execution_delay_seconds, yours) {
        (0, true) => "at once: your approval is the last that is needed".to_owned(),
        (0, false) => "at once when the last approval is there".to_owned(),
        (n, true) => format!("{} after your approval, the last that is needed: time to object or take it back", span(u64::from(n))),
        (n, false) => format!("{} after the last approval: time to object or take it back", span(u64::from(n))),
    }
}

/// What will be done, as it is sealed.
pub(in crate::console::screen) fn plan_facts(s: &mut Sheet, plan: &crate::api::case::PlanDetail) {
    s.fact("Target", plan.target.to_string());
    s.fact("Scope", list(&plan.scope));
    let lifetime = plan.lifetime_seconds.map_or_else(|| "standing, as it was before".to_owned(), |n| format!("{}, then it ends", span(u64::from(n))));
    s.fact("Lifetime", lifetime);
    s.fact("Old one", if plan.revokes_old { "is revoked" } else { "stays" });
    if !plan.rotates.is_empty() {
        s.fact("Rotated too", list(&plan.rotates));
    }
    if !plan.released.is_empty() {
        s.fact("Released", format!("{}: named no more, so not rotated where the target holds nothing for them", list(&plan.released)));
    }
    s.fact("Undo", if plan.reversible { "can be undone" } else { "can't be undone" });
}

/// By which steps, in words.
pub(in crate::console::screen) fn plan_steps(s: &mut Sheet, plan: &crate::api::case::PlanDetail) {
    for (i, step) in plan.steps.iter().enumerate() {
        s.item((&format!("{}.", i + 1), Role::Dim), clean(step), Role::Text);
    }
}

fn outcome(s: &mut Sheet, case: &CaseDetail, shared: &Shared) {
    if !case.executions.is_empty() {
        s.head("What the server did");
    }
    for e in &case.executions {
        let mark = match e.outcome.as_str() {
            "restored" => ("✓", Role::Good),
            "running" => ("◐", Role::Info),
            _ => ("✕", Role::Bad),
        };
        let why = e.reason.map(|r| format!(": {}", r.label())).unwrap_or_default();
        s.item(mark, format!("attempt {}, {}, {}{why}", e.attempt, when(e.started_at), clean(&e.outcome)), Role::Text);
        s.heard("");
        if !e.restored_scope.is_empty() {
            s.more(format!("the target now holds: {}", list(&e.restored_scope)), Role::Dim);
        }
    }
    if !case.grants.is_empty() {
        s.head("Temporary access");
    }
    for g in &case.grants {
        let left = running(&until(g.expires_at - shared.server_now()));
        let (mark, text) = match (g.revoked_at, g.ending) {
            (Some(at), _) => (("✓", Role::Good), format!("ended, confirmed {}", when(at))),
            (None, true) => (("◐", Role::Warn), "being ended; asked again until the target confirms".to_owned()),
            (None, false) => (("▲", Role::Warn), format!("lives, ends in {left}")),
        };
        s.item(mark, format!("{} {}: {text}", g.id, list(&g.scope)), Role::Text);
        s.heard("");
        if let Some(reason) = &g.reason {
            s.more(reason.sanitise(), Role::Text);
        }
    }
    if !case.reviews.is_empty() {
        s.head("Looks back");
    }
    for r in &case.reviews {
        let (mark, words) = if r.in_order { (("✓", Role::Good), "in order") } else { (("✕", Role::Bad), "not in order") };
        s.item(mark, format!("{words}, by {}, {}", clean(&r.by), when(r.at)), Role::Text);
        s.heard("");
        if let Some(note) = &r.note {
            s.more(note.sanitise(), Role::Text);
        }
    }
}

/// What became of the word to the subject; codes and questions stand at their proofs.
fn told(s: &mut Sheet, case: &CaseDetail) {
    let notices: Vec<_> = case.messages.iter().filter(|m| m.session.is_none()).collect();
    if !notices.is_empty() {
        s.head("What the subject was told");
    }
    for m in notices {
        let (mark, role) = match (m.told, m.untold.is_empty()) {
            (0, _) => (("✕", Role::Bad), Role::Bad),
            (_, false) => (("▲", Role::Warn), Role::Warn),
            _ => (("✓", Role::Good), Role::Text),
        };
        s.item(mark, format!("{}, {}", clean(&m.sentence), when(m.at)), role);
    }
}

/// What must be proved, what is there, what can be started.
pub(in crate::console::screen) fn checklist(case: &CaseDetail, shared: &Shared) -> Sheet {
    let mut s = Sheet::default();
    let list = &case.checklist;
    if let Some(next) = &list.next {
        s.fact_as("Next", clean(next), Role::Info);
    }
    s.fact("Done", format!("{} of {}", list.done, list.items.len()));
    s.fact("Approvals", format!("needed after it: {}", clean(&case.approvals_needed)));
    for item in &list.items {
        s.blank();
        checklist_item(&mut s, item, shared.server_now());
    }
    s
}

/// One requirement, its receipt and sessions.
pub(in crate::console::screen) fn checklist_item(s: &mut Sheet, item: &ChecklistItem, now: Time) {
    let mark = match item.state {
        ItemState::Done | ItemState::Missing if item.is_lapsed() => ("○", Role::Warn),
        ItemState::Done => ("✓", Role::Good),
        ItemState::Pending if item.is_sent() => ("◐", Role::Info),
        ItemState::Pending | ItemState::Failed => ("✕", Role::Bad),
        ItemState::Missing => ("○", Role::Warn),
    };
    let gate = if item.gate { " (gate beside the proofs)" } else { "" };
    s.item(mark, format!("{}{gate}: {}", clean(&item.title), item.stands()), Role::Text);
    s.heard("");
    s.more(format!("because {}", clean(&item.why)), Role::Dim);
    if let Some(r) = &item.receipt {
        let left = if r.valid_until > now { format!("counts until {}", when(r.valid_until)) } else { "counts no more".into() };
        s.more(format!("proved by {} with {}, {}, {left}; receipt {}", clean(&r.by), r.method.label(), when(r.at), r.id), Role::Good);
    }
    for session in &item.sessions {
        let method = session.method.label();
        match session.outcome.as_deref() {
            None if session.unsent.is_some() => {
                let why = session.unsent.as_deref().unwrap_or_default();
                s.more(format!("{method}: could not be sent, {}: {}", when(session.opened_at), clean(why)), Role::Bad);
            }
            None => {
                let left = running(&until(session.expires_at - now));
                let tries = if session.tries_left == 1 { "1 try".to_owned() } else { format!("{} tries", session.tries_left) };
                s.more(format!("{method}: sent {}, {tries} left, ends in {left}", when(session.opened_at)), Role::Info);
            }
            Some(outcome) => s.more(format!("{method}: sent {}, {}", when(session.opened_at), ended(outcome)), Role::Dim),
        }
    }
    if item.state != ItemState::Done {
        ways::startable(s, &item.startable);
        if item.startable.is_empty() && item.sessions.is_empty() {
            let any: Vec<&str> = item.methods.iter().map(|m| m.label()).collect();
            s.more(format!("any of: {}", any.join(", ")), Role::Dim);
        }
        if let Some(why) = &item.blocked {
            s.more(format!("nobody can complete this today: {}", clean(why)), Role::Warn);
        }
    }
}

/// Evidence, comments, the handover note.
pub(super) fn evidence(case: &CaseDetail) -> Sheet {
    let mut s = Sheet::default();
    s.head("Evidence");
    if case.evidence.is_empty() {
        s.text("None kept yet.", Role::Dim);
    }
    evidence_items(&mut s, case);
    s.head("Handover note");
    s.text(case.handover.as_ref().map_or_else(|| "None.".to_owned(), crate::base::Untrusted::sanitise), Role::Text);
    s.head("Comments");
    if case.comments.is_empty() {
        s.text("None.", Role::Dim);
    }
    for c in &case.comments {
        s.item(("•", Role::Dim), format!("{}, {}", clean(&c.by), when(c.at)), Role::Dim);
        s.more(c.text.as_ref().map_or_else(|| "(erased)".to_owned(), crate::base::Untrusted::sanitise), Role::Text);
    }
    s
}

/// The evidence with digests.
fn evidence_items(s: &mut Sheet, case: &CaseDetail) {
    for e in &case.evidence {
        let late = if e.late { "; came after sealing, not part of the seal" } else { "" };
        s.item(("•", Role::Dim), format!("{}, {}, {}, {}{late}", e.kind.label(), clean(&e.by), when(e.at), e.sha256.short()), Role::Dim);
        s.more(e.text.as_ref().map_or_else(|| "(erased)".to_owned(), crate::base::Untrusted::sanitise), Role::Text);
    }
}

/// Approvals, the seal, the lineage, who could decide.
pub(super) fn approvals(case: &CaseDetail) -> Sheet {
    let mut s = Sheet::default();
    s.fact("Needed", clean(&case.approvals_needed));
    s.fact("Missing", missing(case));
    who_may(&mut s, case);
    s.head("Decisions");
    if case.approvals.is_empty() {
        s.text("None yet.", Role::Dim);
    }
    case.approvals.iter().for_each(|a| decision(&mut s, a));
    if let Some(seal) = &case.seal {
        seal_facts(&mut s, seal);
    } else {
        s.head("Seal");
        s.text("Not sealed: approval was not requested yet.", Role::Dim);
    }
    lineage(&mut s, case);
    s
}

/// How many persons are missing at least, and whose approval would bring it nearer.
fn missing(case: &CaseDetail) -> String {
    if case.seal.is_none() {
        return "all: not asked for yet".to_owned();
    }
    let lacking = &case.could_decide.lacking;
    match case.row.approvals_missing {
        0 => "0".to_owned(),
        n if lacking.nearer.is_empty() || lacking.nearer.len() == case.could_decide.operators.len() => n.to_string(),
        n => format!("{n}; it helps if {} approves", super::forms::some(&lacking.nearer.iter().map(ToString::to_string).collect::<Vec<_>>())),
    }
}

/// Whether the reader may decide, and who could.
pub(in crate::console::screen) fn who_may(s: &mut Sheet, case: &CaseDetail) {
    for duty in &case.you_cannot_decide {
        s.item(("✕", Role::Bad), format!("You can't decide: {}", sentence(duty)), Role::Warn);
        s.heard("");
    }
    s.text(super::forms::who_remains(case, None), if case.could_decide.enough { Role::Text } else { Role::Bad });
    if !case.could_decide.operators.is_empty() {
        s.fact("Those are", list(&case.could_decide.operators));
    }
}

fn sentence(duty: &DutyInTheWay) -> String {
    let case = duty.case.map(|c| format!(" (in linked case {c})")).unwrap_or_default();
    format!("{}{case}", clean(&duty.sentence))
}

fn decision(s: &mut Sheet, a: &ApprovalDetail) {
    let mark = match (&a.void, a.decision) {
        (Some(_), _) => ("○", Role::Dim),
        (None, Decision::Approve) => ("✓", Role::Good),
        (None, Decision::Deny) => ("✕", Role::Bad),
    };
    let words = if a.decision == Decision::Approve { "approved" } else { "denied" };
    let void = a.void.as_deref().map(|v| format!("; VOID: {}", clean(v).replace('_', " "))).unwrap_or_default();
    let revision = a.revision.map(|r| format!(" seal {r}")).unwrap_or_default();
    s.item(
        mark,
        format!("{} ({}) {words}{revision}, {}, signature: {}{void}", a.name.line(), a.operator, when(a.at), clean(&a.signature)),
        Role::Text,
    );
    s.heard("");
    if let Some(reason) = &a.reason {
        s.more(reason.sanitise(), Role::Text);
    }
}

/// A seal and its digests.
fn seal_facts(s: &mut Sheet, seal: &SealDetail) {
    s.head(format!("Seal {}, by {}, {}", seal.revision, clean(&seal.by), when(seal.at)));
    seal_digests(s, seal);
}

/// The digests of a seal.
pub(in crate::console::screen) fn seal_digests(s: &mut Sheet, seal: &SealDetail) {
    for (name, digest) in [
        ("Seal", seal.sha256),
        ("Plan", seal.plan_sha256),
        ("Evidence", seal.evidence_sha256),
        ("Checklist", seal.checklist_sha256),
        ("Policy", seal.policy_sha256),
        ("Lineage", seal.lineage_sha256),
    ] {
        s.fact(name, digest.to_string());
    }
}

/// Everyone with a hand in the case.
pub(in crate::console::screen) fn lineage(s: &mut Sheet, case: &CaseDetail) {
    s.head("Hands in this case (none of these may decide)");
    for d in &case.lineage {
        let via = d.via.as_deref().map(|v| format!(" through {}", clean(v))).unwrap_or_default();
        let linked = d.case.map(|c| format!(", in {c}")).unwrap_or_default();
        let you = if d.sentence.starts_with("you ") { ", that is you," } else { "" };
        s.item(("•", Role::Dim), format!("{} ({}){you} {}{via}{linked}", d.name.line(), d.person, d.duty.label()), Role::Text);
    }
}

/// What happened, oldest first; whether more is being read, and after which version of which case entries are not held.
pub(super) fn timeline(entries: &[LogEntry], names: &BTreeMap<String, Untrusted>, (loading, cut): (bool, Option<(CaseId, u64)>)) -> Sheet {
    let mut s = Sheet::default();
    for e in entries {
        s.fact(
            &e.at.format("%d %b %H:%M").to_string(),
            format!("{}  {}", clean(&named(&e.actor, names)), readable(&clean(&named(&e.summary, names)))),
        );
        if let Some(text) = &e.text {
            s.more(text.sanitise(), Role::Dim);
        }
    }
    if loading {
        s.text("Asking the server …", Role::Dim);
    } else if entries.is_empty() {
        s.text("Nothing yet.", Role::Dim);
    }
    if let Some((id, after)) = cut {
        s.text(format!("The first {} entries are shown. Later ones: countersign case timeline {id} --after {after}", entries.len()), Role::Warn);
    }
    s
}
