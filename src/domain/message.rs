//! What became of a message that a case sent: word to its subject, a code, a question to an attester (invariants 7 and 13).
//!
//! Contract: numbers and enumerated reasons only; no address, no name, nothing that was sent. To be told is to have the relay take the message: no
//! mail system says more. Knows no mail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::effect::Notice;
use crate::base::Time;
use crate::base::ids::SessionId;

/// Which message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Message {
    /// A code, or the link to the page for a saved one.
    Code {
        /// For which session.
        session: SessionId,
    },
    /// The question to whoever is to attest.
    Attestation {
        /// For which session.
        session: SessionId,
    },
    /// Word to the subject.
    Notice {
        /// Of what.
        notice: Notice,
    },
}

/// Why someone could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Untold {
    /// No address is recorded that mail can go to.
    NoAddress,
    /// The recorded address is none.
    Unusable,
    /// The recorded address of whoever is to attest is the subject's own.
    OwnAddress,
    /// The relay refused the message for good.
    Refused,
    /// The relay could not be reached, or took no message, until it was given up.
    Unreachable,
    /// A hold came before it went out: nothing was sent.
    Held,
}

impl Untold {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::Unusable => "unusable",
            Self::OwnAddress => "own_address",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Held => "held",
        }
    }

    /// For a reader.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoAddress => "no confirmed mail address is recorded",
            Self::Unusable => "the recorded address is no mail address",
            Self::OwnAddress => "the recorded address is the subject's own",
            Self::Refused => "the mail relay refused it",
            Self::Unreachable => "the mail relay could not be reached in time",
            Self::Held => "the case was held before it went out",
        }
    }
}

/// What became of a message at one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// The relay took it.
    Told,
    /// It could not be handed over, for good.
    Untold(Untold),
    /// Of an order and not a message: how often what stands beside it was done.
    Times(u32),
}

/// What became of it: for how many addresses the relay took it, and why not for the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Which message.
    pub message: Message,
    /// Addresses it was handed over for.
    pub told: u32,
    /// Those that it could not be handed over for, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub untold: BTreeMap<Untold, u32>,
}

impl Sent {
    /// The session it was for.
    pub const fn session(&self) -> Option<&SessionId> {
        match &self.message {
            Message::Code { session } | Message::Attestation { session } => Some(session),
            Message::Notice { .. } => None,
        }
    }

    /// Why it reached nobody; `None` if it was handed over for someone.
    pub fn in_vain(&self) -> Option<String> {
        (self.told == 0).then(|| self.reasons())
    }

    fn reasons(&self) -> String {
        self.untold.keys().map(|u| u.label()).collect::<Vec<_>>().join("; ")
    }

    /// As a sentence for a reader.
    pub fn sentence(&self) -> String {
        let what = match &self.message {
            Message::Code { .. } => "the message for a proof",
            Message::Attestation { .. } => "the question to who is to attest",
            Message::Notice { notice: Notice::Started } => "word to the subject that a recovery was asked for",
            Message::Notice { notice: Notice::Completed } => "word to the subject that a recovery was completed",
            Message::Notice { notice: Notice::CodeUsed } => "word to the subject that a saved code was used",
            Message::Notice { notice: Notice::Undone } => "word to the subject that a recovery was taken back",
        };
        let addresses = |n: u32| if n == 1 { "1 address".to_owned() } else { format!("{n} addresses") };
        let missed: u32 = self.untold.values().sum();
        match (self.told, missed) {
            (0, _) => format!("{what} could not be sent: {}", self.reasons()),
            (n, 0) => format!("{what} was sent, to {}", addresses(n)),
            (n, missed) => format!("{what} was sent to {}, and could not be sent to {}: {}", addresses(n), addresses(missed), self.reasons()),
        }
    }
}

/// What became of a message, and when that was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAt {
    /// What became of it.
    pub sent: Sent,
    /// When.
    pub at: Time,
}
