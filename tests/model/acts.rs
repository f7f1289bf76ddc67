//! What the actors of the model may try, and what comes of it.
//!
//! Contract: an act is tried wherever it could make sense, by whoever might; the production `decide` says whether it happens.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use countersign::base::Digest;
use countersign::base::ids::CaseId;
use countersign::domain::case::{ActorRef, Case, ExecutionOutcome, Hand, Requester, Signature, TrustRoot, Worker};
use countersign::domain::command::{Command, Context, Decide, World};
use countersign::domain::decide::decide;
use countersign::domain::derived::Derived;
use countersign::domain::elsewhere::Elsewhere;
use countersign::domain::register::{Delegation, Operator, Principal, Register};
use countersign::domain::vocabulary::*;

use super::Life;
use super::defect::Defect;
use super::oracle;
use super::play::{self, actor, bot, id, op, start, system, text};
use super::state::State;

/// What one model explores, exhaustively: which acts there are, and how many of the disturbing ones one run may hold.
#[derive(Debug)]
pub struct Bounds {
    /// Who may open the explored case, and the linked one.
    pub openers: [&'static [&'static str]; 2],
    /// Plain steps of work on each case.
    pub steps: [&'static [&'static str]; 2],
    /// Disturbing steps on each case: each happens once a run and counts.
    pub disturbing: [&'static [&'static str]; 2],
    /// Disturbing acts beside the cases: `revoke` (Ruiz's delegation to Nadia ends), `loosen` (a laxer policy comes into force), `linked`
    /// (opening the linked case counts as one, where it is not free).
    pub around: &'static [&'static str],
    /// Who tries to approve.
    pub approvers: &'static [&'static str],
    /// Who tries to deny.
    pub deniers: &'static [&'static str],
    /// Who takes an approval back.
    pub takers: &'static [&'static str],
    /// How many disturbing acts one run may hold, in any order and at any time.
    pub disturbances: usize,
}

/// An act; the number says on which case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ruiz's delegation to Nadia ends.
    Revoke,
    /// A laxer policy comes into force.
    Loosen,
    /// Someone opens a case.
    Open(usize, &'static str),
    /// A step of work.
    Step(usize, &'static str),
    /// Someone decides on what stands.
    Decide(usize, &'static str, Decision),
    /// Someone decides on a seal that no longer stands.
    Stale(usize, &'static str),
    /// Someone takes an approval back.
    TakeBack(usize, &'static str),
}

/// Who works each case, and never approves it. Tess would approve the other one.
const STAFF: [&str; 2] = ["lee", "tess"];

/// Everything that could be tried here.
pub fn possible(bounds: &Bounds, state: &State, out: &mut Vec<Act>) {
    let room = state.disturbed.len() < bounds.disturbances;
    let around = |what: &str| room && bounds.around.contains(&what);
    if around("revoke") && !state.revoked {
        out.push(Act::Revoke);
    }
    // Loosened in the middle of a case: it was opened under the stricter one.
    if around("loosen") && !state.loosened && state.cases[0].is_some() {
        out.push(Act::Loosen);
    }
    for n in 0..2 {
        match state.cases[n].as_deref() {
            None if n == 0 || !bounds.around.contains(&"linked") || room => out.extend(bounds.openers[n].iter().map(|who| Act::Open(n, who))),
            None => {}
            Some(case) => on_case(bounds, state, n, case, room, out),
        }
    }
}

fn on_case(bounds: &Bounds, state: &State, n: usize, case: &Case, room: bool, out: &mut Vec<Act>) {
    out.extend(bounds.steps[n].iter().filter(|s| plausible(case, s)).map(|s| Act::Step(n, s)));
    if room && !case.state.is_ended() {
        out.extend(bounds.disturbing[n].iter().filter(|s| !state.disturbed.contains(&(n, **s))).map(|s| Act::Step(n, s)));
    }
    if matches!(case.state, CaseState::Sealed | CaseState::Approved) {
        // Who took an approval back may give it anew, and take it back anew: once is tried, without end is not.
        let again = |a: &&&str| case.approvals.iter().filter(|given| given.person.as_str() == oracle::human(a)).count() < 2;
        out.extend(bounds.approvers.iter().filter(again).map(|a| Act::Decide(n, a, Decision::Approve)));
        out.extend(bounds.deniers.iter().map(|a| Act::Decide(n, a, Decision::Deny)));
        out.extend(bounds.takers.iter().map(|a| Act::TakeBack(n, a)));
        if state.disturbed.contains(&(n, "reopen")) || state.disturbed.contains(&(n, "route")) {
            out.push(Act::Stale(n, "lind"));
        }
    }
}

/// Saves asking for what could change nothing anyway, or would repeat itself for ever.
fn plausible(case: &Case, step: &str) -> bool {
    use CaseState as S;
    let session = |name: &str| case.sessions.get(&id(name));
    let own = own_session(case).0;
    let held = case.hold.is_some();
    match step {
        "triage" => case.triage.is_none(),
        "start" => session(own).is_none() && case.state == S::Proofing,
        "prove" => session(own).is_some_and(|s| s.outcome.is_none()),
        "ask" => session("m1").is_none() && case.state == S::Proofing && !case.flags.is_empty(),
        "decline" | "attest" => session("m1").is_some_and(|s| s.outcome.is_none()),
        "contact" => held && session("c1").is_none(),
        "reached" => held && session("c1").is_some_and(|s| s.outcome.is_none()),
        "lift" => held && session("c1").is_some(),
        "seal" => case.state == S::Proofing && !case.receipts.is_empty(),
        "execute" => case.state == S::Approved,
        // A roll-back that fails is left to the tests by invariant: here nothing leads from it back to deciding.
        "restored" | "failed" | "too_much" => case.state == S::Executing && case.executions.last().is_some_and(|e| e.outcome.is_none()),
        "rolled_back" => case.state == S::Executing && case.undoing.is_some(),
        "taken_back" => case.taking_back(),
        "retry" => case.state == S::Failed && case.executions.len() < 2,
        "roll_back" => matches!(case.state, S::Restored | S::Failed),
        "revoke" | "gone" => !case.grants.is_empty(),
        "review" => case.state == S::Restored && case.reviews.is_empty(),
        "close" => case.state == S::Restored,
        "comment" | "assign" | "handover" => case.comments.is_empty(),
        "withdraw" => !case.state.is_ended(),
        _ => true,
    }
}

/// What comes of an act; nothing if the rules refuse it.
pub fn perform(life: &Life, state: &State, act: Act) -> Option<State> {
    let mut next = state.clone();
    match act {
        Act::Revoke => {
            next.revoked = true;
            next.disturbed.insert((0, "revoke"));
        }
        Act::Loosen => {
            next.loosened = true;
            next.disturbed.insert((0, "loosen"));
        }
        Act::Open(n, who) => {
            let mut open = play::open(u32::try_from(n).ok()? + 1, Path::Assisted);
            open.route.action = Action::JitAccess;
            open.requester = Requester::Subject;
            let actor = if who == "bot" { bot(Vec::new()) } else { op(who) };
            run(life, &mut next, n, actor, Command::Open(open), 0)?;
            next.hands[n].insert(if who == "bot" { "omar" } else { oracle::human(who) });
            if n == 1 && life.bounds.around.contains(&"linked") {
                next.disturbed.insert((1, "open"));
            }
        }
        Act::Step(n, step) => take(life, &mut next, n, step)?,
        Act::Decide(n, account, decision) => {
            let case = state.cases[n].clone()?;
            let command = decision_on(&case, account, decision, case.seal.as_ref()?.sha256);
            run(life, &mut next, n, operator(account), command, 0)?;
            oracle::decided(&mut next, n, account, true);
        }
        Act::Stale(n, account) => {
            let case = state.cases[n].clone()?;
            let command = decision_on(&case, account, Decision::Approve, Digest::of(b"what was sealed before"));
            run(life, &mut next, n, operator(account), command, 0)?;
            oracle::decided(&mut next, n, account, false);
        }
        Act::TakeBack(n, account) => {
            run(life, &mut next, n, operator(account), Command::TakeBack { reason: text("t") }, 0)?;
            next.approved[n].remove(oracle::human(account));
        }
    }
    next.settle();
    Some(next)
}

fn operator(account: &'static str) -> ActorRef {
    ActorRef::Operator { operator: id(account), person: id(oracle::human(account)) }
}

fn decision_on(case: &Case, account: &str, decision: Decision, seal: Digest) -> Command {
    let name = format!("{account}-{}", case.approvals.len());
    Command::Decide(Decide {
        id: id(&name),
        decision,
        seal,
        version: case.changed,
        nonce_issued_at: start(),
        reason: text("r"),
        signature: Signature::None,
    })
}

/// A plain step: the command it stands for, and what it truly means.
fn take(life: &Life, next: &mut State, n: usize, step: &'static str) -> Option<()> {
    let (who, command, later) = step_command(next, n, step)?;
    let before = next.cases[n].clone()?;
    run(life, next, n, who, command, later)?;
    match step {
        "evidence" | "route" | "reopen" => {
            next.approved[n].clear();
            next.hands[n].insert(STAFF[n]);
        }
        "triage" if n == 1 => {
            next.hands[n].insert(STAFF[n]);
        }
        "execute" if next.is(n, CaseState::Executing) => oracle::began(next, n),
        _ => {}
    }
    // Approvals that the rules voided count for nobody any more.
    if next.is(n, CaseState::Proofing) {
        next.approved[n].clear();
    }
    if life.bounds.disturbing[n].contains(&step) {
        next.disturbed.insert((n, step));
    }
    let persons = |c: &Case| c.lineage.iter().map(|e| e.person.clone()).collect::<BTreeSet<_>>();
    let after = next.cases[n].clone()?;
    if !persons(&before).is_subset(&persons(&after)) {
        next.broken = Some("the lineage shrank");
    }
    Some(())
}

/// What the subject proves in, and when: what was proved before the case was sent to something else serves no more, and is asked for anew.
fn own_session(case: &Case) -> (&'static str, &'static str, i64) {
    if case.turns.is_empty() { ("p1", "r1", 0) } else { ("p2", "r4", 120) }
}

fn step_command(state: &State, n: usize, step: &str) -> Option<(ActorRef, Command, i64)> {
    let case = state.cases[n].as_deref()?;
    let subject = |s: &str| ActorRef::Subject { session: id(s) };
    let manager = ActorRef::Attester { person: id("mona"), session: id("m1") };
    let executor = system(Worker::Executor);
    let attempt = u32::try_from(case.executions.len()).ok()?;
    let (own, receipt, later) = own_session(case);
    let mut route = case.route.clone();
    route.scope.insert(id("write"));
    let scope = case.plan.as_ref().map(|p| p.scope.clone()).unwrap_or_default();
    let unreachable = ExecutionOutcome::Failed { reason: FailureReason::Unreachable };
    let grant = case.grants.first().map(|g| g.id.clone());
    let lee = || op(STAFF[n]);
    let ask = Command::StartProof { session: id("m1"), method: Method::ManagerAttestation, endpoint: None, attester: Some(id("mona")) };
    Some(match step {
        "triage" => (lee(), play::triage(), 0),
        "outage" => (lee(), play::triage_as(FailureType::Outage), 0),
        "start" => (lee(), play::start_code(own, "mail-1"), later),
        "prove" => (subject(own), play::proof(own, receipt), later),
        "failed_attempt" => (subject(own), Command::RecordFailedAttempt { session: id(own) }, later),
        "ask" => (lee(), ask, 0),
        "attest" => {
            let trust_root = TrustRoot { kind: TrustRootKind::Contact, sha256: Digest::of(b"mona") };
            (manager, Command::RecordProof { session: id("m1"), receipt: id("r3"), trust_root }, 0)
        }
        "decline" => (manager, Command::RecordDecline { session: id("m1") }, 0),
        "contact" => (op("vega"), play::start_code("c1", "mail-1"), 120),
        "reached" => (subject("c1"), play::proof("c1", "r2"), 120),
        "lift" => (op("vega"), Command::LiftHold { reason: text("l"), contact: id("c1") }, 0),
        "seal" => (lee(), Command::Seal, 0),
        "reopen" => (lee(), Command::Reopen { reason: text("o") }, 0),
        "route" => (lee(), Command::Route { route }, 0),
        "evidence" => (lee(), Command::AddEvidence { id: id("e1"), kind: EvidenceKind::Note, text: text("e") }, 0),
        "telemetry" => (bot(Vec::new()), Command::AddTelemetry { id: id("t1"), text: text("t") }, 0),
        "hold" => (op("vega"), Command::Hold { source: HoldSource::Security, reason: None }, 0),
        "take_over" => {
            let hands = BTreeSet::from([Hand { who: Principal::Person(id("omar")), duty: Duty::Router, at: case.request.opened_at }]);
            (system(Worker::Host), Command::TakeOver(Box::new(Elsewhere { hands, ..Elsewhere::default() })), 0)
        }
        "flag" => (op("vega"), Command::Flag { kind: FlagKind::Pressure }, 0),
        "withdraw" => (lee(), Command::Withdraw { reason: text("w") }, 0),
        "no_change" => (lee(), Command::NoChangeNeeded { reason: text("n") }, 0),
        // After whatever delay a flag brings with it.
        "execute" => (executor, Command::StartExecution, 7200),
        "restored" => (executor, play::ended(attempt, ExecutionOutcome::Restored { scope }), 0),
        "failed" => (executor, play::ended(attempt, unreachable), 0),
        "too_much" => (executor, play::ended(attempt, ExecutionOutcome::Failed { reason: FailureReason::TooMuch }), 0),
        "taken_back" => (executor, Command::ConfirmTakenBack { attempt }, 0),
        "rolled_back" => (executor, play::ended(attempt, ExecutionOutcome::RolledBack), 0),
        "retry" => (lee(), Command::Retry, 0),
        "roll_back" => (op("sato"), Command::RollBack { reason: text("b") }, 0),
        "revoke" => (lee(), Command::RevokeGrant { grant: grant?, reason: Some(text("r")) }, 0),
        "gone" => (system(Worker::Grants), Command::ConfirmRevoked { grant: grant? }, 0),
        "review" => (op("vega"), Command::Review { note: text("v"), in_order: true }, 0),
        "close" => (lee(), Command::Close, 0),
        "tick" => (system(Worker::Deadlines), Command::Tick, 30 * 24 * 3600),
        "reassess" => (system(Worker::Reassess), Command::Reassess, 0),
        "comment" => (lee(), Command::Comment { text: text("c") }, 0),
        "assign" => (lee(), Command::Assign { operator: Some(id("lee")) }, 0),
        _ => (lee(), Command::HandOver { note: text("h"), to: None }, 0),
    })
}

fn run(life: &Life, next: &mut State, n: usize, who: ActorRef, mut command: Command, later: i64) -> Option<()> {
    let before = next.cases[n].clone();
    let mut world = World {
        case: before.clone(),
        linked: next.cases[1 - n].iter().cloned().collect(),
        subject: Some(life.subject.clone()),
        register: life.registers[usize::from(next.revoked)].clone(),
        pinned: life.strict.clone(),
        current: if next.loosened { life.loose.clone() } else { life.strict.clone() },
        held: None,
        mailboxes: std::sync::Arc::default(),
        dates: std::sync::Arc::default(),
        derived: Derived::default(),
    };
    let mut actor = actor(who);
    if let Some(defect) = life.defect {
        defect.tell(&mut world);
        if let Some(case) = before.as_deref() {
            defect.ask(&mut command, case);
        }
        if let ActorRef::Operator { operator, person } = &mut actor.who {
            *person = world.register.operators[operator].person.clone();
        }
    }
    let now = start() + Duration::seconds(later);
    let context = Context { now, actor, request: None };
    let events = match (life.defect, &command, decide(&world, &command, &context)) {
        (_, _, Ok(events)) => events,
        // The defect lets evidence in where the rules would have asked for a reopen.
        (Some(Defect::NewEvidenceKeepsApprovals), Command::AddEvidence { .. }, Err(_)) => forced(&world, &command, &context)?,
        _ => return None,
    };
    life.fired.lock().ok()?.insert(command.code());
    for event in events {
        let case = world.case.take().map(|c| (*c).clone());
        world.case = Case::apply(case, CaseId::new(2026, u32::try_from(n).ok()? + 1), &event, now).map(Arc::new);
    }
    if let Some(defect) = life.defect {
        defect.keep(&command, before.as_deref(), &mut world);
    }
    next.cases[n] = world.case;
    Some(())
}

fn forced(world: &World, command: &Command, context: &Context) -> Option<Vec<countersign::domain::event::CaseEvent>> {
    let mut case = (**world.case.as_ref()?).clone();
    case.state = CaseState::Proofing;
    decide(&World { case: Some(Arc::new(case)), ..world.clone() }, command, context).ok()
}

/// The organisation, with Ruiz's delegation to Nadia as it stands. Lee works cases and approves none; Tess opens the linked one.
pub fn register(revoked: bool) -> Register {
    let mut register = play::register();
    let account = |name: &str, person: &str, roles: &[Role]| Operator {
        id: id(name),
        person: id(person),
        roles: roles.iter().copied().collect(),
        groups: BTreeSet::new(),
        enabled: true,
    };
    for name in ["lee", "tess"] {
        let mut person = register.persons[&id("mona")].clone();
        person.id = id(name);
        register.persons.insert(person.id.clone(), person);
    }
    let accounts = [
        account("lee", "lee", &[Role::SupportAgent]),
        account("tess", "tess", &[Role::SupportAgent, Role::Supervisor]),
        account("lind-two", "lind", &[Role::Supervisor]),
    ];
    register.operators.extend(accounts.map(|a| (a.id.clone(), a)));
    let since = start() - Duration::days(30);
    let until = revoked.then(|| start() - Duration::days(1));
    register.delegations.push(Delegation { id: id("d-1"), from: play::human("ruiz"), to: play::human("nadia"), since, until });
    register
}
