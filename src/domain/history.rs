//! What a subject's record was before, and since when it says what it says: what was changed a moment ago makes no case easier (invariants 5, 10).
//!
//! Contract: pure. Each recorded scope has a date; facts by which policy tells one case from another are kept for as long as a case may be judged by
//! them. What tightens counts at once, what widens or loosens once it is old enough. Knows no file format and no policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::policy::ceilings;
use super::subject::Subject;
use super::vocabulary::{Aal, Environment, Ial, InventorySource, SubjectKind, Tier};
use crate::base::Time;
use crate::base::ids::{ScopeId, SubjectId, TargetId};

/// The most sets of former facts that are kept of one subject; a record that would need more is refused.
pub const MAX_FORMER: usize = 12;

/// The most dependents that a record named lately and names no more; a record that would need more is refused.
pub const MAX_RELEASED: usize = 400;

/// What was before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Since when each scope is recorded, by target. One without a date was recorded before dates were kept: it counts as old enough, or whatever
    /// stood in an installation when it was brought up to date could not be given back for a week.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<TargetId, BTreeMap<ScopeId, Time>>,
    /// What policy went by before, each set of facts once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Former>,
    /// Dependents that it named and names no more, and until when it did: what was to be rotated is, until that is old enough.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<SubjectId, Time>,
}

/// The facts of a record by which policy tells what a case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// What it was.
    pub kind: SubjectKind,
    /// Its tier.
    pub tier: Tier,
    /// Its identity assurance.
    pub ial: Ial,
    /// Its authentication assurance.
    pub aal: Aal,
    /// Where it ran.
    pub environment: Environment,
    /// Where its record came from.
    pub inventory: InventorySource,
    /// Whether an owner was recorded, or it was a person.
    pub owner_known: bool,
    /// When the record last said so.
    pub until: Time,
}

impl Former {
    /// What a record says, until that time.
    pub fn of(subject: &Subject, until: Time) -> Self {
        Self {
            kind: subject.kind,
            tier: subject.tier,
            ial: subject.ial,
            aal: subject.aal,
            environment: subject.environment,
            inventory: subject.inventory,
            owner_known: subject.owner_known(),
            until,
        }
    }

    fn same(&self, other: &Self) -> bool {
        Self { until: other.until, ..*self } == *other
    }
}

impl History {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.former.is_empty() && self.released.is_empty()
    }

    /// Since when a scope is recorded, if that is known.
    pub fn since(&self, target: &TargetId, scope: &ScopeId) -> Option<Time> {
        self.scopes.get(target)?.get(scope).copied()
    }

    /// The history of a record that takes the place of a known one at that time: scopes that stay keep their date, others are as old as `given`
    /// says of a subject that is new, else of now. The reason, if it changed too often to be judged.
    pub fn next(known: Option<&Subject>, new: &Subject, given: Option<Time>, now: Time) -> Result<Self, String> {
        let since = |target: &TargetId, scope: &ScopeId| match known {
            Some(known) if known.entitlements.get(target).is_some_and(|had| had.contains(scope)) => known.history.since(target, scope),
            Some(_) => Some(now),
            None => Some(given.unwrap_or(now)),
        };
        let mut scopes: BTreeMap<TargetId, BTreeMap<ScopeId, Time>> = BTreeMap::new();
        for (target, scope) in new.entitlements.iter().flat_map(|(target, all)| all.iter().map(move |scope| (target, scope))) {
            if let Some(since) = since(target, scope) {
                scopes.entry(target.clone()).or_default().insert(scope.clone(), since);
            }
        }
        // As long as a case can be open whose request is not older than they are, whatever policy's minimum age is.
        let kept = ceilings::ENDPOINT_AGE.most.saturating_add(ceilings::EXPIRY.most).duration();
        let released = released(known, new, now - kept, now)?;
        let mut former = known.map(|k| k.history.former.clone()).unwrap_or_default();
        if let Some(known) = known {
            let (was, is) = (Former::of(known, now), Former::of(new, now));
            if !was.same(&is) {
                former.retain(|f| f.until > now - kept && !f.same(&was) && !f.same(&is));
                former.push(was);
                // A record in which nothing of this changes is never refused for it: a restore may leave more than these.
                if former.len() > MAX_FORMER {
                    return Err(format!(
                        "tier, ial, aal, inventory, environment, kind or owners changed too often: {MAX_FORMER} former states are kept. Record it as it was"
                    ));
                }
            }
        }
        Ok(Self { scopes, former, released })
    }

    /// The history of a record of two: the later date of each scope, and everything that either was. `was` is the other one's record, which said
    /// what it says until now.
    #[must_use]
    pub fn narrowed(old: &Subject, was: &Subject, now: Time) -> Self {
        let mut scopes = old.history.scopes.clone();
        for (target, dates) in &was.history.scopes {
            let here = scopes.entry(target.clone()).or_default();
            for (scope, since) in dates {
                let date = here.entry(scope.clone()).or_insert(*since);
                *date = (*date).max(*since);
            }
        }
        let mut former = old.history.former.clone();
        let (is, there) = (Former::of(old, now), Former::of(was, now));
        for other in was.history.former.iter().chain((!there.same(&is)).then_some(&there)) {
            match former.iter_mut().find(|f| f.same(other)) {
                Some(known) => known.until = known.until.max(other.until),
                None => former.push(*other),
            }
        }
        let mut released = old.history.released.clone();
        let gone = was.dependents.iter().map(|d| (d, now)).chain(was.history.released.iter().map(|(d, until)| (d, *until)));
        for (dependent, until) in gone.filter(|(d, _)| !old.dependents.contains(d)) {
            let last = released.entry(dependent.clone()).or_insert(until);
            *last = (*last).max(until);
        }
        Self { scopes, former, released }
    }

    /// Keeps dates of those scopes alone that are recorded.
    #[must_use]
    pub fn of_held(mut self, held: &BTreeMap<TargetId, super::subject::Scopes>) -> Self {
        for (target, dates) in &mut self.scopes {
            dates.retain(|scope, _| held.get(target).is_some_and(|scopes| scopes.contains(scope)));
        }
        self.scopes.retain(|_, dates| !dates.is_empty());
        self
    }
}

/// Dependents that a record names no more, those that it did since then and of before it that still count.
fn released(known: Option<&Subject>, new: &Subject, from: Time, now: Time) -> Result<BTreeMap<SubjectId, Time>, String> {
    let Some(known) = known else { return Ok(BTreeMap::new()) };
    let mut all = known.history.released.clone();
    all.retain(|dependent, until| *until > from && !new.dependents.contains(dependent));
    let before = all.len();
    all.extend(known.dependents.iter().filter(|d| !new.dependents.contains(d)).map(|d| (d.clone(), now)));
    // As above: a record that releases none is never refused for what a restore left.
    if all.len() > MAX_RELEASED && all.len() > before {
        return Err(format!("dependents changed too often: {MAX_RELEASED} former ones are kept. Record them as they were"));
    }
    Ok(all)
}
