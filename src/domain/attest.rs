//! Attesters: who can be asked to say yes beside or for a subject, and whose yes counts (invariant 5; SP 800-63B-4 §4.2.1).
//!
//! Contract: pure. No proof rests on one person's word: whoever works the case, themselves or through software that they own, attests nothing
//! in it; an owner quorum is the yes of [`QUORUM`] owners. Knows nothing about what policy asks for.

use std::collections::BTreeSet;

use super::case::{ActorRef, Receipt};
use super::checklist::{Reach, reach};
use super::command::World;
use super::vocabulary::{Method, Status};
use super::{dates, lineage, mailboxes};
use crate::base::Time;
use crate::base::ids::PersonId;

/// How many owners make a quorum: one person's word is none (invariant 5).
pub const QUORUM: usize = 2;

/// Who can be asked to attest now: the present owners and, but for an owner quorum, the recorded manager; never the subject, nor whoever
/// works the case, nor one whose mailbox is also theirs, nor one who is so, or has it, for too short a time. Nobody, where there are too few owners, or mailboxes of owners, for a quorum.
pub fn attesters(world: &World, method: Method, now: Time) -> BTreeSet<PersonId> {
    let (Some(subject), Reach::Attester) = (world.subject.as_deref(), reach(method)) else { return BTreeSet::new() };
    let owners = subject.owners_at(now).cloned();
    let manager = subject.manager.iter().filter(|_| method != Method::OwnerQuorum).cloned();
    let present = |p: &PersonId| world.register.persons.get(p).is_some_and(|p| p.status == Status::Active);
    let mut out: BTreeSet<PersonId> = owners.chain(manager).filter(|p| subject.person.as_ref() != Some(p) && present(p)).collect();
    out.retain(|p| dates::problem(world, method, Some(p), now).is_none());
    if !out.is_empty() {
        let working = lineage::working_hands(world, now);
        out.retain(|p| !working.contains(p) && !mailboxes::reads_along(world, p, &working) && !world.mailboxes.is_subjects(p));
    }
    if method == Method::OwnerQuorum && mailboxes::mailboxes(world, &out) < QUORUM {
        out.clear();
    }
    out
}

/// Who gave an attestation; nobody for what the subject proved itself.
pub const fn giver(receipt: &Receipt) -> Option<&PersonId> {
    match &receipt.by {
        ActorRef::Attester { person, .. } => Some(person),
        _ => None,
    }
}

/// Those of the receipts that are nobody's word about a case they work, whenever they came to work it: asked for an attestation first and sealed
/// or routed by its giver later is one person's word too, and so is what was sent to a mailbox that is theirs as well.
pub fn impartial<'a>(world: &World, receipts: Vec<&'a Receipt>, now: Time) -> Vec<&'a Receipt> {
    let read_along = |r: &Receipt| r.endpoint.as_ref().is_some_and(|e| mailboxes::is_a_hands(world, e, None, now));
    let receipts: Vec<&Receipt> = receipts.into_iter().filter(|r| !read_along(r)).collect();
    if receipts.iter().all(|r| reach(r.method) != Reach::Attester) {
        return receipts;
    }
    let Some(subject) = world.subject.as_deref() else { return Vec::new() };
    let working = lineage::working_hands(world, now);
    let owners: BTreeSet<&PersonId> = subject.owners_at(now).collect();
    let counts = |r: &&Receipt| match (reach(r.method), giver(r)) {
        (Reach::Attester, Some(person)) => {
            let outside = !working.contains(person) && subject.person.as_ref() != Some(person) && !mailboxes::reads_along(world, person, &working);
            outside && (r.method != Method::OwnerQuorum || owners.contains(person))
        }
        (Reach::Attester, None) => false,
        _ => true,
    };
    receipts.into_iter().filter(counts).collect()
}
