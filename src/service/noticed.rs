//! Notices what no single case shows: a router and an approver who meet too often (T8), a subject whose name looks like another's (T18).
//!
//! Contract: a flag in the server's own name, once a case; what follows from it is policy's. A pair is looked for when an approval is
//! accepted and again before anything is executed. Knows no rules: what is odd is `domain::anomaly`.

use super::{Ask, Done, Service, ServiceError};
use crate::domain::anomaly::{self, Meeting};
use crate::domain::case::{Case, Worker};
use crate::domain::command::Command;
use crate::domain::refusal::Refusal;
use crate::domain::vocabulary::FlagKind;

impl Service {
    /// Flags a case if one of its approvers and one of those who routed it, themselves or through software, meet too often.
    pub(super) async fn notice_pairs(&self, case: &Case) -> Result<Option<Done>, ServiceError> {
        let approvers: Vec<_> = case.live_approvals().map(|a| &a.person).collect();
        if approvers.is_empty() || case.has_flag(FlagKind::OddPair) {
            return Ok(None);
        }
        let since = self.now() - anomaly::WINDOW;
        for approver in &approvers {
            let meeting = Meeting::at(case, approver);
            for router in meeting.routers.union(&meeting.through) {
                if self.store.met(since, router, approver).await?.iter().any(|met| met.is_odd()) {
                    return self.flag(case, FlagKind::OddPair).await;
                }
            }
        }
        Ok(None)
    }

    /// Flags a case if its subject's name looks like that of another subject.
    pub(super) async fn notice_look_alike(&self, case: &Case) -> Result<Option<Done>, ServiceError> {
        if case.has_flag(FlagKind::LookAlike) {
            return Ok(None);
        }
        let Some(record) = self.store.subject(&case.route.subject).await? else { return Ok(None) };
        let name = record.subject.name.raw();
        let others = self.store.names_like(&anomaly::skeleton(name), &case.route.subject).await?;
        let clash = others.iter().any(|other| anomaly::look_alike(name, other.raw()));
        if clash { self.flag(case, FlagKind::LookAlike).await } else { Ok(None) }
    }

    async fn flag(&self, case: &Case, kind: FlagKind) -> Result<Option<Done>, ServiceError> {
        // Flagging is a command like any other, and commands lead here: the box ends the circle of types, `has_flag` the circle of calls.
        let flagged = Box::pin(self.execute(&Ask::system(Worker::Reassess), case.id, &Command::Flag { kind })).await;
        match flagged {
            Ok(done) => Ok(Some(done)),
            Err(ServiceError::Refused(refusal)) if matches!(*refusal, Refusal::Already(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// What was done, and what was noticed because of it. That something could not be looked for is logged; it is looked for again before
    /// anything is executed.
    pub(super) fn and_noticed(done: Done, noticed: Result<Option<Done>, ServiceError>) -> Done {
        match noticed {
            Ok(Some(flagged)) => {
                Done { events: done.events.into_iter().chain(flagged.events).collect(), committed: flagged.committed.or(done.committed), ..flagged }
            }
            Ok(None) => done,
            Err(error) => {
                tracing::error!(case = %done.case.id, error = error.code(), "patterns across cases could not be looked for");
                done
            }
        }
    }
}
