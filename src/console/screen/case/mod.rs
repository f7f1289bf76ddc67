//! A case: overview, checklist, evidence, approvals, timeline; and everything that can be done to it, each with the server's own reason
//! where it is refused.
//!
//! Contract: shows what the server sent and nothing else; what can't be undone waits for a confirmation; drafts outlive everything. Why one
//! can't decide, and who could, stands above every page. Knows no other screen's state.

mod acts;
mod draw;
pub(super) mod forms;
pub(super) mod pages;
mod ways;

use std::collections::BTreeMap;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::going::Going;
use super::{Loading, Screen};
use crate::api::case::CaseDetail;
use crate::api::lists::{Announcement, LogEntry};
use crate::base::ids::CaseId;
use crate::base::{Time, Untrusted};
use crate::client::{ClientError, Write};
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Order, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::screen::queue::draw::next_change;
use crate::console::widget::form::{Did, Form};
use crate::console::widget::sheet::{Scroll, Sheet};
use forms::Purpose;

/// How often the case is asked for again at most while much happens.
const AGAIN: Duration = Duration::from_millis(300);
/// The most entries of a timeline that are shown.
const MAX_ENTRIES: usize = 2000;
/// The most names kept for them.
const MAX_NAMES: usize = MAX_ENTRIES;

/// The pages of a case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tab {
    #[default]
    Overview,
    Checklist,
    Evidence,
    Approvals,
    Timeline,
}

impl Tab {
    const ALL: [Self; 5] = [Self::Overview, Self::Checklist, Self::Evidence, Self::Approvals, Self::Timeline];

    fn index(self) -> usize {
        Self::ALL.iter().position(|t| *t == self).unwrap_or(0)
    }
}

/// A form that is open.
#[derive(Debug)]
struct Open {
    purpose: Purpose,
    form: Form,
    /// Which form it is: an answer closes the one it was sent from.
    number: u64,
    /// Whether it is under way, and was typed into since.
    going: Going,
}

impl Open {
    /// It is sent as it is now.
    fn goes(&mut self) {
        self.going.goes(&self.form, self.purpose.main_field());
    }

    /// What was sent was done: what is left in it, if anything.
    fn left(&mut self) -> Option<&'static str> {
        self.going.left(&mut self.form, self.purpose.main_field())
    }
}

/// A write of this case: what is said when it was done, and the form that it was sent from.
type Doing = (&'static str, Option<u64>);

/// A case.
#[derive(Debug, Default)]
pub struct Case {
    id: Option<CaseId>,
    seen: Option<Box<CaseDetail>>,
    failed: Option<String>,
    tab: Tab,
    scrolls: [Scroll; 5],
    entries: Vec<LogEntry>,
    names: BTreeMap<String, Untrusted>,
    /// Where the timeline goes on, while there is more.
    entries_after: Option<u64>,
    /// After which version of the case there are later entries than are held, by the server's word.
    cut: Option<u64>,
    open: Option<Open>,
    asked: Latest,
    asked_entries: Latest,
    asked_whom: Latest,
    writing: Latest,
    /// The write that is under way.
    doing: Option<Doing>,
    /// The write that waits for its confirmation: it becomes `doing` when it is sent, not before.
    asking: Option<Doing>,
}

impl Case {
    /// Opens the form that takes an approval back, if this case is in front: it was just read.
    pub fn take_back(&mut self, shared: &mut Shared, case: Box<CaseDetail>) {
        if self.id == Some(case.row.id) {
            self.took(shared, case);
            self.open(shared, Purpose::TakeBack);
            shared.dirty = true;
        }
    }

    /// The page that is shown, from 0, if it is this case's.
    pub fn page_of(&self, case: CaseId) -> Option<usize> {
        (self.id == Some(case)).then(|| self.tab.index())
    }

    /// The case and page that were looked at last.
    pub fn recall(&mut self, case: CaseId, page: Option<usize>) {
        let tab = page.and_then(|page| Tab::ALL.get(page)).copied().unwrap_or_default();
        *self = Self { id: Some(case), tab, ..Self::default() };
    }

    /// The version of the case that is shown.
    pub fn version(&self) -> Option<u64> {
        self.seen.as_ref().map(|c| c.row.version)
    }

    fn load(&mut self, shared: &mut Shared) {
        let Some(id) = self.id else { return };
        self.failed = None;
        let place = Place::Case(id);
        self.asked.begin(shared.ask(place, Ask::Case(id)));
        if self.tab == Tab::Timeline {
            self.load_entries(shared, None);
        }
    }

    /// Whether a place is this case's.
    fn is_at(&self, place: Place) -> bool {
        matches!(place, Place::Case(id) if self.id == Some(id))
    }

    fn load_entries(&mut self, shared: &mut Shared, after: Option<u64>) {
        let Some(id) = self.id else { return };
        // What is read from its beginning goes on from nowhere.
        (self.entries_after, self.cut) = (after, None);
        self.asked_entries.begin(shared.ask(Place::Case(id), Ask::Timeline(id, after)));
    }

    fn sheet(&self, shared: &Shared) -> Sheet {
        let Some(case) = &self.seen else { return Sheet::default() };
        match self.tab {
            Tab::Overview => pages::overview(case, shared),
            Tab::Checklist => pages::checklist(case, shared),
            Tab::Evidence => pages::evidence(case),
            Tab::Approvals => pages::approvals(case),
            Tab::Timeline => pages::timeline(&self.entries, &self.names, (self.asked_entries.waits(), self.id.zip(self.cut))),
        }
    }

    fn show(&mut self, shared: &mut Shared, tab: Tab) {
        self.tab = tab;
        if tab == Tab::Timeline {
            self.load_entries(shared, None);
        }
    }

    fn step(&mut self, shared: &mut Shared, by: usize) {
        let next = Tab::ALL[(self.tab.index() + by) % Tab::ALL.len()];
        self.show(shared, next);
    }

    fn open(&mut self, shared: &mut Shared, purpose: Purpose) {
        if let Some(case) = &self.seen {
            self.open = Some(Open { purpose, form: purpose.form(case, shared), number: shared.number(), going: Going::default() });
        }
    }

    fn keep_draft(&self, shared: &mut Shared) {
        if let (Some(open), Some(id)) = (&self.open, self.id) {
            shared.keep_draft(&open.purpose.draft(id), open.form.value(open.purpose.main_field()));
        }
    }

    /// Sends a change of this case at once.
    fn send(&mut self, shared: &mut Shared, write: Write, done: &'static str, draft: Option<String>) {
        let Some((id, version)) = self.seen.as_ref().map(|c| (c.row.id, c.row.version)) else { return };
        let form = self.open.as_mut().filter(|_| draft.is_some()).map(|open| {
            open.goes();
            open.number
        });
        let order = Order { draft, ..shared.order(write, Some(id), Some(version)) };
        self.doing = Some((done, form));
        self.writing.begin(shared.send(Place::Case(id), order));
    }

    fn took(&mut self, shared: &mut Shared, case: Box<CaseDetail>) {
        shared.dirty |= self.seen.as_ref() != Some(&case);
        shared.changed(Place::Case(case.row.id), case.row.version);
        self.failed = None;
        self.seen = Some(case);
    }

    fn written(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        let doing = self.doing.take();
        match reply {
            Ok(Reply::Written(written)) => {
                if let Some((said, form)) = doing {
                    // Another form may be open by now, or the same anew, or more was typed into it.
                    let left = self.open.as_mut().filter(|open| form == Some(open.number)).map(Open::left);
                    shared.say(Tone::Good, left.flatten().map_or_else(|| said.to_owned(), |left| format!("{said} {left}")));
                    match left {
                        Some(Some(_)) => self.keep_draft(shared),
                        Some(None) => self.open = None,
                        None => {}
                    }
                }
                match written.case {
                    Some(case) => {
                        self.took(shared, case);
                        if self.tab == Tab::Timeline {
                            self.load_entries(shared, None);
                        }
                    }
                    None => self.load(shared),
                }
            }
            Ok(_) => {}
            Err(error) => {
                self.misplaced(doing.and_then(|(_, form)| form), &error);
                shared.fail(&error);
                if error.status() == Some(412) {
                    shared.say(Tone::Bad, "The case changed meanwhile and nothing was sent. This is how it is now; what you typed is kept.");
                }
                if !error.never_left() {
                    self.load(shared);
                }
            }
        }
        shared.dirty = true;
    }

    /// Puts the server's complaint at the field it is about, if the form that was sent is still there.
    fn misplaced(&mut self, form: Option<u64>, error: &ClientError) {
        let open = self.open.as_mut().filter(|open| form == Some(open.number));
        if let (Some(open), Some(problem)) = (open, error.problem()) {
            let sentence = crate::base::text::sanitise(&problem.detail, false);
            let name = problem.field.as_deref().unwrap_or("").trim_start_matches('/');
            // The sentence stands at the field: the field's own name before it says nothing more.
            let sentence = sentence.strip_prefix(&format!("{name}: ")).map(str::to_owned).unwrap_or(sentence);
            if !open.form.mistake(name, &sentence) {
                // What a field that is not named says stands in the sentence, if that is about it: an account that is nobody's, say.
                let main = open.purpose.main_field();
                let said = open.form.fields.iter().find(|f| f.name != main && f.is_line() && !f.value().is_empty() && sentence.contains(f.value()));
                let name = said.map_or(main, |f| f.name);
                open.form.mistake(name, &sentence);
            }
        }
    }

    /// Columns and rows of the page below the head.
    fn room(&self, shared: &Shared) -> Rect {
        let area = shared.body();
        draw::split(area, self.head_height(area.width, shared)).0
    }
}

impl Screen for Case {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        if let Place::Case(id) = place
            && self.id != Some(id)
        {
            *self = Self { id: Some(id), ..Self::default() };
        }
        self.load(shared);
    }

    fn refresh(&mut self, shared: &mut Shared, _place: Place) {
        self.load(shared);
    }

    fn loading(&self) -> Loading {
        Loading::of(self.seen.is_some(), self.failed.is_some())
    }

    fn typing(&self) -> bool {
        self.open.is_some()
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if let Some(open) = &mut self.open
            && open.form.typed(key) == Did::Changed
        {
            open.going.typed();
            self.keep_draft(shared);
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, whole: bool) {
        if let Some(open) = &mut self.open {
            open.form.pasted(text, whole);
            open.going.typed();
            self.keep_draft(shared);
        }
    }

    fn editable(&self) -> Option<String> {
        self.open.as_ref().and_then(|o| o.form.editable())
    }

    fn form(&self) -> Option<&Form> {
        self.open.as_ref().map(|o| &o.form)
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        let Some(case) = &self.seen else {
            return if action.row().operation.is_some() || matches!(action, Action::Approve | Action::Deny) { Applies::Hidden } else { Applies::Yes };
        };
        match action {
            Action::Approve | Action::Deny if case.seal.is_none() => Applies::No("There is nothing sealed to decide on yet.".into()),
            Action::LetGo if case.row.assignee.is_none() => Applies::Hidden,
            // Without any access there is nothing to say about ending it.
            Action::Revoke if case.grants.is_empty() => Applies::Hidden,
            Action::AssignMe if shared.me.is_none() => Applies::No("The server has not said yet who you are.".into()),
            Action::AssignMe if case.row.assignee.is_some() && case.row.assignee == shared.me.as_ref().and_then(|m| m.operator.clone()) => {
                Applies::No("It is yours already.".into())
            }
            _ => acts::applies(case, action),
        }
    }

    fn hints(&self, shared: &Shared, action: Action) -> bool {
        let none = self.seen.as_ref().is_some_and(|c| c.you_cannot_decide.is_empty());
        !matches!(action, Action::Approve | Action::Deny) || (none && self.doable_now(shared, action) == Applies::Yes)
    }

    fn act(&mut self, shared: &mut Shared, place: Place, action: Action) {
        if let Some(open) = &mut self.open {
            match action {
                Action::Submit => self.submit(shared),
                Action::Cancel => self.open = None,
                _ => {
                    open.form.act(action);
                }
            }
            return;
        }
        let room = self.room(shared);
        let lines = self.sheet(shared).height(room.width);
        if self.scrolls[self.tab.index()].act(action, lines, usize::from(room.height)) {
            return;
        }
        match action {
            Action::NextTab => self.step(shared, 1),
            Action::PreviousTab => self.step(shared, Tab::ALL.len() - 1),
            Action::Tab1 => self.show(shared, Tab::Overview),
            Action::Tab2 => self.show(shared, Tab::Checklist),
            Action::Tab3 => self.show(shared, Tab::Evidence),
            Action::Tab4 => self.show(shared, Tab::Approvals),
            Action::Tab5 => self.show(shared, Tab::Timeline),
            Action::Copy => {
                if let Some(id) = self.id {
                    shared.copy(id.to_string());
                }
            }
            other => self.do_act(shared, place, other),
        }
    }

    fn picked(&mut self, shared: &mut Shared, _place: Place, purpose: &str, value: &str) {
        self.do_picked(shared, purpose, value);
    }

    fn sent(&mut self, _shared: &mut Shared, place: Place, seq: u64) {
        if !self.is_at(place) {
            return;
        }
        self.doing = self.asking.take();
        if let Some(open) = &mut self.open {
            open.goes();
        }
        self.writing.begin(seq);
    }

    fn answer(&mut self, shared: &mut Shared, place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        // What is said about another case is not shown as this one.
        if !self.is_at(place) {
            return;
        }
        if self.writing.take(seq) {
            return self.written(shared, reply);
        }
        if self.asked.take(seq) {
            match reply {
                Ok(Reply::Case(case)) => self.took(shared, case),
                Ok(_) => {}
                Err(error) => {
                    self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                    shared.fail(&error);
                }
            }
        } else if self.asked_whom.take(seq) {
            super::give::answered(shared, reply);
        } else if self.asked_entries.take(seq) {
            match reply {
                Ok(Reply::Log(page)) => {
                    let first = self.entries_after.take().is_none();
                    if first {
                        self.entries.clear();
                        self.names.clear();
                    }
                    self.entries.extend(page.entries);
                    // Names of those in the entries, read anew with them; whoever finds no room is shown by id.
                    let room = MAX_NAMES.saturating_sub(self.names.len());
                    self.names.extend(page.names.into_iter().take(room));
                    shared.dirty = true;
                    match page.after {
                        Some(after) if self.entries.len() < MAX_ENTRIES => self.load_entries(shared, Some(after)),
                        after => self.cut = after,
                    }
                }
                Ok(_) => {}
                Err(error) => shared.fail(&error),
            }
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        let concerns = match news {
            Announcement::Case { row } => {
                Some(row.id) == self.id && self.seen.as_ref().is_none_or(|c| c.row.version < row.version) && !self.writing.waits()
            }
            Announcement::Register | Announcement::Lagged => true,
        };
        if concerns {
            shared.timer_once(Timer::Case, AGAIN);
        }
    }

    fn timer(&mut self, shared: &mut Shared, _place: Place, timer: Timer) {
        if timer == Timer::Case {
            self.load(shared);
        }
    }

    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, area: Rect) {
        match event.kind {
            MouseEventKind::ScrollDown => self.act(shared, place, Action::Down),
            MouseEventKind::ScrollUp => self.act(shared, place, Action::Up),
            MouseEventKind::Down(MouseButton::Left) => {
                let head = area.y + self.head_height(area.width, shared) - 1;
                if event.row == head
                    && let Some(tab) = self.tab_at(event.column, area.width)
                {
                    self.show(shared, tab);
                }
            }
            _ => return,
        }
        shared.dirty = true;
    }

    fn next_change(&self, shared: &Shared) -> Option<Time> {
        let case = self.seen.as_ref()?;
        let since = case.hold.iter().flat_map(|hold| &hold.sessions);
        let sessions = case.checklist.items.iter().flat_map(|i| &i.sessions).chain(since).filter(|s| s.outcome.is_none()).map(|s| s.expires_at);
        let grants = case.grants.iter().filter(|g| g.revoked_at.is_none()).map(|g| g.expires_at);
        case.row.due.into_iter().chain(sessions).chain(grants).filter_map(|t| next_change(shared, t)).min()
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        self.draw_case(frame, area, shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        self.read_out(shared)
    }
}
