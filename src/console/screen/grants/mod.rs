//! Temporary access: what lives, when it ends, what a target has not confirmed to be gone; and ending it.
//!
//! Contract: rows follow the server, the selection follows the grant; whether one may be ended is the server's word. A countdown is told only
//! while it is in sight. Nothing is ended without a reason and a confirmation. Bounded.

mod draw;

use chrono::TimeDelta;
use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::case::forms::{ENDING, ENDS, required};
use super::case::pages::clean;
use super::going::Going;
use super::paged::{self, Paged};
use super::queue::draw::next_change;
use super::{Loading, Screen};
use crate::api::lists::{Announcement, GrantParams, GrantRow};
use crate::api::requests::Text;
use crate::api::words::GrantState;
use crate::base::ids::GrantId;
use crate::base::{Time, Untrusted};
use crate::client::{ClientError, Write};
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Order, Timer};
use crate::console::keep::State;
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::overlay::Confirmation;
use crate::console::widget::form::{Did, Field, Form};
use crate::console::widget::head_at;

/// Where the rest is found, where there are more rows than are held.
const BEYOND: &str = "`countersign grants --after` goes on.";
/// Rows of what is said about the selected grant.
const DETAIL: u16 = 7;
/// Rows above the list: pages, a blank one, heads.
const ABOVE: u16 = 3;
/// A target answers within seconds: what it has not confirmed for so long is told apart.
const SOON: TimeDelta = TimeDelta::seconds(60);

/// A page: its name, what is asked for, and what stands there when it is empty.
const PAGES: [(&str, Option<&str>, &str); 2] =
    [("Live", None, "No temporary access lives."), ("All there was", Some("all"), "No temporary access was ever given.")];

/// A grant that is about to be ended, and the reason as it is typed.
#[derive(Debug)]
struct Ending {
    row: GrantRow,
    form: Form,
    /// Whether it is under way, and was typed into since.
    going: Going,
    /// Which form it is: an answer closes the one it was sent from.
    number: u64,
}

/// Temporary access.
#[derive(Debug, Default)]
pub struct Grants {
    page: usize,
    list: Paged<GrantRow>,
    ending: Option<Ending>,
    writing: Latest,
    /// The form that waits for its confirmation.
    confirming: Option<u64>,
    /// The form that was sent.
    sent: Option<u64>,
}

/// The draft of a reason.
fn draft(grant: &GrantId) -> String {
    format!("grant-{grant}")
}

impl Grants {
    /// Rows of the list in sight.
    fn height(shared: &Shared) -> usize {
        usize::from(shared.body().height.saturating_sub(ABOVE + DETAIL + 1))
    }

    /// Adds what is kept between two starts.
    pub fn keep(&self, state: &mut State) {
        (state.page, state.row) = (Some(self.page), self.current().map(|r| r.id.to_string()));
    }

    /// The page and row that were looked at last.
    pub fn recall(&mut self, kept: &State) {
        *self = Self { page: kept.page.filter(|page| *page < PAGES.len()).unwrap_or(0), ..Self::default() };
        self.list.want(kept.row.as_deref().and_then(|row| row.parse().ok()));
    }

    fn ask(&mut self, shared: &mut Shared, after: paged::Place) {
        let params = GrantParams { state: PAGES[self.page].1.map(str::to_owned), after, limit: Some(paged::PAGE) };
        self.list.begin(shared.ask(Place::Grants, Ask::Grants(params)));
    }

    fn load(&mut self, shared: &mut Shared) {
        let from = self.list.anew(shared);
        self.ask(shared, from);
    }

    fn show(&mut self, shared: &mut Shared, page: usize) {
        let (writing, sent) = (self.writing, self.sent.take());
        *self = Self { page: page % PAGES.len(), writing, sent, ..Self::default() };
        self.load(shared);
    }

    fn current(&self) -> Option<&GrantRow> {
        self.list.current()
    }

    fn reach(&mut self, shared: &mut Shared) {
        if let Some(from) = self.list.reach(shared, BEYOND) {
            self.ask(shared, from);
        }
    }

    fn heads() -> Vec<String> {
        PAGES.iter().enumerate().map(|(i, (name, ..))| format!("{} {name}", i + 1)).collect()
    }

    /// Opens the form for the reason.
    fn begin(&mut self, shared: &mut Shared) {
        let Some(row) = self.current().cloned() else { return };
        let typed = shared.drafts.get(&draft(&row.id)).map_or("", String::as_str);
        let form = Form::new(vec![Field::many("text", "Reason", typed).with_help(&required(shared))]);
        self.ending = Some(Ending { row, form, going: Going::default(), number: shared.number() });
    }

    /// Asks once more before a grant is ended.
    fn submit(&mut self, shared: &mut Shared) {
        if self.writing.waits() {
            return shared.say(Tone::Info, "Still sending.");
        }
        let Some(Ending { row, form, number, .. }) = &mut self.ending else { return };
        let reason = form.value("text").to_owned();
        if reason.trim().is_empty() {
            form.mistake("text", "This must say something.");
            return;
        }
        let lines =
            vec![format!("{}: {} in {}, by {}.", row.subject_name.line(), clean(&row.scope.join(", ")), row.target, row.case), ENDS.to_owned()];
        let write = Write::RevokeGrant(row.id.clone(), Text { text: Untrusted::from(reason.as_str()) });
        let (case, version) = (row.case, row.version);
        let draft = Some(draft(&row.id));
        let order = Order { draft, ..shared.order(write, Some(case), Some(version)) };
        self.confirming = Some(*number);
        let question = "End this access?".to_owned();
        let own = Some(format!("Your words: {}", clean(&reason)));
        shared.confirm(Confirmation { own, ..Confirmation::new(question, lines, "end it", Place::Grants, order) });
    }

    fn written(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        let sent = self.sent.take();
        // Only its own form: by now another may be open, or the same anew.
        let own = self.ending.as_mut().filter(|ending| sent == Some(ending.number));
        match reply {
            Ok(_) => {
                let left = own.map(|ending| ending.going.left(&mut ending.form, "text"));
                let rest = left.flatten().map(|left| format!(" {left}")).unwrap_or_default();
                shared.say(Tone::Good, format!("{ENDING}{rest}"));
                match left {
                    Some(Some(_)) => self.keep_draft(shared),
                    Some(None) => self.ending = None,
                    None => {}
                }
            }
            Err(error) => {
                // What is tried again is tried on the grant as it is then; whoever types on is not interrupted.
                if own.is_some_and(|ending| !ending.going.is_typed_on()) && !error.never_left() {
                    self.ending = None;
                }
                shared.fail(&error);
                if error.never_left() {
                    return;
                }
                if error.status() == Some(412) {
                    let now = "The case changed meanwhile and nothing was sent. This is how it is now; what you typed is kept.";
                    shared.say(Tone::Bad, now);
                }
            }
        }
        self.load(shared);
    }

    fn keep_draft(&self, shared: &mut Shared) {
        if let Some(ending) = &self.ending {
            shared.keep_draft(&draft(&ending.row.id), ending.form.value("text"));
        }
    }

    fn click(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        if event.row == area.y {
            if let Some(i) = head_at(&Self::heads(), area.x + 1, event.column) {
                self.show(shared, i);
            }
        } else if event.row >= area.y + ABOVE && usize::from(event.row - area.y - ABOVE) < Self::height(shared) {
            let row = self.list.cursor().top + usize::from(event.row - area.y - ABOVE);
            if row < self.list.rows().len() {
                let again = self.list.cursor().at == row;
                self.list.select(row);
                if again {
                    self.act(shared, place, Action::Open);
                }
            }
        }
    }
}

impl Screen for Grants {
    fn refresh(&mut self, shared: &mut Shared, _place: Place) {
        self.load(shared);
    }

    fn loading(&self) -> Loading {
        Loading::of(self.list.loaded(), self.list.failed().is_some())
    }

    fn applies(&self, _shared: &Shared, action: Action) -> Applies {
        match (action, self.current()) {
            (Action::Open | Action::Copy | Action::Revoke, None) | (Action::Tab3 | Action::Tab4, _) => Applies::Hidden,
            (Action::Revoke, Some(row)) => row.refused.as_deref().map_or(Applies::Yes, |why| Applies::No(clean(why))),
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        if let Some(ending) = &mut self.ending {
            match action {
                Action::Submit => self.submit(shared),
                Action::Cancel => self.ending = None,
                _ => {
                    ending.form.act(action);
                }
            }
            return;
        }
        if self.list.act(action, Self::height(shared)) {
            return self.reach(shared);
        }
        if matches!(action, Action::Open | Action::Copy | Action::Revoke) {
            self.list.chosen();
        }
        match (action, self.current()) {
            (Action::Open, Some(row)) => shared.go(Place::Case(row.case)),
            (Action::Copy, Some(row)) => shared.copy(row.id.to_string()),
            (Action::Revoke, Some(_)) => self.begin(shared),
            (Action::NextTab, _) => self.show(shared, self.page + 1),
            (Action::PreviousTab, _) => self.show(shared, self.page + PAGES.len() - 1),
            (Action::Tab1, _) => self.show(shared, 0),
            (Action::Tab2, _) => self.show(shared, 1),
            _ => {}
        }
    }

    fn typing(&self) -> bool {
        self.ending.is_some()
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if let Some(ending) = &mut self.ending
            && ending.form.typed(key) == Did::Changed
        {
            ending.going.typed();
            self.keep_draft(shared);
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, whole: bool) {
        if let Some(ending) = &mut self.ending {
            ending.form.pasted(text, whole);
            ending.going.typed();
            self.keep_draft(shared);
        }
    }

    fn editable(&self) -> Option<String> {
        self.ending.as_ref().and_then(|e| e.form.editable())
    }

    fn form(&self) -> Option<&Form> {
        self.ending.as_ref().map(|e| &e.form)
    }

    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        match event.kind {
            _ if self.typing() => return,
            MouseEventKind::ScrollDown => self.act(shared, place, Action::Down),
            MouseEventKind::ScrollUp => self.act(shared, place, Action::Up),
            MouseEventKind::Down(MouseButton::Left) => self.click(shared, place, event, area),
            _ => return,
        }
        shared.dirty = true;
    }

    fn sent(&mut self, _shared: &mut Shared, _place: Place, seq: u64) {
        self.sent = self.confirming.take();
        if let Some(ending) = self.ending.as_mut().filter(|ending| self.sent == Some(ending.number)) {
            ending.going.goes(&ending.form, "text");
        }
        self.writing.begin(seq);
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if self.writing.take(seq) {
            shared.dirty = true;
            return self.written(shared, reply);
        }
        if !self.list.takes(seq) {
            return;
        }
        let answer = match reply {
            Ok(Reply::Grants(page)) => Ok((page.rows, page.after)),
            Ok(_) => return,
            Err(error) => Err(error),
        };
        let more = self.list.answered(shared, answer, Self::height(shared));
        if let Some(ending) = &mut self.ending
            && let Some(now) = self.list.rows().iter().find(|row| row.id == ending.row.id)
        {
            ending.row = now.clone();
        }
        match more {
            Some(from) => self.ask(shared, from),
            None => self.reach(shared),
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, _news: &Announcement) {
        paged::news(shared);
    }

    fn timer(&mut self, shared: &mut Shared, _place: Place, timer: Timer) {
        if timer == Timer::Refresh
            && let Some(from) = self.list.again(shared)
        {
            self.ask(shared, from);
        }
    }

    fn next_change(&self, shared: &Shared) -> Option<Time> {
        let selected = self.current().into_iter();
        let rows = self.list.seen(Self::height(shared)).map(|(_, row)| row).chain(selected);
        let changes = rows.filter_map(|row| match (row.state, row.ending_since) {
            (GrantState::Active, _) => next_change(shared, row.expires_at),
            (GrantState::Suspended | GrantState::Ending, Some(since)) => next_change(shared, since),
            _ => None,
        });
        changes.min()
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        self.draw_grants(frame, area, shared);
    }

    fn read_on(&mut self, shared: &mut Shared, place: Place) {
        self.act(shared, place, Action::Last);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        self.read_out(shared)
    }
}
