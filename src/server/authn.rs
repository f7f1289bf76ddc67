//! Who asks: the one place where a credential becomes an actor.
//!
//! Contract: a bearer token or 401, the same for every reason. Strangers are counted, one entry a minute (T35). Single sign-on will come
//! here and nowhere else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::edge::Known;
use super::limit::Limits;
use super::problem::Failure;
use super::routes::operation;
use crate::base::Time;
use crate::base::ids::{CaseId, OperatorId, PersonId, RequestId, TokenId};
use crate::domain::access::{self, Operation};
use crate::domain::case::ActorRef;
use crate::domain::command::Actor;
use crate::domain::refusal::Refusal;
use crate::domain::vocabulary::Role;
use crate::service::Ask;
use governor::clock::Clock as _;

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// Roles of the account.
    pub roles: std::collections::BTreeSet<Role>,
    /// What every use case of this request is asked with.
    asked: Ask,
    /// Until when the credential holds.
    pub expires_at: Time,
    /// The credential's public half.
    pub token: TokenId,
}

impl Caller {
    /// The name under which bounds and idempotency keys are kept.
    pub fn principal(&self) -> String {
        match &self.actor.who {
            ActorRef::Operator { operator, .. } => format!("operator:{operator}"),
            ActorRef::Automation { automation, .. } => format!("automation:{automation}"),
            other => format!("{other:?}"),
        }
    }

    /// The account, for an operator.
    pub fn operator(&self) -> Option<&OperatorId> {
        match &self.actor.who {
            ActorRef::Operator { operator, .. } => Some(operator),
            _ => None,
        }
    }

    /// The person, for an operator.
    pub fn person(&self) -> Option<&PersonId> {
        match &self.actor.who {
            ActorRef::Operator { person, .. } => Some(person),
            _ => None,
        }
    }

    /// The person, if this account may decide cases at all.
    pub fn decider(&self) -> Option<&PersonId> {
        self.person().filter(|_| access::may(&self.actor, &self.roles, Operation::CaseDecide).is_ok())
    }

    /// What a use case is asked with.
    pub fn ask(&self) -> Ask {
        self.asked.clone()
    }

    /// Whether this is anyone but software, or the software that opened the case.
    pub async fn opened(&self, app: &App, id: CaseId) -> Result<bool, Failure> {
        let ActorRef::Automation { automation: me, .. } = &self.actor.who else { return Ok(true) };
        let case = app.service.store.case(id).await?;
        Ok(case.is_some_and(|c| matches!(&c.request.opened_by, ActorRef::Automation { automation, .. } if automation == me)))
    }

    /// Software reads the cases it opened, and no others (invariant 6). A refusal is an entry.
    pub async fn own_case(&self, app: &App, id: CaseId) -> Result<(), Failure> {
        if self.opened(app, id).await? {
            return Ok(());
        }
        let refusal = Refusal::NotPermitted { operation: "case_read", needs: "to have opened the case".to_owned() };
        app.service.record_refusal(&self.ask(), Some(id), "case_read", refusal.code()).await;
        Err(refusal.into())
    }

    /// Asks the access table; an address without an operation is nobody's. A refusal is an entry.
    async fn may(&self, app: &App, parts: &mut Parts) -> Result<(), Failure> {
        let path = parts.extensions.get::<MatchedPath>().map(|p| p.as_str().to_owned()).unwrap_or_default();
        let Some(operation) = operation(&parts.method, &path) else {
            return Err(Failure::new(StatusCode::FORBIDDEN, "not-permitted", "This address is nobody's."));
        };
        // A person who tries to decide is told of every duty in the way before the role that is missing: that is the domain's answer.
        if operation == Operation::CaseDecide && self.operator().is_some() {
            return Ok(());
        }
        let Err(refusal) = access::may(&self.actor, &self.roles, operation) else { return Ok(()) };
        let case = case_of(app, &path, parts.uri.path()).await;
        app.service.record_refusal(&self.ask(), case, operation.code(), refusal.code()).await;
        Err(refusal.into())
    }
}

/// The case that an address is about, if there is such a case.
pub(super) async fn case_of(app: &App, route: &str, path: &str) -> Option<CaseId> {
    route.strip_prefix("/v1/cases/{id}")?;
    let id = path.split('/').nth(3)?.parse().ok()?;
    app.service.store.case(id).await.ok().flatten().map(|c| c.id)
}

/// A refusal that says when to come back.
pub(super) fn later(failure: Failure, seconds: u64) -> Response {
    let mut response = failure.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// Counts someone without a good token against their address; the refusal, if a minute holds no more of them. Whoever shows a good token is
/// not counted, so that one host behind a shared address locks nobody out.
pub(super) fn outsider(app: &App, extensions: &Extensions) -> Option<Response> {
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
    let now = app.service.ports.clock.monotonic_millis();
    if app.outsiders.allows(from, false, now) {
        return None;
    }
    let why = "Too many requests without a valid token came from your address. Wait a minute and try again.";
    Some(later(Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", why), Limits::wait(now)))
}

/// The answer to everyone who is not known.
fn unknown(app: &App, parts: &Parts) -> Response {
    app.service.stranger();
    if let Some(refused) = outsider(app, &parts.extensions) {
        return refused;
    }
    let mut response = Failure::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Sign in with a valid token.").into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// What follows the scheme `Bearer`, in whatever case it is written (RFC 9110 §11.1).
fn credential(header: &str) -> Option<&str> {
    header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, credential)| credential)
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let presented = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(credential);
        let Some(presented) = presented else { return Err(unknown(app, parts)) };
        let signed_in = app.service.authenticate(presented.trim()).await.map_err(|e| Failure::from(e).into_response())?;
        let Some(signed_in) = signed_in else { return Err(unknown(app, parts)) };
        let request = parts.extensions.get::<Option<RequestId>>().cloned().flatten();
        let asked = Ask::by(signed_in.actor.clone()).in_request(request);
        let caller = Self { actor: signed_in.actor, roles: signed_in.roles, asked, expires_at: signed_in.expires_at, token: signed_in.token };
        if let Some(known) = parts.extensions.get::<Known>() {
            // What follows is answered to someone known: the edge sees to it that a refusal is in the log.
            drop(known.set(caller.ask()));
        }
        if let Err(early) = app.rates.check_key(&caller.principal()) {
            let wait = early.wait_time_from(app.rates.clock().now()).as_secs() + 1;
            let why = format!("Too many requests. Wait {wait} s and try again.");
            return Err(later(Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", why), wait));
        }
        caller.may(app, parts).await.map_err(IntoResponse::into_response)?;
        Ok(caller)
    }
}
