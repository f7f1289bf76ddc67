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
use crate::api::case::{CaseDetail, ChecklistItem, Statement};
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
    /// Why; becomes part of the record. Needed: here, from --file, or on standard input.
    #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
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
    let version = seen.unwrap_or(case.row.version);
    let send = async |seal_sha256, nonce| {
        let body = Decide { decision, seal_sha256, nonce, reason: text(&with.text).text };
        finish(client, Some(with.case), &Write::Decide(Box::new(body)), Some(version), out).await
    };
    let statement = match (client.statement(with.case, decision).await, &case.seal) {
        (Ok(statement), _) => statement,
        // Who gets no statement may not decide. Asking all the same, of whatever seal and without a nonce that counts, names the duty in the
        // way, and the attempt stands in the log.
        (Err(error), Some(seal)) if error.status() == Some(403) => {
            if with.seal.is_none() {
                attempt(&case, &error.to_string(), decision)?;
            }
            return send(seal.sha256, "none".to_owned()).await;
        }
        (Err(error), _) => return Err(error.into()),
    };
    let seal = statement.seal_sha256;
    let shown = case.seal.as_ref().is_some_and(|s| s.sha256 == seal);
    if !shown || with.seal.as_ref().is_some_and(|typed| !seal.to_string().starts_with(typed.as_str())) {
        return Err(moved(&seal));
    }
    let differ = compare::differences(&statement, &case, decision, Some(&client.me().await?));
    if !differ.is_empty() {
        let why = format!("What the server shows is not what would be signed ({}). Nothing was sent; tell security.", differ.join(", "));
        return Err(Failure::new(FAILED, why));
    }
    if with.seal.is_none() {
        ask(&case, &statement, decision)?;
    }
    send(seal, statement.nonce).await
}

fn moved(now: &Digest) -> Failure {
    let detail = format!("The seal is not the one you read: it is {now} now. Nothing was decided; look at the case again.");
    Failure { error: "stale-seal".to_owned(), ..Failure::new(CHANGED, detail) }
}

/// Shows what is signed, and goes on only if that is confirmed.
fn ask(case: &CaseDetail, statement: &Statement, decision: Decision) -> Result<(), Failure> {
    let mut shown = detail(case) + &told(&statement.statement);
    if let Some(besides) = case.after_yours.as_ref().filter(|_| decision == Decision::Approve).and_then(Lacking::besides) {
        let _ = writeln!(shown, "Your approval alone is not enough: {}.", sanitise(&besides, false));
    }
    let _ = write!(shown, "Type {} to {} it: ", case.row.id, decision.label());
    confirmed(case, &shown)
}

/// Asks whoever may not decide whether they try all the same: nobody is written down by mistake.
fn attempt(case: &CaseDetail, why: &str, decision: Decision) -> Result<(), Failure> {
    let (id, why) = (case.row.id, sanitise(why, false));
    confirmed(
        case,
        &format!("{why}\nTo try all the same, which is refused and stands in the log under your name, type {id} to {} it: ", decision.label()),
    )
}

fn confirmed(case: &CaseDetail, shown: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new(FAILED, format!("can't ask: {e}"));
    let mut screen = std::io::stderr().lock();
    // Each part was made harmless where it was put in; that all of it is must not rest on that.
    screen.write_all(sanitise(shown, true).as_bytes()).and_then(|()| screen.flush()).map_err(failed)?;
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

/// All that is signed, in lines: plan, scope, lifetime, what is rotated, evidence, proofs, lineage and the seal over it. What the server words
/// itself (steps, titles, sentences) stands beside it and never in its place.
pub(super) fn signed(case: &CaseDetail) -> String {
    let mut text = String::new();
    if let Some(plan) = &case.plan {
        let life = plan.lifetime_seconds.map_or_else(|| "as it was before".to_owned(), |s| format!("for {}", crate::base::span::span(u64::from(s))));
        let _ = writeln!(text, "plan: {} in {}; scope {}; {life}", case.row.action.label(), plan.target, sanitise(&plan.scope.join(", "), false));
        for (i, step) in plan.steps.iter().enumerate() {
            let _ = writeln!(text, "  step {}: {}", i + 1, sanitise(step, false));
        }
        if !plan.rotates.is_empty() {
            let released = |s| if plan.released.contains(s) { " (released: unless the target holds nothing for it)" } else { "" };
            let rotated: Vec<String> = plan.rotates.iter().map(|s| format!("{s}{}", released(s))).collect();
            let _ = writeln!(text, "  rotated too: {}", rotated.join(", "));
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
        let _ = writeln!(text, "evidence {} {}: {} by {}{late}: {said}", e.id, e.sha256, e.kind.label(), sanitise(&e.by, false));
    }
    for item in &case.checklist.items {
        let _ = writeln!(text, "{}", proved(item));
    }
    for hand in &case.lineage {
        let _ = writeln!(text, "had a hand: {} ({}): {}", hand.name.line(), hand.person, sanitise(&hand.sentence, false));
    }
    if let Some(seal) = &case.seal {
        let at = seal.at.format("%Y-%m-%d %H:%M UTC");
        let _ = writeln!(
            text,
            "seal {}, revision {}, by {}, {at}\nopened under policy {}, sealed while {} was in force: policy_sha256 of what is signed \
             is one digest over both",
            seal.sha256,
            seal.revision,
            sanitise(&seal.by, false),
            case.policy_sha256,
            seal.in_force_sha256
        );
    }
    text
}

/// An item of the checklist with what is sealed of it: by which methods it may be proved, whether it is a gate, and its receipt.
fn proved(item: &ChecklistItem) -> String {
    let ways: Vec<&str> = item.methods.iter().map(|m| m.label()).collect();
    let kind = if item.gate { "gate" } else { "proof" };
    let asked = format!("{kind} {} ({})", sanitise(&item.title, false), ways.join(" or "));
    let Some(receipt) = &item.receipt else {
        // Of what is done software is told no receipt.
        return format!("{asked}: {}", item.stands());
    };
    let (at, until) = (receipt.at.format("%Y-%m-%d %H:%M:%S"), receipt.valid_until.format("%Y-%m-%d %H:%M:%S UTC"));
    format!("{asked}: receipt {} by {}, {}, {at}, valid until {until}", receipt.id, receipt.method.label(), sanitise(&receipt.by, false))
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
