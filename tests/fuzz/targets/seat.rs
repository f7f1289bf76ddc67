//! A console without a world, for targets: messages go in, pretended answers come back, and whatever is shown or said is looked at.
//!
//! Contract: [`Seat::look`] asserts that nothing which reaches a reader can steer their terminal, whoever it came from. Knows no target.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign::base::ports::Ports;
use countersign::base::text::sanitise;
use countersign::client::ClientError;
use countersign::console::attention::{How, Wanted};
use countersign::console::effect::{Ask, Effect, Order, Timer};
use countersign::console::keymap::Key;
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Model;
use countersign::console::plain::talk::Talk;
use countersign::console::{ConsoleConfig, update, view};
use crossterm::event::KeyEvent;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{harmless, plain};
use crate::canned;
use crate::ports::{Sevens, Still};

/// What the pretended server answers.
pub type Server = Box<dyn FnMut(&Ask) -> Option<Result<Reply, ClientError>>>;

/// The most questions that may follow from one message: more is a console that never comes to rest.
const MOST: usize = 1_000;

/// The seat.
pub struct Seat {
    /// What the console knows.
    pub model: Model,
    /// Everything that was sent.
    pub orders: Vec<Order>,
    terminal: Terminal<TestBackend>,
    talk: Talk,
    server: Server,
}

impl Seat {
    /// A console of that size, signed in and live, which calls for attention. `begin` changes what it begins with.
    pub fn new((columns, rows): (u16, u16), begin: impl FnOnce(&mut Model), server: Server) -> Self {
        let mut config = ConsoleConfig::new("http://127.0.0.1:8443".parse().expect("an address"));
        config.attention = Wanted { how: How::Notify, ..Wanted::default() };
        let ports = Ports { clock: Arc::new(Still(canned::now())), random: Arc::new(Sevens) };
        let mut model = countersign::console::model(&config, &ports, (columns, rows)).expect("a console");
        begin(&mut model);
        let terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
        let mut seat = Self { model, orders: Vec::new(), terminal, talk: Talk::default(), server };
        let effects = update::start(&mut seat.model, true);
        seat.settle(effects);
        seat.tell(Message::Live(Live::Up));
        seat
    }

    /// Tells the console what happened, and answers what it asks until it asks no more.
    pub fn tell(&mut self, message: Message) {
        if let Message::Resize(columns, rows) = message {
            self.terminal.backend_mut().resize(columns, rows);
        }
        let effects = update::update(&mut self.model, message);
        self.settle(effects);
    }

    /// Presses keys: `j`, `ctrl-d`.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace().filter_map(Key::parse) {
            self.tell(Message::Key(KeyEvent::new(key.code, key.with)));
        }
    }

    /// A typed line, as the linear mode takes it in.
    pub fn hear(&mut self, line: &str) {
        let (messages, sentences) = self.talk.hear(&self.model, line);
        for sentence in &sentences {
            harmless(sentence);
        }
        for message in messages {
            self.tell(message);
        }
    }

    /// Looks at the screen, at the messages, and hears the linear mode out.
    pub fn look(&mut self) {
        self.terminal.draw(|frame| view::draw(frame, &self.model)).expect("a buffer takes everything");
        for cell in &self.terminal.backend().buffer().content {
            let symbol = cell.symbol();
            assert!(plain(symbol) || sanitise(symbol, false) == symbol, "a cell steers: {symbol:?}");
        }
        for note in &self.model.shared.notes {
            harmless(&note.text);
        }
        self.listen();
    }

    /// Hears the linear mode out.
    pub fn listen(&mut self) {
        for line in self.talk.tell(&self.model, true) {
            harmless(&line);
        }
    }

    fn settle(&mut self, effects: Vec<Effect>) {
        let mut waiting = VecDeque::from(effects);
        let mut left = MOST;
        while let Some(effect) = waiting.pop_front() {
            left -= 1;
            assert!(left > 0, "the console asks on and on");
            let message = match effect {
                Effect::Ask { seq, to, ask } => (self.server)(&ask).map(|reply| Message::Answer { seq, to, reply }),
                Effect::Send { seq, to, order } => {
                    self.orders.push(order);
                    Some(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) })
                }
                Effect::Timer(timer @ (Timer::Form | Timer::Preview), _) => Some(Message::Timer(timer)),
                _ => None,
            };
            waiting.extend(message.map(|m| update::update(&mut self.model, m)).unwrap_or_default());
        }
    }
}
