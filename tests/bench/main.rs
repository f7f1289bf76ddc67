//! The performance figures: each a ratio of the product to a floor program, inside one run, over several rounds.
//!
//! `cargo bench --bench performance -- [--cases N] [--rounds N] [--only console|server]`
//!
//! Contract: prints a table; never fails because a machine is slow. The floors are modes of this very program, so nothing else is needed.
//! Loopback only, bounded in count and time.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a measuring program, not the product")]

mod console;
mod figures;
mod floor_console;
mod floor_server;
mod load;
mod probe;
mod server;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

type Error = Box<dyn std::error::Error>;

/// What the run was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cases in the product's demo and rows in the floors.
    pub cases: u64,
    /// Rounds, of which the median ratio counts.
    pub rounds: usize,
    /// One part only.
    pub only: Option<String>,
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
    let mut options = Options { cases: 100_000, rounds: 3, only: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--cases" => options.cases = words.next().ok_or("--cases needs a number")?.parse()?,
            "--rounds" => options.rounds = words.next().ok_or("--rounds needs a number")?.parse()?,
            "--only" => options.only = Some(words.next().ok_or("--only needs console or server")?.clone()),
            "--bench" => {}
            other => return Err(format!("{other} is not known; see the head of tests/bench/main.rs").into()),
        }
    }
    Ok(options)
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
    eprintln!("filling the demo with {} cases ...", options.cases);
    let demo = server::Demo::start(options.cases)?;
    let mut figures = Vec::new();
    if wants("console") {
        let rounds = (0..options.rounds).map(|_| console::round(&demo, &options)).collect::<Result<Vec<_>, _>>()?;
        figures.extend(figures::median_of(&rounds));
    }
    if wants("server") {
        figures.extend(server::measure(&demo, &options, folder.path())?);
    }
    figures::print(&figures);
    Ok(())
}
