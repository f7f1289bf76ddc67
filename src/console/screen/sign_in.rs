//! Signing in: a token, once, or again when the former expired. What was in front stays behind it.
//!
//! Contract: the token is never shown, never kept in the model after it was handed on; it is remembered only once the server took it.

use chrono::TimeDelta;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use crate::base::Time;
use crate::client::ClientError;
use crate::console::action::Action;
use crate::console::effect::{Ask, Effect};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared};
use crate::console::theme::Role;
use crate::console::widget::form::{Field, Form, Input};
use crate::console::widget::text::TextBox;
use crate::console::widget::{boxed, middle, put, wrap};

/// How long nobody types before what is typed is a token, where the sign-in came over somebody who typed.
const PAUSE: TimeDelta = TimeDelta::seconds(1);
/// The longest token that is taken, in bytes.
const MAX_TOKEN: usize = 4096;

/// The sign-in.
#[derive(Debug)]
pub struct SignIn {
    form: Form,
    asked: Latest,
    /// The first question that was asked with the token typed here.
    tried: Option<u64>,
    /// Until when what is typed is still meant for what lay in front before.
    meant_else: Option<Time>,
}

impl Default for SignIn {
    fn default() -> Self {
        let token = Field::line("token", "Token", "").with_help("Paste the token that `countersign token issue` printed for you; it is not shown.");
        let mut form = Form::new(vec![token]);
        form.fields[0].input = Input::Secret(TextBox::line("", MAX_TOKEN));
        Self { form, asked: Latest::default(), tried: None, meant_else: None }
    }
}

impl SignIn {
    fn submit(&mut self, shared: &mut Shared) {
        let token = self.form.value("token").trim().to_owned();
        if token.is_empty() {
            self.form.mistake("token", "There is no token yet.");
            return;
        }
        shared.effects.push(Effect::UseToken(token.into()));
        let seq = shared.ask(Place::SignIn, Ask::Me);
        self.tried = Some(seq);
        self.asked.begin(seq);
    }

    /// It came over somebody who typed: their words are no token.
    pub fn came_over_words(&mut self, now: Time) {
        self.meant_else = Some(now + PAUSE);
    }

    /// Whether what is typed now is still meant for something else.
    fn is_meant_else(&mut self, now: Time) -> bool {
        let early = self.meant_else.is_some_and(|until| now < until);
        self.meant_else = early.then(|| now + PAUSE);
        early
    }

    /// Whether an answer to this question is about the token typed here.
    pub fn accepts(&self, seq: u64) -> bool {
        self.tried.is_some_and(|tried| seq >= tried)
    }
}

impl Screen for SignIn {
    fn enter(&mut self, _shared: &mut Shared, _place: Place) {
        *self = Self::default();
    }

    fn typing(&self) -> bool {
        true
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if self.is_meant_else(shared.now) {
            return;
        }
        if key.code == KeyCode::Enter {
            self.submit(shared);
        } else {
            self.form.typed(key);
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, _whole: bool) {
        if !self.is_meant_else(shared.now) {
            self.form.pasted(text.trim(), false);
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        match action {
            Action::Submit if !self.is_meant_else(shared.now) => self.submit(shared),
            Action::Cancel => shared.back(),
            _ => {}
        }
    }

    fn picked(&mut self, _shared: &mut Shared, _place: Place, _purpose: &str, _value: &str) {
        *self = Self::default();
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if let (true, Err(error)) = (self.asked.take(seq), reply) {
            let text = crate::base::text::sanitise(&error.to_string(), false);
            self.form.mistake("token", &text);
            if error.needs_sign_in() {
                self.tried = None;
            } else {
                shared.fail(&error);
            }
            shared.dirty = true;
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let place = middle(area, 72, 14);
        let inner = boxed(frame.buffer_mut(), place, "Sign in", shared.style(Role::Border), shared.style(Role::Heading));
        let text = format!("Server  {}", shared.server);
        put(frame.buffer_mut(), inner, inner.x + 1, inner.y + 1, &text, shared.style(Role::Dim));
        let y = self.form.draw(frame, Rect { x: inner.x, y: inner.y + 3, width: inner.width, height: inner.height.saturating_sub(4) }, shared);
        let status = match (self.asked.waits(), self.meant_else) {
            (true, _) => "Asking the server …",
            (false, Some(_)) => {
                "This came while you were typing: nothing you type is taken until you have paused for a second. What you were doing stays as it is."
            }
            (false, None) => "Enter signs in. What you were doing stays as it is.",
        };
        for (i, line) in wrap(status, usize::from(inner.width) - 2).iter().enumerate() {
            put(frame.buffer_mut(), inner, inner.x + 1, y + 1 + u16::try_from(i).unwrap_or(0), line, shared.style(Role::Dim));
        }
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let mut lines = vec![format!("Sign in to {}. Type your token, then Enter.", shared.server)];
        lines.extend(self.form.fields[0].mistake.iter().map(|m| format!("Not signed in: {m}")));
        lines
    }
}
