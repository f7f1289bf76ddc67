//! Runs the listeners until told to end.
//!
//! Contract: the listeners are bound by the caller. Requests in hand get the drain time; event streams end at once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::listen::{How, serve};
use super::tls::Certificates;
use super::{App, ServerConfig, routes};
use crate::base::Time;
use crate::service::Service;

/// The longest that writing the counts of the last minute is waited for at the end.
pub(super) const COUNTS: Duration = Duration::from_secs(5);

/// Listeners, bound before the server starts.
pub struct Listeners {
    /// The staff API.
    pub staff: TcpListener,
    /// The requester's pages.
    pub pages: Option<TcpListener>,
    /// Metrics.
    pub metrics: Option<TcpListener>,
}

/// Serves until `shutdown` becomes true, then drains.
pub async fn run(
    config: ServerConfig,
    service: Arc<Service>,
    pages: Router,
    listeners: Listeners,
    shutdown: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let certificates = config.tls.as_ref().map(|(certificate, key)| Certificates::load(certificate, key)).transpose()?;
    let tls = certificates.as_ref().map(Certificates::acceptor).transpose()?;
    let ServerConfig { connections, connections_each, silence, trusted_proxy, .. } = config;
    let outside = How { tls, connections, connections_each, silence, trusted_proxy };
    let inside = How { tls: None, ..outside.clone() };
    let app = App::new(&config, service, shutdown.clone());
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(serve(listeners.staff, routes::router(app.clone()), outside.clone(), shutdown.clone()));
    if let Some(listener) = listeners.pages {
        servers.spawn(serve(listener, pages, outside, shutdown.clone()));
    }
    let fresh = certificates.map(|c| tokio::spawn(c.watch(shutdown.clone())));
    if let Some(listener) = listeners.metrics {
        let router = Router::new().route("/metrics", get(metrics)).with_state(app.clone());
        servers.spawn(serve(listener, router, inside, shutdown.clone()));
    }
    let count = tokio::spawn(every_minute(app.clone(), shutdown.clone()));
    let mut ended = shutdown;
    let _ = ended.wait_for(|ended| *ended).await;
    let drained = async {
        while servers.join_next().await.is_some() {}
        // Those whose client has left are in nobody's hand but ours.
        app.idle().await;
    };
    if tokio::time::timeout(config.drain, drained).await.is_err() {
        tracing::warn!("requests were still in hand when the drain time was over");
        servers.abort_all();
    }
    let last = async {
        let _ = count.await;
        write_counts(&app.service, app.service.now(), true).await;
    };
    if tokio::time::timeout(COUNTS, last).await.is_err() {
        tracing::error!("what was refused in the last minute could not be written to the log");
    }
    app.tell_unsaid(true);
    if let Some(fresh) = fresh {
        fresh.abort();
    }
    Ok(())
}

/// What is written once a minute, when it is over (invariant 8, T35).
async fn every_minute(app: Arc<App>, mut shutdown: watch::Receiver<bool>) {
    loop {
        let minute = app.service.now();
        // By the server's clock, and never longer than a minute, whatever that clock does.
        let left = 60 - minute.timestamp().rem_euclid(60);
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(60));
        if tokio::time::timeout(left, shutdown.wait_for(|ended| *ended)).await.is_ok() {
            return;
        }
        app.tell_unsaid(false);
        write_counts(&app.service, minute, false).await;
    }
}

/// One entry about strangers, and one about each of those known who were refused what has no entry of its own.
pub(super) async fn write_counts(service: &Service, at: Time, all: bool) {
    service.note_strangers(at).await;
    service.write_counts(all).await;
    service.write_reads(all).await;
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let counts = app.service.store.counts(None).await.ok();
    let outbox = app.service.store.outbox_depth(app.service.now()).await.ok();
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.text(counts, outbox))
}
