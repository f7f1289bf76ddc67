//! Handlers on cases.
//!
//! Contract: each turns a request into one use case and its result into an answer; no rules here.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::authn::Caller;
use super::extract::{Id, Params};
use super::problem::Failure;
use super::write::{Nothing, Question, Write, after, bounded, detail};
use crate::api::case::{CaseDetail, RoutePreview, Statement};
use crate::api::filter::{self, Asker};
use crate::api::governance::PolicyExplained;
use crate::api::lists::{Assignable, Counts, LogEntry, LogPage, QueuePage, QueueParams, persons_in};
use crate::api::requests as body;
use crate::base::ids::{CaseId, PersonId};
use crate::domain::case::{Requester, Route, Signature};
use crate::domain::command::{Command, Decide};
use crate::domain::refusal::Refusal;
use crate::domain::view::{From as Start, MAX_PAGE, QueueQuery, Sort};
use crate::domain::vocabulary::{Decision, HoldSource};
use crate::service::ServiceError;
use crate::service::open::NewCase;
use crate::service::reads::RECORDS_PER_MINUTE;
use crate::service::told::Told;

type Answer = Result<Response, Failure>;

fn asker(caller: &Caller) -> Asker {
    Asker { operator: caller.operator().cloned(), person: caller.person().cloned() }
}

fn query(params: &QueueParams, caller: &Caller, app: &App) -> Result<QueueQuery, Failure> {
    let limit = params.limit.unwrap_or(50);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Failure::invalid("limit", format!("limit is 1 to {MAX_PAGE}.")));
    }
    let from = match (params.after.as_deref(), params.before.as_deref()) {
        (None, None) => None,
        (Some(after), None) => Some(Start::After(filter::parse_cursor(after)?)),
        (None, Some("end")) => Some(Start::End),
        (None, Some(before)) => Some(Start::Before(filter::parse_cursor(before)?)),
        (Some(_), Some(_)) => return Err(Failure::meaningless("after", "Give after or before, not both.")),
    };
    let filter = filter::parse(params.filter.as_deref().unwrap_or_default(), &asker(caller), app.service.now())?;
    let sort = filter::sort(params.sort.as_deref()).map_err(|e| Failure::invalid("sort", e.to_string()))?;
    Ok(QueueQuery { filter, sort, from, limit })
}

#[utoipa::path(get, path = "/v1/cases", tag = "cases", params(QueueParams), responses((status = 200, body = QueuePage)))]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, Params(params): Params<QueueParams>) -> Answer {
    let page = app.service.store.queue(&query(&params, &caller, &app)?).await?;
    Ok(Json(QueuePage::from(page)).into_response())
}

#[utoipa::path(get, path = "/v1/counts", tag = "cases", responses((status = 200, body = Counts)))]
pub(super) async fn counts(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let proposals = app.service.could_approve(&caller.actor.who).await?;
    Ok(Json(crate::api::counts(app.service.store.counts(caller.decider()).await?, proposals)).into_response())
}

#[utoipa::path(get, path = "/v1/cases/{id}", tag = "cases", params(("id" = CaseId, Path)), responses((status = 200, body = CaseDetail)))]
pub(super) async fn one(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<CaseId>) -> Answer {
    caller.own_case(&app, id).await?;
    detail(&app, &caller, id, StatusCode::OK).await
}

#[utoipa::path(get, path = "/v1/cases/{id}/policy", tag = "cases", params(("id" = CaseId, Path)), responses((status = 200, body = PolicyExplained)))]
pub(super) async fn policy(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<CaseId>) -> Answer {
    Ok(Json(crate::api::explain(&app.service.look(id, &caller.actor).await?)).into_response())
}

#[utoipa::path(get, path = "/v1/cases/{id}/assignable", tag = "cases", params(("id" = CaseId, Path)), responses((status = 200, body = Assignable)))]
pub(super) async fn assignable(State(app): State<Arc<App>>, _caller: Caller, Id(id): Id<CaseId>) -> Answer {
    Ok(Json(Assignable::from(app.service.assignable(id).await?)).into_response())
}

/// Query of a timeline or the log.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Go on after this place.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub after: Option<u64>,
    /// Entries, 1 to 200; default 100.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
}

impl After {
    /// The largest place: an integer that every JSON reader holds exactly (RFC 8785 §3.2.2.3).
    const MAX_PLACE: u64 = (1 << 53) - 1;

    pub(super) fn after(&self) -> Result<Option<u64>, Failure> {
        let too_far = self.after.is_some_and(|after| after > Self::MAX_PLACE);
        if too_far { Err(Failure::invalid("after", format!("after is at most {}.", Self::MAX_PLACE))) } else { Ok(self.after) }
    }

    pub(super) fn limit(&self) -> Result<u16, Failure> {
        let limit = self.limit.unwrap_or(100);
        if (1..=MAX_PAGE).contains(&limit) { Ok(limit) } else { Err(Failure::invalid("limit", format!("limit is 1 to {MAX_PAGE}."))) }
    }
}

/// A page of entries, with their texts as far as they were told, and the names of those they tell of.
pub(super) async fn log_page(app: &App, caller: &Caller, told: &[Told], after: Option<u64>) -> Result<LogPage, Failure> {
    let entries: Vec<LogEntry> = told.iter().map(|t| LogEntry { text: t.text.clone(), ..LogEntry::from(&t.entry) }).collect();
    let ids: std::collections::BTreeSet<PersonId> =
        entries.iter().flat_map(|e| persons_in(&e.summary).chain(persons_in(&e.actor))).filter_map(|id| id.parse().ok()).collect();
    let names = app.service.names(ids, &caller.actor).await?;
    let (size, root) = app.service.store.head().await?;
    Ok(LogPage { entries, after, size, root_sha256: Some(root), names })
}

#[utoipa::path(get, path = "/v1/cases/{id}/timeline", tag = "cases", params(("id" = CaseId, Path), After), responses((status = 200, body = LogPage)))]
pub(super) async fn timeline(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<CaseId>, Params(q): Params<After>) -> Answer {
    let (limit, after) = (q.limit()?, q.after()?.unwrap_or(0));
    let subject = app.service.subject_of(id).await?;
    let entries = app.service.timeline(id, after, limit, &caller.actor).await?;
    app.service.note_case_read(&caller.actor, &subject).await;
    let next = entries.last().filter(|_| entries.len() == usize::from(limit)).and_then(|e| match &e.entry.body {
        crate::domain::event::Body::Case { version, .. } => Some(*version),
        crate::domain::event::Body::Register { .. } => None,
    });
    Ok(Json(log_page(&app, &caller, &entries, next).await?).into_response())
}

/// Query of a statement.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct StatementParams {
    /// `approve` (default) or `deny`.
    #[param(inline)]
    pub decision: Option<Decision>,
}

#[utoipa::path(get, path = "/v1/cases/{id}/statement", tag = "cases", params(("id" = CaseId, Path), StatementParams), responses((status = 200, body = Statement)))]
pub(super) async fn statement(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<CaseId>, Params(q): Params<StatementParams>) -> Answer {
    let s = app.service.statement(id, &caller.actor, q.decision.unwrap_or(Decision::Approve)).await?;
    let (line, version, s) = (s.line, s.version, s.statement);
    let body = Statement {
        statement: line,
        nonce: s.nonce,
        seal_sha256: s.seal_sha256,
        version,
        issued: s.issued,
        submit_before: s.expires,
        origin: s.origin,
        issuer: s.approver.issuer,
        log: s.log,
    };
    Ok(Json(body).into_response())
}

fn requester(text: &str) -> Result<Requester, Failure> {
    match text {
        "subject" => Ok(Requester::Subject),
        "unknown" => Ok(Requester::Unknown),
        id => PersonId::parse(id)
            .map(Requester::Person)
            .map_err(|e| Failure::invalid("requester", format!("requester: subject, unknown or a person's id; {e}."))),
    }
}

#[utoipa::path(post, path = "/v1/cases", tag = "cases", request_body = body::OpenCase, responses((status = 201, body = CaseDetail)))]
pub(super) async fn open(w: Write<body::OpenCase>) -> Answer {
    let b = &w.body;
    if let Some(summary) = &b.summary {
        bounded("summary", summary)?;
    }
    let route = Route {
        subject: b.subject.clone(),
        action: b.action,
        path: b.path,
        target: b.target.clone(),
        scope: b.scope.iter().cloned().collect(),
        picked_groups: BTreeSet::new(),
    };
    let new = NewCase { route, requester: requester(&b.requester)?, channel: b.channel, endpoint: b.endpoint.clone(), summary: b.summary.clone() };
    let (_flight, kept) = w.begin().await?;
    let (id, answer) = if let Some((_, kept)) = kept {
        let id: CaseId = kept
            .get("case")
            .and_then(|c| c.as_str())
            .and_then(|c| c.parse().ok())
            .ok_or_else(|| Failure::new(StatusCode::CONFLICT, "conflict", "The kept answer can't be read."))?;
        (id, detail(&w.app, &w.caller, id, StatusCode::CREATED).await?)
    } else {
        // Software that opens asks as well what can be asked for: written down, and within the same bound, before it is answered.
        if w.caller.person().is_none()
            && let Err(wait) = w.app.service.note_asked(&w.caller.ask(), &b.subject).await?
        {
            return Ok(super::me::too_often(wait, "read", RECORDS_PER_MINUTE));
        }
        let mut ask = w.caller.ask();
        ask.once = Some(w.once(StatusCode::CREATED));
        let done = w.app.service.open(&ask, &new).await.map_err(|e| hushed(&w.caller, e.into()))?;
        (done.case.id, after(&w.app, &w.caller, done, StatusCode::CREATED).await?)
    };
    Ok(([(header::LOCATION, format!("/v1/cases/{id}"))], answer).into_response())
}

/// A refused route as software hears it: the same whether there is no such subject, nothing of it in that target, not that much, or a hold. What it may not
/// do itself, and how its case stands, it is told.
fn hushed(caller: &Caller, failure: Failure) -> Failure {
    const TELLING: [&str; 8] = ["unknown", "not-found", "not-recoverable", "scope-exceeds", "too-young", "invalid", "limit", "stopped"];
    if caller.person().is_some() || !TELLING.contains(&failure.0.code()) { failure } else { not_routable() }
}

fn not_routable() -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "not-routable", crate::api::NOT_ROUTABLE)
}

#[utoipa::path(post, path = "/v1/cases/route-preview", tag = "cases", request_body = body::PreviewRoute, responses((status = 200, body = RoutePreview)))]
pub(super) async fn preview(w: Question<body::PreviewRoute>) -> Answer {
    let b = &w.body;
    let (service, actor) = (&w.app.service, &w.caller.actor);
    let route = route(&b.route, b.subject.clone());
    if let Some(case) = b.case {
        w.caller.own_case(&w.app, case).await?;
        if service.subject_of(case).await? != b.subject {
            return Err(Failure::meaningless("subject", "A case keeps its subject: give the one that the case is about."));
        }
        // What it may ask of its own case tells of the subject as well.
        if w.caller.person().is_none()
            && let Err(wait) = service.note_asked(&w.caller.ask(), &b.subject).await?
        {
            return Ok(super::me::too_often(wait, "read", RECORDS_PER_MINUTE));
        }
        let (view, route) = service.preview(b.case, &route, actor).await.map_err(|e| hushed(&w.caller, e.into()))?;
        service.note_case_read(actor, &view.case.route.subject).await;
        return Ok(Json(crate::api::preview(&view, route)).into_response());
    }
    // That it can't be asked for tells as much of a subject as that it can: written down before either is said.
    if let Err(wait) = service.note_asked(&w.caller.ask(), &b.subject).await? {
        return Ok(super::me::too_often(wait, "read", RECORDS_PER_MINUTE));
    }
    let (view, route) = match service.preview(None, &route, actor).await {
        Err(ServiceError::Refused(_) | ServiceError::NotFound(_)) if w.caller.person().is_none() => return Err(not_routable()),
        other => other?,
    };
    Ok(Json(crate::api::preview(&view, route)).into_response())
}

fn route(b: &body::RouteCase, subject: crate::base::ids::SubjectId) -> Route {
    Route {
        subject,
        action: b.action,
        path: b.path,
        target: b.target.clone(),
        scope: b.scope.iter().cloned().collect(),
        picked_groups: b.approver_groups.iter().cloned().collect(),
    }
}

#[utoipa::path(post, path = "/v1/cases/{id}/route", tag = "cases", params(("id" = CaseId, Path)), request_body = body::RouteCase, responses((status = 200, body = CaseDetail)))]
pub(super) async fn reroute(w: Write<body::RouteCase>) -> Answer {
    let id: CaseId = w.part(0, "id")?;
    let subject = w.app.service.subject_of(id).await?;
    let caller = w.caller.clone();
    if caller.person().is_none()
        && !w.answered().await?
        && let Err(wait) = w.app.service.note_asked(&caller.ask(), &subject).await?
    {
        return Ok(super::me::too_often(wait, "read", RECORDS_PER_MINUTE));
    }
    // How often its case was sent elsewhere is no matter of the subject's.
    let heard = |failure: Failure| if failure.0.code() == "limit" { failure } else { hushed(&caller, failure) };
    w.run(|_, b| Ok(Command::Route { route: route(b, subject) })).await.map_err(heard)
}

/// Cases that are read at once for one that is to be taken.
const AT_ONCE: u16 = 10;
/// How often they are read anew while others take each of them.
const MAX_READINGS: usize = 8;

#[utoipa::path(post, path = "/v1/queue/take-next", tag = "cases", request_body = body::TakeNext, responses((status = 200, body = CaseDetail)))]
pub(super) async fn take_next(w: Write<body::TakeNext>) -> Answer {
    let me = w.caller.operator().cloned();
    let (_flight, kept) = w.begin().await?;
    if let Some(id) = kept.and_then(|(_, k)| k.get("case").and_then(|c| c.as_str()).and_then(|c| c.parse().ok())) {
        return detail(&w.app, &w.caller, id, StatusCode::OK).await;
    }
    let mut filter = filter::parse(w.body.filter.as_deref().unwrap_or_default(), &asker(&w.caller), w.app.service.now())?;
    filter.unassigned = true;
    filter.assignees.clear();
    filter.ended = Some(false);
    filter.held = Some(false);
    for _ in 0..MAX_READINGS {
        let query = QueueQuery { filter: filter.clone(), sort: Sort::Due, from: None, limit: AT_ONCE };
        let rows = w.app.service.store.queue(&query).await?.rows;
        let all = rows.len() < usize::from(AT_ONCE);
        for row in rows {
            let mut ask = w.caller.ask();
            ask.expected = Some(row.version);
            ask.once = Some(w.once(StatusCode::OK));
            match w.app.service.execute(&ask, row.id, &Command::Assign { operator: me.clone() }).await {
                Ok(done) => return after(&w.app, &w.caller, done, StatusCode::OK).await,
                // Someone else took it in the meantime: the next one, then.
                Err(ServiceError::Stale { .. } | ServiceError::Conflict) => {}
                // One that changed hands so often that it is given to nobody any more stands in nobody's way to the next.
                Err(ServiceError::Refused(why)) if matches!(*why, Refusal::Limit { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if all {
            return Err(Failure::new(StatusCode::NOT_FOUND, "queue-empty", "No case waits for someone to take it."));
        }
    }
    Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Each case was taken by someone else just now. Try again."))
}

/// A decision: the nonce is checked to be the server's own before the domain sees when it was issued.
#[utoipa::path(post, path = "/v1/cases/{id}/decisions", tag = "cases", params(("id" = CaseId, Path)), request_body = body::Decide, responses((status = 200, body = CaseDetail)))]
pub(super) async fn decide(w: Write<body::Decide>) -> Answer {
    let (id, version) = (w.part::<CaseId>(0, "id")?, w.expected.unwrap_or(0));
    let person = w.caller.person().cloned();
    let issued = person.and_then(|p| w.app.service.nonce_issued_at(id, w.body.seal_sha256, &p, &w.body.nonce)).unwrap_or(Decide::FORGED);
    w.run(|d, b| {
        let reason = d.text("reason", &b.reason)?;
        let id = d.fresh("apr")?;
        Ok(Command::Decide(Decide {
            id,
            decision: b.decision,
            seal: b.seal_sha256,
            version,
            nonce_issued_at: issued,
            reason,
            signature: Signature::None,
        }))
    })
    .await
}

/// Declares handlers of writes on one case: what they are called, where they are, what they take, which command follows.
macro_rules! writes {
    ($($name:ident $path:literal $body:ty => |$d:ident, $b:ident| $command:expr;)+) => {$(
        #[utoipa::path(post, path = $path, tag = "cases", params(("id" = CaseId, Path)), request_body = $body, responses((status = 200, body = CaseDetail)))]
        pub(super) async fn $name(w: Write<$body>) -> Answer {
            w.run(|$d, $b| { let _ = (&$d, &$b); Ok($command) }).await
        }
    )+};
}

writes! {
    triage "/v1/cases/{id}/triage" body::TriageCase => |d, b| {
        let me = match &d.ask.actor.who { crate::domain::case::ActorRef::Operator { person, .. } => person.clone(), _ => b.remedy_owner.clone() };
        let triage_owner = b.triage_owner.clone().unwrap_or(me);
        Command::Triage { failure: b.failure, reproduction: d.text("reproduction", &b.reproduction)?, triage_owner, remedy_owner: b.remedy_owner.clone() }
    };
    no_change "/v1/cases/{id}/no-change" body::Text => |d, b| Command::NoChangeNeeded { reason: d.text("text", &b.text)? };
    assign "/v1/cases/{id}/assign" body::Assign => |d, b| Command::Assign { operator: b.operator.clone() };
    handover "/v1/cases/{id}/handover" body::HandOver => |d, b| Command::HandOver { note: d.text("note", &b.note)?, to: b.to.clone() };
    comment "/v1/cases/{id}/comments" body::Text => |d, b| Command::Comment { text: d.text("text", &b.text)? };
    evidence "/v1/cases/{id}/evidence" body::AddEvidence => |d, b| {
        Command::AddEvidence { text: d.text("text", &b.text)?, id: d.fresh("evd")?, kind: b.kind }
    };
    telemetry "/v1/cases/{id}/telemetry" body::Text => |d, b| Command::AddTelemetry { text: d.text("text", &b.text)?, id: d.fresh("evd")? };
    prove "/v1/cases/{id}/proofs" body::StartProof => |d, b| {
        Command::StartProof { session: d.fresh("ses")?, method: b.method, endpoint: b.endpoint.clone(), attester: b.attester.clone() }
    };
    seal "/v1/cases/{id}/seal" Nothing => |d, b| Command::Seal;
    reopen "/v1/cases/{id}/reopen" body::Text => |d, b| Command::Reopen { reason: d.text("text", &b.text)? };
    take_back "/v1/cases/{id}/take-back" body::Text => |d, b| Command::TakeBack { reason: d.text("text", &b.text)? };
    withdraw "/v1/cases/{id}/withdraw" body::Text => |d, b| Command::Withdraw { reason: d.text("text", &b.text)? };
    hold "/v1/cases/{id}/hold" body::Hold => |d, b| Command::Hold { source: HoldSource::Security, reason: Some(d.text("reason", &b.reason)?) };
    lift_hold "/v1/cases/{id}/lift-hold" body::LiftHold => |d, b| {
        Command::LiftHold { reason: d.text("reason", &b.reason)?, contact: b.contact_session.clone() }
    };
    flag "/v1/cases/{id}/flags" body::AddFlag => |d, b| Command::Flag { kind: b.kind };
    review "/v1/cases/{id}/reviews" body::AddReview => |d, b| Command::Review { note: d.text("note", &b.note)?, in_order: b.in_order };
    close "/v1/cases/{id}/close" Nothing => |d, b| Command::Close;
    retry "/v1/cases/{id}/retry" Nothing => |d, b| Command::Retry;
    roll_back "/v1/cases/{id}/roll-back" body::Text => |d, b| Command::RollBack { reason: d.text("text", &b.text)? };
}
