//! From the domain's data to the wire.
//!
//! Contract: the only place where both are known. Nothing that proves an identity leaves here (invariants 7 and 12).

mod case;
mod explained;
mod governance;
mod governs;
mod log;
mod parts;
mod says;

use super::filter;
use super::lists;
use super::problem;
use crate::domain::case::ActorRef;
use crate::domain::refusal;
use crate::domain::register::Principal;
use crate::domain::standing::Lacking;
use crate::domain::view;

pub use case::{NOT_ROUTABLE, preview};
pub use explained::explain;
pub use governance::{Looking, MAX_SETTINGS, policy_compared, policy_proposed, policy_view, proposal_row, register_view};
pub use parts::duty;

impl From<view::CaseRow> for lists::CaseRow {
    fn from(r: view::CaseRow) -> Self {
        Self {
            id: r.id,
            version: r.version,
            subject: r.subject,
            subject_name: r.subject_name,
            kind: r.kind,
            tier: r.tier,
            action: r.action,
            path: r.path,
            channel: r.channel,
            state: r.state,
            held: r.held,
            risk: r.risk,
            proof_done: r.proof_done,
            proof_needed: r.proof_needed,
            waiting_on: r.waiting_on,
            approvals_missing: r.approvals_missing,
            assignee: r.assignee,
            due: r.due,
            opened_at: r.opened_at,
            updated_at: r.updated_at,
            flags: r.flags,
            flag_kinds: r.flag_kinds.into_iter().collect(),
            sealed_at: None,
            held_since: None,
            flagged_since: None,
            restored_at: None,
        }
    }
}

impl From<view::Assignable> for lists::Assignable {
    fn from(found: view::Assignable) -> Self {
        let row = |a: view::Assignee| lists::AssignableRow {
            operator: a.operator,
            name: a.name,
            roles: a.roles.into_iter().collect(),
            on_shift: a.on_shift,
            fits: a.fits,
        };
        Self { rows: found.rows.into_iter().map(row).collect(), more: found.more }
    }
}

impl From<view::QueuePage> for lists::QueuePage {
    fn from(page: view::QueuePage) -> Self {
        let row = |row: view::CaseRow| {
            let since = page.since.get(&row.id).copied().unwrap_or_default();
            lists::CaseRow {
                sealed_at: since.sealed,
                held_since: since.held,
                flagged_since: since.flagged,
                restored_at: since.restored,
                ..row.into()
            }
        };
        Self { rows: page.rows.into_iter().map(row).collect(), before: page.before.map(filter::cursor), after: page.after.map(filter::cursor) }
    }
}

impl lists::GrantRow {
    /// A grant as one asker sees it: why they can't revoke it, if they can't.
    pub fn seen(row: view::GrantRow, refused: Option<&refusal::Refusal>) -> Self {
        let grant = row.grant;
        Self {
            state: grant.state(),
            id: grant.id,
            case: row.case,
            version: row.version,
            subject: row.subject,
            subject_name: row.subject_name,
            kind: row.kind,
            target: row.target,
            action: row.action,
            scope: grant.scope.iter().map(ToString::to_string).collect(),
            since: grant.since,
            expires_at: grant.expires_at,
            ending_since: grant.ending.map(|(at, _)| at),
            ending_why: grant.ending.map(|(_, why)| why),
            revoked_at: grant.revoked_at,
            refused: refused.map(ToString::to_string),
        }
    }
}

/// Numbers for the head line, with how many proposals the asker could approve.
pub const fn counts(c: view::Counts, proposals: u64) -> lists::Counts {
    lists::Counts { open: c.open, approvals: c.approvals, grants: c.grants, held: c.held, log: c.log, proposals }
}

impl From<&refusal::CouldDecide> for problem::CouldDecide {
    fn from(could: &refusal::CouldDecide) -> Self {
        Self {
            operators: could.operators.clone(),
            on_shift: could.on_shift.clone(),
            enough: could.enough,
            missing_groups: could.missing_groups.iter().map(ToString::to_string).collect(),
            lacking: could.lacking.as_ref().into(),
            untold: false,
        }
    }
}

impl From<&Lacking> for problem::Lacking {
    fn from(lacking: &Lacking) -> Self {
        Self { persons: u8::try_from(lacking.persons).unwrap_or(u8::MAX), nearer: lacking.nearer.clone() }
    }
}

/// A principal's opaque id.
pub fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Person(id) => id.to_string(),
        Principal::Automation(id) => id.to_string(),
    }
}

/// Who, as a reader names them: `nadia`, `triage-bot for p-nadia`, `subject`, `server`.
pub fn actor_words(who: &ActorRef) -> String {
    match who {
        ActorRef::Operator { operator, .. } => operator.to_string(),
        ActorRef::Automation { automation, on_behalf_of } if on_behalf_of.is_empty() => automation.to_string(),
        ActorRef::Automation { automation, on_behalf_of } => {
            let chain: Vec<String> = on_behalf_of.iter().map(principal).collect();
            format!("{automation} for {}", chain.join(" for "))
        }
        ActorRef::Subject { .. } => "subject".to_owned(),
        ActorRef::Attester { person, .. } => person.to_string(),
        ActorRef::System { .. } => "server".to_owned(),
    }
}
