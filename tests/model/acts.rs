//! What the actors of the model may try, and what comes of it.
//!
//! Contract: an act is tried wherever it could make sense, by whoever might; the production `decide` says whether it happens.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use countersign::base::Digest;
use countersign::base::ids::CaseId;
use countersign::domain::case::{ActorRef, Case, ExecutionOutcome, Requester, Signature, Worker};
use countersign::domain::command::{Command, Context, Decide, World};
use countersign::domain::decide::decide;
use countersign::domain::register::{Delegation, Operator, Register};
use countersign::domain::vocabulary::*;

use super::Life;
use super::defect::Defect;
use super::oracle;
use super::play::{self, actor, bot, id, op, start, system, text};
use super::state::{DISTURBANCES, State};

/// An act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ruiz's delegation to Nadia ends.
    Revoke,
    /// A laxer policy comes into force.
    Loosen,
    /// Someone opens the explored case or the linked one.
    Open(usize, &'static str),
    /// The linked case is withdrawn.
    WithdrawLinked,
    /// A plain step of work on the explored case.
    Step(&'static str),
    /// Someone decides on what stands.
    Decide(&'static str, Decision),
    /// Someone decides on a seal that no longer stands.
    Stale(&'static str),
    /// Someone takes an approval back.
    TakeBack(&'static str),
}

const APPROVERS: &[&str] = &["nadia-sup", "omar", "ruiz", "lind", "lind-two", "sato", "tess"];
/// Steps that disturb: each counts against [`DISTURBANCES`] and happens once.
const DISTURBING: &[&str] = &["route", "reopen", "hold", "flag", "evidence", "telemetry", "failed_attempt", "withdraw", "no_change"];
const STEPS: &[&str] = &[
    "triage",
    "start",
    "prove",
    "seal",
    "execute",
    "restored",
    "failed",
    "retry",
    "roll_back",
    "rolled_back",
    "revoke",
    "gone",
    "review",
    "close",
    "contact",
    "reached",
    "lift",
    "ask",
    "decline",
    "tick",
    "reassess",
    "comment",
    "assign",
    "handover",
];

/// Everything that could be tried here.
pub fn possible(state: &State, out: &mut Vec<Act>) {
    let room = state.disturbed.len() < DISTURBANCES;
    if room {
        if !state.revoked {
            out.push(Act::Revoke);
        }
        // Loosened in the middle of a case: it was opened under the stricter one.
        if !state.loosened && state.cases[0].is_some() {
            out.push(Act::Loosen);
        }
        match &state.cases[1] {
            None => out.push(Act::Open(1, "tess")),
            Some(case) if case.state == CaseState::New => out.push(Act::WithdrawLinked),
            Some(_) => {}
        }
    }
    let Some(case) = state.cases[0].as_deref() else {
        out.extend([Act::Open(0, "nadia"), Act::Open(0, "bot")]);
        return;
    };
    out.extend(STEPS.iter().filter(|s| plausible(case, s)).map(|s| Act::Step(s)));
    if room {
        out.extend(DISTURBING.iter().filter(|s| !state.disturbed.contains(**s) && !case.state.is_ended()).map(|s| Act::Step(s)));
    }
    if matches!(case.state, CaseState::Sealed | CaseState::Approved) {
        out.extend(APPROVERS.iter().map(|a| Act::Decide(a, Decision::Approve)));
        out.extend([Act::Decide("sato", Decision::Deny), Act::Decide("nadia-sup", Decision::Deny)]);
        out.extend(["lind", "sato"].map(Act::TakeBack));
        if state.disturbed.contains("reopen") || state.disturbed.contains("route") {
            out.push(Act::Stale("lind"));
        }
    }
}

/// Saves asking for what could change nothing anyway, or would repeat itself for ever.
fn plausible(case: &Case, step: &str) -> bool {
    use CaseState as S;
    let session = |name: &str| case.sessions.get(&id(name));
    let held = case.hold.is_some();
    match step {
        "triage" => case.triage.is_none(),
        "start" => session("p1").is_none() && case.state == S::Proofing,
        "prove" => session("p1").is_some_and(|s| s.outcome.is_none()),
        "ask" => session("m1").is_none() && case.state == S::Proofing && case.has_flag(FlagKind::Pressure),
        "decline" => session("m1").is_some_and(|s| s.outcome.is_none()),
        "contact" => held && session("c1").is_none(),
        "reached" => held && session("c1").is_some_and(|s| s.outcome.is_none()),
        "lift" => held && session("c1").is_some(),
        "seal" => case.state == S::Proofing && !case.receipts.is_empty(),
        "execute" => case.state == S::Approved,
        // A roll-back that fails is left to the tests by invariant: here nothing leads from it back to deciding.
        "restored" | "failed" => case.state == S::Executing && case.executions.last().is_some_and(|e| e.outcome.is_none()),
        "rolled_back" => case.state == S::Executing && case.executions.last().is_some_and(|e| e.outcome.is_some()),
        "retry" => case.state == S::Failed && case.executions.len() < 2,
        "roll_back" => matches!(case.state, S::Restored | S::Failed),
        "revoke" | "gone" => !case.grants.is_empty(),
        "review" => case.state == S::Restored && case.reviews.is_empty(),
        "close" => case.state == S::Restored,
        "comment" | "assign" | "handover" => case.comments == 0,
        _ => true,
    }
}

/// What comes of an act; nothing if the rules refuse it.
pub fn perform(life: &Life, state: &State, act: Act) -> Option<State> {
    let mut next = state.clone();
    match act {
        Act::Revoke => {
            next.revoked = true;
            next.disturbed.insert("revoke");
        }
        Act::Loosen => {
            next.loosened = true;
            next.disturbed.insert("loosen");
        }
        Act::Open(n, who) => {
            let mut open = play::open(u32::try_from(n).ok()? + 1, Path::Assisted);
            open.route.action = Action::JitAccess;
            open.requester = Requester::Subject;
            let actor = if who == "bot" { bot(Vec::new()) } else { op(who) };
            run(life, &mut next, n, actor, Command::Open(open), 0)?;
            next.hands[n].insert(if who == "bot" { "omar" } else { oracle::human(who) });
            if n == 1 {
                next.disturbed.insert("linked");
            }
        }
        Act::WithdrawLinked => {
            run(life, &mut next, 1, op("lee"), Command::Withdraw { reason: text("w") }, 0)?;
            next.disturbed.insert("withdraw_linked");
        }
        Act::Step(step) => take(life, &mut next, step)?,
        Act::Decide(account, decision) => {
            let case = state.cases[0].clone()?;
            let command = decision_on(&case, account, decision, case.seal.as_ref()?.sha256);
            run(life, &mut next, 0, operator(account), command, 0)?;
            oracle::decided(&mut next, account, true);
        }
        Act::Stale(account) => {
            let case = state.cases[0].clone()?;
            let command = decision_on(&case, account, Decision::Approve, Digest::of(b"what was sealed before"));
            run(life, &mut next, 0, operator(account), command, 0)?;
            oracle::decided(&mut next, account, false);
        }
        Act::TakeBack(account) => {
            run(life, &mut next, 0, operator(account), Command::TakeBack { reason: text("t") }, 0)?;
            next.approved.remove(oracle::human(account));
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
fn take(life: &Life, next: &mut State, step: &'static str) -> Option<()> {
    let (who, command, later) = step_command(next, step)?;
    let before = next.cases[0].clone()?;
    run(life, next, 0, who, command, later)?;
    match step {
        "evidence" | "route" | "reopen" => {
            next.approved.clear();
            next.hands[0].insert("lee");
        }
        "execute" if next.is(CaseState::Executing) => oracle::began(next),
        _ => {}
    }
    // Approvals that the rules voided count for nobody any more.
    if next.is(CaseState::Proofing) {
        next.approved.clear();
    }
    if DISTURBING.contains(&step) {
        next.disturbed.insert(step);
    }
    let persons = |c: &Case| c.lineage.iter().map(|e| e.person.clone()).collect::<BTreeSet<_>>();
    let after = next.cases[0].clone()?;
    if !persons(&before).is_subset(&persons(&after)) {
        next.broken = Some("the lineage shrank");
    }
    Some(())
}

fn step_command(state: &State, step: &str) -> Option<(ActorRef, Command, i64)> {
    let case = state.cases[0].as_deref()?;
    let subject = |s: &str| ActorRef::Subject { session: id(s) };
    let manager = ActorRef::Attester { person: id("mona"), session: id("m1") };
    let executor = system(Worker::Executor);
    let attempt = u32::try_from(case.executions.len()).ok()?;
    let mut route = case.route.clone();
    route.scope.insert(id("write"));
    let scope = case.plan.as_ref().map(|p| p.scope.clone()).unwrap_or_default();
    let unreachable = ExecutionOutcome::Failed { reason: FailureReason::Unreachable };
    let grant = case.grants.first().map(|g| g.id.clone());
    let lee = || op("lee");
    let ask = Command::StartProof { session: id("m1"), method: Method::ManagerAttestation, endpoint: None, attester: Some(id("mona")) };
    Some(match step {
        "triage" => (lee(), play::triage(), 0),
        "start" => (lee(), play::start_code("p1", "mail-1"), 0),
        "prove" => (subject("p1"), play::proof("p1", "r1"), 0),
        "failed_attempt" => (subject("p1"), Command::RecordFailedAttempt { session: id("p1") }, 0),
        "ask" => (lee(), ask, 0),
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
        "flag" => (op("vega"), Command::Flag { kind: FlagKind::Pressure }, 0),
        "withdraw" => (lee(), Command::Withdraw { reason: text("w") }, 0),
        "no_change" => (lee(), Command::NoChangeNeeded { reason: text("n") }, 0),
        "execute" => (executor, Command::StartExecution, 0),
        "restored" => (executor, play::ended(attempt, ExecutionOutcome::Restored { scope }), 0),
        "failed" => (executor, play::ended(attempt, unreachable), 0),
        "rolled_back" => (executor, play::ended(attempt, ExecutionOutcome::RolledBack), 0),
        "retry" => (lee(), Command::Retry, 0),
        "roll_back" => (op("sato"), Command::RollBack { reason: text("b") }, 0),
        "revoke" => (lee(), Command::RevokeGrant { grant: grant? }, 0),
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
