//! Proposing another policy.
//!
//! Contract: the text is read with every rule and ceiling before anything is kept; it counts once a second person has approved it (two, where it
//! starts or widens self-service or runbooks) and the delay is over (invariant 17). Until then it lies beside the register under its digest.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::governance::{again, answer};
use super::problem::Failure;
use super::write::Write;
use crate::api::governance as wire;
use crate::base::ids::ProposalId;
use crate::base::text::sanitise;
use crate::domain::command::{Compared, RegisterCommand};
use crate::domain::policy::{Policy, compare};
use crate::service::register::Beside;

/// The most mistakes that an answer lists: all that are looked for.
const MAX_MISTAKES: usize = crate::domain::policy::ceilings::MAX_MISTAKES;
/// How many of them stand in the sentence.
const MAX_TOLD: usize = 3;

#[utoipa::path(post, path = "/v1/register/policy", tag = "register", request_body = wire::ProposePolicy, responses((status = 200, body = wire::RegisterAnswer)))]
pub(super) async fn propose(w: Write<wire::ProposePolicy>) -> Result<Response, Failure> {
    // What was answered before, or is being answered, takes no place from those who wait for such work.
    let (_flight, kept) = w.begin().await?;
    if let Some((_, kept)) = kept {
        return again(&w.app, kept).await;
    }
    let text = w.body.text.clone();
    let read = w.app.compared.work(move || Policy::for_use(&text)).await?;
    let policy = read.map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().take(MAX_MISTAKES).map(|m| sanitise(&m.to_string(), false)).collect();
        let first: Vec<&str> = lines.iter().take(MAX_TOLD).map(String::as_str).collect();
        let mut failure = Failure::meaningless("text", format!("The policy can't be used, for {} reasons: {}", lines.len(), first.join("; ")));
        failure.0.mistakes = lines;
        failure
    })?;
    let current = w.app.service.rules().await?.1;
    let (read, with) = (policy.bundle.clone(), current.sha256);
    let widens_alone = w.app.compared.work(move || compare::widens_alone(&current.bundle, &read)).await?;
    let id: ProposalId = w.app.service.fresh("prp")?;
    let mut ask = w.caller.ask();
    ask.once = Some(w.once(StatusCode::OK));
    let command = RegisterCommand::ProposePolicy { id: id.clone(), policy: policy.sha256, compared: Compared { with, widens_alone } };
    let beside = Beside { policy: Some((policy.sha256, w.body.text.clone())), ..Beside::default() };
    let done = w.app.service.govern(&ask, &command, &beside).await?;
    Ok(Json(answer(&w.app, &done, &id, None).await?).into_response())
}
