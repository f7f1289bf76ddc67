//! Handlers: who one is, and subjects for intake.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::App;
use super::authn::Caller;
use super::extract::{Id, Params};
use super::problem::Failure;
use crate::api::lists::{EndpointRow, Entitlement, Me, SubjectPage, SubjectRow};
use crate::base::Untrusted;
use crate::base::ids::SubjectId;
use crate::domain::access;
use crate::domain::case::ActorRef;
use crate::domain::view::{QueueFilter, QueueQuery};

/// The most subjects one search answers with.
const MAX_SUBJECTS: u16 = 50;

#[utoipa::path(get, path = "/v1/me", tag = "me", responses((status = 200, body = Me)))]
pub(super) async fn me(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Failure> {
    let people = app.service.store.people(&caller.person().cloned().into_iter().collect::<Vec<_>>()).await?;
    let name = people.into_values().next().map_or_else(|| Untrusted::from(crate::api::actor_words(&caller.actor.who)), |p| p.name);
    let automation = match &caller.actor.who {
        ActorRef::Automation { automation, .. } => Some(automation.clone()),
        _ => None,
    };
    let body = Me {
        operator: caller.operator().cloned(),
        person: caller.person().cloned(),
        automation,
        name,
        roles: caller.roles.iter().copied().collect(),
        operations: access::allowed(&caller.actor, &caller.roles).into_iter().map(|o| o.code().to_owned()).collect(),
        read_only: caller.actor.read_only,
        expires_at: Some(caller.expires_at),
        server_time: app.service.now(),
    };
    Ok(Json(body).into_response())
}

/// Query of a search for subjects.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Words that name or id hold; 1 to 100 characters.
    #[param(required, min_length = 1, max_length = 100, pattern = r"\S")]
    pub q: String,
}

#[utoipa::path(get, path = "/v1/subjects", tag = "subjects", params(Search), responses((status = 200, body = SubjectPage)))]
pub(super) async fn subjects(State(app): State<Arc<App>>, _caller: Caller, Params(search): Params<Search>) -> Result<Response, Failure> {
    if search.q.trim().is_empty() || search.q.chars().count() > 100 {
        return Err(Failure::invalid("q", "q: 1 to 100 characters, and not only blanks."));
    }
    let mut rows = Vec::new();
    // Marks alone name nobody; the store would take them for no question at all and list the first subjects.
    if !search.q.chars().any(char::is_alphanumeric) {
        return Ok(Json(SubjectPage { rows }).into_response());
    }
    for found in app.service.store.find_subjects(&search.q, MAX_SUBJECTS).await? {
        rows.extend(row(&app, &found.id).await?);
    }
    Ok(Json(SubjectPage { rows }).into_response())
}

#[utoipa::path(get, path = "/v1/subjects/{id}", tag = "subjects", params(("id" = SubjectId, Path)), responses((status = 200, body = SubjectRow)))]
pub(super) async fn subject(State(app): State<Arc<App>>, _caller: Caller, Id(id): Id<SubjectId>) -> Result<Response, Failure> {
    let found = row(&app, &id).await?;
    let missing = || Failure::new(axum::http::StatusCode::NOT_FOUND, "not-found", format!("{id} is not known."));
    Ok(Json(found.ok_or_else(missing)?).into_response())
}

async fn row(app: &App, id: &SubjectId) -> Result<Option<SubjectRow>, Failure> {
    let Some(record) = app.service.store.subject(id).await? else { return Ok(None) };
    let filter = QueueFilter { subject: Some(id.to_string()), ended: Some(false), ..QueueFilter::default() };
    let open = app.service.store.queue(&QueueQuery { filter, limit: MAX_SUBJECTS, ..QueueQuery::default() }).await?;
    let s = record.subject;
    let held = s.entitlements.iter().map(|(t, scopes)| Entitlement { target: t.clone(), scopes: scopes.iter().map(ToString::to_string).collect() });
    let endpoint = |e: &crate::domain::subject::Endpoint| EndpointRow {
        id: e.id.clone(),
        kind: e.kind,
        confirmed_at: e.confirmed_at,
        recorded_at: e.recorded_at,
    };
    Ok(Some(SubjectRow {
        id: s.id.clone(),
        name: s.name.clone(),
        kind: s.kind,
        tier: s.tier,
        open_cases: open.rows.into_iter().map(|r| r.id).collect(),
        entitlements: held.collect(),
        endpoints: s.endpoints.iter().map(endpoint).collect(),
    }))
}
