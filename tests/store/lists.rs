//! Lists with open and ended cases: whatever leads the way, in whatever order and direction, the answer is what comparing every row gives.

use std::collections::BTreeSet;

use countersign::base::ids::CaseId;
use countersign::domain::event::CaseEvent;
use countersign::domain::view::{CaseRow, From, QueueFilter, QueueQuery, Sort};
use countersign::domain::vocabulary::{CaseState, Duty, Risk};
use countersign::store::Store;
use countersign::store::sqlite::SqliteOptions;
use rusqlite::Connection;

use crate::world::{self, START, TestClock, at, operator};

const CASES: u32 = 90;
/// The states that cases are in, in turn.
const STATES: [CaseState; 6] = [CaseState::New, CaseState::Closed, CaseState::Withdrawn, CaseState::Proofing, CaseState::Expired, CaseState::Denied];

async fn fill(store: &dyn Store) {
    let mut changes = vec![world::founding(at(START))];
    for n in 1..=CASES {
        // Numbers, times of opening and due times go different ways.
        let (id, now) = (CaseId::new(2026, n), at(START + i64::from(n * 37 % 11)));
        let subject = if n % 3 == 0 { "m.okafor" } else { "payments-batch" };
        let mut c = world::change(now, operator("vera"));
        let to = STATES[n as usize % STATES.len()];
        let mut events = vec![world::opened(subject, &operator("vera"), now, BTreeSet::new()), world::lineage("p-vera", Duty::Router, now)];
        // Some open cases are not due, and some that ended are.
        let due = (n % 4 > 0).then(|| now + chrono::Duration::minutes(i64::from(n * 53 % 29)));
        events.push(CaseEvent::StateChanged { to, due, used: None });
        c.case = Some(world::case_change(None, id, events, 0, now));
        changes.push(c);
    }
    for change in changes {
        store.commit(change).await.unwrap();
    }
}

fn key(sort: Sort, row: &CaseRow) -> (u8, i64, CaseId) {
    let due = row.due.map_or(i64::MAX, |d| d.timestamp_millis());
    let risk = match row.risk {
        Risk::High => 0,
        Risk::Medium => 1,
        Risk::Low => 2,
    };
    match sort {
        Sort::Due => (0, due, row.id),
        Sort::Risk => (risk, due, row.id),
        Sort::Opened => (0, -row.opened_at.timestamp_millis(), row.id),
        Sort::Updated => (0, -row.updated_at.timestamp_millis(), row.id),
    }
}

async fn walked(store: &dyn Store, filter: &QueueFilter, sort: Sort, limit: u16, down: bool) -> Vec<CaseId> {
    let from = (!down).then_some(From::End);
    let mut query = QueueQuery { filter: filter.clone(), sort, from, limit };
    let mut found = Vec::new();
    loop {
        let page = store.queue(&query).await.unwrap();
        let ids = page.rows.iter().map(|r| r.id);
        if down {
            found.extend(ids);
        } else {
            found.splice(0..0, ids);
        }
        query.from = match (down, page.after, page.before) {
            (true, Some(after), _) => Some(From::After(after)),
            (false, _, Some(before)) => Some(From::Before(before)),
            _ => return found,
        };
    }
}

#[tokio::test]
async fn open_and_ended_cases_come_in_one_order_from_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = world::open(&folder.path().join("db"), &TestClock::new(), &SqliteOptions::default()).unwrap();
    fill(&store).await;
    let all = store.queue(&QueueQuery { sort: Sort::Updated, limit: 200, ..QueueQuery::default() }).await.unwrap().rows;
    assert_eq!(all.len(), CASES as usize);
    let texts = [None, Some("okaf"), Some("o"), Some("payments"), Some("vault"), Some("vault m okafor"), Some("nobody")];
    for (text, ended, risk, sort) in texts.into_iter().flat_map(|text| {
        let ended = [None, Some(false), Some(true)].into_iter().flat_map(move |e| [(e, false), (e, true)]);
        ended.flat_map(move |(e, r)| [Sort::Due, Sort::Risk, Sort::Opened, Sort::Updated].map(|s| (text, e, r, s)))
    }) {
        let risks = if risk { BTreeSet::from([all[0].risk]) } else { BTreeSet::new() };
        let filter = QueueFilter { text: text.map(str::to_owned), ended, risks, ..QueueFilter::default() };
        let holds = |row: &&CaseRow| {
            let words =
                format!(" {} {} vault", row.subject_name.raw().to_lowercase().replace('á', "a"), row.subject.as_str().replace(['.', '-'], " "));
            let found = text.is_none_or(|t| t.split(' ').all(|w| words.contains(&format!(" {w}"))));
            found && ended.is_none_or(|e| e == row.state.is_ended()) && (!risk || row.risk == all[0].risk)
        };
        let mut expected: Vec<&CaseRow> = all.iter().filter(holds).collect();
        expected.sort_by_key(|row| key(sort, row));
        let expected: Vec<CaseId> = expected.iter().map(|r| r.id).collect();
        for (limit, down) in [(7, true), (7, false), (200, true), (200, false)] {
            assert_eq!(walked(&store, &filter, sort, limit, down).await, expected, "{text:?} ended {ended:?} risk {risk} {sort:?} {limit} {down}");
        }
    }
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

/// What the schema before kept otherwise, as it kept it.
const BEFORE: &str = "
    UPDATE cases SET words = words || ' ' || char(57728) WHERE ended = 0;
    INSERT INTO case_words (case_words) VALUES ('delete-all');
    INSERT INTO case_words (rowid, words) SELECT id, words FROM cases;
    DROP INDEX cases_ended;
    DROP INDEX cases_ended_due;
    DROP TABLE went; DROP INDEX lineage_of_subjects; DROP INDEX people_by_mailbox; ALTER TABLE people DROP COLUMN mailbox; DROP INDEX outbox_lanes; ALTER TABLE outbox DROP COLUMN lane; ALTER TABLE outbox DROP COLUMN became; ALTER TABLE cases DROP COLUMN flag_kinds; ALTER TABLE people DROP COLUMN since; ALTER TABLE subjects DROP COLUMN since; ALTER TABLE saved_codes DROP COLUMN since;
    DROP TABLE in_force; PRAGMA user_version = 4;";

#[tokio::test]
async fn a_database_of_the_schema_before_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let (path, options) = (folder.path().join("db"), SqliteOptions::default());
    let text = |t: &str| QueueFilter { text: Some(t.into()), ended: Some(false), ..QueueFilter::default() };
    let store = world::open(&path, &TestClock::new(), &options).unwrap();
    fill(&store).await;
    let (all, okafor) = (walked(&store, &QueueFilter::default(), Sort::Due, 9, true).await, walked(&store, &text("okaf"), Sort::Due, 9, true).await);
    drop(store);
    Connection::open(&path).unwrap().execute_batch(BEFORE).unwrap();
    let store = world::open(&path, &TestClock::new(), &options).unwrap();
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    assert_eq!(walked(&store, &QueueFilter::default(), Sort::Due, 9, true).await, all);
    assert_eq!(walked(&store, &text("okaf"), Sort::Due, 9, true).await, okafor);
    assert!(!okafor.is_empty());
    // What is indexed can be taken out again when a case ends.
    let ended = vec![CaseEvent::StateChanged { to: CaseState::Closed, due: None, used: None }];
    world::act(&store, okafor[0], operator("vera"), ended, 0, at(START)).await.unwrap();
    assert_eq!(walked(&store, &text("okaf"), Sort::Due, 9, true).await, okafor[1..]);
}

/// What was given back must be found however much was opened since, or a second recovery is held no more (invariant 13).
#[tokio::test]
async fn what_was_given_back_and_what_is_open_is_found_behind_any_number_of_other_cases() {
    let folder = tempfile::tempdir().unwrap();
    let store = world::open(&folder.path().join("db"), &TestClock::new(), &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    let case = async |n: u32, to: CaseState| {
        let (id, now) = (CaseId::new(2026, n), at(START + i64::from(n)));
        let mut c = world::change(now, operator("vera"));
        let events = vec![
            world::opened("m.okafor", &operator("vera"), now, BTreeSet::new()),
            world::lineage("p-vera", Duty::Router, now),
            CaseEvent::StateChanged { to, due: None, used: None },
        ];
        c.case = Some(world::case_change(None, id, events, 0, now));
        store.commit(c).await.unwrap();
        id
    };
    let (restored, open) = (case(1, CaseState::Restored).await, case(2, CaseState::Proofing).await);
    for n in 3..=70 {
        case(n, CaseState::Withdrawn).await;
    }
    let found = store.lately(&"m.okafor".parse().unwrap(), None, at(START - 1_000)).await.unwrap();
    let ids: BTreeSet<CaseId> = found.iter().map(|c| c.id).collect();
    assert!(ids.contains(&restored) && ids.contains(&open), "{ids:?}");
    assert!(found.len() <= 150, "and no more than is bounded");
}
