//! Issues a subject's saved recovery codes (standards.md, §4.2.1.1).
//!
//! Contract: the whole set is replaced in one commit with its log entry; the codes are given to the caller once and kept nowhere. Only the
//! host's own commands may call it: no operation of staff leads here (invariant 7). Knows nothing about how codes reach their subject.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::refused::bare;
use super::{Ask, MAX_TRIES, Service, ServiceError};
use crate::base::Digest;
use crate::base::ids::SubjectId;
use crate::domain::case::Worker;
use crate::domain::event::RegisterEvent;
use crate::domain::register::Register;
use crate::proofing::saved;
use crate::store::{Change, CodeChange, Reads};

impl Service {
    /// Gives a subject a fresh set; the former one is void.
    pub async fn issue_saved_codes(&self, subject: &SubjectId) -> Result<Vec<Zeroizing<String>>, ServiceError> {
        self.issue_so_many(subject, saved::SET).await
    }

    /// Gives a subject a fresh set of so many codes, at most a whole one; the former set is void.
    pub async fn issue_so_many(&self, subject: &SubjectId, codes: usize) -> Result<Vec<Zeroizing<String>>, ServiceError> {
        if self.store.subject(subject).await?.is_none() {
            return Err(ServiceError::NotFound(subject.to_string()));
        }
        let random = Arc::clone(&self.ports.random);
        let made = tokio::task::spawn_blocking(move || saved::fresh_set(random.as_ref(), codes)).await;
        let set = made.map_err(|e| ServiceError::Policy(e.to_string()))?.map_err(|e| ServiceError::Policy(e.to_string()))?;
        let hashes: Vec<String> = set.iter().map(|f| f.hash.clone()).collect();
        // Salted by the hashes' own salts: the entry shows that the record changed, and nothing of it.
        let sha256 = Digest::of(hashes.join("\n").as_bytes());
        for _ in 0..MAX_TRIES {
            let register = self.store.register().await?;
            let event = RegisterEvent::CodesIssued { subject: subject.clone(), sha256 };
            let mut after = Register::clone(&register);
            after.apply(&event, self.now());
            let change = Change {
                reads: Reads { register: Some(register.version), ..Reads::default() },
                register: (after.version != register.version).then(|| Arc::new(after)),
                codes: vec![CodeChange::Replace { subject: subject.clone(), hashes: hashes.clone() }],
                ..bare(&Ask::system(Worker::Host), self.now(), vec![event])
            };
            match self.store.commit(change).await.map_err(ServiceError::from) {
                Err(ServiceError::Conflict) => {}
                Err(other) => return Err(other),
                Ok(_) => return Ok(set.into_iter().map(|f| f.code).collect()),
            }
        }
        Err(ServiceError::Conflict)
    }
}
