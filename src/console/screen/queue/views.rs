//! Views of the queue: those the user saved, those of the settings, and a few that everyone has.
//!
//! Contract: offers, saves and removes; what a view shows is the queue's affair. Those of the settings are never saved with the user's own: who
//! changes the settings sees what they say, unless they saved one under the same name.

use crate::console::action::{Action, Applies};
use crate::console::effect::Effect;
use crate::console::keep::{MAX_VIEWS, View};
use crate::console::model::{Shared, Tone};
use crate::console::overlay::{Choice, Picker};

/// What everyone has.
const FIXED: [(&str, &str); 5] =
    [("my work", "mine unassigned !ended"), ("open", "!ended"), ("high risk", "risk:high !ended"), ("overdue", "due:overdue !ended"), ("all", "")];

/// Lets the user choose one.
pub(super) fn offer(shared: &mut Shared) {
    let choice = |from: &str, v: &View, note: String| Choice::new(format!("{from}:{}", v.name), super::shown(&v.name), note);
    let saved = shared.views.iter().map(|v| choice("saved", v, super::shown(&v.filter)));
    let given = shared.given_views.iter().filter(|v| !shared.views.iter().any(|s| s.name == v.name));
    let given = given.map(|v| choice("given", v, format!("{}  (of the settings)", super::shown(&v.filter))));
    let fixed = FIXED.iter().map(|(name, filter)| Choice::new(format!("fixed:{name}"), *name, *filter));
    shared.pick(Picker::new("view", "Views", saved.chain(given).chain(fixed).collect()));
}

/// The view that was chosen.
pub(super) fn chosen(shared: &Shared, value: &str) -> Option<View> {
    let (from, name) = value.split_once(':')?;
    let named = |views: &[View]| views.iter().find(|v| v.name == name).cloned();
    match from {
        "saved" => named(&shared.views),
        "given" => named(&shared.given_views),
        _ => FIXED.iter().find(|(n, _)| *n == name).map(|(n, filter)| View { name: (*n).to_owned(), filter: (*filter).to_owned(), sort: None }),
    }
}

/// Keeps one, in place of another of its name.
pub(super) fn save(shared: &mut Shared, view: View) {
    let was = shared.views.iter().position(|v| v.name == view.name).map(|at| shared.views.remove(at));
    if was.is_none() && shared.views.len() >= MAX_VIEWS {
        return shared.say(Tone::Bad, format!("{MAX_VIEWS} views are saved: remove one first with {}.", Action::RemoveView.row().name));
    }
    shared.undo.had_view(&view.name, was);
    shared.say(Tone::Good, format!("Saved as \"{}\".", view.name));
    shared.views.push(view.clone());
    shared.effects.push(Effect::KeepView(view.name.clone(), Some(view)));
}

/// Whether there is one to remove.
pub(super) fn removable(shared: &Shared) -> Applies {
    if shared.views.is_empty() {
        return Applies::No("No view was saved; those of the settings stand in console.toml.".into());
    }
    Applies::Yes
}

/// Lets the user choose which saved one goes.
pub(super) fn offer_to_remove(shared: &mut Shared) {
    let saved = shared.views.iter().map(|v| Choice::new(v.name.clone(), super::shown(&v.name), super::shown(&v.filter)));
    let picker = Picker::new("remove-view", "Remove which saved view?", saved.collect());
    shared.pick(picker);
}

/// Forgets a saved one.
pub(super) fn remove(shared: &mut Shared, name: &str) {
    let Some(at) = shared.views.iter().position(|v| v.name == name) else { return };
    let was = shared.views.remove(at);
    shared.undo.had_view(name, Some(was));
    let given = if shared.given_views.iter().any(|v| v.name == name) { " The one of the settings by that name is shown again." } else { "" };
    shared.say(Tone::Good, format!("Removed \"{name}\".{given}"));
    shared.effects.push(Effect::KeepView(name.to_owned(), None));
}
