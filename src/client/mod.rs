//! The server as typed calls: one method an endpoint, problems as [`ClientError`], retries that can't do a thing twice.
//!
//! Contract: every write carries an `Idempotency-Key` that is the same over all its retries, and `If-Match` where the version that was
//! looked at is known; reads are repeated on their own a bounded number of times. Answers are bounded. Knows nothing about screens.

mod call;
mod error;
mod events;
pub mod page;
mod reads;
mod register;
pub mod session;
mod writes;

#[cfg(test)]
mod tests;

pub use call::{CALL_TIMEOUT, Client, ClientConfig, Written};
pub use error::ClientError;
pub use events::{Events, News, frames};
pub use writes::Write;
