//! Proposals: every change of policy, people and accounts that waits to be approved; what it is in words, who proposed it, and who could approve it.
//!
//! Contract: rows follow the server, those that wait for the user first; the selection follows the proposal. Whether one may be approved is the
//! server's word. Nothing is sent unconfirmed; a policy is approved where it was shown whole. Bounded by the server, which lets 100 wait.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::policy::READ;
use super::policy::proposal::{AGAIN, About, became, may};
use super::{Loading, Screen, wheel};
use crate::api::governance::RegisterView;
use crate::api::lists::Announcement;
use crate::base::Time;
use crate::base::ids::ProposalId;
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::theme::Role;
use crate::console::widget::list::Cursor;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{fit, put, wrap};

/// The most rows in sight: below them stands what the selected one is.
const ROWS: u16 = 12;

/// The list.
#[derive(Debug, Default)]
pub struct Proposals {
    rows: Option<Vec<About>>,
    selected: Option<ProposalId>,
    cursor: Cursor,
    failed: Option<String>,
    asked: Latest,
    writing: Latest,
}

impl Proposals {
    fn rows(&self) -> &[About] {
        self.rows.as_deref().unwrap_or_default()
    }

    fn current(&self) -> Option<&About> {
        self.rows().get(self.cursor.at)
    }

    /// Rows in sight at most, so that there is room for what the selected one is.
    fn height(shared: &Shared) -> usize {
        usize::from((shared.body().height / 3).clamp(2, ROWS))
    }

    fn take(&mut self, shared: &Shared, view: &RegisterView) {
        let mut rows: Vec<(Time, About)> = view.proposals.iter().map(|p| (p.proposed_at, About::of_row(p, view.names.clone()))).collect();
        rows.sort_by_key(|(at, one)| (!one.waits_for_user(), *at, one.id.clone()));
        let rows: Vec<About> = rows.into_iter().map(|(_, one)| one).collect();
        if let Some(at) = self.selected.as_ref().and_then(|id| rows.iter().position(|one| one.id == *id)) {
            self.cursor.at = at;
        }
        self.rows = Some(rows);
        self.cursor.show(self.rows().len(), Self::height(shared));
    }

    /// How many there are, and how many of them wait for the user.
    fn title(&self) -> String {
        let (all, mine) = (self.rows().len(), self.rows().iter().filter(|one| one.waits_for_user()).count());
        match (all, mine) {
            (0, _) => "Proposals".to_owned(),
            (all, 0) => format!("Proposals: {all}, none of them for you to approve"),
            (all, mine) => format!("Proposals: {all}, for you to approve: {mine}"),
        }
    }

    /// What stands there without rows.
    fn nothing(&self, shared: &Shared) -> Option<(String, Role)> {
        match (&self.failed, &self.rows) {
            // To ask again changes nothing for whom they are none of.
            (Some(why), None) if shared.me.is_some() && !may(shared, READ) => Some((format!("✕ {why}"), Role::Bad)),
            (Some(why), None) => Some((format!("✕ {why} {} tries again.", shared.key(Action::Refresh)), Role::Bad)),
            (None, None) => Some(("Asking the server …".to_owned(), Role::Dim)),
            (_, Some(rows)) if rows.is_empty() => Some(("No change of policy, people or accounts waits to be approved.".to_owned(), Role::Dim)),
            _ => None,
        }
    }

    /// What the selected one is.
    fn detail(&self, shared: &Shared) -> Sheet {
        let mut s = Sheet::default();
        if let Some(one) = self.current() {
            s.head(format!("{} {}", if one.is_policy() { "Proposed policy" } else { "Proposal" }, one.id));
            one.facts(&mut s, shared.server_now());
            if one.is_policy() {
                let key = shared.keymap.shown(Action::Open).filter(|_| !shared.plain).unwrap_or_else(|| Action::Open.row().name.to_owned());
                s.text(format!("{key} opens it: how it differs, which cases it changes, its text, and approving it."), Role::Dim);
            }
        }
        s
    }

    fn open(&self, shared: &mut Shared) {
        if let Some(one) = self.current() {
            shared.opens = Some(Box::new(one.clone()));
            shared.go(Place::Proposal);
        }
    }

    fn decide(&self, shared: &mut Shared, action: Action) {
        let Some(one) = self.current() else { return };
        if self.writing.waits() {
            return shared.say(Tone::Info, "Still sending.");
        }
        if action == Action::ApproveProposal && one.is_policy() {
            shared.say(Tone::Info, "A policy is approved where it is shown whole: read it, then approve it here.");
            return self.open(shared);
        }
        one.ask_first(shared, action, (None, None), Place::Proposals);
    }
}

impl Screen for Proposals {
    fn refresh(&mut self, shared: &mut Shared, place: Place) {
        if shared.me.is_some() && !may(shared, READ) {
            self.failed = Some("Proposals are for supervisors, security reviewers and policy owners.".to_owned());
            return;
        }
        self.asked.begin(shared.ask(place, Ask::Proposals));
    }

    fn loading(&self) -> Loading {
        Loading::of(self.rows.is_some(), self.failed.is_some())
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        match (action, self.current()) {
            (Action::Open | Action::Copy | Action::ApproveProposal | Action::EndProposal, None) => Applies::Hidden,
            (Action::ApproveProposal | Action::EndProposal, Some(one)) => one.refused(shared, action).map_or(Applies::Yes, Applies::No),
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let len = self.rows().len();
        if self.cursor.act(action, len, Self::height(shared)) {
            self.selected = self.current().map(|one| one.id.clone());
            return;
        }
        match action {
            Action::Open => self.open(shared),
            Action::ApproveProposal | Action::EndProposal => self.decide(shared, action),
            Action::Copy => {
                if let Some(id) = self.current().map(|one| one.id.to_string()) {
                    shared.copy(id);
                }
            }
            _ => {}
        }
    }

    fn sent(&mut self, _shared: &mut Shared, _place: Place, seq: u64) {
        self.writing.begin(seq);
    }

    fn answer(&mut self, shared: &mut Shared, place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        shared.dirty = true;
        if self.writing.take(seq) {
            match reply {
                Ok(Reply::Written(written)) => shared.say(Tone::Good, became(&written.governed.unwrap_or_default())),
                Ok(_) => {}
                Err(error) => shared.fail(&error),
            }
            return self.refresh(shared, place);
        }
        if !self.asked.take(seq) {
            return;
        }
        match reply {
            Ok(Reply::Register(view)) => {
                self.failed = None;
                self.take(shared, &view);
            }
            Ok(_) => {}
            Err(error) => {
                self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                shared.fail(&error);
            }
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        if matches!(news, Announcement::Register | Announcement::Lagged) {
            shared.timer_once(Timer::Refresh, AGAIN);
        }
    }

    fn timer(&mut self, shared: &mut Shared, place: Place, timer: Timer) {
        if timer == Timer::Refresh && !self.writing.waits() {
            self.refresh(shared, place);
        }
    }

    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        let at = usize::from(event.row.saturating_sub(area.y + 2)) + self.cursor.top;
        let row = event.row >= area.y + 2 && at < self.rows().len() && at < self.cursor.top + Self::height(shared);
        if event.kind == MouseEventKind::Down(MouseButton::Left) && row {
            let again = self.cursor.at == at;
            self.cursor.at = at;
            self.selected = self.current().map(|one| one.id.clone());
            if again {
                self.open(shared);
            }
        } else if let Some(action) = wheel(event.kind) {
            self.act(shared, place, action);
        } else {
            return;
        }
        shared.dirty = true;
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.y, &self.title(), shared.style(Role::Selected));
        if let Some((text, role)) = self.nothing(shared) {
            for (y, line) in (area.y + 2..area.bottom()).zip(wrap(&text, usize::from(area.width).saturating_sub(2))) {
                put(buffer, area, area.x + 1, y, &line, shared.style(role));
            }
            return;
        }
        let (by, stands) = (area.width / 2, area.width.saturating_sub(22));
        let by = by.min(stands.saturating_sub(12));
        for (x, text) in [(1, "Would change"), (by, "Proposed by"), (stands, "Stands")] {
            put(buffer, area, area.x + x, area.y + 1, text, shared.style(Role::Heading));
        }
        let height = Self::height(shared);
        for (i, one) in self.rows().iter().enumerate().skip(self.cursor.top).take(height) {
            let y = area.y + 2 + u16::try_from(i - self.cursor.top).unwrap_or(0);
            let here = i == self.cursor.at;
            if here {
                put(buffer, area, area.x, y, "▌", shared.style(Role::Marker));
            }
            let text = shared.style(if here { Role::Selected } else { Role::Text });
            put(buffer, area, area.x + 1, y, &fit(one.says(), usize::from(by.saturating_sub(2))), text);
            put(buffer, area, area.x + by, y, &fit(&one.by(), usize::from(stands.saturating_sub(by + 1))), shared.style(Role::Text));
            let role = if one.waits_for_user() { Role::Warn } else { Role::Dim };
            put(buffer, area, area.x + stands, y, &fit(&one.short(shared.server_now()), 21), shared.style(role));
        }
        let rows = u16::try_from(self.rows().len().min(height)).unwrap_or(0);
        let below = Rect { y: area.y + 3 + rows, height: area.height.saturating_sub(3 + rows), ..area };
        self.detail(shared).draw(buffer, below, 0, shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let mut lines = vec![format!("{}.", self.title())];
        lines.extend(self.nothing(shared).map(|(text, _)| text));
        let now = shared.server_now();
        for (i, one) in self.rows().iter().enumerate() {
            let here = if i == self.cursor.at { "selected: " } else { "" };
            lines.push(format!("{}. {here}{}: {}, proposed by {}, {}", i + 1, one.id, one.says(), one.by(), one.short(now)));
        }
        if let Some(one) = self.current() {
            lines.extend(self.detail(shared).lines());
            let why = one.refused(shared, Action::ApproveProposal);
            lines.push(
                why.unwrap_or_else(|| "approve-proposal approves the selected one, end-proposal refuses it; each is asked once more.".to_owned()),
            );
            lines.push("pick and a number opens another one.".to_owned());
        }
        lines
    }
}
