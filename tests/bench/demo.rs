//! The product under measurement: a filled demo, started here or running already, and requests to it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use serde_json::{Value, json};

use super::load::{self, Load, Request};
use super::{Error, Running, block_on, first_line};

/// The longest one level of load may take.
pub const LEVEL: Duration = Duration::from_secs(20);
/// Accounts whose consoles listen, each with as many streams as one account may have.
const LISTENERS: [&str; 7] = ["nadia", "d.ruiz", "a.lindqvist", "nadia.deputy", "m.chen", "e.morgan", "tom.becker"];
/// Streams that one account may have.
const STREAMS_EACH: usize = 8;
/// Who approves.
const APPROVER: &str = "d.ruiz";

/// The product, filled and running.
pub struct Demo {
    _running: Option<Running>,
    pid: u32,
    api: String,
    /// Where it listens.
    pub port: u16,
    tokens: Value,
}

impl Demo {
    /// Starts it and waits until it is filled.
    pub fn start(cases: u64) -> Result<Self, Error> {
        eprintln!("filling a demo with {cases} cases ...");
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["demo", "--headless", "--cases", &cases.to_string()]);
        let (running, line) = first_line(command)?;
        #[allow(clippy::cast_precision_loss, reason = "a count of cases")]
        let per_second = cases as f64 / began.elapsed().as_secs_f64();
        let cpu = super::probe::usage(running.0.id()).0 / 1e3;
        eprintln!("filled: {per_second:.0} cases a second, {cpu:.1} s of CPU");
        Self::of(&line, Some(running))
    }

    /// One that runs already: the line of JSON that `demo --headless` printed.
    pub fn running(line: &str) -> Result<Self, Error> {
        Self::of(line, None)
    }

    fn of(line: &str, running: Option<Running>) -> Result<Self, Error> {
        let facts: Value = serde_json::from_str(line)?;
        let api = facts["api"].as_str().ok_or("no api address")?.to_owned();
        let port = api.rsplit(':').next().and_then(|p| p.trim_end_matches('/').parse().ok()).ok_or("no port")?;
        let pid = facts["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).ok_or("no process")?;
        Ok(Self { _running: running, pid, api, port, tokens: facts["tokens"].clone() })
    }

    fn token(&self, name: &str) -> Result<&str, Error> {
        self.tokens[name].as_str().ok_or_else(|| format!("no token for {name}").into())
    }

    fn authorization(&self, name: &str) -> Result<String, Error> {
        Ok(format!("Authorization: Bearer {}", self.token(name)?))
    }

    /// Anonymous memory in MiB.
    pub fn memory_mib(&self) -> f64 {
        super::probe::anonymous_mib(self.pid)
    }

    /// The console, signed in against this server, with nothing kept from earlier.
    pub fn console_command(&self, home: &Path) -> Result<CommandBuilder, Error> {
        let home = home.join(self.port.to_string());
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["--server", &self.api]);
        command.env("COUNTERSIGN_TOKEN", self.token("nadia")?);
        command.env("TERM", "xterm-256color");
        command.env("HOME", &home);
        for folder in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env(folder, &home);
        }
        Ok(command)
    }

    /// A list page as the console asks for it.
    pub fn page_request(&self, query: &str) -> Result<Request, Error> {
        Ok(Request::new("GET", &format!("/v1/cases?limit=50{query}"), &[self.authorization("nadia")?], ""))
    }

    /// The median of the queue's first page, one client, in milliseconds.
    pub fn page_ms(&self) -> Result<f64, Error> {
        let lists = vec![vec![self.page_request("&filter=!ended")?; 200]];
        Ok(block_on(load::run(self.port, lists, LEVEL))?.latency.median())
    }

    /// The case the queue begins with.
    pub fn first_case(&self) -> Result<String, Error> {
        let page = self.get("nadia", "/v1/cases?limit=1&filter=!ended")?;
        Ok(page["rows"][0]["id"].as_str().ok_or("the queue is empty")?.to_owned())
    }

    /// Runs requests over so many connections; also gives CPU milliseconds a request.
    pub fn load(&self, requests: Vec<Request>, connections: usize) -> Result<(Load, f64), Error> {
        measured(self.pid, self.port, requests, connections)
    }

    fn get(&self, who: &str, path: &str) -> Result<Value, Error> {
        let request = Request::new("GET", path, &[self.authorization(who)?], "");
        let body = block_on(load::once(self.port, &request)).map_err(|e| format!("GET {path}: {e}"))?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Ready-made approvals of cases that wait, each with its statement's nonce.
    pub fn approvals(&self, most: usize) -> Result<Vec<Request>, Error> {
        let (mut requests, mut after) = (Vec::new(), String::new());
        while requests.len() < most {
            let page = self.get(APPROVER, &format!("/v1/cases?limit=200&filter=decidable{after}"))?;
            for row in page["rows"].as_array().into_iter().flatten().take(most - requests.len()) {
                let id = row["id"].as_str().unwrap_or_default();
                let Ok(statement) = self.get(APPROVER, &format!("/v1/cases/{id}/statement?decision=approve")) else { continue };
                let body = json!({"decision": "approve", "seal_sha256": statement["seal_sha256"], "nonce": statement["nonce"], "reason": "measured"});
                let headers =
                    [self.authorization(APPROVER)?, format!("If-Match: \"{}\"", statement["version"]), format!("Idempotency-Key: bench-{id}")];
                requests.push(Request::new("POST", &format!("/v1/cases/{id}/decisions"), &headers, &body.to_string()));
            }
            match page["after"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        Ok(requests)
    }

    /// Comments on as many open cases, as far as there are, each with the case's number.
    pub fn comments(&self, count: usize) -> Result<Vec<(Request, String)>, Error> {
        let (mut comments, mut after) = (Vec::new(), String::new());
        while comments.len() < count {
            let page = self.get("nadia", &format!("/v1/cases?limit=200&filter=!ended%20state:new{after}"))?;
            for row in page["rows"].as_array().into_iter().flatten().take(count - comments.len()) {
                let id = row["id"].as_str().unwrap_or_default();
                let key = format!("Idempotency-Key: fan-{id}-{}", row["version"]);
                let headers = [self.authorization("nadia")?, format!("If-Match: \"{}\"", row["version"]), key];
                let request = Request::new("POST", &format!("/v1/cases/{id}/comments"), &headers, &json!({"text": "measured"}).to_string());
                comments.push((request, id.to_owned()));
            }
            match page["after"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        Ok(comments)
    }

    /// As many event streams as its accounts may open.
    pub fn streams(&self) -> Result<Vec<Request>, Error> {
        let mut streams = Vec::new();
        for name in LISTENERS {
            let headers = [self.authorization(name)?, "Accept: text/event-stream".to_owned()];
            streams.extend(std::iter::repeat_n(Request::new("GET", "/v1/events", &headers, ""), STREAMS_EACH));
        }
        Ok(streams)
    }
}

/// Runs requests over so many connections against a process; also gives its CPU milliseconds a request.
pub fn measured(pid: u32, port: u16, requests: Vec<Request>, connections: usize) -> Result<(Load, f64), Error> {
    let mut lists = vec![Vec::new(); connections];
    for (i, request) in requests.into_iter().enumerate() {
        lists[i % connections].push(request);
    }
    let before = super::probe::usage(pid).0;
    let load = block_on(load::run(port, lists, LEVEL))?;
    #[allow(clippy::cast_precision_loss, reason = "a count of requests")]
    let each = (super::probe::usage(pid).0 - before) / load.latency.0.len().max(1) as f64;
    Ok((load, each))
}
