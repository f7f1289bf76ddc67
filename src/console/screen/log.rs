//! The log: its newest entries, older ones as one goes up, one case's only if wanted, with leaf digests, size and root.
//!
//! Contract: holds a bounded run of entries without gaps; shows codes, ids and what is kept beside them. Verifies nothing yet.

use std::collections::BTreeMap;
use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::case::pages::{clean, readable};
use super::{Loading, Screen};
use crate::api::lists::{Announcement, LogEntry, LogPage, named};
use crate::base::ids::CaseId;
use crate::base::{Digest, Untrusted};
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::theme::Role;
use crate::console::view;
use crate::console::widget::list::Cursor;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{fit, put};

/// Entries asked for at once.
const PAGE: u16 = 100;
/// The most entries held.
const MAX_ENTRIES: usize = 5000;
/// Rows of what is said about the selected entry.
const DETAIL: u16 = 6;
/// How often the newest are asked for again at most while much happens.
const REFRESH: Duration = Duration::from_millis(700);

/// What was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asked {
    /// How long it is.
    #[default]
    Size,
    /// The newest.
    Newest,
    /// Those before the first held.
    Older,
    /// A case's.
    Case,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<LogEntry>,
    /// Names of persons in them, as far as they were told.
    names: BTreeMap<String, Untrusted>,
    case: Option<CaseId>,
    size: u64,
    root: Option<Digest>,
    /// Where a case's entries go on.
    more: Option<u64>,
    cursor: Cursor,
    loaded: bool,
    failed: Option<String>,
    asked: Latest,
    asked_for: Asked,
}

impl Log {
    fn height(shared: &Shared) -> usize {
        usize::from(shared.body().height.saturating_sub(DETAIL + 2))
    }

    fn ask(&mut self, shared: &mut Shared, what: Asked) {
        // Entries are numbered from 0; `after` names the one before the first wanted.
        let from = |end: u64| end.saturating_sub(u64::from(PAGE)).checked_sub(1);
        let first = self.entries.first().map_or(self.size, |e| e.seq);
        let ask = match (what, self.case) {
            (Asked::Case, Some(case)) => Ask::Timeline(case, self.more.take()),
            (Asked::Newest, _) => Ask::Log(from(self.size), PAGE),
            (Asked::Older, _) => Ask::Log(from(first), PAGE),
            (Asked::Size | Asked::Case, _) => Ask::Log(None, 1),
        };
        self.failed = None;
        self.asked_for = what;
        self.asked.begin(shared.ask(Place::Log, ask));
    }

    fn begin(&mut self, shared: &mut Shared) {
        self.loaded = false;
        self.ask(shared, if self.case.is_some() { Asked::Case } else { Asked::Size });
    }

    fn took(&mut self, shared: &mut Shared, page: LogPage) {
        shared.dirty = true;
        self.failed = None;
        self.size = page.size.max(self.size);
        self.root = page.root_sha256.or(self.root);
        if self.names.len() > MAX_ENTRIES {
            self.names.clear();
        }
        self.names.extend(page.names);
        let at_end = self.cursor.at + 1 >= self.entries.len();
        let selected = self.entries.get(self.cursor.at).map(|e| e.seq);
        match self.asked_for {
            Asked::Size => return self.ask(shared, Asked::Newest),
            Asked::Case => {
                self.entries.extend(page.entries);
                self.more = page.after.filter(|_| self.entries.len() < MAX_ENTRIES);
                if let (None, Some(after), Some(case)) = (self.more, page.after, self.case) {
                    let held = self.entries.len();
                    let later = format!("countersign case timeline {case} --after {after}");
                    shared.say(Tone::Info, format!("The first {held} entries of {case} are here. Later ones: {later}"));
                }
            }
            Asked::Newest | Asked::Older => self.entries.extend(page.entries),
        }
        self.entries.sort_by_key(|e| e.seq);
        self.entries.dedup_by_key(|e| e.seq);
        self.trim();
        self.cursor.at = match selected {
            Some(seq) if self.loaded && !at_end => self.entries.iter().position(|e| e.seq == seq).unwrap_or(0),
            _ if self.asked_for == Asked::Older => selected.and_then(|s| self.entries.iter().position(|e| e.seq == s)).unwrap_or(0),
            _ => self.entries.len().saturating_sub(1),
        };
        self.loaded = true;
        self.cursor.show(self.entries.len(), Self::height(shared));
        if self.more.is_some() {
            self.ask(shared, Asked::Case);
        }
    }

    /// Keeps what is held bounded and without gaps: only the run that ends with the newest entry counts.
    fn trim(&mut self) {
        if self.case.is_none() {
            let gap = (1..self.entries.len()).rev().find(|i| self.entries[*i].seq > self.entries[i - 1].seq + 1);
            if let Some(gap) = gap {
                self.entries.drain(..gap);
            }
        }
        let over = self.entries.len().saturating_sub(MAX_ENTRIES);
        self.entries.drain(..over);
    }

    fn reach(&mut self, shared: &mut Shared) {
        let older = self.case.is_none() && self.cursor.at < 5 && self.entries.first().is_some_and(|e| e.seq > 0);
        if older && !self.asked.waits() && self.entries.len() < MAX_ENTRIES {
            self.ask(shared, Asked::Older);
        }
    }

    fn current(&self) -> Option<&LogEntry> {
        self.entries.get(self.cursor.at)
    }

    fn title(&self) -> String {
        let root = self.root.map_or_else(|| "not told".to_owned(), |r| r.to_string());
        let about = self.case.map(|c| format!(" · only {c}")).unwrap_or_default();
        format!("Log{about} · {} entries · root {root}", view::thousands(self.size))
    }

    fn detail(&self) -> Sheet {
        let mut s = Sheet::default();
        if let Some(e) = self.current() {
            let case = e.case.map(|c| format!(" · {c}")).unwrap_or_default();
            s.fact("Entry", format!("{} · {} · by {}{case}", e.seq, e.at.format("%Y-%m-%d %H:%M:%SZ"), clean(&named(&e.actor, &self.names))));
            s.fact("Event", readable(&clean(&named(&e.summary, &self.names))));
            if let Some(text) = &e.text {
                s.fact("Kept beside", text.sanitise());
            }
            s.fact("Leaf digest", e.leaf_sha256.to_string());
        }
        s
    }
}

impl Screen for Log {
    fn enter(&mut self, shared: &mut Shared, _place: Place) {
        if self.loaded {
            self.ask(shared, if self.case.is_some() { Asked::Case } else { Asked::Size });
        } else {
            self.begin(shared);
        }
    }

    fn refresh(&mut self, shared: &mut Shared, place: Place) {
        self.enter(shared, place);
    }

    fn loading(&self) -> Loading {
        Loading::of(self.loaded, self.failed.is_some())
    }

    fn applies(&self, _shared: &Shared, action: Action) -> Applies {
        match action {
            Action::Open if self.current().is_none_or(|e| e.case.is_none()) => Applies::Hidden,
            Action::Follow if self.case.is_none() && self.current().is_none_or(|e| e.case.is_none()) => Applies::Hidden,
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let height = Self::height(shared);
        if self.cursor.act(action, self.entries.len(), height) {
            return self.reach(shared);
        }
        match action {
            Action::Open => {
                if let Some(case) = self.current().and_then(|e| e.case) {
                    shared.go(Place::Case(case));
                }
            }
            Action::Follow => {
                let case = if self.case.is_some() { None } else { self.current().and_then(|e| e.case) };
                *self = Self { case, size: self.size, root: self.root, ..Self::default() };
                self.begin(shared);
            }
            Action::Copy => {
                if let Some(entry) = self.current() {
                    shared.copy(format!("{} {}", entry.seq, entry.leaf_sha256));
                }
            }
            _ => {}
        }
    }

    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        match event.kind {
            MouseEventKind::ScrollDown => self.act(shared, place, Action::Down),
            MouseEventKind::ScrollUp => self.act(shared, place, Action::Up),
            MouseEventKind::Down(MouseButton::Left) if event.row > area.y => {
                let row = self.cursor.top + usize::from(event.row - area.y - 1);
                self.cursor.at = row.min(self.entries.len().saturating_sub(1));
            }
            _ => return,
        }
        shared.dirty = true;
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if !self.asked.take(seq) {
            return;
        }
        match reply {
            Ok(Reply::Log(page)) => self.took(shared, page),
            Ok(_) => {}
            Err(error) => {
                self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                shared.fail(&error);
            }
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, _news: &Announcement) {
        shared.timer_once(Timer::Refresh, REFRESH);
    }

    fn timer(&mut self, shared: &mut Shared, place: Place, timer: Timer) {
        if timer == Timer::Refresh && !self.asked.waits() {
            self.enter(shared, place);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.y, &fit(&self.title(), usize::from(area.width) - 2), shared.style(Role::Heading));
        let list = Rect { y: area.y + 1, height: area.height.saturating_sub(DETAIL + 2), ..area };
        if self.entries.is_empty() {
            let (text, role) = match (&self.failed, self.loaded) {
                (Some(why), _) => (format!("✕ {why}"), Role::Bad),
                (None, true) => ("No entries.".to_owned(), Role::Dim),
                (None, false) => ("Asking the server …".to_owned(), Role::Dim),
            };
            put(buffer, list, list.x + 1, list.y, &text, shared.style(role));
        }
        let wide = if area.width >= 100 { 26 } else { 16 };
        for (i, e) in self.entries.iter().enumerate().skip(self.cursor.top).take(usize::from(list.height)) {
            let y = list.y + u16::try_from(i - self.cursor.top).unwrap_or(0);
            let here = i == self.cursor.at;
            put(buffer, list, list.x, y, if here { "▌" } else { " " }, shared.style(Role::Marker));
            let style = shared.style(if here { Role::Selected } else { Role::Dim });
            put(buffer, list, list.x + 1, y, &format!("{:>7} {}", e.seq, e.at.format("%d %b %H:%M")), style);
            put(buffer, list, list.x + 23, y, &fit(&clean(&named(&e.actor, &self.names)), wide - 1), shared.style(Role::Info));
            let x = list.x + 23 + u16::try_from(wide).unwrap_or(16);
            let x = put(buffer, list, x, y, &fit(&e.case.map_or_else(|| "register".into(), |c| c.to_string()), 12), shared.style(Role::Dim)) + 1;
            let refused = e.event.contains("refused");
            let text = fit(&readable(&clean(&named(&e.summary, &self.names))), usize::from(list.right().saturating_sub(x)));
            put(buffer, list, x, y, &text, shared.style(if refused { Role::Warn } else { Role::Text }));
        }
        let below = Rect { y: list.bottom() + 1, height: DETAIL, ..area };
        put(buffer, area, area.x, list.bottom(), &"─".repeat(usize::from(area.width)), shared.style(Role::Border));
        self.detail().draw(buffer, below, 0, shared);
    }

    fn read_on(&mut self, shared: &mut Shared, _place: Place) {
        // The newest stand last: what follows, read aloud, is what came before.
        let height = Self::height(shared);
        let at = self.cursor.top.saturating_sub(height);
        self.cursor = Cursor { at, top: at };
        self.reach(shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let mut lines = vec![self.title()];
        let seen = self.entries.iter().skip(self.cursor.top).take(Self::height(shared));
        lines.extend(seen.clone().map(|e| {
            let case = e.case.map(|c| format!(" {c}")).unwrap_or_default();
            format!(
                "{} {}, {}{case}: {}",
                e.seq,
                e.at.format("%d %b %H:%M"),
                clean(&named(&e.actor, &self.names)),
                readable(&clean(&named(&e.summary, &self.names)))
            )
        }));
        let (read, before) = (seen.len(), self.entries.iter().take(self.cursor.top).len());
        let older = before > 0 || (self.case.is_none() && self.entries.first().is_some_and(|e| e.seq > 0));
        if older {
            let all = if self.case.is_some() { u64::try_from(self.entries.len()).unwrap_or(0) } else { self.size };
            lines.push(format!("{read} of {} entries were read: more reads older ones.", view::thousands(all)));
        }
        lines.push("The selected entry:".to_owned());
        lines.extend(self.detail().lines());
        lines
    }
}
