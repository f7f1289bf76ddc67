//! Who one is: what follows once the server has said it.
//!
//! Contract: pure, as `update` is. A token is kept only once the server took it; who did something already is not moved; nothing of whoever was
//! signed in before is left to somebody else. Knows no screen's inside.

use super::effect::{Ask, Effect};
use super::model::{Model, Place, Tone};
use super::{choose, recall, update};
use crate::api::lists::Me;
use crate::api::words::Role;

/// The farthest a server's clock is followed: a century off is no clock, and reckoning with it could leave the calendar.
const MAX_SKEW: chrono::TimeDelta = chrono::TimeDelta::days(36_525);

/// The server said who one is, in answer to a question of this number.
pub(super) fn me(model: &mut Model, seq: u64, me: Box<Me>) {
    let signing_in = model.place() == Place::SignIn;
    // Asked with the former token: says nothing about the one that was typed.
    if signing_in && !model.screens.sign_in.accepts(seq) {
        return;
    }
    let whose = recall::owner(&model.shared.server, &me);
    if model.shared.whose.as_ref().is_some_and(|former| *former != whose) {
        choose::forget(model);
    }
    let shared = &mut model.shared;
    shared.whose = Some(whose);
    shared.skew = (me.server_time - shared.now).clamp(-MAX_SKEW, MAX_SKEW);
    shared.read_only = shared.only_reads || me.read_only;
    let first = shared.me.replace(me).is_none();
    shared.dirty = true;
    if first {
        shared.own_drafts();
    }
    if signing_in {
        let (screen, shared) = model.screen_mut(Place::SignIn);
        screen.picked(shared, Place::SignIn, "done", "");
        shared.back();
        shared.effects.push(Effect::KeepSession);
        shared.effects.push(Effect::Listen);
        shared.ask(Place::Queue, Ask::Counts);
        shared.say(Tone::Good, "Signed in.");
    }
    if first && !model.acted && !recall::back(model) {
        begin_where_the_work_is(model);
        model.screens.queue.know_user(&mut model.shared);
    }
    if first {
        model.screens.inbox.know_user(&mut model.shared, model.acted);
    }
}

/// Without a screen kept from the last time each role begins where its work is: those who decide or watch in Approvals.
fn begin_where_the_work_is(model: &mut Model) {
    let shared = &model.shared;
    let watches = shared.is(Role::Supervisor) || shared.is(Role::SecurityReviewer);
    let on_top = matches!(model.stack[..], [Place::Queue] | [Place::Queue, Place::SignIn]);
    if watches && !shared.is(Role::SupportAgent) && on_top {
        update::top(model, Place::Approvals);
    }
}
