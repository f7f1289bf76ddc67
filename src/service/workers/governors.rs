//! Word to everyone who governs that two of them were let back in on the server's own machine.
//!
//! Contract: goes to every policy owner and security reviewer who is here, at their recorded address, the two included; mail that can't be
//! delivered for good is given up, and one line of the journal says so of all it went to: with [`super::Patience`] as it is, a relay that is dead or turns some away is tried 24
//! times, for about three hours of a running server. Only when every message is handed over or given up does the recovery's delay begin, so that
//! it can neither run out unseen nor be held up for ever. What is told of one
//! recovery begins only that one's delay. Knows nothing about why nobody's token counted.

use super::post::Post;
use super::recipients::{MAX_RECIPIENTS, Recipient};
use super::{Step, Workers, letters};
use crate::base::ids::{PersonId, TokenId};
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::govern::recover;
use crate::domain::register::{Holder, Register, Token};
use crate::service::ServiceError;
use crate::service::register::Beside;
use crate::store::OutboxItem;

/// Which recovery is told of.
#[derive(Clone, Copy)]
pub(super) struct Recovered<'a> {
    /// The two.
    pub(super) by: &'a [PersonId; 2],
    /// Their tokens; none in an item that was queued before tokens were named.
    pub(super) tokens: &'a [TokenId],
    /// Whether it counts without a delay.
    pub(super) at_once: bool,
}

impl Recovered<'_> {
    /// Those of its tokens whose delay has not begun. Another recovery's are another item's.
    fn untold(&self, register: &Register) -> Vec<TokenId> {
        let of_the_two = |holder: &Holder| match holder {
            Holder::Operator(id) => register.operators.get(id).is_some_and(|o| self.by.contains(&o.person)),
            Holder::Automation(_) => false,
        };
        let its_own = |t: &&Token| if self.tokens.is_empty() { of_the_two(&t.holder) } else { self.tokens.contains(&t.id) };
        recover::untold(register).filter(its_own).map(|t| t.id.clone()).collect()
    }
}

impl Workers {
    /// Tells everyone who governs.
    pub(super) async fn notify_governors(&self, item: &OutboxItem, what: Recovered<'_>) -> Result<Step, ServiceError> {
        let Recovered { by, at_once, .. } = what;
        let register = self.service.store.register().await?;
        let waiting = what.untold(&register);
        if !at_once && waiting.is_empty() {
            // It was stopped before anyone could be told.
            return Ok(Step::Finished);
        }
        let digest = register.policy.ok_or(ServiceError::NotFounded)?;
        let policy = self.service.policy(&digest).await?;
        let counts_from = (!at_once).then(|| recover::counts_from(&policy, self.service.now()));
        let all: Vec<PersonId> = recover::governors(&register).take(MAX_RECIPIENTS).cloned().collect();
        let names = self.service.store.people(by).await?;
        let name = |id: &PersonId| names.get(id).map_or_else(|| id.to_string(), |p| p.name.line());
        let text = letters::recovered(&self.hands.organisation, &[name(&by[0]), name(&by[1])], counts_from);
        let to = self.persons(&all).await?;
        for _ in all.iter().filter(|p| !to.iter().any(|t| t.id == super::recipients::owner_id(p))) {
            tracing::warn!("someone who governs has no recorded mail address and is not told of a recovery");
        }
        let post = |to: Recipient| Post { text: text.clone(), key: format!("recovered {} {}", item.id, to.id), to };
        let tally = self.post(item, None, to.into_iter().map(post).collect()).await;
        if at_once || tally.is_open() {
            return Ok(tally.ends(item, None));
        }
        let told =
            self.service.govern(&Self::ask(Worker::Notices, item), &RegisterCommand::RecoveryTold { tokens: waiting }, &Beside::default()).await;
        let step = match told {
            Ok(_) => Step::Committed,
            Err(ServiceError::Refused(_)) => Step::Finished,
            Err(error) => {
                tracing::warn!(item = item.id, error = error.code(), "that everyone who governs was told could not be written down yet");
                return Ok(tally.rest());
            }
        };
        tally.ends(item, None);
        Ok(step)
    }
}
