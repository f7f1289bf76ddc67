//! The screens, one file each: its state, what its actions do, what answers mean to it, how it looks.
//!
//! Contract: a screen changes only itself and [`Shared`]; it reaches the server by [`Shared::ask`] and [`Shared::send`] and drops answers
//! whose number it does not wait for. `draw` is pure. Knows no other screen.

pub mod approve;
pub mod case;
mod give;
mod going;
pub mod grants;
pub mod help;
pub mod inbox;
pub mod log;
pub mod mailbox;
pub mod messages;
mod paged;
pub mod policy;
pub mod proposals;
pub mod queue;
pub mod route;
mod search;
pub mod sign_in;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::action::{Action, Applies};
use super::effect::Timer;
use super::message::Reply;
use super::model::{Place, Shared};
use crate::api::lists::Announcement;
use crate::base::Time;
use crate::client::ClientError;

/// Whether what a screen is about is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// It is still asked for.
    Asked,
    /// It could not be read.
    Failed,
    /// It is there, or nothing is needed.
    Done,
}

impl Loading {
    /// Of something that is there or not, and of the reason why not.
    pub const fn of(there: bool, failed: bool) -> Self {
        match (there, failed) {
            (true, _) => Self::Done,
            (false, true) => Self::Failed,
            (false, false) => Self::Asked,
        }
    }
}

/// What the wheel does, as an action of the table.
const fn wheel(kind: MouseEventKind) -> Option<Action> {
    match kind {
        MouseEventKind::ScrollDown => Some(Action::Down),
        MouseEventKind::ScrollUp => Some(Action::Up),
        _ => None,
    }
}

/// What every screen can do. Everything but `act`, `answer` and `draw` has a default.
pub trait Screen {
    /// It comes in front, anew or again: ask for what it shows.
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        self.refresh(shared, place);
    }

    /// Ask again for what is shown: the user wants it, the connection is back, or somebody else is signed in.
    fn refresh(&mut self, _shared: &mut Shared, _place: Place) {}

    /// Does an action of the table.
    fn act(&mut self, shared: &mut Shared, place: Place, action: Action);

    /// Whether an action can be used on what is selected.
    fn applies(&self, _shared: &Shared, _action: Action) -> Applies {
        Applies::Yes
    }

    /// Whether an action that can be used is worth a hint: deciding can be looked at where there is nothing to decide.
    fn hints(&self, _shared: &Shared, _action: Action) -> bool {
        true
    }

    /// Whether what keys act on is there; while it is still asked for, they wait for it.
    fn loading(&self) -> Loading {
        Loading::Done
    }

    /// Whether keys go into a text or form: then only [`super::action::Scope::FORM`] actions and [`Screen::typed`] get them.
    fn typing(&self) -> bool {
        false
    }

    /// A key that is no action, while [`Screen::typing`].
    fn typed(&mut self, _shared: &mut Shared, _place: Place, _key: KeyEvent) {}

    /// Keys and words for the bottom line while [`Screen::typing`] outside a form; none: those of forms.
    fn typing_hints(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Pasted text, or a text that comes back from `$EDITOR` (`whole`: it replaces the field).
    fn pasted(&mut self, _shared: &mut Shared, _text: &str, _whole: bool) {}

    /// The text to open in `$EDITOR`, if the field in focus is one.
    fn editable(&self) -> Option<String> {
        None
    }

    /// The form that has the keys, if it is one; for the linear mode, which asks field by field.
    fn form(&self) -> Option<&super::widget::form::Form> {
        None
    }

    /// Whether a text was begun here that has not been sent.
    fn unsent(&self) -> bool {
        false
    }

    /// The mouse, inside the screen's area; by itself the wheel moves as the keys for up and down do.
    fn mouse(&mut self, shared: &mut Shared, place: Place, event: MouseEvent, _area: Rect) {
        if let Some(action) = wheel(event.kind).filter(|_| !self.typing()) {
            self.act(shared, place, action);
            shared.dirty = true;
        }
    }

    /// An answer to a question this screen asked.
    fn answer(&mut self, shared: &mut Shared, place: Place, seq: u64, reply: Result<Reply, ClientError>);

    /// An order of this screen that waited for a confirmation was sent under this number.
    fn sent(&mut self, _shared: &mut Shared, _place: Place, _seq: u64) {}

    /// Something happened on the server; only what is in front is told, others ask again when they come in front.
    fn news(&mut self, _shared: &mut Shared, _place: Place, _news: &Announcement) {}

    /// A timer of this screen ran out.
    fn timer(&mut self, _shared: &mut Shared, _place: Place, _timer: Timer) {}

    /// What was picked from a list this screen opened ([`Shared::pick`]): the list's purpose and the value.
    fn picked(&mut self, _shared: &mut Shared, _place: Place, _purpose: &str, _value: &str) {}

    /// When what is shown changes by itself next (a countdown in sight), by the server's clock.
    fn next_change(&self, _shared: &Shared) -> Option<Time> {
        None
    }

    /// Draws into `area`: the frame without head line and hints.
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, place: Place);

    /// Goes on where [`Screen::lines`] ended, for the linear mode: what follows is what is read out next.
    fn read_on(&mut self, shared: &mut Shared, place: Place) {
        self.act(shared, place, Action::PageDown);
    }

    /// The screen as lines to be read out, for the linear mode. What runs in them is marked ([`running`](super::widget::runs::running)).
    fn lines(&self, _shared: &Shared, _place: Place) -> Vec<String> {
        Vec::new()
    }
}
