//! What happened: errors and confirmations of this run, with codes and request ids, to be read, searched and copied.
//!
//! Contract: shows the notes of [`Shared`], newest first; changes none.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use crate::client::ClientError;
use crate::console::action::Action;
use crate::console::message::Reply;
use crate::console::model::{Note, Place, Shared, Tone};
use crate::console::theme::Role;
use crate::console::widget::list::Cursor;
use crate::console::widget::{fit, put, wrap};

/// The message log.
#[derive(Debug, Default)]
pub struct Messages {
    cursor: Cursor,
}

fn whole(note: &Note) -> String {
    let code = note.code.as_deref().map(|c| format!(" [{c}]")).unwrap_or_default();
    let request = note.request_id.as_deref().map(|r| format!(" request {r}")).unwrap_or_default();
    format!("{} {}{code}{request}", note.at.format("%Y-%m-%d %H:%M:%SZ"), note.counted())
}

impl Messages {
    fn current<'a>(&self, shared: &'a Shared) -> Option<&'a Note> {
        shared.notes.iter().rev().nth(self.cursor.at)
    }
}

impl Screen for Messages {
    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let height = usize::from(shared.body().height.saturating_sub(6));
        if self.cursor.act(action, shared.notes.len(), height) {
            return;
        }
        if action == Action::Copy
            && let Some(text) = self.current(shared).map(whole)
        {
            shared.copy(text);
        }
    }

    fn answer(&mut self, _shared: &mut Shared, _place: Place, _seq: u64, _reply: Result<Reply, ClientError>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.y, "Messages, newest first", shared.style(Role::Heading));
        let list = Rect { y: area.y + 1, height: area.height.saturating_sub(6), ..area };
        if shared.notes.is_empty() {
            put(buffer, list, list.x + 1, list.y, "Nothing happened yet.", shared.style(Role::Dim));
        }
        for (i, note) in shared.notes.iter().rev().enumerate().skip(self.cursor.top).take(usize::from(list.height)) {
            let y = list.y + u16::try_from(i - self.cursor.top).unwrap_or(0);
            let here = i == self.cursor.at;
            let (mark, role) = match note.tone {
                Tone::Good => ("✓", Role::Good),
                Tone::Info => ("·", Role::Info),
                Tone::Bad => ("✕", Role::Bad),
            };
            put(buffer, list, list.x, y, if here { "▌" } else { " " }, shared.style(Role::Marker));
            let x = put(
                buffer,
                list,
                list.x + 1,
                y,
                &note.at.format("%H:%M:%S ").to_string(),
                shared.style(if here { Role::Selected } else { Role::Dim }),
            );
            let x = put(buffer, list, x, y, mark, shared.style(role));
            put(buffer, list, x + 1, y, &fit(&note.counted(), usize::from(list.width).saturating_sub(12)), shared.style(Role::Text));
        }
        let below = Rect { y: list.bottom() + 1, height: 4, ..area };
        if let Some(note) = self.current(shared) {
            for (i, line) in wrap(&whole(note), usize::from(area.width) - 2).iter().enumerate() {
                put(buffer, below, area.x + 1, below.y + u16::try_from(i).unwrap_or(0), line, shared.style(Role::Info));
            }
        }
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        shared.notes.iter().rev().map(whole).collect()
    }
}
