//! The statement that an approver decides on, and its nonce: stateless, bound by HMAC to case, seal, person and the time of issue.
//!
//! Contract: a nonce proves that this server issued it for exactly that; how old it may be is the domain's. Knows no wire types.

use chrono::SubsecRound as _;
use subtle::ConstantTimeEq as _;

use super::keys::Keys;
use super::look::person_of;
use super::{Service, ServiceError};
use crate::base::digest::hex;
use crate::base::ids::{CaseId, PersonId};
use crate::base::{Digest, Time, canonical};
use crate::domain::case::ActorRef;
use crate::domain::command::Actor;
use crate::domain::decide::STATEMENT_LIFETIME;
use crate::domain::refusal::Refusal;
use crate::domain::seal::{Approver, SeenLog, Statement};
use crate::domain::vocabulary::Decision;
use crate::log::leaf_hash;

/// Bytes of the nonce's code: 128 bits, as many as an HMAC tag should have at least (RFC 2104 §5).
const NONCE_BYTES: usize = 16;

/// Hexadecimal digits of the first entry's hash in the log's origin.
const ORIGIN_DIGITS: usize = 32;

/// A statement and what goes back with the decision.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What is stated.
    pub statement: Statement,
    /// The same as one line of canonical JSON.
    pub line: String,
    /// The case's version it was made for.
    pub version: u64,
}

impl Service {
    /// The statement of a sealed case for one person.
    pub async fn statement(&self, id: CaseId, actor: &Actor, decision: Decision) -> Result<Issued, ServiceError> {
        let loaded = self.load(id, None).await?;
        let case = loaded.case()?;
        let (ActorRef::Operator { operator, .. }, Some(person)) = (&actor.who, person_of(&actor.who)) else {
            return Err(Refusal::NotPermitted { operation: "statement_read", needs: "a person who is signed in".to_owned() }.into());
        };
        let Some(seal) = &case.seal else {
            return Err(Refusal::WrongState { state: case.state, command: "decide" }.into());
        };
        let issued = loaded.now.trunc_subsecs(3);
        let (size, root_sha256) = self.store.head().await?;
        let origin = self.origin().await?;
        let statement = Statement {
            r#type: Statement::kind(decision),
            version: Statement::VERSION,
            approver: Approver { issuer: origin.clone(), account: operator.clone(), person: person.clone() },
            origin,
            case: case.id,
            revision: seal.revision,
            decision,
            subject: case.route.subject.clone(),
            seal_sha256: seal.sha256,
            plan_sha256: seal.plan_sha256,
            evidence_sha256: seal.evidence_sha256,
            checklist_sha256: seal.checklist_sha256,
            policy_sha256: seal.policy_sha256,
            lineage_sha256: seal.lineage_sha256,
            nonce: Occasion { case: case.id, seal: seal.sha256, person }.nonce(&self.keys, issued),
            issued,
            expires: issued + STATEMENT_LIFETIME,
            log: SeenLog { size, root_sha256 },
        };
        let line = statement.line().map_err(|e| ServiceError::Policy(e.to_string()))?;
        Ok(Issued { statement, line, version: case.changed })
    }

    /// The log's name for itself: no two logs begin with the same entry, so a statement made for one says nothing in another (T9).
    async fn origin(&self) -> Result<String, ServiceError> {
        let first = self.store.entries(0, 1).await?;
        let first = first.first().ok_or(ServiceError::NotFounded)?;
        let bytes = canonical::to_vec(first).map_err(|e| ServiceError::Policy(e.to_string()))?;
        Ok(format!("countersign/{}", &leaf_hash(&bytes).to_string()[..ORIGIN_DIGITS]))
    }

    /// When a nonce was issued, if this server issued it for that case, seal and person.
    pub fn nonce_issued_at(&self, case: CaseId, seal: Digest, person: &PersonId, nonce: &str) -> Option<Time> {
        Occasion { case, seal, person }.issued_at(&self.keys, nonce)
    }
}

/// What a nonce is bound to besides the time.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The case.
    pub case: CaseId,
    /// The seal that is decided on.
    pub seal: Digest,
    /// Who decides.
    pub person: &'a PersonId,
}

impl Occasion<'_> {
    /// A nonce issued at that time, cut to milliseconds.
    pub fn nonce(&self, keys: &Keys, issued: Time) -> String {
        let millis = issued.timestamp_millis();
        format!("{millis:x}.{}", hex(&self.mac(keys, millis)[..NONCE_BYTES]))
    }

    fn mac(&self, keys: &Keys, millis: i64) -> [u8; 32] {
        let Self { case, seal, person } = self;
        keys.mac("statement nonce v1", format!("{case}\0{seal}\0{person}\0{millis}").as_bytes())
    }

    /// When a nonce was issued, if it was issued under these keys on this occasion.
    pub fn issued_at(&self, keys: &Keys, nonce: &str) -> Option<Time> {
        let (millis, mac) = nonce.split_once('.').filter(|_| nonce.len() <= 64)?;
        let millis = i64::from_str_radix(millis, 16).ok()?;
        let expected = hex(&self.mac(keys, millis)[..NONCE_BYTES]);
        let same: bool = expected.as_bytes().ct_eq(mac.as_bytes()).into();
        same.then(|| chrono::DateTime::from_timestamp_millis(millis)).flatten()
    }
}
