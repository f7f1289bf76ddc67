//! What changes something: each write is a value, so that it can wait for a confirmation and be tried again under the same key.
//!
//! Contract: [`Write`] covers every write endpoint; [`Client::send`] does it once however often it is repeated under one key.

use serde::Serialize;

use super::{Client, ClientError, Written};
use crate::api::case::CaseDetail;
use crate::api::governance::RegisterAnswer;
use crate::api::requests::{
    AddEvidence, AddFlag, AddReview, Assign, Decide, HandOver, Hold, LiftHold, OpenCase, RouteCase, StartProof, TakeNext, Text, TriageCase,
};
use crate::base::ids::{CaseId, GrantId, ProposalId};

/// A write, without the case it is about (that goes beside it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Open a case.
    Open(Box<OpenCase>),
    /// Take the most urgent case nobody works on.
    TakeNext(TakeNext),
    /// Record what failed and who owns it.
    Triage(Box<TriageCase>),
    /// End it: nothing to recover.
    NoChange(Text),
    /// Send it another way.
    Route(Box<RouteCase>),
    /// Give it to someone, or let go.
    Assign(Assign),
    /// Leave a note for the next one.
    HandOver(HandOver),
    /// Say something.
    Comment(Text),
    /// Keep evidence.
    Evidence(AddEvidence),
    /// Keep what a program noticed.
    Telemetry(Text),
    /// Start a proof.
    Proof(StartProof),
    /// Ask for approval.
    Seal,
    /// Open the sealed case again; voids approvals.
    Reopen(Text),
    /// Approve or deny.
    Decide(Box<Decide>),
    /// Take one's approval back.
    TakeBack(Text),
    /// Withdraw the request.
    Withdraw(Text),
    /// Freeze it.
    Hold(Hold),
    /// Lift the freeze.
    LiftHold(LiftHold),
    /// Note an anomaly.
    Flag(AddFlag),
    /// Look back.
    Review(AddReview),
    /// Close it.
    Close,
    /// Carry the same plan out again.
    Retry,
    /// Undo what was done.
    RollBack(Text),
    /// End a temporary access now, and why.
    RevokeGrant(GrantId, Text),
    /// Approve someone else's proposal.
    ApproveProposal(ProposalId),
    /// Withdraw one's own proposal, or refuse one.
    EndProposal(ProposalId),
}

impl Write {
    /// The last parts of the endpoint's path.
    fn path(&self) -> Vec<&str> {
        match self {
            Self::Open(_) => vec![],
            Self::TakeNext(_) => vec!["take-next"],
            Self::Triage(_) => vec!["triage"],
            Self::NoChange(_) => vec!["no-change"],
            Self::Route(_) => vec!["route"],
            Self::Assign(_) => vec!["assign"],
            Self::HandOver(_) => vec!["handover"],
            Self::Comment(_) => vec!["comments"],
            Self::Evidence(_) => vec!["evidence"],
            Self::Telemetry(_) => vec!["telemetry"],
            Self::Proof(_) => vec!["proofs"],
            Self::Seal => vec!["seal"],
            Self::Reopen(_) => vec!["reopen"],
            Self::Decide(_) => vec!["decisions"],
            Self::TakeBack(_) => vec!["take-back"],
            Self::Withdraw(_) => vec!["withdraw"],
            Self::Hold(_) => vec!["hold"],
            Self::LiftHold(_) => vec!["lift-hold"],
            Self::Flag(_) => vec!["flags"],
            Self::Review(_) => vec!["reviews"],
            Self::Close => vec!["close"],
            Self::Retry => vec!["retry"],
            Self::RollBack(_) => vec!["roll-back"],
            Self::RevokeGrant(grant, _) => vec!["grants", grant.as_str(), "revoke"],
            Self::ApproveProposal(proposal) => vec!["proposals", proposal.as_str(), "approve"],
            Self::EndProposal(proposal) => vec!["proposals", proposal.as_str(), "end"],
        }
    }

    fn body(&self) -> Result<Vec<u8>, ClientError> {
        match self {
            Self::Open(body) => json(body),
            Self::TakeNext(body) => json(body),
            Self::Triage(body) => json(body),
            Self::Route(body) => json(body),
            Self::Assign(body) => json(body),
            Self::HandOver(body) => json(body),
            Self::NoChange(body)
            | Self::Comment(body)
            | Self::Telemetry(body)
            | Self::Reopen(body)
            | Self::TakeBack(body)
            | Self::Withdraw(body)
            | Self::RollBack(body)
            | Self::RevokeGrant(_, body) => json(body),
            Self::Evidence(body) => json(body),
            Self::Proof(body) => json(body),
            Self::Decide(body) => json(body),
            Self::Hold(body) => json(body),
            Self::LiftHold(body) => json(body),
            Self::Flag(body) => json(body),
            Self::Review(body) => json(body),
            Self::Seal | Self::Close | Self::Retry | Self::ApproveProposal(_) | Self::EndProposal(_) => Ok(b"{}".to_vec()),
        }
    }
}

impl Client {
    /// Does a write: `case` is what it is about (none for opening and taking), `version` the version that was looked at,
    /// `key` the same for each try of this very write.
    pub async fn send(&self, write: &Write, case: Option<CaseId>, version: Option<u64>, key: &str) -> Result<Written, ClientError> {
        self.may_change()?;
        let number = case.map(|c| c.to_string());
        let mut parts = match (write, &number) {
            (Write::TakeNext(_), _) => vec!["queue"],
            (Write::Open(_), _) => vec!["cases"],
            (Write::ApproveProposal(_) | Write::EndProposal(_), _) => vec!["register"],
            (_, Some(number)) => vec!["cases", number.as_str()],
            (_, None) => return Err(ClientError::Configuration("No case is named for this.".into())),
        };
        parts.extend(write.path());
        let address = self.address(&parts)?;
        if matches!(write, Write::ApproveProposal(_) | Write::EndProposal(_)) {
            let (governed, _) = self.post::<Box<RegisterAnswer>>(address, write.body()?, key, version).await?;
            return Ok(Written { governed: Some(governed), ..Written::default() });
        }
        let (case, etag) = self.post::<Option<Box<CaseDetail>>>(address, write.body()?, key, version).await?;
        let version = etag.or_else(|| case.as_ref().map(|c| c.row.version));
        Ok(Written { case, version, governed: None })
    }
}

pub(super) fn json<T: Serialize>(body: &T) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(body).map_err(|_| strange())
}

pub(super) fn strange() -> ClientError {
    ClientError::NotUnderstood { status: 200, hint: "Are console and server of the same version?".into(), request_id: None }
}
