//! Proposals: whoever could approve one hears of it, and nobody else.

use countersign::domain::command::RegisterCommand;
use countersign::domain::event::RegisterChange;
use countersign::domain::policy::Policy;
use countersign::domain::register::{Delegation, Operator, Principal};
use countersign::domain::vocabulary::Role;
use countersign::service::Ask;
use countersign::service::import::{Format, Kind};
use countersign::service::register::Beside;

use crate::house::{House, id, staff};

/// Omar proposes that somebody has another account.
async fn propose(house: &House, proposal: &str, person: &str) {
    let account =
        Operator { id: id("other"), person: id(&format!("p-{person}")), roles: [Role::Supervisor].into(), groups: [].into(), enabled: true };
    let command = RegisterCommand::Change { id: id(proposal), change: RegisterChange::SetOperator(account) };
    house.service.govern(&Ask::by(staff("omar")), &command, &Beside::default()).await.unwrap();
}

fn told(house: &House) -> Vec<(String, String)> {
    let about = |l: &crate::letter::Letter| l.subject.to_lowercase().contains("proposal");
    house.letters().into_iter().filter(about).map(|l| (l.to, l.subject)).collect()
}

#[tokio::test]
async fn whoever_could_approve_a_proposal_is_told_once_and_reminded_halfway_and_nobody_else_is() {
    let house = House::new().await;
    propose(&house, "prp-1", "sam").await;
    house.settle().await;
    house.settle().await;
    let first = ("ines@corp.example".to_owned(), "A proposal waits for approval: prp-1".to_owned());
    assert_eq!(told(&house), std::slice::from_ref(&first));
    let letter = house.letter("ines@corp.example", "proposal");
    let body = letter.body.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        body.contains("omar proposed")
            && body.contains("the account other of person p-sam may sign in as supervisor;")
            && body.contains("waits for one person"),
        "{body}"
    );
    assert!(!body.contains("://"), "it leads nowhere: {body}");
    house.live(4 * 86_400, 4).await;
    let reminder = ("ines@corp.example".to_owned(), "Reminder: a proposal waits for approval: prp-1".to_owned());
    assert_eq!(told(&house), [first, reminder]);
}

#[tokio::test]
async fn who_is_tied_to_the_proposer_or_would_gain_or_comes_too_late_is_not_told() {
    let house = House::new().await;
    propose(&house, "prp-1", "ines").await;
    house.settle().await;
    assert_eq!(told(&house), [], "she would gain by it");
    propose(&house, "prp-2", "sam").await;
    let approve = RegisterCommand::ApproveProposal { id: id("prp-2") };
    house.service.govern(&Ask::by(staff("ines")), &approve, &Beside::default()).await.unwrap();
    house.live(4 * 86_400, 4).await;
    assert_eq!(told(&house), [], "it was approved before anyone had to be told");
    let (from, to) = (Principal::Person(id("p-omar")), Principal::Person(id("p-sam")));
    let tie = RegisterChange::Delegate(Delegation { id: id("dlg-1"), from, to, since: house.service.now(), until: None });
    let delegate = RegisterCommand::Change { id: id("prp-3"), change: tie };
    house.service.govern(&Ask::by(staff("omar")), &delegate, &Beside::default()).await.unwrap();
    let (register, policy) = house.service.rules().await.unwrap();
    let word = countersign::domain::govern::SecondWord::of(&register, &policy, house.service.now());
    let mut proposal = register.proposals[&id("prp-1")].clone();
    assert!(word.could(&proposal).is_empty());
    proposal.proposed_by = id("p-sam");
    assert!(word.why_not(&proposal, &id("p-omar")).is_some(), "omar acts through sam");
}

#[tokio::test]
async fn that_too_few_could_approve_a_proposal_is_said_with_who_could_not_and_why() {
    let house = House::new().await;
    propose(&house, "prp-1", "sam").await;
    propose(&house, "prp-2", "ines").await;
    let (register, policy) = house.service.rules().await.unwrap();
    let word = countersign::domain::govern::SecondWord::of(&register, &policy, house.service.now());
    assert_eq!(word.too_few(&register.proposals[&id("prp-1")]), None);
    let nobody = word.too_few(&register.proposals[&id("prp-2")]).unwrap();
    assert!(
        nobody.starts_with("At present nobody could approve it: person p-ines would gain by it; person p-omar proposed it. It takes another person ")
    );
    let mut two = register.proposals[&id("prp-1")].clone();
    two.approvals = 2;
    let one = word.too_few(&two).unwrap();
    assert!(one.starts_with("At present only one person could approve it, and it takes 2: person p-omar proposed it. It takes another"), "{one}");
    // One of two has approved, and there is nobody else.
    two.seconded_by = Some(id("p-ines"));
    let left = word.too_few(&two).unwrap();
    assert!(left.contains("person p-ines approved it already; person p-omar proposed it"), "{left}");
}

#[tokio::test]
async fn nobody_fills_mailboxes_by_proposing() {
    let house = House::new().await;
    let proposals = async |numbers: std::ops::Range<usize>| {
        for n in numbers {
            let account =
                Operator { id: id(&format!("other-{n}")), person: id("p-sam"), roles: [Role::Supervisor].into(), groups: [].into(), enabled: true };
            let command = RegisterCommand::Change { id: id(&format!("prp-{n}")), change: RegisterChange::SetOperator(account) };
            house.service.govern(&Ask::by(staff("omar")), &command, &Beside::default()).await.unwrap();
        }
        house.settle().await;
        told(&house).len()
    };
    assert_eq!(proposals(100..160).await, 51, "what is proposed beyond that stands in the register alone, and that there is more is told once");
    let last = house.letter("ines@corp.example", "More proposals wait for approval than are announced");
    assert!(last.body.contains("omar proposed more changes") && last.body.contains("about these no message comes"), "{}", last.body);
    assert_eq!(house.service.rules().await.unwrap().0.proposals.len(), 60);
    house.clock.pass(86_400);
    assert_eq!(proposals(200..230).await, 81, "another day");
}

/// A message's words, without the marks of the way it is encoded.
fn plain(body: &str) -> String {
    body.replace("=\n", "").replace("=E2=86=92", "→").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Omar proposes a policy that differs in this.
async fn propose_policy(house: &House, proposal: &str, from: &str, to: &str) {
    let text = include_str!("../../assets/policy/default.toml").replace(from, to);
    let policy = Policy::parse(&text).unwrap().sha256;
    let command = RegisterCommand::Change { id: id(proposal), change: RegisterChange::SetPolicy { policy, deciders: [].into() } };
    let beside = Beside { policy: Some((policy, text)), ..Beside::default() };
    house.service.govern(&Ask::by(staff("omar")), &command, &beside).await.unwrap();
}

#[tokio::test]
async fn a_policy_is_announced_behind_however_many_trifles_and_its_own_words_lead_nowhere() {
    let house = House::new().await;
    for n in 100..155 {
        propose(&house, &format!("prp-{n}"), "sam").await;
    }
    propose_policy(&house, "prp-p", "name = \"built-in\"", "name = \"approve at https://countersign.evil.example\"").await;
    house.settle().await;
    let letter = house.letter("ines@corp.example", "A proposal waits for approval: prp-p");
    let body = plain(&letter.body);
    assert!(body.contains("name: \"built-in\" → \"approve at https: //countersign. evil. example\""), "{body}");
    assert!(!body.contains("://") && body.contains("are the words of the two files"), "{body}");
    assert_eq!(told(&house).iter().filter(|(_, subject)| subject.starts_with("A proposal waits")).count(), 51);
}

#[tokio::test]
async fn the_mail_says_that_too_few_could_approve_and_who_else_reads_the_mailbox() {
    let house = House::new().await;
    propose_policy(&house, "prp-p", "lineage = \"90 d\"", "lineage = \"120 d\"").await;
    house.settle().await;
    let letter = house.letter("ines@corp.example", "A proposal waits for approval: prp-p");
    let body = plain(&letter.body);
    assert!(body.contains("At present only one person could approve it, and it takes 2: person p-omar proposed it."), "{body}");
    let file = "id,name,email,email_since,employer\np-sam2,Sam,SAM@corp.example,2025-01-01T00:00:00Z,corp\n";
    let report = house.service.import(Kind::Persons, Format::Csv, file.as_bytes(), false).await.unwrap();
    assert_eq!((report.new, report.refused), (1, 0), "{report:?}");
    propose(&house, "prp-1", "sam").await;
    house.settle().await;
    let letter = house.letter("ines@corp.example", "A proposal waits for approval: prp-1");
    let body = plain(&letter.body);
    assert!(body.contains("their mailbox is also that of person p-sam2"), "{body}");
}
