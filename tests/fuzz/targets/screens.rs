//! The console against a server that may be anyone's, and against whatever a terminal or a line of typing sends.
//!
//! Contract: whatever a server answers, no screen panics, nothing shown or said steers a terminal, and no decision is sent on a statement
//! that is not about what is shown (T10). Whatever is typed, the console stays within its bounds.

use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use countersign::api::case::{CaseDetail, RoutePreview, Statement};
use countersign::api::lists::{Announcement, Counts, GrantPage, LogPage, Me, QueuePage, SubjectPage, SubjectRow};
use countersign::api::problem::Problem;
use countersign::api::recompute;
use countersign::api::words::Decision;
use countersign::client::{ClientError, Write};
use countersign::console::action::Action;
use countersign::console::effect::{Ask, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::{Model, Place};
use countersign::console::overlay::Overlay;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use serde_json::{Value, json};

use super::seat::{Seat, Server};
use super::{harmless, text};
use crate::{canned, whole};

/// The sizes that are looked at.
const SIZES: [(u16, u16); 5] = [(80, 24), (120, 40), (60, 12), (200, 60), (59, 11)];

/// What an honest server answers. Made once, since most of an input's time went into reading it from JSON again.
static HONEST: LazyLock<Answers> = LazyLock::new(Answers::honest);

/// Everything a server answers.
#[derive(Clone)]
struct Answers {
    me: Me,
    case: CaseDetail,
    page: QueuePage,
    log: LogPage,
    statement: Statement,
    subjects: SubjectPage,
    subject: SubjectRow,
    preview: RoutePreview,
    policy: Value,
    counts: Counts,
    grants: GrantPage,
    refused: Option<Box<Problem>>,
    news: Option<Announcement>,
}

impl Answers {
    fn honest() -> Self {
        Self {
            me: whole::ruiz(),
            case: whole::sealed(),
            page: QueuePage { rows: canned::rows(), before: None, after: None },
            log: whole::log(),
            statement: whole::statement("approve"),
            subjects: whole::subjects(),
            subject: whole::subject(),
            preview: whole::preview(),
            policy: whole::explained(),
            counts: canned::counts(),
            grants: GrantPage { rows: canned::grants(), after: None },
            refused: None,
            news: None,
        }
    }

    /// Replaces one of the answers by what was twisted, if that is still one.
    fn twisted(kind: u8, lines: &[&[u8]]) -> Option<Self> {
        let mut all = HONEST.clone();
        match kind % 15 {
            0 if kind >= 120 => all.case = twist(&whole::held(), lines)?,
            0 => all.case = twist(&all.case, lines)?,
            1 => all.case = twist(&whole::routed_by_me(), lines)?,
            2 => all.case = twist(&whole::proofing(), lines)?,
            3 => all.me = twist(&all.me, lines)?,
            4 => all.page = twist(&all.page, lines)?,
            5 => all.log = twist(&all.log, lines)?,
            6 => all.statement = twist(&all.statement, lines)?,
            7 => all.subjects = twist(&all.subjects, lines)?,
            8 => all.preview = twist(&all.preview, lines)?,
            9 => all.policy = twist(&all.policy, lines)?,
            10 => all.counts = twist(&all.counts, lines)?,
            11 => all.refused = Some(Box::new(twist(&refusal(), lines)?)),
            12 => all.grants = twist(&all.grants, lines)?,
            14 => all.subject = twist(&all.subject, lines)?,
            _ => all.news = Some(twist(&Announcement::Case { row: Box::new(all.page.rows[0].clone()) }, lines)?),
        }
        Some(all)
    }

    fn answer(&self, ask: &Ask) -> Option<Result<Reply, ClientError>> {
        if let (Some(problem), Ask::Statement(..) | Ask::Log(..) | Ask::Subjects(_)) = (&self.refused, ask) {
            return Some(Err(ClientError::Problem(problem.clone())));
        }
        Some(Ok(match ask {
            Ask::Me => Reply::Me(Box::new(self.me.clone())),
            Ask::Counts => Reply::Counts(self.counts),
            Ask::Grants(_) => Reply::Grants(self.grants.clone()),
            Ask::Cases(_) => Reply::Cases(self.page.clone()),
            Ask::Case(_) => Reply::Case(Box::new(self.case.clone())),
            Ask::Timeline(..) | Ask::Log(..) => Reply::Log(self.log.clone()),
            Ask::Statement(..) => Reply::Statement(Box::new(self.statement.clone())),
            Ask::Subjects(_) => Reply::Subjects(self.subjects.clone()),
            Ask::Subject(_) => Reply::Subject(Box::new(self.subject.clone())),
            Ask::Policy | Ask::CasePolicy(_) => Reply::Value(Box::new(self.policy.clone())),
            Ask::RoutePreview(_) => Reply::Preview(Box::new(self.preview.clone())),
            Ask::Drafts(_) => Reply::Drafts(std::collections::BTreeMap::new(), 0),
            Ask::Mail(..) => Reply::Mail(None),
            Ask::Proposal(_) | Ask::Proposals | Ask::Assignable(_) | Ask::TypeCode(..) | Ask::Attest(..) => return None,
        }))
    }
}

fn refusal() -> Problem {
    let value = json!({
        "type": "urn:countersign:problem:separation-of-duties", "title": "Refused", "status": 403, "detail": "You routed it.",
        "request_id": "req-9", "field": "reason", "mistakes": ["one"], "duties": whole::routed_by_me().you_cannot_decide,
        "could_decide": whole::sealed().could_decide
    });
    serde_json::from_value(value).expect("a problem")
}

/// The places of all values within a value, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                places(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(i, inner)| places(inner, &format!("{at}/{i}"), out)),
        _ => {}
    }
}

/// Where a line of replacements points, and what comes there: `/row/due "2026..."`, or two bytes that stand for any place.
fn replacement<'l>(value: &Value, line: &'l [u8]) -> Option<(String, &'l [u8])> {
    if line.first() == Some(&b'/') {
        let blank = line.iter().position(|b| *b == b' ')?;
        return Some((text(&line[..blank]), &line[blank + 1..]));
    }
    let ([high, low], new) = line.split_first_chunk::<2>()?;
    let mut all = Vec::new();
    places(value, "", &mut all);
    Some((all.swap_remove((usize::from(*high) * 97 + usize::from(*low)) % all.len()), new))
}

/// An answer with values in it replaced, line by line, each by JSON or else by a text. Nothing if it is no such answer any more. Whatever is
/// one says the same after being written and read again.
fn twist<T>(honest: &T, lines: &[&[u8]]) -> Option<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let mut value = serde_json::to_value(honest).expect("written");
    for line in lines.iter().take(8) {
        let Some((at, new)) = replacement(&value, line) else { continue };
        let new = serde_json::from_slice(new).unwrap_or_else(|_| Value::String(text(new)));
        if let Some(old) = value.pointer_mut(&at) {
            *old = new;
        }
    }
    let read: T = serde_json::from_value(value).ok()?;
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<T>(&written).expect("what was written can be read"), read);
    Some(read)
}

/// What is worked out anew of a case: a seal made of what is shown differs in nothing that follows from what is shown.
fn recomputed(all: &Answers) {
    let case = &all.case;
    let Some(own) = recompute::seal(case) else {
        assert!(!recompute::differences(case).is_empty(), "no seal follows, so what is said to be one differs");
        return;
    };
    let sealed = CaseDetail { seal: Some(own), ..case.clone() };
    assert!(recompute::differences(&sealed).iter().all(|d| *d == "text of evidence"));
    let (Some(account), Some(person)) = (&all.me.operator, &all.me.person) else { return };
    if let Some(line) = recompute::statement(&sealed, Decision::Approve, (account, person), &all.statement) {
        let said: Value = serde_json::from_str(&line).expect("a statement is JSON");
        assert_eq!(said["seal_sha256"], json!(sealed.seal.as_ref().map(|s| s.sha256)));
        // Canonical JSON leaves a delete as it is (RFC 8785): it ends no line, and whoever is shown it sees it made harmless.
        assert!(!line.contains(|c: char| c < ' '), "one line");
    }
}

/// A decision that was sent on its statement is about exactly what was shown.
fn decided_on_what_was_shown(seat: &Seat, all: &Answers) {
    for order in &seat.orders {
        let Write::Decide(decision) = &order.write else { continue };
        if decision.nonce != all.statement.nonce || !all.case.you_cannot_decide.is_empty() {
            continue;
        }
        assert_eq!(recompute::differences(&all.case), [""; 0], "sent, though the seal is not of what is shown");
        assert_eq!(Some(decision.seal_sha256), all.case.seal.as_ref().map(|s| s.sha256));
        let (Some(account), Some(person)) = (&all.me.operator, &all.me.person) else { panic!("nobody decided") };
        let own = recompute::statement(&all.case, decision.decision, (account, person), &all.statement);
        assert_eq!(own.as_ref(), Some(&all.statement.statement), "sent, though the statement is another");
    }
}

/// First line: which answer, which size, and what is tried; further lines: what is replaced in it.
pub fn answers(bytes: &[u8]) {
    let mut lines = bytes.split(|b| *b == b'\n');
    let head = lines.next().unwrap_or_default();
    let [kind, size, tried @ ..] = head else { return };
    let lines: Vec<&[u8]> = lines.collect();
    let Some(all) = Answers::twisted(*kind, &lines) else { return };
    let all = Arc::new(all);
    recomputed(&all);
    let server: Server = Box::new({
        let all = Arc::clone(&all);
        move |ask| all.answer(ask)
    });
    let mut seat = Seat::new(SIZES[usize::from(*size) % SIZES.len()], |_| {}, server);
    seat.look();
    if let Some(news) = &all.news {
        seat.tell(Message::Live(Live::News(news.clone())));
    }
    let id = HONEST.case.row.id;
    seat.tell(Message::Open(id));
    for keys in ["1", "2", "3", "4", "5", "G"] {
        seat.press(keys);
        seat.look();
    }
    seat.press("d a e");
    if seat.model.place() == Place::Approve(id, Decision::Approve) {
        seat.tell(Message::Paste("seen".into()));
        seat.look();
        seat.press("ctrl-s");
        confirm(&mut seat);
        seat.look();
    }
    for act in tried.iter().take(6) {
        seat.tell(Message::Act(Action::ALL[usize::from(*act) % Action::ALL.len()]));
        seat.look();
    }
    for act in [Action::GoGrants, Action::GoLog] {
        seat.tell(Message::Act(act));
        seat.look();
    }
    // An hour later: what counts down has come to its end.
    seat.model.shared.now += TimeDelta::hours(1);
    seat.tell(Message::Timer(Timer::Clock));
    seat.look();
    decided_on_what_was_shown(&seat, &all);
}

fn confirm(seat: &mut Seat) {
    if let Some(Overlay::Confirm(confirmation)) = &seat.model.overlay {
        let key = KeyCode::Char(confirmation.key);
        seat.look();
        seat.tell(Message::Key(KeyEvent::from(key)));
    }
}

fn honest() -> Server {
    Box::new(|ask| HONEST.answer(ask))
}

/// What a byte of a terminal's input stands for; some take the bytes after them along.
fn event(byte: u8, rest: &mut impl Iterator<Item = u8>) -> Message {
    let key = |code| Message::Key(KeyEvent::from(code));
    let specials = [
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Delete,
        KeyCode::BackTab,
    ];
    match byte {
        b'\r' | b'\n' => key(KeyCode::Enter),
        b'\t' => key(KeyCode::Tab),
        0x1b => key(KeyCode::Esc),
        0x7f => key(KeyCode::Backspace),
        0 => Message::Timer([Timer::Clock, Timer::Refresh, Timer::Counts, Timer::Case, Timer::Draft][usize::from(rest.next().unwrap_or(0)) % 5]),
        // Ctrl-c would end it all.
        1..=26 if byte != 3 => Message::Key(KeyEvent::new(KeyCode::Char(char::from(byte + b'a' - 1)), KeyModifiers::CONTROL)),
        0x80..=0x8f => key(specials[usize::from(byte) % specials.len()]),
        0x90..=0x97 => {
            let (column, row) = (u16::from(rest.next().unwrap_or(0)), u16::from(rest.next().unwrap_or(0)));
            let kinds = [MouseEventKind::Down(MouseButton::Left), MouseEventKind::ScrollUp, MouseEventKind::ScrollDown];
            Message::Mouse(MouseEvent { kind: kinds[usize::from(byte) % 3], column, row, modifiers: KeyModifiers::NONE })
        }
        0x98..=0x9b => Message::Resize(u16::from(rest.next().unwrap_or(80)), u16::from(rest.next().unwrap_or(24))),
        0x9c => Message::Paste(text(&rest.take_while(|b| *b != 0).collect::<Vec<_>>())),
        0x9d => Message::Edited(Ok(text(&rest.take_while(|b| *b != 0).collect::<Vec<_>>()))),
        0x9e => Message::Live(
            [Live::News(Announcement::Register), Live::News(Announcement::Lagged), Live::Up][usize::from(rest.next().unwrap_or(0)) % 3].clone(),
        ),
        _ => key(KeyCode::Char(char::from(byte))),
    }
}

/// Keys, clicks, pastes and sizes, in any order.
pub fn keys(bytes: &[u8]) {
    let mut seat = Seat::new((80, 24), |_| {}, honest());
    let mut rest = bytes.iter().copied();
    for turn in 1..=160 {
        let Some(byte) = rest.next() else { break };
        seat.tell(event(byte, &mut rest));
        if turn % 16 == 0 {
            seat.look();
        }
        if seat.model.ended {
            break;
        }
    }
    seat.look();
    assert!((1..=40).contains(&seat.model.stack.len()), "the way back is bounded and never empty");
    assert!(seat.model.shared.drafts.len() <= countersign::console::keep::MAX_DRAFTS);
    for order in &seat.orders {
        assert!((1..=128).contains(&order.key.len()), "a write has its key");
    }
}

/// Lines typed in the linear mode.
pub fn lines(bytes: &[u8]) {
    let mut seat = Seat::new((80, 24), |_| {}, honest());
    seat.look();
    for line in text(bytes).lines().take(20) {
        seat.hear(line);
        seat.listen();
    }
    seat.look();
}

/// What the console kept, as it might be found on the next start; and mails in the demo's folder as they are shown.
pub fn kept(bytes: &[u8]) {
    use countersign::client::session;
    use countersign::console::keep;
    use countersign::console::mail::{self, Mails};
    use secrecy::ExposeSecret as _;
    let words = text(bytes);
    if let Some(session) = session::parse(words.as_bytes()) {
        assert!(session.server.len() + session.token.expose_secret().len() <= words.len() * 3);
        assert!(
            !format!("{session:?}").contains(session.token.expose_secret()) || session.token.expose_secret().len() < 12,
            "a token is never printed"
        );
    }
    let views = match keep::parse_views(words.as_bytes()) {
        Ok(views) => {
            assert!(views.len() <= keep::MAX_VIEWS);
            views
        }
        Err((line, why)) => {
            harmless(&why);
            assert!((1..=words.matches('\n').count() + 1).contains(&line), "the line is one of the file");
            Vec::new()
        }
    };
    let state = keep::parse_state(words.as_bytes());
    let written = toml::to_string(&state).expect("written");
    assert_eq!(keep::parse_state(written.as_bytes()), state, "where one was is kept as it was");
    let draft = words.clone();
    let mail = std::sync::Arc::new(mail::parse(&words));
    let server: Server = Box::new(move |ask| match ask {
        Ask::Drafts(_) => Some(Ok(Reply::Drafts([("case-CS-26-004127-approve".to_owned(), draft.clone())].into(), 0))),
        Ask::Mail(..) => Some(Ok(Reply::Mail(Some(Mails { stamp: 1, mails: vec![mail.clone()] })))),
        ask => HONEST.answer(ask),
    });
    let begin = |model: &mut Model| {
        (model.shared.views, model.shared.state, model.shared.mailbox) = (views, state, true);
    };
    let mut seat = Seat::new((80, 24), begin, server);
    seat.look();
    for act in [Action::Views, Action::GoMailbox] {
        seat.tell(Message::Act(act));
        seat.look();
        seat.press("esc");
    }
    seat.tell(Message::Open(HONEST.case.row.id));
    seat.press("d a e");
    seat.look();
}
