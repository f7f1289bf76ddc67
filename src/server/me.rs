//! Handlers: who one is, and subjects for intake.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use super::authn::{Caller, later};
use super::extract::{Id, Params};
use super::problem::Failure;
use crate::api::lists::{EndpointRow, Entitlement, FormerRow, Me, SubjectFound, SubjectPage, SubjectRow};
use crate::base::Untrusted;
use crate::base::ids::SubjectId;
use crate::domain::access;
use crate::domain::case::ActorRef;
use crate::domain::history::Former;
use crate::domain::view::{QueueFilter, QueueQuery};
use crate::service::reads::{FINDS_PER_MINUTE, RECORDS_PER_MINUTE};
use crate::store::SubjectRecord;

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
pub(super) async fn subjects(State(app): State<Arc<App>>, caller: Caller, Params(search): Params<Search>) -> Result<Response, Failure> {
    if search.q.trim().is_empty() || search.q.chars().count() > 100 {
        return Err(Failure::invalid("q", "q: 1 to 100 characters, and not only blanks."));
    }
    let mut rows = Vec::new();
    // Marks alone name nobody; the store would take them for no question at all and list the first subjects.
    if !search.q.chars().any(char::is_alphanumeric) {
        return Ok(Json(SubjectPage { rows }).into_response());
    }
    let found = match app.service.find_subjects(&caller.actor, &search.q, MAX_SUBJECTS).await? {
        Ok(found) => found,
        Err(wait) => return Ok(too_often(wait, "search for", FINDS_PER_MINUTE)),
    };
    rows.extend(found.into_iter().map(|s| SubjectFound { id: s.id, name: s.name, kind: s.kind, tier: s.tier, open_cases: s.open_cases }));
    Ok(Json(SubjectPage { rows }).into_response())
}

#[utoipa::path(get, path = "/v1/subjects/{id}", tag = "subjects", params(("id" = SubjectId, Path)), responses((status = 200, body = SubjectRow)))]
pub(super) async fn subject(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<SubjectId>) -> Result<Response, Failure> {
    let read = match app.service.read_subject(&caller.ask(), &id).await? {
        Ok(read) => read,
        Err(wait) => return Ok(too_often(wait, "read", RECORDS_PER_MINUTE)),
    };
    let missing = || Failure::new(StatusCode::NOT_FOUND, "not-found", format!("{id} is not known."));
    Ok(Json(row(&app, read.ok_or_else(missing)?).await?).into_response())
}

/// Records of subjects are read and looked for within bounds.
pub(super) fn too_often(wait: u64, what: &str, most: u32) -> Response {
    let why = format!("You may {what} subjects at most {most} times a minute. Wait {wait} s and try again.");
    later(Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", why), wait)
}

async fn row(app: &App, record: SubjectRecord) -> Result<SubjectRow, Failure> {
    let id = &record.subject.id;
    let filter = QueueFilter { subject: Some(id.to_string()), ended: Some(false), ..QueueFilter::default() };
    let open = app.service.store.queue(&QueueQuery { filter, limit: MAX_SUBJECTS, ..QueueQuery::default() }).await?;
    let s = record.subject;
    let since = |t| s.history.scopes.get(t).into_iter().flatten().map(|(scope, at)| (scope.to_string(), *at)).collect();
    let held = s.entitlements.iter().map(|(t, scopes)| Entitlement {
        target: t.clone(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        since: since(t),
    });
    let endpoint = |e: &crate::domain::subject::Endpoint| EndpointRow {
        id: e.id.clone(),
        kind: e.kind,
        confirmed_at: e.confirmed_at,
        recorded_at: e.recorded_at,
    };
    Ok(SubjectRow {
        id: s.id.clone(),
        name: s.name.clone(),
        kind: s.kind,
        tier: s.tier,
        open_cases: open.rows.into_iter().map(|r| r.id).collect(),
        entitlements: held.collect(),
        endpoints: s.endpoints.iter().map(endpoint).collect(),
        former: s.history.former.iter().map(former).collect(),
    })
}

fn former(was: &Former) -> FormerRow {
    let owned = if was.owner_known { "" } else { ", no owner known" };
    let (kind, tier, ial, aal) = (was.kind.label(), was.tier.label(), was.ial.label(), was.aal.label());
    let facts = format!("{kind}, {tier} tier, {ial}/{aal}, recorded in {}, {}{owned}", was.inventory.label(), was.environment.label());
    FormerRow { facts, until: was.until }
}
