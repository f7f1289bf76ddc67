//! Word to those who could approve a proposal that it waits for them.
//!
//! Contract: goes, at their recorded addresses, to present policy owners and security reviewers who neither proposed it nor would gain by it nor are
//! tied to whoever had a hand in it: whom the register, as it stands when it is sent, would let approve. What waits no more is not told, and of one
//! person's proposals no more than [`MAX_ANNOUNCED`] a day, after which each of them is told once that there is more; a policy, and what takes two
//! approvals, is told beyond that. What would change it says in the words of the console's page, ids and no names; of another policy the first
//! settings that differ.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::post::Post;
use super::recipients::{MAX_RECIPIENTS, Recipient};
use super::{Step, Workers, letters};
use crate::base::Time;
use crate::base::ids::{PersonId, ProposalId};
use crate::domain::event::RegisterChange;
use crate::domain::govern::{SecondWord, says};
use crate::domain::register::Proposal;
use crate::service::ServiceError;
use crate::store::OutboxItem;

/// The most announcements and reminders of one person's proposals in a day; what is proposed beyond that stands on the page of proposals alone, so
/// that nobody fills the mailboxes of all who govern. What weighs most, as [`weighs`] tells, is beside that. Counted since the server started.
pub const MAX_ANNOUNCED: usize = 50;

/// What was announced in the last day, by who proposed it.
#[derive(Default)]
pub(super) struct Announced(Mutex<BTreeMap<PersonId, Day>>);

/// A day of one person's proposals.
#[derive(Default)]
struct Day {
    /// Items that were announced.
    items: BTreeMap<i64, Time>,
    /// Who was told that there is more than that, for which item and when.
    more: BTreeMap<PersonId, (i64, Time)>,
}

/// Whether a proposal is announced however many there were before it: nobody hides one of these behind others. They are no more at a time than
/// proposals may wait.
fn weighs(proposal: &Proposal) -> bool {
    matches!(proposal.change, RegisterChange::SetPolicy { .. }) || proposal.approvals > 1
}

impl Announced {
    /// Whether that one may be announced, now or again; it is counted if so.
    fn may(&self, by: &PersonId, item: i64, now: Time) -> bool {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let day = now - chrono::Duration::days(1);
        all.retain(|_, of| {
            of.items.retain(|_, at| *at > day);
            of.more.retain(|_, (_, at)| *at > day);
            !of.items.is_empty()
        });
        let of = &mut all.entry(by.clone()).or_default().items;
        if of.len() >= MAX_ANNOUNCED && !of.contains_key(&item) {
            return false;
        }
        of.entry(item).or_insert(now);
        true
    }

    /// Which of some persons are to be told for an item that there is more than is announced: whoever was not told for another one.
    fn untold(&self, by: &PersonId, item: i64, persons: Vec<PersonId>, now: Time) -> Vec<PersonId> {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let more = &mut all.entry(by.clone()).or_default().more;
        persons.into_iter().filter(|person| more.entry(person.clone()).or_insert((item, now)).0 == item).collect()
    }
}

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
        let by = &proposal.proposed_by;
        let name = self.service.store.people(std::slice::from_ref(by)).await?.remove(by).map_or_else(|| by.to_string(), |p| p.name.line());
        if !weighs(proposal) && !self.announced.may(by, item.id, self.service.now()) {
            tracing::warn!(item = item.id, "more was proposed by one person in a day than is announced; it stands in the register");
            let text = letters::more_proposed(&self.hands.organisation, &name, MAX_ANNOUNCED);
            let post = |to: Recipient| Post { text: text.clone(), key: format!("more proposed {} {}", item.id, to.id), to };
            let untold = self.announced.untold(by, item.id, could, self.service.now());
            let posts = self.persons(&untold).await?.into_iter().map(post).collect();
            return Ok(self.post(item, None, posts).await.ends(item, None));
        }
        let what = match &proposal.change {
            RegisterChange::SetPolicy { policy: digest, .. } => match self.service.policy(digest).await {
                Ok(proposed) => says::another_policy(&policy, &proposed),
                Err(ServiceError::Policy(_)) => format!("the policy {}, which this version can't read", digest.short()),
                Err(error) => return Err(error),
            },
            change => {
                let along = self.service.read_along(std::iter::once(proposal)).await?;
                says::proposed(&register, by, change, along.values().next())
            }
        };
        let waiting =
            letters::Waiting { what, by: name, missing: proposal.missing(), too_few: word.too_few(proposal), until: word.until(proposal), reminder };
        let text = letters::proposed(&self.hands.organisation, id, &waiting);
        let post = |to: Recipient| Post { text: text.clone(), key: format!("proposed {id} {} {}", item.id, to.id), to };
        let posts = self.persons(&could).await?.into_iter().map(post).collect();
        Ok(self.post(item, None, posts).await.ends(item, None))
    }
}
