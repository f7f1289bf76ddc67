//! Where those who decide and those who watch begin: cases that wait for a decision, held ones, flagged ones, ones to look back at.
//!
//! Contract: each page is one filter that the server reads, and what is typed after `/` narrows it by the queue's words; rows follow the server,
//! the selection follows the case. Bounded.

mod columns;
mod row;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use self::columns::Columns;
use super::paged::{self, Paged};
use super::policy::READ;
use super::policy::proposal::may;
use super::queue::draw::next_change;
use super::queue::filter::{MAX_FILTER, contradicts, ready};
use super::{Loading, Screen};
use crate::api::lists::{Announcement, CaseRow, QueueParams};
use crate::api::words::{Decision, Role as Duty};
use crate::base::Time;
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::keep::State;
use crate::console::message::Reply;
use crate::console::model::{Place, Shared, Tone};
use crate::console::theme::Role;
use crate::console::widget::text::TextBox;
use crate::console::widget::{fit, head_at, put, wrap};

/// Where the rest is found, where there are more rows than are held.
const BEYOND: &str = "the queue's filter finds the others.";
/// How long the typing rests before the list follows it.
const REST: Duration = Duration::from_millis(200);

/// A page: its name, the filter, and what stands there when it is empty.
const PAGES: [(&str, &str, &str); 4] = [
    ("To decide", "state:sealed decidable", "Nothing waits for your decision."),
    ("Held", "held", "No case is frozen."),
    ("Flagged", "flagged !ended", "No open case carries a flag."),
    ("To look back at", "waiting:review", "No restored case waits for a look back."),
];

/// Whether the user's roles decide anything.
fn decides(shared: &Shared) -> bool {
    shared.me.is_none() || shared.is(Duty::Supervisor) || shared.is(Duty::SecurityReviewer)
}

/// Security begins with what is flagged, everyone else with what waits for a decision.
fn first_page(shared: &Shared) -> usize {
    if shared.is(Duty::SecurityReviewer) && !shared.is(Duty::Supervisor) { 2 } else { 0 }
}

/// How many proposals the user could approve.
fn waiting(shared: &Shared) -> u64 {
    shared.counts.map_or(0, |counts| counts.proposals)
}

/// The inbox.
#[derive(Debug, Default)]
pub struct Inbox {
    page: Option<usize>,
    list: Paged<CaseRow>,
    /// What the page is narrowed to.
    words: TextBox,
    /// Whether that is being typed.
    typing: bool,
    /// Whether the rows are still those from before it was narrowed otherwise.
    narrowing: bool,
}

impl Inbox {
    /// What stands on a page without rows.
    fn empty(&self, shared: &Shared) -> String {
        let text = match self.page() {
            0 if !decides(shared) => "Supervisors and security reviewers decide; no case waits for you here.",
            _ if !self.words.text().trim().is_empty() => return "No case of this page is found by that.".to_owned(),
            page => PAGES[page].2,
        };
        match waiting(shared) {
            0 => text.to_owned(),
            n => {
                let key = shared.key(Action::GoProposals);
                let waits = if n == 1 { "1 proposal waits".to_owned() } else { format!("{n} proposals wait") };
                format!("{text} {waits} for your approval: {key} shows {}.", if n == 1 { "it" } else { "them" })
            }
        }
    }

    /// What the page is narrowed to, for the reader.
    fn narrowed(&self) -> String {
        crate::base::text::sanitise(self.words.text().trim(), false)
    }

    fn page(&self) -> usize {
        self.page.unwrap_or(0)
    }

    fn height(shared: &Shared) -> usize {
        usize::from(shared.body().height.saturating_sub(3))
    }

    /// Adds what is kept between two starts.
    pub fn keep(&self, state: &mut State) {
        (state.page, state.row) = (self.page, self.current().map(|r| r.id.to_string()));
    }

    /// The page and row that were looked at last.
    pub fn recall(&mut self, kept: &State) {
        *self = Self { page: kept.page.filter(|page| *page < PAGES.len()), ..Self::default() };
        self.list.want(kept.row.as_deref().and_then(|row| row.parse().ok()));
    }

    /// What the server is asked for beside the page. While it is typed, a field that is only begun finds nothing yet.
    fn asked_for(&self) -> String {
        if self.typing { ready(self.words.text()) } else { self.words.text().trim().to_owned() }
    }

    /// Why that can't narrow the page, if it says otherwise what the page is: the server would take both, or the last.
    fn refused(&self) -> Option<String> {
        let own = PAGES[self.page()].1;
        contradicts(own, &self.asked_for()).then(|| format!("This page lists \"{own}\" only; the queue's filter finds others."))
    }

    fn ask(&mut self, shared: &mut Shared, after: paged::Place) {
        if let Some(why) = self.refused() {
            return self.list.refuse(shared, why);
        }
        let words = self.asked_for();
        let filter = Some([PAGES[self.page()].1, &words].join(" ").trim_end().to_owned());
        let params = QueueParams { filter, sort: None, after, before: None, limit: Some(paged::PAGE) };
        self.list.begin(shared.ask(Place::Approvals, Ask::Cases(params)));
    }

    fn load(&mut self, shared: &mut Shared) {
        if self.page() == 0 && !decides(shared) {
            self.narrowing = false;
            return self.list.nothing();
        }
        if let Some(why) = self.refused() {
            shared.say(Tone::Bad, why);
        }
        let from = self.list.anew(shared);
        self.ask(shared, from);
    }

    fn show(&mut self, shared: &mut Shared, page: usize) {
        *self = Self { page: Some(page % PAGES.len()), words: std::mem::take(&mut self.words), ..Self::default() };
        self.load(shared);
    }

    /// What is typed changed: the list follows once the typing rests; where lines are typed, once it is sent.
    fn retyped(shared: &mut Shared) {
        if !shared.plain {
            shared.timer(Timer::Narrow, REST);
        }
    }

    /// Reads the page as far as it is narrowed now, from its first row.
    fn narrow(&mut self, shared: &mut Shared) {
        self.list.want(None);
        self.narrowing = true;
        self.load(shared);
    }

    /// Ends the typing; the list shows what was typed, or all again.
    fn end_typing(&mut self, shared: &mut Shared, keep: bool) {
        self.typing = false;
        if !keep {
            self.words = TextBox::line("", MAX_FILTER);
        }
        self.narrow(shared);
    }

    /// The user is known: who did nothing yet begins where their work is.
    pub fn know_user(&mut self, shared: &mut Shared, acted: bool) {
        if self.page.is_none() && (self.list.waits() || self.list.loaded()) {
            let first = if acted { 0 } else { first_page(shared) };
            self.show(shared, first);
        }
    }

    fn current(&self) -> Option<&CaseRow> {
        self.list.current()
    }

    fn reach(&mut self, shared: &mut Shared) {
        if let Some(from) = self.list.reach(shared, BEYOND) {
            self.ask(shared, from);
        }
    }

    /// The pages by their names; last the way to proposals, for those who may read them, with how many wait for the user.
    fn heads(shared: &Shared) -> Vec<String> {
        let pages = PAGES.iter().enumerate().map(|(i, (name, ..))| format!("{} {name}", i + 1));
        let waiting = Some(waiting(shared)).filter(|n| *n > 0).map(|n| format!(" {n}")).unwrap_or_default();
        pages.chain(may(shared, READ).then(|| format!("{} Proposals{waiting}", PAGES.len() + 1))).collect()
    }

    /// To a page, or to the proposals behind the last one.
    fn turn(&mut self, shared: &mut Shared, page: usize) {
        match page % Self::heads(shared).len() {
            page if page < PAGES.len() => self.show(shared, page),
            _ => shared.go(Place::Proposals),
        }
    }

    /// What the page is narrowed to, in the line below the pages' names.
    fn draw_words(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        if !self.typing && self.words.text().trim().is_empty() {
            return;
        }
        let line = Rect { y: area.y + 1, height: 1, ..area };
        let buffer = frame.buffer_mut();
        // Rows that stand there although the words could not be read are not what was found.
        let (after, role) = match self.list.failed() {
            Some(why) => (format!("  ✕ {why}"), Role::Bad),
            None if self.typing => (String::new(), Role::Dim),
            None => (Self::all_again(shared), Role::Dim),
        };
        let mark = if self.typing { " / " } else { " only " };
        let x = put(buffer, line, line.x, line.y, mark, shared.style(Role::Key));
        let all = usize::from(line.right().saturating_sub(x + 1));
        let room = all.saturating_sub(after.width()).max(all / 3);
        let (seen, (at, _)) = self.words.seen(room, 1);
        let seen = seen.first().map_or("", String::as_str);
        let end = put(buffer, line, x, line.y, seen, shared.style(if self.typing { Role::Input } else { Role::Accent }));
        put(buffer, line, end, line.y, &fit(&after, usize::from(line.right().saturating_sub(end))), shared.style(role));
        if self.typing {
            frame.set_cursor_position((x + at, line.y));
        }
    }

    /// How all of the page is shown again.
    fn all_again(shared: &Shared) -> String {
        shared.keymap.shown(Action::Unfilter).map(|key| format!("  {key} shows all of the page")).unwrap_or_default()
    }
}

impl Screen for Inbox {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        if self.page.is_none() && shared.me.is_some() {
            self.page = Some(first_page(shared));
        }
        self.refresh(shared, place);
    }

    fn loading(&self) -> Loading {
        // Keys wait for what is found, as they would act on what stands there until then; letters that narrow it further need nothing.
        let there = self.list.loaded() && (self.typing || !self.narrowing);
        Loading::of(there, self.list.failed().is_some())
    }

    fn refresh(&mut self, shared: &mut Shared, _place: Place) {
        self.load(shared);
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        match action {
            Action::Open | Action::Copy | Action::Approve | Action::Deny if self.current().is_none() => Applies::Hidden,
            Action::Approve | Action::Deny if self.page() != 0 => Applies::Hidden,
            Action::Tab5 if !may(shared, READ) => Applies::Hidden,
            Action::Unfilter if self.words.text().is_empty() => Applies::Hidden,
            Action::Back if shared.me.is_none() => Applies::Hidden,
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        if self.list.act(action, Self::height(shared)) {
            return self.reach(shared);
        }
        let current = self.current().map(|r| r.id);
        if matches!(action, Action::Open | Action::Approve | Action::Deny | Action::Copy) {
            self.list.chosen();
        }
        match (action, current) {
            (Action::Open, Some(id)) => shared.go(Place::Case(id)),
            (Action::Approve, Some(id)) => shared.go(Place::Approve(id, Decision::Approve)),
            (Action::Deny, Some(id)) => shared.go(Place::Approve(id, Decision::Deny)),
            (Action::Copy, Some(id)) => shared.copy(id.to_string()),
            (Action::NextTab, _) => self.turn(shared, self.page() + 1),
            (Action::PreviousTab, _) => self.turn(shared, self.page() + Self::heads(shared).len() - 1),
            (Action::Tab1, _) => self.show(shared, 0),
            (Action::Tab2, _) => self.show(shared, 1),
            (Action::Tab3, _) => self.show(shared, 2),
            (Action::Tab4, _) => self.show(shared, 3),
            (Action::Tab5, _) => shared.go(Place::Proposals),
            (Action::Filter, _) => {
                (self.words, self.typing) = (TextBox::line(self.words.text(), MAX_FILTER), true);
            }
            (Action::Submit, _) => self.end_typing(shared, true),
            (Action::Cancel | Action::Unfilter, _) => self.end_typing(shared, false),
            _ => {}
        }
    }

    fn typing(&self) -> bool {
        self.typing
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        match key.code {
            KeyCode::Enter | KeyCode::Down | KeyCode::Up => self.end_typing(shared, true),
            _ if self.words.key(key) => Self::retyped(shared),
            _ => {}
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, _whole: bool) {
        self.words.insert(text.trim());
        if let Some(why) = self.words.excess() {
            shared.say(Tone::Bad, why);
        }
        Self::retyped(shared);
    }

    fn typing_hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("Enter", "look at what is found"), ("Esc", "all of the page")]
    }

    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        match event.kind {
            MouseEventKind::ScrollDown => self.act(shared, place, Action::Down),
            MouseEventKind::ScrollUp => self.act(shared, place, Action::Up),
            MouseEventKind::Down(MouseButton::Left) if event.row == area.y => {
                if let Some(i) = head_at(&Self::heads(shared), area.x + 1, event.column) {
                    self.turn(shared, i);
                }
            }
            MouseEventKind::Down(MouseButton::Left) if event.row >= area.y + 3 => {
                let row = self.list.cursor().top + usize::from(event.row - area.y - 3);
                if row < self.list.rows().len() {
                    let again = self.list.cursor().at == row;
                    self.list.select(row);
                    if again {
                        self.act(shared, place, Action::Open);
                    }
                }
            }
            _ => return,
        }
        shared.dirty = true;
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if !self.list.takes(seq) {
            return;
        }
        let answer = match reply {
            Ok(Reply::Cases(page)) => Ok((page.rows, page.after)),
            Ok(_) => return,
            Err(error) => Err(error),
        };
        if let Some(from) = self.list.answered(shared, answer, Self::height(shared)) {
            return self.ask(shared, from);
        }
        self.narrowing &= self.list.failed().is_some();
        self.reach(shared);
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, _news: &Announcement) {
        paged::news(shared);
    }

    fn timer(&mut self, shared: &mut Shared, _place: Place, timer: Timer) {
        if timer == Timer::Narrow && self.typing {
            self.narrow(shared);
        }
        if timer == Timer::Refresh
            && (self.page() != 0 || decides(shared))
            && let Some(from) = self.list.again(shared)
        {
            self.ask(shared, from);
        }
    }

    fn next_change(&self, shared: &Shared) -> Option<Time> {
        let seen = self.list.seen(Self::height(shared));
        seen.filter_map(|(_, r)| r.due).filter_map(|d| next_change(shared, d)).min()
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        let mut x = area.x + 1;
        for (i, text) in Self::heads(shared).iter().enumerate() {
            let calls = i == PAGES.len() && waiting(shared) > 0;
            let role = if i == self.page() {
                Role::Selected
            } else if calls {
                Role::Warn
            } else {
                Role::Dim
            };
            x = put(buffer, area, x, area.y, text, shared.style(role)) + 3;
        }
        self.draw_words(frame, area, shared);
        let buffer = frame.buffer_mut();
        let columns = Columns::of(area.width);
        let waiting = if self.page() == 0 { "Approvals" } else { "State" };
        let heads = [
            (1, "Case"),
            (columns.subject, "Subject"),
            (columns.action, "Action"),
            (columns.risk, "Risk"),
            (columns.state, waiting),
            (columns.since, if columns.since < columns.due { "Since" } else { "" }),
            (columns.due, "Due"),
        ];
        for (i, (x, text)) in heads.iter().enumerate() {
            let room = heads.get(i + 1).map_or(area.width, |next| next.0).saturating_sub(x + 1);
            put(buffer, area, area.x + x, area.y + 2, &fit(text, usize::from(room)), shared.style(Role::Heading));
        }
        let list = Rect { y: area.y + 3, height: area.height.saturating_sub(3), ..area };
        if self.list.rows().is_empty() {
            let (text, role) = match (self.list.failed(), self.list.loaded()) {
                (Some(why), _) => (format!("✕ {why} {} tries again.", shared.key(Action::Refresh)), Role::Bad),
                (None, false) => ("Asking the server …".to_owned(), Role::Dim),
                (None, true) => (self.empty(shared), Role::Dim),
            };
            for (i, line) in wrap(&text, usize::from(area.width).saturating_sub(2)).iter().enumerate() {
                put(buffer, list, list.x + 1, list.y + u16::try_from(i).unwrap_or(0), line, shared.style(role));
            }
        }
        let cursor = self.list.cursor();
        for (i, row) in self.list.seen(usize::from(list.height)) {
            let y = list.y + u16::try_from(i - cursor.top).unwrap_or(0);
            self.draw_row(buffer, Rect { y, height: 1, ..list }, (row, i == cursor.at), shared);
        }
    }

    fn read_on(&mut self, shared: &mut Shared, place: Place) {
        self.act(shared, place, Action::Last);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let name = PAGES[self.page()].0;
        let narrow = !self.words.text().trim().is_empty();
        let narrowed = if narrow { format!(", narrowed to: {}", self.narrowed()) } else { String::new() };
        let mut lines = vec![format!("Approvals, page {}: {name}{narrowed}. Pages: {}", self.page() + 1, Self::heads(shared).join(", "))];
        if narrow {
            lines.push("unfilter shows all of the page.".to_owned());
        }
        let rows = self.list.rows();
        if !self.list.loaded() {
            lines.push(self.list.failed().unwrap_or("Asking the server.").to_owned());
        } else if rows.is_empty() {
            lines.push(self.empty(shared));
        }
        let here = |i| if i == self.list.cursor().at { "selected: " } else { "" };
        lines.extend(rows.iter().enumerate().map(|(i, r)| format!("{}{}", here(i), self.spoken(shared, r))));
        if self.list.more() {
            lines.push(format!("{} were read, and there are more: more reads on.", rows.len()));
        }
        lines
    }
}
