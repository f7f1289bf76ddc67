//! The server against its floor: list pages, durable approvals, fan-out of events, memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portable_pty::CommandBuilder;
use serde_json::{Value, json};

use super::figures::{Figure, Target, median_of};
use super::load::{self, Load, Request};
use super::probe::anonymous_mib;
use super::{Error, Options, Running, first_line};

/// List pages asked for at each level.
const PAGES: usize = 2_000;
/// Approvals given at each level, as far as there are cases that wait.
const APPROVALS: usize = 640;
/// Consoles that listen in the fan-out.
const STREAMS: usize = 100;
/// The longest one level may take.
const LEVEL: Duration = Duration::from_secs(20);

/// The product, filled and running.
pub struct Demo {
    running: Running,
    api: String,
    port: u16,
    tokens: Value,
}

impl Demo {
    /// Starts it and waits until it is filled.
    pub fn start(cases: u64) -> Result<Self, Error> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["demo", "--headless", "--cases", &cases.to_string()]);
        let (running, line) = first_line(command)?;
        let facts: Value = serde_json::from_str(&line)?;
        let api = facts["api"].as_str().ok_or("no api address")?.to_owned();
        let port = api.rsplit(':').next().and_then(|p| p.trim_end_matches('/').parse().ok()).ok_or("no port")?;
        Ok(Self { running, api, port, tokens: facts["tokens"].clone() })
    }

    fn token(&self, name: &str) -> Result<&str, Error> {
        self.tokens[name].as_str().ok_or_else(|| format!("no token for {name}").into())
    }

    fn authorization(&self, name: &str) -> Result<String, Error> {
        Ok(format!("Authorization: Bearer {}", self.token(name)?))
    }

    /// The console, signed in against this server.
    pub fn console_command(&self) -> Result<CommandBuilder, Error> {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["--server", &self.api]);
        command.env("COUNTERSIGN_TOKEN", self.token("nadia")?);
        command.env("TERM", "xterm-256color");
        Ok(command)
    }

    fn page_request(&self, query: &str) -> Result<Request, Error> {
        Ok(Request::new("GET", &format!("/v1/cases?limit=50{query}"), &[self.authorization("nadia")?], ""))
    }

    /// The median of a list page, one client, in milliseconds.
    pub fn page_ms(&self) -> Result<f64, Error> {
        let lists = vec![vec![self.page_request("")?; 200]];
        Ok(block_on(load::run(self.port, lists, LEVEL))?.latency.median())
    }

    fn get(&self, who: &str, path: &str) -> Result<Value, Error> {
        let request = Request::new("GET", path, &[self.authorization(who)?], "");
        Ok(serde_json::from_slice(&block_on(load::once(self.port, &request))?)?)
    }

    /// Ready-made approvals of cases that wait, each with its statement's nonce.
    fn approvals(&self, most: usize) -> Result<Vec<Request>, Error> {
        let who = "d.ruiz";
        let (mut requests, mut after) = (Vec::new(), String::new());
        while requests.len() < most {
            let page = self.get(who, &format!("/v1/cases?limit=200&filter=state:sealed%20decidable{after}"))?;
            for row in page["rows"].as_array().into_iter().flatten() {
                let id = row["id"].as_str().unwrap_or_default();
                let Ok(statement) = self.get(who, &format!("/v1/cases/{id}/statement?decision=approve")) else { continue };
                let body = json!({"decision": "approve", "seal_sha256": statement["seal_sha256"], "nonce": statement["nonce"], "reason": "measured"});
                let headers = [self.authorization(who)?, format!("If-Match: \"{}\"", statement["version"]), format!("Idempotency-Key: bench-{id}")];
                requests.push(Request::new("POST", &format!("/v1/cases/{id}/decisions"), &headers, &body.to_string()));
            }
            match page["after"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        requests.truncate(most);
        Ok(requests)
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, Box<dyn std::error::Error + Send + Sync>>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(future).map_err(|e| e.to_string().into())
}

fn spread(requests: Vec<Request>, connections: usize) -> Vec<Vec<Request>> {
    let mut lists = vec![Vec::new(); connections];
    for (i, request) in requests.into_iter().enumerate() {
        lists[i % connections].push(request);
    }
    lists
}

struct Floor {
    _running: Running,
    port: u16,
}

impl Floor {
    fn start(folder: &Path, rows: u64) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor-server").arg(folder.join("floor.db")).arg(rows.to_string());
        let (running, line) = first_line(command)?;
        Ok(Self { _running: running, port: line.parse()? })
    }

    fn load(&self, method: &str, path: &str, count: usize, connections: usize) -> Result<Load, Error> {
        let request = Request::new(method, path, &[], "");
        block_on(load::run(self.port, spread(vec![request; count], connections), LEVEL))
    }
}

fn figure(what: &str, value: f64, floor: f64, unit: &'static str, target: Target) -> Figure {
    Figure { what: what.to_owned(), value, floor: Some(floor), unit, target }
}

fn pages(demo: &Demo, floor: &Floor) -> Result<Vec<Figure>, Error> {
    let ours = |query: &str, connections: usize| -> Result<Load, Error> {
        block_on(load::run(demo.port, spread(vec![demo.page_request(query)?; PAGES], connections), LEVEL))
    };
    let base = floor.load("GET", "/cases", PAGES, 1)?;
    let one = ours("", 1)?;
    let base_four = floor.load("GET", "/cases", PAGES * 2, 4)?;
    let four = ours("", 4)?;
    let filtered = ours("&filter=risk:high%20kind:service_account", 1)?;
    let searched = ours("&filter=payments", 1)?;
    Ok(vec![
        figure("list page of 50, p50", one.latency.median(), base.latency.median(), "ms", Target::AtMost(2.5)),
        figure("list page of 50, 4 connections, pages a second", four.per_second, base_four.per_second, "/s", Target::AtLeast(0.4)),
        figure("list page with a filter, p99", filtered.latency.percentile(0.99), base.latency.percentile(0.99), "ms", Target::AtMost(10.0)),
        figure("list page with full-text search, p99", searched.latency.percentile(0.99), base.latency.percentile(0.99), "ms", Target::AtMost(10.0)),
    ])
}

fn approvals(demo: &Demo, floor: &Floor) -> Result<Vec<Figure>, Error> {
    let mut ready = demo.approvals(APPROVALS)?;
    if ready.len() < 64 {
        eprintln!("only {} cases wait for approval: approvals are not measured; use more --cases", ready.len());
        return Ok(Vec::new());
    }
    let many = ready.split_off(ready.len() / 4);
    let (few_count, many_count) = (ready.len(), many.len());
    let base = floor.load("POST", "/approve", few_count.max(500), 1)?;
    let one = block_on(load::run(demo.port, vec![ready], LEVEL))?;
    let base_many = floor.load("POST", "/approve", many_count.max(3_000), 32)?;
    let thirty_two = block_on(load::run(demo.port, spread(many, 32), LEVEL))?;
    Ok(vec![
        figure("durable approvals a second, 1 client", one.per_second, base.per_second, "/s", Target::AtLeast(0.5)),
        figure("durable approvals a second, 32 clients", thirty_two.per_second, base_many.per_second, "/s", Target::AtLeast(0.4)),
    ])
}

fn fan_out(demo: &Demo, floor: &Floor) -> Result<Vec<Figure>, Error> {
    let emits = vec![Request::new("POST", "/emit", &[], ""); 20];
    let base = block_on(load::fan_out(floor.port, &Request::new("GET", "/events", &[], ""), STREAMS, &emits))?;
    let page = demo.get("nadia", "/v1/cases?limit=20&filter=!ended%20state:new")?;
    let mut comments = Vec::new();
    for row in page["rows"].as_array().into_iter().flatten() {
        let id = row["id"].as_str().unwrap_or_default();
        let headers = [demo.authorization("nadia")?, format!("If-Match: \"{}\"", row["version"]), format!("Idempotency-Key: fan-{id}")];
        comments.push(Request::new("POST", &format!("/v1/cases/{id}/comments"), &headers, &json!({"text": "measured"}).to_string()));
    }
    let stream = Request::new("GET", "/v1/events", &[demo.authorization("nadia")?, "Accept: text/event-stream".to_owned()], "");
    let before = anonymous_mib(demo.running.0.id());
    let ours = block_on(load::fan_out(demo.port, &stream, STREAMS, &comments))?;
    let after = anonymous_mib(demo.running.0.id());
    eprintln!("a stream: {:.0} KiB", (after - before).max(0.0) * 1024.0 / 100.0);
    Ok(vec![figure("change to the last of 100 consoles, p50", ours.median(), base.median(), "ms", Target::AtMost(4.0))])
}

/// All rounds.
pub fn measure(demo: &Demo, options: &Options, folder: &Path) -> Result<Vec<Figure>, Error> {
    let idle = anonymous_mib(demo.running.0.id());
    let floor = Floor::start(folder, options.cases)?;
    let rounds = (0..options.rounds).map(|_| pages(demo, &floor)).collect::<Result<Vec<_>, _>>()?;
    let mut figures = median_of(&rounds);
    figures.extend(approvals(demo, &floor)?);
    figures.extend(fan_out(demo, &floor)?);
    let memory = |what: &str, value: f64, most: f64| Figure { what: what.to_owned(), value, floor: None, unit: "Mi", target: Target::AtMost(most) };
    figures.push(memory("server memory, idle (anonymous)", idle, 32.0));
    figures.push(memory("server memory, after load (anonymous)", anonymous_mib(demo.running.0.id()), 128.0));
    Ok(figures)
}
