//! Everything that is signed, as one page: what, for whom, how it is proved, by whose hands, and the statement itself.
//!
//! Contract: pure; shows all that the seal's digests stand for.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Approve;
use crate::api::case::CaseDetail;
use crate::console::model::Shared;
use crate::console::screen::case::pages::{self, clean, when};
use crate::console::screen::queue::draw::until;
use crate::console::theme::Role;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{clear, fit, put};

impl Approve {
    pub(super) fn page(&self, area: Rect) -> Rect {
        let head = u16::try_from(self.head_lines(area.width).len()).unwrap_or(1);
        Rect { y: area.y + head, height: area.height.saturating_sub(head + self.foot_height()), ..area }
    }

    pub(super) fn draw_foot(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let buffer = frame.buffer_mut();
        let inner = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) };
        clear(buffer, area, shared.style(Role::Text));
        put(buffer, area, area.x, area.y, &"─".repeat(usize::from(area.width)), shared.style(Role::Border));
        self.reason.draw(frame, inner, shared);
        let text = match (self.blocked(), self.sending.waits()) {
            (_, true) => ("Sending …", Role::Info),
            (Some(_), _) if self.insists(shared) => ("Blocked: see above. s tries it all the same: refused, and kept in the log.", Role::Warn),
            (Some(_), _) => ("Nothing can be sent: see above.", Role::Warn),
            (None, _) if self.writing => ("Ctrl-s asks once more before it is sent; Esc goes back to reading.", Role::Dim),
            (None, _) => ("e writes the reason; s sends, once confirmed; Esc leaves, the reason is kept.", Role::Dim),
        };
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.bottom() - 1, &fit(text.0, usize::from(area.width) - 2), shared.style(text.1));
    }

    /// How much of what is signed was never in sight, if any of it; whoever listens has heard it all.
    pub(super) fn unread(&self, case: &CaseDetail, shared: &Shared) -> Option<String> {
        let page = self.page(shared.body());
        // As high as it is while one reads: the reason that is being written covers some of it.
        let height = usize::from(page.height + self.foot_height()).saturating_sub(usize::from(super::FOOT));
        let below = self.sheet(case, shared).height(page.width).saturating_sub(self.farthest.max(self.scroll.0) + height);
        let lines = if below == 1 { "line" } else { "lines" };
        (below > 0 && !shared.plain).then(|| format!("Not yet read: {below} {lines} below what you saw of what is signed."))
    }

    pub(super) fn sheet(&self, case: &CaseDetail, shared: &Shared) -> Sheet {
        let mut s = Sheet::default();
        let row = &case.row;
        s.fact_as("What", format!("{} for {} in {}", row.action.label(), row.subject_name.line(), case.target), Role::Heading);
        s.fact("Subject", format!("{} · {} · {} tier · id {}", row.kind.label(), case.subject.status.label(), row.tier.label(), case.subject.id));
        s.fact("Assurance", format!("{}, recorded in {}", clean(&case.subject.assurance), case.subject.inventory.label()));
        s.fact("Scope", case.scope.iter().map(|x| clean(x)).collect::<Vec<_>>().join(", "));
        s.fact("Held before", case.subject.entitled.iter().map(|x| clean(x)).collect::<Vec<_>>().join(", "));
        s.fact("Asked by", format!("{}, by {}; opened by {}", case.requester.line(), row.channel.label(), clean(&case.opened_by)));
        if let Some(text) = &case.summary {
            s.fact("Said", text.sanitise());
        }
        if let Some(t) = &case.triage {
            let how = t.reproduction.as_ref().map(|r| format!(": {}", r.line())).unwrap_or_default();
            s.fact("Triage", format!("{}{how}", t.failure.label()));
        }
        for f in &case.flags {
            s.item(("⚑", Role::Warn), format!("{}, noticed by {}, {}", f.kind.label(), clean(&f.by), when(f.at)), Role::Warn);
        }
        if case.flags.is_empty() {
            s.fact("Flags", "none");
        }
        if let Some(plan) = &case.plan {
            pages::plan_facts(&mut s, plan);
            s.fact("Executed", pages::carried_out(case, true));
        }
        s.head(format!("Checklist, {} of {}", case.checklist.done, case.checklist.items.len()));
        for item in &case.checklist.items {
            pages::checklist_item(&mut s, item, shared.server_now());
        }
        s.head("Evidence");
        if case.evidence.is_empty() {
            s.text("None kept.", Role::Dim);
        }
        pages::evidence_items(&mut s, case);
        pages::lineage(&mut s, case);
        if let Some(seal) = &case.seal {
            pages::seal_facts(&mut s, seal);
        }
        self.statement_part(&mut s, shared);
        s
    }

    fn statement_part(&self, s: &mut Sheet, shared: &Shared) {
        s.head("The statement, as it will be sent");
        match (&self.statement, &self.statement_failed) {
            (Some(statement), _) => {
                s.text(clean(&statement.statement), Role::Text);
                let left = until(statement.submit_before - shared.server_now());
                s.fact("Good for", left);
                if self.differ.is_empty() {
                    s.item(("✓", Role::Good), "says exactly what is shown above", Role::Good);
                    s.heard("the statement");
                }
                for d in &self.differ {
                    s.item(("✕", Role::Bad), format!("{d}: it will not be sent"), Role::Bad);
                }
            }
            (None, Some(why)) => s.text(why.clone(), Role::Warn),
            (None, None) => s.text("Asking the server …", Role::Dim),
        }
    }
}
