//! A case whose deadline passed: from the rules over the store and the wire to what the desk sees and hears.

use std::sync::{Arc, Mutex};

use countersign::api::case::CaseDetail;
use countersign::api::lists::QueuePage;
use countersign::base::ids::CaseId;
use countersign::console::drive::Perform;
use countersign::console::effect::{Ask, Effect};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::{ConsoleConfig, plain};
use countersign::domain::event::CaseEvent;
use countersign::domain::view::{QueueFilter, QueueQuery, Sort};
use countersign::domain::vocabulary::{Action, Path};
use countersign::store::Store as _;
use tokio::sync::mpsc;

use crate::canned;
use crate::desk::route;
use crate::house::{House, staff};
use crate::ports::Still;
use crate::seat::{self, Desk};

async fn queue(house: &House) -> QueuePage {
    let filter = QueueFilter { ended: Some(false), ..QueueFilter::default() };
    house.store.queue(&QueueQuery { filter, sort: Sort::Due, limit: 50, ..QueueQuery::default() }).await.unwrap().into()
}

/// What the console asks, answered with what the house has.
fn answers(page: &QueuePage, house: &House) -> impl FnMut(&Ask) -> Option<Result<Reply, countersign::client::ClientError>> + use<> {
    let (page, now) = (page.clone(), house.service.now());
    move |ask| match ask {
        Ask::Cases(_) => Some(Ok(Reply::Cases(page.clone()))),
        Ask::Case(_) => Some(Ok(Reply::Case(Box::new(CaseDetail { row: page.rows[0].clone(), ..canned::case() })))),
        Ask::Me => Some(Ok(Reply::Me(Box::new(countersign::api::lists::Me { server_time: now, ..canned::nadia() })))),
        other => seat::usual(other),
    }
}

#[tokio::test]
async fn an_overdue_case_stays_first_and_says_how_late_it_is_on_every_screen_and_aloud() {
    let house = House::new().await;
    let late = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case;
    let due = late.times.due.unwrap();
    let before = (due - house.service.now()).num_seconds();
    house.live(before - 60, 1).await;
    house.open(staff("nadia"), route("vega", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap();
    assert_eq!(queue(&house).await.rows[0].id, late.id);
    // The deadline passes, and much time after it.
    house.live(60 + 180, 4).await;
    let page = queue(&house).await;
    assert_eq!((page.rows[0].id, page.rows[0].due, page.rows.len()), (late.id, Some(due), 2), "it keeps its deadline, and its place by it");
    let escalated = house.events(late.id).await.into_iter().filter(|e| matches!(e, CaseEvent::Escalated { .. })).count();
    assert_eq!(escalated, 1, "it escalates once, not at every look at the clock");
    assert_eq!(house.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());

    for (columns, rows) in [(80, 24), (120, 40)] {
        let mut desk = Desk::new(columns, rows, |_| {}, Box::new(answers(&page, &house)), true);
        desk.tell(Message::Live(Live::Up));
        let seen = desk.text();
        let first = seen.lines().find(|l| l.contains("CS-26-")).unwrap_or_else(|| panic!("{seen}"));
        assert!(first.contains(&late.id.to_string()) && first.ends_with("late 0:03"), "{seen}");
        assert!(!seen.lines().find(|l| l.contains("CS-26-000002")).unwrap().contains("late"), "{seen}");
        desk.press("enter");
        assert!(desk.text().contains("new · late 0:03"), "{}", desk.text());
    }
    let heard = heard(&page, &house, late.id).await;
    let first = heard.lines().find(|l| l.contains("CS-26-")).unwrap();
    assert!(first.contains(&late.id.to_string()) && first.contains("late by 0:03"), "{heard}");
    assert!(heard.contains("State: new") && heard.matches("late by 0:03").count() >= 2, "{heard}");

    // Its phase is left: nothing is late any more.
    house.triage("nadia", late.id).await.unwrap();
    let row = queue(&house).await.rows.into_iter().find(|r| r.id == late.id).unwrap();
    assert!(row.due.unwrap() > house.service.now(), "{row:?}");
}

type Answers = Box<dyn FnMut(&Ask) -> Option<Result<Reply, countersign::client::ClientError>> + Send>;

struct Aloud {
    answers: Mutex<Answers>,
    out: mpsc::Sender<Message>,
}

impl Perform for Aloud {
    fn perform(&mut self, effect: Effect) {
        let Effect::Ask { seq, to, ask } = effect else { return };
        let Some(reply) = (self.answers.get_mut().unwrap())(&ask) else { return };
        self.out.try_send(Message::Answer { seq, to, reply }).unwrap();
    }
}

/// What `--plain` says of the queue and of the case.
async fn heard(page: &QueuePage, house: &House, case: CaseId) -> String {
    let mut model = countersign::console::model(&ConsoleConfig::new("http://127.0.0.1:8443".parse().unwrap()), &seat::ports(), (80, 24)).unwrap();
    let (out, incoming) = mpsc::channel(256);
    let mut performer = Aloud { answers: Mutex::new(Box::new(answers(page, house))), out };
    let (mut heard, clock) = (Vec::new(), Arc::new(Still(canned::now())));
    let lines = format!("open {case}\nquit\n");
    let input = plain::lines_of(std::io::Cursor::new(lines.into_bytes()));
    let world = plain::World { input, output: &mut heard, performer: &mut performer, answers: incoming, clock: &*clock, hide: &mut |_| {} };
    let played = plain::drive(&mut model, world, true);
    tokio::time::timeout(std::time::Duration::from_secs(30), played).await.unwrap().unwrap();
    String::from_utf8(heard).unwrap()
}
