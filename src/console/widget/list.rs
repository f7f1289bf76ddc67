//! A cursor in a list of known length, and which part of it is in sight.
//!
//! Contract: the cursor is always inside the list and inside what is in sight. Knows not what the list holds.

use crate::console::action::Action;

/// Where the cursor is and what is in sight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The selected row.
    pub at: usize,
    /// The first row in sight.
    pub top: usize,
}

impl Cursor {
    /// Moves by an action of the table; says whether it was one that moves.
    pub fn act(&mut self, action: Action, len: usize, height: usize) -> bool {
        let half = (height / 2).max(1);
        let last = len.saturating_sub(1);
        self.at = match action {
            Action::Down => (self.at + 1).min(last),
            Action::Up => self.at.saturating_sub(1),
            Action::PageDown => (self.at + half).min(last),
            Action::PageUp => self.at.saturating_sub(half),
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        self.show(len, height);
        true
    }

    /// Brings the cursor into the list and into sight.
    pub fn show(&mut self, len: usize, height: usize) {
        let height = height.max(1);
        self.at = self.at.min(len.saturating_sub(1));
        if self.at < self.top {
            self.top = self.at;
        } else if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
        self.top = self.top.min(len.saturating_sub(height.min(len)));
    }
}
