//! How far earlier passes over one order came: kept with its item of the outbox, so that a pass in which nothing could be asked counts for
//! nothing, however often the item was taken.
//!
//! Contract: numbers only. What a pass that died had done is not counted, which makes the next ones more patient and never less. Knows no
//! targets and no rules.

use std::collections::BTreeMap;

use super::Step;
use crate::domain::message::Became;
use crate::store::OutboxItem;

const WAITED: &str = "waited";
const ASKED: &str = "asked";
const ANSWERED: &str = "answered";

/// How often what was done for one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sofar {
    /// Passes in which the target did not say what it held, so that nothing began.
    pub(super) waited: u32,
    /// Passes in which the target was asked about the order.
    pub(super) asked: u32,
    /// Those of them in which the order arrived there, or was shown.
    pub(super) answered: u32,
}

impl Sofar {
    /// What earlier passes over the item did.
    pub(super) fn of(item: &OutboxItem) -> Self {
        let times = |mark: &str| match item.became.get(mark) {
            Some(Became::Times(n)) => *n,
            _ => 0,
        };
        Self { waited: times(WAITED), asked: times(ASKED), answered: times(ANSWERED) }
    }

    /// Put back with it.
    pub(super) fn rest(self) -> Step {
        let marks = [(WAITED, self.waited), (ASKED, self.asked), (ANSWERED, self.answered)];
        Step::Rest(BTreeMap::from(marks.map(|(mark, n)| (mark.to_owned(), Became::Times(n)))))
    }
}
