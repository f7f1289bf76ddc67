//! Changes of the register whose delay is over take effect.
//!
//! Contract: a proposed policy that this version can't read never comes into force: nothing could be decided any more. It waits until somebody ends it,
//! and is told once a process. Knows no rules: what else keeps a proposal back is the domain's.

use std::collections::BTreeSet;

use super::Workers;
use crate::base::Time;
use crate::base::ids::ProposalId;
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::register::Proposal;
use crate::service::register::Beside;
use crate::service::{Ask, ServiceError};

impl Workers {
    /// Applies what is due.
    pub(super) async fn apply_due(&self, now: Time) -> Result<(), ServiceError> {
        let register = self.service.store.register().await?;
        let is_due = |p: &Proposal| p.effective_at.is_some_and(|at| at <= now);
        if !register.proposals.values().any(is_due) {
            return Ok(());
        }
        // Also those that are not due yet: the rules go by a clock that is read after this one.
        let approved: Vec<&Proposal> = register.proposals.values().filter(|p| p.effective_at.is_some()).collect();
        let unread = self.unread_of(&approved).await?;
        if approved.iter().filter(|p| is_due(p)).all(|p| unread.contains(&p.id)) {
            return Ok(());
        }
        self.service.govern(&Ask::system(Worker::Deadlines), &RegisterCommand::ApplyDue { unread }, &Beside::default()).await.map(drop)
    }

    /// Those that can't be read. Neither text nor version changes while the process lives, so each is looked at once.
    async fn unread_of(&self, approved: &[&Proposal]) -> Result<BTreeSet<ProposalId>, ServiceError> {
        let known = self.unread.lock().map(|known| known.clone()).unwrap_or_default();
        let mut unread = BTreeSet::new();
        for proposal in approved {
            if known.contains(&proposal.id) {
                unread.insert(proposal.id.clone());
            } else if !self.service.readable(proposal).await? {
                tracing::error!("an approved policy can't be read by this version and does not come into force: doctor names it");
                unread.insert(proposal.id.clone());
            }
        }
        if let Ok(mut known) = self.unread.lock() {
            known.clone_from(&unread);
        }
        Ok(unread)
    }
}
