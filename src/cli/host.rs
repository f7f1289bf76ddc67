//! The server's own commands on its host: found, serve, import, back up, restore, look after.
//!
//! Contract: puts the rooms together as configured and hands over. The host can found, import and narrow; it can't widen (T33). Knows no
//! rules.

#![allow(missing_docs, reason = "where the settings lie needs no words in each variant")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::out::{FAILED, Failure, Out, REFUSED};
use crate::base::Untrusted;
use crate::base::ids::{EmployerId, OperatorId, PersonId, SubjectId};
use crate::base::ports::Ports;
use crate::config::keys::{ServerKeys, write_private};
use crate::config::{self, ServerConfig, paths::Paths};
use crate::connectors::configured::connectors;
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::event::RegisterChange;
use crate::domain::register::{Holder, Operator, Person, Token};
use crate::domain::vocabulary::{Role, Status};
use crate::outbound::mail::Mailer;
use crate::server::pages;
use crate::server::{self, Listeners};
use crate::service::import::{Format, Kind};
use crate::service::register::Beside;
use crate::service::requester::Requester;
use crate::service::workers::{Hands, Patience, Workers};
use crate::service::{Ask, Keys, Service, ServiceError};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{PersonDetails, Store};
use crate::{proofing, store};

/// Where the server's settings lie.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The server's settings; `server.toml` among the user's settings if absent.
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The founding ceremony.
#[derive(Debug, Args)]
pub struct Init {
    /// Where the settings lie.
    #[command(flatten)]
    config: Config,
    /// The account of the first person, who will own policy.
    #[arg(long, value_name = "ACCOUNT")]
    policy_owner: OperatorId,
    /// The account of the second person, who reviews security and approves what the first proposes.
    #[arg(long, value_name = "ACCOUNT")]
    security_reviewer: OperatorId,
    /// Who employs both.
    #[arg(long)]
    employer: EmployerId,
    /// Where each person's token is written, as ACCOUNT.token, readable by its owner alone.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    tokens: PathBuf,
}

/// What is imported.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum What {
    /// People.
    Persons,
    /// Whose access can be restored.
    Subjects,
}

/// An import.
#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    config: Config,
    /// What the file holds.
    what: What,
    /// The file, .csv or .json.
    file: PathBuf,
    /// Write it; without this the file is only looked at.
    #[arg(long)]
    write: bool,
}

/// Commands on the server's host.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Found a server: its keys, its database, and the first two persons.
    Init(Init),
    /// Run the server until it is told to end.
    Serve(Config),
    /// Look at a file of persons or subjects, and with --write record it.
    Import(Import),
    /// Issue a subject a fresh set of saved recovery codes, to be handed to the subject.
    Codes {
        #[command(flatten)]
        config: Config,
        /// Whose.
        subject: SubjectId,
        /// The file they are written to, readable by its owner alone.
        file: PathBuf,
    },
    /// Copy the database while it is used.
    Backup {
        #[command(flatten)]
        config: Config,
        /// The new file.
        file: PathBuf,
    },
    /// Verify a backup and put it where the database is to be.
    Restore {
        #[command(flatten)]
        config: Config,
        /// The backup.
        file: PathBuf,
        /// Replace a database that is there.
        #[arg(long)]
        replace: bool,
    },
    /// Check settings, keys, log and projections, and say where things lie.
    Doctor(Config),
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let code = if matches!(error, ServiceError::Refused(_)) { REFUSED } else { FAILED };
        Self::new(code, error.to_string())
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FAILED, error.to_string())
}

fn settings(from: &Config) -> Result<(PathBuf, ServerConfig), Failure> {
    let variables = config::variables();
    let usual = || Paths::find(&variables).map(|p| p.server_file());
    let file = from.config.clone().or_else(usual).ok_or_else(|| Failure::usage("There is no home folder; give --config."))?;
    let text = config::read_file(&file, from.config.is_none())?.unwrap_or_default();
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    Ok((file.clone(), ServerConfig::parse(&text, &folder, &variables).map_err(|e| e.in_file(&file))?))
}

fn open(config: &ServerConfig, keys: &ServerKeys, ports: &Ports) -> Result<(Arc<SqliteStore>, Arc<Service>), Failure> {
    let store = SqliteStore::open(&config.database, &SqliteOptions::default(), ports.clone(), &keys.master).map_err(failed)?;
    let store = Arc::new(store);
    let held: Arc<dyn Store> = store.clone();
    let service = Arc::new(Service::new(held, ports.clone(), Keys::new(*keys.nonces)));
    Ok((store, service))
}

fn opened(from: &Config) -> Result<(ServerConfig, Arc<SqliteStore>, Arc<Service>), Failure> {
    let (_, config) = settings(from)?;
    let keys = ServerKeys::load(&config.keys)?;
    let (store, service) = open(&config, &keys, &Ports::system())?;
    Ok((config, store, service))
}

/// Runs one.
pub async fn run(command: &HostCommand, out: Out) -> Result<(), Failure> {
    match command {
        HostCommand::Init(init) => found(init, out).await,
        HostCommand::Serve(config) => serve(config, out).await,
        HostCommand::Import(import) => bring(import, out).await,
        HostCommand::Codes { config, subject, file } => codes(config, subject, file, out).await,
        HostCommand::Backup { config, file } => {
            let (_, store, _) = opened(config)?;
            store.backup(file).await.map_err(failed)?;
            out.answer(&file, |f| format!("Backed up to {}.", f.display()))
        }
        HostCommand::Restore { config, file, replace } => {
            let (_, config) = settings(config)?;
            let entries = store::sqlite::restore(file, &config.database, *replace, &|_, _| {}).map_err(failed)?;
            out.answer(&serde_json::json!({ "entries": entries }), |_| format!("Restored and verified: {entries} entries."))
        }
        HostCommand::Doctor(config) => doctor(config, out).await,
    }
}

#[derive(Serialize)]
struct Founded {
    tokens: Vec<PathBuf>,
    database: PathBuf,
    keys: PathBuf,
}

async fn found(init: &Init, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(&init.config)?;
    let ports = Ports::system();
    let (text, policy) = super::policy::read(config.policy.as_deref())?;
    let keys = if config.keys.exists() { ServerKeys::load(&config.keys)? } else { ServerKeys::create(&config.keys, &*ports.random)? };
    let (_, service) = open(&config, &keys, &ports)?;
    if service.store.register().await.map_err(failed)?.founded {
        return Err(Failure::new(REFUSED, "The register was founded before."));
    }
    let people = [(&init.policy_owner, Role::PolicyOwner), (&init.security_reviewer, Role::SecurityReviewer)];
    let (mut changes, mut details, mut persons, mut tokens) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (account, role) in people {
        let person = PersonId::parse(&format!("p-{account}")).map_err(|e| Failure::usage(e.to_string()))?;
        let minted = service.mint()?;
        let (employer, now) = (init.employer.clone(), service.now());
        changes.push(RegisterChange::SetPerson(Person {
            id: person.clone(),
            employer,
            team: None,
            manager: None,
            shift: None,
            on_call: false,
            status: Status::Active,
        }));
        let (id, roles) = (account.clone(), BTreeSet::from([role]));
        changes.push(RegisterChange::SetOperator(Operator { id, person: person.clone(), roles, groups: BTreeSet::new(), enabled: true }));
        let holder = Holder::Operator(account.clone());
        let expires_at = now + chrono::Duration::hours(24);
        let (id, secret_sha256) = (minted.id.clone(), minted.secret_sha256);
        changes.push(RegisterChange::IssueToken(Token {
            id,
            holder,
            on_behalf_of: Vec::new(),
            secret_sha256,
            issued_at: now,
            expires_at,
            revoked_at: None,
        }));
        details.push(PersonDetails { id: person.clone(), name: Untrusted::from(account.as_str()), email: None });
        persons.push(person);
        tokens.push((init.tokens.join(format!("{account}.token")), minted.presented));
    }
    let [one, other] = <[PersonId; 2]>::try_from(persons).map_err(|_| failed("two persons are needed"))?;
    let command = RegisterCommand::Found { changes, by: [one, other], policy: policy.sha256 };
    let beside = Beside { people: details, policy: Some((policy.sha256, text)), ..Beside::default() };
    for (file, token) in &tokens {
        write_private(file, token)?;
    }
    let done = service.govern(&Ask::system(Worker::Host), &command, &beside).await;
    if let Err(error) = done {
        // Tokens of a founding that did not take place open nothing; they only confuse.
        for (file, _) in &tokens {
            drop(std::fs::remove_file(file));
        }
        return Err(error.into());
    }
    let tokens = tokens.into_iter().map(|(file, _)| file).collect();
    out.answer(&Founded { tokens, database: config.database.clone(), keys: config.keys.clone() }, |f| {
        let files: Vec<String> = f.tokens.iter().map(|t| t.display().to_string()).collect();
        format!(
            "Founded. Each of the two takes their token, good for a day: {}\nKeep {} safe and apart from backups.",
            files.join(", "),
            f.keys.display()
        )
    })
}

async fn bring(import: &Import, out: Out) -> Result<(), Failure> {
    let (_, _, service) = opened(&import.config)?;
    let format = match import.file.extension().and_then(|e| e.to_str()) {
        Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        _ => return Err(Failure::usage("The file's name must end in .csv or .json.")),
    };
    let kind = match import.what {
        What::Persons => Kind::Persons,
        What::Subjects => Kind::Subjects,
    };
    let length = std::fs::metadata(&import.file).map_err(failed)?.len();
    if length > crate::service::import::MAX_FILE as u64 {
        return Err(Failure::usage("The file is too large. Split it."));
    }
    let bytes = std::fs::read(&import.file).map_err(failed)?;
    let report = service.import(kind, format, &bytes, !import.write).await.map_err(failed)?;
    out.answer(&report, |r| {
        let mut text = format!("{} rows: {} new, {} changed, {} unchanged, {} refused", r.rows, r.new, r.changed, r.unchanged, r.refused);
        for row in &r.refusals {
            text = format!("{text}\nline {}: {}: {}", row.line, row.id.as_deref().unwrap_or("?"), row.why.join("; "));
        }
        if r.dry_run { text + "\nNothing was written: give --write to record it." } else { text }
    })
}

async fn codes(from: &Config, subject: &SubjectId, file: &Path, out: Out) -> Result<(), Failure> {
    let (_, _, service) = opened(from)?;
    if file.exists() {
        return Err(Failure::usage(format!("{} is there already.", file.display())));
    }
    let set = service.issue_saved_codes(subject).await?;
    let lines: Vec<&str> = set.iter().map(|c| c.as_str()).collect();
    write_private(file, &(lines.join("\n") + "\n"))?;
    out.answer(&file, |f| format!("Written to {}. Hand them to their subject and remove the file; the former set is void.", f.display()))
}

async fn doctor(from: &Config, out: Out) -> Result<(), Failure> {
    let (file, config) = settings(from)?;
    let keys = ServerKeys::load(&config.keys)?;
    let (store, _) = open(&config, &keys, &Ports::system())?;
    let found = store.verify(&|_, _| {}).await.map_err(failed)?;
    if !found.is_empty() {
        return Err(Failure { code: FAILED, ..Failure::mistakes("The database differs from its log.", found) });
    }
    let (entries, root) = store.head().await.map_err(failed)?;
    let report = serde_json::json!({
        "settings": file, "database": config.database, "keys": config.keys, "entries": entries, "root_sha256": root.to_string(),
    });
    out.answer(&report, |_| {
        let (settings, database, keys) = (file.display(), config.database.display(), config.keys.display());
        format!("settings  {settings}\ndatabase  {database}\nkeys      {keys}\nlog       {entries} entries, root {root}\nAll is in order.")
    })
}

async fn serve(from: &Config, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(from)?;
    let keys = ServerKeys::load(&config.keys)?;
    let (store, service) = open(&config, &keys, &Ports::system())?;
    let hands = Hands {
        keys: proofing::derive::Keys::new(&*keys.codes).map_err(failed)?,
        mailer: Mailer::configured(&config.mail).map_err(failed)?,
        connectors: connectors(&config.targets).map_err(failed)?,
        pages_url: config.public_url.clone(),
        organisation: "Access recovery".to_owned(),
    };
    let requester = Requester::new(service.clone(), hands.keys.clone());
    let pages = pages::router(requester, pages::Settings::new(&config.public_url, &hands.organisation));
    let bind = |address| async move { TcpListener::bind(address).await.map_err(|e| failed(format!("can't listen on {address}: {e}"))) };
    let staff = bind(config.listen.staff).await?;
    let listeners = Listeners { staff, pages: Some(bind(config.listen.pages).await?), metrics: Some(bind(config.listen.metrics).await?) };
    let bound = serde_json::json!({
        "api": listeners.staff.local_addr().map_err(failed)?.to_string(),
        "pages": config.public_url,
    });
    out.answer(&bound, |b| format!("Serving the staff API on {}, pages on {}.", b["api"], b["pages"]))?;
    let (stop, stopped) = watch::channel(false);
    let workers = tokio::spawn(Arc::new(Workers::new(service.clone(), Arc::new(hands), Patience::default())).run(stopped.clone()));
    tokio::spawn(async move {
        until_told().await;
        stop.send_replace(true);
    });
    let limits = server::ServerConfig {
        max_body: usize::try_from(config.limits.body_bytes).unwrap_or(64 * 1024),
        requests_per_second: u32::try_from(config.limits.requests_per_minute / 60).unwrap_or(20).max(1),
        drain: std::time::Duration::from_secs(config.limits.drain_seconds),
        connections: usize::try_from(config.limits.connections).unwrap_or(4_096),
        trusted_proxy: config.trusted_proxy,
        tls: config.tls.as_ref().map(|t| (t.certificate.clone(), t.key.clone())),
    };
    server::run(limits, service, pages, listeners, stopped).await.map_err(failed)?;
    let _ = workers.await;
    store.close();
    Ok(())
}

/// Until the process is asked to end.
async fn until_told() {
    #[cfg(unix)]
    if let Ok(mut term) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = term.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
