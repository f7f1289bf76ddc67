//! Handlers on temporary access: what lives, and ending it.
//!
//! Contract: each turns a request into one use case and its result into an answer; no rules here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::App;
use super::authn::Caller;
use super::extract::Params;
use super::problem::Failure;
use super::write::Write;
use crate::api::case::CaseDetail;
use crate::api::filter;
use crate::api::lists::{GrantPage, GrantParams, GrantRow};
use crate::api::requests as body;
use crate::base::ids::{CaseId, GrantId};
use crate::domain::access::{self, Operation};
use crate::domain::command::Command;
use crate::domain::view::{GrantQuery, MAX_PAGE};

#[utoipa::path(get, path = "/v1/grants", tag = "grants", params(GrantParams), responses((status = 200, body = GrantPage)))]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, Params(params): Params<GrantParams>) -> Result<Response, Failure> {
    let limit = params.limit.unwrap_or(50);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Failure::invalid("limit", format!("limit is 1 to {MAX_PAGE}.")));
    }
    let live = match params.state.as_deref() {
        None | Some("live") => true,
        Some("all") => false,
        Some(_) => return Err(Failure::invalid("state", "state is live or all.")),
    };
    let after = params.after.as_deref().map(filter::parse_cursor).transpose()?;
    let page = app.service.store.grants(&GrantQuery { live, after, limit }).await?;
    // What stands in the way of revoking is the rules' word: first of the account, then of the grant.
    let barred = access::may(&caller.actor, &caller.roles, Operation::GrantRevoke).err();
    let seen = |row: crate::domain::view::GrantRow| {
        let refused = barred.clone().or_else(|| row.grant.revocable().err());
        GrantRow::seen(row, refused.as_ref())
    };
    Ok(Json(GrantPage { rows: page.rows.into_iter().map(seen).collect(), after: page.after.map(filter::cursor) }).into_response())
}

#[utoipa::path(post, path = "/v1/cases/{id}/grants/{grant}/revoke", tag = "grants", params(("id" = CaseId, Path), ("grant" = GrantId, Path)), request_body = body::Text, responses((status = 200, body = CaseDetail)))]
pub(super) async fn revoke(w: Write<body::Text>) -> Result<Response, Failure> {
    let grant = w.part(1, "grant")?;
    w.run(|d, b| Ok(Command::RevokeGrant { grant, reason: Some(d.text("text", &b.text)?) })).await
}
