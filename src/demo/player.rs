//! Plays the sample cases: every act is a real command through the service, at its moment on the demo's clock.
//!
//! Contract: nothing is written past the rules; a story that the rules refuse is a mistake of the sample and said so. Proofs are recorded as
//! the pages record them. Knows nothing about servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;

use super::clock::DemoClock;
use super::story::{Act, Story};
use super::target::state::Account;
use super::{DemoError, organisation};
use crate::base::ids::{CaseId, OperatorId, PersonId, SessionId, SubjectId};
use crate::base::{Time, Untrusted};
use crate::domain::case::{ActorRef, ExecutionOutcome, Requester, Route, Signature, TextRef, Worker};
use crate::domain::checklist::{self, Item};
use crate::domain::command::{Actor, Command, Decide};
use crate::domain::lineage;
use crate::domain::register::Scope;
use crate::domain::vocabulary::{CaseState, Decision, EvidenceKind, FailureReason, HoldSource, Method, Status};
use crate::proofing;
use crate::service::open::NewCase;
use crate::service::{Ask, Service, ServiceError};
use crate::store::NewText;

/// Methods that work today, in the order in which they are tried.
const METHODS: [Method; 3] = [Method::IssuedCode, Method::SavedCode, Method::ManagerAttestation];
/// How often deadlines are looked at while weeks are played in seconds.
const PASS: Duration = Duration::hours(6);
/// Who works on what software opened, unless the story says otherwise.
const AGENT: &str = "tom.becker";
/// Accounts of security reviewers.
const SECURITY: [&str; 2] = ["a.lindqvist", "r.kaur"];

/// Plays stories.
pub struct Player {
    /// The service they are played through.
    pub service: Arc<Service>,
    /// Keys that trust roots are made with.
    pub keys: proofing::Keys,
    /// The clock that is led.
    pub clock: Arc<DemoClock>,
    /// What the sample target holds; follows what is executed.
    pub accounts: BTreeMap<SubjectId, Account>,
    /// Stories' numbers once they are open.
    cases: BTreeMap<usize, CaseId>,
}

impl Player {
    /// A player over a founded register.
    pub fn new(service: Arc<Service>, keys: proofing::Keys, clock: Arc<DemoClock>, accounts: BTreeMap<SubjectId, Account>) -> Self {
        Self { service, keys, clock, accounts, cases: BTreeMap::new() }
    }

    /// Plays all acts in order; `progress` is told how many are done.
    pub async fn play(&mut self, stories: &[Story], acts: &[(Time, usize, Act)], progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), DemoError> {
        for (done, (at, i, act)) in acts.iter().enumerate() {
            let Some(story) = stories.get(*i) else { continue };
            self.pass_time(*at).await?;
            let played = if *act == Act::Open { self.open(*i, story).await } else { self.act(*i, story, act).await };
            played.map_err(|e| DemoError::Sample(format!("case of {} at {act:?}: {e}", story.subject)))?;
            progress(done + 1, acts.len());
        }
        Ok(())
    }

    /// Leads the clock there; deadlines that pass on the way take effect as they would have, at most [`PASS`] late.
    async fn pass_time(&self, to: Time) -> Result<(), DemoError> {
        while self.service.now() + PASS < to {
            self.clock.lead_to(self.service.now() + PASS);
            let due = self.service.store.due(self.service.now(), 200).await.map_err(ServiceError::from)?;
            for case in due {
                self.run(&Ask::system(Worker::Deadlines), case, &Command::Tick).await?;
            }
        }
        self.clock.lead_to(to);
        Ok(())
    }

    async fn operator(&self, id: &OperatorId) -> Result<Ask, DemoError> {
        let register = self.service.store.register().await.map_err(ServiceError::from)?;
        let person = register.person_of(id).map(|p| p.id.clone()).ok_or_else(|| DemoError::Sample(format!("{id} is nobody")))?;
        let who = ActorRef::Operator { operator: id.clone(), person };
        Ok(Ask::by(Actor { who, scopes: std::collections::BTreeSet::new(), read_only: false }))
    }

    async fn opener(&self, story: &Story) -> Result<Ask, DemoError> {
        let register = self.service.store.register().await.map_err(ServiceError::from)?;
        let bot = story.by.parse().ok().and_then(|id| register.automations.get(&id).cloned());
        match bot {
            None => self.operator(&story.by.parse()?).await,
            Some(bot) => {
                let who = ActorRef::Automation { automation: bot.id, on_behalf_of: Vec::new() };
                Ok(Ask::by(Actor { who, scopes: std::collections::BTreeSet::from([Scope::Open, Scope::Route, Scope::Telemetry]), read_only: false }))
            }
        }
    }

    async fn agent(&self, story: &Story) -> Result<Ask, DemoError> {
        let by = story.by.parse::<OperatorId>()?;
        let register = self.service.store.register().await.map_err(ServiceError::from)?;
        let software = OperatorId::parse(AGENT)?;
        self.operator(if register.operators.contains_key(&by) { &by } else { story.agent.as_ref().unwrap_or(&software) }).await
    }

    async fn open(&mut self, i: usize, story: &Story) -> Result<(), DemoError> {
        let record = self.service.store.subject(&story.subject).await.map_err(ServiceError::from)?;
        let subject = record.ok_or_else(|| DemoError::Sample(format!("{} is no subject", story.subject)))?.subject;
        let (target, scope) = subject.entitlements.iter().next().ok_or_else(|| DemoError::Sample("nothing is recorded".to_owned()))?;
        let route = Route {
            subject: subject.id.clone(),
            action: story.action,
            path: story.path,
            target: target.clone(),
            scope: scope.clone(),
            picked_groups: std::collections::BTreeSet::new(),
        };
        let requester = story.requester.clone().map_or(Requester::Subject, Requester::Person);
        let new = NewCase { route, requester, channel: story.channel, endpoint: None, summary: Some(Untrusted::from(story.says.as_str())) };
        let ask = self.opener(story).await?;
        let done = self.service.open(&ask, &new).await?;
        self.cases.insert(i, done.case.id);
        Ok(())
    }

    fn text(&self, case: CaseId, text: &str) -> Result<(TextRef, NewText), DemoError> {
        Ok(self.service.text(case, &Untrusted::from(text))?)
    }

    async fn run(&self, ask: &Ask, case: CaseId, command: &Command) -> Result<(), DemoError> {
        self.service.execute(ask, case, command).await?;
        Ok(())
    }

    /// Runs a command that carries a text.
    async fn run_with(&self, ask: Ask, case: CaseId, text: &str, command: impl FnOnce(TextRef) -> Command) -> Result<(), DemoError> {
        let (reference, kept) = self.text(case, text)?;
        self.run(&ask.with_text(kept), case, &command(reference)).await
    }

    async fn act(&mut self, i: usize, story: &Story, act: &Act) -> Result<(), DemoError> {
        let case = *self.cases.get(&i).ok_or_else(|| DemoError::Sample("not open yet".to_owned()))?;
        let agent = self.agent(story).await?;
        match act {
            Act::Open => Ok(()),
            Act::Triage(failure) => {
                let owner = organisation::person("r.kaur")?;
                let me = person_of(&agent).unwrap_or_else(|| owner.clone());
                let said = "Tried to sign in with the subject on the line; the system answered as reported.";
                self.run_with(agent, case, said, |reproduction| Command::Triage {
                    failure: *failure,
                    reproduction,
                    triage_owner: me,
                    remedy_owner: owner,
                })
                .await
            }
            Act::Take(operator) => self.run(&self.operator(operator).await?, case, &Command::Assign { operator: Some(operator.clone()) }).await,
            Act::Evidence(EvidenceKind::Telemetry, text) => {
                let (id, ask) = (self.service.fresh("ev")?, self.opener(story).await?);
                self.run_with(ask, case, text, |text| Command::AddTelemetry { id, text }).await
            }
            Act::Evidence(kind, text) => {
                let id = self.service.fresh("ev")?;
                self.run_with(agent, case, text, |text| Command::AddEvidence { id, kind: *kind, text }).await
            }
            Act::Comment(operator, text) => self.run_with(self.operator(operator).await?, case, text, |text| Command::Comment { text }).await,
            Act::HandOver(text) => self.run_with(agent, case, text, |note| Command::HandOver { note, to: None }).await,
            Act::Start(method) => self.start(&agent, case, Some(*method)).await.map(drop),
            Act::Prove(n) => self.prove(&agent, case, *n).await,
            Act::Decline => self.decline(&agent, case).await,
            Act::Wrong(n) => self.wrong(&agent, case, *n).await,
            Act::Seal => self.run(&agent, case, &Command::Seal).await,
            Act::Withdraw => self.run_with(agent, case, "The caller found the old phone.", |reason| Command::Withdraw { reason }).await,
            Act::NoChange => {
                self.run_with(agent, case, "The proxy was misconfigured; the identity is fine.", |reason| Command::NoChangeNeeded { reason }).await
            }
            Act::Close => self.run(&agent, case, &Command::Close).await,
            other => self.others(case, other).await,
        }
    }

    /// Acts of people other than the agent, and of the server.
    async fn others(&mut self, case: CaseId, act: &Act) -> Result<(), DemoError> {
        match act {
            Act::ApproveAll => self.approve_all(case).await,
            Act::Approve(operator) => self.decide(operator, case, Decision::Approve, "Checked against the evidence; it is in order.").await,
            Act::Deny(operator, why) => self.decide(operator, case, Decision::Deny, why).await,
            Act::Refused(operator) => match self.decide(operator, case, Decision::Approve, "It is urgent.").await {
                Err(DemoError::Service(ServiceError::Refused(_) | ServiceError::Forbidden(_))) => Ok(()),
                Ok(()) => Err(DemoError::Sample("it was not refused".to_owned())),
                Err(other) => Err(other),
            },
            Act::Execute => self.execute(case, None).await,
            Act::Fail(reason) => self.execute(case, Some(*reason)).await,
            Act::Review(operator) => {
                let ask = self.reviewer(case, operator).await?;
                self.run_with(ask, case, "Evidence, approvals and what was restored agree.", |note| Command::Review { note, in_order: true }).await
            }
            Act::Hold(operator, why) => {
                let ask = self.operator(operator).await?;
                self.run_with(ask, case, why, |reason| Command::Hold { source: HoldSource::Security, reason: Some(reason) }).await
            }
            Act::Flag(operator, kind) => self.run(&self.operator(operator).await?, case, &Command::Flag { kind: *kind }).await,
            _ => Ok(()),
        }
    }

    /// Opens a session for the first item of the checklist that is missing (and offers the method, if one is named).
    async fn start(&self, agent: &Ask, case: CaseId, method: Option<Method>) -> Result<Option<Session>, DemoError> {
        let loaded = self.service.load(case, None).await?;
        let progress = checklist::progress(&loaded.world, loaded.now);
        let wanted = |item: &Item| {
            let offers = METHODS.iter().filter_map(|m| item.startable.iter().find(|s| s.0 == *m));
            offers.into_iter().find(|s| method.is_none_or(|m| m == s.0)).cloned()
        };
        let Some((method, endpoint, attester)) = progress.items.iter().filter(|i| i.receipt.is_none()).find_map(wanted) else { return Ok(None) };
        let session: SessionId = self.service.fresh("ses")?;
        let command = Command::StartProof { session: session.clone(), method, endpoint: endpoint.clone(), attester: attester.clone() };
        self.run(agent, case, &command).await?;
        let address = loaded.world.subject.as_deref().and_then(|s| s.endpoint(endpoint.as_ref()?)).map(|e| e.address.clone());
        let subject = loaded.world.subject.as_ref().map(|s| s.id.clone());
        Ok(Some(Session { id: session, method, attester, address, subject }))
    }

    async fn prove(&self, agent: &Ask, case: CaseId, most: usize) -> Result<(), DemoError> {
        for _ in 0..most.min(8) {
            let Some(session) = self.start(agent, case, None).await? else { return Ok(()) };
            self.clock.lead_to(self.service.now() + Duration::seconds(40));
            let trust_root = match (&session.attester, session.method, &session.address, &session.subject) {
                (Some(person), ..) => self.keys.contact_root(person),
                (_, Method::SavedCode, _, Some(subject)) => self.keys.code_set_root(subject),
                (_, _, Some(address), _) => self.keys.mailbox_root(address.raw()),
                _ => return Err(DemoError::Sample("nothing to rest the proof on".to_owned())),
            };
            let command = Command::RecordProof { session: session.id.clone(), receipt: self.service.fresh("rcp")?, trust_root };
            self.run(&session.holder(), case, &command).await?;
        }
        Ok(())
    }

    async fn decline(&self, agent: &Ask, case: CaseId) -> Result<(), DemoError> {
        let session = self.start(agent, case, Some(Method::ManagerAttestation)).await?;
        let session = session.ok_or_else(|| DemoError::Sample("nobody to ask".to_owned()))?;
        self.run(&session.holder(), case, &Command::RecordDecline { session: session.id.clone() }).await
    }

    async fn wrong(&self, agent: &Ask, case: CaseId, tries: u8) -> Result<(), DemoError> {
        let session = self.start(agent, case, Some(Method::IssuedCode)).await?;
        let session = session.ok_or_else(|| DemoError::Sample("no code to get wrong".to_owned()))?;
        for _ in 0..tries {
            self.run(&session.holder(), case, &Command::RecordFailedAttempt { session: session.id.clone() }).await?;
        }
        Ok(())
    }

    async fn decide(&self, operator: &OperatorId, case: CaseId, decision: Decision, why: &str) -> Result<(), DemoError> {
        let loaded = self.service.load(case, None).await?;
        let now = loaded.case()?.clone();
        let seal = now.seal.as_ref().ok_or_else(|| DemoError::Sample("it is not sealed".to_owned()))?.sha256;
        let id = self.service.fresh("apr")?;
        let version = now.changed;
        let nonce_issued_at = loaded.now;
        let ask = self.operator(operator).await?;
        let command = |reason| Command::Decide(Decide { id, decision, seal, version, nonce_issued_at, reason, signature: Signature::None });
        self.run_with(ask, case, why, command).await
    }

    async fn approve_all(&self, case: CaseId) -> Result<(), DemoError> {
        for turn in 0..6 {
            let loaded = self.service.load(case, None).await?;
            let now = loaded.case()?.clone();
            if now.state != CaseState::Sealed {
                return Ok(());
            }
            let gave: Vec<PersonId> = now.live_approvals().map(|a| a.person.clone()).collect();
            let could = lineage::could_decide(&loaded.world, loaded.now).operators;
            let fresh = |o: &&OperatorId| loaded.world.register.person_of(o).is_some_and(|p| !gave.contains(&p.id));
            // One of security first, where a group may be asked for; then others by turns, so that not always the same two meet.
            let security = |o: &&OperatorId| SECURITY.contains(&o.as_str());
            let (first, rest): (Vec<&OperatorId>, Vec<&OperatorId>) = could.iter().filter(fresh).partition(security);
            let left: Vec<&OperatorId> = if turn == 0 && !first.is_empty() { first } else { rest.into_iter().chain(first).collect() };
            let place = now.id.number() as usize % left.len().clamp(1, 2);
            let Some(operator) = left.get(place) else { return Err(DemoError::Sample("nobody is left to approve".to_owned())) };
            self.decide(operator, case, Decision::Approve, "Checked against the evidence; it is in order.").await?;
            self.clock.lead_to(self.service.now() + Duration::seconds(50));
        }
        Ok(())
    }

    /// Whoever is named, or if they approved the other one of security.
    async fn reviewer(&self, case: CaseId, named: &OperatorId) -> Result<Ask, DemoError> {
        let loaded = self.service.load(case, None).await?;
        let approved: Vec<&OperatorId> = loaded.case()?.approvals.iter().map(|a| &a.operator).collect();
        let other = SECURITY.iter().map(|s| s.parse::<OperatorId>()).find(|o| o.as_ref().is_ok_and(|o| !approved.contains(&o)));
        match other {
            Some(other) if approved.contains(&named) => self.operator(&other?).await,
            _ => self.operator(named).await,
        }
    }

    async fn execute(&mut self, case: CaseId, fail: Option<FailureReason>) -> Result<(), DemoError> {
        let ask = Ask::system(Worker::Executor);
        let started = self.service.execute(&ask, case, &Command::StartExecution).await?.case;
        let attempt = started.attempts();
        let plan = started.plan.clone().ok_or_else(|| DemoError::Sample("there is no plan".to_owned()))?;
        let outcome = match fail {
            Some(reason) => ExecutionOutcome::Failed { reason },
            None => ExecutionOutcome::Restored { scope: plan.scope.clone() },
        };
        self.run(&ask, case, &Command::EndExecution { attempt, outcome, grant: self.service.fresh("grn")? }).await?;
        if fail.is_none()
            && let Some(account) = self.accounts.get_mut(&started.route.subject)
        {
            (account.status, account.scope) = (Status::Active, plan.scope);
            account.generation += 1;
        }
        Ok(())
    }
}

/// A session that was opened, and who holds it.
struct Session {
    id: SessionId,
    method: Method,
    attester: Option<PersonId>,
    address: Option<Untrusted>,
    subject: Option<SubjectId>,
}

impl Session {
    fn holder(&self) -> Ask {
        let session = self.id.clone();
        let who = match &self.attester {
            Some(person) => ActorRef::Attester { person: person.clone(), session },
            None => ActorRef::Subject { session },
        };
        Ask::by(Actor { who, scopes: std::collections::BTreeSet::new(), read_only: false })
    }
}

fn person_of(ask: &Ask) -> Option<PersonId> {
    match &ask.actor.who {
        ActorRef::Operator { person, .. } => Some(person.clone()),
        _ => None,
    }
}
