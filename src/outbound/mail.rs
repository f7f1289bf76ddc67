//! Mail: one plain-text message to one address, by SMTP or into a folder.
//!
//! Contract: [`Mailer::send`] returns once the relay has accepted the message, or once the file is durable under its final name. Header
//! values can't carry a second header; the body is plain text. A message keeps its id over retries, so a reader's program can drop a copy.
//! Knows nothing about cases or why a message is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

use crate::base::text::sanitise;
use crate::base::{Digest, Time};
use crate::config::server as config;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The longest subject line, in characters.
pub const MAX_SUBJECT: usize = 200;

/// For a whole conversation with a configured relay: a slow one gets its time, and one that falls silent holds nothing up for long.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Answers of a relay to who signs in (RFC 4954): it holds something against us, not against the message.
const SIGN_IN: &[&str] = &["530", "534", "535", "538"];

/// A message to one address.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// What makes it this message and no other; the same on every retry.
    pub key: String,
    /// When it was written.
    pub at: Time,
}

/// How to reach the mail relay.
#[derive(Clone)]
pub struct Smtp {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Name and password, where the relay asks.
    pub credentials: Option<(String, SecretString)>,
    /// For the whole conversation.
    pub timeout: Duration,
    /// A further certificate authority, in PEM.
    pub root: Option<Vec<u8>>,
}

/// How the connection to the relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all: for a relay on the same machine.
    Plain,
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// What a relay, or whatever stood in the way, said. Its words quote addresses as a rule: for whoever looks after the server and asks, never
/// for a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The relay's status, e.g. 550, if it gave one.
    pub status: Option<u16>,
    /// Its words.
    pub words: String,
}

impl Said {
    fn nothing(words: impl Into<String>) -> Self {
        Self { status: None, words: words.into() }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address can't be one; trying again won't help.
    #[error("the address can't be sent to")]
    Address,
    /// The message can't be written; trying again won't help.
    #[error("the message can't be written: {0}")]
    Message(String),
    /// The relay refused for good.
    #[error("the relay refused the message: {0}")]
    Refused(Said),
    /// It could not be handed over now.
    #[error("the message could not be handed over: {0}")]
    Unreachable(Said),
    /// The mailer could not be set up.
    #[error("mail could not be set up: {0}")]
    Setup(String),
}

impl MailError {
    /// Whether trying again can help.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Address | Self::Message(_) | Self::Refused(_))
    }

    /// What kind it is, for the server's journal: never what the relay said, nor to whom the message was to go.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Message(_) => "message",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::Setup(_) => "setup",
        }
    }

    /// The relay's status, e.g. 550, if it gave one.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(said) | Self::Unreachable(said) => said.status,
            _ => None,
        }
    }
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>, Duration),
    Folder(PathBuf),
}

/// Sends mail.
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

impl Mailer {
    /// As the server's configuration says.
    pub fn configured(mail: &config::Mail) -> Result<Self, MailError> {
        let setup = |e: crate::config::ConfigError| MailError::Setup(e.to_string());
        let (host, port, security, login, ca_file) = match &mail.way {
            config::MailWay::Folder(folder) => return Self::folder(&mail.from, folder),
            config::MailWay::Smtp { host, port, security, login, ca_file } => (host, *port, *security, login, ca_file),
        };
        let credentials = match login {
            Some((user, file)) => {
                let password = crate::config::keys::read_private(file).map_err(setup)?;
                Some((user.clone(), SecretString::from(password.trim_end())))
            }
            None => None,
        };
        let read = |file: &PathBuf| std::fs::read(file).map_err(|e| MailError::Setup(format!("{}: {e}", file.display())));
        let security = match security {
            config::SmtpSecurity::StartTls => Security::StartTls,
            config::SmtpSecurity::Tls => Security::Tls,
            config::SmtpSecurity::None => Security::Plain,
        };
        let root = ca_file.as_ref().map(read).transpose()?;
        Self::smtp(&mail.from, &Smtp { host: host.clone(), port, security, credentials, timeout: TIMEOUT, root })
    }

    /// By SMTP.
    pub fn smtp(from: &str, smtp: &Smtp) -> Result<Self, MailError> {
        let setup = |e: lettre::transport::smtp::Error| MailError::Setup(e.to_string());
        let parameters = || {
            let mut builder = TlsParameters::builder(smtp.host.clone());
            if let Some(root) = &smtp.root {
                builder = builder.add_root_certificate(Certificate::from_pem(root).map_err(setup)?);
            }
            builder.build().map_err(setup)
        };
        let tls = match smtp.security {
            Security::Plain => Tls::None,
            Security::StartTls => Tls::Required(parameters()?),
            Security::Tls => Tls::Wrapper(parameters()?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host).port(smtp.port).timeout(Some(smtp.timeout)).tls(tls);
        if let Some((user, password)) = &smtp.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { from: sender(from)?, way: Way::Smtp(transport.build(), smtp.timeout) })
    }

    /// Into a folder, one `.eml` file a message; the folder is made if it is missing. Codes are in them: folder and files are their
    /// owner's alone.
    pub fn folder(from: &str, folder: &Path) -> Result<Self, MailError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|e| MailError::Setup(format!("{}: {e}", folder.display())))?;
        Ok(Self { from: sender(from)?, way: Way::Folder(folder.to_owned()) })
    }

    /// Whether messages could be handed over now: greets the relay, with TLS and password as configured, and sends nothing.
    pub async fn reachable(&self) -> Result<(), MailError> {
        match &self.way {
            Way::Smtp(transport, most) => match bounded(*most, transport.test_connection()).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(MailError::Unreachable(Said::nothing("it answered and then went away"))),
                Err(MailError::Refused(why)) => Err(MailError::Unreachable(why)),
                Err(other) => Err(other),
            },
            Way::Folder(folder) => {
                let probe = folder.join(".reachable");
                let tried = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
                tried.map_err(|e| MailError::Unreachable(Said::nothing(format!("{}: {e}", folder.display()))))
            }
        }
    }

    /// Hands a message over.
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message = self.write(letter)?;
        match &self.way {
            Way::Smtp(transport, most) => bounded(*most, transport.send(message)).await.map(drop),
            Way::Folder(folder) => {
                let name = format!("{}-{}", letter.at.format("%Y%m%dT%H%M%S%3f"), Digest::of(letter.key.as_bytes()).short());
                let (folder, bytes) = (folder.clone(), message.formatted());
                let written = tokio::task::spawn_blocking(move || put(&folder, &name, &bytes)).await;
                let failed = |why: String| MailError::Unreachable(Said::nothing(why));
                written.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))
            }
        }
    }

    fn write(&self, letter: &Letter) -> Result<lettre::Message, MailError> {
        if letter.body.len() > MAX_BODY {
            return Err(MailError::Message(format!("longer than {MAX_BODY} bytes")));
        }
        let to = address(&letter.to)?;
        let subject: String = sanitise(&letter.subject, false).chars().take(MAX_SUBJECT).collect();
        let domain = self.from.email.domain();
        let id = format!("<{}@{domain}>", Digest::of(letter.key.as_bytes()));
        let message = MessageBuilder::new()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(letter.at.into())
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834: keeps holiday responders from answering.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
        message.body(sanitise(&letter.body, true)).map_err(|e| MailError::Message(e.to_string()))
    }
}

/// An error with what caused it.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// A conversation within its time. The transport's own limit is for connecting only; once connected, it would wait for ever.
async fn bounded<T>(most: Duration, talk: impl Future<Output = Result<T, lettre::transport::smtp::Error>>) -> Result<T, MailError> {
    match tokio::time::timeout(most, talk).await {
        Ok(said) => said.map_err(|e| failure(&e)),
        Err(_) => Err(MailError::Unreachable(Said::nothing(format!("the relay did not answer within {} s", most.as_secs())))),
    }
}

/// Whether the relay refuses the message, or can't take it now.
fn failure(error: &lettre::transport::smtp::Error) -> MailError {
    let status = error.status().map(u16::from);
    let said = Said { status, words: sanitise(&describe(error), false) };
    let of_sign_in = error.status().is_some_and(|code| SIGN_IN.contains(&code.to_string().as_str()));
    if error.is_permanent() && !of_sign_in { MailError::Refused(said) } else { MailError::Unreachable(said) }
}

fn sender(from: &str) -> Result<Mailbox, MailError> {
    from.parse().map_err(|e: lettre::address::AddressError| MailError::Setup(format!("sender {}: {e}", sanitise(from, false))))
}

/// Reads a recorded address: at most 254 bytes, one bare address, nothing that could become a second header or recipient.
pub fn address(text: &str) -> Result<Address, MailError> {
    if text.len() > 254 || text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '\\')) {
        return Err(MailError::Address);
    }
    text.parse().map_err(|_| MailError::Address)
}

/// Writes a file under another name first, so that a reader never sees half a message.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let draft = folder.join(format!(".{name}.part"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, folder.join(format!("{name}.eml")))
}
