//! What a policy was found to demand of a class of case, kept so that it is worked out once and not some sixty times a request.
//!
//! Contract: an answer depends on nothing but the class and the digests of the policies' texts, so keeping it changes none. At most
//! [`MAX_KEPT`] answers; when full, all are forgotten. Knows nothing about what is demanded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::derive::Facts;
use crate::base::Digest;
use crate::domain::requirement::Requirement;

/// Answers kept by one policy: a site has some dozens of classes, each with the policies that its cases were opened under.
const MAX_KEPT: usize = 1_024;

/// By the class, and by the other policy that is merged in.
type Key = (Facts, Option<Digest>);

/// What was worked out before.
#[derive(Default)]
pub(super) struct Memo {
    kept: Mutex<HashMap<Key, Arc<Requirement>>>,
}

impl Memo {
    /// The answer from before, or the one that is worked out now.
    pub(super) fn of(&self, facts: Facts, other: Option<Digest>, work_out: impl FnOnce(&Facts) -> Requirement) -> Arc<Requirement> {
        let key = (facts, other);
        if let Some(known) = self.kept.lock().ok().and_then(|kept| kept.get(&key).cloned()) {
            return known;
        }
        let found = Arc::new(work_out(&key.0));
        if let Ok(mut kept) = self.kept.lock() {
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(key, Arc::clone(&found));
        }
        found
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A policy is its text: what was worked out from it makes no difference.
impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo")
    }
}
