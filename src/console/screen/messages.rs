//! What happened: errors and confirmations of this run, with codes and request ids, to be read, searched and copied.
//!
//! Contract: shows the notes of [`Shared`], newest first; changes none. What is selected is a message, not a place: it stays selected whatever
//! happens meanwhile. Without a search the newest is selected whenever one comes here, or the newest of weight that was not yet.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use super::search::Search;
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::message::Reply;
use crate::console::model::{Note, Place, Shared, Tone};
use crate::console::theme::Role;
use crate::console::widget::list::Cursor;
use crate::console::widget::{fit, put, wrap};

/// Rows that are neither list nor message: the title, and the line between the two.
const FRAME: usize = 2;
/// The least rows of the message below the list.
const LEAST_BELOW: usize = 4;

/// The message log.
#[derive(Debug, Default)]
pub struct Messages {
    /// The first row in sight; where the selected one is follows from its number.
    top: usize,
    /// The number of the selected message when it was selected. One that is said again has a higher one.
    selected: Option<u64>,
    /// The number of the last message of weight that was selected for whoever came here.
    shown: u64,
    search: Search,
}

fn whole(note: &Note) -> String {
    let code = note.code.as_deref().map(|c| format!(" [{c}]")).unwrap_or_default();
    let request = note.request_id.as_deref().map(|r| format!(" request {r}")).unwrap_or_default();
    format!("{} {}{code}{request}", note.at.format("%Y-%m-%d %H:%M:%SZ"), note.counted())
}

impl Messages {
    /// The messages that hold every word looked for, newest first.
    fn found<'a>(&self, shared: &'a Shared) -> Vec<&'a Note> {
        shared.notes.iter().rev().filter(|note| self.search.holds(|| whole(note))).collect()
    }

    /// Where the selected message is among those: numbers fall from the newest on, and one that was said again took a higher one.
    fn cursor(&self, found: &[&Note], height: usize) -> Cursor {
        let at = self.selected.and_then(|number| found.iter().rposition(|note| note.number >= number)).unwrap_or(0);
        let mut cursor = Cursor { at, top: self.top };
        cursor.show(found.len(), height);
        cursor
    }

    /// The rows of the list and of the message below it: that has what it needs, up to half of what there is.
    fn rooms(area: Rect, lines: usize) -> (usize, usize) {
        let room = usize::from(area.height).saturating_sub(FRAME);
        let below = lines.clamp(LEAST_BELOW, (room / 2).max(LEAST_BELOW)).min(room);
        (room - below, below)
    }

    /// The message under the cursor, wrapped, where the cursor is, and the room for the list and for the message.
    fn laid(&self, shared: &Shared, area: Rect) -> (Cursor, Vec<String>, (usize, usize)) {
        let found = self.found(shared);
        let at = self.cursor(&found, 1).at;
        let lines = found.get(at).map(|note| wrap(&whole(note), usize::from(area.width).saturating_sub(2))).unwrap_or_default();
        let rooms = Self::rooms(area, lines.len());
        (self.cursor(&found, rooms.0), lines, rooms)
    }

    fn select(&mut self, shared: &Shared, cursor: Cursor) {
        self.top = cursor.top;
        self.selected = self.found(shared).get(cursor.at).map(|note| note.number);
    }

    fn look_for(&mut self, shared: &Shared) {
        self.select(shared, Cursor::default());
    }
}

impl Screen for Messages {
    fn enter(&mut self, shared: &mut Shared, _place: Place) {
        if self.search.words().is_empty() {
            self.look_for(shared);
            // What is selected is shown whole, however long it is.
            if let Some(note) = shared.notes.iter().rfind(|note| note.weighty && note.number > self.shown) {
                (self.selected, self.shown) = (Some(note.number), note.number);
            }
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let (mut cursor, _, (height, _)) = self.laid(shared, shared.body());
        if cursor.act(action, self.found(shared).len(), height) {
            return self.select(shared, cursor);
        }
        if action == Action::Copy {
            if let Some(text) = self.found(shared).get(cursor.at).map(|note| whole(note)) {
                shared.copy(text);
            }
        } else if self.search.act(action) && action == Action::Filter {
            self.look_for(shared);
        }
    }

    fn applies(&self, _shared: &Shared, action: Action) -> Applies {
        if action == Action::Unfilter && self.search.words().is_empty() { Applies::Hidden } else { Applies::Yes }
    }

    fn typing(&self) -> bool {
        self.search.typing()
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if self.search.typed(key) {
            self.look_for(shared);
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, _whole: bool) {
        self.search.pasted(shared, text);
        self.look_for(shared);
    }

    fn typing_hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("Enter", "look at what is found"), ("Esc", "all messages")]
    }

    fn answer(&mut self, _shared: &mut Shared, _place: Place, _seq: u64, _reply: Result<Reply, ClientError>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let found = self.found(shared);
        let (cursor, lines, (height, room)) = self.laid(shared, area);
        self.title(frame, area, shared, found.len());
        let buffer = frame.buffer_mut();
        let list = Rect { y: area.y + 1, height: u16::try_from(height).unwrap_or(0), ..area };
        if found.is_empty() {
            let text = if shared.notes.is_empty() { "Nothing happened yet." } else { "No message holds these words." };
            put(buffer, list, list.x + 1, list.y, text, shared.style(Role::Dim));
        }
        for (i, note) in found.iter().enumerate().skip(cursor.top).take(height) {
            let y = list.y + u16::try_from(i - cursor.top).unwrap_or(0);
            let here = i == cursor.at;
            let (mark, role) = match note.tone {
                Tone::Good => ("✓", Role::Good),
                Tone::Info => ("·", Role::Info),
                Tone::Bad => ("✕", Role::Bad),
            };
            put(buffer, list, list.x, y, if here { "▌" } else { " " }, shared.style(Role::Marker));
            let time = note.at.format("%H:%M:%S ").to_string();
            let x = put(buffer, list, list.x + 1, y, &time, shared.style(if here { Role::Selected } else { Role::Dim }));
            let x = put(buffer, list, x, y, mark, shared.style(role));
            put(buffer, list, x + 1, y, &fit(&note.counted(), usize::from(list.width).saturating_sub(12)), shared.style(Role::Text));
        }
        let below = Rect { y: list.bottom() + 1, height: u16::try_from(room).unwrap_or(0), ..area };
        for (i, line) in lines.iter().take(room).enumerate() {
            let cut = i + 1 == room && lines.len() > room;
            let line = if cut { fit(&format!("{line} …"), usize::from(area.width).saturating_sub(2)) } else { line.clone() };
            put(buffer, below, area.x + 1, below.y + u16::try_from(i).unwrap_or(0), &line, shared.style(Role::Info));
        }
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        self.found(shared).into_iter().map(whole).collect()
    }
}

impl Messages {
    fn title(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, found: usize) {
        let buffer = frame.buffer_mut();
        let words = self.search.words();
        let typing = self.search.typing();
        if !typing && words.is_empty() {
            let finds = shared.keymap.shown(Action::Filter).map(|k| format!("; {k} finds")).unwrap_or_default();
            put(buffer, area, area.x + 1, area.y, &format!("Messages, newest first{finds}"), shared.style(Role::Heading));
            return;
        }
        let x = put(buffer, area, area.x + 1, area.y, if typing { "/ " } else { "Messages with " }, shared.style(Role::Key));
        let end = put(buffer, area, x, area.y, words, shared.style(Role::Input));
        let all = shared.keymap.shown(Action::Unfilter).filter(|_| !typing).map(|k| format!("; {k} shows all")).unwrap_or_default();
        put(buffer, area, end + 1, area.y, &format!("  {found} found{all}"), shared.style(Role::Dim));
        self.search.cursor(frame, area);
    }
}
