//! A list of which the server sends page after page: how far it was read, what is selected in it, and reading it anew.
//!
//! Contract: at most [`MAX_ROWS`] rows; the selection is a row's key and stays with it through refreshes, however far down it is: a list is read
//! anew as far as what is in sight and the selected row, and shown as it was until that is there. Until someone chooses a row the first one is
//! selected. Knows no screen: it says from where to ask and takes what comes.

use std::time::Duration;

use crate::api::lists::{CaseRow, GrantRow};
use crate::base::ids::{CaseId, GrantId};
use crate::client::ClientError;
use crate::console::action::Action;
use crate::console::effect::Timer;
use crate::console::model::{Latest, Shared, Tone};
use crate::console::widget::list::Cursor;

/// Rows asked for at once.
pub const PAGE: u16 = 100;
/// The most rows that are held.
pub const MAX_ROWS: usize = 1000;
/// How often the list is asked for again at most while much happens.
const REFRESH: Duration = Duration::from_millis(700);
/// So many rows before the last one held, more are asked for.
const NEAR: usize = 10;

/// A row of such a list.
pub trait Row: Clone + PartialEq {
    /// What tells it from others.
    type Key: Clone + PartialEq + std::fmt::Debug;
    /// Its key.
    fn key(&self) -> Self::Key;
}

impl Row for CaseRow {
    type Key = CaseId;
    fn key(&self) -> CaseId {
        self.id
    }
}

impl Row for GrantRow {
    type Key = GrantId;
    fn key(&self) -> GrantId {
        self.id.clone()
    }
}

/// From where a page is to be asked for: the beginning, or after a cursor.
pub type Place = Option<String>;

/// The list.
#[derive(Debug)]
pub struct Paged<R: Row> {
    rows: Option<Vec<R>>,
    after: Option<String>,
    /// What was read of it so far, while it is read anew.
    fresh: Option<Vec<R>>,
    /// Something happened while it was read anew: it is read once more.
    once_more: bool,
    selected: Option<R::Key>,
    cursor: Cursor,
    /// Whether the end is wanted, as far as it can be held.
    to_end: bool,
    failed: Option<String>,
    asked: Latest,
}

impl<R: Row> Default for Paged<R> {
    fn default() -> Self {
        Self {
            rows: None,
            after: None,
            fresh: None,
            once_more: false,
            selected: None,
            cursor: Cursor::default(),
            to_end: false,
            failed: None,
            asked: Latest::default(),
        }
    }
}

impl<R: Row> Paged<R> {
    /// The rows held.
    pub fn rows(&self) -> &[R] {
        self.rows.as_deref().unwrap_or_default()
    }

    /// Whether it was read.
    pub const fn loaded(&self) -> bool {
        self.rows.is_some()
    }

    /// Why it could not be read.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether it was asked for and the answer is awaited.
    pub const fn waits(&self) -> bool {
        self.asked.waits()
    }

    /// Whether there are more rows than are held.
    pub const fn more(&self) -> bool {
        self.after.is_some()
    }

    /// The selected index, and the first in sight.
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The selected row.
    pub fn current(&self) -> Option<&R> {
        self.rows().get(self.cursor.at)
    }

    /// The rows in sight, with the index of each.
    pub fn seen(&self, height: usize) -> impl Iterator<Item = (usize, &R)> {
        self.rows().iter().enumerate().skip(self.cursor.top).take(height)
    }

    /// There is nothing to ask for.
    pub fn nothing(&mut self) {
        self.rows = Some(Vec::new());
    }

    /// Selects a row before it is read (what was selected last time).
    pub fn want(&mut self, key: Option<R::Key>) {
        self.selected = key;
    }

    /// Somebody means the selected row: the selection stays with it from now on.
    pub fn chosen(&mut self) {
        self.selected = self.current().map(R::key);
    }

    /// Selects the row at an index.
    pub fn select(&mut self, index: usize) {
        (self.cursor.at, self.to_end) = (index, false);
        self.chosen();
    }

    /// Moves by an action of the table; says whether it was one that moves.
    pub fn act(&mut self, action: Action, height: usize) -> bool {
        let moved = self.cursor.act(action, self.rows().len(), height);
        if moved {
            self.to_end = action == Action::Last;
            self.chosen();
        }
        moved
    }

    /// Something was asked for under this number.
    pub fn begin(&mut self, seq: u64) {
        self.asked.begin(seq);
    }

    /// Whether this is the answer that is awaited.
    pub fn takes(&mut self, seq: u64) -> bool {
        self.asked.take(seq)
    }

    /// Reads it anew, whatever is awaited: from where.
    pub fn anew(&mut self, shared: &mut Shared) -> Place {
        shared.dirty |= self.failed.take().is_some();
        (self.fresh, self.once_more) = (Some(Vec::new()), false);
        None
    }

    /// It is not asked for, and why; what is held stays, and what is awaited is awaited no more.
    pub fn refuse(&mut self, shared: &mut Shared, why: String) {
        (self.fresh, self.asked, self.failed) = (None, Latest::default(), Some(why));
        shared.dirty = true;
    }

    /// Reads it anew because something happened; what is being read anew already is read to its end first.
    pub fn again(&mut self, shared: &mut Shared) -> Option<Place> {
        if self.fresh.is_some() && self.asked.waits() {
            self.once_more = true;
            return None;
        }
        Some(self.anew(shared))
    }

    /// The next page, if the cursor came near the last row held, or the end is wanted. Whoever wants more than is held is told so.
    pub fn reach(&mut self, shared: &mut Shared, beyond: &str) -> Option<Place> {
        let near = self.to_end || self.cursor.at + NEAR >= self.rows().len();
        if !near || self.asked.waits() {
            return None;
        }
        if self.rows().len() >= MAX_ROWS {
            if std::mem::take(&mut self.to_end) && self.after.is_some() {
                shared.say(Tone::Info, format!("The first {MAX_ROWS} are listed; {beyond}"));
            }
            return None;
        }
        self.after.clone().map(Some)
    }

    /// Takes a page, or why there is none; says from where to read on at once.
    pub fn answered(&mut self, shared: &mut Shared, answer: Result<(Vec<R>, Option<String>), ClientError>, height: usize) -> Option<Place> {
        match answer {
            Ok((rows, after)) => {
                let after = after.filter(|_| !rows.is_empty());
                shared.dirty |= self.failed.take().is_some();
                self.take(shared, rows, after, height)
            }
            Err(error) => {
                shared.dirty = true;
                self.fresh = None;
                self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                shared.fail(&error);
                None
            }
        }
    }

    fn take(&mut self, shared: &mut Shared, rows: Vec<R>, next: Option<String>, height: usize) -> Option<Place> {
        let joined = |mut held: Vec<R>, new: Vec<R>| {
            held.retain(|row| new.iter().all(|n| n.key() != row.key()));
            held.extend(new);
            held.truncate(MAX_ROWS);
            held
        };
        // A page that brings nothing new leads nowhere, whatever its cursor says: never ask on and on.
        let leads = |before: usize, now: usize| next.filter(|_| now > before);
        let after;
        if let Some(fresh) = self.fresh.take() {
            let before = fresh.len();
            let fresh = joined(fresh, rows);
            after = leads(before, fresh.len());
            if after.is_some() && fresh.len() < MAX_ROWS && !self.enough(&fresh, height) {
                self.fresh = Some(fresh);
                return Some(after);
            }
            shared.dirty |= self.rows.as_ref() != Some(&fresh);
            self.rows = Some(fresh);
        } else {
            shared.dirty = true;
            let held = self.rows.take().unwrap_or_default();
            let before = held.len();
            let held = joined(held, rows);
            after = leads(before, held.len());
            self.rows = Some(held);
        }
        self.after = after;
        let before = self.cursor;
        self.follow(height);
        shared.dirty |= self.cursor != before;
        std::mem::take(&mut self.once_more).then(|| self.anew(shared))
    }

    /// Whether what was read anew covers what is in sight and the selected row, as far as they are still there.
    fn enough(&self, fresh: &[R], height: usize) -> bool {
        let held = self.rows().len();
        let sight = (self.cursor.top + height).max(self.cursor.at + 1).min(held);
        let gone = fresh.len() >= held + usize::from(PAGE);
        fresh.len() >= sight && (gone || self.selected.as_ref().is_none_or(|key| fresh.iter().any(|row| row.key() == *key)))
    }

    fn follow(&mut self, height: usize) {
        let offset = self.cursor.at.saturating_sub(self.cursor.top);
        let len = self.rows().len();
        match self.selected.as_ref().map(|key| self.rows().iter().position(|row| row.key() == *key)) {
            _ if self.to_end => self.cursor.at = len.saturating_sub(1),
            Some(Some(at)) if at != self.cursor.at => self.cursor = Cursor { at, top: at.saturating_sub(offset) },
            Some(_) => {}
            None => self.cursor.at = 0,
        }
        self.cursor.show(len, height);
        if self.selected.is_some() {
            self.chosen();
        }
    }
}

/// Something happened: such a list is asked for again soon, once however much happens.
pub fn news(shared: &mut Shared) {
    shared.timer_once(Timer::Refresh, REFRESH);
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for u32 {
        type Key = Self;
        fn key(&self) -> Self {
            *self
        }
    }

    fn page(from: u32, last: u32) -> (Vec<u32>, Option<String>) {
        let end = (from + 100).min(last);
        ((from..end).collect(), (end < last).then(|| end.to_string()))
    }

    /// Answers whatever is asked until nothing is; returns how often it was asked.
    fn serve(list: &mut Paged<u32>, shared: &mut Shared, mut next: Option<Place>, (first, end): (u32, u32)) -> usize {
        let mut asked = 0;
        while let Some(from) = next {
            asked += 1;
            let from = from.map_or(first, |c| c.parse().unwrap());
            next = list.answered(shared, Ok(page(from, end)), 10);
        }
        asked
    }

    fn shared() -> Shared {
        let config = crate::console::ConsoleConfig::new("http://127.0.0.1:8443".parse().unwrap());
        let ports = crate::base::ports::Ports::system();
        crate::console::model(&config, &ports, (80, 24)).unwrap().shared
    }

    #[test]
    fn a_list_is_read_anew_as_far_as_the_selection_and_no_farther() {
        let (mut list, mut shared) = (Paged::<u32>::default(), shared());
        let start = list.anew(&mut shared);
        assert_eq!(serve(&mut list, &mut shared, Some(start), (0, 5000)), 1);
        assert!(list.act(Action::PageDown, 10) && list.current() == Some(&5), "{:?}", list.cursor());
        for _ in 0..60 {
            list.act(Action::PageDown, 10);
            let more = list.reach(&mut shared, "x");
            serve(&mut list, &mut shared, more, (0, 5000));
        }
        assert_eq!((list.current(), list.rows().len()), (Some(&305), 400));
        let start = list.again(&mut shared).unwrap();
        assert_eq!(serve(&mut list, &mut shared, Some(start), (0, 5000)), 4);
        assert_eq!(list.current(), Some(&305), "the selection is where it was");
        // Rows that came before it push it down: it is followed.
        let start = list.again(&mut shared).unwrap();
        let top = list.cursor().at - list.cursor().top;
        list.selected = Some(350);
        assert!(serve(&mut list, &mut shared, Some(start), (0, 5000)) >= 4);
        assert_eq!((list.current(), list.cursor().at - list.cursor().top), (Some(&350), top));
    }

    #[test]
    fn the_end_is_gone_to_as_far_as_rows_are_held_and_it_is_said_that_there_are_more() {
        let (mut list, mut shared) = (Paged::<u32>::default(), shared());
        let start = list.anew(&mut shared);
        serve(&mut list, &mut shared, Some(start), (0, 5000));
        list.act(Action::Last, 10);
        while let Some(place) = list.reach(&mut shared, "a command lists all.") {
            serve(&mut list, &mut shared, Some(place), (0, 5000));
        }
        assert_eq!((list.rows().len(), list.current()), (MAX_ROWS, Some(&999)));
        assert!(shared.notes.back().is_some_and(|n| n.text == "The first 1000 are listed; a command lists all."), "{:?}", shared.notes);
        assert!(list.more());
    }

    #[test]
    fn what_happens_while_it_is_read_anew_is_read_once_after() {
        let (mut list, mut shared) = (Paged::<u32>::default(), shared());
        assert_eq!(list.again(&mut shared), Some(None));
        list.begin(1);
        assert_eq!((list.again(&mut shared), list.again(&mut shared)), (None, None));
        assert!(list.takes(1) && !list.takes(1));
        assert_eq!(list.answered(&mut shared, Ok(page(0, 50)), 10), Some(None));
        assert_eq!(list.answered(&mut shared, Ok(page(0, 50)), 10), None);
    }

    #[test]
    fn a_server_whose_cursor_leads_back_to_the_same_page_is_not_asked_on_and_on() {
        let (mut list, mut shared) = (Paged::<u32>::default(), shared());
        list.anew(&mut shared);
        let circle = || Ok(((0..3).collect(), Some("again".to_owned())));
        assert_eq!(list.answered(&mut shared, circle(), 10), None);
        assert_eq!(list.reach(&mut shared, "x"), Some(Some("again".to_owned())), "one page may be short");
        assert_eq!(list.answered(&mut shared, circle(), 10), None);
        assert_eq!((list.reach(&mut shared, "x"), list.rows().len(), list.more()), (None, 3, false));
    }
}
