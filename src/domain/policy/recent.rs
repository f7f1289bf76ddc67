//! Policies read lately, so that each is parsed once.
//!
//! Contract: at most as many as it was made for; the one that was asked for least lately goes first, so that the one in force, which every
//! request asks for, stays. Knows nothing about where policies are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Policy;
use crate::base::Digest;

/// Policies by their digest.
#[derive(Debug)]
pub struct Recent {
    most: usize,
    asked: u64,
    known: BTreeMap<Digest, (u64, Arc<Policy>)>,
}

impl Recent {
    /// None yet, and never more than `most`.
    pub const fn new(most: usize) -> Self {
        Self { most, asked: 0, known: BTreeMap::new() }
    }

    /// The policy, if it was put and has not gone.
    pub fn get(&mut self, sha256: &Digest) -> Option<Arc<Policy>> {
        self.asked += 1;
        let (last, policy) = self.known.get_mut(sha256)?;
        *last = self.asked;
        Some(Arc::clone(policy))
    }

    /// Keeps a policy; another one may have to go for it.
    pub fn put(&mut self, policy: Arc<Policy>) {
        self.asked += 1;
        let sha256 = policy.sha256;
        if self.known.len() >= self.most
            && !self.known.contains_key(&sha256)
            && let Some(oldest) = self.known.iter().min_by_key(|(_, (last, _))| *last).map(|(sha256, _)| *sha256)
        {
            self.known.remove(&oldest);
        }
        self.known.insert(sha256, (self.asked, policy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_asked_for_least_lately_goes_first_whatever_its_digest() {
        let text = include_str!("../../../assets/policy/default.toml");
        let policies: Vec<Arc<Policy>> = (0..40).map(|n| Arc::new(Policy::parse(&format!("{text}\n# {n}\n")).unwrap())).collect();
        // Which of them sorts first is up to chance: each is once the one in force.
        for (n, in_force) in policies.iter().enumerate().take(5) {
            let mut recent = Recent::new(4);
            recent.put(in_force.clone());
            for other in policies.iter().skip(n + 1) {
                recent.put(other.clone());
                assert!(recent.get(&in_force.sha256).is_some(), "what is asked for all the time stays");
            }
            assert_eq!(recent.known.len(), 4);
            assert!(recent.get(&policies[38].sha256).is_some() && recent.get(&policies[30].sha256).is_none());
        }
    }
}
