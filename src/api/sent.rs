//! What a case sent, as staff see it: that it was sent, or why not; never what, nor to which address (invariant 7).
//!
//! Contract: plain data. Knows no rules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::Method;
use crate::base::ids::{EndpointId, PersonId, SessionId};
use crate::base::text::sanitise;

/// A proof session, as staff see it: `sent`, never what was sent (invariant 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionDetail {
    /// Opaque id.
    pub id: SessionId,
    /// What is to be proved.
    pub method: Method,
    /// Over which recorded endpoint, if over one.
    #[serde(default)]
    pub endpoint: Option<EndpointId>,
    /// Who was asked to attest, if somebody was.
    #[serde(default)]
    pub attester: Option<PersonId>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Wrong tries left.
    pub tries_left: u8,
    /// How it ended: `proved`, `declined`, `exhausted`, `superseded`, `expired`; `rerouted` if the case was sent to something else meanwhile, and
    /// `proved_elsewhere` if it was since: what was proved counts no more; `lapsed` if it was proved and its receipt's time is over. Absent while it is open.
    pub outcome: Option<String>,
    /// Why its message could not be sent to anyone, in words; absent if it was, or is on its way.
    #[serde(default)]
    pub unsent: Option<String>,
}

/// The outcome of a session whose receipt counts no more, as its time is over.
pub const LAPSED: &str = "lapsed";

/// Whether what was proved in sessions lapsed, all of it, and nothing was asked for since: what came of that is told then.
#[must_use]
pub fn lapsed(sessions: &[SessionDetail]) -> bool {
    let is = |s: &SessionDetail, outcome: &str| s.outcome.as_deref() == Some(outcome);
    let last = sessions.iter().max_by_key(|s| s.opened_at);
    last.is_some_and(|s| is(s, LAPSED)) && !sessions.iter().any(|s| is(s, "proved"))
}

/// How a session ended, in words that staff read: the outcome's code where that is a word of theirs.
#[must_use]
pub fn ended(outcome: &str) -> String {
    match outcome {
        "rerouted" => "void: something else is asked for now".to_owned(),
        "proved_elsewhere" => "proved before the case was sent elsewhere: it counts no more".to_owned(),
        LAPSED => "proved, and lapsed since: it counts no more".to_owned(),
        other => sanitise(other, false),
    }
}

/// What became of a message to the subject or to an attester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageDetail {
    /// Which: `code`, `attestation`, `started`, `completed`, `code_used`.
    pub message: String,
    /// The session it was for, if for one.
    pub session: Option<SessionId>,
    /// When it was known.
    pub at: DateTime<Utc>,
    /// Addresses it was handed over for.
    pub told: u32,
    /// Why it could not be handed over for others: `no_address`, `unusable`, `own_address`, `refused`, `unreachable`.
    pub untold: Vec<String>,
    /// All of it as a sentence.
    pub sentence: String,
}
