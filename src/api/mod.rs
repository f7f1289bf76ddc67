//! The wire: JSON types shared by server and client, problem details, the OpenAPI document. `From<domain>` lives here alone.
//!
//! Contract: what is sent is what these types say; a change here is a change of the public API and shows in the locked document.
//! Knows nothing about HTTP libraries, storage or rules.

mod asked;
pub mod case;
pub mod compare;
pub mod cost;
pub mod filter;
mod from;
pub mod governance;
pub mod lists;
pub mod problem;
pub mod proof;
pub mod recompute;
pub mod requests;
pub mod sent;

/// The words of the product, the same on the wire as everywhere.
pub use crate::domain::vocabulary as words;
pub use from::{
    Looking, MAX_SETTINGS, NOT_ROUTABLE, actor_words, counts, duty, explain, policy_compared, policy_proposed, policy_view, preview, principal,
    proposal_row, register_view,
};
