//! How far a case's duty rows reach: whoever owned its subject, and the other cases that hang together with it, as far back as policy says.
//!
//! Contract: the windows are those of the policy of the case and of the one in force, whichever is longer, so the database knows no less than the
//! rules do; written when the case is opened, routed, reopened, sealed, decided and carried out, since owners and other cases change in between.
//! Rows are only added. Knows nothing of what `decide` thought.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::errors::from_json;
use super::rows::{Ordinal as _, millis};
use super::verify::Verify;
use crate::base::ids::{CaseId, PersonId, SubjectId, TargetId};
use crate::domain::case::Case;
use crate::domain::lineage::FLOOR;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{CaseState, Duty};
use crate::store::StoreError;

/// The most other cases of one subject in one target that are looked at for links, those changed last; as many as the rules are given.
const FOUND: i64 = 200;
/// Cases looked at at once while a database is brought up to date.
const PAGE: i64 = 1_000;
/// How far back other cases count at least, in milliseconds.
const DAY: i64 = 24 * 3_600 * 1_000;

/// A case at one of its entries.
pub(super) struct Reach<'a> {
    pub(super) conn: &'a Connection,
    pub(super) case: &'a Case,
    /// The entry by which rows are written.
    pub(super) seq: i64,
}

impl Reach<'_> {
    /// Links and owners as they are now, in milliseconds.
    pub(super) fn put(&self, now: i64) -> Result<(), StoreError> {
        let (lineage, linked) = self.windows()?;
        self.links(linked)?;
        self.subject(now, lineage)
    }

    /// A person's duty.
    pub(super) fn row(&self, person: &PersonId, duty: Duty, via: &str, from: Option<CaseId>) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("INSERT INTO lineage (case_key, person, duty, via, from_case, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![self.case.id.key(), person.as_str(), duty.ordinal(), via, from.map_or(0, CaseId::key), self.seq])?;
        Ok(())
    }

    /// How far back ties and owners count, and other cases, in milliseconds.
    pub(super) fn windows(&self) -> Result<(i64, i64), StoreError> {
        let sql = "SELECT max(lineage), max(linked) FROM policies
            WHERE sha256 = ?1 OR sha256 = (SELECT policy FROM in_force ORDER BY seq DESC LIMIT 1)";
        let policy = self.case.policy.as_bytes();
        let (lineage, linked): (Option<i64>, Option<i64>) = self.conn.prepare_cached(sql)?.query_row([policy], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok((lineage.unwrap_or_else(|| FLOOR.num_milliseconds()), linked.unwrap_or(DAY)))
    }

    /// Every other case that is, or ever was, of the same subject and target and changed within the window before this one was opened, or later,
    /// counts, both ways, whatever the rules had found (invariant 2): each that does not hang together with this one already is linked.
    fn links(&self, window: i64) -> Result<(), StoreError> {
        let since = millis(self.case.request.opened_at) - window;
        let mut others: Vec<i64> = Vec::new();
        for target in &self.case.targets {
            others.extend(others_since(self.conn, self.case, target, since, None)?);
        }
        let key = self.case.id.key();
        let (mut hanging, mut queue) = (BTreeSet::from([key]), vec![key]);
        loop {
            while let Some(at) = queue.pop() {
                if others.iter().all(|o| hanging.contains(o)) {
                    return Ok(());
                }
                let both =
                    "SELECT linked FROM links l WHERE case_key = ?1 AND EXISTS (SELECT 1 FROM links b WHERE b.case_key = l.linked AND b.linked = ?1)";
                queue.extend(keys(self.conn, both, at)?.into_iter().filter(|k| hanging.insert(*k)));
            }
            let Some(next) = others.iter().copied().find(|o| !hanging.contains(o)) else { return Ok(()) };
            let sql = "INSERT INTO links (case_key, linked, seq) VALUES (?1, ?2, ?3), (?2, ?1, ?3)";
            self.conn.prepare_cached(sql)?.execute([key, next, self.seq])?;
            hanging.insert(next);
            queue.push(next);
        }
    }

    /// The person behind the subject, and who owns it now or did within the window before the case, or one it is linked with, was opened.
    fn subject(&self, now: i64, window: i64) -> Result<(), StoreError> {
        let Some(subject) = self.record(&self.case.route.subject)? else { return Ok(()) };
        if let Some(person) = &subject.person {
            self.row(person, Duty::Subject, "", None)?;
        }
        let sql = "SELECT min(at) FROM routes WHERE case_key = ?1 OR case_key IN (SELECT linked FROM links WHERE case_key = ?1)";
        let first: Option<i64> = self.conn.prepare_cached(sql)?.query_row([self.case.id.key()], |r| r.get(0))?;
        let from = first.unwrap_or(now).min(now) - window;
        let counts = |since, until: Option<_>| millis(since) <= now && until.is_none_or(|u| millis(u) >= from);
        subject.owners.iter().filter(|o| counts(o.since, o.until)).try_for_each(|o| self.row(&o.person, Duty::SubjectOwner, "", None))
    }

    fn record(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        let sql = "SELECT body FROM subjects WHERE id = ?1";
        let body: Option<String> = self.conn.prepare_cached(sql)?.query_row([id.as_str()], |r| r.get(0)).optional()?;
        body.map(|b| from_json("a subject", &b)).transpose()
    }
}

/// Other cases of a case's subject in one target, changed since then (and not after), those changed last first. A case whose row is still to be
/// written counts by when it was sent there.
fn others_since(conn: &Connection, case: &Case, target: &TargetId, since: i64, until: Option<i64>) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT key FROM (SELECT w.case_key AS key,
            coalesce(-(SELECT k_updated FROM cases WHERE id = w.case_key), (SELECT max(at) FROM routes WHERE case_key = w.case_key)) AS changed
        FROM went w WHERE w.subject = ?1 AND w.target = ?2 AND w.case_key <> ?3)
        WHERE changed >= ?4 AND changed <= ?5 ORDER BY changed DESC LIMIT ?6";
    let values = params![case.route.subject.as_str(), target.as_str(), case.id.key(), since, until.unwrap_or(i64::MAX), FOUND];
    Ok(conn.prepare_cached(sql)?.query_map(values, |r| r.get(0))?.collect::<Result<_, _>>()?)
}

fn keys(conn: &Connection, sql: &str, of: i64) -> Result<Vec<i64>, StoreError> {
    Ok(conn.prepare_cached(sql)?.query_map([of], |r| r.get(0))?.collect::<Result<_, _>>()?)
}

/// Writes how far every undecided case reaches, as if its last entry had been written now.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let now: Option<i64> = conn.query_row("SELECT last_at FROM tree WHERE id = 0", [], |r| r.get(0)).optional()?;
    let mut after = Some(-1);
    while let Some(last) = after {
        let sql = "SELECT id FROM cases WHERE state IN (0, 1, 2, 3) AND id > ?1 ORDER BY id LIMIT ?2";
        let page: Vec<i64> = conn.prepare_cached(sql)?.query_map([last, PAGE], |r| r.get(0))?.collect::<Result<_, _>>()?;
        for id in page.iter().filter_map(|k| CaseId::from_key(*k)) {
            let Some(case) = super::reads::fold(conn, id)? else { continue };
            let sql = "SELECT seq FROM entries WHERE case_key = ?1 ORDER BY version DESC LIMIT 1";
            let seq = conn.prepare_cached(sql)?.query_row([id.key()], |r| r.get(0))?;
            Reach { conn, case: &case, seq }.put(now.unwrap_or(0))?;
        }
        after = page.last().copied();
    }
    Ok(())
}

impl Verify<'_> {
    /// Whether an undecided case hangs together with every case before it that nothing was done in since; where there are more of one subject in
    /// one target than are looked at for links, nothing can be said.
    pub(super) fn reaches(&mut self, case: &Case) -> Result<(), StoreError> {
        if !matches!(case.state, CaseState::New | CaseState::Proofing | CaseState::Sealed | CaseState::Approved) {
            return Ok(());
        }
        let sql = "SELECT linked FROM policies WHERE sha256 = ?1";
        let window: Option<i64> = self.conn.prepare_cached(sql)?.query_row([case.policy.as_bytes()], |r| r.get(0)).optional()?;
        let opened = millis(case.request.opened_at);
        let mut others = BTreeSet::new();
        for target in &case.targets {
            let sql = "SELECT count(*) FROM went WHERE subject = ?1 AND target = ?2";
            let there: i64 = self.conn.prepare_cached(sql)?.query_row([case.route.subject.as_str(), target.as_str()], |r| r.get(0))?;
            if there <= FOUND {
                others.extend(others_since(self.conn, case, target, opened - window.unwrap_or(DAY), Some(opened))?);
            }
        }
        let (mut hanging, mut queue) = (BTreeSet::from([case.id.key()]), vec![case.id.key()]);
        while let Some(at) = queue.pop()
            && !others.is_subset(&hanging)
        {
            let linked = keys(self.conn, "SELECT linked FROM links WHERE case_key = ?1", at)?;
            queue.extend(linked.into_iter().filter(|k| hanging.insert(*k)));
        }
        for other in others.difference(&hanging) {
            let other = CaseId::from_key(*other).map_or_else(|| other.to_string(), |id| id.to_string());
            self.differs(format!("links of {}: no row says that {other} came before it", case.id));
        }
        Ok(())
    }
}
