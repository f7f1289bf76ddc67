//! Keys that were pressed before there was anything for them to act on: kept, bounded, and played once it is there.
//!
//! Contract: nothing is lost without a word, and nothing is done to what was not seen: a key that opens something over the screen ends what was
//! kept, none sends anything (neither a form, nor an act on a case or a row that nobody had read), and keys are played only where they were
//! pressed. Knows no screen's inside.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent};

use super::action::Action;
use super::model::{Model, Place, Tone};
use super::screen::Loading;
use super::update;

/// The most keys that are kept.
pub const MAX: usize = 32;

/// Keys that wait.
#[derive(Debug, Default)]
pub struct Held {
    keys: VecDeque<KeyEvent>,
    /// Where they were pressed.
    place: Option<Place>,
    /// Whether they are being played now.
    plays: bool,
}

/// Whether what is in front is still asked for, so that keys wait for it.
fn asked(model: &Model) -> bool {
    !model.held.plays && model.screen(model.place()).loading() == Loading::Asked
}

/// Takes a key if others wait already, so that their order stays; Esc forgets them.
pub(super) fn follows(model: &mut Model, event: KeyEvent) -> bool {
    if model.held.keys.is_empty() || !asked(model) {
        return false;
    }
    if event.code == KeyCode::Esc {
        model.held.keys.clear();
        update::passing(model, "Forgotten: what you pressed does nothing.".to_owned());
    } else {
        keep(model, vec![event]);
    }
    true
}

/// Whether an action (or a text, for `None`) needs what is still asked for.
pub(super) fn needs(model: &Model, action: Option<Action>) -> bool {
    asked(model) && action.is_none_or(acts_on_it)
}

/// Acts that mean nothing without what the screen shows.
fn acts_on_it(action: Action) -> bool {
    use Action::{Approve, AssignTo, Copy, Decide, Deny, Down, First, Follow, Last, Open, PageDown, PageUp, Reason, Submit, TakeNext, Up};
    let named = matches!(action, Open | Approve | Deny | AssignTo | Copy | Down | Up | PageDown | PageUp | First | Last | Follow | Decide | Reason);
    named || action == Submit || (action.row().operation.is_some() && action != TakeNext)
}

/// Keeps keys until what they act on is there.
pub(super) fn keep(model: &mut Model, keys: Vec<KeyEvent>) {
    model.held.place = Some(model.place());
    if model.held.keys.len() + keys.len() > MAX {
        return update::passing(model, "Loading …: no more keys are kept for it; Esc forgets those that are.".to_owned());
    }
    model.held.keys.extend(keys);
    let count = model.held.keys.len();
    let keys = if count == 1 { "1 key waits".to_owned() } else { format!("{count} keys wait") };
    update::passing(model, format!("Loading …: {keys} for it; Esc forgets what you pressed."));
}

/// Plays the keys that waited, as far as what they wait for is there.
pub(super) fn play(model: &mut Model) {
    while !model.held.keys.is_empty() && !model.ended {
        let place = model.place();
        match model.screen(place).loading() {
            _ if model.held.place != Some(place) => return in_vain(model, "You are elsewhere now: the keys that waited did nothing."),
            Loading::Asked => return,
            Loading::Failed => return in_vain(model, "The keys that waited for it did nothing."),
            Loading::Done => {}
        }
        let Some(event) = model.held.keys.pop_front() else { return };
        model.held.plays = true;
        update::on_key(model, event);
        super::wish::wishes(model);
        model.held.plays = false;
        model.held.place = Some(model.place());
        if model.overlay.is_some() && !model.held.keys.is_empty() {
            in_vain(model, "Look at this first: the keys pressed after it did nothing.");
        }
    }
}

fn in_vain(model: &mut Model, why: &str) {
    model.held.keys.clear();
    model.shared.say(Tone::Info, why);
}

/// Whether an action sends something as soon as it is pressed, or acts on a row of a list.
fn sends(place: Place, action: Action) -> bool {
    use Action::{AssignMe, Decide, LetGo, Submit, Undo};
    match place {
        Place::Queue | Place::Approvals | Place::Grants | Place::Proposals => matches!(action, Undo) || (action.row().writes && acts_on_it(action)),
        Place::Case(_) | Place::Approve(..) | Place::Route(_) => matches!(action, AssignMe | Decide | LetGo | Submit | Undo),
        _ => matches!(action, Undo),
    }
}

/// Whether an act would send something about what was not in sight when its key was pressed; then it is told and nothing follows.
pub(super) fn unseen(model: &mut Model, action: Action) -> bool {
    let would = model.held.plays && sends(model.place(), action);
    if would {
        let (name, place) = (action.row().name, model.place());
        let what = if matches!(place, Place::Case(_) | Place::Approve(..) | Place::Route(_)) { "case" } else { "list" };
        in_vain(model, &format!("{name} was pressed before the {what} was there: nothing was sent. Look, then press it again."));
    }
    would
}
