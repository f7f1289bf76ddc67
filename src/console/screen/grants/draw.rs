//! How temporary access looks, and how it is read out.
//!
//! Contract: pure. Symbols carry what colours say; while time passes only the cells of what counts down change.

use chrono::TimeDelta;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{ABOVE, DETAIL, Grants, PAGES, SOON};
use crate::api::lists::GrantRow;
use crate::api::words::GrantState;
use crate::base::Time;
use crate::console::action::Action;
use crate::console::model::{Link, Shared};
use crate::console::screen::case::pages::clean;
use crate::console::screen::queue::draw::until;
use crate::console::theme::Role;
use crate::console::widget::runs::running;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{boxed, clear, fit, put, wrap};

/// Where columns begin.
struct Columns {
    subject: u16,
    target: u16,
    scope: u16,
    /// Where it is narrow, since when stands only below the list.
    since: u16,
    ends: u16,
    state: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let state = width.saturating_sub(if width >= 100 { 26 } else { 15 });
        let ends = state.saturating_sub(9);
        let since = ends.saturating_sub(if width >= 100 { 14 } else { 0 });
        let (subject, room) = (15, since.saturating_sub(15));
        let target = subject + room * 2 / 5;
        Self { subject, target, scope: target + room * 3 / 10, since, ends, state }
    }
}

fn when(at: Time) -> String {
    at.format("%d %b %H:%M").to_string()
}

/// What stands under "Ends".
fn ends(row: &GrantRow, now: Time) -> String {
    match row.state {
        GrantState::Active if row.expires_at <= now => "now".to_owned(),
        GrantState::Active => until(row.expires_at - now),
        _ => "–".to_owned(),
    }
}

/// Where it stands: a mark and a few words, and how they are meant.
fn state(row: &GrantRow, now: Time, wide: bool) -> (String, Role) {
    let unconfirmed = row.ending_since.map_or(TimeDelta::zero(), |since| now - since);
    match row.state {
        GrantState::Active => ("● active".to_owned(), Role::Info),
        GrantState::Ended => ("✓ ended".to_owned(), Role::Dim),
        GrantState::Ending if unconfirmed < SOON => ("◐ being revoked".to_owned(), Role::Warn),
        GrantState::Suspended if unconfirmed < SOON => (if wide { "‖ suspended by hold" } else { "‖ suspended" }.to_owned(), Role::Warn),
        GrantState::Ending | GrantState::Suspended => {
            let mark = if row.state == GrantState::Suspended { "‖" } else { "!" };
            let words = if wide { "unconfirmed for " } else { "open " };
            (format!("{mark} {words}{}", until(unconfirmed)), Role::Bad)
        }
    }
}

/// All about one grant.
fn detail(row: &GrantRow, now: Time) -> Sheet {
    let mut s = Sheet::default();
    s.fact("Grant", format!("{} · given {} by {} ({})", row.id, when(row.since), row.case, row.action.label()));
    s.fact("Whose", format!("{}, {} ({})", row.subject_name.line(), row.kind.label(), row.subject));
    s.fact("What", format!("{} in {}", clean(&row.scope.join(", ")), row.target));
    let at = row.expires_at.format("%d %b %H:%M:%SZ");
    match (row.state, row.ending_since, row.revoked_at) {
        (GrantState::Active, ..) if row.expires_at <= now => s.fact_as("Ends", format!("now: its time ran out {at}"), Role::Warn),
        (GrantState::Active, ..) => s.fact("Ends", format!("{at}, in {}", running(&until(row.expires_at - now)))),
        (_, _, Some(gone)) => s.fact("Ended", format!("{}: the target confirmed it", when(gone))),
        (_, since, None) => {
            let since = since.map(|t| format!(" since {}, for {}", t.format("%H:%M:%SZ"), running(&until(now - t)))).unwrap_or_default();
            s.fact_as("Ends", format!("{}, unconfirmed{since}; the target is asked until it confirms", row.state.label()), Role::Warn);
        }
    }
    if let Some(why) = row.ending_why {
        s.fact("Because", why.label());
    }
    if let (GrantState::Active, Some(why)) = (row.state, &row.refused) {
        s.fact_as("Not by you", clean(why), Role::Dim);
    }
    s
}

impl Grants {
    pub(super) fn draw_grants(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let buffer = frame.buffer_mut();
        let mut x = area.x + 1;
        for (i, text) in Self::heads().iter().enumerate() {
            let role = if i == self.page { Role::Selected } else { Role::Dim };
            x = put(buffer, area, x, area.y, text, shared.style(role)) + 3;
        }
        let columns = Columns::of(area.width);
        let heads = [
            (1, "Case"),
            (columns.subject, "Whose"),
            (columns.target, "Where"),
            (columns.scope, "What"),
            (columns.since, if columns.since < columns.ends { "Given" } else { "" }),
            (columns.ends, "Ends in"),
            (columns.state, "State"),
        ];
        for (i, (x, text)) in heads.iter().enumerate() {
            let room = heads.get(i + 1).map_or(area.width, |next| next.0).saturating_sub(x + 1);
            put(buffer, area, area.x + x, area.y + 2, &fit(text, usize::from(room)), shared.style(Role::Heading));
        }
        let height = u16::try_from(Self::height(shared)).unwrap_or(0);
        let list = Rect { y: area.y + ABOVE, height, ..area };
        if self.list.rows().is_empty() {
            self.draw_empty(buffer, list, shared);
        }
        let cursor = self.list.cursor();
        for (i, row) in self.list.seen(usize::from(height)) {
            let y = list.y + u16::try_from(i - cursor.top).unwrap_or(0);
            draw_row(buffer, Rect { y, height: 1, ..list }, (row, i == cursor.at), &columns, shared);
        }
        let below = Rect { y: list.bottom(), height: DETAIL + 1, ..area };
        if let Some(ending) = &self.ending {
            // The form stands over as much of the list as it needs.
            let page = Rect { y: area.y + ABOVE, height: area.height.saturating_sub(ABOVE), ..area };
            clear(frame.buffer_mut(), page, shared.style(Role::Text));
            let title = format!("End the access of {}", ending.row.subject_name.line());
            let inner = boxed(frame.buffer_mut(), page, &title, shared.style(Role::Border), shared.style(Role::Heading));
            let sheet = detail(&ending.row, shared.server_now());
            // A line of the reason, and what is wrong with it, come before all else.
            let room = inner.height.saturating_sub(u16::try_from(ending.form.rows(inner.width).1).unwrap_or(0));
            let rows = u16::try_from(sheet.height(inner.width)).unwrap_or(0).min(inner.height / 2).min(room);
            sheet.draw(frame.buffer_mut(), Rect { height: rows, ..inner }, 0, shared);
            let mut y = inner.y + rows;
            let before = Action::Revoke.row().before();
            let before = before.iter().flat_map(|text| wrap(text, usize::from(inner.width).saturating_sub(2)));
            for line in before.take(usize::from(room - rows)) {
                put(frame.buffer_mut(), inner, inner.x + 1, y, &line, shared.style(Role::Warn));
                y += 1;
            }
            ending.form.draw(frame, Rect { y, height: inner.bottom().saturating_sub(y), ..inner }, shared);
        } else {
            put(buffer, area, area.x, below.y, &"─".repeat(usize::from(area.width)), shared.style(Role::Border));
            if let Some(row) = self.current() {
                detail(row, shared.server_now()).draw(buffer, Rect { y: below.y + 1, height: DETAIL, ..below }, 0, shared);
            }
        }
    }

    fn draw_empty(&self, buffer: &mut Buffer, list: Rect, shared: &Shared) {
        let (text, role) = match (self.list.failed(), self.list.loaded()) {
            (Some(why), _) => (format!("✕ {why} {} tries again.", shared.key(Action::Refresh)), Role::Bad),
            (None, false) => ("Asking the server …".to_owned(), Role::Dim),
            (None, true) => (PAGES[self.page].2.to_owned(), Role::Dim),
        };
        for (i, line) in wrap(&text, usize::from(list.width).saturating_sub(2)).iter().enumerate() {
            put(buffer, list, list.x + 1, list.y + u16::try_from(i).unwrap_or(0), line, shared.style(role));
        }
    }

    pub(super) fn read_out(&self, shared: &Shared) -> Vec<String> {
        let now = shared.server_now();
        if let Some(ending) = &self.ending {
            let title = format!("Form: end the access of {}", ending.row.subject_name.line());
            return std::iter::once(title).chain(detail(&ending.row, now).lines()).chain(Action::Revoke.row().before()).collect();
        }
        let mut lines = vec![format!("Temporary access, page {}: {}. Pages: {}", self.page + 1, PAGES[self.page].0, Self::heads().join(", "))];
        let rows = self.list.rows();
        if !self.list.loaded() {
            lines.push(self.list.failed().unwrap_or("Asking the server.").to_owned());
        } else if rows.is_empty() {
            lines.push(PAGES[self.page].2.to_owned());
        }
        let here = |i| if i == self.list.cursor().at { "selected: " } else { "" };
        lines.extend(rows.iter().enumerate().map(|(i, r)| format!("{}{}", here(i), spoken(r, now))));
        if self.list.more() {
            lines.push(format!("{} were read, and there are more: more reads on.", rows.len()));
        }
        lines
    }
}

/// A row in words.
fn spoken(row: &GrantRow, now: Time) -> String {
    let what = format!("{} {}: {} in {}, given {}", row.case, row.subject_name.line(), clean(&row.scope.join(", ")), row.target, when(row.since));
    let ends = match (row.state, row.ending_since, row.revoked_at) {
        (GrantState::Active, ..) if row.expires_at <= now => "ends now".to_owned(),
        (GrantState::Active, ..) => format!("ends in {}", running(&until(row.expires_at - now))),
        (_, _, Some(gone)) => format!("ended {}", when(gone)),
        (_, Some(since), None) => format!("{}, unconfirmed since {}", row.state.label(), since.format("%H:%M:%SZ")),
        (_, None, None) => row.state.label().to_owned(),
    };
    let why = row.ending_why.map(|w| format!(", because {}", w.label())).unwrap_or_default();
    format!("{what}, {ends}{why}")
}

fn draw_row(buffer: &mut Buffer, area: Rect, (row, here): (&GrantRow, bool), columns: &Columns, shared: &Shared) {
    let stale = matches!(shared.link, Link::Lost(_));
    let text = shared.style(if stale || row.state == GrantState::Ended { Role::Dim } else { Role::Text });
    let now = shared.server_now();
    let mut cell = |x: u16, end: u16, what: &str, style| {
        put(buffer, area, area.x + x, area.y, &fit(what, usize::from(end.saturating_sub(x + 1))), style);
    };
    if here {
        cell(0, 2, "▌", shared.style(Role::Marker));
    }
    cell(1, columns.subject, &row.case.to_string(), if here { shared.style(Role::Selected) } else { text });
    cell(columns.subject, columns.target, &row.subject_name.line(), text);
    cell(columns.target, columns.scope, row.target.as_str(), text);
    cell(columns.scope, columns.since, &clean(&row.scope.join(", ")), text);
    if columns.since < columns.ends {
        cell(columns.since, columns.ends, &when(row.since), shared.style(Role::Dim));
    }
    let soon = row.state == GrantState::Active && row.expires_at - now < TimeDelta::minutes(15);
    cell(columns.ends, columns.state, &ends(row, now), shared.style(if soon { Role::Warn } else { Role::Text }));
    let (words, role) = state(row, now, area.width >= 100);
    cell(columns.state, area.width + 1, &words, shared.style(role));
}
