//! The tour: one case from the queue to its restoration, step by step, on the real screens of `countersign demo`.
//!
//! Contract: only watches. A step is done when the server's rows and the screen in front say so, however the user got there; what was done
//! while it was left counts too. Nothing is pretended and no key is taken. It can be left and taken up again at any time. Keys are named as the keymap has them. Knows no screen's
//! inside.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::Action;
use super::message::Reply;
use super::model::{Model, Place, Shared, Tone};
use super::theme::Role;
use super::widget::{put, wrap};
use crate::api::case::CaseDetail;
use crate::api::lists::{Announcement, CaseRow};
use crate::api::words::{CaseState, Method, WaitingOn};
use crate::base::ids::{OperatorId, SubjectId};
use crate::client::ClientError;

/// From this many rows on, the tour has a line of its own above its text.
const ROOMY: u16 = 20;
/// How many lines its text has at most; every step fits into them from [`WIDE`] columns on, and into one more where it is narrower.
const LINES: u16 = 2;
const WIDE: u16 = 80;

/// What a step looks at.
struct Seen<'a> {
    place: Place,
    typing: bool,
    row: Option<&'a CaseRow>,
    filtered: bool,
    me: Option<&'a OperatorId>,
    began_as: Option<&'a OperatorId>,
    /// Whether the last proof that was started is the one the tour goes on with, where that is known.
    mailed: Option<bool>,
}

impl Seen<'_> {
    fn state(&self) -> Option<CaseState> {
        self.row.map(|r| r.state)
    }

    fn asked(&self) -> bool {
        self.row.is_some_and(|r| r.proof_done > 0 || (r.waiting_on == WaitingOn::Subject && self.mailed != Some(false)))
    }

    /// Whether the tour's case, and no other, is being decided.
    fn deciding(&self) -> bool {
        matches!((self.place, self.row), (Place::Approve(id, _), Some(row)) if id == row.id)
    }

    fn proved(&self) -> bool {
        self.row.is_some_and(|r| r.proof_done >= r.proof_needed)
    }

    fn past(&self, states: &[CaseState]) -> bool {
        self.state().is_some_and(|s| states.contains(&s))
    }

    fn sealed(&self) -> bool {
        self.approved() || self.past(&[CaseState::Sealed])
    }

    fn approved(&self) -> bool {
        self.restored() || self.past(&[CaseState::Approved, CaseState::Executing])
    }

    fn restored(&self) -> bool {
        self.past(&[CaseState::Restored, CaseState::Closed])
    }

    fn someone_else(&self) -> bool {
        self.me.is_some() && self.me != self.began_as
    }

    /// The first step that what was done already leaves open: who went on without the tour is not asked to do it again.
    fn least(&self) -> usize {
        let reached = [(self.restored(), 11), (self.approved(), 10), (self.sealed(), 6), (self.proved(), 5)];
        reached.iter().find(|(done, _)| *done).map_or(0, |(_, step)| *step)
    }
}

/// A step: what to do, with names of actions in braces where their keys stand, and when it is done.
struct Step {
    says: &'static str,
    /// What it says to whoever does not come from the tour's case, if that is something else.
    away: Option<&'static str>,
    done: fn(&Seen<'_>) -> bool,
}

const STEPS: &[Step] = &[
    Step {
        says: "The queue: what waits, most urgent first; {down} and {up} move. Eva Sørensen lost her password: press {filter}, type sorensen, then Enter.",
        away: Some(
            "The tour begins in the queue, and {queue} leads there. Eva Sørensen lost her password: then press {filter}, type sorensen, Enter.",
        ),
        done: |s| s.filtered && !s.typing && s.row.is_some(),
    },
    Step {
        says: "{take-next} in the queue takes the most urgent case shown that nobody works on; in the case, {assign} does. Taking is not routing: it costs nothing.",
        away: None,
        done: |s| s.row.is_some_and(|r| r.assignee.is_some() && r.assignee.as_ref() == s.me),
    },
    Step {
        says: "Yours. What is missing: a proof that it is her. {prove}, down to \"send a code to the recorded address e.sorensen-mail\", Enter: it goes to her.",
        away: None,
        done: |s| s.asked(),
    },
    Step {
        says: "The code is on its way to her; you never get to see it. For once, look over her shoulder: {mailbox} opens the demo's mailbox.",
        away: None,
        done: |s| s.place == Place::Mailbox || s.proved(),
    },
    Step {
        says: "Her mail with the code comes to the front. Type the code on her page: in a browser ({copy} copies the link), or press {type-code} here.",
        away: None,
        done: |s| s.proved(),
    },
    Step {
        says: "Proved. {back} leads back to the case. {request-approval}, then y: plan, evidence and proof are sealed, and approval is asked for.",
        away: Some(
            "Proved. Now to her case: {queue}, then {open}. There {request-approval}, then y: plan, evidence and proof are sealed, approval is asked for.",
        ),
        done: |s| s.sealed(),
    },
    Step { says: "Sealed. Now the heart of it: try to approve it yourself. In the case, {approve}.", away: None, done: |s| s.deciding() },
    Step {
        says: "You can't, and it says why: you sealed it, and it came in by a bot of yours. No role lifts that. {identity}, d.ruiz: a supervisor without a hand in it.",
        away: None,
        done: |s| s.someone_else(),
    },
    Step {
        says: "Now you decide. {approvals} shows what waits for you: choose Eva Sørensen's case, then {approve}: all that would be signed.",
        away: None,
        done: |s| s.deciding() && s.someone_else(),
    },
    Step {
        says: "Read it: that, and nothing else, is what you approve. {write-reason} to write why (say: called back), {submit} to send, y to confirm.",
        away: None,
        done: |s| s.approved(),
    },
    Step {
        says: "Approved. The server carries it out itself and compares what came back with what was approved. That takes a moment.",
        away: None,
        done: |s| s.restored(),
    },
    Step {
        says: "Restored. Each step, refused ones too, stands in the case's timeline (its page 5) and in the log ({log}). That was the tour: {tutor} ends it.",
        away: None,
        done: |_| false,
    },
];

/// How it stands with the tour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// There is none here.
    #[default]
    None,
    /// It is offered.
    Offered,
    /// It shows.
    Shown,
    /// It was left, and goes on where it was.
    Left,
}

/// The tour.
#[derive(Debug, Default)]
pub struct Tutor {
    stage: Stage,
    /// Whose case it is about.
    subject: Option<SubjectId>,
    at: usize,
    row: Option<Box<CaseRow>>,
    began_as: Option<OperatorId>,
    mailed: Option<bool>,
    /// Whether the step is another place's than where one is: the queue's, or the case's, which is neither in front nor what one would go back to.
    away: bool,
    /// Whether steps are said as notes too, for those who hear.
    spoken: bool,
}

impl Tutor {
    /// A tour about that subject's case; without one there is none.
    pub fn new(subject: Option<SubjectId>, spoken: bool) -> Self {
        let stage = if subject.is_some() { Stage::Offered } else { Stage::None };
        Self { stage, subject, spoken, ..Self::default() }
    }

    /// Whether there is a tour here.
    pub fn exists(&self) -> bool {
        self.stage != Stage::None
    }

    /// Whether it takes room on the screen.
    pub const fn shows(&self) -> bool {
        matches!(self.stage, Stage::Offered | Stage::Shown)
    }

    /// How many rows it takes of a screen of so many columns and rows.
    pub const fn rows(&self, (columns, rows): (u16, u16)) -> u16 {
        if !self.shows() {
            return 0;
        }
        let lines = if columns < WIDE { LINES + 1 } else { LINES };
        if rows >= ROOMY { lines + 1 } else { lines }
    }

    /// Hides it; it goes on from here when it is wanted again.
    pub fn leave(&mut self) {
        if self.shows() {
            self.stage = Stage::Left;
        }
    }

    fn see(&mut self, row: &CaseRow) {
        let newer = self.row.as_ref().is_none_or(|seen| seen.id < row.id || (seen.id == row.id && seen.version <= row.version));
        if self.subject.as_ref() == Some(&row.subject) && newer {
            self.row = Some(Box::new(row.clone()));
        }
    }

    fn see_whole(&mut self, case: &CaseDetail) {
        self.see(&case.row);
        if self.row.as_ref().is_some_and(|row| row.id == case.row.id) {
            let sessions = case.checklist.items.iter().flat_map(|i| &i.sessions);
            self.mailed = sessions.max_by_key(|s| s.opened_at).map(|s| s.method == Method::IssuedCode);
        }
    }
}

/// At the start: says that there is one, to those who hear.
pub(super) fn offer(shared: &mut Shared) {
    if shared.tutor.stage == Stage::Offered {
        speak(shared);
    }
}

/// Begins, goes on, or is left: what `:tutor` does.
pub(super) fn toggle(shared: &mut Shared) {
    match shared.tutor.stage {
        Stage::None => {}
        Stage::Shown => {
            shared.tutor.leave();
            let key = shared.keymap.shown(Action::Tutor).unwrap_or_default();
            shared.say(Tone::Info, format!("The tour waits; {key} goes on with it."));
        }
        Stage::Offered | Stage::Left => {
            shared.tutor.stage = Stage::Shown;
            if shared.tutor.began_as.is_none() {
                shared.tutor.began_as = shared.me.as_ref().and_then(|m| m.operator.clone());
            }
            speak(shared);
        }
    }
}

/// What an answer says about the tour's case.
pub(super) fn answered(shared: &mut Shared, reply: &Result<Reply, ClientError>) {
    if !shared.tutor.exists() {
        return;
    }
    match reply {
        Ok(Reply::Cases(page)) => page.rows.iter().for_each(|row| shared.tutor.see(row)),
        Ok(Reply::Case(case)) => shared.tutor.see_whole(case),
        Ok(Reply::Written(written)) => written.case.iter().for_each(|case| shared.tutor.see_whole(case)),
        _ => {}
    }
}

/// What the server announced about the tour's case.
pub(super) fn announced(shared: &mut Shared, news: &Announcement) {
    if let Announcement::Case { row } = news {
        shared.tutor.see(row);
    }
}

/// Goes on past every step that is done.
pub(super) fn settle(model: &mut Model) {
    if model.shared.tutor.stage != Stage::Shown {
        return;
    }
    let before = model.shared.tutor.at;
    loop {
        let tutor = &model.shared.tutor;
        let seen = Seen {
            place: model.place(),
            typing: model.screen(model.place()).typing(),
            row: tutor.row.as_deref(),
            filtered: model.screens.queue.filter().is_some_and(|f| f.contains("sorensen")),
            me: model.shared.me.as_ref().and_then(|m| m.operator.as_ref()),
            began_as: tutor.began_as.as_ref(),
            mailed: tutor.mailed,
        };
        let at = tutor.at.max(seen.least());
        let on = STEPS.get(at).is_some_and(|step| (step.done)(&seen));
        model.shared.tutor.at = at + usize::from(on);
        if !on {
            break;
        }
    }
    let case = model.shared.tutor.row.as_ref().map(|row| row.id);
    let in_case = model.stack.iter().any(|p| case.is_some_and(|id| matches!(p, Place::Case(at) if *at == id)));
    // The first step is the queue's, the others are the case's.
    let away = if model.shared.tutor.at == 0 { model.place() != Place::Queue } else { !in_case };
    model.shared.dirty |= std::mem::replace(&mut model.shared.tutor.away, away) != away;
    if model.shared.tutor.at != before {
        model.shared.dirty = true;
        speak(&mut model.shared);
    }
}

fn speak(shared: &mut Shared) {
    if shared.tutor.spoken {
        shared.say(Tone::Info, format!("{}: {}", title(shared), text(shared)));
    }
}

fn title(shared: &Shared) -> String {
    match shared.tutor.stage {
        Stage::Offered => "Tour".to_owned(),
        _ => format!("Tour, step {} of {}", shared.tutor.at + 1, STEPS.len()),
    }
}

/// What is said now, with the keys of this user.
fn text(shared: &Shared) -> String {
    let ended = shared.tutor.row.as_ref().is_some_and(|r| r.state.is_ended() && r.state != CaseState::Closed);
    let says = if shared.tutor.stage == Stage::Offered {
        "New here? {tutor} begins a tour of five minutes: one case from asking to restored, on the real screens. Esc hides this; :tutor brings it back."
    } else if ended {
        "This case ended another way, as cases do. Leave with {tutor}; a new demo has a new one."
    } else {
        STEPS.get(shared.tutor.at).map_or("", |s| s.away.filter(|_| shared.tutor.away).unwrap_or(s.says))
    };
    let mut out = String::new();
    for (i, part) in says.split(['{', '}']).enumerate() {
        let action = Action::ALL.iter().copied().find(|a| i % 2 == 1 && a.row().name == part);
        match action {
            Some(action) => out.push_str(&shared.keymap.shown(action).unwrap_or_else(|| format!(":{part}"))),
            None => out.push_str(part),
        }
    }
    out
}

/// Draws it into the rows it takes.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, shared: &Shared) {
    if area.height == 0 {
        return;
    }
    let mut y = area.y;
    if shared.size.1 >= ROOMY {
        let line = "─".repeat(usize::from(area.width));
        put(buffer, area, area.x, y, &line, shared.style(Role::Border));
        let x = put(buffer, area, area.x + 1, y, &format!(" {} ", title(shared)), shared.style(Role::Accent));
        let key = shared.keymap.shown(Action::Tutor).unwrap_or_default();
        if shared.tutor.stage == Stage::Shown {
            put(buffer, area, x, y, &format!("─ {key} leaves it "), shared.style(Role::Dim));
        }
        y += 1;
    }
    for line in &wrap(&text(shared), usize::from(area.width).saturating_sub(2)) {
        put(buffer, area, area.x + 1, y, line, shared.style(Role::Text));
        y += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_look_at_the_tours_case_and_method() {
        let row: CaseRow = serde_json::from_value(serde_json::json!({
            "id": "CS-26-000001", "version": 3, "subject": "s-1", "subject_name": "Eva", "kind": "employee", "tier": "standard",
            "action": "password_reset", "path": "assisted", "channel": "ticket", "state": "proofing", "held": false, "risk": "low",
            "proof_done": 0, "proof_needed": 1, "waiting_on": "subject", "approvals_missing": 0, "assignee": null, "due": null,
            "opened_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "flags": 0
        }))
        .unwrap();
        let seen = |place, mailed| Seen { place, typing: false, row: Some(&row), filtered: true, me: None, began_as: None, mailed };
        let other = "CS-26-000099".parse().unwrap();
        let approve = |id| Place::Approve(id, crate::api::words::Decision::Approve);
        assert!(seen(approve(row.id), None).deciding() && !seen(approve(other), None).deciding());
        assert!(seen(Place::Queue, Some(true)).asked() && seen(Place::Queue, None).asked() && !seen(Place::Queue, Some(false)).asked());
    }

    #[test]
    fn what_was_done_without_the_tour_is_not_asked_for_again() {
        let mut row: CaseRow = serde_json::from_value(serde_json::json!({
            "id": "CS-26-000001", "version": 3, "subject": "s-1", "subject_name": "Eva", "kind": "employee", "tier": "standard",
            "action": "password_reset", "path": "assisted", "channel": "ticket", "state": "new", "held": false, "risk": "low",
            "proof_done": 0, "proof_needed": 1, "waiting_on": "agent", "approvals_missing": 0, "assignee": null, "due": null,
            "opened_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "flags": 0
        }))
        .unwrap();
        let least = |row: &CaseRow| {
            Seen { place: Place::Queue, typing: false, row: Some(row), filtered: false, me: None, began_as: None, mailed: None }.least()
        };
        assert_eq!(least(&row), 0);
        row.proof_done = 1;
        let said = |row: &CaseRow| STEPS[least(row)].says;
        assert!(said(&row).starts_with("Proved."));
        let then = [(CaseState::Sealed, "Sealed."), (CaseState::Executing, "Approved."), (CaseState::Restored, "Restored.")];
        for (state, begins) in then {
            row.state = state;
            assert!(said(&row).starts_with(begins), "{state:?}: {}", said(&row));
        }
    }

    #[test]
    fn every_step_fits_and_names_actions_that_there_are() {
        for says in STEPS.iter().flat_map(|step| std::iter::once(step.says).chain(step.away)) {
            for (i, part) in says.split(['{', '}']).enumerate() {
                assert!(i % 2 == 0 || Action::ALL.iter().any(|a| a.row().name == part), "{part}");
            }
            // A key takes no more room than five letters on the average.
            let text: String = says.split(['{', '}']).enumerate().map(|(i, p)| if i % 2 == 1 { "g m" } else { p }).collect();
            assert!(wrap(&text, 78).len() <= usize::from(LINES) && wrap(&text, 58).len() <= usize::from(LINES) + 1, "{text}");
        }
    }
}
