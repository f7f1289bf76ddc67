//! What screens want that is not an effect on the world: going elsewhere, a question or a list over the screen.
//!
//! Contract: pure, as `update` is; nobody who types, or is asked something, is moved by an answer. Knows no screen's inside.

use super::model::{Model, Place, Shared, Tone, Wish};
use super::overlay::{Choice, Overlay};
use super::update;

/// How deep one can go before the oldest way back is forgotten.
const MAX_STACK: usize = 32;

impl Shared {
    /// Says of which version the case of a place is now.
    pub fn changed(&mut self, place: Place, version: u64) {
        self.wishes.push(Wish::Changed(place, version));
    }
}

/// Fulfils wishes of screens.
pub(super) fn wishes(model: &mut Model) {
    for _ in 0..8 {
        let wishes = std::mem::take(&mut model.shared.wishes);
        if wishes.is_empty() {
            break;
        }
        model.shared.dirty = true;
        for wish in wishes {
            match wish {
                Wish::GoOn(from, to) => {
                    let free = model.place() == from && model.overlay.is_none() && model.pending.is_empty() && !model.screen(from).typing();
                    if free {
                        model.shared.go(to);
                    }
                }
                Wish::Go(place) => {
                    if model.stack.last() == Some(&place) {
                        continue;
                    }
                    let words = !model.shared.plain && (model.overlay.is_some() || model.screen(model.place()).typing());
                    // A token goes into no list's line, and none of its letters answers a question.
                    if place == Place::SignIn && matches!(model.overlay.take(), Some(Overlay::Confirm(_))) {
                        model.shared.say(Tone::Info, "Cancelled: nothing was sent.");
                    }
                    if matches!(place, Place::Help) {
                        let (scope, before) = (model.scope(), model.place());
                        model.screens.help.about(scope, before);
                    }
                    if model.stack.len() == MAX_STACK {
                        model.stack.remove(1);
                    }
                    model.stack.push(place);
                    update::enter(model);
                    if place == Place::SignIn && words {
                        model.screens.sign_in.came_over_words(model.shared.now);
                    }
                }
                Wish::Back => {
                    model.stack.pop();
                    if model.stack.is_empty() {
                        model.stack.push(Place::Queue);
                    }
                    update::enter(model);
                }
                Wish::Done(place, next) => {
                    let in_front = model.stack.last() == Some(&place);
                    model.stack.retain(|p| *p != place);
                    model.stack.extend(next.filter(|_| in_front));
                    if model.stack.is_empty() {
                        model.stack.push(Place::Queue);
                    }
                    if in_front {
                        update::enter(model);
                    }
                }
                Wish::Changed(place, version) => {
                    if let Some(Overlay::Confirm(question)) = model.overlay.as_mut().filter(|o| matches!(o, Overlay::Confirm(c) if c.to == place)) {
                        question.is_of(version);
                    }
                }
                Wish::Fill(purpose, title, choices) => fill(model, purpose, title, choices),
                Wish::Over(overlay) => model.overlay = Some(*overlay),
            }
        }
    }
}

/// Fills the list of a purpose, if it is still open.
fn fill(model: &mut Model, purpose: &str, title: String, choices: Vec<Choice>) {
    if let Some(Overlay::Pick(picker)) = &mut model.overlay
        && picker.purpose == purpose
    {
        picker.fill(title, choices);
    }
}
