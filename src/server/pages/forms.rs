//! The handlers: each reads a form, asks one use case, and draws one page.
//!
//! Contract: a malformed, unknown or finished link gives the same answer as a wrong code. Knows no rules.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Pages;
use super::templates::{Attest, CasePage, Code, Message, NotMe, Problem};
use crate::domain::case::MAX_ATTEMPTS_PER_CODE;
use crate::service::ServiceError;
use crate::service::requester::{Answered, PASS_MINUTES, Page, Right, TOKEN_LEN, Tried, could_be_a_code};

type Shared = State<Arc<Pages>>;

/// What the page for a code sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    /// As it was typed.
    pub code: String,
    /// Wrong codes typed on this page before, as it counts them itself.
    tried: Option<u8>,
}

/// What the page for "this wasn't me" sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordForm {
    /// As it was typed.
    pub word: String,
}

/// What the page of a manager or owner sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerForm {
    /// `yes` or `no`.
    pub answer: Option<String>,
    /// `yes`, once it was confirmed.
    pub confirm: Option<String>,
}

pub(super) fn draw(status: StatusCode, template: &impl Template) -> Response {
    if let Ok(html) = template.render() {
        return (status, Html(html)).into_response();
    }
    tracing::error!("a page could not be drawn");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// A page that says one thing.
pub(super) fn message(pages: &Pages, status: StatusCode, heading: &str, text: &str) -> Response {
    draw(status, &Message { organisation: &pages.settings.organisation, heading, text })
}

pub(super) fn trouble(pages: &Pages, error: &ServiceError) -> Response {
    tracing::error!(error = error.code(), "a page could not be answered");
    message(pages, StatusCode::SERVICE_UNAVAILABLE, "Not now", "Something went wrong on our side. Nothing was changed. Try again in a minute.")
}

pub(super) fn malformed(pages: &Pages, why: &FormRejection) -> Response {
    let (status, text) = match why.status() {
        StatusCode::PAYLOAD_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "The form was too large. Nothing was changed."),
        _ => (StatusCode::BAD_REQUEST, "The form could not be read. Nothing was changed. Open its page again and try once more."),
    };
    message(pages, status, "That did not work", text)
}

pub(super) async fn nowhere(State(pages): Shared) -> Response {
    message(&pages, StatusCode::NOT_FOUND, "Nothing here", "Open the link in the message that you got, whole and unchanged.")
}

pub(super) async fn style() -> Response {
    let css = include_str!("../../../assets/pages/style.css");
    ([(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], css).into_response()
}

/// The page on which a code is typed. What it says depends on what was typed and on the page's own count, never on the link (T24).
fn code_page(pages: &Pages, token: &str, page: Page, (problem, tried): (Problem, u8)) -> Response {
    // A token goes back into the page only in the one shape that a token has.
    let shaped = token.len() == TOKEN_LEN && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let base = match page {
        Page::Attestation => "a",
        Page::Proof | Page::NotMe => "p",
    };
    let action = if shaped { format!("/{base}/{token}") } else { "/".to_owned() };
    let status = if problem == Problem::None { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let left = MAX_ATTEMPTS_PER_CODE.saturating_sub(tried);
    let organisation = &pages.settings.organisation;
    draw(status, &Code { organisation, problem, tried, left, not_me: page == Page::Proof, action })
}

const FRESH: (Problem, u8) = (Problem::None, 0);

/// After a form: what could not be a code is not counted, by the page as by the server.
fn not_right(form: &CodeForm) -> (Problem, u8) {
    let tried = form.tried.unwrap_or_default().min(MAX_ATTEMPTS_PER_CODE);
    if could_be_a_code(&form.code) { (Problem::Wrong, (tried + 1).min(MAX_ATTEMPTS_PER_CODE)) } else { (Problem::NoCode, tried) }
}

/// The case for whose code was right a while ago, so that a page that is loaded or sent again does not call a used code wrong.
async fn known(pages: &Pages, token: &str, headers: &HeaderMap) -> Result<Option<Response>, ServiceError> {
    let shown = match pass(pages, headers) {
        "" => None,
        pass => pages.requester.shown(Page::Proof, token, pass).await?,
    };
    let organisation = &pages.settings.organisation;
    let not_me_action = format!("/p/{token}/not-me");
    Ok(shown.map(|shown| draw(StatusCode::OK, &CasePage { organisation, shown: &shown, just_proved: false, new_code: None, not_me_action })))
}

/// The case again, while the pass counts; before the code and afterwards, the page on which it is typed.
pub(super) async fn proof(State(pages): Shared, Path(token): Path<String>, headers: HeaderMap) -> Response {
    match known(&pages, &token, &headers).await {
        Ok(Some(page)) => page,
        Ok(None) => code_page(&pages, &token, Page::Proof, FRESH),
        Err(error) => trouble(&pages, &error),
    }
}

pub(super) async fn attestation(State(pages): Shared, Path(token): Path<String>) -> Response {
    code_page(&pages, &token, Page::Attestation, FRESH)
}

/// The subject typed a code.
pub(super) async fn prove(
    State(pages): Shared,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(why) => return malformed(&pages, &why),
    };
    let proved = match tried(&pages, Page::Proof, &token, &form.code).await {
        Ok(Tried::Right(right)) => just_proved(&pages, &token, &right).await,
        Ok(Tried::Wrong) => known(&pages, &token, &headers).await,
        Err(error) => Err(error),
    };
    match proved {
        Ok(Some(page)) => page,
        Ok(None) => code_page(&pages, &token, Page::Proof, not_right(&form)),
        Err(error) => trouble(&pages, &error),
    }
}

async fn just_proved(pages: &Pages, token: &str, right: &Right) -> Result<Option<Response>, ServiceError> {
    let Some(shown) = pages.requester.shown(Page::Proof, token, &right.pass).await? else { return Ok(None) };
    let new_code = right.new_code.as_ref().map(|c| c.as_str());
    let not_me_action = format!("/p/{token}/not-me");
    let page = CasePage { organisation: &pages.settings.organisation, shown: &shown, just_proved: true, new_code, not_me_action };
    Ok(Some(admitted(pages, draw(StatusCode::OK, &page), right)))
}

/// A manager or owner typed the code of their message.
pub(super) async fn enter(State(pages): Shared, Path(token): Path<String>, form: Result<Form<CodeForm>, FormRejection>) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(why) => return malformed(&pages, &why),
    };
    match tried(&pages, Page::Attestation, &token, &form.code).await {
        Ok(Tried::Right(right)) => {
            let to = HeaderValue::from_str(&format!("/a/{token}/answer")).unwrap_or(HeaderValue::from_static("/"));
            admitted(&pages, (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(), &right)
        }
        Ok(Tried::Wrong) => code_page(&pages, &token, Page::Attestation, not_right(&form)),
        Err(error) => trouble(&pages, &error),
    }
}

/// Judges what was typed. It is seen through even if the browser hangs up, as it does when a button is pressed twice: what was counted or
/// recorded is then also known to the form that follows.
async fn tried(pages: &Arc<Pages>, page: Page, token: &str, typed: &str) -> Result<Tried, ServiceError> {
    // What can't be a code is not a guess; it is answered the same way, whatever the link.
    if !could_be_a_code(typed) {
        return Ok(Tried::Wrong);
    }
    let (pages, token, typed) = (Arc::clone(pages), token.to_owned(), Zeroizing::new(typed.to_owned()));
    let judged = tokio::spawn(async move { pages.requester.try_code(page, &token, &typed).await });
    judged.await.map_err(|_| ServiceError::Conflict)?
}

fn admitted(pages: &Pages, mut answer: Response, right: &Right) -> Response {
    let secure = if pages.settings.https() { "; Secure" } else { "" };
    let cookie = format!("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", pages.settings.cookie(), right.pass, PASS_MINUTES * 60);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().append(SET_COOKIE, value);
    }
    answer
}

fn pass<'a>(pages: &Pages, headers: &'a HeaderMap) -> &'a str {
    let all = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split("; "));
    all.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == pages.settings.cookie()).map_or("", |(_, value)| value)
}

/// The question, after the code.
pub(super) async fn question(State(pages): Shared, Path(token): Path<String>, headers: HeaderMap) -> Response {
    asked(&pages, &token, pass(&pages, &headers), false).await
}

async fn asked(pages: &Pages, token: &str, pass: &str, unconfirmed: bool) -> Response {
    let status = if unconfirmed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    match pages.requester.shown(Page::Attestation, token, pass).await {
        Ok(Some(shown)) => draw(status, &Attest { organisation: &pages.settings.organisation, shown: &shown, unconfirmed }),
        Ok(None) => code_page(pages, token, Page::Attestation, FRESH),
        Err(error) => trouble(pages, &error),
    }
}

/// The answer.
pub(super) async fn answer(
    State(pages): Shared,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(why) => return malformed(&pages, &why),
    };
    let pass = pass(&pages, &headers);
    let yes = match (form.answer.as_deref(), form.confirm.as_deref()) {
        (Some("yes"), Some("yes")) => true,
        (Some("no"), Some("yes")) => false,
        _ => return asked(&pages, &token, pass, true).await,
    };
    match pages.requester.attest(&token, pass, yes).await {
        Ok(Answered::Recorded) => {
            message(&pages, StatusCode::OK, "Thank you", "Your answer is recorded. There is nothing more to do; you can close this page.")
        }
        // Sent twice, or over: whoever may still see the question sees what became of it.
        Ok(Answered::Over) => asked(&pages, &token, pass, false).await,
        Err(error) => trouble(&pages, &error),
    }
}

fn word_page(pages: &Pages, wrong: bool) -> Response {
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    draw(status, &NotMe { organisation: &pages.settings.organisation, wrong })
}

pub(super) async fn not_me(State(pages): Shared) -> Response {
    word_page(&pages, false)
}

/// The word of a notice was typed.
pub(super) async fn say_not_me(State(pages): Shared, Path(token): Path<String>, form: Result<Form<WordForm>, FormRejection>) -> Response {
    match form {
        Ok(Form(form)) => stopped(&pages, pages.requester.not_me(&token, &form.word).await),
        Err(why) => malformed(&pages, &why),
    }
}

/// The word was typed on the page of a proof session.
pub(super) async fn not_me_here(State(pages): Shared, Path(token): Path<String>, form: Result<Form<WordForm>, FormRejection>) -> Response {
    match form {
        Ok(Form(form)) => stopped(&pages, pages.requester.not_me_here(&token, &form.word).await),
        Err(why) => malformed(&pages, &why),
    }
}

fn stopped(pages: &Pages, tried: Result<Tried, ServiceError>) -> Response {
    match tried {
        Ok(Tried::Right(_)) => {
            let text = "Nothing more happens in it until security has looked at it. They may get in touch with you on a channel that is recorded for you. \
                If it was carried out already, what was given for a time is being taken back now; anything else stays given until they have looked: \
                tell your help desk, too, in a way that you know.";
            message(pages, StatusCode::OK, "The request is stopped", text)
        }
        Ok(Tried::Wrong) => word_page(pages, true),
        Err(error) => trouble(pages, &error),
    }
}
