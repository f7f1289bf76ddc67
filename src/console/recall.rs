//! Coming back: whose console it is, and where they were when it was left or killed.
//!
//! Contract: what is kept bears its owner's mark, and is only ever shown to them; until the server has said who one is, nothing of it is. Where
//! one is, is kept at most [`REST`] after it changed. Knows the screens by what each says of itself; reads no file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effect::{Ask, Effect, Timer};
use super::keep::State;
use super::model::{Model, Place, Shared, Tone};
use super::sending;
use crate::api::lists::Me;
use crate::base::Digest;
use crate::base::ids::CaseId;

/// How long after a change it is kept: what is lost when the program is killed.
const REST: Duration = Duration::from_secs(2);

/// The mark of whoever is signed in there: drafts and the place one was at belong to it. Says nothing to whoever reads the disk.
pub fn owner(server: &str, me: &Me) -> String {
    let parts =
        [me.operator.as_ref().map(ToString::to_string), me.person.as_ref().map(ToString::to_string), me.automation.as_ref().map(ToString::to_string)];
    let name = parts.iter().all(Option::is_none).then(|| me.name.raw().to_owned());
    let whole = parts.into_iter().chain([name]).map(Option::unwrap_or_default).collect::<Vec<_>>().join("\n");
    Digest::of(format!("{server}\n{whole}").as_bytes()).to_string()[..32].to_owned()
}

impl Shared {
    /// The user is known: their drafts are asked for, and what was typed before that is kept as theirs.
    pub(super) fn own_drafts(&mut self) {
        let Some(owner) = self.whose.clone() else { return };
        let typed: Vec<Effect> = self.drafts.iter().map(|(key, text)| Effect::Draft(owner.clone(), key.clone(), Some(text.clone()))).collect();
        self.effects.extend(typed);
        self.ask(Place::Queue, Ask::Drafts(owner));
    }

    /// Nothing of where the former user was stays; how the console looks does.
    pub(super) fn forget_place(&mut self) {
        let theme = self.state.theme.take();
        (self.state, self.kept) = (State { theme, ..State::default() }, None);
    }
}

/// The drafts on disk; what was typed since stays.
pub(super) fn drafts(shared: &mut Shared, mut kept: BTreeMap<String, String>, adopted: usize) {
    sending::recall(shared, &mut kept);
    let typed = std::mem::replace(&mut shared.drafts, kept);
    shared.drafts.extend(typed);
    if adopted > 0 {
        let what = if adopted == 1 { "1 draft".to_owned() } else { format!("{adopted} drafts") };
        shared.say(Tone::Info, format!("{what} of an earlier version, which kept them for no one account, stand in your forms from now on."));
    }
}

/// The case that a place is about.
const fn case_of(place: Place) -> Option<CaseId> {
    match place {
        Place::Case(id) | Place::Approve(id, _) | Place::Route(Some(id)) | Place::Policy(Some(id)) => Some(id),
        _ => None,
    }
}

/// Where the user is now, as it is kept. Before anyone is known, what was kept last stays.
pub(super) fn now(model: &Model) -> State {
    let shared = &model.shared;
    let theme = shared.state.theme.clone();
    let (Some(_), Some(owner)) = (&shared.me, &shared.whose) else {
        return State { theme, ..shared.kept.clone().unwrap_or_default() };
    };
    let list = model.stack.iter().rposition(|p| p.name().is_some());
    let mut state = State { owner: Some(owner.clone()), row: None, page: None, ..shared.state.clone() };
    state.screen = list.and_then(|at| model.stack[at].name()).map(str::to_owned);
    model.screens.queue.keep(&mut state);
    match list.map(|at| model.stack[at]) {
        Some(Place::Approvals) => model.screens.inbox.keep(&mut state),
        Some(Place::Grants) => model.screens.grants.keep(&mut state),
        _ => {}
    }
    let case = model.stack.iter().skip(list.map_or(0, |at| at + 1)).rev().find_map(|p| case_of(*p));
    state.case = case.map(|id| id.to_string());
    state.case_page = case.and_then(|id| model.screens.case.page_of(id));
    state
}

/// After each message: what changed is kept soon.
pub(super) fn settle(model: &mut Model) {
    if model.shared.me.is_some() && !model.ended && !model.shared.running.contains(&Timer::Keep) && now(model) != model.shared.saved {
        model.shared.timer_once(Timer::Keep, REST);
    }
}

/// Keeps where the user is.
pub(super) fn keep(model: &mut Model) {
    let state = now(model);
    model.shared.saved.clone_from(&state);
    model.shared.effects.push(Effect::KeepState(Box::new(state)));
}

/// The user is known and did nothing yet: back to where they were, if it was them. Says whether it was.
pub(super) fn back(model: &mut Model) -> bool {
    let shared = &mut model.shared;
    let Some(kept) = shared.kept.take().filter(|kept| kept.owner.is_some() && kept.owner == shared.whose) else { return false };
    let theme = shared.state.theme.take();
    shared.state = State { theme, ..kept.clone() };
    model.screens.queue.recall(&mut model.shared);
    let signs_in = match model.stack[..] {
        [Place::Queue] => false,
        [Place::Queue, Place::SignIn] => true,
        _ => return true,
    };
    let list = kept.screen.as_deref().and_then(Place::named).filter(|p| *p != Place::Queue);
    match list {
        Some(Place::Approvals) => model.screens.inbox.recall(&kept),
        Some(Place::Grants) => model.screens.grants.recall(&kept),
        _ => {}
    }
    let case = kept.case.as_deref().and_then(|id| id.parse::<CaseId>().ok());
    if let Some(id) = case {
        model.screens.case.recall(id, kept.case_page);
    }
    let front = list.into_iter().chain(case.map(Place::Case));
    if signs_in {
        // What was in front lies under the sign-in, which goes away by itself.
        model.stack = std::iter::once(Place::Queue).chain(front).chain([Place::SignIn]).collect();
    } else {
        front.for_each(|place| model.shared.go(place));
    }
    true
}
