//! Approving or denying: everything that is signed, why one may or may not, the reason, and a confirmation whose key is not the asking one.
//!
//! Contract: nothing is sent unless the statement says exactly what was fetched and shown, the reason is there and the user confirmed;
//! what changed meanwhile is shown anew, and the reason stays. A blocked decision names the duty in the way and who could decide. Looking at
//! it is no attempt and leaves no entry; whoever sends it all the same is told that it will be refused, and once they confirm, the server
//! refuses it and the attempt stands in the log. Such an attempt carries no nonce: whatever changed meanwhile, it decides nothing.

mod head;
mod sheet;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use head::not_enough;

use super::case::forms::who_remains;
use super::case::pages::{carried_out, clean, when};
use super::going::Going;
use super::{Loading, Screen};
use crate::api::case::{ApprovalDetail, CaseDetail, Statement};
use crate::api::lists::Announcement;
use crate::api::problem::Problem;
use crate::api::requests::Decide;
use crate::api::words::{CaseState, Decision};
use crate::base::ids::CaseId;
use crate::base::{Time, Untrusted};
use crate::client::{ClientError, Write};
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Order, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::overlay::Confirmation;
use crate::console::screen::queue::draw::next_change;
use crate::console::theme::Role;
use crate::console::widget::form::{Did, Field, Form};
use crate::console::widget::put;
use crate::console::widget::sheet::Scroll;

/// How often case and statement are asked for again at most while much happens.
const AGAIN: Duration = Duration::from_millis(300);
/// How often the two are asked for anew when they are of different versions, before that is told.
const MAX_TRIES: u8 = 3;
/// The operation that decides, as the server calls it.
const DECIDE: &str = "case_decide";
/// The operation that reads statements.
const STATEMENT: &str = "statement_read";
/// Rows below what is signed, while one reads.
const FOOT: u16 = 4;
/// What an attempt carries in place of a nonce: no server issued it.
const NO_NONCE: &str = "none";
/// What an attempt says if nothing was typed; texts of refused attempts are not kept.
const NO_REASON: &str = "Tried although it is refused.";

/// Approving or denying.
#[derive(Debug, Default)]
pub struct Approve {
    about: Option<(CaseId, Decision)>,
    case: Option<Box<CaseDetail>>,
    failed: Option<String>,
    statement: Option<Box<Statement>>,
    statement_failed: Option<String>,
    /// In what the statement is not about what is shown.
    differ: Vec<String>,
    /// What the server said to the last try.
    refusal: Option<Box<Problem>>,
    /// The version that was shown before the case changed under the reader.
    changed: Option<u64>,
    reason: Form,
    /// Whether the reason is under way, and was typed into since.
    going: Going,
    writing: bool,
    scroll: Scroll,
    /// The farthest it was scrolled: what is below was not seen.
    farthest: usize,
    tries: u8,
    asked: Latest,
    asked_statement: Latest,
    sending: Latest,
}

fn words(decision: Decision) -> (&'static str, &'static str) {
    match decision {
        Decision::Approve => ("Approve", "approved"),
        Decision::Deny => ("Deny", "denied"),
    }
}

/// By whom and when what was sealed last was decided, where that is what leaves nothing to decide.
fn decided(case: &CaseDetail) -> Option<String> {
    let revision = case.seal.as_ref().map(|s| s.revision);
    let over = case.row.approvals_missing == 0 && case.row.state != CaseState::Sealed;
    let counts = |a: &&ApprovalDetail| over && a.void.is_none() && a.revision.is_none_or(|r| Some(r) == revision);
    let said = case.approvals.iter().filter(counts).map(|a| format!("{} {} it at {}", a.operator, words(a.decision).1, when(a.at)));
    Some(said.collect::<Vec<_>>().join(", ")).filter(|said| !said.is_empty())
}

/// Whether the account decides at all, as far as is known.
fn decides(shared: &Shared) -> bool {
    shared.me.as_ref().is_none_or(|me| me.operations.iter().any(|o| o == STATEMENT))
}

impl Approve {
    fn load(&mut self, shared: &mut Shared) {
        let Some((id, decision)) = self.about else { return };
        let place = Place::Approve(id, decision);
        self.failed = None;
        self.asked.begin(shared.ask(place, Ask::Case(id)));
        // To someone whose account gets no statements the server would say so, and keep an entry of it: looking is no attempt.
        if decides(shared) {
            self.asked_statement.begin(shared.ask(place, Ask::Statement(id, decision)));
        } else {
            self.statement_failed = Some("Your account decides nothing: there is no statement for it.".into());
        }
    }

    fn draft(&self) -> Option<String> {
        self.about.map(|(id, decision)| format!("case-{id}-{}", decision.code()))
    }

    fn keep_draft(&self, shared: &mut Shared) {
        if let Some(key) = self.draft() {
            shared.keep_draft(&key, self.reason.value("reason"));
        }
    }

    fn write_reason(&mut self, on: bool) {
        self.writing = on;
        self.reason.focus = usize::from(!on);
    }

    /// Compares what came; asks for both anew while they are of different moments.
    fn compare(&mut self, shared: &mut Shared) {
        let (Some(case), Some(statement), Some((_, decision))) = (&self.case, &self.statement, self.about) else { return };
        if self.asked.waits() || self.asked_statement.waits() {
            return;
        }
        if statement.version != case.row.version && self.tries < MAX_TRIES {
            self.tries += 1;
            self.load(shared);
            return;
        }
        self.tries = 0;
        self.differ = crate::api::compare::differences(statement, case, decision, shared.me.as_deref());
        if !self.differ.is_empty() && case.you_cannot_decide.is_empty() {
            shared.say(Tone::Bad, "The statement is not about what is shown. Nothing will be sent; tell security, with the messages.");
        }
    }

    /// Why nothing can be sent now, if so.
    fn blocked(&self) -> Option<String> {
        let case = self.case.as_deref()?;
        if !case.you_cannot_decide.is_empty() {
            let why: Vec<String> = case.you_cannot_decide.iter().map(|d| clean(&d.sentence)).collect();
            return Some(format!("{}. {}", why.join("; "), who_remains(case, None)));
        }
        if let Some(who) = decided(case) {
            return Some(format!("{who}. It is {} now.", case.row.state.label()));
        }
        if let Some(refused) = case.refused_to(self.about?.1) {
            return Some(format!("{} {}", clean(&refused.reason), who_remains(case, None)));
        }
        (!self.differ.is_empty()).then(|| format!("The statement differs from what is shown: {}.", self.differ.join("; ")))
    }

    /// Whether it is who one is that stands in the way (a duty, or the account), so that trying all the same means something.
    fn insists(&self, shared: &Shared) -> bool {
        let Some(case) = self.case.as_deref().filter(|c| c.seal.is_some()) else { return false };
        let refused = case.refused_actions.iter().any(|r| r.action == DECIDE);
        !case.you_cannot_decide.is_empty() || (refused && !decides(shared))
    }

    /// A decision that will be refused, for whoever insists: asked once more like any other, so that nobody is written down by mistake.
    fn attempt(&mut self, shared: &mut Shared, why: String) {
        let (Some((id, decision)), Some(case)) = (self.about, self.case.as_deref()) else { return };
        let Some(seal) = &case.seal else { return shared.say(Tone::Bad, why) };
        if self.sending.waits() || self.asked.waits() {
            return shared.say(Tone::Info, "The case is being read; look at it first.");
        }
        let reason = Some(self.reason.value("reason")).filter(|r| !r.trim().is_empty()).unwrap_or(NO_REASON);
        let decide = Decide { decision, seal_sha256: seal.sha256, nonce: NO_NONCE.into(), reason: Untrusted::from(reason) };
        let word = words(decision).0.to_lowercase();
        let question = format!("Try to {word} {id} all the same?");
        let lines = vec![why, "It will be refused. That you tried stands in the log; nothing else changes.".to_owned()];
        let order = Order { draft: self.draft(), ..shared.order(Write::Decide(Box::new(decide)), Some(id), Some(case.row.version)) };
        let to = Place::Approve(id, decision);
        self.write_reason(false);
        shared.confirm_as_said(Confirmation::new(question, lines, "try it", to, order));
    }

    fn submit(&mut self, shared: &mut Shared) {
        let Some((id, decision)) = self.about else { return };
        if let Some(why) = self.blocked() {
            return if self.insists(shared) { self.attempt(shared, why) } else { shared.say(Tone::Bad, why) };
        }
        let (Some(case), Some(statement)) = (self.case.as_deref(), self.statement.as_deref()) else {
            return shared.say(Tone::Bad, "There is no statement to send yet.");
        };
        if self.sending.waits() {
            return shared.say(Tone::Info, "Still sending.");
        }
        if self.asked.waits() || self.asked_statement.waits() {
            return shared.say(Tone::Info, "The case is being read again; look at it first.");
        }
        let reason = self.reason.value("reason");
        if reason.trim().is_empty() {
            self.reason.mistake("reason", "A decision needs a reason.");
            self.write_reason(true);
            return;
        }
        if shared.server_now() >= statement.submit_before {
            shared.say(Tone::Bad, "The statement's ten minutes are over. A new one is fetched: look, then send again.");
            return self.load(shared);
        }
        let (word, _) = words(decision);
        let seal = statement.seal_sha256;
        let mut lines = vec![
            format!("{} in {}, scope {}", case.row.action.label(), case.target, clean(&case.scope.join(", "))),
            format!("Seal {} · version {}", seal.short(), case.row.version),
        ];
        if decision == Decision::Approve {
            lines.push(match (not_enough(case), case.execution_delay_seconds) {
                (Some(why), _) => format!("{why} Nothing is carried out before."),
                (None, 0) => format!("Carried out {}. There is no time to take it back.", carried_out(case, true)),
                (None, _) => format!("Carried out {}. Until then undo takes it back, with a reason.", carried_out(case, true)),
            });
        }
        lines.extend(self.unread(case, shared));
        // Last: it is the reader's own and as long as they like, and hides nothing that they have not read yet.
        let own = format!("Reason: {}", clean(reason));
        let write = Write::Decide(Box::new(Decide { decision, seal_sha256: seal, nonce: statement.nonce.clone(), reason: Untrusted::from(reason) }));
        let (version, question) = (case.row.version, format!("{word} {id} for {}?", case.row.subject_name.line()));
        let order = Order { draft: self.draft(), ..shared.order(write, Some(id), Some(version)) };
        let label = word.to_lowercase();
        let to = Place::Approve(id, decision);
        self.write_reason(false);
        shared.confirm(Confirmation { own: Some(own), ..Confirmation::new(question, lines, label, to, order) });
    }

    fn sent_back(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        let Some((id, decision)) = self.about else { return };
        match reply {
            Ok(Reply::Written(written)) => {
                let left = self.going.left(&mut self.reason, "reason");
                if let Some(key) = self.draft().filter(|_| left.is_none()) {
                    shared.forget_draft(&key);
                }
                let lacking = written.case.as_ref().filter(|c| c.row.approvals_missing > 0).and_then(|c| c.could_decide.lacking.besides());
                let more = lacking.filter(|_| decision == Decision::Approve).map(|who| format!(" Not enough yet: {who}.")).unwrap_or_default();
                let rest = left.map(|left| format!(" {left}")).unwrap_or_default();
                shared.say(Tone::Good, format!("{id} is {} by you.{more}{rest}", words(decision).1));
                if left.is_some() {
                    // Whoever types is not led elsewhere: the next letters would be keys there.
                    self.keep_draft(shared);
                    return self.load(shared);
                }
                *self = Self::default();
                shared.done_with(Place::Approve(id, decision), None);
            }
            Ok(_) => {}
            Err(error) => {
                shared.fail(&error);
                let stale = error.status() == Some(412) || matches!(error.code(), "stale-seal" | "statement-expired");
                if stale {
                    shared.say(Tone::Bad, format!("{error} Nothing was decided. It is read again; your reason is kept."));
                }
                self.refusal = match error {
                    ClientError::Problem(problem) if !stale => {
                        if problem.status == 403 {
                            shared.say(Tone::Bad, "The server refused it. That you tried stands in the log; nothing else changed.");
                        }
                        Some(problem)
                    }
                    ref error if error.never_left() => return shared.dirty = true,
                    _ => None,
                };
                self.load(shared);
            }
        }
        shared.dirty = true;
    }

    fn foot_height(&self) -> u16 {
        if self.writing { 8 } else { FOOT }
    }
}

impl Screen for Approve {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        if let Place::Approve(id, decision) = place
            && self.about != Some((id, decision))
        {
            *self = Self { about: Some((id, decision)), ..Self::default() };
            let draft = self.draft().and_then(|key| shared.drafts.get(&key).cloned()).unwrap_or_default();
            self.reason = Form::new(vec![Field::many("reason", "Reason (required, becomes part of the record)", &draft)]);
        }
        self.write_reason(false);
        self.load(shared);
    }

    fn refresh(&mut self, shared: &mut Shared, _place: Place) {
        self.load(shared);
    }

    fn loading(&self) -> Loading {
        Loading::of(self.case.is_some(), self.failed.is_some())
    }

    fn typing(&self) -> bool {
        self.writing
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if self.reason.typed(key) == Did::Changed {
            self.going.typed();
            self.keep_draft(shared);
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, whole: bool) {
        self.reason.pasted(text, whole);
        self.going.typed();
        self.keep_draft(shared);
    }

    fn editable(&self) -> Option<String> {
        self.reason.editable()
    }

    fn unsent(&self) -> bool {
        !self.reason.value("reason").trim().is_empty()
    }

    fn form(&self) -> Option<&Form> {
        self.writing.then_some(&self.reason)
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        match action {
            Action::Decide | Action::Reason if self.case.is_none() => Applies::Hidden,
            Action::Decide if !self.insists(shared) => self.blocked().map_or(Applies::Yes, Applies::No),
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        if self.writing {
            match action {
                Action::Submit => self.submit(shared),
                Action::Cancel | Action::NextField | Action::PreviousField => self.write_reason(false),
                _ => {}
            }
            return;
        }
        let page = self.page(shared.body());
        let lines = self.case.as_deref().map_or(0, |c| self.sheet(c, shared).height(page.width));
        if self.scroll.act(action, lines, usize::from(page.height)) {
            self.farthest = self.farthest.max(self.scroll.0);
            return;
        }
        match action {
            Action::Decide => self.submit(shared),
            Action::Reason => self.write_reason(true),
            Action::Copy => {
                if let Some(statement) = &self.statement {
                    shared.copy(statement.statement.clone());
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, shared: &mut Shared, place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if self.sending.take(seq) {
            return self.sent_back(shared, reply);
        }
        shared.dirty = true;
        if self.asked.take(seq) {
            match reply {
                Ok(Reply::Case(case)) => {
                    let before = self.case.as_ref().map(|c| (c.row.version, c.seal.as_ref().map(|s| s.sha256)));
                    let now = (case.row.version, case.seal.as_ref().map(|s| s.sha256));
                    if let Some((version, _)) = before.filter(|b| *b != now) {
                        (self.changed, self.farthest) = (Some(version), self.scroll.0);
                        shared.say(Tone::Info, "The case changed while you read it. This is how it is now; your reason is kept.");
                    }
                    shared.changed(place, case.row.version);
                    self.case = Some(case);
                }
                Ok(_) => {}
                Err(error) => {
                    self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                    shared.fail(&error);
                }
            }
        } else if self.asked_statement.take(seq) {
            self.statement = None;
            match reply {
                Ok(Reply::Statement(statement)) => {
                    self.statement = Some(statement);
                    self.statement_failed = None;
                }
                Ok(_) => {}
                Err(error) => {
                    self.differ.clear();
                    self.statement_failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                }
            }
        }
        self.compare(shared);
    }

    fn sent(&mut self, _shared: &mut Shared, _place: Place, seq: u64) {
        self.refusal = None;
        self.going.goes(&self.reason, "reason");
        self.sending.begin(seq);
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        let concerns = match news {
            Announcement::Case { row } => {
                let mine = self.about.is_some_and(|(id, _)| id == row.id);
                mine && !self.sending.waits() && self.case.as_ref().is_none_or(|c| c.row.version != row.version)
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

    fn next_change(&self, shared: &Shared) -> Option<Time> {
        next_change(shared, self.statement.as_ref()?.submit_before)
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let Some(case) = self.case.as_deref() else {
            let text = self.failed.clone().map_or_else(|| "Asking the server …".to_owned(), |why| format!("✕ {why}"));
            put(frame.buffer_mut(), area, area.x + 1, area.y, &text, shared.style(Role::Dim));
            return;
        };
        for (i, (text, role)) in self.head_shown(area).into_iter().enumerate() {
            put(frame.buffer_mut(), area, area.x + 1, area.y + u16::try_from(i).unwrap_or(0), &text, shared.style(role));
        }
        self.sheet(case, shared).draw(frame.buffer_mut(), self.page(area), self.scroll.0, shared);
        let foot = self.foot_height().min(area.height.saturating_sub(1));
        self.draw_foot(frame, Rect { y: area.bottom().saturating_sub(foot), height: foot, ..area }, shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let Some(case) = self.case.as_deref() else { return vec![self.failed.clone().unwrap_or_else(|| "Asking the server.".into())] };
        let mut lines: Vec<String> = self.head_lines(400).into_iter().map(|(text, _)| text.trim_start_matches("✓ ").to_owned()).collect();
        lines.extend(self.sheet(case, shared).lines());
        let reason = self.reason.value("reason");
        lines.push(format!("Reason: {}", if reason.is_empty() { "not written yet; write-reason writes it".into() } else { clean(reason) }));
        lines.push(if self.insists(shared) {
            "You can't decide it. send-decision tries it all the same: it is refused, and the log keeps that you tried.".to_owned()
        } else {
            "send-decision sends it; it is asked once more.".to_owned()
        });
        lines
    }
}
