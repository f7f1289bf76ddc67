//! How many wrong words were typed in a case to say "this wasn't me".
//!
//! Contract: of each case at most [`MAX_WRONG`] are written to its log, however long it lives: entries make a case dearer to read, and whoever
//! holds a link could go on for ever. The log is the count; memory only keeps the last [`MAX_KEPT`] cases' from being read again. The right word
//! is heard at any time (invariant 13). Knows no words.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::Requester;
use crate::base::ids::CaseId;
use crate::domain::event::{Body, CaseEvent};
use crate::service::ServiceError;

/// Wrong words that are written to the log of one case.
pub const MAX_WRONG: usize = 20;
/// How such an entry names what was refused.
pub(super) const WRONG: &str = "wrong-word";
/// Cases whose count is kept in memory.
const MAX_KEPT: usize = 256;
/// Entries read at a time.
const AT_A_TIME: u16 = 500;

/// Counts of the cases in which a wrong word was typed last.
#[derive(Default)]
pub(super) struct Words {
    kept: Mutex<VecDeque<(CaseId, usize)>>,
}

impl Words {
    fn of(&self, case: CaseId) -> Option<usize> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(id, _)| *id == case).map(|(_, count)| *count)
    }

    fn keep(&self, case: CaseId, count: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(id, _)| *id != case);
        kept.push_back((case, count));
        while kept.len() > MAX_KEPT {
            kept.pop_front();
        }
    }
}

impl Requester {
    /// Whether one more wrong word is to be written to the log of the case; counts it.
    pub(super) async fn one_more_wrong_word(&self, case: CaseId) -> Result<bool, ServiceError> {
        let _one_at_a_time = self.locks.of(&format!("word {case}")).await;
        let before = match self.words.of(case) {
            Some(count) => count,
            None => self.wrong_words(case).await?,
        };
        self.words.keep(case, (before + 1).min(MAX_WRONG));
        Ok(before < MAX_WRONG)
    }

    /// How many stand in the log of the case.
    async fn wrong_words(&self, case: CaseId) -> Result<usize, ServiceError> {
        let (mut count, mut after) = (0, 0);
        loop {
            let entries = self.service.store.case_entries(case, after, AT_A_TIME).await?;
            let wrong = |body: &Body| matches!(body, Body::Case { event: CaseEvent::Refused { refusal, .. }, .. } if refusal == WRONG);
            count += entries.iter().filter(|e| wrong(&e.body)).count();
            match entries.last().map(|e| &e.body) {
                Some(Body::Case { version, .. }) if entries.len() == usize::from(AT_A_TIME) && count < MAX_WRONG => after = *version,
                _ => return Ok(count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_last_ones_are_kept() {
        let words = Words::default();
        let case = |n: usize| CaseId::new(2026, u32::try_from(n).unwrap());
        for n in 1..=MAX_KEPT + 10 {
            words.keep(case(n), 1);
        }
        words.keep(case(MAX_KEPT), 7);
        assert_eq!((words.of(case(1)), words.of(case(MAX_KEPT))), (None, Some(7)));
        assert_eq!(words.kept.lock().unwrap().len(), MAX_KEPT);
    }
}
