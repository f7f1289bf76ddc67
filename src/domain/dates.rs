//! Since when what a proof rests on is recorded: what is younger than policy's minimum age before the request proves nothing (invariant 5).
//!
//! Contract: pure. The one check of age, for addresses, saved codes, mailboxes of whoever attests, managers and owners alike. What nobody knows the
//! date of is too young. Knows nothing about who else reads a mailbox.

use std::collections::BTreeMap;

use chrono::Duration;

use super::case::Case;
use super::checklist::{self, Reach, reach};
use super::command::World;
use super::requirement::Requirement;
use super::subject::{Endpoint, Subject};
use super::vocabulary::Method;
use crate::base::Time;
use crate::base::ids::PersonId;

/// What is known of a subject's saved codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SavedCodes {
    /// Nobody looked.
    #[default]
    Unknown,
    /// None is good: none was issued, or all are used.
    None,
    /// There are some, of a set that was issued then. A code that takes the place of a used one is of the same set.
    Issued(Time),
}

/// Since when what stands beside a subject's record is recorded, as the server itself saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dates {
    /// Its saved codes.
    pub codes: SavedCodes,
    /// By owner or manager of the subject who has a mail address: since when it is that one.
    pub mailboxes: BTreeMap<PersonId, Time>,
    /// Since when the subject's record is as it is.
    pub record: Option<Time>,
}

/// Whether what is recorded since then is too young to prove anything in a case.
fn too_young(case: &Case, need: &Requirement, since: Option<Time>) -> bool {
    since.is_none_or(|since| since > case.request.opened_at - need.min_endpoint_age.duration())
}

/// Why a recorded address is too young for a case, if it is.
pub(super) fn address(case: &Case, need: &Requirement, endpoint: &Endpoint) -> Option<String> {
    too_young(case, need, Some(endpoint.recorded_at)).then(|| "This address was recorded too shortly before the request.".to_owned())
}

/// Why what a method rests on is too young for the world's case, if it is: the subject's saved codes, or, for whoever would attest, their
/// mailbox or what makes it theirs to attest.
pub fn problem(world: &World, method: Method, attester: Option<&PersonId>, now: Time) -> Option<String> {
    let (Some(case), Some(subject)) = (world.case.as_deref(), world.subject.as_deref()) else { return None };
    match (reach(method), attester) {
        (Reach::Endpoint, _) if method == Method::SavedCode => match world.dates.codes {
            SavedCodes::Unknown => None,
            SavedCodes::None => Some("The subject has no saved codes that are good: prove it another way.".to_owned()),
            SavedCodes::Issued(at) => {
                let why = || "The saved codes were issued too shortly before the request, or after it: they prove nothing here.".to_owned();
                too_young(case, &checklist::requirement(world), Some(at)).then(why)
            }
        },
        (Reach::Attester, Some(person)) => attests(world, (case, subject), method, person, now),
        _ => None,
    }
}

fn attests(world: &World, (case, subject): (&Case, &Subject), method: Method, person: &PersonId, now: Time) -> Option<String> {
    let need = checklist::requirement(world);
    if world.dates.mailboxes.get(person).is_some_and(|since| too_young(case, &need, Some(*since))) {
        return Some(format!(
            "The mail address of {person} was recorded too shortly before the request, or after it: their word proves nothing here."
        ));
    }
    let owned = subject.owners.iter().filter(|o| &o.person == person && o.within(now, Duration::zero())).map(|o| Some(o.since));
    let manages = (method != Method::OwnerQuorum && subject.manager.as_ref() == Some(person)).then(|| subject.manager_since.or(world.dates.record));
    let mut roles = owned.chain(manages).peekable();
    let young = roles.peek().is_some() && roles.all(|since| too_young(case, &need, since));
    young.then(|| {
        format!(
            "That {person} is manager or owner was recorded too shortly before the request, or after it: their word proves nothing here. Ask someone else."
        )
    })
}
