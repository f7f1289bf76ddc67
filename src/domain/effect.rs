//! What must happen outside once events are committed: rows of the outbox, written in the same transaction as their cause.
//!
//! Contract: plain data derived from events by a pure function. Knows nothing about mail, targets or retries.

use serde::{Deserialize, Serialize};

use super::case::{Case, ExecutionOutcome};
use super::checklist::{self, Reach};
use super::event::{CaseEvent, RegisterEvent};
use super::requirement::Seconds;
use super::vocabulary::{CaseState, HoldSource, Method};
use crate::base::Time;
use crate::base::ids::{CaseId, GrantId, PersonId, ProposalId, SessionId, TokenId};

/// Something to do outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// Send the derived code of a session to its recorded endpoint, with the link to the case page.
    SendCode {
        /// The case.
        case: CaseId,
        /// The session.
        session: SessionId,
    },
    /// Send an attester the link to their page.
    AskAttester {
        /// The case.
        case: CaseId,
        /// The session.
        session: SessionId,
    },
    /// Tell the subject at every recorded address (invariant 13).
    NotifySubject {
        /// The case.
        case: CaseId,
        /// What to tell.
        notice: Notice,
        /// Told because the case was sent to something else at that version: a later turn has word of its own, which takes this one's place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<u64>,
    },
    /// Tell those who could decide that a case waits for them.
    NotifyApprovers {
        /// The case.
        case: CaseId,
        /// Whether they were told before.
        reminder: bool,
    },
    /// Tell security that a held case waits for them.
    NotifySecurity {
        /// The case.
        case: CaseId,
        /// Whether the hold's time ran out without anyone lifting it.
        escalated: bool,
    },
    /// Tell whoever has a case, and those whom policy names, that it takes too long or came to nothing.
    NotifyStaff {
        /// The case.
        case: CaseId,
        /// Where it stood then.
        state: CaseState,
    },
    /// Carry the plan out.
    Execute {
        /// The case.
        case: CaseId,
        /// Which attempt is to be started.
        attempt: u32,
    },
    /// Make the target end a grant, until it confirms.
    RevokeGrant {
        /// The case.
        case: CaseId,
        /// The grant.
        grant: GrantId,
    },
    /// Tell everyone who governs that two of them were let back in on the server's own machine.
    NotifyGovernors {
        /// The two.
        by: [PersonId; 2],
        /// From when their tokens count; `None` if that is policy's delay after everyone has been told.
        counts_from: Option<Time>,
        /// The tokens they were given: what is told of this recovery says nothing about another one. None in what was queued before they were
        /// named: then those of the two.
        #[serde(default)]
        tokens: Vec<TokenId>,
    },
    /// Tell those who could approve a proposal that it waits for them.
    NotifyGuards {
        /// The proposal.
        proposal: ProposalId,
        /// Whether they were told before.
        reminder: bool,
    },
    /// Make the target undo an execution.
    RollBack {
        /// The case.
        case: CaseId,
        /// Which attempt is undone.
        attempt: u32,
    },
}

/// What waits apart from what, so that nothing holds up what must not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Orders that end or take back access (invariant 11).
    End = 0,
    /// Orders that carry out what was approved.
    Carry = 1,
    /// Word to security that a case is held.
    Held = 2,
    /// Codes, and questions to attesters.
    Proof = 3,
    /// All other word.
    Word = 4,
}

impl Lane {
    /// All of them, what must wait least first.
    pub const ALL: [Self; 5] = [Self::End, Self::Carry, Self::Held, Self::Proof, Self::Word];
}

impl Effect {
    /// Where it waits.
    pub const fn lane(&self) -> Lane {
        match self {
            Self::RevokeGrant { .. } | Self::RollBack { .. } => Lane::End,
            Self::Execute { .. } => Lane::Carry,
            Self::NotifySecurity { .. } => Lane::Held,
            Self::SendCode { .. } | Self::AskAttester { .. } => Lane::Proof,
            Self::NotifySubject { .. }
            | Self::NotifyApprovers { .. }
            | Self::NotifyStaff { .. }
            | Self::NotifyGovernors { .. }
            | Self::NotifyGuards { .. } => Lane::Word,
        }
    }
}

/// What a subject is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A recovery started.
    Started,
    /// A recovery completed.
    Completed,
    /// A saved recovery code was used and replaced (§4.2.1.1).
    CodeUsed,
    /// What a recovery had given back was taken back.
    Undone,
}

/// An effect and the time before which it must not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// What.
    pub effect: Effect,
    /// Not before.
    pub not_before: Time,
}

/// What a register event causes outside. `lifetime` is how long a proposal may wait: those who could approve it are reminded halfway.
pub fn register_effects(event: &RegisterEvent, at: Time, lifetime: Seconds) -> Vec<Due> {
    let guards =
        |proposal: &ProposalId, reminder, not_before| Due { effect: Effect::NotifyGuards { proposal: proposal.clone(), reminder }, not_before };
    match event {
        RegisterEvent::Proposed { proposal, .. } => {
            vec![guards(proposal, false, at), guards(proposal, true, at + lifetime.duration() / 2)]
        }
        RegisterEvent::ProposalSeconded { proposal, .. } => vec![guards(proposal, false, at)],
        RegisterEvent::GovernanceRecovered { governors, counts_from, tokens, .. } => {
            let tokens = tokens.iter().map(|t| t.id.clone()).collect();
            vec![Due { effect: Effect::NotifyGovernors { by: governors.clone(), counts_from: *counts_from, tokens }, not_before: at }]
        }
        _ => Vec::new(),
    }
}

/// What is told when a hold is lifted: nothing of it was, or may have been, while it lasted.
fn lifted(after: &Case, at: Time) -> Vec<Due> {
    let case = after.id;
    let mut out = Vec::new();
    // Those who could decide were not told of what was sealed under the hold, or heard of the hold since.
    if after.state == CaseState::Sealed {
        out.push(Due { effect: Effect::NotifyApprovers { case, reminder: true }, not_before: at });
    }
    let late = after.times.escalated_at.is_some_and(|escalated| match after.state {
        // What is sealed has a clock again after its deadline: that of its proof.
        CaseState::Sealed => after.seal.as_ref().is_some_and(|seal| escalated >= seal.at),
        // A phase whose time had run out has neither a time nor some left of it.
        CaseState::New | CaseState::Proofing => after.times.due.is_none() && after.times.paused_left.is_none(),
        _ => false,
    });
    if late || after.state == CaseState::Failed {
        out.push(Due { effect: Effect::NotifyStaff { case, state: after.state }, not_before: at });
    }
    out
}

/// Another recovery than the one they heard of has begun (invariant 13): told at once, but not within a minute of the turn before (T22).
fn turned(after: &Case, at: Time) -> Due {
    let effect = Effect::NotifySubject { case: after.id, notice: Notice::Started, turn: Some(after.version) };
    Due { effect, not_before: after.worked.word_due.unwrap_or(at) }
}

/// What must happen outside because of an event that led to this case.
pub fn effects(after: &Case, event: &CaseEvent, at: Time) -> Vec<Due> {
    let case = after.id;
    let now = |effect| vec![Due { effect, not_before: at }];
    match event {
        CaseEvent::Opened { .. } => now(Effect::NotifySubject { case, notice: Notice::Started, turn: None }),
        CaseEvent::Routed { .. } if after.turns.last() == Some(&after.version) => vec![turned(after, at)],
        CaseEvent::SessionOpened { session, proof } => match checklist::reach(proof.method) {
            Reach::Attester => now(Effect::AskAttester { case, session: session.clone() }),
            _ if proof.attester.is_some() => now(Effect::AskAttester { case, session: session.clone() }),
            _ if matches!(proof.method, Method::DirectoryFact | Method::ManagedDevice) => Vec::new(),
            _ => now(Effect::SendCode { case, session: session.clone() }),
        },
        CaseEvent::Proved { receipt } if receipt.method == Method::SavedCode => {
            now(Effect::NotifySubject { case, notice: Notice::CodeUsed, turn: None })
        }
        CaseEvent::StateChanged { to: CaseState::Sealed, due, .. } => {
            let mut out = now(Effect::NotifyApprovers { case, reminder: false });
            if let Some(due) = due.filter(|due| *due > at) {
                out.push(Due { effect: Effect::NotifyApprovers { case, reminder: true }, not_before: at + (due - at) / 2 });
            }
            out
        }
        // Anyone could send mail to the staff by typing names.
        CaseEvent::Escalated { hold: false } | CaseEvent::StateChanged { to: CaseState::Expired, .. } if after.is_word_alone() => Vec::new(),
        CaseEvent::Escalated { hold: false } => {
            let mut out = now(Effect::NotifyStaff { case, state: after.state });
            if after.state == CaseState::Sealed {
                out.push(Due { effect: Effect::NotifyApprovers { case, reminder: true }, not_before: at });
            }
            out
        }
        CaseEvent::StateChanged { to: to @ (CaseState::Failed | CaseState::Expired), .. } => now(Effect::NotifyStaff { case, state: *to }),
        CaseEvent::HoldLifted { .. } => lifted(after, at),
        // Security's own hold tells security nothing new.
        CaseEvent::Held { hold } if hold.source != HoldSource::Security => now(Effect::NotifySecurity { case, escalated: false }),
        CaseEvent::Escalated { hold: true } => now(Effect::NotifySecurity { case, escalated: true }),
        CaseEvent::ExecutionScheduled { not_before, .. } => {
            vec![Due { effect: Effect::Execute { case, attempt: after.attempts().saturating_add(1) }, not_before: *not_before }]
        }
        CaseEvent::ExecutionEnded { outcome: ExecutionOutcome::Restored { .. }, .. } => {
            now(Effect::NotifySubject { case, notice: Notice::Completed, turn: None })
        }
        // Whoever heard that it was completed hears this; and whoever did not, since only a part of it was given, hears that it was taken back.
        CaseEvent::ExecutionEnded { outcome: ExecutionOutcome::RolledBack, .. } => {
            now(Effect::NotifySubject { case, notice: Notice::Undone, turn: None })
        }
        CaseEvent::GrantEnding { grant, .. } => now(Effect::RevokeGrant { case, grant: grant.clone() }),
        CaseEvent::OrderTakenOver { order } => now(Effect::RollBack { case, attempt: order.attempt }),
        CaseEvent::RollBackAsked { attempt, .. } | CaseEvent::TakingBack { attempt } => now(Effect::RollBack { case, attempt: *attempt }),
        _ => Vec::new(),
    }
}
