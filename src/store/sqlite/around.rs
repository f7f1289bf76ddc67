//! What a decision on a case looks at, and what a look at it shows beside it: each in one question, from one moment of the store.
//!
//! Contract: reads only. Knows no rules: how far back linked cases count is told by whoever asks.

use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};

use super::batch::Kept;
use super::reads::{all, case_id, case_in, entries_of, kept_answer, linked_in, people, subject_in, texts_in};
use super::rows::{Ordinal as _, millis};
use crate::base::Time;
use crate::base::ids::{PersonId, SubjectId};
use crate::domain::case::Case;
use crate::domain::event::{Body, CaseEvent};
use crate::domain::view::Said;
use crate::domain::vocabulary::CaseState;
use crate::store::{About, Around, Beside, Beyond, Since, StoreError};

/// The most other open cases of the subject that are named.
const OTHERS: i64 = 20;
/// The most cases of each kind of a subject, and the most of a person, that [`lately`] gives.
const LATELY: i64 = 50;

/// A case with its subject and the cases it is linked with.
pub(super) fn around(conn: &mut Connection, kept: &Kept, about: &About, since: Since) -> Result<Option<Around>, StoreError> {
    let tx = conn.transaction()?;
    let Some(case) = case_in(&tx, kept, about.case)? else { return Ok(None) };
    let answered = match &about.once {
        Some((principal, key)) => kept_answer(&tx, kept, principal, key)?,
        None => None,
    };
    let subject = subject_in(&tx, &case.route.subject)?;
    let mut linked = Vec::new();
    if let Some(record) = &subject {
        let Some(since) = since(&case, &record.subject) else { return Ok(Some(Around { case, subject, linked: None, answered })) };
        for target in case.targets.iter().chain(about.towards.iter().filter(|t| !case.targets.contains(*t))) {
            for other in linked_in(&tx, kept, (&case.route.subject, target), since, Some(about.case))? {
                take(&mut linked, other);
            }
        }
    }
    for recorded in &case.linked {
        if linked.iter().all(|c| c.id != *recorded)
            && let Some(other) = case_in(&tx, kept, *recorded)?
        {
            take(&mut linked, other);
        }
    }
    Ok(Some(Around { case, subject, linked: Some(linked), answered }))
}

/// Which of somebody's cases are asked for by themselves: what is opened lately, open or ended, must not crowd out what was given back, nor
/// what ended crowd out what is open.
fn kinds() -> [String; 3] {
    let (restored, closed) = (CaseState::Restored.ordinal(), CaseState::Closed.ordinal());
    [String::new(), format!(" AND c.state IN ({restored}, {closed})"), format!(" AND c.ended = 0 AND c.state <> {restored}")]
}

/// Cases of a subject, and of every other record of the same person, touched since then: the newest, the newest of those in which something
/// was given back, and the newest that are open.
pub(super) fn lately(
    conn: &mut Connection,
    kept: &Kept,
    subject: &SubjectId,
    person: Option<&PersonId>,
    since: Time,
) -> Result<Vec<Arc<Case>>, StoreError> {
    let tx = conn.transaction()?;
    let mut ids = Vec::new();
    for kind in kinds() {
        let of_subject = format!(
            "SELECT c.id FROM cases c INDEXED BY cases_by_subject WHERE c.subject = ?1 AND c.k_updated <= ?2{kind} ORDER BY c.k_updated LIMIT ?3"
        );
        ids.extend(all(&tx, &of_subject, params![subject.as_str(), -millis(since), LATELY], case_id)?);
        if let Some(person) = person {
            let of_person = format!(
                "SELECT DISTINCT c.id FROM lineage l INDEXED BY lineage_of_subjects CROSS JOIN cases c ON c.id = l.case_key
                 WHERE l.person = ?1 AND l.duty = 0 AND l.from_case = 0 AND c.k_updated <= ?2{kind} ORDER BY c.k_updated LIMIT ?3"
            );
            ids.extend(all(&tx, &of_person, params![person.as_str(), -millis(since), LATELY], case_id)?);
        }
    }
    let mut found = Vec::new();
    for id in ids {
        if let Some(case) = case_in(&tx, kept, id)? {
            take(&mut found, case);
        }
    }
    Ok(found)
}

fn take(linked: &mut Vec<Arc<Case>>, case: Arc<Case>) {
    if linked.iter().all(|c| c.id != case.id) {
        linked.push(case);
    }
}

/// What is kept beside a case.
pub(super) fn beside(conn: &mut Connection, kept: &Kept, wanted: &Beyond) -> Result<Beside, StoreError> {
    let tx = conn.transaction()?;
    let comments = comments(&tx, wanted)?;
    let ids: Vec<_> = wanted.texts.iter().chain(comments.iter().map(|c| &c.text.id)).cloned().collect();
    let others = "SELECT id FROM cases INDEXED BY cases_by_subject WHERE subject = ?1 AND ended = 0 AND id <> ?2 ORDER BY k_due, id LIMIT ?3";
    Ok(Beside {
        texts: if ids.is_empty() { std::collections::BTreeMap::new() } else { texts_in(&tx, kept, wanted.case, &ids)? },
        people: people(&tx, &wanted.people)?,
        others: all(&tx, others, params![wanted.subject.as_str(), wanted.case.key(), OTHERS], case_id)?,
        comments,
    })
}

/// The comments of a case, which are entries of their own: each is found by its version, however many others the case has.
fn comments(tx: &Transaction<'_>, wanted: &Beyond) -> Result<Vec<Said>, StoreError> {
    let mut said = Vec::with_capacity(wanted.comments.len());
    for version in &wanted.comments {
        let found = entries_of(tx, wanted.case, version.saturating_sub(1), 1)?;
        said.extend(found.into_iter().filter_map(|entry| match entry.body {
            Body::Case { event: CaseEvent::Commented { text }, .. } => Some(Said { by: entry.actor, at: entry.at, text }),
            _ => None,
        }));
    }
    Ok(said)
}
