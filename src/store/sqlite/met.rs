//! The latest approvals, with who had routed each case: kept in memory, because each new approval is compared with them.
//!
//! Contract: at most [`LOOKED_AT`], the latest ones, in order of their times; read once when the store is opened, then brought up to date by
//! each committed approval. Knows nothing about what is odd.

use std::collections::VecDeque;

use rusqlite::{Connection, params};

use super::reads::all;
use super::rows::{Ordinal as _, millis};
use crate::base::Time;
use crate::base::ids::PersonId;
use crate::domain::anomaly::{LOOKED_AT, Meeting, Met};
use crate::domain::case::{Approval, Case};
use crate::domain::vocabulary::{Decision, Duty};
use crate::store::StoreError;

/// When, and who.
pub(super) type Dated = (i64, Meeting);

/// The latest approvals, oldest first.
#[derive(Default)]
pub(super) struct Meetings(VecDeque<Dated>);

impl Meetings {
    /// Reads what a store holds.
    pub(super) fn read(conn: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT a.at, a.person, (SELECT group_concat(DISTINCT l.person) FROM lineage l
                                           WHERE l.case_key = a.case_key AND l.duty = ?1 AND l.from_case = 0)
                   FROM approvals a WHERE a.decision = 0 ORDER BY a.at DESC, a.id LIMIT ?2";
        let person = |id: &str| PersonId::parse(id).map_err(|e| StoreError::Damaged(format!("a duty row: {e}")));
        let mut found = all(conn, sql, params![Duty::Router.ordinal(), LOOKED_AT], |r| {
            let (at, approver, routers): (i64, String, Option<String>) = (r.get(0)?, r.get(1)?, r.get(2)?);
            let routers = routers.iter().flat_map(|all| all.split(',')).map(person).collect::<Result<_, _>>()?;
            Ok((at, Meeting { approver: person(&approver)?, routers }))
        })?;
        found.reverse();
        Ok(Self(found.into()))
    }

    /// One more.
    pub(super) fn add(&mut self, met: Dated) {
        // Sample data is written with times of the past.
        let place = self.0.partition_point(|m| m.0 <= met.0);
        self.0.insert(place, met);
        if self.0.len() > usize::from(LOOKED_AT) {
            self.0.pop_front();
        }
    }

    /// How often two of them met since then.
    pub(super) fn count(&self, since: Time, router: &PersonId, approver: &PersonId) -> Met {
        let since = millis(since);
        Met::of(self.0.iter().rev().take_while(|m| m.0 >= since).map(|m| &m.1), router, approver)
    }
}

/// What an approval adds; a denial adds nothing.
pub(super) fn met(case: &Case, approval: &Approval) -> Option<Dated> {
    let own = case.lineage.iter().filter(|e| e.duty == Duty::Router && e.case.is_none());
    let meeting = || Meeting { approver: approval.person.clone(), routers: own.map(|e| e.person.clone()).collect() };
    (approval.decision == Decision::Approve).then(|| (millis(approval.at), meeting()))
}
