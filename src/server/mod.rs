//! HTTP: the staff API and the requester's pages, each on a listener of its own.
//!
//! Contract: parses, asks one use case, answers. Knows no rules. Listeners, use cases and shutdown are handed in ([`run`]).
//!
//! Reading order: [`routes`] the router on one page; [`authn`] who asks; [`edge`] bounds and problems; [`mod@write`] what writes share.

pub mod authn;
mod cases;
pub mod certificate;
mod compared;
mod document;
pub mod edge;
mod events;
mod extract;
mod governance;
mod grants;
pub mod host;
pub mod limit;
mod listen;
mod me;
pub mod metrics;
pub mod pages;
pub mod problem;
mod propose;
mod pulse;
pub mod routes;
mod run;
#[cfg(test)]
mod tests;
mod tls;
mod unsaid;
pub mod write;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, watch};

pub use listen::whence;
pub use metrics::Metrics;
pub use run::{Listeners, run};

use crate::service::Service;

/// Requests worked on at once; further ones wait, no longer than a request may take.
pub const MAX_CONCURRENT: usize = 512;
/// Idempotency keys in flight at once.
pub const MAX_IN_FLIGHT: usize = 4_096;
/// Requests that a principal may send at once, if a minute allows so many.
pub const MIN_BURST: u32 = 10;

/// What can be set.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The largest body, in bytes.
    pub max_body: usize,
    /// How long a request may take; event streams are answered within it and live on.
    pub request_time: Duration,
    /// Requests a minute and principal; a thirtieth of them, and at least [`MIN_BURST`], at once.
    pub requests_per_minute: u32,
    /// Requests a minute from one address without a good token; on the pages as [`limit::Rates::of`] says.
    pub stranger_requests_per_minute: u32,
    /// Event streams at a time, of all principals together.
    pub streams: usize,
    /// How long shutdown waits for requests in hand.
    pub drain: Duration,
    /// Connections at a time and listener.
    pub connections: usize,
    /// Of these, how many from one address; the trusted proxy is bounded by `connections` alone.
    pub connections_each: usize,
    /// How long a handshake, the first bytes and the head of a request may take, a write may wait, and a connection may be idle.
    pub silence: Duration,
    /// The one peer whose `X-Forwarded-For` is believed.
    pub trusted_proxy: Option<std::net::IpAddr>,
    /// Certificate chain and key in PEM files, reloaded when they change; without, a trusted proxy or loopback is assumed.
    pub tls: Option<(std::path::PathBuf, std::path::PathBuf)>,
}

/// For whoever serves in one process with its only clients, as the demo does; the bounds of a served program are `config`'s.
impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_body: 64 * 1024,
            request_time: Duration::from_secs(20),
            requests_per_minute: 30_000,
            stranger_requests_per_minute: 240,
            streams: 2_000,
            drain: Duration::from_secs(5),
            connections: 4_096,
            connections_each: 512,
            silence: Duration::from_secs(20),
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
    request_time: Duration,
    /// Places for requests in hand, those included whose client has left.
    places: Arc<Semaphore>,
    max_streams: usize,
    outsiders: limit::Limits,
    rates: RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock>,
    in_flight: Mutex<HashSet<(String, String)>>,
    compared: compared::Comparisons,
    streams: Mutex<HashMap<String, usize>>,
    unsaid: unsaid::Unsaid,
}

impl App {
    /// What handlers share, over those use cases.
    pub fn new(config: &ServerConfig, service: Arc<Service>, shutdown: watch::Receiver<bool>) -> Arc<Self> {
        let per_minute = config.requests_per_minute.max(1);
        let burst = (per_minute / 30).max(MIN_BURST).min(per_minute);
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let quota = quota.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        let outsiders = limit::Rates { looks: config.stranger_requests_per_minute, forms: 0 };
        let metrics = Metrics::new(service.store.commit_seconds());
        Arc::new(Self {
            service,
            max_body: config.max_body,
            shutdown,
            metrics,
            request_time: config.request_time,
            places: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            max_streams: config.streams,
            outsiders: limit::Limits::new(outsiders),
            rates: RateLimiter::keyed(quota),
            in_flight: Mutex::default(),
            compared: compared::Comparisons::default(),
            streams: Mutex::default(),
            unsaid: unsaid::Unsaid::default(),
        })
    }

    /// Requests in hand.
    pub fn in_hand(&self) -> usize {
        MAX_CONCURRENT - self.places.available_permits().min(MAX_CONCURRENT)
    }

    /// Waits until no request is in hand; none is taken in hand from then on.
    async fn idle(&self) {
        let all = u32::try_from(MAX_CONCURRENT).unwrap_or(u32::MAX);
        if self.places.acquire_many(all).await.is_ok() {
            self.places.close();
        }
    }
}
