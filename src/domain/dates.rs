//! Since when what a proof rests on is recorded: what is younger than policy's minimum age before the request proves nothing (invariant 5).
//!
//! Contract: pure. The one check of age, for addresses, saved codes, mailboxes of whoever attests, managers and owners alike. What nobody knows the
//! date of is too young. While a case is held, age is measured back from now: contact over a hold leaves no receipt, and measured from the
//! request, what was recorded after it could never lift one. Knows nothing about who else reads a mailbox.

use std::collections::BTreeMap;

use chrono::{Duration, Timelike as _};

use super::case::Case;
use super::checklist::{self, Reach, reach};
use super::command::World;
use super::refusal::Refusal;
use super::requirement::{Requirement, Seconds};
use super::subject::{Endpoint, Scopes, Subject};
use super::vocabulary::Method;
use crate::base::Time;
use crate::base::ids::{PersonId, ScopeId, TargetId};

/// The most scopes that one sentence names.
const NAMED: usize = 5;

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

/// Why some of what is asked for in a target is not given back in a case opened then: it was recorded too shortly before (invariant 10). Of what has
/// no date see [`History::scopes`](super::history::History::scopes).
pub fn scopes(subject: &Subject, (target, asked): (&TargetId, &Scopes), age: Seconds, opened: Time) -> Option<String> {
    let young = |scope: &ScopeId| subject.history.since(target, scope).filter(|since| *since > opened - age.duration());
    let found: Vec<(&ScopeId, Time)> = asked.iter().filter_map(|scope| Some((scope, young(scope)?))).collect();
    let last = found.iter().map(|(_, since)| *since).max()?;
    let named = found.iter().take(NAMED).map(|(scope, _)| scope.as_str()).collect::<Vec<_>>().join(", ");
    let more = if found.len() > NAMED { format!(" and {} more", found.len() - NAMED) } else { String::new() };
    let (is, it) = if found.len() == 1 { ("is", "it counts") } else { ("are", "they count") };
    let day = |at: Time| at.format("%Y-%m-%d %H:%M UTC");
    Some(format!(
        "{named}{more} in {target} {is} recorded since {}, too shortly before the request to be given back: {it} in one made from {} on.",
        day(last),
        day(up_to_the_minute(last + age.duration()))
    ))
}

/// A time that is said by minutes is never said to be earlier than it is.
fn up_to_the_minute(at: Time) -> Time {
    let over = i64::from(at.second()) * 1_000 + i64::from(at.timestamp_subsec_millis());
    if over == 0 { at } else { at + Duration::milliseconds(60_000 - over) }
}

/// How what is recorded since then is too young to serve in a case, if it is; `so` says what follows for a proof.
fn too_young(case: &Case, need: &Requirement, since: Option<Time>, now: Time, so: &str) -> Option<String> {
    let (age, held) = (need.min_endpoint_age.duration(), case.hold.is_some());
    let from = if held { now } else { case.request.opened_at } - age;
    if since.is_some_and(|since| since <= from) {
        return None;
    }
    Some(match since.filter(|_| held) {
        Some(since) => format!("too short a time ago: it can serve over the hold from {} on.", (since + age).format("%d %b %H:%MZ")),
        None => format!("too shortly before the request, or after it: {so}"),
    })
}

/// Why a recorded address is too young for a case, if it is.
pub(super) fn address(case: &Case, need: &Requirement, endpoint: &Endpoint, now: Time) -> Option<String> {
    let how = too_young(case, need, Some(endpoint.recorded_at), now, "it proves nothing here.")?;
    Some(format!("This address was recorded {how}"))
}

/// Whether anything that could serve for one of these methods is only too young for the world's case.
pub fn only_too_young(world: &World, methods: &[Method], now: Time) -> bool {
    let (Some(case), Some(subject)) = (world.case.as_deref(), world.subject.as_deref()) else { return false };
    let need = checklist::requirement(world);
    let issued = !matches!(world.dates.codes, SavedCodes::None);
    methods.iter().any(|method| match reach(*method) {
        Reach::Endpoint => {
            let young = subject.endpoints.iter().any(|e| e.confirmed_at.is_some() && address(case, &need, e, now).is_some());
            young || (issued && problem(world, *method, None, now).is_some())
        }
        Reach::Attester => {
            let mut asked = subject.manager.iter().chain(subject.owners_at(now));
            asked.any(|person| problem(world, *method, Some(person), now).is_some())
        }
        Reach::Bound => false,
    })
}

/// Why what a method rests on is too young for the world's case, if it is: the subject's saved codes, or, for whoever would attest, their
/// mailbox or what makes it theirs to attest.
pub fn problem(world: &World, method: Method, attester: Option<&PersonId>, now: Time) -> Option<Refusal> {
    let (Some(case), Some(subject)) = (world.case.as_deref(), world.subject.as_deref()) else { return None };
    match (reach(method), attester) {
        (Reach::Endpoint, _) if method == Method::SavedCode => match world.dates.codes {
            SavedCodes::Unknown => None,
            SavedCodes::None => Some(Refusal::MethodUnusable("The subject has no saved codes that are good: prove it another way.".to_owned())),
            SavedCodes::Issued(at) => {
                let how = too_young(case, &checklist::requirement(world), Some(at), now, "they prove nothing here.")?;
                Some(Refusal::TooYoung(format!("The saved codes were issued {how}")))
            }
        },
        (Reach::Attester, Some(person)) => attests(world, (case, subject), method, person, now).map(Refusal::TooYoung),
        _ => None,
    }
}

fn attests(world: &World, (case, subject): (&Case, &Subject), method: Method, person: &PersonId, now: Time) -> Option<String> {
    let need = checklist::requirement(world);
    let young = |since: Option<Time>, so: &str| too_young(case, &need, since, now, so);
    if let Some(how) = world.dates.mailboxes.get(person).and_then(|since| young(Some(*since), "their word proves nothing here.")) {
        return Some(format!("The mail address of {person} was recorded {how}"));
    }
    let owned = subject.owners.iter().filter(|o| &o.person == person && o.within(now, Duration::zero())).map(|o| Some(o.since));
    let manages = (method != Method::OwnerQuorum && subject.manager.as_ref() == Some(person)).then(|| subject.manager_since.or(world.dates.record));
    // Whichever of them is the oldest counts; what nobody knows the date of is younger than any.
    let oldest = owned.chain(manages).min_by_key(|since| (since.is_none(), *since))?;
    let how = young(oldest, "their word proves nothing here. Ask someone else.")?;
    Some(format!("That {person} is manager or owner was recorded {how}"))
}
