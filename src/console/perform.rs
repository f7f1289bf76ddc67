//! The only place where the console waits for the world: effects in, messages out.
//!
//! Contract: never blocks the loop; each effect ends in at most one message, the live stream in many; what can't be done is told. Knows
//! no screen and keeps no state but the connection, the timers and the stream.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::SecretString;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;

use super::drive::Perform;
use super::effect::{Ask, Effect, Order, Timer};
use super::keep::{self, Paths};
use super::mail::Folder;
use super::message::{Live, Message, Reply};
use super::model::Place;
use crate::base::ports::Random;
use crate::client::page;
use crate::client::session::{self, Session};
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

/// Does effects in the real world.
pub struct Performer {
    lazy: Arc<Lazy>,
    out: mpsc::Sender<Message>,
    paths: Paths,
    mailbox: Option<Arc<Mutex<Folder>>>,
    timers: HashMap<Timer, JoinHandle<()>>,
    stream: Option<JoinHandle<()>>,
    token: Option<SecretString>,
}

impl Performer {
    /// For a server, with files in the given places.
    pub fn new(config: ClientConfig, random: Arc<dyn Random>, out: mpsc::Sender<Message>, paths: Paths, mailbox: Option<PathBuf>) -> Self {
        let token = config.token.clone();
        let lazy = Arc::new(Lazy { cell: OnceCell::new(), config, random });
        let mailbox = mailbox.map(|folder| Arc::new(Mutex::new(Folder::new(folder))));
        Self { lazy, out, paths, mailbox, timers: HashMap::new(), stream: None, token }
    }

    fn answer(&self, seq: u64, to: Place, work: impl Future<Output = Result<Reply, ClientError>> + Send + 'static) {
        let out = self.out.clone();
        tokio::spawn(async move {
            let reply = work.await;
            let _ = out.send(Message::Answer { seq, to, reply }).await;
        });
    }

    /// What concerns files: done at once, they are small; trouble is told.
    fn file(&self, what: &str, done: std::io::Result<()>) {
        if let Err(error) = done {
            let _ = self.out.try_send(Message::Trouble(format!("{what} can't be kept: {error}.")));
        }
    }

    fn keep_session(&self) {
        if let (Some(token), Some(path)) = (&self.token, &self.paths.session) {
            let session = Session { server: self.lazy.config.server.to_string(), token: token.clone() };
            if let Err(error) = session::save(path, &session) {
                let _ = self.out.try_send(Message::Trouble(error.to_string()));
            }
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
            Effect::Ask { seq, to, ask: Ask::Drafts(owner) } => {
                let folder = self.paths.drafts.clone();
                self.answer(seq, to, async move {
                    let adopted = keep::adopt_drafts(folder.as_deref(), &owner);
                    Ok(Reply::Drafts(keep::load_drafts(folder.as_deref(), &owner), adopted))
                });
            }
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
                if let Some(Err(error)) = self.paths.session.as_deref().map(session::forget) {
                    let _ = self.out.try_send(Message::Trouble(error.to_string()));
                }
            }
            Effect::Draft(owner, key, text) => {
                self.file("The draft", keep::save_draft(self.paths.drafts.as_deref(), (&owner, &key), text.as_deref()));
            }
            Effect::KeepState(state) => self.file("Where you were", keep::save_state(self.paths.state.as_deref(), &state)),
            Effect::KeepViews(views) => self.file("The views", keep::save_views(self.paths.views.as_deref(), &views)),
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
