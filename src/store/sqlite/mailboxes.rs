//! Whose mailbox an address is: found by one look at an index for each address.
//!
//! Contract: the column beside a person's mail address is that address as [`mailbox`] writes it. Knows no rules about who may read what.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::errors::from_json;
use super::reads::all;
use super::verify::Verify;
use crate::base::Time;
use crate::base::ids::{EndpointId, PersonId, SubjectId};
use crate::base::mailbox::mailbox;
use crate::domain::mailboxes::{MAX_READERS, Mailboxes, Readers, is_here, others};
use crate::domain::register::Register;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{EndpointKind, Status};
use crate::store::StoreError;

/// Writes the mailbox of every person who has an address.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let addresses = all(conn, "SELECT id, email FROM people WHERE email IS NOT NULL", [], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    for (id, address) in addresses {
        conn.prepare_cached("UPDATE people SET mailbox = ?2 WHERE id = ?1")?.execute(params![id, mailbox(&address)])?;
    }
    Ok(())
}

/// Who reads the mailboxes of a subject's record, and those of its owners and its manager.
pub(super) fn of(conn: &Connection, subject: &Subject) -> Result<Mailboxes, StoreError> {
    let mut out = Mailboxes::default();
    for endpoint in subject.endpoints.iter().filter(|e| e.kind == EndpointKind::Email) {
        let found = readers(conn, &mailbox(endpoint.address.raw()))?;
        if !found.is_empty() {
            out.endpoints.insert(endpoint.id.clone(), found);
        }
    }
    for person in subject.owners.iter().map(|o| &o.person).chain(&subject.manager) {
        let own: Option<Option<String>> =
            conn.prepare_cached("SELECT mailbox FROM people WHERE id = ?1")?.query_row([person.as_str()], |r| r.get(0)).optional()?;
        if let Some(own) = own.flatten()
            && !out.attesters.contains_key(person)
        {
            out.attesters.insert(person.clone(), readers(conn, &own)?);
        }
    }
    Ok(out)
}

/// Whose recorded mailbox that is.
pub(super) fn readers(conn: &Connection, mailbox: &str) -> Result<Readers, StoreError> {
    let sql = "SELECT id FROM people INDEXED BY people_by_mailbox WHERE mailbox = ?1 ORDER BY id LIMIT ?2";
    let limit = i64::try_from(MAX_READERS).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = all(conn, sql, params![mailbox, limit], |r| {
        let id: String = r.get(0)?;
        PersonId::parse(&id).map_err(|e| StoreError::Damaged(format!("a person's mailbox: {e}")))
    })?;
    let more = found.len() > MAX_READERS;
    found.truncate(MAX_READERS);
    Ok(Readers { persons: found.into_iter().collect(), more })
}

/// Whose recorded mailboxes these are.
pub(super) fn of_all(conn: &mut Connection, mailboxes: Vec<String>) -> Result<BTreeMap<String, Readers>, StoreError> {
    let tx = conn.transaction()?;
    let mut out = BTreeMap::new();
    for mailbox in mailboxes {
        let found = readers(&tx, &mailbox)?;
        if !found.is_empty() {
            out.insert(mailbox, found);
        }
    }
    Ok(out)
}

/// The most shared mailboxes of a kind that are named; the others are counted.
const MAX_SHARED: usize = 10;

/// One mailbox that is more than one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedMailbox {
    /// The subject's address that it is; none where persons share it.
    pub of: Option<(SubjectId, EndpointId)>,
    /// Whose it is: of a subject's address, who else's.
    pub persons: Vec<PersonId>,
}

/// Mailboxes that are more than one's, as far as records tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// The first of those that several persons have.
    pub persons: Vec<SharedMailbox>,
    /// How many more there are.
    pub more_persons: u64,
    /// The first addresses of subjects that are somebody else's mailbox.
    pub subjects: Vec<SharedMailbox>,
    /// How many more there are.
    pub more_subjects: u64,
}

fn keep(kept: &mut Vec<SharedMailbox>, more: &mut u64, one: SharedMailbox) {
    if kept.len() < MAX_SHARED {
        kept.push(one);
    } else {
        *more += 1;
    }
}

/// All of them, looked for among everyone who has not left.
pub(super) fn shared(conn: &Connection, register: &Register, now: Time) -> Result<Shared, StoreError> {
    let mut out = Shared::default();
    let several = "SELECT mailbox FROM people WHERE mailbox IS NOT NULL GROUP BY mailbox HAVING count(*) > 1 ORDER BY mailbox";
    for mailbox in all(conn, several, [], |r| Ok(r.get::<_, String>(0)?))? {
        let persons: Vec<PersonId> = readers(conn, &mailbox)?.persons.into_iter().filter(|p| is_here(register, p)).collect();
        if persons.len() > 1 {
            keep(&mut out.persons, &mut out.more_persons, SharedMailbox { of: None, persons });
        }
    }
    let mut statement = conn.prepare("SELECT body FROM subjects ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let subject: Subject = from_json("a subject", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        if subject.status == Status::Retired {
            continue;
        }
        for endpoint in subject.endpoints.iter().filter(|e| e.kind == EndpointKind::Email) {
            let found = readers(conn, &mailbox(endpoint.address.raw()))?;
            let persons: Vec<PersonId> = others(&subject, &found, register, now).into_iter().cloned().collect();
            if !persons.is_empty() {
                let of = Some((subject.id.clone(), endpoint.id.clone()));
                keep(&mut out.subjects, &mut out.more_subjects, SharedMailbox { of, persons });
            }
        }
    }
    Ok(out)
}

impl Verify<'_> {
    /// Whether each person's mailbox is that of their address.
    pub(super) fn mailboxes(&mut self) -> Result<(), StoreError> {
        let rows = all(self.conn, "SELECT id, email, mailbox FROM people", [], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, Option<String>>(1)?, r.get::<_, Option<String>>(2)?))
        })?;
        for (id, email, kept) in rows {
            if email.as_deref().map(mailbox) != kept {
                self.differs(format!("person {id}: the mailbox is not that of their mail address"));
            }
        }
        Ok(())
    }
}
