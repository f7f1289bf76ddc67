//! Opening a case: the first act of routing.
//!
//! Contract: operators who route, automations whose scope says so, and the subject itself where policy lets it; nobody else. What is unusual about the request is noticed here.

use chrono::Duration;

use super::actor::{self, hands};
use super::draft::{Draft, recoverable};
use crate::base::Time;
use crate::base::ids::{PersonId, SessionId};
use crate::domain::anomaly;
use crate::domain::case::{ActorRef, Case, Hand, Hold, Request, Requester};
use crate::domain::checklist;
use crate::domain::command::{Context, Open, World};
use crate::domain::event::CaseEvent;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Principal, Register, Scope};
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{Action, CaseState, Duty, FlagKind, HoldSource, InventorySource, Path, Status};

const CODE: &str = "open";
/// Requests of one subject for itself, about one target, in a day; further ones take someone of the staff.
pub const MAX_OWN_A_DAY: usize = 3;

/// Open cases of one subject at a time; further ones wait until one of these has ended. Few are ever open at once, and what looks at a
/// subject's cases, to hold a second recovery above all, sees a bounded number of them.
pub const MAX_OPEN: usize = 25;

/// How many of these software and the subject itself may have opened: there is always room for someone of the staff, whatever a ticket's text
/// makes software do (T16).
pub const MAX_OPEN_UNSTAFFED: usize = 15;

/// Opens a case.
pub(super) fn open(world: &World, open: &Open, ctx: &Context) -> Result<Vec<CaseEvent>, Refusal> {
    match &ctx.actor.who {
        ActorRef::Subject { session } => by_the_subject(world, open, session, ctx.now)?,
        _ => permitted(world, CODE, open.route.path, Scope::Open, ctx)?,
    }
    if world.case.is_some() {
        return Err(Refusal::Already("The case is open already.".to_owned()));
    }
    let subject = world.subject.as_deref().ok_or_else(|| Refusal::Unknown("The subject".to_owned()))?;
    recoverable(world, subject, (&open.route, &[]), ctx.now)?;
    let is_open = |c: &&std::sync::Arc<Case>| c.route.subject == subject.id && !c.state.is_ended() && c.state != CaseState::Restored;
    if world.linked.iter().filter(is_open).count() >= MAX_OPEN {
        return Err(Refusal::Limit { what: "Open cases of one subject", limit: MAX_OPEN });
    }
    let unstaffed = |who: &ActorRef| !matches!(who, ActorRef::Operator { .. });
    let theirs = world.linked.iter().filter(is_open).filter(|c| unstaffed(&c.request.opened_by)).count();
    if unstaffed(&ctx.actor.who) && theirs >= MAX_OPEN_UNSTAFFED {
        return Err(Refusal::Limit { what: "Open cases of one subject that no one of the staff opened", limit: MAX_OPEN_UNSTAFFED });
    }
    known(&world.register, subject, open)?;
    let need = checklist::requirement_for(world, subject, (&open.route, &[]), ctx.now);
    stopped(world, subject, ctx.now - need.linked_window.duration())?;
    let request = Request {
        requester: open.requester.clone(),
        channel: open.channel,
        endpoint: open.endpoint.clone(),
        session: open.session.clone(),
        opened_by: ctx.actor.who.clone(),
        opened_at: ctx.now,
        summary: open.summary.clone(),
    };
    let near = |c: &&std::sync::Arc<Case>| {
        let same = c.route.subject == open.route.subject && c.targets.contains(&open.route.target);
        same && c.id != open.id && c.times.updated_at >= ctx.now - need.linked_window.duration()
    };
    let linked = world.linked.iter().filter(near).map(|c| c.id).collect();
    let due = Some(ctx.now + need.deadlines.triage.duration());
    let expires_at = ctx.now + need.deadlines.expiry.duration();
    let opened = CaseEvent::Opened { route: open.route.clone(), request, policy: world.current.sha256, linked, due, expires_at };
    let mut draft = Draft::opening(world, open.id, opened, ctx).ok_or_else(|| Refusal::Unknown("The case".to_owned()))?;
    draft.grow(first_hands(open, subject, ctx));
    notice(&mut draft, subject);
    // Who was given something back lately asks with someone of the staff: anyone could freeze the subject's cases by typing its name.
    if draft.case.hold.is_some() && matches!(ctx.actor.who, ActorRef::Subject { .. }) {
        return Err(actor::not_permitted(CODE, "someone of the staff, because something of theirs was given back not long ago"));
    }
    draft.look_ahead();
    if draft.runs_itself() {
        let due = draft.requirement().deadlines.proofing;
        draft.go(CaseState::Proofing, Some(due));
        draft.seal_by_itself()?;
    }
    Ok(draft.events)
}

/// Who may start a path: asked at the opening, and again when a case is sent down another path.
pub(super) fn permitted(world: &World, code: &'static str, path: Path, scope: Scope, ctx: &Context) -> Result<(), Refusal> {
    let (register, policy) = (&world.register, &world.current);
    match &ctx.actor.who {
        ActorRef::Operator { .. } => {
            let caller = actor::operator(register, ctx, code)?;
            if policy.operator_may_start(path, &caller.operator.roles) {
                return Ok(());
            }
            Err(Refusal::RoleMissing { operation: code, role: crate::domain::vocabulary::Role::SupportAgent })
        }
        ActorRef::Automation { .. } => {
            actor::automation(register, ctx, code, scope)?;
            if policy.automation_may(scope) && policy.automation_may_start(path) {
                return Ok(());
            }
            Err(actor::not_permitted(code, "a path that policy lets automation start"))
        }
        _ => Err(actor::not_permitted(code, "a support agent or an automation that may")),
    }
}

/// The subject, a person, asks for itself, on a path that policy lets it start. The session that carries the request proves nothing in it
/// (invariant 5), and one request at a time and [`MAX_OWN_A_DAY`] a day: whoever says to be the subject can't make the server send more (T22).
fn by_the_subject(world: &World, open: &Open, session: &SessionId, now: Time) -> Result<(), Refusal> {
    if !world.current.subject_may_start(open.route.path) {
        return Err(actor::not_permitted(CODE, "a path that policy lets the subject start"));
    }
    if open.requester != Requester::Subject || open.session.as_ref() != Some(session) || !open.route.picked_groups.is_empty() {
        return Err(actor::not_permitted(CODE, "the subject itself, in the session that carries the request, picking no approvers"));
    }
    if world.subject.as_ref().is_some_and(|s| s.kind.is_non_human()) || !Action::BY_ONESELF.contains(&open.route.action) {
        return Err(actor::not_permitted(CODE, "a person, and what a person may ask for itself"));
    }
    let same = |c: &&std::sync::Arc<Case>| c.route.subject == open.route.subject && c.route.target == open.route.target;
    if world.linked.iter().filter(same).any(|c| !c.state.is_ended() && c.state != CaseState::Restored) {
        return Err(Refusal::Already("A request for this is open already.".to_owned()));
    }
    let own = |c: &&std::sync::Arc<Case>| matches!(c.request.opened_by, ActorRef::Subject { .. }) && c.request.opened_at > now - Duration::days(1);
    if world.linked.iter().filter(same).filter(own).count() >= MAX_OWN_A_DAY {
        return Err(Refusal::Limit { what: "What a subject asks for itself in a day", limit: MAX_OWN_A_DAY });
    }
    Ok(())
}

/// What the subject or security stopped is not asked for again under another number while that hold stands, for as long as cases are linked: it is
/// lifted first, by whoever reached the subject. What a subject asked for on its own page stops nothing else: anyone can type its name.
fn stopped(world: &World, subject: &Subject, since: Time) -> Result<(), Refusal> {
    let by = |hold: &Hold| matches!(hold.source, HoldSource::NotMe | HoldSource::Security) && hold.since > since;
    let same = |c: &&std::sync::Arc<Case>| c.route.subject == subject.id || is_about(c, subject.person.as_ref());
    let asked = |c: &&std::sync::Arc<Case>| !matches!(c.request.opened_by, ActorRef::Subject { .. });
    let held = world.linked.iter().filter(same).filter(asked).find_map(|c| c.hold.as_ref().filter(|hold| by(hold)).map(|hold| (c.id, hold.source)));
    held.map_or(Ok(()), |(case, by)| Err(Refusal::Stopped { case, by }))
}

/// Whether a case is about that person, under whichever of their records.
fn is_about(case: &Case, person: Option<&PersonId>) -> bool {
    case.lineage.iter().any(|e| e.duty == Duty::Subject && e.case.is_none() && Some(&e.person) == person)
}

fn known(register: &Register, subject: &Subject, open: &Open) -> Result<(), Refusal> {
    let requester = match &open.requester {
        Requester::Person(person) => register.persons.contains_key(person),
        Requester::Automation(automation) => register.automations.contains_key(automation),
        Requester::Subject | Requester::Unknown => true,
    };
    if !requester {
        return Err(Refusal::Unknown("The requester".to_owned()));
    }
    match &open.endpoint {
        Some(endpoint) if subject.endpoint(endpoint).is_none() => Err(Refusal::Unknown("The address the request came over".to_owned())),
        _ => Ok(()),
    }
}

fn first_hands(open: &Open, subject: &Subject, ctx: &Context) -> Vec<Hand> {
    let mut out = hands(&ctx.actor.who, Duty::Router, ctx.now);
    let requester = match &open.requester {
        Requester::Person(person) => Some(Principal::Person(person.clone())),
        Requester::Automation(automation) => Some(Principal::Automation(automation.clone())),
        // Whoever asked on the subject's own page is taken at their word: it costs the subject what it could not do anyway.
        Requester::Subject if matches!(ctx.actor.who, ActorRef::Subject { .. }) => subject.person.clone().map(Principal::Person),
        Requester::Subject | Requester::Unknown => None,
    };
    out.extend(requester.map(|who| Hand { who, duty: Duty::Requester, at: ctx.now }));
    out
}

/// What was asked for of the same subject, in whatever target, or of another record of the same person.
fn lately<'w>(world: &'w World, case: &Case, subject: &Subject) -> impl Iterator<Item = &'w Case> {
    let (own, same, person) = (case.id, subject.id.clone(), subject.person.clone());
    let theirs = move |c: &Case| c.route.subject == same || is_about(c, person.as_ref());
    world.linked.iter().map(AsRef::as_ref).filter(move |c| c.id != own && theirs(c))
}

/// What is unusual about the request. A second recovery of the same person or thing within the window, of whichever of their records and in
/// whatever target, is held until security looked at it (standards.md, "What past incidents ask"). What is a word alone doesn't count: a
/// stranger could raise what the subject's own case asks for.
fn notice(draft: &mut Draft<'_>, subject: &Subject) {
    let now = draft.now();
    let need = draft.requirement();
    // While what followed a privileged recovery lasts, it counts however long ago that was (standards.md, "restricted for the policy's hold time").
    let since = now - need.linked_window.duration();
    let counts = |c: &&Case| c.times.updated_at >= since || c.times.restricted_until.is_some_and(|until| until > now);
    let others = lately(&draft.world, &draft.case, subject).filter(counts);
    let states: Vec<CaseState> = others.filter(|c| !c.is_word_alone()).map(|c| c.state).collect();
    if !states.is_empty() {
        draft.notice(FlagKind::RepeatRequest);
    }
    // An owner who has left answers for nothing any more, and one without a mail address hears nothing.
    let here = |p: &PersonId| draft.world.register.persons.get(p).is_some_and(|p| p.status == Status::Active);
    let told = |p: &PersonId| here(p) && draft.world.mailboxes.attesters.contains_key(p);
    let (owned, can_be_told) = (subject.owners_at(now).any(here), subject.can_be_told(now, told));
    if subject.kind.is_non_human() && !owned {
        draft.notice(FlagKind::NoOwner);
    }
    if !can_be_told {
        draft.notice(FlagKind::Unreachable);
    }
    if anomaly::mixes_scripts(subject.name.raw()) {
        draft.notice(FlagKind::LookAlike);
    }
    if subject.inventory == InventorySource::None {
        draft.notice(FlagKind::NoInventory);
    }
    let fresh = now - need.min_endpoint_age.duration();
    if subject.endpoints.iter().any(|e| e.recorded_at > fresh) {
        draft.notice(FlagKind::FreshAddress);
    }
    if let ActorRef::Operator { person, .. } = &draft.ctx.actor.who
        && let Some(person) = draft.world.register.persons.get(person)
        && !person.on_call
        && person.shift.is_some_and(|s| !s.covers(now))
    {
        draft.notice(FlagKind::OffHours);
    }
    if states.iter().any(|s| matches!(s, CaseState::Restored | CaseState::Closed)) {
        let by = HoldSource::Policy;
        super::hold::freeze(draft, Hold { source: by, reason: None, since: now, escalated_at: None });
    }
}
