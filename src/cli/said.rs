//! Texts of commands that come from a file or standard input, so that a log excerpt stands neither in `ps` nor in the shell's history.
//!
//! Contract: `-`, or no text at all, means what `--file` names, and without that standard input; at most [`MAX_TEXT`] bytes, and more is refused,
//! never cut. Knows no server.

use std::io::{IsTerminal as _, Read};
use std::path::Path;

use super::case::CaseCommand;
use super::out::Failure;
use crate::base::text::MAX_TEXT;

impl CaseCommand {
    /// The command's text, if it has one.
    pub(super) fn text_mut(&mut self) -> Option<&mut String> {
        Some(match self {
            Self::Approve(v) | Self::Deny(v) => &mut v.text,
            Self::NoChange(w) | Self::Comment(w) | Self::TakeBack(w) | Self::Reopen(w) | Self::Withdraw(w) | Self::Hold(w) | Self::RollBack(w) => {
                &mut w.text
            }
            Self::Evidence { text, .. } | Self::Telemetry { text, .. } | Self::Revoke { text, .. } => text,
            Self::HandOver { note, .. } | Self::Review { note, .. } => note,
            Self::LiftHold { reason, .. } => reason,
            Self::Triage(t) => &mut t.reproduction,
            _ => return None,
        })
    }
}

/// Puts in what `-` stands for.
///
/// # Errors
/// When the file can't be read, is too long or not text, when there is no text at all, or `--file` is given beside a text or to a command that takes none.
pub(super) fn fill(command: &mut CaseCommand, file: Option<&Path>) -> Result<(), Failure> {
    let twice = || Failure::usage("--file goes with `-` or no text, and only with commands that take one.");
    match (command.text_mut().filter(|t| *t == "-"), file) {
        (None, None) => {}
        (None, Some(_)) => return Err(twice()),
        (Some(text), Some(file)) => {
            let unread = |e: std::io::Error| Failure::usage(format!("{} can't be read: {e}.", file.display()));
            *text = bounded(std::fs::File::open(file).map_err(unread)?, &file.display().to_string())?;
        }
        (Some(_), None) if std::io::stdin().is_terminal() => {
            return Err(Failure::usage("Give a text, or --file FILE, or `-` with the text on standard input."));
        }
        (Some(text), None) => *text = bounded(std::io::stdin().lock(), "standard input")?,
    }
    match command.text_mut() {
        Some(text) if text.trim().is_empty() => Err(Failure::usage("A text is needed: after the case, from --file FILE, or on standard input.")),
        _ => Ok(()),
    }
}

fn bounded(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let most = MAX_TEXT as u64 + 1;
    from.take(most).read_to_end(&mut bytes).map_err(|e| Failure::usage(format!("{name} can't be read: {e}.")))?;
    if bytes.len() > MAX_TEXT {
        return Err(Failure::usage(format!("{name} holds more than {MAX_TEXT} bytes: nothing was sent.")));
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{name} is not UTF-8 text.")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command};
    use clap::Parser as _;

    fn filled(words: &[&str], file: Option<&Path>) -> Result<String, Failure> {
        let read = Arguments::try_parse_from([&["countersign", "case"], words].concat()).unwrap();
        let Some(Command::Case(case)) = read.command else { panic!("no case command") };
        let mut command = case.command.clone();
        fill(&mut command, file)?;
        Ok(command.text_mut().unwrap().clone())
    }

    #[test]
    fn a_text_comes_from_a_file_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.log");
        std::fs::write(&file, "one\ntwo\n").unwrap();
        for words in [&["evidence", "CS-26-000001"][..], &["evidence", "CS-26-000001", "-"], &["comment", "CS-26-000001"]] {
            assert_eq!(filled(words, Some(&file)).unwrap(), "one\ntwo");
        }
        assert_eq!(filled(&["comment", "CS-26-000001", "by hand"], None).unwrap(), "by hand");
        assert!(filled(&["comment", "CS-26-000001", "by hand"], Some(&file)).is_err());
        assert!(filled(&["comment", "CS-26-000001"], Some(&folder.path().join("none"))).is_err());
        std::fs::write(&file, "x".repeat(MAX_TEXT + 1)).unwrap();
        let refused = filled(&["comment", "CS-26-000001"], Some(&file)).unwrap_err();
        assert!(refused.detail.contains("more than 16384 bytes"), "{}", refused.detail);
        std::fs::write(&file, "\n").unwrap();
        assert!(filled(&["take-back", "CS-26-000001"], Some(&file)).unwrap_err().detail.starts_with("A text is needed"));
        assert_eq!(bounded(&b"a\r\n"[..], "x").unwrap(), "a");
        assert!(bounded(&b"\xff"[..], "x").is_err());
    }
}
