//! What clients send: the bodies of writes. Unknown fields are refused, so nothing can be slipped in (T6).
//!
//! Contract: shapes only; lengths and meaning are checked by the server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{Action, Channel, Decision, EvidenceKind, FailureType, FlagKind, Method, Path};
use crate::base::ids::{EndpointId, GroupId, OperatorId, PersonId, ScopeId, SubjectId, TargetId};
use crate::base::{Digest, Untrusted};

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }
    )+};
}

/// A nonce has at most 64 characters; a longer text is none and goes no further.
fn short<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    if text.chars().count() <= 64 { Ok(text) } else { Err(serde::de::Error::custom("a nonce has at most 64 characters")) }
}

bodies! {
    /// `POST /v1/cases`.
    OpenCase {
        /// Whose access.
        subject: SubjectId,
        /// What.
        action: Action,
        /// Which way.
        path: Path,
        /// In which system.
        target: TargetId,
        /// How much of it.
        scope: Vec<ScopeId>,
        /// How the request came in.
        channel: Channel,
        /// Who asked: `subject`, `unknown`, or a person's id.
        #[schema(pattern = "^[a-z0-9._-]{1,64}$")]
        requester: String,
        /// The recorded endpoint that carried the request, if it was one.
        #[serde(default)]
        endpoint: Option<EndpointId>,
        /// What they said; 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        #[serde(default)]
        summary: Option<Untrusted>,
    }
    /// `POST /v1/cases/{id}/route` and, with a subject, `/v1/cases/route-preview`.
    RouteCase {
        /// What.
        action: Action,
        /// Which way.
        path: Path,
        /// In which system.
        target: TargetId,
        /// How much of it.
        scope: Vec<ScopeId>,
        /// Approver groups beside policy's.
        #[serde(default)]
        approver_groups: Vec<GroupId>,
    }
    /// `POST /v1/cases/route-preview`.
    PreviewRoute {
        /// Whose access; a new case if `case` is absent.
        subject: SubjectId,
        /// The case that would be routed anew.
        #[serde(default)]
        case: Option<crate::base::ids::CaseId>,
        /// The way it would go.
        route: RouteCase,
    }
    /// `POST /v1/cases/{id}/triage`.
    TriageCase {
        /// What failed.
        failure: FailureType,
        /// How it was reproduced; 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        reproduction: Untrusted,
        /// Who owns triage; the asker if absent.
        #[serde(default)]
        triage_owner: Option<PersonId>,
        /// Who owns the remedy.
        remedy_owner: PersonId,
    }
    /// Any write that takes one text: comment, reason, note.
    Text {
        /// The text, 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        text: Untrusted,
    }
    /// `POST /v1/cases/{id}/assign`.
    Assign {
        /// To whom; absent to let go.
        operator: Option<OperatorId>,
    }
    /// `POST /v1/cases/{id}/handover`.
    HandOver {
        /// The note; 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        note: Untrusted,
        /// To whom, if to someone.
        #[serde(default)]
        to: Option<OperatorId>,
    }
    /// `POST /v1/cases/{id}/evidence`.
    AddEvidence {
        /// What kind.
        kind: EvidenceKind,
        /// The text; 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        text: Untrusted,
    }
    /// `POST /v1/cases/{id}/proofs`.
    StartProof {
        /// By what method.
        method: Method,
        /// Over which recorded endpoint.
        #[serde(default)]
        endpoint: Option<EndpointId>,
        /// Whom to ask, for an attestation.
        #[serde(default)]
        attester: Option<PersonId>,
    }
    /// `POST /v1/cases/{id}/decisions`.
    Decide {
        /// Approve or deny.
        decision: Decision,
        /// The seal that was shown.
        seal_sha256: Digest,
        /// The statement's nonce.
        #[schema(max_length = 64)]
        #[serde(deserialize_with = "short")]
        nonce: String,
        /// Why; required, 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        reason: Untrusted,
    }
    /// `POST /v1/cases/{id}/hold`.
    Hold {
        /// Why; required, 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        reason: Untrusted,
    }
    /// `POST /v1/cases/{id}/lift-hold`.
    LiftHold {
        /// Why; required, 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        reason: Untrusted,
        /// The session in which the subject was reached on another channel.
        contact_session: crate::base::ids::SessionId,
    }
    /// `POST /v1/cases/{id}/flags`.
    AddFlag {
        /// What was noticed.
        kind: FlagKind,
    }
    /// `POST /v1/cases/{id}/reviews`.
    AddReview {
        /// What was found; 1 to 16,384 bytes of UTF-8.
        #[schema(value_type = String, min_length = 1, max_length = 16384, pattern = r"\S")]
        note: Untrusted,
        /// Whether all was in order.
        in_order: bool,
    }
    /// `POST /v1/queue/take-next`: hands out the most urgent case nobody works on.
    TakeNext {
        /// Filter as in `GET /v1/cases`.
        #[serde(default)]
        #[schema(max_length = 500)]
        filter: Option<String>,
    }
}
