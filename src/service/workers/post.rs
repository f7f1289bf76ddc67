//! One message to several recipients: handed over side by side, and again only to those who have not had it.
//!
//! Contract: what became of it at each address is kept with its item of the outbox, by id and never by address, so that no retry reaches whom an
//! earlier one reached or gave up, nor where the case can't be written to; only a server that dies or is stopped within one pass sends twice. One pass begins no conversation with the
//! relay after [`BEGIN_WITHIN`], and each of them is bounded by the mailer. Knows nothing about what is written.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::letters::Text;
use super::recipients::Recipient;
use super::{Step, Workers};
use crate::base::Digest;
use crate::base::ids::CaseId;
use crate::domain::message::{Became, Message, Sent, Untold};
use crate::outbound::mail::{Letter, MailError};
use crate::store::OutboxItem;

/// Conversations with the relay at once for one item.
const AT_ONCE: usize = 4;
/// How long one pass over an item begins conversations; whoever is left then is for the next one.
const BEGIN_WITHIN: Duration = Duration::from_mins(1);

/// A message to one of its recipients.
pub(super) struct Post {
    /// To whom.
    pub to: Recipient,
    /// What.
    pub text: Text,
    /// What makes it this message and no other; the same on every retry.
    pub key: String,
}

impl Post {
    /// What stands for the recipient in the outbox: an address that is another one by now has not had it.
    fn mark(&self) -> String {
        let what = Digest::of(format!("{}\n{}", self.key, self.to.address).as_bytes());
        format!("{} {}", self.to.id, what.short())
    }
}

/// What became of one conversation with the relay.
enum Handed {
    Over,
    Never(Untold, GivenUp),
    NotYet,
}

/// Why an address was given up, as the journal says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GivenUp {
    code: &'static str,
    status: Option<u16>,
}

impl GivenUp {
    const fn of(why: Untold) -> Self {
        Self { code: why.code(), status: None }
    }

    const fn code(self) -> &'static str {
        self.code
    }
}

/// What became of a message so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    became: BTreeMap<String, Became>,
    again: bool,
    /// Why the last one was given up in this pass.
    given_up: Option<GivenUp>,
}

impl Tally {
    /// What earlier passes over the item found.
    pub(super) fn of(item: &OutboxItem) -> Self {
        Self { became: item.became.clone(), again: false, given_up: None }
    }

    /// It could not be handed over, and nobody needs to try.
    pub(super) fn add(&mut self, why: Untold) {
        self.became.insert(String::new(), Became::Untold(why));
    }

    /// Whether anyone had it.
    pub(super) fn told(&self) -> bool {
        self.became.values().any(|became| *became == Became::Told)
    }

    /// Put back with what became of it, so that nobody who had it gets it again.
    pub(super) fn rest(self) -> Step {
        Step::Rest(self.became)
    }

    /// Whether some have not had it and may yet.
    pub(super) fn is_open(&self) -> bool {
        self.again
    }

    /// What becomes of the item. A message that is given up is a line of the journal when it ends, however many addresses and tries it had.
    pub(super) fn ends(self, item: &OutboxItem, case: Option<CaseId>) -> Step {
        if self.again {
            return self.rest();
        }
        let mut untold = self.became.iter().filter_map(|(mark, became)| match became {
            Became::Untold(why) if !mark.is_empty() => Some(*why),
            _ => None,
        });
        let (addresses, last) = (untold.clone().count(), untold.next_back());
        if let Some(why) = last {
            let (case, why) = (case.map(tracing::field::display), self.given_up.unwrap_or(GivenUp::of(why)));
            tracing::error!(case, item = item.id, error = why.code(), status = why.status, addresses, "a message is given up");
        }
        Step::Finished
    }

    /// As it stands in the case.
    pub(super) fn sent(&self, message: Message) -> Sent {
        let (mut told, mut untold) = (0, BTreeMap::new());
        for became in self.became.values() {
            match became {
                Became::Told => told += 1,
                Became::Untold(why) => *untold.entry(*why).or_insert(0) += 1,
                Became::Times(_) => {}
            }
        }
        if told == 0 && untold.is_empty() {
            untold.insert(Untold::NoAddress, 1);
        }
        Sent { message, told, untold }
    }
}

impl Workers {
    /// Hands a message over to those who have not had it.
    pub(super) async fn post(&self, item: &OutboxItem, case: Option<CaseId>, posts: Vec<Post>) -> Tally {
        let mut tally = Tally::of(item);
        let until = Instant::now() + BEGIN_WITHIN;
        let left = posts.into_iter().map(|post| (post.mark(), post)).filter(|(mark, _)| !item.became.contains_key(mark));
        let left: Vec<(String, Post)> = left.collect();
        let handed = futures_util::stream::iter(left)
            .map(|(mark, post)| async move { (mark, self.hand_over(item, case, post, until).await) })
            .buffer_unordered(AT_ONCE);
        for (mark, became) in handed.collect::<Vec<_>>().await {
            match became {
                Handed::Over => drop(tally.became.insert(mark, Became::Told)),
                Handed::Never(why, given_up) => {
                    tally.became.insert(mark, Became::Untold(why));
                    tally.given_up = Some(given_up);
                }
                Handed::NotYet => tally.again = true,
            }
        }
        tally
    }

    /// What became of it at one address.
    async fn hand_over(&self, item: &OutboxItem, case: Option<CaseId>, post: Post, until: Instant) -> Handed {
        let last = item.tries >= self.patience.mail_tries;
        if Instant::now() >= until {
            return if last { Handed::Never(Untold::Unreachable, GivenUp::of(Untold::Unreachable)) } else { Handed::NotYet };
        }
        let (subject, body) = post.text;
        let letter = Letter { to: post.to.address, subject, body, key: post.key, at: self.service.now() };
        let error = match self.hands.mailer.send(&letter).await {
            Ok(()) => return Handed::Over,
            Err(error) => error,
        };
        let why = match &error {
            MailError::Address => Untold::Unusable,
            other if other.is_lasting() => Untold::Refused,
            _ if last => Untold::Unreachable,
            _ => {
                let case = case.map(tracing::field::display);
                tracing::warn!(
                    case,
                    item = item.id,
                    tries = item.tries,
                    error = error.code(),
                    status = error.status(),
                    "a message will be tried again"
                );
                return Handed::NotYet;
            }
        };
        Handed::Never(why, GivenUp { code: error.code(), status: error.status() })
    }
}
