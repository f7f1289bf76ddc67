//! Reading a TOML text value by value, so that all mistakes are found in one go and each knows its line.
//!
//! Contract: whoever reads asks for keys one by one; what was not asked for is unknown and refused. A variable
//! `COUNTERSIGN_<SECTION>_<KEY>` outranks the file's value of that key. Knows no configuration in particular.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Mistake, Variables};
use crate::base::text::sanitise;

/// What all variables begin with.
pub const PREFIX: &str = "COUNTERSIGN";

/// A text being read, its variables, and what was found wrong so far.
pub struct Reader<'a> {
    text: &'a str,
    variables: &'a Variables,
    mistakes: Vec<Mistake>,
}

/// One table of the text; an absent one reads as empty.
pub struct Section<'t, 'a> {
    table: Option<&'t DeTable<'a>>,
    path: String,
    seen: BTreeSet<&'static str>,
    free: bool,
}

/// Parses the text, hands its root to `read`, and gives what it made, or every mistake.
pub fn parse<T>(text: &str, variables: &Variables, read: impl FnOnce(&mut Reader<'_>, &mut Section<'_, '_>) -> T) -> Result<T, ConfigError> {
    let mut reader = Reader { text, variables, mistakes: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(text);
    // What follows such a place means nothing certain: the first one is told alone.
    if let Some(error) = errors.iter().min_by_key(|e| e.span().map(|s| s.start)) {
        return Err(ConfigError { file: None, mistakes: vec![reader.not_toml(error.span(), error.message())] });
    }
    let mut section = Section { table: Some(root.get_ref()), path: String::new(), seen: BTreeSet::new(), free: false };
    let value = read(&mut reader, &mut section);
    reader.unknown(&section);
    if reader.mistakes.is_empty() {
        return Ok(value);
    }
    reader.mistakes.sort();
    reader.mistakes.dedup();
    Err(ConfigError { file: None, mistakes: reader.mistakes })
}

impl<'t, 'a> Section<'t, 'a> {
    fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'a>>> {
        self.seen.insert(key);
        self.table?.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    /// A key with its section, as a reader would write it.
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Lets keys stand there that somebody else reads.
    pub fn leave(&mut self, keys: &[&'static str]) {
        self.seen.extend(keys);
    }

    /// Whether the section is written in the file at all.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
    }

    /// Where the text ceases to be TOML, to the character.
    fn not_toml(&self, at: Option<std::ops::Range<usize>>, why: &str) -> Mistake {
        let before = at.and_then(|at| self.text.get(..at.start));
        let column = before.map(|b| b.chars().rev().take_while(|c| *c != '\n').count() + 1);
        let place = column.map(|c| format!("column {c}: ")).unwrap_or_default();
        Mistake { line: before.map(|b| self.line(b.len())), variable: None, message: sanitise(&format!("{place}not TOML: {why}"), false) }
    }

    /// Notes a mistake that a check beyond types found, at the key's line if it is written.
    pub fn wrong(&mut self, section: &Section<'_, '_>, key: &str, message: &str) {
        let (line, variable) = self.place(section, key);
        self.mistakes.push(Mistake { line, variable, message: format!("{}: {}", section.name(key), sanitise(message, false)) });
    }

    /// Where a key's value stands: the variable that outranks the file, or else the line, if it is written.
    pub fn place(&self, section: &Section<'_, '_>, key: &str) -> (Option<usize>, Option<String>) {
        if let Some((name, _)) = self.variable(section, key) {
            return (None, Some(name));
        }
        let place = section.table.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == key)).map(|(k, _)| k.span().start);
        (place.map(|offset| self.line(offset)), None)
    }

    fn unknown(&mut self, section: &Section<'_, '_>) {
        if section.free {
            return;
        }
        let known: Vec<&str> = section.seen.iter().copied().collect();
        for (key, _) in section.table.into_iter().flatten() {
            if !section.seen.contains(key.get_ref().as_ref()) {
                let line = Some(self.line(key.span().start));
                let name = sanitise(&section.name(key.get_ref()), false);
                self.mistakes.push(Mistake { line, variable: None, message: format!("{name} is not known; known here: {}", known.join(", ")) });
            }
        }
    }

    fn variable(&self, section: &Section<'_, '_>, key: &str) -> Option<(String, String)> {
        let name = format!("{PREFIX}_{}", section.name(key).to_uppercase().replace(['.', '-'], "_"));
        self.variables.get(&name).map(|value| (name, value.clone()))
    }

    /// A text.
    pub fn text(&mut self, section: &mut Section<'_, '_>, key: &'static str) -> Option<String> {
        let value = section.get(key);
        if let Some((_, value)) = self.variable(section, key) {
            return Some(value);
        }
        let value = value?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(section, key, &format!("is {}, not a text", value.get_ref().type_str()));
        }
        text
    }

    /// A text that parses into a type of its own; its error says what would be right.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, section: &mut Section<'_, '_>, key: &'static str) -> Option<T> {
        let text = self.text(section, key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(e) => {
                self.wrong(section, key, &format!("\"{text}\": {e}"));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, section: &mut Section<'_, '_>, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let value = section.get(key);
        let digits = match self.variable(section, key) {
            Some((_, text)) => Some(text),
            None => Some(
                value?.get_ref().as_integer().map_or_else(String::new, |i| if i.radix() == 10 { i.as_str().replace('_', "") } else { String::new() }),
            ),
        };
        let number = digits.and_then(|d| d.parse().ok()).filter(|n| bounds.contains(n));
        if number.is_none() {
            self.wrong(section, key, &format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }

    /// Yes or no.
    pub fn flag(&mut self, section: &mut Section<'_, '_>, key: &'static str) -> Option<bool> {
        let value = section.get(key);
        let flag = match self.variable(section, key) {
            Some((_, text)) => text.parse().ok(),
            None => value?.get_ref().as_bool(),
        };
        if flag.is_none() {
            self.wrong(section, key, "must be true or false");
        }
        flag
    }

    /// A list of texts; from a variable, parted by commas.
    pub fn texts(&mut self, section: &mut Section<'_, '_>, key: &'static str) -> Option<Vec<String>> {
        let value = section.get(key);
        if let Some((_, text)) = self.variable(section, key) {
            return Some(text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect());
        }
        let items = value?.get_ref().as_array().map(|a| a.iter().map(|i| i.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
        if let Some(Some(items)) = items {
            return Some(items);
        }
        self.wrong(section, key, "must be a list of texts");
        None
    }

    /// A table within this one; an absent one reads as empty.
    pub fn section<T>(&mut self, parent: &mut Section<'_, '_>, key: &'static str, read: impl FnOnce(&mut Self, &mut Section<'_, '_>) -> T) -> T {
        let table = parent.get(key).and_then(|v| v.get_ref().as_table());
        if table.is_none() && parent.table.is_some_and(|t| t.iter().any(|(k, _)| k.get_ref() == key)) {
            self.wrong(parent, key, "must be a table");
        }
        let mut section = Section { table, path: parent.name(key), seen: BTreeSet::new(), free: false };
        let value = read(self, &mut section);
        self.unknown(&section);
        value
    }

    /// Every key of a section whose keys are free names, each a text.
    pub fn all_texts(&mut self, section: &mut Section<'_, '_>) -> Vec<(String, String)> {
        let mut values = Vec::new();
        for (name, value) in section.table.into_iter().flatten() {
            match value.get_ref().as_str() {
                Some(text) => values.push((name.get_ref().to_string(), text.to_owned())),
                None => self.wrong(section, name.get_ref(), "must be a text"),
            }
        }
        section.free = true;
        values
    }

    /// Every named table within a table, e.g. `[targets.directory]`; `read` gets its name.
    pub fn named<T>(
        &mut self,
        parent: &mut Section<'_, '_>,
        key: &'static str,
        mut read: impl FnMut(&mut Self, &str, &mut Section<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        let Some(table) = parent.get(key).and_then(|v| v.get_ref().as_table()) else { return values };
        for (name, value) in table {
            let path = format!("{}.{}", parent.name(key), name.get_ref());
            let Some(inner) = value.get_ref().as_table() else {
                let line = Some(self.line(name.span().start));
                self.mistakes.push(Mistake { line, variable: None, message: format!("{} must be a table", sanitise(&path, false)) });
                continue;
            };
            let mut section = Section { table: Some(inner), path, seen: BTreeSet::new(), free: false };
            values.extend(read(self, name.get_ref(), &mut section));
            self.unknown(&section);
        }
        values
    }
}
