//! Whether what a target holds is what was approved (invariant 10): the answer to an order is never believed, only this.
//!
//! Contract: pure. More than was approved, or more standing access than was recorded before, is `TooMuch`; no trace of the order is
//! `NothingChanged`; an old credential or a dependent's that was not replaced is `OldKept` or `NotRotated`, by the generations that the target
//! said before and says after; anything else that differs is `Mismatch`. A dependent that the subject's record names no more needs no new
//! credential where the target says that it holds nothing for it. Knows nothing about how the target was asked.

use std::collections::BTreeSet;

use super::{Held, Order};
use crate::base::ids::SubjectId;
use crate::domain::grant::Generations;
use crate::domain::subject::Scopes;
use crate::domain::vocabulary::{Action, FailureReason, Status};

/// Compares what is held after an order with what was ordered and with what was recorded before; the scope that came back.
pub fn judge(order: &Order, entitled: &Scopes, held: &Held) -> Result<Scopes, FailureReason> {
    match order.expires_at {
        Some(until) => judge_grant(order, entitled, held, until),
        None => judge_standing(order, held),
    }
}

fn judge_standing(order: &Order, held: &Held) -> Result<Scopes, FailureReason> {
    if !applied(order, held) {
        return Err(FailureReason::NothingChanged);
    }
    if order.action == Action::SecretRevocation {
        return if held.scope.is_empty() { Ok(Scopes::new()) } else { Err(FailureReason::TooMuch) };
    }
    if !held.scope.is_subset(&order.scope) {
        return Err(FailureReason::TooMuch);
    }
    if held.scope != order.scope || held.status != Some(Status::Active) {
        return Err(FailureReason::Mismatch);
    }
    Ok(held.scope.clone())
}

fn judge_grant(order: &Order, entitled: &Scopes, held: &Held, until: crate::base::Time) -> Result<Scopes, FailureReason> {
    if !held.scope.is_subset(entitled) {
        return Err(FailureReason::TooMuch);
    }
    let reference = order.reference();
    let Some(grant) = held.grants.iter().find(|g| g.order == reference) else { return Err(FailureReason::NothingChanged) };
    let endless = grant.expires_at.is_none_or(|e| e > until);
    if endless || !grant.scope.is_subset(&order.scope) {
        return Err(FailureReason::TooMuch);
    }
    if grant.scope == order.scope { Ok(grant.scope.clone()) } else { Err(FailureReason::Mismatch) }
}

/// What a target says afterwards of those whose credential an order renews.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct After {
    /// How many credentials each had.
    pub generations: Generations,
    /// For whom it says that it holds nothing.
    pub nothing: BTreeSet<SubjectId>,
}

/// Whether everyone whose credential the order renews has a newer one than before. Of whom nobody knows what they had, nobody can say so.
/// `recorded` is what the subject's record named as its dependents when the plan was sealed, or names since; `None` without a record. Only a
/// dependent that it named no more may have gone from the target instead: nobody could ever confirm a new credential of what was decommissioned.
pub fn renewed(order: &Order, before: &Generations, after: &After, recorded: Option<&[SubjectId]>) -> Result<(), FailureReason> {
    let released = |s: &SubjectId| s != &order.subject && recorded.is_some_and(|recorded| !recorded.contains(s));
    let gone = |s: &&SubjectId| released(s) && after.nothing.contains(*s);
    for subject in order.renews.iter().filter(|s| !gone(s)) {
        let (Some(was), Some(is)) = (before.get(subject), after.generations.get(subject)) else { return Err(FailureReason::Mismatch) };
        if is <= was {
            return Err(if subject == &order.subject { FailureReason::OldKept } else { FailureReason::NotRotated });
        }
    }
    Ok(())
}

/// Whether the target shows the order as done.
pub fn applied(order: &Order, held: &Held) -> bool {
    let reference = order.reference();
    match order.expires_at {
        Some(_) => held.grants.iter().any(|g| g.order == reference),
        None => held.order.as_deref() == Some(reference.as_str()),
    }
}

/// Whether nothing is left of temporary access given by an order.
pub fn revoked(order: &Order, held: &Held) -> bool {
    let reference = order.reference();
    held.grants.iter().all(|g| g.order != reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CaseId, ScopeId, SubjectId};
    use crate::connectors::HeldGrant;

    fn scopes(list: &[&str]) -> Scopes {
        list.iter().map(|s| ScopeId::parse(s).unwrap()).collect()
    }

    fn order(lifetime: Option<i64>) -> Order {
        let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Order {
            case: CaseId::new(2026, 1),
            attempt: 1,
            subject: SubjectId::parse("s").unwrap(),
            action: Action::PasswordReset,
            scope: scopes(&["read", "write"]),
            expires_at: lifetime.map(|s| at + chrono::Duration::seconds(s)),
            revokes_old: true,
            rotates: std::collections::BTreeSet::new(),
            renews: std::collections::BTreeSet::new(),
            at,
        }
    }

    fn held(scope: &[&str], order: Option<&str>) -> Held {
        Held { status: Some(Status::Active), scope: scopes(scope), generation: 2, order: order.map(str::to_owned), grants: vec![] }
    }

    #[test]
    fn invariant_10_standing_access_is_exactly_what_was_approved() {
        let entitled = scopes(&["read", "write", "admin"]);
        let judge = |h: &Held| judge(&order(None), &entitled, h);
        let reference = Some("cs-26-000001_1");
        assert_eq!(judge(&held(&["read", "write"], reference)), Ok(scopes(&["read", "write"])));
        assert_eq!(judge(&held(&["read", "write", "admin"], reference)), Err(FailureReason::TooMuch));
        assert_eq!(judge(&held(&["read"], reference)), Err(FailureReason::Mismatch));
        assert_eq!(judge(&held(&["read", "write"], None)), Err(FailureReason::NothingChanged));
        assert_eq!(judge(&held(&["read", "write"], Some("cs-26-000001_2"))), Err(FailureReason::NothingChanged));
        let locked = Held { status: Some(Status::Locked), ..held(&["read", "write"], reference) };
        assert_eq!(judge(&locked), Err(FailureReason::Mismatch));
    }

    #[test]
    fn invariant_10_what_was_to_be_revoked_or_rotated_is_newer_than_before() {
        let ids = |list: &[&str]| list.iter().map(|s| SubjectId::parse(s).unwrap()).collect::<Vec<_>>();
        let order = Order { renews: ids(&["s", "d"]).into_iter().collect(), ..order(None) };
        let of = |s: u64, d: u64| ids(&["s", "d"]).into_iter().zip([s, d]).collect::<Generations>();
        let recorded = ids(&["d"]);
        let renewed = |order: &Order, before: &Generations, after: &Generations| {
            super::renewed(order, before, &After { generations: after.clone(), ..After::default() }, Some(&recorded))
        };
        assert_eq!(renewed(&order, &of(1, 7), &of(2, 8)), Ok(()));
        assert_eq!(renewed(&order, &of(1, 7), &of(1, 8)), Err(FailureReason::OldKept));
        assert_eq!(renewed(&order, &of(1, 7), &of(2, 7)), Err(FailureReason::NotRotated));
        assert_eq!(renewed(&order, &of(1, 7), &of(0, 8)), Err(FailureReason::OldKept), "a smaller number is no newer credential");
        assert_eq!(renewed(&order, &Generations::new(), &of(2, 8)), Err(FailureReason::Mismatch), "nobody knows what was there before");
        assert_eq!(renewed(&Order { renews: ids(&[]).into_iter().collect(), ..order }, &Generations::new(), &of(1, 1)), Ok(()));
    }

    #[test]
    fn invariant_10_a_dependent_needs_no_new_credential_only_if_it_is_released_and_the_target_holds_nothing_of_it() {
        let ids = |list: &[&str]| list.iter().map(|s| SubjectId::parse(s).unwrap()).collect::<Vec<_>>();
        let order = Order { renews: ids(&["s", "d"]).into_iter().collect(), ..order(None) };
        let of = |s: u64, d: u64| ids(&["s", "d"]).into_iter().zip([s, d]).collect::<Generations>();
        let judge = |(now_s, now_d): (u64, u64), nothing: &[&str], recorded: Option<&[&str]>| {
            let after = After { generations: of(now_s, now_d), nothing: ids(nothing).into_iter().collect() };
            renewed(&order, &of(1, 7), &after, recorded.map(ids).as_deref())
        };
        assert_eq!(judge((2, 0), &["d"], Some(&[])), Ok(()), "it was decommissioned");
        assert_eq!(judge((2, 7), &[], Some(&[])), Err(FailureReason::NotRotated), "it is still there with what it had");
        assert_eq!(judge((2, 0), &["d"], Some(&["d"])), Err(FailureReason::NotRotated), "the record names it");
        assert_eq!(judge((2, 0), &["d"], None), Err(FailureReason::NotRotated), "nobody knows what the record names");
        assert_eq!(judge((0, 8), &["s"], Some(&[])), Err(FailureReason::OldKept), "whose access it is has a new one, or it was not restored");
    }

    #[test]
    fn only_what_has_no_credential_and_reaches_nothing_is_held_as_nothing() {
        let none = Held { status: None, scope: Scopes::new(), generation: 0, order: None, grants: vec![] };
        let grant = HeldGrant { order: "cs-26-000001_1".to_owned(), scope: scopes(&["read"]), expires_at: None };
        assert!(none.is_nothing() && Held { status: Some(Status::Retired), generation: 3, ..none.clone() }.is_nothing());
        for held in [
            Held { status: Some(Status::Active), ..none.clone() },
            Held { status: Some(Status::Suspended), generation: 3, ..none.clone() },
            Held { generation: 3, ..none.clone() },
            Held { scope: scopes(&["read"]), ..none.clone() },
            Held { status: Some(Status::Retired), grants: vec![grant], ..none },
        ] {
            assert!(!held.is_nothing(), "{held:?}");
        }
    }

    #[test]
    fn invariant_10_a_grant_adds_no_standing_access_and_ends_in_time() {
        let order = order(Some(600));
        let entitled = scopes(&["read"]);
        let with = |standing: &[&str], scope: &[&str], expires: Option<i64>| {
            let mut held = held(standing, None);
            let expires_at = expires.map(|s| order.at + chrono::Duration::seconds(s));
            held.grants.push(HeldGrant { order: order.reference(), scope: scopes(scope), expires_at });
            super::judge(&order, &entitled, &held)
        };
        assert_eq!(with(&["read"], &["read", "write"], Some(600)), Ok(scopes(&["read", "write"])));
        assert_eq!(with(&["read"], &["read", "write"], None), Err(FailureReason::TooMuch));
        assert_eq!(with(&["read"], &["read", "write"], Some(601)), Err(FailureReason::TooMuch));
        assert_eq!(with(&["read"], &["read", "write", "x"], Some(60)), Err(FailureReason::TooMuch));
        assert_eq!(with(&["read", "write"], &["read", "write"], Some(60)), Err(FailureReason::TooMuch));
        assert_eq!(with(&["read"], &["read"], Some(60)), Err(FailureReason::Mismatch));
        assert_eq!(super::judge(&order, &entitled, &held(&["read"], None)), Err(FailureReason::NothingChanged));
        assert!(revoked(&order, &held(&["read"], None)));
    }
}
