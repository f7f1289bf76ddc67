//! Work on whole policies: reading one with every rule and ceiling, and comparing two.
//!
//! Contract: every class of case is looked at, which takes long: one piece of work is done at a time, however long its asker waits for it, a few
//! wait ([`MAX_WAITING`]), and who comes beyond is told so at once. What two policies' comparison came to is kept by their digests
//! ([`MAX_KEPT`]). Knows nothing about who may ask.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::problem::Failure;
use crate::api::governance::PolicyCompared;
use crate::base::Digest;
use crate::domain::policy::Policy;
use crate::service::ServiceError;

/// Comparisons that are kept: of the policies that wait, with the one in force.
const MAX_KEPT: usize = 16;
/// Pieces of work in hand: one that is done, and those that wait for it.
const MAX_WAITING: usize = 8;

/// The digests of two policies, the one in force first.
type Pair = (Digest, Digest);

/// What is kept, the oldest first.
type Kept = Mutex<VecDeque<(Pair, Arc<PolicyCompared>)>>;

/// Comparisons that were worked out, and the place where the next one is.
pub(super) struct Comparisons {
    one: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    kept: Arc<Kept>,
}

impl Default for Comparisons {
    fn default() -> Self {
        Self { one: Arc::new(Semaphore::new(1)), waiting: Arc::new(Semaphore::new(MAX_WAITING)), kept: Arc::default() }
    }
}

impl Comparisons {
    /// Does a piece of work when it is its turn. It goes on, and keeps its turn, if its asker leaves.
    pub(super) async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let busy = || {
            let why = "Too many policies are being read and compared just now. Nothing was changed. Try again in a minute.";
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
        };
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.one.clone().acquire_owned().await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, place));
            done
        });
        done.await.map_err(|e| ServiceError::Policy(e.to_string()).into())
    }

    /// A proposed policy compared with the one in force, from what is kept or worked out now.
    pub(super) async fn of(&self, current: Arc<Policy>, proposed: Arc<Policy>, text: String) -> Result<Arc<PolicyCompared>, Failure> {
        let pair = (current.sha256, proposed.sha256);
        if let Some(known) = known(&self.kept, pair) {
            return Ok(known);
        }
        let kept = Arc::clone(&self.kept);
        self.work(move || {
            // Whoever waited may find that the one before asked for the same.
            if let Some(known) = known(&kept, pair) {
                return known;
            }
            let found = Arc::new(crate::api::policy_compared(&current, &proposed, text));
            if let Ok(mut kept) = kept.lock() {
                if kept.len() >= MAX_KEPT {
                    kept.pop_front();
                }
                kept.push_back((pair, Arc::clone(&found)));
            }
            found
        })
        .await
    }
}

fn known(kept: &Kept, pair: Pair) -> Option<Arc<PolicyCompared>> {
    kept.lock().ok()?.iter().find(|(of, _)| *of == pair).map(|(_, found)| Arc::clone(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::DEFAULT;

    #[tokio::test]
    async fn a_comparison_is_worked_out_once_and_too_many_at_once_are_refused() {
        let all = Comparisons::default();
        let current = Arc::new(Policy::builtin());
        let text = DEFAULT.replace("lineage = \"90 d\"", "lineage = \"120 d\"");
        let proposed = Arc::new(Policy::parse(&text).unwrap());
        let first = all.of(current.clone(), proposed.clone(), text.clone()).await.unwrap();
        assert!(first.stricter && !first.laxer && first.text == text);
        let taken = all.waiting.clone().try_acquire_many_owned(u32::try_from(MAX_WAITING).unwrap()).unwrap();
        let again = all.of(current.clone(), proposed.clone(), text.clone()).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again), "what is kept takes no turn");
        let refused = all.of(proposed.clone(), current.clone(), text.clone()).await.unwrap_err();
        assert_eq!(refused.0.status, 503);
        assert_eq!(all.work(|| ()).await.unwrap_err().0.status, 503);
        drop(taken);
        assert!(all.of(proposed, current, text).await.unwrap().laxer);
    }
}
