//! Ways to prove, and to reach somebody over a held case, as the pages of a case say them.
//!
//! Contract: pure. Whether a way can be started is the server's word; it is only told here.

use super::pages::{clean, when};
use crate::api::case::{HoldDetail, Startable};
use crate::api::sent::{SessionDetail, ended};
use crate::base::Time;
use crate::console::screen::queue::draw::until;
use crate::console::theme::Role;
use crate::console::widget::runs::running;
use crate::console::widget::sheet::Sheet;

/// A contact: how, with whom or where, and when.
pub(super) fn contact(session: &SessionDetail) -> String {
    let whom = session.attester.as_ref().map(|a| format!(" by {a}")).unwrap_or_default();
    let to = session.endpoint.as_ref().map(|e| format!(" to {e}")).unwrap_or_default();
    format!("{}{whom}{to}, {}", session.method.label(), when(session.opened_at))
}

/// What was tried since the hold to reach somebody, and what could be.
pub(super) fn contacts(s: &mut Sheet, hold: &HoldDetail, now: Time) {
    for session in &hold.sessions {
        let (mark, ended) = match session.outcome.as_deref() {
            None => (("◐", Role::Info), format!("waits for an answer, ends in {}", running(&until(session.expires_at - now)))),
            Some("proved") => (("✓", Role::Good), "answered: the hold can be lifted by it".to_owned()),
            Some(other) => (("✕", Role::Bad), ended(other)),
        };
        s.item(mark, format!("Contact: {}: {ended}", contact(session)), mark.1);
    }
    if hold.contacts.is_empty() {
        s.item(("✕", Role::Bad), "Nobody can be reached: no recorded address or contact could serve.", Role::Bad);
    }
    startable(s, &hold.contacts);
}

/// Ways to prove, or to reach somebody: whether each can be started now, and why not where the others can.
pub(super) fn startable(s: &mut Sheet, ways: &[Startable]) {
    let none = ways.iter().all(|w| w.refused.is_some());
    for way in ways {
        let label = super::acts::label(way);
        match way.refused.as_deref() {
            None => s.more(format!("can be started: {label}"), Role::Text),
            Some(_) if none => s.more(format!("a way: {label}"), Role::Dim),
            Some(why) => s.more(format!("not now: {label}: {}", clean(why)), Role::Dim),
        }
    }
}
