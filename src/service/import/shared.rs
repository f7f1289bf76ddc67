//! Mailboxes in a file that are somebody else's as well: nothing is refused for it, and whoever imports is told.
//!
//! Contract: compares mailboxes as [`mailbox`] writes them, with what is recorded and, of persons, with what the file itself brings. Who left is
//! nobody's concern. Says ids and accounts, never addresses. Knows no file format.

use std::collections::{BTreeMap, BTreeSet};

use super::{BATCH, Report};
use crate::base::ids::{EndpointId, OperatorId, PersonId};
use crate::base::mailbox::mailbox;
use crate::domain::mailboxes::{MAX_READERS, Readers, is_here, others};
use crate::domain::register::{Person, Register};
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{EndpointKind, Status};
use crate::service::{Service, ServiceError};
use crate::store::PersonDetails;

/// The most persons that one warning names.
const NAMED: usize = 3;

/// A person of the file who is recorded, or is to be.
pub(super) struct Taken {
    line: u64,
    person: PersonId,
    /// None without an address, and of whoever left.
    mailbox: Option<String>,
}

impl Taken {
    pub(super) fn of(line: u64, person: &Person, details: &PersonDetails) -> Self {
        let address = details.email.as_ref().filter(|_| person.status != Status::Retired);
        Self { line, person: person.id.clone(), mailbox: address.map(|a| mailbox(a.raw())) }
    }
}

/// A subject of the file that is recorded, or is to be.
pub(super) struct TakenSubject {
    pub(super) line: u64,
    pub(super) subject: Subject,
    /// Whether it is recorded otherwise, or not at all.
    pub(super) differs: bool,
}

impl Service {
    async fn readers(&self, mailboxes: BTreeSet<String>) -> Result<BTreeMap<String, Readers>, ServiceError> {
        let (mailboxes, mut out) = (mailboxes.into_iter().collect::<Vec<_>>(), BTreeMap::new());
        for some in mailboxes.chunks(BATCH) {
            out.extend(self.store.mailbox_readers(some).await?);
        }
        Ok(out)
    }

    /// Warns of persons who have one mailbox together, with each other or with somebody who is recorded. `after` is the register with the file.
    pub(super) async fn warn_of_persons(&self, taken: &[Taken], after: &Register, report: &mut Report) -> Result<(), ServiceError> {
        let brought: BTreeSet<&PersonId> = taken.iter().map(|t| &t.person).collect();
        let mut whose: BTreeMap<&str, BTreeSet<PersonId>> = BTreeMap::new();
        for one in taken {
            if let Some(mailbox) = one.mailbox.as_deref() {
                whose.entry(mailbox).or_default().insert(one.person.clone());
            }
        }
        let recorded = self.readers(whose.keys().map(|m| (*m).to_owned()).collect()).await?;
        for (mailbox, readers) in &recorded {
            // What the file says of somebody counts, not what was recorded of them before.
            let others = readers.persons.iter().filter(|p| !brought.contains(p) && is_here(after, p)).cloned();
            if let Some(known) = whose.get_mut(mailbox.as_str()) {
                known.extend(others);
            }
        }
        let accounts = accounts(after);
        for one in taken {
            let Some(all) = one.mailbox.as_deref().and_then(|m| whose.get(m)).filter(|all| all.len() > 1) else { continue };
            report.warn(one.line, &one.person, || {
                let others: Vec<&PersonId> = all.iter().filter(|p| **p != one.person).collect();
                vec![format!("email: is also the mailbox of {}: where two have to say yes they count as one", named(&others, &accounts))]
            });
        }
        Ok(())
    }

    /// Warns of subjects with an address that is somebody else's mailbox.
    pub(super) async fn warn_of_subjects(&self, taken: &[TakenSubject], register: &Register, report: &mut Report) -> Result<(), ServiceError> {
        let used = |t: &&TakenSubject| t.subject.status != Status::Retired;
        let mails = taken.iter().filter(used).flat_map(|t| &t.subject.endpoints).filter(|e| e.kind == EndpointKind::Email);
        let found = self.readers(mails.map(|e| mailbox(e.address.raw())).collect()).await?;
        let (accounts, now) = (accounts(register), self.now());
        for one in taken.iter().filter(used) {
            let mails = one.subject.endpoints.iter().filter(|e| e.kind == EndpointKind::Email);
            let read = mails.filter_map(|e| found.get(&mailbox(e.address.raw())).map(|r| (&e.id, others(&one.subject, r, register, now))));
            let read: Vec<(&EndpointId, Vec<&PersonId>)> = read.filter(|(_, whose)| !whose.is_empty()).collect();
            if read.is_empty() {
                continue;
            }
            let says = |(id, whose): &(&EndpointId, Vec<&PersonId>)| {
                format!("endpoints: {id} is also the mailbox of {}: no code goes there in a case that they work on", named(whose, &accounts))
            };
            report.warn(one.line, &one.subject.id, || read.iter().map(says).collect());
        }
        Ok(())
    }
}

/// The account that each person signs in with, or the first of several.
fn accounts(register: &Register) -> BTreeMap<&PersonId, &OperatorId> {
    register.operators.values().rev().filter(|o| o.enabled).map(|o| (&o.person, &o.id)).collect()
}

/// The first of them, those who sign in before the others.
fn named(persons: &[&PersonId], accounts: &BTreeMap<&PersonId, &OperatorId>) -> String {
    let (staff, others): (Vec<&PersonId>, Vec<&PersonId>) = persons.iter().partition(|p| accounts.contains_key(**p));
    let one = |p: &PersonId| accounts.get(p).map_or_else(|| p.to_string(), |id| format!("{p} (signs in as {id})"));
    let first = staff.into_iter().chain(others).take(NAMED).map(one).collect::<Vec<_>>().join(", ");
    match persons.len().saturating_sub(NAMED) {
        0 => first,
        // Of one that is everybody's only so many are looked up.
        more if persons.len() + 1 >= MAX_READERS => format!("{first} and at least {more} more"),
        more => format!("{first} and {more} more"),
    }
}
