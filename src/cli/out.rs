//! What a command says, and how it ends.
//!
//! Contract: everything printed is sanitised, line by line; a reader that went away ends the program quietly. Knows no command.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use crate::base::text::sanitise;
use crate::client::ClientError;

/// It failed.
pub const FAILED: u8 = 1;
/// Arguments or configuration are wrong.
pub const USAGE: u8 = 2;
/// A rule refused it.
pub const REFUSED: u8 = 3;
/// No credential, or one that is no longer good.
pub const NOT_SIGNED_IN: u8 = 4;
/// The server can't be reached.
pub const UNREACHABLE: u8 = 5;
/// There is no such thing.
pub const NOT_FOUND: u8 = 6;
/// Someone changed it meanwhile.
pub const CHANGED: u8 = 7;
/// It was sent, and no answer came: whether it was done is not known.
pub const UNKNOWN: u8 = 8;

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The exit code.
    #[serde(rename = "exit")]
    pub code: u8,
    /// A stable code, e.g. `separation-of-duties`.
    pub error: String,
    /// A sentence to act on.
    pub detail: String,
    /// Every mistake, where several were found at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
    /// The request, for support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Failure {
    /// With an exit code and a sentence.
    pub fn new(code: u8, detail: impl Into<String>) -> Self {
        let error = match code {
            USAGE => "usage",
            NOT_SIGNED_IN => "not-signed-in",
            NOT_FOUND => "not-found",
            _ => "failed",
        };
        Self { code, error: error.to_owned(), detail: detail.into(), mistakes: Vec::new(), request_id: None }
    }

    /// Wrong arguments or configuration.
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(USAGE, detail)
    }

    /// Several mistakes at once.
    pub fn mistakes(detail: impl Into<String>, mistakes: Vec<String>) -> Self {
        Self { mistakes, ..Self::usage(detail) }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match (error.status(), &error) {
            (_, ClientError::Unreachable { .. } | ClientError::NotSent { .. }) => UNREACHABLE,
            (_, ClientError::Unanswered { .. }) => UNKNOWN,
            (_, ClientError::Configuration(_)) => USAGE,
            // Whose answer that is, nobody knows: no rule's.
            (_, ClientError::NotUnderstood { .. }) => FAILED,
            (Some(401), _) => NOT_SIGNED_IN,
            // What was asked for can't be read, or means nothing: the asker's arguments, not a rule.
            (Some(400 | 413 | 414 | 422), _) if matches!(error.code(), "invalid" | "too-large" | "uri-too-long") => USAGE,
            (Some(409), _) if error.code() == "stale-seal" => CHANGED,
            (Some(403 | 409 | 422), _) => REFUSED,
            (Some(404), _) => NOT_FOUND,
            (Some(412), _) => CHANGED,
            _ => FAILED,
        };
        let mistakes = error.problem().map(|p| p.mistakes.clone()).unwrap_or_default();
        Self { code, error: error.code().to_owned(), detail: error.to_string(), mistakes, request_id: error.request_id() }
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::mistakes("The configuration can't be used.", error.to_string().lines().map(str::to_owned).collect())
    }
}

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    /// Sentences, or JSON.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Writes text as it is, for what other programs read (completions, manual page).
    pub fn raw(self, text: &[u8]) -> Result<(), Failure> {
        put(text).map(drop)
    }

    /// Answers with a value, or with the sentences made of it. JSON escapes what sanitising would mark.
    pub fn answer<T: Serialize>(self, value: &T, sentences: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        self.each(value, sentences).map(drop)
    }

    /// As [`Out::answer`], for one of many answers: false once its reader went away.
    pub fn each<T: Serialize>(self, value: &T, sentences: impl FnOnce(&T) -> String) -> Result<bool, Failure> {
        if !self.json {
            return put(&clean(&sentences(value)));
        }
        let text = serde_json::to_string(value).map_err(|e| Failure::new(FAILED, format!("can't be written as JSON: {e}")))?;
        put((escape(&text) + "\n").as_bytes())
    }

    /// Says why it failed, and gives the exit code.
    pub fn fail(self, failure: &Failure) -> ExitCode {
        let text = if self.json {
            escape(&serde_json::to_string(failure).unwrap_or_default())
        } else {
            let mut text = format!("countersign: {}", failure.detail);
            for mistake in &failure.mistakes {
                let _ = write!(text, "\n  {mistake}");
            }
            if let Some(id) = &failure.request_id {
                let _ = write!(text, "\n  request {id}");
            }
            sanitise(&text, true)
        };
        let _ = writeln!(std::io::stderr().lock(), "{text}");
        ExitCode::from(failure.code)
    }
}

/// Says how far something is, in percent, where a person watches: on standard error, if that is a terminal.
pub fn progress(what: &'static str) -> impl Fn(u64, u64) {
    let (shown, terminal) = (std::cell::Cell::new(u64::MAX), std::io::stderr().is_terminal());
    move |done, of| {
        let percent = done * 100 / of.max(1);
        if terminal && shown.replace(percent) != percent {
            let _ = write!(std::io::stderr(), "\r{what}: {percent}%{}", if percent == 100 { "\n" } else { "" });
        }
    }
}

/// Writes; whether anybody reads it still.
fn put(text: &[u8]) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure::new(FAILED, format!("can't write: {e}"))),
    }
}

/// Whole lines, sanitised.
fn clean(text: &str) -> Vec<u8> {
    let mut clean = sanitise(text, true);
    if !clean.ends_with('\n') {
        clean.push('\n');
    }
    clean.into_bytes()
}

/// Everything beyond printable ASCII and letters as `\uXXXX`, so that JSON printed to a terminal can't steer it either.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii_graphic() || c == ' ' || (c.is_alphanumeric() && sanitise(&c.to_string(), false).len() == c.len_utf8()) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// The widest that a column is made for its cells.
const WIDEST: usize = 40;

/// A cell that keeps its column in line: what is wider than a column may be ends with `…`.
pub fn fitted(cell: &str) -> String {
    let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
    if width(cell) <= WIDEST {
        return cell.to_owned();
    }
    let mut kept = String::new();
    for c in cell.chars() {
        if width(&kept) + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) >= WIDEST {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// Columns, each as wide as its widest cell up to a bound, the last one free.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
    let widths: Vec<usize> = (0..head.len())
        .map(|i| rows.iter().map(|r| r.get(i).map_or(0, |c| width(c))).chain([width(head[i])]).max().unwrap_or(0).min(WIDEST))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let (mut text, mut here, mut next) = (String::new(), 0, 0);
        for (cell, w) in cells.zip(&widths) {
            // What is longer than its column moves as few of those after it as it can.
            next += w + 2;
            here += width(cell);
            let blanks = next.saturating_sub(here).max(2);
            here += blanks;
            text += cell;
            text += &" ".repeat(blanks);
        }
        text.trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut head.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_output_holds_nothing_that_steers_a_terminal() {
        let text = serde_json::to_string("a\u{1b}]52;c\u{7}\u{9b}\u{202e}é日😀").unwrap();
        let out = escape(&text);
        assert!(out.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{out}");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), "a\u{1b}]52;c\u{7}\u{9b}\u{202e}é日😀");
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(table(&["a", "bb"], &[vec!["xyz".into(), "1".into()]]), "a    bb\nxyz  1\n");
        let long = "x".repeat(45);
        let text = table(&["a", "b", "c"], &[vec![long, "1".into(), "z".into()], vec![String::new(), "12345678".into(), "z".into()]]);
        let ends: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(ends[1..], [53, 53], "only as far out of line as it has to be:\n{text}");
        let long = ["medium, repeat request, address too new, subject can't be told", &"\u{65e5}".repeat(30)].map(fitted);
        assert!(long.iter().all(|cell| cell.ends_with('…')) && fitted("low") == "low", "{long:?}");
    }
}
