//! Routing: opening a case, or sending one another way; with what that costs whoever does it, before it is done.
//!
//! Contract: nothing is sent before the server said what it would cost and the user confirmed it; open cases of the same subject are shown
//! at intake; what was typed is kept. Targets and scopes are picked from what is recorded, never typed.

mod draw;
mod fields;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::case::pages::clean;
use super::{Loading, Screen};
use crate::api::case::{CaseDetail, RoutePreview};
use crate::api::lists::{Announcement, SubjectFound, SubjectRow};
use crate::base::Digest;
use crate::base::ids::CaseId;
use crate::client::{ClientError, Write};
use crate::console::action::Action;
use crate::console::effect::{Ask, Order, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::overlay::Confirmation;
use crate::console::widget::form::{Did, Field, Form};
use crate::console::widget::list::Cursor;

/// How often the case is asked for again at most while much happens.
const AGAIN: Duration = Duration::from_millis(300);
/// How long typing rests before the server is asked.
const REST: Duration = Duration::from_millis(300);
/// The draft of what was said about somebody: theirs alone, under a name that a file can have.
fn draft(subject: &SubjectRow) -> String {
    format!("new-case-{}", &Digest::of(subject.id.as_str().as_bytes()).to_string()[..32])
}

/// Routing.
#[derive(Debug, Default)]
pub struct Routing {
    case_id: Option<CaseId>,
    begun: bool,
    /// The case that goes another way.
    case: Option<Box<CaseDetail>>,
    /// The search for a subject, while there is none.
    search: Form,
    found: Option<Vec<SubjectFound>>,
    /// The words that `found` answers.
    found_for: String,
    /// The words last asked about.
    asked_for: String,
    /// Enter was pressed before the answer to what is typed was there: the only one found is taken when it comes.
    takes: bool,
    cursor: Cursor,
    subject: Option<SubjectRow>,
    form: Form,
    /// Which form it is, and which was sent: an answer ends the one it was sent from.
    number: u64,
    sent: u64,
    preview: Option<Box<RoutePreview>>,
    /// Why there is no preview.
    unclear: Option<String>,
    asked: Latest,
    asked_subjects: Latest,
    asked_preview: Latest,
    sending: Latest,
}

impl Routing {
    fn place(&self) -> Place {
        Place::Route(self.case_id)
    }

    fn look(&mut self, shared: &mut Shared) {
        let words = self.words();
        self.asked_for.clone_from(&words);
        if words.is_empty() {
            (self.found, self.found_for) = (None, words);
        } else {
            self.asked_subjects.begin(shared.ask(self.place(), Ask::Subjects(words)));
        }
    }

    /// What is looked for.
    fn words(&self) -> String {
        self.search.value("search").trim().to_owned()
    }

    /// Whether the list answers what is typed now, not something typed before.
    fn answers(&self) -> bool {
        self.found.is_some() && self.found_for == self.words()
    }

    /// Takes the row under the cursor; never one of a list that answers other words than those typed.
    fn choose(&mut self, shared: &mut Shared) {
        if !self.answers() {
            self.takes = !self.words().is_empty();
            if self.takes && !(self.asked_subjects.waits() && self.asked_for == self.words()) {
                self.look(shared);
            }
            return;
        }
        let Some(row) = self.found.as_ref().and_then(|f| f.get(self.cursor.at)) else { return };
        // The list knows names only: what can be asked for is read of the one that is meant.
        self.asked_subjects.begin(shared.ask(self.place(), Ask::Subject(row.id.clone())));
    }

    fn take_subject(&mut self, shared: &mut Shared, row: SubjectRow) {
        let draft = shared.drafts.get(&draft(&row)).cloned().unwrap_or_default();
        self.form = fields::form(&row, self.case.as_deref(), &draft);
        self.number = shared.number();
        self.subject = Some(row);
        self.ask_preview(shared);
    }

    fn ask_preview(&mut self, shared: &mut Shared) {
        let Some(subject) = &self.subject else { return };
        match fields::preview(&self.form, subject, self.case_id) {
            Ok(body) => {
                self.unclear = None;
                self.asked_preview.begin(shared.ask(self.place(), Ask::RoutePreview(Box::new(body))));
            }
            Err((_, why)) => {
                self.preview = None;
                self.unclear = Some(why);
            }
        }
    }

    /// Something in the form changed: scopes follow the target, the preview follows all.
    fn changed(&mut self, shared: &mut Shared) {
        let Some(subject) = &self.subject else {
            return shared.timer(Timer::Form, REST);
        };
        if self.form.fields.get(self.form.focus).is_some_and(|f| f.name == "target") {
            fields::offer_scopes(&mut self.form, subject, &[]);
        }
        let name = self.form.fields.get(self.form.focus).map_or("", |f| f.name);
        if name == "summary" {
            shared.keep_draft(&draft(subject), self.form.value("summary"));
        }
        if matches!(name, "action" | "path" | "target" | "scope" | "groups") {
            // What the way before would cost says nothing about this one: it is neither shown nor confirmed any more.
            (self.preview, self.unclear, self.asked_preview) = (None, None, Latest::default());
            shared.timer(Timer::Form, REST);
        }
    }

    fn submit(&mut self, shared: &mut Shared) {
        let Some(subject) = &self.subject else { return self.choose(shared) };
        if self.sending.waits() {
            return shared.say(Tone::Info, "Still sending.");
        }
        let write = match self.case_id {
            None => fields::open(&self.form, subject).map(|body| Write::Open(Box::new(body))),
            Some(_) => fields::reroute(&self.form).map(|body| Write::Route(Box::new(body))),
        };
        let write = match write {
            Ok(write) => write,
            Err((field, why)) => {
                self.form.mistake(field, &why);
                return;
            }
        };
        let Some(preview) = self.preview.as_deref().filter(|_| !self.asked_preview.waits()) else {
            self.ask_preview(shared);
            return shared.say(Tone::Info, "Wait for what it would cost; then send.");
        };
        if let Some(problem) = &preview.problem {
            return shared.say(Tone::Bad, clean(problem));
        }
        let mut lines: Vec<String> = fields::asked(&write).into_iter().collect();
        lines.extend(draw::costs(preview, self.case.as_deref()).into_iter().map(|(_, line)| line));
        if let Some(open) = draw::open_cases(&subject.open_cases).filter(|_| self.case_id.is_none()) {
            lines.insert(0, format!("▲ A case for {} is {open}. Look there first: it may be the same request.", subject.name.line()));
        }
        let question = self.case_id.map_or_else(|| format!("Open a case for {}?", subject.name.line()), |id| format!("Send {id} another way?"));
        let version = self.case.as_ref().map(|c| c.row.version);
        let opens = self.case_id.is_none();
        // What they said goes into the case for good: it is read once more with whose case it is.
        let said = Some(self.form.value("summary").trim()).filter(|said| opens && !said.is_empty());
        let own = said.map(|said| format!("They said: {}", clean(said)));
        let draft = opens.then(|| draft(subject));
        let order = Order { draft, ..shared.order(write, self.case_id, version) };
        let to = self.place();
        shared.confirm(Confirmation { own, ..Confirmation::new(question, lines, "route it", to, order) });
    }

    fn sent_back(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        match reply {
            Ok(Reply::Written(written)) => {
                let id = written.case.as_ref().map(|c| c.row.id).or(self.case_id);
                let said = if self.case_id.is_some() { "Routed." } else { "Opened." };
                shared.say(Tone::Good, id.map_or_else(|| said.to_owned(), |id| format!("{id}: {said}")));
                if self.number != self.sent {
                    // Another form was begun meanwhile: whoever fills it in stays there.
                    shared.dirty = true;
                    return;
                }
                let (place, opened) = (self.place(), self.case_id.is_none());
                *self = Self::default();
                shared.done_with(place, id.filter(|_| opened).map(Place::Case));
            }
            Ok(_) => {}
            Err(error) => {
                shared.fail(&error);
                let field = error.problem().and_then(|p| p.field.clone()).unwrap_or_default();
                let sentence = crate::base::text::sanitise(&error.to_string(), false);
                if self.number == self.sent {
                    self.form.mistake(field.trim_start_matches('/').trim_start_matches("route/"), &sentence);
                }
                if let (Some(412), Some(id)) = (error.status(), self.case_id) {
                    self.asked.begin(shared.ask(self.place(), Ask::Case(id)));
                }
            }
        }
        shared.dirty = true;
    }

    fn found_subjects(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        match reply {
            Ok(Reply::Subject(row)) => self.take_subject(shared, *row),
            Ok(Reply::Subjects(page)) => {
                self.found = Some(page.rows);
                self.found_for.clone_from(&self.asked_for);
                self.cursor = Cursor::default();
                self.take_the_only_one(shared);
            }
            Ok(_) => {}
            Err(error) => shared.fail(&error),
        }
    }

    /// What an Enter that came too early meant, as far as that is beyond doubt.
    fn take_the_only_one(&mut self, shared: &mut Shared) {
        if !self.answers() || !std::mem::take(&mut self.takes) {
            return;
        }
        match self.found.as_ref().map_or(0, Vec::len) {
            0 => {}
            1 => self.choose(shared),
            more => shared.say(Tone::Info, format!("{more} are found: choose with ↑ ↓, then Enter.")),
        }
    }
}

impl Screen for Routing {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        let Place::Route(case) = place else { return };
        if !self.begun || case != self.case_id {
            *self = Self { case_id: case, begun: true, ..Self::default() };
            self.search = Form::new(vec![Field::line("search", "Whose access? Name or id", "").with_help("↑ ↓ choose, Enter takes")]);
        }
        if let Some(id) = case {
            self.asked.begin(shared.ask(place, Ask::Case(id)));
        }
    }

    fn loading(&self) -> Loading {
        let waits = self.asked.waits() || self.asked_subjects.waits();
        Loading::of(self.case_id.is_none() || self.subject.is_some(), !waits)
    }

    fn typing(&self) -> bool {
        true
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if self.subject.is_some() {
            if self.form.typed(key) == Did::Changed {
                self.changed(shared);
            }
            return;
        }
        let len = self.found.as_ref().map_or(0, Vec::len);
        match key.code {
            KeyCode::Enter => self.choose(shared),
            _ if !self.answers() && matches!(key.code, KeyCode::Down | KeyCode::Up) => {}
            KeyCode::Down => self.cursor.at = (self.cursor.at + 1).min(len.saturating_sub(1)),
            KeyCode::Up => self.cursor.at = self.cursor.at.saturating_sub(1),
            _ => {
                if self.search.typed(key) == Did::Changed {
                    self.takes = false;
                    self.changed(shared);
                }
            }
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, whole: bool) {
        if self.subject.is_some() {
            self.form.pasted(text, whole);
        } else {
            self.search.pasted(text.trim(), whole);
        }
        self.changed(shared);
    }

    fn editable(&self) -> Option<String> {
        self.form.editable()
    }

    fn form(&self) -> Option<&Form> {
        Some(if self.subject.is_some() { &self.form } else { &self.search })
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        match action {
            Action::Submit => self.submit(shared),
            Action::Cancel if self.subject.is_some() && self.case_id.is_none() => {
                (self.subject, self.preview, self.unclear) = (None, None, None);
            }
            Action::Cancel => {
                // Whoever left without choosing begins anew the next time.
                self.begun &= self.subject.is_some();
                shared.back();
            }
            _ => {
                self.form.act(action);
            }
        }
    }

    fn sent(&mut self, _shared: &mut Shared, _place: Place, seq: u64) {
        self.sent = self.number;
        self.sending.begin(seq);
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        let concerns = match news {
            Announcement::Case { row } => {
                let mine = self.case_id == Some(row.id) && self.case.as_ref().is_some_and(|c| c.row.version != row.version);
                mine && !self.sending.waits()
            }
            Announcement::Register | Announcement::Lagged => self.case.is_some(),
        };
        if concerns {
            shared.timer_once(Timer::Case, AGAIN);
        }
    }

    fn timer(&mut self, shared: &mut Shared, _place: Place, timer: Timer) {
        if let (Timer::Case, Some(id)) = (timer, self.case_id) {
            self.asked.begin(shared.ask(self.place(), Ask::Case(id)));
        }
        if timer == Timer::Form {
            if self.subject.is_some() {
                self.ask_preview(shared);
            } else {
                self.look(shared);
            }
        }
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if self.sending.take(seq) {
            return self.sent_back(shared, reply);
        }
        shared.dirty = true;
        if self.asked.take(seq) {
            match reply {
                Ok(Reply::Case(case)) => {
                    let subject = case.row.subject.clone();
                    let known = self.case.as_ref().map(|c| c.row.version);
                    shared.changed(self.place(), case.row.version);
                    if known.is_some_and(|known| known != case.row.version) {
                        shared
                            .say(Tone::Info, "The case changed meanwhile: what it would cost is worked out anew. What you chose stands here still.");
                    }
                    self.case = Some(case);
                    if known.is_some() {
                        // What it would cost was worked out on the case as it was.
                        self.ask_preview(shared);
                    } else {
                        self.asked_subjects.begin(shared.ask(self.place(), Ask::Subject(subject)));
                    }
                }
                Ok(_) => {}
                Err(error) => shared.fail(&error),
            }
        } else if self.asked_subjects.take(seq) {
            self.found_subjects(shared, reply);
        } else if self.asked_preview.take(seq) {
            match reply {
                Ok(Reply::Preview(preview)) => self.preview = Some(preview),
                Ok(_) => {}
                Err(error) => {
                    self.preview = None;
                    self.unclear = Some(crate::base::text::sanitise(&error.to_string(), false));
                }
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        self.draw_routing(frame, area, shared);
    }

    fn lines(&self, _shared: &Shared, _place: Place) -> Vec<String> {
        self.read_out()
    }
}
