//! What a requester or attester is shown of a case, in plain words, once their code was right.
//!
//! Contract: texts are sanitised; no operator, approver, endpoint or reason is among them. Knows no HTML.

use super::Requester;
use crate::base::Time;
use crate::base::ids::PersonId;
use crate::domain::case::{Case, Receipt, Requester as Who, SessionOutcome};
use crate::domain::checklist;
use crate::domain::command::World;
use crate::domain::vocabulary::{CaseState, Method};
use crate::proofing::derive::Page;
use crate::service::ServiceError;

/// A case as its requester or attester sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub case: String,
    /// Whose access.
    pub subject: String,
    /// What is restored.
    pub action: String,
    /// In which system.
    pub target: String,
    /// How much of it.
    pub scope: String,
    /// Who asked, in words.
    pub requester: String,
    /// How the request came in, in words.
    pub channel: String,
    /// When.
    pub opened: String,
    /// Where it stands, in words.
    pub stands: &'static str,
    /// What was proved and counts now, in words, each method once.
    pub proved: Vec<String>,
    /// Whether the session asks for a comparison face to face.
    pub in_person: bool,
    /// How this session ended, if it did.
    pub outcome: Option<&'static str>,
}

impl Requester {
    /// What to show to someone whose code was right; `None` if the link or the pass is not good.
    pub async fn shown(&self, page: Page, token: &str, pass: &str) -> Result<Option<Shown>, ServiceError> {
        let Some(found) = self.admitted(page, token, pass).await? else { return Ok(None) };
        let loaded = self.service.load(found.case.id, None).await?;
        let case = loaded.case()?;
        let subject = self.service.store.subject(&case.route.subject).await?;
        let name = subject.map_or_else(|| case.route.subject.to_string(), |s| s.subject.name.line());
        let scope: Vec<&str> = case.route.scope.iter().map(crate::base::ids::ScopeId::as_str).collect();
        let session = case.sessions.get(&found.session);
        let outcome = session.and_then(|s| s.outcome).map(outcome);
        let in_person = session.is_some_and(|s| s.method == Method::InPerson);
        Ok(Some(Shown {
            case: case.id.to_string(),
            requester: self.requester(case, &name).await?,
            subject: name,
            action: case.route.action.label().to_owned(),
            target: case.route.target.to_string(),
            scope: scope.join(", "),
            channel: case.request.channel.label().to_owned(),
            opened: case.request.opened_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            stands: stands(case),
            proved: proved(&loaded.world, case, loaded.now),
            in_person,
            outcome,
        }))
    }

    async fn requester(&self, case: &Case, subject: &str) -> Result<String, ServiceError> {
        Ok(match &case.request.requester {
            Who::Subject => format!("someone who says they are {subject}"),
            Who::Person(id) => self.name(id).await?,
            Who::Automation(id) => format!("a program ({id})"),
            Who::Unknown => "someone who is not known".to_owned(),
        })
    }

    async fn name(&self, id: &PersonId) -> Result<String, ServiceError> {
        let people = self.service.store.people(std::slice::from_ref(id)).await?;
        Ok(people.get(id).map_or_else(|| id.to_string(), |p| p.name.line()))
    }
}

/// What counts, each method once. Past its decision a case shows what it was decided on.
fn proved(world: &World, case: &Case, now: Time) -> Vec<String> {
    let need = checklist::requirement(world);
    let decided = !matches!(case.state, CaseState::New | CaseState::Proofing | CaseState::Sealed);
    let counts = |r: &&Receipt| !case.is_for_another(r) && (decided || checklist::counts_until(&need, r) > now);
    let mut methods: Vec<String> = Vec::new();
    for receipt in case.receipts.iter().filter(counts) {
        let method = receipt.method.label().to_owned();
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

fn outcome(outcome: SessionOutcome) -> &'static str {
    match outcome {
        SessionOutcome::Proved => "Your \u{201c}yes\u{201d} is recorded, and it stands. If you did not mean it, tell the help desk at once.",
        SessionOutcome::Declined => "Your \u{201c}no\u{201d} is recorded.",
        SessionOutcome::Exhausted | SessionOutcome::Superseded => "This page is over.",
        SessionOutcome::Rerouted => "This page is over: something else is asked for now.",
    }
}

fn stands(case: &Case) -> &'static str {
    if case.hold.is_some() {
        return "It is stopped until security has looked at it.";
    }
    match case.state {
        CaseState::New | CaseState::Proofing => "Proof is being gathered. Nothing is restored yet.",
        CaseState::Sealed => "It waits for approval by people who had no hand in it.",
        CaseState::Executing if case.undoing.is_some() => "What it gave is being taken back.",
        CaseState::Approved | CaseState::Executing => "It is approved and will be carried out.",
        CaseState::Restored | CaseState::Closed => "It is done.",
        CaseState::Failed if case.not_undone().is_some() => {
            "It was carried out, and taking it back is not confirmed yet: what it gave may still work. Security looks at it."
        }
        CaseState::Failed => "It could not be carried out. Support will look at it.",
        CaseState::Denied | CaseState::Withdrawn | CaseState::Expired | CaseState::NoChangeNeeded | CaseState::RolledBack => {
            "It has ended, and nothing is restored by it."
        }
    }
}
