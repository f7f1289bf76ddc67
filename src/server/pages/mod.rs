//! The requester's and attester's web pages, on a listener of their own.
//!
//! Contract: `GET` changes nothing (T25). What a link leads to is told only to who typed its code: until then every link gives the same bytes
//! in the same time (T24), and whoever asks without one gets one answer, whomever they name. No script runs, nothing is framed, nothing is kept by browsers; forms are small and same-site (T27). Knows the use
//! cases of [`crate::service::requester`] and no others.

mod ask;
mod forms;
mod guard;
mod templates;

pub use ask::AskForm;
pub use forms::{AnswerForm, CodeForm, WordForm};

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tower::limit::GlobalConcurrencyLimitLayer;

pub use super::limit::Rates;

use super::limit;
use super::unsaid::Unsaid;
use crate::service::requester::Requester;

/// The largest form, in bytes.
pub const MAX_FORM: usize = 4 * 1024;
/// Requests worked on at once; further ones wait.
pub const MAX_AT_ONCE: usize = 512;

/// Everyone together, where one address is not told from another.
const EVERYONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What the pages are served with.
pub struct Settings {
    /// Where they are reached from outside, e.g. `https://recover.corp.example`, without a final `/`.
    pub public_url: String,
    /// Name of the organisation, as pages say it.
    pub organisation: String,
    /// No form is answered sooner than this, so that its time says nothing (T24).
    pub floor: Duration,
    /// How often one address may ask.
    pub rates: Rates,
    /// How many persons may ask for themselves in a minute, from all addresses together.
    pub asks: u32,
    /// How many may in a minute from one address, so that a few addresses don't shut out everyone else.
    pub asks_each: u32,
    /// How long one request may take.
    pub request_time: Duration,
}

impl Settings {
    /// Usual settings for a public address.
    pub fn new(public_url: &str, organisation: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            organisation: organisation.to_owned(),
            floor: Duration::from_millis(500),
            rates: Rates::of(240),
            asks: 240,
            asks_each: 6,
            request_time: Duration::from_secs(20),
        }
    }

    fn https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The cookie's name: `__Host-` binds it to this host and to https (T27).
    fn cookie(&self) -> &'static str {
        if self.https() { "__Host-recovery" } else { "recovery" }
    }
}

/// What handlers share.
pub(super) struct Pages {
    requester: Arc<Requester>,
    settings: Settings,
    limits: limit::Limits,
    asking: limit::Limits,
    asking_each: limit::Limits,
    unsaid: Unsaid,
}

impl Pages {
    fn tell_unsaid(&self, until: u64) {
        self.unsaid.over(until).into_iter().for_each(guard::say_unsaid);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.tell_unsaid(u64::MAX);
    }
}

/// Tells of requests of nobody known when their minute is over, not with the next one that comes, whenever that is.
async fn every_minute(pages: Weak<Pages>) {
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    loop {
        minute.tick().await;
        let Some(pages) = pages.upgrade() else { return };
        pages.tell_unsaid(pages.requester.monotonic_millis());
    }
}

/// The pages. Serve with `into_make_service_with_connect_info::<SocketAddr>()`, so that addresses are known.
///
/// What persons ask for themselves is only taken here: [`Requester::run`] works on it. To be called where the runtime is: once a minute it is told
/// how many asked for nothing that leads anywhere.
pub fn router(requester: Arc<Requester>, settings: Settings) -> Router {
    let limits = limit::Limits::new(settings.rates);
    let asking = limit::Limits::new(Rates { looks: 0, forms: settings.asks });
    let asking_each = limit::Limits::new(Rates { looks: 0, forms: settings.asks_each });
    let pages = Arc::new(Pages { requester, settings, limits, asking, asking_each, unsaid: Unsaid::default() });
    tokio::spawn(every_minute(Arc::downgrade(&pages)));
    Router::new()
        .route("/", get(ask::home))
        .route("/ask", get(ask::form).post(ask::ask))
        .route("/style.css", get(forms::style))
        .route("/p/{token}", get(forms::proof).post(forms::prove))
        .route("/p/{token}/not-me", post(forms::not_me_here))
        .route("/a/{token}", get(forms::attestation).post(forms::enter))
        .route("/a/{token}/answer", get(forms::question).post(forms::answer))
        .route("/n/{token}", get(forms::not_me).post(forms::say_not_me))
        .fallback(forms::nowhere)
        .method_not_allowed_fallback(forms::nowhere)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn_with_state(Arc::clone(&pages), guard::guard))
        .layer(GlobalConcurrencyLimitLayer::new(MAX_AT_ONCE))
        .with_state(pages)
}
