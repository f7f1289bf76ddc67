//! HTTP: the staff API and the requester's pages, each on a listener of its own.
//!
//! Contract: parses, asks one use case, answers. Knows no rules. Listeners, use cases and shutdown are handed in ([`run`]).
//!
//! Reading order: [`routes`] the router on one page; [`authn`] who asks; [`edge`] bounds and problems; [`mod@write`] what writes share.

pub mod authn;
mod cases;
mod document;
pub mod edge;
mod events;
mod extract;
mod governance;
pub mod host;
mod listen;
mod me;
pub mod metrics;
pub mod pages;
pub mod problem;
mod propose;
pub mod routes;
mod run;
mod tls;
pub mod write;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::watch;

pub use metrics::Metrics;
pub use run::{Listeners, run};

use crate::service::Service;

/// Requests worked on at once; further ones wait.
pub const MAX_CONCURRENT: usize = 512;
/// Idempotency keys in flight at once.
pub const MAX_IN_FLIGHT: usize = 4_096;

/// What can be set.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The largest body, in bytes.
    pub max_body: usize,
    /// Requests a second and principal; twice as many at once.
    pub requests_per_second: u32,
    /// How long shutdown waits for requests in hand.
    pub drain: std::time::Duration,
    /// Connections at a time and listener.
    pub connections: usize,
    /// The one peer whose `X-Forwarded-For` is believed.
    pub trusted_proxy: Option<std::net::IpAddr>,
    /// Certificate chain and key in PEM files, reloaded when they change; without, a trusted proxy or loopback is assumed.
    pub tls: Option<(std::path::PathBuf, std::path::PathBuf)>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_body: 64 * 1024,
            requests_per_second: 500,
            drain: std::time::Duration::from_secs(5),
            connections: 4_096,
            trusted_proxy: None,
            tls: None,
        }
    }
}

/// What handlers share.
pub struct App {
    /// The use cases.
    pub service: Arc<Service>,
    /// The largest body.
    pub max_body: usize,
    /// Becomes true when the server ends.
    pub shutdown: watch::Receiver<bool>,
    /// Counted, never labelled with who.
    pub metrics: Metrics,
    /// Strangers refused since the last entry about them.
    pub strangers: AtomicU64,
    rates: RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock>,
    in_flight: Mutex<HashSet<(String, String)>>,
    streams: Mutex<HashMap<String, usize>>,
}

impl App {
    /// What handlers share, over those use cases.
    pub fn new(config: &ServerConfig, service: Arc<Service>, shutdown: watch::Receiver<bool>) -> Arc<Self> {
        let per_second = NonZeroU32::new(config.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Arc::new(Self {
            service,
            max_body: config.max_body,
            shutdown,
            metrics: Metrics::default(),
            strangers: AtomicU64::new(0),
            rates: RateLimiter::keyed(quota),
            in_flight: Mutex::default(),
            streams: Mutex::default(),
        })
    }
}
