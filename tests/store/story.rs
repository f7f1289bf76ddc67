//! One story, told by the trait alone, so that every engine can be asked to tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign::base::ids::{CaseId, TextId};
use countersign::base::{Digest, Untrusted};
use countersign::domain::case::{ActorRef, Execution, TextRef, VoidReason, Worker};
use countersign::domain::effect::{Due, Effect, Lane};
use countersign::domain::event::CaseEvent;
use countersign::domain::message::{Became, Untold};
use countersign::domain::view::{From, QueueFilter, QueueQuery, Sort};
use countersign::domain::vocabulary::{Action, CaseState, Channel, Duty, Path, Risk, SubjectKind, Tier};
use countersign::store::sqlite::SqliteOptions;
use countersign::store::{CodeChange, CommitError, KeptAnswer, NewText, Store};

use crate::world::{self, START, TestClock, act, at, operator, person};

#[tokio::test]
async fn sqlite_tells_the_story() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = world::open(&folder.path().join("db"), &clock, &SqliteOptions::default()).unwrap();
    empty(&store).await;
    let id = approved_case(&store).await;
    beside(&store, id).await;
    moved(&store, id).await;
    queue(&store).await;
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

async fn empty(store: &dyn Store) {
    assert_eq!(store.head().await.unwrap(), (0, Digest::of(b"")));
    store.commit(world::founding(at(START))).await.unwrap();
    assert_eq!(store.register().await.unwrap().version, store.head().await.unwrap().0);
    assert_eq!(store.policy(&world::policy()).await.unwrap().as_deref(), Some(world::POLICY));
    assert!(store.case(CaseId::new(2026, 1)).await.unwrap().is_none());
    let found = store.find_subjects("mara OKA", 5).await.unwrap();
    assert_eq!(found.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["m.okafor"]);
    let record = store.subject(&"payments-batch".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((record.version, record.linked), (1, 0));
}

/// Opened by Nadia, sealed, approved by Ruiz, carried out.
async fn approved_case(store: &dyn Store) -> CaseId {
    let mut heard = store.announcements();
    let id = store.next_case(at(START)).await.unwrap();
    assert_eq!(id, CaseId::new(2026, 1));
    world::sealed_case(store, id, BTreeSet::new()).await;
    assert_eq!(heard.recv().await.unwrap().row.as_ref().map(|r| r.id), Some(id));
    assert_eq!(store.counts(Some(&person("p-ruiz"))).await.unwrap().approvals, 1);
    assert_eq!(store.counts(Some(&person("p-nadia"))).await.unwrap().approvals, 0, "Nadia routed it");
    assert_eq!(store.counts(Some(&person("p-lind"))).await.unwrap().approvals, 0, "Lind owns the subject");
    assert_eq!(store.undecided(None, 9).await.unwrap(), [id]);
    let approval = world::approval("a-1", world::seal_digest(id, 1), "ruiz", at(START));
    let state = CaseEvent::StateChanged { to: CaseState::Approved, due: None, used: None };
    act(store, id, operator("ruiz"), vec![CaseEvent::Decided { approval }, state], 0, at(START)).await.unwrap();
    assert_eq!(store.counts(Some(&person("p-ruiz"))).await.unwrap().approvals, 0);
    let execution = Execution {
        attempt: 1,
        seal: world::seal_digest(id, 1),
        started_at: at(START),
        outcome: None,
        ended_at: None,
        before: std::collections::BTreeMap::new(),
    };
    act(store, id, ActorRef::System { worker: Worker::Executor }, vec![CaseEvent::ExecutionStarted { execution }], 0, at(START)).await.unwrap();
    let entries = store.case_entries(id, 0, 100).await.unwrap();
    assert_eq!(entries.len() as u64, store.case(id).await.unwrap().unwrap().version);
    assert_eq!(store.case_entries(id, 3, 2).await.unwrap(), entries[3..5]);
    id
}

/// Texts, effects, answers, codes.
async fn beside(store: &dyn Store, id: CaseId) {
    let text = TextId::parse("t-1").unwrap();
    let before = store.case(id).await.unwrap();
    let said = TextRef { id: text.clone(), sha256: Digest::of(&[[1; 16].as_slice(), b"lost the key"].concat()) };
    let mut c = world::change(at(START), operator("nadia"));
    c.case = Some(world::case_change(before.as_ref(), id, vec![CaseEvent::Commented { text: said }], 0, at(START)));
    c.texts = vec![NewText { case: id, id: text.clone(), salt: [1; 16], text: Untrusted::from("lost the key") }];
    // The case's first text but one came with its approval; a case that has a key has all its texts.
    c.texts.push(NewText { case: id, id: TextId::parse("reason").unwrap(), salt: [0; 16], text: "reason".into() });
    c.effects = vec![Due { effect: Effect::NotifyApprovers { case: id, reminder: false }, not_before: at(START + 1_000) }];
    c.idempotency = Some(KeptAnswer { principal: "nadia".into(), key: "k".into(), request_sha256: Digest::of(b"r"), status: 201, body: "{}".into() });
    let code = |hash: &str| CodeChange::Use { subject: "m.okafor".parse().unwrap(), hash: hash.into() };
    c.codes = vec![CodeChange::Replace { subject: "m.okafor".parse().unwrap(), hashes: vec!["h1".into(), "h2".into()] }, code("h1")];
    store.commit(c.clone()).await.unwrap();
    assert_eq!(store.texts(id, std::slice::from_ref(&text)).await.unwrap()[&text].text, Untrusted::from("lost the key"));
    assert_eq!(store.saved_codes(&"m.okafor".parse().unwrap()).await.unwrap(), ["h2"]);
    assert_eq!(store.kept_answer("nadia", "k").await.unwrap(), c.idempotency);
    assert_eq!(store.kept_answer("ruiz", "k").await.unwrap(), None);
    let mut again = world::change(at(START), operator("nadia"));
    again.codes = vec![code("h1")];
    assert!(matches!(store.commit(again).await, Err(CommitError::Conflict)), "a code is good once");
    assert!(store.claim(Lane::Word, at(START), 9, 60).await.unwrap().is_empty(), "not due yet");
    let taken = store.claim(Lane::Word, at(START + 1_000), 9, 60).await.unwrap();
    assert_eq!((taken.len(), taken[0].tries), (1, 0));
    assert!(store.claim(Lane::Word, at(START + 2_000), 9, 60).await.unwrap().is_empty(), "taken by someone");
    let taken = store.claim(Lane::Word, at(START + 61_001), 9, 60).await.unwrap();
    assert_eq!(taken[0].tries, 1, "whoever took it died");
    store.postpone(taken[0].id, at(START + 200_000)).await.unwrap();
    assert!(store.claim(Lane::Word, at(START + 199_999), 9, 60).await.unwrap().is_empty());
    let became = BTreeMap::from([("e1 0".to_owned(), Became::Told), ("e2 0".to_owned(), Became::Untold(Untold::Refused))]);
    store.postpone_rest(taken[0].id, at(START + 300_000), became.clone()).await.unwrap();
    assert!(store.claim(Lane::Word, at(START + 299_999), 9, 60).await.unwrap().is_empty());
    for other in Lane::ALL.into_iter().filter(|l| *l != Lane::Word) {
        assert!(store.claim(other, at(START + 300_000), 9, 60).await.unwrap().is_empty(), "{other:?}");
    }
    assert_eq!(store.claim(Lane::Word, at(START + 300_000), 9, 60).await.unwrap()[0].became, became);
    let mut done = world::change(at(START), operator("nadia"));
    done.finishes = Some(taken[0].id);
    store.commit(done.clone()).await.unwrap();
    assert!(matches!(store.commit(done).await, Err(CommitError::Conflict)), "finished by someone else");
}

/// What was read has moved (invariant 18).
async fn moved(store: &dyn Store, id: CaseId) {
    let version = store.case(id).await.unwrap().unwrap().version;
    let head = store.head().await.unwrap();
    let mut changes = vec![world::change(at(START), operator("nadia")); 4];
    changes[0].reads.cases = vec![(id, version - 1)];
    changes[1].reads.register = Some(7);
    changes[2].reads.subject = Some(("m.okafor".parse().unwrap(), 2));
    changes[3].reads.linked_for = Some(("payments-batch".parse().unwrap(), 0));
    for mut change in changes {
        change.effects = vec![Due { effect: Effect::NotifyApprovers { case: id, reminder: true }, not_before: at(START) }];
        assert!(matches!(store.commit(change).await, Err(CommitError::Conflict)));
    }
    assert_eq!(store.head().await.unwrap(), head);
    assert!(store.claim(Lane::Word, at(START), 9, 1).await.unwrap().is_empty(), "a refused change leaves no effect behind");
    let voided = CaseEvent::ApprovalsVoided { approvals: BTreeSet::from(["a-1".parse().unwrap()]), why: VoidReason::TakenBack };
    act(store, id, operator("ruiz"), vec![voided], 0, at(START)).await.unwrap();
}

/// Whatever index leads, in whatever order: each case is found under one action, path, channel, kind, tier, risk and state.
async fn every_case_is_of_one_kind(store: &dyn Store) {
    fn each<T: Copy + Ord + 'static>(all: &'static [T], set: fn(&mut QueueFilter, BTreeSet<T>)) -> Vec<QueueFilter> {
        let one = |word: &T| {
            let mut filter = QueueFilter { ended: Some(false), ..QueueFilter::default() };
            set(&mut filter, BTreeSet::from([*word]));
            filter
        };
        all.iter().map(one).collect()
    }
    let fields = [
        each(Action::ALL, |f, w| f.actions = w),
        each(Path::ALL, |f, w| f.paths = w),
        each(Channel::ALL, |f, w| f.channels = w),
        each(SubjectKind::ALL, |f, w| f.kinds = w),
        each(Tier::ALL, |f, w| f.tiers = w),
        each(Risk::ALL, |f, w| f.risks = w),
        each(CaseState::ALL, |f, w| f.states = w),
    ];
    for (i, filters) in fields.into_iter().enumerate() {
        for sort in [Sort::Due, Sort::Updated] {
            let mut found = BTreeSet::new();
            for filter in &filters {
                let page = store.queue(&QueueQuery { filter: filter.clone(), sort, limit: 200, ..QueueQuery::default() }).await.unwrap();
                found.extend(page.rows.iter().map(|r| r.id));
            }
            assert_eq!(found.len(), 51, "field {i}, {sort:?}");
        }
    }
}

/// Pages are the same from both ends and in every order; filters and words find what they say.
async fn queue(store: &dyn Store) {
    let mut changes = Vec::new();
    for n in 10..60_u32 {
        let (id, now) = (CaseId::new(2026, n), at(START + i64::from(n % 7)));
        let subject = if n % 2 == 0 { "m.okafor" } else { "payments-batch" };
        let mut c = world::change(now, operator("vera"));
        let events = vec![world::opened(subject, &operator("vera"), now, BTreeSet::new()), world::lineage("p-vera", Duty::Router, now)];
        c.case = Some(world::case_change(None, id, events, 0, now));
        changes.push(c);
    }
    store.commit_all(changes).await.unwrap();
    for sort in [Sort::Due, Sort::Risk, Sort::Opened, Sort::Updated] {
        let (mut down, mut up) = (Vec::new(), Vec::new());
        let mut query = QueueQuery { sort, limit: 7, ..QueueQuery::default() };
        loop {
            let page = store.queue(&query).await.unwrap();
            down.extend(page.rows.iter().map(|r| r.id));
            let Some(after) = page.after else { break };
            query.from = Some(From::After(after));
        }
        query.from = Some(From::End);
        loop {
            let page = store.queue(&query).await.unwrap();
            up.splice(0..0, page.rows.iter().map(|r| r.id));
            let Some(before) = page.before else { break };
            query.from = Some(From::Before(before));
        }
        assert_eq!((down.len(), &down), (51, &up), "{sort:?}");
    }
    let count = async |filter: QueueFilter| store.queue(&QueueQuery { filter, limit: 200, ..QueueQuery::default() }).await.unwrap().rows.len();
    let text = |t: &str| QueueFilter { text: Some(t.into()), ..QueueFilter::default() };
    assert_eq!(count(text("okaf")).await, 25);
    assert_eq!(count(text("Mara vault")).await, 25);
    assert_eq!(count(text("cs-26-000042")).await, 1);
    assert_eq!(count(text("\"* OR x:")).await, 0);
    assert_eq!(count(QueueFilter { subject: Some("pay*".into()), ..QueueFilter::default() }).await, 26);
    assert_eq!(count(QueueFilter { states: BTreeSet::from([CaseState::Approved]), ..QueueFilter::default() }).await, 1);
    assert_eq!(count(QueueFilter { ended: Some(true), ..QueueFilter::default() }).await, 0);
    every_case_is_of_one_kind(store).await;
    // Words beyond the letters whose beginnings the index keeps, a single letter, and words with a field.
    assert_eq!(count(text("okaforx")).await, 0);
    assert_eq!(count(text("payments")).await, 26);
    assert_eq!(count(text("o")).await, 25);
    let risks = BTreeSet::from([Risk::Low, Risk::Medium, Risk::High]);
    assert_eq!(count(QueueFilter { risks, ended: Some(false), ..text("okafor") }).await, 25);
    let subject = ("m.okafor".parse().unwrap(), "vault".parse().unwrap());
    assert_eq!(store.linked(&subject.0, &subject.1, at(START), Some(CaseId::new(2026, 10))).await.unwrap().len(), 24);
    assert_eq!(store.counts(None).await.unwrap().open, 51);
    let due = store.due(at(START + 4 * 3_600_000 + 10), 200).await.unwrap();
    assert!(due.len() >= 50, "{} are due", due.len());
    let cases: Vec<Arc<_>> = store.linked(&subject.0, &subject.1, at(START), None).await.unwrap();
    assert!(cases.iter().all(|c| c.version == 2));
}
