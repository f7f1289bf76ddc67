//! The seven ways around a refused approval, with the rules' check switched off: the database alone refuses each (issue 2, point 2).
//!
//! Contract: every step is what the production `decide` gives and goes through the store's one commit; only what `decide` is told is
//! falsified, so that its check finds nobody ([`blind`]), and what it records of lineage is thrown away. Each refused decision is then
//! tried as SQL, also by INSERT OR REPLACE and by UPDATE; and each case is approved in the end by someone uninvolved, the same way.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Duration;
use countersign::base::ids::CaseId;
use countersign::domain::case::{ActorRef, Case, Worker};
use countersign::domain::command::{Command, Context, Decide, World};
use countersign::domain::decide::decide;
use countersign::domain::derived::Derived;
use countersign::domain::event::{CaseEvent, RegisterChange, RegisterEvent};
use countersign::domain::policy::Policy;
use countersign::domain::register::{Delegation, Principal, Register};
use countersign::domain::seal;
use countersign::domain::subject::{Ownership, Recorded};
use countersign::domain::vocabulary::{CaseState, Decision, Path, Role, Tier};
use countersign::store::sqlite::{SqliteOptions, SqliteStore};
use countersign::store::{CaseChange, CommitError, Store};
use rusqlite::Connection;

use crate::play::{self, bot, human, id, op};
use crate::world::{self, START, TestClock, at};

const LINEAGE: &str = "no one in the lineage decides";
const MACHINE: &str = "only a person at an account decides";

/// A store of its own for each attempt, so that cases of the same subject don't weigh on each other unasked.
struct Unchecked {
    folder: tempfile::TempDir,
    store: SqliteStore,
    register: Register,
    serial: std::cell::Cell<u32>,
}

/// What the rules are told: nobody owns, delegates, is linked, or ever had a hand in it; and everyone may do everything.
fn blind(case: Option<&Case>, register: &Register) -> World {
    let policy = Arc::new(Policy::builtin());
    let mut register = register.clone();
    register.delegations.clear();
    for automation in register.automations.values_mut() {
        automation.owners.clear();
        automation.sponsors.clear();
    }
    for operator in register.operators.values_mut() {
        operator.roles = [Role::SupportAgent, Role::Supervisor, Role::SecurityReviewer].into();
    }
    let case = case.map(|c| Arc::new(Case { hands: BTreeSet::new(), lineage: BTreeSet::new(), linked: BTreeSet::new(), ..c.clone() }));
    let subject = countersign::domain::subject::Subject { person: None, ..play::subject(Tier::Standard) };
    World {
        case,
        linked: Vec::new(),
        subject: Some(Arc::new(subject)),
        register: Arc::new(register),
        pinned: policy.clone(),
        current: policy,
        held: None,
        mailboxes: Arc::default(),
        dates: Arc::default(),
        derived: Derived::default(),
    }
}

fn case(number: u32) -> CaseId {
    CaseId::new(2026, number)
}

impl Unchecked {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = world::open(&folder.path().join("db"), &TestClock::new(), &SqliteOptions::default()).unwrap();
        let mut house = Self { folder, store, register: Register::default(), serial: std::cell::Cell::new(0) };
        let template = play::register();
        let mut events = vec![RegisterEvent::Founded { by: [id("vega"), id("sato")], policy: world::policy() }];
        events.extend(template.persons.into_values().map(|p| RegisterEvent::Changed { change: RegisterChange::SetPerson(p) }));
        events.extend(template.operators.into_values().map(|o| RegisterEvent::Changed { change: RegisterChange::SetOperator(o) }));
        for automation in template.automations.into_values() {
            let owners = vec![Ownership { person: id("nadia"), since: at(START) - Duration::days(400), until: None }];
            let own = countersign::domain::register::Automation { id: id("nadias-bot"), owners, ..automation.clone() };
            events.extend([automation, own].map(|a| RegisterEvent::Changed { change: RegisterChange::SetAutomation(a) }));
        }
        let recorded = Recorded { subject: play::subject(Tier::Standard), salt: [7; 16] };
        events.push(RegisterEvent::SubjectRecorded { subject: id("s-sam"), sha256: recorded.digest().unwrap() });
        let mut change = world::change(at(START), play::system(Worker::Host));
        change.subjects = vec![recorded];
        change.policy = Some((world::policy(), world::POLICY.into()));
        house.govern(change, events).await;
        house
    }

    async fn govern(&mut self, mut change: countersign::store::Change, events: Vec<RegisterEvent>) {
        for event in &events {
            self.register.apply(event, at(START));
        }
        change.register_events = events;
        change.register = Some(Arc::new(self.register.clone()));
        self.store.commit(change).await.unwrap();
    }

    async fn delegate(&mut self, from: Principal, to: Principal) {
        let delegation = Delegation { id: id(&self.name("d")), from, to, since: at(START), until: None };
        let event = RegisterEvent::Changed { change: RegisterChange::Delegate(delegation) };
        self.govern(world::change(at(START), play::system(Worker::Host)), vec![event]).await;
    }

    fn name(&self, prefix: &str) -> String {
        self.serial.set(self.serial.get() + 1);
        format!("{prefix}-{}", self.serial.get())
    }

    /// Does what `truth` did, with the rules told that it was `told`.
    async fn step(&self, id: CaseId, truth: &ActorRef, told: &ActorRef, command: &Command) -> Result<(), CommitError> {
        let before = self.store.case(id).await?;
        let world = blind(before.as_deref(), &self.register);
        let context = Context { now: at(START), actor: play::actor(told.clone()), request: None };
        let mut events = decide(&world, command, &context).expect("the check is off");
        events.retain(|e| !matches!(e, CaseEvent::LineageGrew { .. }));
        for event in &mut events {
            // Sealed with nobody in the lineage, as the rules will find it again.
            if let CaseEvent::Sealed { plan, seal } = event {
                (*plan, *seal) = seal::make(&world, seal.revision, told, at(START)).unwrap();
            }
        }
        self.commit(id, truth, events).await
    }

    async fn commit(&self, id: CaseId, truth: &ActorRef, events: Vec<CaseEvent>) -> Result<(), CommitError> {
        let before = self.store.case(id).await?;
        let mut change = world::change(at(START), truth.clone());
        let version = before.as_ref().map_or(0, |c| c.version);
        change.reads.cases = vec![(id, version)];
        // The row claims that no approval is missing.
        let CaseChange { events, after, row } = world::case_change(before.as_ref(), id, events, 0, at(START));
        // What is ordered waits in the outbox, as it does where a service decides: it is missed otherwise.
        change.effects = events.iter().flat_map(|e| countersign::domain::effect::effects(&after, e, at(START))).collect();
        change.case = Some(CaseChange { events, after, row });
        self.store.commit(change).await.map(drop)
    }

    async fn act(&self, id: CaseId, who: &ActorRef, command: &Command) {
        self.step(id, who, who, command).await.unwrap();
    }

    /// Opened by `router`, worked on and sealed by Omar.
    async fn sealed(&self, number: u32, router: &ActorRef) -> CaseId {
        self.act(case(number), router, &Command::Open(play::open(number, Path::Assisted))).await;
        self.worked(number).await;
        case(number)
    }

    async fn worked(&self, number: u32) {
        let (id, omar) = (case(number), op("omar"));
        self.act(id, &omar, &play::triage()).await;
        let (session, receipt) = (self.name("ses"), self.name("rcp"));
        self.act(id, &omar, &play::start_code(&session, "mail-1")).await;
        self.act(id, &ActorRef::Subject { session: play::id(&session) }, &play::proof(&session, &receipt)).await;
        self.act(id, &omar, &Command::Seal).await;
    }

    async fn decision(&self, id: CaseId, decision: Decision) -> Command {
        let case = self.store.case(id).await.unwrap().unwrap();
        let seal = case.seal.as_ref().unwrap().sha256;
        let signature = countersign::domain::case::Signature::None;
        let (name, version, reason) = (play::id(&self.name("apr")), case.changed, play::text("why"));
        Command::Decide(Decide { id: name, decision, seal, version, nonce_issued_at: at(START), reason, signature })
    }

    /// Approves as `truth`, with the rules told that it is `told`.
    async fn approve(&self, id: CaseId, truth: &ActorRef, told: &ActorRef) -> Result<(), CommitError> {
        let command = self.decision(id, Decision::Approve).await;
        self.step(id, truth, told, &command).await
    }

    /// The attempt is refused with that sentence, and nothing of it stays; by approving, and by denying.
    async fn refused(&self, id: CaseId, truth: &ActorRef, told: &ActorRef, why: &str) {
        let before = (self.store.head().await.unwrap(), self.store.case(id).await.unwrap());
        for decision in [Decision::Approve, Decision::Deny] {
            let command = self.decision(id, decision).await;
            match self.step(id, truth, told, &command).await {
                Err(CommitError::Forbidden(sentence)) => assert!(sentence.contains(why), "{sentence}, not {why}"),
                other => panic!("{why}: {other:?}"),
            }
        }
        assert_eq!((self.store.head().await.unwrap(), self.store.case(id).await.unwrap()), before, "nothing of it stays");
    }

    /// Someone uninvolved approves the same way, the log holds it, and everything adds up.
    async fn honest(&self, id: CaseId) {
        self.approve(id, &op("sato"), &op("sato")).await.unwrap();
        assert_eq!(self.store.case(id).await.unwrap().unwrap().state, CaseState::Approved);
        assert_eq!(self.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    }

    /// The same decision, written past the program.
    fn sql(self, id: CaseId, account: &str, person: &str, why: &str) {
        let path: PathBuf = self.folder.path().join("db");
        self.store.close();
        let conn = Connection::open(path).unwrap();
        let insert = "(id, case_key, seal, person, operator, actor, actor_person, decision, at, valid_until, seq)
            SELECT 'apr-sql', case_key, sha256, ?2, ?3, 'operator', ?2, 0, ?4, ?4 + 1000, seq FROM seals WHERE case_key = ?1
            ORDER BY revision DESC LIMIT 1";
        for recursive in [false, true] {
            conn.pragma_update(None, "recursive_triggers", recursive).unwrap();
            for verb in ["INSERT INTO", "INSERT OR REPLACE INTO", "INSERT OR IGNORE INTO"] {
                let tried = conn.execute(&format!("{verb} approvals {insert}"), rusqlite::params![id.key(), person, account, START]);
                assert!(tried.unwrap_err().to_string().contains(why), "{verb} of {person} by {account}");
            }
            for sql in [
                "UPDATE approvals SET person = ?2, operator = ?3, actor_person = ?2 WHERE case_key = ?1",
                "UPDATE OR REPLACE approvals SET person = ?2, operator = ?3, actor_person = ?2 WHERE case_key = ?1",
            ] {
                let tried = conn.execute(sql, rusqlite::params![id.key(), person, account]);
                assert!(tried.unwrap_err().to_string().contains("approvals are never changed"), "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn invariant_01_unchecked_own_token() {
    let house = Unchecked::new().await;
    let id = house.sealed(1, &op("nadia")).await;
    house.refused(id, &op("nadia"), &op("nadia"), LINEAGE).await;
    // Whoever sealed it, and gathered the proof, just as well.
    house.refused(id, &op("omar"), &op("omar"), LINEAGE).await;
    house.honest(id).await;
    house.sql(id, "nadia", "nadia", LINEAGE);
}

#[tokio::test]
async fn invariant_01_unchecked_second_account() {
    let house = Unchecked::new().await;
    let id = house.sealed(1, &op("nadia")).await;
    let alias = ActorRef::Operator { operator: play::id("nadia-sup"), person: play::id("nadia") };
    house.refused(id, &alias, &alias, LINEAGE).await;
    // The rules are made to believe that the account is someone else's.
    let other = ActorRef::Operator { operator: play::id("nadia-sup"), person: play::id("ruiz") };
    let command = house.decision(id, Decision::Approve).await;
    let mut told = house.register.clone();
    told.operators.get_mut(&play::id("nadia-sup")).unwrap().person = play::id("ruiz");
    let context = Context { now: at(START), actor: play::actor(other.clone()), request: None };
    let events = decide(&blind(house.store.case(id).await.unwrap().as_deref(), &told), &command, &context).unwrap();
    let tried = house.commit(id, &other, events).await;
    assert!(matches!(&tried, Err(CommitError::Forbidden(why)) if why.contains("the account of the person who makes it")), "{tried:?}");
    house.honest(id).await;
    house.sql(id, "nadia-sup", "nadia", LINEAGE);
}

#[tokio::test]
async fn invariant_01_unchecked_own_bot() {
    let house = Unchecked::new().await;
    let own = ActorRef::Automation { automation: id("nadias-bot"), on_behalf_of: Vec::new() };
    let routed = house.sealed(1, &own).await;
    house.refused(routed, &op("nadia"), &op("nadia"), LINEAGE).await;
    // The bot itself decides, passed off as its owner or as someone uninvolved.
    for (told, why) in [("nadia", LINEAGE), ("ruiz", MACHINE)] {
        house.refused(routed, &own, &op(told), why).await;
    }
    house.honest(routed).await;
    house.sql(routed, "nadia", "nadia", LINEAGE);
}

#[tokio::test]
async fn invariant_01_unchecked_bot_acting_for_them() {
    let house = Unchecked::new().await;
    let acting = bot(vec![Principal::Automation(id("nadias-bot")), human("lind")]);
    let routed = house.sealed(1, &acting).await;
    for hand in ["lind", "nadia", "omar"] {
        house.refused(routed, &op(hand), &op(hand), LINEAGE).await;
    }
    house.refused(routed, &bot(vec![human("ruiz")]), &op("ruiz"), MACHINE).await;
    house.honest(routed).await;
    house.sql(routed, "lind", "lind", LINEAGE);
}

#[tokio::test]
async fn invariant_02_unchecked_withdrawn_and_created_again() {
    let house = Unchecked::new().await;
    let first = house.sealed(1, &op("nadia")).await;
    house.act(first, &op("nadia"), &Command::Withdraw { reason: play::text("why") }).await;
    // Someone else opens it again, and again; the rules link nothing.
    let second = house.sealed(2, &op("lind")).await;
    house.act(second, &op("lind"), &Command::Withdraw { reason: play::text("why") }).await;
    let third = house.sealed(3, &op("vega")).await;
    for hand in ["nadia", "lind"] {
        house.refused(third, &op(hand), &op(hand), LINEAGE).await;
    }
    house.honest(third).await;
    house.sql(third, "nadia", "nadia", LINEAGE);
}

#[tokio::test]
async fn invariant_02_unchecked_sent_elsewhere_and_created_again() {
    let house = Unchecked::new().await;
    // Nadia's case goes on to another target before it is withdrawn; the rules link nothing.
    let first = house.sealed(1, &op("nadia")).await;
    let elsewhere = countersign::domain::case::Route { target: play::id("vault"), ..play::route(Path::Assisted) };
    house.commit(first, &op("nadia"), vec![CaseEvent::Routed { route: elsewhere.clone() }]).await.unwrap();
    house.act(first, &op("nadia"), &Command::Withdraw { reason: play::text("why") }).await;
    let second = house.sealed(2, &op("lind")).await;
    house.refused(second, &op("nadia"), &op("nadia"), LINEAGE).await;
    // And one that comes to where another had been.
    let third = house.sealed(3, &op("vega")).await;
    house.commit(third, &op("vega"), vec![CaseEvent::Routed { route: elsewhere }]).await.unwrap();
    house.refused(second, &op("vega"), &op("vega"), LINEAGE).await;
    house.honest(second).await;
    // A database from before tells from its entries where cases had been.
    let path = house.folder.path().join("db");
    let went = |path: &std::path::Path| -> Vec<(String, i64)> {
        let conn = rusqlite::Connection::open(path).unwrap();
        let mut rows = conn.prepare("SELECT target, case_key FROM went ORDER BY target, case_key").unwrap();
        rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let before = went(&path);
    assert_eq!(before.len(), 5, "{before:?}");
    house.store.close();
    let Unchecked { folder, store, .. } = house;
    drop(store);
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE went; DROP INDEX lineage_of_subjects; DROP INDEX people_by_mailbox; ALTER TABLE people DROP COLUMN mailbox; DROP INDEX outbox_lanes; ALTER TABLE outbox DROP COLUMN lane; ALTER TABLE outbox DROP COLUMN became; ALTER TABLE people DROP COLUMN since; ALTER TABLE subjects DROP COLUMN since; ALTER TABLE saved_codes DROP COLUMN since; ALTER TABLE cases DROP COLUMN flag_kinds; DROP TABLE in_force; PRAGMA user_version = 7").unwrap();
    drop(world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap());
    assert_eq!(went(&path), before);
    drop(folder);
}

#[tokio::test]
async fn invariant_02_unchecked_delegation() {
    let mut house = Unchecked::new().await;
    let routed = house.sealed(1, &op("nadia")).await;
    // After the case was sealed; by way of software; and ended at once (T4).
    house.delegate(human("nadia"), human("lind")).await;
    house.delegate(Principal::Automation(id("bot")), human("lind")).await;
    house.refused(routed, &op("lind"), &op("lind"), LINEAGE).await;
    house.refused(routed, &op("omar"), &op("omar"), LINEAGE).await;
    house.delegate(human("ruiz"), human("lind")).await;
    let last = house.register.delegations.last().unwrap().id.clone();
    let revoked = RegisterEvent::Changed { change: RegisterChange::RevokeDelegation { delegation: last, at: at(START) } };
    house.govern(world::change(at(START), play::system(Worker::Host)), vec![revoked]).await;
    house.refused(routed, &op("ruiz"), &op("ruiz"), LINEAGE).await;
    house.honest(routed).await;
    house.sql(routed, "lind", "lind", LINEAGE);
}

#[tokio::test]
async fn invariant_04_unchecked_re_routing() {
    let house = Unchecked::new().await;
    let id = house.sealed(1, &op("nadia")).await;
    // Lind approves first and routes later; the rules forget to void.
    house.approve(id, &op("lind"), &op("lind")).await.unwrap();
    let write = BTreeSet::from([play::id("write")]);
    let route = countersign::domain::case::Route { scope: write, ..play::route(Path::Assisted) };
    let seal = house.store.case(id).await.unwrap().unwrap().seal.as_ref().unwrap().sha256;
    house.commit(id, &op("lind"), vec![CaseEvent::Routed { route }]).await.unwrap();
    let execution = countersign::domain::case::Execution {
        attempt: 1,
        seal,
        started_at: at(START),
        outcome: None,
        ended_at: None,
        before: std::collections::BTreeMap::new(),
    };
    let executor = play::system(Worker::Executor);
    let run = |execution| vec![CaseEvent::ExecutionStarted { execution }];
    let tried = house.commit(id, &executor, run(execution.clone())).await;
    assert!(matches!(&tried, Err(CommitError::Forbidden(why)) if why.contains("enough live approvals")), "{tried:?}");
    let approval = world::approval("apr-old", seal, "sato", at(START));
    let sato = countersign::domain::case::Approval { person: play::id("sato"), ..approval };
    let tried = house.commit(id, &op("sato"), vec![CaseEvent::Decided { approval: sato }]).await;
    assert!(matches!(&tried, Err(CommitError::Forbidden(why)) if why.contains("about the last seal")), "{tried:?}");
    // Sealed anew: whoever routed in between decides no more, and their old approval counts for nothing.
    house.act(id, &op("omar"), &Command::Reopen { reason: play::text("why") }).await;
    house.worked(1).await;
    house.refused(id, &op("lind"), &op("lind"), LINEAGE).await;
    let seal = house.store.case(id).await.unwrap().unwrap().seal.as_ref().unwrap().sha256;
    let tried = house.commit(id, &executor, run(countersign::domain::case::Execution { seal, ..execution })).await;
    assert!(matches!(&tried, Err(CommitError::Forbidden(why)) if why.contains("enough live approvals")), "{tried:?}");
    house.honest(id).await;
    house.sql(id, "lind", "lind", LINEAGE);
}
