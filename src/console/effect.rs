//! What `update` wants done, as plain data; [`super::perform`] and the loop do it.
//!
//! Contract: no effect holds a future, a handle or a closure. Secrets are wrapped so that they never print.

use std::time::Duration;

use secrecy::SecretString;

use super::keep::{State, View};
use super::model::Place;
use crate::api::lists::{GrantParams, QueueParams};
use crate::api::requests::PreviewRoute;
use crate::api::words::Decision;
use crate::base::Time;
use crate::base::ids::{CaseId, ProposalId, SubjectId};
use crate::client::Write;

/// Something to be done.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Ask; the answer comes as [`super::message::Message::Answer`].
    Ask {
        /// The number of the question.
        seq: u64,
        /// Who asks.
        to: Place,
        /// What.
        ask: Ask,
    },
    /// Change something; the answer comes as above.
    Send {
        /// The number of the question.
        seq: u64,
        /// Who asks.
        to: Place,
        /// The change.
        order: Order,
    },
    /// Send [`super::message::Message::Timer`] after a while; replaces a running one of the same kind.
    Timer(Timer, Duration),
    /// Open the live stream and keep it open.
    Listen,
    /// Use another token from now on.
    UseToken(SecretString),
    /// The server took the token: remember it in the session file.
    KeepSession,
    /// Forget token and session file.
    ForgetSession,
    /// Put a text on the clipboard of the user's terminal (OSC 52).
    Copy(String),
    /// Let the user write a text in `$EDITOR`.
    Edit(String),
    /// Mouse on or off.
    Mouse(bool),
    /// Ask the terminal which background it has.
    AskBackground,
    /// Call for the user's attention, with these words where words can be shown.
    Attend(super::attention::How, String),
    /// Keep what its owner types under a key, or forget it.
    Draft(String, String, Option<String>),
    /// Keep where the user was.
    KeepState(Box<State>),
    /// Keep a view under its name, or forget the one of that name; the others on disk stay as they are.
    KeepView(String, Option<View>),
    /// Leave.
    Quit,
}

/// A change on its way, with all that makes repeating it safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub write: Write,
    /// To which case.
    pub case: Option<CaseId>,
    /// The version that was looked at.
    pub version: Option<u64>,
    /// The key that makes repeated tries one.
    pub key: String,
    /// The draft that it uses up, as the form that was filled in names it.
    pub draft: Option<String>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Who one is.
    Me,
    /// Numbers for the head line.
    Counts,
    /// A page of cases.
    Cases(QueueParams),
    /// A page of grants.
    Grants(GrantParams),
    /// A case.
    Case(CaseId),
    /// A case's log, after an entry.
    Timeline(CaseId, Option<u64>),
    /// What would be signed.
    Statement(CaseId, Decision),
    /// Subjects by words.
    Subjects(String),
    /// One subject (answered as a page with one row).
    Subject(SubjectId),
    /// The policy.
    Policy,
    /// Whom a case could be given to.
    Assignable(CaseId),
    /// What policy asks of a case.
    CasePolicy(CaseId),
    /// A proposal, whole.
    Proposal(ProposalId),
    /// All proposals that wait.
    Proposals,
    /// The log, after an entry; how many entries at most.
    Log(Option<u64>, u16),
    /// What routing would cost.
    RoutePreview(Box<PreviewRoute>),
    /// The demo's mail, unless it is still what is held under this stamp; and what time it is.
    Mail(Option<u64>, Time),
    /// Type a code into a subject's page (demo): link and code.
    TypeCode(String, String),
    /// Answer an attester's page (demo): link, code and whether it is a yes.
    Attest(String, String, bool),
    /// Drafts on disk of this owner.
    Drafts(String),
}

/// Kinds of timers; one of each kind runs at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A countdown in sight shows something else now.
    Clock,
    /// The list in front should be asked for again.
    Refresh,
    /// The cursor rests: the preview may follow.
    Preview,
    /// The head line's numbers should be asked for again.
    Counts,
    /// A draft should be kept.
    Draft,
    /// What is shown of a form should be asked for (search, routing preview).
    Form,
    /// The list should be narrowed by what is typed.
    Narrow,
    /// The case in front should be asked for again.
    Case,
    /// Where the user is should be kept.
    Keep,
    /// Something may call for attention now.
    Attention,
}
