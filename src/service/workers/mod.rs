//! What happens by itself: the outbox is emptied, deadlines pass, executions run and are verified, grants end, notices go out.
//!
//! Contract: every step can be run once by itself ([`Workers::run_outbox_once`], [`Workers::run_deadlines_once`]) and repeated after a crash
//! at any point: what a step does outside is idempotent, and its result is committed together with the end of its outbox item. An unknown
//! outcome is answered by asking the target, never by guessing. Each [`Lane`] of the outbox is emptied by itself, so that orders never wait behind
//! mail, and a relay or target that hangs holds up its own lane alone. Knows no HTTP.

pub mod executor;
mod govern;
mod governors;
mod grants;
mod guards;
pub mod letters;
mod notices;
mod overdue;
mod post;
pub mod recipients;
mod sofar;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::Receiver;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::{Ask, Service, ServiceError};
use crate::base::Time;
use crate::base::ids::{CaseId, ProposalId, TargetId};
use crate::connectors::Connector;
use crate::domain::case::Worker;
use crate::domain::command::Command;
use crate::domain::effect::{Effect, Lane};
use crate::domain::message::Became;
use crate::outbound::mail::Mailer;
use crate::proofing::Keys;
use crate::store::{Announcement, OutboxItem};

/// Effects of a lane that are worked on at the same time.
pub const SIDE_BY_SIDE: u16 = 8;
/// Effects of a lane towards one target that are tried again at the same time: half of the places, so that a target which hangs does not hold up
/// what goes to others.
const TRIED_AGAIN: usize = SIDE_BY_SIDE as usize / 2;
/// Effects of a lane towards one target at the same time, first tries among them, where there are others: one place is always left for these.
const TO_ONE: usize = SIDE_BY_SIDE as usize - 1;
/// How long what is new waits for a place at its target, which keeps one place of the lane from what goes to others.
const SOON: std::time::Duration = std::time::Duration::from_millis(250);
/// How long an effect is taken for; taken anew each third of it for as long as it is worked on.
pub const LEASE_SECONDS: u32 = 180;
/// Cases looked at in one pass of the deadlines.
const DUE_PAGE: u16 = 200;
/// How often the outbox and the clock are looked at when nothing announces itself.
const TICK: Duration = Duration::from_secs(1);

/// What the workers reach the world with.
pub struct Hands {
    /// Keys of codes and links.
    pub keys: Keys,
    /// Mail.
    pub mailer: Mailer,
    /// Targets by id.
    pub connectors: BTreeMap<TargetId, Arc<dyn Connector>>,
    /// Where the requester's pages are, without a final `/`.
    pub pages_url: String,
    /// Name of the organisation, as messages say it.
    pub organisation: String,
}

/// How patient the workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Wait before the second try; doubles each time.
    pub first: Duration,
    /// The longest wait between two tries.
    pub longest: Duration,
    /// Tries of one message before it is given up.
    pub mail_tries: u32,
    /// How long an execution is tried before it ends as unreachable.
    pub execution: Duration,
    /// How often a target that shows no trace of an accepted order is asked again before it has changed nothing.
    pub looks: u32,
    /// At the end, how long what is under way may still take; then it is put back.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_mins(10),
            mail_tries: 24,
            execution: Duration::from_mins(15),
            looks: 2,
            drain: Duration::from_secs(5),
        }
    }
}

/// What became of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is done, and its item ended with a commit.
    Committed,
    /// It is done or no longer wanted; its item can go.
    Finished,
    /// It is to be tried again, by the number of tries so far.
    Again,
    /// So is a message, for those addresses where it is not settled yet what became of it, or an order with how far it came.
    Rest(BTreeMap<String, Became>),
    /// It is to be tried again then.
    At(Time),
    /// Nothing was tried: as many as may be are at work at its target.
    NoPlace,
}

/// The places of a lane at one target.
struct Places {
    all: Semaphore,
    again: Semaphore,
}

/// Places that are taken, until this is dropped.
type Taken<'a> = (Option<SemaphorePermit<'a>>, Option<SemaphorePermit<'a>>);

/// The workers.
pub struct Workers {
    service: Arc<Service>,
    hands: Arc<Hands>,
    patience: Patience,
    places: BTreeMap<(Lane, TargetId), Places>,
    /// Due proposals that this version can't read: each is told once.
    unread: Mutex<BTreeSet<ProposalId>>,
    /// What was announced lately of whose proposals.
    announced: guards::Announced,
}

impl Workers {
    /// Workers over a service.
    pub fn new(service: Arc<Service>, hands: Arc<Hands>, patience: Patience) -> Self {
        let most = if hands.connectors.len() > 1 { TO_ONE } else { usize::from(SIDE_BY_SIDE) };
        let at = |lane: Lane| hands.connectors.keys().map(move |target| (lane, target.clone()));
        let each = |key| (key, Places { all: Semaphore::new(most), again: Semaphore::new(TRIED_AGAIN) });
        let places = [Lane::End, Lane::Carry].into_iter().flat_map(at).map(each).collect();
        Self { service, hands, patience, places, unread: Mutex::default(), announced: guards::Announced::default() }
    }

    /// A place at a target, and one of those for what is tried again, unless all are taken: before it is asked anything. What is new waits a moment
    /// for one, since a target that answers has one soon.
    async fn place(&self, system: &TargetId, item: &OutboxItem) -> Option<Taken<'_>> {
        let Some(places) = self.places.get(&(item.effect.lane(), system.clone())) else { return Some((None, None)) };
        if item.tries == 0 {
            return Some((Some(tokio::time::timeout(SOON, places.all.acquire()).await.ok()?.ok()?), None));
        }
        let again = places.again.try_acquire().ok()?;
        Some((Some(places.all.try_acquire().ok()?), Some(again)))
    }

    /// Runs until `stop` becomes true; what is under way then gets [`Patience::drain`], and what is not done by then is put back.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let lanes = futures_util::future::join_all(Lane::ALL.map(|lane| self.lane_loop(lane, stop.clone())));
        tokio::join!(lanes, self.deadlines_loop(stop.clone()), self.reassess_loop(stop));
    }

    /// Takes one effect after the other as places come free.
    async fn lane_loop(&self, lane: Lane, mut stop: watch::Receiver<bool>) {
        let mut announced = self.service.store.announcements();
        let (mut under_way, mut ids) = (FuturesUnordered::new(), BTreeSet::new());
        while !*stop.borrow() {
            let free = SIDE_BY_SIDE.saturating_sub(u16::try_from(under_way.len()).unwrap_or(u16::MAX));
            if free > 0 {
                match self.service.store.claim(lane, self.service.now(), free, LEASE_SECONDS).await {
                    Ok(items) => {
                        for item in items {
                            ids.insert(item.id);
                            under_way.push(self.one(item));
                        }
                    }
                    Err(error) => tracing::error!(error = error.code(), "the outbox could not be read"),
                }
            }
            let full = under_way.len() >= usize::from(SIDE_BY_SIDE);
            tokio::select! {
                Some(id) = under_way.next() => drop(ids.remove(&id)),
                _ = stop.changed() => {}
                () = tokio::time::sleep(TICK), if !full => {}
                () = something_due(&mut announced), if !full => {}
            }
        }
        let finished = async {
            while let Some(id) = under_way.next().await {
                ids.remove(&id);
            }
        };
        if tokio::time::timeout(self.patience.drain, finished).await.is_err() {
            drop(under_way);
            // Nobody waits for the end of its lease: the next server takes it up at once.
            for id in ids {
                tracing::warn!(item = id, "an effect was under way at the end; it is put back");
                self.put_back(id).await;
            }
        }
    }

    async fn put_back(&self, item: i64) {
        if let Err(error) = self.service.store.postpone(item, self.service.now()).await {
            tracing::error!(item, error = error.code(), "an effect could not be put back or ended");
        }
    }

    async fn deadlines_loop(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let passed = tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => return,
                passed = self.run_deadlines_once() => passed,
            };
            if let Err(error) = passed {
                tracing::error!(error = error.code(), "deadlines could not be looked at");
            }
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Everything undecided at the start, since what was to be looked at again is lost with a process; then whatever announces itself, and after a
    /// pause what could not be looked at.
    async fn reassess_loop(&self, mut stop: watch::Receiver<bool>) {
        let looks = async {
            let mut looked = self.service.reassess_all().await;
            loop {
                if let Err(error) = looked {
                    tracing::error!(error = error.code(), "undecided cases could not be looked at again");
                }
                let left = self.service.reassess_left();
                tokio::select! {
                    () = self.service.reassess_wanted() => {}
                    () = tokio::time::sleep(self.patience.first), if left => {}
                }
                looked = self.service.reassess_due().await;
            }
        };
        // Let go of between two commits, however many cases are left.
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = looks => {}
        }
    }

    /// Takes what is due from the outbox and does it; how many effects were taken.
    pub async fn run_outbox_once(&self) -> Result<usize, ServiceError> {
        let mut taken = 0;
        for lane in Lane::ALL {
            let items = self.service.store.claim(lane, self.service.now(), SIDE_BY_SIDE, LEASE_SECONDS).await?;
            taken += items.len();
            futures_util::future::join_all(items.into_iter().map(|item| self.one(item))).await;
        }
        Ok(taken)
    }

    /// Does one effect and ends it, or puts it back; its row.
    async fn one(&self, item: OutboxItem) -> i64 {
        let step = match self.leased(&item).await {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(item = item.id, tries = item.tries, error = error.code(), "an effect will be tried again");
                Step::Again
            }
        };
        let store = &self.service.store;
        let later = self.service.now() + self.wait(item.tries);
        let ended = match step {
            Step::Committed => Ok(()),
            Step::Finished => store.finish(item.id).await,
            Step::Again => store.postpone(item.id, later).await,
            Step::Rest(became) => store.postpone_rest(item.id, later, became).await,
            Step::At(then) => store.postpone(item.id, then).await,
            Step::NoPlace => store.put_back(item.id, later).await,
        };
        if let Err(error) = ended {
            // Its lease runs out and it is taken again.
            tracing::error!(item = item.id, error = error.code(), "an effect could not be put back or ended");
        }
        item.id
    }

    /// Does one effect, and keeps it from others for as long as that takes.
    async fn leased(&self, item: &OutboxItem) -> Result<Step, ServiceError> {
        let mut every = tokio::time::interval(Duration::from_secs(u64::from(LEASE_SECONDS / 3)));
        every.tick().await;
        let work = self.perform(item);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = every.tick() => {
                    let until = self.service.now() + chrono::Duration::seconds(i64::from(LEASE_SECONDS));
                    if let Err(error) = self.service.store.postpone(item.id, until).await {
                        tracing::warn!(item = item.id, error = error.code(), "an effect that is worked on could not be taken for longer");
                    }
                }
            }
        }
    }

    async fn perform(&self, item: &OutboxItem) -> Result<Step, ServiceError> {
        match &item.effect {
            Effect::SendCode { case, session } => self.send_code(item, *case, session).await,
            Effect::AskAttester { case, session } => self.ask_attester(item, *case, session).await,
            Effect::NotifySubject { case, notice, turn } => self.notify_subject(item, *case, (*notice, *turn)).await,
            Effect::NotifyApprovers { case, reminder } => self.notify_approvers(item, *case, *reminder).await,
            Effect::NotifySecurity { case, escalated } => self.notify_security(item, *case, *escalated).await,
            Effect::NotifyStaff { case, state } => self.notify_staff(item, *case, *state).await,
            Effect::Execute { case, attempt } => self.execute_plan(item, *case, *attempt).await,
            Effect::RevokeGrant { case, grant } => self.revoke_grant(item, *case, grant).await,
            Effect::NotifyGovernors { by, counts_from, tokens } => {
                let at_once = counts_from.is_some_and(|from| from <= self.service.now());
                self.notify_governors(item, governors::Recovered { by, tokens, at_once }).await
            }
            Effect::NotifyGuards { proposal, reminder } => self.notify_guards(item, proposal, *reminder).await,
            Effect::RollBack { case, attempt } => self.roll_back(item, *case, *attempt).await,
        }
    }

    /// Lets time pass for every case that is due, and applies register changes whose delay is over; how many cases were looked at.
    pub async fn run_deadlines_once(&self) -> Result<usize, ServiceError> {
        let now = self.service.now();
        if let Err(error) = self.apply_due(now).await {
            tracing::error!(error = error.code(), "register changes whose delay is over could not be applied");
        }
        let due = self.service.store.due(now, DUE_PAGE).await?;
        for case in &due {
            if let Err(error) = self.service.execute(&Ask::system(Worker::Deadlines), *case, &Command::Tick).await {
                tracing::warn!(%case, error = error.code(), "time could not pass for a case");
            }
        }
        Ok(due.len())
    }

    /// Exponential wait with up to a quarter of jitter, so that many do not come back at once.
    fn wait(&self, tries: u32) -> chrono::Duration {
        let first = u64::try_from(self.patience.first.as_millis()).unwrap_or(u64::MAX);
        let longest = u64::try_from(self.patience.longest.as_millis()).unwrap_or(u64::MAX);
        let plain = first.saturating_mul(1_u64 << tries.min(20)).min(longest);
        let mut byte = [0_u8; 1];
        self.service.ports.random.fill(&mut byte);
        let jitter = plain / 4 * u64::from(byte[0]) / 255;
        chrono::Duration::milliseconds(i64::try_from(plain.saturating_add(jitter)).unwrap_or(i64::MAX))
    }

    /// As a worker, ending an outbox item with the commit.
    fn ask(worker: Worker, item: &OutboxItem) -> Ask {
        Ask::system(worker).finishing(item.id)
    }

    /// What becomes of an item whose command the domain refused: it is no longer wanted, or later.
    fn after_refusal(case: CaseId, error: ServiceError) -> Result<Step, ServiceError> {
        use crate::domain::refusal::Refusal;
        match error {
            ServiceError::Refused(refusal) => match *refusal {
                Refusal::TooEarly(then) => Ok(Step::At(then)),
                Refusal::Held => Ok(Step::Again),
                other => {
                    tracing::info!(%case, refusal = other.code(), "an effect is no longer wanted");
                    Ok(Step::Finished)
                }
            },
            ServiceError::NotFound(_) => Ok(Step::Finished),
            other => Err(other),
        }
    }
}

/// Waits until a change announces that it queued something to be done at once; what was announced meanwhile is heard with it.
async fn something_due(announced: &mut Receiver<Arc<Announcement>>) {
    loop {
        match announced.recv().await {
            Ok(change) if !change.due => {}
            // Closed and lagged alike: the next pass looks at the outbox itself.
            _ => break,
        }
    }
    *announced = announced.resubscribe();
}
