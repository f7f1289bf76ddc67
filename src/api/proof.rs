//! Proof on the wire: the checklist, the sessions and receipts of its items, and the contacts that lift a hold.
//!
//! Contract: staff see `sent`, never what was sent (invariant 7).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sent::{self, SessionDetail};
use super::words::{HoldSource, Method};
use crate::base::Untrusted;
use crate::base::ids::{EndpointId, PersonId, ReceiptId, SessionId};

/// The checklist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Checklist {
    /// Items in order.
    pub items: Vec<ChecklistItem>,
    /// How many are done.
    pub done: u8,
    /// Whether approval can be requested.
    pub complete: bool,
    /// What to do next, in a sentence.
    pub next: Option<String>,
}

/// An item of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistItem {
    /// What is needed, in words.
    pub title: String,
    /// Methods any of which would do.
    pub methods: Vec<Method>,
    /// Whether it is a gate beside the proofs.
    pub gate: bool,
    /// Where it stands.
    pub state: ItemState,
    /// The receipt that fills it.
    pub receipt: Option<ReceiptDetail>,
    /// Sessions for it, those that ended among them.
    pub sessions: Vec<SessionDetail>,
    /// Every way there is to prove it, each with what it needs; whether the asker can start it now stands in it.
    pub startable: Vec<Startable>,
    /// Why nothing can be started for it now, method by method, if nothing can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// What kind of demand it is; in `GET /v1/cases/{id}/policy` the rules that asked for it, by name, each with why it is there.
    pub why: String,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Nothing yet.
    Missing,
    /// A session is open: sent, waiting.
    Pending,
    /// Done.
    Done,
    /// Declined or exhausted: start again or another way.
    Failed,
}

impl ChecklistItem {
    /// Where it stands, in the words that every list shows.
    pub fn stands(&self) -> &'static str {
        match self.state {
            ItemState::Done | ItemState::Missing if self.is_lapsed() => "lapsed: to be proved anew",
            ItemState::Done => "done",
            ItemState::Pending if !self.is_sent() => "failed: could not be sent, start again or another way",
            ItemState::Pending => "waiting",
            ItemState::Failed => "failed: start again or another way",
            ItemState::Missing => "missing",
        }
    }

    /// Whether what was proved for it counts no more, by time alone.
    pub fn is_lapsed(&self) -> bool {
        sent::lapsed(&self.sessions)
    }

    /// Whether one of its sessions that are open is waited for: what was never handed over reached nobody.
    pub fn is_sent(&self) -> bool {
        self.sessions.is_empty() || self.sessions.iter().any(|s| s.outcome.is_none() && s.unsent.is_none())
    }
}

/// A way to prove something, or to reach somebody over a case that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Startable {
    /// Which.
    pub method: Method,
    /// Over which endpoint, if one is needed.
    pub endpoint: Option<EndpointId>,
    /// Whom to ask, for an attestation.
    pub attester: Option<PersonId>,
    /// In words: `send a code to the recorded address e1`, `ask Hanna Voss (p-h.voss) to attest`.
    pub label: String,
    /// Why the asker can't start it now, if they can't.
    #[serde(default)]
    pub refused: Option<String>,
}

/// A receipt, as staff see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptDetail {
    /// Opaque id.
    pub id: ReceiptId,
    /// By what method.
    pub method: Method,
    /// Who proved, in words.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Until when it counts.
    pub valid_until: DateTime<Utc>,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldDetail {
    /// Who or what froze it.
    pub source: HoldSource,
    /// Why.
    pub reason: Option<Untrusted>,
    /// When.
    pub since: DateTime<Utc>,
    /// Every way to reach the subject or whoever answers for it, in whatever state the case is: contact made since is what lifts the hold.
    #[serde(default)]
    pub contacts: Vec<Startable>,
    /// Contacts that were tried since, oldest first.
    #[serde(default)]
    pub sessions: Vec<SessionDetail>,
    /// Those of them with which the asker could lift the hold now, the last one first.
    #[serde(default)]
    pub lifted_by: Vec<SessionId>,
}
