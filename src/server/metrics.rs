//! Numbers for Prometheus.
//!
//! Contract: labels are codes of fixed sets, never who or which case. Knows nothing about where they are served.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::domain::view::Counts;
use crate::store::OutboxDepth;

/// What was asked and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    class: &'static str,
}

/// Why it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    problem: String,
}

/// The numbers of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    refusals: Family<Refused, Counter>,
    seconds: Histogram,
    open_cases: Gauge,
    held_cases: Gauge,
    live_grants: Gauge,
    log_entries: Gauge,
    outbox: [Gauge; 3],
}

impl Metrics {
    /// All zero; how long commits take is counted by the store.
    pub fn new(commit_seconds: Histogram) -> Self {
        let mut registry = Registry::with_prefix("countersign");
        registry.register("commit_seconds", "How long commits took until they were durable, waiting included", commit_seconds);
        // From a millisecond to some 16 seconds: beyond the limit of a request there is nothing to tell apart.
        let seconds = Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let (requests, refusals) = (Family::default(), Family::default());
        registry.register("requests", "Requests by operation and class of status", Family::clone(&requests));
        registry.register("refusals", "Refused requests by problem", Family::clone(&refusals));
        registry.register("request_seconds", "How long requests took", seconds.clone());
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, Gauge::clone(&gauge));
            gauge
        };
        let open_cases = gauge("open_cases", "Cases not ended");
        let held_cases = gauge("held_cases", "Cases frozen");
        let live_grants = gauge("live_grants", "Temporary accesses that live");
        let log_entries = gauge("log_entries", "Entries in the log");
        let outbox = [
            gauge("outbox_waiting", "Effects that wait to be done outside, later ones included"),
            gauge("outbox_due", "Effects that are due and that no worker has taken"),
            gauge("outbox_tried", "Effects that were tried before, or are being tried"),
        ];
        Self { registry, requests, refusals, seconds, open_cases, held_cases, live_grants, log_entries, outbox }
    }

    /// Counts an answer.
    pub fn answered(&self, operation: Option<&'static str>, status: u16, took: Duration) {
        let class = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"].get(usize::from(status / 100)).copied().unwrap_or("other");
        self.requests.get_or_create(&Answered { operation: operation.unwrap_or("none"), class }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a refusal by its problem's code, which is one of a fixed set.
    pub fn refused(&self, problem: &str) {
        self.refusals.get_or_create(&Refused { problem: problem.to_owned() }).inc();
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self, counts: Option<Counts>, outbox: Option<OutboxDepth>) -> String {
        let set = |gauge: &Gauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        if let Some(counts) = counts {
            set(&self.open_cases, counts.open);
            set(&self.held_cases, counts.held);
            set(&self.live_grants, counts.grants);
            set(&self.log_entries, counts.log);
        }
        if let Some(depth) = outbox {
            for (gauge, value) in self.outbox.iter().zip([depth.waiting, depth.due, depth.tried]) {
                set(gauge, value);
            }
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}
