//! Receipts and the sessions they come through: who proved what, resting on what, until when (invariant 5).
//!
//! Contract: plain data; never the secret itself. Knows nothing about which proof a case needs: that is the checklist.

use serde::{Deserialize, Serialize};

use super::case::ActorRef;
use super::vocabulary::{Method, TrustRootKind};
use crate::base::ids::{EndpointId, PersonId, ReceiptId, SessionId};
use crate::base::{Digest, Time};

/// A recorded proof; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Opaque id.
    pub id: ReceiptId,
    /// By what method.
    pub method: Method,
    /// What it rests on.
    pub trust_root: TrustRoot,
    /// The session it came through.
    pub session: SessionId,
    /// The recorded endpoint that session was opened to.
    pub endpoint: Option<EndpointId>,
    /// Who proved: the subject, or an attester.
    pub by: ActorRef,
    /// When.
    pub at: Time,
    /// Until when it counts.
    pub valid_until: Time,
}

/// What a receipt rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrustRoot {
    /// What kind.
    pub kind: TrustRootKind,
    /// Salted digest that is equal for the same mailbox, number, device, contact or document, whatever it is called.
    pub sha256: Digest,
}

/// A session that the server opened to a recorded endpoint, after the request (invariant 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofSession {
    /// What is to be proved in it.
    pub method: Method,
    /// To whom it was opened: the subject's endpoint; for an attestation the attester's.
    pub endpoint: Option<EndpointId>,
    /// The attester, for gates.
    pub attester: Option<PersonId>,
    /// Who asked for it to be opened.
    pub by: ActorRef,
    /// When.
    pub opened_at: Time,
    /// Until when.
    pub expires_at: Time,
    /// Wrong tries so far.
    pub failed_attempts: u8,
    /// How it ended.
    pub outcome: Option<SessionOutcome>,
}

/// How a proof session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionOutcome {
    /// A receipt was recorded.
    Proved,
    /// An attester said no.
    Declined,
    /// Too many wrong tries.
    Exhausted,
    /// Another session of the method took its place.
    Superseded,
    /// The case was sent to something else than what it was opened for. No entry of its own says so: it follows from the routing.
    Rerouted,
}
