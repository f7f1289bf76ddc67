//! A row of the inbox: where its columns begin, how it is drawn and read out.
//!
//! Contract: pure. Knows no page but by its number.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::queue::draw::{deadline, risk, spoken_deadline, until};
use super::Inbox;
use super::columns::Columns;
use crate::api::lists::CaseRow;
use crate::base::Time;
use crate::console::model::{Link, Shared};
use crate::console::theme::Role;
use crate::console::widget::runs::running;
use crate::console::widget::{fit, put};

impl Inbox {
    pub(super) fn draw_row(&self, buffer: &mut Buffer, area: Rect, (row, here): (&CaseRow, bool), shared: &Shared) {
        let stale = matches!(shared.link, Link::Lost(_));
        let text = shared.style(if stale { Role::Dim } else { Role::Text });
        let columns = Columns::of(area.width);
        let mut cell = |x: u16, width: u16, what: &str, style| {
            put(buffer, area, area.x + x, area.y, &fit(what, usize::from(width)), style);
        };
        if here {
            cell(0, 1, "▌", shared.style(Role::Marker));
        }
        cell(1, 13, &row.id.to_string(), if here { shared.style(Role::Selected) } else { text });
        cell(columns.subject, columns.action - columns.subject - 1, &row.subject_name.line(), text);
        cell(columns.action, columns.risk - columns.action - 1, row.action.label(), text);
        let (mark, role) = risk(row.risk);
        cell(columns.risk, 6, mark, shared.style(role));
        let (where_it_stands, role) = match (self.page(), row.held) {
            (_, true) => ("‖ held".to_owned(), Role::Bad),
            (0, _) => (format!("{} missing", row.approvals_missing), Role::Info),
            _ if row.flags > 0 => (format!("⚑ {} {}", row.flags, row.state.label()), Role::Warn),
            _ => (row.state.label().to_owned(), Role::Text),
        };
        cell(columns.state, columns.since - columns.state - 1, &where_it_stands, shared.style(role));
        if columns.since < columns.due {
            let since = self.since(row).map(|at| until(shared.server_now() - at)).unwrap_or_default();
            cell(columns.since, 8, &since, shared.style(Role::Dim));
        }
        if let Some(due) = row.due {
            let left = due - shared.server_now();
            let late = left < chrono::TimeDelta::zero();
            cell(columns.due, 10, &deadline(left), shared.style(if late { Role::Bad } else { Role::Text }));
        }
    }

    /// Since when a case has been on the page, whatever happened in it meanwhile; `None` from a server that does not say so.
    fn since(&self, row: &CaseRow) -> Option<Time> {
        [row.sealed_at, row.held_since, row.flagged_since, row.restored_at][self.page()]
    }

    pub(super) fn spoken(&self, shared: &Shared, row: &CaseRow) -> String {
        let since = self.since(row).map(|at| running(&until(shared.server_now() - at)));
        let since = since.map(|since| format!(", {} since {since}", ["waiting", "held", "flagged", "restored"][self.page()])).unwrap_or_default();
        let due = row.due.map(|d| format!(", {}", spoken_deadline(d - shared.server_now()))).unwrap_or_default();
        format!(
            "{} {} {}, risk {}, {}{}, approvals missing {}, flags {}{since}{due}",
            row.id,
            row.subject_name.line(),
            row.action.label(),
            row.risk.label(),
            row.state.label(),
            if row.held { ", held" } else { "" },
            row.approvals_missing,
            row.flags
        )
    }
}
