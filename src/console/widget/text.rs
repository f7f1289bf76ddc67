//! A text being typed: one line or many, with a cursor that moves by what a reader takes for one character.
//!
//! Contract: bounded, and never cut: what doesn't fit is not taken at all, and said; what came whole from an editor may be too long until it is
//! shortened. Control characters never get in (pasted ones become visible marks). Knows no file and no server.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The most bytes a text holds unless a smaller bound is set.
pub const MAX: usize = crate::base::text::MAX_TEXT;
/// The most bytes that are taken whole, to be shortened; as much as an edited file may hold.
const MAX_WHOLE: usize = 256 * 1024;

/// A text and a cursor in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBox {
    text: String,
    at: usize,
    many: bool,
    max: usize,
    /// How many bytes too many the last text had that was not taken.
    refused: usize,
}

impl Default for TextBox {
    fn default() -> Self {
        Self::line("", MAX)
    }
}

impl TextBox {
    /// One line.
    pub fn line(text: &str, max: usize) -> Self {
        Self { text: text.to_owned(), at: text.len(), many: false, max, refused: 0 }
    }

    /// Many lines.
    pub fn many(text: &str) -> Self {
        Self { text: text.to_owned(), at: text.len(), many: true, max: MAX, refused: 0 }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has many lines.
    pub const fn is_many(&self) -> bool {
        self.many
    }

    /// Replaces it. A text of many lines is taken even if it is too long, up to 256 KiB, so that what was written elsewhere is not lost.
    pub fn set(&mut self, text: &str) {
        let clean = self.clean(text);
        let most = if self.many { MAX_WHOLE.max(self.max) } else { self.max };
        self.refused = if clean.len() > most { clean.len() - self.max } else { 0 };
        if self.refused == 0 {
            self.text = clean;
            self.at = self.text.len();
        }
    }

    /// Puts a text in at the cursor: all of it or, where that would exceed the bound, nothing.
    pub fn insert(&mut self, text: &str) {
        let clean = self.clean(text);
        self.refused = (self.text.len() + clean.len()).saturating_sub(self.max);
        if self.refused == 0 {
            self.text.insert_str(self.at, &clean);
            self.at += clean.len();
        }
    }

    /// What is too long, as a sentence: the text itself, or what was just typed or pasted and is not in it.
    pub fn excess(&self) -> Option<String> {
        let max = self.max;
        match (self.text.len().saturating_sub(max), self.refused) {
            (0, 0) => None,
            (0, n) => Some(format!("{n} {} over the limit of {max}: not taken.", bytes(n))),
            (n, _) => Some(format!("{n} {} over the limit of {max}: shorten it, it can't be sent.", bytes(n))),
        }
    }

    /// Whether the text itself is too long to be sent.
    pub fn too_long(&self) -> bool {
        self.text.len() > self.max
    }

    fn clean(&self, text: &str) -> String {
        crate::base::text::sanitise(&text.replace("\r\n", "\n").replace('\r', "\n"), self.many)
    }

    /// Takes a key; says whether the text or cursor changed.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let before = (self.at, self.text.len());
        self.refused = 0;
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('a') if ctrl => self.at = self.line_start(),
            KeyCode::Char('k') if ctrl => {
                let end = self.line_end();
                self.text.replace_range(self.at..end, "");
            }
            KeyCode::Char('u') if ctrl => {
                let start = self.line_start();
                self.text.replace_range(start..self.at, "");
                self.at = start;
            }
            KeyCode::Char('w') if ctrl => {
                let head = self.text[..self.at].trim_end();
                let start = head.rfind(char::is_whitespace).map_or(0, |i| i + head[i..].chars().next().map_or(1, char::len_utf8));
                self.text.replace_range(start..self.at, "");
                self.at = start;
            }
            KeyCode::Char(c) if !ctrl && !key.modifiers.contains(KeyModifiers::ALT) => {
                let mut bytes = [0; 4];
                self.insert(c.encode_utf8(&mut bytes));
            }
            KeyCode::Enter if self.many => self.insert("\n"),
            KeyCode::Backspace => {
                let start = self.before();
                self.text.replace_range(start..self.at, "");
                self.at = start;
            }
            KeyCode::Delete => {
                let end = self.after();
                self.text.replace_range(self.at..end, "");
            }
            KeyCode::Left => self.at = self.before(),
            KeyCode::Right => self.at = self.after(),
            KeyCode::Home => self.at = self.line_start(),
            KeyCode::End => self.at = self.line_end(),
            KeyCode::Up if self.many => self.vertical(false),
            KeyCode::Down if self.many => self.vertical(true),
            _ => {}
        }
        before != (self.at, self.text.len())
    }

    fn before(&self) -> usize {
        self.text[..self.at].grapheme_indices(true).next_back().map_or(0, |(i, _)| i)
    }

    fn after(&self) -> usize {
        self.at + self.text[self.at..].graphemes(true).next().map_or(0, str::len)
    }

    fn line_start(&self) -> usize {
        self.text[..self.at].rfind('\n').map_or(0, |i| i + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.at..].find('\n').map_or(self.text.len(), |i| self.at + i)
    }

    fn vertical(&mut self, down: bool) {
        let column = self.text[self.line_start()..self.at].graphemes(true).count();
        let start = if down {
            let end = self.line_end();
            if end == self.text.len() {
                self.at = end;
                return;
            }
            end + 1
        } else {
            let start = self.line_start();
            if start == 0 {
                self.at = 0;
                return;
            }
            self.text[..start - 1].rfind('\n').map_or(0, |i| i + 1)
        };
        let end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        self.at = start + self.text[start..end].graphemes(true).take(column).map(str::len).sum::<usize>();
    }

    /// The first lines of what it says, for where it is not written in: at least one, and the last of them says whether more follow.
    pub fn beginning(&self, width: usize, height: usize) -> Vec<String> {
        let text = self.text.trim_end().to_owned();
        let whole = Self { text, at: 0, ..self.clone() };
        let (mut lines, _) = whole.seen(width, height.max(1) + 1);
        if lines.len() > height.max(1) {
            lines.truncate(height.max(1));
            if let Some(last) = lines.last_mut() {
                *last = super::fit(&format!("{last} …"), width);
                if !last.ends_with('…') {
                    last.push('…');
                }
            }
        }
        lines
    }

    /// The lines in sight within `width` x `height`, and where the cursor stands among them (column, row).
    pub fn seen(&self, width: usize, height: usize) -> (Vec<String>, (u16, u16)) {
        let (width, height) = (width.max(2), height.max(1));
        let mut lines: Vec<String> = Vec::new();
        let (mut x, mut y) = (0, 0);
        let mut offset = 0;
        for paragraph in self.text.split('\n') {
            lines.push(String::new());
            let mut used = 0;
            for (i, part) in paragraph.grapheme_indices(true) {
                let wide = part.width();
                if used + wide > width - 1 {
                    lines.push(String::new());
                    used = 0;
                }
                if offset + i == self.at {
                    (x, y) = (used, lines.len() - 1);
                }
                if let Some(line) = lines.last_mut() {
                    line.push_str(part);
                }
                used += wide;
            }
            if offset + paragraph.len() == self.at {
                (x, y) = (used, lines.len() - 1);
            }
            offset += paragraph.len() + 1;
        }
        let top = (y + 1).saturating_sub(height);
        let seen = lines.into_iter().skip(top).take(height).collect();
        (seen, (u16::try_from(x).unwrap_or(0), u16::try_from(y - top).unwrap_or(0)))
    }
}

const fn bytes(n: usize) -> &'static str {
    if n == 1 { "byte" } else { "bytes" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(text: &mut TextBox, code: KeyCode) {
        text.key(KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn typing_moves_by_what_readers_see() {
        let mut text = TextBox::line("ae\u{301}", 100);
        press(&mut text, KeyCode::Backspace);
        assert_eq!(text.text(), "a");
        text.insert("b\x1bc\nd\u{202e}");
        assert_eq!(text.text(), "ab␛c⏎d‹U+202E›");
        press(&mut text, KeyCode::Home);
        press(&mut text, KeyCode::Delete);
        assert!(text.text().starts_with("b␛"));
        let mut short = TextBox::line("", 3);
        short.insert("äb");
        assert_eq!((short.text(), short.excess()), ("äb", None));
    }

    #[test]
    fn what_does_not_fit_is_not_cut_but_not_taken_and_said() {
        let mut text = TextBox::many("log: ");
        text.insert(&"é".repeat(MAX / 2));
        assert_eq!((text.text(), text.excess().unwrap().as_str()), ("log: ", "5 bytes over the limit of 16384: not taken."));
        text.insert(&"x".repeat(MAX - 5));
        assert_eq!((text.text().len(), text.excess()), (MAX, None));
        assert!(!text.key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE)));
        assert_eq!(text.excess().unwrap(), "1 byte over the limit of 16384: not taken.");
        press(&mut text, KeyCode::Left);
        assert_eq!(text.excess(), None, "said once");
        text.set(&"z".repeat(MAX + 7));
        assert!(text.too_long() && text.text().len() == MAX + 7, "what an editor wrote is kept");
        assert_eq!(text.excess().unwrap(), "7 bytes over the limit of 16384: shorten it, it can't be sent.");
        text.set(&"z".repeat(MAX_WHOLE + 1));
        assert_eq!(text.text().len(), MAX + 7, "up to a bound");
        let mut line = TextBox::line("a", 3);
        line.set("abcd");
        assert_eq!((line.text(), line.excess().unwrap().as_str()), ("a", "1 byte over the limit of 3: not taken."));
    }

    #[test]
    fn many_lines_move_up_and_down_and_scroll() {
        let mut text = TextBox::many("one\ntwo\nthree");
        press(&mut text, KeyCode::Up);
        press(&mut text, KeyCode::Char('X'));
        assert_eq!(text.text(), "one\ntwoX\nthree");
        press(&mut text, KeyCode::Down);
        let (lines, at) = text.seen(10, 2);
        assert_eq!((lines, at), (vec!["twoX".to_owned(), "three".to_owned()], (4, 1)));
        text.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(text.text(), "one\ntwoX\ne");
    }

    proptest::proptest! {
        #[test]
        fn no_keys_break_a_text(start in ".*", keys in proptest::collection::vec(0_u8..14, 0..60)) {
            let mut text = TextBox::many("");
            text.insert(&start);
            for key in keys {
                let ctrl = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
                let plain = |c| KeyEvent::new(c, KeyModifiers::NONE);
                text.key(match key {
                    0 => plain(KeyCode::Left), 1 => plain(KeyCode::Right), 2 => plain(KeyCode::Up), 3 => plain(KeyCode::Down),
                    4 => plain(KeyCode::Home), 5 => plain(KeyCode::End), 6 => plain(KeyCode::Backspace), 7 => plain(KeyCode::Delete),
                    8 => plain(KeyCode::Enter), 9 => ctrl('w'), 10 => ctrl('k'), 11 => ctrl('u'), 12 => plain(KeyCode::Char('é')),
                    _ => plain(KeyCode::Char('語')),
                });
                let (lines, (x, y)) = text.seen(7, 3);
                proptest::prop_assert!(usize::from(y) < lines.len() && usize::from(x) < 7 && lines.len() <= 3);
            }
        }
    }
}
