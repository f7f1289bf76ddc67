//! The linear mode: the whole story by typed lines.

use std::sync::{Arc, Mutex};

use countersign::api::lists::{LogEntry, LogPage, Me, QueuePage};
use countersign::client::Write;
use countersign::console::drive::Perform;
use countersign::console::effect::{Ask, Effect, Order, Timer};
use countersign::console::message::{Message, Reply};
use countersign::console::plain::talk::Talk;
use countersign::console::{ConsoleConfig, plain};
use tokio::sync::mpsc;

use crate::cases::{desk, keys};
use crate::desk::{Desk, ports, usual};
use crate::ports::Still;
use crate::{canned, whole};

/// Answers at once, and remembers what was sent.
struct Server {
    me: Me,
    agent: bool,
    /// Whether there are many cases and entries.
    many: bool,
    out: mpsc::Sender<Message>,
    orders: Arc<Mutex<Vec<Order>>>,
}

impl Perform for Server {
    fn perform(&mut self, effect: Effect) {
        let message = match effect {
            Effect::Ask { seq, to, ask } => {
                let case = if self.agent { whole::routed_by_me() } else { whole::sealed() };
                let reply = match &ask {
                    Ask::Cases(params) if self.many => Ok(Reply::Cases(many_cases(params.after.as_deref()))),
                    Ask::Log(after, limit) if self.many => Ok(Reply::Log(many_entries(*after, *limit))),
                    Ask::Me => Ok(Reply::Me(Box::new(self.me.clone()))),
                    Ask::Case(_) => Ok(Reply::Case(Box::new(case))),
                    Ask::Statement(_, decision) => Ok(Reply::Statement(Box::new(whole::statement(decision.code())))),
                    Ask::Log(..) | Ask::Timeline(..) => Ok(Reply::Log(whole::log())),
                    Ask::Subjects(_) => Ok(Reply::Subjects(whole::subjects())),
                    Ask::Subject(_) => Ok(Reply::Subject(Box::new(whole::subject()))),
                    Ask::Assignable(_) => Ok(Reply::Assignable(Box::new(serde_json::from_value(assignable()).unwrap()))),
                    Ask::RoutePreview(_) => Ok(Reply::Preview(Box::new(whole::preview()))),
                    other => usual(other).unwrap_or_else(|| Ok(Reply::Drafts(std::collections::BTreeMap::default(), 0))),
                };
                Message::Answer { seq, to, reply }
            }
            Effect::Send { seq, to, order } => {
                self.orders.lock().unwrap().push(order);
                Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) }
            }
            Effect::Timer(Timer::Form, _) => Message::Timer(Timer::Form),
            _ => return,
        };
        self.out.try_send(message).unwrap();
    }
}

/// Whom a case could be given to.
fn assignable() -> serde_json::Value {
    let row = |operator: &str| serde_json::json!({"operator": operator, "name": "Ana Diaz", "roles": ["supervisor"], "on_shift": true, "fits": true});
    let rows = ["diana", "k.borg"].map(row);
    serde_json::json!({ "rows": rows, "more": 12 })
}

/// 250 cases, 100 a page.
fn many_cases(after: Option<&str>) -> QueuePage {
    let from: u32 = after.map_or(0, |a| a.parse().unwrap());
    let to = (from + 100).min(250);
    let rows = (from..to).map(|n| canned::row(n + 1, &format!("subject-{}", n + 1), 60, &serde_json::json!({}))).collect();
    QueuePage { rows, before: None, after: (to < 250).then(|| to.to_string()) }
}

/// 48,211 entries.
fn many_entries(after: Option<u64>, limit: u16) -> LogPage {
    let one = whole::log().entries.pop().unwrap();
    let from = after.map_or(0, |a| a + 1);
    let entries = (from..(from + u64::from(limit)).min(48_211)).map(|seq| LogEntry { seq, ..one.clone() }).collect();
    LogPage { entries, after: None, size: 48_211, ..LogPage::default() }
}

/// Plays lines; what was heard, and what was sent.
async fn play(me: Me, lines: &'static str) -> (String, Vec<Order>) {
    listen(me, lines, false).await
}

async fn listen(me: Me, lines: &'static str, many: bool) -> (String, Vec<Order>) {
    let agent = me.operator.as_ref().is_some_and(|o| o.as_str() == "nadia");
    let mut model = countersign::console::model(&ConsoleConfig::new("http://127.0.0.1:8443".parse().unwrap()), &ports(), (80, 24)).unwrap();
    let (out, answers) = mpsc::channel(256);
    let orders = Arc::new(Mutex::new(Vec::new()));
    let mut performer = Server { me, agent, many, out, orders: Arc::clone(&orders) };
    let mut heard = Vec::new();
    let clock = Still(canned::now());
    let input = plain::lines_of(lines.as_bytes());
    let world = plain::World { input, output: &mut heard, performer: &mut performer, answers, clock: &clock, hide: &mut |_| {} };
    let played = plain::drive(&mut model, world, true);
    tokio::time::timeout(std::time::Duration::from_secs(30), played).await.unwrap().unwrap();
    let orders = orders.lock().unwrap().clone();
    (String::from_utf8(heard).unwrap(), orders)
}

#[tokio::test]
async fn an_agent_hears_why_not_and_who_could() {
    let (heard, orders) = play(canned::nadia(), "open CS-26-004127\napprove\nsend-decision\nno\nback\nrequest-approval\ng l\nnonsense\n").await;
    for said in [
        "Queue, filter",
        "you own the automation triage-bot that routed it",
        "on shift: d.ruiz",
        "You can't approve",
        "the log keeps that you tried",
        "Cancelled.",
        "It is sealed already.",
    ] {
        assert!(heard.contains(said), "{said} is missing in:\n{heard}");
    }
    assert!(heard.contains("refused: decide separation-of-duties") && heard.contains("\"nonsense\" is no command"), "{heard}");
    assert!(orders.is_empty());
}

#[tokio::test]
async fn a_supervisor_approves_with_reason_and_confirmation() {
    let story = "1\nopen CS-26-004127\napprove\nwrite-reason\nseen with the owner\nand by phone\n.\n:send\nno\nsend-decision\ny\n";
    let (heard, orders) = play(whole::ruiz(), story).await;
    assert!(heard.contains("Approvals, page 1") && heard.contains("Cancelled.") && heard.contains("is approved by you"), "{heard}");
    let [Order { write: Write::Decide(body), .. }] = orders.as_slice() else { panic!("{orders:?}\n{heard}") };
    assert_eq!(body.reason.raw(), "seen with the owner\nand by phone");
}

#[tokio::test]
async fn a_case_is_opened_field_by_field_after_hearing_the_cost() {
    let story = "new-case\npay\n:pick 1\nsecret rotation\n2\n\n2\nticket\n\nsubject\nrotation failed\n:send\ny\n";
    let (heard, orders) = play(canned::nadia(), story).await;
    assert!(heard.contains("already open: CS-26-004090") && heard.contains("You give up deciding this case"), "{heard}");
    let [Order { write: Write::Open(open), .. }] = orders.as_slice() else { panic!("{orders:?}\n{heard}") };
    let scope: Vec<&str> = open.scope.iter().map(countersign::base::ids::ScopeId::as_str).collect();
    assert_eq!((open.action.code(), scope.as_slice(), open.channel.code()), ("secret_rotation", ["payments.write"].as_slice(), "ticket"));
}

#[tokio::test]
async fn a_case_is_given_to_whoever_was_typed_and_never_to_a_name_that_only_resembles_it() {
    let story = "j\nassign-to\nana\nassign-to\nk.berg\nassign-to\nk.borg\nassign-to\n1\nassign-to\n\n";
    let (heard, orders) = play(canned::nadia(), story).await;
    let given = |o: &Order| if let Write::Assign(a) = &o.write { a.operator.as_ref().map(|o| o.as_str().to_owned()) } else { None };
    assert_eq!(orders.iter().filter_map(given).collect::<Vec<_>>(), ["ana", "k.berg", "k.borg", "diana"], "{heard}");
}

#[tokio::test]
async fn what_is_read_is_no_list_to_pick_from() {
    let (heard, orders) = play(whole::ruiz(), "open CS-26-004127\npick 1\napprove\npick 1000\nback\ng p\npick 2\n").await;
    assert_eq!(heard.matches("There is no list here to pick from.").count(), 3, "{heard}");
    assert!(orders.is_empty(), "{orders:?}");
}

#[tokio::test]
async fn proofs_are_started_and_triage_is_told_by_lines() {
    let story = "open CS-26-004127\nprove\n1\ntriage\n4\nran it twice\n.\np-nadia\n:send\ncomment\nhello\n.\n:send\n";
    let (heard, orders) = play(whole::ruiz(), story).await;
    let kinds: Vec<bool> = orders.iter().map(|o| matches!(&o.write, Write::Proof(_) | Write::Triage(_) | Write::Comment(_))).collect();
    assert_eq!(kinds, [true, true, true], "{orders:?}\n{heard}");
}

#[tokio::test]
async fn a_line_that_does_not_fit_is_refused_aloud_and_what_was_heard_before_is_sent() {
    let story: &'static str = Box::leak(format!("open CS-26-004127\ncomment\nhello\n{}\n.\n:send\n", "x".repeat(16_380)).into_boxed_str());
    let (heard, orders) = play(whole::ruiz(), story).await;
    assert!(heard.contains("Wrong: 2 bytes over the limit of 16384: not taken."), "{heard}");
    let [Order { write: Write::Comment(body), .. }] = orders.as_slice() else { panic!("{orders:?}\n{heard}") };
    assert_eq!(body.text.raw(), "hello");
    let whole_line: &'static str = Box::leak(format!("open CS-26-004127\ncomment\n{}\n.\n:send\n", "x".repeat(16_390)).into_boxed_str());
    let (heard, orders) = play(whole::ruiz(), whole_line).await;
    assert!(heard.contains("6 bytes over the limit of 16384: shorten it, it can't be sent.") && orders.is_empty(), "{orders:?}\n{heard}");
}

/// The case last read out under a number before a line of the story was taken.
fn heard_as(heard: &str, number: usize) -> Vec<String> {
    let rows = heard.lines().filter_map(|l| l.strip_prefix(&format!("{number}. ")));
    rows.filter_map(|l| l.split_whitespace().find(|w| w.starts_with("CS-")).map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_number_is_the_case_last_read_out_under_it() {
    let (heard, _) = listen(canned::nadia(), "page-down\npage-down\npage-down\n3\n", true).await;
    let last = heard_as(&heard, 3).pop().unwrap();
    assert!(heard.contains("20 of 100 and more were read: more reads on"), "{heard}");
    let (again, _) = listen(canned::nadia(), "page-down\npage-down\npage-down\n3\nback\n", true).await;
    assert_eq!(heard_as(&again, 3).first(), Some(&"CS-26-000003".to_owned()));
    let opened = |heard: &str| heard.lines().filter(|l| l.starts_with("Case ")).count();
    assert_eq!((opened(&heard), opened(&again)), (1, 1), "{heard}");
    let asked = asked_for("page-down\npage-down\npage-down\n3\n").await;
    assert_eq!(asked, std::slice::from_ref(&last), "{heard}");
    // Read on by whole pages: every number is new, and means what was just heard.
    let (heard, _) = listen(canned::nadia(), "more\nmore\n", true).await;
    assert_eq!(heard_as(&heard, 3), ["CS-26-000003", "CS-26-000023", "CS-26-000043"], "{heard}");
    assert_eq!(asked_for("more\nmore\n3\n").await, ["CS-26-000043"]);
    assert_eq!(asked_for("more\nfilter mine\n3\n").await, ["CS-26-000003"], "another list, other numbers");
}

/// Notes which cases are asked for.
struct Watched<'a>(&'a mut Server, Arc<Mutex<Vec<String>>>);

impl Perform for Watched<'_> {
    fn perform(&mut self, effect: Effect) {
        if let Effect::Ask { ask: Ask::Case(id), .. } = &effect {
            self.1.lock().unwrap().push(id.to_string());
        }
        self.0.perform(effect);
    }
}

/// The cases that a story asks for.
async fn asked_for(lines: &'static str) -> Vec<String> {
    let mut model = countersign::console::model(&ConsoleConfig::new("http://127.0.0.1:8443".parse().unwrap()), &ports(), (80, 24)).unwrap();
    let (out, answers) = mpsc::channel(256);
    let mut server = Server { me: canned::nadia(), agent: true, many: true, out, orders: Arc::default() };
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut performer = Watched(&mut server, Arc::clone(&asked));
    let clock = Still(canned::now());
    let mut heard = Vec::new();
    let input = plain::lines_of(lines.as_bytes());
    let world = plain::World { input, output: &mut heard, performer: &mut performer, answers, clock: &clock, hide: &mut |_| {} };
    let played = plain::drive(&mut model, world, true);
    tokio::time::timeout(std::time::Duration::from_secs(30), played).await.unwrap().unwrap();
    asked.lock().unwrap().clone()
}

#[tokio::test]
async fn a_log_that_is_cut_says_so_and_goes_on() {
    let (heard, _) = listen(canned::nadia(), "log\nmore\nmore\n", true).await;
    assert_eq!(heard.matches(" of 48,211 entries were read: more reads older ones.").count(), 1, "said once, it stays true:\n{heard}");
    for seq in 48_211 - 42..48_211_u64 {
        assert!(heard.lines().any(|l| l.starts_with(&format!("{seq} "))), "{seq} was not read:\n{heard}");
    }
    assert!(!heard.contains(&format!("\n{} ", 48_211 - 100)), "{heard}");
}

#[tokio::test]
async fn words_that_match_nothing_are_named_and_marks_are_said_only_where_the_sentence_does_not_say_it() {
    let (heard, orders) = play(whole::ruiz(), "open CS-26-004127\nflag\nzzzzzz\nread\n\napprove\nback\nnew-case\npay\n").await;
    assert!(heard.contains("\"zzzzzz\" matches nothing of: What did you notice?"), "{heard}");
    assert!(heard.contains("e-mail ep-1 can serve") && !heard.contains("done: e-mail"), "{heard}");
    assert!(heard.contains("triage Nadia Rahman (p-nadia), remedy Ines Moreau (p-ines)") && heard.contains("Owners: Ines Moreau\n"), "{heard}");
    for wrong in ["done: You may decide", "done: says exactly", "missing: Attestation", "done: attempt"] {
        assert!(!heard.contains(wrong), "{wrong}: {heard}");
    }
    assert!(orders.is_empty(), "{orders:?}");
}

/// What is heard after a command that changes nothing, and time that passed.
fn after(talk: &mut Talk, desk: &mut Desk, minutes: i64) -> Vec<String> {
    desk.model.shared.now += chrono::TimeDelta::minutes(minutes);
    talk.hear(&desk.model, "nonsense");
    talk.tell(&desk.model, true)
}

#[test]
fn what_people_wrote_is_heard_whatever_else_was_heard_in_such_words() {
    let mut case = whole::sealed();
    case.summary = Some("Locked out since Monday, due in 5m00s".into());
    let mut desk = keys((80, 24), &whole::ruiz(), &case, "1");
    let mut talk = Talk::default();
    assert!(talk.tell(&desk.model, true).iter().any(|l| l.contains("Locked out since Monday")));
    let mut changed = serde_json::to_value(&case).unwrap();
    let hold =
        serde_json::json!({"source": "security", "reason": "number was ported yesterday", "since": canned::now(), "contacts": [], "sessions": []});
    canned::merge(&mut changed, &serde_json::json!({"hold": hold, "summary": "Locked out since Sunday, due in 4m00s"}));
    let changed: countersign::api::case::CaseDetail = serde_json::from_value(changed).unwrap();
    desk.server = Box::new(move |ask| match ask {
        Ask::Case(_) => Some(Ok(Reply::Case(Box::new(changed.clone())))),
        other => usual(other),
    });
    desk.press("ctrl-r");
    let heard = after(&mut talk, &mut desk, 0).join("\n");
    assert!(heard.contains("Held by security since") && heard.contains("number was ported yesterday"), "{heard}");
    assert!(heard.contains("since Sunday, due in 4m00s"), "{heard}");
}

#[test]
fn what_was_heard_is_heard_again_only_as_it_becomes_late_and_not_as_its_time_runs() {
    let runs = |line: &str| ["due in", "late by", "(in ", "(late ", "ends in", "waiting since"].iter().any(|w| line.contains(w));
    let (ruiz, sealed) = (whole::ruiz(), whole::sealed());
    let mut places = vec![
        (desk((120, 40), &ruiz, &sealed), true),
        (keys((120, 40), &ruiz, &sealed, "1"), true),
        (keys((120, 40), &ruiz, &sealed, "2"), true),
        (keys((120, 40), &ruiz, &whole::held(), "1"), true),
        (keys((120, 40), &ruiz, &sealed, "g a"), true),
        (keys((120, 40), &ruiz, &sealed, "g r"), false),
    ];
    for (desk, due) in &mut places {
        let place = desk.model.place();
        let mut talk = Talk::default();
        let heard = talk.tell(&desk.model, true);
        assert!(heard.iter().any(|l| runs(l)) && !heard.iter().any(|l| l.contains('\u{e000}')), "{place:?}: {heard:#?}");
        after(&mut talk, desk, 0);
        let again = after(&mut talk, desk, 3);
        assert!(!again.iter().any(|l| runs(l)), "{place:?}: {again:#?}");
        if *due {
            let late = after(&mut talk, desk, 40);
            assert!(late.iter().any(|l| l.contains("late by 0:01")), "{place:?}: {late:#?}");
            let again = after(&mut talk, desk, 3);
            assert!(!again.iter().any(|l| l.contains("late")), "{place:?}: {again:#?}");
        }
    }
}
