//! Governors whose tokens ended come back, over the real store and mail (invariant 17).

use countersign::base::ids::TokenId;
use countersign::domain::case::Worker;
use countersign::domain::command::RegisterCommand;
use countersign::domain::event::RegisterChange;
use countersign::domain::govern::recover;
use countersign::domain::register::{Holder, Token};
use countersign::outbound::mail::{Mailer, Security, Smtp};
use countersign::service::register::Beside;
use countersign::service::tokens::Minted;
use countersign::service::{Ask, ServiceError};
use countersign::store::Store as _;

use crate::house::{House, id, staff, workers};

const DAY: i64 = 24 * 3_600;

fn token(house: &House, holder: &str) -> (Minted, Token) {
    let (minted, now) = (house.service.mint().unwrap(), house.service.now());
    let token = Token {
        id: minted.id.clone(),
        holder: Holder::Operator(id(holder)),
        on_behalf_of: Vec::new(),
        secret_sha256: minted.secret_sha256,
        issued_at: now,
        expires_at: now + chrono::Duration::days(1),
        revoked_at: None,
    };
    (minted, token)
}

/// A token that someone issued to themselves.
pub async fn issued(house: &House, to: &str) -> Minted {
    let (minted, token) = token(house, to);
    let command = RegisterCommand::Change { id: house.service.fresh("prp").unwrap(), change: RegisterChange::IssueToken(token) };
    house.service.govern(&Ask::by(staff(to)), &command, &Beside::default()).await.unwrap();
    minted
}

async fn come_back(house: &House, proved: bool) -> Result<[Minted; 2], ServiceError> {
    let ((a, one), (b, other)) = (token(house, "omar"), token(house, "ines"));
    let command = RegisterCommand::Recover { by: [id("omar"), id("ines")], proved, tokens: Box::new([one, other]) };
    house.service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await.map(|_| [a, b])
}

#[tokio::test]
async fn invariant_17_a_former_token_shows_who_one_is_and_opens_nothing() {
    let house = House::new().await;
    let omar = issued(&house, "omar").await;
    house.clock.pass(2 * DAY);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none(), "it ended");
    assert_eq!(house.service.once_held(&omar.presented).await.unwrap(), Some(id("omar")));
    let forged = format!("{}0", &omar.presented[..omar.presented.len() - 1]);
    let other = format!("{}1", &omar.presented[..omar.presented.len() - 1]);
    for wrong in [forged, other].iter().filter(|w| **w != omar.presented) {
        assert_eq!(house.service.once_held(wrong).await.unwrap(), None);
    }
    assert_eq!(house.service.once_held("").await.unwrap(), None);
    let revoke = RegisterChange::RevokeToken { token: TokenId::parse(omar.id.as_str()).unwrap(), at: house.service.now() };
    let command = RegisterCommand::Change { id: house.service.fresh("prp").unwrap(), change: revoke };
    house.service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await.unwrap();
    assert_eq!(house.service.once_held(&omar.presented).await.unwrap(), None, "a revoked one shows nothing");
}

#[tokio::test]
async fn invariant_17_governors_come_back_for_a_short_time_and_everyone_who_governs_is_told_by_mail() {
    let house = House::new().await;
    issued(&house, "omar").await;
    issued(&house, "ines").await;
    let early = come_back(&house, true).await.err().unwrap();
    assert!(early.to_string().contains("can govern"), "{early}");
    house.clock.pass(2 * DAY);
    let [omar, ines] = come_back(&house, true).await.unwrap();
    for minted in [&omar, &ines] {
        assert!(house.service.authenticate(&minted.presented).await.unwrap().is_some());
    }
    house.settle().await;
    for who in ["omar", "ines"] {
        let letter = house.letter(&format!("{who}@corp.example"), "let back in");
        assert!(letter.body.contains("omar and ines") && letter.body.contains("--stop"), "{}", letter.body);
        assert!(!letter.body.contains("cs_"), "no secret in it");
    }
    let (size, _) = house.store.head().await.unwrap();
    let last = house.store.entries(size - 1, 1).await.unwrap().remove(0);
    let shown = countersign::api::lists::LogEntry::from(&last);
    assert_eq!(shown.event, "governance_recovered");
    assert!(shown.summary.contains("p-omar") && shown.summary.contains("p-ines") && shown.summary.contains("proved"), "{}", shown.summary);
    house.clock.pass(9 * 3_600);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none(), "they are short-lived");
    assert!(house.store.verify(&|_, _| {}).await.unwrap().is_empty());
}

#[tokio::test]
async fn invariant_17_without_proof_the_tokens_count_only_after_the_delay_and_can_be_stopped_in_it() {
    let house = House::new().await;
    let [omar, _] = come_back(&house, false).await.unwrap();
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none());
    assert_eq!(house.service.once_held(&omar.presented).await.unwrap(), None, "a token that never counted proves nothing");
    assert!(come_back(&house, true).await.is_err(), "one at a time");
    house.clock.pass(9 * DAY);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none(), "the server was stopped: nobody was told, nothing runs out");
    house.settle().await;
    assert!(house.letter("ines@corp.example", "let back in").body.contains("not before"));
    house.clock.pass(DAY - 60);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none());
    house.clock.pass(120);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_some());
    house.clock.pass(DAY);
    let [omar, ines] = come_back(&house, false).await.unwrap();
    house.settle().await;
    for minted in [&omar, &ines] {
        let change = RegisterChange::RevokeToken { token: minted.id.clone(), at: house.service.now() };
        let command = RegisterCommand::Change { id: house.service.fresh("prp").unwrap(), change };
        house.service.govern(&Ask::by(staff("ines")), &command, &Beside::default()).await.unwrap();
    }
    house.clock.pass(DAY + 60);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none(), "stopped");
}

#[tokio::test]
async fn invariant_17_a_dead_relay_holds_a_recovery_up_for_so_many_tries_and_then_its_delay_runs() {
    let house = House::new().await;
    let [omar, _] = come_back(&house, false).await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let timeout = std::time::Duration::from_secs(5);
    let smtp = Smtp { host: "127.0.0.1".into(), port, security: Security::Plain, credentials: None, timeout, root: None };
    let workers = workers(&house.service, &house.keys, Mailer::smtp("Corp <no-reply@corp.example>", &smtp).unwrap(), &house.connector, &house.pages);
    let tries = countersign::service::workers::Patience::default().mail_tries;
    for _ in 0..tries {
        while workers.run_outbox_once().await.unwrap() > 0 {}
        let begun = house.store.register().await.unwrap().tokens[&omar.id].issued_at < recover::NOT_TOLD;
        assert!(!begun, "it is still tried");
        house.clock.pass(20);
    }
    while workers.run_outbox_once().await.unwrap() > 0 {}
    house.clock.pass(DAY - 60);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_none());
    house.clock.pass(120);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_some(), "nobody is locked out for ever by a dead relay");
}

async fn stop(house: &House, tokens: &[Minted; 2]) {
    for minted in tokens {
        let change = RegisterChange::RevokeToken { token: minted.id.clone(), at: house.service.now() };
        let command = RegisterCommand::Change { id: house.service.fresh("prp").unwrap(), change };
        house.service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await.unwrap();
    }
}

/// With the server stopped one recovery is made, stopped, and made again: word of the first, still queued, is neither sent nor counts for the second.
#[tokio::test]
async fn invariant_17_word_of_a_stopped_recovery_is_not_sent_and_begins_no_other_ones_delay() {
    let house = House::new().await;
    let first = come_back(&house, false).await.unwrap();
    stop(&house, &first).await;
    let [omar, _] = come_back(&house, false).await.unwrap();
    house.settle().await;
    let told = |house: &House| house.letters().iter().filter(|l| l.to == "ines@corp.example" && l.subject.contains("let back in")).count();
    assert_eq!(told(&house), 1, "one letter, of the recovery that stands");
    let told_of = house.store.register().await.unwrap();
    assert_eq!(recover::untold(&told_of).count(), 0);
    house.clock.pass(DAY + 60);
    assert!(house.service.authenticate(&omar.presented).await.unwrap().is_some());
}

#[tokio::test]
async fn invariant_17_whoever_governs_is_told_once_though_it_can_not_be_written_down_at_once() {
    let house = House::new().await;
    let (mailer, took) = crate::stuck::defers("nobody", 0);
    let workers = workers(&house.service, &house.keys, mailer, &house.connector, &house.pages);
    come_back(&house, false).await.unwrap();
    house.clock.tamper(600_000);
    for _ in 0..3 {
        workers.run_outbox_once().await.unwrap();
        house.clock.pass(15);
    }
    let before = took.lock().unwrap().len();
    assert!(before == 2 && recover::untold(&house.store.register().await.unwrap()).count() == 2, "{before}");
    house.clock.tamper(-600_000);
    house.clock.pass(700);
    workers.run_outbox_once().await.unwrap();
    assert_eq!(took.lock().unwrap().len(), 2, "each of them once");
    assert_eq!(recover::untold(&house.store.register().await.unwrap()).count(), 0, "and now the delay runs");
}
