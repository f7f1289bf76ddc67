//! What happens, and what follows from it: the one function that changes the model.
//!
//! Contract: no I/O, no clock, no waiting; what the world has to do comes back as effects. Says by `shared.dirty` whether to draw again.

use std::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind, MouseEventKind};

use super::action::{Action, Applies};
use super::effect::{Ask, Effect, Timer};
use super::keymap::{Key, Meaning};
use super::leave;
use super::message::{Live, Message, Reply};
use super::model::{Link, Model, Note, Place, Tone};
use super::overlay::{Outcome, Overlay};
use super::wish::wishes;
use super::{attention, choose, held, known, mouse, recall, sending, tutor, undo};
use crate::client::ClientError;

/// Takes in what happened; returns what is to be done.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    model.acted |= is_of_the_user(&message) && model.place() != Place::SignIn;
    match message {
        Message::Key(key) if key.kind != KeyEventKind::Release => on_key(model, key),
        Message::Key(_) => {}
        Message::Mouse(_) | Message::Paste(_) if unseen_in(model) => {}
        Message::Mouse(event) => mouse::on_mouse(model, event),
        Message::Paste(text) => {
            model.shared.dirty = true;
            match &mut model.overlay {
                Some(overlay) => {
                    if let Some(why) = overlay.pasted(&text) {
                        passing(model, why);
                    }
                }
                None => pasted(model, &text, false),
            }
        }
        Message::Resize(columns, rows) => {
            model.shared.size = (columns, rows);
            model.shared.dirty = true;
        }
        Message::Act(action) => match super::plain::talk::allowed(model, action) {
            Ok(()) => act(model, action),
            Err(why) => model.shared.say(Tone::Bad, why),
        },
        Message::Open(case) => model.shared.go(Place::Case(case)),
        Message::ReadOn => {
            let place = model.place();
            let (screen, shared) = model.screen_mut(place);
            screen.read_on(shared, place);
        }
        Message::Answer { seq, to, reply } => on_answer(model, seq, to, reply),
        Message::Live(live) => on_live(model, live),
        Message::Background(background) => choose::background(model, background),
        Message::Timer(timer) => on_timer(model, timer),
        Message::Edited(Ok(text)) => pasted(model, &text, true),
        Message::Edited(Err(why)) | Message::Trouble(why) => model.shared.say(Tone::Bad, why),
        Message::Told(what) => model.shared.say(Tone::Info, what),
        Message::Views(views) => model.shared.views = views,
        Message::Ended => leave::now(model),
    }
    wishes(model);
    held::play(model);
    settle(model);
    std::mem::take(&mut model.shared.effects)
}

/// Whether the user did this: whoever did something is not led elsewhere by what comes late.
fn is_of_the_user(message: &Message) -> bool {
    match message {
        Message::Key(key) => key.kind != KeyEventKind::Release,
        Message::Mouse(event) => !matches!(event.kind, MouseEventKind::Moved | MouseEventKind::Drag(_) | MouseEventKind::Up(_)),
        Message::Paste(_) | Message::Act(_) | Message::Open(_) | Message::ReadOn => true,
        _ => false,
    }
}

/// What to do first: ask who one is, listen, show the first screen.
pub fn start(model: &mut Model, signed_in: bool) -> Vec<Effect> {
    let shared = &mut model.shared;
    tutor::offer(shared);
    if shared.auto.asks(shared.depth) {
        shared.effects.push(Effect::AskBackground);
    }
    if signed_in {
        arrive(model);
    } else {
        shared.go(Place::SignIn);
    }
    settle(model);
    model.shared.dirty = true;
    std::mem::take(&mut model.shared.effects)
}

/// There is a token: everything is asked for.
pub(super) fn arrive(model: &mut Model) {
    let shared = &mut model.shared;
    shared.ask(Place::Queue, Ask::Me);
    shared.ask(Place::Queue, Ask::Counts);
    shared.effects.push(Effect::Listen);
    enter(model);
}

pub(super) fn enter(model: &mut Model) {
    let place = model.place();
    let (screen, shared) = model.screen_mut(place);
    screen.enter(shared, place);
    shared.dirty = true;
}

fn pasted(model: &mut Model, text: &str, whole: bool) {
    let place = model.place();
    let (screen, shared) = model.screen_mut(place);
    if screen.typing() {
        screen.pasted(shared, text, whole);
        shared.dirty = true;
    }
}

pub(super) fn on_key(model: &mut Model, event: KeyEvent) {
    let now = model.shared.now;
    if model.shared.notice.take_if(|notice| !notice.is_unread(now)).is_some() {
        model.shared.dirty = true;
    }
    let key = Key::of(event);
    if model.shared.keymap.meaning(&[key], |a| a == Action::Leave) == Meaning::Act(Action::Leave) {
        return leave::now(model);
    }
    if unseen_in(model) {
        return;
    }
    if let Some(overlay) = &mut model.overlay {
        model.shared.dirty = true;
        let outcome = overlay.key(event, model.shared.body());
        return on_outcome(model, outcome);
    }
    let scope = model.scope();
    let place = model.place();
    let leaving = std::mem::take(&mut model.leaving);
    if held::follows(model, event) {
        return;
    }
    model.pending.push(key);
    let here = |a: Action| a.row().scope.meets(scope) && a != Action::Leave;
    match model.shared.keymap.meaning(&model.pending, here) {
        Meaning::Act(action) => {
            if model.pending.len() > 1 {
                model.shared.dirty = true;
            }
            let keys = std::mem::take(&mut model.pending);
            if held::needs(model, Some(action)) {
                return held::keep(model, keys.into_iter().map(|k| KeyEvent::new(k.code, k.with)).collect());
            }
            model.leaving = leaving && action == Action::Quit;
            act(model, leave::meant(model, action));
        }
        Meaning::Prefix => model.shared.dirty = true,
        // It begins a chord of another place: what follows belongs to it, and is no key by itself that does something else here.
        Meaning::Nothing if begins_elsewhere(model) => model.shared.dirty = true,
        Meaning::Nothing => {
            let (pressed, help) = (super::keymap::show(&model.pending), model.shared.keymap.shown(Action::Help));
            let chord = model.pending.len() > 1;
            model.pending.clear();
            if !chord && model.screen(place).typing() && held::needs(model, None) {
                return held::keep(model, vec![event]);
            }
            let (screen, shared) = model.screen_mut(place);
            if !chord && screen.typing() {
                screen.typed(shared, place, event);
                shared.dirty = true;
            } else {
                let keys = help.map(|k| format!("; {k} shows all keys")).unwrap_or_default();
                passing(model, format!("{pressed} means nothing here{keys}."));
            }
        }
    }
}

/// Whether the keys that were pressed begin a chord of some place, where nothing is typed.
fn begins_elsewhere(model: &Model) -> bool {
    model.shared.keymap.begins(&model.pending) && !model.screen(model.place()).typing()
}

/// Whether the window is too small to show anything: then no key acts on what nobody sees.
fn unseen_in(model: &Model) -> bool {
    let (columns, rows) = model.shared.size;
    !model.shared.plain && (columns < super::view::LEAST.0 || rows < super::view::LEAST.1)
}

/// Stands in the bottom line until the next key; not worth keeping among the messages.
pub(super) fn passing(model: &mut Model, text: String) {
    let note = Note::new(model.shared.now, Tone::Info, text);
    model.shared.show(note);
}

pub(super) fn on_outcome(model: &mut Model, outcome: Outcome) {
    match outcome {
        Outcome::Stays => {}
        Outcome::Gone => {
            if matches!(model.overlay.take(), Some(Overlay::Confirm(_))) {
                passing(model, "Cancelled: nothing was sent.".into());
            }
        }
        Outcome::Astray(why) => passing(model, why),
        Outcome::Confirmed(to, order) => {
            model.overlay = None;
            let seq = model.shared.send(to, *order);
            let (screen, shared) = model.screen_mut(to);
            screen.sent(shared, to, seq);
        }
        Outcome::Picked(purpose, value) => {
            model.overlay = None;
            match purpose {
                "command" => {
                    if let Some(action) = Action::ALL.iter().copied().find(|a| a.row().name == value) {
                        act(model, action);
                    }
                }
                "theme" => choose::theme(model, &value),
                "identity" => choose::identity(model, &value),
                _ => {
                    let place = model.place();
                    let (screen, shared) = model.screen_mut(place);
                    screen.picked(shared, place, purpose, &value);
                }
            }
        }
    }
}

/// Whether an action can be used here and now.
pub fn applies(model: &Model, action: Action) -> Applies {
    let row = action.row();
    if row.writes && model.shared.read_only {
        let why = if model.shared.only_reads { "This console was started to read only." } else { "Your sign-in may only read." };
        return Applies::No(why.into());
    }
    let none = match action {
        Action::GoMailbox => !model.shared.mailbox,
        Action::Identity => model.shared.identities.is_empty(),
        Action::Tutor if !model.shared.tutor.exists() => {
            return Applies::No("The tour is in the demo: `countersign demo`.".into());
        }
        _ => false,
    };
    if none {
        return Applies::Hidden;
    }
    model.screen(model.place()).applies(&model.shared, action)
}

/// Does an action, or says why not.
pub fn act(model: &mut Model, action: Action) {
    if action == Action::Back && model.stack.len() == 1 && model.shared.tutor.shows() {
        model.shared.tutor.leave();
        model.shared.dirty = true;
        return;
    }
    match applies(model, action) {
        Applies::Hidden => return,
        Applies::No(why) => return model.shared.say(Tone::Bad, why),
        Applies::Yes => {}
    }
    if held::unseen(model, action) {
        return;
    }
    if everywhere(model, action) {
        model.shared.dirty = true;
        return;
    }
    let place = model.place();
    let (screen, shared) = model.screen_mut(place);
    if action == Action::Submit
        && let Some(why) = screen.form().and_then(crate::console::widget::form::Form::too_long)
    {
        return shared.say(Tone::Bad, why);
    }
    if action == Action::Editor {
        if let Some(text) = screen.editable() {
            shared.effects.push(Effect::Edit(text));
        }
        return;
    }
    shared.dirty = true;
    screen.act(shared, place, action);
}

/// Actions that mean the same on every screen; says whether this was one.
fn everywhere(model: &mut Model, action: Action) -> bool {
    match action {
        Action::Quit => {
            if matches!(model.place(), Place::Help | Place::Messages) {
                model.shared.back();
            } else {
                leave::or_ask(model);
            }
        }
        Action::Leave => leave::now(model),
        Action::Back if model.stack.len() > 1 => model.shared.back(),
        Action::Palette => model.overlay = Some(Overlay::Pick(choose::palette(model))),
        Action::Help => go_unless_there(model, Place::Help),
        Action::Messages => go_unless_there(model, Place::Messages),
        Action::GoQueue => top(model, Place::Queue),
        Action::GoApprovals => top(model, Place::Approvals),
        Action::GoPolicy => go_unless_there(model, Place::Policy(None)),
        Action::GoLog => top(model, Place::Log),
        Action::GoGrants => top(model, Place::Grants),
        Action::GoProposals => go_unless_there(model, Place::Proposals),
        Action::GoMailbox if model.place() != Place::Mailbox => {
            let case = model.stack.iter().rev().find_map(|p| if let Place::Case(case) = p { Some(*case) } else { None });
            model.screens.mailbox.about(case);
            model.shared.go(Place::Mailbox);
        }
        Action::Theme => model.overlay = Some(Overlay::Pick(choose::themes(model))),
        Action::Identity => {
            model.overlay = Some(Overlay::Pick(choose::identities(model)));
        }
        Action::GoMailbox => {}
        Action::Undo => undo::take_back(model),
        Action::Tutor => tutor::toggle(&mut model.shared),
        Action::Mouse => {
            model.shared.mouse = !model.shared.mouse;
            let on = model.shared.mouse;
            model.shared.effects.push(Effect::Mouse(on));
            let text = if on { "The mouse works here; hold Shift to select text." } else { "The mouse is the terminal's: select and copy as usual." };
            model.shared.say(Tone::Info, text);
        }
        Action::Refresh => {
            model.shared.ask(Place::Queue, Ask::Counts);
            refresh(model);
        }
        Action::SignOut => choose::sign_out(model),
        _ => return false,
    }
    true
}

fn go_unless_there(model: &mut Model, place: Place) {
    if model.place() != place {
        model.shared.go(place);
    }
}

pub(super) fn top(model: &mut Model, place: Place) {
    model.stack.clear();
    model.shared.go(place);
}

pub(super) fn refresh(model: &mut Model) {
    let place = model.place();
    let (screen, shared) = model.screen_mut(place);
    screen.refresh(shared, place);
}

fn on_answer(model: &mut Model, seq: u64, to: Place, reply: Result<Reply, ClientError>) {
    // It was answered to somebody else.
    if seq <= model.shared.former {
        return;
    }
    let outcome = sending::answered(&mut model.shared, seq, &reply);
    let in_front = model.place() == to;
    let written = undo::written(&reply);
    if let Err(error) = &reply
        && error.needs_sign_in()
        && to != Place::SignIn
    {
        model.shared.fail(error);
    }
    attention::answered(&mut model.shared, &reply);
    tutor::answered(&mut model.shared, &reply);
    match reply {
        Ok(Reply::Me(me)) => known::me(model, seq, me),
        Ok(Reply::Counts(counts)) => {
            let shared = &mut model.shared;
            shared.dirty |= shared.counts != Some(counts);
            shared.counts = Some(counts);
        }
        Ok(Reply::Drafts(drafts, adopted)) => recall::drafts(&mut model.shared, drafts, adopted),
        reply => {
            if !undo::answered(model, seq, &reply) {
                let (screen, shared) = model.screen_mut(to);
                screen.answer(shared, to, seq, reply);
            }
        }
    }
    if let Some(outcome) = outcome {
        sending::tell(&mut model.shared, outcome, in_front);
    }
    undo::settled(&mut model.shared, seq, written);
}

fn on_live(model: &mut Model, live: Live) {
    let shared = &mut model.shared;
    match live {
        Live::Up => {
            let again = matches!(shared.link, Link::Lost(_));
            shared.link = Link::Live;
            shared.retry_at = None;
            shared.dirty = true;
            if again {
                shared.say(Tone::Good, "The connection is back.");
                shared.ask(Place::Queue, Ask::Me);
                shared.ask(Place::Queue, Ask::Counts);
                refresh(model);
            }
        }
        Live::Down { why, again_in } => {
            shared.dirty = true;
            if why.needs_sign_in() {
                (shared.link, shared.retry_at) = (Link::Refused, None);
                return shared.fail(&why);
            }
            let first = !matches!(shared.link, Link::Lost(_));
            shared.link = Link::Lost(again_in);
            shared.retry_at = Some(shared.now + Duration::from_secs(again_in));
            shared.dirty = true;
            if first {
                shared.fail(&why);
            }
        }
        Live::News(news) => {
            attention::announced(shared, &news);
            tutor::announced(shared, &news);
            shared.timer_once(Timer::Counts, Duration::from_secs(1));
            let place = model.place();
            let (screen, shared) = model.screen_mut(place);
            screen.news(shared, place, &news);
        }
    }
}

fn on_timer(model: &mut Model, timer: Timer) {
    model.shared.running.retain(|t| *t != timer);
    match timer {
        Timer::Clock => {
            model.shared.clock_due = None;
            model.shared.dirty = true;
        }
        Timer::Draft => model.shared.flush_draft(),
        Timer::Keep => recall::keep(model),
        Timer::Attention => model.shared.attention_due = None,
        Timer::Counts => {
            model.shared.ask(Place::Queue, Ask::Counts);
        }
        other => {
            let place = model.place();
            let (screen, shared) = model.screen_mut(place);
            screen.timer(shared, place, other);
        }
    }
}

/// After each message: fulfils wishes, and sets the clock if a countdown is in sight.
fn settle(model: &mut Model) {
    wishes(model);
    attention::settle(&mut model.shared);
    tutor::settle(model);
    recall::settle(model);
    let shown = if model.overlay.is_none() { model.screen(model.place()).next_change(&model.shared) } else { None };
    let next = [shown, model.shared.next_second()].into_iter().flatten().min();
    if let Some(next) = next
        && model.shared.clock_due.is_none_or(|due| next < due)
    {
        model.shared.clock_due = Some(next);
        let wait = (next - model.shared.server_now()).to_std().unwrap_or(Duration::ZERO);
        model.shared.timer(Timer::Clock, wait.clamp(Duration::from_millis(20), Duration::from_hours(1)));
    }
}
