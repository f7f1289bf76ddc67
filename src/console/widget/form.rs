//! A form: fields one below the other, of which one has the keys.
//!
//! Contract: plain data; moving, typing and choosing happen here, sending is up to the screen. Each mistake stands at its field.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::text::TextBox;
use super::{fit, put, say_below, wrap};
use crate::console::action::Action;
use crate::console::model::Shared;
use crate::console::theme::Role;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A text.
    Text(TextBox),
    /// A text that is not shown while it is typed.
    Secret(TextBox),
    /// One of several: `(value, label)`, and which.
    Choice(Vec<(String, String)>, usize),
    /// Any of several: `(value, label, taken)`, and where the cursor is.
    Several(Vec<(String, String, bool)>, usize),
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name the program knows it by; also the server's name for it in problem details.
    pub name: &'static str,
    /// The words before it.
    pub label: String,
    /// A sentence that helps.
    pub help: String,
    /// What it holds.
    pub input: Input,
    /// What is wrong with it.
    pub mistake: Option<String>,
}

impl Field {
    /// A field of one line.
    pub fn line(name: &'static str, label: &str, text: &str) -> Self {
        Self::new(name, label, Input::Text(TextBox::line(text, 500)))
    }

    /// A field of many lines.
    pub fn many(name: &'static str, label: &str, text: &str) -> Self {
        Self::new(name, label, Input::Text(TextBox::many(text)))
    }

    /// A choice of one.
    pub fn choice(name: &'static str, label: &str, options: Vec<(String, String)>, at: usize) -> Self {
        Self::new(name, label, Input::Choice(options, at))
    }

    /// A choice of any.
    pub fn several(name: &'static str, label: &str, options: Vec<(String, String, bool)>) -> Self {
        Self::new(name, label, Input::Several(options, 0))
    }

    /// A field with its help.
    #[must_use]
    pub fn with_help(mut self, help: &str) -> Self {
        help.clone_into(&mut self.help);
        self
    }

    fn new(name: &'static str, label: &str, input: Input) -> Self {
        Self { name, label: label.to_owned(), help: String::new(), input, mistake: None }
    }

    /// The text, or the chosen value.
    pub fn value(&self) -> &str {
        match &self.input {
            Input::Text(text) | Input::Secret(text) => text.text(),
            Input::Choice(options, at) => options.get(*at).map_or("", |(v, _)| v.as_str()),
            Input::Several(..) => "",
        }
    }

    /// Whether it is a text of one line.
    pub fn is_line(&self) -> bool {
        matches!(&self.input, Input::Text(text) if !text.is_many())
    }

    /// What is too long in it, as a sentence.
    fn excess(&self) -> Option<String> {
        match &self.input {
            Input::Text(text) | Input::Secret(text) => text.excess(),
            Input::Choice(..) | Input::Several(..) => None,
        }
    }

    /// The values taken, of a choice of any.
    pub fn values(&self) -> Vec<&str> {
        match &self.input {
            Input::Several(options, _) => options.iter().filter(|o| o.2).map(|o| o.0.as_str()).collect(),
            _ => vec![self.value()],
        }
    }
}

/// What a form did with a key or action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// Nothing it knows.
    Nothing,
    /// The focus moved.
    Moved,
    /// What it says changed.
    Changed,
}

/// Fields one below the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// The fields.
    pub fields: Vec<Field>,
    /// Which has the keys.
    pub focus: usize,
}

impl Form {
    /// A form whose first field has the keys.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, focus: 0 }
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The field of a name, to change.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|f| f.name == name)
    }

    /// What the field of a name says; nothing if there is none.
    pub fn value(&self, name: &str) -> &str {
        self.field(name).map_or("", Field::value)
    }

    /// Why it can't be sent: the first text that is too long, with its label.
    pub fn too_long(&self) -> Option<String> {
        self.fields.iter().find_map(|field| match &field.input {
            Input::Text(text) | Input::Secret(text) if text.too_long() => Some(format!("{}: {}", field.label, text.excess()?)),
            _ => None,
        })
    }

    /// Puts a mistake at the field of a name and the focus there; says whether there is such a field.
    pub fn mistake(&mut self, name: &str, sentence: &str) -> bool {
        let Some(index) = self.fields.iter().position(|f| f.name == name) else { return false };
        self.fields[index].mistake = Some(sentence.to_owned());
        self.focus = index;
        true
    }

    /// Moves the focus by an action of the table.
    pub fn act(&mut self, action: Action) -> Did {
        let len = self.fields.len().max(1);
        match action {
            Action::NextField => self.focus = (self.focus + 1) % len,
            Action::PreviousField => self.focus = (self.focus + len - 1) % len,
            _ => return Did::Nothing,
        }
        Did::Moved
    }

    /// Gives a key to the field in focus; Enter in a field of one line moves on.
    pub fn typed(&mut self, key: KeyEvent) -> Did {
        let last = self.focus + 1 >= self.fields.len();
        let Some(field) = self.fields.get_mut(self.focus) else { return Did::Nothing };
        let changed = match &mut field.input {
            Input::Text(text) | Input::Secret(text) => match key.code {
                KeyCode::Enter | KeyCode::Down if !text.is_many() && !last => return self.act(Action::NextField),
                KeyCode::Up if !text.is_many() => return self.act(Action::PreviousField),
                _ => text.key(key),
            },
            Input::Choice(options, at) => match key.code {
                KeyCode::Right | KeyCode::Char(' ' | 'l') => step(at, options.len(), true),
                KeyCode::Left | KeyCode::Char('h') => step(at, options.len(), false),
                KeyCode::Enter | KeyCode::Down | KeyCode::Char('j') => return self.act(Action::NextField),
                KeyCode::Up | KeyCode::Char('k') => return self.act(Action::PreviousField),
                _ => false,
            },
            Input::Several(options, at) => match key.code {
                KeyCode::Right | KeyCode::Char('l') => step(at, options.len(), true),
                KeyCode::Left | KeyCode::Char('h') => step(at, options.len(), false),
                KeyCode::Char(' ') => options.get_mut(*at).is_some_and(|o| {
                    o.2 = !o.2;
                    true
                }),
                KeyCode::Enter | KeyCode::Down | KeyCode::Char('j') => return self.act(Action::NextField),
                KeyCode::Up | KeyCode::Char('k') => return self.act(Action::PreviousField),
                _ => false,
            },
        };
        let excess = field.excess();
        if excess.is_some() {
            field.mistake = excess;
            if changed { Did::Changed } else { Did::Nothing }
        } else if changed {
            field.mistake = None;
            Did::Changed
        } else {
            Did::Nothing
        }
    }

    /// Pastes into the field in focus, or replaces it.
    pub fn pasted(&mut self, text: &str, whole: bool) {
        if let Some(field) = self.fields.get_mut(self.focus)
            && let Input::Text(inner) | Input::Secret(inner) = &mut field.input
        {
            if whole {
                inner.set(text.trim_end_matches('\n'));
            } else {
                inner.insert(text);
            }
            field.mistake = inner.excess();
        }
    }

    /// The text of the field in focus, if it has many lines.
    pub fn editable(&self) -> Option<String> {
        match &self.fields.get(self.focus)?.input {
            Input::Text(text) if text.is_many() => Some(text.text().to_owned()),
            _ => None,
        }
    }

    /// How many rows the field in focus takes, and the fewest in which a line of it and what is wrong with it are in sight.
    pub fn rows(&self, width: u16) -> (usize, usize) {
        let Some(field) = self.fields.get(self.focus) else { return (0, 0) };
        (height(field, true, width), 2 + below(field, true, inside(Rect { x: 0, y: 0, width, height: 1 }).width).len())
    }

    /// The first field that is drawn: as many before the one in focus as leave room for all of that one.
    fn first(&self, area: Rect) -> usize {
        let mut room = usize::from(area.height);
        // Where none has the keys, the last one is in sight, as much of it as there is room for.
        let last = self.focus.min(self.fields.len().saturating_sub(1));
        let mut first = last;
        for (i, field) in self.fields.iter().enumerate().take(last + 1).rev() {
            let height = height(field, i == self.focus, area.width);
            if i < last && height > room {
                break;
            }
            first = i;
            room = room.saturating_sub(height);
        }
        first
    }

    /// Draws the fields from `area`'s top on; returns the first row below. The cursor is set in the field in focus, which is always in sight:
    /// where not all fit, those before it go, and how many are not whole below is said at the bottom right.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) -> u16 {
        let (mut y, mut whole, mut focus) = (area.y, self.first(area), 0..0);
        for (i, field) in self.fields.iter().enumerate().skip(whole) {
            if y >= area.bottom() {
                break;
            }
            let (left, top) = (area.bottom() - y, y);
            whole += usize::from(height(field, i == self.focus, area.width) <= usize::from(left));
            y = draw_field(field, i == self.focus, frame, Rect { y, height: left, ..area }, shared);
            if i == self.focus {
                focus = top..y;
            }
        }
        let buffer = frame.buffer_mut();
        // It covers nothing that is said or typed: the lowest row with room for it.
        let right = area.right().saturating_sub(MORE).max(area.x)..area.right();
        let blank = |row: u16| right.clone().all(|x| buffer.cell((x, row)).is_some_and(|c| c.symbol() == " "));
        let room = |row: &u16| !focus.contains(row) && blank(*row);
        if let Some(row) = (area.y..area.bottom()).rev().find(room) {
            say_below(buffer, Rect { height: row + 1 - area.y, ..area }, self.fields.len().saturating_sub(whole), shared);
        }
        y
    }
}

fn step(at: &mut usize, len: usize, on: bool) -> bool {
    let before = *at;
    *at = if on { (*at + 1).min(len.saturating_sub(1)) } else { at.saturating_sub(1) };
    before != *at
}

/// Where a field's value is drawn: below its label, a little to the right.
fn inside(area: Rect) -> Rect {
    Rect { x: area.x + 3, y: area.y + 1, width: area.width.saturating_sub(4), height: area.height.saturating_sub(1) }
}

/// The sentence below a field, in the lines it takes.
fn below(field: &Field, focus: bool, width: u16) -> Vec<String> {
    match &field.mistake {
        Some(mistake) => wrap(&format!("✕ {mistake}"), usize::from(width)),
        None if focus && !field.help.is_empty() => wrap(&field.help, usize::from(width)),
        None => Vec::new(),
    }
}

/// The most rows of a text that are in sight.
fn rows(text: &TextBox, focus: bool) -> usize {
    match (text.is_many(), focus) {
        (true, true) => 6,
        (true, false) => 2,
        (false, _) => 1,
    }
}

/// How many rows a field takes.
fn height(field: &Field, focus: bool, width: u16) -> usize {
    let inner = inside(Rect { x: 0, y: 0, width, height: 1 });
    let value = match &field.input {
        Input::Text(text) if text.is_many() && !focus => text.beginning(usize::from(inner.width), rows(text, focus)).len(),
        Input::Text(text) | Input::Secret(text) => text.seen(usize::from(inner.width), rows(text, focus)).0.len().max(1),
        Input::Choice(options, _) => {
            places(options.iter().map(|o| o.1.as_str()), ONE, inner.width).last().map_or(1, |(_, row, _)| usize::from(row) + 1)
        }
        Input::Several(options, _) => {
            places(options.iter().map(|o| o.1.as_str()), ANY, inner.width).last().map_or(1, |(_, row, _)| usize::from(row) + 1)
        }
    };
    1 + value + below(field, focus, inner.width).len()
}

/// Columns that are kept free for how many fields are below.
const MORE: u16 = 12;
/// Marks of an option of which one is taken, taken or not.
const ONE: [&str; 2] = ["◉", "○"];
/// Marks of an option of which any may be taken, taken or not.
const ANY: [&str; 2] = ["[x]", "[ ]"];

/// Where options stand that follow one another and break where the line is full: column, row and text without its mark.
fn places<'a>(labels: impl Iterator<Item = &'a str>, marks: [&str; 2], width: u16) -> impl Iterator<Item = (u16, u16, String)> {
    let (mut x, mut row) = (0, 0);
    let mark = unicode_width::UnicodeWidthStr::width(marks[0]) + 1;
    labels.map(move |label| {
        let text = fit(label, usize::from(width).saturating_sub(mark));
        let wide = u16::try_from(unicode_width::UnicodeWidthStr::width(text.as_str()) + mark).unwrap_or(0);
        if x > 0 && x + wide > width {
            (x, row) = (0, row + 1);
        }
        let place = (x, row, text);
        x += wide + 2;
        place
    })
}

fn draw_field(field: &Field, focus: bool, frame: &mut Frame<'_>, area: Rect, shared: &Shared) -> u16 {
    let (mark, style) = if focus { ("▌", shared.style(Role::Accent)) } else { (" ", shared.style(Role::Heading)) };
    let buffer = frame.buffer_mut();
    put(buffer, area, area.x, area.y, mark, shared.style(Role::Marker));
    put(buffer, area, area.x + 1, area.y, &field.label, style);
    let inner = inside(area);
    let mut y = inner.y;
    match &field.input {
        Input::Text(text) | Input::Secret(text) => {
            let hidden = TextBox::line(&"•".repeat(text.text().chars().count().min(60)), 500);
            let shown = if matches!(field.input, Input::Secret(_)) { &hidden } else { text };
            // Where there is little room, what is wrong stays in sight below fewer lines of the text; a line of it always does.
            let room = usize::from(inner.height).saturating_sub(below(field, focus, inner.width).len()).max(1);
            let (width, most) = (usize::from(inner.width), rows(text, focus).min(room));
            let (mut lines, (cx, cy)) = shown.seen(width, most);
            if text.is_many() && !focus {
                lines = text.beginning(width, most);
            }
            let empty = lines.iter().all(String::is_empty);
            for (i, line) in lines.iter().enumerate() {
                let row = inner.y + u16::try_from(i).unwrap_or(0);
                put(buffer, inner, inner.x, row, line, shared.style(Role::Input));
            }
            if empty && !focus {
                put(buffer, inner, inner.x, inner.y, "–", shared.style(Role::Placeholder));
            }
            y += u16::try_from(lines.len().max(1)).unwrap_or(1);
            if focus && inner.y + cy < area.bottom() {
                frame.set_cursor_position((inner.x + cx, inner.y + cy));
            }
        }
        Input::Choice(options, at) => {
            let one = options.iter().enumerate().map(|(i, o)| (o.1.as_str(), i == *at, i == *at));
            y = draw_options(one, ONE, focus, frame, inner, shared);
        }
        Input::Several(options, at) => {
            let any = options.iter().enumerate().map(|(i, o)| (o.1.as_str(), o.2, i == *at));
            y = draw_options(any, ANY, focus, frame, inner, shared);
        }
    }
    let buffer = frame.buffer_mut();
    let role = if field.mistake.is_some() { Role::Bad } else { Role::Dim };
    for line in below(field, focus, inner.width) {
        put(buffer, area, inner.x, y, &line, shared.style(role));
        y += 1;
    }
    y
}

/// Options in a row, broken where the line is full, each with the mark for taken or not; the one under the cursor is marked as selected.
fn draw_options<'a>(
    options: impl Iterator<Item = (&'a str, bool, bool)>,
    marks: [&str; 2],
    focus: bool,
    frame: &mut Frame<'_>,
    area: Rect,
    shared: &Shared,
) -> u16 {
    let all: Vec<(&str, bool, bool)> = options.collect();
    let buffer = frame.buffer_mut();
    let mut bottom = 0;
    for ((x, row, text), (_, taken, under)) in places(all.iter().map(|o| o.0), marks, area.width).zip(&all) {
        let style = match (focus && *under, taken) {
            (true, _) => shared.style(Role::Selected),
            (false, true) => shared.style(Role::Accent),
            (false, false) => shared.style(Role::Text),
        };
        put(buffer, area, area.x + x, area.y + row, &format!("{} {text}", marks[usize::from(!taken)]), style);
        bottom = row;
    }
    area.y + bottom + 1
}
