//! A mail relay or a target that hangs: orders and ended access go on beside it, the server ends in time, and nobody is written to twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use countersign::base::Time;
use countersign::base::ids::{SubjectId, TargetId};
use countersign::connectors::{CallError, Connector, Held, Order};
use countersign::domain::command::Command;
use countersign::domain::event::{Body, RegisterEvent};
use countersign::domain::vocabulary::{Action, CaseState, Method, Path};
use countersign::outbound::mail::{Mailer, Security, Smtp};
use countersign::server::host::{Parts, Running};
use countersign::server::{Listeners, ServerConfig};
use countersign::service::workers::{Hands, Patience, Workers};
use countersign::store::Store as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::desk::{okafor, route};
use crate::house::{House, SUBJECTS, id, staff, workers};

const PATIENCE: Duration = Duration::from_mins(1);

fn by_smtp(port: u16) -> Mailer {
    let timeout = Duration::from_mins(10);
    let smtp = Smtp { host: "127.0.0.1".into(), port, security: Security::Plain, credentials: None, timeout, root: None };
    Mailer::smtp("Corp <no-reply@corp.example>", &smtp).unwrap()
}

/// A relay that takes connections and says nothing; how many it has.
async fn mute() -> (Mailer, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mailer = by_smtp(listener.local_addr().unwrap().port());
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
            count.send_replace(open.len());
        }
    });
    (mailer, counted)
}

async fn wait_for(counted: &mut watch::Receiver<usize>, many: usize) {
    tokio::time::timeout(PATIENCE, counted.wait_for(|n| *n >= many)).await.expect("the relay is talked to").unwrap();
}

impl House {
    /// Waits until a case is as it should be.
    async fn becomes(&self, case: countersign::base::ids::CaseId, good: impl Fn(&countersign::domain::case::Case) -> bool) {
        let mut announced = self.store.announcements();
        let wait = async {
            while !good(&*self.case(case).await) {
                let _ = announced.recv().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it happens beside the mail that hangs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_11_access_ends_and_orders_go_out_while_a_relay_hangs() {
    let house = House::new().await;
    let lent = house.approved("okafor", Action::JitAccess).await;
    house.live(120, 4).await;
    let grant = house.case(lent).await.grants[0].clone();
    let waits = house.proved("parent", Action::PasswordReset).await;
    house.settle().await;
    for (subject, ..) in SUBJECTS.iter().filter(|s| s.0 != "okafor" && s.0 != "parent") {
        house.open(staff("nadia"), route(subject, Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap();
    }
    let (mailer, mut talked_to) = mute().await;
    let hanging = Arc::new(workers(&house.service, &house.keys, mailer, &house.connector, &house.pages));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(hanging.run(stopped));
    wait_for(&mut talked_to, 8).await;

    house.approve(waits).await;
    house.clock.pass(120);
    house.becomes(waits, |c| c.state == CaseState::Restored).await;
    house.clock.pass((grant.expires_at - house.service.now()).num_seconds() + 5);
    house.becomes(lent, |c| c.grants[0].revoked_at.is_some()).await;
    assert!(house.account("okafor").grants.is_empty());

    stop.send_replace(true);
    tokio::time::timeout(PATIENCE, running).await.expect("what hangs is let go of").unwrap();
    let depth = house.store.outbox_depth(house.service.now()).await.unwrap();
    assert!(depth.waiting >= 10 && depth.due >= 8, "and put back, to be taken up by the next server at once: {depth:?}");
}

/// A server over that house, with these targets.
async fn starts(house: &House, mailer: Mailer, connectors: BTreeMap<TargetId, Arc<dyn Connector>>) -> Running {
    let parts = Parts {
        service: Arc::clone(&house.service),
        codes: house.keys.clone(),
        mailer,
        connectors,
        public_url: house.pages.clone(),
        organisation: "Corp".to_owned(),
        config: ServerConfig { drain: Duration::from_secs(1), ..ServerConfig::default() },
        patience: Patience::default(),
    };
    let staff = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Running::start(parts, Listeners { staff, pages: None, metrics: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_at_a_case_of_a_target_that_the_server_was_started_without_is_told() {
    for (set_up, lacks) in [("directory", false), ("vault", true)] {
        let house = House::new().await;
        let mailer = Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap();
        let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
        let told = async || house.service.look(case, &staff("sam")).await.unwrap().lacks_target;
        assert!(!told().await, "what is not known is not said");
        let running = starts(&house, mailer, BTreeMap::from([(id(set_up), Arc::clone(&house.connector))])).await;
        assert_eq!(told().await, lacks, "set up for {set_up}");
        running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_relay_hangs_ends_in_time_and_what_it_counted_is_in_the_log() {
    let house = House::new().await;
    let (mailer, mut talked_to) = mute().await;
    let running = starts(&house, mailer, BTreeMap::new()).await;
    house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap();
    wait_for(&mut talked_to, 1).await;
    house.service.stranger();
    tokio::time::timeout(PATIENCE, running.stop()).await.expect("it ends").unwrap();
    let entries = house.store.entries(0, 1_000).await.unwrap();
    let counted = |b: &Body| matches!(b, Body::Register { event: RegisterEvent::StrangersRefused { count: 1, .. }, .. });
    assert!(entries.iter().any(|e| counted(&e.body)));
}

/// A relay that defers mail to addresses with these words, so many times; whom it took mail for.
pub fn defers(words: &'static str, times: usize) -> (Mailer, Arc<Mutex<Vec<String>>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mailer = by_smtp(listener.local_addr().unwrap().port());
    let (took, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(times)));
    let all = took.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (took, left) = (all.clone(), left.clone());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let (mut whom, _) = (String::new(), stream.write_all(b"220 relay\r\n"));
                while let Some(line) = lines.next() {
                    let answer = match &line.to_uppercase()[..4] {
                        "RCPT" if line.contains(words) && *left.lock().unwrap() > 0 => {
                            *left.lock().unwrap() -= 1;
                            "452 4.2.2 over quota"
                        }
                        "RCPT" => {
                            line.split(['<', '>']).nth(1).unwrap().clone_into(&mut whom);
                            "250 well"
                        }
                        "DATA" => {
                            let _ = stream.write_all(b"354 go on\r\n");
                            lines.by_ref().take_while(|l| l != ".").for_each(drop);
                            took.lock().unwrap().push(whom.clone());
                            "250 taken"
                        }
                        "QUIT" => return,
                        _ => "250 well",
                    };
                    let _ = stream.write_all(format!("{answer}\r\n").as_bytes());
                }
            });
        }
    });
    (mailer, took)
}

#[tokio::test]
async fn invariant_13_whoever_had_a_message_does_not_get_it_again_because_another_address_defers() {
    let house = House::new().await;
    let (mailer, took) = defers("home.example", 5);
    let deferring = workers(&house.service, &house.keys, mailer, &house.connector, &house.pages);
    let case = house.routed("okafor", Action::PasswordReset).await;
    for _ in 0..9 {
        deferring.run_outbox_once().await.unwrap();
        house.clock.pass(15);
    }
    let mut all = took.lock().unwrap().clone();
    all.sort();
    assert_eq!(all.len(), 2, "each address once: {all:?}");
    assert!(all[0] != all[1], "{all:?}");
    let told: Vec<_> =
        house.events(case).await.into_iter().filter(|e| matches!(e, countersign::domain::event::CaseEvent::MessageSent { .. })).collect();
    assert!(format!("{told:?}").contains("told: 2") && told.len() == 1, "{told:?}");
}

#[tokio::test]
async fn invariant_13_a_message_whose_fate_can_not_be_written_down_yet_is_not_sent_again() {
    let house = House::new().await;
    let (mailer, took) = defers("nobody", 0);
    let workers = workers(&house.service, &house.keys, mailer, &house.connector, &house.pages);
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    let told = async || {
        let sent = |e: &countersign::domain::event::CaseEvent| matches!(e, countersign::domain::event::CaseEvent::MessageSent { .. });
        format!("{:?}", house.events(case).await.into_iter().filter(sent).collect::<Vec<_>>())
    };
    // The machine slept: nothing is written until the clock is right again, and mail still leaves.
    house.clock.tamper(600_000);
    for _ in 0..3 {
        assert_eq!(workers.run_outbox_once().await.unwrap(), 1);
        house.clock.pass(15);
    }
    assert_eq!((told().await.as_str(), took.lock().unwrap().len()), ("[]", 2));
    house.clock.tamper(-600_000);
    house.clock.pass(700);
    workers.run_outbox_once().await.unwrap();
    assert_eq!(took.lock().unwrap().len(), 2, "each address once");
    assert_eq!(told().await.matches("told: 2").count(), 1);
}

/// A target that is not there, or takes questions and never answers them.
#[derive(Default)]
struct Hangs(AtomicBool);

#[async_trait]
impl Connector for Hangs {
    async fn execute(&self, _: &Order, _: Time) -> Result<(), CallError> {
        Err(CallError::NotReached("nobody answers".to_owned()))
    }

    async fn held(&self, _: &SubjectId, _: Time) -> Result<Held, CallError> {
        if self.0.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Err(CallError::NotReached("nobody answers".to_owned()))
    }

    async fn revoke(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.execute(order, now).await
    }

    async fn roll_back(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.execute(order, now).await
    }
}

/// Ten cases of a target that hangs, and one of another target: whether those were tried before it began to hang or not.
async fn beside_one_that_hangs(tried_before: bool) {
    let mut house = House::new().await;
    let scopes = BTreeSet::from([id("login"), id("mail")]);
    house.record(vec![okafor(|s| s.entitlements = BTreeMap::from([(id("vault"), scopes)]))]).await;
    house.clock.pass(60 * 24 * 3_600);
    let mut hung = Vec::new();
    for (subject, ..) in &SUBJECTS[2..] {
        hung.push(house.proved(subject, Action::PasswordReset).await);
    }
    let elsewhere =
        countersign::domain::case::Route { target: id("vault"), ..route("okafor", Action::PasswordReset, Path::Assisted, &["login", "mail"]) };
    let other = house.open(staff("nadia"), elsewhere).await.unwrap().case.id;
    house.triage("nadia", other).await.unwrap();
    house.prove(other, Method::IssuedCode, "e1").await;
    house.settle().await;

    let hangs = Arc::new(Hangs::default());
    let silent: Arc<dyn Connector> = Arc::<Hangs>::clone(&hangs);
    let world = Hands {
        keys: house.keys.clone(),
        mailer: Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap(),
        connectors: BTreeMap::from([(id("directory"), silent), (id("vault"), Arc::clone(&house.connector))]),
        pages_url: house.pages.clone(),
        organisation: "Corp".to_owned(),
    };
    house.workers = Workers::new(Arc::clone(&house.service), Arc::new(world), Patience::default());
    assert_eq!(hung.len(), 10);
    for case in hung {
        house.approve(case).await;
    }
    house.clock.pass(120);
    if tried_before {
        house.settle().await;
        house.clock.pass(30);
    }
    hangs.0.store(true, Ordering::SeqCst);
    house.act("nadia", other, Command::Seal).await;
    house.try_approve("lee", other).await.unwrap();
    house.clock.pass(120);
    let mailer = Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap();
    let idle = workers(&house.service, &house.keys, mailer, &house.connector, &house.pages);
    let hanging = Arc::new(std::mem::replace(&mut house.workers, idle));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(hanging.run(stopped));
    house.becomes(other, |c| c.state == CaseState::Restored).await;
    stop.send_replace(true);
    tokio::time::timeout(PATIENCE, running).await.expect("what hangs is let go of").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_over_what_it_holds_at_the_first_try_holds_up_no_orders_for_others() {
    beside_one_that_hangs(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_over_what_it_holds_at_further_tries_holds_up_no_orders_for_others() {
    beside_one_that_hangs(true).await;
}
