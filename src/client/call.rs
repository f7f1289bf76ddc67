//! One call: the request is built, sent, repeated where that is safe, and its answer read within bounds.
//!
//! Contract: nothing is repeated that could be done twice. Knows no endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::ClientError;
use crate::api::case::CaseDetail;
use crate::api::governance::RegisterAnswer;
use crate::api::problem::Problem;
use crate::base::ports::Random;

/// The largest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// How long a call may take before it counts as unreachable, unless it is set otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Why nothing came in that time.
pub(super) const NO_ANSWER: &str = "no answer in time";
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a call is repeated at most.
const MAX_REPEATS: usize = 3;

/// Where the server is and how to trust it.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Its base address, e.g. `https://countersign.example:8443`.
    pub server: Url,
    /// Certificates in PEM to trust beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The credential, if there is one yet.
    pub token: Option<SecretString>,
    /// How long a call may take before it counts as unreachable; event streams live on.
    pub timeout: Duration,
}

/// A connection to one server under one credential. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    server: Url,
    token: Option<SecretString>,
    pub(super) timeout: Duration,
    random: Arc<dyn Random>,
    looks_only: bool,
}

/// What a write gave back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The case as it is now, where the server sent it.
    pub case: Option<Box<CaseDetail>>,
    /// Its version, from the `ETag`.
    pub version: Option<u64>,
    /// What became of a change of the register, where it was one.
    pub governed: Option<Box<RegisterAnswer>>,
}

impl Client {
    /// A client for a server; connects only when something is asked.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when the address is not `http` or `https`, or the certificates can't be read.
    pub fn new(config: ClientConfig, random: Arc<dyn Random>) -> Result<Self, ClientError> {
        let ClientConfig { mut server, ca_pem, token, timeout } = config;
        if !matches!(server.scheme(), "http" | "https") || server.cannot_be_a_base() {
            return Err(ClientError::Configuration(format!("The server's address {server} must begin with http:// or https://.")));
        }
        if !server.path().ends_with('/') {
            server.set_path(&format!("{}/", server.path()));
        }
        let loopback = server
            .host_str()
            .is_some_and(|h| h == "localhost" || h.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_max_idle_per_host(4);
        if loopback {
            builder = builder.no_proxy();
        }
        if let Some(pem) = ca_pem {
            let bad = |e: reqwest::Error| ClientError::Configuration(format!("The file of trusted certificates can't be used: {e}."));
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(bad)?;
            if certificates.is_empty() {
                return Err(ClientError::Configuration("The file of trusted certificates (`ca_file`) holds no certificate in PEM.".into()));
            }
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let http = builder.build().map_err(|e| ClientError::Configuration(format!("The connection can't be set up: {e}.")))?;
        Ok(Self { http, server, token, timeout, random, looks_only: false })
    }

    /// The server's address, for showing.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// The same connection under another credential.
    #[must_use]
    pub fn with_token(&self, token: Option<SecretString>) -> Self {
        Self { token, ..self.clone() }
    }

    /// The same connection, over which nothing is ever changed if `looks_only` says so.
    #[must_use]
    pub fn looking_only(self, looks_only: bool) -> Self {
        Self { looks_only, ..self }
    }

    /// Whether it may change anything.
    pub(super) fn may_change(&self) -> Result<(), ClientError> {
        if self.looks_only {
            return Err(ClientError::Configuration("Nothing was changed: --read-only is given, or read_only set in the settings.".into()));
        }
        Ok(())
    }

    /// A fresh key for one write; keep it for as long as that very write is tried again.
    pub fn key(&self) -> String {
        self.random.id("key")
    }

    /// The address of an endpoint under `/v1/`, each part escaped.
    pub(super) fn address(&self, parts: &[&str]) -> Result<Url, ClientError> {
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| ClientError::Configuration("The server's address can't be used.".into()))?
            .pop_if_empty()
            .push("v1")
            .extend(parts);
        Ok(url)
    }

    /// The headers every request carries.
    pub(super) fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/problem+json"));
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| ClientError::Configuration("The token holds characters that no token has.".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    /// Reads: repeated a bounded number of times while the trouble is a passing one.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ClientError> {
        let once = || async {
            let request = self.http.request(Method::GET, url.clone()).headers(self.headers()?).timeout(self.timeout);
            let response = request.send().await.map_err(|e| self.unreachable(&e))?;
            self.read(response).await.map(|(value, _)| value)
        };
        once.retry(backoff()).when(ClientError::is_worth_repeating).await
    }

    /// Asks with a body, and changes nothing: repeated as reading is, and told as reading.
    pub(super) async fn ask<T: DeserializeOwned>(&self, url: Url, body: Vec<u8>) -> Result<T, ClientError> {
        let once = || async {
            let request = self.posting(&url, &body)?;
            let response = request.send().await.map_err(|e| self.unreachable(&e))?;
            self.read(response).await.map(|(value, _)| value)
        };
        once.retry(backoff()).when(ClientError::is_worth_repeating).await
    }

    fn posting(&self, url: &Url, body: &[u8]) -> Result<RequestBuilder, ClientError> {
        let request = self.http.request(Method::POST, url.clone()).headers(self.headers()?).timeout(self.timeout);
        Ok(request.header(CONTENT_TYPE, "application/json").body(body.to_vec()))
    }

    /// Writes: the same key goes with each repetition, so the server does it once. What reached the server at none of them is told apart from what
    /// may have, of which nothing is known unless the last answer says what became of it.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: Url,
        body: Vec<u8>,
        key: &str,
        if_match: Option<u64>,
    ) -> Result<(T, Option<u64>), ClientError> {
        let went_out = AtomicBool::new(false);
        let lost = |error: ClientError| {
            went_out.store(true, Ordering::Relaxed);
            error
        };
        let once = || async {
            let mut request = self.posting(&url, &body)?.header("Idempotency-Key", key);
            if let Some(version) = if_match {
                request = request.header(IF_MATCH, format!("\"{version}\""));
            }
            // Without a connection (refused, no such name, no handshake) nothing of it left; after anything else some of it may have.
            let sent = request.send().await.map_err(|e| {
                let error = self.unreachable(&e);
                if e.is_connect() || e.is_builder() { error } else { lost(error) }
            })?;
            self.read(sent).await.map_err(|error| if error.may_be_done() { lost(error) } else { error })
        };
        let done = once.retry(backoff()).when(ClientError::is_worth_repeating).await;
        done.map_err(|error| match (error, went_out.load(Ordering::Relaxed)) {
            (ClientError::Unreachable { server, why }, false) => ClientError::NotSent { server, why },
            (ClientError::Unreachable { server, why }, true) => ClientError::Unanswered { server, why },
            (error, true) if !error.says_what_became() => self.unanswered(&error),
            (error, _) => error,
        })
    }

    /// That nobody knows whether it was done, after an answer that does not say.
    fn unanswered(&self, error: &ClientError) -> ClientError {
        let request = error.request_id().map(|id| format!(", request {id}")).unwrap_or_default();
        let why = format!("at last: {}{request}", error.to_string().trim_end_matches('.'));
        ClientError::Unanswered { server: self.server.origin().ascii_serialization(), why }
    }

    /// Reads an answer within [`MAX_ANSWER`]; anything but success becomes an error.
    pub(super) async fn read<T: DeserializeOwned>(&self, mut response: Response) -> Result<(T, Option<u64>), ClientError> {
        let status = response.status().as_u16();
        let version = response.headers().get(ETAG).and_then(|v| v.to_str().ok()).and_then(version_of);
        let request_id = response.headers().get("x-request-id").and_then(|v| v.to_str().ok()).map(|v| crate::base::text::sanitise(v, false));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(ClientError::NotUnderstood { status, hint: "The answer is too large.".into(), request_id });
            }
            body.extend_from_slice(&chunk);
        }
        if (200..300).contains(&status) {
            let bytes: &[u8] = if body.is_empty() { b"null" } else { &body };
            return match serde_json::from_slice(bytes) {
                Ok(value) => Ok((value, version)),
                Err(_) => Err(ClientError::NotUnderstood { status, hint: "Are console and server of the same version?".into(), request_id }),
            };
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
            Err(_) => Err(ClientError::NotUnderstood { status, hint: "Is this the address of a Countersign server?".into(), request_id }),
        }
    }

    /// A failed sending, in words without addresses of proxies or tokens.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        if let Some(why) = untrusted(error) {
            let server = self.server.origin().ascii_serialization();
            return ClientError::Configuration(format!(
                "The server at {server} shows a certificate that is not trusted here ({why}). If it is yours, name its authority's certificate as `ca_file` in the settings; `countersign man` says where they lie."
            ));
        }
        let why = if error.is_timeout() {
            NO_ANSWER
        } else if error.is_connect() {
            "no connection"
        } else {
            "the connection broke; perhaps too many are open from here"
        };
        ClientError::Unreachable { server: self.server.origin().ascii_serialization(), why: why.to_owned() }
    }
}

/// What is wrong with the server's certificate, if that is why nothing was sent.
fn untrusted(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    // Errors of transports wrap each other a few times; 16 is more than any does.
    for _ in 0..16 {
        let this = cause?;
        if let Some(rustls::Error::InvalidCertificate(why)) = this.downcast_ref::<rustls::Error>() {
            return Some(crate::base::text::sanitise(&why.to_string(), false));
        }
        // An I/O error hides what it wraps: its source is that of what is inside.
        let inner = this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map(|e| e as &(dyn std::error::Error + 'static)).or_else(|| this.source());
    }
    None
}

fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(MAX_REPEATS)
        .with_jitter()
}

/// The version in an `ETag`: `"17"`, weak ones too.
fn version_of(tag: &str) -> Option<u64> {
    tag.trim_start_matches("W/").trim_matches('"').parse().ok()
}
