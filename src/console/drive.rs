//! The one loop: input, answers and timers come in as messages; effects go out; the screen is drawn when something changed.
//!
//! Contract: everything waiting is taken in before anything is drawn; terminal, input, performer, clock and shutdown are given in. Nothing
//! ticks: with nothing to do the loop sleeps. Knows neither keys nor screens.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crossterm::event::{Event, KeyEventKind};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::attention::How;
use super::background::Seen;
use super::effect::Effect;
use super::message::Message;
use super::model::Model;
use super::update;
use crate::base::ports::Clock;

/// The most messages that are taken in before a drawing.
const MAX_DRAIN: usize = 1024;
/// The most answers that wait to be taken in.
pub const MAX_WAITING: usize = 1024;

/// How long an answer that is still on its way is waited for before the terminal is given to somebody else, and the most events taken then.
pub(super) const LAST_ANSWER: (Duration, usize) = (Duration::from_millis(50), 100);

/// What comes from the terminal.
pub type Input = Pin<Box<dyn Stream<Item = io::Result<Seen>> + Send>>;

/// Where the screen is shown.
pub trait Surface {
    /// Draws the model.
    fn draw(&mut self, model: &Model) -> io::Result<()>;
    /// Puts a text on the user's clipboard.
    fn copy(&mut self, text: &str) -> io::Result<()>;
    /// Mouse on or off.
    fn mouse(&mut self, on: bool) -> io::Result<()>;
    /// Asks which background there is; the answer comes as input, some time or never.
    fn ask_background(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Rings, or has the terminal notify with these words.
    fn attend(&mut self, _how: How, _text: &str) -> io::Result<()> {
        Ok(())
    }
    /// Whether an answer of the terminal itself is still on its way.
    fn awaits(&self) -> bool {
        false
    }
    /// Gives the terminal to `$EDITOR` with a text; returns what it was saved as, or why not. Nobody reads the terminal's events meanwhile.
    fn edit(&mut self, text: &str) -> Result<String, String>;
}

/// Does effects; answers come back through the channel it was made with.
pub trait Perform {
    /// Begins an effect; must not wait.
    fn perform(&mut self, effect: Effect);
}

/// What the loop runs on.
pub struct World<'a> {
    /// The terminal's screen.
    pub surface: &'a mut dyn Surface,
    /// Opens the terminal's events anew.
    pub open_input: &'a mut (dyn FnMut() -> Input + Send),
    /// Does effects.
    pub performer: &'a mut dyn Perform,
    /// Where answers come back.
    pub answers: mpsc::Receiver<Message>,
    /// This machine's clock.
    pub clock: &'a dyn Clock,
}

/// Runs until the user leaves.
///
/// # Errors
/// When the terminal can't be drawn on.
pub async fn drive(model: &mut Model, world: World<'_>, signed_in: bool) -> io::Result<()> {
    let World { surface, open_input, performer, mut answers, clock } = world;
    model.shared.now = clock.now();
    let mut effects = update::start(model, signed_in);
    surface.draw(model)?;
    model.shared.dirty = false;
    let mut input = Some(open_input());
    loop {
        let mut inbox = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Copy(text) => surface.copy(&text)?,
                Effect::Mouse(on) => surface.mouse(on)?,
                Effect::AskBackground => surface.ask_background()?,
                Effect::Attend(how, text) => surface.attend(how, &text)?,
                Effect::Edit(text) => {
                    if let Some(events) = input.as_mut() {
                        inbox.extend(last_answer(events, surface).await);
                    }
                    input = None;
                    inbox.push(Message::Edited(surface.edit(&text)));
                    model.shared.dirty = true;
                }
                other => performer.perform(other),
            }
        }
        if model.ended {
            return Ok(());
        }
        if inbox.is_empty() {
            if std::mem::take(&mut model.shared.dirty) {
                surface.draw(model)?;
            }
            let events = input.get_or_insert_with(&mut *open_input);
            tokio::select! {
                biased;
                event = events.next() => inbox.extend(message(event)),
                answer = answers.recv() => inbox.push(answer.unwrap_or(Message::Ended)),
            }
            while inbox.len() < MAX_DRAIN {
                match waiting(events).await {
                    Some(event) => inbox.extend(message(event)),
                    None => break,
                }
                if matches!(inbox.last(), Some(Message::Ended)) {
                    break;
                }
            }
            while let (true, Ok(answer)) = (inbox.len() < MAX_DRAIN, answers.try_recv()) {
                inbox.push(answer);
            }
        }
        model.shared.now = clock.now();
        for message in inbox {
            effects.extend(update::update(model, message));
        }
    }
}

/// Takes in an answer of the terminal that is still on its way, so that the editor does not find it typed. It is read from the same stream as
/// all else: whoever polled the terminal once that stream is dropped could take the word that ends its reader, which would then read on and take
/// from the editor what is typed there.
async fn last_answer(events: &mut Input, surface: &dyn Surface) -> Option<Message> {
    for _ in 0..LAST_ANSWER.1 {
        if !surface.awaits() {
            break;
        }
        match tokio::time::timeout(LAST_ANSWER.0, events.next()).await {
            Ok(Some(Ok(Seen::Background(background)))) => return Some(Message::Background(background)),
            Ok(Some(Ok(Seen::Event(_)))) => {}
            _ => break,
        }
    }
    None
}

/// What is there without waiting. Asked with this task's own waker: crossterm's stream keeps the first waker it is asked with, and one that wakes
/// nobody would leave the loop asleep at the next key.
async fn waiting(events: &mut Input) -> Option<Option<io::Result<Seen>>> {
    let mut events = events.as_mut();
    let now = |cx: &mut Context<'_>| match events.as_mut().poll_next(cx) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    };
    std::future::poll_fn(now).await
}

/// What came from the terminal as a message; a terminal that is gone ends the program.
fn message(seen: Option<io::Result<Seen>>) -> Option<Message> {
    match seen {
        Some(Ok(Seen::Event(Event::Key(key)))) => (key.kind != KeyEventKind::Release).then_some(Message::Key(key)),
        Some(Ok(Seen::Event(Event::Mouse(mouse)))) => Some(Message::Mouse(mouse)),
        Some(Ok(Seen::Event(Event::Paste(text)))) => Some(Message::Paste(text)),
        Some(Ok(Seen::Event(Event::Resize(columns, rows)))) => Some(Message::Resize(columns, rows)),
        Some(Ok(Seen::Event(Event::FocusGained | Event::FocusLost))) => None,
        Some(Ok(Seen::Background(background))) => Some(Message::Background(background)),
        Some(Err(_)) | None => Some(Message::Ended),
    }
}
