//! What the server is told: where it listens, where it keeps things, whom it calls, and its limits.
//!
//! Contract: plain data with defaults for all of it. Relative paths are taken from the file's folder. A staff or pages listener
//! beyond loopback needs TLS or a named trusted proxy. Knows nothing about what is served.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::read::{self, Reader, Section};
use super::{ConfigError, Variables};
use crate::base::ids::TargetId;
use crate::base::text::sanitise;

/// The longest name of an organisation, in characters.
pub const MAX_ORGANISATION: usize = 80;

/// The server's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: Listen,
    /// Name of the organisation, as messages and pages say it.
    pub organisation: String,
    /// From which level on the server notes what it does.
    pub journal: JournalLevel,
    /// How requesters reach the pages listener from outside; goes into links. Without a trailing slash.
    pub public_url: String,
    /// The database file.
    pub database: PathBuf,
    /// The folder of key files.
    pub keys: PathBuf,
    /// A policy file in place of the built-in one; counts once it is approved.
    pub policy: Option<PathBuf>,
    /// Certificate and key for staff API and pages.
    pub tls: Option<Tls>,
    /// The one peer whose `X-Forwarded-For` is believed.
    pub trusted_proxy: Option<IpAddr>,
    /// How mail leaves.
    pub mail: Mail,
    /// Systems in which executions take place.
    pub targets: Vec<Target>,
    /// Bounds.
    pub limits: Limits,
}

/// From which level on the server notes what it does, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JournalLevel {
    /// Nothing.
    Off,
    /// What needs someone.
    Error,
    /// And what may come to that.
    Warn,
    /// And each request of someone known; of all others their number, once a minute.
    #[default]
    Info,
    /// And each request of those nobody knows, and connections that come to nothing.
    Debug,
}

impl std::str::FromStr for JournalLevel {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            _ => Err("one of: off, error, warn, info, debug"),
        }
    }
}

/// Where the server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Staff API.
    pub staff: SocketAddr,
    /// Requester's and attester's pages.
    pub pages: SocketAddr,
    /// Metrics, never to be reached from outside.
    pub metrics: SocketAddr,
}

/// Certificate and key, both in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// The way.
    pub way: MailWay,
}

/// The way mail takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailWay {
    /// As .eml files into a folder.
    Folder(PathBuf),
    /// To an SMTP server.
    Smtp {
        /// Its name.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        security: SmtpSecurity,
        /// User name and the file with the password.
        login: Option<(String, PathBuf)>,
        /// A certificate to trust beside the system's.
        ca_file: Option<PathBuf>,
    },
}

/// How a connection to an SMTP server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmtpSecurity {
    /// STARTTLS, required. Only where the server offers nothing better: whoever sits in between may put words before the upgrade, and what
    /// was read ahead of it is not thrown away.
    StartTls,
    /// TLS from the first byte (RFC 8314 §3.3), the usual way.
    #[default]
    Tls,
    /// None; accepted for loopback only.
    None,
}

impl std::str::FromStr for SmtpSecurity {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            _ => Err("one of: starttls, tls, none"),
        }
    }
}

/// A system in which executions take place, reached by signed webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id in cases.
    pub id: TargetId,
    /// Base address: `https`, or `http` on loopback, or anywhere where `answers_can_be_forged` says that this is known.
    pub url: String,
    /// The file with the signing secret (Standard Webhooks, `whsec_...`).
    pub secret_file: PathBuf,
    /// Addresses its name may resolve to; empty: any public one.
    pub addresses: Vec<IpAddr>,
    /// A certificate to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Seconds until a call is given up, 1 to 120.
    pub timeout_seconds: u64,
    /// Tries before an execution is given up, 1 to 50.
    pub tries: u32,
}

/// Bounds of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time and listener.
    pub connections: u64,
    /// Of these, how many from one address (IPv6: one /64); the trusted proxy may have them all. Usually an eighth, and at least 64.
    pub connections_each: u64,
    /// Bytes of a request body.
    pub body_bytes: u64,
    /// Seconds for a request; event streams are answered within them and live on.
    pub request_seconds: u64,
    /// Requests a minute and principal; a thirtieth of them, and at least 10, at once.
    pub requests_per_minute: u64,
    /// Requests a minute from one address that shows no good token: on the staff API, and looks at the pages; an eighth as many forms.
    pub stranger_requests_per_minute: u64,
    /// Event streams at a time.
    pub streams: u64,
    /// Seconds that shutdown waits for requests, then for what is sent and ordered, and once more until that is put back: at most three times as long
    /// and 10 s in all.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_each: 512,
            body_bytes: 256 * 1024,
            request_seconds: 20,
            requests_per_minute: 1_200,
            stranger_requests_per_minute: 240,
            streams: 2_000,
            drain_seconds: 10,
        }
    }
}

impl ServerConfig {
    /// Reads the text of a file and the variables over the defaults; relative paths are taken from `folder`.
    pub fn parse(text: &str, folder: &Path, variables: &Variables) -> Result<Self, ConfigError> {
        read::parse(text, variables, |reader, root| Self::read(reader, root, folder))
    }

    fn read(reader: &mut Reader<'_>, root: &mut Section<'_, '_>, folder: &Path) -> Self {
        let data = reader.text(root, "data").map_or_else(|| folder.to_owned(), |d| folder.join(d));
        let listen = reader.section(root, "listen", listen);
        let tls = reader.section(root, "tls", |reader, tls| tls_of(reader, tls, folder));
        let trusted_proxy = reader.parsed(root, "trusted_proxy").map(|ip: IpAddr| ip.to_canonical());
        let config = Self {
            listen,
            organisation: organisation(reader, root),
            journal: reader.section(root, "journal", |reader, journal| reader.parsed(journal, "level").unwrap_or_default()),
            public_url: public_url(reader, root, listen.pages),
            database: reader.text(root, "database").map_or_else(|| data.join("countersign.db"), |p| folder.join(p)),
            keys: reader.text(root, "keys").map_or_else(|| data.join("keys"), |p| folder.join(p)),
            policy: reader.text(root, "policy").map(|p| folder.join(p)),
            tls,
            trusted_proxy,
            mail: reader.section(root, "mail", |reader, mail| mail_of(reader, mail, folder, &data)),
            targets: reader.named(root, "targets", |reader, name, target| target_of(reader, name, target, folder)),
            limits: reader.section(root, "limits", limits),
        };
        for (key, address) in [("staff", listen.staff), ("pages", listen.pages)] {
            if !address.ip().is_loopback() && config.tls.is_none() && trusted_proxy.is_none() {
                reader.wrong(root, "listen", &format!("{key} is reachable from outside ({address}); give [tls] or trusted_proxy"));
            }
        }
        if !listen.metrics.ip().is_loopback() {
            reader.wrong(root, "listen", "metrics must be a loopback address");
        }
        config
    }
}

fn listen(reader: &mut Reader<'_>, section: &mut Section<'_, '_>) -> Listen {
    let mut address = |key, port| reader.parsed(section, key).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
    Listen { staff: address("staff", 8440), pages: address("pages", 8441), metrics: address("metrics", 8442) }
}

/// Short enough for a subject line, and nothing in it that could pass for more.
fn organisation(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> String {
    let Some(name) = reader.text(root, "organisation") else { return "Access recovery".to_owned() };
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_ORGANISATION || sanitise(&name, false) != name {
        reader.wrong(root, "organisation", &format!("must be a name of 1 to {MAX_ORGANISATION} characters that can all be seen"));
    }
    name
}

fn public_url(reader: &mut Reader<'_>, root: &mut Section<'_, '_>, pages: SocketAddr) -> String {
    let url = reader.text(root, "public_url").unwrap_or_else(|| format!("http://{pages}"));
    // The pages, their forms and their cookies lie at the top of their host.
    let top = |u: &url::Url| u.path() == "/" && u.username().is_empty() && u.password().is_none();
    let parsed = url::Url::parse(&url).ok().filter(|u| u.query().is_none() && u.fragment().is_none() && u.has_host() && top(u));
    match parsed {
        // As browsers write it in Origin: in small letters, without a port that goes without saying.
        Some(u) if u.scheme() == "https" || (u.scheme() == "http" && loopback(&u)) => u.origin().ascii_serialization(),
        _ => {
            reader.wrong(root, "public_url", "must be an https:// address (http:// only for loopback) without path and query");
            url
        }
    }
}

fn tls_of(reader: &mut Reader<'_>, section: &mut Section<'_, '_>, folder: &Path) -> Option<Tls> {
    let certificate = reader.text(section, "certificate").map(|p| folder.join(p));
    let key = reader.text(section, "key").map(|p| folder.join(p));
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
        (None, None) => None,
        (Some(_), None) => missing(reader, section, "key"),
        (None, Some(_)) => missing(reader, section, "certificate"),
    }
}

fn missing<T>(reader: &mut Reader<'_>, section: &Section<'_, '_>, key: &str) -> Option<T> {
    reader.wrong(section, key, "is missing");
    None
}

fn mail_of(reader: &mut Reader<'_>, section: &mut Section<'_, '_>, folder: &Path, data: &Path) -> Mail {
    let from = reader.text(section, "from").unwrap_or_else(|| "Access recovery <recovery@localhost>".to_owned());
    let to_folder = reader.text(section, "folder").map(|p| folder.join(p));
    let smtp = reader.section(section, "smtp", |reader, smtp| if smtp.is_present() { smtp_of(reader, smtp, folder) } else { None });
    if to_folder.is_some() && smtp.is_some() {
        reader.wrong(section, "folder", "give either a folder or [mail.smtp], not both");
    }
    Mail { from, way: smtp.unwrap_or_else(|| MailWay::Folder(to_folder.unwrap_or_else(|| data.join("mail")))) }
}

fn smtp_of(reader: &mut Reader<'_>, section: &mut Section<'_, '_>, folder: &Path) -> Option<MailWay> {
    let host = reader.text(section, "host");
    let security = reader.parsed(section, "security").unwrap_or_default();
    // RFC 8314: 465 with TLS from the first byte, 587 without.
    let usual = if security == SmtpSecurity::Tls { 465 } else { 587 };
    let port = reader.number(section, "port", 1..=65_535).and_then(|p| u16::try_from(p).ok()).unwrap_or(usual);
    let login = match (reader.text(section, "username"), reader.text(section, "password_file")) {
        (Some(user), Some(file)) => Some((user, folder.join(file))),
        (None, None) => None,
        (Some(_), None) => missing(reader, section, "password_file"),
        (None, Some(_)) => missing(reader, section, "username"),
    };
    let ca_file = reader.text(section, "ca_file").map(|p| folder.join(p));
    let Some(host) = host else { return missing(reader, section, "host") };
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if security == SmtpSecurity::None && !local {
        reader.wrong(section, "security", "mail with codes in it leaves this machine only over TLS");
    }
    Some(MailWay::Smtp { host, port, security, login, ca_file })
}

/// What plain HTTP to a target means: orders are signed, answers are not, and a target's answer alone is believed.
const PLAIN: &str = "http:// beyond loopback lets whoever sits in between read what is restored and answer in the target's place";

/// Whether a target's address is one over which anybody in between could answer for it: plain HTTP that leaves this machine.
pub fn unprotected(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|u| u.scheme() == "http" && !loopback(&u))
}

/// Whether an address leads to this machine alone.
fn loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn target_of(reader: &mut Reader<'_>, name: &str, section: &mut Section<'_, '_>, folder: &Path) -> Option<Target> {
    let url = reader.text(section, "url");
    let secret_file = reader.text(section, "secret_file").map(|p| folder.join(p));
    let ca_file = reader.text(section, "ca_file").map(|p| folder.join(p));
    let timeout_seconds = reader.number(section, "timeout_seconds", 1..=120).unwrap_or(10);
    let tries = reader.number(section, "tries", 1..=50).and_then(|t| u32::try_from(t).ok()).unwrap_or(8);
    let mut addresses = Vec::new();
    for text in reader.texts(section, "addresses").unwrap_or_default() {
        match text.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => reader.wrong(section, "addresses", &format!("\"{text}\" is not an IP address")),
        }
    }
    let forged = reader.flag(section, "answers_can_be_forged").unwrap_or_default();
    if let Some(url) = &url {
        let fits = url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host() && u.username().is_empty());
        match (fits, unprotected(url), forged) {
            (false, ..) => reader.wrong(section, "url", "must be an https:// address (http:// only for loopback) without a user name"),
            (true, true, false) => reader.wrong(section, "url", &format!("{PLAIN}; use https://, or say answers_can_be_forged = true")),
            (true, false, true) => reader.wrong(section, "answers_can_be_forged", "means something only with an http:// address beyond loopback"),
            _ => {}
        }
    }
    let id = TargetId::parse(name).map_err(|e| reader.wrong(section, "url", &format!("the target's name: {e}"))).ok();
    if url.is_none() {
        reader.wrong(section, "url", "is missing or wrong");
    }
    if secret_file.is_none() {
        reader.wrong(section, "secret_file", "is missing or wrong");
    }
    let (url, secret_file) = (url?, secret_file?);
    Some(Target { id: id?, url, secret_file, addresses, ca_file, timeout_seconds, tries })
}

fn limits(reader: &mut Reader<'_>, section: &mut Section<'_, '_>) -> Limits {
    let usual = Limits::default();
    let mut number = |key, bounds, usual| reader.number(section, key, bounds).unwrap_or(usual);
    let connections = number("connections", 1..=100_000, usual.connections);
    Limits {
        connections,
        connections_each: number("connections_each", 1..=100_000, (connections / 8).max(64)),
        body_bytes: number("body_bytes", 1_024..=4 * 1024 * 1024, usual.body_bytes),
        request_seconds: number("request_seconds", 1..=120, usual.request_seconds),
        requests_per_minute: number("requests_per_minute", 1..=1_000_000, usual.requests_per_minute),
        stranger_requests_per_minute: number("stranger_requests_per_minute", 1..=100_000, usual.stranger_requests_per_minute),
        streams: number("streams", 1..=100_000, usual.streams),
        drain_seconds: number("drain_seconds", 1..=120, usual.drain_seconds),
    }
}
