//! A screen that stands in for those that are not there yet.
//!
//! Contract: says so and does nothing.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use crate::client::ClientError;
use crate::console::action::Action;
use crate::console::message::Reply;
use crate::console::model::{Place, Shared};
use crate::console::theme::Role;

/// Nothing.
#[derive(Debug, Default)]
pub struct Soon;

impl Screen for Soon {
    fn act(&mut self, _shared: &mut Shared, _place: Place, _action: Action) {}

    fn answer(&mut self, _shared: &mut Shared, _place: Place, _seq: u64, _reply: Result<Reply, ClientError>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        frame.buffer_mut().set_stringn(area.x + 1, area.y, "Not built yet. Esc goes back.", usize::from(area.width), shared.style(Role::Dim));
    }
}
