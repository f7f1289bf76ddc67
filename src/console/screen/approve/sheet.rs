//! What a decision is made on, as one page: what is signed, with the statement itself, and then what the server says beside it.
//!
//! Contract: pure. What is signed shows all that the seal's digests stand for, whole, and nothing else: the mark on the statement is for that
//! alone (`api::recompute` names the fields). What nobody signs stands apart from it.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Approve;
use crate::api::case::CaseDetail;
use crate::base::{Time, Untrusted};
use crate::console::action::Action;
use crate::console::model::Shared;
use crate::console::screen::case::pages::{self, clean, when};
use crate::console::screen::queue::draw::until;
use crate::console::theme::Role;
use crate::console::widget::runs::running;
use crate::console::widget::sheet::Sheet;
use crate::console::widget::{clear, fit, put};

/// The head of what is signed.
const SIGNED: &str = "What you sign";

impl Approve {
    pub(super) fn page(&self, area: Rect) -> Rect {
        let head = u16::try_from(self.head_shown(area).len()).unwrap_or(1);
        Rect { y: area.y + head, height: area.height.saturating_sub(head + self.foot_height()), ..area }
    }

    pub(super) fn draw_foot(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let buffer = frame.buffer_mut();
        let inner = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) };
        clear(buffer, area, shared.style(Role::Text));
        put(buffer, area, area.x, area.y, &"─".repeat(usize::from(area.width)), shared.style(Role::Border));
        self.reason.draw(frame, inner, shared);
        let key = |action| shared.key(action);
        let text = match (self.blocked(), self.sending.waits()) {
            (_, true) => ("Sending …".to_owned(), Role::Info),
            (Some(_), _) if self.insists(shared) => {
                (format!("Blocked: see above. {} tries it all the same: refused, and kept in the log.", key(Action::Decide)), Role::Warn)
            }
            (Some(_), _) => ("Nothing can be sent: see above.".to_owned(), Role::Warn),
            (None, _) if self.writing => {
                (format!("{} asks once more before it is sent; {} goes back to reading.", key(Action::Submit), key(Action::Cancel)), Role::Dim)
            }
            (None, _) => {
                let [reason, send, back] = [Action::Reason, Action::Decide, Action::Back].map(key);
                (format!("{reason} writes the reason; {send} sends, once confirmed; {back} leaves, the reason is kept."), Role::Dim)
            }
        };
        let buffer = frame.buffer_mut();
        put(buffer, area, area.x + 1, area.bottom() - 1, &fit(&text.0, usize::from(area.width) - 2), shared.style(text.1));
    }

    /// How much of what is signed was never in sight, if any of it; whoever listens has heard it all.
    pub(super) fn unread(&self, case: &CaseDetail, shared: &Shared) -> Option<String> {
        let page = self.page(shared.body());
        // As high as it is while one reads: the reason that is being written covers some of it.
        let height = usize::from(page.height + self.foot_height()).saturating_sub(usize::from(super::FOOT));
        let below = self.sheet(case, shared).height(page.width).saturating_sub(self.farthest.max(self.scroll.0) + height);
        let lines = if below == 1 { "line" } else { "lines" };
        (below > 0 && !shared.plain)
            .then(|| format!("Not yet read: {below} {lines} below what you saw of what is signed, and of what is said beside it."))
    }

    /// What is signed comes first, from the fields that the statement is worked out anew from and no others; what the server says beside it
    /// is no part of that.
    pub(super) fn sheet(&self, case: &CaseDetail, shared: &Shared) -> Sheet {
        let mut s = Sheet::default();
        for (text, role) in self.head_rest(shared) {
            s.text(text, role);
        }
        s.head(SIGNED);
        signed_plan(&mut s, case);
        signed_proofs(&mut s, case);
        signed_rest(&mut s, case);
        self.statement_part(&mut s, shared);
        s.head("What the server says beside it: not part of what you sign");
        request(&mut s, case);
        beside(&mut s, case, shared);
        s
    }

    fn statement_part(&self, s: &mut Sheet, shared: &Shared) {
        s.head("The statement, as it will be sent");
        match (&self.statement, &self.statement_failed) {
            (Some(statement), _) => {
                s.text(clean(&statement.statement), Role::Text);
                s.fact("Good for", running(&good_for(statement.submit_before - shared.server_now())));
                if self.differ.is_empty() {
                    s.item(("✓", Role::Good), format!("says exactly what stands above it, from \"{SIGNED}\" on"), Role::Good);
                    s.heard("the statement");
                }
                for d in &self.differ {
                    s.item(("✕", Role::Bad), format!("{d}: it will not be sent"), Role::Bad);
                }
            }
            (None, Some(_)) if self.case.as_ref().is_some_and(|c| c.seal.is_none()) => {
                s.text("Nothing is sealed now, so there is no statement to send.", Role::Warn);
            }
            (None, Some(why)) => s.text(why.clone(), Role::Warn),
            (None, None) => s.text("Asking the server …", Role::Dim),
        }
    }
}

/// A time as it is sealed, to the second.
fn exact(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn listed<T: ToString>(all: &[T]) -> String {
    if all.is_empty() { "none".into() } else { all.iter().map(|x| clean(&x.to_string())).collect::<Vec<_>>().join(", ") }
}

/// What will be done, to whom and where.
fn signed_plan(s: &mut Sheet, case: &CaseDetail) {
    let target = case.plan.as_ref().map_or(&case.target, |plan| &plan.target);
    s.fact_as("What", format!("{} for {} in {target}", case.row.action.label(), case.subject.id), Role::Heading);
    if let Some(plan) = &case.plan {
        pages::plan_facts(s, plan);
    }
}

/// By what it is proved: each requirement by its methods, with its receipt; each piece of evidence by its id and digest, with the text of it.
fn signed_proofs(s: &mut Sheet, case: &CaseDetail) {
    s.head("Checklist");
    for item in &case.checklist.items {
        let any: Vec<&str> = item.methods.iter().map(|m| m.label()).collect();
        let kind = if item.gate { "gate" } else { "proof" };
        let (mark, said) = match &item.receipt {
            Some(r) => {
                let (at, until) = (exact(r.at), exact(r.valid_until));
                (("✓", Role::Good), format!("receipt {} with {}, {at}, valid until {until}", r.id, r.method.label()))
            }
            None => (("○", Role::Warn), "no receipt".to_owned()),
        };
        s.item(mark, format!("{kind} by {}: {said}", any.join(" or ")), Role::Text);
        s.heard("");
    }
    s.head("Evidence");
    if case.evidence.iter().all(|e| e.late) {
        s.text("None sealed.", Role::Dim);
    }
    for e in case.evidence.iter().filter(|e| !e.late) {
        s.item(("•", Role::Dim), format!("{} {}, digest {}", e.kind.label(), e.id, e.sha256), Role::Dim);
        s.more(e.text.as_ref().map_or_else(|| "(erased)".to_owned(), Untrusted::sanitise), Role::Text);
    }
}

/// Whose hands it went through, under which policies, and all digests.
fn signed_rest(s: &mut Sheet, case: &CaseDetail) {
    s.head("Hands in this case (none of these may decide)");
    let persons: BTreeSet<&str> = case.lineage.iter().map(|d| d.person.as_str()).collect();
    s.text(listed(&persons.into_iter().collect::<Vec<_>>()), Role::Text);
    let Some(seal) = &case.seal else { return };
    s.head("Policies and digests");
    s.fact("Opened under", case.policy_sha256.to_string());
    s.fact("In force", seal.in_force_sha256.to_string());
    s.fact("Requirement", seal.requirement_sha256.to_string());
    pages::seal_digests(s, seal);
    s.fact("Revision", seal.revision.to_string());
}

/// Who asks for it, about whom, and what was noticed.
fn request(s: &mut Sheet, case: &CaseDetail) {
    let row = &case.row;
    let about = format!("{} · {} · {} · {} tier", row.subject_name.line(), row.kind.label(), case.subject.status.label(), row.tier.label());
    s.fact("Subject", about);
    s.fact("Assurance", format!("{}, recorded in {}", clean(&case.subject.assurance), case.subject.inventory.label()));
    s.fact("Held before", listed(&case.subject.entitled));
    if let Some(why) = &case.subject.too_young {
        s.item(("▲", Role::Warn), clean(why), Role::Warn);
    }
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
    // A colleague's warning is to be seen where it is decided.
    for c in &case.comments {
        let said = c.text.as_ref().map_or_else(|| "(erased)".to_owned(), crate::base::Untrusted::sanitise);
        s.fact("Comment", format!("{}, {}: {said}", clean(&c.by), when(c.at)));
    }
}

/// How it will be carried out, and who did what.
fn beside(s: &mut Sheet, case: &CaseDetail, shared: &Shared) {
    s.fact("Executed", pages::carried_out(case, true));
    if let Some(plan) = &case.plan {
        pages::plan_steps(s, plan);
    }
    s.head("What the checklist asks, and why");
    for item in &case.checklist.items {
        pages::checklist_item(s, item, shared.server_now());
    }
    if !case.evidence.is_empty() {
        s.head("Whose evidence");
    }
    for e in &case.evidence {
        let late = if e.late { "; came after sealing, not part of the seal" } else { "" };
        s.item(("•", Role::Dim), format!("{} {}, by {}, {}{late}", e.kind.label(), e.id, clean(&e.by), when(e.at)), Role::Text);
        if e.late {
            s.more(e.text.as_ref().map_or_else(|| "(erased)".to_owned(), Untrusted::sanitise), Role::Text);
        }
    }
    pages::lineage(s, case);
    if let Some(seal) = &case.seal {
        s.fact("Sealed", format!("by {}, {}", clean(&seal.by), when(seal.at)));
    }
}

/// How long a statement can be sent: minutes and seconds, which nobody takes for hours and minutes.
fn good_for(left: chrono::TimeDelta) -> String {
    match left.num_seconds() {
        s @ 0..3600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => until(left),
    }
}
