//! Why a use case did not happen.
//!
//! Contract: one error type at the boundary of the room. Detail of the store's failures is for the server's log only. Knows no HTTP.

use crate::base::ids::CaseId;
use crate::domain::refusal::Refusal;
use crate::store::{CommitError, KeptAnswer, StoreError};

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// What was named does not exist, or not for the asker.
    #[error("{0} is not known.")]
    NotFound(String),
    /// The domain refused; the refusal is in the log if an authenticated principal asked.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The case is not at the version that the asker has seen.
    #[error("{case} has changed since you looked (it is at version {version} now). Look again, and then do it anew.")]
    Stale {
        /// Which case.
        case: CaseId,
        /// Where it stands now.
        version: u64,
    },
    /// A request under this key was answered before; nothing was done now.
    #[error("This Idempotency-Key was used before.")]
    Answered(Box<KeptAnswer>),
    /// It kept changing while it was decided on.
    #[error("Too much changed at the same time. Try again.")]
    Conflict,
    /// The database's own constraints refused what the domain had let through (threats.md, "DB").
    #[error("The database refused it. Nothing was changed.")]
    Forbidden(String),
    /// The register holds no founding entries yet.
    #[error("This server is not founded yet. Run `countersign init` on its host.")]
    NotFounded,
    /// A policy that is needed can't be read; nothing is judged without it.
    #[error("A policy that this needs can't be read. Ask the policy owner to look at `countersign doctor`.")]
    Policy(String),
    /// A value that was sent can't be accepted.
    #[error("{field}: {why}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong and what would be right.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceError {
    /// What kind it is, for the server's journal: never what was asked for, said or found.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not-found",
            Self::Refused(refusal) => refusal.code(),
            Self::Stale { .. } => "stale",
            Self::Answered(_) => "answered",
            Self::Conflict => "conflict",
            Self::Forbidden(_) => "forbidden",
            Self::NotFounded => "not-founded",
            Self::Policy(_) => "policy-unreadable",
            Self::Invalid { .. } => "invalid",
            Self::Store(error) => error.code(),
        }
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<CommitError> for ServiceError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::Conflict,
            CommitError::Forbidden(why) => Self::Forbidden(why),
            CommitError::TooLarge => Self::Invalid { field: "body", why: "it is too large to be kept in one entry of the log".to_owned() },
            CommitError::Store(error) => Self::Store(error),
        }
    }
}
