//! Reads rows from CSV (with a header) and JSON (an array of objects, or one object a line), each with its line number.
//!
//! Contract: pure, bounded, and a row that can't be read does not hide the rows after it. Knows nothing about what rows mean.

use serde::de::DeserializeOwned;

use super::{ImportError, MAX_ROWS};
use crate::base::text::sanitise;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180) with a header line.
    Csv,
    /// JSON.
    Json,
}

/// A row and where it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    /// Line in the file, from 1.
    pub line: u64,
    /// Its id as it is written, if one is.
    pub id: Option<String>,
    /// What was read, or why it could not be.
    pub row: Result<T, String>,
}

/// A row that can be read from the cells of a line.
pub trait FromCells: DeserializeOwned {
    /// The columns there are; others are refused.
    const COLUMNS: &'static [&'static str];
    /// Reads the cells; missing columns read as empty.
    fn from_cells(cell: &dyn Fn(&str) -> String) -> Result<Self, String>;
}

/// All rows of a file.
pub fn rows<T: FromCells>(format: Format, bytes: &[u8]) -> Result<Vec<Row<T>>, ImportError> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].split(|b| *b == b'\n').count();
        ImportError::File(format!("Line {line}: the file is not UTF-8."))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Csv => csv_rows(text),
        Format::Json => json_rows(text),
    }
}

fn too_many() -> ImportError {
    ImportError::File(format!("The file has more than {MAX_ROWS} rows. Split it."))
}

/// Names from a file that may be anything, a program too: a few of them, and the beginning of each.
fn some_of(names: &[&str]) -> String {
    const NAMED: usize = 8;
    const LETTERS: usize = 40;
    let one = |name: &&str| {
        let cut: String = name.chars().take(LETTERS).collect();
        format!("{}{}", sanitise(&cut, false), if cut.len() < name.len() { "\u{2026}" } else { "" })
    };
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    names.iter().take(NAMED).map(one).collect::<Vec<_>>().join(", ") + &more
}

fn csv_rows<T: FromCells>(text: &str) -> Result<Vec<Row<T>>, ImportError> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| ImportError::File(format!("Line 1: {e}")))?.clone();
    let unknown: Vec<&str> = header.iter().filter(|h| !T::COLUMNS.contains(h)).collect();
    if !unknown.is_empty() {
        let known = T::COLUMNS.join(", ");
        return Err(ImportError::File(format!("Line 1: unknown columns: {}. Known are: {known}.", some_of(&unknown))));
    }
    let twice = header.iter().enumerate().find(|(i, h)| header.iter().take(*i).any(|other| other == *h));
    if let Some((_, name)) = twice {
        return Err(ImportError::File(format!("Line 1: the column {name} stands there twice.")));
    }
    if !header.iter().any(|h| h == "id") {
        return Err(ImportError::File("Line 1: the first line must name the columns, id among them.".to_owned()));
    }
    let mut out = Vec::new();
    for record in reader.records() {
        if out.len() == MAX_ROWS {
            return Err(too_many());
        }
        let row = match record {
            Ok(record) => {
                let cell = |name: &str| header.iter().position(|h| h == name).and_then(|i| record.get(i)).unwrap_or_default().to_owned();
                let id = optional(sanitise(&cell("id"), false));
                Row { line: record.position().map_or(0, csv::Position::line), id, row: T::from_cells(&cell) }
            }
            Err(error) => Row { line: error.position().map_or(0, csv::Position::line), id: None, row: Err(csv_problem(&error)) },
        };
        out.push(row);
    }
    Ok(out)
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("it has {len} cells and the header {expected_len}"),
        _ => "it can't be read".to_owned(),
    }
}

fn json_rows<T: FromCells>(text: &str) -> Result<Vec<Row<T>>, ImportError> {
    let mut out = Vec::new();
    let (mut at, mut line, mut counted) = (0, 1_u64, 0);
    let array = text.trim_start().starts_with('[');
    if array {
        at = text.find('[').map_or(0, |i| i + 1);
    }
    loop {
        let rest = &text[at..];
        let skipped = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || (array && c == ',')).len();
        at += skipped;
        line += text[counted..at].bytes().filter(|b| *b == b'\n').count() as u64;
        counted = at;
        let rest = &text[at..];
        if rest.is_empty() || (array && rest.starts_with(']')) {
            let closed = !array || rest.trim_end() == "]";
            return if closed {
                Ok(out)
            } else {
                Err(ImportError::File(format!("Line {line}: the list does not end with ']', or goes on after it.")))
            };
        }
        if out.len() == MAX_ROWS {
            return Err(too_many());
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            // What follows broken JSON can't be told apart from it.
            Some(Err(e)) => return Err(ImportError::File(format!("Line {}: not JSON: {e}", line + e.line() as u64 - 1))),
            None => return Ok(out),
        };
        at += values.byte_offset();
        let id = value.get("id").and_then(serde_json::Value::as_str).map(|id| sanitise(id, false));
        out.push(Row { line, id, row: serde_json::from_value(value).map_err(|e| sanitise(&e.to_string(), false)) });
    }
}

/// The items of a cell that holds several, separated by `;`.
pub(super) fn list(cell: &str) -> Vec<String> {
    cell.split(';').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// A cell that may be empty.
pub(super) fn optional(cell: String) -> Option<String> {
    Some(cell).filter(|c| !c.is_empty())
}
