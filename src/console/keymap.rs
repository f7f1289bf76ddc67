//! Keys as data: which keys, one after the other, mean which action.
//!
//! Contract: defaults come from the action table; a user file may change any of them; all mistakes are reported together, also two actions
//! on the same keys where both apply. Nothing needs Alt. Knows no screen.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Scope};
use super::mistakes::{Mistake, Mistakes, did_you_mean};
use super::overlay::CONFIRM;
use crate::base::Untrusted;

/// The longest chord.
const MAX_CHORD: usize = 3;

/// One key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// With what held down; shift is dropped where the character already says it.
    pub with: KeyModifiers,
}

impl Key {
    /// From what the terminal sent.
    pub fn of(event: KeyEvent) -> Self {
        let mut with = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = event.code;
        match code {
            KeyCode::Char(c) => {
                if with.contains(KeyModifiers::CONTROL) {
                    code = KeyCode::Char(c.to_ascii_lowercase());
                }
                with.remove(KeyModifiers::SHIFT);
            }
            KeyCode::BackTab => {
                code = KeyCode::Tab;
                with.insert(KeyModifiers::SHIFT);
            }
            _ => {}
        }
        Self { code, with }
    }

    /// Reads `q`, `G`, `ctrl-d`, `shift-tab`, `enter`, `space`, `f1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut with = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((word, more)) = rest.split_once('-').filter(|(w, m)| !w.is_empty() && !m.is_empty()) {
            with |= match word {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return None,
            };
            rest = more;
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => named(rest)?,
        };
        if matches!(code, KeyCode::Char(_)) && with.contains(KeyModifiers::SHIFT) {
            return None;
        }
        // As [`Key::of`] has it: terminals don't tell ctrl-G from ctrl-g.
        let code = match code {
            KeyCode::Char(c) if with.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Some(Self { code, with })
    }
}

const NAMED: [(&str, KeyCode); 15] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
];

fn named(text: &str) -> Option<KeyCode> {
    let function = || text.strip_prefix('f')?.parse().ok().filter(|n| (1..=12).contains(n)).map(KeyCode::F);
    NAMED.iter().find(|(n, _)| *n == text).map(|(_, c)| *c).or_else(function)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, word) in [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")] {
            if self.with.contains(flag) {
                f.write_str(word)?;
            }
        }
        match self.code {
            KeyCode::Enter => f.write_str("⏎"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::Esc => f.write_str("Esc"),
            KeyCode::Tab => f.write_str("Tab"),
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            code => {
                let name = NAMED.iter().find(|(_, c)| *c == code).map_or("?", |(n, _)| n);
                let (first, rest) = name.split_at(1);
                write!(f, "{}{rest}", first.to_ascii_uppercase())
            }
        }
    }
}

/// Keys one after the other.
pub type Chord = Vec<Key>;

/// A chord as a reader sees it.
pub fn show(chord: &[Key]) -> String {
    chord.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn parse_chord(text: &str) -> Option<Chord> {
    let keys: Option<Chord> = text.split_whitespace().map(Key::parse).collect();
    keys.filter(|k| (1..=MAX_CHORD).contains(&k.len()))
}

/// What a run of keys means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    Nothing,
    /// The beginning of a chord.
    Prefix,
    /// An action.
    Act(Action),
}

/// Which keys mean what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<(Action, Vec<Chord>)>,
}

impl Default for Keymap {
    fn default() -> Self {
        let chords = |a: &Action| a.row().keys.iter().filter_map(|k| parse_chord(k)).collect();
        Self { bindings: Action::ALL.iter().map(|a| (*a, chords(a))).collect() }
    }
}

impl Keymap {
    /// Reads a keymap file: a table `[keys]` with `action = ["key", "key key"]`; what it does not name stays as it was.
    ///
    /// # Errors
    /// Every mistake of the file with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::new(file, text);
        let table = mistakes.table();
        let mut map = Self::default();
        let mut changed: Vec<(Action, usize)> = Vec::new();
        for (key, value) in table.get_ref() {
            let Some(keys) = value.get_ref().as_table().filter(|_| key.get_ref().as_ref() == "keys") else {
                mistakes.add(key.span().start, "Only a table [keys] is expected here.");
                continue;
            };
            for (name, value) in keys {
                let Some(action) = Action::ALL.iter().copied().find(|a| a.row().name == name.get_ref().as_ref()) else {
                    let near = did_you_mean(name.get_ref(), Action::ALL.iter().map(|a| a.row().name));
                    mistakes.add(name.span().start, format!("There is no action \"{}\"{near}.", Untrusted::from(name.get_ref().as_ref()).line()));
                    continue;
                };
                if let Some(chords) = chords_of(value, &mut mistakes) {
                    changed.push((action, name.span().start));
                    if let Some(entry) = map.bindings.iter_mut().find(|(a, _)| *a == action) {
                        entry.1 = chords;
                    }
                }
            }
        }
        for (action, at) in changed {
            let asks = action.row().writes || action == Action::Submit;
            let confirms = Key { code: KeyCode::Char(CONFIRM), with: KeyModifiers::NONE };
            if asks && map.chords(action).iter().any(|c| c.last() == Some(&confirms)) {
                mistakes
                    .add(at, format!("{CONFIRM} confirms: keys of \"{}\", which may have to be confirmed, can't end with it.", action.row().name));
            }
            if let Some(why) = map.never_comes(action) {
                mistakes.add(at, why);
            }
            if let Some(other) = map.clash(action) {
                mistakes.add(at, format!("\"{}\" and \"{}\" would share keys where both apply.", action.row().name, other.row().name));
            }
        }
        let found = mistakes.found();
        if found.is_empty() { Ok(map) } else { Err(found) }
    }

    /// Why keys of an action would not do what it is for, if so: what leaves from anywhere is looked for key by key, and where one types, letters
    /// are typed.
    fn never_comes(&self, action: Action) -> Option<String> {
        let (name, leaves) = (action.row().name, action == Action::Leave);
        let types = |key: &Key| matches!(key.code, KeyCode::Char(_)) && !key.with.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        if leaves && self.chords(action).iter().any(|c| c.len() > 1) {
            return Some(format!("\"{name}\" works from anywhere: it takes single keys, not several one after the other."));
        }
        let form = leaves || action.row().scope == Scope::FORM;
        let letter = self.chords(action).iter().filter_map(|c| c.first()).find(|key| form && types(key))?;
        Some(format!("\"{name}\" works while one types: {letter} would be typed no more. Take a key such as ctrl-s, esc or f2."))
    }

    /// Another action that has the same keys, or the beginning of them, where both apply.
    pub fn clash(&self, action: Action) -> Option<Action> {
        let mine = self.chords(action);
        let meets = |a: &Chord, b: &Chord| a.starts_with(b) || b.starts_with(a);
        self.bindings
            .iter()
            .filter(|(other, _)| *other != action && other.row().scope.meets(action.row().scope))
            .find(|(_, chords)| chords.iter().any(|c| mine.iter().any(|m| meets(c, m))))
            .map(|(other, _)| *other)
    }

    /// The chords of an action.
    pub fn chords(&self, action: Action) -> &[Chord] {
        self.bindings.iter().find(|(a, _)| *a == action).map_or(&[], |(_, c)| c.as_slice())
    }

    /// The first chord of an action, as a reader sees it.
    pub fn shown(&self, action: Action) -> Option<String> {
        self.chords(action).first().map(|c| show(c))
    }

    /// Whether a longer chord of some place begins with these keys, whatever they mean by themselves elsewhere.
    pub fn begins(&self, keys: &[Key]) -> bool {
        self.bindings.iter().flat_map(|(_, chords)| chords).any(|chord| chord.len() > keys.len() && chord.starts_with(keys))
    }

    /// What the keys mean among the actions that `there` lets through.
    pub fn meaning(&self, keys: &[Key], there: impl Fn(Action) -> bool) -> Meaning {
        let mut meaning = Meaning::Nothing;
        for (action, chords) in self.bindings.iter().filter(|(a, _)| there(*a)) {
            for chord in chords {
                if chord.as_slice() == keys {
                    return Meaning::Act(*action);
                }
                if chord.starts_with(keys) {
                    meaning = Meaning::Prefix;
                }
            }
        }
        meaning
    }
}

fn chords_of(value: &toml::Spanned<toml::de::DeValue<'_>>, mistakes: &mut Mistakes<'_>) -> Option<Vec<Chord>> {
    let one;
    let list: Vec<_> = if let Some(list) = value.get_ref().as_array() {
        list.iter().map(|v| (v.span().start, v.get_ref().as_str())).collect()
    } else {
        one = value.get_ref().as_str();
        vec![(value.span().start, one)]
    };
    let mut chords = Vec::new();
    let mut good = true;
    for (at, text) in list {
        match text.map(|t| (t, parse_chord(t))) {
            Some((_, Some(chord))) => chords.push(chord),
            Some((text, None)) => {
                good = false;
                let shown = Untrusted::from(text).line();
                mistakes.add(
                    at,
                    format!("\"{shown}\" is no key: write q, G, ctrl-d, shift-tab, enter, f1, or up to {MAX_CHORD} of them with blanks between."),
                );
            }
            None => {
                good = false;
                mistakes.add(at, "Keys are texts in quotes, or a list of them.");
            }
        }
    }
    good.then_some(chords)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_and_show_and_nothing_needs_alt() {
        for (text, shown) in [("q", "q"), ("G", "G"), ("ctrl-d", "Ctrl-d"), ("shift-tab", "Shift-Tab"), ("enter", "⏎"), ("-", "-"), ("f12", "F12")]
        {
            assert_eq!(Key::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "ctrl-", "super-x", "f13", "shift-a", "qq"] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
        let map = Keymap::default();
        for action in Action::ALL {
            assert_eq!(map.chords(*action).len(), action.row().keys.len(), "{}: a default key can't be read", action.row().name);
            assert!(map.chords(*action).iter().flatten().all(|k| !k.with.contains(KeyModifiers::ALT)), "{}", action.row().name);
            assert_eq!(map.clash(*action), None, "{}", action.row().name);
        }
    }

    #[test]
    fn a_user_file_changes_keys_and_reports_every_mistake() {
        let map = Keymap::parse("keys.toml", "[keys]\nquit = 'ctrl-q'\npalette = []\n").unwrap();
        assert_eq!(map.shown(Action::Quit).as_deref(), Some("Ctrl-q"));
        assert_eq!(map.shown(Action::Palette), None);
        let text = "[keys]\nqiut = 'x'\nquit = 'nokey'\npalette = 3\nhelp = 'q'\n[other]\n";
        let mistakes = Keymap::parse("keys.toml", text).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|m| m.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6], "{mistakes:#?}");
        assert!(mistakes[0].sentence.contains("did you mean \"quit\"?"));
        assert!(mistakes[3].sentence.contains("share keys"));
        let map = Keymap::parse("keys.toml", "[keys]\nlast = 'ctrl-G'\nsubmit = ['f2', 'alt-s']\n").unwrap();
        assert_eq!(map.chords(Action::Last), [vec![Key::of(KeyEvent::new(KeyCode::Char('G'), KeyModifiers::CONTROL))]]);
        for never in ["leave-at-once = 'ctrl-x ctrl-c'", "leave-at-once = 'Q'", "submit = 'a'", "cancel = ['esc', 'space']", "editor = 'v e'"] {
            let mistakes = Keymap::parse("keys.toml", &format!("[keys]\n{never}\n")).unwrap_err();
            assert!(mistakes.iter().any(|m| m.line == 2 && m.sentence.contains("works ")), "{never}: {mistakes:?}");
        }
        for asks in ["request-approval", "withdraw", "submit"] {
            let mistakes = Keymap::parse("keys.toml", &format!("[keys]\n{asks} = 'z y'\n")).unwrap_err();
            assert!(mistakes.iter().any(|m| m.sentence.contains("y confirms")), "{asks}: {mistakes:?}");
        }
    }
}
