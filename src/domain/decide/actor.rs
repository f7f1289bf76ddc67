//! Who may ask for what: the literal questions that every command begins with (invariants 1 and 6).
//!
//! Contract: the default is no. An operation that automation may not hold has no branch here that lets it. Judges accounts by the register
//! as it stands, never by what a request says of itself. Knows nothing about where a case stands.

use super::draft::Draft;
use crate::base::Time;
use crate::base::ids::{AutomationId, SessionId};
use crate::domain::case::{ActorRef, Hand, Worker};
use crate::domain::command::Context;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Operator, Person, Principal, Register, Scope};
use crate::domain::vocabulary::{Duty, Role, Status};

/// Who works cases: takes, comments, keeps evidence.
pub(super) const STAFF: &[Role] = &[Role::SupportAgent, Role::Supervisor, Role::SecurityReviewer];
/// Who works the queue and routes.
pub(super) const AGENTS: &[Role] = &[Role::SupportAgent];
/// Who answers for what was decided.
pub(super) const SUPERVISORS: &[Role] = &[Role::Supervisor, Role::SecurityReviewer];
/// Who freezes and looks back.
pub(super) const SECURITY: &[Role] = &[Role::SecurityReviewer];

/// An operator that may sign in, with the person behind it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub operator: Operator,
    pub person: Person,
}

/// That the operation needs something the asker isn't.
pub(super) fn not_permitted(operation: &'static str, needs: &str) -> Refusal {
    Refusal::NotPermitted { operation, needs: needs.to_owned() }
}

/// The operator who asks, whatever their roles. The person is the register's, never the request's.
pub(super) fn operator(register: &Register, context: &Context, operation: &'static str) -> Result<Caller, Refusal> {
    let ActorRef::Operator { operator, person } = &context.actor.who else {
        return Err(not_permitted(operation, "a person who is signed in"));
    };
    let account = register.operators.get(operator).filter(|o| o.enabled && &o.person == person);
    let human = account.and_then(|o| register.persons.get(&o.person)).filter(|p| p.status == Status::Active);
    match (account, human) {
        (Some(account), Some(human)) => Ok(Caller { operator: account.clone(), person: human.clone() }),
        _ => Err(not_permitted(operation, "an enabled account of an active person")),
    }
}

/// The operator who asks, if they have one of the roles.
pub(super) fn role(register: &Register, context: &Context, operation: &'static str, roles: &[Role]) -> Result<Caller, Refusal> {
    let caller = operator(register, context, operation)?;
    if roles.iter().any(|r| caller.operator.roles.contains(r)) {
        return Ok(caller);
    }
    Err(Refusal::RoleMissing { operation, role: roles.first().copied().unwrap_or(Role::SupportAgent) })
}

/// The automation that asks, if its credential and its record both hold the scope.
pub(super) fn automation(register: &Register, context: &Context, operation: &'static str, scope: Scope) -> Result<AutomationId, Refusal> {
    let ActorRef::Automation { automation, .. } = &context.actor.who else {
        return Err(not_permitted(operation, "an automation"));
    };
    let record = register.automations.get(automation).filter(|a| a.enabled);
    let record = record.ok_or_else(|| not_permitted(operation, "an enabled automation"))?;
    if record.scopes.contains(&scope) && context.actor.scopes.contains(&scope) {
        return Ok(automation.clone());
    }
    Err(not_permitted(operation, "a credential with that scope"))
}

/// One of the server's own workers, if it is one of those.
pub(super) fn worker(draft: &Draft<'_>, workers: &[Worker]) -> Result<(), Refusal> {
    match &draft.ctx.actor.who {
        ActorRef::System { worker } if workers.contains(worker) => Ok(()),
        _ => Err(not_permitted(draft.code, "the server itself")),
    }
}

/// Whether the asker is the subject in a session that the server opened for this case.
pub(super) fn is_subject(draft: &Draft<'_>) -> bool {
    matches!(&draft.ctx.actor.who, ActorRef::Subject { session } if draft.case.sessions.contains_key(session))
}

/// Whether the asker is whom the session was opened to: the subject, the named attester, or the server for facts it looks up.
pub(super) fn holds_session(draft: &Draft<'_>, id: &SessionId) -> bool {
    let Some(proof) = draft.case.sessions.get(id) else { return false };
    match &draft.ctx.actor.who {
        ActorRef::Subject { session } => session == id && proof.attester.is_none(),
        ActorRef::Attester { person, session } => session == id && proof.attester.as_ref() == Some(person),
        ActorRef::System { .. } => {
            use crate::domain::vocabulary::Method;
            matches!(proof.method, Method::DirectoryFact | Method::ManagedDevice)
        }
        _ => false,
    }
}

/// The hands behind an act: the person; or the automation and everyone in the chain it acts for, at any depth (T3).
pub(super) fn hands(who: &ActorRef, duty: Duty, at: Time) -> Vec<Hand> {
    let person = |p: &crate::base::ids::PersonId, duty| Hand { who: Principal::Person(p.clone()), duty, at };
    match who {
        ActorRef::Operator { person: p, .. } | ActorRef::Attester { person: p, .. } => vec![person(p, duty)],
        ActorRef::Automation { automation, on_behalf_of } => {
            let mut out = vec![Hand { who: Principal::Automation(automation.clone()), duty, at }];
            out.extend(on_behalf_of.iter().map(|link| match link {
                Principal::Person(p) => person(p, Duty::ActedFor),
                Principal::Automation(_) => Hand { who: link.clone(), duty, at },
            }));
            out
        }
        // The subject is in the lineage from the start; the server is nobody.
        ActorRef::Subject { .. } | ActorRef::System { .. } => Vec::new(),
    }
}
