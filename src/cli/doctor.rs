//! `countersign doctor`: everything an operator of a server would look at, in one go, each finding with what to do.
//!
//! Contract: changes nothing, runs beside a server that is up, and goes on after a finding. Exit code 1 if anything is wrong. Sends no mail
//! and gives targets no order: it only connects.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;

use super::host::{Config, settings};
use super::out::{FAILED, Failure, Out};
use crate::base::ports::{Clock as _, SystemClock};
use crate::config::ServerConfig;
use crate::config::keys::{ServerKeys, read_private};
use crate::config::server::MailWay;
use crate::connectors::configured::connectors;
use crate::outbound::mail::Mailer;
use crate::store::sqlite::{head_of, verify_file};

/// How long connecting to a target or mail server may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The first time that a sane clock can show: this program is not older than 2026.
const NOT_BEFORE: i64 = 1_767_225_600;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    says: String,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &str, result: Result<String, String>) {
        let (ok, says) = match result {
            Ok(says) => (true, says),
            Err(says) => (false, says),
        };
        self.0.push(Finding { what: what.to_owned(), ok, says });
    }
}

/// Runs it.
pub async fn run(from: &Config, out: Out) -> Result<(), Failure> {
    let (file, config) = settings(from)?;
    let mut found = Findings::default();
    found.add("settings", Ok(if file.exists() { file.display().to_string() } else { "none; the built-in ones".to_owned() }));
    found.add("keys", ServerKeys::load(&config.keys).map(|_| config.keys.display().to_string()).map_err(|e| e.to_string()));
    found.add("policy file", policy(&config));
    found.add("clock", clock());
    found.add("database", private(&config.database).and_then(|()| database(&config.database)));
    if let Some(tls) = &config.tls {
        let readable = |path: &Path| std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()));
        found.add("certificate", readable(&tls.certificate).map(|_| tls.certificate.display().to_string()));
        found.add("certificate's key", readable(&tls.key).and_then(|_| private(&tls.key)).map(|()| tls.key.display().to_string()));
    }
    found.add("mail", mail(&config).await);
    for target in &config.targets {
        let set_up = connectors(std::slice::from_ref(target)).map_err(|e| e.to_string());
        let reached = match set_up {
            Ok(_) => reach(&target.url).await,
            Err(why) => Err(why),
        };
        found.add(&format!("target {}", target.id), reached);
    }
    report(&found.0, out)
}

fn report(found: &[Finding], out: Out) -> Result<(), Failure> {
    let wrong = found.iter().filter(|f| !f.ok).count();
    out.answer(&serde_json::json!({ "ok": wrong == 0, "findings": found }), |_| {
        let lines = found.iter().map(|f| format!("{}  {}: {}\n", if f.ok { "ok   " } else { "WRONG" }, f.what, f.says));
        lines.collect::<String>() + if wrong == 0 { "All is in order." } else { "" }
    })?;
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new(FAILED, "One thing is wrong.")),
        n => Err(Failure::new(FAILED, format!("{n} things are wrong."))),
    }
}

fn policy(config: &ServerConfig) -> Result<String, String> {
    match super::policy::read(config.policy.as_deref()) {
        Ok((_, policy)) => Ok(format!("sound, sha256 {}", policy.sha256)),
        Err(failure) => Err(format!("{} {}", failure.detail, failure.mistakes.join("; "))),
    }
}

fn clock() -> Result<String, String> {
    let now = SystemClock::new().now().timestamp();
    if now < NOT_BEFORE { Err("shows a time before this program was written: set it".to_owned()) } else { Ok("plausible".to_owned()) }
}

/// Whether nobody but the owner can get at a file.
fn private(path: &Path) -> Result<(), String> {
    let meta = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&meta) & 0o077 != 0 {
        return Err(format!("{} can be reached by others; make it yours alone (chmod 600)", path.display()));
    }
    Ok(())
}

/// Verifies the database alone.
pub fn verify(from: &Config, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(from)?;
    let says = database(&config.database).map_err(|why| Failure::new(FAILED, why))?;
    let (entries, root) = head_of(&config.database).map_err(super::host::failed)?;
    out.answer(&serde_json::json!({ "entries": entries, "root_sha256": root.to_string() }), |_| says)
}

fn database(path: &Path) -> Result<String, String> {
    let shown = std::cell::Cell::new(u64::MAX);
    let terminal = std::io::stderr().is_terminal();
    let found = verify_file(path, &|done, of| {
        let percent = done * 100 / of.max(1);
        if terminal && shown.replace(percent) != percent {
            let _ = write!(std::io::stderr(), "\rverifying the database: {percent}%{}", if percent == 100 { "\n" } else { "" });
        }
    });
    let found = found.map_err(|e| e.to_string())?;
    if !found.is_empty() {
        return Err(format!("differs from its log: {}", found.join("; ")));
    }
    let (entries, root) = head_of(path).map_err(|e| e.to_string())?;
    Ok(format!("{}, {entries} entries, root {root}, projections agree", path.display()))
}

async fn mail(config: &ServerConfig) -> Result<String, String> {
    Mailer::configured(&config.mail).map_err(|e| e.to_string())?;
    match &config.mail.way {
        MailWay::Folder(folder) => Ok(format!("written into {}, nothing is sent", folder.display())),
        MailWay::Smtp { host, port, login, .. } => {
            if let Some((_, file)) = login {
                read_private(file).map_err(|e| e.to_string())?;
            }
            connect(host, *port).await
        }
    }
}

async fn reach(url: &str) -> Result<String, String> {
    let url = url::Url::parse(url).map_err(|e| e.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    connect(&host, url.port_or_known_default().unwrap_or(443)).await
}

async fn connect(host: &str, port: u16) -> Result<String, String> {
    match tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(format!("{host}:{port} answers")),
        Ok(Err(e)) => Err(format!("{host}:{port}: {e}")),
        Err(_) => Err(format!("{host}:{port}: no answer within {} s", CONNECT.as_secs())),
    }
}
