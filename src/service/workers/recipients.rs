//! Who is written to about a case: recorded addresses of the subject, owners, attesters, those who could decide.
//!
//! Contract: addresses come from records only, never from the request. Knows nothing about what is written.

use crate::base::ids::PersonId;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::EndpointKind;
use crate::proofing::root::mailbox;

/// The most addresses one notice goes to.
pub const MAX_RECIPIENTS: usize = 30;

/// A recorded address: the id that stands for it in links, and the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Endpoint id, or for an owner `owner.<person>`.
    pub id: String,
    /// Mail address.
    pub address: String,
}

/// Every confirmed mail address of a subject (invariant 13); telephone and post need channels that are not there yet.
pub fn of_subject(subject: &Subject) -> Vec<Recipient> {
    subject.mailboxes().take(MAX_RECIPIENTS).map(|e| Recipient { id: e.id.to_string(), address: e.address.raw().to_owned() }).collect()
}

/// The id that stands for an owner's address in links.
pub fn owner_id(person: &PersonId) -> String {
    format!("owner.{person}")
}

/// Whether an address is one of the subject's own mailboxes: nobody attests for themselves.
pub fn is_subjects_own(subject: &Subject, address: &str) -> bool {
    let address = mailbox(address);
    subject.endpoints.iter().any(|e| e.kind == EndpointKind::Email && mailbox(e.address.raw()) == address)
}
