//! Lists to choose from that are offered everywhere, and what choosing does: commands, themes, whom to work as (demo).
//!
//! Contract: changes the model as `update` does, without I/O. Knows no screen.

use super::action::{Action, Applies, Scope};
use super::background::Background;
use super::effect::Effect;
use super::held::Held;
use super::model::{Link, Model, Place, Screens, Shared, Tone};
use super::overlay::{Choice, Picker};
use super::sending;
use super::theme::{EMBEDDED, Theme};
use super::update::{self, applies};
use crate::api::words::Decision;

/// Every command that applies here, refused ones with their reasons.
pub fn palette(model: &Model) -> Picker {
    let scope = model.scope();
    let offered = Action::ALL.iter().filter(|a| a.row().scope.meets(scope) && !matches!(a, Action::Palette | Action::Leave));
    let choices = offered.filter_map(|a| {
        let row = a.row();
        let refused = match applies(model, *a) {
            Applies::Yes => None,
            Applies::No(why) => Some(why),
            Applies::Hidden => return None,
        };
        let keys = model.shared.keymap.shown(*a).map(|k| format!("  {k}")).unwrap_or_default();
        Some(Choice { value: row.name.into(), label: format!("{}{keys}", row.name), note: row.help.into(), refused })
    });
    let mut choices: Vec<Choice> = choices.collect();
    // What is asked for by name on the wrong screen is told, not lost.
    let elsewhere = Action::ALL.iter().filter(|a| !a.row().scope.meets(scope) && !a.row().scope.meets(Scope::FORM));
    let refused = |a: Action| match (model.place(), a) {
        (Place::Approve(_, Decision::Approve), Action::Approve) | (Place::Approve(_, Decision::Deny), Action::Deny) => {
            Some(format!("you are at it: {} sends it", Action::Decide.row().name))
        }
        (Place::Approve(..), Action::Approve | Action::Deny) => Some("you are at the other one: leave that first".to_owned()),
        _ => Some(if a.row().scope.meets(Scope::CASE) { "not here: open a case first" } else { "not on this screen" }.to_owned()),
    };
    choices.extend(elsewhere.map(|a| Choice { refused: refused(*a), ..Choice::new(a.row().name, a.row().name, "") }));
    Picker::new("command", "Commands", choices)
}

/// Every theme there is.
pub fn themes(model: &Model) -> Picker {
    let auto = Choice::new("auto", "auto", "dark or light, as the terminal's background is");
    let own = model.shared.themes.iter().map(|t| Choice::new(&t.name, &t.name, "yours"));
    let embedded = EMBEDDED.iter().map(|(name, _)| Choice::new(*name, *name, ""));
    Picker::new("theme", "Themes", std::iter::once(auto).chain(own).chain(embedded).collect())
}

/// Wears a theme from now on.
pub fn theme(model: &mut Model, name: &str) {
    let shared = &mut model.shared;
    shared.auto.on = name == "auto";
    if shared.auto.asks(shared.depth) {
        shared.effects.push(Effect::AskBackground);
    }
    let worn = if shared.auto.on { shared.auto.theme(shared.depth) } else { name };
    if wear(shared, worn) {
        shared.state.theme = Some(name.to_owned());
    }
}

/// The terminal said which background it has.
pub fn background(model: &mut Model, background: Background) {
    let shared = &mut model.shared;
    shared.auto.background = Some(background);
    if shared.auto.on {
        wear(shared, shared.auto.theme(shared.depth));
    }
}

fn wear(shared: &mut Shared, name: &str) -> bool {
    let own = shared.themes.iter().find(|t| t.name == name).cloned();
    match own.map_or_else(|| Theme::embedded(name), Ok) {
        Ok(theme) => {
            let theme = theme.at_depth(shared.depth);
            shared.dirty |= shared.theme != theme;
            shared.theme = theme;
            true
        }
        Err(why) => {
            shared.say(Tone::Bad, why);
            false
        }
    }
}

/// Whom one can work as.
pub fn identities(model: &Model) -> Picker {
    let choices = model.shared.identities.iter().map(|i| Choice::new(&i.name, &i.name, &i.note)).collect();
    Picker::new("identity", "Work as", choices)
}

/// Works as someone else: nothing of the former's screens stays.
pub fn identity(model: &mut Model, name: &str) {
    let Some(identity) = model.shared.identities.iter().find(|i| i.name == name).cloned() else { return };
    forget(model);
    model.shared.effects.push(Effect::UseToken(identity.token));
    update::arrive(model);
}

/// Signs out: token and session are gone, and so is all that the former user saw.
pub fn sign_out(model: &mut Model) {
    forget(model);
    model.shared.effects.push(Effect::ForgetSession);
    model.shared.go(Place::SignIn);
}

/// Nothing of the former user's screens stays, and no answer to their questions is taken any more.
pub(super) fn forget(model: &mut Model) {
    model.shared.flush_draft();
    sending::keep(&mut model.shared);
    model.screens = Screens::default();
    let shared = &mut model.shared;
    shared.former = shared.seq;
    shared.me = None;
    shared.read_only = shared.only_reads;
    shared.counts = None;
    shared.sending.forget();
    shared.attention.forget();
    shared.undo = super::undo::Undo::default();
    shared.forget_place();
    // What was written and what happened was theirs: on disk the drafts stay, to whoever comes next they are not shown.
    shared.drafts.clear();
    shared.whose = None;
    shared.notes.clear();
    shared.notice = None;
    shared.link = Link::Connecting;
    shared.retry_at = None;
    model.stack = vec![Place::Queue];
    model.held = Held::default();
    model.overlay = None;
    model.pending.clear();
    model.acted = false;
}
