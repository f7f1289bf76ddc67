//! The edge of the staff API: request ids, bounds on time and addresses, and problem details for every error.
//!
//! Contract: every answer carries `x-request-id`; every answer of 400 and above is a problem; whatever someone known is refused is in the log
//! before they hear of it (invariant 8). Knows nothing about what is asked.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;

use super::App;
use super::authn::case_of;
use super::problem::Failure;
use super::routes::operation;
use crate::base::ids::RequestId;
use crate::domain::access::Operation;
use crate::service::Ask;

/// The longest path with query, in bytes.
pub const MAX_URI: usize = 2_048;

/// Who asks, once that is known.
pub type Known = Arc<OnceLock<Ask>>;

/// Wraps every request, in a task of its own: whoever hangs up early stops nothing halfway and is not left out of the log (invariant 8). The
/// task keeps its place among [`super::MAX_CONCURRENT`] until it is done, and is bounded by the request's time. Whoever hangs up while waiting
/// for a place has asked nothing yet.
pub async fn edge(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = RequestId::parse(&app.service.ports.random.id("req")).ok();
    let response = match tokio::time::timeout(app.request_time, app.places.clone().acquire_owned()).await {
        Ok(Ok(place)) => {
            let serve = serve(app, request, next, id.clone());
            let task = tokio::spawn(async move {
                let response = serve.await;
                drop(place);
                response
            });
            task.await.unwrap_or_else(|_| generic(StatusCode::INTERNAL_SERVER_ERROR).into_response())
        }
        _ => Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The server has more to do than it can take. Try again.").into_response(),
    };
    finished(response, id)
}

/// An answer as it leaves.
fn finished(response: Response, id: Option<RequestId>) -> Response {
    let value = id.as_ref().and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    let mut response = as_problem(response, id);
    if let Some(value) = value {
        response.headers_mut().insert("x-request-id", value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn serve(app: Arc<App>, mut request: Request, next: Next, id: Option<RequestId>) -> Response {
    let known = Known::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(known.clone());
    let asked = Asked::of(&request);
    let (method, route) = (known_method(&asked.method), (!asked.route.is_empty()).then(|| asked.route.clone()));
    let matched = asked.operation.map(Operation::code);
    let started = app.service.ports.clock.monotonic_millis();
    let too_long = request.uri().path_and_query().is_some_and(|p| p.as_str().len() > MAX_URI);
    let response = if too_long {
        Failure::new(StatusCode::URI_TOO_LONG, "uri-too-long", format!("An address has at most {MAX_URI} bytes.")).into_response()
    } else {
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(app.request_time, handled).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => generic(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
            Err(_) => {
                let why = "It took too long. Look whether it happened, and try again.";
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", why).into_response()
            }
        }
    };
    if let Some(failure) = response.extensions().get::<Failure>() {
        app.metrics.refused(failure.0.code());
    }
    if let Some(ask) = known.get().filter(|ask| response.status().is_client_error() && !ask.is_accounted()) {
        told(&app, ask, asked, response.status(), code_of(&response)).await;
    }
    let ended = app.service.ports.clock.monotonic_millis();
    let millis = ended.saturating_sub(started);
    app.metrics.answered(matched, response.status().as_u16(), Duration::from_millis(millis));
    let request_id = id.as_ref().map(RequestId::as_str).unwrap_or_default();
    let refused = response.extensions().get::<Failure>().map(|f| f.0.code());
    let status = response.status().as_u16();
    if known.get().is_some() {
        tracing::info!(request_id, method, route, operation = matched, status, refused, millis, "request");
    } else {
        tracing::debug!(request_id, method, route, operation = matched, status, refused, millis, "request");
        app.unsaid.count(ended).into_iter().for_each(say_unsaid);
    }
    response
}

impl App {
    /// Tells how many requests of nobody known there were in a minute that is over; at the end in any.
    pub(super) fn tell_unsaid(&self, all: bool) {
        let now = if all { u64::MAX } else { self.service.ports.clock.monotonic_millis() };
        self.unsaid.over(now).into_iter().for_each(say_unsaid);
    }
}

fn say_unsaid(requests: u64) {
    tracing::info!(requests, "requests of nobody who is known, within a minute");
}

/// Has what someone known was refused accounted for before they hear of it. A log that takes longer than a request may holds the answer up no
/// further.
async fn told(app: &Arc<App>, ask: &Ask, asked: Asked, status: StatusCode, code: String) {
    let (own, ask) = (app.clone(), ask.clone());
    let written = tokio::spawn(async move { account(&own, &ask, &asked, status, &code).await });
    if tokio::time::timeout(app.request_time, written).await.is_err() {
        tracing::warn!("the log takes longer than a request may; the refusal's entry follows");
    }
}

/// A method as the journal names it: whoever asks may write anything in its place.
pub(super) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn code_of(response: &Response) -> String {
    response.extensions().get::<Failure>().cloned().unwrap_or_else(|| generic(response.status())).0.code().to_owned()
}

/// What was asked, as far as an entry about its refusal tells.
struct Asked {
    method: Method,
    path: String,
    route: String,
    operation: Option<Operation>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned()).unwrap_or_default();
        let operation = operation(request.method(), &route);
        Self { method: request.method().clone(), path: request.uri().path().to_owned(), route, operation }
    }

    /// A write whose refusal says something about what was tried, and not about how it was written down.
    fn tried(&self, status: StatusCode, code: &str) -> bool {
        let write = self.method != Method::GET && self.operation != Some(Operation::RoutePreview);
        write && (matches!(status, StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT) || code == "idempotency-key-reused")
    }
}

/// Has a refusal of someone known in the log that no rule has put there yet: what was stale or in conflict as an entry of its own, what was
/// malformed, too much or not there as a number.
async fn account(app: &App, ask: &Ask, asked: &Asked, status: StatusCode, code: &str) {
    if asked.tried(status, code) {
        let case = case_of(app, &asked.route, &asked.path).await;
        app.service.record_refusal(ask, case, asked.operation.map_or("unknown", Operation::code), code).await;
    } else {
        app.service.count_refusal(ask, code).await;
    }
}

/// Turns whatever refused a request into a problem.
fn as_problem(response: Response, id: Option<RequestId>) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let failure = response.extensions().get::<Failure>().cloned().unwrap_or_else(|| generic(status));
    let mut problem = *failure.0;
    problem.request_id = id;
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let mut out = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
    for name in [header::ALLOW, header::WWW_AUTHENTICATE, header::RETRY_AFTER, header::ETAG] {
        if let Some(value) = response.headers().get(&name) {
            out.headers_mut().insert(name, value.clone());
        }
    }
    out
}

fn generic(status: StatusCode) -> Failure {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not-found", "There is nothing at this address. See /v1/openapi.json."),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "This address does not take that method. See /v1/openapi.json."),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "The body is larger than this address takes."),
        _ => ("failed", "The request could not be served."),
    };
    Failure::new(status, code, detail)
}
