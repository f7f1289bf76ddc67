//! Approving and denying from the command line: of what was read, and nothing else (invariants 4 and 18).
//!
//! Contract: whoever decides names the seal they read, or is shown at the terminal all that is signed, and asked. A seal that moved since, or
//! shown parts that are not the sealed ones, send nothing. Knows no rules: the server decides.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use clap::Args;

use super::case::{finish, text};
use super::out::{CHANGED, FAILED, Failure, Out, table};
use super::shown::detail;
use crate::api::case::{CaseDetail, Statement};
use crate::api::compare;
use crate::api::problem::Lacking;
use crate::api::requests::Decide;
use crate::api::words::Decision;
use crate::base::Digest;
use crate::base::ids::CaseId;
use crate::base::text::sanitise;
use crate::client::{Client, Write};

/// The fewest digits that name a seal: 48 bits, which nobody finds a second seal of one case for.
const DIGITS: usize = 12;
/// The longest answer that is read from the terminal.
const ANSWER: u64 = 64;

/// A decision on what is sealed.
#[derive(Debug, Clone, Args)]
pub struct Verdict {
    /// Which case.
    pub case: CaseId,
    /// Why; becomes part of the record. `-` takes it from standard input or --file.
    pub text: String,
    /// The seal that you read: its digest as `case show` prints it, or at least its first 12 digits. At a terminal it may be left out: what is
    /// signed is shown then, and you are asked.
    #[arg(long, value_name = "DIGEST", value_parser = digits)]
    pub seal: Option<String>,
}

fn digits(typed: &str) -> Result<String, String> {
    let fits = (DIGITS..=64).contains(&typed.len()) && typed.bytes().all(|b| b.is_ascii_hexdigit());
    if fits { Ok(typed.to_ascii_lowercase()) } else { Err(format!("a seal is named by {DIGITS} to 64 hexadecimal digits, as `case show` prints it")) }
}

/// Approves or denies; `seen` is the version that was read, if it was said.
pub(super) async fn decide(client: &Client, with: &Verdict, decision: Decision, seen: Option<u64>, out: Out) -> Result<(), Failure> {
    if with.seal.is_none() && !std::io::stdin().is_terminal() {
        return Err(Failure::usage("Name the seal that you read: --seal with at least its first 12 digits, as `countersign case show` prints it."));
    }
    let case = client.case(with.case).await?;
    let (seal, nonce, statement) = match (client.statement(with.case, decision).await, &case.seal) {
        (Ok(statement), _) => (statement.seal_sha256, statement.nonce.clone(), Some(statement)),
        // Who gets no statement may not decide. Asking all the same names the duty in the way, and the attempt stands in the log.
        (Err(error), Some(seal)) if error.status() == Some(403) => (seal.sha256, "none".to_owned(), None),
        (Err(error), _) => return Err(error.into()),
    };
    let shown = case.seal.as_ref().is_some_and(|s| s.sha256 == seal);
    if !shown || with.seal.as_ref().is_some_and(|typed| !seal.to_string().starts_with(typed.as_str())) {
        return Err(moved(&seal));
    }
    let differ = match &statement {
        Some(statement) => compare::differences(statement, &case, decision, Some(&client.me().await?)),
        None => Vec::new(),
    };
    if !differ.is_empty() {
        let why = format!("What the server shows is not what would be signed ({}). Nothing was sent; tell security.", differ.join(", "));
        return Err(Failure::new(FAILED, why));
    }
    if with.seal.is_none() {
        ask(&case, statement.as_ref(), decision)?;
    }
    let version = seen.unwrap_or(case.row.version);
    let body = Decide { decision, seal_sha256: seal, nonce, reason: text(&with.text).text };
    finish(client, Some(with.case), &Write::Decide(Box::new(body)), Some(version), out).await
}

fn moved(now: &Digest) -> Failure {
    let detail = format!("The seal is not the one you read: it is {now} now. Nothing was decided; look at the case again.");
    Failure { error: "stale-seal".to_owned(), ..Failure::new(CHANGED, detail) }
}

/// Shows what is signed, and goes on only if that is confirmed.
fn ask(case: &CaseDetail, statement: Option<&Statement>, decision: Decision) -> Result<(), Failure> {
    let mut shown = detail(case);
    if let Some(statement) = statement {
        shown.push_str(&told(&statement.statement));
    }
    if let Some(besides) = case.after_yours.as_ref().filter(|_| decision == Decision::Approve).and_then(Lacking::besides) {
        let _ = writeln!(shown, "Your approval alone is not enough: {}.", sanitise(&besides, false));
    }
    let _ = write!(shown, "Type {} to {} it: ", case.row.id, decision.label());
    let failed = |e: std::io::Error| Failure::new(FAILED, format!("can't ask: {e}"));
    let mut screen = std::io::stderr().lock();
    screen.write_all(shown.as_bytes()).and_then(|()| screen.flush()).map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().take(ANSWER).read_line(&mut answer).map_err(failed)?;
    if answer.trim() == case.row.id.to_string() { Ok(()) } else { Err(Failure::new(FAILED, "Nothing was sent.")) }
}

/// A statement for the eye: what each of its fields says, a line each, and the digest of the line that is signed as it stands.
fn told(statement: &str) -> String {
    let mut rows = Vec::new();
    match serde_json::from_str(statement) {
        Ok(serde_json::Value::Object(fields)) => lines("", &fields, &mut rows),
        // The server's own statement was compared with one built here, so this is for no one; and hiding nothing is the better mistake.
        _ => rows.push(vec!["statement".to_owned(), sanitise(statement, false)]),
    }
    format!("what you sign:\n{}sha256 of the signed line: {}\n", table(&["FIELD", "SAYS"], &rows), Digest::of(statement.as_bytes()))
}

fn lines(outer: &str, fields: &serde_json::Map<String, serde_json::Value>, rows: &mut Vec<Vec<String>>) {
    for (name, value) in fields {
        let name = format!("{outer}{name}");
        match value {
            serde_json::Value::Object(inner) => lines(&format!("{name}."), inner, rows),
            serde_json::Value::String(text) => rows.push(vec![sanitise(&name, false), sanitise(text, false)]),
            other => rows.push(vec![sanitise(&name, false), sanitise(&other.to_string(), false)]),
        }
    }
}

/// All that is signed, in lines: plan, scope, lifetime, evidence, proofs, lineage and the seal over it.
pub(super) fn signed(case: &CaseDetail) -> String {
    let mut text = String::new();
    if let Some(plan) = &case.plan {
        let life = plan.lifetime_seconds.map_or_else(|| "as it was before".to_owned(), |s| format!("for {}", super::policy::span(u64::from(s))));
        let _ = writeln!(text, "plan: {} in {}; scope {}; {life}", case.row.action.label(), plan.target, sanitise(&plan.scope.join(", "), false));
        for (i, step) in plan.steps.iter().enumerate() {
            let _ = writeln!(text, "  step {}: {}", i + 1, sanitise(step, false));
        }
        let revokes = if plan.revokes_old { "the old credential is revoked" } else { "nothing old is revoked" };
        let _ = writeln!(text, "  {revokes}; it can{} be undone", if plan.reversible { "" } else { "'t" });
    } else {
        let _ = writeln!(text, "scope asked for: {}", sanitise(&case.scope.join(", "), false));
    }
    if let Some(summary) = &case.summary {
        let _ = writeln!(text, "said: {}", summary.line());
    }
    for e in &case.evidence {
        let late = if e.late { " (came after sealing: not part of the seal)" } else { "" };
        let said = e.text.as_ref().map_or_else(|| "(erased)".to_owned(), crate::base::Untrusted::line);
        let _ = writeln!(text, "evidence {}: {} by {}{late}: {said}", e.sha256, e.kind.label(), sanitise(&e.by, false));
    }
    for item in &case.checklist.items {
        if let Some(receipt) = &item.receipt {
            let _ = writeln!(text, "proved: {}", sanitise(&format!("{} by {}", item.title, receipt.method.label()), false));
        }
    }
    for hand in &case.lineage {
        let _ = writeln!(text, "had a hand: {}", sanitise(&hand.sentence, false));
    }
    if let Some(seal) = &case.seal {
        let at = seal.at.format("%Y-%m-%d %H:%M UTC");
        let _ = writeln!(
            text,
            "seal {}, revision {}, by {}, {at}, under policy {}",
            seal.sha256,
            seal.revision,
            sanitise(&seal.by, false),
            case.policy_sha256
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_read_field_by_field_with_the_digest_of_its_line() {
        let line = r#"{"approver":{"account":"d.ruiz"},"case":"CS-26-000001","seal_sha256":"ab","subject":"x\u001b[2J","version":1}"#;
        let told = told(line);
        for wanted in
            ["approver.account  d.ruiz\n", "case              CS-26-000001\n", "version           1\n", &Digest::of(line.as_bytes()).to_string()]
        {
            assert!(told.contains(wanted), "{wanted} in\n{told}");
        }
        assert!(!told.contains('\u{1b}') && !told.contains('{'), "{told}");
    }
}
