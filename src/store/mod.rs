//! Where everything is kept: one trait, and one way to write.
//!
//! Contract: [`Store::commit`] is the only write. It puts events into the log and its Merkle tree, updates projections and duty rows, and
//! queues effects, in one durable transaction, and refuses if anything that was read has moved (invariant 18). It answers only once
//! the change would survive a power cut. Knows the domain's data, none of its rules, and nothing about HTTP.

pub mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::broadcast;

use crate::base::ids::{CaseId, PersonId, RequestId, SubjectId, TargetId, TextId};
use crate::base::{Digest, Time, Untrusted};
use crate::domain::anomaly::Met;
use crate::domain::case::{ActorRef, Case};
use crate::domain::dates::Dates;
use crate::domain::effect::{Due, Effect, Lane};
use crate::domain::event::{CaseEvent, Entry, RegisterEvent};
use crate::domain::mailboxes::{Mailboxes, Readers};
use crate::domain::message::Became;
use crate::domain::register::Register;
use crate::domain::subject::{Recorded, Subject};
use crate::domain::view::{CaseRow, Counts, GrantPage, GrantQuery, QueuePage, QueueQuery, Said, SubjectRow};

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed; the detail is for the server's log, never for a client.
    #[error("the store failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Stored bytes are not what was written.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The writer's queue is full; try again.
    #[error("too much is being written at once; try again")]
    Busy,
    /// Another process has it open.
    #[error("{} is in use by another countersign: stop that one first", .0.display())]
    InUse(std::path::PathBuf),
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
    /// The clock went back behind the last entry, or jumped ahead (invariant 16, T12).
    #[error("the server's clock was moved; nothing is written until it is put right, or, where the machine slept, until the server is started again")]
    Clock,
}

impl StoreError {
    /// What kind it is, for the server's journal: never what was read or written.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Engine(_) => "engine",
            Self::Damaged(_) => "damaged",
            Self::Busy => "busy",
            Self::InUse(_) => "in-use",
            Self::Closed => "closed",
            Self::Clock => "clock",
        }
    }
}

/// Why a commit was refused.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Something that was read has moved since (invariant 18): load, decide and try again.
    #[error("the case changed meanwhile")]
    Conflict,
    /// A constraint of the database refused what the domain should have refused.
    #[error("the database refused it: {0}")]
    Forbidden(String),
    /// An entry was over the size limit.
    #[error("an entry would be too large")]
    TooLarge,
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// What kind it is, for the server's journal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Forbidden(_) => "forbidden",
            Self::TooLarge => "too-large",
            Self::Store(error) => error.code(),
        }
    }
}

/// One atomic change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Who.
    pub actor: ActorRef,
    /// In which request.
    pub request: Option<RequestId>,
    /// When, on the server's clock; stamps every entry.
    pub at: Time,
    /// Versions of all that was read.
    pub reads: Reads,
    /// The case it changes, as it stands after `events`, and what its row shows; `None` for a change of the register alone.
    pub case: Option<CaseChange>,
    /// What happens to the register.
    pub register_events: Vec<RegisterEvent>,
    /// The register afterwards, if it changed.
    pub register: Option<Arc<Register>>,
    /// Texts to keep beside the log.
    pub texts: Vec<NewText>,
    /// What must happen outside.
    pub effects: Vec<Due>,
    /// Subjects to record or replace.
    pub subjects: Vec<Recorded>,
    /// Persons' names and mail addresses to record, beside the log.
    pub people: Vec<PersonDetails>,
    /// A policy's text to keep under its digest.
    pub policy: Option<(Digest, String)>,
    /// A saved code set to record or a used code to strike out.
    pub codes: Vec<CodeChange>,
    /// The outbox item this change finishes.
    pub finishes: Option<i64>,
    /// The answer to keep for a repeated request.
    pub idempotency: Option<KeptAnswer>,
}

impl Change {
    /// A change that does nothing yet.
    pub fn new(actor: ActorRef, at: Time) -> Self {
        Self {
            actor,
            request: None,
            at,
            reads: Reads::default(),
            case: None,
            register_events: Vec::new(),
            register: None,
            texts: Vec::new(),
            effects: Vec::new(),
            subjects: Vec::new(),
            people: Vec::new(),
            policy: None,
            codes: Vec::new(),
            finishes: None,
            idempotency: None,
        }
    }
}

/// What happens to a case.
#[derive(Debug, Clone)]
pub struct CaseChange {
    /// In order; each becomes one entry.
    pub events: Vec<CaseEvent>,
    /// The case after them.
    pub after: Arc<Case>,
    /// Its row in lists.
    pub row: CaseRow,
}

/// Versions of everything `decide` looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Cases, the changed one first; version 0 means "does not exist".
    pub cases: Vec<(CaseId, u64)>,
    /// How often a case of the subject was opened, routed or gained hands, so that one which comes to be linked meanwhile is noticed.
    pub linked_for: Option<(SubjectId, u64)>,
    /// The subject's record.
    pub subject: Option<(SubjectId, u64)>,
    /// The register's version.
    pub register: Option<u64>,
}

/// A text to keep beside the log.
#[derive(Debug, Clone)]
pub struct NewText {
    /// The case it belongs to, whose key encrypts it.
    pub case: CaseId,
    /// Under which id.
    pub id: TextId,
    /// The salt of its digest.
    pub salt: [u8; 16],
    /// The text.
    pub text: Untrusted,
}

/// A text that was kept, with the salt of its digest: whoever may read the one may compare the digest with the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptText {
    /// The salt.
    pub salt: [u8; 16],
    /// The text.
    pub text: Untrusted,
}

/// What people need to know of a person, and the log must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonDetails {
    /// Whom.
    pub id: PersonId,
    /// Name.
    pub name: Untrusted,
    /// Mail address for notices and attestations.
    pub email: Option<Untrusted>,
    /// Since when it is that one. Of a person who is new, as whoever records them says, or else from now on; of one who is known the store keeps it
    /// while the mailbox stays the same, and sets it to the change's time when it is another.
    pub since: Option<Time>,
}

/// Saved recovery codes: only password hashes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeChange {
    /// A subject's set is replaced by these Argon2id hashes, in PHC form.
    Replace {
        /// Whose.
        subject: SubjectId,
        /// The hashes.
        hashes: Vec<String>,
    },
    /// One more code is good, beside those there are: what takes the place of a used one.
    Add {
        /// Whose.
        subject: SubjectId,
        /// Its hash.
        hash: String,
    },
    /// One code was used; refused if it was used before.
    Use {
        /// Whose.
        subject: SubjectId,
        /// Its hash.
        hash: String,
    },
}

/// An answer kept so that a repeated request gets it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whose key.
    pub principal: String,
    /// The key.
    pub key: String,
    /// Digest of the request it answered.
    pub request_sha256: Digest,
    /// Status and body.
    pub status: u16,
    /// The body, as sent.
    pub body: String,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Sequence number of the first entry.
    pub first: u64,
    /// How many.
    pub entries: u64,
}

/// A queued effect, claimed for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Its row.
    pub id: i64,
    /// What.
    pub effect: Effect,
    /// How often it was tried before.
    pub tries: u32,
    /// Of a message: what became of it at those addresses where that is settled, by what stands for the address. Of an order: how often it was
    /// asked about and answered.
    pub became: BTreeMap<String, Became>,
}

/// How much waits to be done outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxDepth {
    /// All of it.
    pub waiting: u64,
    /// What is due and nobody has taken.
    pub due: u64,
    /// What was tried before, or is being tried.
    pub tried: u64,
}

/// One announcement of a committed change, for event streams. Bounded: a slow listener is told that it lagged and reloads.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Sequence number of the last entry of the change.
    pub seq: u64,
    /// The case's row after it, or `None` for the register.
    pub row: Option<CaseRow>,
    /// Whether it queued something to be done outside at once.
    pub due: bool,
    /// How it is put into words for streams: made once, by the first that tells it, however many listen.
    pub told: std::sync::OnceLock<Box<str>>,
}

/// A subject with the version of its record and how many cases it ever had.
#[derive(Debug, Clone)]
pub struct SubjectRecord {
    /// The record.
    pub subject: Arc<Subject>,
    /// Its version.
    pub version: u64,
    /// How often a case of it was opened, routed or gained hands.
    pub linked: u64,
    /// Who reads the mailboxes of its record, and those of whoever could attest for it.
    pub mailboxes: Arc<Mailboxes>,
    /// Since when what a proof could rest on is recorded.
    pub dates: Arc<Dates>,
}

/// Which case a decision is about.
#[derive(Debug, Clone)]
pub struct About {
    /// The case.
    pub case: CaseId,
    /// Where it is about to be sent, if to another target: what is linked there counts as well.
    pub towards: Option<TargetId>,
    /// Under which principal and key an answer is kept if it was decided before.
    pub once: Option<(String, String)>,
}

/// What a decision on a case looks at, from one moment.
#[derive(Debug, Clone)]
pub struct Around {
    /// The case.
    pub case: Arc<Case>,
    /// Its subject, if one is recorded.
    pub subject: Option<SubjectRecord>,
    /// The other cases of its subject and target within the span, and those recorded as linked; `None` if it could not be said how far back.
    pub linked: Option<Vec<Arc<Case>>>,
    /// The answer kept under the key that was asked about.
    pub answered: Option<KeptAnswer>,
}

/// Says how far back linked cases of a case are looked for; `None` if that needs something that is not at hand. Asked while the store reads,
/// so it waits for nothing.
pub type Since = Box<dyn FnOnce(&Case, &Subject) -> Option<Time> + Send>;

/// What is wanted beside a case.
#[derive(Debug, Clone)]
pub struct Beyond {
    /// The case.
    pub case: CaseId,
    /// Its subject, whose other open cases are named: the 20 due soonest.
    pub subject: SubjectId,
    /// The versions of its comments, if they are wanted, with their texts.
    pub comments: Vec<u64>,
    /// Other texts.
    pub texts: Vec<TextId>,
    /// Whose names.
    pub people: Vec<PersonId>,
}

/// What is kept beside a case, from one moment.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// What was said, oldest first.
    pub comments: Vec<Said>,
    /// Texts; erased ones are missing.
    pub texts: BTreeMap<TextId, KeptText>,
    /// Names and addresses.
    pub people: BTreeMap<PersonId, PersonDetails>,
    /// Other open cases of the subject.
    pub others: Vec<CaseId>,
}

/// The store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The one write.
    async fn commit(&self, change: Change) -> Result<Committed, CommitError>;
    /// Many changes in one transaction, all or none: for filling a store. At most some ten thousand at once. An engine that has nothing
    /// quicker writes them one by one.
    async fn commit_all(&self, changes: Vec<Change>) -> Result<Committed, CommitError>;
    /// Announcements of committed changes from now on.
    fn announcements(&self) -> broadcast::Receiver<Arc<Announcement>>;
    /// The next case number of the year: one more than the last that was given out, or opened before the server was started. One that is given
    /// out and opens nothing is left out until then, unless it is handed back.
    async fn next_case(&self, now: Time) -> Result<CaseId, StoreError>;
    /// Hands a number back under which nothing was opened and of which nobody heard: given out again if none was given out since.
    async fn hand_back(&self, id: CaseId);

    /// A case.
    async fn case(&self, id: CaseId) -> Result<Option<Arc<Case>>, StoreError>;
    /// A case's row in lists.
    async fn row(&self, id: CaseId) -> Result<Option<CaseRow>, StoreError>;
    /// Other cases of a subject and target, in any state, touched since then. Bound: the 200 newest.
    async fn linked(&self, subject: &SubjectId, target: &TargetId, since: Time, but: Option<CaseId>) -> Result<Vec<Arc<Case>>, StoreError>;
    /// Cases of a subject about whatever target, and of every other record of the same person, in any state, touched since then. Bound: of either the
    /// 50 newest, the 50 newest in which something was given back, and the 50 newest that are open.
    async fn lately(&self, subject: &SubjectId, person: Option<&PersonId>, since: Time) -> Result<Vec<Arc<Case>>, StoreError>;
    /// A case with all that a decision on it looks at, and the answer kept under that principal and key, if any.
    async fn around(&self, about: About, since: Since) -> Result<Option<Around>, StoreError>;
    /// What is kept beside a case.
    async fn beside(&self, wanted: Beyond) -> Result<Beside, StoreError>;
    /// A page of the queue.
    async fn queue(&self, query: &QueueQuery) -> Result<QueuePage, StoreError>;
    /// A page of grants.
    async fn grants(&self, query: &GrantQuery) -> Result<GrantPage, StoreError>;
    /// Numbers for the head line.
    async fn counts(&self, person: Option<&PersonId>) -> Result<Counts, StoreError>;
    /// Cases with a deadline, expiry, scheduled execution or grant end at or before then.
    async fn due(&self, now: Time, limit: u16) -> Result<Vec<CaseId>, StoreError>;
    /// Cases still to be decided or carried out (new, in proofing, sealed, approved), for reassessment after a register change.
    async fn undecided(&self, after: Option<CaseId>, limit: u16) -> Result<Vec<CaseId>, StoreError>;

    /// A subject.
    async fn subject(&self, id: &SubjectId) -> Result<Option<SubjectRecord>, StoreError>;
    /// Subjects whose name or id holds these words, for intake.
    async fn find_subjects(&self, text: &str, limit: u16) -> Result<Vec<SubjectRow>, StoreError>;
    /// Subjects that go by that name or mail address, in the form of [`crate::domain::subject::handle`]; at most twenty, and never by id.
    async fn subjects_called(&self, handle: &str) -> Result<Vec<SubjectId>, StoreError>;
    /// Names of other subjects with that skeleton (UTS 39); at most twenty.
    async fn names_like(&self, skeleton: &str, but: &SubjectId) -> Result<Vec<Untrusted>, StoreError>;
    /// How often these two met as router and approver, among the latest approvals since then, at most [`crate::domain::anomaly::LOOKED_AT`].
    async fn met(&self, since: Time, router: &PersonId, approver: &PersonId) -> Result<[Met; 2], StoreError>;
    /// The hashes of a subject's saved codes that are unused.
    async fn saved_codes(&self, subject: &SubjectId) -> Result<Vec<String>, StoreError>;
    /// The register as it stands.
    async fn register(&self) -> Result<Arc<Register>, StoreError>;
    /// Names and mail addresses of persons.
    async fn people(&self, ids: &[PersonId]) -> Result<BTreeMap<PersonId, PersonDetails>, StoreError>;
    /// Whose recorded mailboxes these are, as [`crate::base::mailbox::mailbox`] writes them; those that are nobody's are missing.
    async fn mailbox_readers(&self, mailboxes: &[String]) -> Result<BTreeMap<String, Readers>, StoreError>;
    /// A policy's text.
    async fn policy(&self, sha256: &Digest) -> Result<Option<String>, StoreError>;
    /// Texts of a case; erased ones are missing.
    async fn texts(&self, case: CaseId, ids: &[TextId]) -> Result<BTreeMap<TextId, KeptText>, StoreError>;

    /// Entries of the log from a place on. At most 1,000.
    async fn entries(&self, from: u64, limit: u16) -> Result<Vec<Entry>, StoreError>;
    /// Entries of one case, oldest first, after a version.
    async fn case_entries(&self, case: CaseId, after_version: u64, limit: u16) -> Result<Vec<Entry>, StoreError>;
    /// How many entries there are, and the tree's root over them.
    async fn head(&self) -> Result<(u64, Digest), StoreError>;

    /// Takes up to `limit` due effects of a lane for `lease_seconds`; a worker that dies loses them to the next one.
    async fn claim(&self, lane: Lane, now: Time, limit: u16, lease_seconds: u32) -> Result<Vec<OutboxItem>, StoreError>;
    /// How much waits in the outbox.
    async fn outbox_depth(&self, now: Time) -> Result<OutboxDepth, StoreError>;
    /// How long commits took since the store was opened, from being handed over until they were durable.
    fn commit_seconds(&self) -> Histogram;
    /// Puts an effect back, to be tried not before then.
    async fn postpone(&self, item: i64, not_before: Time) -> Result<(), StoreError>;
    /// Puts an effect back that nothing was tried for: it was taken once less.
    async fn put_back(&self, item: i64, not_before: Time) -> Result<(), StoreError>;
    /// Puts a message back for those addresses where it is not settled yet what became of it, or an order with how far it came.
    async fn postpone_rest(&self, item: i64, not_before: Time, became: BTreeMap<String, Became>) -> Result<(), StoreError>;
    /// Marks an effect as done that needs no change beside it.
    async fn finish(&self, item: i64) -> Result<(), StoreError>;
    /// The answer kept for a repeated request, if any.
    async fn kept_answer(&self, principal: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError>;

    /// Copies the whole store to a new file while it is used.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;
    /// Rebuilds what projections should be from entries and compares; returns every difference found, up to 100.
    async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<Vec<String>, StoreError>;
}
