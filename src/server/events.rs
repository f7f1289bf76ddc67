//! Server-sent events: every committed change, with resume by `Last-Event-ID`.
//!
//! Contract: a stream that is resumed tells what was missed in the order of the log, each under the last entry of what it tells, so that it can be
//! resumed from any of them. One that missed more than [`MAX_RESUME`] entries, or comes from beyond the log's end (a restored server), says so
//! (`lagged`) and the client loads again. Streams end at
//! shutdown, so none stalls it, and with the credential that opened them; they are bounded per principal and altogether.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::broadcast::error::RecvError;

use super::App;
use super::authn::Caller;
use super::problem::Failure;
use crate::api::lists::Announcement;
use crate::domain::event::Body;
use crate::store;

/// Streams that one principal may hold at once.
pub const MAX_STREAMS: usize = 8;
/// How often a stream on which nothing happens shows that the server lives; clients give one up that is silent for 35 s.
const SIGN_OF_LIFE: std::time::Duration = std::time::Duration::from_secs(15);
/// Entries that a resumed stream catches up with; beyond, it is told that it lagged.
pub const MAX_RESUME: u16 = 1_000;

/// One of a principal's streams; given back when it ends.
struct Slot {
    app: Arc<App>,
    principal: String,
}

impl Slot {
    fn take(app: &Arc<App>, principal: String) -> Result<Self, Failure> {
        let mut streams = app.streams.lock().map_err(|_| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "failed", "Try again."))?;
        let full = |why: String| Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, "limit", why));
        if streams.values().sum::<usize>() >= app.max_streams {
            return full("The server has as many event streams open as it may. Ask for the queue from time to time instead.".to_owned());
        }
        let open = streams.entry(principal.clone()).or_insert(0);
        if *open >= MAX_STREAMS {
            return full(format!("Open event streams are limited to {MAX_STREAMS}."));
        }
        *open += 1;
        Ok(Self { app: app.clone(), principal })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Ok(mut streams) = self.app.streams.lock() else { return };
        if let Some(open) = streams.get_mut(&self.principal) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.principal);
            }
        }
    }
}

fn event(seq: u64, announcement: &Announcement) -> Event {
    let name = match announcement {
        Announcement::Case { .. } => "case",
        Announcement::Register => "register",
        Announcement::Lagged => "lagged",
    };
    Event::default().id(seq.to_string()).event(name).data(text(announcement))
}

fn text(announcement: &Announcement) -> String {
    serde_json::to_string(announcement).unwrap_or_default()
}

/// A change as it is told: put into words once, however many listen.
fn announce(a: &store::Announcement) -> Event {
    let (name, row) = a.row.as_ref().map_or(("register", None), |row| ("case", Some(row)));
    let words = || row.map_or(Announcement::Register, |row| Announcement::Case { row: Box::new(row.clone().into()) });
    let told = a.told.get_or_init(|| text(&words()).into());
    Event::default().id(a.seq.to_string()).event(name).data(&**told)
}

/// What a returning client missed.
async fn missed(app: &App, last: u64) -> Result<Vec<Event>, Failure> {
    let (size, _) = app.service.store.head().await?;
    let head = size.saturating_sub(1);
    if last == head {
        return Ok(Vec::new());
    }
    if last > head || head - last > u64::from(MAX_RESUME) {
        return Ok(vec![event(head, &Announcement::Lagged)]);
    }
    // By case, and for the register by none.
    let mut moved = BTreeMap::new();
    for entry in app.service.store.entries(last + 1, MAX_RESUME).await? {
        let what = match entry.body {
            Body::Case { case, .. } => Some(case),
            Body::Register { .. } => None,
        };
        moved.insert(what, entry.seq);
    }
    let mut moved: Vec<_> = moved.into_iter().map(|(what, seq)| (seq, what)).collect();
    moved.sort_unstable();
    let mut out = Vec::new();
    for (seq, what) in moved {
        let told = match what {
            None => Some(Announcement::Register),
            Some(case) => app.service.store.row(case).await?.map(|row| Announcement::Case { row: Box::new(row.into()) }),
        };
        out.extend(told.map(|told| event(seq, &told)));
    }
    Ok(out)
}

#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen: what was missed since comes first.")),
    responses((status = 200, content_type = "text/event-stream", body = Announcement, description = "Server-sent events without end: `event` is \
        case, register or lagged, `id` the number of the log's entry, and the data of each one such object.")))]
pub(super) async fn events(State(app): State<Arc<App>>, caller: Caller, headers: HeaderMap) -> Result<Response, Failure> {
    let last = match headers.get("last-event-id") {
        None => None,
        Some(value) => {
            let seq: Option<u64> = value.to_str().ok().and_then(|v| v.parse().ok());
            Some(seq.ok_or_else(|| Failure::invalid("Last-Event-ID", "Last-Event-ID is the id of the last event you saw."))?)
        }
    };
    let slot = Slot::take(&app, caller.principal())?;
    // Listening begins before the log is read, so that nothing falls between; a row sent twice does no harm.
    let receiver = app.service.store.announcements();
    let before = match last {
        Some(last) => missed(&app, last).await?,
        None => Vec::new(),
    };
    let mut ended = app.shutdown.clone();
    let over = (caller.expires_at - app.service.now()).to_std().unwrap_or_default();
    let live = stream::unfold((receiver, slot, caller.token), |(mut receiver, slot, token)| async move {
        let (told, look) = match receiver.recv().await {
            Ok(a) => (announce(&a), a.row.is_none()),
            Err(RecvError::Lagged(_)) => (Event::default().event("lagged").data(r#"{"kind":"lagged"}"#), true),
            Err(RecvError::Closed) => return None,
        };
        // Whatever ends a credential is a change of the register: a revoked token, a disabled account.
        if look && !slot.app.service.still_good(&token).await.unwrap_or(false) {
            return None;
        }
        Some((told, (receiver, slot, token)))
    });
    let until = async move {
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => {}
            () = tokio::time::sleep(over) => {}
        }
    };
    let all = stream::iter(before).chain(live).take_until(Box::pin(until)).map(Ok::<_, Infallible>);
    Ok(Sse::new(all).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response())
}
