//! What people at the desk try, well-meaning or not, through the use cases: each step may be refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::base::Digest;
use countersign::base::ids::{CaseId, ScopeId, SessionId};
use countersign::domain::case::{ActorRef, Case, Requester as Who, Route, Signature, TrustRoot};
use countersign::domain::command::{Actor, Command, Decide};
use countersign::domain::refusal::Refusal;
use countersign::domain::register::{Principal, Scope};
use countersign::domain::subject::Subject;
use countersign::domain::vocabulary::{Action, CaseState, Channel, Decision, FailureType, Method, Path, Status, TrustRootKind};
use countersign::service::open::NewCase;
use countersign::service::{Ask, Done, ServiceError};

use crate::house::{House, SUBJECTS, id, staff, subject};

/// What the domain said against it.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> Refusal {
    match result {
        Err(ServiceError::Refused(refusal)) => *refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Sam's bot, acting for those.
pub fn helper(chain: Vec<Principal>) -> Actor {
    let who = ActorRef::Automation { automation: id("helper"), on_behalf_of: chain };
    Actor { who, scopes: [Scope::Open, Scope::Route].into(), read_only: false }
}

/// Okafor's record, changed.
pub fn okafor(change: impl FnOnce(&mut Subject)) -> Subject {
    let mut record = subject(&SUBJECTS[0]);
    change(&mut record);
    record
}

pub fn route(subject: &str, action: Action, path: Path, scope: &[&str]) -> Route {
    let scope = scope.iter().map(|s| id::<ScopeId>(s)).collect();
    Route { subject: id(subject), action, path, target: id("directory"), scope, picked_groups: BTreeSet::new() }
}

impl House {
    pub async fn open(&self, by: Actor, route: Route) -> Result<Done, ServiceError> {
        let new = NewCase { route, requester: Who::Subject, channel: Channel::Phone, endpoint: None, summary: None };
        self.service.open(&Ask::by(by), &new).await
    }

    pub async fn attempt(&self, by: &str, case: CaseId, command: Command) -> Result<Done, ServiceError> {
        self.service.execute(&Ask::by(staff(by)), case, &command).await
    }

    pub async fn triage(&self, by: &str, case: CaseId) -> Result<Done, ServiceError> {
        let (reproduction, ask) = self.text(case, by, "Tried it with them");
        let owner = || id("p-nadia");
        let triage = Command::Triage { failure: FailureType::LostCredential, reproduction, triage_owner: owner(), remedy_owner: owner() };
        self.service.execute(&ask, case, &triage).await
    }

    /// A session opened by someone at the desk.
    pub async fn session(&self, by: &str, case: CaseId, method: Method, to: &str) -> Result<SessionId, ServiceError> {
        let session: SessionId = self.service.fresh("ses").unwrap();
        let attested = method == Method::ManagerAttestation;
        let start =
            Command::StartProof { session: session.clone(), method, endpoint: (!attested).then(|| id(to)), attester: attested.then(|| id(to)) };
        self.attempt(by, case, start).await.map(|_| session)
    }

    /// Whoever the session was opened to proves in it.
    pub async fn answer(&self, case: CaseId, session: &SessionId) -> Result<Done, ServiceError> {
        let proof = self.case(case).await.sessions[session].clone();
        let who = match &proof.attester {
            Some(person) => ActorRef::Attester { person: person.clone(), session: session.clone() },
            None => ActorRef::Subject { session: session.clone() },
        };
        let kind = match proof.method {
            Method::SavedCode => TrustRootKind::CodeSet,
            Method::ManagerAttestation => TrustRootKind::Contact,
            _ => TrustRootKind::Mailbox,
        };
        let trust_root = TrustRoot { kind, sha256: Digest::of(format!("{kind:?}").as_bytes()) };
        let prove = Command::RecordProof { session: session.clone(), receipt: self.service.fresh("rcp").unwrap(), trust_root };
        let actor = Actor { who, scopes: BTreeSet::new(), read_only: false };
        self.service.execute(&Ask::by(actor), case, &prove).await
    }

    pub async fn prove(&self, case: CaseId, method: Method, to: &str) {
        let session = self.session("nadia", case, method, to).await.unwrap();
        self.answer(case, &session).await.unwrap();
    }

    /// What someone would send who read the case as it stands.
    pub fn decision(&self, case: &Case, by: &str, decision: Decision) -> (Ask, Command) {
        let (reason, ask) = self.text(case.id, by, "Called back");
        let decide = Decide {
            id: self.service.fresh("apr").unwrap(),
            decision,
            seal: case.seal.as_ref().map_or(Digest::of(b"none"), |s| s.sha256),
            version: case.changed,
            nonce_issued_at: self.service.now(),
            reason,
            signature: Signature::None,
        };
        (ask, Command::Decide(decide))
    }

    pub async fn try_approve(&self, by: &str, case: CaseId) -> Result<Done, ServiceError> {
        let seen: Arc<Case> = self.case(case).await;
        let (ask, command) = self.decision(&seen, by, Decision::Approve);
        self.service.execute(&ask, case, &command).await
    }

    /// Whatever anyone tried: hours later nothing was restored, and the account is as it was.
    pub async fn ends_blocked(&self, case: CaseId) {
        self.live(3 * 3600, 6).await;
        let after = self.case(case).await;
        assert!(!matches!(after.state, CaseState::Executing | CaseState::Restored | CaseState::Closed), "{:?}", after.state);
        assert!(after.grants.is_empty());
    }

    /// The account in the target was never touched.
    pub fn untouched(&self, subject: &str) {
        let account = self.account(subject);
        assert_eq!((account.status, account.generation), (Status::Locked, 1), "{subject}");
    }
}
