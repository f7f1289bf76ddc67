//! Help: what applies on the screen one came from, made from the action table and the keymap.
//!
//! Contract: lists nothing that the table does not hold; what does not fit a line goes on in the next, nothing is cut.

use ratatui::Frame;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::Screen;
use crate::client::ClientError;
use crate::console::action::{Action, Scope};
use crate::console::keymap;
use crate::console::message::Reply;
use crate::console::model::{Place, Shared};
use crate::console::theme::Role;
use crate::console::widget::list::Cursor;
use crate::console::widget::{fit, put, wrap};

/// Help about one screen.
#[derive(Debug)]
pub struct Help {
    scope: Scope,
    cursor: Cursor,
    /// The first row in sight.
    top: usize,
}

/// A row: its keys, its name, what it does.
type Row = (String, &'static str, &'static str);

/// The room for a name.
const NAME: u16 = 18;
/// The least and the most room for keys.
const KEYS: (usize, usize) = (14, 24);

/// Where names begin: after the longest keys.
fn names_at(rows: &[Row]) -> u16 {
    let longest = rows.iter().map(|r| r.0.width()).max().unwrap_or(0);
    u16::try_from(longest.clamp(KEYS.0, KEYS.1) + 2).unwrap_or(16)
}

/// Keys and the lines of what each row does.
fn laid_out(rows: &[Row], width: u16) -> Vec<(String, Vec<String>)> {
    let room = usize::from(width.saturating_sub(names_at(rows) + NAME + 1)).max(10);
    rows.iter().map(|(keys, _, help)| (fit(keys, KEYS.1), wrap(help, room))).collect()
}

/// The first row in sight, so that the row at the cursor is whole and nothing moves without need.
fn first_in_sight(heights: &[usize], (top, at): (usize, usize), room: usize) -> usize {
    let mut first = top.min(at);
    while first < at && heights.get(first..=at).is_some_and(|rows| rows.iter().sum::<usize>() > room) {
        first += 1;
    }
    first
}

impl Default for Help {
    fn default() -> Self {
        Self { scope: Scope::QUEUE, cursor: Cursor::default(), top: 0 }
    }
}

impl Help {
    /// What it is about.
    pub fn about(&mut self, scope: Scope, _place: Place) {
        *self = Self { scope, cursor: Cursor::default(), top: 0 };
    }

    fn rows(&self, shared: &Shared) -> Vec<Row> {
        let here = Action::ALL.iter().filter(|a| a.row().scope.meets(self.scope));
        let here = here.filter(|a| match a {
            Action::GoMailbox => shared.mailbox,
            Action::Tutor => shared.tutor.exists(),
            Action::Identity => !shared.identities.is_empty(),
            _ => true,
        });
        here.map(|a| {
            let keys = shared.keymap.chords(*a).iter().map(|c| keymap::show(c)).collect::<Vec<_>>().join(", ");
            (keys, a.row().name, a.row().help)
        })
        .collect()
    }
}

impl Screen for Help {
    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let rows = self.rows(shared);
        let area = shared.body();
        let heights = laid_out(&rows, area.width).iter().map(|row| row.1.len()).collect::<Vec<_>>();
        self.cursor.act(action, rows.len(), usize::from(area.height.saturating_sub(3)) / 2);
        self.top = first_in_sight(&heights, (self.top, self.cursor.at), usize::from(area.height.saturating_sub(3)));
    }

    fn answer(&mut self, _shared: &mut Shared, _place: Place, _seq: u64, _reply: Result<Reply, ClientError>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.y, "Keys that apply there; type : and the name for any of them", shared.style(Role::Heading));
        let list = Rect { y: area.y + 2, height: area.height.saturating_sub(3), ..area };
        let rows = self.rows(shared);
        let (mut y, mut whole) = (list.y, 0);
        let laid = laid_out(&rows, area.width);
        let column = names_at(&rows);
        for (i, (keys, lines)) in laid.iter().enumerate().skip(self.top) {
            if usize::from(list.bottom().saturating_sub(y)) < lines.len() {
                break;
            }
            if i == self.cursor.at {
                put(buffer, list, list.x, y, "▌", shared.style(Role::Marker));
            }
            put(buffer, list, list.x + 1, y, keys, shared.style(Role::Key));
            put(buffer, list, list.x + column, y, rows.get(i).map_or("", |r| r.1), shared.style(Role::Accent));
            for line in lines {
                put(buffer, list, list.x + column + NAME, y, line, shared.style(Role::Text));
                y += 1;
            }
            whole += 1;
        }
        let (above, below) = (self.top, rows.len().saturating_sub(self.top + whole));
        let mut told = Vec::new();
        if above > 0 {
            told.push(format!("▲ {above} above"));
        }
        if below > 0 {
            told.push(format!("▼ {below} more below"));
        }
        put(buffer, area, area.x + 1, area.bottom() - 1, &told.join("   "), shared.style(Role::Info));
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let say = |(keys, name, help): &(String, &str, &str)| {
            let keys = if keys.is_empty() { String::new() } else { format!(" Keys: {keys}") };
            format!("{name}: {help}.{keys}")
        };
        self.rows(shared).iter().map(say).collect()
    }
}
