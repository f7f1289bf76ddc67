//! What holds for every page: who may ask how often, from which site, and what the browser is told about the answer.
//!
//! Contract: wraps all routes and bounds their time. A form from another site is refused (T27); a form is not answered before the floor (T24). Knows no page.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{HeaderName, ORIGIN, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::limit::Limits;
use super::{Pages, forms};
use crate::server::edge::known_method;

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex, nofollow"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

pub(super) async fn guard(State(pages): State<Arc<Pages>>, request: Request, next: Next) -> Response {
    let arrived = tokio::time::Instant::now();
    let form = request.method() == Method::POST;
    let from = from(request.extensions());
    let now = pages.requester.monotonic_millis();
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned());
    let mut answer = if !pages.limits.allows(from, form, now) {
        pages.requester.stranger();
        let mut answer = forms::message(&pages, StatusCode::TOO_MANY_REQUESTS, "Too many tries", "Wait a minute, then try again.");
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(Limits::wait(now)));
        answer
    } else if form && !same_site(request.headers(), &pages.settings.public_url) {
        pages.requester.stranger();
        let text = "This form was sent from another page. Open the link in your message and try again.";
        forms::message(&pages, StatusCode::FORBIDDEN, "Not from here", text)
    } else {
        tokio::time::timeout(pages.settings.request_time, next.run(request)).await.unwrap_or_else(|_| {
            let text = "Look whether it happened, and try again.";
            forms::message(&pages, StatusCode::SERVICE_UNAVAILABLE, "It took too long", text)
        })
    };
    if form && !pages.settings.floor.is_zero() {
        tokio::time::sleep_until(arrived + pages.settings.floor).await;
    }
    let ended = pages.requester.monotonic_millis();
    let (status, millis) = (answer.status(), ended.saturating_sub(now));
    // A form that was taken is rare and worth a line; anyone can have any number of the others written.
    if form && !status.is_client_error() {
        tracing::info!(method, route, status = status.as_u16(), millis, "page");
    } else {
        tracing::debug!(method, route, status = status.as_u16(), millis, "page");
        pages.unsaid.count(ended).into_iter().for_each(say_unsaid);
    }
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if pages.settings.https() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    answer
}

pub(super) fn say_unsaid(requests: u64) {
    tracing::info!(requests, "pages looked at and forms refused, within a minute");
}

/// The address that asks, as the listener knows it.
pub(super) fn from(about: &Extensions) -> IpAddr {
    about.get::<ConnectInfo<SocketAddr>>().map_or(super::EVERYONE, |c| c.0.ip())
}

/// Whether a form came from a page of ours. Browsers say so in `Sec-Fetch-Site`; the few that don't send `Origin`; programs send neither
/// and carry nobody's cookies.
fn same_site(headers: &HeaderMap, public_url: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == public_url,
        (None, None) => true,
    }
}
