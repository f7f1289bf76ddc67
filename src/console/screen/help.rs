//! Help: what applies on the screen one came from, made from the action table and the keymap.
//!
//! Contract: lists nothing that the table does not hold.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use crate::client::ClientError;
use crate::console::action::{Action, Scope};
use crate::console::keymap;
use crate::console::message::Reply;
use crate::console::model::{Place, Shared};
use crate::console::theme::Role;
use crate::console::widget::list::Cursor;
use crate::console::widget::{fit, put};

/// Help about one screen.
#[derive(Debug)]
pub struct Help {
    scope: Scope,
    cursor: Cursor,
}

impl Default for Help {
    fn default() -> Self {
        Self { scope: Scope::QUEUE, cursor: Cursor::default() }
    }
}

impl Help {
    /// What it is about.
    pub fn about(&mut self, scope: Scope, _place: Place) {
        *self = Self { scope, cursor: Cursor::default() };
    }

    fn rows(&self, shared: &Shared) -> Vec<(String, &'static str, &'static str)> {
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
        let height = usize::from(shared.body().height.saturating_sub(3));
        self.cursor.act(action, self.rows(shared).len(), height);
    }

    fn answer(&mut self, _shared: &mut Shared, _place: Place, _seq: u64, _reply: Result<Reply, ClientError>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.y, "Keys that apply there; type : and the name for any of them", shared.style(Role::Heading));
        let list = Rect { y: area.y + 2, height: area.height.saturating_sub(3), ..area };
        let rows = self.rows(shared);
        // What is cut above is read here.
        let below = rows.len().saturating_sub(self.cursor.top + usize::from(list.height));
        let more = if below > 0 { format!("▼ {below} more  ") } else { String::new() };
        let x = put(buffer, area, area.x + 1, area.bottom() - 1, &more, shared.style(Role::Info));
        if let Some((_, name, help)) = rows.get(self.cursor.at) {
            let room = usize::from(area.right().saturating_sub(x + 1));
            put(buffer, area, x, area.bottom() - 1, &fit(&format!("{name}: {help}"), room), shared.style(Role::Dim));
        }
        for (i, (keys, name, help)) in rows.iter().enumerate().skip(self.cursor.top).take(usize::from(list.height)) {
            let y = list.y + u16::try_from(i - self.cursor.top).unwrap_or(0);
            if i == self.cursor.at {
                put(buffer, list, list.x, y, "▌", shared.style(Role::Marker));
            }
            put(buffer, list, list.x + 1, y, &fit(keys, 14), shared.style(Role::Key));
            put(buffer, list, list.x + 16, y, name, shared.style(Role::Accent));
            put(buffer, list, list.x + 34, y, &fit(help, usize::from(list.width).saturating_sub(35)), shared.style(Role::Text));
        }
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let say = |(keys, name, help): &(String, &str, &str)| {
            let keys = if keys.is_empty() { String::new() } else { format!(" Keys: {keys}") };
            format!("{name}: {help}.{keys}")
        };
        self.rows(shared).iter().map(say).collect()
    }
}
