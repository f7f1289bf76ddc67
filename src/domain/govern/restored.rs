//! The register of a backup, narrowed to what the register had become that it replaces: nobody gets back what was taken from them since.
//!
//! Contract: pure; only ever narrows (invariant 17, T33). What was widened since is not taken over, and what was proposed has to be proposed
//! anew. A person without whom nobody could govern keeps the account and loses its tokens. Knows nothing about files.

use std::collections::BTreeSet;

use super::{is_host, not_permitted, stays_governable};
use crate::base::Time;
use crate::base::ids::{OperatorId, TargetId, TokenId};
use crate::domain::command::Context;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::history::History;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Automation, Holder, Operator, Person, Register};
use crate::domain::subject::{Endpoint, Ownership, Scopes, Subject};
use crate::domain::vocabulary::Status;

/// What was narrowed since, and every token that is still good with `every_token`.
pub(super) fn take_over(register: &Register, was: &Register, every_token: bool, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    if !is_host(context) {
        return Err(not_permitted("register_change", "the host's command line"));
    }
    let mut narrowing = Narrowing { after: register.clone(), events: Vec::new(), tokens: BTreeSet::new(), now: context.now };
    for id in register.proposals.keys().filter(|id| every_token || !was.proposals.contains_key(*id)) {
        narrowing.push(RegisterEvent::ProposalEnded { proposal: id.clone(), by: None });
    }
    narrowing.delegations(register, was);
    narrowing.persons(register, was);
    narrowing.operators(register, was);
    for old in register.automations.values() {
        if let Some(new) = was.automations.get(&old.id).map(|now| automation(old, now)).filter(|new| new != old) {
            narrowing.change(RegisterChange::SetAutomation(new));
        }
    }
    narrowing.tokens(register, was, every_token);
    Ok(narrowing.events)
}

struct Narrowing {
    after: Register,
    events: Vec<RegisterEvent>,
    tokens: BTreeSet<TokenId>,
    now: Time,
}

impl Narrowing {
    fn push(&mut self, event: RegisterEvent) {
        self.after.apply(&event, self.now);
        self.events.push(event);
    }

    fn change(&mut self, change: RegisterChange) {
        self.push(RegisterEvent::Changed { change });
    }

    /// Makes the change, or revokes the accounts' tokens where nobody could govern after it.
    fn change_or_revoke(&mut self, change: RegisterChange, accounts: &[OperatorId]) {
        if stays_governable(&self.after, &change, self.now).is_ok() {
            self.change(change);
        } else {
            let theirs = |holder: &Holder| accounts.iter().any(|id| *holder == Holder::Operator(id.clone()));
            self.tokens.extend(self.after.tokens.values().filter(|t| theirs(&t.holder)).map(|t| t.id.clone()));
        }
    }

    /// Who acted for whom since: they stay in lineages (invariant 2).
    fn delegations(&mut self, register: &Register, was: &Register) {
        let known: BTreeSet<_> = register.delegations.iter().map(|d| &d.id).collect();
        for delegation in was.delegations.iter().filter(|d| !known.contains(&d.id)) {
            self.change(RegisterChange::Delegate(delegation.clone()));
        }
    }

    fn persons(&mut self, register: &Register, was: &Register) {
        for old in register.persons.values().filter(|p| p.status == Status::Active) {
            let Some(gone) = was.persons.get(&old.id).filter(|p| p.status != Status::Active) else { continue };
            let accounts: Vec<OperatorId> = register.accounts_of(&old.id).map(|o| o.id.clone()).collect();
            self.change_or_revoke(RegisterChange::SetPerson(Person { status: gone.status, ..old.clone() }), &accounts);
        }
    }

    fn operators(&mut self, register: &Register, was: &Register) {
        for old in register.operators.values() {
            let Some(now) = was.operators.get(&old.id) else { continue };
            let new = Operator {
                roles: old.roles.intersection(&now.roles).copied().collect(),
                groups: old.groups.intersection(&now.groups).cloned().collect(),
                enabled: old.enabled && now.enabled,
                ..old.clone()
            };
            if new.enabled != old.enabled {
                self.change_or_revoke(RegisterChange::DisableOperator(old.id.clone()), std::slice::from_ref(&old.id));
            }
            if (&new.roles, &new.groups) != (&old.roles, &old.groups) {
                let enabled = self.after.operators.get(&old.id).is_some_and(|o| o.enabled);
                self.change_or_revoke(RegisterChange::SetOperator(Operator { enabled, ..new }), std::slice::from_ref(&old.id));
            }
        }
    }

    fn tokens(&mut self, register: &Register, was: &Register, every: bool) {
        let good = |id: &TokenId| register.tokens.get(id).is_some_and(|t| t.revoked_at.is_none() && t.expires_at > self.now);
        let since = register.tokens.keys().filter(|id| was.tokens.get(*id).is_some_and(|t| t.revoked_at.is_some()));
        let all = register.tokens.keys().filter(|_| every);
        let ends: BTreeSet<TokenId> = since.chain(all).chain(&self.tokens).filter(|id| good(id)).cloned().collect();
        for token in ends {
            let at = self.now;
            self.change(RegisterChange::RevokeToken { token, at });
        }
    }
}

/// No more than both allow, and owned by everyone who owned it in either: whoever came into its chain stays there.
fn automation(old: &Automation, now: &Automation) -> Automation {
    let both = |old: &[Ownership], now: &[Ownership]| -> Vec<Ownership> {
        let new = now.iter().filter(|n| !old.iter().any(|o| (&o.person, o.since) == (&n.person, n.since)));
        old.iter().chain(new).cloned().collect()
    };
    Automation {
        id: old.id.clone(),
        owners: both(&old.owners, &now.owners),
        sponsors: both(&old.sponsors, &now.sponsors),
        scopes: old.scopes.intersection(&now.scopes).copied().collect(),
        enabled: old.enabled && now.enabled,
    }
}

/// A subject's record as the backup has it, less whatever the record that it replaces had lost: in use only if both say so, only addresses,
/// owners, a manager and entitlements that both name, each as young as in either. What came since has to be imported anew; where the other record had
/// policy ask for more, it is still gone by for a while.
pub fn subject(old: &Subject, was: &Subject, now: Time) -> Subject {
    let strictest = |a: Status, b: Status| [Status::Retired, Status::Suspended].into_iter().find(|s| a == *s || b == *s).unwrap_or(a);
    let same = |e: &&Endpoint| was.endpoints.iter().any(|w| (&w.id, w.kind, w.address.raw()) == (&e.id, e.kind, e.address.raw()));
    let confirmed = |e: &Endpoint| {
        let there = was.endpoints.iter().find(|w| w.id == e.id).and_then(|w| w.confirmed_at);
        Endpoint { confirmed_at: e.confirmed_at.zip(there).map(|(a, b)| a.max(b)), ..e.clone() }
    };
    let ended = |o: &Ownership| {
        let there = was.owners.iter().find(|w| (&w.person, w.since) == (&o.person, o.since));
        let until = there.map_or(Some(o.until.unwrap_or(o.since)), |w| [o.until, w.until].into_iter().flatten().min());
        Ownership { until, ..o.clone() }
    };
    let held = |(target, scopes): (&TargetId, &Scopes)| {
        let both: Scopes = scopes.intersection(was.entitlements.get(target)?).cloned().collect();
        (!both.is_empty()).then(|| (target.clone(), both))
    };
    let entitlements = old.entitlements.iter().filter_map(held).collect();
    Subject {
        status: strictest(old.status, was.status),
        endpoints: old.endpoints.iter().filter(same).map(confirmed).collect(),
        owners: old.owners.iter().map(ended).collect(),
        manager: old.manager.clone().filter(|m| was.manager.as_ref() == Some(m)),
        manager_since: old.manager_since.max(was.manager_since).filter(|_| old.manager.is_some() && old.manager == was.manager),
        history: History::narrowed(old, was, now).of_held(&entitlements),
        entitlements,
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::PersonId;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn t33_of_a_subjects_record_only_what_both_databases_hold_is_left() {
        let json = |status: &str, mail: &str, until: Option<&str>, manager: &str| -> Subject {
            serde_json::from_value(serde_json::json!({
                "id": "svc-1", "kind": "service_account", "name": "svc-1", "person": null, "tier": "standard", "ial": "ial1", "aal": "aal1", "status": status,
                "employer": null, "owners": [{"person": "ana", "since": "2025-01-01T00:00:00Z", "until": until}], "manager": manager,
                "inventory": "secrets_manager", "environment": "production", "dependents": [], "entitlements": {"vault": ["read", "write"]},
                "endpoints": [{"id": "e-1", "kind": "email", "address": mail, "recorded_at": "2025-01-01T00:00:00Z", "confirmed_at": "2025-01-02T00:00:00Z"}],
            }))
            .unwrap()
        };
        let old = json("active", "stolen@corp.example", None, "mona");
        let now = old.endpoints[0].recorded_at + chrono::Duration::days(300);
        let subject = |old: &Subject, was: &Subject| super::subject(old, was, now);
        assert_eq!(subject(&old, &old), old, "what did not change stays as it is");
        let mut was = json("retired", "new@corp.example", Some("2025-06-01T00:00:00Z"), "zoe");
        was.entitlements.values_mut().for_each(|s| s.retain(|scope| scope.as_str() == "read"));
        let left = subject(&old, &was);
        assert_eq!((left.status, left.endpoints.len(), left.manager), (Status::Retired, 0, None::<PersonId>));
        assert_eq!(left.owners[0].until, was.owners[0].until);
        assert_eq!(left.entitlements, was.entitlements);
        let wider = subject(&was, &old);
        assert_eq!((wider.status, wider.owners[0].until), (Status::Retired, was.owners[0].until), "nothing is widened");

        // Dates are the later ones, and what the other record made policy ask for is not forgotten.
        let since = |s: &mut Subject, at: Time| drop(s.history.scopes.insert(id("vault"), [(id("read"), at), (id("gone"), at)].into()));
        let (mut one, mut two) = (json("active", "a@corp.example", None, "mona"), json("active", "a@corp.example", None, "mona"));
        since(&mut one, now - chrono::Duration::days(9));
        since(&mut two, now - chrono::Duration::days(1));
        two.tier = crate::domain::vocabulary::Tier::Privileged;
        let left = subject(&one, &two);
        assert_eq!(left.history.since(&id("vault"), &id("read")), Some(now - chrono::Duration::days(1)));
        assert_eq!((left.history.since(&id("vault"), &id("gone")), left.history.since(&id("vault"), &id("write"))), (None, None));
        assert_eq!((left.history.former.len(), left.history.former[0].tier, left.history.former[0].until), (1, two.tier, now));
        assert_eq!(subject(&left, &two), left, "twice is once");
    }
}
