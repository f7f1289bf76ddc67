//! All that the console knows: what every screen shares, one state a screen, where one is, what lies over it.
//!
//! Contract: changed only by `update`; plain data. Screens reach the world by pushing [`Effect`]s and go elsewhere by [`Shared::go`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::action::{Action, Scope};
use super::effect::{Ask, Effect, Order, Timer};
use super::keep::{State, View};
use super::keymap::{Key, Keymap};
pub use super::latest::Latest;
use super::overlay::{Choice, Confirmation, Overlay, Picker};
pub use super::place::Place;
use super::screen::{self, Screen};
use super::theme::{Depth, Theme};
use super::widget::fit;
use crate::api::lists::{Counts, Me};
use crate::api::words::Role;
use crate::base::Time;
use crate::base::ids::CaseId;
use crate::client::Write;

/// The most notes the message log holds.
pub const MAX_NOTES: usize = 500;

/// How a note is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Done.
    Good,
    /// Worth knowing.
    Info,
    /// Refused or failed.
    Bad,
}

/// A line of the message log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When, by this machine's clock.
    pub at: Time,
    /// How it is meant.
    pub tone: Tone,
    /// The sentence, already sanitised.
    pub text: String,
    /// The request, for support.
    pub request_id: Option<String>,
    /// The stable code.
    pub code: Option<String>,
    /// How often it was said in a row.
    pub times: u32,
    /// The number of the last saying, so that whoever told some knows which are new.
    pub number: u64,
    /// Whether it stays in sight until somebody has read it: nothing lesser takes its place.
    pub weighty: bool,
}

/// How long something of weight stands before a key dismisses it.
const READ: chrono::TimeDelta = chrono::TimeDelta::seconds(3);

impl Note {
    /// A sentence without a request.
    pub fn new(at: Time, tone: Tone, text: String) -> Self {
        Self { at, tone, text, request_id: None, code: None, times: 1, number: 0, weighty: false }
    }

    /// Whether no key takes it away yet: one that was pressed before anybody could read it, or while one types, dismisses nothing of weight.
    pub fn is_unread(&self, now: Time) -> bool {
        self.weighty && now - self.at < READ
    }

    /// What went wrong with a request.
    pub fn of(at: Time, error: &crate::client::ClientError, text: String) -> Self {
        Self { request_id: error.request_id(), code: Some(error.code().to_owned()), ..Self::new(at, Tone::Bad, text) }
    }

    /// The sentence, and how often it was said in a row where that was more than once.
    pub fn counted(&self) -> String {
        if self.times < 2 { self.text.clone() } else { format!("{} ({} times)", self.text, self.times) }
    }
}

/// How the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Not asked yet.
    Connecting,
    /// The live stream is open.
    Live,
    /// Lost; tried again in so many seconds.
    Lost(u64),
    /// The server answers, but not to this token.
    Refused,
}

#[allow(clippy::struct_excessive_bools, reason = "four separate facts, not one state")]
/// What the console was started with and every screen may read, and the few things a screen may do.
#[derive(Debug)]
pub struct Shared {
    /// This machine's time, set by the loop before each update.
    pub now: Time,
    /// The server's time minus this machine's.
    pub skew: chrono::TimeDelta,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Where the server is, for showing.
    pub server: String,
    /// Who one is, once known.
    pub me: Option<Box<Me>>,
    /// Numbers of the head line.
    pub counts: Option<Counts>,
    /// The proposal that is about to be opened.
    pub opens: Option<Box<screen::policy::proposal::About>>,
    /// How the connection is.
    pub link: Link,
    /// When a lost connection is tried again, by this machine's clock.
    pub retry_at: Option<Time>,
    /// Colours.
    pub theme: Theme,
    /// How many colours there are.
    pub depth: Depth,
    /// Whether the theme follows the terminal's background, and what is known of that.
    pub auto: super::background::Auto,
    /// Other themes to choose from (user files), beside the embedded ones.
    pub themes: Vec<Theme>,
    /// Keys.
    pub keymap: Keymap,
    /// Whether the console may only read: it was started so, or the account may not change anything.
    pub read_only: bool,
    /// Whether it was started to read only, whoever uses it.
    pub only_reads: bool,
    /// Whether the mouse is on.
    pub mouse: bool,
    /// Names of the identities to switch between (demo).
    pub identities: Vec<super::Identity>,
    /// Whether it is the linear mode, in which everything is said.
    pub plain: bool,
    /// Whether there is a mail folder to show (demo).
    pub mailbox: bool,
    /// Where one was and what was chosen, as far as it is this user's.
    pub state: State,
    /// What was kept from the last time, until it is known whose it is.
    pub(super) kept: Option<State>,
    /// What was kept last.
    pub(super) saved: State,
    /// Saved views.
    pub views: Vec<View>,
    /// Views of the settings; one that was saved under the same name goes first.
    pub given_views: Vec<View>,
    /// Drafts by key.
    pub drafts: BTreeMap<String, String>,
    /// Whose they are, by the mark of [`super::recall::owner`].
    pub(super) whose: Option<String>,
    /// What happened, newest last.
    pub notes: VecDeque<Note>,
    /// What stands in the bottom line until the next key.
    pub notice: Option<Note>,
    /// What can be taken back.
    pub undo: super::undo::Undo,
    /// The tour (demo).
    pub tutor: super::tutor::Tutor,
    /// What calls for attention.
    pub attention: super::attention::Attention,
    /// Whether something visible changed since the last drawing.
    pub dirty: bool,
    /// How many notes there were so far.
    pub told: u64,
    /// Changes whose answers have not come yet.
    pub sending: super::sending::Sending,
    pub(super) effects: Vec<Effect>,
    pub(super) wishes: Vec<Wish>,
    pub(super) seq: u64,
    /// The last question of whoever used the console before: its answer, and those to earlier ones, are nobody's any more.
    pub(super) former: u64,
    /// A word no other run of the program has; makes keys of writes unique.
    pub(super) run: String,
    pub(super) draft_waiting: Option<(String, String)>,
    pub(super) clock_due: Option<Time>,
    pub(super) running: Vec<Timer>,
    pub(super) attention_due: Option<Time>,
}

/// What a screen wants that is not an effect on the world.
#[derive(Debug)]
pub(super) enum Wish {
    Go(Place),
    /// Goes on from a place, if that is in front, nothing lies over it and nothing is typed there.
    GoOn(Place, Place),
    Back,
    /// Done with that place: if it is in front, back, or on to the other; else only forgotten.
    Done(Place, Option<Place>),
    Over(Box<Overlay>),
    /// A place's case is of that version now: a question there about another one can't be confirmed any more.
    Changed(Place, u64),
    /// What can be picked is known now, for the list of a purpose, if that is still open.
    Fill(&'static str, String, Vec<Choice>),
}

impl Shared {
    /// Asks; the answer comes to `to` under the number returned.
    pub fn ask(&mut self, to: Place, ask: Ask) -> u64 {
        self.number();
        self.effects.push(Effect::Ask { seq: self.seq, to, ask });
        self.seq
    }

    /// A number that nothing else in this run has: of a question, or of a form.
    pub fn number(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// A change that can be sent now or kept for a confirmation; its key is the same however often it is tried.
    pub fn order(&mut self, write: Write, case: Option<CaseId>, version: Option<u64>) -> Order {
        self.seq += 1;
        Order { write, case, version, key: format!("{}-{}", self.run, self.seq), draft: None }
    }

    /// Sends a change; the answer comes to `to` under the number returned.
    pub fn send(&mut self, to: Place, order: Order) -> u64 {
        self.undo.sent(self.seq + 1, &order);
        self.send_opposite(to, order)
    }

    /// As [`Shared::send`], for what takes an act back: it is no act that could be taken back in turn.
    pub(super) fn send_opposite(&mut self, to: Place, order: Order) -> u64 {
        self.seq += 1;
        if let Some(case) = order.case {
            self.attention.wrote(case, self.now);
        }
        let words = order.draft.as_ref().and_then(|draft| self.drafts.get(draft)).cloned();
        let text = self.sending.begin(self.seq, &order, words, self.now);
        // Until the answer, or the next key; the head line goes on to tell it where none comes.
        self.show(Note::new(self.now, Tone::Info, text));
        self.effects.push(Effect::Send { seq: self.seq, to, order });
        self.seq
    }

    /// Starts a timer.
    pub fn timer(&mut self, timer: Timer, after: Duration) {
        self.effects.push(Effect::Timer(timer, after));
    }

    /// Starts a timer unless one of its kind runs: what comes often is done at most once in that while.
    pub fn timer_once(&mut self, timer: Timer, after: Duration) {
        if !self.running.contains(&timer) {
            self.running.push(timer);
            self.timer(timer, after);
        }
    }

    /// Puts a text on the clipboard and says so.
    pub fn copy(&mut self, text: String) {
        let shown = fit(&crate::base::text::sanitise(&text, false), 60);
        self.effects.push(Effect::Copy(text));
        // The linear mode has no clipboard: it says the text, and that is all there is to tell.
        if !self.plain {
            self.say(Tone::Good, format!("Copied: {shown}"));
        }
    }

    /// Goes to another screen.
    pub fn go(&mut self, place: Place) {
        self.wishes.push(Wish::Go(place));
    }

    /// Goes on from a screen to another because an answer came: whoever went elsewhere meanwhile, types or is asked something stays there.
    pub fn go_on(&mut self, from: Place, to: Place) {
        self.wishes.push(Wish::GoOn(from, to));
    }

    /// Goes back to the screen before.
    pub fn back(&mut self) {
        self.wishes.push(Wish::Back);
    }

    /// Is done with a screen, and goes back or on to another. Whoever went elsewhere meanwhile stays there.
    pub fn done_with(&mut self, place: Place, next: Option<Place>) {
        self.wishes.push(Wish::Done(place, next));
    }

    /// Asks for a confirmation before an order is sent; what can't be undone says so.
    pub fn confirm(&mut self, mut confirmation: Confirmation) {
        confirmation.lines.extend(super::undo::before(&confirmation.order.write));
        self.confirm_as_said(confirmation);
    }

    /// As [`Shared::confirm`], for what will be refused.
    pub fn confirm_as_said(&mut self, mut confirmation: Confirmation) {
        self.seq += 1;
        confirmation.number = self.seq;
        self.wishes.push(Wish::Over(Box::new(Overlay::Confirm(confirmation))));
    }

    /// Lets the user pick from a list.
    pub fn pick(&mut self, picker: Picker) {
        self.wishes.push(Wish::Over(Box::new(Overlay::Pick(picker))));
    }

    /// Says what can be picked from the list of a purpose, if it is still open.
    pub fn fill(&mut self, purpose: &'static str, title: String, choices: Vec<Choice>) {
        self.wishes.push(Wish::Fill(purpose, title, choices));
    }

    /// The area of a screen.
    pub fn body(&self) -> ratatui::layout::Rect {
        super::view::body(self.size, self.tutor.rows(self.size))
    }

    /// The server's time, as well as it is known.
    pub fn server_now(&self) -> Time {
        self.now + self.skew
    }

    /// Whether the user has a role.
    pub fn is(&self, role: Role) -> bool {
        self.me.as_ref().is_some_and(|me| me.roles.contains(&role))
    }

    /// When the countdown of a lost connection, or the wait for an answer to a change, shows another second, by the server's clock.
    pub(super) fn next_second(&self) -> Option<Time> {
        let left = self.retry_at.map_or(0, |at| (at - self.now).num_milliseconds());
        let retry = (left > 0).then(|| self.server_now() + chrono::TimeDelta::milliseconds((left - 1) % 1000 + 1));
        let sending = self.sending.next_second(self.now).map(|at| at + self.skew);
        [retry, sending].into_iter().flatten().min()
    }

    /// How an action is reached: by its first key, or by its name after `:` where it has none.
    pub fn key(&self, action: Action) -> String {
        self.keymap.shown(action).unwrap_or_else(|| format!(":{}", action.row().name))
    }

    /// A role's style.
    pub fn style(&self, role: super::theme::Role) -> ratatui::style::Style {
        self.theme.style(role)
    }
}

/// One state a screen; a screen keeps its state while one is elsewhere.
#[derive(Debug, Default)]
pub struct Screens {
    /// Signing in.
    pub sign_in: screen::sign_in::SignIn,
    /// The queue.
    pub queue: screen::queue::Queue,
    /// Approving or denying.
    pub approve: screen::approve::Approve,
    /// A case.
    pub case: screen::case::Case,
    /// What waits for a decision, is held, flagged or to be looked back at.
    pub inbox: screen::inbox::Inbox,
    /// The log.
    pub log: screen::log::Log,
    /// Temporary access.
    pub grants: screen::grants::Grants,
    /// Opening and routing.
    pub route: screen::route::Routing,
    /// The policy.
    pub policy: screen::policy::Policy,
    /// Proposals that wait.
    pub proposals: screen::proposals::Proposals,
    /// The demo's mail.
    pub mailbox: screen::mailbox::Mailbox,
    /// What happened.
    pub messages: screen::messages::Messages,
    /// Help.
    pub help: screen::help::Help,
}

/// All that the console knows.
#[derive(Debug)]
pub struct Model {
    /// What every screen shares.
    pub shared: Shared,
    /// One state a screen.
    pub screens: Screens,
    /// Where one is: the last is in front; never empty.
    pub stack: Vec<Place>,
    /// What lies over the screen.
    pub overlay: Option<Overlay>,
    /// Keys of a chord so far.
    pub pending: Vec<Key>,
    /// Keys that wait for what is still asked for.
    pub held: super::held::Held,
    /// Whether the user did something since it was signed in.
    pub acted: bool,
    /// Leaving was asked for once and would lose something: asked for again it is done.
    pub leaving: bool,
    /// Whether the loop should end.
    pub ended: bool,
}

impl Model {
    /// Where one is.
    pub fn place(&self) -> Place {
        self.stack.last().copied().unwrap_or(Place::Queue)
    }

    /// The screen of a place, to read.
    pub fn screen(&self, place: Place) -> &dyn Screen {
        match place {
            Place::SignIn => &self.screens.sign_in,
            Place::Queue => &self.screens.queue,
            Place::Mailbox => &self.screens.mailbox,
            Place::Messages => &self.screens.messages,
            Place::Help => &self.screens.help,
            Place::Case(_) => &self.screens.case,
            Place::Approve(..) => &self.screens.approve,
            Place::Approvals => &self.screens.inbox,
            Place::Policy(_) => &self.screens.policy,
            Place::Proposal => &self.screens.policy.proposal,
            Place::Proposals => &self.screens.proposals,
            Place::Log => &self.screens.log,
            Place::Grants => &self.screens.grants,
            Place::Route(_) => &self.screens.route,
        }
    }

    /// The screen of a place and what all share, to change.
    pub fn screen_mut(&mut self, place: Place) -> (&mut dyn Screen, &mut Shared) {
        let screens = &mut self.screens;
        let screen: &mut dyn Screen = match place {
            Place::SignIn => &mut screens.sign_in,
            Place::Queue => &mut screens.queue,
            Place::Mailbox => &mut screens.mailbox,
            Place::Messages => &mut screens.messages,
            Place::Help => &mut screens.help,
            Place::Case(_) => &mut screens.case,
            Place::Approve(..) => &mut screens.approve,
            Place::Approvals => &mut screens.inbox,
            Place::Policy(_) => &mut screens.policy,
            Place::Proposal => &mut screens.policy.proposal,
            Place::Proposals => &mut screens.proposals,
            Place::Log => &mut screens.log,
            Place::Grants => &mut screens.grants,
            Place::Route(_) => &mut screens.route,
        };
        (screen, &mut self.shared)
    }

    /// The part of the action table that applies now.
    pub fn scope(&self) -> Scope {
        let place = self.place();
        if self.screen(place).typing() { Scope::FORM } else { place.scope() }
    }
}
