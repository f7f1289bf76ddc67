//! What people at the desk try, well-meaning or not, through the use cases: each step may be refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::api::case::CaseDetail;
use countersign::base::Digest;
use countersign::base::ids::{CaseId, ScopeId, SessionId};
use countersign::domain::case::{ActorRef, Case, Requester as Who, Route, Signature, TrustRoot};
use countersign::domain::command::{Actor, Command, Decide};
use countersign::domain::refusal::Refusal;
use countersign::domain::register::{Principal, Scope};
use countersign::domain::subject::Subject;
use countersign::domain::vocabulary::{Action, CaseState, Channel, Decision, FailureType, HoldSource, Method, Path, Status, TrustRootKind};
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

/// The case on the wire, as that account is shown it.
async fn shown(house: &House, case: CaseId, by: &str) -> CaseDetail {
    CaseDetail::from(&house.service.look(case, &staff(by)).await.unwrap())
}

#[tokio::test]
async fn a_proof_that_waits_blocks_only_its_own_way() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let now = shown(&house, case, "nadia").await;
    assert!(now.allowed_actions.iter().any(|a| a == "proof_start"), "{:?}", now.refused_actions);
    let ways: Vec<_> = now.checklist.items.iter().flat_map(|i| &i.startable).collect();
    let (sent, other): (Vec<_>, Vec<_>) = ways.into_iter().partition(|w| w.method == Method::IssuedCode && w.endpoint == Some(id("e1")));
    assert!(sent.iter().all(|w| w.refused.as_ref().is_some_and(|why| why.contains("less than a minute ago"))), "{sent:#?}");
    assert!(!other.is_empty() && other.iter().all(|w| w.refused.is_none()), "{other:#?}");
    let way = other[0];
    let start =
        Command::StartProof { session: house.service.fresh("ses").unwrap(), method: way.method, endpoint: way.endpoint.clone(), attester: None };
    house.act("nadia", case, start).await;
    let refused = shown(&house, case, "sam").await;
    let why = refused.refused_actions.iter().find(|r| r.action == "proof_start").map(|r| r.code.as_str());
    assert_eq!(why, Some("not-permitted"), "who may start none is told their own reason");
    let all = shown(&house, case, "nadia").await;
    let ways: Vec<_> = all.checklist.items.iter().flat_map(|i| &i.startable).filter(|w| w.refused.is_none()).collect();
    let refused = all.refused_actions.iter().any(|r| r.action == "proof_start");
    assert_eq!(ways.is_empty(), refused, "refused once every way is: {ways:?}");
}

#[tokio::test]
async fn whom_to_reach_over_a_held_case_is_said_in_any_state() {
    let house = House::new().await;
    let case = house.approved("okafor", Action::PasswordReset).await;
    house.live(600, 60).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);
    let (reason, ask) = house.text(case, "ines", "two calls from one number");
    house.service.execute(&ask, case, &Command::Hold { source: HoldSource::Security, reason: Some(reason) }).await.unwrap();
    let held = shown(&house, case, "ines").await;
    let lift = held.refused_actions.iter().find(|r| r.action == "case_lift_hold").unwrap();
    assert!(lift.reason.starts_with("Reach the subject"), "{lift:?}");
    assert!(held.allowed_actions.iter().any(|a| a == "proof_start"), "{:?}", held.refused_actions);
    let frozen = held.hold.unwrap();
    let way = frozen.contacts.iter().find(|w| w.method == Method::IssuedCode && w.refused.is_none()).unwrap();
    assert!(frozen.sessions.is_empty() && frozen.lifted_by.is_empty(), "what was proved before counts no more: {frozen:?}");
    let agent = shown(&house, case, "nadia").await.hold.unwrap();
    assert!(agent.contacts.iter().all(|w| w.refused.is_some()), "only security reaches anybody while it is held");
    let session = house.session("ines", case, way.method, way.endpoint.as_ref().unwrap().as_str()).await.unwrap();
    house.answer(case, &session).await.unwrap();
    let reached = shown(&house, case, "ines").await;
    assert!(reached.allowed_actions.iter().any(|a| a == "case_lift_hold"), "{:?}", reached.refused_actions);
    let frozen = reached.hold.unwrap();
    assert_eq!((frozen.lifted_by.as_slice(), frozen.sessions.len()), (&[session.clone()][..], 1));
    let (reason, ask) = house.text(case, "ines", "spoke to them");
    let lifted = house.service.execute(&ask, case, &Command::LiftHold { reason, contact: session }).await.unwrap();
    assert!(lifted.case.hold.is_none() && lifted.case.state == CaseState::Restored);
}
