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
use crate::api::case::{ApprovalDetail, CaseDetail, ChecklistItem, ItemState, RefusedAction};
use crate::api::cost::NO_TARGET;
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

/// A case that was written to: its row, and what keeps it from being carried out; of one that was opened also what else is open.
pub(super) fn written_case(case: &CaseDetail, opened: bool) -> String {
    let mut text = rows(std::slice::from_ref(&case.row)) + &unreachable(case);
    if opened && !case.other_open_cases.is_empty() {
        let others: Vec<String> = case.other_open_cases.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "open already for the same subject: {}; it may be the same request", others.join(", "));
    }
    if opened && !case.could_decide.enough {
        text += "Too few could decide it as things stand: `countersign case show` names them.\n";
    }
    text
}

fn unreachable(case: &CaseDetail) -> String {
    if case.target_missing { format!("{NO_TARGET}\n") } else { String::new() }
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
    text += &unreachable(case);
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
        let _ = writeln!(text, "{}", stands(item));
        if item.state != ItemState::Done && case.hold.is_none() {
            text.push_str(&ways::lines(&item.startable, "           start-proof "));
            text.push_str(&ways::none(item));
        }
    }
    text
}

/// An item, where it stands first, and until when it is waited for. Software is told the state, no receipt and no session.
fn stands(item: &ChecklistItem) -> String {
    let (mark, mut why) = item.stands().split_once(": ").map_or((item.stands(), String::new()), |(mark, why)| (mark, format!(": {why}")));
    let open = item.sessions.iter().filter(|s| s.outcome.is_none() && s.unsent.is_none() && item.state != ItemState::Done);
    if let Some(until) = open.map(|s| s.expires_at).max() {
        why = format!(": for an answer, until {}", minute(until));
    } else if item.state != ItemState::Done && item.sessions.iter().any(|s| s.outcome.as_deref() == Some("proved_elsewhere")) {
        ": proved before the case was sent elsewhere".clone_into(&mut why);
    }
    format!("  {mark:<7}  {}{why}", sanitise(&item.title, false))
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
        let enough = if case.could_decide.enough || could.is_empty() { "" } else { "; that is not enough" };
        let _ = writeln!(text, "could decide: {}{enough}", if could.is_empty() { nobody(&case.could_decide).to_owned() } else { could.join(", ") });
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
    let decisions = case.refused_decisions.iter();
    by_reason(state, case.refused_actions.iter().filter(|r| r.action != "case_decide").chain(decisions).filter(another_time))
}

fn by_reason<'a>(state: &str, all: impl Iterator<Item = &'a RefusedAction>) -> Vec<(String, Vec<String>)> {
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for refused in all {
        // Its sentence names the one operation; for all of them together it is the state.
        let reason =
            if refused.code == "wrong-state" && !refused.says_the_way() { format!("the case is {state}") } else { sanitise(&refused.reason, false) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_is_waited_for_is_not_said_to_be_missing() {
        let session = |outcome: Option<&str>, unsent: Option<&str>| {
            serde_json::json!({
                "id": "ses-1", "method": "issued_code", "opened_at": "2026-03-02T09:00:00Z", "expires_at": "2026-03-02T10:30:00Z", "tries_left": 3,
                "outcome": outcome, "unsent": unsent,
            })
        };
        let said = |state: &str, sessions: Vec<serde_json::Value>| {
            let item = serde_json::json!({
                "title": "issued code", "methods": ["issued_code"], "gate": false, "state": state, "sessions": sessions, "startable": [], "why": "",
            });
            stands(&serde_json::from_value(item).unwrap())
        };
        assert_eq!(said("missing", vec![]), "  missing  issued code");
        assert_eq!(said("done", vec![session(Some("proved"), None)]), "  done     issued code");
        let waits = said("pending", vec![session(Some("declined"), None), session(None, None)]);
        assert_eq!(waits, "  waiting  issued code: for an answer, until 2026-03-02 10:30 UTC");
        assert_eq!(said("pending", vec![]), "  waiting  issued code", "as software is told");
        assert_eq!(said("failed", vec![session(Some("declined"), None)]), "  failed   issued code: start again or another way");
        let gone = said("missing", vec![session(Some("proved_elsewhere"), None)]);
        assert_eq!(gone, "  missing  issued code: proved before the case was sent elsewhere");
    }

    #[test]
    fn what_a_closed_case_waits_for_before_it_is_rolled_back_is_not_hidden_behind_its_state() {
        let refused = |action: &str, reason: &str| RefusedAction { action: action.into(), code: "wrong-state".into(), reason: reason.into() };
        let no = |command| crate::domain::refusal::Refusal::WrongState { state: CaseState::Closed, command }.to_string();
        let all = [refused("case_assign", &no("case_assign")), refused("case_roll_back", &no("case_roll_back"))];
        let said = by_reason(CaseState::Closed.label(), all.iter());
        assert_eq!(said[0], ("the case is closed".to_owned(), vec!["assign".to_owned()]));
        assert!(said[1].0.contains("a security reviewer holds it first") && said[1].1 == ["roll-back"], "{said:?}");
    }
}
