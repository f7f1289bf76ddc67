//! What the list shows while a filter is typed: what the server finds for it so far, or, where that is nothing, rows at hand that come near.
//!
//! Contract: one question at a time, and only of what is typed when the last was answered: answers to what was typed before are dropped. The
//! list one came from is left as it is until Enter. Near rows are looked for among those held, never on the server, and say that they are.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};

use super::Queue;
use super::filter::{self, MAX_FILTER, without_words, words_of};
use super::window::{From, PAGE, Window};
use crate::api::lists::{CaseRow, QueuePage, QueueParams};
use crate::base::ids::CaseId;
use crate::client::ClientError;
use crate::console::action::Action;
use crate::console::effect::{Ask, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared};
use crate::console::widget::text::TextBox;

/// How long typing rests before the server is asked.
pub const REST: Duration = Duration::from_millis(120);

/// What is shown while one types.
#[derive(Debug, Default)]
pub struct Live {
    window: Window,
    /// The filter that the window answers.
    shows: Option<String>,
    /// The filter that was asked for last.
    wanted: String,
    asked: Latest,
    /// What the server says about a filter that is not one yet.
    unclear: Option<String>,
    /// Whether the window holds near rows instead of an answer.
    near: bool,
}

impl Live {
    /// Begins with what the list showed: an answer to that filter needs no question.
    pub fn new(applied: Option<&str>) -> Self {
        Self { wanted: applied.unwrap_or_default().trim().to_owned(), ..Self::default() }
    }

    /// The rows to be shown instead of the list's, once there are any.
    pub const fn window(&self) -> Option<&Window> {
        if self.shows.is_some() { Some(&self.window) } else { None }
    }

    /// The same, to move in.
    pub const fn window_mut(&mut self) -> Option<&mut Window> {
        if self.shows.is_some() { Some(&mut self.window) } else { None }
    }

    /// The filter to be asked for now, if what is typed says something else than what was asked last.
    pub fn wants(&mut self, typed: &str) -> Option<String> {
        let wanted = filter::ready(typed);
        if self.asked.waits() || wanted == self.wanted {
            return None;
        }
        self.wanted.clone_from(&wanted);
        Some(wanted)
    }

    /// Remembers the question.
    pub fn begin(&mut self, seq: u64) {
        self.asked.begin(seq);
    }

    /// Whether this is the answer that is awaited.
    pub fn takes(&mut self, seq: u64) -> bool {
        self.asked.take(seq)
    }

    /// Takes the answer in, unless something else is typed by now.
    pub fn answered(&mut self, answer: Result<QueuePage, ClientError>, typed: &str, held: (&Window, Option<&str>), height: usize) {
        if filter::ready(typed) != self.wanted {
            return;
        }
        self.unclear = None;
        match answer {
            Ok(page) if !page.rows.is_empty() => {
                self.show(page, false, height);
            }
            Ok(page) => {
                let near = near(held, typed);
                let is_near = !near.is_empty();
                self.show(if is_near { QueuePage { rows: near, before: None, after: None } } else { page }, is_near, height);
            }
            Err(error) => {
                self.unclear = Some(crate::base::text::sanitise(&error.to_string(), false));
                let rows = if error.problem().is_some_and(|p| p.status < 500) { Vec::new() } else { near(held, typed) };
                if !rows.is_empty() {
                    self.show(QueuePage { rows, before: None, after: None }, true, height);
                }
            }
        }
    }

    fn show(&mut self, page: QueuePage, near: bool, height: usize) {
        self.window = Window::default();
        self.window.take(&From::Start, page, height);
        self.shows = Some(self.wanted.clone());
        self.near = near;
    }

    /// The near row that is selected, where near rows are shown for what is typed.
    pub fn near(&self, typed: &str) -> Option<CaseId> {
        let shown = self.near && self.shows.as_deref() == Some(typed.trim());
        self.window.current().filter(|_| shown).map(|row| row.id)
    }

    /// The answer, if it is one to exactly this filter: then it need not be asked for again.
    pub fn answer_to(&mut self, filter: &str) -> Option<Window> {
        (!self.near && self.shows.as_deref() == Some(filter)).then(|| std::mem::take(&mut self.window))
    }

    /// What is found, in a few words.
    pub fn found(&self, typed: &str) -> String {
        let (count, more) = (self.window.len(), if self.window.more().1 { "+" } else { "" });
        match &self.shows {
            Some(shows) if *shows == filter::ready(typed) && self.near => format!("none; {count} at hand come near"),
            Some(shows) if *shows == filter::ready(typed) => format!("{count}{more} found"),
            _ if self.asked.waits() => "…".to_owned(),
            _ => String::new(),
        }
    }

    /// A sentence about what is shown, where the plain one would not be true.
    pub fn said(&self, typed: &str) -> Option<String> {
        if self.near(typed).is_some() {
            return Some("These hold the letters in this order; Enter goes to the selected one:".to_owned());
        }
        self.unclear.clone()
    }
}

/// The rows at hand whose text holds every word's letters in their order, where the filter typed has the fields of the one they answer.
fn near((held, applied): (&Window, Option<&str>), typed: &str) -> Vec<CaseRow> {
    let words = words_of(typed);
    if words.is_empty() || without_words(typed) != without_words(applied.unwrap_or_default()) {
        return Vec::new();
    }
    let text = |row: &CaseRow| {
        let with = row.assignee.as_ref().map_or("", |a| a.as_str());
        format!("{} {} {} {} {with}", row.id, row.subject_name.line(), row.subject, row.action.label()).to_lowercase()
    };
    held.rows().filter(|row| words.iter().all(|word| holds(&text(row), word))).cloned().collect()
}

/// Whether a text holds the letters of a word in their order.
fn holds(text: &str, word: &str) -> bool {
    let mut letters = text.chars();
    word.chars().all(|wanted| letters.any(|c| c == wanted))
}

impl Queue {
    /// The rows in front: those found so far while one types, else the list's.
    pub(super) fn in_front(&self) -> &Window {
        self.live.as_ref().and_then(Live::window).unwrap_or(&self.window)
    }

    /// The same, to move in.
    pub(super) fn in_front_mut(&mut self) -> &mut Window {
        self.live.as_mut().and_then(Live::window_mut).unwrap_or(&mut self.window)
    }

    /// What is typed.
    fn typed_text(&self) -> String {
        self.typing.as_ref().map_or_else(String::new, |t| t.text().to_owned())
    }

    /// Begins to type a filter: the list shows at once what is left of the one before.
    pub(super) fn begin_typing(&mut self, shared: &mut Shared) {
        self.typing = Some(TextBox::line(&filter::begun(self.filter.as_deref()), MAX_FILTER));
        self.live = Some(Live::new(self.filter.as_deref()));
        if !shared.plain {
            self.narrow(shared);
        }
    }

    /// Leaves the typing; the list is as it was.
    pub(super) fn end_typing(&mut self) {
        (self.typing, self.live, self.mistake) = (None, None, None);
    }

    /// A key while one types: the text changes, or the selection moves among what is found.
    pub(super) fn typed_key(&mut self, shared: &mut Shared, key: KeyEvent) {
        let moves = match key.code {
            KeyCode::Enter => return self.apply_filter(shared),
            KeyCode::Up => Some(Action::Up),
            KeyCode::Down => Some(Action::Down),
            KeyCode::PageUp => Some(Action::PageUp),
            KeyCode::PageDown => Some(Action::PageDown),
            _ => None,
        };
        if let Some(action) = moves {
            let height = Self::height(shared);
            if let Some(window) = self.live.as_mut().and_then(Live::window_mut) {
                window.act(action, height);
                self.rest(shared);
            }
        } else if let Some(text) = &mut self.typing
            && text.key(key)
        {
            self.mistake = None;
            Self::retyped(shared);
        }
    }

    /// The text changed: the list follows when the typing rests. In the linear mode nobody sees it, and nothing is asked.
    pub(super) fn retyped(shared: &mut Shared) {
        if !shared.plain {
            shared.timer(Timer::Narrow, REST);
        }
    }

    /// The typing rests, or an answer came: asks for what is typed, one question at a time.
    pub(super) fn narrow(&mut self, shared: &mut Shared) {
        let typed = self.typed_text();
        if self.applying {
            return;
        }
        if let Some(live) = &mut self.live
            && let Some(wanted) = live.wants(&typed)
        {
            let params =
                QueueParams { filter: Some(wanted).filter(|f| !f.is_empty()), sort: self.sort.clone(), limit: Some(PAGE), ..QueueParams::default() };
            live.begin(shared.ask(Place::Queue, Ask::Cases(params)));
            shared.dirty = true;
        }
    }

    /// The answer to what is typed, if it is that; says whether it was.
    pub(super) fn narrowed(&mut self, shared: &mut Shared, seq: u64, reply: &Result<Reply, ClientError>) -> bool {
        let (typed, height) = (self.typed_text(), Self::height(shared));
        let Some(live) = self.live.as_mut() else { return false };
        if !live.takes(seq) {
            return false;
        }
        let answer = match reply {
            Ok(Reply::Cases(page)) => Ok(page.clone()),
            Ok(_) => return true,
            Err(error) => Err(error.clone()),
        };
        live.answered(answer, &typed, (&self.window, self.filter.as_deref()), height);
        shared.dirty = true;
        self.rest(shared);
        self.narrow(shared);
        true
    }

    /// Enter: the filter applies. What answers it already is not asked for again; from near rows one goes to the selected one.
    pub(super) fn apply_filter(&mut self, shared: &mut Shared) {
        let Some(text) = &self.typing else { return };
        let filter = text.text().trim().to_owned();
        let Some(live) = &mut self.live else { return self.show_typed(shared, filter) };
        if let Some(near) = live.near(&filter) {
            let at = self.window.rows().position(|row| row.id == near);
            self.end_typing();
            if let Some(at) = at {
                self.window.select(at, Self::height(shared));
            }
            return self.rest(shared);
        }
        match live.answer_to(&filter) {
            Some(window) => {
                let sort = self.sort.clone();
                self.remember_view(shared, Some(&filter), sort.as_deref());
                (self.filter, self.window, self.failed) = (Some(filter), window, None);
                self.asked = Latest::default();
                self.end_typing();
                self.fetch(shared);
                self.rest(shared);
            }
            None => self.show_typed(shared, filter),
        }
    }

    /// What was typed is not waited for any more: its answer ends no typing that is begun meanwhile, and the list is as it was.
    pub(super) fn give_up(&mut self) {
        if std::mem::take(&mut self.applying)
            && let Some((filter, window)) = self.before.take()
        {
            (self.filter, self.window) = (filter, window);
            (self.asked, self.asked_from) = (Latest::default(), None);
        }
        self.end_typing();
    }

    /// Asks for what was typed; the typing stays until the answer says that it is a filter.
    fn show_typed(&mut self, shared: &mut Shared, filter: String) {
        let sort = self.sort.clone();
        self.applying = true;
        self.live = None;
        self.before = Some((self.filter.clone(), self.window.clone()));
        self.show_view(shared, Some(filter), sort);
    }
}
