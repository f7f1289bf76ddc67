//! Ends temporary access: revocation is ordered until the target no longer shows the grant (invariant 11).
//!
//! Contract: never gives up; a grant counts as ended only when the target was asked and holds it no more. Knows no rules.

use super::executor::order;
use super::{Step, Workers};
use crate::base::ids::{CaseId, GrantId};
use crate::connectors::verify::revoked;
use crate::domain::case::Worker;
use crate::domain::command::Command;
use crate::service::ServiceError;
use crate::store::OutboxItem;

impl Workers {
    /// Has a grant revoked and confirmed.
    pub(super) async fn revoke_grant(&self, item: &OutboxItem, id: CaseId, grant: &GrantId) -> Result<Step, ServiceError> {
        let Some(case) = self.service.store.case(id).await? else { return Ok(Step::Finished) };
        let Some(found) = case.grants.iter().find(|g| &g.id == grant && g.revoked_at.is_none()) else { return Ok(Step::Finished) };
        let Some(order) = case.gave(found).and_then(|attempt| order(&case, attempt)) else {
            tracing::error!(case = %id, %grant, "no execution gave this grant");
            return Ok(Step::Finished);
        };
        let Some(connector) = self.hands.connectors.get(&case.route.target) else {
            tracing::error!(case = %id, system = %case.route.target, "no such target is configured; a grant can't be ended there");
            return Ok(Step::Again);
        };
        let Some(_place) = self.place(&case.route.target, item).await else { return Ok(Step::NoPlace) };
        if let Err(error) = connector.revoke(&order, self.service.now()).await {
            tracing::warn!(case = %id, %grant, error = error.code(), "a grant could not be revoked yet");
        }
        match connector.held(&order.subject, self.service.now()).await {
            Ok(held) if revoked(&order, &held) => {
                let confirm = Command::ConfirmRevoked { grant: grant.clone() };
                match self.service.execute(&Self::ask(Worker::Grants, item), id, &confirm).await {
                    Ok(_) => Ok(Step::Committed),
                    Err(error) => Self::after_refusal(id, error),
                }
            }
            _ => Ok(Step::Again),
        }
    }
}
