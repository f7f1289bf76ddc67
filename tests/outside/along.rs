//! Invariant 5 over real mail: no code and no attestation goes to a mailbox that is also somebody's with a hand in the case.

use std::collections::BTreeSet;

use countersign::base::Untrusted;
use countersign::base::ids::{CaseId, EndpointId, PersonId};
use countersign::domain::command::Command;
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::{Ownership, Subject};
use countersign::domain::vocabulary::{Action, EvidenceKind, Method, Path, SubjectKind};
use countersign::domain::{checklist, lineage};
use countersign::service::Ask;
use countersign::service::import::{Format, Kind};
use countersign::store::Store;

use crate::desk::{okafor, refusal};
use crate::house::{House, id, staff};

impl House {
    async fn not_started(&self, case: CaseId, method: Method, endpoint: Option<&str>, attester: Option<&str>) -> String {
        let session = self.service.fresh("ses").unwrap();
        let start = Command::StartProof { session, method, endpoint: endpoint.map(id::<EndpointId>), attester: attester.map(id::<PersonId>) };
        let refused = refusal(self.attempt("nadia", case, start).await);
        let (Refusal::EndpointUnusable(why) | Refusal::TooYoung(why) | Refusal::MethodUnusable(why)) = refused else { panic!("{refused}") };
        why
    }

    async fn offered(&self, case: CaseId) -> BTreeSet<(Option<EndpointId>, Option<PersonId>)> {
        let loaded = self.service.load(case, None).await.unwrap();
        let progress = checklist::progress(&loaded.world, loaded.now);
        progress.items.iter().flat_map(|i| i.startable.clone()).map(|(_, endpoint, person)| (endpoint, person)).collect()
    }

    fn sent_to(&self, address: &str, subject: &str) -> usize {
        self.letters().iter().filter(|l| l.to.eq_ignore_ascii_case(address) && l.subject.contains(subject)).count()
    }
}

fn at(first: &str) -> Subject {
    okafor(|s| s.endpoints[0].address = Untrusted::from(first))
}

/// A service account whose owners are these, with a mail address of its own.
fn machine(owners: &[&str]) -> Subject {
    okafor(|s| {
        (s.kind, s.person) = (SubjectKind::ServiceAccount, None);
        let since = id("2025-01-01T00:00:00Z");
        s.owners = owners.iter().map(|o| Ownership { person: id(o), since, until: None }).collect();
    })
}

#[tokio::test]
async fn invariant_05_no_code_goes_to_the_mailbox_of_whoever_routes_the_case() {
    let house = House::new().await;
    for written in ["nadia@corp.example", "Nadia@CORP.example", "n.adia+desk@corp.example"] {
        house.record(vec![at(written)]).await;
        let case = house.routed("okafor", Action::PasswordReset).await;
        let why = house.not_started(case, Method::IssuedCode, Some("e1"), None).await;
        assert!(why.contains("recorded mailbox of somebody who opened or works this case") && why.contains("another address"), "{why}");
        let offered = house.offered(case).await;
        assert!(!offered.iter().any(|w| w.0 == Some(id("e1"))) && offered.iter().any(|w| w.0 == Some(id("e2"))), "{offered:?}");
        house.settle().await;
        assert_eq!(house.sent_to(written, "Your code"), 0);
        house.act("nadia", case, Command::Withdraw { reason: house.text(case, "nadia", "no").0 }).await;
    }
    // One who has no hand in it yet, and is about to.
    house.record(vec![at("sam@corp.example")]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.act("nadia", case, Command::Assign { operator: Some(id("sam")) }).await;
    house.not_started(case, Method::IssuedCode, Some("e1"), None).await;
}

#[tokio::test]
async fn invariant_05_a_code_typed_before_the_mailboxs_owner_got_a_hand_in_the_case_counts_no_more_and_they_never_approve_it() {
    let house = House::new().await;
    house.record(vec![at("lee@corp.example")]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("lee@corp.example", "Your code");
    let (status, text) = house.post(&letter.link("p"), &[("code", &letter.code())]).await;
    assert_eq!(status, 200, "{text}");
    let loaded = house.service.load(case, None).await.unwrap();
    assert!(checklist::progress(&loaded.world, loaded.now).complete);
    assert!(lineage::persons(&lineage::lineage(&loaded.world, loaded.now)).contains(&id("p-lee")), "whoever could read the code may have typed it");

    let (text, kept) = house.service.text(case, &Untrusted::from("Saw it myself")).unwrap();
    let evidence = Command::AddEvidence { id: house.service.fresh("evd").unwrap(), kind: EvidenceKind::Note, text };
    house.service.execute(&Ask::by(staff("lee")).with_text(kept), case, &evidence).await.unwrap();
    let loaded = house.service.load(case, None).await.unwrap();
    assert!(!checklist::progress(&loaded.world, loaded.now).complete);
    assert!(matches!(refusal(house.attempt("nadia", case, Command::Seal).await), Refusal::ChecklistIncomplete { .. }));
}

#[tokio::test]
async fn invariant_05_two_owners_who_share_a_mailbox_are_not_two_and_none_shares_the_routers() {
    let house = House::new().await;
    let details = |name: &str, email: &str| format!("{name},{name},{email},2025-01-01T00:00:00Z,corp,,,,no,active\n");
    let head = "id,name,email,email_since,employer,team,manager,shift,on_call,status\n";
    let file = [head.to_owned(), details("p-nadia2", "NADIA@corp.example"), details("p-kim2", "kim@corp.example")].concat();
    let report = house.service.import(Kind::Persons, Format::Csv, file.as_bytes(), false);
    let report = report.await.unwrap();
    assert_eq!((report.new, report.refused), (2, 0), "{report:?}");

    house.record(vec![machine(&["p-nadia2", "p-kim", "p-lee"])]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let why = house.not_started(case, Method::OwnerQuorum, None, Some("p-nadia2")).await;
    assert!(why.contains("also that of somebody who works this case"), "{why}");
    assert!(!house.offered(case).await.iter().any(|w| w.1 == Some(id("p-nadia2"))));
    house.start_proof(case, Method::OwnerQuorum, None, Some("p-kim")).await;
    assert_eq!((house.sent_to("nadia@corp.example", "attest"), house.sent_to("nadia@corp.example", "code")), (0, 0));
    house.act("nadia", case, Command::Withdraw { reason: house.text(case, "nadia", "no").0 }).await;

    house.record(vec![machine(&["p-kim2", "p-kim"])]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let why = house.not_started(case, Method::OwnerQuorum, None, Some("p-kim")).await;
    assert!(why.contains("each with a mailbox of their own"), "{why}");
    house.act("nadia", case, Command::Withdraw { reason: house.text(case, "nadia", "no").0 }).await;

    house.record(vec![machine(&["p-kim2", "p-kim", "p-lee"])]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::OwnerQuorum, None, Some("p-kim")).await;
    let why = house.not_started(case, Method::OwnerQuorum, None, Some("p-kim2")).await;
    assert!(why.contains("two who share one are not two"), "{why}");
    house.start_proof(case, Method::OwnerQuorum, None, Some("p-lee")).await;
}

async fn import(house: &House, kind: Kind, text: &str) {
    let report = house.service.import(kind, Format::Csv, text.as_bytes(), false).await.unwrap();
    assert_eq!((report.new + report.changed, report.refused), (1, 0), "{report:?}");
}

#[tokio::test]
async fn invariant_05_a_mailbox_a_manager_and_an_owner_that_an_import_changed_attest_nothing_until_they_are_old_enough() {
    let house = House::new().await;
    let week = 7 * 24 * 3600;
    let person = |email: &str| format!("id,name,email,employer\np-kim,Kim,{email},corp\n");
    let subject = |manager: &str, owners: &str| {
        format!(
            "id,kind,name,tier,environment,inventory,manager,manager_since,owners,entitlements,scopes_since\n\
             svc,service_account,svc,standard,staging,cmdb,{manager},2025-01-01T00:00:00Z,{owners},directory:login,2025-01-01T00:00:00Z\n"
        )
    };
    import(&house, Kind::Subjects, &subject("p-kim", "p-lee|2025-01-01T00:00:00Z")).await;
    let route = |subject: &str| crate::desk::route(subject, Action::PasswordReset, Path::Assisted, &["login"]);
    let opened = || async {
        let case = house.open(staff("nadia"), route("svc")).await.unwrap().case.id;
        house.triage("nadia", case).await.unwrap();
        case
    };
    let asks = |case: CaseId| {
        let house = &house;
        async move { house.offered(case).await.into_iter().filter_map(|w| w.1).map(|p| p.to_string()).collect::<BTreeSet<_>>() }
    };
    let set = |all: &[&str]| all.iter().map(|p| (*p).to_owned()).collect::<BTreeSet<_>>();
    // Who is new to this server is taken as old as the file says.
    let case = opened().await;
    assert_eq!(asks(case).await, set(&["p-kim", "p-lee"]));
    // A mailbox of another spelling is the same one; another one is young, also in a case that waits already.
    import(&house, Kind::Persons, &person("Kim@CORP.example")).await;
    assert_eq!(asks(case).await, set(&["p-kim", "p-lee"]));
    import(&house, Kind::Persons, &person("evil@elsewhere.example")).await;
    assert_eq!(asks(case).await, set(&["p-lee"]));
    let why = house.not_started(case, Method::ManagerAttestation, None, Some("p-kim")).await;
    assert!(why.contains("mail address of p-kim was recorded too shortly"), "{why}");
    // So is another manager, and another owner, whatever the file says.
    import(&house, Kind::Subjects, &subject("p-omar", "p-sam|2025-01-01T00:00:00Z")).await;
    for late in ["p-omar", "p-sam"] {
        let why = house.not_started(case, Method::ManagerAttestation, None, Some(late)).await;
        assert!(why.contains("manager or owner was recorded too shortly"), "{why}");
    }
    house.clock.pass(week + 60);
    assert_eq!(asks(case).await, set(&[]), "what counts is how old it was when the case was opened");
    let later = opened().await;
    assert_eq!(asks(later).await, set(&["p-omar", "p-sam"]));
    // A record that changes otherwise keeps the dates of what it keeps.
    import(&house, Kind::Subjects, &subject("p-omar", "p-sam; p-lee")).await;
    assert_eq!(asks(later).await, set(&["p-omar", "p-sam"]));
}

#[tokio::test]
async fn invariant_05_saved_codes_issued_after_the_request_or_shortly_before_it_prove_nothing_in_it() {
    let house = House::new().await;
    let okafor = id("okafor");
    house.service.issue_saved_codes(&okafor).await.unwrap();
    house.clock.pass(8 * 24 * 3600);
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.start_proof(case, Method::SavedCode, Some("e1"), None).await;
    let link = house.letter("okafor@corp.example", "A recovery code is asked for").link("p");
    // The set is replaced while the page waits.
    let fresh = house.service.issue_saved_codes(&okafor).await.unwrap();
    let (status, page) = house.post(&link, &[("code", fresh[0].as_str())]).await;
    let case_now = house.case(case).await;
    assert!(status != 200 && case_now.receipts.is_empty() && case_now.sessions[&session].outcome.is_none(), "{page}");
    assert!(house.store.saved_codes(&okafor).await.unwrap().len() == fresh.len(), "nothing of it is used up");
    let why = house.not_started(case, Method::SavedCode, Some("e2"), None).await;
    assert!(why.contains("saved codes were issued too shortly"), "{why}");
    let ways = house.service.load(case, None).await.unwrap();
    let progress = checklist::progress(&ways.world, ways.now);
    assert!(!progress.items.iter().flat_map(|i| &i.startable).any(|w| w.0 == Method::SavedCode));
}
