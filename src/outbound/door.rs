//! HTTP to configured addresses only (threats.md T21).
//!
//! Contract: a request leaves only if its address, written in its normal form, lies under a base that the operator configured; names are
//! resolved by us, every resolved address is checked and the connection goes to the checked address; no redirect is followed, no proxy is
//! used, no answer is read beyond a bound. Says whether a failed request can have arrived. Knows nothing about what is sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::{Host, Url};

use super::address::is_public;

/// The longest address accepted, in bytes.
pub const MAX_URL: usize = 2_048;
/// The most bytes read of an answer, unless configured smaller.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// The most bases one door has.
pub const MAX_BASES: usize = 1_000;

/// A base address that requests may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
    addresses: Vec<IpAddr>,
}

impl Base {
    /// A base from the operator's configuration: `http` or `https`, host, optional port, a path that ends in `/`. `addresses` are the
    /// only ones its name may resolve to, private or not; none listed means any public one. A literal address in the base is itself meant.
    pub fn new(text: &str, addresses: Vec<IpAddr>) -> Result<Self, DoorError> {
        let url = normal(text)?;
        if !url.path().ends_with('/') || url.query().is_some() {
            return Err(DoorError::Address("a base address ends in '/' and has no query"));
        }
        Ok(Self { url, addresses })
    }

    /// The base as text, with its final `/`.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    fn covers(&self, url: &Url) -> bool {
        let same =
            self.url.scheme() == url.scheme() && self.url.host() == url.host() && self.url.port_or_known_default() == url.port_or_known_default();
        same && url.path().starts_with(self.url.path())
    }
}

/// How much a door lets through, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the connection to stand.
    pub connect: Duration,
    /// For the whole request, answer included.
    pub total: Duration,
    /// The most bytes of an answer.
    pub answer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(15), answer: MAX_ANSWER }
    }
}

/// Why a request was not sent, or its answer not had.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address is not one that may be asked; nothing was sent.
    #[error("the address may not be asked: {0}")]
    Address(&'static str),
    /// No connection was made; nothing was sent.
    #[error("no connection: {0}")]
    NotSent(String),
    /// It may or may not have arrived and been done.
    #[error("no answer: {0}")]
    Unknown(String),
    /// The answer is one that is not accepted: a redirect, or too large. It arrived.
    #[error("the answer was not accepted: {0}")]
    Answer(&'static str),
    /// The door could not be set up.
    #[error("outbound HTTP could not be set up: {0}")]
    Setup(String),
}

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whether a body is posted; otherwise it asks (`GET`).
    pub body: Option<Vec<u8>>,
    /// Where.
    pub url: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
}

/// An answer that came whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, never a redirect.
    pub status: u16,
    /// The body, within the bound.
    pub body: Vec<u8>,
}

/// The door.
#[derive(Clone)]
pub struct Door {
    bases: Arc<Vec<Base>>,
    client: reqwest::Client,
    limits: Limits,
}

impl Door {
    /// A door to these bases. `roots` are further certificate authorities, in PEM.
    pub fn new(bases: Vec<Base>, roots: &[Vec<u8>], limits: Limits) -> Result<Self, DoorError> {
        if bases.len() > MAX_BASES {
            return Err(DoorError::Setup(format!("more than {MAX_BASES} base addresses")));
        }
        let setup = |e: reqwest::Error| DoorError::Setup(e.to_string());
        let bases = Arc::new(bases);
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(limits.connect)
            .timeout(limits.total)
            .pool_max_idle_per_host(4)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Checked { bases: Arc::clone(&bases) });
        for root in roots {
            builder = builder.add_root_certificate(reqwest::Certificate::from_pem(root).map_err(setup)?);
        }
        Ok(Self { bases, client: builder.build().map_err(setup)?, limits })
    }

    /// Whether a request may go there; the address as it would be used.
    pub fn check(&self, text: &str) -> Result<Url, DoorError> {
        let url = normal(text)?;
        if self.bases.iter().any(|b| b.covers(&url)) { Ok(url) } else { Err(DoorError::Address("it lies under no configured base address")) }
    }

    /// Sends a request and reads its answer.
    pub async fn send(&self, call: Call) -> Result<Answer, DoorError> {
        let url = self.check(&call.url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(&value).map_err(|_| DoorError::Address("a header holds what a header can't"))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let request = match call.body {
            Some(body) => self.client.post(url).body(body),
            None => self.client.get(url),
        };
        let answer = request.headers(headers).send().await.map_err(|e| failure(&e))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(DoorError::Answer("it redirects, and redirects are never followed"));
        }
        let body = self.read(answer).await?;
        Ok(Answer { status: status.as_u16(), body })
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, DoorError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failure(&e))? {
            if body.len() + chunk.len() > self.limits.answer {
                return Err(DoorError::Answer("it is larger than what is read of an answer"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Only a connection that never stood is known not to have carried anything.
fn failure(error: &reqwest::Error) -> DoorError {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    if error.is_connect() || error.is_builder() { DoorError::NotSent(text) } else { DoorError::Unknown(text) }
}

/// Parses an address and insists that it was written in the one form that every reader understands the same way.
fn normal(text: &str) -> Result<Url, DoorError> {
    let no = |why| Err(DoorError::Address(why));
    if text.len() > MAX_URL {
        return no("it is too long");
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains('\\') {
        return no("it holds a character that has no place in an address");
    }
    let Ok(url) = Url::parse(text) else { return no("it is not an address") };
    if !matches!(url.scheme(), "http" | "https") {
        return no("only http and https are spoken");
    }
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest)).unwrap_or_default();
    if !url.username().is_empty() || url.password().is_some() || authority.contains('@') {
        return no("it holds a user name or password");
    }
    if url.fragment().is_some() {
        return no("it holds a fragment");
    }
    if url.as_str() != text {
        return no("it is not written in its normal form");
    }
    let path = url.path().to_ascii_lowercase();
    if ["%2f", "%5c", "%2e", "%00", "//"].iter().any(|trick| path.contains(trick)) {
        return no("its path is encoded in a way that readers disagree on");
    }
    match url.host() {
        Some(Host::Domain(name)) if name.ends_with('.') => no("its host ends in a dot"),
        Some(_) => Ok(url),
        None => no("it has no host"),
    }
}

/// Resolves names to addresses that may be connected to; the connection is made to exactly these, so nothing can change in between.
struct Checked {
    bases: Arc<Vec<Base>>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let bases = Arc::clone(&self.bases);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let listed: Vec<IpAddr> = bases.iter().filter(|b| b.url.host_str() == Some(host.as_str())).flat_map(|b| b.addresses.clone()).collect();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.take(32).collect();
            let checked = permitted(&found, &listed)?;
            Ok(Box::new(checked.into_iter()) as Addrs)
        })
    }
}

/// All of the resolved addresses if every one may be connected to: a name that also leads inside is not trusted at all.
pub(super) fn permitted(found: &[SocketAddr], listed: &[IpAddr]) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let meant = |a: &&SocketAddr| if listed.is_empty() { is_public(a.ip()) } else { listed.contains(&a.ip()) };
    match found.iter().find(|a| !meant(a)) {
        Some(inside) => Err(format!("the name leads to {}, which is not public or not listed for it", inside.ip()).into()),
        None if found.is_empty() => Err("the name leads nowhere".into()),
        None => Ok(found.to_vec()),
    }
}
