//! Problem details (RFC 9457): every error of the API.
//!
//! Contract: a stable `type`, a sentence a person can act on, the request id. Never internal detail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most accounts that one sentence names.
const NAMED: usize = 4;

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
    /// How many of them it takes at least, and whose approval brings it nearer.
    #[serde(default)]
    pub lacking: Lacking,
    /// Whether software asks: then nobody is named, whoever could.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

/// What is lacking until a case is approved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Lacking {
    /// The least number of further persons who must approve.
    pub persons: u8,
    /// Accounts whose approval makes that number smaller, in order of id: the approval of any other one who could decide counts, but does
    /// not bring the case nearer to being carried out.
    pub nearer: Vec<OperatorId>,
}

impl Lacking {
    /// Who is needed besides, as the rest of a sentence; nothing if nobody is.
    pub fn besides(&self) -> Option<String> {
        let more = self.nearer.len().saturating_sub(NAMED);
        let mut names: Vec<&str> = self.nearer.iter().take(NAMED).map(OperatorId::as_str).collect();
        let others = format!("{more} more");
        if more > 0 {
            names.push(&others);
        }
        let who = match names.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [first @ .., last] => format!("one of {} or {last}", first.join(", ")),
        };
        match (self.persons, who.is_empty()) {
            (0, _) => None,
            (1, true) => Some("1 more person is needed besides, and nobody is left".to_owned()),
            (1, false) => Some(format!("{who} is needed besides")),
            (n, true) => Some(format!("{n} more persons are needed besides, and too few are left")),
            (n, false) => Some(format!("{n} more persons are needed besides, {who} among them")),
        }
    }
}

impl Problem {
    /// The code behind the prefix.
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }
}
