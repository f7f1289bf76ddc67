//! Why a command is refused: a value that names the duty, the state or the field that stands in the way, and what would help.
//!
//! Contract: every refusal has a stable code (problem type, log) and one sentence that a person can act on. Knows no wire format.

use std::collections::BTreeSet;

use super::access;
use super::case::LineageEntry;
use super::register::Principal;
use super::standing::Lacking;
use super::vocabulary::{CaseState, Duty, HoldSource, Method, Role};
use crate::base::Time;
use crate::base::ids::{CaseId, GroupId, OperatorId};

/// Who could decide a case instead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CouldDecide {
    /// All accounts whose persons could, in order of id.
    pub operators: Vec<OperatorId>,
    /// Those of them on shift or on call now.
    pub on_shift: Vec<OperatorId>,
    /// Groups from which no one is left.
    pub missing_groups: BTreeSet<GroupId>,
    /// Whether together they can reach the quorum.
    pub enough: bool,
    /// How many of them it takes at least, and whose approval brings it nearer.
    pub lacking: Box<Lacking>,
}

/// What someone with a hand in a case is kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// To approve or deny.
    Decide,
    /// To lift its hold, and so to reach its subject for that.
    LiftHold,
    /// To look back at it.
    LookBack,
}

impl Act {
    const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Decide => ["decide this case", "decide it"],
            Self::LiftHold => ["lift this hold", "lift it"],
            Self::LookBack => ["look back at this case", "look back at it"],
        }
    }
}

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Invariant 1: someone in the lineage tried to decide, or what is another one's as well.
    #[error("You can't {}: {}. {}", .act.words()[0], list(.duties), help(.act.words()[1], .could))]
    SeparationOfDuties {
        /// What they tried.
        act: Act,
        /// Every duty that stands in the way.
        duties: Vec<LineageEntry>,
        /// Who could instead.
        could: CouldDecide,
    },
    /// The operation does not exist for this principal (invariants 1 and 6).
    #[error("You can't {}: that needs {needs}.", access::words(.operation))]
    NotPermitted {
        /// The operation's code.
        operation: &'static str,
        /// What it needs, in words.
        needs: String,
    },
    /// The role is missing.
    #[error("This needs the role {role}.")]
    RoleMissing {
        /// The operation's code.
        operation: &'static str,
        /// Which.
        role: Role,
    },
    /// The case stands where the command has no place.
    #[error("{}", wrong(*.state, .command))]
    WrongState {
        /// Where it stands.
        state: CaseState,
        /// What was tried.
        command: &'static str,
    },
    /// The case is held; nothing moves until security lifts it.
    #[error("The case is held. A security reviewer outside its lineage can lift the hold.")]
    Held,
    /// The decision names another seal or version than the one in force (T9, T10).
    #[error("What you decided on is no longer what is sealed. Look at the case again and decide anew.")]
    StaleSeal,
    /// The statement came too late.
    #[error("The statement is more than 10 minutes old. Open the approval again.")]
    StatementExpired,
    /// A proof under the seal no longer counts: nothing is approved on it any more.
    #[error("The proof that was sealed no longer counts: {} ran out. The case is to be proved and sealed anew.", words(.methods))]
    ProofExpired {
        /// The methods whose receipts ran out.
        methods: Vec<Method>,
    },
    /// The checklist is not complete.
    #[error("The checklist is not complete. {}", help_next(.missing))]
    ChecklistIncomplete {
        /// Methods any of which would help next.
        missing: Vec<Method>,
    },
    /// Nobody could decide the case (invariant 15).
    #[error("No one could decide this case as it stands: {help}")]
    Deadlock {
        /// What would help.
        help: String,
        /// Who is left.
        could: CouldDecide,
    },
    /// More than was recorded was asked for (invariant 10).
    #[error("The scope asked for exceeds what was recorded for the subject.")]
    ScopeExceeds,
    /// The subject is retired, or never had what is asked for.
    #[error("{0}")]
    NotRecoverable(String),
    /// The endpoint can't serve this case (invariant 5).
    #[error("{0}")]
    EndpointUnusable(String),
    /// What it rests on was recorded too shortly before the request (invariants 5 and 10).
    #[error("{0}")]
    TooYoung(String),
    /// The method has nothing to go by: no code was issued to the subject.
    #[error("{0}")]
    MethodUnusable(String),
    /// Too many wrong tries.
    #[error("Too many wrong codes were typed. Ask for a new one; if that is refused, too, the case takes no more: open another one.")]
    TooManyAttempts,
    /// The proof session or receipt ended.
    #[error("This page or code is no longer valid.")]
    SessionEnded,
    /// Policy asks for a signature.
    #[error("Policy asks for a signed approval here, and this one is not signed.")]
    SignatureMissing,
    /// It has been done already.
    #[error("{0}")]
    Already(String),
    /// Not before that time.
    #[error("Not before {}.", .0.format("%Y-%m-%d %H:%M:%S UTC"))]
    TooEarly(Time),
    /// The register does not know someone or something that was named.
    #[error("{0} is not known.")]
    Unknown(String),
    /// A field's value can't be accepted.
    #[error("{field}: {why}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// Another case of the same person or thing is held by security or the subject's own word.
    #[error("{case} is held by {by}: once security has reached the subject over that one and lifted it, this can be asked for.")]
    Stopped {
        /// Which case.
        case: CaseId,
        /// By whom.
        by: HoldSource,
    },
    /// A second person is needed (invariant 17).
    #[error("{0}")]
    SecondPerson(String),
    /// A bound was reached.
    #[error("{what} is limited to {limit}.")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
}

impl Refusal {
    /// The stable code: last part of the problem type, and what the log records.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SeparationOfDuties { .. } => "separation-of-duties",
            Self::NotPermitted { .. } => "not-permitted",
            Self::RoleMissing { .. } => "role-missing",
            Self::WrongState { .. } => "wrong-state",
            Self::Held => "held",
            Self::StaleSeal => "stale-seal",
            Self::StatementExpired => "statement-expired",
            Self::ProofExpired { .. } => "proof-expired",
            Self::ChecklistIncomplete { .. } => "checklist-incomplete",
            Self::Deadlock { .. } => "deadlock",
            Self::ScopeExceeds => "scope-exceeds",
            Self::NotRecoverable(_) => "not-recoverable",
            Self::EndpointUnusable(_) => "endpoint-unusable",
            Self::TooYoung(_) => "too-young",
            Self::MethodUnusable(_) => "method-unusable",
            Self::TooManyAttempts => "too-many-attempts",
            Self::SessionEnded => "session-ended",
            Self::SignatureMissing => "signature-missing",
            Self::Already(_) => "already",
            Self::TooEarly(_) => "too-early",
            Self::Unknown(_) => "unknown",
            Self::Invalid { .. } => "invalid",
            Self::Stopped { .. } => "stopped",
            Self::SecondPerson(_) => "second-person",
            Self::Limit { .. } => "limit",
        }
    }
}

/// The reason of a lineage entry as a sentence about whoever is named, or about the reader (`None`): the same wherever it is said.
pub fn duty(entry: &LineageEntry, name: Option<&str>) -> String {
    let you = name.is_none();
    let via = entry.via.as_ref().map(|via| match via {
        Principal::Person(id) => id.to_string(),
        Principal::Automation(id) => id.to_string(),
    });
    let what = match (entry.duty, you) {
        (Duty::Subject, true) => "are the subject".to_owned(),
        (Duty::AutomationOwner, _) => {
            format!("{} the automation {} that had a hand in it", if you { "own" } else { "owns" }, via.as_deref().unwrap_or(""))
        }
        (Duty::AutomationSponsor, true) => format!("sponsor the automation {} that had a hand in it", via.as_deref().unwrap_or("")),
        (Duty::SubjectOwner, true) => "own the subject".to_owned(),
        (Duty::ActedFor, true) => "had software act for you in it".to_owned(),
        (Duty::ActedFor, false) => "had software act for them in it".to_owned(),
        (Duty::Delegation, true) => format!("are tied by delegation to {}", via.as_deref().unwrap_or("someone with a hand in it")),
        (duty, _) => duty.label().to_owned(),
    };
    let case = entry.case.map(|c| format!(", in the linked case {c}")).unwrap_or_default();
    format!("{} {what}{case}", name.unwrap_or("you"))
}

/// The duties of whoever is refused, who is also who reads it.
fn list(duties: &[LineageEntry]) -> String {
    duties.iter().map(|d| duty(d, None)).collect::<Vec<_>>().join("; ")
}

fn help(act: &str, could: &CouldDecide) -> String {
    let others = match could.operators.len() {
        0 => return format!("No one else could {act} either."),
        1 => "1 other".to_owned(),
        n => format!("{n} others"),
    };
    let mut on: Vec<&str> = could.on_shift.iter().take(3).map(OperatorId::as_str).collect();
    let more = could.on_shift.len().checked_sub(on.len()).filter(|more| *more > 0).map(|more| format!("{more} more"));
    on.extend(more.as_deref());
    match (could.operators.len(), on.as_slice()) {
        (1, []) => format!("{others} could {act}, who is not on shift."),
        (_, []) => format!("{others} could {act}; none is on shift."),
        (_, on) => format!("{others} could {act}, on shift: {}.", on.join(", ")),
    }
}

/// An operation's or command's code as it is said: `approval_take_back` is "take back".
fn plain(code: &str) -> String {
    code.trim_start_matches("case_").trim_start_matches("approval_").replace('_', " ")
}

/// What comes before a closed case is rolled back.
pub const HELD_FIRST: &str = "A closed case is rolled back only while it is held: a security reviewer holds it first (`case hold`, in the console \
     x h). Then a supervisor or a security reviewer can roll it back.";

/// Why a state has no place for a command, and what comes first where that is plain.
fn wrong(state: CaseState, command: &str) -> String {
    let command = plain(command);
    match state {
        CaseState::New if matches!(command.as_str(), "start proof" | "seal") => format!("The case is new: triage it first, then \"{command}\"."),
        CaseState::Closed if command == "roll back" => HELD_FIRST.to_owned(),
        state => format!("\"{command}\" has no place in a case that is {}.", state.label()),
    }
}

/// What would help a checklist on; of methods that can be carried out, where there are such.
fn help_next(missing: &[Method]) -> String {
    let can: Vec<Method> = missing.iter().copied().filter(|m| super::checklist::is_carried_out(*m)).collect();
    let all = if can.is_empty() { missing } else { &can };
    let any = if all.len() > 1 { "Any of these would help next" } else { "This would help next" };
    format!("{any}: {}.", words(all))
}

fn words(methods: &[Method]) -> String {
    methods.iter().map(|m| m.label()).collect::<Vec<_>>().join(", ")
}
