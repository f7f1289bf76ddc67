//! The queue: live, filtered, sorted, one row selected, the selected case beside it where there is room.
//!
//! Contract: holds a window of rows, never the whole; the filter is read by the server, and the list follows it while it is typed; the selection
//! follows the case. Moving the cursor redraws a few cells only; the preview follows when the cursor rests. Knows no other screen.

mod acts;
pub(super) mod draw;
pub(super) mod filter;
mod live;
mod views;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Loading, Screen};
use crate::api::case::CaseDetail;
use crate::api::lists::{Announcement, CaseRow, QueueParams};
use crate::api::words::Role as Duty;
use crate::base::Time;
use crate::base::ids::{CaseId, OperatorId};
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::keep::{State, View};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::overlay::Picker;
use crate::console::widget::text::TextBox;
use live::Live;
use window::{From, PAGE, Window};

/// How long the cursor rests before the preview follows.
const REST: Duration = Duration::from_millis(250);
/// How often the list is asked for again at most while much happens.
const REFRESH: Duration = Duration::from_millis(700);
/// From this width on the preview is shown unless it was switched off; with `p` it is shown from [`LEAST_SPLIT`] on.
const SPLIT: u16 = 132;
/// The least width for list and preview side by side.
const LEAST_SPLIT: u16 = 110;

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    window: Window,
    filter: Option<String>,
    sort: Option<String>,
    /// What is being typed after `/`, with what the server said about it.
    typing: Option<TextBox>,
    /// What is found for it so far.
    live: Option<Live>,
    /// Whether what was typed waits for the server's answer; other pages that come meanwhile leave the typing alone.
    applying: bool,
    mistake: Option<String>,
    /// What the list showed before what was typed was asked for: it is shown again if that is no filter.
    before: Option<(Option<String>, Window)>,
    preview_on: Option<bool>,
    preview: Option<Box<CaseDetail>>,
    preview_asked: Latest,
    asked: Latest,
    asked_from: Option<From>,
    writing: Latest,
    taking: Latest,
    /// The case, and its version, that someone is being picked for: whatever is selected by then.
    giving: Option<(CaseId, u64)>,
    asked_whom: Latest,
    failed: Option<String>,
    begun: bool,
}

impl Queue {
    /// The filter that is applied.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// Adds what is kept between two starts.
    pub fn keep(&self, state: &mut State) {
        if self.begun {
            state.filter.clone_from(&self.filter);
            state.sort.clone_from(&self.sort);
            state.selected = self.window.current().map(|r| r.id.to_string());
            state.preview = self.preview_on;
        }
    }

    /// The user is known, and this is what they looked at last.
    pub fn recall(&mut self, shared: &mut Shared) {
        if self.begun {
            self.begun = false;
            self.window = Window::default();
            self.enter(shared, Place::Queue);
        }
    }

    /// The user is known: without a kept filter each role begins where its work is.
    pub fn know_user(&mut self, shared: &mut Shared) {
        if self.begun && shared.state.filter.is_none() && self.filter.as_deref() == Some("!ended") && first_filter(shared) != "!ended" {
            self.filter = Some(first_filter(shared).to_owned());
            self.reload(shared, From::Start);
        }
    }

    /// Rows of the list in sight.
    fn height(shared: &Shared) -> usize {
        usize::from(shared.body().height.saturating_sub(2))
    }

    fn split(&self, width: u16) -> bool {
        match self.preview_on {
            Some(on) => on && width >= LEAST_SPLIT,
            None => width >= SPLIT,
        }
    }

    fn params(&self, from: &From) -> QueueParams {
        let (after, before) = match from {
            From::Start => (None, None),
            From::After(c) => (Some(c.clone()), None),
            From::Before(c) => (None, Some(c.clone())),
            From::End => (None, Some("end".to_owned())),
        };
        QueueParams { filter: self.filter.clone().filter(|f| !f.is_empty()), sort: self.sort.clone(), after, before, limit: Some(PAGE) }
    }

    fn reload(&mut self, shared: &mut Shared, from: From) {
        self.asked.begin(shared.ask(Place::Queue, Ask::Cases(self.params(&from))));
        self.asked_from = Some(from);
    }

    /// Asks for the next page the window needs, one at a time.
    fn fetch(&mut self, shared: &mut Shared) {
        if !self.asked.waits()
            && self.failed.is_none()
            && let Some(from) = self.window.needs(Self::height(shared))
        {
            self.reload(shared, from);
        }
    }

    fn rest(&self, shared: &mut Shared) {
        if self.split(shared.size.0) {
            shared.timer(Timer::Preview, REST);
        }
    }

    /// Shows another view, at the user's wish: it can be undone.
    fn show_view(&mut self, shared: &mut Shared, filter: Option<String>, sort: Option<String>) {
        self.remember_view(shared, filter.as_deref(), sort.as_deref());
        self.show_again(shared, filter, sort);
    }

    /// Another view is about to be shown: undo knows this one.
    fn remember_view(&self, shared: &mut Shared, filter: Option<&str>, sort: Option<&str>) {
        if (filter, sort) != (self.filter.as_deref(), self.sort.as_deref()) {
            shared.undo.showed(self.filter.clone(), self.sort.clone());
        }
    }

    /// Shows a view as it was.
    pub fn show_again(&mut self, shared: &mut Shared, filter: Option<String>, sort: Option<String>) {
        self.filter = filter;
        self.sort = sort;
        self.mistake = None;
        self.failed = None;
        self.window = Window::default();
        self.reload(shared, From::Start);
    }

    fn page(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        let from = self.asked_from.take().unwrap_or(From::Start);
        let applied = std::mem::take(&mut self.applying);
        match reply {
            Ok(Reply::Cases(mut page)) => {
                if page.rows.is_empty() {
                    // A page without rows leads nowhere, whatever its cursors say: never ask on and on.
                    (page.before, page.after) = (None, None);
                }
                let height = Self::height(shared);
                let before = self.window.current().map(|r| r.id);
                shared.dirty |= self.window.take(&from, page, height) || self.failed.is_some() || applied;
                self.failed = None;
                if applied {
                    self.end_typing();
                }
                if self.window.current().map(|r| r.id) != before {
                    self.rest(shared);
                    shared.dirty = true;
                }
                self.fetch(shared);
            }
            Ok(_) => {}
            Err(error) => {
                let text = crate::base::text::sanitise(&error.to_string(), false);
                shared.dirty = true;
                let wrong = applied && error.problem().is_some_and(|p| p.status == 400 || p.status == 422);
                if let (true, Some((filter, window))) = (wrong, self.before.take()) {
                    (self.filter, self.window, self.mistake) = (filter, window, Some(text));
                    self.live = Some(Live::new(self.filter.as_deref()));
                } else {
                    self.failed = Some(text);
                    shared.fail(&error);
                }
            }
        }
    }

    fn sort_by(&mut self, shared: &mut Shared, sort: Option<&str>) {
        let filter = self.filter.clone();
        self.show_view(shared, filter, sort.map(str::to_owned));
    }
}

fn shown(text: &str) -> String {
    crate::base::text::sanitise(text, false)
}

fn first_filter(shared: &Shared) -> &'static str {
    if shared.is(Duty::SupportAgent) { "mine unassigned !ended" } else { "!ended" }
}

impl Screen for Queue {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        if self.begun {
            return self.refresh(shared, place);
        }
        self.begun = true;
        self.filter = Some(shared.state.filter.clone().unwrap_or_else(|| first_filter(shared).to_owned()));
        self.sort.clone_from(&shared.state.sort);
        self.preview_on = shared.state.preview;
        self.window.want(shared.state.selected.as_deref().and_then(|s| s.parse::<CaseId>().ok()));
        self.reload(shared, From::Start);
        self.rest(shared);
    }

    fn refresh(&mut self, shared: &mut Shared, _place: Place) {
        self.failed = None;
        if self.window.loaded() && self.window.len() > 0 {
            self.window.stale(Self::height(shared));
            self.asked = Latest::default();
            self.fetch(shared);
        } else {
            self.reload(shared, From::Start);
        }
        self.rest(shared);
    }

    fn loading(&self) -> Loading {
        Loading::of(self.window.loaded(), self.failed.is_some())
    }

    fn typing(&self) -> bool {
        self.typing.is_some()
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        self.typed_key(shared, key);
    }

    fn typing_hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("Enter", "filter"), ("↑ ↓", "choose"), ("Tab", "completes"), ("Esc", "leave")]
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, _whole: bool) {
        if let Some(filter) = &mut self.typing {
            filter.insert(text);
            if let Some(why) = filter.excess() {
                shared.say(Tone::Bad, why);
            }
            Self::retyped(shared);
        }
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        let current = self.window.current();
        match action {
            Action::Open | Action::AssignMe | Action::AssignTo | Action::Copy if current.is_none() => Applies::Hidden,
            Action::AssignMe if shared.me.is_none() => Applies::No("The server has not said yet who you are.".into()),
            Action::AssignMe => match (current.and_then(|r| r.assignee.as_ref()), shared.me.as_ref().and_then(|m| m.operator.as_ref())) {
                (Some(who), Some(me)) if who == me => Applies::No("It is yours already.".into()),
                _ => Applies::Yes,
            },
            Action::LetGo if current.is_none_or(|r| r.assignee.is_none()) => Applies::Hidden,
            Action::Back | Action::Editor => Applies::Hidden,
            Action::RemoveView => views::removable(shared),
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        if matches!(action, Action::Open | Action::AssignMe | Action::AssignTo | Action::LetGo | Action::Copy) {
            self.window.chosen();
        }
        match action {
            Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::First | Action::Last => {
                match self.window.act(action, Self::height(shared)) {
                    Some(from) => self.reload(shared, from),
                    None => self.fetch(shared),
                }
                self.rest(shared);
            }
            Action::Open => {
                if let Some(id) = self.window.current().map(|r| r.id) {
                    shared.go(Place::Case(id));
                }
            }
            Action::TakeNext => self.take_next(shared),
            Action::AssignMe => {
                let me = shared.me.as_ref().and_then(|m| m.operator.clone());
                if me.is_some() {
                    self.give(shared, me);
                }
            }
            Action::NewCase => shared.go(Place::Route(None)),
            Action::AssignTo => self.offer_whom(shared),
            Action::LetGo => self.give(shared, None),
            Action::Filter => self.begin_typing(shared),
            Action::NextField => {
                if let Some(text) = &mut self.typing
                    && let Some(whole) = filter::complete(text.text())
                {
                    text.set(&whole);
                    Self::retyped(shared);
                }
            }
            Action::Submit => self.apply_filter(shared),
            Action::Cancel => {
                self.give_up();
                self.rest(shared);
            }
            Action::Unfilter => {
                let sort = self.sort.clone();
                self.show_view(shared, Some(first_filter(shared).to_owned()), sort);
            }
            Action::Views => views::offer(shared),
            Action::RemoveView => views::offer_to_remove(shared),
            Action::SaveView => shared.pick(Picker::new("save-view", "Save this view as", Vec::new()).or_typed()),
            Action::SortDue => self.sort_by(shared, None),
            Action::SortRisk => self.sort_by(shared, Some("risk")),
            Action::SortOpened => self.sort_by(shared, Some("opened")),
            Action::SortUpdated => self.sort_by(shared, Some("updated")),
            Action::Preview => {
                let on = !self.split(shared.size.0);
                self.preview_on = Some(on);
                if on && shared.size.0 < LEAST_SPLIT {
                    shared.say(Tone::Info, format!("The preview needs {LEAST_SPLIT} columns."));
                }
                self.rest(shared);
            }
            Action::Copy => {
                if let Some(id) = self.window.current().map(|r| r.id) {
                    shared.copy(id.to_string());
                }
            }
            _ => {}
        }
    }

    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        let height = Self::height(shared);
        match event.kind {
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                self.in_front_mut().scroll(event.kind == MouseEventKind::ScrollDown, height);
                self.fetch(shared);
            }
            MouseEventKind::Down(MouseButton::Left) if self.rows(area).contains((event.column, event.row).into()) => {
                let (index, typing) = (self.in_front().top() + usize::from(event.row - area.y - 2), self.typing());
                if self.in_front().row(index).is_some() {
                    if index == self.in_front().at() && !typing {
                        self.act(shared, place, Action::Open);
                    } else {
                        self.in_front_mut().select(index, height);
                    }
                }
            }
            _ => return,
        }
        self.rest(shared);
        shared.dirty = true;
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if self.asked.take(seq) {
            self.page(shared, reply);
        } else if self.narrowed(shared, seq, &reply) {
        } else if self.preview_asked.take(seq) {
            if let Ok(Reply::Case(case)) = reply {
                shared.dirty |= self.preview.as_ref() != Some(&case);
                self.preview = Some(case);
            }
        } else if self.asked_whom.take(seq) {
            super::give::answered(shared, reply);
        } else if self.taking.take(seq) {
            self.written(shared, reply, true);
        } else if self.writing.take(seq) {
            self.written(shared, reply, false);
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        if let Announcement::Case { row } = news {
            let (_, seen) = self.window.news(row, Self::height(shared));
            let found = self.live.as_mut().and_then(Live::window_mut).is_some_and(|w| w.news(row, Self::height(shared)).1);
            shared.dirty |= seen || found;
            if self.preview.as_ref().is_some_and(|p| p.row.id == row.id) {
                self.rest(shared);
            }
        }
        shared.timer_once(Timer::Refresh, REFRESH);
    }

    fn timer(&mut self, shared: &mut Shared, place: Place, timer: Timer) {
        match timer {
            Timer::Refresh => self.refresh(shared, place),
            Timer::Narrow => self.narrow(shared),
            Timer::Preview => {
                if let (true, Some(id)) = (self.split(shared.size.0), self.in_front().current().map(|r| r.id)) {
                    self.preview_asked.begin(shared.ask(Place::Queue, Ask::Case(id)));
                }
            }
            _ => {}
        }
    }

    fn picked(&mut self, shared: &mut Shared, _place: Place, purpose: &str, value: &str) {
        match purpose {
            "view" => {
                if let Some(view) = views::chosen(shared, value) {
                    self.show_view(shared, Some(view.filter), view.sort);
                }
            }
            "remove-view" => views::remove(shared, value),
            "save-view" => {
                views::save(shared, View { name: shown(value), filter: self.filter.clone().unwrap_or_default(), sort: self.sort.clone() });
            }
            "assign" => match OperatorId::parse(value.trim()) {
                Ok(operator) => {
                    let what = self.giving.take();
                    self.assign(shared, what, Some(operator));
                }
                Err(why) => shared.say(Tone::Bad, format!("That is no account: {why}.")),
            },
            _ => {}
        }
    }

    fn next_change(&self, shared: &Shared) -> Option<Time> {
        let rows = self.in_front().seen(Self::height(shared));
        rows.filter_map(|(_, r)| draw::next_change(shared, r.due?)).min()
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        self.draw_queue(frame, area, shared);
    }

    fn read_on(&mut self, shared: &mut Shared, _place: Place) {
        let height = Self::height(shared);
        self.window.read_on(height);
        self.fetch(shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let head = format!("Queue, filter {}, {} rows read", self.filter.as_deref().map_or_else(|| "none".into(), shown), self.window.len());
        let say = |row: &CaseRow| draw::spoken(shared, row);
        let rows =
            self.window.seen(Self::height(shared)).map(|(i, row)| format!("{}{}", if i == self.window.at() { "selected: " } else { "" }, say(row)));
        let mut lines: Vec<String> = std::iter::once(head).chain(rows).collect();
        let (told, all) = (lines.len() - 1, self.window.len());
        if told < all {
            let more = if self.window.more().1 { " and more" } else { "" };
            lines.push(format!("{told} of {all}{more} were read: more reads on, filter finds."));
        }
        lines
    }
}
