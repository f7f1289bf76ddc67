//! Cases and log entries as the command line prints them, for people.
//!
//! Contract: names stand beside ids, times are UTC to the minute, an operation is named by the command that does it, and a reason is said once
//! for all it stands in the way of. Texts from outside are sanitised. What scripts read is the JSON of the same values. Knows no rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::decide::signed;
use super::desk::more;
use super::every::command_of;
use super::out::{fitted, table};
use super::ways;
use crate::api::case::{ApprovalDetail, CaseDetail, ItemState, RefusedAction};
use crate::api::lists::{CaseRow, LogPage, named};
use crate::api::problem::CouldDecide;
use crate::api::sent::ended;
use crate::api::words::{CaseState, Decision};
use crate::base::Untrusted;
use crate::base::ids::OperatorId;
use crate::base::ports::{Clock as _, SystemClock};
use crate::base::text::sanitise;
use crate::domain::access::Operation;

/// A time as every command shows it.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The command for an operation or a decision, as after `countersign case`; a newer server's operation keeps its code.
fn command(code: &str) -> String {
    let decision = [Decision::Approve, Decision::Deny].into_iter().find(|d| d.code() == code).map(Decision::code);
    let operation = || Operation::ALL.iter().find(|o| o.code() == code).and_then(|o| command_of(*o));
    let known = decision.or_else(operation).map(|words| words.strip_prefix("case ").unwrap_or(words).to_owned());
    known.unwrap_or_else(|| sanitise(code, false))
}

/// Cases in a table.
pub(super) fn rows(rows: &[CaseRow]) -> String {
    rows_at(rows, SystemClock::new().now())
}

/// By how much a deadline has passed, as the console says it; nothing before that.
fn late(by: chrono::Duration) -> String {
    match by.num_seconds() {
        ..=0 => String::new(),
        s @ ..36_000 => format!(" late {}:{:02}", s / 3_600, s / 60 % 60),
        s @ ..86_400 => format!(" late {}h", s / 3_600),
        s => format!(" late {}d", s / 86_400),
    }
}

fn rows_at(rows: &[CaseRow], now: DateTime<Utc>) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let state = if r.held { format!("{} (held)", r.state.label()) } else { r.state.label().to_owned() };
            let flags: String = match (r.flag_kinds.as_slice(), r.flags) {
                ([], 0) => String::new(),
                // A server before they were named.
                ([], n) => format!(", flagged {n}"),
                (kinds, _) => kinds.iter().flat_map(|k| [", ", k.label()]).collect(),
            };
            let due = r.due.map(|d| format!("{}{}", d.format("%Y-%m-%d %H:%M"), late(now - d))).unwrap_or_default();
            let proof = format!("{}/{}", r.proof_done, r.proof_needed);
            let (risk, waits) = (format!("{}{flags}", r.risk.label()), r.waiting_on.label().to_owned());
            vec![r.id.to_string(), fitted(&r.subject_name.line()), r.action.label().to_owned(), state, fitted(&risk), proof, waits, due]
        })
        .collect();
    table(&["CASE", "SUBJECT", "ACTION", "STATE", "RISK", "PROOF", "WAITING ON", "DUE (UTC)"], &cells)
}

/// All of one case that someone needs who works on it or decides it.
pub(super) fn detail(case: &CaseDetail) -> String {
    let mut text = rows(std::slice::from_ref(&case.row));
    let (subject, row) = (&case.subject, &case.row);
    let _ = writeln!(text, "\nsubject: {} ({}), {}, {}", subject.name.line(), subject.id, row.kind.label(), row.tier.label());
    let _ = writeln!(
        text,
        "{} asked; opened by {} at {}; {} in {}",
        case.requester.line(),
        sanitise(&case.opened_by, false),
        minute(row.opened_at),
        row.path.label(),
        case.target
    );
    let works = row.assignee.as_ref().map_or("nobody", OperatorId::as_str);
    let works = if case.is_bare() { String::new() } else { format!("works on it: {works}; ") };
    let _ = writeln!(text, "{works}expires {}", minute(case.expires_at));
    for flag in &case.flags {
        let _ = writeln!(text, "flagged: {}, noticed by {} at {}", flag.kind.label(), sanitise(&flag.by, false), minute(flag.at));
    }
    text.push_str(&held(case));
    text.push_str(&super::course::course(case));
    text.push_str(&checklist(case));
    for message in case.messages.iter().filter(|m| m.session.is_none() || m.told == 0) {
        let _ = writeln!(text, "  {}", crate::base::text::sanitise(&message.sentence, false));
    }
    text.push_str(&signed(case));
    let missing = if case.seal.is_some() { format!("; {} missing", row.approvals_missing) } else { String::new() };
    let _ = writeln!(text, "approvals needed: {}{missing}", sanitise(&case.approvals_needed, false));
    for approval in &case.approvals {
        let _ = writeln!(text, "{}", decided(approval));
    }
    if let Some(at) = case.execute_after {
        let _ = writeln!(text, "not carried out before {}", minute(at));
    }
    text.push_str(&who_may(case));
    text
}

/// What is proved and what is missing, and how that can be started.
fn checklist(case: &CaseDetail) -> String {
    let mut text = String::new();
    for item in &case.checklist.items {
        // Software is told the state and no receipt.
        let done = item.state == ItemState::Done;
        let lapsed = item.state != ItemState::Pending && crate::api::sent::lapsed(&item.sessions);
        let mark = match (lapsed, done) {
            (true, _) => "lapsed ",
            (false, true) => "done   ",
            (false, false) => "missing",
        };
        let elsewhere = !done && item.sessions.iter().any(|s| s.outcome.as_deref() == Some("proved_elsewhere"));
        let why = if elsewhere { ": proved before the case was sent elsewhere" } else { "" };
        let _ = writeln!(text, "  {mark}  {}{why}", sanitise(&item.title, false));
        if !done && case.hold.is_none() {
            text.push_str(&ways::lines(&item.startable, "           start-proof "));
            text.push_str(&ways::none(item));
        }
    }
    text
}

/// Who froze a case and why, what was tried since to reach somebody (lifting names the session), and whom to reach.
fn held(case: &CaseDetail) -> String {
    let mut text = String::new();
    let Some(hold) = &case.hold else { return text };
    let why = hold.reason.as_ref().map(|r| format!(": {}", r.line())).unwrap_or_default();
    let _ = writeln!(text, "held since {} by {}{why}", minute(hold.since), hold.source.label());
    for session in &hold.sessions {
        let outcome = session.outcome.as_deref().map_or_else(|| format!("open until {}", minute(session.expires_at)), ended);
        let lifts = if hold.lifted_by.contains(&session.id) { format!("; lifts the hold: --contact {}", session.id) } else { String::new() };
        let _ = writeln!(text, "  reached for: {} at {} ({}): {outcome}{lifts}", session.method.label(), minute(session.opened_at), session.id);
    }
    let barred = case.refused_actions.iter().any(|r| r.action == Operation::CaseLiftHold.code() && r.code == "separation-of-duties");
    if barred {
        let duties: BTreeSet<String> = case.you_cannot_decide.iter().map(|duty| sanitise(&duty.sentence, false)).collect();
        let duties = duties.into_iter().collect::<Vec<_>>().join("; ");
        let _ = writeln!(text, "  you can't lift it ({duties}): a security reviewer without a hand in it can");
    }
    if !hold.contacts.is_empty() {
        text.push_str(&ways::lines(&hold.contacts, "  can be reached by: start-proof "));
    }
    text
}

fn decided(given: &ApprovalDetail) -> String {
    let did = if given.decision == Decision::Approve { "approved" } else { "denied" };
    let why = given.reason.as_ref().map_or_else(|| "(erased)".to_owned(), Untrusted::line);
    let void = given.void.as_ref().map(|v| format!(" (void: {})", sanitise(&v.replace('_', " "), false))).unwrap_or_default();
    format!("{did} by {} ({}) at {}{void}: {why}", given.name.line(), given.operator, minute(given.at))
}

/// What stands where no account is named that could decide.
pub(super) fn nobody(could: &CouldDecide) -> &'static str {
    match (could.enough, could.untold) {
        (true, true) => "enough are there, nobody is named to software",
        (true, false) => "no one else, and nobody else is needed",
        (false, _) => "no one",
    }
}

/// Who may decide, what the reader may do, and what not, each reason once.
fn who_may(case: &CaseDetail) -> String {
    let mut text = String::new();
    let on_shift = |o: &OperatorId| case.could_decide.on_shift.contains(o);
    let named = |o: &OperatorId| format!("{o}{}", if on_shift(o) { "" } else { " (off shift)" });
    let could: Vec<String> = case.could_decide.operators.iter().map(named).collect();
    // What is decided, or over, waits for nobody's decision.
    let waits = matches!(case.row.state, CaseState::New | CaseState::Proofing | CaseState::Sealed | CaseState::Approved);
    if waits {
        let _ = writeln!(text, "could decide: {}", if could.is_empty() { nobody(&case.could_decide).to_owned() } else { could.join(", ") });
    }
    let in_the_way: BTreeSet<String> = case.you_cannot_decide.iter().map(|duty| sanitise(&duty.sentence, false)).collect();
    if !in_the_way.is_empty() {
        let _ = writeln!(text, "you can't decide it: {}", in_the_way.into_iter().collect::<Vec<_>>().join("; "));
    }
    let mut may: Vec<String> = Vec::new();
    for operation in &case.allowed_actions {
        if operation == "case_decide" {
            let given = [Decision::Approve, Decision::Deny].into_iter().filter(|d| !case.refused_decisions.iter().any(|r| r.action == d.code()));
            may.extend(given.map(|d| command(d.code())));
        } else {
            may.push(command(operation));
        }
    }
    let _ = writeln!(text, "you may run `countersign case ...`: {}", if may.is_empty() { "none".to_owned() } else { may.join(", ") });
    for (reason, operations) in refusals(case) {
        let _ = writeln!(text, "  not {}: {reason}", operations.join(", "));
    }
    text
}

/// What is refused now and could be the reader's another time, by reason. What another role does is said nowhere: it never will be theirs.
fn refusals(case: &CaseDetail) -> Vec<(String, Vec<String>)> {
    let state = case.row.state.label();
    let another_time = |r: &&RefusedAction| !matches!(r.code.as_str(), "not-permitted" | "role-missing" | "separation-of-duties");
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    let decisions = case.refused_decisions.iter();
    for refused in case.refused_actions.iter().filter(|r| r.action != "case_decide").chain(decisions).filter(another_time) {
        // Its sentence names the one operation; for all of them together it is the state.
        let reason = if refused.code == "wrong-state" { format!("the case is {state}") } else { sanitise(&refused.reason, false) };
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, all)) => all.push(command(&refused.action)),
            None => by_reason.push((reason, vec![command(&refused.action)])),
        }
    }
    by_reason
}

/// Entries of the log, in the sentences that the console shows.
pub(super) fn entries(page: &LogPage) -> String {
    let cells: Vec<Vec<String>> = page
        .entries
        .iter()
        .map(|e| {
            let said = e.text.as_ref().map(|t| format!(": {}", t.line())).unwrap_or_default();
            let case = e.case.map_or_else(|| "register".to_owned(), |c| c.to_string());
            let (at, who) = (e.at.format("%Y-%m-%d %H:%M:%S").to_string(), named(&e.actor, &page.names));
            vec![e.seq.to_string(), at, who, case, format!("{}{said}", named(&e.summary, &page.names))]
        })
        .collect();
    table(&["ENTRY", "AT (UTC)", "WHO", "ABOUT", "WHAT"], &cells) + &more(cells.len(), page.after.as_ref())
}
