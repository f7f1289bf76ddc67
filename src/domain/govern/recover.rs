//! The way back when nobody's token counts any more: two recorded governors, on the server's own machine, in sight of everyone (invariant 17).
//!
//! Contract: pure. Gives nobody a role, only two recorded governors their way in, for a short time; at once if both showed a token that was
//! theirs, and otherwise only after policy's delay, in which it can be stopped. The delay begins when a running server has told everyone who
//! governs, or has given up trying ([`told`]): a server that is kept stopped lets nothing run out unseen. Refused while two persons can still
//! govern. Knows nothing about how tokens are shown or mail is sent.
//!
//! Former tokens are of no use to who took the present ones away: where two could still govern had nothing been revoked, the delay runs
//! whatever was shown. Else one administrator of the host, who may revoke, could revoke everyone's tokens and come back at once with old ones.

use std::collections::BTreeMap;

use chrono::Duration;

use super::{GUARD, PROPOSE, is_active, is_host, not_permitted};
use crate::base::Time;
use crate::base::ids::{OperatorId, PersonId, TokenId};
use crate::domain::case::{ActorRef, Worker};
use crate::domain::command::Context;
use crate::domain::event::RegisterEvent;
use crate::domain::policy::Policy;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Holder, Operator, Register, Token};
use crate::domain::vocabulary::Role;

/// How long the two tokens live: long enough to sign in and to issue oneself another one.
pub const TOKEN_LIFE: Duration = Duration::hours(8);

/// When tokens count whose delay has not begun: never. 9999-01-01 UTC, the last year that times are written in.
pub const NOT_TOLD: Time = match chrono::DateTime::from_timestamp(253_370_764_800, 0) {
    Some(time) => time,
    None => chrono::DateTime::<chrono::Utc>::MAX_UTC,
};

/// Who comes back.
#[derive(Clone, Copy)]
pub struct Recovery<'a> {
    /// Two accounts of two persons.
    pub by: &'a [OperatorId; 2],
    /// Whether both showed a token that had been issued to them and was never revoked; it counts only if nobody's was revoked before its time.
    pub proved: bool,
    /// Their new tokens; when they count is decided here.
    pub tokens: &'a [Token; 2],
}

/// Decides it.
pub fn recover(register: &Register, recovery: Recovery<'_>, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    if !is_host(context) {
        return Err(not_permitted("register_change", "the host's command line"));
    }
    let now = context.now;
    let [one, other] = [governor(register, &recovery.by[0])?, governor(register, &recovery.by[1])?];
    if one.person == other.person {
        return Err(Refusal::SecondPerson("It takes two different persons, not two accounts of one.".to_owned()));
    }
    let has = |account: &Operator, roles: &[Role]| roles.iter().any(|r| account.roles.contains(r));
    if !((has(one, PROPOSE) && has(other, GUARD)) || (has(other, PROPOSE) && has(one, GUARD))) {
        let help = "One of the two must be a policy owner, and the other one a policy owner or security reviewer.";
        return Err(Refusal::SecondPerson(help.to_owned()));
    }
    if let Some(until) = governed_until(register, now) {
        let help = format!("Two persons hold tokens with which they can govern, until {}: ask them for a token.", until.format("%Y-%m-%d %H:%M UTC"));
        return Err(Refusal::Already(help));
    }
    if pending(register, now).next().is_some() {
        return Err(Refusal::Already("A recovery is under way; its tokens count when its delay is over, or can be stopped.".to_owned()));
    }
    let proved = recovery.proved && held_until(register, now, |_| true).is_none();
    let counts_from = proved.then_some(now);
    let begins = counts_from.unwrap_or(NOT_TOLD);
    let mut tokens = recovery.tokens.clone();
    for (token, account) in tokens.iter_mut().zip(recovery.by) {
        let again = register.tokens.contains_key(&token.id) || register.tokens.values().any(|t| t.secret_sha256 == token.secret_sha256);
        if again || token.holder != Holder::Operator(account.clone()) {
            return Err(Refusal::Invalid { field: "tokens", why: "each of the two gets one new token".to_owned() });
        }
        (token.issued_at, token.expires_at, token.revoked_at) = (begins, begins + TOKEN_LIFE, None);
        token.on_behalf_of = Vec::new();
    }
    if tokens[0].secret_sha256 == tokens[1].secret_sha256 || tokens[0].id == tokens[1].id {
        return Err(Refusal::Invalid { field: "tokens", why: "each of the two gets one new token".to_owned() });
    }
    let governors = [one.person.clone(), other.person.clone()];
    Ok(vec![RegisterEvent::GovernanceRecovered { governors, proved, counts_from, tokens: tokens.into() }])
}

/// Everyone who governs was told of the recovery that gave these tokens, or could not be: policy's delay begins for them, and for no others.
pub fn told(register: &Register, policy: &Policy, of: &[TokenId], context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    if !matches!(context.actor.who, ActorRef::System { worker: Worker::Notices }) {
        return Err(not_permitted("register_change", "the server that tells everyone who governs"));
    }
    let tokens: Vec<TokenId> = untold(register).filter(|t| of.contains(&t.id)).map(|t| t.id.clone()).collect();
    if tokens.is_empty() {
        return Err(Refusal::Already("That recovery does not wait for its delay to begin.".to_owned()));
    }
    Ok(vec![RegisterEvent::RecoveryTold { tokens, counts_from: counts_from(policy, context.now) }])
}

/// From when a recovery counts of which everyone has been told at that time.
pub fn counts_from(policy: &Policy, told: Time) -> Time {
    told + policy.bundle.governance.change_delay.duration()
}

/// Tokens of a recovery whose delay has not begun.
pub fn untold(register: &Register) -> impl Iterator<Item = &Token> {
    register.tokens.values().filter(|t| t.revoked_at.is_none() && t.issued_at >= NOT_TOLD)
}

/// The account, if it could govern had it a token.
fn governor<'a>(register: &'a Register, id: &OperatorId) -> Result<&'a Operator, Refusal> {
    let account = register.operators.get(id).ok_or_else(|| Refusal::Unknown(format!("The account {id}")))?;
    if !account.enabled || !is_active(register, &account.person) {
        return Err(Refusal::SecondPerson(format!("{id} can't sign in: the account is disabled or its person is not here.")));
    }
    Ok(account)
}

/// Tokens of a recovery that do not count yet.
pub fn pending(register: &Register, now: Time) -> impl Iterator<Item = &Token> {
    register.tokens.values().filter(move |t| t.revoked_at.is_none() && t.issued_at > now)
}

/// Until when two different persons hold tokens with which one can propose and the other approve; `None` if they can't now.
pub fn governed_until(register: &Register, now: Time) -> Option<Time> {
    held_until(register, now, |token| token.revoked_at.is_none())
}

fn held_until(register: &Register, now: Time, counts: impl Fn(&Token) -> bool) -> Option<Time> {
    let holders = |roles: &[Role]| -> BTreeMap<&PersonId, Time> {
        let mut until: BTreeMap<&PersonId, Time> = BTreeMap::new();
        for token in register.tokens.values().filter(|t| counts(t) && t.issued_at <= now && t.expires_at > now) {
            let Holder::Operator(id) = &token.holder else { continue };
            let account = register.operators.get(id).filter(|o| o.enabled && roles.iter().any(|r| o.roles.contains(r)));
            let Some(account) = account.filter(|o| is_active(register, &o.person)) else { continue };
            let kept = until.entry(&account.person).or_insert(token.expires_at);
            *kept = token.expires_at.max(*kept);
        }
        until
    };
    let (proposers, guards) = (holders(PROPOSE), holders(GUARD));
    let pairs = proposers.iter().flat_map(|(p, a)| guards.iter().filter(move |(g, _)| *g != p).map(move |(_, b)| *a.min(b)));
    pairs.max()
}

/// Everyone who governs, with a token or without: those who are told of a recovery.
pub fn governors(register: &Register) -> impl Iterator<Item = &PersonId> {
    let fits = |id: &&PersonId| is_active(register, id) && register.accounts_of(id).any(|o| GUARD.iter().any(|r| o.roles.contains(r)));
    register.persons.keys().filter(fits)
}
