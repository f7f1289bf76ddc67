//! `countersign demo`: everything embedded, nothing to configure; with `--headless` for scripts. And the hidden sample target.
//!
//! Contract: one line of JSON on standard output when headless; progress on standard error. Ends when the user leaves, at a signal, or, when
//! headless, at the end of standard input.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::Arguments;
use super::connect::{Settings, settings};
use super::console;
use super::journal::{self, Journal};
use super::out::{FAILED, Failure, Out};
use crate::base::ports::SystemClock;
use crate::config::keys::read_private;
use crate::config::server::JournalLevel;
use crate::console::Identity;
use crate::demo::{DemoError, fill, host::Demo, target};

/// Whose case the tour is about, in `assets/demo/stories.toml`.
const TOUR: &str = "e.sorensen";

/// What the demo takes.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Fill it with this many cases beside the sample ones.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=5_000_000))]
    pub cases: u64,
    /// No console: print one line of JSON with addresses and tokens, and serve until standard input ends.
    #[arg(long)]
    pub headless: bool,
    /// Serve with TLS: the certificate, in PEM. Only with `--headless`, for whoever tries the pages in a browser of theirs.
    #[arg(long, value_name = "FILE", requires_all = ["headless", "key"])]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
}

/// What the sample target takes.
#[derive(Debug, Args)]
pub struct TargetArguments {
    /// Its state.
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,
    /// The secret that orders are signed with.
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        Self::new(FAILED, error.to_string())
    }
}

/// Progress on standard error: on a terminal a line that is written over, else a line a tenth.
struct Progress {
    shown: AtomicUsize,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: AtomicUsize::new(0), terminal: std::io::stderr().is_terminal() }
    }

    fn tell(&self, what: &str, done: usize, of: usize) {
        let steps = if self.terminal { 100 } else { 10 };
        let step = done.saturating_mul(steps) / of.max(1);
        if self.shown.swap(step, Ordering::Relaxed) == step && done != of {
            return;
        }
        let mut err = std::io::stderr().lock();
        let (begin, end) = if self.terminal { ("\r", if done == of { "\n" } else { "" }) } else { ("", "\n") };
        let _ = write!(err, "{begin}{what}: {}%{end}", step * 100 / steps);
        let _ = err.flush();
    }
}

/// What runs: the demo, the tokens of its identities, and its journal, which is kept in its folder and not on the screen.
type Begun = (Demo, BTreeMap<String, String>, Option<Journal>);

/// Prepares, fills and starts a demo.
async fn begin(arguments: &DemoArguments) -> Result<Begun, Failure> {
    let mut demo = Demo::prepare(arguments.cases).await?;
    let file = std::fs::File::create(demo.journal()).map_err(|e| Failure::new(FAILED, format!("{}: {e}", demo.journal().display())))?;
    demo.tls = arguments.certificate.clone().zip(arguments.key.clone());
    let progress = Progress::new();
    let tokens = demo.fill(&|what, done, of| progress.tell(what, done, of)).await?;
    let journal = journal::keep(JournalLevel::Info, file, false);
    demo.start().await?;
    Ok((demo, tokens, journal))
}

/// Runs the demo.
pub async fn run(demo: &DemoArguments, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    if demo.headless {
        return Box::pin(headless(demo, out)).await;
    }
    let settings = settings()?;
    let (running, tokens, _journal) = tokio::select! {
        begun = begin(demo) => begun?,
        () = told() => return Err(Failure::new(FAILED, "Stopped before the demo was filled.")),
    };
    // Keys that were pressed while it filled were meant for nothing that is shown now.
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(rustix::stdio::stdin(), rustix::termios::QueueSelector::IFlush);
    let shown = show(&running, arguments, &settings, &tokens).await;
    running.stop().await?;
    shown
}

async fn show(demo: &Demo, arguments: &Arguments, settings: &Settings, tokens: &BTreeMap<String, String>) -> Result<(), Failure> {
    let url = Url::parse(&format!("http://{}", demo.api)).map_err(|e| Failure::new(FAILED, e.to_string()))?;
    let mut config = console::configure(arguments, settings, url, Some(demo.path()))?;
    config.identities = identities(tokens);
    config.mailbox = Some(demo.mailbox());
    config.tour = TOUR.parse().ok();
    console::open(config).await
}

fn identities(tokens: &BTreeMap<String, String>) -> Vec<Identity> {
    let about = |name: &str| match name {
        "nadia" => "support agent; owns the routing bot",
        "d.ruiz" | "m.chen" => "supervisor",
        "a.lindqvist" => "security reviewer",
        "nadia.deputy" => "nadia's second account, a supervisor's",
        "e.morgan" => "policy owner",
        "tom.becker" => "support agent, a colleague of nadia's",
        _ => "",
    };
    let known = fill::IDENTITIES.iter().filter_map(|name| {
        let token = tokens.get(*name)?;
        Some(Identity { name: (*name).to_owned(), note: about(name).to_owned(), token: SecretString::from(token.clone()) })
    });
    known.collect()
}

async fn headless(arguments: &DemoArguments, out: Out) -> Result<(), Failure> {
    let (mut demo, tokens, _journal) = tokio::select! {
        begun = begin(arguments) => begun?,
        input = ended() => {
            say_why(input);
            return Ok(());
        }
    };
    let line = json!({
        "api": format!("{}://{}", demo.scheme(), demo.api),
        "pid": std::process::id(),
        "pages": format!("{}://{}", demo.scheme(), demo.pages),
        "mail": demo.mailbox(),
        "journal": demo.journal(),
        "target": demo.target_url,
        "tokens": tokens,
    });
    out.raw(format!("{line}\n").as_bytes())?;
    tokio::select! {
        input = ended() => {
            say_why(input);
            Ok(demo.stop().await?)
        }
        // A certificate that can't be read, for one: stopping it tells why.
        () = demo.over() => demo.stop().await.map_err(Failure::from).and(Err(Failure::new(FAILED, "The demo's server ended."))),
    }
}

/// Says on standard error why a demo is over that nobody stopped.
fn say_why(input_ended: bool) {
    if input_ended {
        let why = "Standard input ended, and the demo with it. In a script keep it open: sleep infinity | countersign demo --headless &";
        let _ = writeln!(std::io::stderr(), "{why}");
    }
}

/// Waits for the end of standard input or a signal; whether it was the input.
async fn ended() -> bool {
    let input = async {
        let (mut stdin, mut bytes) = (tokio::io::stdin(), [0_u8; 256]);
        while stdin.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
    };
    tokio::select! { () = input => true, () = told() => false }
}

/// Waits for a signal to end: what was made so far is thrown away then too.
async fn told() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut term), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            tokio::select! { _ = term.recv() => {}, _ = hangup.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Runs the sample target until standard input ends; prints its address first.
pub async fn target(arguments: &TargetArguments, out: Out) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new(FAILED, e.to_string());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let secret = read_private(&arguments.secret_file)?.to_string();
    let clock = Arc::new(SystemClock::new());
    let settings = target::Settings { state: arguments.state.clone(), secret, clock, tolerance: Duration::from_mins(5) };
    let (end, stopped) = tokio::sync::watch::channel(false);
    out.raw(format!("http://{address}\n").as_bytes())?;
    let server = tokio::spawn(target::serve(listener, settings, stopped));
    ended().await;
    let _ = end.send(true);
    let outcome = server.await.map_err(|e| Failure::new(FAILED, e.to_string()))?;
    outcome.map_err(|e| Failure::new(FAILED, e.to_string()))
}
