//! Parts that screens are made of.
//!
//! Contract: each is plain data with pure drawing; none asks the server. Texts given to them are already sanitised or typed by the user.

pub mod form;
pub mod list;
pub mod runs;
pub mod sheet;
pub mod text;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::model::Shared;
use super::theme::Role;

/// Cuts a text to a width in columns; what was cut shows as `…`.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Which of several heads in a row, the first at `left` and three columns between them, stands in a column.
pub fn head_at(heads: &[String], left: u16, column: u16) -> Option<usize> {
    let mut x = left;
    heads.iter().position(|text| {
        let end = x.saturating_add(u16::try_from(text.width()).unwrap_or(u16::MAX));
        let here = (x..end).contains(&column);
        x = end.saturating_add(3);
        here
    })
}

/// Breaks a text into lines of at most `width` columns, at blanks where there are some.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if !line.is_empty() && line.width() + word.trim_end().width() > width {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            if word.width() <= width {
                line.push_str(word);
                continue;
            }
            for c in word.chars() {
                if line.width() + c.width().unwrap_or(0) > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Says at an area's bottom right how much there is below it, if anything.
pub fn say_below(buffer: &mut Buffer, area: Rect, below: usize, shared: &Shared) {
    if below > 0 && area.height > 0 {
        let text = format!(" ▼ {below} more ");
        let x = area.right().saturating_sub(u16::try_from(text.width()).unwrap_or(0) + 1);
        put(buffer, area, x, area.bottom() - 1, &text, shared.style(Role::Info));
    }
}

/// Puts a text at a place inside an area, cut to the area; returns the column after it.
pub fn put(buffer: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    if y >= area.bottom() || x >= area.right() || y < area.y {
        return x;
    }
    buffer.set_stringn(x, y, text, usize::from(area.right() - x), style).0
}

/// Clears an area to blanks in a style.
pub fn clear(buffer: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
            buffer[(x, y)].set_style(style);
        }
    }
}

/// Draws a box with a title and returns the room inside it.
pub fn boxed(buffer: &mut Buffer, area: Rect, title: &str, border: Style, heading: Style) -> Rect {
    use ratatui::widgets::{Block, Widget};
    let block = Block::bordered().border_style(border);
    let inner = block.inner(area);
    block.render(area, buffer);
    if area.width > 4 {
        buffer.set_stringn(area.x + 2, area.y, format!(" {} ", fit(title, usize::from(area.width) - 6)), usize::from(area.width) - 3, heading);
    }
    inner
}

/// A rectangle of at most a size in the middle of another.
pub fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_and_wrap_by_columns() {
        assert_eq!((fit("abcdef", 4).as_str(), fit("日本語", 5).as_str(), fit("ab", 2).as_str(), fit("ab", 0).as_str()), ("abc…", "日本…", "ab", ""));
        assert_eq!(wrap("one two three\n\nlongwordhere x", 8), ["one two", "three", "", "longword", "here x"]);
    }
}
