//! The one place where it is decided what may happen to the register (invariant 17).
//!
//! Contract: pure, as `decide`: a change that widens who may decide, or loosens policy, becomes a proposal that a second person outside
//! it approves (two, where it starts or widens self-service or runbooks) and that counts only after the delay; what narrows takes effect at once. Bounds are stated in `sound`.
//!
//! Who may what: a policy owner proposes; a policy owner or security reviewer approves, ends a proposal, disables and revokes; everyone
//! renews and revokes their own tokens; owners do so for their automations. The host's command line founds, imports and narrows, and can't
//! widen (threat T33); where nobody's token counts any more it lets two recorded governors back in, as [`recover`] says. Software changes
//! nothing.

mod apply;
mod found;
pub mod recover;
pub mod restored;
pub mod says;
mod second;
mod sound;
mod widens;

use std::collections::BTreeSet;

pub use second::SecondWord;

use super::case::{ActorRef, Worker};
use super::command::{Compared, Context, RegisterCommand};
use super::event::{RegisterChange, RegisterEvent};
use super::policy::Policy;
use super::refusal::Refusal;
use super::register::{Holder, Person, Principal, Proposal, Register};
use super::vocabulary::{Role, Status};
use crate::base::Time;
use crate::base::ids::{OperatorId, PersonId, ProposalId};

/// Proposals that may wait at a time.
pub const MAX_PROPOSALS: usize = 100;
/// Proposals that one pass applies.
const MAX_APPLIED: usize = 50;
/// Roles that propose changes.
const PROPOSE: &[Role] = &[Role::PolicyOwner];
/// Roles that approve and end proposals, disable and revoke.
const GUARD: &[Role] = &[Role::PolicyOwner, Role::SecurityReviewer];

/// Decides a command on the register.
pub fn decide_register(register: &Register, policy: &Policy, command: &RegisterCommand, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    if context.actor.read_only {
        return Err(not_permitted("register_change", "a session that may write"));
    }
    if let RegisterCommand::Found { changes, by, policy: digest } = command {
        return found::found(register, policy, found::Ceremony { changes, by, policy: digest }, context);
    }
    if !register.founded {
        return Err(Refusal::SecondPerson("Nothing is founded yet: run `countersign init` with two persons.".to_owned()));
    }
    match command {
        RegisterCommand::Found { .. } => Err(Refusal::Already("The register was founded before.".to_owned())),
        RegisterCommand::Change { id, change } => decide_change(register, policy, (id, change, None), context),
        RegisterCommand::ProposePolicy { id, policy: sha256, compared } => {
            let change = RegisterChange::SetPolicy { policy: *sha256, deciders: BTreeSet::new() };
            decide_change(register, policy, (id, &change, Some(*compared)), context)
        }
        RegisterCommand::ApproveProposal { id } => approve(register, policy, id, context),
        RegisterCommand::EndProposal { id } => end(register, id, context),
        RegisterCommand::ApplyDue { unread } => apply_due(register, policy, unread, context),
        RegisterCommand::Recover { by, proved, tokens } => recover::recover(register, recover::Recovery { by, proved: *proved, tokens }, context),
        RegisterCommand::TakeOver { was, every_token } => restored::take_over(register, was, *every_token, context),
        RegisterCommand::RecoveryTold { tokens } => recover::told(register, policy, tokens, context),
        RegisterCommand::RecordPersons { persons } => {
            let mut after = register.clone();
            let accounts = with_accounts(register);
            persons.iter().map(|person| record_person((&mut after, &accounts), policy, person, context)).collect()
        }
        RegisterCommand::RecordSubjects { subjects } => {
            if !is_host(context) {
                return Err(not_permitted("register_change", "the import on the host"));
            }
            Ok(subjects.iter().map(|(subject, sha256)| RegisterEvent::SubjectRecorded { subject: subject.clone(), sha256: *sha256 }).collect())
        }
    }
}

fn decide_change(
    register: &Register,
    policy: &Policy,
    (id, change, compared): (&ProposalId, &RegisterChange, Option<Compared>),
    context: &Context,
) -> Result<Vec<RegisterEvent>, Refusal> {
    let change = stamped(register, change, context);
    sound::check(register, policy, &change, context.now)?;
    let asker = asker(register, context);
    let widening = widens::beneficiaries(register, &change, asker.as_ref().map(|(_, person)| person));
    let Some(_) = widening else {
        may_at_once(register, &change, context)?;
        stays_governable(register, &change, context.now)?;
        stays_apart(register, policy, &change, context.now)?;
        return Ok(vec![RegisterEvent::Changed { change }]);
    };
    // Everything that widens begins with a person in a role: the host and software propose nothing (T33).
    let person = require(register, context, "register_change", PROPOSE)?;
    if register.proposals.contains_key(id) {
        return Err(Refusal::Already("A proposal of that id waits already.".to_owned()));
    }
    if register.proposals.len() >= MAX_PROPOSALS {
        return Err(Refusal::Limit { what: "The number of waiting proposals", limit: MAX_PROPOSALS });
    }
    let approvals = approvals(register, &change, compared);
    Ok(vec![RegisterEvent::Proposed { proposal: id.clone(), by: person, change, approvals }])
}

/// How many persons besides its author have to approve a change. What starts or widens self-service or runbooks lets through cases that nobody
/// approves one by one: that takes two (invariant 17), and so does a policy of which it is not known.
fn approvals(register: &Register, change: &RegisterChange, compared: Option<Compared>) -> u8 {
    let known = compared.is_some_and(|c| Some(c.with) == register.policy && !c.widens_alone);
    if matches!(change, RegisterChange::SetPolicy { .. }) && !known { 2 } else { 1 }
}

/// The change with everything that the server decides and not the client: times, and who answers for a policy.
fn stamped(register: &Register, change: &RegisterChange, context: &Context) -> RegisterChange {
    let mut change = change.clone();
    match &mut change {
        // A revocation dated back would shrink lineages that were built over it.
        RegisterChange::RevokeDelegation { at, .. } | RegisterChange::RevokeToken { at, .. } => *at = context.now,
        RegisterChange::IssueToken(token) => {
            token.issued_at = context.now;
            token.revoked_at = None;
            // Whoever is handed a bot's secret may act through the bot, so they come into its chain unless they own it (T3).
            if let (Holder::Automation(bot), Some((_, person))) = (&token.holder, asker(register, context)) {
                let person_is_in = Principal::Person(person.clone());
                if !owns(register, bot, &person, context.now) && !token.on_behalf_of.contains(&person_is_in) {
                    token.on_behalf_of.push(person_is_in);
                }
            }
        }
        // Its deciders of record are its author and its approvers, whoever the request names.
        RegisterChange::SetPolicy { deciders, .. } => *deciders = BTreeSet::new(),
        _ => {}
    }
    change
}

/// Who may make a change that takes effect at once.
fn may_at_once(register: &Register, change: &RegisterChange, context: &Context) -> Result<(), Refusal> {
    let asker = asker(register, context);
    let own_token = |holder: &Holder| match (holder, &asker) {
        (Holder::Operator(account), Some((operator, person))) => {
            account == operator || register.operators.get(account).is_some_and(|o| &o.person == person)
        }
        (Holder::Automation(bot), Some((_, person))) => owns(register, bot, person, context.now),
        (_, None) => false,
    };
    match change {
        RegisterChange::SetPerson(_) if is_host(context) => Ok(()),
        RegisterChange::IssueToken(token) if own_token(&token.holder) => Ok(()),
        RegisterChange::RevokeToken { token, .. } if register.tokens.get(token).is_some_and(|t| own_token(&t.holder)) => Ok(()),
        RegisterChange::DisableAutomation(bot) if asker.as_ref().is_some_and(|(_, p)| owns(register, bot, p, context.now)) => Ok(()),
        RegisterChange::DisableOperator(_) | RegisterChange::DisableAutomation(_) | RegisterChange::RevokeToken { .. } => {
            if is_host(context) {
                Ok(())
            } else {
                require(register, context, "register_change", GUARD).map(|_| ())
            }
        }
        RegisterChange::Delegate(d) if asker.as_ref().is_some_and(|(_, p)| d.from == Principal::Person(p.clone())) => Ok(()),
        _ => require(register, context, "register_change", PROPOSE).map(|_| ()),
    }
}

/// Narrowing must not leave a register that two persons can no longer govern: then nothing could ever be changed again. A compromised account of
/// the last two is stopped by revoking its tokens.
fn stays_governable(register: &Register, change: &RegisterChange, now: Time) -> Result<(), Refusal> {
    if !matches!(change, RegisterChange::DisableOperator(_) | RegisterChange::SetOperator(_) | RegisterChange::SetPerson(_)) || !governable(register)
    {
        return Ok(());
    }
    let mut after = register.clone();
    after.apply(&RegisterEvent::Changed { change: change.clone() }, now);
    if governable(&after) {
        return Ok(());
    }
    let help =
        "After this no two persons could govern the register. Add another policy owner first, or revoke the account's tokens to stop it at once.";
    Err(Refusal::SecondPerson(help.to_owned()))
}

/// A delegation ties for as long as policy's window after its end, so one that leaves nobody to propose whom somebody else may approve would stop
/// every change until then, whoever wanted that; and so would the going of the last who is tied to nobody.
fn stays_apart(register: &Register, policy: &Policy, change: &RegisterChange, now: Time) -> Result<(), Refusal> {
    let goes = matches!(change, RegisterChange::DisableOperator(_) | RegisterChange::SetOperator(_) | RegisterChange::SetPerson(_));
    if !goes && !matches!(change, RegisterChange::Delegate(_)) {
        return Ok(());
    }
    let window = policy.bundle.base.lineage_window.duration();
    let apart = |register: &Register| {
        let ties = widens::Ties::of(register, now, window);
        pairs(register).into_iter().any(|(proposer, guard)| !ties.bind(proposer, guard))
    };
    if !apart(register) {
        return Ok(());
    }
    let mut after = register.clone();
    after.apply(&RegisterEvent::Changed { change: change.clone() }, now);
    if apart(&after) {
        return Ok(());
    }
    let stop = if goes { ", or revoke the account's tokens to stop it at once" } else { "" };
    Err(Refusal::SecondPerson(format!(
        "After this everyone who could approve a change of the register would be tied by delegations to everyone who could propose it. Add another \
         policy owner first{stop}."
    )))
}

/// Whether someone can propose and someone else approve.
pub fn governable(register: &Register) -> bool {
    !pairs(register).is_empty()
}

/// Everyone who can propose a change, each with everyone else who could approve it.
fn pairs(register: &Register) -> Vec<(&PersonId, &PersonId)> {
    let holders = |roles: &[Role]| -> BTreeSet<&PersonId> {
        let fits = |o: &&super::register::Operator| o.enabled && roles.iter().any(|r| o.roles.contains(r));
        register.operators.values().filter(fits).map(|o| &o.person).filter(|p| is_active(register, p)).collect()
    };
    let guards = holders(GUARD);
    holders(PROPOSE).into_iter().flat_map(|proposer| guards.iter().filter(move |g| **g != proposer).map(move |g| (proposer, *g))).collect()
}

/// Everyone who has an account: no import changes that, so it is looked for once and not for each of a hundred thousand persons.
pub fn with_accounts(register: &Register) -> BTreeSet<PersonId> {
    register.operators.values().map(|o| o.person.clone()).collect()
}

/// One person of an import, recorded in `after`, which is the register so far; refused as by itself, and then `after` is as it was. `accounts` are
/// [`with_accounts`].
pub fn record_person(
    (after, accounts): (&mut Register, &BTreeSet<PersonId>),
    policy: &Policy,
    person: &Person,
    context: &Context,
) -> Result<RegisterEvent, Refusal> {
    if !is_host(context) {
        return Err(not_permitted("register_change", "the import on the host"));
    }
    let change = RegisterChange::SetPerson(person.clone());
    sound::check(after, policy, &change, context.now)?;
    let has_account = accounts.contains(&person.id);
    if widens::person_widens(after, person, has_account) {
        let what = widens::fields(after, person).join(", ");
        let help = format!(
            "They sign in or manage others, and another {what} may give them more: leave it as recorded here, and propose it with `countersign register person`."
        );
        return Err(Refusal::SecondPerson(help));
    }
    // Only who has an account governs; for a hundred thousand others the register need not be copied to see.
    if has_account {
        stays_governable(after, &change, context.now)?;
        stays_apart(after, policy, &change, context.now)?;
    }
    let event = RegisterEvent::Changed { change };
    after.apply(&event, context.now);
    Ok(event)
}

fn approve(register: &Register, policy: &Policy, id: &ProposalId, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    let person = require(register, context, "proposal_approve", GUARD)?;
    let proposal = pending(register, id)?;
    let word = SecondWord::of(register, policy, context.now);
    if let Some(refusal) = word.why_not(proposal, &person).filter(|_| proposal.approved_by.is_none()).or_else(|| word.over(proposal)) {
        return Err(refusal);
    }
    if proposal.missing() > 1 {
        return Ok(vec![RegisterEvent::ProposalSeconded { proposal: id.clone(), by: person }]);
    }
    let effective_at = context.now + policy.bundle.governance.change_delay.duration();
    Ok(vec![RegisterEvent::ProposalApproved { proposal: id.clone(), by: person, effective_at }])
}

fn end(register: &Register, id: &ProposalId, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    let proposal = pending(register, id)?;
    let person = match asker(register, context) {
        Some((_, person)) if person == proposal.proposed_by => person,
        _ => require(register, context, "proposal_end", GUARD)?,
    };
    Ok(vec![RegisterEvent::ProposalEnded { proposal: id.clone(), by: Some(person) }])
}

/// Applies what is due; a proposal whose author or approver has gone, whose object has changed since, or that can't be read, stays until someone ends
/// it.
fn apply_due(register: &Register, policy: &Policy, unread: &BTreeSet<ProposalId>, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    if !matches!(context.actor.who, ActorRef::System { .. }) {
        return Err(not_permitted("register_change", "the server's own worker"));
    }
    let mut due: Vec<&Proposal> =
        register.proposals.values().filter(|p| p.approved_by.is_some() && p.effective_at.is_some_and(|at| at <= context.now)).collect();
    due.sort_by_key(|p| (p.effective_at, p.id.clone()));
    let mut after = register.clone();
    let mut events = Vec::new();
    for proposal in due {
        // Those that no longer fit stay, and must not keep back what comes after them.
        if events.len() == MAX_APPLIED {
            break;
        }
        let stands = |person: &PersonId, roles: &[Role]| holds(&after, person, roles);
        let all = stands(&proposal.proposed_by, PROPOSE) && proposal.approvers().all(|p| stands(p, GUARD));
        if all && !unread.contains(&proposal.id) && still_fits(&after, policy, proposal, context.now).is_ok() {
            let event = RegisterEvent::ProposalApplied { proposal: proposal.id.clone() };
            after.apply(&event, context.now);
            events.push(event);
        }
    }
    Ok(events)
}

/// Whether a proposal still means what it meant when it was made.
fn still_fits(register: &Register, policy: &Policy, proposal: &Proposal, now: Time) -> Result<(), Refusal> {
    if widens::object(register, &proposal.change) != proposal.replaces {
        return Err(Refusal::Already("What it would change has changed since it was proposed. Propose it anew.".to_owned()));
    }
    sound::check(register, policy, &apply::counting_from(proposal.change.clone(), now), now)
}

fn pending<'a>(register: &'a Register, id: &ProposalId) -> Result<&'a Proposal, Refusal> {
    register.proposals.get(id).ok_or_else(|| Refusal::Unknown(format!("The proposal {id}")))
}

/// The account and person that ask, if both are in order.
fn asker(register: &Register, context: &Context) -> Option<(OperatorId, PersonId)> {
    let ActorRef::Operator { operator, person } = &context.actor.who else {
        return None;
    };
    let account = register.operators.get(operator)?;
    (account.enabled && &account.person == person && is_active(register, person)).then(|| (operator.clone(), person.clone()))
}

/// The person that asks, if the account they ask through holds one of the roles.
fn require(register: &Register, context: &Context, operation: &'static str, roles: &[Role]) -> Result<PersonId, Refusal> {
    let words = || roles.iter().map(|r| r.label()).collect::<Vec<_>>().join(" or ");
    let Some((operator, person)) = asker(register, context) else {
        return Err(not_permitted(operation, &format!("a person who is {}", words())));
    };
    let held = register.operators.get(&operator).is_some_and(|o| roles.iter().any(|r| o.roles.contains(r)));
    if held { Ok(person) } else { Err(not_permitted(operation, &format!("the role {}", words()))) }
}

fn not_permitted(operation: &'static str, needs: &str) -> Refusal {
    Refusal::NotPermitted { operation, needs: needs.to_owned() }
}

/// Whether the person is here and holds one of the roles through any enabled account.
fn holds(register: &Register, person: &PersonId, roles: &[Role]) -> bool {
    is_active(register, person) && register.accounts_of(person).any(|o| roles.iter().any(|r| o.roles.contains(r)))
}

/// Whether that is someone recorded, who has not left.
pub fn is_active(register: &Register, person: &PersonId) -> bool {
    register.persons.get(person).is_some_and(|p| p.status == Status::Active)
}

fn owns(register: &Register, bot: &crate::base::ids::AutomationId, person: &PersonId, now: Time) -> bool {
    let lasts = |o: &super::subject::Ownership| &o.person == person && o.within(now, chrono::Duration::zero());
    register.automations.get(bot).is_some_and(|a| a.owners.iter().any(lasts))
}

fn is_host(context: &Context) -> bool {
    matches!(context.actor.who, ActorRef::System { worker: Worker::Host })
}

#[cfg(test)]
#[path = "tests/lost.rs"]
mod lost;
#[cfg(test)]
#[path = "tests/restored.rs"]
mod restored_tests;
#[cfg(test)]
mod tests;
