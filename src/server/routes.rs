//! The router on one page, and which operation of the access table each address is.
//!
//! Contract: an address without a row here is nobody's. The document at `/v1/openapi.json` is made from the same handlers.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Extensions, Method, header};
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, authn, cases, edge, events, governance, grants, me, propose};
use crate::domain::access::Operation;

#[derive(OpenApi)]
#[openapi(info(
    title = "Countersign",
    description = "Access recovery in which whoever routes a case never decides it.",
    license(name = "Apache-2.0")
))]
struct Document;

/// Method, address, operation.
pub const OPERATIONS: &[(&str, &str, Operation)] = &[
    ("GET", "/v1/me", Operation::Me),
    ("GET", "/v1/counts", Operation::Counts),
    ("GET", "/v1/grants", Operation::GrantList),
    ("GET", "/v1/cases", Operation::QueueList),
    ("POST", "/v1/cases", Operation::CaseOpen),
    ("POST", "/v1/cases/route-preview", Operation::RoutePreview),
    ("GET", "/v1/cases/{id}", Operation::CaseRead),
    ("GET", "/v1/cases/{id}/timeline", Operation::CaseTimeline),
    ("GET", "/v1/cases/{id}/statement", Operation::StatementRead),
    ("GET", "/v1/cases/{id}/policy", Operation::PolicyExplain),
    ("GET", "/v1/cases/{id}/assignable", Operation::CaseAssignable),
    ("POST", "/v1/queue/take-next", Operation::TakeNext),
    ("POST", "/v1/cases/{id}/triage", Operation::CaseTriage),
    ("POST", "/v1/cases/{id}/no-change", Operation::CaseNoChange),
    ("POST", "/v1/cases/{id}/route", Operation::CaseRoute),
    ("POST", "/v1/cases/{id}/assign", Operation::CaseAssign),
    ("POST", "/v1/cases/{id}/handover", Operation::CaseHandover),
    ("POST", "/v1/cases/{id}/comments", Operation::CaseComment),
    ("POST", "/v1/cases/{id}/evidence", Operation::CaseEvidence),
    ("POST", "/v1/cases/{id}/telemetry", Operation::CaseTelemetry),
    ("POST", "/v1/cases/{id}/proofs", Operation::ProofStart),
    ("POST", "/v1/cases/{id}/seal", Operation::CaseSeal),
    ("POST", "/v1/cases/{id}/reopen", Operation::CaseReopen),
    ("POST", "/v1/cases/{id}/decisions", Operation::CaseDecide),
    ("POST", "/v1/cases/{id}/take-back", Operation::ApprovalTakeBack),
    ("POST", "/v1/cases/{id}/withdraw", Operation::CaseWithdraw),
    ("POST", "/v1/cases/{id}/hold", Operation::CaseHold),
    ("POST", "/v1/cases/{id}/lift-hold", Operation::CaseLiftHold),
    ("POST", "/v1/cases/{id}/flags", Operation::CaseFlag),
    ("POST", "/v1/cases/{id}/reviews", Operation::CaseReview),
    ("POST", "/v1/cases/{id}/close", Operation::CaseClose),
    ("POST", "/v1/cases/{id}/retry", Operation::CaseRetry),
    ("POST", "/v1/cases/{id}/roll-back", Operation::CaseRollBack),
    ("POST", "/v1/cases/{id}/grants/{grant}/revoke", Operation::GrantRevoke),
    ("GET", "/v1/subjects", Operation::SubjectFind),
    ("GET", "/v1/subjects/{id}", Operation::SubjectRead),
    ("GET", "/v1/events", Operation::Events),
    ("GET", "/v1/policy", Operation::PolicyRead),
    ("GET", "/v1/log", Operation::LogRead),
    ("GET", "/v1/register", Operation::RegisterRead),
    ("GET", "/v1/register/proposals/{id}", Operation::RegisterRead),
    ("POST", "/v1/register/changes", Operation::RegisterChange),
    ("POST", "/v1/register/policy", Operation::RegisterChange),
    ("POST", "/v1/register/proposals/{id}/approve", Operation::ProposalApprove),
    ("POST", "/v1/register/proposals/{id}/end", Operation::ProposalEnd),
    ("POST", "/v1/register/tokens", Operation::TokenIssue),
    ("POST", "/v1/register/tokens/{id}/revoke", Operation::TokenRevoke),
];

/// The operation of an address.
pub fn operation(method: &Method, path: &str) -> Option<Operation> {
    OPERATIONS.iter().find(|(m, p, _)| *m == method.as_str() && *p == path).map(|(.., operation)| *operation)
}

fn documented() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(me::me))
        .routes(routes!(cases::list, cases::open))
        .routes(routes!(cases::counts))
        .routes(routes!(cases::preview))
        .routes(routes!(cases::one))
        .routes(routes!(cases::timeline))
        .routes(routes!(cases::statement))
        .routes(routes!(cases::policy))
        .routes(routes!(cases::assignable))
        .routes(routes!(cases::take_next))
        .routes(routes!(cases::triage))
        .routes(routes!(cases::no_change))
        .routes(routes!(cases::reroute))
        .routes(routes!(cases::assign))
        .routes(routes!(cases::handover))
        .routes(routes!(cases::comment))
        .routes(routes!(cases::evidence))
        .routes(routes!(cases::telemetry))
        .routes(routes!(cases::prove))
        .routes(routes!(cases::seal))
        .routes(routes!(cases::reopen))
        .routes(routes!(cases::decide))
        .routes(routes!(cases::take_back))
        .routes(routes!(cases::withdraw))
        .routes(routes!(cases::hold))
        .routes(routes!(cases::lift_hold))
        .routes(routes!(cases::flag))
        .routes(routes!(cases::review))
        .routes(routes!(cases::close))
        .routes(routes!(cases::retry))
        .routes(routes!(cases::roll_back))
        .routes(routes!(grants::list))
        .routes(routes!(grants::revoke))
        .routes(routes!(me::subjects))
        .routes(routes!(me::subject))
        .routes(routes!(events::events))
        .routes(routes!(governance::policy))
        .routes(routes!(governance::log))
        .routes(routes!(governance::register,))
        .routes(routes!(governance::proposal))
        .routes(routes!(governance::change))
        .routes(routes!(propose::propose))
        .routes(routes!(governance::approve))
        .routes(routes!(governance::end))
        .routes(routes!(governance::issue))
        .routes(routes!(governance::revoke))
}

/// The staff API.
pub fn router(app: Arc<App>) -> Router {
    let (router, document) = documented().split_for_parts();
    let document = Bytes::from(super::document::complete(document).to_json().unwrap_or_default());
    let openapi = move |State(app): State<Arc<App>>, extensions: Extensions| async move {
        match authn::outsider(&app, &extensions) {
            None => ([(header::CONTENT_TYPE, "application/json")], document).into_response(),
            Some(refused) => refused,
        }
    };
    router
        .route("/v1/openapi.json", get(openapi))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .layer(DefaultBodyLimit::max(app.max_body))
        .layer(axum::middleware::from_fn_with_state(app.clone(), edge::edge))
        .with_state(app)
}

async fn ready(State(app): State<Arc<App>>) -> axum::response::Response {
    match app.service.rules().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => super::problem::Failure::from(error).into_response(),
    }
}
