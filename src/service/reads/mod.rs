//! Who read whose record: reads of those who may read personal data become entries, and are bounded (invariant 12).
//!
//! Contract: a record that is read outside a case is an entry before it is shown; if the entry can't be written, nothing is shown. What a case
//! shows of its subject is one entry a minute and principal, with every subject of it, written when the minute is over ([`Service::write_reads`])
//! and when the server ends; a crash loses those of its minute. Whoever reads the same subject again within the hour of an entry adds none. How many are
//! found, and how many records read, is bounded by the minute ([`FINDS_PER_MINUTE`], [`RECORDS_PER_MINUTE`]). Software reads no personal data:
//! each of its questions about what routing a case of somebody would take, and each opening and sending another way, is counted, and whom they are about
//! is named. Knows no wire types.

mod budget;

use std::collections::BTreeSet;

pub(super) use budget::Budget;
use budget::Read;
pub use budget::{FINDS_PER_MINUTE, RECORDS_PER_MINUTE};

use super::look::reads_personal_data;
use super::refused::bare;
use super::{Ask, Service, ServiceError};
use crate::base::ids::SubjectId;
use crate::domain::case::ActorRef;
use crate::domain::command::Actor;
use crate::domain::event::RegisterEvent;
use crate::domain::view::SubjectRow;
use crate::store::SubjectRecord;

/// A read that comes within bounds, or how many seconds until it would.
pub type Bounded<T> = Result<T, u64>;

impl Service {
    /// Subjects whose name or id holds these words: ids, names and open cases, nothing else of their records.
    pub async fn find_subjects(&self, who: &Actor, words: &str, limit: u16) -> Result<Bounded<Vec<SubjectRow>>, ServiceError> {
        if let Err(wait) = self.reads.find(&who.who, self.now()) {
            return Ok(Err(wait));
        }
        Ok(Ok(self.store.find_subjects(words, limit).await?))
    }

    /// A subject's record, read outside a case: written down first.
    pub async fn read_subject(&self, ask: &Ask, id: &SubjectId) -> Result<Bounded<Option<SubjectRecord>>, ServiceError> {
        let Some(record) = self.store.subject(id).await? else { return Ok(Ok(None)) };
        Ok(self.note_read(ask, id).await?.map(|()| Some(record)))
    }

    /// Writes down that someone reads what is recorded of a subject, once an hour; to be called before it is shown.
    pub async fn note_read(&self, ask: &Ask, id: &SubjectId) -> Result<Bounded<()>, ServiceError> {
        if !reads_personal_data(&ask.actor.who) {
            return Ok(Ok(()));
        }
        self.note_first(ask, id).await
    }

    /// Writes down that someone, software too, asks what routing a case of a subject would take, or that software opens one or sends it another way:
    /// what can be asked for tells what is recorded. Of a subject that is not there nothing is written, and it counts as well. Each question of
    /// software counts, whoever it is about: the answers to many about one subject tell as much.
    pub async fn note_asked(&self, ask: &Ask, id: &SubjectId) -> Result<Bounded<()>, ServiceError> {
        let software = !matches!(ask.actor.who, ActorRef::Operator { .. });
        if software && let Err(wait) = self.reads.question(&ask.actor.who, self.now()) {
            return Ok(Err(wait));
        }
        if self.store.subject(id).await?.is_some() {
            return self.note_first(ask, id).await;
        }
        match self.reads.record(&ask.actor.who, id, self.now()) {
            Read::Later(wait) => Ok(Err(wait)),
            Read::Known | Read::First => Ok(Ok(())),
        }
    }

    async fn note_first(&self, ask: &Ask, id: &SubjectId) -> Result<Bounded<()>, ServiceError> {
        match self.reads.record(&ask.actor.who, id, self.now()) {
            Read::Known => Ok(Ok(())),
            Read::Later(wait) => Ok(Err(wait)),
            Read::First => {
                let written = self.write_read(ask, BTreeSet::from([id.clone()])).await;
                if written.is_err() {
                    self.reads.forget(&ask.actor.who, id);
                }
                written.map(Ok)
            }
        }
    }

    /// Takes down that someone was shown a case of a subject; it is written with the others of its minute.
    pub async fn note_case_read(&self, who: &Actor, id: &SubjectId) {
        if !matches!(who.who, ActorRef::Operator { .. }) {
            return;
        }
        if let Some(full) = self.reads.of_a_case(&who.who, id, self.now()) {
            self.write_pending(who.who.clone(), full).await;
        }
    }

    /// Writes the reads of minutes that are over, or, when the server ends, all of them.
    pub async fn write_reads(&self, all: bool) {
        for (who, subjects) in self.reads.due(self.now(), all) {
            self.write_pending(who, subjects).await;
        }
    }

    async fn write_pending(&self, who: ActorRef, subjects: BTreeSet<SubjectId>) {
        let ask = Ask::by(Actor { who, scopes: BTreeSet::new(), read_only: false });
        if let Err(error) = self.write_read(&ask, subjects.clone()).await {
            tracing::error!(error = error.code(), "who read what could not be written to the log; it is tried again");
            self.reads.give_back(&ask.actor.who, subjects);
        }
    }

    async fn write_read(&self, ask: &Ask, subjects: BTreeSet<SubjectId>) -> Result<(), ServiceError> {
        let event = RegisterEvent::SubjectsRead { subjects: subjects.clone() };
        self.store.commit(bare(ask, self.now(), vec![event])).await.map_err(ServiceError::from)?;
        self.reads.written(&ask.actor.who, &subjects);
        Ok(())
    }
}
