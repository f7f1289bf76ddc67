//! The head of a decision: whether one may decide and what stands in the way, above the page of what is signed.
//!
//! Contract: pure. It never takes all the room: what does not fit above the page is where the page begins.

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::{Approve, FOOT, words};
use crate::api::case::CaseDetail;
use crate::api::cost::NO_TARGET;
use crate::api::words::Decision;
use crate::console::action::Action;
use crate::console::model::Shared;
use crate::console::screen::case::pages::clean;
use crate::console::theme::Role;
use crate::console::widget::{fit, wrap};

/// The least rows of the page, while one reads.
const LEAST_PAGE: u16 = 3;

/// That the reader's approval alone is not enough, and who is needed besides; nothing if it is, or if they can't approve.
pub(super) fn not_enough(case: &CaseDetail) -> Option<String> {
    Some(format!("Your approval alone is not enough: {}.", clean(&case.after_yours.as_ref()?.besides()?)))
}

impl Approve {
    pub(super) fn head_lines(&self, width: u16) -> Vec<(String, Role)> {
        let (Some((id, decision)), Some(case)) = (self.about, self.case.as_deref()) else { return Vec::new() };
        let room = usize::from(width.saturating_sub(2));
        let (word, _) = words(decision);
        let mut all = vec![(fit(&format!("{word} {id} · {}", case.row.subject_name.line()), room), Role::Heading)];
        let mut add = |text: String, role: Role, most: usize| all.extend(wrap(&text, room).into_iter().take(most).map(|l| (l, role)));
        if let Some(before) = self.changed {
            add(format!("▲ The case changed while you read it: version {before} is now {}. Look again.", case.row.version), Role::Bad, 2);
        }
        if let Some(hold) = &case.hold {
            add(format!("‖ HELD by {}: nothing moves until security lifts it.", hold.source.label()), Role::Bad, 1);
        }
        if let Some(why) = self.blocked() {
            add(format!("✕ You can't {}: {why}", word.to_lowercase()), Role::Warn, 4);
        } else {
            add(format!("✓ You may decide. Needed: {}.", clean(&case.approvals_needed)), Role::Good, 2);
            if let Some(why) = not_enough(case).filter(|_| decision == Decision::Approve) {
                add(format!("▲ {why}"), Role::Warn, 3);
            }
            if case.target_missing && decision == Decision::Approve {
                add(format!("▲ {NO_TARGET}"), Role::Bad, 3);
            }
            let act = if decision == Decision::Deny { Action::Deny } else { Action::Approve };
            act.row().before().into_iter().for_each(|text| add(format!("▲ {text}"), Role::Warn, 2));
        }
        if !case.flags.is_empty() {
            let noticed: BTreeSet<&str> = case.flags.iter().map(|f| f.kind.label()).collect();
            add(format!("⚑ Flagged: {}.", noticed.into_iter().collect::<Vec<_>>().join(", ")), Role::Warn, 2);
        }
        if let Some(problem) = &self.refusal {
            let could = problem.could_decide.as_ref().map(|c| format!(" Could decide: {}.", c.operators.len())).unwrap_or_default();
            add(format!("✕ The server refused: {}{could}", clean(&problem.detail)), Role::Bad, 3);
        }
        all
    }

    /// How many lines of the head stand still above the page, so that some of that can be read even in the least window.
    fn head_most(area: Rect) -> usize {
        usize::from(area.height.saturating_sub(FOOT + LEAST_PAGE)).max(1)
    }

    /// What of the head stands above the page.
    pub(super) fn head_shown(&self, area: Rect) -> Vec<(String, Role)> {
        self.head_lines(area.width).into_iter().take(Self::head_most(area)).collect()
    }

    /// What of the head there is no room for above the page: the page begins with it.
    pub(super) fn head_rest(&self, shared: &Shared) -> Vec<(String, Role)> {
        let area = shared.body();
        if shared.plain { Vec::new() } else { self.head_lines(area.width).into_iter().skip(Self::head_most(area)).collect() }
    }
}
