//! What lies beside the log is looked at too: texts, saved codes, what is to be ended, the database's own rules; and what a restore replaces.

use std::collections::BTreeSet;
use std::path::Path;

use countersign::base::Digest;
use countersign::base::ids::{CaseId, TextId, TokenId};
use countersign::domain::case::{Hold, TextRef};
use countersign::domain::event::{CaseEvent, RegisterChange, RegisterEvent};
use countersign::domain::register::{Holder, Token};
use countersign::domain::vocabulary::HoldSource;
use countersign::store::sqlite::{RestoreError, Restoring, SqliteOptions, SqliteStore, There, Young, older_file, restore, too_young, verify_file};
use countersign::store::{CodeChange, NewText, Store};
use rusqlite::Connection;

use crate::world::{self, START, TestClock, at, govern, operator};

fn the_case() -> CaseId {
    CaseId::new(2026, 1)
}

async fn filled(path: &Path) -> SqliteStore {
    let store = world::open(path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    world::sealed_case(&store, the_case(), BTreeSet::new()).await;
    let (mut events, mut texts) = (Vec::new(), Vec::new());
    for (id, said) in [("t-1", "the badge was seen"), ("t-2", "the badge was not seen")] {
        let (id, salt) = (TextId::parse(id).unwrap(), [4; 16]);
        let sha256 = Digest::of(&[salt.as_slice(), said.as_bytes()].concat());
        events.push(CaseEvent::Commented { text: TextRef { id: id.clone(), sha256 } });
        texts.push(NewText { case: the_case(), id, salt, text: said.into() });
    }
    let before = store.case(the_case()).await.unwrap();
    let mut c = world::change(at(START), operator("nadia"));
    c.case = Some(world::case_change(before.as_ref(), the_case(), events, 0, at(START)));
    c.texts = texts;
    store.commit(c).await.unwrap();
    let subject: countersign::base::ids::SubjectId = "m.okafor".parse().unwrap();
    let issued = RegisterEvent::CodesIssued { subject: subject.clone(), sha256: Digest::of(b"codes") };
    govern(&store, issued, |c| c.codes = vec![CodeChange::Replace { subject, hashes: vec!["hash".to_owned()] }]).await;
    store
}

/// What is done to the file, and the name under which it is found.
const TAMPERING: [(&str, &str); 11] = [
    ("DELETE FROM texts WHERE id = 't-1'", "text t-1 of CS-26-000001: is not there"),
    ("UPDATE texts SET sealed = (SELECT o.sealed FROM texts o WHERE o.id <> texts.id)", "text t-1 of CS-26-000001: is not what the log says"),
    ("UPDATE case_keys SET wrapped = zeroblob(length(wrapped))", "text t-2 of CS-26-000001:"),
    ("DELETE FROM saved_codes", "saved codes of m.okafor:"),
    ("DROP TRIGGER approvals_separate", "trigger approvals_separate: is not there"),
    (
        "DROP TRIGGER entries_kept; CREATE TRIGGER entries_kept BEFORE UPDATE ON entries BEGIN SELECT 1; END",
        "trigger entries_kept: is not as this program makes it",
    ),
    ("DROP TABLE kept_answers; CREATE TABLE kept_answers (principal)", "table kept_answers:"),
    ("CREATE TRIGGER back_door AFTER INSERT ON outbox BEGIN DELETE FROM outbox; END", "trigger back_door: is none of this program's"),
    ("UPDATE subjects SET words = 'zzz' WHERE id = 'm.okafor'", "subject m.okafor: is found by other words"),
    ("UPDATE subjects SET skeleton = '' WHERE id = 'm.okafor'", "subject m.okafor: is found by other words"),
    ("DROP INDEX entries_of_case", "index entries_of_case: is not there"),
];

#[tokio::test]
async fn invariant_09_what_lies_beside_the_log_is_compared_with_it_and_the_databases_own_rules_with_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    drop(filled(&path).await);
    let look = |file: &Path| verify_file(file, Some(&world::master()), &|_, _| {}).unwrap();
    assert_eq!(look(&path), Vec::<String>::new());
    for (sql, name) in TAMPERING {
        std::fs::copy(&path, &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
        let found = look(&copy);
        assert!(found.iter().any(|f| f.starts_with(name)), "{sql}: {found:?}");
    }
    let without_key = verify_file(&path, None, &|_, _| {}).unwrap();
    assert_eq!(without_key, Vec::<String>::new(), "without the key only places are compared");
}

#[tokio::test]
async fn a_restore_knows_what_it_replaces_and_keeps_it_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    let store = filled(&path).await;
    let id = TokenId::parse("tok-1").unwrap();
    let token = Token {
        id: id.clone(),
        holder: Holder::Operator("nadia".parse().unwrap()),
        on_behalf_of: Vec::new(),
        secret_sha256: Digest::of(b"secret"),
        issued_at: at(START),
        expires_at: at(START + 3_600_000),
        revoked_at: None,
    };
    govern(&store, RegisterEvent::Changed { change: RegisterChange::IssueToken(token) }, |_| ()).await;
    store.backup(&copy).await.unwrap();
    govern(&store, RegisterEvent::Changed { change: RegisterChange::RevokeToken { token: id.clone(), at: at(START) } }, |_| ()).await;
    let subject = "m.okafor".parse().unwrap();
    let disabled = RegisterEvent::Changed { change: RegisterChange::DisableOperator("vera".parse().unwrap()) };
    govern(&store, disabled, |c| c.codes = vec![CodeChange::Use { subject, hash: "hash".to_owned() }]).await;
    let hold = Hold { source: HoldSource::Security, reason: None, since: at(START), escalated_at: None };
    world::act(&store, the_case(), operator("vera"), vec![CaseEvent::Held { hold }], 0, at(START)).await.unwrap();
    drop(store);
    let prepare = |replace| Restoring::prepare(&copy, &path, replace, Some(&world::master()), &|_, _| {});
    assert!(matches!(prepare(false), Err(RestoreError::Exists(_))));
    let bytes = std::fs::read(&path).unwrap();
    {
        let restoring = prepare(true).unwrap();
        let There::Same(lost) = &restoring.there else { panic!("{:?}", restoring.there) };
        assert_eq!((lost.entries, lost.opened, lost.denials, lost.codes, lost.policy), (3, 0, 0, 1, false));
        let moved: Vec<_> = lost.moved.iter().map(|m| (m.case, m.there.hands.is_empty())).collect();
        assert_eq!(moved, [(the_case(), false)], "with whoever had a hand in it");
        assert!(lost.was.tokens[&id].revoked_at.is_some() && !lost.was.operators[&"vera".parse().unwrap()].enabled);
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "given up, nothing has changed");
    assert!(!folder.path().join("db.restoring").exists());
    let aside = prepare(true).unwrap().put(at(START)).unwrap().unwrap();
    assert_eq!(std::fs::read(&aside).unwrap(), bytes);
    assert!(aside.to_string_lossy().contains("db.replaced-"));
    assert_eq!(verify_file(&path, Some(&world::master()), &|_, _| {}).unwrap(), Vec::<String>::new());
    let used = |file: &Path| Connection::open(file).unwrap().query_row("SELECT used FROM saved_codes", [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!((used(&copy), used(&path)), (0, 1), "a code that was used since stays used; the backup is as it was");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 999).unwrap();
    drop(newer);
    assert!(matches!(&prepare(true).unwrap().there, There::Newer(why) if why.contains("schema 999")));
    std::fs::write(&path, b"torn, and no database at all").unwrap();
    let torn = prepare(true).unwrap();
    assert!(matches!(torn.there, There::Unreadable(_)), "{:?}", torn.there);
    let other = torn.put(at(START)).unwrap().unwrap();
    assert_ne!(other, aside, "nothing kept aside is overwritten");
}

#[tokio::test]
async fn a_number_under_which_the_replaced_database_had_a_case_is_not_given_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    let store = filled(&path).await;
    store.backup(&copy).await.unwrap();
    world::sealed_case(&store, CaseId::new(2026, 2), BTreeSet::new()).await;
    drop(store);
    let put = || Restoring::prepare(&copy, &path, true, Some(&world::master()), &|_, _| {}).unwrap().put(at(START)).unwrap();
    put();
    let open = || world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    assert_eq!(open().next_case(at(START)).await.unwrap(), CaseId::new(2026, 3), "targets and mail know the second one");
    put();
    assert_eq!(open().next_case(at(START)).await.unwrap(), CaseId::new(2026, 3), "nor after the same restore again");
    assert_eq!(verify_file(&path, Some(&world::master()), &|_, _| {}).unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_with_a_write_ahead_log_beside_it_is_restored_with_what_lies_there() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy, to) = (folder.path().join("db"), folder.path().join("copy"), folder.path().join("to"));
    let store = filled(&path).await;
    let head = store.head().await.unwrap().0;
    // As a crash, or a copy by hand, leaves it.
    for suffix in ["", "-wal"] {
        std::fs::copy(folder.path().join(format!("db{suffix}")), folder.path().join(format!("copy{suffix}"))).unwrap();
    }
    drop(store);
    assert!(std::fs::metadata(folder.path().join("copy-wal")).unwrap().len() > 0);
    assert_eq!(restore(&copy, &to, false, at(START), &|_, _| {}).unwrap(), head);
    assert_eq!(verify_file(&to, Some(&world::master()), &|_, _| {}).unwrap(), Vec::<String>::new());
}

/// As the version before the list of grants left it: without what later ones made, and with what they derive otherwise.
const OLDER: &str =
    "DROP TABLE grants; DROP TABLE went; DROP INDEX lineage_of_subjects; DROP INDEX people_by_mailbox; ALTER TABLE people DROP COLUMN mailbox; DROP INDEX outbox_lanes; ALTER TABLE outbox DROP COLUMN lane; ALTER TABLE outbox DROP COLUMN became; ALTER TABLE people DROP COLUMN since; ALTER TABLE subjects DROP COLUMN since; ALTER TABLE saved_codes DROP COLUMN since; ALTER TABLE cases DROP COLUMN flag_kinds; DROP TABLE subject_handles; DROP INDEX cases_ended; DROP INDEX cases_ended_due; DROP TABLE in_force; PRAGMA user_version = 2;
    UPDATE cases SET next_due = NULL, k_due = 1000, k_risk = k_risk - 1;
    UPDATE cases SET words = words || ' ' || char(57728) WHERE ended = 0;
    UPDATE subjects SET skeleton = '';";

#[tokio::test]
async fn a_backup_of_an_older_version_is_brought_up_to_date_verified_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy, to) = (folder.path().join("db"), folder.path().join("copy"), folder.path().join("to"));
    let store = filled(&path).await;
    let hold = Hold { source: HoldSource::Security, reason: None, since: at(START), escalated_at: None };
    world::act(&store, the_case(), operator("vera"), vec![CaseEvent::Held { hold }], 0, at(START)).await.unwrap();
    let head = store.head().await.unwrap();
    store.backup(&copy).await.unwrap();
    drop(store);
    Connection::open(&copy).unwrap().execute_batch(OLDER).unwrap();
    let bytes = std::fs::read(&copy).unwrap();
    let said = older_file(&copy).unwrap().unwrap();
    assert!(said.contains("schema 2"), "{said}");
    assert!(verify_file(&copy, None, &|_, _| {}).unwrap_err().to_string().contains("schema 2"));
    assert_eq!(restore(&copy, &to, false, at(START), &|_, _| {}).unwrap(), head.0);
    assert_eq!(std::fs::read(&copy).unwrap(), bytes, "the backup itself stays as it is");
    assert_eq!(older_file(&to).unwrap(), None);
    assert_eq!(verify_file(&to, Some(&world::master()), &|_, _| {}).unwrap(), Vec::<String>::new());
    let store = world::open(&to, &TestClock::new(), &SqliteOptions::default()).unwrap();
    assert_eq!(store.head().await.unwrap(), head);
}

#[tokio::test]
async fn names_in_any_script_lead_to_their_subject_after_an_upgrade_and_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    drop(filled(&path).await);
    let names = || -> Vec<String> {
        let conn = Connection::open(&path).unwrap();
        let mut all = conn.prepare("SELECT handle FROM subject_handles ORDER BY handle").unwrap();
        all.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let before = names();
    assert!(!before.is_empty());
    Connection::open(&path).unwrap().execute_batch("UPDATE subject_handles SET handle = 'Á' || handle").unwrap();
    let found = verify_file(&path, None, &|_, _| {}).unwrap();
    assert!(found.iter().any(|f| f.contains("is not found by a name")), "{found:?}");
    Connection::open(&path).unwrap().execute_batch("DROP TABLE went; DROP INDEX lineage_of_subjects; DROP INDEX people_by_mailbox; ALTER TABLE people DROP COLUMN mailbox; DROP INDEX outbox_lanes; ALTER TABLE outbox DROP COLUMN lane; ALTER TABLE outbox DROP COLUMN became; ALTER TABLE people DROP COLUMN since; ALTER TABLE subjects DROP COLUMN since; ALTER TABLE saved_codes DROP COLUMN since; ALTER TABLE cases DROP COLUMN flag_kinds; DROP TABLE in_force; PRAGMA user_version = 6").unwrap();
    drop(world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap());
    assert_eq!(names(), before);
    Connection::open(&path).unwrap().execute_batch("INSERT INTO subject_handles VALUES ('the chair', 'm.okafor')").unwrap();
    let found = verify_file(&path, None, &|_, _| {}).unwrap();
    assert!(found.iter().any(|f| f.starts_with("subjects' names: ")), "{found:?}");
}

#[tokio::test]
async fn what_is_too_young_to_prove_anything_is_counted_until_it_is_old_enough() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = filled(&path).await;
    let mailbox = countersign::store::PersonDetails {
        id: world::person("p-nadia"),
        name: "nadia".into(),
        email: Some("nadia@corp.example".into()),
        since: None,
    };
    let mut c = world::change(at(START), operator("nadia"));
    c.people = vec![mailbox];
    store.commit(c).await.unwrap();
    drop(store);
    let (old_enough, day) = (at(START) + chrono::Duration::days(7), chrono::Duration::days(1));
    let one = Young { count: 1, until: Some(old_enough), undated: 0 };
    assert_eq!(too_young(&path, at(START) + day).unwrap(), [one, Young::default(), one]);
    assert_eq!(too_young(&path, old_enough + day).unwrap(), [Young::default(); 3]);
    // Since when it is recorded nobody knows: no day comes on which it is old enough.
    Connection::open(&path).unwrap().execute_batch("UPDATE people SET since = NULL").unwrap();
    let never = Young { count: 1, until: None, undated: 1 };
    assert_eq!(too_young(&path, old_enough + day).unwrap(), [never, Young::default(), Young::default()]);
}

/// What is missed in the outbox.
async fn orders(store: &SqliteStore) -> Vec<String> {
    let found = store.verify(&|_, _| {}).await.unwrap();
    found.into_iter().filter(|f| f.starts_with("outbox")).collect()
}

#[tokio::test]
async fn an_order_to_carry_out_that_was_deleted_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = filled(&path).await;
    let (id, now) = (the_case(), at(START));
    let approval = world::approval("a-1", world::seal_digest(id, 1), "ruiz", now);
    let not_before = now + chrono::Duration::hours(1);
    let before = store.case(id).await.unwrap().unwrap();
    let events = vec![
        CaseEvent::Decided { approval },
        CaseEvent::StateChanged { to: countersign::domain::vocabulary::CaseState::Approved, due: None, used: None },
        CaseEvent::ExecutionScheduled { not_before, again: None },
    ];
    let mut change = world::change(now, operator("ruiz"));
    change.reads.cases = vec![(id, before.version)];
    let moved = world::case_change(Some(&before), id, events, 0, now);
    change.effects = moved.events.iter().flat_map(|e| countersign::domain::effect::effects(&moved.after, e, now)).collect();
    change.case = Some(moved);
    store.commit(change).await.unwrap();
    assert_eq!(orders(&store).await, Vec::<String>::new());
    Connection::open(&path).unwrap().execute_batch("DELETE FROM outbox WHERE effect LIKE '%execute%'").unwrap();
    let said = format!("outbox: nothing waits to carry {id} out, which is approved");
    assert_eq!(orders(&store).await, [said]);
    // Of a held case nothing is carried out; lifting the hold orders it anew.
    let hold = Hold { source: HoldSource::Security, reason: None, since: now, escalated_at: None };
    world::act(&store, id, operator("vera"), vec![CaseEvent::Held { hold }], 0, now).await.unwrap();
    assert_eq!(orders(&store).await, Vec::<String>::new());
}
