//! What every write has in common: who, `If-Match`, `Idempotency-Key`, a body that is read strictly, and the answer.
//!
//! Contract: missing `If-Match` 428, stale 412; missing key 400, reused for another request 422, in flight 409; a repeated request is
//! answered again and done once. What is kept of an answer is its status, case and version, so no text outlives its erasure.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::App;
use super::authn::Caller;
use super::problem::Failure;
use crate::api::case::CaseDetail;
use crate::base::ids::CaseId;
use crate::base::text::MAX_TEXT;
use crate::base::{Digest, Untrusted};
use crate::domain::case::TextRef;
use crate::domain::command::Command;
use crate::domain::view::CaseView;
use crate::service::{Ask, Done, Once, Service, ServiceError};
use crate::store::KeptAnswer;

/// The longest idempotency key.
const MAX_KEY: usize = 128;

/// A body without anything in it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A write by someone known, with its key and its body.
pub struct Write<T> {
    /// The server.
    pub app: Arc<App>,
    /// Who.
    pub caller: Caller,
    /// The body.
    pub body: T,
    /// The version the caller has seen.
    pub expected: Option<u64>,
    /// Parts of the path.
    pub path: Vec<String>,
    key: String,
    request_sha256: Digest,
}

/// Takes a key while its request is in flight; gives it back when dropped.
pub struct InFlight {
    app: Arc<App>,
    key: (String, String),
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Ok(mut keys) = self.app.in_flight.lock() {
            keys.remove(&self.key);
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequest<Arc<App>> for Write<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let path = Path::<Vec<(String, String)>>::from_request_parts(&mut parts, app).await.map(|p| p.0.into_iter().map(|(_, v)| v).collect());
        let path: Vec<String> = path.unwrap_or_default();
        let key = key(&parts.headers).map_err(IntoResponse::into_response)?;
        let expected = expected(&parts.headers).map_err(IntoResponse::into_response)?;
        let head = format!("{}\0{}\0", parts.method, parts.uri.path());
        let (body, bytes) = take(Request::from_parts(parts, body), app).await.map_err(IntoResponse::into_response)?;
        let mut whole = head.into_bytes();
        whole.extend(&bytes);
        Ok(Self { app: app.clone(), caller, body, expected, path, key, request_sha256: Digest::of(&whole) })
    }
}

/// A question that needs a body, by someone known: it changes nothing, so it takes no key.
pub struct Question<T> {
    /// The server.
    pub app: Arc<App>,
    /// Who.
    pub caller: Caller,
    /// The body.
    pub body: T,
}

impl<T: DeserializeOwned + Send> FromRequest<Arc<App>> for Question<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let (body, _) = take(Request::from_parts(parts, body), app).await.map_err(IntoResponse::into_response)?;
        Ok(Self { app: app.clone(), caller, body })
    }
}

/// Takes the body in, within its bound, and reads it.
async fn take<T: DeserializeOwned>(request: Request, app: &Arc<App>) -> Result<(T, Bytes), Failure> {
    let headers = request.headers().clone();
    let large = || Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("A body has at most {} bytes.", app.max_body));
    let bytes = Bytes::from_request(request, app).await.map_err(|e| match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => large(),
        _ => Failure::invalid("body", "The body broke off."),
    })?;
    Ok((read(&headers, &bytes)?, bytes))
}

/// The key of a write: 1 to 128 visible ASCII characters.
pub fn key(headers: &HeaderMap) -> Result<String, Failure> {
    let missing = || {
        Failure::new(
            StatusCode::BAD_REQUEST,
            "idempotency-key-missing",
            "Every write needs an Idempotency-Key header: a text of your choice, new for each write.",
        )
    };
    let key = headers.get("idempotency-key").ok_or_else(missing)?.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let why = format!("An Idempotency-Key has 1 to {MAX_KEY} visible ASCII characters.");
        return Err(Failure::new(StatusCode::BAD_REQUEST, "idempotency-key-missing", why).at("Idempotency-Key"));
    }
    Ok(key.to_owned())
}

/// The version that `If-Match` names, if it is there.
pub fn expected(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = value.to_str().ok().and_then(|t| t.strip_prefix('"')).and_then(|t| t.strip_suffix('"'));
    tag.and_then(|t| t.parse().ok())
        .map(Some)
        .ok_or_else(|| Failure::invalid("If-Match", "If-Match takes the ETag of the case as it came, e.g. \"7\"."))
}

/// Reads a JSON body; an absent one is `{}`.
pub fn read<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Failure> {
    if bytes.is_empty() {
        return serde_json::from_str("{}").map_err(|e| Failure::invalid("body", format!("The body can't be read: {e}.")));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "Send the body as application/json."));
    }
    // A list would be taken for an object's fields in order.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Failure::invalid("body", "The body is a JSON object."));
    }
    serde_json::from_slice(bytes).map_err(|e| {
        let why = crate::base::text::sanitise(&e.to_string(), false);
        Failure::invalid("body", format!("The body can't be read: {why}."))
    })
}

/// A text within bounds.
pub fn bounded<'a>(field: &str, text: &'a Untrusted) -> Result<&'a Untrusted, Failure> {
    if text.is_blank() || text.len() > MAX_TEXT {
        return Err(Failure::invalid(field, format!("{field}: 1 to {MAX_TEXT} bytes, and not only blanks.")));
    }
    Ok(text)
}

/// A command in the making, with the texts that lie beside it.
pub struct Draft<'a> {
    /// The use cases.
    pub service: &'a Service,
    /// The case.
    pub case: CaseId,
    /// Who asks, with the texts so far.
    pub ask: Ask,
}

impl Draft<'_> {
    /// Keeps a text beside the log and gives the reference to it.
    pub fn text(&mut self, field: &str, text: &Untrusted) -> Result<TextRef, Failure> {
        let (reference, kept) = self.service.text(self.case, bounded(field, text)?)?;
        self.ask.texts.push(kept);
        Ok(reference)
    }

    /// A fresh opaque id.
    pub fn fresh<T: std::str::FromStr<Err = crate::base::ids::IdError>>(&self, prefix: &str) -> Result<T, Failure> {
        Ok(self.service.fresh(prefix)?)
    }
}

impl<T> Write<T> {
    /// A part of the path as an id.
    pub fn part<I: std::str::FromStr>(&self, at: usize, name: &str) -> Result<I, Failure>
    where
        I::Err: std::fmt::Display,
    {
        let text = self.path.get(at).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|e: I::Err| Failure::invalid(name, format!("{name}: {e}.")))
    }

    /// What is kept of the answer under the caller's key.
    pub fn once(&self, status: StatusCode) -> Once {
        Once { principal: self.caller.principal(), key: self.key.clone(), request_sha256: self.request_sha256, status: status.as_u16() }
    }

    /// Takes the key for as long as the request is in hand.
    fn take_key(&self) -> Result<InFlight, Failure> {
        let key = (self.caller.principal(), self.key.clone());
        let fresh = self.app.in_flight.lock().is_ok_and(|mut keys| keys.len() < super::MAX_IN_FLIGHT && keys.insert(key.clone()));
        if fresh {
            return Ok(InFlight { app: self.app.clone(), key });
        }
        let why = "A request with this Idempotency-Key is being worked on. Try again in a moment.";
        Err(Failure::new(StatusCode::CONFLICT, "in-flight", why))
    }

    /// That what was answered under this key was this request.
    fn same(&self, kept: &KeptAnswer) -> Result<(), Failure> {
        if kept.request_sha256 == self.request_sha256 {
            return Ok(());
        }
        let why = "This Idempotency-Key was used for another request. Take a new one.";
        Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", why))
    }

    /// Takes the key; `Some` with the kept status and body if the request was answered before.
    pub async fn begin(&self) -> Result<(InFlight, Option<(u16, serde_json::Value)>), Failure> {
        let flight = self.take_key()?;
        let Some(kept) = self.app.service.store.kept_answer(&flight.key.0, &self.key).await? else { return Ok((flight, None)) };
        self.same(&kept)?;
        Ok((flight, Some((kept.status, serde_json::from_str(&kept.body).unwrap_or_default()))))
    }

    /// Whether a request under this key was answered before.
    pub async fn answered(&self) -> Result<bool, Failure> {
        Ok(self.app.service.store.kept_answer(&self.caller.principal(), &self.key).await?.is_some())
    }

    /// Runs a command on the case of the path, and answers with the case as it then is.
    pub async fn run(self, build: impl FnOnce(&mut Draft<'_>, &T) -> Result<Command, Failure>) -> Result<Response, Failure> {
        let case: CaseId = self.part(0, "id")?;
        let expected = self.expected.ok_or_else(|| {
            Failure::new(StatusCode::PRECONDITION_REQUIRED, "if-match-missing", "Send If-Match with the ETag of the case you have seen.")
        })?;
        let _flight = self.take_key()?;
        let mut ask = self.caller.ask();
        ask.expected = Some(expected);
        ask.once = Some(self.once(StatusCode::OK));
        let mut draft = Draft { service: &self.app.service, case, ask };
        let command = build(&mut draft, &self.body)?;
        let ask = draft.ask;
        let done = match self.app.service.execute(&ask, case, &command).await {
            Ok(done) => Some(done),
            Err(ServiceError::Answered(kept)) => {
                self.same(&kept)?;
                None
            }
            Err(error) => return Err(Failure::from(error).named(&self.app.service).await),
        };
        if !self.caller.opened(&self.app, case).await? {
            // Software may route a case that it may not read (invariant 6): it hears that it was done, at which version, and nothing else.
            let tag = done.map(|d| [(header::ETAG, format!("\"{}\"", d.case.changed))]);
            return Ok(tag.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |tag| (StatusCode::NO_CONTENT, tag).into_response()));
        }
        match done {
            Some(done) => after(&self.app, &self.caller, done, StatusCode::OK).await,
            None => detail(&self.app, &self.caller, case, StatusCode::OK).await,
        }
    }
}

/// A case as the caller sees it, with its ETag.
pub async fn detail(app: &App, caller: &Caller, case: CaseId, status: StatusCode) -> Result<Response, Failure> {
    let view = app.service.look(case, &caller.actor).await?;
    app.service.note_case_read(&caller.actor, &view.case.route.subject).await;
    Ok(answer(&view, status))
}

/// A case as the caller sees it right after something was done to it, with its ETag.
pub async fn after(app: &App, caller: &Caller, done: Done, status: StatusCode) -> Result<Response, Failure> {
    Ok(answer(&app.service.look_after(done, &caller.actor).await?, status))
}

fn answer(view: &CaseView, status: StatusCode) -> Response {
    let body: CaseDetail = view.into();
    let etag = format!("\"{}\"", view.case.changed);
    (status, [(header::ETAG, etag)], Json(body)).into_response()
}
