//! The database alone: what it refuses when the rules are passed by, or when someone writes SQL (invariants 1 and 9, threats T1, T6).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::Duration;
use countersign::base::ids::{CaseId, ProposalId};
use countersign::base::{Digest, Time};
use countersign::domain::case::{ActorRef, Execution, Hold, ProofSession, Triage, VoidReason, Worker};
use countersign::domain::event::{CaseEvent, RegisterChange, RegisterEvent};
use countersign::domain::register::{Delegation, Principal};
use countersign::domain::subject::{Ownership, Recorded, Subject};
use countersign::domain::vocabulary::{CaseState, Decision, FailureType, HoldSource, Method, Tier};
use countersign::store::sqlite::{SqliteOptions, SqliteStore};
use countersign::store::{CommitError, Store};
use rusqlite::Connection;

use crate::world::{self, START, TestClock, act, approval, at, operator, person, seal_digest};

const SEPARATE: &str = "no one in the lineage decides";

async fn prepared(folder: &Path) -> (SqliteStore, PathBuf) {
    let path = folder.join("db");
    let store = world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    (store, path)
}

async fn refused(store: &SqliteStore, id: CaseId, who: ActorRef, events: Vec<CaseEvent>, why: &str) {
    refused_at(store, id, who, events, why, at(START)).await;
}

async fn refused_at(store: &SqliteStore, id: CaseId, who: ActorRef, events: Vec<CaseEvent>, why: &str, now: Time) {
    let before = (store.head().await.unwrap(), store.case(id).await.unwrap().map(|c| c.version));
    match act(store, id, who, events, 0, now).await {
        Err(CommitError::Forbidden(sentence)) => assert!(sentence.contains(why), "{sentence}, not {why}"),
        other => panic!("{why}: {other:?}"),
    }
    assert_eq!((store.head().await.unwrap(), store.case(id).await.unwrap().map(|c| c.version)), before, "nothing of it stays");
}

fn decided(a: countersign::domain::case::Approval) -> Vec<CaseEvent> {
    vec![CaseEvent::Decided { approval: a }]
}

#[tokio::test]
async fn invariant_01_the_database_alone_refuses_each_self_approval() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = prepared(folder.path()).await;
    let (id, again) = (CaseId::new(2026, 1), CaseId::new(2026, 2));
    world::sealed_case(&store, id, BTreeSet::new()).await;
    let seal = seal_digest(id, 1);
    let now = at(START);
    let separate = "no one in the lineage decides";
    refused(&store, id, operator("nadia"), decided(approval("a-1", seal, "nadia", now)), separate).await;
    refused(&store, id, operator("nadia2"), decided(approval("a-1", seal, "nadia2", now)), separate).await;
    refused(&store, id, operator("lind"), decided(approval("a-1", seal, "lind", now)), separate).await;
    let deny = countersign::domain::case::Approval { decision: Decision::Deny, ..approval("a-1", seal, "nadia", now) };
    refused(&store, id, operator("nadia"), decided(deny), separate).await;
    // Someone else's name on one's own act; one's own account under another's name; no account at all.
    refused(&store, id, operator("nadia"), decided(approval("a-1", seal, "ruiz", now)), "a decision is its maker's own").await;
    let mixed = countersign::domain::case::Approval { person: person("p-ruiz"), ..approval("a-1", seal, "nadia", now) };
    let who = ActorRef::Operator { operator: "nadia".parse().unwrap(), person: person("p-ruiz") };
    refused(&store, id, who, decided(mixed), "account").await;
    // Software and the server itself.
    let bot = ActorRef::Automation { automation: "bot".parse().unwrap(), on_behalf_of: vec![Principal::Person(person("p-ruiz"))] };
    refused(&store, id, bot, decided(approval("a-1", seal, "ruiz", now)), "only a person at an account decides").await;
    refused(
        &store,
        id,
        ActorRef::System { worker: Worker::Host },
        decided(approval("a-1", seal, "ruiz", now)),
        "only a person at an account decides",
    )
    .await;
    // Withdrawn and created again by someone else: lineage comes along.
    world::sealed_case_by(&store, again, "vera", BTreeSet::from([id])).await;
    refused(&store, again, operator("nadia"), decided(approval("a-1", seal_digest(again, 1), "nadia", now)), separate).await;
    // Another seal than the last one.
    refused(&store, id, operator("ruiz"), decided(approval("a-1", seal_digest(id, 2), "ruiz", now)), "last seal").await;
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_01_the_hands_in_a_case_are_known_without_lineage_events() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = prepared(folder.path()).await;
    let (id, now) = (CaseId::new(2026, 1), at(START));
    // The bot opens a case for Ruiz; nobody records lineage, as if the rules had forgotten it.
    let bot = ActorRef::Automation { automation: "bot".parse().unwrap(), on_behalf_of: vec![Principal::Person(person("p-ruiz"))] };
    let nobody = ActorRef::System { worker: Worker::Host };
    act(&store, id, bot.clone(), vec![world::opened("m.okafor", &bot, now, BTreeSet::new())], 0, now).await.unwrap();
    let seal = vec![world::sealed(id, 1, &nobody, now), CaseEvent::StateChanged { to: CaseState::Sealed, due: None, used: None }];
    act(&store, id, nobody, seal, 1, now).await.unwrap();
    for who in ["vera", "ruiz"] {
        let events = decided(approval("a-1", seal_digest(id, 1), who, now));
        refused(&store, id, operator(who), events, "no one in the lineage decides").await;
    }
    act(&store, id, operator("nadia"), decided(approval("a-1", seal_digest(id, 1), "nadia", now)), 0, now).await.unwrap();
}

/// What someone writes past the program: the decision of a person in the lineage.
fn refused_as_sql(store: SqliteStore, path: &Path, id: CaseId, who: &str) {
    store.close();
    drop(store);
    let conn = Connection::open(path).unwrap();
    for recursive in [false, true] {
        conn.pragma_update(None, "recursive_triggers", recursive).unwrap();
        for verb in ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"] {
            let sql = format!(
                "{verb} INTO approvals SELECT 'a-sql', case_key, sha256, 'p-{who}', '{who}', 'operator', 'p-{who}', 0, {START}, {START} + 9, seq
                 FROM seals WHERE case_key = ?1 ORDER BY revision DESC LIMIT 1"
            );
            let tried = conn.execute(&sql, [id.key()]).unwrap_err().to_string();
            assert!(tried.contains(SEPARATE), "{verb} of {who}: {tried}");
        }
    }
}

/// Opened and sealed by Nadia for someone, under that policy; nobody records lineage, as if the rules had forgotten it.
async fn bare(store: &SqliteStore, id: CaseId, subject: &str, policy: Digest, now: Time) {
    let by = operator("nadia");
    let mut opened = world::opened(subject, &by, now, BTreeSet::new());
    if let CaseEvent::Opened { policy: pinned, .. } = &mut opened {
        *pinned = policy;
    }
    act(store, id, by.clone(), vec![opened], 0, now).await.unwrap();
    seal(store, id, now).await;
}

async fn seal(store: &SqliteStore, id: CaseId, now: Time) {
    let by = operator("nadia");
    let seal = vec![world::sealed(id, 1, &by, now), CaseEvent::StateChanged { to: CaseState::Sealed, due: None, used: None }];
    act(store, id, by, seal, 1, now).await.unwrap();
}

/// A policy that comes into force as each does: proposed, approved, applied.
async fn put_in_force(store: &SqliteStore, proposal: &str, text: &str, kept: bool) {
    let policy = Digest::of(text.as_bytes());
    let (id, change) = (proposal.parse::<ProposalId>().unwrap(), RegisterChange::SetPolicy { policy, deciders: BTreeSet::new() });
    let proposed = RegisterEvent::Proposed { proposal: id.clone(), by: person("p-nadia"), change, approvals: 1 };
    world::govern(store, proposed, |c| c.policy = kept.then(|| (policy, text.to_owned()))).await;
    let approved = RegisterEvent::ProposalApproved { proposal: id.clone(), by: person("p-vera"), effective_at: at(START) };
    world::govern(store, approved, |_| ()).await;
    world::govern(store, RegisterEvent::ProposalApplied { proposal: id }, |_| ()).await;
}

#[tokio::test]
async fn invariant_02_the_database_alone_goes_as_far_back_as_the_policy_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = prepared(folder.path()).await;
    let (first, second, now) = (CaseId::new(2026, 1), CaseId::new(2026, 2), at(START));
    let short = world::POLICY.replace("lineage = \"90 d\"", "lineage = \"7 d\"");
    let digest = Digest::of(short.as_bytes());
    put_in_force(&store, "prp-1", &short, true).await;
    let [from, to] = ["nadia", "ruiz"].map(|who| Principal::Person(person(&format!("p-{who}"))));
    let (since, until) = (now - Duration::days(200), Some(now - Duration::days(30)));
    let delegation = Delegation { id: "d-1".parse().unwrap(), from, to, since, until };
    world::govern(&store, RegisterEvent::Changed { change: RegisterChange::Delegate(delegation) }, |_| ()).await;
    bare(&store, first, "payments-batch", digest, now).await;
    bare(&store, second, "m.okafor", digest, now).await;
    // By the policy that both are under it ended too long ago to count; by the one that then takes effect it counts.
    act(&store, first, operator("ruiz"), decided(approval("a-1", seal_digest(first, 1), "ruiz", now)), 0, now).await.unwrap();
    put_in_force(&store, "prp-2", world::POLICY, false).await;
    refused(&store, second, operator("ruiz"), decided(approval("a-2", seal_digest(second, 1), "ruiz", now)), SEPARATE).await;
    let seal = seal_digest(first, 1);
    let execution = Execution { attempt: 1, seal, started_at: now, outcome: None, ended_at: None, before: std::collections::BTreeMap::new() };
    let executor = ActorRef::System { worker: Worker::Executor };
    refused(&store, first, executor, vec![CaseEvent::ExecutionStarted { execution }], "enough live approvals").await;
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    refused_as_sql(store, &path, second, "ruiz");
    // Nobody puts another policy in force past the log.
    let conn = Connection::open(&path).unwrap();
    for sql in [
        "UPDATE in_force SET policy = zeroblob(32)",
        "DELETE FROM in_force WHERE seq > 0",
        "INSERT INTO in_force SELECT (SELECT max(seq) FROM entries), policy FROM in_force ORDER BY seq LIMIT 1",
        "INSERT OR REPLACE INTO in_force SELECT (SELECT max(seq) FROM in_force), policy FROM in_force ORDER BY seq LIMIT 1",
        "INSERT OR REPLACE INTO in_force SELECT (SELECT max(seq) + 1 FROM entries), policy FROM in_force ORDER BY seq LIMIT 1",
    ] {
        assert!(conn.execute(sql, []).is_err(), "went through: {sql}");
    }
    // A file in which no row was written for what a proposal put in force: that is found, and mended when the file is brought up to date.
    let stay: String = conn.query_row("SELECT sql FROM sqlite_schema WHERE name = 'in_force_stay'", [], |r| r.get(0)).unwrap();
    let older = format!("DROP TRIGGER in_force_stay; DELETE FROM in_force WHERE seq = (SELECT max(seq) FROM in_force); {stay}");
    conn.execute_batch(&older).unwrap();
    let found = countersign::store::sqlite::verify_file(&path, None, &|_, _| {}).unwrap();
    assert!(matches!(found.as_slice(), [f] if f.starts_with("in_force: its last row is not")), "{found:?}");
    conn.execute_batch("CREATE INDEX outbox_available ON outbox (available, id); PRAGMA user_version = 15").unwrap();
    drop(conn);
    let store = world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_01_the_database_alone_knows_who_said_what_failed_and_who_began_the_proof() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = prepared(folder.path()).await;
    let (id, now) = (CaseId::new(2026, 1), at(START));
    let nadia = operator("nadia");
    act(&store, id, nadia.clone(), vec![world::opened("m.okafor", &nadia, now, BTreeSet::new())], 0, now).await.unwrap();
    let triage = Triage {
        failure: FailureType::LostCredential,
        reproduction: world::text("reproduction"),
        triage_owner: person("p-nadia"),
        remedy_owner: person("p-nadia"),
        by: operator("ruiz"),
        at: now,
    };
    act(&store, id, operator("ruiz"), vec![CaseEvent::Triaged { triage }], 0, now).await.unwrap();
    let session = |name: &str, by: &str| {
        let proof = ProofSession {
            method: Method::IssuedCode,
            endpoint: None,
            attester: None,
            by: operator(by),
            opened_at: now,
            expires_at: now + Duration::minutes(30),
            failed_attempts: 0,
            outcome: None,
        };
        vec![CaseEvent::SessionOpened { session: name.parse().unwrap(), proof }]
    };
    act(&store, id, operator("vera"), session("s-1", "vera"), 0, now).await.unwrap();
    // Contact by which a hold is lifted is no hand in the proof.
    let hold = Hold { source: HoldSource::Security, reason: None, since: now, escalated_at: None };
    act(&store, id, operator("lind"), vec![CaseEvent::Held { hold }], 0, now).await.unwrap();
    act(&store, id, operator("lind"), session("s-2", "lind"), 0, now).await.unwrap();
    seal(&store, id, now).await;
    for who in ["ruiz", "vera"] {
        refused(&store, id, operator(who), decided(approval("a-1", seal_digest(id, 1), who, now)), SEPARATE).await;
    }
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    refused_as_sql(store, &path, id, "vera");
    let store = world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    act(&store, id, operator("lind"), decided(approval("a-1", seal_digest(id, 1), "lind", now)), 0, now).await.unwrap();
    Connection::open(&path).unwrap().execute_batch("DROP TRIGGER lineage_stays; DELETE FROM lineage WHERE person IN ('p-ruiz', 'p-vera')").unwrap();
    let found = store.verify(&|_, _| {}).await.unwrap();
    for hand in ["p-ruiz as evidence_editor", "p-vera as proof_starter"] {
        assert!(found.iter().any(|f| f.contains(&format!("no row says that {hand} had a hand in it"))), "{hand}: {found:?}");
    }
}

#[tokio::test]
async fn invariant_02_the_database_alone_knows_former_owners_within_the_window_and_new_ones_since_the_seal() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = prepared(folder.path()).await;
    let (id, now) = (CaseId::new(2026, 1), at(START));
    let owned = |since: i64, until: Option<i64>, who: &str| Ownership {
        person: person(&format!("p-{who}")),
        since: now - Duration::days(since),
        until: until.map(|u| now - Duration::days(u)),
    };
    let record = async |owners: Vec<Ownership>| {
        let subject = Subject { tier: Tier::Elevated, owners, ..world::subject("payments-batch", "Payments batch") };
        let recorded = Recorded { subject, salt: [6; 16] };
        let event = RegisterEvent::SubjectRecorded { subject: recorded.subject.id.clone(), sha256: recorded.digest().unwrap() };
        world::govern(&store, event, |c| c.subjects = vec![recorded]).await;
    };
    let former = [owned(400, Some(60), "ruiz"), owned(400, Some(100), "lind")];
    record(former.to_vec()).await;
    bare(&store, id, "payments-batch", world::policy(), now).await;
    let seal = seal_digest(id, 1);
    refused(&store, id, operator("ruiz"), decided(approval("a-1", seal, "ruiz", now)), SEPARATE).await;
    record([former.as_slice(), &[owned(0, None, "vera")]].concat()).await;
    refused(&store, id, operator("vera"), decided(approval("a-1", seal, "vera", now)), SEPARATE).await;
    // Who owned it before the window counts no more.
    act(&store, id, operator("lind"), decided(approval("a-1", seal, "lind", now)), 0, now).await.unwrap();
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    refused_as_sql(store, &path, id, "ruiz");
}

#[tokio::test]
async fn invariant_02_the_database_alone_links_every_case_within_the_window_and_not_only_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock, day) = (folder.path().join("db"), TestClock::new(), 24 * 3_600);
    let store = world::open(&path, &clock, &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    let [old, middle, last] = [1, 2, 3].map(|n| CaseId::new(2026, n));
    let on = |days: i64| at(START + days * day * 1_000);
    let open = async |id, who: &str, now| {
        act(&store, id, operator(who), vec![world::opened("m.okafor", &operator(who), now, BTreeSet::new())], 0, now).await.unwrap();
    };
    open(old, "ruiz", on(0)).await;
    // The first is outside the window (7 days) when the second is opened; something is said in it afterwards.
    clock.pass(27 * day);
    open(middle, "vera", on(27)).await;
    seal(&store, middle, on(27)).await;
    clock.pass(day);
    act(&store, old, operator("ruiz"), vec![CaseEvent::Commented { text: world::text("said") }], 0, on(28)).await.unwrap();
    clock.pass(2 * day);
    open(last, "nadia", on(30)).await;
    seal(&store, last, on(30)).await;
    for who in ["ruiz", "vera"] {
        refused_at(&store, last, operator(who), decided(approval("a-1", seal_digest(last, 1), who, on(30))), SEPARATE, on(30)).await;
        refused_at(&store, middle, operator(who), decided(approval("a-1", seal_digest(middle, 1), who, on(30))), SEPARATE, on(30)).await;
    }
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    refused_as_sql(store, &path, last, "vera");
    // A database from before, which knows of no link: it is found missing, and written when the database is brought up to date.
    let conn = Connection::open(&path).unwrap();
    let stay: String = conn.query_row("SELECT sql FROM sqlite_schema WHERE name = 'links_stay'", [], |r| r.get(0)).unwrap();
    conn.execute_batch(&format!("DROP TRIGGER links_stay; DELETE FROM links; {stay}")).unwrap();
    let found = countersign::store::sqlite::verify_file(&path, None, &|_, _| {}).unwrap();
    assert!(found.iter().any(|f| f.contains(&format!("links of {last}: no row says that {middle} came before it"))), "{found:?}");
    conn.execute_batch("DROP TABLE in_force; PRAGMA user_version = 14").unwrap();
    drop(conn);
    let store = world::open(&path, &clock, &SqliteOptions::default()).unwrap();
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    refused_as_sql(store, &path, last, "vera");
}

#[tokio::test]
async fn invariant_03_and_04_the_database_alone_counts_live_approvals_before_an_execution() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = prepared(folder.path()).await;
    let (id, now) = (CaseId::new(2026, 1), at(START));
    world::sealed_case(&store, id, BTreeSet::new()).await;
    let seal = seal_digest(id, 1);
    let execute = |attempt| {
        let execution = Execution { attempt, seal, started_at: now, outcome: None, ended_at: None, before: std::collections::BTreeMap::new() };
        vec![CaseEvent::ExecutionStarted { execution }]
    };
    let executor = || ActorRef::System { worker: Worker::Executor };
    refused(&store, id, executor(), execute(1), "enough live approvals").await;
    act(&store, id, operator("ruiz"), decided(approval("a-1", seal, "ruiz", now)), 0, now).await.unwrap();
    refused(&store, id, operator("ruiz"), decided(approval("a-2", seal, "ruiz", now)), "once").await;
    // Approved first, routed later: Ruiz edits evidence afterwards and is in the lineage.
    let grew = vec![world::lineage("p-ruiz", countersign::domain::vocabulary::Duty::EvidenceEditor, now)];
    act(&store, id, operator("ruiz"), grew, 0, now).await.unwrap();
    refused(&store, id, executor(), execute(1), "enough live approvals").await;
    // A void approval counts no more.
    act(&store, id, operator("vera"), decided(approval("a-3", seal, "vera", now)), 0, now).await.unwrap();
    let void = CaseEvent::ApprovalsVoided { approvals: BTreeSet::from(["a-3".parse().unwrap()]), why: VoidReason::TakenBack };
    act(&store, id, operator("vera"), vec![void], 0, now).await.unwrap();
    refused(&store, id, executor(), execute(1), "enough live approvals").await;
    // What the caller says about approvals still missing (here: none) lowers nothing.
    let none = CaseId::new(2026, 3);
    let nadia = operator("nadia");
    act(&store, none, nadia.clone(), vec![world::opened("payments-batch", &nadia, now, BTreeSet::new())], 0, now).await.unwrap();
    act(&store, none, nadia.clone(), vec![world::sealed(none, 1, &nadia, now)], 0, now).await.unwrap();
    let execution = Execution {
        attempt: 1,
        seal: seal_digest(none, 1),
        started_at: now,
        outcome: None,
        ended_at: None,
        before: std::collections::BTreeMap::new(),
    };
    refused(&store, none, executor(), vec![CaseEvent::ExecutionStarted { execution }], "enough live approvals").await;
}

/// What someone with SQL at hand tries on rows that are only ever added to.
const SQL: [&str; 40] = [
    "UPDATE entries SET bytes = x'7b7d' WHERE seq = 1",
    "DELETE FROM entries WHERE seq = 1",
    "INSERT OR REPLACE INTO entries SELECT 1, bytes, leaf, case_key, version FROM entries WHERE seq = 2",
    "REPLACE INTO entries SELECT (SELECT max(seq) + 1 FROM entries), bytes, leaf, case_key, version FROM entries WHERE case_key IS NOT NULL LIMIT 1",
    "INSERT INTO entries SELECT (SELECT max(seq) + 2 FROM entries), bytes, leaf, case_key, version + 90 FROM entries WHERE seq = 1",
    "INSERT INTO entries SELECT 1, bytes, leaf, case_key, version FROM entries WHERE seq = 1 ON CONFLICT (seq) DO UPDATE SET bytes = x'7b7d'",
    "UPDATE OR REPLACE entries SET seq = 2 WHERE seq = 1",
    "UPDATE lineage SET person = 'p-x' WHERE person = 'p-nadia'",
    "DELETE FROM lineage WHERE person = 'p-nadia'",
    "UPDATE OR REPLACE lineage SET person = 'p-lind'",
    "DELETE FROM links",
    "UPDATE approvals SET person = 'p-vera', actor_person = 'p-vera'",
    "DELETE FROM approvals",
    "INSERT OR REPLACE INTO approvals SELECT 'a-9', case_key, seal, person, operator, actor, actor_person, decision, at, valid_until + 9, seq FROM approvals",
    "INSERT OR REPLACE INTO approvals SELECT id, case_key, seal, 'p-nadia', 'nadia', actor, 'p-nadia', decision, at, valid_until, seq FROM approvals",
    "INSERT OR REPLACE INTO approvals SELECT 'a-9', case_key, seal, 'p-nadia', 'nadia', actor, 'p-nadia', decision, at, valid_until, seq FROM approvals",
    "UPDATE seals SET needed = 0, path = 0",
    "INSERT OR REPLACE INTO seals SELECT case_key, revision, sha256, 0, 0, seq FROM seals",
    "DELETE FROM seals",
    "DELETE FROM voids",
    "UPDATE voids SET approval = 'a-3'",
    "INSERT INTO executions SELECT case_key, 1, sha256, 0, 1, seq FROM seals",
    "INSERT INTO seals SELECT case_key, revision + 1, zeroblob(32), 1, 0, seq FROM seals",
    "INSERT OR REPLACE INTO seals SELECT case_key, revision + 1, zeroblob(32), 0, 0, seq FROM seals",
    "UPDATE OR REPLACE needs SET persons = 0 WHERE path IN (0, 2)",
    "DELETE FROM needs",
    "INSERT OR REPLACE INTO needs SELECT sha256, 99, 1, 'standard', 0 FROM policies",
    "UPDATE policies SET lineage = 604800000",
    "DELETE FROM policies",
    "UPDATE routes SET path = 0",
    "DELETE FROM routes",
    "DELETE FROM went",
    "UPDATE OR REPLACE went SET target = 'elsewhere'",
    "INSERT OR REPLACE INTO routes SELECT case_key, seq + 1, at, policy, subject, action, 0 FROM routes",
    "UPDATE ties SET until = 1",
    "DELETE FROM ties",
    "INSERT OR REPLACE INTO ties SELECT from_who, to_who, why, since, 1 FROM ties",
    "UPDATE OR REPLACE accounts SET person = 'p-ruiz' WHERE operator = 'nadia2'",
    "INSERT OR REPLACE INTO accounts VALUES ('nadia2', 'p-ruiz')",
    "INSERT INTO voids VALUES ('a-7', 1)",
];

#[tokio::test]
async fn invariant_09_rows_that_are_only_added_to_withstand_sql() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = prepared(folder.path()).await;
    let (id, again, now) = (CaseId::new(2026, 1), CaseId::new(2026, 2), at(START));
    world::sealed_case(&store, id, BTreeSet::new()).await;
    world::sealed_case_by(&store, again, "vera", BTreeSet::from([id])).await;
    act(&store, id, operator("ruiz"), decided(approval("a-1", seal_digest(id, 1), "ruiz", now)), 0, now).await.unwrap();
    let void = CaseEvent::ApprovalsVoided { approvals: BTreeSet::from(["a-1".parse().unwrap()]), why: VoidReason::TakenBack };
    act(&store, id, operator("ruiz"), vec![void], 0, now).await.unwrap();
    act(&store, again, operator("ruiz"), decided(approval("a-2", seal_digest(again, 1), "ruiz", now)), 0, now).await.unwrap();
    store.close();
    drop(store);
    let dump = |conn: &Connection| {
        let count = |t: &str| conn.query_row(&format!("SELECT count(*) FROM {t}"), [], |r| r.get::<_, i64>(0)).unwrap();
        ["entries", "lineage", "links", "approvals", "seals", "voids", "executions", "needs", "policies", "routes", "ties", "accounts", "went"]
            .map(count)
    };
    let conn = Connection::open(&path).unwrap();
    let before = dump(&conn);
    for recursive in [false, true] {
        conn.pragma_update(None, "recursive_triggers", recursive).unwrap();
        for sql in SQL {
            assert!(conn.execute(sql, []).is_err(), "went through: {sql}");
            assert_eq!(dump(&conn), before, "{sql}");
        }
    }
    // A replaced lineage row stays what it was.
    conn.execute("INSERT OR REPLACE INTO lineage SELECT case_key, person, duty, via, from_case, 0 FROM lineage", []).unwrap();
    assert_eq!(conn.query_row("SELECT count(*) FROM lineage WHERE seq = 0", [], |r| r.get::<_, i64>(0)).unwrap(), 0);
    drop(conn);
    let store = world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}
