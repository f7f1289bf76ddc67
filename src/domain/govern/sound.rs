//! Whether a change of the register makes sense at all, whoever asks for it; and every bound of the register.
//!
//! Contract: pure. Knows nothing about who may do what.

use chrono::Duration;

use crate::base::Time;
use crate::base::ids::PersonId;
use crate::domain::event::RegisterChange;
use crate::domain::policy::Policy;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Automation, Delegation, Holder, Operator, Person, Principal, Proposal, Register, Token};
use crate::domain::subject::Ownership;

/// The most persons.
pub const MAX_PERSONS: usize = 100_000;
/// The most accounts.
pub const MAX_OPERATORS: usize = 10_000;
/// The most automations.
pub const MAX_AUTOMATIONS: usize = 10_000;
/// The most delegations, past ones included.
pub const MAX_DELEGATIONS: usize = 100_000;
/// The most tokens, those that ended in the last 90 days included.
pub const MAX_TOKENS: usize = 100_000;
/// The most groups of one account, and links of one chain.
pub const MAX_GROUPS: usize = 50;
/// The longest chain an automation acts for.
pub const MAX_CHAIN: usize = 8;
/// The most owners or sponsors of one automation, past ones included.
pub const MAX_OWNERS: usize = 200;

/// Refuses what makes no sense.
pub fn check(register: &Register, policy: &Policy, change: &RegisterChange, now: Time) -> Result<(), Refusal> {
    match change {
        RegisterChange::SetPerson(new) => person(register, new),
        RegisterChange::SetOperator(new) => operator(register, new),
        RegisterChange::DisableOperator(id) => known(register.operators.contains_key(id), || format!("The account {id}")),
        RegisterChange::SetAutomation(new) => automation(register, policy, new, now),
        RegisterChange::DisableAutomation(id) => known(register.automations.contains_key(id), || format!("The automation {id}")),
        RegisterChange::Delegate(new) => delegation(register, new, now),
        RegisterChange::RevokeDelegation { delegation, .. } => {
            let found = register.delegations.iter().find(|d| &d.id == delegation);
            known(found.is_some(), || format!("The delegation {delegation}"))?;
            let until = found.and_then(|d| d.until);
            unless(until.is_some_and(|until| until <= now), || Refusal::Already("The delegation has ended already.".to_owned()))?;
            // Its end stands in lineages already, and those only grow (invariant 2).
            unless(until.is_some(), || Refusal::Already("The delegation ends by itself; its end can't be brought forward.".to_owned()))
        }
        RegisterChange::IssueToken(new) => token(register, policy, new, now),
        RegisterChange::RevokeToken { token, .. } => {
            let found = register.tokens.get(token);
            known(found.is_some(), || format!("The token {token}"))?;
            unless(found.is_some_and(|t| t.revoked_at.is_some()), || Refusal::Already("The token is revoked already.".to_owned()))
        }
        RegisterChange::SetPolicy { policy, .. } => {
            unless(register.policy.as_ref() == Some(policy), || Refusal::Already("That policy is in force already.".to_owned()))
        }
    }
}

fn unless(wrong: bool, refusal: impl FnOnce() -> Refusal) -> Result<(), Refusal> {
    if wrong { Err(refusal()) } else { Ok(()) }
}

fn known(is: bool, what: impl FnOnce() -> String) -> Result<(), Refusal> {
    unless(!is, || Refusal::Unknown(what()))
}

fn invalid(field: &'static str, why: &str) -> Refusal {
    Refusal::Invalid { field, why: why.to_owned() }
}

fn room(has: usize, limit: usize, what: &'static str) -> Result<(), Refusal> {
    unless(has >= limit, || Refusal::Limit { what, limit })
}

fn person(register: &Register, new: &Person) -> Result<(), Refusal> {
    if !register.persons.contains_key(&new.id) {
        room(register.persons.len(), MAX_PERSONS, "The number of persons")?;
    }
    unless(new.manager.as_ref() == Some(&new.id), || invalid("manager", "nobody manages themselves"))?;
    unless(new.shift.is_some_and(|s| s.start >= 1_440 || s.end >= 1_440), || invalid("shift", "minutes after midnight, 0 to 1439"))
}

fn operator(register: &Register, new: &Operator) -> Result<(), Refusal> {
    if !register.operators.contains_key(&new.id) {
        room(register.operators.len(), MAX_OPERATORS, "The number of accounts")?;
    }
    unless(new.groups.len() > MAX_GROUPS, || Refusal::Limit { what: "The number of groups of an account", limit: MAX_GROUPS })?;
    // Else what one person did through an account would look like another's.
    let moved = register.operators.get(&new.id).is_some_and(|old| old.person != new.person);
    unless(moved, || invalid("person", "an account belongs to one person for good; disable it and add another"))?;
    known(register.persons.contains_key(&new.person), || format!("The person {}", new.person))
}

fn automation(register: &Register, policy: &Policy, new: &Automation, now: Time) -> Result<(), Refusal> {
    let old = register.automations.get(&new.id);
    if old.is_none() {
        room(register.automations.len(), MAX_AUTOMATIONS, "The number of automations")?;
    }
    let too_many = new.owners.len() > MAX_OWNERS || new.sponsors.len() > MAX_OWNERS;
    unless(too_many, || Refusal::Limit { what: "The number of owners or sponsors of an automation", limit: MAX_OWNERS })?;
    let lasting = new.owners.iter().any(|o| o.within(now, Duration::zero()) && o.until.is_none());
    unless(!lasting, || invalid("owners", "an automation always has an owner"))?;
    for owner in new.owners.iter().chain(&new.sponsors) {
        known(register.persons.contains_key(&owner.person), || format!("The person {}", owner.person))?;
        let dates = owner.since > now || owner.until.is_some_and(|until| until < owner.since);
        unless(dates, || invalid("owners", "an ownership began before now and before its end"))?;
    }
    // Former owners stay recorded: lineage looks over the history (invariant 2).
    let gone = |old: &[Ownership], new: &[Ownership]| old.iter().any(|o| !new.iter().any(|n| n.person == o.person && n.since <= o.since));
    let dropped = old.is_some_and(|old| gone(&old.owners, &new.owners) || gone(&old.sponsors, &new.sponsors));
    unless(dropped, || invalid("owners", "former owners and sponsors stay recorded, with the day they ended"))?;
    let backdated = |old: &[Ownership], new: &[Ownership]| {
        old.iter().filter(|o| o.until.is_none()).any(|o| {
            let last = new.iter().filter(|n| n.person == o.person && n.since <= o.since).map(|n| n.until.unwrap_or(now)).max();
            last.is_some_and(|until| until < now - MAX_BACKDATE)
        })
    };
    let backdated = old.is_some_and(|old| backdated(&old.owners, &new.owners) || backdated(&old.sponsors, &new.sponsors));
    unless(backdated, || invalid("owners", "an ownership can't be ended in the past"))?;
    let scopes = new.scopes.iter().all(|s| policy.automation_may(*s));
    unless(!scopes, || invalid("scopes", "policy gives software less than that"))
}

/// An ownership's end may lie this far back when its proposal is applied: as long as a proposal can take (30 d to be approved, 30 d delay).
const MAX_BACKDATE: Duration = Duration::days(60);

fn delegation(register: &Register, new: &Delegation, now: Time) -> Result<(), Refusal> {
    room(register.delegations.len(), MAX_DELEGATIONS, "The number of delegations")?;
    let again = register.delegations.iter().any(|d| d.id == new.id);
    unless(again, || Refusal::Already("A delegation of that id is recorded already.".to_owned()))?;
    unless(new.from == new.to, || invalid("to", "nobody delegates to themselves"))?;
    unless(new.since > now, || invalid("since", "a delegation is recorded once it began"))?;
    unless(new.until.is_some_and(|until| until < new.since), || invalid("until", "a delegation ends after it began"))?;
    principal(register, &new.from)?;
    principal(register, &new.to)
}

fn principal(register: &Register, who: &Principal) -> Result<(), Refusal> {
    match who {
        Principal::Person(id) => known(register.persons.contains_key::<PersonId>(id), || format!("The person {id}")),
        Principal::Automation(id) => known(register.automations.contains_key(id), || format!("The automation {id}")),
    }
}

/// That somebody who is in no register yet is proposed for it, as what, and what it waits for. One that waited too long comes to nothing any more.
fn waiting(register: &Register, policy: &Policy, holder: &Holder, now: Time) -> Option<String> {
    let is_theirs = |p: &&Proposal| match (&p.change, holder) {
        (RegisterChange::SetOperator(operator), Holder::Operator(id)) => operator.id == *id,
        (RegisterChange::SetAutomation(automation), Holder::Automation(id)) => automation.id == *id,
        _ => false,
    };
    let lifetime = policy.bundle.governance.proposal_lifetime.duration();
    let lives = |p: &&Proposal| p.approved_by.is_some() || now <= p.proposed_at + lifetime;
    let proposal = register.proposals.values().filter(is_theirs).find(lives)?;
    let id = &proposal.id;
    Some(match proposal.approved_by {
        Some(_) => format!("it is proposed as {id}, approved, and doesn't count yet: `countersign register proposals` says from when it does"),
        None => format!("it is proposed as {id} and doesn't count before another person approves it: see `countersign register proposals`"),
    })
}

fn token(register: &Register, policy: &Policy, new: &Token, now: Time) -> Result<(), Refusal> {
    let rules = policy.bundle.governance;
    room(register.tokens.len(), MAX_TOKENS, "The number of tokens")?;
    let again = register.tokens.contains_key(&new.id) || register.tokens.values().any(|t| t.secret_sha256 == new.secret_sha256);
    unless(again, || Refusal::Already("That token was issued before.".to_owned()))?;
    let enabled = match &new.holder {
        Holder::Operator(id) => register.operators.get(id).map(|o| o.enabled),
        Holder::Automation(id) => register.automations.get(id).map(|a| a.enabled),
    };
    let waits = if enabled.is_none() { waiting(register, policy, &new.holder, now) } else { None };
    waits.map_or(Ok(()), |why| Err(invalid("holder", &why)))?;
    known(enabled.is_some(), || "The token's holder".to_owned())?;
    unless(enabled == Some(false), || invalid("holder", "it is disabled"))?;
    let chain = matches!(new.holder, Holder::Operator(_)) && !new.on_behalf_of.is_empty();
    unless(chain, || invalid("on_behalf_of", "an operator acts for themselves"))?;
    unless(new.on_behalf_of.len() > MAX_CHAIN, || Refusal::Limit { what: "The chain an automation acts for", limit: MAX_CHAIN })?;
    new.on_behalf_of.iter().try_for_each(|who| principal(register, who))?;
    unless(new.expires_at <= now, || invalid("expires_at", "it is over"))?;
    let longest = new.issued_at + rules.token_lifetime.duration();
    unless(new.issued_at > now || new.expires_at > longest, || {
        invalid("expires_at", &format!("policy lets a token live at most {}", crate::domain::policy::show_span(rules.token_lifetime)))
    })?;
    let live = register.tokens.values().filter(|t| t.holder == new.holder && t.revoked_at.is_none() && t.expires_at > now).count();
    room(live, usize::try_from(rules.tokens_per_holder).unwrap_or(usize::MAX), "The number of live tokens of one holder")
}
