//! A whole server, put together: use cases, workers, staff API, pages, metrics.
//!
//! Contract: the one place where the parts meet, so that `serve`, the demo and tests run the same thing. Store, ports, keys, mail, connectors
//! and bound listeners are handed in. Knows no configuration files.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

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
        let workers = Arc::new(Workers::new(Arc::clone(&parts.service), Arc::new(hands), parts.patience));
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
        Self { stop, server, workers, service }
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

    /// Ends it: what is in hand is finished within the drain time, what was taken by then is worked on, and what came to nothing is counted.
    pub async fn stop(self) -> std::io::Result<()> {
        let _ = self.stop.send(true);
        let served = self.server.await.map_err(std::io::Error::other)?;
        self.workers.await.map_err(std::io::Error::other)?;
        self.service.note_strangers(self.service.now()).await;
        self.service.write_counts(true).await;
        self.service.write_reads(true).await;
        served
    }
}
