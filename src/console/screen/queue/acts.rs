//! What is sent from the queue: giving a case to someone, taking the next one; and what is said to the answers.
//!
//! Contract: what is sent is about the case that was selected when it was asked for, whatever the list shows by then.

use std::time::Duration;

use super::{Queue, REFRESH};
use crate::api::requests::{Assign, TakeNext};
use crate::base::ids::{CaseId, OperatorId};
use crate::client::{ClientError, Write};
use crate::console::effect::Timer;
use crate::console::message::Reply;
use crate::console::model::{Place, Shared, Tone};
use crate::console::screen::give;

impl Queue {
    /// The selected case and its version, to be given to someone: whose it is now is remembered, so that it can be undone.
    pub(super) fn chosen(&self, shared: &mut Shared) -> Option<(CaseId, u64)> {
        let row = self.window.current()?;
        shared.undo.knew(row);
        Some((row.id, row.version))
    }

    /// Lets somebody be picked for the selected case, whatever is selected by then.
    pub(super) fn offer_whom(&mut self, shared: &mut Shared) {
        self.giving = self.chosen(shared);
        if let Some((case, _)) = self.giving {
            give::offer(shared, (Place::Queue, case), &mut self.asked_whom);
        }
    }

    /// Gives the selected case to someone, or to nobody.
    pub(super) fn give(&mut self, shared: &mut Shared, operator: Option<OperatorId>) {
        let what = self.chosen(shared);
        self.assign(shared, what, operator);
    }

    pub(super) fn assign(&mut self, shared: &mut Shared, what: Option<(CaseId, u64)>, operator: Option<OperatorId>) {
        let Some((case, version)) = what else { return };
        let order = shared.order(Write::Assign(Assign { operator }), Some(case), Some(version));
        self.writing.begin(shared.send(Place::Queue, order));
    }

    /// Takes the most urgent case; a key that is held down takes one, not one after the other.
    pub(super) fn take_next(&mut self, shared: &mut Shared) {
        if self.taking.waits() {
            return shared.say(Tone::Info, "Still asking for the next case.");
        }
        let filter = self.filter.clone().filter(|f| !f.is_empty());
        let order = shared.order(Write::TakeNext(TakeNext { filter }), None, None);
        self.taking.begin(shared.send(Place::Queue, order));
    }

    pub(super) fn written(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>, taking: bool) {
        match reply {
            Ok(Reply::Written(written)) => {
                let row = written.case.map(|c| c.row);
                let text = match (&row, taking) {
                    (Some(row), true) => format!("{} is yours now.", row.id),
                    (None, true) => "Nothing waits that nobody works on.".to_owned(),
                    (Some(row), false) => match &row.assignee {
                        Some(who) => format!("{} is {who}'s now.", row.id),
                        None => format!("{} can be taken by anyone now.", row.id),
                    },
                    (None, false) => "Done.".to_owned(),
                };
                if let Some(row) = row {
                    self.window.news(&row, Self::height(shared));
                    if taking {
                        shared.go_on(Place::Queue, Place::Case(row.id));
                    }
                }
                shared.say(Tone::Good, text);
                shared.timer_once(Timer::Refresh, REFRESH);
            }
            Ok(_) => {}
            Err(error) => {
                shared.fail(&error);
                shared.timer_once(Timer::Refresh, Duration::ZERO);
            }
        }
    }
}
