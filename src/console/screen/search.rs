//! Words that a list is searched by: typed in its title line, kept until they are dropped.
//!
//! Contract: bounded; says whether rows are to be looked for anew. Which rows hold the words is the list's business. Knows no list.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::model::{Shared, Tone};
use crate::console::widget::text::TextBox;

/// The longest words to look for, in bytes.
const MAX_WORDS: usize = 100;

/// The words, and whether they are being typed.
#[derive(Debug, Default)]
pub(super) struct Search {
    words: TextBox,
    typing: bool,
}

impl Search {
    /// The words, as they were typed.
    pub fn words(&self) -> &str {
        self.words.text()
    }

    /// Whether they are being typed.
    pub const fn typing(&self) -> bool {
        self.typing
    }

    /// Whether a text holds every one of them.
    pub fn holds(&self, text: impl FnOnce() -> String) -> bool {
        let mut wanted = self.words().split_whitespace().map(str::to_lowercase).peekable();
        if wanted.peek().is_none() {
            return true;
        }
        let text = text().to_lowercase();
        wanted.all(|word| text.contains(&word))
    }

    /// Does an action of the table: typing begins, ends, or the words are dropped. Says whether they changed.
    pub fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Filter => *self = Self { words: TextBox::line("", MAX_WORDS), typing: true },
            Action::Unfilter | Action::Cancel => *self = Self::default(),
            Action::Submit => {
                self.typing = false;
                return false;
            }
            _ => return false,
        }
        true
    }

    /// Takes a key; says whether the words changed.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        if matches!(key.code, KeyCode::Enter | KeyCode::Down | KeyCode::Up) {
            self.typing = false;
            return false;
        }
        self.words.key(key)
    }

    /// Takes a pasted text; says why, where there is no room for it.
    pub fn pasted(&mut self, shared: &mut Shared, text: &str) {
        self.words.insert(text.trim());
        if let Some(why) = self.words.excess() {
            shared.say(Tone::Bad, why);
        }
    }

    /// Puts the terminal's cursor behind the words, two columns into a title line.
    pub fn cursor(&self, frame: &mut Frame<'_>, area: Rect) {
        if self.typing {
            let wide = u16::try_from(unicode_width::UnicodeWidthStr::width(self.words())).unwrap_or(0);
            frame.set_cursor_position(((area.x + 3 + wide).min(area.right() - 1), area.y));
        }
    }
}
