//! A small organisation, its tokens, and the router in process.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use countersign::base::ids::OperatorId;
use countersign::base::ports::{Ports, SystemRandom};
use countersign::base::{Time, Untrusted};
use countersign::domain::case::Worker;
use countersign::domain::command::RegisterCommand;
use countersign::domain::event::RegisterChange;
use countersign::domain::policy::Policy;
use countersign::domain::register::{Automation, Holder, Operator, Person, Principal, Scope, Token};
use countersign::domain::subject::{Endpoint, Ownership, Subject};
use countersign::domain::vocabulary::{Aal, EndpointKind, Environment, Ial, InventorySource, Role, Status, SubjectKind, Tier};
use countersign::server::{App, ServerConfig, routes};
use countersign::service::register::Beside;
use countersign::service::{Ask, Keys, Service};
use countersign::store::sqlite::{MasterKey, SqliteOptions, SqliteStore};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::ports::TestClock;

pub struct House {
    pub service: Arc<Service>,
    pub router: Router,
    tokens: BTreeMap<String, String>,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

/// An answer as a client sees it.
pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// A header's text, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub fn code(&self) -> String {
        self.body["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned()
    }
}

fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

const PEOPLE: &[(&str, &str, Role)] = &[
    ("nadia", "p-nadia", Role::SupportAgent),
    ("nadia-two", "p-nadia", Role::Supervisor),
    ("sam", "p-sam", Role::Supervisor),
    ("ines", "p-ines", Role::SecurityReviewer),
    ("omar", "p-omar", Role::PolicyOwner),
];

impl House {
    pub async fn new() -> Self {
        Self::with(&ServerConfig { stranger_requests_per_minute: 100_000, ..ServerConfig::default() }).await
    }

    pub async fn with(config: &ServerConfig) -> Self {
        Self::on(config, SqliteOptions { durable: false, ..SqliteOptions::default() }).await
    }

    pub async fn on(config: &ServerConfig, options: SqliteOptions) -> Self {
        Self::by(config, options, Ports::system()).await
    }

    /// Where time passes only as the test lets it.
    pub async fn by_clock(clock: Arc<TestClock>) -> Self {
        let ports = Ports { clock, random: Arc::new(SystemRandom) };
        Self::by(&ServerConfig::default(), SqliteOptions { durable: false, ..SqliteOptions::default() }, ports).await
    }

    async fn by(config: &ServerConfig, options: SqliteOptions, ports: Ports) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("db"), &options, ports.clone(), &MasterKey::new([42; 32])).unwrap();
        let service = Arc::new(Service::new(Arc::new(store), ports, Keys::new([7; 32])));
        let (stop, stopped) = watch::channel(false);
        let tokens = found(&service).await;
        let router = routes::router(App::new(config, service.clone(), stopped));
        Self { service, router, tokens, _stop: stop, _folder: folder }
    }

    pub fn token(&self, who: &str) -> &str {
        &self.tokens[who]
    }

    pub fn request() -> Value {
        json!({"subject": "okafor", "action": "password_reset", "path": "assisted", "target": "directory", "scope": ["login"], "channel": "phone",
            "requester": "subject", "summary": "can't sign in"})
    }

    pub async fn open(&self, who: &str, key: &str) -> Answer {
        self.send("POST", "/v1/cases", Some(self.token(who)), &[("idempotency-key", key)], Some(&Self::request())).await
    }

    pub async fn get(&self, path: &str, who: &str) -> Answer {
        self.send("GET", path, Some(self.token(who)), &[], None).await
    }

    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.filter(|_| method != "GET").map_or_else(Body::empty, |b| Body::from(b.to_string()));
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let etag = headers.get("etag").map(|v| v.to_str().unwrap().to_owned());
        if headers.get("content-type").is_some_and(|t| t.to_str().unwrap().starts_with("text/event-stream")) {
            return Answer { status, etag, headers, body: Value::Null };
        }
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, etag, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }
}

async fn found(service: &Service) -> BTreeMap<String, String> {
    let text = include_str!("../../assets/policy/default.toml");
    let policy = Policy::parse(text).unwrap();
    let long_ago: Time = id("2025-01-01T00:00:00Z");
    let mut changes = Vec::new();
    for person in ["p-nadia", "p-sam", "p-ines", "p-omar", "p-okafor"] {
        let person = Person { id: id(person), employer: id("corp"), team: None, manager: None, shift: None, on_call: false, status: Status::Active };
        changes.push(RegisterChange::SetPerson(person));
    }
    for (account, person, role) in PEOPLE {
        let operator = Operator { id: id::<OperatorId>(account), person: id(person), roles: [*role].into(), groups: [].into(), enabled: true };
        changes.push(RegisterChange::SetOperator(operator));
    }
    let owner = Ownership { person: id("p-nadia"), since: long_ago, until: None };
    let scopes = [Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry].into();
    changes.push(RegisterChange::SetAutomation(Automation { id: id("triage-bot"), owners: vec![owner], sponsors: vec![], scopes, enabled: true }));
    let (mut tokens, now) = (BTreeMap::new(), service.now());
    let holders = PEOPLE.iter().map(|p| (p.0, Holder::Operator(id(p.0)), vec![]));
    let bot = ("triage-bot", Holder::Automation(id("triage-bot")), vec![Principal::Person(id("p-nadia"))]);
    for (name, holder, on_behalf_of) in holders.chain([bot]) {
        let minted = service.mint().unwrap();
        tokens.insert(name.to_owned(), minted.presented);
        let expires_at = now + chrono::Duration::hours(8);
        let token = Token { id: minted.id, holder, on_behalf_of, secret_sha256: minted.secret_sha256, issued_at: now, expires_at, revoked_at: None };
        changes.push(RegisterChange::IssueToken(token));
    }
    let beside = Beside { policy: Some((policy.sha256, text.to_owned())), ..Beside::default() };
    let founding = RegisterCommand::Found { changes, by: [id("p-ines"), id("p-omar")], policy: policy.sha256 };
    service.govern(&Ask::system(Worker::Host), &founding, &beside).await.unwrap();
    service.record_subjects(vec![subject(long_ago)]).await.unwrap();
    tokens
}

pub fn subject(long_ago: Time) -> Subject {
    let endpoint = Endpoint {
        id: id("e-okafor"),
        kind: EndpointKind::Email,
        address: Untrusted::from("okafor@corp.example"),
        recorded_at: long_ago,
        confirmed_at: Some(long_ago),
    };
    Subject {
        id: id("okafor"),
        kind: SubjectKind::Employee,
        name: Untrusted::from("M. Okafor"),
        person: Some(id("p-okafor")),
        tier: Tier::Standard,
        ial: Ial::None,
        aal: Aal::Aal1,
        status: Status::Active,
        employer: Some(id("corp")),
        owners: vec![],
        manager: Some(id("p-sam")),
        manager_since: Some(long_ago),
        inventory: InventorySource::Hr,
        environment: Environment::Corporate,
        dependents: vec![],
        entitlements: [(id("directory"), [id("login")].into())].into(),
        endpoints: vec![endpoint],
        history: countersign::domain::history::History::default(),
    }
}
