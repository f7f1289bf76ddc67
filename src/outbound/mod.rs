//! The one door out of the server: allow-listed HTTP and mail. Nothing else in the house opens a connection to the world.
//!
//! Contract: [`door`] sends a request only to a base address that the operator configured (T21); [`mail`] posts plain text to one address.
//! Everything is bounded in size and time. Knows nothing about cases, policy or what is sent.

pub mod address;
pub mod door;
pub mod mail;

#[cfg(test)]
mod tests;
