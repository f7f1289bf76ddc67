//! Read models: a case in a list, the question a queue asks, a page of answers. Filled by the store, turned into wire types by the API.
//!
//! Contract: plain data. Knows neither SQL nor JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::case::{ActorRef, Case, Grant, LineageEntry, TextRef};
use super::checklist::{Progress, Way};
use super::command::World;
use super::refusal::{CouldDecide, Refusal};
use super::requirement::Requirement;
use super::standing::Lacking;
use super::vocabulary::{Action, CaseState, Channel, Decision, FlagKind, Path, Risk, Role, SubjectKind, Tier, WaitingOn};
use crate::base::ids::{CaseId, OperatorId, PersonId, SessionId, SubjectId, TargetId, TextId};
use crate::base::{Time, Untrusted};

/// The most rows one page holds.
pub const MAX_PAGE: u16 = 200;

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// Its number.
    pub id: CaseId,
    /// The version at which it last changed: its `ETag`.
    pub version: u64,
    /// Whose access.
    pub subject: SubjectId,
    /// The subject's name, as recorded.
    pub subject_name: Untrusted,
    /// What the subject is.
    pub kind: SubjectKind,
    /// Its tier.
    pub tier: Tier,
    /// What is to be restored.
    pub action: Action,
    /// Which way.
    pub path: Path,
    /// How the request came in.
    pub channel: Channel,
    /// Where it stands.
    pub state: CaseState,
    /// Whether it is frozen.
    pub held: bool,
    /// How much attention it asks for.
    pub risk: Risk,
    /// Proofs and gates recorded that count.
    pub proof_done: u8,
    /// Proofs and gates needed.
    pub proof_needed: u8,
    /// Whom it waits for.
    pub waiting_on: WaitingOn,
    /// How many approvals are missing, while it waits for approval.
    pub approvals_missing: u8,
    /// Who works on it.
    pub assignee: Option<OperatorId>,
    /// When its phase is due; sorts the queue. Cases without a due time sort last.
    pub due: Option<Time>,
    /// When it was opened.
    pub opened_at: Time,
    /// When anything last happened.
    pub updated_at: Time,
    /// How many flags it carries.
    pub flags: u8,
    /// Of which kinds.
    pub flag_kinds: BTreeSet<FlagKind>,
}

/// An account that a case could be given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignee {
    /// The account.
    pub operator: OperatorId,
    /// The name of its person.
    pub name: Untrusted,
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// Whether its person is on shift or on call.
    pub on_shift: bool,
    /// Whether what the case waits for is theirs to do.
    pub fits: bool,
}

/// Whom a case could be given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignable {
    /// The first of them: those it waits for, and of these those on shift.
    pub rows: Vec<Assignee>,
    /// How many more there are.
    pub more: u64,
}

/// What a queue asks for. Empty sets mean "any".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFilter {
    /// Words that subject name, subject id, target or number hold (full text, each a prefix).
    pub text: Option<String>,
    /// States.
    pub states: BTreeSet<CaseState>,
    /// Risks.
    pub risks: BTreeSet<Risk>,
    /// Actions.
    pub actions: BTreeSet<Action>,
    /// Paths.
    pub paths: BTreeSet<Path>,
    /// Channels.
    pub channels: BTreeSet<Channel>,
    /// Kinds of subject.
    pub kinds: BTreeSet<SubjectKind>,
    /// Tiers.
    pub tiers: BTreeSet<Tier>,
    /// Whom they wait for.
    pub waiting_on: BTreeSet<WaitingOn>,
    /// One subject, or with a trailing `*` all whose id begins so.
    pub subject: Option<String>,
    /// Assigned to one of these.
    pub assignees: BTreeSet<OperatorId>,
    /// Assigned to nobody (together with `assignees`: either).
    pub unassigned: bool,
    /// Frozen or not.
    pub held: Option<bool>,
    /// Ended or not.
    pub ended: Option<bool>,
    /// With at least one flag, or without.
    pub flagged: Option<bool>,
    /// With a flag of one of these kinds.
    pub flags: BTreeSet<FlagKind>,
    /// Due before then.
    pub due_before: Option<Time>,
    /// Sealed cases this person could decide: outside the lineage and not decided by them yet.
    pub decidable_by: Option<PersonId>,
}

impl QueueFilter {
    /// Whether only cases are asked for that wait for a decision or a look back, are held, or are flagged: what that is reckoned from ([`Since`])
    /// goes with their rows.
    pub fn waits(&self) -> bool {
        let decided = self.decidable_by.is_some() || self.states == BTreeSet::from([CaseState::Sealed]);
        let looks_back = self.waiting_on == BTreeSet::from([WaitingOn::Review]);
        decided || looks_back || self.held == Some(true) || self.flagged == Some(true) || !self.flags.is_empty()
    }
}

/// Since when a case stands as it does, whatever else happened in it meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Since {
    /// When the seal in force was made.
    pub sealed: Option<Time>,
    /// When it was frozen.
    pub held: Option<Time>,
    /// When the first of its flags was set.
    pub flagged: Option<Time>,
    /// When what was approved was carried out.
    pub restored: Option<Time>,
}

impl Since {
    /// Of a case.
    pub fn of(case: &Case) -> Self {
        Self {
            sealed: case.seal.as_ref().map(|s| s.at),
            held: case.hold.as_ref().map(|h| h.since),
            flagged: case.flags.iter().map(|f| f.at).min(),
            restored: case.executions.iter().filter(|_| case.state == CaseState::Restored).filter_map(|e| e.ended_at).max(),
        }
    }
}

/// How a queue is sorted; the case number breaks ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By due time, soonest first; those without a due time last.
    #[default]
    Due,
    /// By risk, highest first, then due time.
    Risk,
    /// By time of opening, newest first.
    Opened,
    /// By last change, newest first.
    Updated,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// After the row with this cursor.
    After(Cursor),
    /// Before the row with this cursor, going up.
    Before(Cursor),
    /// At the very end, going up.
    End,
}

/// The keys of a row in a sort order: opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The sort's own key.
    pub key: i64,
    /// The case's key.
    pub case: i64,
}

/// A question to the queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueQuery {
    /// Which cases.
    pub filter: QueueFilter,
    /// In which order.
    pub sort: Sort,
    /// From where; `None` is the beginning.
    pub from: Option<From>,
    /// How many rows, at most [`MAX_PAGE`].
    pub limit: u16,
}

/// A page of the queue, always in sort order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueuePage {
    /// The rows.
    pub rows: Vec<CaseRow>,
    /// The cursor of the first row, if rows come before it.
    pub before: Option<Cursor>,
    /// The cursor of the last row, if rows come after it.
    pub after: Option<Cursor>,
    /// Since when they stand as they do, of the rows of a filter that [waits](QueueFilter::waits).
    pub since: BTreeMap<CaseId, Since>,
}

/// Temporary access in a list, with the case that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// The grant.
    pub grant: Grant,
    /// The case.
    pub case: CaseId,
    /// Its version.
    pub version: u64,
    /// Whose access.
    pub subject: SubjectId,
    /// The subject's name, as recorded.
    pub subject_name: Untrusted,
    /// What the subject is.
    pub kind: SubjectKind,
    /// Where.
    pub target: TargetId,
    /// What was restored.
    pub action: Action,
}

/// A question for grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantQuery {
    /// Only those that a target holds still, as far as is known; the one that ends soonest first. Otherwise all, in the opposite order.
    pub live: bool,
    /// After the row with this cursor, in whose second part the grant's row stands.
    pub after: Option<Cursor>,
    /// How many rows, at most [`MAX_PAGE`].
    pub limit: u16,
}

/// A page of grants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantPage {
    /// The rows.
    pub rows: Vec<GrantRow>,
    /// The cursor of the last row, if rows come after it.
    pub after: Option<Cursor>,
}

/// Numbers for the console's head line, counted up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Cases not ended.
    pub open: u64,
    /// Sealed cases the asker could decide.
    pub approvals: u64,
    /// Grants that live.
    pub grants: u64,
    /// Cases frozen.
    pub held: u64,
    /// Entries in the log.
    pub log: u64,
}

/// A subject in a list, for intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// Immutable id.
    pub id: SubjectId,
    /// Name.
    pub name: Untrusted,
    /// What it is.
    pub kind: SubjectKind,
    /// Its tier.
    pub tier: Tier,
    /// Cases of it that are not ended.
    pub open_cases: Vec<CaseId>,
}

/// One case with everything that a reader of it is shown, worked out for one asker. The API turns it into wire types.
#[derive(Debug, Clone)]
pub struct CaseView {
    /// The world the case stands in; its case is always there.
    pub world: World,
    /// The case itself.
    pub case: Arc<Case>,
    /// What lists show of it.
    pub row: CaseRow,
    /// What policy demands of it.
    pub requirement: Arc<Requirement>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Everyone with a hand in it.
    pub lineage: Arc<BTreeSet<LineageEntry>>,
    /// Who could decide it.
    pub could: CouldDecide,
    /// The asker's own duties in it.
    pub duties: Vec<LineageEntry>,
    /// Texts beside the log that are not erased; none for an automation, which reads no personal data (invariant 6).
    pub texts: BTreeMap<TextId, Untrusted>,
    /// The salts of those texts' digests.
    pub salts: BTreeMap<TextId, [u8; 16]>,
    /// Names of the persons in it; none for an automation.
    pub names: BTreeMap<PersonId, Untrusted>,
    /// Comments, oldest first.
    pub comments: Vec<Said>,
    /// Other cases of the subject that are not ended.
    pub other_open: Vec<CaseId>,
    /// Operations the asker may use now.
    pub allowed: Vec<&'static str>,
    /// Operations that are refused now, and why.
    pub refused: Vec<(&'static str, Refusal)>,
    /// Decisions that are refused to the asker now, and why.
    pub refused_decisions: Vec<(Decision, Refusal)>,
    /// Every way to reach somebody over the case while it is held.
    pub contacts: Vec<Way>,
    /// Ways to prove, or to reach somebody, that the asker can't start now, and why.
    pub refused_ways: Vec<(Way, Refusal)>,
    /// Contacts with which the asker could lift the hold now, the last one first.
    pub lifted_by: Vec<SessionId>,
    /// Whether the case is for a target that no order can be sent to, and not ended.
    pub lacks_target: bool,
    /// What would be missing once the asker approved; `None` if they can't.
    pub after_yours: Option<Lacking>,
    /// Who asks.
    pub asker: ActorRef,
    /// When this was worked out.
    pub now: Time,
}

/// Something said in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub by: ActorRef,
    /// When.
    pub at: Time,
    /// What.
    pub text: TextRef,
}
