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
use crate::domain::anomaly::{LOOKED_AT, Meeting, Met, THROUGH};
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
                                           WHERE l.case_key = a.case_key AND l.duty = ?1 AND l.from_case = 0),
                                          (SELECT group_concat(DISTINCT l.person) FROM lineage l
                                           WHERE l.case_key = a.case_key AND l.duty IN (?2, ?3, ?4) AND l.from_case = 0)
                   FROM approvals a WHERE a.decision = 0 ORDER BY a.at DESC, a.id LIMIT ?5";
        let [owner, sponsor, acted] = THROUGH.map(super::rows::Ordinal::ordinal);
        let person = |id: &str| PersonId::parse(id).map_err(|e| StoreError::Damaged(format!("a duty row: {e}")));
        let persons = |list: Option<String>| list.iter().flat_map(|all| all.split(',')).map(person).collect::<Result<_, _>>();
        let mut found = all(conn, sql, params![Duty::Router.ordinal(), owner, sponsor, acted, LOOKED_AT], |r| {
            let (at, approver): (i64, String) = (r.get(0)?, r.get(1)?);
            Ok((at, Meeting { approver: person(&approver)?, routers: persons(r.get(2)?)?, through: persons(r.get(3)?)? }))
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
    pub(super) fn count(&self, since: Time, router: &PersonId, approver: &PersonId) -> [Met; 2] {
        let since = millis(since);
        Met::of(self.0.iter().rev().take_while(|m| m.0 >= since).map(|m| &m.1), router, approver)
    }
}

/// What an approval adds; a denial adds nothing.
pub(super) fn met(case: &Case, approval: &Approval) -> Option<Dated> {
    (approval.decision == Decision::Approve).then(|| (millis(approval.at), Meeting::at(case, &approval.person)))
}
