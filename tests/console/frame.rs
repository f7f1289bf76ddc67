//! What all screens share: signing in, lost connections, hostile texts, bytes on the wire to the terminal.

use std::io::Write;
use std::sync::{Arc, Mutex};

use countersign::api::problem::Problem;
use countersign::client::ClientError;
use countersign::console::effect::{Ask, Effect, Timer};
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::{theme::Depth, update, view};
use insta::assert_snapshot;
use ratatui::backend::CrosstermBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::canned;
use crate::cases::SIZES;
use crate::desk::{Desk, usual};

fn expired() -> ClientError {
    let problem: Problem = serde_json::from_value(serde_json::json!({
        "type": "urn:countersign:problem:sign-in", "title": "Sign in", "status": 401, "detail": "The token has expired.", "request_id": "req-9"
    }))
    .unwrap();
    ClientError::Problem(Box::new(problem))
}

#[test]
fn signing_in_hides_the_token_and_goes_on() {
    for (columns, rows) in SIZES {
        let mut desk = Desk::new(columns, rows, |_| {}, Box::new(usual), false);
        desk.write("tok-123");
        assert!(!desk.text().contains("tok-123"));
        assert_snapshot!(format!("sign_in_{columns}x{rows}"), desk.picture());
        desk.press("enter");
        assert_eq!(desk.model.place(), Place::Queue);
        assert!(desk.done.iter().any(|e| matches!(e, Effect::KeepSession)) && desk.text().contains("payments-batch"), "{}", desk.text());
    }
}

#[test]
fn an_expired_sign_in_recovers_in_place() {
    let mut desk = Desk::usual(80, 24);
    desk.press("j");
    desk.server = Box::new(|_| Some(Err(expired())));
    desk.press("ctrl-r");
    assert_eq!(desk.model.place(), Place::SignIn);
    desk.write("wrong");
    desk.press("enter");
    assert!(desk.text().contains("The token has expired."), "{}", desk.text());
    desk.server = Box::new(usual);
    desk.press("enter");
    assert_eq!(desk.model.place(), Place::Queue);
    assert!(desk.text().contains("▌CS-26-004127"), "{}", desk.text());
}

#[test]
fn a_lost_connection_shows_at_once_and_comes_back() {
    for (columns, rows) in SIZES {
        let mut desk = Desk::usual(columns, rows);
        let why = ClientError::Unreachable { server: "http://127.0.0.1:8443".into(), why: "the live stream ended".into() };
        desk.tell(Message::Live(Live::Down { why, again_in: 4 }));
        assert_snapshot!(format!("offline_{columns}x{rows}"), desk.picture());
        desk.model.shared.now += chrono::TimeDelta::milliseconds(1500);
        desk.tell(Message::Timer(Timer::Clock));
        assert!(desk.text().contains("again in 3s"), "{}", desk.text());
        desk.model.shared.now = canned::now();
        desk.tell(Message::Live(Live::Up));
        assert!(desk.text().contains("live ●") && desk.text().contains("The connection is back."), "{}", desk.text());
        desk.press("!");
        assert!(desk.text().contains("can't be reached"), "{}", desk.text());
        assert_snapshot!(format!("messages_{columns}x{rows}"), desk.picture());
    }
}

#[test]
fn late_answers_are_dropped() {
    let mut desk = Desk::new(80, 24, |_| {}, Box::new(|_| None), true);
    let asked = |desk: &Desk| {
        let seqs = desk.done.iter().filter_map(|e| if let Effect::Ask { seq, ask: Ask::Cases(_), .. } = e { Some(*seq) } else { None });
        seqs.collect::<Vec<u64>>()
    };
    desk.press("s r");
    let seqs = asked(&desk);
    assert_eq!(seqs.len(), 2);
    let page = Reply::Cases(countersign::api::lists::QueuePage { rows: canned::rows(), before: None, after: None });
    desk.tell(Message::Answer { seq: seqs[0], to: Place::Queue, reply: Ok(page.clone()) });
    assert!(!desk.text().contains("payments-batch"));
    desk.tell(Message::Answer { seq: seqs[1], to: Place::Queue, reply: Ok(page) });
    assert!(desk.text().contains("payments-batch"));
}

#[test]
fn chords_show_while_pending_and_without_colour_the_selection_shows() {
    let mut desk = Desk::new(80, 24, |c| c.depth = Depth::None, Box::new(usual), true);
    desk.press("s");
    assert!(desk.text().contains("s …  d sort-due"), "{}", desk.text());
    desk.press("esc");
    assert_snapshot!("no_color_80x24", desk.picture());
}

#[test]
fn nothing_that_steers_reaches_any_cell() {
    let mut desk = Desk::usual(160, 40);
    for keys in ["j", "G", "?", "esc", "!", "esc", ":", "esc", "/", "esc"] {
        desk.press(keys);
        let text = desk.text().replace('\n', "");
        assert_eq!(countersign::base::text::sanitise(&text, false), text);
    }
    assert!(desk.text().contains("svc-‹U+202E"), "{}", desk.text());
}

/// A terminal's other end, which counts.
#[derive(Clone, Default)]
struct Counted(Arc<Mutex<Vec<u8>>>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn moving_the_cursor_sends_few_bytes() {
    let mut desk = Desk::usual(120, 40);
    let wire = Counted::default();
    let area = ratatui::layout::Rect::new(0, 0, 120, 40);
    let mut terminal = Terminal::with_options(CrosstermBackend::new(wire.clone()), TerminalOptions { viewport: Viewport::Fixed(area) }).unwrap();
    terminal.draw(|f| view::draw(f, &desk.model)).unwrap();
    for _ in 0..4 {
        wire.0.lock().unwrap().clear();
        desk.press("j");
        terminal.draw(|f| view::draw(f, &desk.model)).unwrap();
        let bytes = wire.0.lock().unwrap().len();
        assert!(bytes <= 300, "{bytes} bytes");
    }
    let quiet = update::update(&mut desk.model, Message::Timer(countersign::console::effect::Timer::Draft));
    assert!(quiet.is_empty() && !desk.model.shared.dirty, "nothing happened, nothing is drawn");
}
