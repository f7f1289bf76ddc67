//! Methods of proof that need more than the rules: issued codes, saved recovery codes, attestation, page links, and what receipts rest on.
//!
//! Contract: pure functions over keys and texts; every code and link is derived again from its case and session, so nothing is stored and a
//! retry sends the same. Knows nothing about storage, mail or pages, and never prints a secret.

pub mod derive;
pub mod root;
pub mod saved;

pub use derive::Keys;
