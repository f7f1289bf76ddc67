//! Handlers on register, policy, tokens and the log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use super::authn::Caller;
use super::cases::{After, log_page};
use super::extract::{Id, Params};
use super::problem::Failure;
use super::write::{Nothing, Write};
use crate::api::Looking;
use crate::api::governance as reg;
use crate::api::lists::{LogPage, persons_in};
use crate::base::Digest;
use crate::base::ids::{OperatorId, PersonId, ProposalId, TokenId};
use crate::domain::case::ActorRef;
use crate::domain::command::RegisterCommand;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::govern::SecondWord;
use crate::domain::policy::Policy;
use crate::domain::register::{Holder, Principal, Proposal, Register, Token};
use crate::service::register::{Beside, Governed, codes};

type Answer = Result<Response, Failure>;

/// A proposal with the policy it is about.
fn of_policy(proposal: &Proposal) -> Option<(&Proposal, Digest)> {
    if let RegisterChange::SetPolicy { policy, .. } = &proposal.change { Some((proposal, *policy)) } else { None }
}

#[utoipa::path(get, path = "/v1/register/proposals/{id}", tag = "register", params(("id" = ProposalId, Path)), responses((status = 200, body = reg::ProposalView)))]
pub(super) async fn proposal(State(app): State<Arc<App>>, caller: Caller, Id(id): Id<ProposalId>) -> Answer {
    let (register, current) = app.service.rules().await?;
    let rules = current.clone();
    let missing = || Failure::new(StatusCode::NOT_FOUND, "not-found", format!("The proposal {id} is not known, or waits no more."));
    let found = register.proposals.get(&id).ok_or_else(missing)?;
    let policy = match of_policy(found) {
        None => None,
        Some((_, sha256)) => match readable(&app, &sha256).await? {
            None => None,
            Some(proposed) => {
                let text = app.service.store.policy(&sha256).await?.unwrap_or_default();
                Some(app.compared.of(current, proposed, text).await?.as_ref().clone())
            }
        },
    };
    let along = app.service.read_along(std::iter::once(found)).await?;
    let row = {
        let word = Some(SecondWord::of(&register, &rules, app.service.now()));
        crate::api::proposal_row(&Looking { register: &register, word, along, asker: account(&caller), now: app.service.now() }, found)
    };
    let names = app.service.names(named(&row).collect(), &caller.actor).await?;
    Ok(Json(reg::ProposalView { proposal: row, policy, names }).into_response())
}

/// The account that asks.
fn account(caller: &Caller) -> Option<&OperatorId> {
    if let ActorRef::Operator { operator, .. } = &caller.actor.who { Some(operator) } else { None }
}

/// Whom a waiting change names, or whom it waits for, or who had a hand in it.
fn named(row: &reg::ProposalRow) -> impl Iterator<Item = PersonId> {
    let told = persons_in(&row.says).chain(row.too_few.iter().flat_map(|why| persons_in(why))).map(PersonId::parse).filter_map(Result::ok);
    told.chain(row.approvals.iter().chain([&row.proposed_by]).chain(&row.could_approve).cloned())
}

/// Who proposed it, and who approved it so far.
fn hands(proposal: &Proposal) -> impl Iterator<Item = PersonId> {
    proposal.approvers().chain([&proposal.proposed_by]).cloned()
}

/// A policy's rules; none, if this version can't read them.
async fn readable(app: &App, sha256: &Digest) -> Result<Option<Arc<Policy>>, Failure> {
    match app.service.policy(sha256).await {
        Err(crate::service::ServiceError::Policy(_)) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// The longest life of a token in hours; policy may say less.
const MAX_HOURS: u16 = 720;
/// The longest chain that an automation's token names.
const MAX_CHAIN: usize = 8;

#[utoipa::path(get, path = "/v1/policy", tag = "policy", responses((status = 200, body = reg::PolicyView)))]
pub(super) async fn policy(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let (register, policy) = app.service.rules().await?;
    let text = app.service.store.policy(&policy.sha256).await?.unwrap_or_default();
    let mut proposed = Vec::new();
    let mut room = crate::api::MAX_SETTINGS;
    for (proposal, sha256) in register.proposals.values().filter_map(of_policy) {
        // One that can't be read hides neither the others nor the policy in force.
        let other = readable(&app, &sha256).await?;
        proposed.push(crate::api::policy_proposed(proposal, sha256, &policy, other.as_deref(), &mut room));
    }
    let mut view = crate::api::policy_view(&policy, text, proposed);
    let hands = register.proposals.values().filter_map(of_policy).flat_map(|(proposal, _)| hands(proposal)).collect();
    view.names = app.service.names(hands, &caller.actor).await?;
    Ok(Json(view).into_response())
}

#[utoipa::path(get, path = "/v1/log", tag = "log", params(After), responses((status = 200, body = LogPage)))]
pub(super) async fn log(State(app): State<Arc<App>>, caller: Caller, Params(q): Params<After>) -> Answer {
    let limit = q.limit()?;
    let entries = app.service.log(q.after()?.map_or(0, |a| a.saturating_add(1)), limit).await?;
    let last = entries.last().map(|e| e.entry.seq);
    let mut page = log_page(&app, &caller, &entries, None).await?;
    page.after = last.filter(|seq| seq + 1 < page.size);
    Ok(Json(page).into_response())
}

#[utoipa::path(get, path = "/v1/register", tag = "register", params(reg::RegisterParams), responses((status = 200, body = reg::RegisterView)))]
pub(super) async fn register(State(app): State<Arc<App>>, caller: Caller, Params(asked): Params<reg::RegisterParams>) -> Answer {
    if asked.after.is_some() && asked.of.is_none() {
        return Err(Failure::meaningless("after", "after goes on in the rows of one kind: say which with of."));
    }
    let register = app.service.store.register().await?;
    let rules = match register.policy {
        Some(digest) => Some(app.service.policy(&digest).await?),
        None => None,
    };
    let along = app.service.read_along(register.proposals.values()).await?;
    let mut view = {
        let now = app.service.now();
        let word = rules.as_deref().map(|rules| SecondWord::of(&register, rules, now));
        crate::api::register_view(&Looking { register: &register, word, along, asker: account(&caller), now }, &asked)
    };
    let persons: Vec<PersonId> = view.persons.iter().map(|p| p.id.clone()).collect();
    let mut people = app.service.store.people(&persons).await?;
    for row in &mut view.persons {
        if let Some(details) = people.remove(&row.id) {
            row.name = details.name;
        }
    }
    view.names = app.service.names(view.proposals.iter().flat_map(named).collect(), &caller.actor).await?;
    Ok(Json(view).into_response())
}

/// That too few could approve a proposal as the register stands.
async fn too_few(app: &App, register: &Register, proposal: Option<&Proposal>) -> Result<Option<String>, Failure> {
    let Some(proposal) = proposal else { return Ok(None) };
    let policy = app.service.rules().await?.1;
    Ok(SecondWord::of(register, &policy, app.service.now()).too_few(proposal))
}

pub(super) async fn answer(
    app: &App,
    done: &Governed,
    proposal: &ProposalId,
    secret: Option<(TokenId, String)>,
) -> Result<reg::RegisterAnswer, Failure> {
    let waits = done.events.iter().any(|e| matches!(e, RegisterEvent::Proposed { .. }));
    let (token, secret) = secret.map_or((None, None), |(t, s)| (Some(t), Some(s)));
    Ok(reg::RegisterAnswer {
        version: done.register.version,
        events: codes(&done.events),
        proposal: waits.then(|| proposal.clone()),
        too_few: too_few(app, &done.register, done.register.proposals.get(proposal)).await?,
        approvals_missing: done.register.proposals.get(proposal).map_or(0, Proposal::missing),
        token,
        effective_at: done.register.proposals.get(proposal).and_then(|p| p.effective_at),
        secret,
    })
}

/// What is kept of an answer.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Kept {
    register: u64,
    events: Vec<String>,
    proposal: Option<ProposalId>,
    token: Option<TokenId>,
}

/// A repeated request: what it led to when it was done, how the proposal that it is about stands now, and no secret again.
pub(super) async fn again(app: &App, kept: serde_json::Value) -> Answer {
    let kept: Kept = serde_json::from_value(kept).unwrap_or_default();
    let register = app.service.store.register().await?;
    let stands = kept.proposal.as_ref().and_then(|id| register.proposals.get(id));
    let proposed = kept.events.iter().any(|e| e == "proposed");
    let body = reg::RegisterAnswer {
        version: kept.register,
        proposal: stands.filter(|_| proposed).map(|p| p.id.clone()),
        approvals_missing: stands.map_or(0, Proposal::missing),
        too_few: too_few(app, &register, stands).await?,
        effective_at: stands.and_then(|p| p.effective_at),
        token: kept.token,
        events: kept.events,
        ..reg::RegisterAnswer::default()
    };
    Ok(Json(body).into_response())
}

/// Runs a command on the register once, and answers.
async fn govern<T>(w: &Write<T>, command: &RegisterCommand, proposal: &ProposalId, secret: Option<(TokenId, String)>) -> Answer {
    let (_flight, kept) = w.begin().await?;
    if let Some((_, kept)) = kept {
        return again(&w.app, kept).await;
    }
    let mut ask = w.caller.ask();
    ask.once = Some(w.once(StatusCode::OK));
    let done = w.app.service.govern(&ask, command, &Beside::default()).await?;
    Ok(Json(answer(&w.app, &done, proposal, secret).await?).into_response())
}

#[utoipa::path(post, path = "/v1/register/changes", tag = "register", request_body = reg::ChangeRegister, responses((status = 200, body = reg::RegisterAnswer)))]
pub(super) async fn change(w: Write<reg::ChangeRegister>) -> Answer {
    let change: RegisterChange = serde_json::from_value(w.body.change.clone())
        .map_err(|e| Failure::meaningless("change", format!("change: {}.", crate::base::text::sanitise(&e.to_string(), false))))?;
    if matches!(change, RegisterChange::IssueToken(_) | RegisterChange::RevokeToken { .. } | RegisterChange::SetPolicy { .. }) {
        return Err(Failure::meaningless("change", "Tokens are issued at /v1/register/tokens, a policy is proposed at /v1/register/policy."));
    }
    let id: ProposalId = w.app.service.fresh("prp")?;
    govern(&w, &RegisterCommand::Change { id: id.clone(), change }, &id, None).await
}

#[utoipa::path(post, path = "/v1/register/proposals/{id}/approve", tag = "register", params(("id" = ProposalId, Path)), request_body = Nothing, responses((status = 200, body = reg::RegisterAnswer)))]
pub(super) async fn approve(w: Write<Nothing>) -> Answer {
    let id: ProposalId = w.part(0, "id")?;
    govern(&w, &RegisterCommand::ApproveProposal { id: id.clone() }, &id, None).await
}

#[utoipa::path(post, path = "/v1/register/proposals/{id}/end", tag = "register", params(("id" = ProposalId, Path)), request_body = Nothing, responses((status = 200, body = reg::RegisterAnswer)))]
pub(super) async fn end(w: Write<Nothing>) -> Answer {
    let id: ProposalId = w.part(0, "id")?;
    govern(&w, &RegisterCommand::EndProposal { id: id.clone() }, &id, None).await
}

#[utoipa::path(post, path = "/v1/register/tokens", tag = "register", request_body = reg::IssueToken, responses((status = 200, body = reg::RegisterAnswer)))]
pub(super) async fn issue(w: Write<reg::IssueToken>) -> Answer {
    let b = &w.body;
    if !(1..=MAX_HOURS).contains(&b.hours) {
        return Err(Failure::invalid("hours", format!("hours is 1 to {MAX_HOURS}.")));
    }
    let holder = match (&b.operator, &b.automation) {
        (Some(operator), None) if b.on_behalf_of.is_empty() => Holder::Operator(operator.clone()),
        (None, Some(automation)) if b.on_behalf_of.len() <= MAX_CHAIN => Holder::Automation(automation.clone()),
        _ => return Err(Failure::meaningless("operator", "Name one operator, or one automation with at most 8 persons it acts for.")),
    };
    let (minted, now) = (w.app.service.mint()?, w.app.service.now());
    let token = Token {
        id: minted.id.clone(),
        holder,
        on_behalf_of: b.on_behalf_of.iter().cloned().map(Principal::Person).collect(),
        secret_sha256: minted.secret_sha256,
        issued_at: now,
        expires_at: now + chrono::Duration::hours(i64::from(b.hours)),
        revoked_at: None,
    };
    let id: ProposalId = w.app.service.fresh("prp")?;
    let command = RegisterCommand::Change { id: id.clone(), change: RegisterChange::IssueToken(token) };
    govern(&w, &command, &id, Some((minted.id, minted.presented))).await
}

#[utoipa::path(post, path = "/v1/register/tokens/{id}/revoke", tag = "register", params(("id" = TokenId, Path)), request_body = Nothing, responses((status = 200, body = reg::RegisterAnswer)))]
pub(super) async fn revoke(w: Write<Nothing>) -> Answer {
    let token: TokenId = w.part(0, "id")?;
    let id: ProposalId = w.app.service.fresh("prp")?;
    let at = w.app.service.now();
    govern(&w, &RegisterCommand::Change { id: id.clone(), change: RegisterChange::RevokeToken { token, at } }, &id, None).await
}
