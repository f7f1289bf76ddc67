//! How a case looks: a head that stays (what, where it stands, why not you, who could), pages, and beside them what can be done now.
//!
//! Contract: pure. The head's words on who may decide are never scrolled away.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::forms::who_remains;
use super::pages::{clean, when};
use super::{Case, Tab};
use crate::api::case::{CaseDetail, HoldDetail};
use crate::api::words::Decision;
use crate::console::action::{Action, Applies, Scope};
use crate::console::model::{Link, Shared};
use crate::console::screen::Screen as _;
use crate::console::screen::queue::draw::{deadline, risk, spoken_deadline};
use crate::console::theme::Role;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{boxed, fit, put, wrap};

/// From this width on, what can be done stands beside the page.
const SPLIT: u16 = 110;
/// How wide that is.
const BESIDE: u16 = 40;
/// The most lines that why and who take.
const MAX_WHY: usize = 4;

/// The room of the page, and of what can be done where there is room for it.
pub(super) fn split(area: Rect, head: u16) -> (Rect, Option<Rect>) {
    let below = Rect { y: area.y + head, height: area.height.saturating_sub(head), ..area };
    if area.width < SPLIT {
        return (below, None);
    }
    let page = Rect { width: below.width - BESIDE, ..below };
    (page, Some(Rect { x: page.right(), width: BESIDE, ..below }))
}

/// Why the reader can't decide and who could; nothing for someone who has no hand in it while all is well.
fn why(case: &CaseDetail) -> Option<(String, Role)> {
    let could = who_remains(case, None);
    if case.you_cannot_decide.is_empty() {
        return if case.could_decide.enough || case.row.state.is_ended() { None } else { Some((format!("▲ {could}"), Role::Bad)) };
    }
    let why: Vec<String> = case.you_cannot_decide.iter().map(|d| clean(&d.sentence)).collect();
    Some((format!("Why you can't approve: {}. {could}", why.join("; ")), Role::Warn))
}

fn why_lines(case: &CaseDetail, width: u16, shared: &Shared) -> Vec<(String, Role)> {
    let Some((text, role)) = why(case) else { return Vec::new() };
    let room = usize::from(width.saturating_sub(2));
    let mut lines = wrap(&text, room);
    if lines.len() > MAX_WHY {
        // What stands last (who could decide) is the way out: it is never what is cut.
        let tail = wrap(&who_remains(case, None), room);
        lines.truncate(MAX_WHY.saturating_sub(tail.len()).max(1));
        lines.push(format!("… ({} shows all reasons)", shared.key(Action::Tab4)));
        lines.extend(tail);
    }
    lines.into_iter().map(|l| (l, role)).collect()
}

impl Case {
    pub(super) fn head_height(&self, width: u16, shared: &Shared) -> u16 {
        let Some(case) = &self.seen else { return 1 };
        let held = u16::from(case.hold.is_some());
        3 + held + u16::try_from(why_lines(case, width, shared).len()).unwrap_or(0)
    }

    /// The pages' names; shorter ones where the usual ones don't fit.
    fn tabs_within(&self, width: u16) -> Vec<(String, Tab)> {
        let mut tabs = self.tabs();
        let wide: usize = tabs.iter().map(|(text, _)| text.width() + 3).sum();
        if wide > usize::from(width) + 1 {
            for (text, _) in &mut tabs {
                *text = text.replace("Checklist", "List").replace("Approvals", "Appr.").replace("Timeline", "Time").replace("Evidence", "Evid.");
            }
        }
        tabs
    }

    fn tabs(&self) -> Vec<(String, Tab)> {
        let Some(case) = &self.seen else { return Vec::new() };
        let missing = usize::from(case.row.approvals_missing);
        let (list, decisions) = (&case.checklist, case.approvals.iter().filter(|a| a.void.is_none()).count());
        vec![
            ("1 Overview".into(), Tab::Overview),
            (format!("2 Checklist {}/{}", list.done, list.items.len()), Tab::Checklist),
            (format!("3 Evidence {}", case.evidence.len() + case.comments.len()), Tab::Evidence),
            (if case.seal.is_some() { format!("4 Approvals {decisions}/{}", decisions + missing) } else { "4 Approvals".into() }, Tab::Approvals),
            ("5 Timeline".into(), Tab::Timeline),
        ]
    }

    pub(super) fn tab_at(&self, column: u16, width: u16) -> Option<Tab> {
        let mut x = 1;
        for (text, tab) in self.tabs_within(width) {
            let end = x + text.width();
            if (x..end).contains(&usize::from(column)) {
                return Some(tab);
            }
            x = end + 3;
        }
        None
    }

    pub(super) fn draw_case(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let head = self.head_height(area.width, shared);
        let Some(case) = self.seen.as_deref() else {
            let (text, role) = match &self.failed {
                Some(why) => (format!("✕ {why} {} tries again, {} goes back.", shared.key(Action::Refresh), shared.key(Action::Back)), Role::Bad),
                None => ("Asking the server …".to_owned(), Role::Dim),
            };
            for (i, line) in wrap(&text, usize::from(area.width).saturating_sub(2)).iter().enumerate() {
                put(frame.buffer_mut(), area, area.x + 1, area.y + u16::try_from(i).unwrap_or(0), line, shared.style(role));
            }
            return;
        };
        let (page, _) = split(area, head);
        let meaning = self.meaning(case, page.width, shared);
        let needs = self.open.as_ref().map_or(0, |open| 2 + meaning.len() + open.form.rows(page.width.saturating_sub(2)).0);
        // A form that has no room below the head takes all of it but the line that says which case it is about.
        let head = if needs > usize::from(page.height) { 1 } else { head };
        self.draw_head(frame.buffer_mut(), Rect { height: head, ..area }, case, shared);
        let (page, beside) = split(area, head);
        match &self.open {
            Some(open) => {
                let inner = boxed(frame.buffer_mut(), page, open.purpose.title(), shared.style(Role::Border), shared.style(Role::Heading));
                let mut y = inner.y;
                // A line of what is typed, and what is wrong with it, come before what sending it means.
                let room = usize::from(inner.height).saturating_sub(open.form.rows(inner.width).1);
                for (line, role) in meaning.iter().take(room) {
                    put(frame.buffer_mut(), inner, inner.x + 1, y, line, shared.style(*role));
                    y += 1;
                }
                open.form.draw(frame, Rect { y, height: inner.bottom().saturating_sub(y), ..inner }, shared);
            }
            None => self.sheet(shared).draw(frame.buffer_mut(), page, self.scrolls[self.tab.index()].0, shared),
        }
        if let Some(beside) = beside {
            self.draw_beside(frame.buffer_mut(), beside, shared);
        }
    }

    /// What sending the open form means, in the lines it takes in a box of that width.
    fn meaning(&self, case: &CaseDetail, width: u16, shared: &Shared) -> Vec<(String, Role)> {
        let Some(open) = &self.open else { return Vec::new() };
        let me = shared.me.as_ref().and_then(|m| m.operator.as_ref());
        let lines = |(text, role): (String, Role)| wrap(&text, usize::from(width).saturating_sub(4)).into_iter().map(move |l| (l, role));
        open.purpose.meaning(case, me).into_iter().flat_map(lines).collect()
    }

    fn draw_head(&self, buffer: &mut Buffer, area: Rect, case: &CaseDetail, shared: &Shared) {
        let row = &case.row;
        let due = row.due.map(|d| deadline(d - shared.server_now()));
        let due = due.map(|d| if d.starts_with("late") { format!(" · {d}") } else { format!(" · due {d}") }).unwrap_or_default();
        let stale = if matches!(shared.link, Link::Lost(_)) { " · as it was" } else { "" };
        let (mark, role) = risk(row.risk);
        let right = format!("{}{due}{stale}", row.state.label());
        let at = area.right().saturating_sub(u16::try_from(right.width() + mark.width() + 3).unwrap_or(0));
        let x = put(buffer, area, area.x + 1, area.y, &row.id.to_string(), shared.style(Role::Accent));
        let room = usize::from(at.saturating_sub(x + 3));
        put(buffer, area, x + 2, area.y, &fit(&row.subject_name.line(), room), shared.style(Role::Heading));
        let x = put(buffer, area, at, area.y, mark, shared.style(role));
        put(buffer, area, x + 2, area.y, &right, shared.style(Role::Text));
        let with = row.assignee.as_ref().map_or_else(|| "with nobody".to_owned(), |a| format!("with {a}"));
        let line = format!("{} · {} · {} · {} · {with}", row.kind.label(), row.action.label(), row.path.label(), row.tier.label());
        put(buffer, area, area.x + 1, area.y + 1, &fit(&line, usize::from(area.width).saturating_sub(2)), shared.style(Role::Dim));
        let mut y = area.y + 2;
        if let Some(hold) = &case.hold {
            let reason = hold.reason.as_ref().map(|r| format!(": {}", r.line())).unwrap_or_default();
            let text = format!("‖ HELD by {} since {}{reason}", hold.source.label(), when(hold.since));
            put(buffer, area, area.x + 1, y, &fit(&text, usize::from(area.width).saturating_sub(2)), shared.style(Role::Bad));
            y += 1;
        }
        for (text, role) in why_lines(case, area.width, shared) {
            put(buffer, area, area.x + 1, y, &text, shared.style(role));
            y += 1;
        }
        let mut x = area.x + 1;
        for (text, tab) in self.tabs_within(area.width) {
            let role = if tab == self.tab { Role::Selected } else { Role::Dim };
            x = put(buffer, area, x, y, &text, shared.style(role)) + 3;
        }
    }

    /// What can be done now with its key, and what can't with the reason.
    fn draw_beside(&self, buffer: &mut Buffer, area: Rect, shared: &Shared) {
        let inner = boxed(buffer, area, "What can be done", shared.style(Role::Border), shared.style(Role::Heading));
        let mut sheet = Sheet::default();
        for (action, applies) in self.doable(shared) {
            let key = shared.keymap.shown(action).unwrap_or_else(|| ":".into());
            if applies == Applies::Yes {
                sheet.fact_as(&key, action.row().name, Role::Text);
            }
        }
        let refused = self.not_now(shared);
        let height = u16::try_from(sheet.height(inner.width)).unwrap_or(inner.height).min(inner.height);
        draw_keys(buffer, Rect { height, ..inner }, self.doable(shared), shared);
        refused.draw(buffer, Rect { y: inner.y + height + 1, height: inner.height.saturating_sub(height + 1), ..inner }, 0, shared);
    }

    /// What can't be done: acts with the same reason together; those of other roles or states in a line each, since trying one says why.
    fn not_now(&self, shared: &Shared) -> Sheet {
        let mut sheet = Sheet::default();
        let refused = |action: Action| match (decision(action), &self.seen) {
            (Some(decision), Some(case)) => case.refused_to(decision),
            _ => self.seen.iter().flat_map(|c| &c.refused_actions).find(|r| Some(r.action.as_str()) == action.row().operation),
        };
        // What can be done after something else says so, and is none that only another state has a place for.
        let code = |action: Action| refused(action).filter(|r| !r.says_the_way()).map_or("", |r| r.code.as_str());
        let (mut others, mut later) = (Vec::new(), Vec::new());
        let mut why_not: Vec<(String, Vec<&str>)> = Vec::new();
        for (action, applies) in self.doable(shared) {
            let Applies::No(why) = applies else { continue };
            let name = action.row().name;
            match code(action) {
                "role-missing" | "not-permitted" => others.push(name),
                // Why a hold can't be lifted yet is what its reader came for.
                "wrong-state" | "already" if action != Action::LiftHold || self.seen.as_ref().is_none_or(|c| c.hold.is_none()) => later.push(name),
                _ => match why_not.iter_mut().find(|(reason, _)| *reason == why) {
                    Some((_, names)) => names.push(name),
                    None => why_not.push((why, vec![name])),
                },
            }
        }
        for (why, names) in why_not {
            sheet.item(("✕", Role::Dim), format!("{}: {why}", names.join(", ")), Role::Dim);
        }
        for (words, names) in [("Not now", later), ("For other roles", others)] {
            if !names.is_empty() {
                sheet.item(("✕", Role::Dim), format!("{words}: {}", names.join(", ")), Role::Dim);
            }
        }
        sheet
    }

    /// Every act on a case and whether it can be done.
    fn doable(&self, shared: &Shared) -> Vec<(Action, Applies)> {
        let acts = Action::ALL.iter().filter(|a| a.row().scope.meets(Scope::CASE));
        let acts = acts.filter(|a| a.row().operation.is_some() || matches!(a, Action::Approve | Action::Deny));
        acts.map(|a| (*a, self.doable_now(shared, *a))).collect()
    }

    /// Deciding can always be looked at; whether it can be done is the server's word on `decide`.
    pub(super) fn doable_now(&self, shared: &Shared, action: Action) -> Applies {
        let refused = decision(action).and_then(|d| self.seen.as_ref()?.refused_to(d));
        refused.map_or_else(|| self.applies(shared, action), |refused| Applies::No(clean(&refused.reason)))
    }

    /// The case as lines to be read out.
    pub(super) fn read_out(&self, shared: &Shared) -> Vec<String> {
        let Some(case) = self.seen.as_deref() else {
            return vec![self.failed.clone().unwrap_or_else(|| "Asking the server.".into())];
        };
        let row = &case.row;
        let due = row.due.map(|d| format!(", {}", spoken_deadline(d - shared.server_now()))).unwrap_or_default();
        let mut lines = vec![
            format!("Case {}, {}, {}, {}", row.id, row.subject_name.line(), row.kind.label(), row.action.label()),
            format!("State: {}, risk {}{due}, with {}", row.state.label(), row.risk.label(), row.assignee.as_ref().map_or("nobody", |a| a.as_str())),
        ];
        let reason = |h: &HoldDetail| h.reason.as_ref().map(|r| format!(": {}", r.line())).unwrap_or_default();
        lines.extend(case.hold.iter().map(|h| format!("Held by {} since {}{}", h.source.label(), when(h.since), reason(h))));
        lines.extend(why(case).map(|(text, _)| text));
        let here = self.tabs().into_iter().map(|(text, tab)| if tab == self.tab { format!("{text} (shown)") } else { text });
        lines.push(format!("Pages: {}", here.collect::<Vec<_>>().join(", ")));
        if let Some(open) = &self.open {
            lines.push(format!("Form: {}", open.purpose.title()));
            let me = shared.me.as_ref().and_then(|m| m.operator.as_ref());
            lines.extend(open.purpose.meaning(case, me).into_iter().map(|(text, _)| text));
        } else {
            lines.extend(self.sheet(shared).lines());
            let can: Vec<&str> = self.doable(shared).iter().filter(|(_, a)| *a == Applies::Yes).map(|(a, _)| a.row().name).collect();
            lines.push(format!("You can: {}", can.join(", ")));
        }
        lines
    }
}

/// The decision that an act looks at.
const fn decision(action: Action) -> Option<Decision> {
    match action {
        Action::Approve => Some(Decision::Approve),
        Action::Deny => Some(Decision::Deny),
        _ => None,
    }
}

fn draw_keys(buffer: &mut Buffer, area: Rect, acts: Vec<(Action, Applies)>, shared: &Shared) {
    let can = acts.into_iter().filter(|(_, a)| *a == Applies::Yes);
    for (i, (action, _)) in can.take(usize::from(area.height)).enumerate() {
        let y = area.y + u16::try_from(i).unwrap_or(0);
        let key = shared.keymap.shown(action).unwrap_or_else(|| ":".into());
        put(buffer, area, area.x + 1, y, &fit(&key, 6), shared.style(Role::Key));
        put(buffer, area, area.x + 8, y, action.row().name, shared.style(Role::Text));
    }
}
