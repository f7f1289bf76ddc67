//! Which rows of the register are asked for.
//!
//! Contract: codes and ids only.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A kind of row of the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegisterKind {
    /// Persons that have an account.
    Persons,
    /// Accounts.
    Operators,
    /// Automations.
    Automations,
    /// Delegations.
    Delegations,
    /// Changes that wait.
    Proposals,
    /// Tokens that live.
    Tokens,
}

impl RegisterKind {
    /// Its code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Persons => "persons",
            Self::Operators => "operators",
            Self::Automations => "automations",
            Self::Delegations => "delegations",
            Self::Proposals => "proposals",
            Self::Tokens => "tokens",
        }
    }
}

/// Query of `GET /v1/register`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegisterParams {
    /// Only rows of this kind; without it, of every kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub of: Option<RegisterKind>,
    /// Only rows after the one of this id; needs `of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
