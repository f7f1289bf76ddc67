//! The terminal: what a user sees and does. `message` -> `update` -> model and effects -> `perform` -> `message`; `view` draws the model.
//!
//! Contract: `update` does no I/O, `perform` is the only one that waits, `view` is pure, `drive` is the only loop and draw place; the server
//! decides what is allowed, the console shows it. Knows the API's words (`api`), never `domain`, `store`, `service` or `server`.
//!
//! # Adding a screen
//! 1. A file under `screen/` with a struct (plain data, `Debug + Default`) that implements [`screen::Screen`]: `enter`/`refresh` ask
//!    ([`model::Shared::ask`], remember the number in a [`model::Latest`]), `answer` takes what comes back (drop it if `Latest::take` says
//!    no), `act` does actions, `draw` draws with [`widget::put`] and styles by role ([`theme::Role`]). Set `shared.dirty` when something
//!    visible changed outside of keys (keys always draw).
//! 2. A field in [`model::Screens`] and an arm in [`model::Model::screen`] and `screen_mut`; a [`model::Place`] if there is none.
//! 3. Actions: a row in `action.rs` (name, scope, keys, hint, help, `writes = "operation.code"`). `applies` of the screen says
//!    [`action::Applies::No`] with the server's reason for what `refused_actions` lists: it is then shown, and said when tried.
//! 4. A form: hold an `Option<widget::form::Form>`; while there is one, `typing()` is true, so only `Scope::FORM` actions (submit,
//!    next-field, editor, cancel) and `typed` get keys. Keep drafts with [`model::Shared::keep_draft`] after each change, take them from
//!    `shared.drafts`, forget them when the answer says it was done. Problems name a field: `Form::mistake(field, sentence)`.
//! 5. A write: `let order = shared.order(Write::Seal, Some(id), Some(version))`, then `shared.send(place, order)`; a dangerous one goes
//!    through `shared.confirm(Confirmation { .. })`, whose key must not be the one that asked; `sent` gets the number when confirmed.
//! 6. Texts from outside only through `Untrusted::line()` or `.sanitise()`.
//! 7. A snapshot at both sizes in `tests/console`.

pub mod action;
pub mod attention;
pub mod background;
pub mod choose;
pub mod drive;
pub mod effect;
mod files;
pub mod held;
pub mod keep;
pub mod keymap;
mod known;
mod latest;
mod leave;
pub mod mail;
pub mod message;
pub mod mistakes;
pub mod model;
mod mouse;
pub mod overlay;
pub mod perform;
pub mod place;
pub mod plain;
mod recall;
pub mod screen;
pub mod sending;
mod tell;
pub mod terminal;
pub mod theme;
pub mod tutor;
pub mod undo;
mod unread;
pub mod update;
pub mod view;
pub mod widget;
mod wish;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc;
use url::Url;

use crate::base::ids::SubjectId;
use crate::base::ports::Ports;
use crate::client::ClientConfig;
use background::{Auto, Background};
use keep::Paths;
use keymap::Keymap;
use message::Message;
use model::{Link, Model, Place, Screens, Shared, Tone};
use theme::{Depth, Theme};

/// Someone to work as (demo).
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name it is chosen by.
    pub name: String,
    /// What they are, in a few words.
    pub note: String,
    /// Their token.
    pub token: SecretString,
}

/// What the console is started with. Files of themes and keys are read by the caller and given as values.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches, each from a setting of its own")]
pub struct ConsoleConfig {
    /// The server's address.
    pub server: Url,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// The token, from the environment or the session file; without one the user is asked.
    pub token: Option<SecretString>,
    /// How long a call may take.
    pub timeout: std::time::Duration,
    /// Views of the settings, beside those that the user saved.
    pub views: Vec<keep::View>,
    /// Where state, views, drafts and session are kept.
    pub paths: Paths,
    /// The name of the theme: `auto`, one of [`ConsoleConfig::themes`] or an embedded one. The one chosen last time goes first.
    pub theme: String,
    /// The terminal's background, if the environment tells.
    pub background: Option<Background>,
    /// Whether the terminal can be asked for it ([`background::may_ask`]).
    pub may_ask: bool,
    /// The user's own themes.
    pub themes: Vec<Theme>,
    /// What of the user's files is not used and why; told at the start.
    pub warnings: Vec<String>,
    /// Keys.
    pub keymap: Keymap,
    /// How many colours the terminal has ([`Depth::of`]).
    pub depth: Depth,
    /// Whether the mouse is on at the start.
    pub mouse: bool,
    /// Whether nothing may be changed.
    pub read_only: bool,
    /// How to call for attention.
    pub attention: attention::Wanted,
    /// Linear mode, for screen readers.
    pub plain: bool,
    /// The command for long texts (`$VISUAL` or `$EDITOR`).
    pub editor: Option<String>,
    /// Whom one can work as (demo); the first is who one begins as if there is no token.
    pub identities: Vec<Identity>,
    /// Whose case the tour is about (demo).
    pub tour: Option<SubjectId>,
    /// The folder of mails to show (demo).
    pub mailbox: Option<PathBuf>,
}

impl ConsoleConfig {
    /// The plainest: a server, embedded theme and keys, nothing kept.
    pub fn new(server: Url) -> Self {
        Self {
            server,
            ca_pem: None,
            token: None,
            timeout: crate::client::CALL_TIMEOUT,
            views: Vec::new(),
            paths: Paths::default(),
            theme: "dark".into(),
            background: None,
            may_ask: false,
            themes: Vec::new(),
            warnings: Vec::new(),
            keymap: Keymap::default(),
            depth: Depth::Sixteen,
            mouse: true,
            read_only: false,
            attention: attention::Wanted::default(),
            plain: false,
            editor: None,
            identities: Vec::new(),
            tour: None,
            mailbox: None,
        }
    }
}

/// Why the console ended other than by being left.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// There is no terminal.
    #[error("The console needs a terminal. For scripts there are commands: `countersign case list --json` and others.")]
    NoTerminal,
    /// The terminal can't be used.
    #[error("The terminal can't be used: {0}.")]
    Terminal(#[from] io::Error),
    /// The theme is not known.
    #[error("{0}")]
    Theme(String),
}

/// The model a configuration begins with.
///
/// # Errors
/// [`ConsoleError::Theme`] when the theme is not known.
pub fn model(config: &ConsoleConfig, ports: &Ports, size: (u16, u16)) -> Result<Model, ConsoleError> {
    let state = keep::load_state(config.paths.state.as_deref());
    let find = |name: &str| config.themes.iter().find(|t| t.name == name).cloned().map_or_else(|| Theme::embedded(name), Ok);
    let known = |name: &&str| *name == "auto" || find(name).is_ok();
    let name = state.theme.as_deref().filter(known).unwrap_or(&config.theme);
    let auto = Auto { on: name == "auto", may_ask: config.may_ask, background: config.background };
    let theme = find(if auto.on { auto.theme(config.depth) } else { name }).map_err(ConsoleError::Theme)?;
    let (views, trouble) = keep::load_views(config.paths.views.as_deref()).map_or_else(|why| (Vec::new(), Some(why)), |views| (views, None));
    let shared = Shared {
        now: ports.clock.now(),
        skew: chrono::TimeDelta::zero(),
        size,
        server: config.server.to_string(),
        me: None,
        counts: None,
        opens: None,
        link: Link::Connecting,
        retry_at: None,
        theme: theme.at_depth(config.depth),
        depth: config.depth,
        auto,
        themes: config.themes.clone(),
        keymap: config.keymap.clone(),
        read_only: config.read_only,
        only_reads: config.read_only,
        mouse: config.mouse,
        identities: config.identities.clone(),
        plain: config.plain,
        mailbox: config.mailbox.is_some(),
        views,
        given_views: config.views.clone(),
        drafts: BTreeMap::new(),
        notes: VecDeque::new(),
        notice: None,
        dirty: true,
        told: 0,
        whose: None,
        saved: keep::State::default(),
        sending: sending::Sending::default(),
        effects: Vec::new(),
        wishes: Vec::new(),
        seq: 0,
        former: 0,
        run: ports.random.id("con"),
        undo: undo::Undo::default(),
        tutor: tutor::Tutor::new(config.tour.clone(), config.plain),
        attention: attention::Attention::new(config.attention),
        draft_waiting: None,
        clock_due: None,
        running: Vec::new(),
        attention_due: None,
        state: keep::State { theme: state.theme.clone(), ..keep::State::default() },
        kept: Some(state),
    };
    let mut model = Model {
        shared,
        screens: Screens::default(),
        stack: vec![Place::Queue],
        overlay: None,
        pending: Vec::new(),
        held: held::Held::default(),
        acted: false,
        leaving: false,
        ended: false,
    };
    for why in config.warnings.iter().cloned().chain(trouble) {
        model.shared.say(Tone::Bad, crate::base::text::sanitise(&why, false));
    }
    Ok(model)
}

/// Runs the console until the user leaves it.
///
/// # Errors
/// When there is no terminal, or it can't be used.
pub async fn run(mut config: ConsoleConfig, ports: Ports) -> Result<(), ConsoleError> {
    if config.token.is_none() {
        config.token = config.identities.first().map(|i| i.token.clone());
    }
    if config.plain {
        return run_plain(&config, &ports).await;
    }
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return Err(ConsoleError::NoTerminal);
    }
    let mut guard = terminal::Guard::take(config.mouse, config.editor.clone(), config.paths.drafts.clone())?;
    let mut model = model(&config, &ports, guard.size())?;
    let (out, answers) = mpsc::channel(drive::MAX_WAITING);
    let client = ClientConfig { server: config.server.clone(), ca_pem: config.ca_pem.clone(), token: config.token.clone(), timeout: config.timeout };
    let mut performer = perform::Performer::new(client, ports.random.clone(), out.clone(), config.paths.clone(), config.mailbox.clone());
    // The demo keeps a journal, which every panic stands in.
    guard.tells(out.clone(), !config.identities.is_empty());
    let signals = tokio::spawn(ended_by_signal(out));
    let awaited = guard.awaited();
    let mut open = move || terminal::input(Arc::clone(&awaited));
    let world = drive::World { surface: &mut guard, open_input: &mut open, performer: &mut performer, answers, clock: ports.clock.as_ref() };
    let done = drive::drive(&mut model, world, config.token.is_some()).await;
    signals.abort();
    // The terminal is the user's again before a slow disk is waited for.
    drop(guard);
    unanswered(&model);
    written_down(performer);
    Ok(done?)
}

/// Tells whoever leaves what was sent and has no answer yet.
fn unanswered(model: &Model) {
    for line in model.shared.sending.unanswered() {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// After how long whoever leaves is told that the disk is waited for.
const WRITING: Duration = Duration::from_secs(1);

/// Waits until all that is kept is on the disk, says so once that takes longer than a moment, and goes without where the disk does not answer.
fn written_down(mut performer: perform::Performer) {
    if performer.written(WRITING) {
        return;
    }
    let _ = writeln!(io::stderr(), "Writing drafts …");
    if !performer.leave() {
        let _ = writeln!(io::stderr(), "The disk does not answer: what was written last may not be kept.");
    }
}

/// The linear mode: needs no terminal, only lines.
async fn run_plain(config: &ConsoleConfig, ports: &Ports) -> Result<(), ConsoleError> {
    let mut model = model(config, ports, (80, 24))?;
    // There is no screen that shows what waits: where nothing is chosen, it is said.
    if config.attention.how == attention::How::Off {
        model.shared.attention = attention::Attention::new(attention::Wanted { how: attention::How::Notify, ..config.attention });
    }
    let (out, answers) = mpsc::channel(drive::MAX_WAITING);
    let client = ClientConfig { server: config.server.clone(), ca_pem: config.ca_pem.clone(), token: config.token.clone(), timeout: config.timeout };
    let mut performer = perform::Performer::new(client, ports.random.clone(), out.clone(), config.paths.clone(), config.mailbox.clone());
    let signals = tokio::spawn(ended_by_signal(out));
    let mut echo = plain::echo::Echo::default();
    let world = plain::World {
        hide: &mut |on| echo.hide(on),
        input: plain::lines_of(io::stdin()),
        output: &mut io::stdout(),
        performer: &mut performer,
        answers,
        clock: ports.clock.as_ref(),
    };
    let done = plain::drive(&mut model, world, config.token.is_some()).await;
    signals.abort();
    unanswered(&model);
    written_down(performer);
    match done {
        // Whoever read along has gone: no reason to shout.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Tells the loop when the system asks to end, so that the terminal is given back and drafts are kept.
async fn ended_by_signal(out: mpsc::Sender<Message>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
        let (Ok(mut a), Ok(mut b), Ok(mut c)) = (signal(kinds[0]), signal(kinds[1]), signal(kinds[2])) else { return };
        tokio::select! { _ = a.recv() => {}, _ = b.recv() => {}, _ = c.recv() => {} }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    let _ = out.send(Message::Ended).await;
}
