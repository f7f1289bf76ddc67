//! Where one is: a screen, with the case it is about if it is about one.
//!
//! Contract: plain data. What a screen shows beside that is its own.

use super::action::Scope;
use crate::api::words::Decision;
use crate::base::ids::CaseId;

/// A screen, with what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Signing in.
    SignIn,
    /// The queue.
    Queue,
    /// A case.
    Case(CaseId),
    /// Cases that wait for the user's decision.
    Approvals,
    /// Deciding a case.
    Approve(CaseId, Decision),
    /// Opening a case, or routing one anew.
    Route(Option<CaseId>),
    /// The policy; of a case if one is named.
    Policy(Option<CaseId>),
    /// A proposal: the one that was opened on the page of the policy, or in the list of proposals.
    Proposal,
    /// Proposals that wait.
    Proposals,
    /// The log.
    Log,
    /// Temporary access.
    Grants,
    /// The demo's mail.
    Mailbox,
    /// What happened.
    Messages,
    /// All keys that apply on the screen before.
    Help,
}

impl Place {
    /// The bit of the action table.
    pub const fn scope(self) -> Scope {
        match self {
            Self::SignIn => Scope::SIGN_IN,
            Self::Queue => Scope::QUEUE,
            Self::Case(_) => Scope::CASE,
            Self::Approvals => Scope::APPROVALS,
            Self::Approve(..) => Scope::APPROVE,
            Self::Route(_) => Scope::ROUTE,
            Self::Policy(_) => Scope::POLICY,
            Self::Proposal => Scope::PROPOSAL,
            Self::Proposals => Scope::PROPOSALS,
            Self::Log => Scope::LOG,
            Self::Grants => Scope::GRANTS,
            Self::Mailbox => Scope::MAILBOX,
            Self::Messages => Scope::MESSAGES,
            Self::Help => Scope::HELP,
        }
    }

    /// Its name, as kept between two starts; only places that can be come back to have one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Queue => Some("queue"),
            Self::Approvals => Some("approvals"),
            Self::Policy(None) => Some("policy"),
            Self::Log => Some("log"),
            Self::Grants => Some("grants"),
            Self::Proposals => Some("proposals"),
            _ => None,
        }
    }

    /// The place of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Queue, Self::Approvals, Self::Policy(None), Self::Log, Self::Grants, Self::Proposals].into_iter().find(|p| p.name() == Some(name))
    }
}
