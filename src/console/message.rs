//! Everything that can happen to the console, as one closed enumeration.
//!
//! Contract: plain data, no futures. Answers carry the number of the question, so that a late one can be told and dropped.

use std::collections::BTreeMap;

use crossterm::event::{KeyEvent, MouseEvent};

use super::effect::Timer;
use super::keep::View;
use super::mail::Mails;
use super::model::Place;
use crate::api::case::{CaseDetail, RoutePreview, Statement};
use crate::api::governance::{ProposalView, RegisterView};
use crate::api::lists::{Announcement, Assignable, Counts, GrantPage, LogPage, Me, QueuePage, SubjectPage, SubjectRow};
use crate::client::{ClientError, Written};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size now: columns, rows.
    Resize(u16, u16),
    /// An action was chosen by its name.
    Act(super::action::Action),
    /// A case was named by its number.
    Open(crate::base::ids::CaseId),
    /// Go on reading where what was read out ended (linear mode).
    ReadOn,
    /// An answer to question `seq` of a screen.
    Answer {
        /// Which question.
        seq: u64,
        /// Which screen asked.
        to: Place,
        /// The answer, or why there is none.
        reply: Result<Reply, ClientError>,
    },
    /// The live stream.
    Live(Live),
    /// The terminal says which background it has.
    Background(super::background::Background),
    /// A timer ran out.
    Timer(Timer),
    /// `$EDITOR` was left; the text as it is now, or why not.
    Edited(Result<String, String>),
    /// Something worth telling that is no answer (a file that can't be written).
    Trouble(String),
    /// Something worth knowing that is no answer.
    Told(String),
    /// A view was kept or forgotten: all those saved by now, also by another console.
    Views(Vec<View>),
    /// The system asks to end (SIGTERM, SIGHUP, the terminal is gone).
    Ended,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Who one is.
    Me(Box<Me>),
    /// Numbers for the head line.
    Counts(Counts),
    /// A page of cases.
    Cases(QueuePage),
    /// A page of grants.
    Grants(GrantPage),
    /// A case.
    Case(Box<CaseDetail>),
    /// Entries of the log or a timeline.
    Log(LogPage),
    /// What would be signed.
    Statement(Box<Statement>),
    /// Subjects.
    Subjects(SubjectPage),
    /// A subject's record.
    Subject(Box<SubjectRow>),
    /// What routing would cost.
    Preview(Box<RoutePreview>),
    /// Something the server words itself (policy).
    Value(Box<serde_json::Value>),
    /// Whom a case could be given to.
    Assignable(Box<Assignable>),
    /// A proposal, whole.
    Proposal(Box<ProposalView>),
    /// Rows of the register.
    Register(Box<RegisterView>),
    /// A write was done.
    Written(Box<Written>),
    /// Mail in the demo's folder; none if it is what the asker holds already.
    Mail(Option<Mails>),
    /// The subject's page took the code (demo).
    Typed,
    /// Drafts found on disk, by key, and how many of them an earlier version had kept for no one account.
    Drafts(BTreeMap<String, String>, usize),
}

/// What the live stream says about itself and the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Live {
    /// It is open.
    Up,
    /// It is not; why, and in how many seconds it is tried again.
    Down {
        /// Why.
        why: ClientError,
        /// Seconds.
        again_in: u64,
    },
    /// Something happened on the server.
    News(Announcement),
}
