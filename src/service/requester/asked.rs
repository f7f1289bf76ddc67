//! A person asks for itself, on the page for it: taken at once, worked on afterwards.
//!
//! Contract: taking a request reads no store and says nothing, so that neither the answer nor its time can depend on whom it is about (T24);
//! what becomes of it is mail to recorded addresses, or nothing. At most [`MAX_WAITING`] wait; they are worked off one after the other. Anyone
//! can type a name: so a name that is asked for again while a case is open makes no second one and no flag (a flag would raise what policy
//! asks for, at a stranger's will), but is counted with the other strangers (invariant 8), and after [`MAX_SENT`] codes of a case in a day that
//! nobody typed the server sends one in [`SPACED`]: never none, so that no stranger shuts anybody out. A case in which nothing was proved raises nothing for another one, tells no staff, and ends when the time for its
//! proofs is over. What a stranger can still do: have those few codes sent to the subject's own addresses. Knows no page.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use super::Requester;
use crate::base::ids::{ScopeId, SessionId, SubjectId, TargetId};
use crate::base::{Time, Untrusted};
use crate::domain::case::{ActorRef, Case, ProofSession, Requester as Who, Route, SessionOutcome};
use crate::domain::command::Actor;
use crate::domain::dates;
use crate::domain::policy::Policy;
use crate::domain::subject::{Scopes, Subject, handle};
use crate::domain::vocabulary::{Action, CaseState, Channel, Path, Status};
use crate::service::open::NewCase;
use crate::service::{Ask, ServiceError};

/// Requests that wait to be worked on; further ones are only counted.
pub const MAX_WAITING: usize = 256;
/// The longest name, address or system's name that is looked for, in characters (an address has at most 254, RFC 5321 §4.5.3.1).
pub const MAX_NAME: usize = 254;
/// Codes that came to nothing and that the server sends by itself in one case within a day as often as the subject is asked for.
pub const MAX_SENT: usize = 3;
/// The time between two of them after that: few enough to be no nuisance, and whoever really waits for one gets it the same morning.
const SPACED: chrono::Duration = chrono::Duration::hours(3);
/// Recorded systems in which an open request is looked for.
const MAX_TARGETS: usize = 50;

/// Who asks for what, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    who: String,
    action: Action,
    system: String,
}

/// What is wrong with what was typed, whoever it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistyped {
    /// No name, or too long a one.
    Who,
    /// None of the actions that a person may ask for itself.
    What,
    /// Too long a name of a system.
    System,
}

impl Wanted {
    /// Reads what was typed; judged by its shape alone.
    pub fn read(who: &str, action: &str, system: &str) -> Result<Self, Mistyped> {
        let (who, system) = (handle(who), handle(system));
        let fits = |text: &str| text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
        if who.is_empty() || !fits(&who) {
            return Err(Mistyped::Who);
        }
        let action = action.parse().ok().filter(|a| Action::BY_ONESELF.contains(a)).ok_or(Mistyped::What)?;
        if fits(&system) { Ok(Self { who, action, system }) } else { Err(Mistyped::System) }
    }
}

/// What waits to be worked on.
#[derive(Default)]
pub(super) struct Asked {
    waiting: Mutex<VecDeque<Wanted>>,
    came: Notify,
}

impl Asked {
    /// Takes a request if there is room; the same one only once.
    fn take(&self, wanted: Wanted) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING || waiting.contains(&wanted) {
            return false;
        }
        waiting.push_back(wanted);
        drop(waiting);
        self.came.notify_one();
        true
    }

    fn next(&self) -> Option<Wanted> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// What became of a request.
enum Became {
    Opened,
    /// Nothing, and the log does not know of it yet.
    Nothing,
    /// Nothing, and it is counted already.
    Refused,
}

impl Requester {
    /// Whether policy lets a person ask for itself at all.
    pub async fn may_ask(&self) -> Result<bool, ServiceError> {
        match self.service.rules().await {
            Ok((_, policy)) => Ok(own_path(&policy).is_some()),
            Err(ServiceError::NotFounded) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Takes a request. Nothing is looked up: see [`Requester::run`].
    pub fn ask(&self, wanted: Wanted) {
        if !self.asked.take(wanted) {
            self.stranger();
        }
    }

    /// Something that came to nothing, from someone of whom nothing is known.
    pub fn stranger(&self) {
        self.service.stranger();
    }

    /// Works on requests until `stop` changes; what had come by then is finished. Stop it after the pages: what they took is then worked on.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            self.work_asked().await;
            if *stop.borrow() {
                return;
            }
            tokio::select! {
                () = self.asked.came.notified() => {}
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Works on everything that waits, one after the other; how many there were.
    pub async fn work_asked(&self) -> usize {
        let mut worked = 0;
        while let Some(wanted) = self.asked.next() {
            worked += 1;
            match self.open_asked(&wanted).await {
                Ok(Became::Opened | Became::Refused) => {}
                Ok(Became::Nothing) => self.stranger(),
                // Nobody was told that it would come to anything: whoever gets no message asks again.
                Err(error) => tracing::error!(error = error.code(), "what someone asked for itself could not be worked on"),
            }
        }
        worked
    }

    async fn open_asked(&self, wanted: &Wanted) -> Result<Became, ServiceError> {
        let (_, policy) = self.service.rules().await?;
        let (Some(path), Some(subject)) = (own_path(&policy), self.called(&wanted.who).await?) else { return Ok(Became::Nothing) };
        let Some((target, scope)) = system(&subject, &wanted.system) else { return Ok(Became::Nothing) };
        if let Some(case) = self.open_of(&subject, &target).await? {
            self.send_again(case).await;
            return Ok(Became::Nothing);
        }
        let route = Route { subject: subject.id.clone(), action: wanted.action, path, target, scope, picked_groups: BTreeSet::new() };
        let route = with_the_old(route, &subject, &policy, self.service.now());
        let new = NewCase { route, requester: Who::Subject, channel: Channel::Portal, endpoint: None, summary: None };
        let session: SessionId = self.service.fresh("ask")?;
        let ask = Ask::by(Actor { who: ActorRef::Subject { session }, scopes: BTreeSet::new(), read_only: false });
        match self.service.open(&ask, &new).await {
            Ok(_) => Ok(Became::Opened),
            Err(ServiceError::Refused(_)) => Ok(Became::Refused),
            Err(other) => Err(other),
        }
    }

    /// The one person in use that goes by that name: by its id before anything else; nobody, if it could be two.
    async fn called(&self, who: &str) -> Result<Option<Arc<Subject>>, ServiceError> {
        let store = &self.service.store;
        if let Ok(id) = SubjectId::parse(who)
            && let Some(record) = store.subject(&id).await?
        {
            return Ok(Some(record.subject).filter(|s| is_person_in_use(s)));
        }
        let mut found = None;
        for id in store.subjects_called(who).await? {
            // The record decides, not the index of it.
            let record = store.subject(&id).await?.filter(|r| is_person_in_use(&r.subject) && r.subject.handles().contains(who));
            let Some(record) = record else { continue };
            if found.replace(record.subject).is_some() {
                return Ok(None);
            }
        }
        Ok(found)
    }

    /// An open case of the subject in that system, or one that it asked for itself in any.
    async fn open_of(&self, subject: &Subject, target: &TargetId) -> Result<Option<Arc<Case>>, ServiceError> {
        let others = subject.entitlements.keys().filter(|t| *t != target);
        for system in std::iter::once(target).chain(others).take(MAX_TARGETS) {
            let cases = self.service.store.linked(&subject.id, system, chrono::DateTime::UNIX_EPOCH, None).await?;
            let own = |c: &Case| matches!(c.request.opened_by, ActorRef::Subject { .. });
            let open =
                |c: &&Arc<Case>| !c.state.is_ended() && c.state != CaseState::Restored && c.route.target == *system && (system == target || own(c));
            if let Some(case) = cases.iter().find(open) {
                return Ok(Some(Arc::clone(case)));
            }
        }
        Ok(None)
    }

    /// A person whose code ran out and who asks again gets another one, while none waits to be typed; once [`MAX_SENT`] came to nothing within a
    /// day, one in [`SPACED`].
    async fn send_again(&self, case: Arc<Case>) {
        let now = self.service.now();
        let waits = case.waiting(now).next().is_some();
        // What was proved, or what someone of the staff sent, uses up nobody's tries.
        let in_vain = |s: &&ProofSession| s.outcome != Some(SessionOutcome::Proved) && matches!(s.by, ActorRef::System { .. });
        let sent = |within| case.sessions.values().filter(in_vain).filter(|s| s.opened_at > now - within).count();
        if !waits && (sent(chrono::Duration::days(1)) < MAX_SENT || sent(SPACED) == 0) {
            self.service.open_session(&case).await;
        }
    }
}

fn is_person_in_use(subject: &Subject) -> bool {
    !subject.kind.is_non_human() && subject.status != Status::Retired
}

/// The path that policy lets a person start for itself: alone if it may, else with someone of the staff.
fn own_path(policy: &Policy) -> Option<Path> {
    [Path::SelfService, Path::Assisted].into_iter().find(|path| policy.subject_may_start(*path))
}

/// The recorded system of that name, or the first one, with all that was recorded in it.
fn system(subject: &Subject, name: &str) -> Option<(TargetId, Scopes)> {
    let named = |target: &TargetId| name.is_empty() || target.as_str() == name;
    let found = subject.entitlements.iter().find(|(target, scope)| named(target) && !scope.is_empty());
    found.map(|(target, scope)| (target.clone(), scope.clone()))
}

/// A route without scopes that are recorded too shortly to be given back: nobody is kept out of the rest for them. Where all are, as it was: it is
/// refused with the reason.
fn with_the_old(route: Route, subject: &Subject, policy: &Policy, now: Time) -> Route {
    let age = policy.requirement(subject, &route, &[], now).min_endpoint_age;
    let old = |scope: &&ScopeId| dates::scopes(subject, (&route.target, &[(*scope).clone()].into()), age, now).is_none();
    let scope: Scopes = route.scope.iter().filter(old).cloned().collect();
    if scope.is_empty() { route } else { Route { scope, ..route } }
}

/// What a page may show again of a text that was typed into it.
pub fn shown_again(typed: &str) -> String {
    Untrusted::from(typed.chars().take(MAX_NAME).collect::<String>()).line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_judged_by_its_shape() {
        let read = |who: &str, what: &str, system: &str| Wanted::read(who, what, system).map(|w| (w.who, w.system));
        assert_eq!(read(" M.Okafor\t", "password_reset", "VPN "), Ok(("m.okafor".into(), "vpn".into())));
        for (who, what, system, why) in [
            (" ", "password_reset", "", Mistyped::Who),
            ("a\u{1b}[31m", "password_reset", "", Mistyped::Who),
            (&"x".repeat(255), "password_reset", "", Mistyped::Who),
            ("a", "emergency_access", "", Mistyped::What),
            ("a", "", "", Mistyped::What),
            ("a", "password_reset", &"x".repeat(255), Mistyped::System),
        ] {
            assert_eq!(read(who, what, system), Err(why), "{who:?} {what} {system}");
        }
    }

    #[test]
    fn what_waits_is_bounded_and_the_same_waits_once() {
        let asked = Asked::default();
        let wanted = |i: usize| Wanted::read(&format!("p{i}"), "account_unlock", "").unwrap();
        assert!(asked.take(wanted(0)) && !asked.take(wanted(0)));
        let taken = (0..2 * MAX_WAITING).filter(|i| asked.take(wanted(*i))).count();
        assert_eq!(taken + 1, MAX_WAITING);
        assert_eq!(asked.next(), Some(wanted(0)));
    }
}
