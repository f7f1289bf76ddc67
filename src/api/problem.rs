//! Problem details (RFC 9457): every error of the API.
//!
//! Contract: a stable `type`, a sentence a person can act on, the request id. Never internal detail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::case::DutyInTheWay;
use crate::base::ids::{OperatorId, RequestId};

/// What all problem types begin with; the refusal's code follows.
pub const TYPE_PREFIX: &str = "urn:countersign:problem:";

/// An error, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Stable type, e.g. `urn:countersign:problem:separation-of-duties`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words, the same for each type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence that a person can act on.
    pub detail: String,
    /// The request it answers, for support.
    pub request_id: Option<RequestId>,
    /// The field at fault, as a JSON pointer or parameter name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every duty that stands in the way of a decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duties: Vec<DutyInTheWay>,
    /// Who could decide instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub could_decide: Option<CouldDecide>,
    /// Every mistake, where several were found at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
}

/// Who could decide a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct CouldDecide {
    /// Accounts whose persons could, in order of id.
    pub operators: Vec<OperatorId>,
    /// Those on shift or on call now.
    pub on_shift: Vec<OperatorId>,
    /// Whether together they reach the quorum.
    pub enough: bool,
    /// Groups of which no one is left.
    pub missing_groups: Vec<String>,
}

impl Problem {
    /// The code behind the prefix.
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }
}
