//! A page of facts, texts and lists that can be read from top to bottom: drawn with its own scrolling, or read out line by line.
//!
//! Contract: holds finished, sanitised texts; wraps them to the width it is given. What is drawn and what is read out are the same, but for the marks
//! around what runs, which lines to be read out keep.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::{put, runs, say_below, wrap};
use crate::console::action::Action;
use crate::console::model::Shared;
use crate::console::theme::Role;

/// How wide labels of facts are, in columns: at 80 columns a digest fits beside one.
const LABEL: u16 = 14;

/// One paragraph: a lead (label, mark) and a text that is wrapped beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Para {
    indent: u16,
    lead: String,
    lead_role: Role,
    hang: u16,
    text: String,
    role: Role,
    /// Words of it that are dimmed.
    dim: Vec<String>,
    /// What is said instead of the mark; nothing, where the text says it all.
    said: Option<&'static str>,
}

/// A line as it is drawn.
struct Laid<'a> {
    indent: u16,
    lead: &'a str,
    lead_role: Role,
    hang: u16,
    text: String,
    role: Role,
    dim: &'a [String],
}

/// Paragraphs from top to bottom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    paras: Vec<Para>,
}

impl Sheet {
    fn add(&mut self, indent: u16, lead: (&str, Role, u16), text: impl Into<String>, role: Role) {
        let (lead, lead_role, hang) = lead;
        self.paras.push(Para { indent, lead: lead.to_owned(), lead_role, hang, text: text.into(), role, dim: Vec::new(), said: None });
    }

    /// What is said instead of the mark of what was added last: nothing, where the text says it itself.
    pub fn heard(&mut self, word: &'static str) {
        if let Some(last) = self.paras.last_mut() {
            last.said = Some(word);
        }
    }

    /// Dims words of what was added last (ids beside the names they belong to). Words without blanks: they are never broken.
    pub fn dimmed(&mut self, words: Vec<String>) {
        if let Some(last) = self.paras.last_mut() {
            last.dim = words;
        }
    }

    /// A title; a blank line goes before it unless it is the first.
    pub fn head(&mut self, text: impl Into<String>) {
        if !self.paras.is_empty() {
            self.blank();
        }
        self.add(0, ("", Role::Text, 0), text, Role::Heading);
    }

    /// A blank line.
    pub fn blank(&mut self) {
        self.add(0, ("", Role::Text, 0), "", Role::Text);
    }

    /// A label and what it says.
    pub fn fact(&mut self, label: &str, text: impl Into<String>) {
        self.fact_as(label, text, Role::Text);
    }

    /// A label and what it says, in a style.
    pub fn fact_as(&mut self, label: &str, text: impl Into<String>, role: Role) {
        self.add(0, (label, Role::Dim, LABEL), text, role);
    }

    /// A text.
    pub fn text(&mut self, text: impl Into<String>, role: Role) {
        self.add(0, ("", Role::Text, 0), text, role);
    }

    /// An item of a list with a mark before it.
    pub fn item(&mut self, mark: (&str, Role), text: impl Into<String>, role: Role) {
        let hang = u16::try_from(mark.0.width()).unwrap_or(1) + 1;
        self.add(1, (mark.0, mark.1, hang), text, role);
    }

    /// What belongs to the item before.
    pub fn more(&mut self, text: impl Into<String>, role: Role) {
        self.add(5, ("", Role::Text, 0), text, role);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.paras.is_empty()
    }

    fn laid(&self, width: u16) -> Vec<Laid<'_>> {
        let mut out = Vec::new();
        for p in &self.paras {
            let room = usize::from(width.saturating_sub(p.indent + p.hang)).max(8);
            for (i, text) in wrap(&runs::shown(&p.text), room).into_iter().enumerate() {
                let lead = if i == 0 { p.lead.as_str() } else { "" };
                out.push(Laid { indent: p.indent, lead, lead_role: p.lead_role, hang: p.hang, text, role: p.role, dim: &p.dim });
            }
        }
        out
    }

    /// How many lines it has at a width.
    pub fn height(&self, width: u16) -> usize {
        self.laid(width.saturating_sub(2)).len()
    }

    /// Draws it from line `top` on; what is left below is said at the bottom right.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, top: usize, shared: &Shared) {
        let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        let lines = self.laid(inner.width);
        let seen = usize::from(area.height);
        let top = top.min(lines.len().saturating_sub(seen));
        for (i, line) in lines.iter().skip(top).take(seen).enumerate() {
            let y = area.y + u16::try_from(i).unwrap_or(0);
            let x = inner.x + line.indent;
            put(buffer, inner, x, y, line.lead, shared.style(line.lead_role));
            put(buffer, inner, x + line.hang, y, &line.text, shared.style(line.role));
            for word in line.dim {
                if let Some(at) = line.text.find(word.as_str()) {
                    let before = u16::try_from(line.text[..at].width()).unwrap_or(0);
                    put(buffer, inner, x + line.hang + before, y, word, shared.style(Role::Dim));
                }
            }
        }
        let below = lines.len().saturating_sub(top + seen);
        say_below(buffer, area, below, shared);
    }

    /// As lines to be read out; figures that run are marked.
    pub fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        for p in &self.paras {
            for (i, line) in p.text.split('\n').enumerate() {
                let mark = if p.lead.ends_with('.') { " " } else { ": " };
                let word = p.said.unwrap_or_else(|| spoken(&p.lead));
                let lead = if i == 0 && !word.is_empty() { format!("{word}{mark}") } else { String::new() };
                if !(lead.is_empty() && line.is_empty()) {
                    out.push(format!("{lead}{line}"));
                }
            }
        }
        out
    }
}

/// A mark as a word, for readers who hear it.
pub fn spoken(mark: &str) -> &str {
    match mark {
        "✓" => "done",
        "○" => "missing",
        "◐" => "waiting",
        "✕" => "refused or failed",
        "⚑" => "flag",
        "‖" => "held",
        "•" | "→" => "item",
        "▲" => "attention",
        other => other,
    }
}

/// Which line of a sheet is the first in sight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scroll(pub usize);

impl Scroll {
    /// Moves by an action of the table; says whether it was one that moves.
    pub fn act(&mut self, action: Action, lines: usize, height: usize) -> bool {
        let (half, last) = ((height / 2).max(1), lines.saturating_sub(height));
        let at = self.0.min(last);
        self.0 = match action {
            Action::Down => (at + 1).min(last),
            Action::Up => at.saturating_sub(1),
            Action::PageDown => (at + half).min(last),
            Action::PageUp => at.saturating_sub(half),
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_what_is_read_out() {
        let mut sheet = Sheet::default();
        sheet.head("Who");
        sheet.fact("Subject", "one two three four");
        sheet.item(("✓", Role::Good), "done thing", Role::Text);
        sheet.item(("✓", Role::Good), "e-mail can serve", Role::Text);
        sheet.heard("");
        assert_eq!(sheet.lines(), ["Who", "Subject: one two three four", "done: done thing", "e-mail can serve"]);
        assert_eq!(sheet.height(22), 6, "the fact takes three lines beside its label");
    }

    #[test]
    fn scrolling_stays_inside() {
        let mut scroll = Scroll::default();
        assert!(scroll.act(Action::Last, 30, 10) && scroll.0 == 20);
        assert!(scroll.act(Action::Down, 30, 10) && scroll.0 == 20);
        assert!(scroll.act(Action::Up, 5, 10) && scroll.0 == 0, "a page that became shorter is shown from its beginning");
        assert!(!scroll.act(Action::Open, 5, 10));
    }
}
