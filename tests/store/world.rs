//! A small organisation and changes made by hand, as if the rules had allowed them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use countersign::base::ids::{ApprovalId, CaseId, OperatorId, PersonId, SubjectId, TargetId};
use countersign::base::ports::{Ports, SystemRandom};
use countersign::base::{Digest, Time, Untrusted};
use countersign::domain::case::{
    ActorRef, Approval, Case, Hand, LineageEntry, Plan, Request, Requester, Route, Seal, Signature, TextRef, Worker, risk,
};
use countersign::domain::event::{CaseEvent, RegisterChange, RegisterEvent};
use countersign::domain::register::{Automation, Operator, Person, Principal, Register};
use countersign::domain::subject::{Ownership, Recorded, Subject};
use countersign::domain::view::CaseRow;
use countersign::domain::vocabulary::{
    Aal, Action, CaseState, Channel, Decision, Duty, Environment, Ial, InventorySource, Path as Way, Status, SubjectKind, Tier, WaitingOn,
};
use countersign::store::sqlite::{MasterKey, SqliteOptions, SqliteStore};
use countersign::store::{CaseChange, Change, CommitError, Committed, PersonDetails, Store, StoreError};

pub use crate::ports::{START, TestClock, at};

pub fn ports(clock: &Arc<TestClock>) -> Ports {
    Ports { clock: Arc::<TestClock>::clone(clock), random: Arc::new(SystemRandom) }
}

pub fn master() -> MasterKey {
    MasterKey::new([42; 32])
}

pub fn open(path: &Path, clock: &Arc<TestClock>, options: &SqliteOptions) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, options, ports(clock), &master())
}

pub fn person(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

/// Account `x` belongs to person `p-x`; `nadia2` is Nadia's second account.
pub fn operator(id: &str) -> ActorRef {
    let human = if id == "nadia2" { "nadia" } else { id };
    ActorRef::Operator { operator: OperatorId::parse(id).unwrap(), person: person(&format!("p-{human}")) }
}

/// The policy everything is judged by.
pub const POLICY: &str = countersign::domain::policy::DEFAULT;

pub fn policy() -> Digest {
    Digest::of(POLICY.as_bytes())
}

pub const HUMANS: [&str; 4] = ["nadia", "ruiz", "lind", "vera"];

/// What founds the register: four humans, an account each and a second one of Nadia's, and a bot of Vera's.
pub fn founding_events() -> Vec<RegisterEvent> {
    let mut changes = Vec::new();
    for human in HUMANS {
        let (id, employer) = (person(&format!("p-{human}")), "acme".parse().unwrap());
        let human = Person { id, employer, team: None, manager: None, shift: None, on_call: false, status: Status::Active };
        changes.push(RegisterChange::SetPerson(human));
    }
    for account in HUMANS.into_iter().chain(["nadia2"]) {
        let ActorRef::Operator { operator: id, person } = operator(account) else { unreachable!() };
        changes.push(RegisterChange::SetOperator(Operator { id, person, roles: BTreeSet::new(), groups: BTreeSet::new(), enabled: true }));
    }
    let owners = vec![Ownership { person: person("p-vera"), since: at(START - 1_000), until: None }];
    let bot = Automation { id: "bot".parse().unwrap(), owners, sponsors: Vec::new(), scopes: BTreeSet::new(), enabled: true };
    changes.push(RegisterChange::SetAutomation(bot));
    let founded = RegisterEvent::Founded { by: [person("p-nadia"), person("p-ruiz")], policy: policy() };
    std::iter::once(founded).chain(changes.into_iter().map(|change| RegisterEvent::Changed { change })).collect()
}

pub fn change(now: Time, actor: ActorRef) -> Change {
    Change::new(actor, now)
}

/// The founding: register and one subject, `payments-batch`, owned by Lind; and `m.okafor`, a human.
pub fn founding(now: Time) -> Change {
    let mut register = Register::default();
    let mut c = change(now, ActorRef::System { worker: Worker::Host });
    c.register_events = founding_events();
    c.register_events.iter().for_each(|event| register.apply(event, now));
    c.policy = Some((policy(), POLICY.into()));
    let owner = Ownership { person: person("p-lind"), since: at(START - 1_000), until: None };
    let subjects = [
        Subject { kind: SubjectKind::ServiceAccount, tier: Tier::Elevated, owners: vec![owner], ..subject("payments-batch", "Payments batch") },
        Subject { person: Some(person("p-okafor")), ..subject("m.okafor", "Mára Okafor") },
    ];
    c.subjects = subjects.into_iter().map(|subject| Recorded { subject, salt: [5; 16] }).collect();
    for r in &c.subjects {
        let event = RegisterEvent::SubjectRecorded { subject: r.subject.id.clone(), sha256: r.digest().unwrap() };
        register.apply(&event, now);
        c.register_events.push(event);
    }
    c.register = Some(Arc::new(register));
    c.people = HUMANS.map(|h| PersonDetails { id: person(&format!("p-{h}")), name: Untrusted::from(h), email: None, since: None }).to_vec();
    c
}

pub fn subject(id: &str, name: &str) -> Subject {
    Subject {
        id: SubjectId::parse(id).unwrap(),
        kind: SubjectKind::Employee,
        name: Untrusted::from(name),
        person: None,
        tier: Tier::Standard,
        ial: Ial::Ial1,
        aal: Aal::Aal1,
        status: Status::Active,
        employer: None,
        owners: Vec::new(),
        manager: None,
        manager_since: None,
        inventory: InventorySource::Hr,
        environment: Environment::Production,
        dependents: Vec::new(),
        entitlements: BTreeMap::new(),
        endpoints: Vec::new(),
        history: countersign::domain::history::History::default(),
    }
}

pub fn text(id: &str) -> TextRef {
    TextRef { id: id.parse().unwrap(), sha256: Digest::of(&[&[0; 16], id.as_bytes()].concat()) }
}

pub fn route(subject: &str) -> Route {
    Route {
        subject: SubjectId::parse(subject).unwrap(),
        action: Action::SecretRotation,
        path: Way::Assisted,
        target: TargetId::parse("vault").unwrap(),
        scope: BTreeSet::new(),
        picked_groups: BTreeSet::new(),
    }
}

pub fn opened(subject: &str, by: &ActorRef, now: Time, linked: BTreeSet<CaseId>) -> CaseEvent {
    CaseEvent::Opened {
        route: route(subject),
        request: Request {
            requester: Requester::Unknown,
            channel: Channel::Ticket,
            endpoint: None,
            session: None,
            opened_by: by.clone(),
            opened_at: now,
            summary: None,
        },
        policy: policy(),
        linked,
        due: Some(now + chrono::Duration::hours(4)),
        expires_at: now + chrono::Duration::days(7),
    }
}

pub fn lineage(of: &str, duty: Duty, now: Time) -> CaseEvent {
    let who = Principal::Person(person(of));
    CaseEvent::LineageGrew {
        hands: BTreeSet::from([Hand { who, duty, at: now }]),
        lineage: BTreeSet::from([LineageEntry { person: person(of), duty, via: None, case: None }]),
    }
}

pub fn seal_digest(case: CaseId, revision: u32) -> Digest {
    Digest::of(format!("{case} {revision}").as_bytes())
}

pub fn sealed(case: CaseId, revision: u32, by: &ActorRef, now: Time) -> CaseEvent {
    let d = Digest::of(b"part");
    CaseEvent::Sealed {
        plan: Plan {
            target: TargetId::parse("vault").unwrap(),
            action: Action::SecretRotation,
            scope: BTreeSet::new(),
            lifetime: None,
            revokes_old: true,
            rotates: BTreeSet::new(),
            reversible: false,
        },
        seal: Seal {
            sha256: seal_digest(case, revision),
            revision,
            plan_sha256: d,
            evidence_sha256: d,
            checklist_sha256: d,
            policy_sha256: d,
            lineage_sha256: d,
            requirement_sha256: d,
            in_force: d,
            by: by.clone(),
            at: now,
        },
    }
}

pub fn approval(id: &str, seal: Digest, account: &str, now: Time) -> Approval {
    let ActorRef::Operator { operator, person } = operator(account) else { unreachable!() };
    Approval {
        id: ApprovalId::parse(id).unwrap(),
        seal,
        person,
        operator,
        employer: "acme".parse().unwrap(),
        groups: BTreeSet::new(),
        decision: Decision::Approve,
        reason: text("reason"),
        at: now,
        valid_until: now + chrono::Duration::hours(24),
        signature: Signature::None,
        void: None,
    }
}

/// The case after events, and its row with that many approvals missing.
pub fn case_change(before: Option<&Arc<Case>>, id: CaseId, events: Vec<CaseEvent>, missing: u8, now: Time) -> CaseChange {
    let after = events.iter().fold(before.map(|c| Case::clone(c)), |case, event| Case::apply(case, id, event, now)).unwrap();
    let row = row(&after, missing);
    CaseChange { events, after: Arc::new(after), row }
}

pub fn row(case: &Case, missing: u8) -> CaseRow {
    CaseRow {
        id: case.id,
        version: case.changed,
        subject: case.route.subject.clone(),
        subject_name: Untrusted::from(if case.route.subject.as_str() == "m.okafor" { "Mára Okafor" } else { "Payments batch" }),
        kind: SubjectKind::ServiceAccount,
        tier: Tier::Elevated,
        action: case.route.action,
        path: case.route.path,
        channel: case.request.channel,
        state: case.state,
        held: case.hold.is_some(),
        risk: risk(Tier::Elevated, &case.flags),
        proof_done: 0,
        proof_needed: 2,
        waiting_on: if case.state == CaseState::Sealed { WaitingOn::Approval } else { WaitingOn::Agent },
        approvals_missing: missing,
        assignee: case.assignee.clone(),
        due: case.times.due,
        opened_at: case.request.opened_at,
        updated_at: case.times.updated_at,
        flags: u8::try_from(case.flags.len()).unwrap(),
        flag_kinds: case.flags.iter().map(|f| f.kind).collect(),
    }
}

/// Commits events on a case as somebody, as if `decide` had allowed them.
pub async fn act(store: &dyn Store, id: CaseId, who: ActorRef, events: Vec<CaseEvent>, missing: u8, now: Time) -> Result<Committed, CommitError> {
    let before = store.case(id).await?;
    let mut c = change(now, who);
    c.reads.cases = vec![(id, before.as_ref().map_or(0, |b| b.version))];
    let moved = case_change(before.as_ref(), id, events, missing, now);
    // What is to be ended waits in the outbox, as it does where a service decides.
    let ending = moved.events.iter().filter(|e| matches!(e, CaseEvent::GrantEnding { .. }));
    c.effects = ending.flat_map(|e| countersign::domain::effect::effects(&moved.after, e, now)).collect();
    c.case = Some(moved);
    store.commit(c).await
}

/// A case opened and sealed by Nadia, which one person has to approve.
pub async fn sealed_case(store: &dyn Store, id: CaseId, linked: BTreeSet<CaseId>) {
    sealed_case_by(store, id, "nadia", linked).await;
}

/// A case opened and sealed by somebody, which one person has to approve.
pub async fn sealed_case_by(store: &dyn Store, id: CaseId, who: &str, linked: BTreeSet<CaseId>) {
    let (now, by) = (at(START), operator(who));
    let open = vec![opened("payments-batch", &by, now, linked), lineage(&format!("p-{who}"), Duty::Router, now)];
    act(store, id, by.clone(), open, 0, now).await.unwrap();
    let seal = vec![sealed(id, 1, &by, now), CaseEvent::StateChanged { to: CaseState::Sealed, due: None, used: None }];
    act(store, id, by, seal, 1, now).await.unwrap();
}

/// Commits an event of the register, with what goes along with it.
pub async fn govern(store: &SqliteStore, event: RegisterEvent, with: impl FnOnce(&mut Change)) {
    let mut register = Register::clone(&*store.register().await.unwrap());
    register.apply(&event, at(START));
    let mut c = change(at(START), operator("nadia"));
    c.register_events = vec![event];
    c.register = Some(register.into());
    with(&mut c);
    store.commit(c).await.unwrap();
}
