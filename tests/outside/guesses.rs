//! Guessing codes, one after another and all at once (threats.md T22, T23).

use countersign::domain::case::{MAX_ATTEMPTS_PER_CODE, SessionOutcome};
use countersign::domain::event::CaseEvent;
use countersign::domain::vocabulary::{Action, Method};
use futures_util::StreamExt as _;

use crate::house::House;

/// How many guesses at once; the threat model's figure is 10,000 (`COUNTERSIGN_GUESSES`).
fn many() -> usize {
    std::env::var("COUNTERSIGN_GUESSES").ok().and_then(|n| n.parse().ok()).unwrap_or(600)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t23_of_thousands_of_parallel_guesses_at_most_five_are_judged() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let (link, right) = (letter.link("p"), letter.code().replace(' ', ""));
    let guesses = (0..many()).map(|i| format!("{:08}", (i * 7919) % 100_000_000)).filter(|g| *g != right);
    let statuses: Vec<u16> = futures_util::stream::iter(guesses)
        .map(|guess| {
            let (web, link) = (house.web.clone(), link.clone());
            async move { web.post(&link).form(&[("code", guess)]).send().await.unwrap().status().as_u16() }
        })
        .buffer_unordered(128)
        .collect()
        .await;
    assert!(statuses.iter().all(|s| *s == 422), "{statuses:?}");
    let judged = house.events(case).await.iter().filter(|e| matches!(e, CaseEvent::AttemptFailed { .. })).count();
    assert_eq!(judged, usize::from(MAX_ATTEMPTS_PER_CODE));
    assert_eq!(house.case(case).await.sessions[&session].outcome, Some(SessionOutcome::Exhausted));
    assert_eq!(house.post(&link, &[("code", &right)]).await.0, 422, "the right code comes too late");
    assert!(house.case(case).await.receipts.is_empty());
}

#[tokio::test]
async fn t23_four_wrong_tries_leave_the_fifth_and_what_is_no_code_is_not_counted() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("okafor@corp.example", "Your code");
    for junk in ["", "1234", "abcdefgh", "123456789", "ŧŧŧŧŧŧŧŧ"] {
        assert_eq!(house.post(&letter.link("p"), &[("code", junk)]).await.0, 422, "{junk}");
    }
    assert_eq!(house.case(case).await.failed_attempts, 0);
    let wrong = if letter.code() == "0000 0000" { "1111 1111" } else { "0000 0000" };
    for n in 1..=4 {
        house.post(&letter.link("p"), &[("code", wrong)]).await;
        assert_eq!(house.case(case).await.failed_attempts, n, "counted before it is answered");
    }
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 200);
}

#[tokio::test]
async fn a_code_is_good_once_and_only_on_its_own_page() {
    let house = House::new().await;
    let case = house.proved("okafor", Action::PasswordReset).await;
    let letter = house.letter("okafor@corp.example", "Your code");
    house.clock.pass(60);
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 422, "used");
    let other = house.routed("greedy", Action::PasswordReset).await;
    house.start_proof(other, Method::IssuedCode, Some("e1"), None).await;
    let others = house.letter("greedy@corp.example", "Your code");
    assert_eq!(house.post(&others.link("p"), &[("code", &letter.code())]).await.0, 422, "another case's code");
    assert_eq!(house.case(case).await.receipts.len(), 1);
}

#[tokio::test]
async fn a_code_ends_with_its_time() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let end = house.case(case).await.sessions[&session].expires_at;
    house.clock.pass((end - house.service.now()).num_seconds());
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 422);
    assert!(house.case(case).await.receipts.is_empty());
}
