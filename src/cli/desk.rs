//! What the desk asks before and between cases: how much there is, who would be left to decide. And lists' way on.
//!
//! Contract: one command is one request. Texts from outside are sanitised. Knows no rules: the server works all of it out.

use std::fmt::Write as _;

use clap::Args;

use super::out::table;
use super::word::word;
use crate::api::case::{CaseDetail, RoutePreview};
use crate::api::cost::NO_TARGET;
use crate::api::lists::{Assignable, AssignableRow, Counts, Me};
use crate::api::requests::{PreviewRoute, RouteCase};
use crate::api::words::{Action, Path};
use crate::base::ids::{CaseId, GroupId, ScopeId, SubjectId, TargetId};
use crate::base::text::sanitise;
use crate::client::ClientError;

/// The way of a case: of one that is routed, or that might be.
#[derive(Debug, Clone, Args)]
pub struct Way {
    /// What is to be restored.
    #[arg(value_parser = word!(Action))]
    pub action: Action,
    /// In which system.
    #[arg(long)]
    pub target: TargetId,
    /// How much of it; again for each.
    #[arg(long, required = true)]
    pub scope: Vec<ScopeId>,
    /// Which way.
    #[arg(long, default_value = "assisted", value_parser = word!(Path))]
    pub path: Path,
    /// Approver groups beside policy's; again for each.
    #[arg(long)]
    pub group: Vec<GroupId>,
}

impl Way {
    /// As the server takes it.
    pub fn route(&self) -> RouteCase {
        let (target, scope, approver_groups) = (self.target.clone(), self.scope.clone(), self.group.clone());
        RouteCase { action: self.action, path: self.path, target, scope, approver_groups }
    }
}

/// A way that a case might go.
#[derive(Debug, Clone, Args)]
pub struct Preview {
    /// Whose access.
    pub subject: SubjectId,
    /// Which way.
    #[command(flatten)]
    pub way: Way,
    /// The case that would be routed anew; a new one if absent.
    #[arg(long)]
    pub case: Option<CaseId>,
}

impl Preview {
    /// What the server is asked.
    pub fn asks(&self) -> PreviewRoute {
        PreviewRoute { subject: self.subject.clone(), case: self.case, route: self.way.route() }
    }
}

/// What a way would cost, in lines, with what becomes of the case that would go it. Who may ask and not read the case is told what the answer itself
/// says; whoever could not read it for another reason is told that something is left out.
pub(super) fn cost_with(preview: &RoutePreview, case: Option<Result<CaseDetail, ClientError>>) -> String {
    let (case, left_out) = match case {
        Some(Ok(case)) => (Some(case), None),
        Some(Err(error)) if !matches!(error.status(), Some(403 | 404)) => (None, Some(error)),
        Some(Err(_)) | None => (None, None),
    };
    let left_out = left_out.map(|why| sanitise(&why.to_string(), false));
    let left_out = left_out.map(|why| format!("What becomes of its seal, approvals and proofs is not known, the case could not be read: {why}\n"));
    cost(preview, case.as_ref()) + &left_out.unwrap_or_default()
}

/// What a way would cost, in lines; `case` is the one that would go it.
fn cost(preview: &RoutePreview, case: Option<&CaseDetail>) -> String {
    let mut text = String::new();
    if let Some(problem) = &preview.problem {
        let _ = writeln!(text, "It can't go this way: {}", sanitise(problem, false));
    }
    if preview.target_missing {
        let _ = writeln!(text, "{NO_TARGET}");
    }
    if preview.you_give_up {
        text += "You would have a hand in it, and never decide it.\n";
    }
    let becomes: Vec<String> = match case {
        Some(case) => preview.becomes(case).into_iter().map(|(_, says)| says).collect(),
        None => preview.would_end().into_iter().collect(),
    };
    for says in becomes {
        let _ = writeln!(text, "{says}");
    }
    for hand in &preview.lineage {
        let _ = writeln!(text, "has a hand: {} ({}): {}", hand.name.line(), hand.person, sanitise(&hand.sentence, false));
    }
    for item in &preview.checklist.items {
        let _ = writeln!(text, "{}: {} ({})", preview.stands(item), sanitise(&item.title, false), sanitise(&item.why, false));
        text += &super::ways::lines(&item.startable, "          by ");
        text += &super::ways::none(item);
    }
    let _ = writeln!(text, "approvals needed: {}", sanitise(&preview.approvals_needed, false));
    let could: Vec<String> = preview.could_decide.operators.iter().map(ToString::to_string).collect();
    let enough = if preview.could_decide.enough { "" } else { "; that is not enough" };
    let _ = writeln!(
        text,
        "could decide: {}{enough}",
        if could.is_empty() { super::shown::nobody(&preview.could_decide).to_owned() } else { could.join(", ") }
    );
    text
}

/// Whom a case could be assigned to, a line each.
pub(super) fn assignable(found: &Assignable) -> String {
    let yes = |b: bool| if b { "yes" } else { "no" }.to_owned();
    let row = |r: &AssignableRow| {
        let roles: Vec<&str> = r.roles.iter().map(|r| r.label()).collect();
        vec![r.operator.to_string(), r.name.line(), roles.join(", "), yes(r.on_shift), yes(r.fits)]
    };
    let cells: Vec<Vec<String>> = found.rows.iter().map(row).collect();
    let more = if found.more > 0 { format!("and {} more\n", found.more) } else { String::new() };
    table(&["ACCOUNT", "NAME", "ROLES", "ON SHIFT", "IT WAITS FOR THEM"], &cells) + &more
}

/// Numbers, a line each.
pub(super) fn numbers(counts: &Counts) -> String {
    let Counts { open, approvals, grants, held, log, proposals } = counts;
    format!(
        "cases not ended   {open}\nyou could decide  {approvals}\nproposals you could approve {proposals}\nheld              {held}\ntemporary access  {grants}\nentries of the log {log}\n"
    )
}

/// How a list goes on, if it does.
pub(super) fn more(shown: usize, after: Option<&impl std::fmt::Display>) -> String {
    after.map_or_else(String::new, |after| {
        format!("{shown} are shown, and there are more: go on with --after {}\n", sanitise(&after.to_string(), false))
    })
}

/// Who one is, in a line.
pub(super) fn who(me: &Me) -> String {
    let account = me.operator.as_ref().map(ToString::to_string).or_else(|| me.automation.as_ref().map(ToString::to_string));
    let roles: Vec<&str> = me.roles.iter().map(|r| r.label()).collect();
    let roles = if me.automation.is_some() { "software, with no role".to_owned() } else { roles.join(", ") };
    format!("{} ({}) {roles}", me.name.line(), account.unwrap_or_default()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_is_told_that_it_has_no_role() {
        let me = serde_json::json!({"operator": null, "person": null, "automation": "triage-bot", "name": "triage-bot", "roles": [], "operations": [],
            "read_only": false, "expires_at": null, "server_time": "2026-11-20T10:00:00Z"});
        assert_eq!(who(&serde_json::from_value(me).unwrap()), "triage-bot (triage-bot) software, with no role");
    }

    #[test]
    fn a_preview_says_what_it_leaves_out_where_the_case_could_not_be_read() {
        let preview = serde_json::json!({"lineage": [], "you_give_up": false, "could_decide": {"operators": [], "on_shift": [], "enough": true,
            "missing_groups": []}, "approvals_needed": "1", "problem": null, "checklist": {"items": [], "done": 0, "complete": false, "next": null}});
        let preview: RoutePreview = serde_json::from_value(preview).unwrap();
        let silent = ClientError::Unreachable { server: "https://x".to_owned(), why: "no answer in time".to_owned() };
        let said = cost_with(&preview, Some(Err(silent)));
        assert!(said.contains("seal, approvals and proofs is not known") && said.contains("no answer in time"), "{said}");
        assert_eq!(cost_with(&preview, None), cost(&preview, None));
    }

    #[test]
    fn what_is_done_is_not_said_to_be_needed_where_the_way_stays() {
        let item = |title: &str, receipt: bool| {
            let receipt = receipt.then(|| {
                serde_json::json!({"id": "rcp-1", "method": "issued_code", "by": "the subject", "at": "2026-11-20T10:00:00Z",
                    "valid_until": "2026-11-20T11:00:00Z"})
            });
            serde_json::json!({"title": title, "methods": ["issued_code"], "gate": false, "state": "missing", "sessions": [], "startable": [], "why": "x",
                "receipt": receipt})
        };
        let said = |problem: Option<&str>| {
            let preview = serde_json::json!({"lineage": [], "you_give_up": false, "could_decide": {"operators": [], "on_shift": [], "enough": true,
                "missing_groups": []}, "approvals_needed": "1", "problem": problem, "checklist": {"items": [item("issued code", true),
                item("saved code", false)], "done": 1, "complete": false, "next": null}});
            cost(&serde_json::from_value(preview).unwrap(), None)
        };
        let stays = said(Some("It goes that way."));
        assert!(stays.contains("\ndone: issued code") && stays.contains("\nneeded: saved code"), "{stays}");
        assert!(said(None).contains("still counts: issued code"));
    }
}
