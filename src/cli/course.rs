//! What happened to a case beside what is signed of it: triage, the handover note, comments, tries, temporary access, looks back.
//!
//! Contract: at most [`NEWEST`] of each list, the newest; how many were left out is said, with where they stand. Texts from outside are sanitised.
//! Knows no rules.

use std::fmt::Write as _;

use super::shown::minute;
use crate::api::case::{CaseDetail, ExecutionDetail, GrantDetail};
use crate::base::Untrusted;
use crate::base::ids::PersonId;
use crate::base::text::sanitise;

/// The most of one list that is shown.
const NEWEST: usize = 5;

/// The newest of a list, a line each, after how many went before.
fn newest<T>(case: &CaseDetail, all: &[T], what: &str, line: impl Fn(&T) -> String) -> String {
    let before = all.len().saturating_sub(NEWEST);
    let mut text = String::new();
    if before > 0 {
        let _ = writeln!(text, "{before} earlier {what}: countersign case timeline {}", case.row.id);
    }
    for one in &all[before..] {
        let _ = writeln!(text, "{}", line(one));
    }
    text
}

fn kept(text: Option<&Untrusted>) -> String {
    text.map_or_else(|| "(erased)".to_owned(), Untrusted::line)
}

/// All of it, in the order in which it is worked.
pub(super) fn course(case: &CaseDetail) -> String {
    let mut text = String::new();
    if let Some(triage) = &case.triage {
        let (what, how) = (triage.failure.label(), kept(triage.reproduction.as_ref()));
        let who = |id: &PersonId| triage.names.get(id.as_str()).map_or_else(|| id.to_string(), |name| format!("{} ({id})", name.line()));
        let _ = writeln!(text, "triage: {what}: {how}; owned by {}, the remedy by {}", who(&triage.triage_owner), who(&triage.remedy_owner));
    }
    if let Some(note) = &case.handover {
        let _ = writeln!(text, "handed over: {}", note.line());
    }
    text += &newest(case, &case.comments, "comments", |c| format!("{} said at {}: {}", sanitise(&c.by, false), minute(c.at), kept(c.text.as_ref())));
    text += &newest(case, &case.executions, "tries", tried);
    text += &newest(case, &case.grants, "grants of temporary access", granted);
    text += &newest(case, &case.reviews, "looks back", |r| {
        let found = if r.in_order { "in order" } else { "not in order" };
        format!("looked back on by {} at {}: {found}: {}", sanitise(&r.by, false), minute(r.at), kept(r.note.as_ref()))
    });
    for (what, cases) in [("linked, and whoever worked it counts here", &case.linked), ("open too for this subject", &case.other_open_cases)] {
        if !cases.is_empty() {
            let first: Vec<String> = cases.iter().take(NEWEST).map(ToString::to_string).collect();
            let more = if cases.len() > NEWEST { format!(" and {} more", cases.len() - NEWEST) } else { String::new() };
            let _ = writeln!(text, "{what}: {}{more}", first.join(", "));
        }
    }
    text
}

fn tried(e: &ExecutionDetail) -> String {
    let ended = e.ended_at.map(|at| format!(", ended {}", minute(at))).unwrap_or_default();
    let why = e.reason.map(|r| format!(": {}", r.label())).unwrap_or_default();
    let outcome = sanitise(&e.outcome.replace('_', " "), false);
    let holds =
        if e.restored_scope.is_empty() { String::new() } else { format!("; the target holds {}", sanitise(&e.restored_scope.join(", "), false)) };
    format!("try {} at {}{ended}: {outcome}{why}{holds}", e.attempt, minute(e.started_at))
}

fn granted(g: &GrantDetail) -> String {
    let state = match (g.revoked_at, g.ending) {
        (Some(at), _) => format!("ended {}", minute(at)),
        (None, true) => "is being ended".to_owned(),
        (None, false) => format!("until {}", minute(g.expires_at)),
    };
    let why = g.reason.as_ref().map(|r| format!(": {}", r.line())).unwrap_or_default();
    format!("temporary access {} to {}, {state}{why}", g.id, sanitise(&g.scope.join(", "), false))
}
