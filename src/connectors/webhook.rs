//! The signed webhook: orders are posted to `<base>orders`, and what is held is asked at `<base>held/<subject>`.
//!
//! Contract: Standard Webhooks headers on both; a `GET` signs `GET <path>` in place of a body. The webhook's id comes from case, attempt and
//! kind, so a receiver does it once however often it arrives. Answers are bounded and parsed strictly: a subject that the target does not know
//! is one of which it says so, with 404 and `{"subject": "<id>", "known": false}`. Knows nothing about retries.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::sign::Signer;
use super::{CallError, Connector, Held, HeldGrant, Order};
use crate::base::Time;
use crate::base::ids::{ScopeId, SubjectId};
use crate::base::text::sanitise;
use crate::domain::vocabulary::{Action, Status};
use crate::outbound::door::{Answer, Base, Call, Door, DoorError};

/// The most scopes and grants accepted in an answer.
pub const MAX_HELD: usize = 10_000;

/// A target that takes signed webhooks.
pub struct Webhook {
    door: Door,
    base: Base,
    signer: Signer,
    tries: u32,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Time,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    order: String,
    case: String,
    attempt: u32,
    subject: &'a SubjectId,
    action: Action,
    scope: Vec<&'a ScopeId>,
    expires_at: Option<Time>,
    revokes_old: bool,
    rotates: Vec<&'a SubjectId>,
}

#[derive(Deserialize)]
struct HeldAnswer {
    subject: SubjectId,
    status: Option<Status>,
    scope: Vec<ScopeId>,
    generation: u64,
    order: Option<String>,
    #[serde(default)]
    grants: Vec<GrantAnswer>,
}

/// How a target says, with status 404, that it does not know a subject: `{"subject": "<id>", "known": false}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotKnown {
    subject: SubjectId,
    known: bool,
}

#[derive(Deserialize)]
struct GrantAnswer {
    order: String,
    scope: Vec<ScopeId>,
    expires_at: Option<Time>,
}

impl Webhook {
    /// A target at a base address that the door lets through.
    pub fn new(door: Door, base: Base, signer: Signer) -> Self {
        Self { door, base, signer, tries: super::MAX_TRIES }
    }

    /// Given up after so many tries of one execution.
    #[must_use]
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries.min(super::MAX_TRIES);
        self
    }

    async fn post(&self, kind: &'static str, order: &Order, at: Time) -> Result<(), CallError> {
        let short = kind.rsplit('.').next().unwrap_or(kind);
        let id = format!("{}_{short}", order.reference());
        let data = Data {
            order: order.reference(),
            case: order.case.to_string(),
            attempt: order.attempt,
            subject: &order.subject,
            action: order.action,
            scope: order.scope.iter().collect(),
            expires_at: order.expires_at,
            revokes_old: order.revokes_old,
            rotates: order.rotates.iter().collect(),
        };
        let message = Message { kind, timestamp: order.at, data };
        let body = serde_json::to_vec(&message).map_err(|e| CallError::NotReached(e.to_string()))?;
        let mut headers = self.signer.headers(&id, at.timestamp(), &body);
        headers.push(("content-type", "application/json".to_owned()));
        let call = Call { body: Some(body), url: format!("{}orders", self.base.as_str()), headers };
        accepted(&self.door.send(call).await.map_err(failure)?)
    }
}

#[async_trait]
impl Connector for Webhook {
    fn tries(&self) -> u32 {
        self.tries
    }

    async fn execute(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.post("recovery.execute", order, now).await
    }

    async fn held(&self, subject: &SubjectId, now: Time) -> Result<Held, CallError> {
        let url = format!("{}held/{subject}", self.base.as_str());
        let checked = self.door.check(&url).map_err(failure)?;
        let id = format!("held_{subject}_{}", now.timestamp_millis());
        let headers = self.signer.headers(&id, now.timestamp(), format!("GET {}", checked.path()).as_bytes());
        let answer = self.door.send(Call { body: None, url, headers }).await.map_err(failure)?;
        match answer.status {
            200 => read(&answer, subject),
            404 => unknown(&answer, subject),
            status => Err(CallError::NotReached(format!("status {status}"))),
        }
    }

    async fn revoke(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.post("recovery.revoke", order, now).await
    }

    async fn roll_back(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.post("recovery.roll_back", order, now).await
    }
}

/// The largest generation that is taken: it goes into the log, where numbers are those that every JSON reader holds exactly (RFC 8785 §3.2.2.3).
const MAX_GENERATION: u64 = (1 << 53) - 1;

/// Reads what a target says it holds for a subject; bounded by [`MAX_HELD`], strict, and about nobody else.
pub fn read(answer: &Answer, subject: &SubjectId) -> Result<Held, CallError> {
    let held: HeldAnswer = serde_json::from_slice(&answer.body).map_err(|e| CallError::Answer(sanitise(&e.to_string(), false)))?;
    let size = held.scope.len() + held.grants.len() + held.grants.iter().map(|g| g.scope.len()).sum::<usize>();
    if size > MAX_HELD {
        return Err(CallError::Answer(format!("more than {MAX_HELD} scopes")));
    }
    if &held.subject != subject {
        return Err(CallError::Answer("it is about another subject".to_owned()));
    }
    if held.generation > MAX_GENERATION {
        return Err(CallError::Answer(format!(
            "generations count to {MAX_GENERATION}, the largest number that every reader of the log holds exactly"
        )));
    }
    let grant = |g: GrantAnswer| HeldGrant { order: g.order, scope: g.scope.into_iter().collect(), expires_at: g.expires_at };
    Ok(Held {
        status: held.status,
        scope: held.scope.into_iter().collect(),
        generation: held.generation,
        order: held.order,
        grants: held.grants.into_iter().map(grant).collect(),
    })
}

/// Reads that a target does not know a subject. That it holds nothing is a confirmation like any other, so it is the target that has to say it:
/// whatever else answers 404 (a proxy, a wrong path, a target half deployed) says nothing about what is held.
pub fn unknown(answer: &Answer, subject: &SubjectId) -> Result<Held, CallError> {
    let foreign = || CallError::Unknown("status 404, and not in the target's own words".to_owned());
    let said: NotKnown = serde_json::from_slice(&answer.body).map_err(|_| foreign())?;
    if said.known || &said.subject != subject {
        return Err(foreign());
    }
    Ok(Held { status: None, scope: super::Scopes::new(), generation: 0, order: None, grants: Vec::new() })
}

/// A status says whether it arrived and was taken; statuses that ask for patience, and faults on the way, leave it open.
fn accepted(answer: &Answer) -> Result<(), CallError> {
    match answer.status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(CallError::Unknown(format!("status {}", answer.status))),
        status => Err(CallError::Refused(status)),
    }
}

fn failure(error: DoorError) -> CallError {
    match error {
        DoorError::Unknown(why) => CallError::Unknown(why),
        DoorError::Answer(why) => CallError::Unknown(why.to_owned()),
        other => CallError::NotReached(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_that_the_log_could_not_hold_is_refused_in_words() {
        let subject: SubjectId = "okafor".parse().unwrap();
        let said = |generation: u64| {
            let body =
                serde_json::json!({"subject": "okafor", "status": "active", "scope": [], "generation": generation, "order": null, "grants": []});
            read(&Answer { status: 200, body: body.to_string().into_bytes() }, &subject)
        };
        assert_eq!(said(MAX_GENERATION).unwrap().generation, MAX_GENERATION);
        assert!(matches!(said(1_800_000_000_000_000_000), Err(CallError::Answer(why)) if why.contains("generations count to")));
    }
}
