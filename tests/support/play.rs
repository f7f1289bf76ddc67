//! A small organisation and a case in it, played through the production rules: what suites about the rules share.
//!
//! Contract: every step goes through `decide` and `apply`; time stands still unless a test moves it. Knows nothing about storage.

#![allow(dead_code, clippy::wildcard_imports, reason = "each suite uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Duration, TimeZone as _, Utc};
use countersign::base::ids::{CaseId, EndpointId, PersonId};
use countersign::base::{Digest, Time, Untrusted};
use countersign::domain::case::{ActorRef, Case, ExecutionOutcome, Requester, Route, Signature, TextRef, TrustRoot, Worker};
use countersign::domain::command::{Actor, Command, Context, Decide, Open, World};
use countersign::domain::decide::decide;
use countersign::domain::derived::Derived;
use countersign::domain::event::CaseEvent;
use countersign::domain::policy::Policy;
use countersign::domain::refusal::Refusal;
use countersign::domain::register::{Automation, Delegation, Operator, Person, Principal, Register, Scope};
use countersign::domain::subject::{Endpoint, Ownership, Subject};
use countersign::domain::vocabulary::*;

/// The id a test writes.
pub fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// When everything begins.
pub fn start() -> Time {
    Utc.with_ymd_and_hms(2026, 3, 2, 10, 0, 0).unwrap()
}

/// A text beside the log.
pub fn text(name: &str) -> TextRef {
    TextRef { id: id(name), sha256: Digest::of(name.as_bytes()) }
}

fn person(name: &str) -> (PersonId, Person) {
    let person = Person { id: id(name), employer: id("acme"), team: None, manager: None, shift: None, on_call: false, status: Status::Active };
    (id(name), person)
}

fn account(name: &str, person: &str, roles: &[Role], groups: &[&str]) -> Operator {
    Operator {
        id: id(name),
        person: id(person),
        roles: roles.iter().copied().collect(),
        groups: groups.iter().map(|g| id(g)).collect(),
        enabled: true,
    }
}

/// Nadia routes and has a second account that could approve; Omar owns the bot; Ruiz, Lind and Sato supervise; Vega is security.
pub fn register() -> Register {
    let mut register = Register { version: 1, founded: true, ..Register::default() };
    register.persons = ["nadia", "omar", "ruiz", "lind", "sato", "vega", "sam", "mona"].into_iter().map(person).collect();
    for operator in [
        account("nadia", "nadia", &[Role::SupportAgent], &[]),
        account("nadia-sup", "nadia", &[Role::Supervisor], &[]),
        account("omar", "omar", &[Role::Supervisor, Role::SupportAgent], &[]),
        account("ruiz", "ruiz", &[Role::Supervisor], &[]),
        account("ruiz-two", "ruiz", &[Role::Supervisor], &["security"]),
        account("lind", "lind", &[Role::Supervisor], &[]),
        account("sato", "sato", &[Role::Supervisor], &["security"]),
        account("vega", "vega", &[Role::SecurityReviewer], &["security"]),
        account("sam", "sam", &[Role::Supervisor], &[]),
    ] {
        register.operators.insert(operator.id.clone(), operator);
    }
    let owners = vec![Ownership { person: id("omar"), since: start() - Duration::days(400), until: None }];
    let scopes: BTreeSet<Scope> = [Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry].into();
    register.automations.insert(id("bot"), Automation { id: id("bot"), owners, sponsors: Vec::new(), scopes, enabled: true });
    register
}

/// Sam, an employee with one confirmed mailbox.
pub fn subject(tier: Tier) -> Subject {
    let old = start() - Duration::days(200);
    let endpoint =
        |name: &str, kind| Endpoint { id: id(name), kind, address: Untrusted::from("sam@example.org"), recorded_at: old, confirmed_at: Some(old) };
    Subject {
        id: id("s-sam"),
        kind: SubjectKind::Employee,
        name: Untrusted::from("Sam"),
        person: Some(id("sam")),
        tier,
        ial: Ial::Ial1,
        aal: Aal::Aal1,
        status: Status::Active,
        employer: Some(id("acme")),
        owners: Vec::new(),
        manager: Some(id("mona")),
        manager_since: Some(old),
        inventory: InventorySource::Hr,
        environment: Environment::Corporate,
        dependents: Vec::new(),
        entitlements: BTreeMap::from([(id("crm"), BTreeSet::from([id("read"), id("write")]))]),
        endpoints: vec![endpoint("mail-1", EndpointKind::Email), endpoint("phone-1", EndpointKind::Phone)],
        history: countersign::domain::history::History::default(),
    }
}

/// A case being played.
pub struct Play {
    pub world: World,
    pub now: Time,
    pub log: Vec<CaseEvent>,
    serial: u32,
}

impl Play {
    pub fn new(tier: Tier) -> Self {
        let policy = Arc::new(Policy::builtin());
        let world = World {
            case: None,
            linked: Vec::new(),
            subject: Some(Arc::new(subject(tier))),
            register: Arc::new(register()),
            pinned: policy.clone(),
            current: policy,
            held: None,
            mailboxes: Arc::default(),
            dates: Arc::default(),
            derived: Derived::default(),
        };
        Self { world, now: start(), log: Vec::new(), serial: 1 }
    }

    pub fn case(&self) -> &Case {
        self.world.case.as_deref().expect("a case was opened")
    }

    pub fn name(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}-{}", self.serial)
    }

    pub fn ask(&self, who: ActorRef, command: &Command) -> Result<Vec<CaseEvent>, Refusal> {
        decide(&self.world, command, &Context { now: self.now, actor: actor(who), request: None })
    }

    pub fn act(&mut self, who: ActorRef, command: &Command) -> Result<(), Refusal> {
        let events = self.ask(who, command)?;
        let id = match command {
            Command::Open(open) => open.id,
            _ => self.case().id,
        };
        for event in events {
            let case = self.world.case.take().map(|c| (*c).clone());
            self.world.case = Case::apply(case, id, &event, self.now).map(Arc::new);
            self.log.push(event);
        }
        Ok(())
    }

    pub fn register(&mut self, change: impl FnOnce(&mut Register)) {
        change(Arc::make_mut(&mut self.world.register));
    }

    pub fn delegate(&mut self, from: Principal, to: Principal, since: Time, until: Option<Time>) {
        let name = self.name("d");
        self.register(|r| r.delegations.push(Delegation { id: id(&name), from, to, since, until }));
    }

    pub fn open(&mut self, who: ActorRef, path: Path) {
        let command = Command::Open(open(1, path));
        self.act(who, &command).unwrap();
    }

    /// Opened by `who`, triaged by Nadia, proofed by Sam.
    pub fn proofed(&mut self, who: ActorRef) {
        self.open(who, Path::Assisted);
        self.act(op("nadia"), &triage()).unwrap();
        self.code();
    }

    /// Sam types the code that was sent to the recorded mailbox.
    pub fn code(&mut self) {
        let session = self.name("ses");
        self.act(op("nadia"), &start_code(&session, "mail-1")).unwrap();
        let receipt = self.name("rcp");
        self.act(ActorRef::Subject { session: id(&session) }, &proof(&session, &receipt)).unwrap();
    }

    pub fn sealed(tier: Tier) -> Self {
        let mut play = Self::new(tier);
        play.proofed(op("nadia"));
        play.act(op("nadia"), &Command::Seal).unwrap();
        play
    }

    /// A case of temporary access, restored, with a grant that lives.
    pub fn granted() -> Self {
        let mut play = Self::new(Tier::Standard);
        let mut request = open(1, Path::Assisted);
        request.route.action = Action::JitAccess;
        play.act(op("nadia"), &Command::Open(request)).unwrap();
        play.act(op("nadia"), &triage()).unwrap();
        play.code();
        play.act(op("nadia"), &Command::Seal).unwrap();
        play.approve("ruiz").unwrap();
        play.restore();
        assert_eq!(play.case().live_grants().count(), 1);
        play
    }

    pub fn decision(&mut self, decision: Decision) -> Command {
        let name = self.name("apr");
        let seal = self.case().seal.as_ref().map_or(Digest::of(b"none"), |s| s.sha256);
        let version = self.case().changed;
        Command::Decide(Decide { id: id(&name), decision, seal, version, nonce_issued_at: self.now, reason: text("why"), signature: Signature::None })
    }

    pub fn approve(&mut self, account: &str) -> Result<(), Refusal> {
        let command = self.decision(Decision::Approve);
        let who = self.account(account);
        self.act(who, &command)
    }

    pub fn account(&self, account: &str) -> ActorRef {
        let operator = &self.world.register.operators[&id(account)];
        ActorRef::Operator { operator: operator.id.clone(), person: operator.person.clone() }
    }

    pub fn restore(&mut self) {
        self.act(system(Worker::Executor), &Command::StartExecution).unwrap();
        let scope = self.case().plan.as_ref().unwrap().scope.clone();
        self.act(system(Worker::Executor), &ended(1, ExecutionOutcome::Restored { scope })).unwrap();
    }
}

pub fn actor(who: ActorRef) -> Actor {
    let scopes = [Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry].into();
    Actor { who, scopes, read_only: false }
}

pub fn op(name: &str) -> ActorRef {
    ActorRef::Operator { operator: id(name), person: id(name) }
}

pub fn bot(chain: Vec<Principal>) -> ActorRef {
    ActorRef::Automation { automation: id("bot"), on_behalf_of: chain }
}

pub fn system(worker: Worker) -> ActorRef {
    ActorRef::System { worker }
}

pub fn human(name: &str) -> Principal {
    Principal::Person(id(name))
}

pub fn route(path: Path) -> Route {
    let scope = BTreeSet::from([id("read")]);
    Route { subject: id("s-sam"), action: Action::PasswordReset, path, target: id("crm"), scope, picked_groups: BTreeSet::new() }
}

pub fn open(number: u32, path: Path) -> Open {
    Open {
        id: CaseId::new(2026, number),
        route: route(path),
        requester: Requester::Subject,
        channel: Channel::Phone,
        endpoint: Some(id::<EndpointId>("phone-1")),
        session: None,
        summary: None,
    }
}

pub fn triage() -> Command {
    triage_as(FailureType::LostCredential)
}

pub fn triage_as(failure: FailureType) -> Command {
    let owner: PersonId = id("vega");
    Command::Triage { failure, reproduction: text("seen"), triage_owner: owner.clone(), remedy_owner: owner }
}

pub fn start_code(session: &str, endpoint: &str) -> Command {
    Command::StartProof { session: id(session), method: Method::IssuedCode, endpoint: Some(id(endpoint)), attester: None }
}

pub fn proof(session: &str, receipt: &str) -> Command {
    let trust_root = TrustRoot { kind: TrustRootKind::Mailbox, sha256: Digest::of(b"mailbox of sam") };
    Command::RecordProof { session: id(session), receipt: id(receipt), trust_root }
}

pub fn ended(attempt: u32, outcome: ExecutionOutcome) -> Command {
    Command::EndExecution { attempt, outcome, grant: id("g-1") }
}
