//! A small organisation on a throw-away database, with its workers, pages, mail folder and target.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::base::ids::{CaseId, EndpointId, OperatorId, PersonId, ScopeId, SessionId, SubjectId, TargetId};
use countersign::base::ports::{Ports, SystemRandom};
use countersign::base::{Time, Untrusted};
use countersign::connectors::Connector;
use countersign::connectors::sign::Signer;
use countersign::connectors::webhook::Webhook;
use countersign::demo::target::state::{Account, Misbehaviour, World};
use countersign::domain::case::{ActorRef, Case, Requester as Who, Route, Signature, Worker};
use countersign::domain::command::{Actor, Command, Decide, RegisterCommand};
use countersign::domain::event::{Body, CaseEvent, RegisterChange};
use countersign::domain::policy::Policy;
use countersign::domain::register::{Automation, Operator, Person, Scope};
use countersign::domain::subject::{Endpoint, Ownership, Subject};
use countersign::domain::vocabulary::{
    Aal, Action, Channel, Decision, EndpointKind, Environment, FailureType, Ial, InventorySource, Method, Path, Role, Status, SubjectKind, Tier,
};
use countersign::outbound::door::{Base, Door, Limits};
use countersign::outbound::mail::Mailer;
use countersign::proofing;
use countersign::server::pages::{self, Rates, Settings};
use countersign::service::open::NewCase;
use countersign::service::register::Beside;
use countersign::service::requester::Requester;
use countersign::service::workers::{Hands, Patience, Workers};
use countersign::service::{Ask, Done, Keys, Service};
use countersign::store::sqlite::{MasterKey, SqliteOptions, SqliteStore};
use countersign::store::{PersonDetails, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use crate::letter::Letter;
use crate::ports::TestClock;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How a house differs from the usual one.
#[derive(Default)]
pub struct Plan {
    pub rates: Option<Rates>,
    pub floor: Duration,
    pub asks: Option<u32>,
    pub asks_each: Option<u32>,
    pub policy: Option<String>,
}

pub struct House {
    pub clock: Arc<TestClock>,
    pub store: Arc<SqliteStore>,
    pub service: Arc<Service>,
    pub keys: proofing::Keys,
    pub workers: Workers,
    pub connector: Arc<dyn Connector>,
    pub mailbox: PathBuf,
    pub pages: String,
    pub requester: Arc<Requester>,
    pub target: PathBuf,
    /// Where the target shows itself to people.
    pub target_page: String,
    pub web: reqwest::Client,
    stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

pub fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

impl House {
    pub async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub async fn with(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let ports = Ports { clock: Arc::<TestClock>::clone(&clock), random: Arc::new(SystemRandom) };
        let options = SqliteOptions { durable: false, ..SqliteOptions::default() };
        let store = Arc::new(SqliteStore::open(&folder.path().join("db"), &options, ports.clone(), &MasterKey::new([42; 32])).unwrap());
        let service = Arc::new(Service::new(Arc::<SqliteStore>::clone(&store), ports, Keys::new([7; 32])));
        let keys = proofing::Keys::new(&service.keys.key("proofing")).unwrap();
        let (stop, stopped) = watch::channel(false);

        let target = folder.path().join("target.json");
        accounts().write(&target).unwrap();
        let (connector, target_page) = target_at(&target, &clock, stopped).await;

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pages = format!("http://{}", listener.local_addr().unwrap());
        let rates = plan.rates.unwrap_or(Rates { looks: u32::MAX, forms: u32::MAX });
        let (asks, asks_each) = (plan.asks.unwrap_or(u32::MAX), plan.asks_each.unwrap_or(u32::MAX));
        let settings = Settings { floor: plan.floor, rates, asks, asks_each, ..Settings::new(&pages, "Corp") };
        let requester = Arc::new(Requester::new(Arc::clone(&service), keys.clone()));
        let router = pages::router(Arc::clone(&requester), settings);
        tokio::spawn(async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await });

        let mailbox = folder.path().join("mail");
        let mailer = Mailer::folder("Corp <no-reply@corp.example>", &mailbox).unwrap();
        let workers = workers(&service, &keys, mailer, &connector, &pages);
        let web = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let house =
            Self { clock, store, service, keys, workers, connector, mailbox, pages, requester, target, target_page, web, stop, _folder: folder };
        house.found(plan.policy.as_deref().unwrap_or(include_str!("../../assets/policy/default.toml"))).await;
        house
    }

    /// Goes on with another database in place of its own, as after a restore. The pages stay those of the first.
    pub fn go_on_with(&mut self, database: &std::path::Path) {
        let ports = Ports { clock: Arc::<TestClock>::clone(&self.clock), random: Arc::new(SystemRandom) };
        let options = SqliteOptions { durable: false, ..SqliteOptions::default() };
        self.store = Arc::new(SqliteStore::open(database, &options, ports.clone(), &MasterKey::new([42; 32])).unwrap());
        self.service = Arc::new(Service::new(Arc::<SqliteStore>::clone(&self.store), ports, Keys::new([7; 32])));
        let mailer = Mailer::folder("Corp <no-reply@corp.example>", &self.mailbox).unwrap();
        self.workers = workers(&self.service, &self.keys, mailer, &self.connector, &self.pages);
    }

    async fn found(&self, text: &str) {
        let policy = Policy::parse(text).unwrap();
        let mut changes: Vec<RegisterChange> = PEOPLE.iter().map(|p| RegisterChange::SetPerson(person(p))).collect();
        changes.extend(PEOPLE.iter().filter_map(operator).map(RegisterChange::SetOperator));
        changes.push(RegisterChange::SetAutomation(bot()));
        let people = PEOPLE.iter().map(|p| PersonDetails {
            id: id(&format!("p-{}", p.0)),
            name: Untrusted::from(p.0),
            email: (p.0 != MUTE).then(|| Untrusted::from(format!("{}@corp.example", p.0))),
            since: Some(id("2025-01-01T00:00:00Z")),
        });
        let beside = Beside { people: people.collect(), policy: Some((policy.sha256, text.to_owned())), ..Beside::default() };
        let found = RegisterCommand::Found { changes, by: [id("p-ines"), id("p-omar")], policy: policy.sha256 };
        self.service.govern(&Ask::system(Worker::Host), &found, &beside).await.unwrap();
        self.record(SUBJECTS.iter().map(subject).collect()).await;
    }

    pub async fn record(&self, subjects: Vec<Subject>) {
        self.service.record_subjects(subjects).await.unwrap();
    }

    /// Empties the outbox of everything that is due.
    pub async fn settle(&self) {
        while self.workers.run_outbox_once().await.unwrap() > 0 {}
    }

    /// Lets time pass in steps, with the workers at work.
    pub async fn live(&self, seconds: i64, steps: i64) {
        for _ in 0..steps {
            self.clock.pass(seconds / steps);
            self.workers.run_deadlines_once().await.unwrap();
            self.settle().await;
        }
    }

    pub async fn case(&self, case: CaseId) -> Arc<Case> {
        self.store.case(case).await.unwrap().unwrap()
    }

    pub fn account(&self, subject: &str) -> Account {
        World::read(&self.target).unwrap().accounts[&id::<SubjectId>(subject)].clone()
    }

    pub async fn events(&self, case: CaseId) -> Vec<CaseEvent> {
        let entries = self.store.case_entries(case, 0, 1000).await.unwrap();
        let event = |b| if let Body::Case { event, .. } = b { Some(event) } else { None };
        entries.into_iter().filter_map(|e| event(e.body)).collect()
    }

    /// Every message so far, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.mailbox).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files.iter().map(|f| Letter::parse(&std::fs::read_to_string(f).unwrap())).collect()
    }

    /// The newest message to an address whose subject holds these words.
    pub fn letter(&self, to: &str, subject: &str) -> Letter {
        let all = self.letters();
        let found = all.iter().rfind(|l| l.to == to && l.subject.contains(subject));
        found.unwrap_or_else(|| panic!("no {subject:?} to {to} among {all:#?}")).clone()
    }

    pub async fn act(&self, by: &str, case: CaseId, command: Command) -> Done {
        self.service.execute(&Ask::by(staff(by)), case, &command).await.unwrap_or_else(|e| panic!("{by} {}: {e}", command.code()))
    }

    pub fn text(&self, case: CaseId, by: &str, text: &str) -> (countersign::domain::case::TextRef, Ask) {
        let (reference, kept) = self.service.text(case, &Untrusted::from(text)).unwrap();
        (reference, Ask::by(staff(by)).with_text(kept))
    }

    /// A case that nadia opened and triaged: proof is next.
    pub async fn routed(&self, subject: &str, action: Action) -> CaseId {
        let record = self.store.subject(&id(subject)).await.unwrap().unwrap();
        let target: TargetId = id("directory");
        let route = Route {
            subject: id(subject),
            action,
            path: Path::Assisted,
            scope: record.subject.entitled(&target),
            target,
            picked_groups: BTreeSet::new(),
        };
        let new = NewCase { route, requester: Who::Subject, channel: Channel::Phone, endpoint: None, summary: Some("Locked out".into()) };
        let case = self.service.open(&Ask::by(staff("nadia")), &new).await.unwrap().case.id;
        let (reproduction, ask) = self.text(case, "nadia", "Tried it with them");
        let triage = Command::Triage { failure: FailureType::LostCredential, reproduction, triage_owner: id("p-nadia"), remedy_owner: id("p-nadia") };
        self.service.execute(&ask, case, &triage).await.unwrap();
        case
    }

    pub async fn start_proof(&self, case: CaseId, method: Method, endpoint: Option<&str>, attester: Option<&str>) -> SessionId {
        let session: SessionId = self.service.fresh("ses").unwrap();
        let start = Command::StartProof {
            session: session.clone(),
            method,
            endpoint: endpoint.map(id::<EndpointId>),
            attester: attester.map(id::<PersonId>),
        };
        self.act("nadia", case, start).await;
        self.settle().await;
        session
    }

    /// A case whose subject has typed the code that was mailed.
    pub async fn proved(&self, subject: &str, action: Action) -> CaseId {
        let case = self.routed(subject, action).await;
        self.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
        let letter = self.letter(&format!("{subject}@corp.example"), "Your code");
        let (status, text) = self.post(&letter.link("p"), &[("code", &letter.code())]).await;
        assert_eq!(status, 200, "{text}");
        case
    }

    /// Sealed by nadia and approved by sam.
    pub async fn approved(&self, subject: &str, action: Action) -> CaseId {
        let case = self.proved(subject, action).await;
        self.approve(case).await;
        case
    }

    pub async fn approve(&self, case: CaseId) {
        let sealed = self.act("nadia", case, Command::Seal).await.case;
        let (reason, ask) = self.text(case, "sam", "Called back");
        let decide = Decide {
            id: self.service.fresh("apr").unwrap(),
            decision: Decision::Approve,
            seal: sealed.seal.as_ref().unwrap().sha256,
            version: sealed.changed,
            nonce_issued_at: self.service.now(),
            reason,
            signature: Signature::None,
        };
        self.service.execute(&ask, case, &Command::Decide(decide)).await.unwrap();
    }

    pub async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.web.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> (u16, String) {
        let answer = self.web.post(url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

pub fn workers(service: &Arc<Service>, keys: &proofing::Keys, mailer: Mailer, connector: &Arc<dyn Connector>, pages: &str) -> Workers {
    let hands = Hands {
        keys: keys.clone(),
        mailer,
        connectors: BTreeMap::from([(id("directory"), Arc::clone(connector))]),
        pages_url: pages.to_owned(),
        organisation: "Corp".to_owned(),
    };
    let patience =
        Patience { first: Duration::from_secs(1), longest: Duration::from_secs(10), execution: Duration::from_secs(30), ..Patience::default() };
    Workers::new(Arc::clone(service), Arc::new(hands), patience)
}

async fn target_at(state: &std::path::Path, clock: &Arc<TestClock>, stop: watch::Receiver<bool>) -> (Arc<dyn Connector>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = format!("http://{}/", listener.local_addr().unwrap());
    let base = Base::new(&page, vec![]).unwrap();
    let settings = countersign::demo::target::Settings {
        state: state.to_owned(),
        secret: SECRET.to_owned(),
        clock: Arc::<TestClock>::clone(clock),
        tolerance: Duration::from_mins(5),
    };
    tokio::spawn(countersign::demo::target::serve(listener, settings, stop));
    let limits = Limits { connect: Duration::from_secs(2), total: Duration::from_millis(1500), answer: 100_000 };
    let door = Door::new(vec![base.clone()], &[], limits).unwrap();
    (Arc::new(Webhook::new(door, base, Signer::new(&SECRET.into()).unwrap())), page)
}

pub fn staff(by: &str) -> Actor {
    Actor { who: ActorRef::Operator { operator: id(by), person: id(&format!("p-{by}")) }, scopes: BTreeSet::new(), read_only: false }
}

type Human = (&'static str, &'static [Role], &'static [&'static str]);

/// Someone whose mail address is not recorded.
pub const MUTE: &str = "mute";

const PEOPLE: &[Human] = &[
    ("nadia", &[Role::SupportAgent], &[]),
    ("sam", &[Role::Supervisor], &[]),
    ("lee", &[Role::Supervisor], &[]),
    ("ines", &[Role::SecurityReviewer], &["security"]),
    ("omar", &[Role::PolicyOwner], &[]),
    ("kim", &[], &[]),
    ("okafor", &[], &[]),
    (MUTE, &[], &[]),
];

fn person(human: &Human) -> Person {
    Person { id: id(&format!("p-{}", human.0)), employer: id("corp"), team: None, manager: None, shift: None, on_call: false, status: Status::Active }
}

/// Sam's bot: it may open and route.
fn bot() -> Automation {
    let owners = vec![Ownership { person: id("p-sam"), since: id("2025-01-01T00:00:00Z"), until: None }];
    Automation { id: id("helper"), owners, sponsors: vec![], scopes: [Scope::Open, Scope::Route].into(), enabled: true }
}

fn operator(human: &Human) -> Option<Operator> {
    (!human.1.is_empty()).then(|| Operator {
        id: id::<OperatorId>(human.0),
        person: id(&format!("p-{}", human.0)),
        roles: human.1.iter().copied().collect(),
        groups: human.2.iter().map(|g| id(g)).collect(),
        enabled: true,
    })
}

/// Name, kind, misbehaviour of its account.
pub type Sample = (&'static str, SubjectKind, Option<Misbehaviour>);

pub const SUBJECTS: &[Sample] = &[
    ("okafor", SubjectKind::Employee, None),
    ("vega", SubjectKind::Contractor, None),
    ("lazy", SubjectKind::Employee, Some(Misbehaviour::Nothing)),
    ("greedy", SubjectKind::Employee, Some(Misbehaviour::TooMuch)),
    ("refuser", SubjectKind::Employee, Some(Misbehaviour::Refuse)),
    ("dropper", SubjectKind::Employee, Some(Misbehaviour::HangUp)),
    ("slow", SubjectKind::Employee, Some(Misbehaviour::Slow)),
    ("busy", SubjectKind::Employee, Some(Misbehaviour::Unavailable)),
    ("keeper", SubjectKind::Employee, Some(Misbehaviour::KeepsGrants)),
    ("hoarder", SubjectKind::Employee, Some(Misbehaviour::KeepsOld)),
    ("parent", SubjectKind::Employee, None),
    ("idler", SubjectKind::Employee, Some(Misbehaviour::RotatesNothing)),
];

pub fn subject(sample: &Sample) -> Subject {
    let (name, kind, _) = *sample;
    let long_ago: Time = id("2025-01-01T00:00:00Z");
    let endpoint = |n: &str, address: String| Endpoint {
        id: id(n),
        kind: EndpointKind::Email,
        address: Untrusted::from(address),
        recorded_at: long_ago,
        confirmed_at: Some(long_ago),
    };
    Subject {
        id: id(name),
        kind,
        name: Untrusted::from(name),
        person: Some(id(&format!("p-{name}"))),
        tier: Tier::Standard,
        ial: Ial::Ial1,
        aal: Aal::Aal1,
        status: Status::Active,
        employer: Some(id("corp")),
        owners: vec![],
        manager: Some(id("p-kim")),
        manager_since: Some(long_ago),
        inventory: InventorySource::Hr,
        environment: Environment::Corporate,
        dependents: if ["parent", "idler"].contains(&name) { vec![id("vega")] } else { vec![] },
        entitlements: BTreeMap::from([(id("directory"), BTreeSet::from([id::<ScopeId>("login"), id("mail")]))]),
        endpoints: vec![endpoint("e1", format!("{name}@corp.example")), endpoint("e2", format!("{name}@home.example"))],
        history: countersign::domain::history::History::default(),
    }
}

fn accounts() -> World {
    let account = |s: &Sample| {
        let scope = BTreeSet::from([id::<ScopeId>("login"), id("mail")]);
        (id(s.0), Account { misbehaves: s.2, ..Account::new(Status::Locked, scope) })
    };
    World { accounts: SUBJECTS.iter().map(account).collect(), seen: vec![] }
}
