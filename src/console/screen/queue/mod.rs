//! The queue.
use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use crate::client::ClientError;
use crate::console::action::Action;
use crate::console::keep::State;
use crate::console::message::Reply;
use crate::console::model::{Place, Shared};

/// The queue.
#[derive(Debug, Default)]
pub struct Queue;

impl Queue {
    /// Adds what is kept.
    pub fn keep(&self, _state: &mut State) {}
    /// The user is known.
    pub fn know_user(&mut self, _shared: &mut Shared) {}
}

impl Screen for Queue {
    fn act(&mut self, _shared: &mut Shared, _place: Place, _action: Action) {}
    fn answer(&mut self, _shared: &mut Shared, _place: Place, _seq: u64, _reply: Result<Reply, ClientError>) {}
    fn draw(&self, _frame: &mut Frame<'_>, _area: Rect, _shared: &Shared, _place: Place) {}
}
