//! Countersign: access recovery in which whoever routes a case never decides it.
//!
//! One binary, several roles (console, server, tools), this library behind them. Rooms in reading order: [`base`] what everyone may
//! hold; [`config`] what it is told; [`domain`] the rules, pure; [`log`] the Merkle tree; [`api`] the wire; [`store`] where it is kept;
//! [`service`] the use cases; [`server`] what answers requests; [`demo`] the sample organisation; [`cli`] the commands.
//!
//! Who may know whom, besides [`base`], which uses nothing (a test reads the imports and fails on any other; the server holds store,
//! proofing, connectors and outbound only to put them together):
//!
//! | room | may use |
//! | --- | --- |
//! | base | nothing |
//! | domain | nothing |
//! | log | nothing |
//! | config | nothing |
//! | api | domain, log |
//! | store | domain, log |
//! | outbound | config |
//! | proofing | domain, config, outbound |
//! | connectors | domain, config, outbound |
//! | service | domain, log, store, proofing, connectors, outbound |
//! | server | service, api, domain, log, config, store, proofing, connectors, outbound |
//! | client | api, log, config |
//! | console | client, api, log, config |
//! | demo | service, server, domain, config, store, proofing, connectors, outbound |
//! | cli | all |

pub mod api;
pub mod base;
pub mod cli;
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
