//! What the database itself knows of the register and of policies, for its own constraints: accounts, who stands for whom, and how many
//! persons a policy asks for.
//!
//! Contract: follows the register and the policy texts as they are committed; only ever adds, but for the end of what ended, which counts
//! from when it was recorded (a backdated one shortens nothing). Knows no case.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::batch::{Batch, Kept};
use super::duties::via;
use super::rows::{Ordinal as _, millis};
use crate::base::Digest;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::lineage;
use crate::domain::policy::Policy;
use crate::domain::register::{Principal, Register};
use crate::domain::vocabulary::{Action, Path, Tier};
use crate::store::{Change, CommitError};

/// Parsed policies kept at once; a site has a handful.
pub(super) const MAX_POLICIES: usize = 16;

/// Milliseconds.
const DAY: i64 = 24 * 3_600 * 1_000;

/// From whom, to whom, and why.
pub(super) type TieKey = (String, String, String);

/// Since when and until when, in milliseconds; no end while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: i64,
    pub(super) until: Option<i64>,
}

/// Everyone who stands for someone by a register: delegations both ways, software's owners and sponsors one way. Several times of the same
/// owner are one, from the first to the last.
pub(super) fn ties(register: &Register) -> BTreeMap<TieKey, Span> {
    let mut ties = BTreeMap::new();
    let mut add = |from: &Principal, to: &Principal, why: &str, span: Span| {
        let longer = |had: &mut Span| {
            had.since = had.since.min(span.since);
            had.until = had.until.zip(span.until).map(|(a, b)| a.max(b));
        };
        ties.entry((via(Some(from)), via(Some(to)), why.to_owned())).and_modify(longer).or_insert(span);
    };
    for d in &register.delegations {
        let span = Span { since: millis(d.since), until: d.until.map(millis) };
        add(&d.from, &d.to, d.id.as_str(), span);
        add(&d.to, &d.from, d.id.as_str(), span);
    }
    for automation in register.automations.values() {
        for (why, owners) in [("owner", &automation.owners), ("sponsor", &automation.sponsors)] {
            for o in owners {
                let (from, to) = (Principal::Automation(automation.id.clone()), Principal::Person(o.person.clone()));
                add(&from, &to, why, Span { since: millis(o.since), until: o.until.map(millis) });
            }
        }
    }
    ties
}

impl Batch<'_> {
    /// What the change makes of register and policies, before any case is written.
    pub(super) fn put_rules(&mut self, change: &Change) -> Result<(), CommitError> {
        if let Some((sha256, body)) = &change.policy {
            self.put_policy(sha256, body)?;
        }
        let Some(after) = &change.register else { return Ok(()) };
        let before = Arc::clone(&self.tip.register);
        self.put_accounts(&before, after)?;
        if before.delegations != after.delegations || before.automations != after.automations {
            self.put_ties(&ties(&before), &ties(after), millis(change.at))?;
        }
        self.tip.register = Arc::clone(after);
        self.tip.register_moved = true;
        Ok(())
    }

    /// Which policy is in force from an entry of the register on; `before` is the register that the entry's change began with.
    pub(super) fn put_in_force(&self, before: &Register, event: &RegisterEvent, seq: i64) -> Result<(), CommitError> {
        let applied = |id| before.proposals.get(id).map(|p| &p.change);
        let policy = match event {
            RegisterEvent::Founded { policy, .. } | RegisterEvent::Changed { change: RegisterChange::SetPolicy { policy, .. } } => policy,
            RegisterEvent::ProposalApplied { proposal } => match applied(proposal) {
                Some(RegisterChange::SetPolicy { policy, .. }) => policy,
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let sql = "INSERT INTO in_force (seq, policy) VALUES (?1, ?2)";
        self.conn.prepare_cached(sql)?.execute(params![seq, policy.as_bytes()])?;
        Ok(())
    }

    fn put_accounts(&self, before: &Register, after: &Register) -> Result<(), CommitError> {
        for (id, operator) in &after.operators {
            if before.operators.get(id).is_none_or(|b| b.person != operator.person) {
                let sql = "INSERT INTO accounts (operator, person) VALUES (?1, ?2)";
                self.conn.prepare_cached(sql)?.execute([id.as_str(), operator.person.as_str()])?;
            }
        }
        Ok(())
    }

    fn put_ties(&self, before: &BTreeMap<TieKey, Span>, after: &BTreeMap<TieKey, Span>, now: i64) -> Result<(), CommitError> {
        for (key, span) in after {
            // An end counts from when it is recorded.
            let until = span.until.map(|u| u.max(now));
            match before.get(key) {
                Some(had) if had == span => {}
                Some(_) => {
                    let sql = "UPDATE ties SET since = min(since, ?4), until = ?5 WHERE from_who = ?1 AND to_who = ?2 AND why = ?3";
                    self.conn.prepare_cached(sql)?.execute(params![key.0, key.1, key.2, span.since, until])?;
                }
                None => {
                    let sql = "INSERT INTO ties (from_who, to_who, why, since, until) VALUES (?1, ?2, ?3, ?4, ?5)";
                    self.conn.prepare_cached(sql)?.execute(params![key.0, key.1, key.2, span.since, span.until])?;
                }
            }
        }
        Ok(())
    }

    /// Keeps a policy's text, and what it asks for at least. One that can't be read asks for nothing that anything could meet.
    fn put_policy(&self, sha256: &Digest, body: &str) -> Result<(), CommitError> {
        let policy = Policy::parse(body).ok().filter(|p| p.sha256 == *sha256);
        let floor = lineage::FLOOR.num_milliseconds();
        let base = policy.as_ref().map(|p| &p.bundle.base);
        let back = base.map_or(floor, |b| b.lineage_window.duration().num_milliseconds().max(floor));
        let linked = base.map_or(DAY, |b| b.linked_window.duration().num_milliseconds().max(DAY));
        let sql = "INSERT INTO policies (sha256, body, lineage, linked) VALUES (?1, ?2, ?3, ?4)";
        self.conn.prepare_cached(sql)?.execute(params![sha256.as_bytes(), body, back, linked])?;
        let Some(policy) = policy else { return Ok(()) };
        for (action, path, tier, persons) in needs(&policy) {
            let sql = "INSERT INTO needs (policy, action, path, tier, persons) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.conn.prepare_cached(sql)?.execute(params![sha256.as_bytes(), action, path, tier, persons])?;
        }
        Ok(())
    }
}

/// The fewest persons a policy lets decide, by action, path and tier as they stand in columns.
pub(super) fn needs(policy: &Policy) -> impl Iterator<Item = (i64, i64, &'static str, i64)> {
    let classes = Action::ALL.iter().flat_map(|a| Path::ALL.iter().flat_map(move |p| Tier::ALL.iter().map(move |t| (*a, *p, *t))));
    classes.map(|(action, path, tier)| {
        let persons = policy.bundle.fewest_persons(action, path, tier);
        (action.ordinal(), path.ordinal(), tier.code(), i64::try_from(persons).unwrap_or(i64::MAX))
    })
}

impl Kept {
    /// A kept policy, parsed; `None` if there is no such text, or it can't be read.
    pub(super) fn policy(&self, conn: &Connection, sha256: &Digest) -> Result<Option<Arc<Policy>>, CommitError> {
        if let Some(policy) = self.policies.lock().ok().and_then(|mut known| known.get(sha256)) {
            return Ok(Some(policy));
        }
        let sql = "SELECT body FROM policies WHERE sha256 = ?1";
        let body: Option<String> = conn.prepare_cached(sql)?.query_row([sha256.as_bytes()], |r| r.get(0)).optional()?;
        let Some(policy) = body.and_then(|b| Policy::parse(&b).ok()).map(Arc::new) else { return Ok(None) };
        if let Ok(mut known) = self.policies.lock() {
            known.put(Arc::clone(&policy));
        }
        Ok(Some(policy))
    }
}
