//! Targets that behave, and targets that don't: what is restored is what the target is found to hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use countersign::api::case::CaseDetail;
use countersign::base::Time;
use countersign::base::ids::{ScopeId, SubjectId};
use countersign::connectors::sign::Signer;
use countersign::connectors::webhook::{Webhook, unknown};
use countersign::connectors::{CallError, Connector, Held, Order};
use countersign::demo::target::state::World;
use countersign::domain::case::ExecutionOutcome;
use countersign::domain::command::Command;
use countersign::domain::history::History;
use countersign::domain::subject::Subject;
use countersign::domain::vocabulary::{Action, CaseState, FailureReason};
use countersign::outbound::door::{Answer, Base, Door, Limits};
use countersign::outbound::mail::Mailer;
use countersign::service::workers::{Hands, Patience, Workers};
use countersign::store::Store as _;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::house::{House, SUBJECTS, id, staff, subject, workers};

/// A target that takes orders and then says nothing of what it holds, until it speaks again.
struct Silent {
    real: Arc<dyn Connector>,
    silent: AtomicBool,
}

#[async_trait]
impl Connector for Silent {
    async fn execute(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.silent.store(true, Ordering::SeqCst);
        self.real.execute(order, now).await
    }

    async fn held(&self, subject: &SubjectId, now: Time) -> Result<Held, CallError> {
        if self.silent.load(Ordering::SeqCst) {
            return Err(CallError::NotReached("nobody answers".to_owned()));
        }
        self.real.held(subject, now).await
    }

    async fn revoke(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.real.revoke(order, now).await
    }

    async fn roll_back(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.real.roll_back(order, now).await
    }
}

/// The house with another target in its place.
fn with(house: &mut House, connector: &Arc<dyn Connector>) {
    let mailer = Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap();
    house.workers = workers(&house.service, &house.keys, mailer, connector, &house.pages);
}

async fn ends(house: &House, subject: &str) -> (CaseState, Option<ExecutionOutcome>) {
    ended(house, subject, Action::PasswordReset).await
}

async fn ended(house: &House, subject: &str, action: Action) -> (CaseState, Option<ExecutionOutcome>) {
    let case = house.approved(subject, action).await;
    house.live(600, 60).await;
    let case = house.case(case).await;
    (case.state, case.executions.last().and_then(|e| e.outcome.clone()))
}

fn failed(reason: FailureReason) -> (CaseState, Option<ExecutionOutcome>) {
    (CaseState::Failed, Some(ExecutionOutcome::Failed { reason }))
}

#[tokio::test]
async fn invariant_10_a_target_that_answers_and_changes_nothing_ends_failed() {
    assert_eq!(ends(&House::new().await, "lazy").await, failed(FailureReason::NothingChanged));
}

#[tokio::test]
async fn invariant_10_a_target_that_grants_too_much_ends_failed_and_is_taken_back() {
    let house = House::new().await;
    assert_eq!(ends(&house, "greedy").await, failed(FailureReason::TooMuch));
    assert!(!house.account("greedy").scope.contains(&id::<ScopeId>("everything")));
}

#[tokio::test]
async fn invariant_10_a_target_that_keeps_the_old_credential_ends_failed() {
    let house = House::new().await;
    assert_eq!(ends(&house, "hoarder").await, failed(FailureReason::OldKept));
    assert_eq!(house.account("hoarder").generation, 1);
}

#[tokio::test]
async fn invariant_10_an_action_that_revokes_nothing_asks_for_no_newer_credential() {
    let house = House::new().await;
    let (state, outcome) = ended(&house, "hoarder", Action::AccountUnlock).await;
    assert_eq!(state, CaseState::Restored, "{outcome:?}");
}

#[tokio::test]
async fn invariant_10_dependents_are_rotated_or_it_ends_failed() {
    let house = House::new().await;
    let (state, outcome) = ended(&house, "parent", Action::TokenReissue).await;
    assert_eq!(state, CaseState::Restored, "{outcome:?}");
    assert_eq!((house.account("parent").generation, house.account("vega").generation), (2, 2));
    let (state, outcome) = ended(&house, "idler", Action::TokenReissue).await;
    assert_eq!((state, outcome), failed(FailureReason::NotRotated));
    assert_eq!((house.account("idler").generation, house.account("vega").generation), (2, 2));
}

#[tokio::test]
async fn invariant_10_a_released_dependent_is_rotated_unless_the_target_holds_nothing_of_it() {
    for (whose, dependent, named, ends) in [("okafor", "gone", false, true), ("idler", "vega", false, false), ("okafor", "gone", true, false)] {
        let house = House::new().await;
        let sample = SUBJECTS.iter().find(|s| s.0 == whose).unwrap();
        let had = Subject { dependents: vec![id(dependent)], ..subject(sample) };
        let has = Subject { dependents: if named { had.dependents.clone() } else { vec![] }, ..had.clone() };
        let history = History::next(Some(&had), &has, None, house.service.now()).unwrap();
        house.record(vec![Subject { history, ..has }]).await;
        let case = house.approved(whose, Action::TokenReissue).await;
        let shown = CaseDetail::from(&house.service.look(case, &staff("nadia")).await.unwrap());
        let released = if named { vec![] } else { vec![id::<SubjectId>(dependent)] };
        let plan = shown.plan.unwrap();
        assert_eq!((plan.rotates.len(), &plan.released, &shown.subject.released), (1, &released, &released), "it is shown as what it is");
        assert_eq!(plan.steps.iter().any(|s| s.contains("names it no more")), !named, "{:?}", plan.steps);
        house.live(600, 60).await;
        let case = house.case(case).await;
        let outcome = case.executions.last().and_then(|e| e.outcome.clone());
        if ends {
            assert_eq!(case.state, CaseState::Restored, "{outcome:?}");
        } else {
            assert_eq!((case.state, outcome), failed(FailureReason::NotRotated));
        }
    }
}

#[tokio::test]
async fn invariant_10_a_dependent_that_is_released_after_the_seal_is_rotated_as_it_was_sealed() {
    let house = House::new().await;
    let sample = SUBJECTS.iter().find(|s| s.0 == "okafor").unwrap();
    let had = Subject { dependents: vec![id("gone")], ..subject(sample) };
    let history = History::next(Some(&had), &had, None, house.service.now()).unwrap();
    house.record(vec![Subject { history, ..had.clone() }]).await;
    let case = house.approved("okafor", Action::TokenReissue).await;
    house.clock.pass(1);
    let kept = house.store.subject(&had.id).await.unwrap().unwrap().subject;
    let has = Subject { dependents: vec![], ..Subject::clone(&kept) };
    let history = History::next(Some(&kept), &has, None, house.service.now()).unwrap();
    house.record(vec![Subject { history, ..has }]).await;
    let shown = CaseDetail::from(&house.service.look(case, &staff("nadia")).await.unwrap());
    assert_eq!(shown.plan.unwrap().released, [], "nor is it shown as if anybody had");
    house.live(600, 60).await;
    let case = house.case(case).await;
    let outcome = case.executions.last().and_then(|e| e.outcome.clone());
    assert_eq!((case.state, outcome), failed(FailureReason::NotRotated), "nobody approved leaving it out");
}

#[tokio::test]
async fn a_target_that_refuses_ends_failed() {
    assert_eq!(ends(&House::new().await, "refuser").await, failed(FailureReason::Refused));
}

#[tokio::test]
async fn a_target_that_never_has_time_for_an_order_ends_failed_by_what_it_says_it_holds() {
    let house = House::new().await;
    assert_eq!(ends(&house, "busy").await, failed(FailureReason::NothingChanged));
    assert_eq!(house.account("busy").generation, 1);
}

#[tokio::test]
async fn t28_a_target_that_hangs_up_or_answers_late_is_asked_what_it_holds() {
    let house = House::new().await;
    for subject in ["dropper", "slow"] {
        let (state, outcome) = ends(&house, subject).await;
        assert_eq!(state, CaseState::Restored, "{subject}: {outcome:?}");
        assert_eq!(house.account(subject).generation, 2, "{subject}: done once");
    }
}

#[tokio::test]
async fn invariant_11_a_grant_ends_by_itself_and_the_target_confirms_it() {
    let house = House::new().await;
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(120, 4).await;
    let granted = house.case(case).await;
    assert_eq!((granted.state, granted.grants.len()), (CaseState::Restored, 1), "{:?}", granted.executions);
    let held = house.account("okafor");
    assert_eq!((held.grants.len(), held.generation), (1, 1), "no standing access was added");
    assert!(held.grants[0].expires_at.unwrap() <= granted.grants[0].expires_at);
    house.live((granted.grants[0].expires_at - house.service.now()).num_seconds() + 5, 3).await;
    assert!(house.case(case).await.grants[0].revoked_at.is_some());
    assert!(house.account("okafor").grants.is_empty());
}

#[tokio::test]
async fn invariant_11_revocation_is_tried_until_the_target_confirms_it() {
    let house = House::new().await;
    let case = house.approved("keeper", Action::JitAccess).await;
    house.live(120, 4).await;
    let grant = house.case(case).await.grants[0].clone();
    house.live((grant.expires_at - house.service.now()).num_seconds() + 100, 20).await;
    let kept = house.case(case).await.grants[0].clone();
    assert!(kept.ending.is_some() && kept.revoked_at.is_none(), "a target's word is not believed: {kept:?}");
    assert_eq!(house.account("keeper").grants.len(), 1);
}

#[tokio::test]
async fn invariant_11_temporary_access_that_a_silent_target_may_have_given_is_taken_back() {
    let mut house = House::new().await;
    let silent = Arc::new(Silent { real: Arc::clone(&house.connector), silent: AtomicBool::new(false) });
    let connector: Arc<dyn Connector> = Arc::<Silent>::clone(&silent);
    with(&mut house, &connector);
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(600, 60).await;
    let after = house.case(case).await;
    assert_eq!((after.state, after.executions[0].outcome.clone()), failed(FailureReason::Unreachable));
    assert!(after.taking_back() && after.grants.is_empty(), "nobody knows of it but the target");
    silent.silent.store(false, Ordering::SeqCst);
    house.live(60, 6).await;
    assert!(!house.case(case).await.taking_back());
    assert!(house.account("okafor").grants.is_empty());
}

#[tokio::test]
async fn invariant_11_a_404_that_anything_on_the_way_could_have_said_ends_no_grant() {
    let mut house = House::new().await;
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(120, 4).await;
    let end = house.case(case).await.grants[0].expires_at;
    let somebody = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(ResponseTemplate::new(404).set_body_string("default backend - 404")).mount(&somebody).await;
    let base = Base::new(&format!("{}/", somebody.uri()), vec![]).unwrap();
    let limits = Limits { connect: Duration::from_secs(2), total: Duration::from_secs(2), answer: 100_000 };
    let signer = Signer::new(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
    let connector: Arc<dyn Connector> = Arc::new(Webhook::new(Door::new(vec![base.clone()], &[], limits).unwrap(), base, signer));
    with(&mut house, &connector);
    house.live((end - house.service.now()).num_seconds() + 100, 20).await;
    let kept = house.case(case).await.grants[0].clone();
    assert!(kept.ending.is_some() && kept.revoked_at.is_none(), "{kept:?}");
    let real = Arc::clone(&house.connector);
    with(&mut house, &real);
    house.live(60, 6).await;
    assert!(house.case(case).await.grants[0].revoked_at.is_some(), "the target itself confirms it");
}

#[test]
fn invariant_11_only_the_targets_own_words_say_that_it_knows_nobody() {
    let subject = id::<SubjectId>("okafor");
    let said = |body: &str| unknown(&Answer { status: 404, body: body.as_bytes().to_vec() }, &subject);
    assert_eq!(said(r#"{"subject": "okafor", "known": false}"#).map(|h| (h.generation, h.grants)), Ok((0, vec![])));
    let foreign = [
        "",
        "default backend - 404",
        "{}",
        r#"{"error": "no such account"}"#,
        r#"{"subject": "vega", "known": false}"#,
        r#"{"subject": "okafor", "known": true}"#,
        r#"{"subject": "okafor", "known": false, "path": "/held/okafor"}"#,
    ];
    for body in foreign {
        assert!(matches!(said(body), Err(CallError::Unknown(_))), "{body}");
    }
}

#[tokio::test]
async fn a_revoked_secret_leaves_nothing_behind() {
    let house = House::new().await;
    let case = house.approved("okafor", Action::SecretRevocation).await;
    house.live(120, 4).await;
    let case = house.case(case).await;
    assert_eq!(case.state, CaseState::Restored, "{:?}", case.executions);
    assert!(house.account("okafor").scope.is_empty());
}

#[tokio::test]
async fn what_is_seen_of_the_target_by_people_is_its_state() {
    let house = House::new().await;
    let shown = async || house.web.get(&house.target_page).send().await.unwrap().json::<World>().await.unwrap();
    let before = shown().await;
    assert_eq!(before, World::read(&house.target).unwrap());
    assert_eq!(before.accounts[&id("okafor")].scope, BTreeSet::from([id::<ScopeId>("login"), id("mail")]));
    house.approved("okafor", Action::SecretRevocation).await;
    house.live(120, 4).await;
    let after = shown().await;
    assert!(after.accounts[&id("okafor")].scope.is_empty(), "{after:?}");
    assert_eq!(after, World::read(&house.target).unwrap());
}

#[tokio::test]
async fn of_a_target_that_is_not_configured_nothing_was_ordered_and_nothing_is_taken_back() {
    let mut house = House::new().await;
    let case = house.approved("okafor", Action::JitAccess).await;
    let hands = Hands {
        keys: house.keys.clone(),
        mailer: Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap(),
        connectors: BTreeMap::new(),
        pages_url: house.pages.clone(),
        organisation: "Corp".to_owned(),
    };
    house.workers = Workers::new(Arc::clone(&house.service), Arc::new(hands), Patience::default());
    house.live(600, 20).await;
    let ended = house.case(case).await;
    assert_eq!((ended.state, ended.executions.last().and_then(|e| e.outcome.clone())), failed(FailureReason::NotOrdered));
    assert!(ended.taken_back.is_empty(), "nobody ever spoke to it");
    house.act("nadia", case, Command::Retry).await;
}
