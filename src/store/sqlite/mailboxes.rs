//! Whose mailbox an address is: found by one look at an index for each address.
//!
//! Contract: the column beside a person's mail address is that address as [`mailbox`] writes it. Knows no rules about who may read what.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::reads::all;
use super::verify::Verify;
use crate::base::ids::PersonId;
use crate::base::mailbox::mailbox;
use crate::domain::mailboxes::{MAX_READERS, Mailboxes, Readers};
use crate::domain::subject::Subject;
use crate::domain::vocabulary::EndpointKind;
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
