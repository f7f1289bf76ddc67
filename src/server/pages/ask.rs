//! The page on which a person asks for itself, and the page before it.
//!
//! Contract: what is answered to the form depends on the shape of what was typed and on how many ask at once, never on whom it names: the
//! request is only taken here, and worked on later (T24). Knows no store.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header::RETRY_AFTER;
use axum::http::{Extensions, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::Pages;
use super::forms::{draw, malformed, message, trouble};
use super::guard::from;
use super::limit::Limits;
use super::templates::{AskPage, Home};
use crate::service::requester::{Mistyped, Wanted, shown_again};

/// The actions that a person may ask for itself, in a person's words.
const CHOICES: &[(&str, &str)] = &[
    ("password_reset", "I forgot my password"),
    ("account_unlock", "My account is locked"),
    ("mfa_reenrolment", "I lost my phone, key or other second factor"),
    ("recovery_code_reissue", "I lost my recovery codes"),
];

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskForm {
    /// User name or mail address, as it was typed.
    #[serde(default)]
    pub who: String,
    /// Code of an action.
    #[serde(default)]
    pub what: String,
    /// A system's name, as it was typed, or nothing.
    #[serde(default)]
    pub system: String,
}

pub(super) async fn home(State(pages): State<Arc<Pages>>) -> Response {
    match pages.requester.may_ask().await {
        Ok(may_ask) => draw(StatusCode::OK, &Home { organisation: &pages.settings.organisation, may_ask }),
        Err(error) => trouble(&pages, &error),
    }
}

/// The empty form.
pub(super) async fn form(State(pages): State<Arc<Pages>>) -> Response {
    match pages.requester.may_ask().await {
        Ok(true) => draw(StatusCode::OK, &page(&pages, &AskForm { who: String::new(), what: String::new(), system: String::new() }, None)),
        Ok(false) => message(&pages, StatusCode::NOT_FOUND, "Not here", "Get in touch with your support desk: they open a request for you."),
        Err(error) => trouble(&pages, &error),
    }
}

/// Someone asks. What waits to be worked on is bounded elsewhere; how many may ask in a minute, from one address and all together, is bounded here.
pub(super) async fn ask(State(pages): State<Arc<Pages>>, about: Extensions, form: Result<Form<AskForm>, FormRejection>) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(why) => return malformed(&pages, &why),
    };
    let wanted = match Wanted::read(&form.who, &form.what, &form.system) {
        Ok(wanted) => wanted,
        Err(wrong) => return draw(StatusCode::UNPROCESSABLE_ENTITY, &page(&pages, &form, Some(wrong))),
    };
    let now = pages.requester.monotonic_millis();
    // The address first: what it asks for in vain uses up nothing of everyone's.
    if !pages.asking_each.allows(from(&about), true, now) || !pages.asking.allows(super::EVERYONE, true, now) {
        pages.requester.stranger();
        let text = "So many ask for help at the moment that no more requests are taken. Wait a minute, then try again.";
        let mut answer = message(&pages, StatusCode::TOO_MANY_REQUESTS, "Too many at once", text);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(Limits::wait(now)));
        return answer;
    }
    pages.requester.ask(wanted);
    let text = "If that account is known here and can be recovered this way, messages are on their way to the addresses that are recorded for it. \
                Follow the one with a code. If a request is open already, nothing new is sent while its code is good. \
                If nothing comes within ten minutes, get in touch with your support desk.";
    message(&pages, StatusCode::OK, "Look at your messages", text)
}

fn page<'a>(pages: &'a Pages, form: &'a AskForm, wrong: Option<Mistyped>) -> AskPage<'a> {
    let problem = wrong.map(|wrong| match wrong {
        Mistyped::Who => "Type your user name or your mail address.",
        Mistyped::What => "Choose what happened.",
        Mistyped::System => "That can’t be the name of a system. Leave it empty if you don’t know it.",
    });
    let (who, system) = (shown_again(&form.who), shown_again(&form.system));
    AskPage { organisation: &pages.settings.organisation, problem, wrong, who, what: &form.what, system, choices: CHOICES }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vocabulary::Action;

    #[test]
    fn the_page_offers_what_a_person_may_ask_for_itself_and_nothing_else() {
        let offered: Vec<&str> = CHOICES.iter().map(|c| c.0).collect();
        assert_eq!(offered, Action::BY_ONESELF.map(Action::code));
    }
}
