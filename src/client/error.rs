//! What can go wrong between a client and the server, as sentences a person can act on.
//!
//! Contract: each error has a sentence, a stable code and, where the server gave one, the request id. Never holds a token or a body.

use crate::api::problem::Problem;

/// Why a call did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No connection, or it broke, or no answer came in time.
    #[error("The server at {server} can't be reached: {why}")]
    Unreachable {
        /// Where it was looked for.
        server: String,
        /// What happened, in a few words.
        why: String,
    },
    /// A change that never left this machine: no connection came about at any try, so that nothing can have become of it.
    #[error("The server at {server} can't be reached, so nothing was sent: {why}")]
    NotSent {
        /// Where it was looked for.
        server: String,
        /// What happened, in a few words.
        why: String,
    },
    /// A change that went out and whose answer was lost: whether it was done, nobody here knows.
    #[error(
        "It is not known whether this was done: it may have reached the server at {server}, and no answer came back that says so ({why}). Look before you do it again."
    )]
    Unanswered {
        /// Where it was sent.
        server: String,
        /// What happened, in a few words.
        why: String,
    },
    /// The server answered with problem details.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The server answered with something that is no answer of this API.
    #[error("The server answered {status} with something this program does not understand. {hint}")]
    NotUnderstood {
        /// The HTTP status.
        status: u16,
        /// What to look at.
        hint: String,
        /// The request, for support.
        request_id: Option<String>,
    },
    /// The address, the certificate file or the like can't be used.
    #[error("{0}")]
    Configuration(String),
}

impl ClientError {
    /// The stable code: the last part of a problem's type, or `unreachable`, `unanswered`, `not-understood`,
    /// `configuration`.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } | Self::NotSent { .. } => "unreachable",
            Self::Unanswered { .. } => "unanswered",
            Self::Problem(problem) => problem.code(),
            Self::NotUnderstood { .. } => "not-understood",
            Self::Configuration(_) => "configuration",
        }
    }

    /// The HTTP status, if an answer came at all.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::NotUnderstood { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::NotSent { .. } | Self::Unanswered { .. } | Self::Configuration(_) => None,
        }
    }

    /// The request it answers, for support.
    pub fn request_id(&self) -> Option<String> {
        match self {
            Self::Problem(problem) => problem.request_id.as_ref().map(ToString::to_string),
            Self::NotUnderstood { request_id, .. } => request_id.clone(),
            Self::Unreachable { .. } | Self::NotSent { .. } | Self::Unanswered { .. } | Self::Configuration(_) => None,
        }
    }

    /// The problem, if the server gave one.
    pub fn problem(&self) -> Option<&Problem> {
        if let Self::Problem(problem) = self { Some(problem) } else { None }
    }

    /// Whether it is a change that never left this machine: whatever it was about is as it was.
    pub const fn never_left(&self) -> bool {
        matches!(self, Self::NotSent { .. })
    }

    /// Whether it is a change of which nobody here knows whether it was done.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unanswered { .. })
    }

    /// Whether the credential is missing, wrong or expired.
    pub fn needs_sign_in(&self) -> bool {
        self.status() == Some(401)
    }

    /// Whether to try at once again: not where the whole time for an answer has passed, for whoever asked has waited long enough.
    pub(super) fn is_worth_repeating(&self) -> bool {
        self.is_passing() && !matches!(self, Self::Unreachable { why, .. } if why == super::call::NO_ANSWER)
    }

    /// Of an answer to a change: whether it may have been done all the same. What the server says in its own words was not, but for what took too
    /// long or broke inside; nor was what anything on the way refuses or sends elsewhere. Any other answer says nothing of it.
    pub(super) fn may_be_done(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.status == 500 || problem.code() == "timeout",
            Self::NotUnderstood { status, .. } => !(300..500).contains(status) || *status == 408,
            _ => true,
        }
    }

    /// Whether an answer to a change that may have been done before says what became of it: a refusal by the server, in its own words, and of that
    /// change. That it is busy now, maybe with that very request, or knows the credential no longer, says nothing of the try before.
    pub(super) fn says_what_became(&self) -> bool {
        matches!(self, Self::Problem(problem) if matches!(problem.status, 400 | 402..=428 | 430..=499) && problem.code() != "in-flight")
    }

    /// Whether the same call may succeed a moment later: no connection, or a server that is busy or starting.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotSent { .. } | Self::Unanswered { .. })
            || matches!(self.status(), Some(429 | 502 | 503 | 504))
    }
}
