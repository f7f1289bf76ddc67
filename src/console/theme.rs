//! Colours by what they mean, never by what they are: themes are data, with embedded defaults and user files.
//!
//! Contract: every theme defines every role; all mistakes of a file are reported together; without colour (`NO_COLOR`) attributes alone
//! still show selection, focus and danger. The terminal's own background is used unless a role names another. Knows no screen.

use ratatui::style::{Color, Modifier, Style};

use super::mistakes::{Mistake, Mistakes, did_you_mean};
use crate::base::Untrusted;

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $name:literal, $plain:literal;)+) => {
        /// What a colour means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Role { $($(#[$doc])* $role,)+ }
        impl Role {
            /// Every role.
            pub const ALL: &'static [Self] = &[$(Self::$role,)+];
            /// Its name in theme files.
            pub const fn name(self) -> &'static str { match self { $(Self::$role => $name,)+ } }
            /// How it looks without colours.
            const fn plain(self) -> &'static str { match self { $(Self::$role => $plain,)+ } }
        }
    };
}

roles! {
    /// Ordinary text.
    Text = "text", "";
    /// Less important text.
    Dim = "dim", "";
    /// Titles and column heads.
    Heading = "heading", "bold";
    /// The product's name and where one is.
    Accent = "accent", "bold";
    /// The row or field that keys act on.
    Selected = "selected", "bold reversed";
    /// The mark before the selected row.
    Marker = "marker", "bold";
    /// Lines around things.
    Border = "border", "";
    /// Keys in hints and help.
    Key = "key", "bold";
    /// All is well, done, live.
    Good = "good", "";
    /// Needs attention soon.
    Warn = "warn", "bold";
    /// Wrong, denied, overdue, held.
    Bad = "bad", "bold underlined";
    /// Neither good nor bad, worth knowing.
    Info = "info", "";
    /// High risk.
    RiskHigh = "risk-high", "bold";
    /// Medium risk.
    RiskMedium = "risk-medium", "";
    /// Low risk.
    RiskLow = "risk-low", "";
    /// Letters that a filter matched.
    Match = "match", "underlined";
    /// What is being typed.
    Input = "input", "underlined";
    /// Text that stands in for what is not there.
    Placeholder = "placeholder", "";
}

/// A theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// The background it was made for; used to judge contrast, never painted.
    pub paper: Color,
    styles: Vec<Style>,
}

/// The themes that come with the program: name and text.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("colour-blind-red-green", include_str!("../../themes/colour-blind-red-green.toml")),
    ("colour-blind-blue-yellow", include_str!("../../themes/colour-blind-blue-yellow.toml")),
    ("light-colour-blind", include_str!("../../themes/light-colour-blind.toml")),
    ("sixteen", include_str!("../../themes/sixteen.toml")),
];

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None wanted (`NO_COLOR`) or none there.
    None,
    /// The terminal's own sixteen.
    Sixteen,
    /// 256.
    Indexed,
    /// All of them.
    True,
}

impl Depth {
    /// From the environment's words: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn of(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or("");
        if no_color.is_some_and(|v| !v.is_empty()) || term == "dumb" {
            Self::None
        } else if colorterm.is_some_and(|c| c == "truecolor" || c == "24bit") || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256") || ["kitty", "alacritty", "foot", "ghostty", "wezterm"].iter().any(|t| term.contains(t)) {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }
}

impl Theme {
    /// One of the embedded themes.
    ///
    /// # Errors
    /// A sentence naming those there are.
    pub fn embedded(name: &str) -> Result<Self, String> {
        let found = EMBEDDED.iter().find(|(n, _)| *n == name);
        let names = || EMBEDDED.iter().map(|(n, _)| *n);
        let text = found.ok_or_else(|| {
            let near = did_you_mean(name, names());
            format!("There is no theme \"{}\"{near} (there are {}).", Untrusted::from(name).line(), names().collect::<Vec<_>>().join(", "))
        })?;
        Self::parse(&format!("{name}.toml"), text.1).map_err(|m| m.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    /// Reads a theme file.
    ///
    /// # Errors
    /// Every mistake of the file with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::new(file, text);
        let table = mistakes.table();
        let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".toml");
        let mut theme = Self { name: stem.to_owned(), paper: Color::Reset, styles: vec![Style::new(); Role::ALL.len()] };
        let mut seen = vec![false; Role::ALL.len()];
        for (key, value) in table.get_ref() {
            let (at, text) = (value.span().start, value.get_ref().as_str());
            match (key.get_ref().as_ref(), text) {
                ("name", Some(name)) => theme.name = Untrusted::from(name).line(),
                ("paper", Some(colour)) => match parse_colour(colour) {
                    Ok(colour) => theme.paper = colour,
                    Err(why) => mistakes.add(at, why),
                },
                ("roles", _) => match value.get_ref().as_table() {
                    Some(roles) => {
                        for (key, value) in roles {
                            theme.role(key.get_ref(), key.span().start, value, &mut seen, &mut mistakes);
                        }
                    }
                    None => mistakes.add(at, "\"roles\" must be a table."),
                },
                ("name" | "paper", None) => mistakes.add(at, "This must be a text in quotes."),
                (other, _) => mistakes.add(key.span().start, format!("\"{}\" is none of name, paper and roles.", Untrusted::from(other).line())),
            }
        }
        for (role, _) in Role::ALL.iter().zip(&seen).filter(|(_, seen)| !**seen) {
            mistakes.add(0, format!("The role \"{}\" is missing.", role.name()));
        }
        let found = mistakes.found();
        if found.is_empty() { Ok(theme) } else { Err(found) }
    }

    fn role(&mut self, name: &str, at: usize, value: &toml::Spanned<toml::de::DeValue<'_>>, seen: &mut [bool], mistakes: &mut Mistakes<'_>) {
        let Some(index) = Role::ALL.iter().position(|r| r.name() == name) else {
            let near = did_you_mean(name, Role::ALL.iter().map(|r| r.name()));
            mistakes.add(at, format!("There is no role \"{}\"{near}.", Untrusted::from(name).line()));
            return;
        };
        seen[index] = true;
        match value.get_ref().as_str().map(parse_style) {
            Some(Ok(style)) => self.styles[index] = style,
            Some(Err(why)) => mistakes.add(value.span().start, why),
            None => mistakes.add(value.span().start, "A style is a text such as \"bold #ff8800 on black\"."),
        }
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// The theme as a terminal with fewer colours can show it; with none, by attributes alone.
    #[must_use]
    pub fn at_depth(mut self, depth: Depth) -> Self {
        for (role, style) in Role::ALL.iter().zip(&mut self.styles) {
            match depth {
                Depth::None => *style = parse_style(role.plain()).unwrap_or_default(),
                Depth::Sixteen | Depth::Indexed => {
                    style.fg = style.fg.map(|c| fewer(c, depth));
                    style.bg = style.bg.map(|c| fewer(c, depth));
                }
                Depth::True => {}
            }
        }
        self
    }
}

/// Reads `bold underlined #ff8800 on black`; nothing means the terminal's own.
///
/// # Errors
/// A sentence about the first word that is neither colour nor attribute.
pub fn parse_style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut on = false;
    for word in text.split_whitespace() {
        let attribute = match word {
            "bold" => Some(Modifier::BOLD),
            "dim" => Some(Modifier::DIM),
            "italic" => Some(Modifier::ITALIC),
            "underlined" => Some(Modifier::UNDERLINED),
            "reversed" => Some(Modifier::REVERSED),
            _ => None,
        };
        match (word, attribute) {
            ("on", _) => on = true,
            (_, Some(attribute)) => style = style.add_modifier(attribute),
            (colour, None) => {
                let colour = parse_colour(colour)?;
                if on { style.bg = Some(colour) } else { style.fg = Some(colour) }
            }
        }
    }
    Ok(style)
}

const NAMES: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "bright-black",
    "bright-red",
    "bright-green",
    "bright-yellow",
    "bright-blue",
    "bright-magenta",
    "bright-cyan",
    "bright-white",
];
const SIXTEEN: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

fn parse_colour(text: &str) -> Result<Color, String> {
    if let Some(index) = NAMES.iter().position(|n| *n == text) {
        return Ok(SIXTEEN[index]);
    }
    if let Some(hex) = text.strip_prefix('#').filter(|h| h.len() == 6 && h.bytes().all(|b| b.is_ascii_hexdigit())) {
        let number = u32::from_str_radix(hex, 16).unwrap_or(0);
        let [_, r, g, b] = number.to_be_bytes();
        return Ok(Color::Rgb(r, g, b));
    }
    let near = did_you_mean(text, NAMES.into_iter());
    Err(format!("\"{}\" is neither a colour (#rrggbb or a name such as bright-blue) nor an attribute{near}.", Untrusted::from(text).line()))
}

fn fewer(colour: Color, depth: Depth) -> Color {
    let Color::Rgb(r, g, b) = colour else { return colour };
    if depth == Depth::Indexed {
        let step = |v: u8| {
            if v < 48 {
                0
            } else if v < 115 {
                1
            } else {
                (v - 35) / 40
            }
        };
        return Color::Indexed(16 + 36 * step(r) + 6 * step(g) + step(b));
    }
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most - least < 40 {
        return match most {
            0..60 => Color::Black,
            60..130 => Color::DarkGray,
            130..210 => Color::Gray,
            _ => Color::White,
        };
    }
    let middle = most / 2 + least / 2;
    let base = usize::from(r > middle) + 2 * usize::from(g > middle) + 4 * usize::from(b > middle);
    SIXTEEN[if most > 200 { base + 8 } else { base }]
}

/// Contrast between two colours, from 1 to 21 (WCAG 2.2, "contrast ratio"); `None` if either is not given in red, green and blue.
pub fn contrast(one: Color, other: Color) -> Option<f64> {
    let light = |c: Color| {
        let Color::Rgb(r, g, b) = c else { return None };
        let part = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b) + 0.05)
    };
    let (a, b) = (light(one)?, light(other)?);
    Some(if a > b { a / b } else { b / a })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_defines_every_role_with_enough_contrast() {
        for (name, text) in EMBEDDED {
            let theme = Theme::parse(name, text).unwrap_or_else(|m| panic!("{m:#?}"));
            assert_eq!(theme.name, *name);
            for role in Role::ALL {
                let style = theme.style(*role);
                let (fg, bg) = (style.fg.unwrap_or(Color::Reset), style.bg.unwrap_or(theme.paper));
                let least = match role {
                    Role::Border => 1.5,
                    _ if *name == "high-contrast" => 7.0,
                    _ => 4.5,
                };
                // Who needs contrast may have any background: this one relies on none.
                assert!(*name != "high-contrast" || style.bg.is_some(), "{name}: {} has no background", role.name());
                if let Some(ratio) = contrast(fg, bg) {
                    assert!(ratio >= least, "{name}: {} has contrast {ratio:.2}, needs {least}", role.name());
                } else {
                    assert!(fg == Color::Reset || *name == "sixteen", "{name}: {} can't be judged", role.name());
                }
            }
            assert_ne!(theme.style(Role::Good), theme.style(Role::Bad), "{name}");
        }
    }

    #[test]
    fn all_mistakes_of_a_theme_come_together_with_lines() {
        let text = "paper = 'chartreuse'\nfoo = 1\n[roles]\ntext = 'bold'\nbda = 'red'\nbad = 'rde'\ndim = 3\n";
        let mistakes = Theme::parse("mine.toml", text).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().filter(|m| !m.sentence.contains("is missing")).map(|m| m.line).collect();
        assert_eq!(lines, [1, 2, 5, 6, 7]);
        assert!(mistakes.iter().any(|m| m.sentence.contains("did you mean \"bad\"?")), "{mistakes:#?}");
        assert!(mistakes.iter().any(|m| m.sentence == "The role \"accent\" is missing."));
    }

    #[test]
    fn without_colours_selection_is_still_to_be_seen() {
        let theme = Theme::embedded("dark").unwrap().at_depth(Depth::None);
        for role in Role::ALL {
            assert_eq!((theme.style(*role).fg, theme.style(*role).bg), (None, None), "{}", role.name());
        }
        assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
        assert_eq!(Depth::of(Some("1"), Some("truecolor"), None), Depth::None);
        assert_eq!(Depth::of(Some(""), None, Some("xterm-256color")), Depth::Indexed);
        assert_eq!(Depth::of(None, None, Some("linux")), Depth::Sixteen);
    }

    #[test]
    fn fewer_colours_keep_their_hue() {
        let theme = Theme::embedded("dark").unwrap().at_depth(Depth::Sixteen);
        let bad = theme.style(Role::Bad).fg.unwrap();
        assert!(matches!(bad, Color::LightRed | Color::Red), "{bad:?}");
    }
}
