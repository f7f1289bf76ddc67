//! HTTP: the staff API and the requester's pages, each on a listener of its own.
//!
//! Contract: parses, asks one use case, answers. Knows no rules.

pub mod pages;
