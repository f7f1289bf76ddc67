//! Countersign: access recovery in which whoever routes a case never decides it.
//!
//! One binary, several roles (console, server, tools), this library behind them. Rooms in reading order: [`base`] what everyone may
//! hold; [`config`] what it is told; [`domain`] the rules, pure; [`log`] the Merkle tree; [`api`] the wire; [`store`] where it is kept;
//! [`service`] the use cases; [`server`] what answers requests; [`demo`] the sample organisation.

pub mod api;
pub mod base;
pub mod client;
pub mod config;
pub mod connectors;
pub mod console;
pub mod demo;
pub mod domain;
pub mod log;
pub mod outbound;
pub mod proofing;
pub mod server;
pub mod service;
pub mod store;
