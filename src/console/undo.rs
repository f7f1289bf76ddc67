//! What was done here and can be taken back: the last act first, while the server lets its opposite happen; and why the rest can't be.
//!
//! Contract: a bounded list of this session's own acts. Before an opposite is sent the case is read anew: what others did since is never undone
//! by accident. One act at a time: nothing is taken back while an answer is awaited, nor by a key that is held down, and a late answer moves
//! nobody. What can't be undone says so before it is done ([`before`], in its form already) and when it is tried. Knows no screen but the queue and the case.

use std::collections::VecDeque;

use super::action::Action;
use super::effect::{Ask, Effect, Order};
use super::keep::View;
use super::message::Reply;
use super::model::{Model, Place, Shared, Tone};
use crate::api::case::CaseDetail;
use crate::api::lists::CaseRow;
use crate::api::requests::Assign;
use crate::api::words::{CaseState, Decision};
use crate::base::Time;
use crate::base::ids::{CaseId, OperatorId};
use crate::client::{ClientError, Write};

/// The most acts that can be taken back one after the other.
const MAX_ACTS: usize = 50;
/// The most changes on their way that are waited for.
const MAX_SENT: usize = 50;
/// A key that is held down comes again sooner than after this: it takes back nothing more that is sent.
const HELD_DOWN: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

/// Something that was done here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Act {
    /// A case was given to someone, taken, or let go: whose it was, whose it is, and the version up to which nobody else changed it.
    Given { case: CaseId, was: Option<OperatorId>, is: Option<OperatorId>, version: Option<u64> },
    /// A case was approved.
    Approved(CaseId),
    /// The queue showed something else before: its filter and sorting.
    Shown(Option<String>, Option<String>),
    /// The view saved under a name was another before, or there was none.
    View(String, Option<View>),
    /// What can't be undone: what it was, and why.
    Final(&'static str, &'static str),
}

impl Act {
    /// What undoing would take back, in words.
    fn words(&self) -> String {
        match self {
            Self::Given { case, is: Some(is), .. } => format!("that {case} is {is}'s"),
            Self::Given { case, is: None, .. } => format!("that {case} was let go"),
            Self::Approved(case) => format!("your approval of {case}"),
            Self::Shown(..) => "how the queue was filtered or sorted".to_owned(),
            Self::View(_, None) => "the view that was saved".to_owned(),
            Self::View(name, Some(_)) => format!("what became of the saved view \"{name}\""),
            Self::Final(what, _) => (*what).to_owned(),
        }
    }
}

/// What can be taken back, and what is being taken back.
#[derive(Debug, Default)]
pub struct Undo {
    acts: VecDeque<(u64, Act)>,
    /// The number of the last of them: what could not be taken back keeps its place.
    last: u64,
    /// Whose a case is that is about to be given to someone.
    knew: Option<(CaseId, Option<OperatorId>)>,
    /// Changes on their way, by the number of the question.
    sent: VecDeque<(u64, Write, Option<CaseId>, Option<OperatorId>)>,
    /// The case that is read before an act is taken back, and where that was asked for.
    reading: Option<(u64, (u64, Act), Place)>,
    /// The opposite that is on its way.
    sending: Option<(u64, (u64, Act))>,
    /// When undo was pressed last, or answered, if nothing was sent since.
    pressed: Option<Time>,
}

impl Undo {
    /// Remembers whose a case is before it is given to someone.
    pub fn knew(&mut self, row: &CaseRow) {
        self.knew = Some((row.id, row.assignee.clone()));
    }

    /// A change is sent.
    pub(super) fn sent(&mut self, seq: u64, order: &Order) {
        let was = self.knew.take().filter(|(case, _)| Some(*case) == order.case).and_then(|(_, was)| was);
        if self.sent.len() == MAX_SENT {
            self.sent.pop_front();
        }
        self.pressed = None;
        self.sent.push_back((seq, order.write.clone(), order.case, was));
    }

    fn push(&mut self, act: Act) {
        if self.acts.len() == MAX_ACTS {
            self.acts.pop_front();
        }
        self.last += 1;
        self.acts.push_back((self.last, act));
    }

    /// Puts an act that could not be taken back where it was; what was done since stays the last.
    fn keep(&mut self, number: u64, act: Act) {
        let at = self.acts.iter().position(|(n, _)| *n > number).unwrap_or(self.acts.len());
        self.acts.insert(at, (number, act));
        if self.acts.len() > MAX_ACTS {
            self.acts.pop_front();
        }
    }

    /// What undoing takes back before that act, in words, if something was done since.
    fn first(&self, number: u64) -> Option<String> {
        self.acts.back().filter(|(n, _)| *n > number).map(|(_, act)| act.words())
    }

    /// The queue showed this before the user asked for something else.
    pub fn showed(&mut self, filter: Option<String>, sort: Option<String>) {
        self.push(Act::Shown(filter, sort));
    }

    /// This was saved under a name before it was saved anew or removed; nothing, if there was none.
    pub fn had_view(&mut self, name: &str, view: Option<View>) {
        self.push(Act::View(name.to_owned(), view));
    }

    /// The answer to a change made here: what is known up to the version before it, is known up to it.
    fn follow(&mut self, row: &CaseRow) {
        for (_, act) in &mut self.acts {
            if let Act::Given { case, version: Some(known), .. } = act
                && *case == row.id
                && known.saturating_add(1) == row.version
            {
                *known = row.version;
            }
        }
    }

    fn done(&mut self, seq: u64) -> Option<(Write, Option<CaseId>, Option<OperatorId>)> {
        let at = self.sent.iter().position(|(s, ..)| *s == seq)?;
        self.sent.remove(at).map(|(_, write, case, was)| (write, case, was))
    }
}

/// The act of the table that a change is.
const fn act_of(write: &Write) -> Action {
    match write {
        Write::Assign(_) => Action::AssignTo,
        Write::TakeNext(_) => Action::TakeNext,
        Write::Decide(decide) => match decide.decision {
            Decision::Approve => Action::Approve,
            Decision::Deny => Action::Deny,
        },
        Write::Open(_) => Action::NewCase,
        Write::Route(_) => Action::RouteCase,
        Write::Triage(_) => Action::Triage,
        Write::Evidence(_) | Write::Telemetry(_) => Action::Evidence,
        Write::Seal => Action::Seal,
        Write::Comment(_) => Action::Comment,
        Write::HandOver(_) => Action::HandOver,
        Write::Review(_) => Action::Review,
        Write::Flag(_) => Action::Flag,
        Write::Proof(_) => Action::Prove,
        Write::NoChange(_) => Action::NoChange,
        Write::Withdraw(_) => Action::Withdraw,
        Write::Close => Action::CloseCase,
        Write::Reopen(_) => Action::Reopen,
        Write::TakeBack(_) => Action::TakeBack,
        Write::Hold(_) => Action::Hold,
        Write::LiftHold(_) => Action::LiftHold,
        Write::Retry => Action::Retry,
        Write::RollBack(_) => Action::RollBack,
        Write::RevokeGrant(..) => Action::Revoke,
        Write::ApproveProposal(_) => Action::ApproveProposal,
        Write::EndProposal(_) => Action::EndProposal,
    }
}

/// Why a change can't be undone once it is done: what it is, and the reason, as it follows "because". Nothing, if it can.
const fn never(write: &Write) -> Option<(&'static str, &'static str)> {
    act_of(write).row().never
}

/// What is said before a change that can't be undone.
pub fn before(write: &Write) -> Option<String> {
    act_of(write).row().before()
}

impl Shared {
    /// The key of undo, as it is offered after what can be undone.
    fn undo_key(&self) -> String {
        format!("undo: {}", self.keymap.shown(Action::Undo).unwrap_or_else(|| Action::Undo.row().name.to_owned()))
    }

    /// Offers to undo what was just said to be done.
    fn offer_undo(&mut self) {
        let offer = self.undo_key();
        let Some(last) = self.notes.back_mut().filter(|n| n.tone == Tone::Good) else { return };
        last.text = format!("{} {offer}", last.text);
        let last = last.clone();
        self.show(last);
    }
}

/// An answer came. Says whether it was one that only undoing waits for.
pub(super) fn answered(model: &mut Model, seq: u64, reply: &Result<Reply, ClientError>) -> bool {
    let now = model.shared.now;
    let undo = &mut model.shared.undo;
    if let Some((_, act, place)) = undo.reading.take_if(|(waits, ..)| *waits == seq) {
        undo.pressed = Some(now);
        match reply {
            Ok(Reply::Case(case)) => read(model, act, place, case),
            Ok(_) => {}
            Err(error) => failed(model, act, error),
        }
        return true;
    }
    if let Some((_, act)) = undo.sending.take_if(|(waits, _)| *waits == seq) {
        undo.pressed = Some(now);
        match reply {
            Ok(_) => {
                if let Ok(Some((row, _))) = written(reply) {
                    model.shared.undo.follow(&row);
                }
                model.shared.say(Tone::Good, format!("Undone: {}.", act.1.words()));
                super::update::refresh(model);
            }
            Err(error) => failed(model, act, error),
        }
        return true;
    }
    false
}

/// A case as an answer has it, and whether it is being carried out at once.
type Known = (CaseRow, bool);

/// The answer to a change that was done: the case as it is by it, if the server said.
pub(super) fn written(reply: &Result<Reply, ClientError>) -> Result<Option<Known>, ()> {
    let known = |c: &CaseDetail| (c.row.clone(), c.execution_delay_seconds == 0 && c.row.state != CaseState::Sealed);
    if let Ok(Reply::Written(written)) = reply { Ok(written.case.as_deref().map(known)) } else { Err(()) }
}

/// A change was answered, and that was told: from now on it can be undone, or not; refused, there is nothing to undo.
pub(super) fn settled(shared: &mut Shared, seq: u64, written: Result<Option<Known>, ()>) {
    let (Some((write, asked, was)), Ok(case)) = (shared.undo.done(seq), written) else { return };
    let at_once = case.as_ref().is_some_and(|(_, at_once)| *at_once);
    let case = case.map(|(row, _)| row);
    if let Some(row) = &case {
        shared.undo.follow(row);
    }
    let version = case.as_ref().map(|row| row.version);
    let act = match (&write, never(&write)) {
        (_, Some((what, why))) => Act::Final(what, why),
        (Write::Assign(Assign { operator }), _) if *operator == was => return,
        (Write::Assign(Assign { operator }), _) => match asked {
            Some(case) => Act::Given { case, was, is: operator.clone(), version },
            None => return,
        },
        (Write::TakeNext(_), _) => match &case {
            Some(row) => Act::Given { case: row.id, was: None, is: row.assignee.clone(), version },
            None => return,
        },
        (_, None) => match asked {
            Some(case) => Act::Approved(case),
            None => return,
        },
    };
    // An approval that is carried out at once leaves no time for it; who tries is told what became of it.
    let can = !match act {
        Act::Approved(_) => at_once,
        _ => matches!(act, Act::Final(..)),
    };
    shared.undo.push(act);
    if can {
        shared.offer_undo();
    }
}

/// Takes the last act back, or says why not.
pub(super) fn take_back(model: &mut Model) {
    let now = model.shared.now;
    let undo = &mut model.shared.undo;
    // Whatever is answered: a key that is held down stays one press, also while a slow server is waited for.
    let held = undo.pressed.replace(now).is_some_and(|before| (now - before).abs() < HELD_DOWN);
    if undo.reading.is_some() || undo.sending.is_some() {
        return model.shared.say(Tone::Info, "Still taking the last one back.");
    }
    // What is on its way was done last, and is not among the acts yet: the one before it is not meant.
    if !undo.sent.is_empty() {
        return model.shared.say(Tone::Info, "Still sending: nothing is undone. Undo again once it is answered.");
    }
    if let Some((_, act @ (Act::Given { .. } | Act::Approved(_)))) = undo.acts.back()
        && held
    {
        let text = format!("One at a time: undo again in a second takes back {}.", act.words());
        return model.shared.say(Tone::Info, text);
    }
    let Some((number, act)) = undo.acts.pop_back() else {
        return model.shared.say(Tone::Info, "There is nothing to undo: nothing was done here that can be taken back.");
    };
    match act {
        Act::Final(what, why) => {
            let next = undo.acts.iter().rposition(|(_, a)| !matches!(a, Act::Final(..)));
            undo.acts.truncate(next.map_or(0, |at| at + 1));
            let next = undo.acts.back().map(|(_, a)| a.words());
            let again = next.map(|words| format!(" Undo again takes back {words}.")).unwrap_or_default();
            model.shared.say(Tone::Info, format!("{what} can't be undone because {why}.{again}"));
        }
        Act::Shown(filter, sort) => {
            let text =
                format!("Undone: the queue shows {}.", filter.as_deref().map_or_else(|| "all".to_owned(), |f| crate::base::text::sanitise(f, false)));
            model.screens.queue.show_again(&mut model.shared, filter, sort);
            model.shared.say(Tone::Good, text);
        }
        Act::View(name, was) => {
            let shared = &mut model.shared;
            shared.views.retain(|v| v.name != name);
            shared.views.extend(was.clone());
            shared.say(Tone::Good, format!("Undone: the saved view \"{name}\" is {}.", if was.is_some() { "as it was" } else { "no more" }));
            shared.effects.push(Effect::KeepView(name, was));
        }
        Act::Given { case, .. } | Act::Approved(case) => {
            let place = model.place();
            let seq = model.shared.ask(Place::Case(case), Ask::Case(case));
            model.shared.undo.reading = Some((seq, (number, act), place));
        }
    }
}

/// The case is known as it is now: its act is taken back if that is still what it is about.
fn read(model: &mut Model, (number, act): (u64, Act), place: Place, case: &CaseDetail) {
    let shared = &mut model.shared;
    let id = case.row.id;
    let refused =
        |code: &str| case.refused_actions.iter().find(|r| r.action == code).map(|r| format!(": {}", crate::base::text::sanitise(&r.reason, false)));
    if let Act::Given { was, is, version, .. } = &act {
        let now = &case.row.assignee;
        let moved = (now != is).then(|| now.as_ref().map_or_else(|| "it was let go meanwhile".to_owned(), |who| format!("it is {who}'s now")));
        if let Some(why) = moved.map(|why| format!(" because {why}.")).or_else(|| refused("case_assign")) {
            return shared.say(Tone::Bad, format!("{id} can't be given back{why}"));
        }
        // It may have been given away and back by someone who meant it.
        if version.is_some_and(|known| known != case.row.version) {
            let back = was.as_ref().map_or_else(|| "lets it go".to_owned(), |who| format!("gives it to {who}"));
            let back = shared.undo.first(number).map_or(back, |first| format!("takes back {first} first"));
            shared.say(Tone::Info, format!("{id} changed since, and nothing was undone yet. Look at it; undo again {back}."));
            let act = Act::Given { case: id, was: was.clone(), is: is.clone(), version: Some(case.row.version) };
            return shared.undo.keep(number, act);
        }
        let order = shared.order(Write::Assign(Assign { operator: was.clone() }), Some(id), Some(case.row.version));
        let seq = shared.send_opposite(Place::Case(id), order);
        shared.undo.sending = Some((seq, (number, act)));
        return;
    }
    if let Some(why) = refused("approval_take_back") {
        return shared.say(Tone::Bad, format!("Your approval of {id} can't be taken back{why}"));
    }
    // Whoever went on meanwhile, or types, or is asked something, stays there.
    if model.place() != place || model.overlay.is_some() || model.screen(place).typing() {
        let next = model.shared.undo.first(number).map_or_else(|| act.words(), |first| format!("{first} first"));
        model.shared.undo.keep(number, act);
        return model.shared.say(Tone::Info, format!("Nothing was undone: you went on. Undo again takes back {next}."));
    }
    model.shared.go(Place::Case(id));
    model.shared.say(Tone::Info, "Say why you take it back; it is asked once more.");
    super::wish::wishes(model);
    model.screens.case.take_back(&mut model.shared, Box::new(case.clone()));
}

/// It could not be taken back now: it can be tried again.
fn failed(model: &mut Model, (number, act): (u64, Act), error: &ClientError) {
    let first = model.shared.undo.first(number);
    model.shared.undo.keep(number, act);
    model.shared.fail(error);
    if error.status() == Some(412) {
        let again = first.map_or_else(|| "tries it on the case as it is now".to_owned(), |first| format!("takes back {first} first"));
        model.shared.say(Tone::Bad, format!("The case changed meanwhile and nothing was undone. Undo again {again}."));
    }
}
