//! Views of the queue: those the user saved, and a few that everyone has.
//!
//! Contract: offers and saves; what a view shows is the queue's affair.

use crate::console::effect::Effect;
use crate::console::keep::{MAX_VIEWS, View};
use crate::console::model::{Shared, Tone};
use crate::console::overlay::{Choice, Picker};

/// Lets the user choose one.
pub(super) fn offer(shared: &mut Shared) {
    let own = shared.views.iter().map(|v| Choice::new(v.name.clone(), super::shown(&v.name), super::shown(&v.filter)));
    let own: Vec<Choice> = own.collect();
    let fixed = [
        ("my work", "mine unassigned !ended"),
        ("open", "!ended"),
        ("high risk", "risk:high !ended"),
        ("overdue", "due:overdue !ended"),
        ("all", ""),
    ];
    let fixed = fixed.iter().map(|(name, filter)| Choice::new(format!("={filter}"), *name, *filter));
    shared.pick(Picker::new("view", "Views", own.into_iter().chain(fixed).collect()));
}

/// Keeps one, in place of another of its name.
pub(super) fn save(shared: &mut Shared, view: View) {
    shared.undo.had_views(shared.views.clone());
    shared.views.retain(|v| v.name != view.name);
    shared.views.truncate(MAX_VIEWS - 1);
    shared.say(Tone::Good, format!("Saved as \"{}\".", view.name));
    shared.views.push(view);
    shared.effects.push(Effect::KeepViews(shared.views.clone()));
}
