//! The loop and the performer against a canned server over the network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::base::ports::SystemRandom;
use countersign::client::ClientConfig;
use countersign::console::drive::{Input, Surface, World, drive};
use countersign::console::keep::Paths;
use countersign::console::model::Model;
use countersign::console::perform::Performer;
use countersign::console::{ConsoleConfig, message::Message, view};
use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::mpsc;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::canned;
use crate::desk::ports;
use crate::ports::Still;

/// A screen that tells each picture to whoever waits for it.
struct Shown {
    terminal: Terminal<TestBackend>,
    pictures: mpsc::UnboundedSender<String>,
    copies: Arc<Mutex<Vec<String>>>,
}

impl Surface for Shown {
    fn draw(&mut self, model: &Model) -> std::io::Result<()> {
        self.terminal.draw(|f| view::draw(f, model)).map_err(std::io::Error::other)?;
        let buffer = self.terminal.backend().buffer();
        let _ = self.pictures.send(buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect());
        Ok(())
    }
    fn copy(&mut self, text: &str) -> std::io::Result<()> {
        self.copies.lock().unwrap().push(text.to_owned());
        Ok(())
    }
    fn mouse(&mut self, _on: bool) -> std::io::Result<()> {
        Ok(())
    }
    fn edit(&mut self, _text: &str) -> Result<String, String> {
        Err("no editor here".into())
    }
}

async fn until(pictures: &mut mpsc::UnboundedReceiver<String>, text: &str) {
    let mut last = String::new();
    let wait = async {
        while let Some(picture) = pictures.recv().await {
            if picture.contains(text) {
                return true;
            }
            last = picture;
        }
        false
    };
    let seen = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert_eq!(seen, Ok(true), "\"{text}\" was never shown");
}

/// A server that knows a few cases.
pub async fn canned_server() -> MockServer {
    let server = MockServer::start().await;
    let rows = serde_json::json!({"rows": canned::rows(), "before": null, "after": null});
    let news = canned::row(4131, "m.okafor", 65, &serde_json::json!({"version": 9, "waiting_on": "approval", "approvals_missing": 3}));
    let event = format!("id: 5\ndata: {}\n\n", serde_json::json!({"kind": "case", "row": news}));
    for (at, body) in [("/v1/me", serde_json::json!(canned::nadia())), ("/v1/counts", serde_json::json!(canned::counts())), ("/v1/cases", rows)] {
        Mock::given(path(at)).respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(&server).await;
    }
    let stream = ResponseTemplate::new(200).set_body_raw(event, "text/event-stream").set_delay(Duration::from_millis(100));
    Mock::given(path("/v1/events")).respond_with(stream).mount(&server).await;
    server
}

#[tokio::test]
async fn keys_go_in_and_the_server_answers_onto_the_screen() {
    let server = canned_server().await;
    let mut config = ConsoleConfig::new(server.uri().parse().unwrap());
    config.token = Some("tok".to_owned().into());
    let folder = tempfile::tempdir().unwrap();
    config.paths = Paths { state: Some(folder.path().join("state.toml")), ..Paths::default() };
    let mut model = countersign::console::model(&config, &ports(), (100, 30)).unwrap();
    let (out, answers) = mpsc::channel::<Message>(64);
    let client = ClientConfig { server: config.server.clone(), ca_pem: None, token: config.token.clone(), timeout: Duration::from_secs(20) };
    let mut performer = Performer::new(client, Arc::new(SystemRandom), out, config.paths.clone(), None);
    let (keys, typed) = mpsc::unbounded_channel::<Event>();
    let mut typed = Some(typed);
    let mut open = move || -> Input {
        let typed = typed.take();
        Box::pin(futures_util::stream::unfold(typed, |typed| async move {
            let mut typed = typed?;
            let event = typed.recv().await?;
            Some((Ok(countersign::console::background::Seen::Event(event)), Some(typed)))
        }))
    };
    let (pictures, mut shown) = mpsc::unbounded_channel();
    let copies = Arc::new(Mutex::new(Vec::new()));
    let mut surface = Shown { terminal: Terminal::new(TestBackend::new(100, 30)).unwrap(), pictures, copies: copies.clone() };
    let clock = Still(canned::now());
    let world = World { surface: &mut surface, open_input: &mut open, performer: &mut performer, answers, clock: &clock };
    let press = |c| keys.send(Event::Key(KeyEvent::from(KeyCode::Char(c)))).unwrap();
    let story = async {
        until(&mut shown, "connecting").await;
        until(&mut shown, "3 approvals").await;
        press('j');
        press('y');
        until(&mut shown, "Copied: CS-26-004127").await;
        press('q');
    };
    let (done, ()) = tokio::join!(drive(&mut model, world, true), story);
    done.unwrap();
    assert_eq!(*copies.lock().unwrap(), ["CS-26-004127"]);
    drop(performer);
    let kept = std::fs::read_to_string(folder.path().join("state.toml")).unwrap();
    assert!(kept.contains("screen = \"queue\"") && kept.contains("CS-26-004127"), "{kept}");
}
