//! The pages' templates, bound to the data they show. Everything is escaped as HTML by the engine.
//!
//! Contract: pure; files under `assets/pages` are compiled in. Knows no use case.

use askama::Template;

use crate::service::requester::Mistyped;
use crate::service::requester::shown::Shown;

/// What a page says about the code that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nothing: none was typed.
    None,
    /// It can't be one.
    NoCode,
    /// It was not taken.
    Wrong,
}

/// The page on which a code is typed: the same for every link.
#[derive(Template)]
#[template(path = "code.html", config = "assets/pages/askama.toml")]
pub(super) struct Code<'a> {
    pub(super) organisation: &'a str,
    pub(super) problem: Problem,
    /// Wrong codes typed on this page so far.
    pub(super) tried: u8,
    /// Tries that can be left at most.
    pub(super) left: u8,
    pub(super) not_me: bool,
    /// Where the code goes: this page may stand at another address, in place of one that is over.
    pub(super) action: String,
}

impl Code<'_> {
    fn not_me_action(&self) -> String {
        format!("{}/not-me", self.action.trim_end_matches('/'))
    }
}

/// Where one begins without a link.
#[derive(Template)]
#[template(path = "home.html", config = "assets/pages/askama.toml")]
pub(super) struct Home<'a> {
    pub(super) organisation: &'a str,
    /// Whether policy lets a person ask for itself.
    pub(super) may_ask: bool,
}

/// The page on which a person asks for itself: the same for everyone.
#[derive(Template)]
#[template(path = "ask.html", config = "assets/pages/askama.toml")]
pub(super) struct AskPage<'a> {
    pub(super) organisation: &'a str,
    /// What is wrong with what was typed, as it is said, and in which field.
    pub(super) problem: Option<&'static str>,
    pub(super) wrong: Option<Mistyped>,
    /// What was typed, made harmless.
    pub(super) who: String,
    pub(super) what: &'a str,
    pub(super) system: String,
    /// Code of each action and the words for it.
    pub(super) choices: &'static [(&'static str, &'static str)],
}

/// The page on which the word of a message is typed.
#[derive(Template)]
#[template(path = "not_me.html", config = "assets/pages/askama.toml")]
pub(super) struct NotMe<'a> {
    pub(super) organisation: &'a str,
    pub(super) wrong: bool,
}

impl NotMe<'_> {
    const fn described(&self) -> &'static str {
        if self.wrong { "problem hint" } else { "hint" }
    }
}

/// The case, for its subject.
#[derive(Template)]
#[template(path = "case.html", config = "assets/pages/askama.toml")]
pub(super) struct CasePage<'a> {
    pub(super) organisation: &'a str,
    pub(super) shown: &'a Shown,
    pub(super) just_proved: bool,
    pub(super) new_code: Option<&'a str>,
    pub(super) not_me_action: String,
}

/// The question to a manager or owner.
#[derive(Template)]
#[template(path = "attest.html", config = "assets/pages/askama.toml")]
pub(super) struct Attest<'a> {
    pub(super) organisation: &'a str,
    pub(super) shown: &'a Shown,
    pub(super) unconfirmed: bool,
}

/// A heading and a sentence.
#[derive(Template)]
#[template(path = "message.html", config = "assets/pages/askama.toml")]
pub(super) struct Message<'a> {
    pub(super) organisation: &'a str,
    pub(super) heading: &'a str,
    pub(super) text: &'a str,
}
