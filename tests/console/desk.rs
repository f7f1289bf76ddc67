//! A console at a desk without a world: keys go in, canned answers come back, the screen is a buffer.

use std::fmt::Write as _;
use std::sync::Arc;

use countersign::api::lists::{GrantPage, QueuePage, QueueParams};
use countersign::base::ports::Ports;
use countersign::client::{ClientError, Written};
use countersign::console::effect::{Ask, Effect, Order};
use countersign::console::keymap::Key;
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Model;
use countersign::console::theme::Depth;
use countersign::console::{ConsoleConfig, update, view};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::canned;
use crate::ports::{Sevens, Still};

/// What the pretended server answers.
pub type Server = Box<dyn FnMut(&Ask) -> Option<Result<Reply, ClientError>>>;
/// What it answers to writes.
pub type Writes = Box<dyn FnMut(&Order) -> Result<Written, ClientError>>;

/// The desk.
pub struct Desk {
    pub model: Model,
    pub terminal: Terminal<TestBackend>,
    pub server: Server,
    pub writes: Writes,
    /// Effects that are not answered: timers, copies, drafts ...
    pub done: Vec<Effect>,
    /// Orders that were sent.
    pub orders: Vec<Order>,
    pub drawn: usize,
}

/// The ordinary answers.
pub fn usual(ask: &Ask) -> Option<Result<Reply, ClientError>> {
    Some(Ok(match ask {
        Ask::Me => Reply::Me(Box::new(canned::nadia())),
        Ask::Counts => Reply::Counts(canned::counts()),
        Ask::Cases(params) => Reply::Cases(page(params)),
        Ask::Grants(_) => Reply::Grants(GrantPage { rows: canned::grants(), after: None }),
        Ask::Case(_) => Reply::Case(Box::new(canned::case())),
        Ask::Drafts(_) => Reply::Drafts(std::collections::BTreeMap::default(), 0),
        _ => return None,
    }))
}

fn page(_params: &QueueParams) -> QueuePage {
    QueuePage { rows: canned::rows(), before: None, after: None }
}

/// The ports all tests run on.
pub fn ports() -> Ports {
    Ports { clock: Arc::new(Still(canned::now())), random: Arc::new(Sevens) }
}

impl Desk {
    /// A console of a size, signed in, live, with the usual answers.
    pub fn usual(columns: u16, rows: u16) -> Self {
        let mut desk = Self::new(columns, rows, |_| {}, Box::new(usual), true);
        desk.tell(Message::Live(Live::Up));
        desk
    }

    pub fn new(columns: u16, rows: u16, change: impl FnOnce(&mut ConsoleConfig), server: Server, signed_in: bool) -> Self {
        let mut config = ConsoleConfig::new("http://127.0.0.1:8443".parse().unwrap());
        config.depth = Depth::True;
        change(&mut config);
        let model = countersign::console::model(&config, &ports(), (columns, rows)).unwrap();
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let writes: Writes = Box::new(|_| Ok(Written::default()));
        let mut desk = Self { model, terminal, server, writes, done: Vec::new(), orders: Vec::new(), drawn: 0 };
        let effects = update::start(&mut desk.model, signed_in);
        desk.settle(effects);
        desk
    }

    /// Tells the console what happened and answers what it asks, until it asks no more; draws if it wants to.
    pub fn tell(&mut self, message: Message) {
        let effects = update::update(&mut self.model, message);
        self.settle(effects);
    }

    fn settle(&mut self, effects: Vec<Effect>) {
        let mut waiting = std::collections::VecDeque::from(effects);
        let mut left = 1000;
        while let Some(effect) = waiting.pop_front() {
            left -= 1;
            assert!(left > 0, "the console asks on and on");
            let answer = match effect {
                Effect::Ask { seq, to, ref ask } => (self.server)(ask).map(|reply| Message::Answer { seq, to, reply }),
                Effect::Send { seq, to, ref order } => {
                    self.orders.push(order.clone());
                    let reply = (self.writes)(order).map(|w| Reply::Written(Box::new(w)));
                    Some(Message::Answer { seq, to, reply })
                }
                _ => None,
            };
            match answer {
                Some(message) => waiting.extend(update::update(&mut self.model, message)),
                None => self.done.push(effect),
            }
        }
        if std::mem::take(&mut self.model.shared.dirty) {
            self.drawn += 1;
            self.terminal.draw(|frame| view::draw(frame, &self.model)).unwrap();
        }
    }

    /// Presses keys: `j`, `ctrl-d`, `g g`.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            let key = Key::parse(key).unwrap();
            self.tell(Message::Key(KeyEvent::new(key.code, key.with)));
        }
    }

    /// Types a text.
    pub fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.tell(Message::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..buffer.area.height).map(row).collect::<Vec<_>>().join("\n")
    }

    /// The screen as text and styles: each style has a letter, `.` is the plain one.
    pub fn picture(&self) -> String {
        let buffer: &Buffer = self.terminal.backend().buffer();
        let mut styles: Vec<ratatui::style::Style> = Vec::new();
        let mut out = self.text();
        out.push_str("\n--- styles\n");
        for y in 0..buffer.area.height {
            let mut line = String::new();
            for x in 0..buffer.area.width {
                let style = buffer[(x, y)].style();
                let plain =
                    style.fg == Some(ratatui::style::Color::Reset) && style.bg == Some(ratatui::style::Color::Reset) && style.add_modifier.is_empty();
                if plain {
                    line.push('.');
                    continue;
                }
                let at = styles.iter().position(|s| *s == style).unwrap_or_else(|| {
                    styles.push(style);
                    styles.len() - 1
                });
                line.push(char::from(b'a' + u8::try_from(at).unwrap()));
            }
            out.push_str(line.trim_end_matches('.'));
            out.push('\n');
        }
        for (i, style) in styles.iter().enumerate() {
            let letter = char::from(b'a' + u8::try_from(i).unwrap());
            let _ = writeln!(out, "{letter} {:?} on {:?} {:?}", style.fg.unwrap(), style.bg.unwrap(), style.add_modifier);
        }
        out
    }
}
