//! Ceilings and floors that no policy file may pass, each with the place it comes from.
//!
//! Contract: constants only; "§" is NIST SP 800-63B-4 unless said otherwise, all else the product's own rule in words. A file that passes one
//! is refused, and the message quotes the place. Knows nothing about files.

use crate::domain::requirement::Seconds;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The least and the most a span of time may be, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// At least this.
    pub least: Seconds,
    /// At most this.
    pub most: Seconds,
    /// Where the figures come from.
    pub source: &'static str,
}

const fn bound(least: u32, most: u32, source: &'static str) -> Bound {
    Bound { least: Seconds(least), most: Seconds(most), source }
}

/// A code sent by e-mail: at most 24 h.
pub const CODE_EMAIL: Bound = bound(MINUTE, DAY, "§4.2.1.2");
/// A code sent by SMS or voice: at most 10 min.
pub const CODE_PHONE: Bound = bound(MINUTE, 10 * MINUTE, "§4.2.1.2");
/// A code sent by post: at most 21 d (30 d abroad; we take the stricter).
pub const CODE_POSTAL: Bound = bound(DAY, 21 * DAY, "§4.2.1.2");
/// A code sent to a recovery contact over e-mail: as issued codes, plus 24 h.
pub const CODE_CONTACT: Bound = bound(MINUTE, 2 * DAY, "§4.2.1.3");
/// A page on which a saved code is typed or an attestation is given.
pub const CODE_PAGE: Bound = bound(MINUTE, 3 * DAY, "product ceiling");
/// Wrong tries for one code; the standard stops at 100, we at 5.
pub const ATTEMPTS_PER_CODE: (u32, u32, &str) = (1, 5, "§3.2.2, product ceiling");
/// Wrong tries in one case.
pub const ATTEMPTS_PER_CASE: (u32, u32, &str) = (1, 10, "§3.2.2, product ceiling");

/// How far back ownership and delegation count: at least 7 days.
pub const LINEAGE_WINDOW: Bound = bound(7 * DAY, 3_650 * DAY, "whoever had a hand in a case before stays in its lineage");
/// How far back other cases of the same subject and target are linked.
pub const LINKED_WINDOW: Bound = bound(DAY, 365 * DAY, "a case inherits the lineage of linked ones");
/// The youngest record that may serve a proof.
pub const ENDPOINT_AGE: Bound = bound(DAY, 365 * DAY, "a fresh record proves nothing; SP 800-53 IA-12(5)");
/// How long a receipt counts.
pub const RECEIPT_LIFETIME: Bound = bound(5 * MINUTE, 7 * DAY, "product ceiling");
/// How long an accepted approval counts.
pub const APPROVAL_LIFETIME: Bound = bound(10 * MINUTE, 7 * DAY, "product ceiling");
/// Wait between the last approval and execution.
pub const DELAY: Bound = bound(0, 30 * DAY, "product ceiling");
/// Time to take an approval back.
pub const GRACE: Bound = bound(0, DAY, "product ceiling");
/// The shortest grace of a privileged case.
pub const PRIVILEGED_GRACE: Seconds = Seconds(30);
/// The shortest delay of a privileged case, unless it only takes something away: time for its subject to object, and for an approver who was talked
/// into it.
pub const PRIVILEGED_DELAY: Seconds = Seconds(15 * MINUTE);
/// A temporary grant.
pub const GRANT_LIFETIME: Bound = bound(MINUTE, 7 * DAY, "every grant ends");
/// How long a privileged subject stays restricted after recovery.
pub const RESTRICTION: Bound = bound(0, 90 * DAY, "product ceiling");
/// Any phase's deadline.
pub const DEADLINE: Bound = bound(5 * MINUTE, 30 * DAY, "product ceiling");
/// When a case that is not restored expires.
pub const EXPIRY: Bound = bound(HOUR, 90 * DAY, "product ceiling");
/// When a hold that nobody lifts escalates.
pub const HOLD: Bound = bound(5 * MINUTE, 7 * DAY, "product ceiling: holds that nobody lifts escalate");

/// Wait before an approved change of register or policy counts.
pub const CHANGE_DELAY: Bound = bound(HOUR, 30 * DAY, "what widens who may decide, or loosens policy, counts only after a delay");
/// How long a change may wait for its second person.
pub const PROPOSAL_LIFETIME: Bound = bound(DAY, 30 * DAY, "what widens who may decide, or loosens policy, waits for a second person");
/// How long an access token lives.
pub const TOKEN_LIFETIME: Bound = bound(5 * MINUTE, 90 * DAY, "threat T19: short-lived credentials");
/// Live tokens of one holder.
pub const TOKENS_PER_HOLDER: (u32, u32, &str) = (1, 10, "product ceiling");
/// Persons who must approve; more could never be gathered.
pub const APPROVALS: (u32, u32, &str) = (0, 9, "product ceiling");

/// The most rules in one file.
pub const MAX_RULES: usize = 200;
/// The most named proofs, alternatives of a proof, and slots of an alternative.
pub const MAX_PROOFS: usize = 50;
/// The most slots of one alternative.
pub const MAX_SLOTS: usize = 6;
/// The largest file, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most mistakes listed; a file with more is not a policy.
pub const MAX_MISTAKES: usize = 200;
