//! Word to those who could approve a proposal that it waits for them.
//!
//! Contract: goes, at their recorded addresses, to present policy owners and security reviewers who neither proposed it nor would gain by it nor are
//! tied to whoever had a hand in it: whom the register, as it stands when it is sent, would let approve. What waits no more is not told. Of what
//! would change it says the kind and an id: the rest is for the console.

use super::post::Post;
use super::recipients::{MAX_RECIPIENTS, Recipient};
use super::{Step, Workers, letters};
use crate::base::ids::{PersonId, ProposalId};
use crate::domain::event::RegisterChange;
use crate::domain::govern::SecondWord;
use crate::domain::register::Holder;
use crate::service::ServiceError;
use crate::store::OutboxItem;

impl Workers {
    /// Tells them.
    pub(super) async fn notify_guards(&self, item: &OutboxItem, id: &ProposalId, reminder: bool) -> Result<Step, ServiceError> {
        let (register, policy) = self.service.rules().await?;
        let Some(proposal) = register.proposals.get(id) else { return Ok(Step::Finished) };
        let word = SecondWord::of(&register, &policy, self.service.now());
        if word.over(proposal).is_some() {
            return Ok(Step::Finished);
        }
        let could: Vec<PersonId> = word.could(proposal).into_iter().take(MAX_RECIPIENTS).cloned().collect();
        if could.is_empty() {
            tracing::warn!(item = item.id, "a proposal waits, and nobody who is here could approve it");
        }
        let by = std::slice::from_ref(&proposal.proposed_by);
        let by =
            self.service.store.people(by).await?.remove(&proposal.proposed_by).map_or_else(|| proposal.proposed_by.to_string(), |p| p.name.line());
        let waiting = letters::Waiting { what: about(&proposal.change), by, missing: proposal.missing(), until: word.until(proposal), reminder };
        let text = letters::proposed(&self.hands.organisation, id, &waiting);
        let post = |to: Recipient| Post { text: text.clone(), key: format!("proposed {id} {} {}", item.id, to.id), to };
        let posts = self.persons(&could).await?.into_iter().map(post).collect();
        Ok(self.post(item, None, posts).await.ends(item, None))
    }
}

/// What a change is about.
fn about(change: &RegisterChange) -> String {
    match change {
        RegisterChange::SetPolicy { .. } => "another policy".to_owned(),
        RegisterChange::SetPerson(person) => format!("what is recorded of person {}", person.id),
        RegisterChange::SetOperator(operator) => format!("the account {}", operator.id),
        RegisterChange::SetAutomation(automation) => format!("the automation {}", automation.id),
        RegisterChange::IssueToken(token) => match &token.holder {
            Holder::Operator(id) => format!("a token for the account {id}"),
            Holder::Automation(id) => format!("a token for the automation {id}"),
        },
        _ => "the register".to_owned(),
    }
}
