//! Subjects from the command line, through the API like everyone: who can be asked for, by id, and what they held.
//!
//! Contract: one command is one request. Shows what intake shows, and no more: kinds of addresses, never an address (invariant 12). Knows no
//! rules: the server decides who may look.

use std::fmt::Write as _;

use clap::Subcommand;

use super::out::{Failure, Out, table};
use super::{Arguments, connect};
use crate::api::lists::{SubjectFound, SubjectPage, SubjectRow};
use crate::base::ids::{CaseId, SubjectId};
use crate::base::text::sanitise;

/// The most rows that the server answers with.
const MOST: usize = 50;

/// What can be looked up of subjects.
#[derive(Debug, Subcommand)]
pub enum SubjectCommand {
    /// Find subjects by words of their name or id, at most 50: id, name, kind, tier and open cases.
    List {
        /// Beginnings of words that name or id hold, all of them, e.g. `mar oka`.
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Show one subject: what it held where, and the ids and kinds of its recorded addresses, to open a case with.
    Show {
        /// Which subject.
        subject: SubjectId,
    },
}

/// Runs one.
pub async fn run(command: &SubjectCommand, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let client = connect::client(arguments)?;
    match command {
        SubjectCommand::List { words } => out.answer(&client.subjects(&words.join(" ")).await?, found),
        SubjectCommand::Show { subject } => out.answer(&client.subject(subject).await?, shown),
    }
}

fn cases(all: &[CaseId]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn found(page: &SubjectPage) -> String {
    if page.rows.is_empty() {
        return "Nobody is found by these words.".to_owned();
    }
    let row = |s: &SubjectFound| vec![s.id.to_string(), s.name.line(), s.kind.label().to_owned(), s.tier.label().to_owned(), cases(&s.open_cases)];
    let mut text = table(&["SUBJECT", "NAME", "KIND", "TIER", "OPEN CASES"], &page.rows.iter().map(row).collect::<Vec<_>>());
    if page.rows.len() >= MOST {
        let _ = writeln!(text, "These are {MOST}, and there may be more: give further words.");
    }
    text
}

fn shown(subject: &SubjectRow) -> String {
    let mut text = format!("{} ({}), {}, {}\n", subject.name.line(), subject.id, subject.kind.label(), subject.tier.label());
    let open = if subject.open_cases.is_empty() { "none".to_owned() } else { cases(&subject.open_cases) };
    let _ = writeln!(text, "open cases: {open}");
    let day = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    for held in &subject.entitlements {
        let dated = |scope: &String| held.since.get(scope).map_or_else(|| scope.clone(), |at| format!("{scope} (since {})", day(*at)));
        let scopes: Vec<String> = held.scopes.iter().map(dated).collect();
        let _ = writeln!(text, "held in {}: {}", held.target, sanitise(&scopes.join(", "), false));
    }
    for was in &subject.former {
        let _ = writeln!(text, "until {}: {}", day(was.until), sanitise(&was.facts, false));
    }
    for address in &subject.endpoints {
        let confirmed = address.confirmed_at.map_or_else(|| "never confirmed".to_owned(), |at| format!("confirmed {}", day(at)));
        let _ = writeln!(text, "recorded address {}: {}, set {}, {confirmed}", address.id, address.kind.label(), day(address.recorded_at));
    }
    text
}
