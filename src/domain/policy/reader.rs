//! Reads a policy file's tables field by field, and keeps every mistake with its line instead of stopping at the first.
//!
//! Contract: each field is asked for by name, with its bound; whatever was not asked for is an unknown key. Knows TOML and words, but not
//! what a policy means.

use std::collections::BTreeSet;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;
use super::ceilings::{Bound, MAX_MISTAKES};
use crate::base::text::sanitise;
use crate::domain::requirement::Seconds;
use crate::domain::vocabulary::UnknownWord;

/// Reads one file.
pub struct Reader {
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    /// What was wrong so far, at most [`MAX_MISTAKES`].
    pub mistakes: Vec<Mistake>,
}

/// One table that is being read.
pub struct Table<'a> {
    /// What messages call it.
    pub name: String,
    /// Its line, from 1.
    pub line: usize,
    fields: Vec<(&'a str, usize, &'a Spanned<DeValue<'a>>)>,
    asked: Vec<&'static str>,
}

impl Reader {
    /// A reader of that text.
    pub fn new(text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { lines, mistakes: Vec::new() }
    }

    /// The line of a byte, from 1.
    pub fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    /// Notes a mistake.
    pub fn mistake(&mut self, line: Option<usize>, message: impl Into<String>) {
        if self.mistakes.len() < MAX_MISTAKES {
            self.mistakes.push(Mistake { line, column: None, message: sanitise(&message.into(), false) });
        }
    }

    /// Where a text ceases to be TOML, to the character.
    pub fn not_toml(&self, text: &str, at: Option<std::ops::Range<usize>>, why: &str) -> Mistake {
        let message = sanitise(&format!("not TOML: {why}"), false);
        let Some(at) = at.map(|at| at.start) else { return Mistake { line: None, column: None, message } };
        let line = self.line(at);
        let begins = self.lines.get(line - 1).copied().unwrap_or(0);
        let column = text.get(begins..at).map_or(0, |before| before.chars().count()) + 1;
        Mistake { line: Some(line), column: Some(column), message }
    }

    /// A table to read; what it holds is taken field by field.
    pub fn open<'a>(&self, name: &str, at: usize, table: &'a DeTable<'a>) -> Table<'a> {
        let fields = table.iter().map(|(key, value)| (key.get_ref().as_ref(), self.line(key.span().start), value)).collect();
        Table { name: name.to_owned(), line: self.line(at), fields, asked: Vec::new() }
    }

    /// Closes a table: what was not asked for is unknown.
    #[allow(clippy::needless_pass_by_value, reason = "a closed table can't be read any further")]
    pub fn close(&mut self, table: Table<'_>) {
        for (key, line, _) in &table.fields {
            if !table.asked.contains(key) {
                let known = table.asked.join(", ");
                self.mistake(Some(*line), format!("{}: unknown key \"{key}\"; known here: {known}", table.name));
            }
        }
    }

    /// A required field that is missing.
    pub fn missing(&mut self, table: &Table<'_>, key: &str) {
        self.mistake(Some(table.line), format!("{}: \"{key}\" is missing", table.name));
    }

    /// Notes that a field has the wrong shape.
    pub fn wrong(&mut self, table: &Table<'_>, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let line = self.line(value.span().start);
        let found = value.get_ref().type_str();
        self.mistake(Some(line), format!("{}: \"{key}\" should be {wanted}, not {found}", table.name));
    }

    /// A text of 1 to `most` bytes.
    pub fn text(&mut self, table: &mut Table<'_>, key: &'static str, most: usize) -> Option<String> {
        let value = table.take(key)?;
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() && text.len() <= most => Some(sanitise(text.trim(), false)),
            Some(_) => {
                let line = self.line(value.span().start);
                self.mistake(Some(line), format!("{}: \"{key}\" should have 1 to {most} characters", table.name));
                None
            }
            None => {
                self.wrong(table, key, value, "a text");
                None
            }
        }
    }

    /// Yes or no; `None` where it is not given.
    pub fn yes(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<bool> {
        let value = table.take(key)?;
        let yes = value.get_ref().as_bool();
        if yes.is_none() {
            self.wrong(table, key, value, "true or false");
        }
        yes
    }

    /// A whole number within its bounds.
    pub fn number(&mut self, table: &mut Table<'_>, key: &'static str, (least, most, source): (u32, u32, &str)) -> Option<u32> {
        let value = table.take(key)?;
        let Some(number) = value.get_ref().as_integer().and_then(|i| i64::from_str_radix(i.as_str(), i.radix()).ok()) else {
            self.wrong(table, key, value, "a whole number");
            return None;
        };
        let number = u32::try_from(number).ok().filter(|n| (least..=most).contains(n));
        if number.is_none() {
            let line = self.line(value.span().start);
            self.mistake(Some(line), format!("{}: \"{key}\" may be {least} to {most} ({source})", table.name));
        }
        number
    }

    /// A span of time such as `"10 min"`, within its bound.
    pub fn span(&mut self, table: &mut Table<'_>, key: &'static str, bound: Bound) -> Option<Seconds> {
        let value = table.take(key)?;
        let line = Some(self.line(value.span().start));
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(table, key, value, "a span of time such as \"10 min\"");
            return None;
        };
        let Some(span) = parse_span(text) else {
            self.mistake(line, format!("{}: \"{key}\" is no span of time: write \"60 s\", \"10 min\", \"24 h\" or \"7 d\"", table.name));
            return None;
        };
        if span < bound.least {
            self.mistake(line, format!("{}: \"{key}\" is {}; at least {} ({})", table.name, show(span), show(bound.least), bound.source));
            return None;
        }
        if span > bound.most {
            self.mistake(line, format!("{}: \"{key}\" is {}; at most {} ({})", table.name, show(span), show(bound.most), bound.source));
            return None;
        }
        Some(span)
    }

    /// One word or a list of words.
    pub fn words<T: FromStr<Err = UnknownWord> + Ord>(&mut self, table: &mut Table<'_>, key: &'static str) -> BTreeSet<T> {
        let mut words = BTreeSet::new();
        for (line, text) in self.texts(table, key) {
            match text.parse() {
                Ok(word) => {
                    if !words.insert(word) {
                        self.mistake(Some(line), format!("{}: \"{key}\" names {text} twice", table.name));
                    }
                }
                Err(unknown) => self.mistake(Some(line), format!("{}: \"{key}\": {text} is {unknown}", table.name)),
            }
        }
        words
    }

    /// One text or a list of texts, each with its line; a list that is given must not be empty.
    pub fn texts<'a>(&mut self, table: &mut Table<'a>, key: &'static str) -> Vec<(usize, &'a str)> {
        let Some(value) = table.take(key) else {
            return Vec::new();
        };
        let single = std::slice::from_ref(value);
        let items: &[Spanned<DeValue<'a>>] = match value.get_ref() {
            DeValue::Array(items) => items,
            _ => single,
        };
        if items.is_empty() {
            self.wrong(table, key, value, "a list with at least one entry");
        }
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push((self.line(item.span().start), text)),
                None => self.wrong(table, key, item, "a text or a list of texts"),
            }
        }
        texts
    }

    /// A table inside a table.
    pub fn table<'a>(&mut self, table: &mut Table<'a>, key: &'static str) -> Option<Table<'a>> {
        let value = table.take(key)?;
        let inner = value.get_ref().as_table();
        if inner.is_none() {
            self.wrong(table, key, value, "a table");
        }
        inner.map(|t| self.open(&nested(&table.name, key), value.span().start, t))
    }

    /// A list of tables inside a table.
    pub fn tables<'a>(&mut self, table: &mut Table<'a>, key: &'static str) -> Vec<Table<'a>> {
        let Some(value) = table.take(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(table, key, value, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            match item.get_ref().as_table() {
                Some(t) => tables.push(self.open(&format!("{} {}", nested(&table.name, key), i + 1), item.span().start, t)),
                None => self.wrong(table, key, item, "a table"),
            }
        }
        tables
    }
}

impl<'a> Table<'a> {
    /// The value of a field, which is known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        self.fields.iter().find(|(k, ..)| *k == key).map(|(.., value)| *value)
    }

    /// Whether a field is given.
    pub fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(k, ..)| *k == key)
    }

    /// Counts a key among the known ones without reading it.
    pub fn know(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// All fields of a table whose keys are names; afterwards none is unknown.
    pub fn drain(&mut self) -> Vec<(&'a str, usize, &'a Spanned<DeValue<'a>>)> {
        std::mem::take(&mut self.fields)
    }
}

fn nested(outer: &str, key: &str) -> String {
    if outer.is_empty() { key.to_owned() } else { format!("{outer}.{key}") }
}

/// Reads `"60 s"`, `"10 min"`, `"24 h"`, `"7 d"`.
fn parse_span(text: &str) -> Option<Seconds> {
    let (number, unit) = text.trim().split_once(' ')?;
    let factor = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    Some(Seconds(number.parse::<u32>().ok()?.checked_mul(factor)?))
}

/// A span of time in the largest unit that holds it exactly, as policy files write it.
pub fn show(span: Seconds) -> String {
    match span.0 {
        0 => "0 s".to_owned(),
        s if s.is_multiple_of(86_400) => format!("{} d", s / 86_400),
        s if s.is_multiple_of(3_600) => format!("{} h", s / 3_600),
        s if s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
