//! Entries of the log, and those of one case with the texts kept beside them, for those who may read texts.
//!
//! Contract: reads only; who reads texts is noted by whoever shows them. Software gets entries without texts (invariant 6), and so does everyone once a text is erased. Knows no wire types.

use std::collections::{BTreeMap, BTreeSet};

use super::look::reads_personal_data;
use super::{Service, ServiceError};
use crate::base::Untrusted;
use crate::base::ids::{CaseId, PersonId, TextId};
use crate::domain::command::Actor;
use crate::domain::event::{Body, Entry};

/// The most names that are looked up for one page.
const MAX_NAMES: usize = 500;

/// An entry and the text it is about, if there is one and the asker may read it.
#[derive(Debug, Clone)]
pub struct Told {
    /// The entry.
    pub entry: Entry,
    /// The text beside it.
    pub text: Option<Untrusted>,
}

/// The case and text that an entry is about.
fn about(entry: &Entry) -> Option<(CaseId, TextId)> {
    match &entry.body {
        Body::Case { case, event, .. } => event.text().map(|t| (*case, t.id.clone())),
        Body::Register { .. } => None,
    }
}

impl Service {
    /// A case's entries after a version, oldest first.
    pub async fn timeline(&self, id: CaseId, after: u64, limit: u16, actor: &Actor) -> Result<Vec<Told>, ServiceError> {
        self.store.case(id).await?.ok_or_else(|| ServiceError::NotFound(id.to_string()))?;
        let entries = self.store.case_entries(id, after, limit).await?;
        self.told(entries, actor).await
    }

    /// Entries of the log from a place on, without the texts beside them: these are read case by case, and each such read is an entry.
    pub async fn log(&self, from: u64, limit: u16) -> Result<Vec<Told>, ServiceError> {
        let entries = self.store.entries(from, limit).await?;
        Ok(entries.into_iter().map(|entry| Told { entry, text: None }).collect())
    }

    /// Names of persons by their ids, for those who may read names.
    pub async fn names(&self, ids: BTreeSet<PersonId>, actor: &Actor) -> Result<BTreeMap<String, Untrusted>, ServiceError> {
        if ids.is_empty() || !reads_personal_data(&actor.who) {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<PersonId> = ids.into_iter().take(MAX_NAMES).collect();
        Ok(self.store.people(&ids).await?.into_iter().map(|(id, person)| (id.to_string(), person.name)).collect())
    }

    async fn told(&self, entries: Vec<Entry>, actor: &Actor) -> Result<Vec<Told>, ServiceError> {
        let mut wanted: BTreeMap<CaseId, Vec<TextId>> = BTreeMap::new();
        if reads_personal_data(&actor.who) {
            for (case, text) in entries.iter().filter_map(about) {
                wanted.entry(case).or_default().push(text);
            }
        }
        let mut texts: BTreeMap<TextId, Untrusted> = BTreeMap::new();
        for (case, ids) in wanted {
            texts.extend(self.store.texts(case, &ids).await?.into_iter().map(|(id, kept)| (id, kept.text)));
        }
        let one = |entry: Entry| Told { text: about(&entry).and_then(|(_, id)| texts.get(&id).cloned()), entry };
        Ok(entries.into_iter().map(one).collect())
    }
}
