//! What every room may hold: ids, digests, canonical JSON, untrusted text and its sanitiser, and the ports (clock, randomness).
//!
//! Contract: small value types without rules of their own. Knows nothing about cases, storage, the network or the terminal.

pub mod canonical;
pub mod digest;
pub mod ids;
pub mod mailbox;
pub mod ports;
pub mod span;
pub mod text;

pub use digest::Digest;
pub use text::Untrusted;

/// A moment on the server's clock (UTC), truncated to milliseconds by [`ports::Clock`] so that it prints the same everywhere.
pub type Time = chrono::DateTime<chrono::Utc>;
