//! Giving a case to somebody: whom the list offers, those the case waits for first.
//!
//! Contract: pure. Whom it could be given to, and in which order, is the server's word; what is typed may be given all the same.

use crate::api::lists::Assignable;
use crate::base::ids::CaseId;
use crate::client::ClientError;
use crate::console::effect::Ask;
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared};
use crate::console::overlay::{Choice, Picker};

/// What the list is for.
const PURPOSE: &str = "assign";
/// The words above it.
const TITLE: &str = "Give to (account)";

/// Opens the list, and asks who stands in it; it is filled once that is known.
pub(super) fn offer(shared: &mut Shared, (from, case): (Place, CaseId), asked: &mut Latest) {
    shared.pick(Picker::new(PURPOSE, format!("{TITLE}: asking who could take it …"), Vec::new()).or_typed());
    asked.begin(shared.ask(from, Ask::Assignable(case)));
}

/// Fills the list with what the server said; where it said nothing, an account can still be typed.
pub(super) fn answered(shared: &mut Shared, reply: Result<Reply, ClientError>) {
    match reply {
        Ok(Reply::Assignable(all)) => {
            let more = if all.more > 0 { format!("; {} more can be typed", all.more) } else { String::new() };
            shared.fill(PURPOSE, format!("{TITLE}{more}"), choices(&all));
        }
        Ok(_) => {}
        Err(_) => shared.fill(PURPOSE, format!("{TITLE}: who could take it is not known, type it"), Vec::new()),
    }
}

fn choices(all: &Assignable) -> Vec<Choice> {
    let row = |row: &crate::api::lists::AssignableRow| {
        let roles = row.roles.iter().map(|r| r.label()).collect::<Vec<_>>().join(", ");
        let shift = if row.on_shift { "on shift" } else { "not on shift" };
        let fits = if row.fits { "" } else { " · it waits for others" };
        Choice::new(row.operator.as_str(), row.operator.as_str(), format!("{} · {roles} · {shift}{fits}", row.name.line()))
    };
    all.rows.iter().map(row).collect()
}
