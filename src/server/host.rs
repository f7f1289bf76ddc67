//! A whole server, put together: use cases, workers, staff API, pages, metrics.
//!
//! Contract: the one place where the parts meet, so that `serve`, the demo and tests run the same thing. Store, ports, keys, mail, connectors
//! and bound listeners are handed in. Knows no configuration files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::run::{COUNTS, write_counts};
use super::{Listeners, ServerConfig, pages, run};
use crate::base::ids::TargetId;
use crate::connectors::Connector;
use crate::outbound::mail::Mailer;
use crate::proofing;
use crate::service::Service;
use crate::service::requester::Requester;
use crate::service::workers::{Hands, Patience, Workers};

/// What a server is made of.
pub struct Parts {
    /// The use cases over a store.
    pub service: Arc<Service>,
    /// Keys of codes and links.
    pub codes: proofing::Keys,
    /// Mail.
    pub mailer: Mailer,
    /// Targets.
    pub connectors: BTreeMap<TargetId, Arc<dyn Connector>>,
    /// How requesters reach the pages, without a final `/`.
    pub public_url: String,
    /// Name of the organisation, as messages and pages say it.
    pub organisation: String,
    /// Bounds and TLS.
    pub config: ServerConfig,
    /// How patient the workers are.
    pub patience: Patience,
}

/// A running server.
pub struct Running {
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    workers: JoinHandle<()>,
    service: Arc<Service>,
    drain: Duration,
}

impl Running {
    /// Starts everything on bound listeners.
    pub fn start(parts: Parts, listeners: Listeners) -> Self {
        let (stop, stopped) = watch::channel(false);
        let hands = Hands {
            keys: parts.codes.clone(),
            mailer: parts.mailer,
            connectors: parts.connectors,
            pages_url: parts.public_url.clone(),
            organisation: parts.organisation.clone(),
        };
        let drain = parts.config.drain;
        parts.service.sends_to(hands.connectors.keys().cloned());
        let workers = Arc::new(Workers::new(Arc::clone(&parts.service), Arc::new(hands), Patience { drain, ..parts.patience }));
        let requester = Arc::new(Requester::new(Arc::clone(&parts.service), parts.codes));
        let rates = pages::Rates::of(parts.config.stranger_requests_per_minute);
        let request_time = parts.config.request_time;
        let settings = pages::Settings { rates, request_time, ..pages::Settings::new(&parts.public_url, &parts.organisation) };
        let pages = pages::router(Arc::clone(&requester), settings);
        // The pages go on taking requests while the server drains: whoever works on them ends after it.
        let (drained, stop_asking) = watch::channel(false);
        let stopped_working = stopped.clone();
        let both = async move { tokio::join!(workers.run(stopped_working), requester.run(stop_asking)) };
        let workers = tokio::spawn(async move {
            let ((), ()) = both.await;
        });
        let service = Arc::clone(&parts.service);
        let server = tokio::spawn(async move {
            let ended = run(parts.config, parts.service, pages, listeners, stopped).await;
            let _ = drained.send(true);
            ended
        });
        Self { stop, server, workers, service, drain }
    }

    /// Whether it ended by itself, which it only does when something is wrong.
    pub fn is_over(&self) -> bool {
        self.server.is_finished()
    }

    /// Waits until it ended by itself.
    pub async fn over(&mut self) {
        let mut every = tokio::time::interval(std::time::Duration::from_millis(250));
        while !self.is_over() {
            every.tick().await;
        }
    }

    /// Ends it: what is in hand is finished within the drain time, what came to nothing is counted, and what was taken by then is worked on for as
    /// long again; what others hold up longer is put back. In all it takes three times the drain time and some seconds at most.
    pub async fn stop(mut self) -> std::io::Result<()> {
        let _ = self.stop.send(true);
        let served = self.server.await.map_err(std::io::Error::other);
        // The workers let go by themselves after the drain time; what then still is written gets as long.
        let worked = tokio::time::timeout(self.drain * 2, &mut self.workers).await;
        last_counts(&self.service).await;
        if let Ok(worked) = worked {
            worked.map_err(std::io::Error::other)?;
        } else {
            tracing::warn!("what was under way when the drain time was over is taken up again when its lease ends");
            self.workers.abort();
        }
        served?
    }
}

/// What was counted and not written yet, if the log takes it in time.
async fn last_counts(service: &Service) {
    if tokio::time::timeout(COUNTS, write_counts(service, service.now(), true)).await.is_err() {
        tracing::error!("what was refused in the last minute could not be written to the log");
    }
}
