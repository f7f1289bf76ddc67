//! How the queue looks.
//!
//! Contract: pure. Symbols carry what colours say; only the mark and the number of the selected row change when the cursor moves.

use chrono::TimeDelta;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::Queue;
use super::filter::offers;
use crate::api::lists::CaseRow;
use crate::api::words::{Risk, WaitingOn};
use crate::base::Time;
use crate::console::action::Action;
use crate::console::model::{Link, Shared};
use crate::console::screen::case::forms::some;
use crate::console::theme::Role;
use crate::console::widget::runs::running;
use crate::console::widget::{boxed, clear, fit, put, wrap};

/// A time until something, as short as it can be read: `2d 03h`, `1:05`, `4m09s`; `-` before what is over.
pub fn until(left: TimeDelta) -> String {
    let (sign, s) = if left < TimeDelta::zero() { ("-", -left.num_seconds()) } else { ("", left.num_seconds()) };
    match s {
        0..600 if sign.is_empty() => format!("{}m{:02}s", s / 60, s % 60),
        0..86_400 => format!("{sign}{}:{:02}", s / 3600, s / 60 % 60),
        _ => format!("{sign}{}d {:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// How a deadline stands, in at most nine columns: what is left, or `late 0:03`.
pub fn deadline(left: TimeDelta) -> String {
    let s = -left.num_seconds();
    match s {
        ..0 => until(left),
        0..36_000 => format!("late {}:{:02}", s / 3600, s / 60 % 60),
        36_000..86_400 => format!("late {}h", s / 3600),
        _ => format!("late {}d", s / 86_400),
    }
}

/// How a deadline stands, in a sentence that is read out: `due in 0:42`, or `late by 0:03`.
pub fn spoken_deadline(left: TimeDelta) -> String {
    match deadline(left).strip_prefix("late ") {
        Some(late) => format!("late by {}", running(late)),
        None => format!("due in {}", running(&until(left))),
    }
}

/// When the text of [`until`] changes next, by the server's clock.
pub fn next_change(shared: &Shared, due: Time) -> Option<Time> {
    let now = shared.server_now();
    let left = (due - now).num_milliseconds();
    let step = match left {
        0..601_000 => 1_000,
        -86_400_000..86_400_000 => 60_000,
        _ => 3_600_000,
    };
    let wait = left.rem_euclid(step) + 1;
    now.checked_add_signed(TimeDelta::milliseconds(wait))
}

/// A risk's mark and words.
pub fn risk(risk: Risk) -> (&'static str, Role) {
    match risk {
        Risk::High => ("▲ high", Role::RiskHigh),
        Risk::Medium => ("● med", Role::RiskMedium),
        Risk::Low => ("· low", Role::RiskLow),
    }
}

/// Proofs as full and empty circles; numbers where there are many.
pub fn proof(done: u8, needed: u8) -> String {
    if needed > 5 {
        return format!("{done}/{needed}");
    }
    (0..needed.max(done)).map(|i| if i < done { '●' } else { '○' }).collect()
}

/// Whom a case waits for, in a few words.
pub fn waiting(shared: &Shared, row: &CaseRow) -> String {
    if row.held {
        return "‖ held".to_owned();
    }
    let mine = row.assignee.is_some() && row.assignee.as_ref() == shared.me.as_ref().and_then(|m| m.operator.as_ref());
    match row.waiting_on {
        WaitingOn::Approval if row.approvals_missing != 1 => format!("{} approvals", row.approvals_missing),
        WaitingOn::Approval => "1 approval".to_owned(),
        WaitingOn::Agent if mine => "you".to_owned(),
        WaitingOn::Nobody => row.state.label().to_owned(),
        other => other.label().to_owned(),
    }
}

/// A row as a sentence.
pub fn spoken(shared: &Shared, row: &CaseRow) -> String {
    let due = row.due.map(|d| format!(", {}", spoken_deadline(d - shared.server_now()))).unwrap_or_default();
    let who = row.assignee.as_ref().map(|a| format!(", with {a}")).unwrap_or_default();
    let waits = if row.held { "held".to_owned() } else { format!("waiting on {}", waiting(shared, row)) };
    let flagged = if row.flags > 0 { ", flagged" } else { "" };
    format!(
        "{} {} {}, risk {}, proofs {} of {}, {waits}{flagged}{due}{who}",
        row.id,
        row.subject_name.line(),
        row.action.label(),
        row.risk.label(),
        row.proof_done,
        row.proof_needed,
    )
}

/// Where columns begin; zero width means not shown.
struct Columns {
    subject: u16,
    action: u16,
    risk: u16,
    proof: u16,
    waiting: u16,
    who: u16,
    due: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let who = if width >= 96 { 12 } else { 0 };
        // Where it is narrow, names go before proofs: those stand in the case.
        let proof_width = if width >= 72 { 7 } else { 0 };
        let fixed = 14 + 7 + proof_width + 13 + who + 9;
        let room = width.saturating_sub(fixed);
        let action = (room / 2).min(26);
        let subject = 14;
        let start = subject + (room - action);
        let (risk, proof, waiting) = (start + action, start + action + 7, start + action + 7 + proof_width);
        Self { subject, action: start, risk, proof, waiting, who: if who == 0 { 0 } else { waiting + 13 }, due: waiting + 13 + who }
    }
}

impl Queue {
    pub(super) fn draw_queue(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let list = self.list(area);
        let beside = area.width - list.width;
        self.title(frame.buffer_mut(), list, shared);
        let columns = Columns::of(list.width);
        heads(frame.buffer_mut(), list, &columns, shared);
        let rows = below_heads(list);
        self.state(frame.buffer_mut(), rows, shared);
        let stale = matches!(shared.link, Link::Lost(_));
        let window = self.in_front();
        for (index, row) in window.seen(usize::from(rows.height)) {
            let y = rows.y + u16::try_from(index - window.top()).unwrap_or(0);
            draw_row(frame.buffer_mut(), Rect { y, height: 1, ..rows }, row, (index == window.at(), stale), &columns, shared);
        }
        if beside > 0 {
            let place = Rect { x: list.right(), width: beside, ..area };
            self.draw_preview(frame.buffer_mut(), place, shared);
        }
        self.draw_filter(frame, list, shared);
    }

    /// The list, without what stands beside it.
    fn list(&self, area: Rect) -> Rect {
        let beside = if self.split(area.width) { (area.width / 3).clamp(38, 60) } else { 0 };
        Rect { width: area.width - beside, ..area }
    }

    /// The rows of the list that nothing lies over.
    pub(super) fn rows(&self, area: Rect) -> Rect {
        let list = self.list(area);
        let rows = below_heads(list);
        let Some(text) = &self.typing else { return rows };
        let (over, _) = offers_place(list, offers(text.text()).len());
        Rect { height: over.y.saturating_sub(rows.y), ..rows }
    }

    fn title(&self, buffer: &mut Buffer, area: Rect, shared: &Shared) {
        let x = put(buffer, area, area.x + 1, area.y, "Queue", shared.style(Role::Heading));
        let filter = self.filter.as_deref().filter(|f| !f.is_empty()).map_or_else(|| "everything".to_owned(), super::shown);
        let sort = match self.sort.as_deref() {
            Some("risk") => "risk",
            Some("opened") => "newest",
            Some("updated") => "last change",
            _ => "deadline",
        };
        let x = put(buffer, area, x, area.y, " ─ ", shared.style(Role::Border));
        let x = put(buffer, area, x, area.y, &fit(&filter, usize::from(area.width).saturating_sub(34)), shared.style(Role::Accent));
        let x = put(buffer, area, x, area.y, " ─ ", shared.style(Role::Border));
        let x = put(buffer, area, x, area.y, &format!("by {sort}"), shared.style(Role::Dim));
        if matches!(shared.link, Link::Lost(_)) && self.window.loaded() {
            put(buffer, area, x, area.y, "  as it was", shared.style(Role::Warn));
        } else if Columns::of(area.width).who == 0
            && let Some(row) = self.in_front().current()
        {
            // Where there is no column for it, whose the selected case is stands here.
            let with = format!("with {}", row.assignee.as_ref().map_or("nobody", |a| a.as_str()));
            let room = usize::from(area.right().saturating_sub(x + 3));
            let with = fit(&with, room);
            let at = area.right().saturating_sub(u16::try_from(with.width() + 1).unwrap_or(0));
            put(buffer, area, at, area.y, &with, shared.style(Role::Dim));
        }
    }

    /// What stands in the list while there are no rows.
    fn state(&self, buffer: &mut Buffer, area: Rect, shared: &Shared) {
        let window = self.in_front();
        let (text, role) = match (&self.failed, window.loaded()) {
            (_, true) if window.len() == 0 && self.typing.is_some() => ("No case begins with these words.".to_owned(), Role::Dim),
            (Some(why), false) => (format!("✕ {why} {} tries again.", shared.key(Action::Refresh)), Role::Bad),
            (_, false) => ("Asking the server …".to_owned(), Role::Dim),
            (_, true) if window.len() == 0 => {
                let [filter, unfilter, views, next] = [Action::Filter, Action::Unfilter, Action::Views, Action::TakeNext].map(|a| shared.key(a));
                let takes = shared.me.as_ref().is_none_or(|me| me.operations.iter().any(|o| Some(o.as_str()) == Action::TakeNext.row().operation));
                let next = if takes { format!(", {next} takes the next case") } else { String::new() };
                (format!("No case here. {filter} changes the filter, {unfilter} drops it, {views} chooses a view{next}."), Role::Dim)
            }
            _ => return,
        };
        for (i, line) in wrap(&text, usize::from(area.width).saturating_sub(2)).iter().enumerate() {
            put(buffer, area, area.x + 1, area.y + u16::try_from(i).unwrap_or(0), line, shared.style(role));
        }
    }

    /// The line that is typed in, and below the list, so that it can be seen to narrow, what may be typed.
    fn draw_filter(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let Some(text) = &self.typing else { return };
        let buffer = frame.buffer_mut();
        let line = Rect { height: 1, ..area };
        clear(buffer, line, shared.style(Role::Text));
        put(buffer, line, line.x, line.y, " / ", shared.style(Role::Key));
        let found = self.live.as_ref().map_or_else(|| "…".to_owned(), |live| live.found(text.text()));
        let room = line.width.saturating_sub(u16::try_from(found.width()).unwrap_or(0) + 1);
        put(buffer, line, line.x + room, line.y, &found, shared.style(Role::Dim));
        let (seen, (x, _)) = text.seen(usize::from(room).saturating_sub(5), 1);
        put(buffer, line, line.x + 3, line.y, seen.first().map_or("", String::as_str), shared.style(Role::Input));
        let offers = offers(text.text());
        let (place, shown) = offers_place(area, offers.len());
        clear(buffer, place, shared.style(Role::Text));
        let title = format!("{} completes, Enter filters, {} leaves", shared.key(Action::NextField), shared.key(Action::Cancel));
        let inner = boxed(buffer, place, &title, shared.style(Role::Border), shared.style(Role::Dim));
        let said = self.live.as_ref().and_then(|live| live.said(text.text()));
        let (first, role) = match (&self.mistake, said) {
            (Some(mistake), _) => (mistake.clone(), Role::Bad),
            (None, Some(said)) => (said, Role::Info),
            (None, None) => ("words: how name, id, target or case number begin; fields:".to_owned(), Role::Dim),
        };
        put(buffer, inner, inner.x, inner.y, &fit(&first, usize::from(inner.width)), shared.style(role));
        for (i, (word, meaning)) in offers.iter().take(shown).enumerate() {
            let y = inner.y + 1 + u16::try_from(i).unwrap_or(0);
            put(buffer, inner, inner.x, y, word, shared.style(if i == 0 { Role::Match } else { Role::Text }));
            put(buffer, inner, inner.x + 24, y, meaning, shared.style(Role::Dim));
        }
        frame.set_cursor_position((line.x + 3 + x, line.y));
    }

    fn draw_preview(&self, buffer: &mut Buffer, area: Rect, shared: &Shared) {
        let title = self.preview.as_ref().map_or_else(|| "Case".to_owned(), |c| format!("Case {}", c.row.id));
        let inner = boxed(buffer, area, &title, shared.style(Role::Border), shared.style(Role::Heading));
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let Some(case) = &self.preview else { return };
        let row = &case.row;
        let mut lines = vec![
            (format!("{}  {}", row.subject_name.line(), row.kind.label()), Role::Accent),
            (format!("{} · {} · {}", row.action.label(), row.path.label(), row.channel.label()), Role::Text),
            (format!("Opened by  {}", super::shown(&case.opened_by)), Role::Text),
            (format!("With       {}", row.assignee.as_ref().map_or("nobody", |a| a.as_str())), Role::Text),
            (format!("Checklist  {} of {}", row.proof_done, row.proof_needed), Role::Text),
        ];
        lines.extend(case.checklist.next.iter().map(|next| (format!("Next       {}", super::shown(next)), Role::Info)));
        lines.extend(case.hold.iter().map(|hold| (format!("‖ Held by {}", hold.source.label()), Role::Bad)));
        lines.extend(case.flags.iter().take(3).map(|f| (format!("⚑ {}", f.kind.label()), Role::Warn)));
        if !case.other_open_cases.is_empty() {
            let others: Vec<String> = case.other_open_cases.iter().take(3).map(ToString::to_string).collect();
            lines.push((format!("Also open  {}", others.join(", ")), Role::Warn));
        }
        if !case.you_cannot_decide.is_empty() {
            let why: Vec<String> = case.you_cannot_decide.iter().map(|d| super::shown(&d.sentence)).collect();
            lines.push((format!("Why you can't approve: {}", why.join("; ")), Role::Warn));
        }
        let could = &case.could_decide;
        let on: Vec<String> = could.on_shift.iter().map(ToString::to_string).collect();
        let on = if on.is_empty() { "none on shift".to_owned() } else { format!("on shift: {}", some(&on)) };
        lines.push((format!("Could decide: {}, {on}", could.operators.len()), if could.enough { Role::Text } else { Role::Bad }));
        let mut y = inner.y;
        for (text, role) in lines {
            for line in wrap(&text, usize::from(inner.width)) {
                put(buffer, inner, inner.x, y, &line, shared.style(role));
                y += 1;
            }
        }
    }
}

/// The rows of a list below its title and heads.
fn below_heads(list: Rect) -> Rect {
    Rect { y: list.y + 2, height: list.height.saturating_sub(2), ..list }
}

/// Where what may be typed is said over a list, and how many of so many offers.
fn offers_place(list: Rect, offers: usize) -> (Rect, usize) {
    let shown = usize::from(list.height / 4).clamp(3, 8).min(offers);
    let height = u16::try_from(shown + 3).unwrap_or(11).min(list.height.saturating_sub(1));
    (Rect { x: list.x + 2, y: list.bottom().saturating_sub(height), width: 76.min(list.width.saturating_sub(2)), height }, shown)
}

fn heads(buffer: &mut Buffer, area: Rect, columns: &Columns, shared: &Shared) {
    let style = shared.style(Role::Heading);
    let y = area.y + 1;
    for (x, text) in [
        (1, "Case"),
        (columns.subject, "Subject"),
        (columns.action, "Action"),
        (columns.risk, "Risk"),
        (columns.proof, if columns.proof < columns.waiting { "Proof" } else { "" }),
        (columns.waiting, "Waiting on"),
        (columns.due, "Due"),
    ] {
        put(buffer, area, area.x + x, y, text, style);
    }
    if columns.who > 0 {
        put(buffer, area, area.x + columns.who, y, "With", style);
    }
}

fn draw_row(buffer: &mut Buffer, area: Rect, row: &CaseRow, (here, stale): (bool, bool), columns: &Columns, shared: &Shared) {
    let (y, text) = (area.y, shared.style(if stale { Role::Dim } else { Role::Text }));
    let mut cell = |x: u16, end: u16, what: &str, style| {
        put(buffer, area, area.x + x, y, &fit(what, usize::from(end.saturating_sub(x + 1))), style);
    };
    if here {
        cell(0, 2, "▌", shared.style(Role::Marker));
    }
    cell(1, columns.subject, &row.id.to_string(), if here { shared.style(Role::Selected) } else { text });
    cell(columns.subject, columns.action, &row.subject_name.line(), text);
    cell(columns.action, columns.risk, row.action.label(), text);
    let (mark, role) = risk(row.risk);
    cell(columns.risk, columns.proof, mark, shared.style(role));
    cell(columns.proof, columns.waiting, &proof(row.proof_done, row.proof_needed), shared.style(Role::Info));
    let end = if columns.who > 0 { columns.who } else { columns.due };
    // Where there is no column for it, a case that waits for its agent waits for them by name.
    let waits = match (&row.assignee, row.waiting_on) {
        (Some(who), WaitingOn::Agent) if columns.who == 0 && !row.held && waiting(shared, row) != "you" => who.to_string(),
        _ => waiting(shared, row),
    };
    cell(columns.waiting, end, &waits, if row.held { shared.style(Role::Bad) } else { text });
    if columns.who > 0 {
        cell(columns.who, columns.due, row.assignee.as_ref().map_or("", |a| a.as_str()), shared.style(Role::Dim));
    }
    if let Some(due) = row.due {
        let left = due - shared.server_now();
        let (mark, role) = if left < TimeDelta::zero() {
            ("", Role::Bad)
        } else if left < TimeDelta::minutes(15) {
            (" !", Role::Warn)
        } else {
            ("", Role::Text)
        };
        cell(columns.due, area.width + 1, &format!("{}{mark}", deadline(left)), shared.style(role));
    }
    if row.flags > 0 {
        cell(columns.subject - 1, columns.subject + 1, "⚑", shared.style(Role::Warn));
    }
}
