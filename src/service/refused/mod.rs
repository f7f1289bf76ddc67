//! Refusals of those who are known become entries, bounded per principal and in all (invariant 8).
//!
//! Contract: a refusal by a rule is an entry of its own, at most [`PER_MINUTE`] a minute and principal and [`PER_MINUTE_IN_ALL`] in all; what
//! goes beyond, and what could not be understood at all, is one entry a minute and principal with the numbers by code, written when the minute
//! is over ([`Service::write_counts`]) and when the server ends. Beyond [`budget::MAX_PRINCIPALS`] principals a minute all others share one.
//! What can't be written for a moment is kept as a count and told later. A crash loses the counts of its minute, no entry. Strangers, of whom nothing is known, are only counted, all in one number (T35). Nothing else depends on whether an entry could be written, because nothing else happened.

mod budget;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;

pub(super) use budget::Budget;
use budget::{Counts, Verdict};
pub use budget::{MAX_PRINCIPALS, PER_MINUTE, PER_MINUTE_IN_ALL};

use super::{Ask, MAX_TRIES, Service, ServiceError, row};
use crate::base::Time;
use crate::base::ids::{CaseId, PersonId};
use crate::domain::case::{ActorRef, Case, Worker};
use crate::domain::command::{Actor, World};
use crate::domain::event::{CaseEvent, RegisterEvent};
use crate::store::{CaseChange, Change, Reads};

/// Counts that are written at the same time.
const SIDE_BY_SIDE: usize = 16;

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
        // Whoever says to be a subject and has no case yet is a stranger.
        if case.is_none() && matches!(ask.actor.who, ActorRef::Subject { .. }) {
            return self.stranger();
        }
        if !self.account(ask, true, refusal).await {
            return;
        }
        let (command, refusal, person) = (command.to_owned(), refusal.to_owned(), person(&ask.actor.who));
        if let Some(id) = case {
            let event = CaseEvent::Refused { command: command.clone(), refusal: refusal.clone(), person: person.clone() };
            match self.note_on_case(ask, id, &event).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(case = %id, error = error.code(), "a refusal could not be written to its case; it is written without"),
            }
        }
        let by_code = std::collections::BTreeMap::from([(refusal.clone(), 1)]);
        if !self.note(ask, RegisterEvent::Refused { command, refusal, person }).await {
            let counts = Counts { who: Some(ask.actor.who.clone()), minute: budget::minute(self.now()), by_code };
            self.refusals.give_back(counts);
        }
    }

    /// Counts that someone authenticated sent what could not be accepted: one entry a minute, with the numbers by code.
    pub async fn count_refusal(&self, ask: &Ask, code: &str) {
        self.account(ask, false, code).await;
    }

    /// Whether a refusal becomes an entry of its own.
    async fn account(&self, ask: &Ask, alone: bool, code: &str) -> bool {
        let who = &ask.actor.who;
        if matches!(who, ActorRef::System { .. }) {
            return false;
        }
        ask.accounted.store(true, Ordering::Relaxed);
        let Verdict { write, before } = self.refusals.take(who, alone, code, self.now());
        if let Some(before) = before {
            self.write_count(before).await;
        }
        write
    }

    /// Writes what was only counted in minutes that are over, or, when the server ends, all of it.
    pub async fn write_counts(&self, all: bool) {
        let due = self.refusals.due(self.now(), all);
        futures_util::stream::iter(due).for_each_concurrent(SIDE_BY_SIDE, |counts| self.write_count(counts)).await;
    }

    async fn write_count(&self, counts: Counts) {
        let minute = chrono::DateTime::from_timestamp(counts.minute.saturating_mul(60), 0).unwrap_or_else(|| self.now());
        let who = counts.who.clone();
        let event =
            RegisterEvent::RefusedMany { minute, counts: counts.by_code.clone(), person: who.as_ref().and_then(person), others: who.is_none() };
        let ask = match who {
            Some(who) => Ask::by(Actor { who, scopes: std::collections::BTreeSet::new(), read_only: false }),
            None => Ask::system(Worker::Notices),
        };
        if let Err(error) = self.store.commit(bare(&ask, self.now(), vec![event])).await {
            tracing::error!(error = error.code(), "the number of refusals could not be written to the log; it is tried again");
            self.refusals.give_back(counts);
        }
    }

    /// Counts one thing that a stranger tried and did not get: a bad token, a link that leads nowhere, a name that nothing came of.
    pub fn stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes one entry about the strangers since the last one, if there were any, of the minute that `at` lies in; asked once a minute.
    pub async fn note_strangers(&self, at: Time) {
        let count = self.strangers.swap(0, Ordering::Relaxed);
        if count > 0 {
            let minute = chrono::DateTime::from_timestamp(at.timestamp() - at.timestamp().rem_euclid(60), 0).unwrap_or(at);
            if !self.note(&Ask::system(Worker::Notices), RegisterEvent::StrangersRefused { count, minute }).await {
                self.strangers.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Writes an entry about the register that changes nothing in it; whether it is there.
    async fn note(&self, ask: &Ask, event: RegisterEvent) -> bool {
        let change = bare(ask, self.now(), vec![event]);
        let written = self.store.commit(change).await;
        if let Err(error) = &written {
            tracing::error!(error = error.code(), "a refusal could not be written to the log; it is counted, and told with the next count");
        }
        written.is_ok()
    }

    pub(super) async fn note_on_case(&self, ask: &Ask, id: CaseId, event: &CaseEvent) -> Result<(), ServiceError> {
        for _ in 0..MAX_TRIES {
            let loaded = self.load(id, None).await?;
            let case = loaded.case()?;
            let Some(after) = Case::apply(Some(Case::clone(case)), id, event, loaded.now).map(Arc::new) else { return Ok(()) };
            let world = World { case: Some(after.clone()), ..loaded.world.clone() };
            let row = row::of(&world, &after, loaded.now);
            let mut change = Change { finishes: ask.finishes, ..bare(ask, loaded.now, Vec::new()) };
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
