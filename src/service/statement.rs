//! The statement that an approver decides on, and its nonce: stateless, bound by HMAC to case, seal, person and the time of issue.
//!
//! Contract: a nonce proves that this server issued it for exactly that; how old it may be is the domain's. Knows no wire types.

use std::fmt::Write as _;

use subtle::ConstantTimeEq as _;

use super::look::person_of;
use super::{Service, ServiceError};
use crate::base::ids::{CaseId, PersonId};
use crate::base::{Digest, Time, canonical};
use crate::domain::case::{ActorRef, Case};
use crate::domain::command::Actor;
use crate::domain::vocabulary::Decision;

/// How long a statement may be submitted (product.md, "Life of a case").
pub const LIFETIME: chrono::Duration = chrono::Duration::minutes(10);

/// Bytes of the nonce's code: 128 bits, as many as an HMAC tag should have at least (RFC 2104 §5).
const NONCE_BYTES: usize = 16;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// A statement and what goes back with the decision.
#[derive(Debug, Clone)]
pub struct Issued {
    /// One line of canonical JSON.
    pub statement: String,
    /// To send back.
    pub nonce: String,
    /// The seal it binds.
    pub seal: Digest,
    /// The case's version it was made for.
    pub version: u64,
    /// Until when.
    pub submit_before: Time,
}

impl Service {
    /// The statement of a sealed case for one person.
    pub async fn statement(&self, id: CaseId, actor: &Actor, decision: Decision) -> Result<Issued, ServiceError> {
        let loaded = self.load(id, None).await?;
        let case = loaded.case()?;
        let (ActorRef::Operator { operator, .. }, Some(person)) = (&actor.who, person_of(&actor.who)) else {
            return Err(
                crate::domain::refusal::Refusal::NotPermitted { operation: "statement", needs: "a person who is signed in".to_owned() }.into()
            );
        };
        let Some(seal) = &case.seal else {
            return Err(crate::domain::refusal::Refusal::WrongState { state: case.state, command: "statement" }.into());
        };
        let (now, (size, root)) = (loaded.now, self.store.head().await?);
        let nonce = self.nonce(case, seal.sha256, person, now);
        let kind = if decision == Decision::Approve { "approve.v1" } else { "deny.v1" };
        let statement = serde_json::json!({
            "type": kind, "version": 1, "case": case.id, "revision": seal.revision, "decision": decision, "subject": case.route.subject,
            "seal_sha256": seal.sha256, "plan_sha256": seal.plan_sha256, "evidence_sha256": seal.evidence_sha256,
            "checklist_sha256": seal.checklist_sha256, "policy_sha256": seal.policy_sha256, "lineage_sha256": seal.lineage_sha256,
            "approver": {"account": operator, "person": person}, "nonce": nonce, "issued": now, "expires": now + LIFETIME,
            "log": {"size": size, "root_sha256": root},
        });
        let bytes = canonical::to_vec(&statement).map_err(|e| ServiceError::Policy(e.to_string()))?;
        let statement = String::from_utf8(bytes).map_err(|e| ServiceError::Policy(e.to_string()))?;
        Ok(Issued { statement, nonce, seal: seal.sha256, version: case.changed, submit_before: now + LIFETIME })
    }

    fn nonce(&self, case: &Case, seal: Digest, person: &PersonId, issued: Time) -> String {
        let mac = self.nonce_mac(case.id, seal, person, issued.timestamp_millis());
        format!("{:x}.{}", issued.timestamp_millis(), hex(&mac[..NONCE_BYTES]))
    }

    fn nonce_mac(&self, case: CaseId, seal: Digest, person: &PersonId, millis: i64) -> [u8; 32] {
        self.keys.mac("statement nonce v1", format!("{case}\0{seal}\0{person}\0{millis}").as_bytes())
    }

    /// When a nonce was issued, if this server issued it for that case, seal and person.
    pub fn nonce_issued_at(&self, case: CaseId, seal: Digest, person: &PersonId, nonce: &str) -> Option<Time> {
        let (millis, mac) = nonce.split_once('.').filter(|_| nonce.len() <= 64)?;
        let millis = i64::from_str_radix(millis, 16).ok()?;
        let expected = hex(&self.nonce_mac(case, seal, person, millis)[..NONCE_BYTES]);
        let same: bool = expected.as_bytes().ct_eq(mac.as_bytes()).into();
        same.then(|| chrono::DateTime::from_timestamp_millis(millis)).flatten()
    }
}
