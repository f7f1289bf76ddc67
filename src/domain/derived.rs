//! What follows from a world alone, worked out once for all who ask: requirement, lineage, standing, progress and what a seal no longer holds.
//!
//! Contract: pure. Each answer is kept with the very parts that it was worked out from, and given only while the world consists of these;
//! whoever puts another case, register or policy into a world asks anew. Knows nothing about how anything is worked out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::case::{Case, LineageEntry};
use super::checklist::Progress;
use super::command::World;
use super::dates::Dates;
use super::mailboxes::Mailboxes;
use super::policy::Policy;
use super::register::Register;
use super::requirement::Requirement;
use super::standing::Standing;
use super::subject::Subject;
use crate::base::Time;

/// The most moments at which a world is looked at with its answers kept: now, when the case was sealed, and two more. Those of others are
/// worked out each time.
const MOMENTS: usize = 4;

/// What was worked out from a world so far. A copy of the world shares it, until one of both is changed.
#[derive(Debug, Default)]
pub struct Derived(Mutex<Option<Arc<Kept>>>);

impl Clone for Derived {
    fn clone(&self) -> Self {
        Self(Mutex::new(locked(&self.0).clone()))
    }
}

/// Answers about one world.
#[derive(Debug)]
struct Kept {
    of: Parts,
    requirement: OnceLock<Arc<Requirement>>,
    moments: Mutex<Vec<(Time, Arc<Moment>)>>,
}

/// Answers about one world at one moment.
#[derive(Debug, Default)]
struct Moment {
    lineage: OnceLock<Arc<BTreeSet<LineageEntry>>>,
    standing: OnceLock<Arc<Standing>>,
    progress: OnceLock<Arc<Progress>>,
    broken: OnceLock<Vec<&'static str>>,
}

/// All that answers follow from. Held, so that nothing else can ever stand at the same place in memory.
#[derive(Debug)]
struct Parts {
    case: Option<Arc<Case>>,
    linked: Vec<Arc<Case>>,
    subject: Option<Arc<Subject>>,
    register: Arc<Register>,
    pinned: Arc<Policy>,
    current: Arc<Policy>,
    mailboxes: Arc<Mailboxes>,
    dates: Arc<Dates>,
}

impl Parts {
    fn of(world: &World) -> Self {
        Self {
            case: world.case.clone(),
            linked: world.linked.clone(),
            subject: world.subject.clone(),
            register: world.register.clone(),
            pinned: world.pinned.clone(),
            current: world.current.clone(),
            mailboxes: world.mailboxes.clone(),
            dates: world.dates.clone(),
        }
    }

    fn are_of(&self, world: &World) -> bool {
        let same_case = match (&self.case, &world.case) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let same_subject = match (&self.subject, &world.subject) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let same_linked =
            self.linked.len() == world.linked.len() && self.linked.iter().zip(&world.linked).all(|(one, other)| Arc::ptr_eq(one, other));
        let same_rules = Arc::ptr_eq(&self.pinned, &world.pinned) && Arc::ptr_eq(&self.current, &world.current);
        let same_beside = Arc::ptr_eq(&self.mailboxes, &world.mailboxes) && Arc::ptr_eq(&self.dates, &world.dates);
        same_case && same_subject && same_linked && same_rules && same_beside && Arc::ptr_eq(&self.register, &world.register)
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is put there whole or not at all: a thread that ended in between left nothing half done.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Derived {
    fn kept(&self, world: &World) -> Arc<Kept> {
        let mut slot = locked(&self.0);
        if let Some(kept) = slot.as_ref().filter(|kept| kept.of.are_of(world)) {
            return Arc::clone(kept);
        }
        let kept = Arc::new(Kept { of: Parts::of(world), requirement: OnceLock::new(), moments: Mutex::default() });
        *slot = Some(Arc::clone(&kept));
        kept
    }

    fn moment(&self, world: &World, now: Time) -> Arc<Moment> {
        let kept = self.kept(world);
        let mut moments = locked(&kept.moments);
        if let Some((_, moment)) = moments.iter().find(|(at, _)| *at == now) {
            return Arc::clone(moment);
        }
        let moment = Arc::default();
        if moments.len() < MOMENTS {
            moments.push((now, Arc::clone(&moment)));
        }
        moment
    }
}

/// The world's requirement, worked out by `make` unless it was.
pub(super) fn requirement(world: &World, make: impl FnOnce() -> Requirement) -> Arc<Requirement> {
    world.derived.kept(world).requirement.get_or_init(|| Arc::new(make())).clone()
}

/// The world's lineage at that moment, worked out by `make` unless it was.
pub(super) fn lineage(world: &World, now: Time, make: impl FnOnce() -> BTreeSet<LineageEntry>) -> Arc<BTreeSet<LineageEntry>> {
    world.derived.moment(world, now).lineage.get_or_init(|| Arc::new(make())).clone()
}

/// The case's standing at that moment, worked out by `make` unless it was.
pub(super) fn standing(world: &World, now: Time, make: impl FnOnce() -> Standing) -> Arc<Standing> {
    world.derived.moment(world, now).standing.get_or_init(|| Arc::new(make())).clone()
}

/// The case's progress at that moment, worked out by `make` unless it was.
pub(super) fn progress(world: &World, now: Time, make: impl FnOnce() -> Progress) -> Arc<Progress> {
    world.derived.moment(world, now).progress.get_or_init(|| Arc::new(make())).clone()
}

/// What of the case's seal no longer holds at that moment, worked out by `make` unless it was.
pub(super) fn broken(world: &World, now: Time, make: impl FnOnce() -> Vec<&'static str>) -> Vec<&'static str> {
    world.derived.moment(world, now).broken.get_or_init(make).clone()
}

impl World {
    /// Prepares it to be copied and asked often: what one copy works out, the others need not.
    #[must_use]
    pub fn shared(self) -> Self {
        self.derived.kept(&self);
        self
    }
}
