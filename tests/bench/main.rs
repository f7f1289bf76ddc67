//! The performance figures: each a ratio of the product to a floor program, inside one run, over several rounds.
//!
//! `cargo bench --bench performance -- [--cases N] [--few N] [--rounds N] [--only console|server] [--demo FILE]`
//!
//! `--cases` (default 100,000) fills the product and the floors; `--few` (default 10,000; 0: none) fills a second one that latencies are
//! compared with; `--rounds` (default 3) is how often all is measured: of each figure the median ratio counts. `--demo` takes a file with
//! the line of JSON that a running `countersign demo --headless --cases N` printed, and measures that one; `--cases` says how many it holds.
//!
//! Contract: prints a table; never fails because a machine is slow. The floors are modes of this very program, so nothing else is needed.
//! Loopback only, bounded in count and time.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a measuring program, not the product")]

mod console;
mod demo;
mod figures;
mod floor_console;
mod floor_server;
mod load;
mod probe;
mod server;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use demo::Demo;
use figures::{Figure, Target};

type Error = Box<dyn std::error::Error>;

/// What the run was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cases in the product's demo and rows in the floors.
    pub cases: u64,
    /// Cases in the demo that latencies are compared with; 0 for none.
    pub few: u64,
    /// Rounds, of which the median ratio counts.
    pub rounds: usize,
    /// One part only.
    pub only: Option<String>,
    /// What a demo that runs already printed.
    pub demo: Option<PathBuf>,
}

/// A process that ends with its owner.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program and reads the first line it prints.
pub fn first_line(mut command: Command) -> Result<(Running, String), Error> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let running = Running(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line.trim().is_empty() { Err("it printed nothing".into()) } else { Ok((running, line.trim().to_owned())) }
}

fn options(words: &[String]) -> Result<Options, Error> {
    let (mut options, mut said) = (Options { cases: 100_000, few: 10_000, rounds: 3, only: None, demo: None }, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = |of: &str| words.next().ok_or_else(|| format!("{word} needs {of}"));
        match word.as_str() {
            "--cases" => (options.cases, said) = (value("a number")?.parse()?, true),
            "--few" => options.few = value("a number")?.parse()?,
            "--rounds" => options.rounds = value("a number")?.parse()?,
            "--only" => options.only = Some(value("console or server")?.clone()),
            "--demo" => options.demo = Some(value("a file")?.into()),
            "--bench" => {}
            other => return Err(format!("{other} is not known; see the head of tests/bench/main.rs").into()),
        }
    }
    if options.demo.is_some() && !said {
        return Err("--demo needs --cases with it: how many the demo holds, as the floors get as many".into());
    }
    Ok(options)
}

/// Runs something that waits for the network.
pub fn block_on<T>(future: impl Future<Output = Result<T, Box<dyn std::error::Error + Send + Sync>>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(future).map_err(|e| e.to_string().into())
}

fn rounds(count: usize, mut round: impl FnMut(usize) -> Result<Vec<Figure>, Error>) -> Result<Vec<Figure>, Error> {
    let all = (1..=count).map(|i| {
        eprintln!("round {i} of {count}");
        round(count - i + 1)
    });
    Ok(figures::median_of(&all.collect::<Result<Vec<_>, _>>()?))
}

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["floor-console", rows] => return Ok(floor_console::run(rows.parse()?)?),
        ["floor-server", path, rows] => return floor_server::run(path.as_ref(), rows.parse()?),
        _ => {}
    }
    let options = options(&words)?;
    let folder = tempfile::tempdir()?;
    let wants = |part: &str| options.only.as_deref().is_none_or(|only| only == part);
    let demo = match &options.demo {
        Some(file) => Demo::running(&std::fs::read_to_string(file)?)?,
        None => Demo::start(options.cases)?,
    };
    let few = if options.few > 0 { Some(Demo::start(options.few)?) } else { None };
    let mut all = vec![Figure::plain("server memory, idle (anonymous)", demo.memory_mib(), "MiB", Target::AtMost(32.0))];
    if wants("console") {
        all.extend(rounds(options.rounds, |_| console::round(&demo, few.as_ref(), &options, folder.path()))?);
    }
    if wants("server") {
        let floor = server::floor(folder.path(), &options)?;
        all.extend(rounds(options.rounds, |left| server::round(&demo, few.as_ref(), &floor, left))?);
    }
    println!("{} cases against {}, the median of {} rounds", options.cases, options.few, options.rounds);
    figures::print(&all);
    Ok(())
}
