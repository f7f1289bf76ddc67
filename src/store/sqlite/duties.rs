//! Duty rows: what the database itself knows of who may not decide, so that it refuses a self-approval even if the rules had let it
//! through (invariant 1, T1, T6).
//!
//! Contract: filled from events and from who acted, without asking what `decide` thought: lineage as events recorded it, and beside it
//! the plain hands that any reader of the events would name; how far back owners and other cases count stands in `reach`. Triggers of the schema do the refusing.

use chrono::Duration;
use rusqlite::{OptionalExtension as _, params};

use super::batch::Batch;
use super::commit::int;
use super::errors::from_json;
use super::met::met;
use super::reach::Reach;
use super::rows::{Ordinal as _, millis};
use crate::base::Time;
use crate::base::ids::{AutomationId, CaseId, PersonId};
use crate::domain::case::{ActorRef, Approval, Case, Execution, ExecutionOutcome, LineageEntry, Requester, Route};
use crate::domain::event::CaseEvent;
use crate::domain::register::Principal;
use crate::domain::subject::{Ownership, Subject};
use crate::domain::vocabulary::{Duty, FailureReason};
use crate::store::{CaseChange, Change, CommitError};

/// Writes the duty rows that an event makes.
pub(super) fn put(batch: &mut Batch<'_>, change: &Change, case: &CaseChange, event: &CaseEvent, seq: i64) -> Result<(), CommitError> {
    let rows = Duties { batch, case: &case.after, at: change.at, seq };
    match event {
        CaseEvent::Opened { route, request, linked, .. } => {
            rows.route(route)?;
            linked.iter().try_for_each(|l| rows.link(*l))?;
            rows.around()?;
            rows.requester(&request.requester)?;
            rows.actor(&change.actor, Duty::Router)
        }
        CaseEvent::LineageGrew { lineage, .. } => lineage.iter().try_for_each(|entry| rows.entry(entry)),
        CaseEvent::Routed { route } => {
            rows.route(route)?;
            rows.around()?;
            rows.actor(&change.actor, Duty::Router)
        }
        // The same way, decided anew.
        CaseEvent::Reopened { .. } => {
            rows.route(&case.after.route)?;
            rows.around()
        }
        // In a held case contact is made to lift the hold: no hand in the proof.
        CaseEvent::SessionOpened { proof, .. } if case.after.hold.is_none() && matches!(proof.by, ActorRef::Operator { .. }) => {
            rows.actor(&proof.by, Duty::ProofStarter)
        }
        CaseEvent::EvidenceAdded { .. } | CaseEvent::Triaged { .. } => rows.actor(&change.actor, Duty::EvidenceEditor),
        CaseEvent::Proved { receipt } => rows.actor(&receipt.by, Duty::Prover),
        CaseEvent::Sealed { seal, .. } => {
            rows.actor(&change.actor, Duty::Sealer)?;
            rows.around()?;
            let needed = rows.needed()?;
            rows.batch
                .conn
                .prepare_cached("INSERT INTO seals (case_key, revision, sha256, path, needed, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![rows.case.id.key(), seal.revision, seal.sha256.as_bytes(), case.after.route.path.ordinal(), needed, seq])?;
            Ok(())
        }
        CaseEvent::Decided { approval } => {
            rows.around()?;
            rows.approval(&change.actor, approval)?;
            batch.news.meetings.extend(met(&case.after, approval));
            Ok(())
        }
        CaseEvent::ApprovalsVoided { approvals, .. } => {
            for id in approvals {
                rows.batch.conn.prepare_cached("INSERT INTO voids (approval, seq) VALUES (?1, ?2)")?.execute(params![id.as_str(), seq])?;
            }
            Ok(())
        }
        CaseEvent::ExecutionStarted { execution } => {
            rows.around()?;
            rows.execution(execution)
        }
        _ => Ok(()),
    }
}

struct Duties<'a, 'c> {
    batch: &'a Batch<'c>,
    case: &'a Case,
    at: Time,
    seq: i64,
}

/// How a principal is written into a column.
pub(super) fn via(principal: Option<&Principal>) -> String {
    match principal {
        None => String::new(),
        Some(Principal::Person(id)) => format!("person {id}"),
        Some(Principal::Automation(id)) => format!("automation {id}"),
    }
}

impl Duties<'_, '_> {
    fn route(&self, route: &Route) -> Result<(), CommitError> {
        let sql = "INSERT INTO routes (case_key, seq, at, policy, subject, action, path) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.batch.conn.prepare_cached(sql)?.execute(params![
            self.case.id.key(),
            self.seq,
            millis(self.at),
            self.case.policy.as_bytes(),
            route.subject.as_str(),
            route.action.ordinal(),
            route.path.ordinal()
        ])?;
        let sql = "INSERT INTO went (subject, target, case_key) VALUES (?1, ?2, ?3)";
        self.batch.conn.prepare_cached(sql)?.execute(params![route.subject.as_str(), route.target.as_str(), self.case.id.key()])?;
        Ok(())
    }

    /// How many distinct persons must decide the case as it stands, by the policies that the store itself keeps; what the caller shows in
    /// the case's row does not matter.
    fn needed(&self) -> Result<i64, CommitError> {
        let case = self.case;
        let sql = "SELECT body FROM subjects WHERE id = ?1";
        let body: Option<String> = self.batch.conn.prepare_cached(sql)?.query_row([case.route.subject.as_str()], |r| r.get(0)).optional()?;
        let Some(subject) = body.map(|b| from_json::<Subject>("a subject", &b)).transpose()? else { return Ok(0) };
        let mut needed = 0;
        for sha256 in [Some(case.policy), self.batch.tip.register.policy].into_iter().flatten() {
            if let Some(policy) = self.batch.kept.policy(self.batch.conn, &sha256)? {
                needed = needed.max(policy.requirement(&subject, &case.route, &case.flags, case.request.opened_at).approvals.persons());
            }
        }
        Ok(int(needed as u64))
    }

    fn execution(&self, execution: &Execution) -> Result<(), CommitError> {
        // One that ends in the same change because it is not allowed any more touched nothing, and needs no approvals.
        let stopped = |e: &Execution| matches!(e.outcome, Some(ExecutionOutcome::Failed { reason: FailureReason::NoLongerAllowed }));
        let begun = !self.case.executions.iter().any(|e| e.attempt == execution.attempt && stopped(e));
        let sql = "INSERT INTO executions (case_key, attempt, seal, at, begun, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (key, at) = (self.case.id.key(), millis(execution.started_at));
        self.batch.conn.prepare_cached(sql)?.execute(params![key, execution.attempt, execution.seal.as_bytes(), at, begun, self.seq])?;
        Ok(())
    }

    fn link(&self, linked: CaseId) -> Result<(), CommitError> {
        let sql = "INSERT INTO links (case_key, linked, seq) VALUES (?1, ?2, ?3)";
        self.batch.conn.prepare_cached(sql)?.execute([self.case.id.key(), linked.key(), self.seq])?;
        Ok(())
    }

    fn entry(&self, entry: &LineageEntry) -> Result<(), CommitError> {
        self.row(&entry.person, entry.duty, &via(entry.via.as_ref()), entry.case)
    }

    fn row(&self, person: &PersonId, duty: Duty, via: &str, from: Option<CaseId>) -> Result<(), CommitError> {
        Ok(self.reach().row(person, duty, via, from)?)
    }

    fn reach(&self) -> Reach<'_> {
        Reach { conn: self.batch.conn, case: self.case, seq: self.seq }
    }

    /// Owners of the subject and other cases, as they are by now.
    fn around(&self) -> Result<(), CommitError> {
        Ok(self.reach().put(millis(self.at))?)
    }

    fn owners(&self, owners: &[Ownership], duty: Duty, via: &str) -> Result<(), CommitError> {
        let window = Duration::milliseconds(self.reach().windows()?.0);
        owners.iter().filter(|o| o.within(self.at, window)).try_for_each(|o| self.row(&o.person, duty, via, None))
    }

    fn requester(&self, requester: &Requester) -> Result<(), CommitError> {
        match requester {
            Requester::Person(person) => self.row(person, Duty::Requester, "", None),
            Requester::Automation(id) => self.automation(id),
            Requester::Subject | Requester::Unknown => Ok(()),
        }
    }

    /// Who did something, and everyone whose software or name it was done by.
    fn actor(&self, actor: &ActorRef, duty: Duty) -> Result<(), CommitError> {
        match actor {
            ActorRef::Operator { person, .. } | ActorRef::Attester { person, .. } => self.row(person, duty, "", None),
            ActorRef::Automation { automation, on_behalf_of } => {
                self.automation(automation)?;
                on_behalf_of.iter().try_for_each(|principal| match principal {
                    Principal::Person(person) => self.row(person, Duty::ActedFor, &format!("automation {automation}"), None),
                    Principal::Automation(id) => self.automation(id),
                })
            }
            ActorRef::Subject { .. } | ActorRef::System { .. } => Ok(()),
        }
    }

    fn automation(&self, id: &AutomationId) -> Result<(), CommitError> {
        let sql = "INSERT INTO machines (case_key, automation, seq) VALUES (?1, ?2, ?3)";
        self.batch.conn.prepare_cached(sql)?.execute(params![self.case.id.key(), id.as_str(), self.seq])?;
        let Some(automation) = self.batch.tip.register.automations.get(id) else { return Ok(()) };
        let via = format!("automation {id}");
        self.owners(&automation.owners, Duty::AutomationOwner, &via)?;
        self.owners(&automation.sponsors, Duty::AutomationSponsor, &via)
    }

    fn approval(&self, actor: &ActorRef, approval: &Approval) -> Result<(), CommitError> {
        let (kind, acting) = match actor {
            ActorRef::Operator { person, operator } if operator == &approval.operator => ("operator", person.as_str()),
            ActorRef::Operator { .. } => ("operator", ""),
            ActorRef::Automation { .. } => ("automation", ""),
            ActorRef::Subject { .. } => ("subject", ""),
            ActorRef::Attester { .. } => ("attester", ""),
            ActorRef::System { .. } => ("system", ""),
        };
        self.batch
            .conn
            .prepare_cached(
                "INSERT INTO approvals (id, case_key, seal, person, operator, actor, actor_person, decision, at, valid_until, seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                approval.id.as_str(),
                self.case.id.key(),
                approval.seal.as_bytes(),
                approval.person.as_str(),
                approval.operator.as_str(),
                kind,
                acting,
                approval.decision.ordinal(),
                millis(approval.at),
                millis(approval.valid_until),
                self.seq
            ])?;
        Ok(())
    }
}
