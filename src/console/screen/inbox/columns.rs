//! Where the columns of an inbox begin.
//!
//! Contract: pure; knows a width and nothing else.

/// Where columns begin.
pub(super) struct Columns {
    pub subject: u16,
    pub action: u16,
    pub risk: u16,
    pub state: u16,
    pub since: u16,
    pub due: u16,
}

impl Columns {
    /// In a page so wide.
    pub(super) fn of(width: u16) -> Self {
        let state_width = if width >= 100 { 20 } else { 13 };
        let due = width.saturating_sub(10);
        // Where it is narrow, names go before how long ago something happened.
        let (since, subject) = (due.saturating_sub(if width >= 72 { 9 } else { 0 }), 15);
        let state = since.saturating_sub(state_width);
        let risk = state.saturating_sub(7);
        let action = subject + (risk.saturating_sub(subject)) / 2;
        Self { subject, action, risk, state, since, due }
    }
}
