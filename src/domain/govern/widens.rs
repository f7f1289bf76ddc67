//! Whether a change widens who may decide, and who would gain by it.
//!
//! Contract: pure; when in doubt a change widens. Knows nothing about roles of the asker.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;

use crate::base::ids::PersonId;
use crate::base::{Digest, Time};
use crate::domain::event::RegisterChange;
use crate::domain::register::{Automation, Holder, Operator, Person, Principal, Register};
use crate::domain::subject::Ownership;
use crate::domain::vocabulary::Status;

/// `None` if the change narrows, or changes nothing about who may decide; otherwise the persons who would gain by it.
pub fn beneficiaries(register: &Register, change: &RegisterChange, asker: Option<&PersonId>) -> Option<BTreeSet<PersonId>> {
    match change {
        RegisterChange::SetPerson(person) => {
            person_widens(register, person, register.accounts_of(&person.id).next().is_some()).then(|| BTreeSet::from([person.id.clone()]))
        }
        RegisterChange::SetOperator(new) => {
            let old = register.operators.get(&new.id);
            let gain = || [Some(&new.person), old.map(|o| &o.person)].into_iter().flatten().cloned().collect();
            operator_widens(old, new).then(gain)
        }
        RegisterChange::SetAutomation(new) => {
            let old = register.automations.get(&new.id);
            automation_widens(old, new).then(|| everyone_of(new).chain(old.into_iter().flat_map(everyone_of)).collect())
        }
        // Issuing a token gives no account more than it has, but whoever issues it may see its secret, and so could sign in as its holder and
        // decide as a second person. For one's own account that gives nothing new; for anyone else's it is minting a person (T33), so a
        // second person has to agree and the holder has the delay to object. A bot's token decides nothing, whoever holds it.
        RegisterChange::IssueToken(token) => match &token.holder {
            Holder::Automation(_) => None,
            Holder::Operator(account) => {
                let holder = register.operators.get(account).map(|o| &o.person);
                if holder.is_some() && holder == asker { None } else { Some(holder.into_iter().cloned().collect()) }
            }
        },
        // Whether one file is laxer than another depends on the case; so each change of policy takes two persons and the delay.
        RegisterChange::SetPolicy { .. } => Some(BTreeSet::new()),
        // A delegation only ever adds to a lineage; an ended one goes on counting for policy's window.
        RegisterChange::Delegate(_)
        | RegisterChange::RevokeDelegation { .. }
        | RegisterChange::DisableOperator(_)
        | RegisterChange::DisableAutomation(_)
        | RegisterChange::RevokeToken { .. } => None,
    }
}

/// A person without any account decides nothing, so adding one is the inventory's business. For one who has an account, whom they work for, who
/// manages them and whether they are here decide what their approval is worth.
pub(super) fn person_widens(register: &Register, new: &Person, has_account: bool) -> bool {
    let manages = || register.persons.values().any(|p| p.manager.as_ref() == Some(&new.id));
    match register.persons.get(&new.id) {
        // An account of a person who is not there yet can't exist; if it does, adding the person brings it to life.
        None => has_account,
        Some(old) => {
            let back = old.status != Status::Active && new.status == Status::Active;
            let moved = old.employer != new.employer || old.team != new.team || old.manager != new.manager;
            (back && (has_account || manages())) || (has_account && moved)
        }
    }
}

/// By which of its fields a change of a person widens.
pub fn fields(register: &Register, new: &Person) -> Vec<&'static str> {
    let Some(old) = register.persons.get(&new.id) else { return vec!["person"] };
    let has_account = register.accounts_of(&new.id).next().is_some();
    let alone = [
        ("employer", Person { employer: new.employer.clone(), ..old.clone() }),
        ("team", Person { team: new.team.clone(), ..old.clone() }),
        ("manager", Person { manager: new.manager.clone(), ..old.clone() }),
        ("status", Person { status: new.status, ..old.clone() }),
    ];
    alone.into_iter().filter(|(_, person)| person_widens(register, person, has_account)).map(|(name, _)| name).collect()
}

fn operator_widens(old: Option<&Operator>, new: &Operator) -> bool {
    let Some(old) = old else {
        return true;
    };
    let narrower = new.roles.is_subset(&old.roles) && new.groups.is_subset(&old.groups) && (old.enabled || !new.enabled);
    old.person != new.person || !narrower
}

/// A new bot says who owns it, and so who is in the lineage of what it does: that is never one person's word. Nor is it to end an ownership, to
/// move its beginning forward, or to give it more scopes.
fn automation_widens(old: Option<&Automation>, new: &Automation) -> bool {
    let Some(old) = old else {
        return true;
    };
    let kept = |old: &[Ownership], new: &[Ownership]| {
        old.iter()
            .all(|o| new.iter().any(|n| n.person == o.person && n.since <= o.since && (n.until.is_none() || n.until >= o.until && o.until.is_some())))
    };
    let narrower = new.scopes.is_subset(&old.scopes) && (old.enabled || !new.enabled);
    !narrower || !kept(&old.owners, &new.owners) || !kept(&old.sponsors, &new.sponsors)
}

fn everyone_of(automation: &Automation) -> impl Iterator<Item = PersonId> {
    automation.owners.iter().chain(&automation.sponsors).map(|o| o.person.clone())
}

/// Digest of what a change would replace, as it stands; `None` where there is nothing yet.
pub fn object(register: &Register, change: &RegisterChange) -> Option<Digest> {
    let digest = |value: &serde_json::Value| Digest::of_value("register-object", value).ok();
    let value = match change {
        RegisterChange::SetPerson(new) => serde_json::to_value(register.persons.get(&new.id)?),
        RegisterChange::SetOperator(new) => serde_json::to_value(register.operators.get(&new.id)?),
        RegisterChange::SetAutomation(new) => serde_json::to_value(register.automations.get(&new.id)?),
        RegisterChange::SetPolicy { .. } => serde_json::to_value(register.policy?),
        RegisterChange::IssueToken(token) => match &token.holder {
            Holder::Operator(id) => serde_json::to_value(register.operators.get(id)?),
            Holder::Automation(id) => serde_json::to_value(register.automations.get(id)?),
        },
        _ => return None,
    };
    digest(&value.ok()?)
}

/// Who acted for whom, within the window.
pub struct Ties<'a> {
    next: BTreeMap<Principal, BTreeSet<Principal>>,
    register: &'a Register,
    now: Time,
    from: Time,
}

impl<'a> Ties<'a> {
    /// What delegations and ownership tie, those that ended within the window too.
    pub fn of(register: &'a Register, now: Time, window: Duration) -> Self {
        let mut next: BTreeMap<Principal, BTreeSet<Principal>> = BTreeMap::new();
        let from = now - window;
        for d in register.delegations.iter().filter(|d| d.since <= now && d.until.is_none_or(|until| until >= from)) {
            next.entry(d.from.clone()).or_default().insert(d.to.clone());
            next.entry(d.to.clone()).or_default().insert(d.from.clone());
        }
        Self { next, register, now, from }
    }

    /// Whether one person acted for the other, directly, through others, or through software that the other owns or answers for: then they are
    /// not a second person. Owning the same software ties nobody.
    pub fn bind(&self, one: &PersonId, other: &PersonId) -> bool {
        self.leads(one, other) || self.leads(other, one)
    }

    fn leads(&self, one: &PersonId, other: &PersonId) -> bool {
        let mut seen = BTreeSet::from([Principal::Person(one.clone())]);
        let mut todo: Vec<Principal> = seen.iter().cloned().collect();
        while let Some(at) = todo.pop() {
            for to in self.next.get(&at).into_iter().flatten().cloned().chain(self.answer_for(&at)) {
                if seen.insert(to.clone()) {
                    todo.push(to);
                }
            }
        }
        seen.contains(&Principal::Person(other.clone()))
    }

    /// Owners and sponsors of software; nobody for a person.
    fn answer_for(&self, who: &Principal) -> impl Iterator<Item = Principal> + '_ {
        let automation = match who {
            Principal::Automation(id) => self.register.automations.get(id),
            Principal::Person(_) => None,
        };
        let counts = |o: &&Ownership| o.since <= self.now && o.until.is_none_or(|until| until >= self.from);
        automation.into_iter().flat_map(move |a| a.owners.iter().chain(&a.sponsors).filter(counts)).map(|o| Principal::Person(o.person.clone()))
    }
}
