//! The server's own commands on its host: found, serve, import, back up, restore, look after.
//!
//! Contract: puts the rooms together as configured and hands over. The host can found, import and narrow; it can't widen (T33). Knows no
//! rules.

#![allow(missing_docs, reason = "where the settings lie needs no words in each variant")]

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tokio::net::TcpListener;

use super::out::{FAILED, Failure, Out, REFUSED, progress};
use super::{ending, journal};
use crate::base::ids::{SubjectId, TargetId};
use crate::base::ports::Ports;
use crate::config::keys::{Reserved, ServerKeys};
use crate::config::{self, ServerConfig, paths::Paths};
use crate::connectors::Connector;
use crate::connectors::configured::connectors;
use crate::outbound::mail::Mailer;
use crate::server::host::{Parts, Running};
use crate::server::{self, Listeners};
use crate::service::import::{Format, ImportError, Kind, Report};
use crate::service::workers::Patience;
use crate::service::{Keys, Service, ServiceError};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Store, StoreError};
use crate::{proofing, store};

/// Where the server's settings lie.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The server's settings; `server.toml` among the user's settings if absent.
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    /// Write what can be written although rows are refused. Without it, and where every row is refused, the file is left alone as a
    /// whole, and the exit code is 1.
    #[arg(long)]
    partial: bool,
    /// Only look, which is what happens without --write too.
    #[arg(long, conflicts_with = "write")]
    dry_run: bool,
}

/// Commands on the server's host.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Found a server: its keys, its database, and the first two persons.
    Init(super::found::Init),
    /// Let two recorded governors back in when nobody's token counts any more; everyone who governs is told.
    RecoverGovernance(super::recover::Recover),
    /// Run the server until it is told to end.
    ///
    /// Its journal goes to standard error, one JSON object a line: each request of someone known by its route, mail that could not be sent, orders
    /// that a target refused; no names, addresses, tokens, codes or texts. `[journal] level` in the settings, or COUNTERSIGN_JOURNAL_LEVEL, says from which
    /// level on: off, error, warn, info, debug. At a terminal it is plain text.
    ///
    /// SIGTERM ends it, after what is in hand. SIGHUP reads the certificate and its key again and nothing else: every other setting counts
    /// from the next start. Closing the terminal that it was started from ends it like SIGTERM; `nohup`, or starting it without a
    /// terminal as service managers do, lets it run on.
    Serve(Config),
    /// Look at a file of persons or subjects, and with --write record it. Refused while a server uses the database.
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
    ///
    /// A database that is there is compared with it, replaced only with --replace, and kept under another name. What was revoked or disabled
    /// there and is still good in the backup is revoked and disabled again, each with an entry; if it can't be read, nothing is restored without
    /// --revoke-tokens.
    Restore(super::restore::Restore),
    /// Check settings, keys, policy, clock, database, who can govern, outbox, mailboxes, certificate, mail and targets, and say where things lie. Exit
    /// code 0: all is in order; 1: something is wrong; 2: the settings can't be used.
    Doctor(Config),
}

impl HostCommand {
    /// Whether it changes anything that is kept.
    pub fn changes(&self) -> bool {
        match self {
            Self::Import(import) => import.write,
            Self::Serve(_) | Self::Backup { .. } | Self::Doctor(_) => false,
            _ => true,
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) => kept(error),
            ServiceError::Refused(_) => Self::new(REFUSED, error.to_string()),
            other => failed(other),
        }
    }
}

pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FAILED, error.to_string())
}

/// A failure of the store: one that its user can end by stopping the other program is one of usage.
pub(super) fn kept(error: StoreError) -> Failure {
    match error {
        StoreError::InUse(_) => Failure::usage(format!("{error}. `restore`, `import` and the like work on a stopped server.")),
        StoreError::Damaged(_) => {
            failed(format!("{error}. `countersign doctor` names all that is wrong; `countersign restore --replace` puts a backup in its place."))
        }
        other => failed(other),
    }
}

pub(super) fn settings(from: &Config) -> Result<(PathBuf, ServerConfig), Failure> {
    let variables = config::variables();
    let usual = || Paths::find(&variables).map(|p| p.server_file());
    let file = from.config.clone().or_else(usual).ok_or_else(|| Failure::usage("There is no home folder; give --config."))?;
    // From the root: what names a place is read a year later in another folder.
    let file = std::path::absolute(&file).unwrap_or(file);
    let text = config::read_file(&file, from.config.is_none())?.unwrap_or_default();
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    Ok((file.clone(), ServerConfig::parse(&text, &folder, &variables).map_err(|e| e.in_file(&file))?))
}

pub(super) fn open(config: &ServerConfig, keys: &ServerKeys, ports: &Ports) -> Result<(Arc<SqliteStore>, Arc<Service>), Failure> {
    let store = SqliteStore::open(&config.database, &SqliteOptions::default(), ports.clone(), &keys.master).map_err(kept)?;
    let store = Arc::new(store);
    let held: Arc<dyn Store> = store.clone();
    let service = Arc::new(Service::new(held, ports.clone(), Keys::new(*keys.nonces)));
    Ok((store, service))
}

/// Refused with what to do where no server was founded yet.
pub(super) fn founded(config: &ServerConfig) -> Result<(), Failure> {
    if config.database.exists() { Ok(()) } else { Err(Failure::new(REFUSED, nothing_founded(config))) }
}

pub(super) fn nothing_founded(config: &ServerConfig) -> String {
    format!("There is no database at {}: nothing is founded yet. Run `countersign init` with two persons.", config.database.display())
}

/// Nothing is served from a file with a torn page. One that is too large to be gone through at each start is left to `doctor`.
fn whole(config: &ServerConfig) -> Result<(), Failure> {
    match store::sqlite::quick_damage_of(&config.database).map_err(kept)? {
        Some(found) if found.is_empty() => Ok(()),
        Some(found) => Err(failed(format!("{}. Restore a backup (countersign restore --replace).", found.join("; ")))),
        None => {
            tracing::info!("the database is too large to look at every page at the start: `countersign doctor` does");
            Ok(())
        }
    }
}

pub(super) fn opened(from: &Config) -> Result<(ServerConfig, Arc<SqliteStore>, Arc<Service>), Failure> {
    let (_, config) = settings(from)?;
    founded(&config)?;
    let keys = ServerKeys::load(&config.keys)?;
    let (store, service) = open(&config, &keys, &Ports::system())?;
    Ok((config, store, service))
}

/// Runs one.
pub async fn run(command: &HostCommand, out: Out) -> Result<(), Failure> {
    match command {
        HostCommand::Init(init) => super::found::run(init, out).await,
        HostCommand::RecoverGovernance(recover) => super::recover::run(recover, out).await,
        HostCommand::Serve(config) => serve(config, out).await,
        HostCommand::Import(import) => bring(import, out).await,
        HostCommand::Codes { config, subject, file } => codes(config, subject, file, out).await,
        HostCommand::Backup { config, file } => {
            let (_, config) = settings(config)?;
            if file.exists() {
                return Err(Failure::usage(format!("{} is there already and was left as it is: give the backup another name.", file.display())));
            }
            founded(&config)?;
            // What is damaged says itself what to do.
            store::sqlite::backup_of(&config.database, file, &progress("looking through the backup")).map_err(failed)?;
            out.answer(&file, |f| format!("Backed up to {}.", f.display()))
        }
        HostCommand::Restore(restore) => super::restore::run(restore, out).await,
        HostCommand::Doctor(config) => super::doctor::run(config, out).await,
    }
}

/// Why nothing was imported: a file that is none, or what the server says.
fn imported(error: ImportError) -> Failure {
    match error {
        ImportError::Service(error) => error.into(),
        ImportError::File(_) => failed(error),
    }
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
    let unread = |e: std::io::Error| Failure::usage(format!("{} can't be read: {e}.", import.file.display()));
    let length = std::fs::metadata(&import.file).map_err(unread)?.len();
    if length > crate::service::import::MAX_FILE as u64 {
        return Err(Failure::usage("The file is too large. Split it."));
    }
    let bytes = std::fs::read(&import.file).map_err(unread)?;
    let mut report = service.import(kind, format, &bytes, true).await.map_err(imported)?;
    // Of a file of which nothing is good there is no part to write.
    let whole = report.refused == 0 || (import.partial && report.refused < report.rows);
    if import.write && whole {
        report = service.import(kind, format, &bytes, false).await.map_err(imported)?;
    }
    let refused = report.refused;
    out.answer(&report, |r| {
        let rows = if r.rows == 1 { "row" } else { "rows" };
        let mut text = format!("{} {rows}: {} new, {} changed, {} unchanged, {} refused", r.rows, r.new, r.changed, r.unchanged, r.refused);
        for row in &r.refusals {
            text = format!("{text}\nline {}: {}: {}", row.line, row.id.as_deref().unwrap_or("?"), row.why.join("; "));
        }
        text + &warned(r) + unwritten(r, whole)
    })?;
    if whole {
        Ok(())
    } else {
        Err(Failure::new(FAILED, if refused == 1 { "One row is refused.".to_owned() } else { format!("{refused} rows are refused.") }))
    }
}

/// Rows that are taken and worth looking at.
fn warned(report: &Report) -> String {
    let mut text = match report.warned {
        0 => return String::new(),
        1 => "\n1 row is taken with a warning:".to_owned(),
        n => format!("\n{n} rows are taken with a warning:"),
    };
    for row in &report.warnings {
        text = format!("{text}\nline {}: {}: {}", row.line, row.id, row.says.join("; "));
    }
    let more = report.warned.saturating_sub(report.warnings.len() as u64);
    if more > 0 { format!("{text}\nand {more} more of them") } else { text }
}

/// What was not written, and what to do about it.
fn unwritten(report: &Report, whole: bool) -> &'static str {
    let good = report.new + report.changed;
    match (report.dry_run, whole) {
        (false, _) if good == 0 => "\nThere was nothing to write.",
        (false, _) => "",
        (true, true) if good == 0 => "\nThere is nothing to write.",
        (true, true) => "\nNothing was written: give --write to record it.",
        (true, false) if report.refused == report.rows => "\nNothing was written: every row is refused. Mend them.",
        (true, false) => "\nNothing was written: mend the refused rows, or give --write --partial to record the others.",
    }
}

async fn codes(from: &Config, subject: &SubjectId, file: &Path, out: Out) -> Result<(), Failure> {
    let (_, _, service) = opened(from)?;
    if file.exists() {
        return Err(Failure::usage(format!("{} is there already.", file.display())));
    }
    // Before the former set is void: codes that can't be written down are codes that nobody has.
    let reserved = Reserved::new(file)?;
    let set = service.issue_saved_codes(subject).await?;
    let lines: Vec<&str> = set.iter().map(|c| c.as_str()).collect();
    if let Err(why) = reserved.fill(&(lines.join("\n") + "\n")) {
        let says = "The former set is void and nobody has the new one: run it again with another file.";
        return Err(Failure::new(FAILED, format!("{why}. {says}")));
    }
    out.answer(&file, |f| format!("Written to {}. Hand them to their subject and remove the file; any former set is void.", f.display()))
}

async fn serve(from: &Config, out: Out) -> Result<(), Failure> {
    let ends_with_terminal = ending::with_terminal();
    let (_, config) = settings(from)?;
    let _journal = journal::keep(config.journal, std::io::stderr(), std::io::stderr().is_terminal());
    founded(&config)?;
    let (mailer, connectors) = named(&config)?;
    let keys = ServerKeys::load(&config.keys)?;
    whole(&config)?;
    let (store, service) = open(&config, &keys, &Ports::system())?;
    let waiting = policy_that_waits(&config, &service).await?;
    let parts = Parts {
        service,
        codes: proofing::Keys::new(&*keys.codes).map_err(failed)?,
        mailer,
        connectors,
        public_url: config.public_url.clone(),
        organisation: config.organisation.clone(),
        config: limits(&config),
        patience: Patience::default(),
    };
    let staff = bind("staff", config.listen.staff).await?;
    let (pages, metrics) = (bind("pages", config.listen.pages).await?, bind("metrics", config.listen.metrics).await?);
    let listeners = Listeners { staff, pages: Some(pages), metrics: Some(metrics) };
    let address = |l: Option<&TcpListener>| l.and_then(|l| l.local_addr().ok()).map(|a| a.to_string());
    let bound = serde_json::json!({
        "api": address(Some(&listeners.staff)),
        "pages": config.public_url,
        "pages_listener": address(listeners.pages.as_ref()),
        "metrics": address(listeners.metrics.as_ref()),
        "policy_waits": waiting,
    });
    // Before anyone is told that it serves: whoever reads that may end it at once.
    let (told, left) = (ending::until_told(), ending::until_left(ends_with_terminal, config.tls.is_some()));
    out.answer(&bound, |b| {
        let waits = if waiting { "\nThe policy file is not the policy in force: propose it with `countersign policy propose`." } else { "" };
        let (api, metrics) = (b["api"].as_str().unwrap_or_default(), b["metrics"].as_str().unwrap_or_default());
        format!("Serving the staff API on {api}, pages on {}, metrics on {metrics}.{waits}", config.public_url)
    })?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "serving");
    let mut running = Running::start(parts, listeners);
    tokio::select! {
        () = told => {}
        () = running.over() => {}
        () = left => {}
    }
    running.stop().await.map_err(failed)?;
    store.close();
    tracing::info!("ended in order");
    Ok(())
}

/// Where mail goes, and every target.
type Outside = (Mailer, BTreeMap<TargetId, Arc<dyn Connector>>);

/// What the settings name beside themselves, certificate, secrets and authorities: whatever is missing or wrong is told at once.
fn named(config: &ServerConfig) -> Result<Outside, Failure> {
    let mut wrong = Vec::new();
    let certificate = config.tls.as_ref().map(|tls| server::certificate::examine(&tls.certificate, &tls.key, None));
    wrong.extend(certificate.and_then(Result::err).map(|why| why.to_string()));
    let mailer = Mailer::configured(&config.mail).map_err(|why| wrong.push(why.to_string())).ok();
    let mut all = BTreeMap::new();
    for target in &config.targets {
        match connectors(std::slice::from_ref(target)) {
            Ok(one) => all.extend(one),
            Err(why) => wrong.push(why.to_string()),
        }
    }
    match mailer {
        Some(mailer) if wrong.is_empty() => Ok((mailer, all)),
        _ => Err(Failure::new(FAILED, wrong.join("\n"))),
    }
}

async fn bind(key: &str, address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| failed(format!("can't listen on {address}, which is listen.{key} in the settings: {e}")))
}

/// Whether the configured policy file is another policy than the one in force, which stays in force until two persons say otherwise.
async fn policy_that_waits(config: &ServerConfig, service: &Service) -> Result<bool, Failure> {
    let register = service.store.register().await.map_err(kept)?;
    if !register.founded {
        return Err(Failure::new(REFUSED, "Nothing is founded yet: run `countersign init` with two persons."));
    }
    let Some(file) = &config.policy else { return Ok(false) };
    let (_, policy) = super::policy::read(Some(file))?;
    Ok(register.policy != Some(policy.sha256))
}

fn limits(config: &ServerConfig) -> server::ServerConfig {
    server::ServerConfig {
        max_body: usize::try_from(config.limits.body_bytes).unwrap_or(64 * 1024),
        request_time: Duration::from_secs(config.limits.request_seconds),
        requests_per_minute: u32::try_from(config.limits.requests_per_minute).unwrap_or(u32::MAX),
        stranger_requests_per_minute: u32::try_from(config.limits.stranger_requests_per_minute).unwrap_or(u32::MAX),
        streams: usize::try_from(config.limits.streams).unwrap_or(usize::MAX),
        drain: Duration::from_secs(config.limits.drain_seconds),
        connections: usize::try_from(config.limits.connections).unwrap_or(4_096),
        connections_each: usize::try_from(config.limits.connections_each).unwrap_or(512),
        trusted_proxy: config.trusted_proxy,
        tls: config.tls.as_ref().map(|t| (t.certificate.clone(), t.key.clone())),
        ..server::ServerConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_data_that_is_damaged_is_told_with_what_to_do() {
        let damaged = || StoreError::Damaged("the register can't be read: expected `,` or `}`".into());
        for failure in [kept(damaged()), ServiceError::Store(damaged()).into(), imported(ImportError::from(ServiceError::Store(damaged())))] {
            for said in ["stored data is damaged: the register can't be read", "`countersign doctor`", "`countersign restore --replace`"] {
                assert!(failure.detail.contains(said) && failure.code == FAILED, "{said}: {}", failure.detail);
            }
        }
    }
}
