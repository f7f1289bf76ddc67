//! The demo's machinery: a throw-away folder with database, keys and mailbox, a target process, and a server on loopback ports.
//!
//! Contract: nothing outside the folder is touched, and the folder is gone afterwards. The server is the same that `serve` runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

use super::clock::DemoClock;
use super::fill::{self, Card, Filled};
use super::folder::Folder;
use super::{DemoError, organisation};
use crate::base::ids::TargetId;
use crate::base::ports::{Ports, SystemRandom};
use crate::config::keys::{ServerKeys, write_private};
use crate::config::server::Target;
use crate::connectors::configured::connectors;
use crate::outbound::mail::{Letter, Mailer};
use crate::proofing;
use crate::server::host::{Parts, Running};
use crate::server::{Listeners, ServerConfig};
use crate::service::workers::Patience;
use crate::service::{Keys, Service};
use crate::store::Store;
use crate::store::sqlite::{MasterKey, SqliteOptions, SqliteStore};

/// Who the demo's mail is from.
const FROM: &str = "Recovery desk <recovery@ferrol.example>";
/// How long the target process may take to say where it listens.
const TARGET_START: Duration = Duration::from_secs(20);

/// A demo before it is filled: the server answers already.
pub struct Demo {
    folder: Folder,
    target: Option<tokio::process::Child>,
    /// Base address of the target.
    pub target_url: String,
    /// The service everything goes through.
    pub service: Arc<Service>,
    /// Keys of codes and links.
    pub codes: proofing::Keys,
    /// The clock that is led through the past.
    pub clock: Arc<DemoClock>,
    listeners: Option<Listeners>,
    /// Where the staff API is.
    pub api: SocketAddr,
    /// Where the requester's pages are.
    pub pages: SocketAddr,
    /// Certificate and key to serve with TLS; plain on the loopback address without.
    pub tls: Option<(PathBuf, PathBuf)>,
    running: Option<Running>,
    cases: u64,
    name: String,
}

fn machine(what: &str) -> impl Fn(std::io::Error) -> DemoError {
    let what = what.to_owned();
    move |e| DemoError::Machine(format!("{what}: {e}"))
}

impl Demo {
    /// Prepares everything but the cases, of which there will be so many beside the sample ones.
    pub async fn prepare(cases: u64) -> Result<Self, DemoError> {
        let folder = Folder::new()?;
        let random = Arc::new(SystemRandom);
        let keys = ServerKeys::create(&folder.path().join("keys"), &*random).map_err(|e| DemoError::Machine(e.to_string()))?;
        let clock = Arc::new(DemoClock::behind(fill::founded_before(cases)));
        let ports = Ports { clock: clock.clone(), random };
        let options = SqliteOptions::default();
        let master = MasterKey::new(*keys.master);
        let store = SqliteStore::open(&folder.path().join("countersign.db"), &options, ports.clone(), &master);
        let store: Arc<dyn Store> = Arc::new(store.map_err(|e| DemoError::Machine(e.to_string()))?);
        let service = Arc::new(Service::new(store, ports, Keys::new(*keys.nonces)));
        let codes = proofing::Keys::new(&*keys.codes).map_err(|e| DemoError::Machine(e.to_string()))?;
        let staff = TcpListener::bind("127.0.0.1:0").await.map_err(machine("a loopback port"))?;
        let pages = TcpListener::bind("127.0.0.1:0").await.map_err(machine("a loopback port"))?;
        let api = staff.local_addr().map_err(machine("a loopback port"))?;
        let pages_at = pages.local_addr().map_err(machine("a loopback port"))?;
        let secret = format!("whsec_{}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, *keys.nonces));
        write_private(&folder.path().join("target.secret"), &secret).map_err(|e| DemoError::Machine(e.to_string()))?;
        Ok(Self {
            target: None,
            folder,
            target_url: String::new(),
            service,
            codes,
            clock,
            listeners: Some(Listeners { staff, pages: Some(pages), metrics: None }),
            api,
            pages: pages_at,
            tls: None,
            running: None,
            cases,
            name: String::new(),
        })
    }

    /// How its addresses begin.
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Where the mails of all its people are.
    pub fn mailbox(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// The file with the journal of its server.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.jsonl")
    }

    /// Where state, drafts and sessions of a console that shows it are kept.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Founds the organisation and plays the cases.
    pub async fn fill(&mut self, progress: &(dyn Fn(&'static str, usize, usize) + Sync)) -> Result<BTreeMap<String, String>, DemoError> {
        let filled = fill::fill(Arc::clone(&self.service), self.codes.clone(), Arc::clone(&self.clock), self.cases, progress).await?;
        self.cards(&filled).await?;
        self.name.clone_from(&filled.name);
        let state = self.folder.path().join("target.json");
        filled.world.write(&state).map_err(|e| DemoError::Machine(e.to_string()))?;
        Ok(filled.tokens)
    }

    /// The saved codes, as the cards their subjects keep.
    async fn cards(&self, filled: &Filled) -> Result<(), DemoError> {
        let mailer = self.mailer()?;
        for Card { to, name, code, since } in &filled.cards {
            let body = format!(
                "The card of {name}, kept since the account was set up.\n\nSaved recovery code: {code}\n\nIt works once; you get another one then.\n"
            );
            let subject = "Your saved recovery code".to_owned();
            let letter = Letter { to: to.clone(), subject, body, key: format!("card {to} {name}"), at: *since };
            mailer.send(&letter).await.map_err(|e| DemoError::Machine(e.to_string()))?;
        }
        Ok(())
    }

    fn mailer(&self) -> Result<Mailer, DemoError> {
        Mailer::folder(FROM, &self.mailbox()).map_err(|e| DemoError::Machine(e.to_string()))
    }

    /// Starts the target process and the server.
    pub async fn start(&mut self) -> Result<(), DemoError> {
        self.start_target().await?;
        let target = |id: &str| {
            Ok::<_, DemoError>(Target {
                id: TargetId::parse(id)?,
                url: self.target_url.clone(),
                secret_file: self.folder.path().join("target.secret"),
                addresses: Vec::new(),
                ca_file: None,
                timeout_seconds: 10,
                tries: 3,
            })
        };
        let targets = organisation::TARGETS.iter().map(|id| target(id)).collect::<Result<Vec<_>, _>>()?;
        let parts = Parts {
            service: Arc::clone(&self.service),
            codes: self.codes.clone(),
            mailer: self.mailer()?,
            connectors: connectors(&targets).map_err(|e| DemoError::Machine(e.to_string()))?,
            public_url: format!("{}://{}", self.scheme(), self.pages),
            organisation: self.name.clone(),
            config: ServerConfig {
                requests_per_minute: 6_000_000,
                stranger_requests_per_minute: 1_000_000,
                drain: Duration::from_secs(2),
                tls: self.tls.clone(),
                ..ServerConfig::default()
            },
            patience: Patience { first: Duration::from_secs(1), ..Patience::default() },
        };
        if let Some(listeners) = self.listeners.take() {
            self.running = Some(Running::start(parts, listeners));
        }
        Ok(())
    }

    async fn start_target(&mut self) -> Result<(), DemoError> {
        let program = std::env::current_exe().map_err(machine("this program"))?;
        let mut command = tokio::process::Command::new(program);
        command.arg("demo-target").arg("--state").arg(self.folder.path().join("target.json"));
        command.arg("--secret-file").arg(self.folder.path().join("target.secret"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(machine("the sample target"))?;
        let output = child.stdout.take().ok_or_else(|| DemoError::Machine("the sample target says nothing".to_owned()))?;
        let mut line = String::new();
        let mut reader = BufReader::new(output);
        let said = tokio::time::timeout(TARGET_START, reader.read_line(&mut line)).await;
        said.map_err(|_| DemoError::Machine("the sample target did not start".to_owned()))?.map_err(machine("the sample target"))?;
        line.trim().clone_into(&mut self.target_url);
        self.target = Some(child);
        if self.target_url.starts_with("http://127.0.0.1:") { Ok(()) } else { Err(DemoError::Machine("the sample target did not start".to_owned())) }
    }

    /// Waits until the server has ended by itself.
    pub async fn over(&mut self) {
        match &mut self.running {
            Some(running) => running.over().await,
            None => std::future::pending().await,
        }
    }

    /// Ends server and target and removes the folder.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        if let Some(running) = self.running.take() {
            running.stop().await.map_err(machine("the server"))?;
        }
        if let Some(mut target) = self.target.take() {
            let _ = target.kill().await;
        }
        Ok(())
    }
}
