//! How much of each thing one case takes, so that nobody makes it grow without end: what is looked at whole stays some thousands of entries long.
//!
//! Contract: figures, and what counts towards them. What brings a case to its end, holds it or lifts a hold is never among what is bounded here:
//! denying, withdrawing, closing, holding, lifting, undoing and the contact that a lift takes have room always; an approver uses up their own room
//! alone. Knows no rule.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::base::Time;

/// The most receipts, items of evidence, reviews or comments one case may hold; and how often it may be handed over, triaged, routed, sealed, opened
/// again, or tried again once it failed: each counted by itself. It is let go of no more once it changed hands that often, and goes from one to
/// another no more at twice as many; what nobody has can always be taken.
pub const MAX_ITEMS: usize = 200;
/// How often a case may have been routed before software routes it no more: the rest is left to the staff.
pub const MAX_ROUTED_BEFORE_SOFTWARE: usize = 100;
/// How often a case may be sent to something else than before: its subject is told anew each time (T22).
pub const MAX_TURNS: usize = 20;
/// How often one person may approve a case, what they took back and what was voided among it.
pub const MAX_APPROVALS_EACH: usize = 20;
/// How often a case may be rolled back at any time; from then on no sooner than an hour after the try before.
pub const MAX_UNDONE_AT_ONCE: usize = 20;
/// The most sessions of one method that a case may open for its proof; and, counted apart, the most in a day by which contact is made over a hold.
pub const MAX_SESSIONS_PER_METHOD: usize = 20;
/// Wrong codes after which one code is void (standards.md, §3.2.2: "we stop at 5 a code").
pub const MAX_ATTEMPTS_PER_CODE: u8 = 5;
/// Wrong codes after which the case takes no more (standards.md, §3.2.2: "10 a case").
pub const MAX_ATTEMPTS_PER_CASE: u8 = 10;

/// How long a subject who was told of one turn is not told of the next: what is sent to and fro within it is told once, as it stands at its end (T22).
/// No word waits longer, however many turns follow.
pub const TURNS_APART: Duration = Duration::seconds(60);

/// How often what could be done again and again was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worked {
    /// Given to somebody, or let go of.
    pub assigned: usize,
    /// Handed over.
    pub handed_over: usize,
    /// Triaged.
    pub triaged: usize,
    /// Routed.
    pub routed: usize,
    /// Opened again.
    pub reopened: usize,
    /// Asked to be rolled back.
    pub undone: usize,
    /// When word of the last turn is due.
    #[serde(default)]
    pub word_due: Option<Time>,
    /// The turn that stood when word of one was due the time before: that is still sent, whatever came since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word_before: Option<u64>,
}

impl Worked {
    /// When the subject is told of a turn taken then: what is due already puts nothing off, so that turn upon turn can't keep it from them.
    #[must_use]
    pub fn next_word(&self, at: Time) -> Time {
        match self.word_due {
            Some(waits) if waits > at => waits,
            Some(went) => at.max(went + TURNS_APART),
            None => at,
        }
    }

    /// Whether word of one of the turns is that of a later one, which is due at the same time. What is due by itself is told, though the case was sent
    /// elsewhere in the moment it was due.
    #[must_use]
    pub fn is_told_by_another(&self, turns: &[u64], turn: u64) -> bool {
        turns.last() != Some(&turn) && self.word_before != Some(turn)
    }
}
