//! Many cases: the same rules and the same commit, in batches, one stage of all cases of a batch after the other.
//!
//! Contract: every event is what `decide` gave for a world whose versions the commit carries. What the sample target and mailboxes would have
//! seen long ago is not replayed: no effects are queued. Bounded memory: one batch at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::Duration;
use tokio::task::JoinHandle;

use super::DemoError;
use super::clock::DemoClock;
use super::fill::record;
use crate::base::ids::{AutomationId, CaseId, EndpointId, OperatorId, PersonId, SessionId, SubjectId, TargetId, TextId};
use crate::base::{Digest, Time, Untrusted};
use crate::domain::case::{ActorRef, Case, ExecutionOutcome, Requester, Route, Signature, TextRef, Worker};
use crate::domain::checklist;
use crate::domain::command::{Actor, Command, Context, Decide, Open, World};
use crate::domain::decide::decide;
use crate::domain::derived::Derived;
use crate::domain::event::CaseEvent;
use crate::domain::history::History;
use crate::domain::policy::Policy;
use crate::domain::register::{Register, Scope};
use crate::domain::subject::{Endpoint, Subject};
use crate::domain::vocabulary::{
    Aal, Action, CaseState, Channel, Decision, EndpointKind, Environment, FailureType, Ial, InventorySource, Method, Path, Status, SubjectKind, Tier,
};
use crate::proofing;
use crate::service::{Service, ServiceError, row};
use crate::store::{CaseChange, Change, CommitError, Reads};

/// Cases worked on together.
const BATCH: u64 = 2_000;
/// Of these, how many go into one transaction: while it is written, the next ones are decided.
const PART: usize = 500;
/// Of a hundred cases, how many were opened just now and still wait for someone.
const LIVE_PERCENT: u64 = 2;

/// What becomes of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Stays new.
    New,
    /// Is triaged.
    Proofing,
    /// Is proved and sealed.
    Sealed,
    /// Withdrawn by its opener.
    Withdrawn,
    /// Nothing to recover.
    NoChange,
    /// Denied.
    Denied,
    /// Restored and closed.
    Closed,
}

const OLD: [Fate; 10] = [
    Fate::Withdrawn,
    Fate::NoChange,
    Fate::Withdrawn,
    Fate::NoChange,
    Fate::Withdrawn,
    Fate::NoChange,
    Fate::Withdrawn,
    Fate::Denied,
    Fate::NoChange,
    Fate::Closed,
];
const YOUNG: [Fate; 5] = [Fate::New, Fate::Proofing, Fate::Sealed, Fate::New, Fate::Proofing];

/// Fills a store.
pub struct Bulk {
    service: Arc<Service>,
    keys: proofing::Keys,
    clock: Arc<DemoClock>,
    register: Arc<Register>,
    policy: Arc<Policy>,
    subjects: u64,
}

struct Item {
    id: CaseId,
    number: u64,
    fate: Fate,
    subject: Arc<Subject>,
    version: u64,
    linked: u64,
    case: Option<Arc<Case>>,
}

impl Bulk {
    /// A filler for so many cases: records their subjects.
    pub async fn new(service: Arc<Service>, keys: proofing::Keys, clock: Arc<DemoClock>, cases: u64) -> Result<Self, DemoError> {
        let subjects = subjects_of(cases);
        let now = service.now();
        for first in (0..subjects).step_by(5_000) {
            let some = (first..(first + 5_000).min(subjects)).map(|n| subject(n, now)).collect::<Result<Vec<_>, _>>()?;
            record(&service, &some).await?;
        }
        Self::resume(service, keys, clock, cases).await
    }

    /// A filler whose subjects are recorded already.
    pub async fn resume(service: Arc<Service>, keys: proofing::Keys, clock: Arc<DemoClock>, cases: u64) -> Result<Self, DemoError> {
        let (register, policy) = service.rules().await?;
        Ok(Self { service, keys, clock, register, policy, subjects: subjects_of(cases) })
    }

    /// Cases of the past, from the clock's time until then.
    pub async fn history(&self, cases: u64, until: Time, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), DemoError> {
        let from = self.service.now();
        let step = (until - from) / i32::try_from(cases / BATCH + 2).unwrap_or(i32::MAX);
        for (turn, first) in (0..cases).step_by(usize::try_from(BATCH).unwrap_or(usize::MAX)).enumerate() {
            self.clock.lead_to(from + step * i32::try_from(turn).unwrap_or(i32::MAX));
            let count = BATCH.min(cases - first);
            self.batch(first, count, &OLD, true).await?;
            progress(small(first + count), small(cases));
        }
        Ok(())
    }

    /// Cases that were opened just now.
    pub async fn live(&self, first: u64, cases: u64) -> Result<(), DemoError> {
        for at in (first..first + cases).step_by(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            self.batch(at, BATCH.min(first + cases - at), &YOUNG, false).await?;
        }
        Ok(())
    }

    async fn batch(&self, first: u64, count: u64, fates: &[Fate], spread: bool) -> Result<(), DemoError> {
        let mut items = Vec::with_capacity(small(count));
        for number in first..first + count {
            let id: SubjectId = name(number % self.subjects).parse()?;
            let known = self.service.store.subject(&id).await.map_err(ServiceError::from)?;
            let known = known.ok_or_else(|| DemoError::Sample(format!("{id} is no subject")))?;
            let fate = fates[small(number) % fates.len()];
            let case = self.service.store.next_case(self.service.now()).await.map_err(ServiceError::from)?;
            items.push(Item { id: case, number, fate, subject: known.subject, version: known.version, linked: known.linked, case: None });
        }
        for stage in STAGES {
            let now = self.service.now();
            let mut writing = None;
            for part in items.chunks_mut(PART) {
                let mut changes = Vec::with_capacity(part.len());
                for item in part {
                    changes.extend(self.advance(item, stage, now)?);
                }
                written(writing.take()).await?;
                if !changes.is_empty() {
                    let store = Arc::clone(&self.service.store);
                    writing = Some(tokio::spawn(async move { store.commit_all(changes).await.map(drop) }));
                }
            }
            // The clock is led on only while nothing is being written: the store would take a jump between two looks for a moved clock.
            written(writing).await?;
            if spread {
                self.clock.lead_to(now + stage.pause());
            }
        }
        Ok(())
    }

    fn world(&self, item: &Item) -> World {
        World {
            case: item.case.clone(),
            linked: Vec::new(),
            subject: Some(Arc::clone(&item.subject)),
            register: Arc::clone(&self.register),
            pinned: Arc::clone(&self.policy),
            current: Arc::clone(&self.policy),
            held: None,
            mailboxes: Arc::default(),
            dates: Arc::default(),
            derived: Derived::default(),
        }
    }

    /// Does what the stage asks of the case, as one change a command.
    fn advance(&self, item: &mut Item, stage: Stage, now: Time) -> Result<Vec<Change>, DemoError> {
        let mut steps = Vec::new();
        for _ in 0..MAX_STEPS {
            let world = self.world(item);
            let Some((who, command)) = self.next(&world, item, stage, now)? else { break };
            let context = Context { now, actor: who, request: None };
            let events = decide(&world, &command, &context).map_err(|e| DemoError::Sample(format!("{} at {stage:?}: {e}", item.id)))?;
            let before = item.case.as_ref().map_or(0, |c| c.version);
            let mut case = item.case.as_deref().cloned();
            for event in &events {
                case = Case::apply(case, item.id, event, now);
            }
            let Some(after) = case.map(Arc::new) else { break };
            item.case = Some(Arc::clone(&after));
            let reads = Reads {
                cases: vec![(item.id, before)],
                linked_for: Some((item.subject.id.clone(), item.linked)),
                subject: Some((item.subject.id.clone(), item.version)),
                register: Some(self.register.version),
            };
            item.linked += u64::from(events.iter().any(CaseEvent::links));
            steps.push((context.actor.who, reads, events, after));
        }
        // Of changes that are committed together, the last one's row is written.
        let Some(row) = item.case.as_ref().filter(|_| !steps.is_empty()).map(|case| row::of(&self.world(item), case, now)) else {
            return Ok(Vec::new());
        };
        let change = |(who, reads, events, after)| {
            let case = Some(CaseChange { events, after, row: row.clone() });
            Change { reads, case, ..Change::new(who, now) }
        };
        Ok(steps.into_iter().map(change).collect())
    }

    fn next(&self, world: &World, item: &Item, stage: Stage, now: Time) -> Result<Option<(Actor, Command)>, DemoError> {
        let agent = || operator(&self.register, AGENTS[turn(item.number, Turn::Open) % AGENTS.len()]);
        let Some(case) = item.case.as_deref() else {
            return if stage == Stage::Open { self.open(item).map(Some) } else { Ok(None) };
        };
        let step = match (stage, case.state) {
            (Stage::Work, CaseState::New) if item.fate == Fate::Withdrawn => {
                (opener(&self.register, item.number)?, Command::Withdraw { reason: said()? })
            }
            (Stage::Work, CaseState::New) if item.fate != Fate::New => (agent()?, Self::triage(item)?),
            (Stage::Prove, CaseState::New | CaseState::Proofing) if item.fate == Fate::NoChange => {
                (agent()?, Command::NoChangeNeeded { reason: said()? })
            }
            (Stage::Prove, CaseState::Proofing) if matches!(item.fate, Fate::Sealed | Fate::Denied | Fate::Closed) => {
                return self.prove(world, case, item, now, &agent()?);
            }
            (Stage::Decide, CaseState::Sealed) if matches!(item.fate, Fate::Denied | Fate::Closed) => return self.decide(world, case, item, now),
            (Stage::Execute, CaseState::Approved) => (worker(), Command::StartExecution),
            (Stage::Execute, CaseState::Executing) => {
                let scope = case.plan.as_ref().map(|p| p.scope.clone()).unwrap_or_default();
                let outcome = ExecutionOutcome::Restored { scope };
                (worker(), Command::EndExecution { attempt: 1, outcome, grant: self.service.fresh("grn")? })
            }
            _ => return Ok(None),
        };
        Ok(Some(step))
    }

    fn open(&self, item: &Item) -> Result<(Actor, Command), DemoError> {
        let (target, scope) = item.subject.entitlements.iter().next().ok_or_else(|| DemoError::Sample("nothing is recorded".to_owned()))?;
        let actions: &[Action] = if item.subject.kind.is_non_human() { &[Action::SecretRotation, Action::TokenReissue] } else { &PERSONAL };
        let route = Route {
            subject: item.subject.id.clone(),
            action: actions[small(item.number / 7) % actions.len()],
            path: Path::Assisted,
            target: target.clone(),
            scope: scope.clone(),
            picked_groups: BTreeSet::new(),
        };
        let channel = Channel::ALL[small(item.number / 3) % Channel::ALL.len()];
        let open = Open { id: item.id, route, requester: Requester::Subject, channel, endpoint: None, session: None, summary: None };
        Ok((opener(&self.register, item.number)?, Command::Open(open)))
    }

    fn triage(item: &Item) -> Result<Command, DemoError> {
        let owner = super::organisation::person("r.kaur")?;
        let failure = if item.fate == Fate::NoChange { FailureType::Outage } else { FailureType::LostCredential };
        Ok(Command::Triage { failure, reproduction: said()?, triage_owner: owner.clone(), remedy_owner: owner })
    }

    /// Proves the next item of the checklist, or seals.
    fn prove(&self, world: &World, case: &Case, item: &Item, now: Time, agent: &Actor) -> Result<Option<(Actor, Command)>, DemoError> {
        let open = case.sessions.iter().find(|(_, s)| s.outcome.is_none());
        if let Some((session, proof)) = open {
            let address = item.subject.endpoints.first().map(|e| e.address.raw().to_owned()).unwrap_or_default();
            let (who, trust_root) = match (&proof.attester, proof.method) {
                (Some(person), _) => (ActorRef::Attester { person: person.clone(), session: session.clone() }, self.keys.contact_root(person)),
                (None, Method::SavedCode) => (ActorRef::Subject { session: session.clone() }, self.keys.code_set_root(&item.subject.id)),
                (None, _) => (ActorRef::Subject { session: session.clone() }, self.keys.mailbox_root(&address)),
            };
            let command = Command::RecordProof { session: session.clone(), receipt: self.service.fresh("rcp")?, trust_root };
            return Ok(Some((plain(who), command)));
        }
        let progress = checklist::progress(world, now);
        if progress.complete {
            return Ok(Some((agent.clone(), Command::Seal)));
        }
        let works = |m: &Method| matches!(m, Method::IssuedCode | Method::SavedCode | Method::ManagerAttestation);
        let missing = progress.items.iter().filter(|i| i.receipt.is_none()).find_map(|i| i.startable.iter().find(|s| works(&s.0)).cloned());
        let Some((method, endpoint, attester)) = missing else { return Ok(None) };
        let session: SessionId = self.service.fresh("ses")?;
        Ok(Some((agent.clone(), Command::StartProof { session, method, endpoint, attester })))
    }

    fn decide(&self, world: &World, case: &Case, item: &Item, now: Time) -> Result<Option<(Actor, Command)>, DemoError> {
        let gave: Vec<_> = case.live_approvals().map(|a| &a.person).collect();
        let could = crate::domain::lineage::could_decide(world, now).operators;
        // Anyone who could but who opens cases: of few, those who decide the sample cases would be strangers here and meet only who opens these.
        let person = |o: &OperatorId| self.register.person_of(o).map(|p| &p.id);
        let agents: Vec<&PersonId> = AGENTS.iter().filter_map(|a| person(&a.parse().ok()?)).collect();
        let fresh = could.iter().filter(|o| person(o).is_some_and(|p| !gave.contains(&p) && !agents.contains(&p)));
        let fresh: Vec<&OperatorId> = fresh.collect();
        let Some(who) = fresh.get(turn(item.number, Turn::Decide) % fresh.len().max(1)) else { return Ok(None) };
        let Some(seal) = case.seal.as_ref().map(|s| s.sha256) else { return Ok(None) };
        let decision = if item.fate == Fate::Denied { Decision::Deny } else { Decision::Approve };
        let decide = Decide {
            id: self.service.fresh("apr")?,
            decision,
            seal,
            version: case.version,
            nonce_issued_at: now,
            reason: said()?,
            signature: Signature::None,
        };
        Ok(Some((operator(&self.register, who.as_str())?, Command::Decide(decide))))
    }
}

/// Waits until what is being written is.
async fn written(writing: Option<JoinHandle<Result<(), CommitError>>>) -> Result<(), DemoError> {
    let Some(writing) = writing else { return Ok(()) };
    let outcome = writing.await.map_err(|e| DemoError::Machine(e.to_string()))?;
    Ok(outcome.map_err(ServiceError::from)?)
}

/// What is done to all cases of a batch before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Work,
    Prove,
    Decide,
    Execute,
}

const STAGES: [Stage; 5] = [Stage::Open, Stage::Work, Stage::Prove, Stage::Decide, Stage::Execute];
/// Commands of one case in one stage.
const MAX_STEPS: usize = 16;
const AGENTS: [&str; 2] = ["nadia", "tom.becker"];
const PERSONAL: [Action; 3] = [Action::PasswordReset, Action::AccountUnlock, Action::MfaReenrolment];

impl Stage {
    /// How long it is until the next stage: before execution as long as policy may delay it.
    fn pause(self) -> Duration {
        Duration::minutes(if self == Self::Decide { 95 } else { 20 })
    }
}

/// Whose turn it is to open a case, and to decide it: by no rule that the other one, the subject or what becomes of it goes by. A pair that met too
/// often would be flagged, and the sample cases after it with it.
fn turn(number: u64, of: Turn) -> usize {
    // Fibonacci hashing: the upper bits of a product by the golden ratio.
    let mixed = (number ^ (of as u64) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    small((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40)
}

/// What somebody's turn is to do.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Open = 1,
    Decide = 2,
}

fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn plain(who: ActorRef) -> Actor {
    Actor { who, scopes: BTreeSet::new(), read_only: false }
}

fn worker() -> Actor {
    plain(ActorRef::System { worker: Worker::Executor })
}

fn operator(register: &Register, name: &str) -> Result<Actor, DemoError> {
    let operator: OperatorId = name.parse()?;
    let person = register.person_of(&operator).map(|p| p.id.clone()).ok_or_else(|| DemoError::Sample(format!("{name} is nobody")))?;
    Ok(plain(ActorRef::Operator { operator, person }))
}

fn opener(register: &Register, number: u64) -> Result<Actor, DemoError> {
    if number.is_multiple_of(3) {
        let automation = AutomationId::parse(if number.is_multiple_of(2) { "triage-bot" } else { "chat-router" })?;
        let scopes = BTreeSet::from([Scope::Open, Scope::WithdrawOwn]);
        return Ok(Actor { scopes, ..plain(ActorRef::Automation { automation, on_behalf_of: Vec::new() }) });
    }
    operator(register, AGENTS[turn(number, Turn::Open) % AGENTS.len()])
}

/// A text that was said and erased since.
fn said() -> Result<TextRef, DemoError> {
    Ok(TextRef { id: TextId::parse("txt-sample")?, sha256: Digest::of(b"sample") })
}

/// How many of so many cases are live.
pub const fn live_of(cases: u64) -> u64 {
    cases * LIVE_PERCENT / 100
}

/// How many subjects so many cases are spread over: each has one a quarter of a year, so that none are linked, and none twice in a batch.
fn subjects_of(cases: u64) -> u64 {
    (cases / 4).max(BATCH)
}

fn name(n: u64) -> String {
    const STEMS: [&str; 8] = ["hauler", "payments", "depot", "ledger", "tracker", "okoye", "silva", "weber"];
    format!("{}-{n:06}", STEMS[small(n) % STEMS.len()])
}

fn subject(n: u64, now: Time) -> Result<Subject, DemoError> {
    const FIRST: [&str; 8] = ["Ada", "Bo", "Chidi", "Dana", "Emil", "Farah", "Gus", "Hana"];
    const LAST: [&str; 8] = ["Okoye", "Silva", "Weber", "Novak", "Ito", "Khan", "Lund", "Moreau"];
    let id = name(n);
    let machine = small(n) % 8 < 5;
    let old = now - Duration::days(200);
    let endpoint = Endpoint {
        id: EndpointId::parse(&format!("{id}-mail"))?,
        kind: EndpointKind::Email,
        address: Untrusted::from(format!("{id}@ferrol.example")),
        recorded_at: old,
        confirmed_at: Some(old),
    };
    let owner = super::organisation::person("b.lindgren")?;
    Ok(Subject {
        kind: if machine { SubjectKind::ServiceAccount } else { SubjectKind::Employee },
        name: Untrusted::from(if machine { id.clone() } else { format!("{} {}", FIRST[small(n / 8) % 8], LAST[small(n / 64) % 8]) }),
        person: None,
        tier: if n.is_multiple_of(10) { Tier::Elevated } else { Tier::Standard },
        ial: Ial::None,
        aal: Aal::Aal1,
        status: Status::Active,
        employer: Some("ferrol".parse()?),
        owners: if machine { vec![crate::domain::subject::Ownership { person: owner, since: old, until: None }] } else { Vec::new() },
        manager: Some(super::organisation::person("h.voss")?),
        manager_since: Some(old),
        inventory: if machine { InventorySource::Cmdb } else { InventorySource::Hr },
        environment: if machine { Environment::Staging } else { Environment::Corporate },
        dependents: Vec::new(),
        entitlements: BTreeMap::from([(TargetId::parse(if machine { "vault" } else { "directory" })?, BTreeSet::from(["access".parse()?]))]),
        endpoints: vec![endpoint],
        id: id.parse()?,
        history: History::default(),
    })
}

#[cfg(test)]
mod tests {
    use chrono::Datelike as _;

    use super::*;
    use crate::demo::host::Demo;
    use crate::domain::anomaly::{LOOKED_AT, Meeting, Met};

    const NAMES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

    #[test]
    fn nobody_who_opens_cases_meets_one_approver_oftener_than_another() {
        let person = |name: &str| crate::base::ids::PersonId::parse(name).unwrap();
        for size in [2_u64, 3, 6, 8] {
            let of = |n: u64| {
                let router =
                    if n.is_multiple_of(3) { ["triage-bot", "chat-router"][small(n % 2)] } else { AGENTS[turn(n, Turn::Open) % AGENTS.len()] };
                let approver = NAMES[turn(n, Turn::Decide) % small(size)];
                Meeting { approver: person(approver), routers: [person(router)].into(), through: BTreeSet::new() }
            };
            // Of all, and of those that some other rule picks by their number.
            for step in [1, 2, 5, 8, 10] {
                let met: Vec<Meeting> = (0..2_000).map(|n| of(n * step)).collect();
                for router in ["triage-bot", "chat-router", AGENTS[0], AGENTS[1]] {
                    for approver in &NAMES[..small(size)] {
                        assert!(Met::of(&met, &person(router), &person(approver)).iter().all(|m| !m.is_odd()), "{router} {approver} {step}");
                    }
                }
            }
        }
    }

    /// Sample cases are routed by one person far oftener than cases of the past are: after however many of these, no pair of theirs is odd.
    #[tokio::test]
    async fn whoever_decides_sample_cases_decided_cases_of_the_past_as_well() {
        let mut demo = Demo::prepare(2_000).await.unwrap();
        demo.fill(&|_, _, _| ()).await.unwrap();
        let (mut past, mut sample) = (Vec::new(), Vec::new());
        let year = u16::try_from(demo.service.now().year()).unwrap();
        for id in [year - 1, year].into_iter().flat_map(|year| (1..=2_100).map(move |number| CaseId::new(year, number))) {
            let Some(case) = demo.service.store.case(id).await.unwrap() else { continue };
            let met = case.approvals.iter().filter(|a| a.decision == Decision::Approve).map(|a| Meeting::at(&case, &a.person));
            let bulk = case.route.subject.as_str().bytes().rev().take(6).all(|b| b.is_ascii_digit());
            if bulk { past.extend(met) } else { sample.extend(met) }
        }
        assert!(past.len() > 150 && sample.len() > 30, "{} {}", past.len(), sample.len());
        for times in 0..usize::from(LOOKED_AT) / past.len() {
            let all: Vec<&Meeting> = std::iter::repeat_n(&past, times).flatten().chain(&sample).collect();
            for m in &sample {
                for router in m.routers.union(&m.through) {
                    let met = Met::of(all.iter().copied(), router, &m.approver);
                    assert!(met.iter().all(|met| !met.is_odd()), "{router} and {} after {times} times as many: {met:?}", m.approver);
                }
            }
        }
    }
}
