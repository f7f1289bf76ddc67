//! Leaving the console: at once, or asked for twice where something would be lost.
//!
//! Contract: drafts are flushed, and what was in front and what has no answer yet is kept, before the loop ends. Knows no screen.

use super::action::Action;
use super::effect::Effect;
use super::model::{Model, Place};
use super::update::passing;
use super::{recall, sending};

/// What a key for an action does: the one that leaves goes back where there is a list to go back to. By its name it always leaves.
pub(super) fn meant(model: &Model, action: Action) -> Action {
    let below = model.stack.len() > 1 && model.place().name().is_none() && model.place() != Place::SignIn;
    if action == Action::Quit && below { Action::Back } else { action }
}

/// Leaves; where that would lose something, says what at first and leaves when it is asked for again.
pub(super) fn or_ask(model: &mut Model) {
    let by_key = meant(model, Action::Quit) == Action::Quit;
    let key = model.shared.keymap.shown(Action::Quit).filter(|_| by_key).unwrap_or_else(|| ":quit".into());
    let draft = model.screen(model.place()).unsent();
    let lost = match (model.shared.identities.is_empty(), draft) {
        _ if model.shared.sending.waits() => "Something is still being sent: what becomes of it would not be told.",
        (true, false) => return now(model),
        (true, true) => "What you wrote here was not sent; it is kept as a draft.",
        (false, true) => "What you wrote here was not sent, and the demo ends with all that is in it.",
        (false, false) => "The demo ends with all that is in it.",
    };
    if std::mem::replace(&mut model.leaving, true) {
        return now(model);
    }
    passing(model, format!("{lost} {key} again leaves."));
}

/// Leaves at once; what was in front is kept for the next time.
pub(super) fn now(model: &mut Model) {
    model.shared.flush_draft();
    sending::keep(&mut model.shared);
    recall::keep(model);
    model.shared.effects.push(Effect::Quit);
    model.ended = true;
}
