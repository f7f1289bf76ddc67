//! The sample target: a system whose accounts recoveries really change. A process of its own with a state of its own.
//!
//! Contract: takes signed webhooks (`POST /orders`), answers what it holds (`GET /held/<subject>`, signed too), shows itself to people
//! (`GET /`). Its state is one JSON file, written whole before it answers. It verifies by the published specification and shares no
//! code with the side that signs. Accounts can be told to misbehave, so that the other side can be seen to notice.

pub mod state;
pub mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, watch};

use crate::base::ids::SubjectId;
use crate::base::ports::Clock;
use state::{Outcome, World};
use verify::Verifier;

/// The largest order accepted, in bytes.
pub const MAX_ORDER: usize = 64 * 1024;
/// The most connections at once.
pub const MAX_CONNECTIONS: usize = 256;

/// Why the target could not run.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Its state can't be read or written.
    #[error("the target's state {path}: {why}")]
    State {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The secret is not one.
    #[error("the target's secret must look like whsec_ and base64")]
    Secret,
}

/// What a target runs with.
pub struct Settings {
    /// Its state.
    pub state: PathBuf,
    /// The shared secret, `whsec_...`.
    pub secret: String,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// How old a message may be; the specification suggests five minutes.
    pub tolerance: Duration,
}

struct Target {
    world: Mutex<World>,
    path: PathBuf,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
}

/// Drops the connection it belongs to, without an answer.
#[derive(Clone)]
struct HangUp(Arc<Notify>);

/// Runs a target on a listener until `stop` changes.
pub async fn serve(listener: TcpListener, settings: Settings, mut stop: watch::Receiver<bool>) -> Result<(), TargetError> {
    let verifier = Verifier::new(&settings.secret, settings.tolerance).ok_or(TargetError::Secret)?;
    let world = World::read(&settings.state)?;
    let target = Arc::new(Target { world: Mutex::new(world), path: settings.state, verifier, clock: settings.clock });
    let router = Router::new()
        .route("/", get(show))
        .route("/orders", post(order))
        .route("/held/{subject}", get(held))
        .layer(DefaultBodyLimit::max(MAX_ORDER))
        .with_state(target);
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return Ok(()),
        };
        let (Ok((stream, _)), Ok(place)) = (accepted, Arc::clone(&places).acquire_owned().await) else { continue };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, router, stop).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let gate = Arc::new(Notify::new());
    let service = TowerToHyperService::new(router.layer(Extension(HangUp(Arc::clone(&gate)))));
    tokio::select! {
        _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
        () = gate.notified() => {}
        _ = stop.changed() => {}
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": why }))).into_response()
}

/// For people: everything it holds.
async fn show(State(target): State<Arc<Target>>) -> Response {
    let world = target.world.lock().await;
    let text = serde_json::to_string_pretty(&*world).unwrap_or_default();
    ([("content-type", "application/json"), ("cache-control", "no-store")], text).into_response()
}

async fn held(State(target): State<Arc<Target>>, Path(subject): Path<String>, headers: HeaderMap) -> Response {
    let now = target.clock.now();
    if !target.verifier.accepts(&headers, format!("GET /held/{subject}").as_bytes(), now) {
        return refused(StatusCode::UNAUTHORIZED, "the signature is not right");
    }
    let Ok(subject) = SubjectId::parse(&subject) else { return refused(StatusCode::NOT_FOUND, "no such account") };
    let world = target.world.lock().await;
    match world.held(&subject) {
        Some(answer) => axum::Json(answer).into_response(),
        // In words of its own: a 404 that anything on the way could have said is none of the target's.
        None => (StatusCode::NOT_FOUND, axum::Json(serde_json::json!({ "subject": subject, "known": false }))).into_response(),
    }
}

async fn order(State(target): State<Arc<Target>>, Extension(hang_up): Extension<HangUp>, headers: HeaderMap, body: Bytes) -> Response {
    let now = target.clock.now();
    if !target.verifier.accepts(&headers, &body, now) {
        return refused(StatusCode::UNAUTHORIZED, "the signature is not right");
    }
    let Ok(message) = serde_json::from_slice::<state::Message>(&body) else {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "the order can't be read");
    };
    let id = headers.get("webhook-id").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let outcome = {
        let mut world = target.world.lock().await;
        let outcome = world.take(&id, &message);
        if outcome.changed() && world.write(&target.path).is_err() {
            tracing::error!("the target's state could not be written");
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "the state could not be written");
        }
        outcome
    };
    match outcome {
        Outcome::Done { slow } => {
            tokio::time::sleep(slow).await;
            axum::Json(serde_json::json!({ "done": true })).into_response()
        }
        Outcome::HangUp => {
            hang_up.0.notify_one();
            std::future::pending().await
        }
        Outcome::Unavailable => refused(StatusCode::SERVICE_UNAVAILABLE, "not now"),
        Outcome::Refused(why) => refused(StatusCode::CONFLICT, why),
        Outcome::Unknown => refused(StatusCode::NOT_FOUND, "no such account"),
    }
}
