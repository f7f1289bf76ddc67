//! Mistakes in files that people write (themes, keymaps, views): all of them at once, each with its line.
//!
//! Contract: never stops at the first mistake. Texts from the file are shown sanitised. Knows neither themes nor keys.

use toml::Spanned;
use toml::de::DeTable;

use crate::base::Untrusted;

/// The largest file of settings that is read, in bytes.
pub const MAX_FILE: usize = 256 * 1024;
/// The most mistakes that are listed.
pub const MAX_MISTAKES: usize = 50;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {sentence}")]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub sentence: String,
}

/// Collects the mistakes of one file.
pub struct Mistakes<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Mistake>,
    /// How many of them are of syntax.
    syntax: usize,
}

impl<'a> Mistakes<'a> {
    /// Begins with a file's name and text.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new(), syntax: 0 }
    }

    /// The file as a table; what can't be read as TOML is noted.
    pub fn table(&mut self) -> Spanned<DeTable<'a>> {
        let text = if self.text.len() > MAX_FILE {
            self.add(0, format!("The file is larger than {MAX_FILE} bytes."));
            ""
        } else {
            self.text
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            self.add(error.span().map_or(0, |s| s.start), Untrusted::from(error.message()).line());
        }
        self.syntax = self.found.len();
        table
    }

    /// Notes a mistake at a place in the text, given as byte offset.
    pub fn add(&mut self, at: usize, sentence: impl Into<String>) {
        if self.found.len() < MAX_MISTAKES {
            let before = self.text.get(..at.min(self.text.len())).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            self.found.push(Mistake { file: self.file.to_owned(), line, sentence: sentence.into() });
        }
    }

    /// All of them, in order of lines; those of syntax alone where there are any, for what was read of such a file says little about it.
    pub fn found(mut self) -> Vec<Mistake> {
        if self.syntax > 0 {
            self.found.truncate(self.syntax);
        }
        self.found.sort_by_key(|m| m.line);
        self.found
    }
}

/// The words nearest to an unknown one, as `; did you mean "x"?`, or nothing.
pub fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|k| (distance(word, k), k)).min();
    match near {
        Some((d, k)) if d <= 1 + word.chars().count() / 3 => format!("; did you mean \"{k}\"?"),
        _ => String::new(),
    }
}

/// Edit distance, for short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let best = (corner + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_of_syntax_has_its_line() {
        let text = "a = 1\nb = = 2\n\nc = \"x\nd = 3\n";
        let mut mistakes = Mistakes::new("k.toml", text);
        mistakes.table();
        let lines: Vec<usize> = mistakes.found().iter().map(|m| m.line).collect();
        assert!(lines.contains(&2) && lines.contains(&4), "{lines:?}");
    }

    #[test]
    fn near_words_are_offered() {
        assert_eq!(did_you_mean("take-nxt", ["quit", "take-next"].into_iter()), "; did you mean \"take-next\"?");
        assert_eq!(did_you_mean("zzz", ["quit"].into_iter()), "");
    }
}
