//! A window of rows around the cursor: pages come and go at its ends, so that a million cases take no more room than a thousand.
//!
//! Contract: at most [`MAX_PAGES`] pages are held; rows are in the server's order; the selection is a case, not a place, and stays on it
//! through refreshes. Knows neither the server nor the screen: it says what page it needs and takes what comes.

use std::collections::VecDeque;

use crate::api::lists::{CaseRow, QueuePage};
use crate::base::ids::CaseId;
use crate::console::action::Action;

/// The most pages that are held.
pub const MAX_PAGES: usize = 6;
/// Rows of a page.
pub const PAGE: u16 = 100;
/// The most pages that are asked for one after the other before the user does something: an honest server fills the window with fewer, and
/// whatever another one answers, the asking ends.
const MAX_IN_A_ROW: usize = 2 * MAX_PAGES;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// At the beginning.
    Start,
    /// After a cursor.
    After(String),
    /// Before a cursor.
    Before(String),
    /// At the end.
    End,
}

#[derive(Debug, Clone)]
struct Page {
    from: From,
    rows: Vec<CaseRow>,
    before: Option<String>,
    after: Option<String>,
    stale: bool,
}

/// The window.
#[derive(Debug, Clone, Default)]
pub struct Window {
    pages: VecDeque<Page>,
    /// The row keys act on, counted from the window's first.
    at: usize,
    /// The first row in sight.
    top: usize,
    selected: Option<CaseId>,
    /// Whether someone chose the selected case; until then the first row is selected, whichever case that is.
    chosen: bool,
    loaded: bool,
    /// Pages taken since the user last moved or asked.
    in_a_row: usize,
}

impl Window {
    /// Rows held.
    pub fn len(&self) -> usize {
        self.pages.iter().map(|p| p.rows.len()).sum()
    }

    /// Whether an answer came yet.
    pub const fn loaded(&self) -> bool {
        self.loaded
    }

    /// The row at an index.
    pub fn row(&self, mut index: usize) -> Option<&CaseRow> {
        for page in &self.pages {
            if index < page.rows.len() {
                return page.rows.get(index);
            }
            index -= page.rows.len();
        }
        None
    }

    /// The rows in sight, with the index of each.
    pub fn seen(&self, height: usize) -> impl Iterator<Item = (usize, &CaseRow)> {
        self.pages.iter().flat_map(|p| &p.rows).enumerate().skip(self.top).take(height)
    }

    /// All rows held.
    pub fn rows(&self) -> impl Iterator<Item = &CaseRow> {
        self.pages.iter().flat_map(|p| &p.rows)
    }

    /// The selected row.
    pub fn current(&self) -> Option<&CaseRow> {
        self.row(self.at)
    }

    /// The selected index.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The first index in sight.
    pub const fn top(&self) -> usize {
        self.top
    }

    /// Whether rows come before or after those held.
    pub fn more(&self) -> (bool, bool) {
        (self.pages.front().is_some_and(|p| p.before.is_some()), self.pages.back().is_some_and(|p| p.after.is_some()))
    }

    /// Selects a case before it is loaded (what was selected last time).
    pub fn want(&mut self, case: Option<CaseId>) {
        self.selected = case;
    }

    /// Somebody means the selected case: the selection stays with it from now on.
    pub fn chosen(&mut self) {
        self.to(self.at, self.top);
    }

    /// Puts the row after the last in sight on top, for reading on.
    pub fn read_on(&mut self, height: usize) {
        self.in_a_row = 0;
        let last = self.len().saturating_sub(1);
        let top = (self.top + height).min(last);
        if top > self.top {
            self.to(top, top);
        }
    }

    /// Moves by an action of the table; a page that must be fetched from afar is returned.
    pub fn act(&mut self, action: Action, height: usize) -> Option<From> {
        self.in_a_row = 0;
        let (before, after) = self.more();
        match action {
            Action::First if before => return Some(From::Start),
            Action::Last if after => return Some(From::End),
            _ => {}
        }
        let mut cursor = crate::console::widget::list::Cursor { at: self.at, top: self.top };
        cursor.act(action, self.len(), height);
        self.to(cursor.at, cursor.top);
        None
    }

    /// Selects the row at an index.
    pub fn select(&mut self, index: usize, height: usize) {
        self.in_a_row = 0;
        let mut cursor = crate::console::widget::list::Cursor { at: index, top: self.top };
        cursor.show(self.len(), height);
        self.to(cursor.at, cursor.top);
    }

    /// Scrolls without moving the selection further than it must to stay in sight.
    pub fn scroll(&mut self, down: bool, height: usize) {
        self.in_a_row = 0;
        let last = self.len().saturating_sub(height);
        let top = if down { (self.top + 3).min(last) } else { self.top.saturating_sub(3) };
        let at = self.at.clamp(top, (top + height.max(1) - 1).min(self.len().saturating_sub(1)).max(top));
        self.to(at, top);
    }

    fn to(&mut self, at: usize, top: usize) {
        self.at = at;
        self.top = top;
        self.selected = self.current().map(|r| r.id);
        self.chosen = self.selected.is_some();
    }

    /// Which page is needed next: a stale one in sight first, then what lies within reach of the cursor.
    pub fn needs(&self, height: usize) -> Option<From> {
        if self.in_a_row >= MAX_IN_A_ROW {
            return None;
        }
        let mut start = 0;
        for (i, page) in self.pages.iter().enumerate() {
            let end = start + page.rows.len();
            if page.stale && start < self.top + height && end >= self.top {
                let before = i.checked_sub(1).and_then(|i| self.pages.get(i)).and_then(|p| p.after.clone());
                return Some(before.map_or_else(|| page.from.clone(), From::After));
            }
            start = end;
        }
        let reach = height.max(20) * 2;
        if self.at + reach >= start
            && let Some(after) = self.pages.back().and_then(|p| p.after.clone())
        {
            return Some(From::After(after));
        }
        if self.at < reach
            && let Some(before) = self.pages.front().and_then(|p| p.before.clone())
        {
            return Some(From::Before(before));
        }
        None
    }

    /// Forgets what is out of sight and marks the rest as to be asked for again.
    pub fn stale(&mut self, height: usize) {
        self.in_a_row = 0;
        let mut start = 0;
        let (top, end) = (self.top, self.top + height);
        let mut kept = VecDeque::new();
        let mut dropped = 0;
        for mut page in std::mem::take(&mut self.pages) {
            let next = start + page.rows.len();
            if (start < end && next > top) || next == start {
                page.stale = true;
                kept.push_back(page);
            } else if next <= top {
                dropped += page.rows.len();
            }
            start = next;
        }
        self.pages = kept;
        self.at = self.at.saturating_sub(dropped);
        self.top -= dropped.min(self.top);
    }

    /// Takes a page that was asked for; says whether anything in sight may look different.
    pub fn take(&mut self, from: &From, page: QueuePage, height: usize) -> bool {
        let seen: Vec<CaseRow> = self.seen(height).map(|(_, r)| r.clone()).collect();
        let (was, first) = (self.at.saturating_sub(self.top), !self.loaded);
        self.in_a_row += 1;
        let fresh = Page { from: from.clone(), rows: page.rows, before: page.before, after: page.after, stale: false };
        let ids: std::collections::HashSet<CaseId> = fresh.rows.iter().map(|r| r.id).collect();
        let place = self.slot(from);
        match place {
            Slot::Replace(i) => self.pages[i] = fresh,
            Slot::Back => self.pages.push_back(fresh),
            Slot::Front => {
                self.at += fresh.rows.len();
                self.top += fresh.rows.len();
                self.pages.push_front(fresh);
            }
            Slot::All => {
                self.pages.clear();
                self.pages.push_back(fresh);
                if *from == From::End {
                    self.selected = self.pages[0].rows.last().map(|r| r.id);
                    self.chosen = self.selected.is_some();
                } else if self.loaded && !self.selected.is_some_and(|id| ids.contains(&id)) {
                    // Elsewhere now. A page that was only read anew leaves the selection where it is.
                    self.selected = None;
                }
                (self.at, self.top) = (if *from == From::End { self.len().saturating_sub(1) } else { 0 }, 0);
            }
        }
        let mine = match place {
            Slot::Replace(i) => i,
            Slot::Back => self.pages.len() - 1,
            Slot::Front | Slot::All => 0,
        };
        for (i, page) in self.pages.iter_mut().enumerate() {
            if i != mine {
                page.rows.retain(|r| !ids.contains(&r.id));
            }
        }
        self.loaded = true;
        self.trim(matches!(place, Slot::Front));
        self.find(was, height);
        first || seen.iter().ne(self.seen(height).map(|(_, r)| r))
    }

    fn slot(&self, from: &From) -> Slot {
        let chained = |i: usize| i.checked_sub(1).and_then(|i| self.pages.get(i)).and_then(|p| p.after.clone()).map(From::After);
        let stale = self.pages.iter().enumerate().position(|(i, p)| p.stale && (p.from == *from || chained(i).as_ref() == Some(from)));
        if let Some(i) = stale {
            return Slot::Replace(i);
        }
        match from {
            From::After(c) if self.pages.back().is_some_and(|p| p.after.as_ref() == Some(c)) => Slot::Back,
            From::Before(c) if self.pages.front().is_some_and(|p| p.before.as_ref() == Some(c)) => Slot::Front,
            _ => Slot::All,
        }
    }

    fn trim(&mut self, keep_front: bool) {
        while self.pages.len() > MAX_PAGES {
            if keep_front {
                self.pages.pop_back();
            } else if let Some(page) = self.pages.pop_front() {
                self.at = self.at.saturating_sub(page.rows.len());
                self.top = self.top.saturating_sub(page.rows.len());
            }
        }
    }

    /// Puts the cursor back on the selected case, at the same height of the screen where that can be.
    fn find(&mut self, offset: usize, height: usize) {
        let found = self.selected.and_then(|id| self.pages.iter().flat_map(|p| &p.rows).position(|r| r.id == id));
        if let Some(at) = found {
            self.at = at;
            self.top = at.saturating_sub(offset);
            self.chosen = true;
        } else if !self.chosen {
            (self.at, self.top) = (0, 0);
        }
        let mut cursor = crate::console::widget::list::Cursor { at: self.at, top: self.top };
        cursor.show(self.len(), height);
        self.at = cursor.at;
        self.top = cursor.top;
        self.selected = if self.chosen { self.current().map(|r| r.id) } else { None };
    }

    /// A row as it is now; says whether it is held, and whether it is in sight.
    pub fn news(&mut self, row: &CaseRow, height: usize) -> (bool, bool) {
        let (top, end) = (self.top, self.top + height);
        let mut index = 0;
        for page in &mut self.pages {
            for held in &mut page.rows {
                if held.id == row.id {
                    let newer = held.version <= row.version && held != row;
                    if newer {
                        *held = row.clone();
                    }
                    return (true, newer && (top..end).contains(&index));
                }
                index += 1;
            }
        }
        (false, false)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Replace(usize),
    Back,
    Front,
    All,
}
