//! A proposed policy that comes into force, and one that this version can't read, as after an upgrade: nobody approves that one, and it never counts
//! (invariant 17).

use std::sync::Arc;

use countersign::base::Digest;
use countersign::domain::case::{ActorRef, Worker};
use countersign::domain::command::{Compared, RegisterCommand};
use countersign::domain::event::RegisterEvent;
use countersign::domain::register::Register;
use countersign::service::Ask;
use countersign::service::register::Beside;
use countersign::store::{Change, Store as _};

use crate::house::{House, id, staff};

#[tokio::test]
async fn invariant_17_a_policy_that_cannot_be_read_is_approved_by_nobody_and_never_counts() {
    let house = House::new().await;
    let before = house.store.register().await.unwrap();
    let text = "version = 99\n".to_owned();
    let (proposal, sha256) = (id("prp-new"), Digest::of(text.as_bytes()));
    let compared = Compared { with: before.policy.unwrap(), widens_alone: false };
    let command = RegisterCommand::ProposePolicy { id: id("prp-new"), policy: sha256, compared };
    let beside = Beside { policy: Some((sha256, text)), ..Beside::default() };
    house.service.govern(&Ask::by(staff("omar")), &command, &beside).await.unwrap();
    let approve = RegisterCommand::ApproveProposal { id: id("prp-new") };
    let refused = house.service.govern(&Ask::by(staff("ines")), &approve, &Beside::default()).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.to_string().contains("nobody can read"), "{refused}");

    // Approved by a version that could read it.
    let now = house.service.now();
    let event = RegisterEvent::ProposalApproved { proposal, by: id("p-ines"), effective_at: now };
    let mut after = Register::clone(house.store.register().await.unwrap().as_ref());
    after.apply(&event, now);
    let actor = ActorRef::System { worker: Worker::Host };
    house.store.commit(Change { register_events: vec![event], register: Some(Arc::new(after)), ..Change::new(actor, now) }).await.unwrap();
    house.clock.pass(3_600);
    for _ in 0..2 {
        house.workers.run_deadlines_once().await.unwrap();
        let (register, policy) = house.service.rules().await.unwrap();
        assert_eq!((register.policy, Some(policy.sha256)), (before.policy, before.policy), "what is in force stays");
        assert!(register.proposals.contains_key(&id("prp-new")), "it waits until somebody ends it");
    }
    let end = RegisterCommand::EndProposal { id: id("prp-new") };
    house.service.govern(&Ask::by(staff("ines")), &end, &Beside::default()).await.unwrap();
    assert!(house.store.register().await.unwrap().proposals.is_empty());
}

#[tokio::test]
async fn invariant_17_a_policy_comes_into_force_with_its_proposal_and_whatever_stands_beside_the_log_says_so() {
    let house = House::new().await;
    let text = include_str!("../../assets/policy/default.toml").replace("email = \"30 min\"", "email = \"20 min\"");
    let sha256 = Digest::of(text.as_bytes());
    let (register, policy) = house.service.rules().await.unwrap();
    assert_ne!(register.policy, Some(sha256));
    let compared = Compared { with: policy.sha256, widens_alone: false };
    let command = RegisterCommand::ProposePolicy { id: id("prp-new"), policy: sha256, compared };
    let beside = Beside { policy: Some((sha256, text)), ..Beside::default() };
    house.service.govern(&Ask::by(staff("omar")), &command, &beside).await.unwrap();
    let approve = RegisterCommand::ApproveProposal { id: id("prp-new") };
    house.service.govern(&Ask::by(staff("ines")), &approve, &Beside::default()).await.unwrap();
    house.clock.pass(8 * 24 * 3_600);
    house.workers.run_deadlines_once().await.unwrap();
    assert_eq!(house.store.register().await.unwrap().policy, Some(sha256), "it counts now");

    assert_eq!(house.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    house.store.backup(&copy).await.unwrap();
    assert_eq!(countersign::store::sqlite::verify_file(&copy, None, &|_, _| {}).unwrap(), Vec::<String>::new(), "a restore takes it");
}
