//! Refusals of those who are known become entries, bounded per principal (invariant 8).
//!
//! Contract: at most [`PER_MINUTE`] entries a minute and principal; what goes beyond is counted and written as one entry when the next
//! minute's first refusal comes. Nothing else depends on whether the entry could be written, because nothing else happened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{Ask, MAX_TRIES, Service, ServiceError, row};
use crate::base::Time;
use crate::base::ids::{CaseId, PersonId};
use crate::domain::case::{ActorRef, Case};
use crate::domain::command::World;
use crate::domain::event::{CaseEvent, RegisterEvent};
use crate::store::{CaseChange, Change, Reads};

/// Refusals of one principal that become entries of their own within one minute.
pub const PER_MINUTE: u32 = 60;
/// Principals remembered at once; when full, those whose minute is over are forgotten.
const MAX_PRINCIPALS: usize = 4_096;

/// How many refusals each principal had in its present minute.
#[derive(Default)]
pub(super) struct Budget {
    seen: Mutex<HashMap<ActorRef, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    minute: i64,
    count: u32,
}

/// What becomes of one refusal.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is written; so many of the minute before were only counted.
    Write { unwritten: u32 },
    /// It is only counted.
    Count,
}

impl Budget {
    fn take(&self, who: &ActorRef, now: Time) -> Verdict {
        let minute = now.timestamp().div_euclid(60);
        let Ok(mut seen) = self.seen.lock() else { return Verdict::Count };
        if seen.len() >= MAX_PRINCIPALS && !seen.contains_key(who) {
            seen.retain(|_, w| w.minute == minute);
            if seen.len() >= MAX_PRINCIPALS {
                return Verdict::Count;
            }
        }
        let window = seen.entry(who.clone()).or_insert(Window { minute, count: 0 });
        let mut unwritten = 0;
        if window.minute != minute {
            unwritten = window.count.saturating_sub(PER_MINUTE);
            *window = Window { minute, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        if window.count <= PER_MINUTE { Verdict::Write { unwritten } } else { Verdict::Count }
    }
}

/// The person behind an actor, for the entry.
fn person(who: &ActorRef) -> Option<PersonId> {
    match who {
        ActorRef::Operator { person, .. } | ActorRef::Attester { person, .. } => Some(person.clone()),
        ActorRef::Automation { .. } | ActorRef::Subject { .. } | ActorRef::System { .. } => None,
    }
}

impl Service {
    /// Writes down that someone authenticated was refused; the server's own workers are not refused, they find nothing to do.
    pub async fn record_refusal(&self, ask: &Ask, case: Option<CaseId>, command: &str, refusal: &str) {
        let who = &ask.actor.who;
        if matches!(who, ActorRef::System { .. }) {
            return;
        }
        let Verdict::Write { unwritten } = self.refusals.take(who, self.now()) else { return };
        if unwritten > 0 {
            let many = RegisterEvent::Refused { command: "many".to_owned(), refusal: format!("limit:{unwritten}"), person: person(who) };
            self.note(ask, many).await;
        }
        let (command, refusal, person) = (command.to_owned(), refusal.to_owned(), person(who));
        match case {
            Some(id) => {
                let event = CaseEvent::Refused { command, refusal, person };
                if let Err(error) = self.note_on_case(ask, id, &event).await {
                    tracing::error!(case = %id, %error, "a refusal could not be written to the log");
                }
            }
            None => self.note(ask, RegisterEvent::Refused { command, refusal, person }).await,
        }
    }

    /// Writes an entry about the register that changes nothing in it.
    pub async fn note(&self, ask: &Ask, event: RegisterEvent) {
        let change = bare(ask, self.now(), vec![event]);
        if let Err(error) = self.store.commit(change).await {
            tracing::error!(%error, "a refusal could not be written to the log");
        }
    }

    async fn note_on_case(&self, ask: &Ask, id: CaseId, event: &CaseEvent) -> Result<(), ServiceError> {
        for _ in 0..MAX_TRIES {
            let loaded = self.load(id, None).await?;
            let case = loaded.case()?;
            let Some(after) = Case::apply(Some(Case::clone(case)), id, event, loaded.now).map(Arc::new) else { return Ok(()) };
            let world = World { case: Some(after.clone()), ..loaded.world.clone() };
            let row = row::of(&world, &after, loaded.now);
            let mut change = bare(ask, loaded.now, Vec::new());
            change.reads = Reads { cases: vec![(id, case.version)], ..Reads::default() };
            change.case = Some(CaseChange { events: vec![event.clone()], after, row });
            match self.store.commit(change).await.map_err(ServiceError::from) {
                Err(ServiceError::Conflict) => {}
                other => return other.map(drop),
            }
        }
        Err(ServiceError::Conflict)
    }
}

/// A change that carries nothing but entries.
pub(super) fn bare(ask: &Ask, at: Time, register_events: Vec<RegisterEvent>) -> Change {
    Change { request: ask.request.clone(), register_events, ..Change::new(ask.actor.who.clone(), at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_08_refusals_are_bounded_per_principal_and_the_rest_is_counted() {
        let budget = Budget::default();
        let at = |secs: i64| chrono::DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap();
        let who = ActorRef::Attester { person: PersonId::parse("p1").unwrap(), session: crate::base::ids::SessionId::parse("s1").unwrap() };
        for _ in 0..PER_MINUTE {
            assert_eq!(budget.take(&who, at(0)), Verdict::Write { unwritten: 0 });
        }
        assert_eq!(budget.take(&who, at(1)), Verdict::Count);
        assert_eq!(budget.take(&who, at(2)), Verdict::Count);
        assert_eq!(budget.take(&who, at(60)), Verdict::Write { unwritten: 2 });
        assert_eq!(budget.take(&who, at(61)), Verdict::Write { unwritten: 0 });
    }
}
