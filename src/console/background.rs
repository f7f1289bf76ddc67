//! Which background the terminal has, for `theme = "auto"`: asked with OSC 11 after the first frame, answered whenever the terminal likes.
//!
//! Contract: nothing waits for the answer and there is no second reader of the terminal: the answer comes in among the keys, and [`Sieve`]
//! takes it out of them, early or late, whole or in pieces, so that no letter of it is ever a key. Where no answer comes, what
//! `COLORFGBG` said or the terminal's own sixteen colours stay. Knows no screen.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::Stream;
use tokio::time::Sleep;

use super::theme::Depth;

/// The question: "which colour is your background?"
pub const QUESTION: &str = "\x1b]11;?\x1b\\";
/// How long keys that could be the beginning of an answer are kept back. A terminal writes its answer at once; nobody types as fast.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the rest of what surely is an answer is waited for (a slow line).
const REST: Duration = Duration::from_secs(1);
/// The longest answer, in letters; more is none.
const MAX_ANSWER: usize = 64;
/// What an answer begins with, after escape.
const HEAD: &str = "]11;";

/// What a background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Bright letters are read best on it.
    Dark,
    /// Dark letters are read best on it.
    Light,
}

/// What `COLORFGBG` says (`15;0`, `0;default;15`): the last number is the background among the sixteen colours.
pub fn from_variable(value: &str) -> Option<Background> {
    match value.rsplit(';').next()?.parse::<u8>().ok()? {
        0..=6 | 8 => Some(Background::Dark),
        7 | 9..=15 => Some(Background::Light),
        _ => None,
    }
}

/// Whether a terminal can be asked: not those that would print the question or that are known never to answer (GNU screen, the Linux
/// console, Emacs' own). Others that don't know it stay silent, which costs nothing.
pub fn may_ask(term: Option<&str>, inside_screen: bool) -> bool {
    let term = term.unwrap_or("");
    !(inside_screen || term.is_empty() || term == "dumb" || term == "linux" || term == "cons25" || term.starts_with("eterm"))
}

/// `theme = "auto"`: whether it is on, and what is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Auto {
    /// Whether the theme follows the background.
    pub on: bool,
    /// Whether the terminal can be asked.
    pub may_ask: bool,
    /// The background, as far as it is known.
    pub background: Option<Background>,
}

impl Auto {
    /// The theme that fits. With few colours those of the terminal itself fit every background.
    pub const fn theme(&self, depth: Depth) -> &'static str {
        match (depth, self.background) {
            (Depth::None | Depth::Sixteen, _) | (_, None) => "sixteen",
            (_, Some(Background::Dark)) => "dark",
            (_, Some(Background::Light)) => "light",
        }
    }

    /// Whether asking would change anything.
    pub const fn asks(&self, depth: Depth) -> bool {
        self.on && self.may_ask && matches!(depth, Depth::Indexed | Depth::True)
    }
}

/// Reads `rgb:1e1e/1e1e/2e2e` or `rgba:...`: one to four hexadecimal digits a part.
fn parse(answer: &str) -> Option<Background> {
    let parts = answer.strip_prefix("rgba:").or_else(|| answer.strip_prefix("rgb:"))?;
    let parts: Vec<f64> = parts
        .split('/')
        .map(|p| {
            let most = match p.len() {
                1..=4 => 16_u32.pow(u32::try_from(p.len()).ok()?) - 1,
                _ => return None,
            };
            Some(f64::from(u32::from_str_radix(p, 16).ok()?) / f64::from(most))
        })
        .collect::<Option<_>>()?;
    let [red, green, blue] = parts.get(..3)?.try_into().ok()?;
    let linear = |v: f64| if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let luminance = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    // From here on black letters have more contrast than white ones (WCAG 2.2, "contrast ratio": (L + 0.05)^2 = 1.05 * 0.05).
    Some(if luminance > 0.179 { Background::Light } else { Background::Dark })
}

/// What comes out of the sieve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Something the user did.
    Event(Event),
    /// The terminal's answer.
    Background(Background),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing of an answer is there.
    Idle,
    /// These events could be its beginning; so many letters of [`HEAD`] were met.
    Head(Vec<Event>, usize),
    /// It is one; its letters so far.
    Body(String),
    /// It is one, and an escape came that may end it.
    Ending(String),
}

/// Takes answers out of the stream of keys. Pure: events in, events and answers out.
#[derive(Debug)]
pub struct Sieve {
    stage: Stage,
    out: VecDeque<Seen>,
    /// Whether an answer may still come: only then a lone Esc is kept back for a moment.
    awaited: bool,
}

/// The letter of a key without Control, and whether Alt came with it.
fn letter(event: &Event) -> Option<(char, bool)> {
    match event {
        Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers, kind: KeyEventKind::Press, .. }) if !modifiers.contains(KeyModifiers::CONTROL) => {
            Some((*c, modifiers.contains(KeyModifiers::ALT)))
        }
        _ => None,
    }
}

fn is_escape(event: &Event) -> bool {
    matches!(event, Event::Key(KeyEvent { code: KeyCode::Esc, kind: KeyEventKind::Press, .. }))
}

fn is_bell(event: &Event) -> bool {
    matches!(event, Event::Key(KeyEvent { code: KeyCode::Char('g'), modifiers, .. }) if *modifiers == KeyModifiers::CONTROL)
}

impl Sieve {
    /// One that awaits an answer, or none.
    pub fn new(awaited: bool) -> Self {
        Self { stage: Stage::Idle, out: VecDeque::new(), awaited }
    }

    /// Whether an answer may still come.
    pub const fn awaits(&self) -> bool {
        self.awaited
    }

    /// Whether something is kept back.
    pub fn holds(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// What is ready, in order.
    pub fn ready(&mut self) -> Option<Seen> {
        self.out.pop_front()
    }

    /// Takes an event.
    pub fn take(&mut self, event: Event) {
        // What comes by another way than keys do belongs between two of them, not into an answer.
        if matches!(event, Event::Resize(..) | Event::FocusGained | Event::FocusLost) {
            return self.out.push_back(Seen::Event(event));
        }
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => self.idle(event),
            Stage::Head(held, met) => self.head(held, met, event),
            Stage::Body(text) => self.body(text, event),
            Stage::Ending(text) => {
                if letter(&event).is_some_and(|(c, _)| c == '\\') {
                    self.answer(&text);
                } else {
                    // Cut off: what there was of it is gone, what comes now is the user's.
                    self.answer(&text);
                    self.idle(event);
                }
            }
        }
    }

    /// Nothing more came for a while: what is kept back is what it is.
    pub fn give_up(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => {}
            Stage::Head(held, _) => self.release(held),
            Stage::Body(text) | Stage::Ending(text) => self.answer(&text),
        }
    }

    /// How long to wait for more before giving up.
    const fn patience(&self) -> Duration {
        if matches!(self.stage, Stage::Body(_)) { REST } else { PATIENCE }
    }

    fn idle(&mut self, event: Event) {
        if letter(&event) == Some((']', true)) {
            self.stage = Stage::Head(vec![event], 1);
        } else if self.awaited && is_escape(&event) {
            self.stage = Stage::Head(vec![event], 0);
        } else {
            self.out.push_back(Seen::Event(event));
        }
    }

    fn head(&mut self, mut held: Vec<Event>, met: usize, event: Event) {
        let fits = letter(&event).is_some_and(|(c, alt)| !alt && HEAD.as_bytes().get(met) == u8::try_from(c).ok().as_ref());
        if !fits {
            self.release(held);
            return self.idle(event);
        }
        held.push(event);
        self.stage = if met + 1 == HEAD.len() { Stage::Body(String::new()) } else { Stage::Head(held, met + 1) };
    }

    fn body(&mut self, mut text: String, event: Event) {
        match letter(&event) {
            _ if is_bell(&event) => self.answer(&text),
            Some(('\\', true)) => self.answer(&text),
            _ if is_escape(&event) => self.stage = Stage::Ending(text),
            Some((c, false)) if text.len() < MAX_ANSWER && (c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | ';' | '?' | '#')) => {
                text.push(c);
                self.stage = Stage::Body(text);
            }
            _ => self.idle(event),
        }
    }

    fn answer(&mut self, text: &str) {
        self.awaited = false;
        self.out.extend(parse(text).map(Seen::Background));
    }

    fn release(&mut self, held: Vec<Event>) {
        self.out.extend(held.into_iter().map(Seen::Event));
    }
}

/// Events of a terminal, with answers taken out of them.
pub struct Sieved<S> {
    events: S,
    sieve: Sieve,
    patience: Option<Pin<Box<Sleep>>>,
    awaited: Arc<AtomicBool>,
}

impl<S> Sieved<S> {
    /// Over a stream of events. `awaited` says whether an answer is on its way, and is told when it came.
    pub fn new(events: S, awaited: Arc<AtomicBool>) -> Self {
        Self { events, sieve: Sieve::new(false), patience: None, awaited }
    }
}

impl<S: Stream<Item = io::Result<Event>> + Unpin> Stream for Sieved<S> {
    type Item = io::Result<Seen>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(seen) = this.sieve.ready() {
                return Poll::Ready(Some(Ok(seen)));
            }
            this.sieve.awaited = this.awaited.load(Ordering::Relaxed);
            match Pin::new(&mut this.events).poll_next(cx) {
                Poll::Ready(Some(Ok(event))) => {
                    this.sieve.take(event);
                    this.awaited.store(this.sieve.awaits(), Ordering::Relaxed);
                    this.patience = this.sieve.holds().then(|| Box::pin(tokio::time::sleep(this.sieve.patience())));
                }
                Poll::Ready(Some(Err(why))) => return Poll::Ready(Some(Err(why))),
                Poll::Ready(None) => {
                    this.sieve.give_up();
                    return Poll::Ready(this.sieve.ready().map(Ok));
                }
                Poll::Pending => {
                    let Some(patience) = &mut this.patience else { return Poll::Pending };
                    if patience.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.patience = None;
                    this.sieve.give_up();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, with: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, with))
    }

    /// Bytes as crossterm makes events of them; `|` is where one reading ends and the next begins.
    fn events(bytes: &str) -> Vec<Event> {
        let mut out = Vec::new();
        let mut bytes = bytes.chars().peekable();
        while let Some(c) = bytes.next() {
            match c {
                '|' => {}
                '\x1b' if matches!(bytes.peek(), None | Some('|')) => out.push(key(KeyCode::Esc, KeyModifiers::NONE)),
                '\x1b' => out.extend(bytes.next().map(|c| key(KeyCode::Char(c), KeyModifiers::ALT))),
                '\x07' => out.push(key(KeyCode::Char('g'), KeyModifiers::CONTROL)),
                c => out.push(key(KeyCode::Char(c), KeyModifiers::NONE)),
            }
        }
        out
    }

    /// What comes out, as letters; answers as `<Dark>`.
    fn through(bytes: &str, awaited: bool) -> String {
        let mut sieve = Sieve::new(awaited);
        for event in events(bytes) {
            sieve.take(event);
        }
        sieve.give_up();
        std::iter::from_fn(|| sieve.ready())
            .map(|seen| match seen {
                Seen::Background(b) => format!("<{b:?}>"),
                Seen::Event(e) if is_escape(&e) => "E".to_owned(),
                Seen::Event(e) => letter(&e).map_or_else(|| "?".into(), |(c, alt)| if alt { format!("A{c}") } else { c.to_string() }),
            })
            .collect()
    }

    #[test]
    fn an_answer_is_never_a_key_early_or_late_or_in_pieces() {
        let dark = "\x1b]11;rgb:1e1e/1e1e/2e2e";
        for end in ["\x1b\\", "\x07", "\x1b|\\"] {
            assert_eq!(through(&format!("j{dark}{end}k"), true), "j<Dark>k");
            assert_eq!(through(&format!("j{dark}{end}k"), false), "j<Dark>k", "not awaited any more");
        }
        let whole = format!("{dark}\x1b\\");
        for at in 1..whole.len() {
            let pieces = format!("j{}|{}k", &whole[..at], &whole[at..]);
            assert_eq!(through(&pieces, true), "j<Dark>k", "cut at {at}");
        }
    }

    #[test]
    fn keys_stay_keys() {
        assert_eq!(through("\x1b|j\x1b]x\x1b]1|1j", true), "EjA]xA]11j");
        assert_eq!(through("\x1b|", true), "E");
        assert_eq!(through("\x1b]|q", true), "A]q");
        let mut sieve = Sieve::new(false);
        sieve.take(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(sieve.ready().is_some(), "without an answer to come, Esc is not kept back");
        sieve.take(Event::Resize(3, 4));
        assert_eq!(sieve.ready(), Some(Seen::Event(Event::Resize(3, 4))));
    }

    #[test]
    fn a_resize_in_the_middle_of_an_answer_cuts_it_not_short() {
        let answer = events("\x1b]11;rgb:1e1e/1e1e/2e2e\x07");
        for at in 1..answer.len() {
            let mut sieve = Sieve::new(true);
            let (head, tail) = answer.split_at(at);
            head.iter().chain([&Event::Resize(3, 4)]).chain(tail).for_each(|e| sieve.take(e.clone()));
            let out: Vec<Seen> = std::iter::from_fn(|| sieve.ready()).collect();
            assert_eq!(out, [Seen::Event(Event::Resize(3, 4)), Seen::Background(Background::Dark)], "{at}");
        }
    }

    #[test]
    fn answers_are_read_and_nonsense_is_none() {
        let all = [
            ("rgb:ffff/ffff/ffff", Some(Background::Light)),
            ("rgb:ff/f/eee", Some(Background::Light)),
            ("rgba:0000/0000/0000/ffff", Some(Background::Dark)),
        ];
        for (answer, background) in
            all.into_iter().chain([("rgb:12345/0/0", None), ("rgb:/0/0", None), ("rgb:1/2", None), ("", None), ("rgb:gg/00/00", None)])
        {
            assert_eq!(parse(answer), background, "{answer}");
        }
        assert_eq!(through("\x1b]11;nonsense\x07q", true), "q");
    }

    #[test]
    fn the_environment_is_a_second_source() {
        assert_eq!(
            ["15;0", "0;15", "0;default;15", "12;8", "x", "", "1;77"].map(from_variable),
            [Some(Background::Dark), Some(Background::Light), Some(Background::Light), Some(Background::Dark), None, None, None]
        );
        assert!(may_ask(Some("xterm-256color"), false) && !may_ask(Some("xterm-256color"), true));
        assert!(["dumb", "linux", "", "eterm-color"].iter().all(|t| !may_ask(Some(t), false)) && !may_ask(None, false));
    }

    proptest::proptest! {
        #[test]
        fn nothing_typed_is_lost_or_reordered(text in "[a-z0-9;:/\\]]{0,40}") {
            proptest::prop_assert_eq!(through(&text, true), text);
        }
    }
}
