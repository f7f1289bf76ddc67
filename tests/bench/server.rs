//! The server against its floor: list pages, durable approvals, fan-out of events, memory; and with many cases against with few.

use std::path::Path;
use std::process::Command;

use super::demo::{Demo, measured};
use super::figures::{Figure, Target};
use super::load::{self, Load, Request};
use super::{Error, Options, Running, block_on, first_line};

/// List pages asked for at each level.
const PAGES: usize = 1_000;
/// The same, for each kind of filter.
const FILTERED: usize = 100;
/// Approvals given in a round, as far as there are cases that wait, which the rounds share: a quarter by one client, the rest by 32.
const APPROVALS: usize = 640;
/// The fewest approvals that say something.
const FEWEST: usize = 64;
/// Comments written in a round, as far as there are new cases: a quarter by one client, the rest by 32.
const COMMENTS: usize = 640;
/// Changes that are announced to all streams.
const CHANGES: usize = 20;

/// Lists other than the queue's first page: what they are, and how they are asked for.
const LISTS: [(&str, &str); 16] = [
    ("all cases, by due time", ""),
    ("all cases, by risk", "&sort=risk"),
    ("all cases, newest first", "&sort=opened"),
    ("all cases, last changed first", "&sort=updated"),
    ("from the end", "&sort=opened&before=end"),
    ("risk:high", "&filter=risk:high"),
    ("state:expired, last changed first (few of all)", "&filter=state:expired&sort=updated"),
    ("kind:executive (few of all)", "&filter=kind:executive"),
    ("path:break_glass (few of all)", "&filter=path:break_glass"),
    ("flagged", "&filter=flagged"),
    ("mine, by risk", "&filter=mine&sort=risk"),
    ("decidable", "&filter=decidable"),
    ("subject:vault-* (few of all)", "&filter=subject:vault-*"),
    ("full text, many matches", "&filter=payments"),
    ("full text, few matches", "&filter=okoye%20moreau%20chidi"),
    ("full text and field", "&filter=!ended%20risk:medium%20okoye"),
];

struct Floor {
    running: Running,
    port: u16,
}

impl Floor {
    fn start(folder: &Path, rows: u64) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor-server").arg(folder.join("floor.db")).arg(rows.to_string());
        let (running, line) = first_line(command)?;
        Ok(Self { running, port: line.parse()? })
    }

    fn load(&self, method: &str, path: &str, count: usize, connections: usize) -> Result<(Load, f64), Error> {
        measured(self.running.0.id(), self.port, vec![Request::new(method, path, &[], ""); count], connections)
    }
}

fn pages(demo: &Demo, few: Option<&Demo>, floor: &Floor) -> Result<Vec<Figure>, Error> {
    let queue = |demo: &Demo, count, connections| demo.load(vec![demo.page_request("&filter=!ended")?; count], connections);
    let (base, base_cpu) = floor.load("GET", "/cases", PAGES, 1)?;
    let (one, one_cpu) = queue(demo, PAGES, 1)?;
    let (base_four, _) = floor.load("GET", "/cases", PAGES * 2, 4)?;
    let (four, four_cpu) = queue(demo, PAGES * 2, 4)?;
    let mut figures = vec![
        Figure::ratio_of("list page of 50, p50", one.latency.median(), base.latency.median(), "ms", Target::AtMost(2.5)),
        Figure::ratio_of("list page of 50, p99", one.latency.percentile(0.99), base.latency.percentile(0.99), "ms", Target::None),
        Figure::ratio_of("list page of 50, CPU", one_cpu, base_cpu, "ms", Target::AtMost(2.5)),
        Figure::ratio_of("list page of 50, 4 connections, pages a second", four.per_second, base_four.per_second, "/s", Target::AtLeast(0.4)),
    ];
    if let Some(few) = few {
        let (small, small_cpu) = queue(few, PAGES * 2, 4)?;
        figures.push(Figure::ratio_of("many : few, list page p50", four.latency.median(), small.latency.median(), "ms", Target::AtMost(1.2)));
        figures.push(Figure::ratio_of("many : few, list page CPU", four_cpu, small_cpu, "ms", Target::AtMost(1.2)));
    }
    let p99 = base.latency.percentile(0.99);
    for (what, query) in LISTS {
        let (load, cpu) = demo.load(vec![demo.page_request(query)?; FILTERED], 1).map_err(|e| format!("{what}: {e}"))?;
        figures.push(Figure::ratio_of(&format!("list: {what}, p99"), load.latency.percentile(0.99), p99, "ms", Target::AtMost(10.0)));
        figures.push(Figure::ratio_of(&format!("list: {what}, CPU"), cpu, base_cpu, "ms", Target::AtMost(10.0)));
    }
    Ok(figures)
}

/// Durable writes of the floor and of the server: with one client, a quarter of them, then with 32.
fn durable(demo: &Demo, floor: &Floor, mut ready: Vec<Request>) -> Result<[(Load, f64); 4], Error> {
    let many = ready.split_off(ready.len() / 4);
    let (base, one) = (floor.load("POST", "/approve", 500, 1)?, demo.load(ready, 1)?);
    let (base_many, thirty_two) = (floor.load("POST", "/approve", 3_000, 32)?, demo.load(many, 32)?);
    Ok([base, one, base_many, thirty_two])
}

fn approvals(demo: &Demo, floor: &Floor, rounds_left: usize) -> Result<Vec<Figure>, Error> {
    let mut ready = demo.approvals(APPROVALS * rounds_left)?;
    ready.truncate(ready.len() / rounds_left.max(1));
    if ready.len() < FEWEST {
        eprintln!("only {} cases wait for approval: approvals are not measured; use more --cases", ready.len());
        return Ok(Vec::new());
    }
    let [(base, base_cpu), (one, one_cpu), (base_many, base_many_cpu), (thirty_two, many_cpu)] = durable(demo, floor, ready)?;
    Ok(vec![
        Figure::ratio_of("durable approvals a second, 1 client", one.per_second, base.per_second, "/s", Target::AtLeast(0.5)),
        Figure::ratio_of("durable approvals a second, 32 clients", thirty_two.per_second, base_many.per_second, "/s", Target::AtLeast(0.4)),
        Figure::ratio_of("durable approval, p50, 1 client", one.latency.median(), base.latency.median(), "ms", Target::None),
        Figure::ratio_of("durable approval, CPU, 1 client", one_cpu, base_cpu, "ms", Target::AtMost(2.0)),
        Figure::ratio_of("durable approval, CPU, 32 clients", many_cpu, base_many_cpu, "ms", Target::AtMost(2.5)),
    ])
}

/// Durable writes that nothing follows: beside the approvals, whose executions, verifications and letters the same process works on meanwhile.
fn writes(demo: &Demo, floor: &Floor) -> Result<Vec<Figure>, Error> {
    let ready: Vec<Request> = demo.comments(COMMENTS)?.into_iter().map(|(request, _)| request).collect();
    let [(base, base_cpu), (one, one_cpu), (base_many, base_many_cpu), (thirty_two, many_cpu)] = durable(demo, floor, ready)?;
    Ok(vec![
        Figure::ratio_of("durable comments a second, 1 client", one.per_second, base.per_second, "/s", Target::None),
        Figure::ratio_of("durable comments a second, 32 clients", thirty_two.per_second, base_many.per_second, "/s", Target::None),
        Figure::ratio_of("durable comment, CPU, 1 client", one_cpu, base_cpu, "ms", Target::None),
        Figure::ratio_of("durable comment, CPU, 32 clients", many_cpu, base_many_cpu, "ms", Target::None),
    ])
}

fn fan_out(demo: &Demo, floor: &Floor) -> Result<Vec<Figure>, Error> {
    let streams = demo.streams()?;
    let count = streams.len();
    let emits = vec![(Request::new("POST", "/emit", &[], ""), "42".to_owned()); CHANGES];
    let base = block_on(load::fan_out(floor.port, &vec![Request::new("GET", "/events", &[], ""); count], &emits))?;
    let alone = demo.comments(CHANGES)?.into_iter().map(|(request, _)| request).collect();
    let (write, _) = demo.load(alone, 1)?;
    let before = demo.memory_mib();
    let ours = block_on(load::fan_out(demo.port, &streams, &demo.comments(CHANGES)?))?;
    #[allow(clippy::cast_precision_loss, reason = "a count of streams")]
    let each = (demo.memory_mib() - before).max(0.0) * 1024.0 / count as f64;
    let beyond = (ours.median() - write.latency.median()).max(0.0);
    Ok(vec![
        Figure::ratio_of(&format!("write to the last of {count} consoles, beyond the write"), beyond, base.median(), "ms", Target::AtMost(2.0)),
        Figure::plain("memory an event stream", each, "KiB", Target::AtMost(32.0)),
    ])
}

/// One round, of which there are so many left, this one among them.
pub fn round(demo: &Demo, few: Option<&Demo>, floor: &Floored, rounds_left: usize) -> Result<Vec<Figure>, Error> {
    let mut figures = pages(demo, few, &floor.0)?;
    figures.extend(approvals(demo, &floor.0, rounds_left)?);
    figures.extend(writes(demo, &floor.0)?);
    figures.extend(fan_out(demo, &floor.0)?);
    figures.push(Figure::plain("server memory under load (anonymous)", demo.memory_mib(), "MiB", Target::AtMost(128.0)));
    Ok(figures)
}

/// The floor, running.
pub struct Floored(Floor);

/// Starts the floor with as many rows.
pub fn floor(folder: &Path, options: &Options) -> Result<Floored, Error> {
    Ok(Floored(Floor::start(folder, options.cases)?))
}
