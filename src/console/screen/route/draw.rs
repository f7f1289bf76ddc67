//! How routing looks: the search or the form, and beside or below it what routing would cost.
//!
//! Contract: pure. The cost is in sight whenever the form is.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Routing;
use crate::api::case::{CaseDetail, RoutePreview};
use crate::api::cost::NO_TARGET;
use crate::base::ids::CaseId;
use crate::console::action::Action;
use crate::console::model::Shared;
use crate::console::screen::case::forms::some;
use crate::console::screen::case::pages::clean;
use crate::console::theme::Role;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{boxed, fit, put};

/// From this width on the cost stands beside the form.
const SPLIT: u16 = 100;

/// What routing costs, as sentences, and whether each is a warning. `case` is the one that goes another way.
pub(super) fn costs(preview: &RoutePreview, case: Option<&CaseDetail>) -> Vec<(bool, String)> {
    let give_up = if preview.you_give_up {
        "You give up deciding this case, for good: whoever routes never decides.".to_owned()
    } else {
        "You would not come into its lineage.".to_owned()
    };
    let could = &preview.could_decide;
    let on: Vec<String> = could.on_shift.iter().map(ToString::to_string).collect();
    let on = if on.is_empty() { "none on shift".to_owned() } else { format!("on shift: {}", some(&on)) };
    let mut all = vec![(preview.you_give_up, give_up)];
    all.extend(preview.target_missing.then(|| (true, NO_TARGET.to_owned())));
    // A way that can't be taken leaves everything as it is.
    all.extend(case.filter(|_| preview.problem.is_none()).into_iter().flat_map(|case| preview.becomes(case)));
    all.push((false, format!("Could still decide: {}; {on}.", could.operators.len())));
    if !could.enough {
        let groups: Vec<String> = could.missing_groups.iter().map(|g| clean(g)).collect();
        let of = if groups.is_empty() { String::new() } else { format!(" Nobody left of: {}.", groups.join(", ")) };
        all.push((true, format!("That is not enough: no one could decide it.{of}")));
    }
    all.push((false, format!("Approvals needed: {}.", clean(&preview.approvals_needed))));
    all
}

pub(super) fn open_cases(open: &[CaseId]) -> Option<String> {
    let open: Vec<String> = open.iter().map(ToString::to_string).collect();
    (!open.is_empty()).then(|| format!("already open: {}", open.join(", ")))
}

impl Routing {
    fn cost(&self) -> Sheet {
        let mut s = Sheet::default();
        s.head("What routing costs");
        match (&self.preview, &self.unclear) {
            (_, Some(why)) => s.text(why.clone(), Role::Warn),
            (None, None) => s.text("Asking the server …", Role::Dim),
            (Some(preview), None) => {
                if let Some(problem) = &preview.problem {
                    s.item(("✕", Role::Bad), clean(problem), Role::Bad);
                }
                let lines = costs(preview, self.case.as_deref());
                // Of a way that can't be taken as it is, it is said what is wrong, not that it costs nothing and is for good.
                let idle = preview.problem.is_some() && !preview.you_give_up;
                for (warn, line) in lines.iter().skip(usize::from(idle)) {
                    let (mark, role) = if *warn { (("▲", Role::Warn), Role::Warn) } else { (("•", Role::Dim), Role::Text) };
                    s.item(mark, line.clone(), role);
                }
                let act = if self.case_id.is_some() { Action::RouteCase } else { Action::NewCase };
                act.row().before().filter(|_| !idle).into_iter().for_each(|text| s.item(("▲", Role::Warn), text, Role::Warn));
                s.head("What will be needed");
                for item in &preview.checklist.items {
                    s.item(if item.receipt.is_some() { ("●", Role::Good) } else { ("○", Role::Dim) }, clean(&item.title), Role::Text);
                    s.heard(preview.stands(item));
                }
                s.head("Who would have a hand in it");
                // Who has the same duty here and in a linked case is named once.
                let mut named: Vec<String> = Vec::new();
                for d in &preview.lineage {
                    let text = format!("{} {}", d.name.line(), d.duty.label());
                    if !named.contains(&text) {
                        s.item(("•", Role::Dim), text.clone(), Role::Text);
                        named.push(text);
                    }
                }
            }
        }
        s
    }

    fn title(&self) -> String {
        match self.case_id {
            Some(id) => format!("Send {id} another way"),
            None => "Open a case".to_owned(),
        }
    }

    pub(super) fn draw_routing(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let width = usize::from(area.width).saturating_sub(2);
        put(frame.buffer_mut(), area, area.x + 1, area.y, &self.title(), shared.style(Role::Heading));
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let Some(subject) = &self.subject else {
            if self.case_id.is_none() {
                self.draw_search(frame, below, shared);
            } else {
                put(frame.buffer_mut(), below, below.x + 1, below.y, "Asking the server …", shared.style(Role::Dim));
            }
            return;
        };
        let line = format!("{} · {} · {} tier · id {}", subject.name.line(), subject.kind.label(), subject.tier.label(), subject.id);
        put(frame.buffer_mut(), below, below.x + 1, below.y, &fit(&line, width), shared.style(Role::Accent));
        if let Some(open) = open_cases(&subject.open_cases).filter(|_| self.case_id.is_none()) {
            put(frame.buffer_mut(), below, below.x + 1, below.y + 1, &fit(&format!("▲ {open}"), width), shared.style(Role::Warn));
        }
        let rest = Rect { y: below.y + 2, height: below.height.saturating_sub(2), ..below };
        let (form, cost) = if area.width >= SPLIT {
            let form = Rect { width: rest.width / 2, ..rest };
            (form, Rect { x: form.right(), width: rest.width - form.width, ..rest })
        } else {
            // A line of the form, and what is wrong with it, come before the cost, which is asked once more before it is sent.
            let cost = rest.height.saturating_sub(u16::try_from(self.form.rows(rest.width).1).unwrap_or(0)).min(7);
            let height = rest.height - cost;
            (Rect { height, ..rest }, Rect { y: rest.y + height, height: cost, ..rest })
        };
        self.form.draw(frame, form, shared);
        if area.width >= SPLIT {
            let inner = boxed(frame.buffer_mut(), cost, "Before you send", shared.style(Role::Border), shared.style(Role::Heading));
            self.cost().draw(frame.buffer_mut(), inner, 0, shared);
        } else {
            put(frame.buffer_mut(), cost, cost.x, cost.y, &"─".repeat(usize::from(cost.width)), shared.style(Role::Border));
            let inner = Rect { y: cost.y + 1, height: cost.height.saturating_sub(1), ..cost };
            self.cost().draw(frame.buffer_mut(), inner, 1, shared);
        }
    }

    fn draw_search(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let y = self.search.draw(frame, area, shared) + 1;
        let buffer = frame.buffer_mut();
        let list = Rect { y, height: area.bottom().saturating_sub(y), ..area };
        if !self.answers() && !self.words().is_empty() {
            put(buffer, list, list.x + 1, list.y, "Looking …", shared.style(Role::Dim));
            return;
        }
        let found = match &self.found {
            None => return,
            Some(found) if found.is_empty() => {
                put(buffer, list, list.x + 1, list.y, "Nobody of that name is recorded.", shared.style(Role::Dim));
                return;
            }
            Some(found) => found,
        };
        let mut cursor = self.cursor;
        cursor.show(found.len(), usize::from(list.height));
        for (i, row) in found.iter().enumerate().skip(cursor.top).take(usize::from(list.height)) {
            let y = list.y + u16::try_from(i - cursor.top).unwrap_or(0);
            let here = i == cursor.at;
            put(buffer, list, list.x, y, if here { "▌" } else { " " }, shared.style(Role::Marker));
            let style = shared.style(if here { Role::Selected } else { Role::Text });
            let x = put(buffer, list, list.x + 1, y, &fit(&row.name.line(), 24), style).max(list.x + 26);
            // Before the rest: whoever takes a case in must not miss that there is one.
            let open = open_cases(&row.open_cases).map(|o| format!("▲ {o}  ")).unwrap_or_default();
            let x = put(buffer, list, x, y, &open, shared.style(Role::Warn));
            put(buffer, list, x, y, &format!("{} · {} · {}", row.id, row.kind.label(), row.tier.label()), shared.style(Role::Dim));
        }
    }

    pub(super) fn read_out(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        match &self.subject {
            Some(subject) => {
                lines.push(format!("Subject {}, {}, id {}", subject.name.line(), subject.kind.label(), subject.id));
                lines.extend(open_cases(&subject.open_cases));
                lines.extend(self.cost().lines());
            }
            None => {
                for (i, row) in self.found.iter().flatten().enumerate() {
                    let open = open_cases(&row.open_cases).map(|o| format!(", {o}")).unwrap_or_default();
                    lines.push(format!("{}. {}, {}, id {}{open}", i + 1, row.name.line(), row.kind.label(), row.id));
                }
            }
        }
        lines
    }
}
