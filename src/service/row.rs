//! A case's row in lists, worked out from its world whenever it changes.
//!
//! Contract: pure. Knows nothing about who looks.

use crate::base::{Time, Untrusted};
use crate::domain::case::{self, Case};
use crate::domain::checklist::{self, Progress};
use crate::domain::command::World;
use crate::domain::requirement::Requirement;
use crate::domain::standing::Standing;
use crate::domain::view::CaseRow;
use crate::domain::vocabulary::{CaseState, Risk, SubjectKind, Tier, WaitingOn};

/// The row of a case in that world.
pub fn of(world: &World, case: &Case, now: Time) -> CaseRow {
    let requirement = checklist::requirement(world);
    // What was sealed stays as proved as it was then, however long ago that is.
    let open = matches!(case.state, CaseState::New | CaseState::Proofing);
    let progress = if open { checklist::progress(world, now) } else { checklist::sealed_progress(world, now) };
    let (name, kind, tier) = world
        .subject
        .as_ref()
        .map_or_else(|| (Untrusted::from(case.route.subject.as_str()), SubjectKind::Employee, Tier::Standard), |s| (s.name.clone(), s.kind, s.tier));
    let done = progress.items.iter().filter(|i| i.receipt.is_some()).count();
    CaseRow {
        id: case.id,
        version: case.changed,
        subject: case.route.subject.clone(),
        subject_name: name,
        kind,
        tier,
        action: case.route.action,
        path: case.route.path,
        channel: case.request.channel,
        state: case.state,
        held: case.hold.is_some(),
        risk: if case.hold.is_some() { Risk::High } else { case::risk(tier, &case.flags) },
        proof_done: small(done),
        proof_needed: small(progress.items.len()),
        waiting_on: waiting_on(case, &progress, &requirement, now),
        approvals_missing: approvals_missing(world, case, now),
        assignee: case.assignee.clone(),
        due: case.deadline(),
        opened_at: case.request.opened_at,
        updated_at: case.times.updated_at,
        flags: small(case.flags.len()),
        flag_kinds: case.flags.iter().map(|f| f.kind).collect(),
    }
}

fn small(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

/// Approvals still missing while a case waits for them.
fn approvals_missing(world: &World, case: &Case, now: Time) -> u8 {
    if case.state == CaseState::Sealed { small(Standing::of(world, now).lacking().persons) } else { 0 }
}

/// Whom a case waits for.
fn waiting_on(case: &Case, progress: &Progress, requirement: &Requirement, now: Time) -> WaitingOn {
    if case.hold.is_some() {
        return WaitingOn::Security;
    }
    match case.state {
        CaseState::Proofing if progress.complete => WaitingOn::Agent,
        CaseState::Proofing => {
            let open: Vec<_> = case.waiting(now).map(|(_, s)| s).collect();
            match (open.is_empty(), open.iter().any(|s| s.attester.is_none())) {
                (true, _) => WaitingOn::Agent,
                (_, true) => WaitingOn::Subject,
                _ => WaitingOn::Attester,
            }
        }
        CaseState::Sealed => WaitingOn::Approval,
        CaseState::Approved if case.times.execute_after.is_some_and(|t| t > now) => WaitingOn::Delay,
        CaseState::Approved | CaseState::Executing => WaitingOn::Execution,
        CaseState::Failed if case.taking_back() => WaitingOn::Execution,
        CaseState::Restored if requirement.review && case.reviews.is_empty() => WaitingOn::Review,
        CaseState::New | CaseState::Failed | CaseState::Restored => WaitingOn::Agent,
        _ => WaitingOn::Nobody,
    }
}
