//! The only place where the console waits for the world: effects in, messages out.
//!
//! Contract: never blocks the loop, nor do files; each effect ends in at most one message (drafts in two where old ones go), the live stream in
//! many; what can't be done is told. Knows no screen and keeps no state but the connection, the timers, the stream and the files' thread.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::SecretString;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;

use super::drive::Perform;
use super::effect::{Ask, Effect, Order, Timer};
use super::files::{Files, LEAVING};
use super::keep::{self, Paths};
use super::mail::Folder;
use super::message::{Live, Message, Reply};
use super::model::Place;
use crate::api::governance::RegisterKind;
use crate::base::ports::{Clock as _, Random, SystemClock};
use crate::client::page;
use crate::client::session::{self, Session, SessionError};
use crate::client::{Client, ClientConfig, ClientError};

/// The longest wait between two tries to connect.
const MAX_BACKOFF: u64 = 30;

/// The connection, made when it is first needed so that the first frame never waits for it.
struct Lazy {
    cell: OnceCell<Result<Client, ClientError>>,
    config: ClientConfig,
    random: Arc<dyn Random>,
}

impl Lazy {
    async fn client(&self) -> Result<Client, ClientError> {
        let make = || async {
            let (config, random) = (self.config.clone(), Arc::clone(&self.random));
            let made = tokio::task::spawn_blocking(move || Client::new(config, random)).await;
            made.unwrap_or_else(|_| Err(ClientError::Configuration("The connection can't be set up.".into())))
        };
        self.cell.get_or_init(make).await.clone()
    }
}

/// Tells what became of a job: its thread waits for room; where there is no such thread, jobs are done in the loop, which never waits.
fn tell(out: &mpsc::Sender<Message>, message: Message) {
    if tokio::runtime::Handle::try_current().is_ok() {
        let _ = out.try_send(message);
    } else {
        let _ = out.blocking_send(message);
    }
}

/// Does effects in the real world.
pub struct Performer {
    lazy: Arc<Lazy>,
    out: mpsc::Sender<Message>,
    paths: Paths,
    mailbox: Option<Arc<Mutex<Folder>>>,
    timers: HashMap<Timer, JoinHandle<()>>,
    stream: Option<JoinHandle<()>>,
    token: Option<SecretString>,
    files: Files,
}

impl Performer {
    /// For a server, with files in the given places.
    pub fn new(config: ClientConfig, random: Arc<dyn Random>, out: mpsc::Sender<Message>, paths: Paths, mailbox: Option<PathBuf>) -> Self {
        let token = config.token.clone();
        let lazy = Arc::new(Lazy { cell: OnceCell::new(), config, random });
        let mailbox = mailbox.map(|folder| Arc::new(Mutex::new(Folder::new(folder))));
        Self { lazy, out, paths, mailbox, timers: HashMap::new(), stream: None, token, files: Files::new() }
    }

    /// Waits that long until all that is to be kept is on the disk; says whether it is. Nothing more is kept after it.
    pub fn written(&mut self, most: Duration) -> bool {
        self.files.over(most)
    }

    /// As [`Performer::written`], as long as anybody is kept waiting for it; what is not written by then is given up.
    pub fn leave(&mut self) -> bool {
        self.files.leave(LEAVING)
    }

    fn answer(&self, seq: u64, to: Place, work: impl Future<Output = Result<Reply, ClientError>> + Send + 'static) {
        let (out, lazy) = (self.out.clone(), Arc::clone(&self.lazy));
        tokio::spawn(async move {
            // Whoever asked is answered, whatever becomes of the work.
            let broken = |_| {
                let server = lazy.config.server.origin().ascii_serialization();
                Err(ClientError::Unreachable { server, why: "a part of this program broke off".into() })
            };
            let reply = tokio::spawn(work).await.unwrap_or_else(broken);
            let _ = out.send(Message::Answer { seq, to, reply }).await;
        });
    }

    /// Does what concerns files, after all that was begun before; trouble is told. Says whether there was room for it.
    fn file(&self, work: impl FnOnce() -> Result<Option<Message>, String> + Send + 'static) -> bool {
        let out = self.out.clone();
        let job = move || {
            if let Some(told) = work().unwrap_or_else(|why| Some(Message::Trouble(why))) {
                tell(&out, told);
            }
        };
        let room = self.files.then(job);
        if !room {
            let _ = self.out.try_send(Message::Trouble("The disk does not keep up: not everything could be kept.".into()));
        }
        room
    }

    /// As [`Performer::file`], for what is written and told only where it can't be.
    fn write(&self, what: &'static str, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.file(move || work().map(|()| None).map_err(|error| format!("{what} can't be kept: {error}.")));
    }

    /// What concerns the session's file.
    fn session(&self, work: impl FnOnce(&Path) -> Result<(), SessionError> + Send + 'static) {
        if let Some(path) = self.paths.session.clone() {
            self.file(move || work(&path).map(|()| None).map_err(|error| error.to_string()));
        }
    }

    fn keep_session(&self) {
        if let Some(token) = self.token.clone() {
            let session = Session { server: self.lazy.config.server.to_string(), token };
            self.session(move |path| session::save(path, &session));
        }
    }

    fn load_drafts(&self, (seq, to): (u64, Place), owner: String) {
        let (folder, out) = (self.paths.drafts.clone(), self.out.clone());
        let begun = self.file(move || {
            for path in keep::put_aside(folder.as_deref(), &owner) {
                let path = crate::base::text::sanitise(&path.display().to_string(), false);
                tell(&out, Message::Told(format!("What an earlier version kept for a new case names no one and is in no form: {path}.")));
            }
            let adopted = keep::adopt_drafts(folder.as_deref(), &owner);
            let (drafts, gone) = keep::load_drafts(folder.as_deref(), &owner, SystemClock::default().now().into());
            tell(&out, Message::Answer { seq, to, reply: Ok(Reply::Drafts(drafts, adopted)) });
            let many = if gone == 1 { "1 draft".to_owned() } else { format!("{gone} drafts") };
            Ok((gone > 0).then(|| {
                Message::Told(format!("{many} of more than {} days ago, or beyond the newest {}, went.", keep::DRAFT_DAYS, keep::MAX_DRAFTS))
            }))
        });
        if !begun {
            // Whoever asked is answered all the same, with nothing.
            let _ = self.out.try_send(Message::Answer { seq, to, reply: Ok(Reply::Drafts(<_>::default(), 0)) });
        }
    }

    fn listen(&mut self) {
        if let Some(old) = self.stream.take() {
            old.abort();
        }
        let (lazy, out, token) = (Arc::clone(&self.lazy), self.out.clone(), self.token.clone());
        self.stream = Some(tokio::spawn(async move {
            listen(&lazy, token, &out).await;
        }));
    }
}

impl Perform for Performer {
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Ask { seq, to, ask: Ask::Drafts(owner) } => self.load_drafts((seq, to), owner),
            Effect::Ask { seq, to, ask: Ask::Mail(held, now) } => {
                let folder = self.mailbox.clone();
                self.answer(seq, to, async move {
                    let look = move || folder.and_then(|f| Some(f.lock().ok()?.look(held, now.into()))).unwrap_or(Ok(None));
                    let mails = tokio::task::spawn_blocking(look).await.unwrap_or(Ok(None));
                    mails.map(Reply::Mail).map_err(|why| ClientError::Configuration(format!("The mail folder can't be read: {why}.")))
                });
            }
            Effect::Ask { seq, to, ask: Ask::TypeCode(link, code) } => {
                self.answer(seq, to, async move { page::type_code(&link, &code).await.map(|()| Reply::Typed) });
            }
            Effect::Ask { seq, to, ask: Ask::Attest(link, code, yes) } => {
                self.answer(seq, to, async move { page::attest(&link, &code, yes).await.map(|()| Reply::Typed) });
            }
            Effect::Ask { seq, to, ask } => {
                let (lazy, token) = (Arc::clone(&self.lazy), self.token.clone());
                self.answer(seq, to, async move {
                    let client = lazy.client().await?.with_token(token);
                    fetch(&client, ask).await
                });
            }
            Effect::Send { seq, to, order } => {
                let (lazy, token) = (Arc::clone(&self.lazy), self.token.clone());
                self.answer(seq, to, async move {
                    let client = lazy.client().await?.with_token(token);
                    let Order { write, case, version, key, .. } = order;
                    client.send(&write, case, version, &key).await.map(|w| Reply::Written(Box::new(w)))
                });
            }
            Effect::Timer(timer, after) => {
                let out = self.out.clone();
                let sleeper = tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    let _ = out.send(Message::Timer(timer)).await;
                });
                if let Some(old) = self.timers.insert(timer, sleeper) {
                    old.abort();
                }
            }
            Effect::Listen => self.listen(),
            Effect::UseToken(token) => self.token = Some(token),
            Effect::KeepSession => self.keep_session(),
            Effect::ForgetSession => {
                self.token = None;
                if let Some(stream) = self.stream.take() {
                    stream.abort();
                }
                self.session(session::forget);
            }
            Effect::Draft(owner, key, text) => {
                let folder = self.paths.drafts.clone();
                self.write("The draft", move || keep::save_draft(folder.as_deref(), (&owner, &key), text.as_deref()));
            }
            Effect::KeepState(state) => {
                let path = self.paths.state.clone();
                self.write("Where you were", move || keep::save_state(path.as_deref(), &state));
            }
            Effect::KeepView(name, view) => {
                let path = self.paths.views.clone();
                self.file(move || keep::keep_view(path.as_deref(), &name, view).map(|views| views.map(Message::Views)));
            }
            // These are the loop's own: it has the terminal.
            Effect::Copy(_) | Effect::Edit(_) | Effect::Mouse(_) | Effect::AskBackground | Effect::Attend(..) | Effect::Quit => {}
        }
    }
}

impl Drop for Performer {
    fn drop(&mut self) {
        for (_, timer) in self.timers.drain() {
            timer.abort();
        }
        if let Some(stream) = self.stream.take() {
            stream.abort();
        }
    }
}

async fn fetch(client: &Client, ask: Ask) -> Result<Reply, ClientError> {
    Ok(match ask {
        Ask::Me => Reply::Me(Box::new(client.me().await?)),
        Ask::Counts => Reply::Counts(client.counts().await?),
        Ask::Cases(params) => Reply::Cases(client.cases(&params).await?),
        Ask::Grants(params) => Reply::Grants(client.grants(&params).await?),
        Ask::Case(id) => Reply::Case(Box::new(client.case(id).await?)),
        Ask::Timeline(id, after) => Reply::Log(client.timeline(id, after).await?),
        Ask::Statement(id, decision) => Reply::Statement(Box::new(client.statement(id, decision).await?)),
        Ask::Subjects(words) => Reply::Subjects(client.subjects(&words).await?),
        Ask::Subject(id) => Reply::Subject(Box::new(client.subject(&id).await?)),
        Ask::Policy => Reply::Value(Box::new(client.policy().await?)),
        Ask::CasePolicy(id) => Reply::Value(Box::new(client.case_policy(id).await?)),
        Ask::Assignable(id) => Reply::Assignable(Box::new(client.assignable(id).await?)),
        Ask::Proposal(id) => Reply::Proposal(Box::new(client.proposal(&id).await?)),
        Ask::Proposals => Reply::Register(Box::new(client.register_rows(RegisterKind::Proposals, None).await?)),
        Ask::Log(after, limit) => Reply::Log(client.log(after, Some(limit)).await?),
        Ask::RoutePreview(body) => Reply::Preview(Box::new(client.route_preview(&body).await?)),
        // Not the server's: answered above.
        Ask::Mail(..) | Ask::Drafts(_) | Ask::TypeCode(..) | Ask::Attest(..) => Reply::Mail(None),
    })
}

/// Keeps the live stream open: takes it up again where it broke, waiting longer each time it can't be opened.
async fn listen(lazy: &Lazy, token: Option<SecretString>, out: &mpsc::Sender<Message>) {
    let mut last = None;
    let mut wait = 1;
    loop {
        let opened = match lazy.client().await {
            Ok(client) => client.with_token(token.clone()).events(last).await,
            Err(error) => Err(error),
        };
        let why = match opened {
            Ok(mut events) => {
                wait = 1;
                if out.send(Message::Live(Live::Up)).await.is_err() {
                    return;
                }
                loop {
                    match events.next().await {
                        Some(Ok(news)) => {
                            last = news.id.or(last);
                            if out.send(Message::Live(Live::News(news.what))).await.is_err() {
                                return;
                            }
                        }
                        Some(Err(error)) => break error,
                        None => {
                            let server = lazy.config.server.origin().ascii_serialization();
                            break ClientError::Unreachable { server, why: "the live stream ended".into() };
                        }
                    }
                }
            }
            Err(error) => error,
        };
        let stop = why.needs_sign_in();
        if out.send(Message::Live(Live::Down { why, again_in: wait })).await.is_err() || stop {
            return;
        }
        tokio::time::sleep(Duration::from_secs(wait)).await;
        wait = (wait * 2).min(MAX_BACKOFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ports::SystemRandom;

    #[tokio::test]
    async fn a_question_whose_work_breaks_off_is_answered() {
        let (out, mut answers) = mpsc::channel(1);
        let config = ClientConfig { server: "http://127.0.0.1:1".parse().unwrap(), ca_pem: None, token: None, timeout: Duration::from_secs(1) };
        let performer = Performer::new(config, Arc::new(SystemRandom), out, Paths::default(), None);
        performer.answer(7, Place::Queue, async { panic!("on purpose") });
        let answer = answers.recv().await;
        assert!(matches!(answer, Some(Message::Answer { seq: 7, reply: Err(ClientError::Unreachable { .. }), .. })), "{answer:?}");
    }
}
