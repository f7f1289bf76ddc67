//! Text that came from outside, and the one way it may reach a terminal, a log line or an export (threats T17, T18).
//!
//! Contract: [`Untrusted`] has no `Display`; [`Untrusted::sanitise`] is its only way out to a reader and returns text in which
//! control, escape, bidirectional, zero-width and tag characters are visible marks. Knows nothing about screens or widths.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest text accepted in one field, in bytes, unless a field states a smaller bound.
pub const MAX_TEXT: usize = 16 * 1024;

/// Text from outside: a name, a reason, a ticket, a file. It is data, never an instruction (T16).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Untrusted(String);

impl Untrusted {
    /// Marks a text as coming from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text with everything that could steer a reader's terminal or eyes made visible. Line breaks are kept as `\n`.
    pub fn sanitise(&self) -> String {
        sanitise(&self.0, true)
    }

    /// As [`Untrusted::sanitise`], in one line: line breaks become `⏎`.
    pub fn line(&self) -> String {
        sanitise(&self.0, false)
    }

    /// The bytes as they came, for hashing, storing and comparing; never for showing.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing but white space.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted({} bytes)", self.0.len())
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Makes every character that could steer a terminal or mislead the eye visible.
///
/// C0 controls become Unicode control pictures, DEL `␡`, everything else invisible `‹U+XXXX›`. With `keep_lines`, `\n` stays
/// and a tab becomes four blanks; without, `\n` becomes `⏎` and a tab one blank.
pub fn sanitise(text: &str, keep_lines: bool) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if keep_lines => out.push('\n'),
            '\n' => out.push('⏎'),
            '\t' => out.push_str(if keep_lines { "    " } else { " " }),
            '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('�')),
            '\u{7f}' => out.push('␡'),
            _ if steers(c) => {
                let _ = write!(out, "‹U+{:04X}›", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

/// Whether a character is a control, is invisible, reorders its neighbours, or belongs to no script a reader sees.
pub fn is_unseen(c: char) -> bool {
    c.is_control() || steers(c)
}

/// Whether a character is invisible, reorders its neighbours, or belongs to no script a reader sees.
fn steers(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'                                   // C1 controls
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' // fillers drawn as nothing
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'   // zero-width, separators, bidirectional (UAX 9)
        | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}'                             // variation selectors
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' // format controls of shorthand and of music
        | '\u{2800}'                                          // a blank that is no white space
        | '\u{e0000}'..='\u{e0fff}'                           // tag characters and variation selectors supplement
        | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}') // private use: means what a font says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(Untrusted::from("a\x1b]52;c;eA==\x07b\u{9b}31m").line(), "a␛]52;c;eA==␇b‹U+009B›31m");
        assert_eq!(Untrusted::from("x\u{202e}y\u{200b}\u{e0041}\r\n\tz").line(), "x‹U+202E›y‹U+200B›‹U+E0041›␍⏎ z");
        assert_eq!(Untrusted::from("a\n\tb").sanitise(), "a\n    b");
        assert_eq!(Untrusted::from("Zoë Ångström 日本").line(), "Zoë Ångström 日本");
    }

    #[test]
    fn what_unicode_has_drawn_as_nothing_becomes_visible() {
        // Default_Ignorable_Code_Point of DerivedCoreProperties.txt (Unicode 16), and the blank of braille.
        let ignorable = [
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x202a, 0x202e),
            (0x2060, 0x206f),
            (0x2800, 0x2800),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfff8),
            (0x1bca0, 0x1bca3),
            (0x1d173, 0x1d17a),
            (0xe0000, 0xe0fff),
        ];
        let seen = |c: &char| sanitise(&c.to_string(), false).contains(*c);
        let through: Vec<char> = ignorable.iter().flat_map(|(a, b)| *a..=*b).filter_map(char::from_u32).filter(seen).collect();
        assert!(through.is_empty(), "{through:x?}");
    }

    #[test]
    fn debug_never_prints_the_text() {
        assert_eq!(format!("{:?}", Untrusted::from("secret")), "Untrusted(6 bytes)");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_steers_survives(text in "\\PC*|[\\x00-\\u{10ffff}]*") {
            let out = sanitise(&text, false);
            proptest::prop_assert!(out.chars().all(|c| !c.is_control() && !steers(c)));
            proptest::prop_assert_eq!(sanitise(&out, false), out);
        }
    }
}
