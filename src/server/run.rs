//! Runs the listeners until told to end.
//!
//! Contract: the listeners are bound by the caller. Requests in hand get the drain time; event streams end at once.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{App, ServerConfig, routes};
use crate::domain::case::Worker;
use crate::domain::event::RegisterEvent;
use crate::service::{Ask, Service};

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
    if config.tls.is_some() {
        return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "TLS listening is not built yet: put a proxy in front of it"));
    }
    let app = App::new(&config, service, shutdown.clone());
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(serve(listeners.staff, routes::router(app.clone()), shutdown.clone()));
    if let Some(listener) = listeners.pages {
        servers.spawn(serve_pages(listener, pages, shutdown.clone()));
    }
    if let Some(listener) = listeners.metrics {
        let router = Router::new().route("/metrics", get(metrics)).with_state(app.clone());
        servers.spawn(serve(listener, router, shutdown.clone()));
    }
    let count = tokio::spawn(strangers(app.clone(), shutdown.clone()));
    let again = tokio::spawn(reassess(app, shutdown.clone()));
    let mut ended = shutdown;
    let _ = ended.wait_for(|ended| *ended).await;
    let drained = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(config.drain, drained).await.is_err() {
        tracing::warn!("requests were still in hand when the drain time was over");
        servers.abort_all();
    }
    let _ = tokio::time::timeout(config.drain, count).await;
    again.abort();
    Ok(())
}

async fn serve(listener: TcpListener, router: Router, mut shutdown: watch::Receiver<bool>) -> std::io::Result<()> {
    let until = async move {
        let _ = shutdown.wait_for(|ended| *ended).await;
    };
    axum::serve(listener, router).with_graceful_shutdown(until).await
}

/// As [`serve`], with the peer's address, by which the pages bound who asks.
async fn serve_pages(listener: TcpListener, router: Router, mut shutdown: watch::Receiver<bool>) -> std::io::Result<()> {
    let until = async move {
        let _ = shutdown.wait_for(|ended| *ended).await;
    };
    axum::serve(listener, router.into_make_service_with_connect_info::<std::net::SocketAddr>()).with_graceful_shutdown(until).await
}

/// One entry a minute about strangers, and one at the end (invariant 8, T35).
async fn strangers(app: Arc<App>, mut shutdown: watch::Receiver<bool>) {
    loop {
        let ended = tokio::time::timeout(Duration::from_mins(1), shutdown.wait_for(|ended| *ended)).await.is_ok();
        let count = app.strangers.swap(0, Ordering::Relaxed);
        if count > 0 {
            let now = app.service.now();
            let minute = chrono::DateTime::from_timestamp(now.timestamp() - now.timestamp().rem_euclid(60), 0).unwrap_or(now);
            app.service.note(&Ask::system(Worker::Notices), RegisterEvent::StrangersRefused { count, minute }).await;
        }
        if ended {
            return;
        }
    }
}

/// Looks at undecided cases at the start, and whenever register or policy changed.
async fn reassess(app: Arc<App>, mut shutdown: watch::Receiver<bool>) {
    loop {
        if let Err(error) = app.service.reassess_all().await {
            tracing::warn!(%error, "undecided cases could not be looked at again");
        }
        tokio::select! {
            () = app.service.reassess_wanted() => {}
            _ = shutdown.wait_for(|ended| *ended) => return,
        }
    }
}

async fn metrics(State(app): State<Arc<App>>) -> String {
    let mut out = String::from("# HELP countersign_requests Answers by class of status.\n# TYPE countersign_requests counter\n");
    for (class, count) in app.metrics.requests.iter().enumerate().skip(1) {
        let _ = writeln!(out, "countersign_requests_total{{class=\"{class}xx\"}} {}", count.load(Ordering::Relaxed));
    }
    if let Ok(counts) = app.service.store.counts(None).await {
        let gauges = [("open_cases", counts.open), ("live_grants", counts.grants), ("held_cases", counts.held), ("log_entries", counts.log)];
        for (name, value) in gauges {
            let _ = writeln!(out, "# TYPE countersign_{name} gauge\ncountersign_{name} {value}");
        }
    }
    out.push_str("# EOF\n");
    out
}
