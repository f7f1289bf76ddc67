//! Proof: sessions the server opens to recorded endpoints, and the receipts that come back through them (invariant 5).
//!
//! Contract: no receipt rests on an operator's word: only whoever a session was opened to can prove or decline in it. One session a method
//! is pending; tries are limited. While a case is held, sessions serve only security's contact and leave no receipt.

use chrono::Duration;

use super::actor::{self, Caller, hands, holds_session};
use super::draft::Draft;
use crate::base::Time;
use crate::base::ids::{EndpointId, PersonId, ReceiptId, SessionId};
use crate::domain::attest;
use crate::domain::bounds::MAX_SESSIONS_PER_METHOD;
use crate::domain::case::{
    ActorRef, Hold, MAX_ATTEMPTS_PER_CASE, MAX_ATTEMPTS_PER_CODE, MAX_ITEMS, ProofSession, Receipt, SessionOutcome, TrustRoot, Worker,
};
use crate::domain::checklist::{self, Reach};
use crate::domain::event::CaseEvent;
use crate::domain::refusal::{Act, Refusal};
use crate::domain::requirement::{Requirement, Seconds};
use crate::domain::vocabulary::{CaseState, Duty, EndpointKind, Method, TrustRootKind};
use crate::domain::{dates, gates, lineage, mailboxes};

/// Before the same proof is started again over the same address, or with the same person: a hundred requests in a row send one message (T22).
/// Another proof, or another address, need not wait.
pub const RESEND_AFTER: Duration = Duration::seconds(60);
/// Why somebody can't attest over a mailbox that isn't theirs alone.
const NOT_APART: &str = "The mailbox recorded for whom you would ask is also that of somebody who works this case: nothing is sent there. Ask someone \
    else, and have the record put right.";
/// Opens a session.
pub(super) fn start(
    draft: &mut Draft<'_>,
    session: &SessionId,
    method: Method,
    endpoint: Option<&EndpointId>,
    attester: Option<&PersonId>,
) -> Result<(), Refusal> {
    let staff = may_start(draft)?;
    let need = draft.requirement();
    if draft.case.hold.is_none() {
        draft.stands(&[CaseState::Proofing])?;
        asked_for(&need, method)?;
    }
    if let Some(why) = checklist::not_carried_out(method) {
        return Err(Refusal::EndpointUnusable(why));
    }
    let fresh = !draft.case.sessions.contains_key(session) && draft.case.request.session.as_ref() != Some(session);
    if !fresh {
        return Err(Refusal::Already("This session was used before.".to_owned()));
    }
    if tried_out(draft, &need) {
        return Err(Refusal::TooManyAttempts);
    }
    if let (true, Some(caller), Some(person)) = (draft.case.hold.is_some(), &staff, attester)
        && caller.person.id == *person
    {
        return Err(Refusal::EndpointUnusable("Nobody is reached by asking oneself.".to_owned()));
    }
    reachable(draft, &need, method, endpoint, attester)?;
    own_mailbox(draft, endpoint, attester, staff.as_ref().map(|c| &c.person.id))?;
    gave_already(draft, method, attester)?;
    supersede(draft, method, endpoint, attester)?;
    let by = draft.ctx.actor.who.clone();
    let lifetime = lifetime(draft, &need, method, endpoint)?;
    let proof = ProofSession {
        method,
        endpoint: endpoint.cloned(),
        attester: attester.cloned(),
        by: by.clone(),
        opened_at: draft.now(),
        expires_at: draft.now() + lifetime.duration(),
        failed_attempts: 0,
        outcome: None,
    };
    draft.push(CaseEvent::SessionOpened { session: session.clone(), proof });
    if draft.case.hold.is_none() {
        // Whoever picks how and with whom it is proved has a hand in the proof.
        if staff.is_some() {
            draft.grow(hands(&by, Duty::ProofStarter, draft.now()));
        }
        pause(draft);
    }
    Ok(())
}

fn may_start(draft: &Draft<'_>) -> Result<Option<Caller>, Refusal> {
    if draft.case.hold.is_some() {
        return match actor::role(&draft.world.register, draft.ctx, draft.code, actor::SECURITY) {
            // Before anything is sent: contact is made to lift the hold, and whoever had a hand in the case can't.
            Ok(caller) => draft.outside_lineage(Act::LiftHold, &caller.person.id).map(|()| Some(caller)),
            Err(Refusal::RoleMissing { .. }) => Err(Refusal::Held),
            Err(_) if actor::is_subject(draft) => Err(Refusal::Held),
            Err(other) => Err(other),
        };
    }
    // What runs by itself is proved without an agent: the subject asks, or the server on its behalf, which is nobody's hand.
    let itself = matches!(draft.ctx.actor.who, ActorRef::System { worker: Worker::Notices }) && draft.runs_itself();
    if itself || actor::is_subject(draft) {
        return Ok(None);
    }
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::AGENTS).map(Some)
}

/// How long a session lasts, by what carries its code (SP 800-63B-4 §4.2.1.2, §4.2.1.3; policy's figures within those).
fn lifetime(draft: &Draft<'_>, need: &Requirement, method: Method, endpoint: Option<&EndpointId>) -> Result<Seconds, Refusal> {
    let subject = draft.subject()?;
    let kind = endpoint.and_then(|id| subject.endpoint(id)).map(|e| e.kind);
    Ok(match (method, kind) {
        (Method::IssuedCode, Some(EndpointKind::Phone)) => need.codes.phone,
        (Method::IssuedCode, Some(EndpointKind::Postal)) => need.codes.postal,
        (Method::IssuedCode, _) => need.codes.email,
        (Method::RecoveryContact, _) => need.codes.contact,
        _ => need.codes.page,
    })
}

fn most_per_case(need: &Requirement) -> u8 {
    need.codes.attempts_per_case.min(MAX_ATTEMPTS_PER_CASE)
}

/// Whether so many wrong codes were typed in the case that it takes no more. A hold can be lifted all the same: the contact that it takes counts
/// by its own sessions alone, which security opens.
fn tried_out(draft: &Draft<'_>, need: &Requirement) -> bool {
    draft.case.hold.is_none() && draft.case.failed_attempts >= most_per_case(need)
}

fn asked_for(need: &Requirement, method: Method) -> Result<(), Refusal> {
    let mut slots = need.proofs.iter().flat_map(|p| &p.any_of).flat_map(|s| &s.slots);
    if need.gates.contains(&method) || slots.any(|slot| slot.contains(&method)) {
        return Ok(());
    }
    Err(Refusal::Invalid { field: "method", why: format!("the checklist does not ask for {}", method.label()) })
}

fn reachable(
    draft: &Draft<'_>,
    need: &Requirement,
    method: Method,
    endpoint: Option<&EndpointId>,
    attester: Option<&PersonId>,
) -> Result<(), Refusal> {
    let subject = draft.subject()?;
    if let Some(id) = endpoint {
        if let Some(problem) = checklist::endpoint_problem(&draft.case, &subject, need, id, draft.now()) {
            return Err(Refusal::EndpointUnusable(problem));
        }
        let kind = subject.endpoint(id).map(|e| e.kind);
        if kind != Some(EndpointKind::Email) {
            let why = "Codes, and links to the page for saved ones, are sent to recorded e-mail addresses only.";
            return Err(Refusal::EndpointUnusable(why.to_owned()));
        }
    }
    match (checklist::reach(method), endpoint, attester) {
        (Reach::Endpoint, None, _) => Err(Refusal::Invalid { field: "endpoint", why: "name a recorded address to open the session to".to_owned() }),
        (Reach::Endpoint | Reach::Bound, _, Some(_)) => {
            Err(Refusal::Invalid { field: "attester", why: "this method is the subject's own".to_owned() })
        }
        (Reach::Attester, _, None) => Err(Refusal::Invalid { field: "attester", why: "name whom to ask".to_owned() }),
        (Reach::Attester, _, Some(person)) => can_attest(draft, method, person),
        _ => dates::problem(&draft.world, method, None, draft.now()).map_or(Ok(()), Err),
    }
}

/// Refuses somebody who can't be asked to attest, and says why.
fn can_attest(draft: &Draft<'_>, method: Method, person: &PersonId) -> Result<(), Refusal> {
    let can = attest::attesters(&draft.world, method, draft.now());
    if can.contains(person) {
        return Ok(());
    }
    let working = lineage::working_hands(&draft.world, draft.now());
    let theirs = draft.world.mailboxes.is_subjects(person);
    let apart = working.contains(person) || !mailboxes::reads_along(&draft.world, person, &working);
    if let Some(why) = dates::problem(&draft.world, method, Some(person), draft.now()).filter(|_| !theirs && apart && !working.contains(person)) {
        return Err(why);
    }
    let why = match method {
        _ if theirs => "The mail address recorded for whom you would ask is the subject's own: nothing is sent there. Ask someone else.",
        _ if !apart => NOT_APART,
        Method::OwnerQuorum if can.is_empty() => {
            "An owner quorum takes two present owners, each with a mailbox of their own, recorded for long enough, who have no hand in the case; there are \
             fewer. Prove it another way."
        }
        Method::OwnerQuorum => "Only a present owner who doesn't work the case, themselves or through software they own, counts here.",
        _ => {
            "Only the recorded manager or a present owner can attest, and nobody who routed, triaged or otherwise worked the case, themselves or \
             through software they own."
        }
    };
    Err(Refusal::EndpointUnusable(why.to_owned()))
}

/// Nothing is sent to a mailbox that is somebody else's in the case: of whoever opened or works it, of `caller`, who is about to, or of another
/// who was asked (invariant 5).
fn own_mailbox(draft: &Draft<'_>, endpoint: Option<&EndpointId>, attester: Option<&PersonId>, caller: Option<&PersonId>) -> Result<(), Refusal> {
    nobody_reads_along(draft, endpoint, caller)?;
    let Some(person) = attester else { return Ok(()) };
    if caller.is_some_and(|caller| draft.world.mailboxes.shared(person, caller)) {
        return Err(Refusal::EndpointUnusable(NOT_APART.to_owned()));
    }
    if let Some(other) = mailboxes::double(&draft.world, person, draft.now()) {
        let why = format!("{other}, who was asked or said yes already, has the same mailbox: two who share one are not two. Ask someone else.");
        return Err(Refusal::EndpointUnusable(why));
    }
    Ok(())
}

fn nobody_reads_along(draft: &Draft<'_>, endpoint: Option<&EndpointId>, caller: Option<&PersonId>) -> Result<(), Refusal> {
    match endpoint {
        Some(id) if mailboxes::is_a_hands(&draft.world, id, caller, draft.now()) => {
            let why = "This address is also the recorded mailbox of somebody who opened or works this case: nothing is sent there. Prove it over \
                another address or in another way, and have the record put right.";
            Err(Refusal::EndpointUnusable(why.to_owned()))
        }
        _ => Ok(()),
    }
}

/// One person's yes counts once: for one gate, or for the proof beside it (invariant 5). Nothing that could not count is asked.
fn gave_already(draft: &Draft<'_>, method: Method, attester: Option<&PersonId>) -> Result<(), Refusal> {
    let Some(person) = attester.filter(|_| draft.case.hold.is_none()) else { return Ok(()) };
    let progress = checklist::progress(&draft.world, draft.now());
    let theirs = |r: &&Receipt| attest::giver(r) == Some(person);
    let gave = progress.items.iter().filter_map(|i| i.receipt.as_ref()).find(theirs).map(|r| r.method);
    if let Some(gave) = gave.filter(|gave| *gave == method || !gave.is_gate()) {
        return Err(Refusal::Already(format!("They said yes already, as {}; ask someone else.", gave.label())));
    }
    let Some(others) = gates::kept_for(&draft.world, &progress, (method, person), draft.now()) else { return Ok(()) };
    let ask = "No two gates rest on one person's word, nor on one mailbox. Ask someone else, or have an owner recorded.";
    if let Some(gave) = gave {
        return Err(Refusal::Already(format!("They said yes already, as {}. {ask}", gave.label())));
    }
    let others = others.iter().map(|m| m.label()).collect::<Vec<_>>().join(" or ");
    Err(Refusal::EndpointUnusable(format!("Nobody would be left who could give {others}. {ask}")))
}

/// That there is room for one more. What is opened over a hold has its own, each day anew: whatever was opened before, and however often nobody
/// answered, the hold can be lifted.
fn room(draft: &Draft<'_>, method: Method) -> Result<(), Refusal> {
    let limit = MAX_SESSIONS_PER_METHOD;
    let case = &draft.case;
    if case.hold.is_some() {
        let day = draft.now() - Duration::days(1);
        let lately = case.contacts.iter().filter_map(|id| case.sessions.get(id)).filter(|s| s.method == method && s.opened_at > day).count();
        let what = "The number of sessions of one method by which contact is made over a hold in a day";
        return if lately >= limit { Err(Refusal::Limit { what, limit }) } else { Ok(()) };
    }
    let proofs: Vec<&ProofSession> = case.sessions.iter().filter(|(id, _)| !case.contacts.contains(*id)).map(|(_, s)| s).collect();
    if proofs.len() >= MAX_ITEMS || proofs.iter().filter(|s| s.method == method).count() >= limit {
        return Err(Refusal::Limit { what: "The number of sessions of one method in a case", limit });
    }
    Ok(())
}

/// Ends the pending session that this one replaces; not before [`RESEND_AFTER`] where the same was sent to the same place.
fn supersede(draft: &mut Draft<'_>, method: Method, endpoint: Option<&EndpointId>, attester: Option<&PersonId>) -> Result<(), Refusal> {
    let now = draft.now();
    room(draft, method)?;
    let same = |s: &&ProofSession| s.method == method && s.attester.as_ref() == attester;
    // One that another address took the place of was sent there all the same: going to and fro sends no more. What reached nobody was not sent.
    let sent = |s: &&ProofSession| {
        s.endpoint.as_ref() == endpoint && matches!(s.outcome, None | Some(SessionOutcome::Superseded | SessionOutcome::Rerouted))
    };
    let went = draft.case.sessions.iter().filter(|(id, _)| draft.case.unsent(id).is_none()).map(|(_, s)| s);
    let last = went.filter(same).filter(sent).map(|s| s.opened_at).max();
    if let Some(again) = last.map(|at| at + RESEND_AFTER).filter(|again| now < *again) {
        let (left, at) = ((again - now).num_seconds().max(1), again.format("%H:%M:%S UTC"));
        let why = format!("It was sent there less than a minute ago. It can be sent there again in {left} s, at {at}; other proofs need not wait.");
        return Err(Refusal::Already(why));
    }
    let pending: Vec<SessionId> = draft.case.sessions.iter().filter(|(_, s)| same(s) && s.outcome.is_none()).map(|(id, _)| id.clone()).collect();
    for session in pending {
        draft.push(CaseEvent::SessionEnded { session, outcome: SessionOutcome::Superseded });
    }
    Ok(())
}

/// Stops the phase's clock while the subject is waited for.
fn pause(draft: &mut Draft<'_>) {
    if draft.case.waits_for_subject(draft.now())
        && let Some(due) = draft.case.times.due
    {
        draft.push(CaseEvent::ClockPaused { left: left(due, draft.now()) });
    }
}

/// What is left until a due time; nothing once it passed.
pub(super) fn left(due: Time, now: Time) -> Seconds {
    Seconds(u32::try_from((due - now).num_seconds().max(0)).unwrap_or(u32::MAX))
}

/// Lets the phase's clock run again once the subject is no longer waited for.
pub(super) fn resume(draft: &mut Draft<'_>) {
    if draft.case.hold.is_none()
        && !draft.case.waits_for_subject(draft.now())
        && let Some(left) = draft.case.times.paused_left
    {
        draft.push(CaseEvent::ClockResumed { due: draft.now() + left.duration() });
    }
}

/// Ends what somebody is waited for: something else is asked for from now on, and that it ends is an entry of its own.
pub(super) fn rerouted(draft: &mut Draft<'_>) {
    let waits: Vec<SessionId> = draft.case.waiting(draft.now()).map(|(id, _)| id.clone()).collect();
    for session in waits {
        draft.push(CaseEvent::SessionEnded { session, outcome: SessionOutcome::Rerouted });
    }
}

/// Ends what security opened over a hold and nobody answered: it was sent to make contact, and serves no proof afterwards.
pub(super) fn end_contact(draft: &mut Draft<'_>, hold: &Hold) {
    let now = draft.now();
    let open = |s: &ProofSession| s.opened_at >= hold.since && s.outcome.is_none() && s.expires_at > now;
    let contact: Vec<SessionId> = draft.case.sessions.iter().filter(|(_, s)| open(s)).map(|(id, _)| id.clone()).collect();
    for session in contact {
        draft.push(CaseEvent::SessionEnded { session, outcome: SessionOutcome::Superseded });
    }
}

/// The session, if the asker holds it, it is open, and it counts where the case stands.
fn open_session(draft: &Draft<'_>, id: &SessionId) -> Result<ProofSession, Refusal> {
    if !holds_session(draft, id) {
        return Err(actor::not_permitted(draft.code, "whom the session was opened to"));
    }
    let Some(proof) = draft.case.sessions.get(id) else { return Err(Refusal::SessionEnded) };
    if let Some(hold) = &draft.case.hold {
        if proof.opened_at < hold.since {
            return Err(Refusal::Held);
        }
    } else {
        draft.stands(&[CaseState::Proofing])?;
    }
    if proof.outcome == Some(SessionOutcome::Exhausted) || tried_out(draft, &draft.requirement()) {
        return Err(Refusal::TooManyAttempts);
    }
    if proof.outcome.is_some() || proof.expires_at <= draft.now() {
        return Err(Refusal::SessionEnded);
    }
    Ok(proof.clone())
}

/// Counts a wrong code.
pub(super) fn failed(draft: &mut Draft<'_>, id: &SessionId) -> Result<(), Refusal> {
    let proof = open_session(draft, id)?;
    draft.push(CaseEvent::AttemptFailed { session: id.clone() });
    let need = draft.requirement();
    let most = need.codes.attempts_per_code.min(MAX_ATTEMPTS_PER_CODE);
    if proof.failed_attempts + 1 >= most || tried_out(draft, &need) {
        draft.push(CaseEvent::SessionEnded { session: id.clone(), outcome: SessionOutcome::Exhausted });
        resume(draft);
    }
    Ok(())
}

/// Records a receipt; during a hold, only that the contact was reached.
pub(super) fn proved(draft: &mut Draft<'_>, id: &SessionId, receipt: &ReceiptId, root: &TrustRoot) -> Result<(), Refusal> {
    let proof = open_session(draft, id)?;
    let need = draft.requirement();
    // The record may have changed since the session was opened.
    reachable(draft, &need, proof.method, proof.endpoint.as_ref(), proof.attester.as_ref())?;
    nobody_reads_along(draft, proof.endpoint.as_ref(), None)?;
    if !rests_on(proof.method, root.kind) {
        return Err(Refusal::Invalid { field: "trust_root", why: format!("{} can't rest on that", proof.method.label()) });
    }
    if draft.case.hold.is_some() {
        draft.push(CaseEvent::SessionEnded { session: id.clone(), outcome: SessionOutcome::Proved });
        return Ok(());
    }
    if draft.case.receipts.len() >= MAX_ITEMS {
        return Err(Refusal::Limit { what: "A case's receipts", limit: MAX_ITEMS });
    }
    if draft.case.receipts.iter().any(|r| &r.id == receipt) {
        return Err(Refusal::Already("This proof is recorded already.".to_owned()));
    }
    let by = draft.ctx.actor.who.clone();
    let receipt = Receipt {
        id: receipt.clone(),
        method: proof.method,
        trust_root: root.clone(),
        session: id.clone(),
        endpoint: proof.endpoint.clone(),
        by: by.clone(),
        at: draft.now(),
        valid_until: draft.now() + need.receipt_lifetime.duration(),
    };
    draft.push(CaseEvent::Proved { receipt });
    draft.push(CaseEvent::SessionEnded { session: id.clone(), outcome: SessionOutcome::Proved });
    draft.grow(hands(&by, Duty::Prover, draft.now()));
    resume(draft);
    draft.seal_by_itself()
}

/// Records that the attester said no.
pub(super) fn declined(draft: &mut Draft<'_>, id: &SessionId) -> Result<(), Refusal> {
    let proof = open_session(draft, id)?;
    if !matches!(draft.ctx.actor.who, ActorRef::Attester { .. }) || proof.attester.is_none() {
        return Err(actor::not_permitted(draft.code, "the attester who was asked"));
    }
    draft.push(CaseEvent::SessionEnded { session: id.clone(), outcome: SessionOutcome::Declined });
    resume(draft);
    Ok(())
}

const fn rests_on(method: Method, root: TrustRootKind) -> bool {
    use TrustRootKind as T;
    match method {
        Method::SavedCode => matches!(root, T::CodeSet),
        Method::IssuedCode => matches!(root, T::Mailbox | T::Number),
        Method::Passkey | Method::OldKeyPossession | Method::WorkloadAttestation => matches!(root, T::Key | T::Device),
        Method::Totp | Method::ManagedDevice => matches!(root, T::Device | T::Key),
        Method::RepeatedProofing => matches!(root, T::Document),
        Method::RecoveryContact | Method::OwnerQuorum | Method::ManagerAttestation | Method::TicketApproval | Method::InPerson => {
            matches!(root, T::Contact)
        }
        Method::DirectoryFact => matches!(root, T::Document | T::Contact),
    }
}
