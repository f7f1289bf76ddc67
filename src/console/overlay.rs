//! What lies over a screen and takes the keys: a list to pick from, a confirmation.
//!
//! Contract: a confirmation is a value with a number of its own; the key that confirms is never the one that asked, never Enter alone. Only
//! that key confirms, only Esc and n cancel; any other key changes nothing and is told what would. Knows no screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use frizbee::{Config, Matcher};
use ratatui::Frame;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::effect::Order;
use super::keymap::Key;
use super::model::{Place, Shared};
use super::theme::Role;
use super::widget::list::Cursor;
use super::widget::text::TextBox;
use super::widget::{boxed, clear, fit, middle, put, wrap};

/// The key that confirms: none that asks for anything; keymaps that give it to such an action are refused.
pub const CONFIRM: char = 'y';

/// What lies over a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// A list to pick from.
    Pick(Picker),
    /// A confirmation.
    Confirm(Confirmation),
}

/// Something to pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value that is handed on.
    pub value: String,
    /// The words shown.
    pub label: String,
    /// What stands behind them, dimmed.
    pub note: String,
    /// Why it can't be picked now.
    pub refused: Option<String>,
}

impl Choice {
    /// One that can be picked.
    pub fn new(value: impl Into<String>, label: impl Into<String>, note: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), note: note.into(), refused: None }
    }

    /// As it is read out; not at all what only exists elsewhere.
    fn spoken(&self) -> Option<String> {
        match &self.refused {
            None => Some(format!("{} {}", self.label, self.note)),
            Some(_) if self.note.is_empty() => None,
            Some(why) => Some(format!("{} {}; not now: {why}", self.label, self.note)),
        }
    }
}

/// A list to pick from, narrowed by what is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picker {
    /// What the value is for; handed on with it.
    pub purpose: &'static str,
    /// The words above.
    pub title: String,
    /// Whether what was typed may be picked although it is not in the list.
    pub free: bool,
    /// What was typed.
    pub typed: TextBox,
    choices: Vec<Choice>,
    shown: Vec<usize>,
    cursor: Cursor,
    /// Whether the last choice is what was typed.
    as_typed: bool,
}

/// The most rows of a list that are in sight.
const ROWS: usize = 12;
/// How wide a confirmation is, in columns, and how many rows of it are no lines of what it says.
const WIDTH: u16 = 72;
const FRAME: u16 = 5;
/// What a question says whose case changed since.
const OUTDATED: &str = "The case changed meanwhile: this can't be sent any more. Esc goes back to it; look, then ask again.";
/// The widest a list gets, in columns.
const MAX_WIDTH: u16 = 112;

impl Picker {
    /// A list of choices.
    pub fn new(purpose: &'static str, title: impl Into<String>, choices: Vec<Choice>) -> Self {
        let shown = (0..choices.len()).collect();
        Self { purpose, title: title.into(), free: false, typed: TextBox::line("", 200), choices, shown, cursor: Cursor::default(), as_typed: false }
    }

    /// Lets what is typed be picked as well.
    #[must_use]
    pub fn or_typed(mut self) -> Self {
        self.free = true;
        self
    }

    /// The choices that words match: what is called so comes first, then what is only said about others.
    fn found(&self, words: &str) -> Vec<usize> {
        let mut found = fuzzy(words, self.choices.iter().map(|c| c.label.clone()));
        let about = fuzzy(words, self.choices.iter().map(|c| c.note.clone()));
        let more: Vec<usize> = about.into_iter().filter(|i| !found.contains(i)).collect();
        found.extend(more);
        found
    }

    /// How many choices words match.
    pub fn matches(&self, words: &str) -> usize {
        self.found(words).len()
    }

    fn narrow(&mut self) {
        if std::mem::take(&mut self.as_typed) {
            self.choices.pop();
        }
        self.shown = self.found(self.typed.text());
        self.cursor = Cursor::default();
        // What was typed is a row of its own below those it finds: Enter takes the row that is marked.
        let typed = self.typed.text().trim();
        if self.free && !typed.is_empty() && !self.choices.is_empty() && self.choices.iter().all(|c| c.value != typed) {
            let choice = Choice::new(typed, crate::base::text::sanitise(typed, false), "as typed");
            self.shown.push(self.choices.len());
            self.choices.push(choice);
            self.as_typed = true;
        }
    }

    /// What can be picked is known now: the row that is marked stays marked, if it is still there; where there was none yet, what was typed is.
    pub fn fill(&mut self, title: String, choices: Vec<Choice>) {
        let typed = Some(self.typed.text().trim()).filter(|typed| self.choices.is_empty() && !typed.is_empty()).map(str::to_owned);
        let marked = self.current().filter(|_| self.cursor.at > 0).map(|c| c.value.clone()).or(typed);
        (self.title, self.choices, self.as_typed) = (title, choices, false);
        self.narrow();
        let at = marked.and_then(|value| self.shown.iter().position(|i| self.choices.get(*i).is_some_and(|c| c.value == value)));
        self.cursor.at = at.unwrap_or(0);
        self.cursor.show(self.shown.len(), ROWS);
    }

    /// The choices in sight of what was typed, in order.
    pub fn offered(&self) -> impl Iterator<Item = &Choice> {
        self.shown.iter().filter_map(|i| self.choices.get(*i))
    }

    /// The choice under the cursor.
    pub fn current(&self) -> Option<&Choice> {
        self.shown.get(self.cursor.at).and_then(|i| self.choices.get(*i))
    }

    fn step(&mut self, down: bool) {
        let len = self.shown.len().max(1);
        self.cursor.at = if down { (self.cursor.at + 1) % len } else { (self.cursor.at + len - 1) % len };
        self.cursor.show(len, ROWS);
    }
}

/// Indices of the texts that match a needle, best first; all of them for an empty one.
pub fn fuzzy(needle: &str, texts: impl Iterator<Item = String>) -> Vec<usize> {
    let texts: Vec<String> = texts.collect();
    if needle.trim().is_empty() {
        return (0..texts.len()).collect();
    }
    let config = Config::default().max_typos(Some(u16::from(needle.chars().count() > 4)));
    let mut matcher = Matcher::new(needle.trim(), &config);
    matcher.match_list(&texts).iter().map(|m| m.index as usize).collect()
}

/// A dangerous or final act that waits for a second key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// Set by [`Shared::confirm`].
    pub number: u64,
    /// What will be done, as a question.
    pub question: String,
    /// What it means, line by line, sanitised.
    pub lines: Vec<String>,
    /// What the user wrote, sanitised: shown below all that is said to them, which no length of it hides.
    pub own: Option<String>,
    /// The key that confirms.
    pub key: char,
    /// The words for that key.
    pub label: String,
    /// The first of its lines in sight, where they don't fit.
    pub top: usize,
    /// Whether what it is about changed since it was asked: nothing confirms it any more.
    pub outdated: bool,
    /// Who gets the answer.
    pub to: Place,
    /// What is sent.
    pub order: Order,
}

/// What an overlay did with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stays.
    Stays,
    /// It goes, nothing happens.
    Gone,
    /// It stays: the key means nothing to it, and this sentence says which do.
    Astray(String),
    /// A value was picked for a purpose.
    Picked(&'static str, String),
    /// The order is confirmed.
    Confirmed(Place, Box<Order>),
}

impl Overlay {
    /// Takes a key.
    ///
    /// `area` is what it is drawn over.
    pub fn key(&mut self, key: KeyEvent, area: Rect) -> Outcome {
        match self {
            Self::Confirm(c) => c.key(key, area),
            Self::Pick(p) => {
                let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Esc => return Outcome::Gone,
                    KeyCode::Enter => {
                        return match p.current() {
                            Some(choice) if choice.refused.is_none() => Outcome::Picked(p.purpose, choice.value.clone()),
                            _ if p.free && !p.typed.text().trim().is_empty() => Outcome::Picked(p.purpose, p.typed.text().trim().to_owned()),
                            _ => Outcome::Stays,
                        };
                    }
                    KeyCode::Down => p.step(true),
                    KeyCode::Up => p.step(false),
                    KeyCode::Char('n') if ctrl => p.step(true),
                    KeyCode::Char('p') if ctrl => p.step(false),
                    _ => {
                        if p.typed.key(key) {
                            p.narrow();
                        }
                    }
                }
                Outcome::Stays
            }
        }
    }

    /// Takes a click into the area it is drawn over: a choice is picked, beside a list it goes; a confirmation is never clicked away.
    pub fn click(&mut self, area: Rect, column: u16, row: u16) -> Outcome {
        let Self::Pick(p) = self else { return Outcome::Stays };
        let place = p.place(area);
        if !place.contains((column, row).into()) {
            return Outcome::Gone;
        }
        let list = Rect { y: place.y + 2, height: place.height.saturating_sub(3), ..place };
        if !list.contains((column, row).into()) {
            return Outcome::Stays;
        }
        let mut cursor = p.cursor;
        cursor.show(p.shown.len(), usize::from(list.height));
        let at = cursor.top + usize::from(row - list.y);
        if at >= p.shown.len() {
            return Outcome::Stays;
        }
        p.cursor.at = at;
        match p.current() {
            Some(choice) if choice.refused.is_none() => Outcome::Picked(p.purpose, choice.value.clone()),
            _ => Outcome::Stays,
        }
    }

    /// What its keys do, for the bottom line.
    pub fn hints(&self) -> Vec<(String, &'static str)> {
        match self {
            Self::Pick(p) => {
                let narrow = if p.free { "a name, or words to narrow" } else { "words to narrow" };
                vec![("↑ ↓".into(), "choose"), ("⏎".into(), "take it"), ("Esc".into(), "leave"), ("type".into(), narrow)]
            }
            Self::Confirm(c) if c.outdated => vec![("Esc".into(), "back"), ("↑ ↓".into(), "read on")],
            Self::Confirm(c) => vec![(c.key.to_string(), "yes"), ("Esc".into(), "cancel"), ("↑ ↓".into(), "read on")],
        }
    }

    /// Takes pasted text, or says why not.
    pub fn pasted(&mut self, text: &str) -> Option<String> {
        let Self::Pick(p) = self else { return None };
        p.typed.insert(text);
        p.narrow();
        p.typed.excess()
    }

    /// Draws over the screen.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        match self {
            Self::Pick(p) => p.draw(frame, area, shared),
            Self::Confirm(c) => c.draw(frame, area, shared),
        }
    }

    /// As lines to be read out.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Pick(p) => {
                let mut lines = vec![format!("Choose: {}", p.title)];
                lines.extend(p.shown.iter().filter_map(|i| p.choices.get(*i)).filter_map(Choice::spoken));
                lines
            }
            Self::Confirm(c) => {
                let mut lines = vec![c.question.clone()];
                lines.extend(c.said().cloned());
                lines.push(if c.outdated { "Esc to cancel.".to_owned() } else { format!("Press {} to {}, Esc to cancel.", c.key, c.label) });
                lines
            }
        }
    }
}

impl Picker {
    /// Where it is drawn.
    fn place(&self, area: Rect) -> Rect {
        let rows = u16::try_from(ROWS.min(self.choices.len().max(1))).unwrap_or(12);
        let longest = self.choices.iter().map(|c| c.note.width()).max().unwrap_or(0);
        let needed = u16::try_from(self.label_width() + longest + 6).unwrap_or(u16::MAX);
        middle(area, needed.clamp(76, MAX_WIDTH.min(area.width.saturating_sub(4)).max(76)), rows + 4)
    }

    /// The column of labels: as wide as the widest, so that what is said about them stands apart.
    fn label_width(&self) -> usize {
        self.choices.iter().map(|c| c.label.width()).max().unwrap_or(0).max(20)
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let place = self.place(area);
        let buffer = frame.buffer_mut();
        clear(buffer, place, shared.style(Role::Text));
        let inner = boxed(buffer, place, &self.title, shared.style(Role::Border), shared.style(Role::Heading));
        let width = usize::from(inner.width);
        let (typed, (cx, _)) = self.typed.seen(width.saturating_sub(3), 1);
        put(buffer, inner, inner.x, inner.y, "› ", shared.style(Role::Key));
        put(buffer, inner, inner.x + 2, inner.y, typed.first().map_or("", String::as_str), shared.style(Role::Input));
        let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
        let seen = usize::from(list.height);
        let mut cursor = self.cursor;
        cursor.show(self.shown.len(), seen);
        for (row, index) in self.shown.iter().enumerate().skip(cursor.top).take(seen) {
            let Some(choice) = self.choices.get(*index) else { continue };
            let y = list.y + u16::try_from(row - cursor.top).unwrap_or(0);
            let here = row == cursor.at;
            let style = if here {
                Role::Selected
            } else if choice.refused.is_some() {
                Role::Dim
            } else {
                Role::Text
            };
            put(buffer, list, list.x, y, if here { "▌" } else { " " }, shared.style(Role::Marker));
            let label = u16::try_from(self.label_width()).unwrap_or(u16::MAX);
            put(buffer, list, list.x + 1, y, &fit(&choice.label, width.saturating_sub(2)), shared.style(style));
            let note = choice.refused.as_deref().map_or_else(|| choice.note.clone(), |why| format!("✕ {why}"));
            let x = (list.x + 1).saturating_add(label).saturating_add(2).min(list.right());
            put(buffer, list, x, y, &fit(&note, usize::from(list.right().saturating_sub(x))), shared.style(Role::Dim));
        }
        if self.shown.is_empty() {
            let text = if self.free { "⏎ takes what you typed" } else { "nothing of that name" };
            put(buffer, list, list.x + 1, list.y, text, shared.style(Role::Dim));
        }
        frame.set_cursor_position((inner.x + 2 + cx, inner.y));
    }
}

impl Confirmation {
    /// What is sent once it is confirmed, and who gets the answer; [`Shared::confirm`] shows it.
    pub fn new(question: String, lines: Vec<String>, label: impl Into<String>, to: Place, order: Order) -> Self {
        Self { number: 0, question, lines, own: None, key: CONFIRM, label: label.into(), top: 0, outdated: false, to, order }
    }

    /// What it is about is of this version now: what was asked about another one is sent no more, and says so.
    pub fn is_of(&mut self, version: u64) {
        if !self.outdated && self.order.version.is_some_and(|asked| asked != version) {
            (self.outdated, self.top) = (true, 0);
            self.lines.insert(0, format!("▲ {OUTDATED}"));
        }
    }

    /// All that it says, in order.
    pub fn said(&self) -> impl Iterator<Item = &String> {
        self.lines.iter().chain(&self.own)
    }

    /// Its lines at the width they are drawn in, where it is drawn, and how many of them have no room there.
    fn laid(&self, area: Rect) -> (Vec<String>, Rect, usize) {
        let width = WIDTH.min(area.width);
        let lines: Vec<String> = self.said().flat_map(|l| wrap(l, usize::from(width).saturating_sub(4))).collect();
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(FRAME);
        let place = middle(area, width, height);
        let below = lines.len().saturating_sub(usize::from(place.height.saturating_sub(FRAME - 1)));
        (lines, place, below)
    }

    fn key(&mut self, key: KeyEvent, area: Rect) -> Outcome {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(k) if plain && k == self.key && self.outdated => Outcome::Astray(OUTDATED.to_owned()),
            KeyCode::Char(k) if plain && k == self.key => Outcome::Confirmed(self.to, Box::new(self.order.clone())),
            KeyCode::Esc => Outcome::Gone,
            KeyCode::Char('n') if plain => Outcome::Gone,
            KeyCode::Down => {
                self.top = (self.top + 1).min(self.laid(area).2);
                Outcome::Stays
            }
            KeyCode::Up => {
                self.top = self.top.min(self.laid(area).2).saturating_sub(1);
                Outcome::Stays
            }
            _ if self.outdated => Outcome::Astray(OUTDATED.to_owned()),
            _ => Outcome::Astray(format!("{} means nothing here: {} to {}, Esc to cancel.", Key::of(key), self.key, self.label)),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let (lines, place, below) = self.laid(area);
        let buffer = frame.buffer_mut();
        clear(buffer, place, shared.style(Role::Text));
        let inner = boxed(buffer, place, &self.question, shared.style(Role::Warn), shared.style(Role::Warn));
        let room = Rect { height: inner.height.saturating_sub(2), ..inner };
        let top = self.top.min(below);
        for (i, line) in lines.iter().skip(top).take(usize::from(room.height)).enumerate() {
            put(buffer, room, inner.x + 1, inner.y + u16::try_from(i).unwrap_or(0), line, shared.style(Role::Text));
        }
        let y = inner.bottom().saturating_sub(1);
        let mut x = inner.x + 1;
        if !self.outdated {
            x = put(buffer, inner, x, y, &self.key.to_string(), shared.style(Role::Key));
            x = put(buffer, inner, x + 1, y, &self.label, shared.style(Role::Text)) + 3;
        }
        let x = put(buffer, inner, x, y, "Esc", shared.style(Role::Key));
        let x = put(buffer, inner, x + 1, y, "cancel", shared.style(Role::Text));
        if below > 0 {
            let text = format!("↓ ↑ {} more lines", below - top);
            put(buffer, inner, x + 3, y, &text, shared.style(Role::Info));
        }
    }
}

#[cfg(test)]
mod tests;
