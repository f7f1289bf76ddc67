//! Mailboxes: nothing is sent for proof to one that is also somebody's who works the case (invariant 5).
//!
//! Contract: pure. Who reads which mailbox is told by whoever knows addresses; here are only persons. Where a mailbox is that of more persons than
//! can be told, it counts as everybody's. The subject's own mailbox is theirs, whatever they did in the case.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, ProofSession};
use super::checklist;
use super::command::World;
use super::lineage;
use super::register::Register;
use super::subject::Subject;
use super::vocabulary::Status;
use crate::base::Time;
use crate::base::ids::{EndpointId, PersonId};

/// The most persons that are named for one mailbox.
pub const MAX_READERS: usize = 200;

/// Those whose recorded mailbox one is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readers {
    /// Who.
    pub persons: BTreeSet<PersonId>,
    /// Whether there are more than [`MAX_READERS`]: then it is nobody's own.
    pub more: bool,
}

/// Who reads the mailboxes that something can be sent to about a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailboxes {
    /// By recorded mail address of the subject; none where it is no person's.
    pub endpoints: BTreeMap<EndpointId, Readers>,
    /// By owner or manager of the subject who has a mailbox: everyone's whose it is, themselves among them.
    pub attesters: BTreeMap<PersonId, Readers>,
}

impl Readers {
    /// Whether it is no person's mailbox.
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty() && !self.more
    }
}

impl Mailboxes {
    /// Whether two persons' mailboxes are one.
    pub fn shared(&self, one: &PersonId, other: &PersonId) -> bool {
        one != other && self.attesters.get(one).is_some_and(|r| r.more || r.persons.contains(other))
    }

    /// Whether a person's mailbox is one of the subject's own: nobody attests for themselves.
    pub fn is_subjects(&self, person: &PersonId) -> bool {
        self.endpoints.values().any(|r| r.persons.contains(person))
    }
}

/// Whether an address of the subject is the recorded mailbox of somebody else with a hand in the case: who opened, routed or worked it, or has it now,
/// themselves or through software that they own; or of `caller`, who is about to.
pub fn is_a_hands(world: &World, endpoint: &EndpointId, caller: Option<&PersonId>, now: Time) -> bool {
    let Some(readers) = world.mailboxes.endpoints.get(endpoint) else { return false };
    let own = world.subject.as_ref().and_then(|s| s.person.as_ref());
    let others: BTreeSet<&PersonId> = readers.persons.iter().filter(|p| Some(*p) != own).collect();
    if readers.more || caller.is_some_and(|p| others.contains(p)) {
        return true;
    }
    if others.is_empty() {
        return false;
    }
    let hands = lineage::hands_and_asking(world, now);
    others.into_iter().any(|p| hands.contains(p) || has_it(world, p))
}

/// Whether the mailbox of somebody who could attest is also that of one of `working`, or of whoever has the case now.
pub fn reads_along(world: &World, attester: &PersonId, working: &BTreeSet<PersonId>) -> bool {
    let Some(readers) = world.mailboxes.attesters.get(attester) else { return false };
    readers.more || readers.persons.iter().any(|p| p != attester && (working.contains(p) || has_it(world, p)))
}

/// Who else, over the same mailbox, was asked for their word or gave it: two persons who share one are not two.
pub fn double<'a>(world: &'a World, attester: &PersonId, now: Time) -> Option<&'a PersonId> {
    let case = world.case.as_deref()?;
    let need = checklist::requirement(world);
    let asked = case.sessions.values().filter(|s| s.outcome.is_none() && s.expires_at > now).filter_map(|s| s.attester.as_ref());
    let counting = case.receipts.iter().filter(|r| checklist::counts_until(&need, r) > now && !case.is_for_another(r));
    asked.chain(counting.filter_map(super::attest::giver)).find(|other| world.mailboxes.shared(attester, other))
}

/// Who of a mailbox's readers is worth a word to whoever keeps a subject's record: nobody who left, nor the subject's own person, nor an owner who
/// doesn't sign in, whose mailbox is what a machine's should be.
pub fn others<'a>(subject: &Subject, readers: &'a Readers, register: &Register, now: Time) -> Vec<&'a PersonId> {
    let own = |p: &PersonId| subject.person.as_ref() == Some(p);
    let owns = |p: &PersonId| subject.owners_at(now).any(|o| o == p) && register.accounts_of(p).next().is_none();
    readers.persons.iter().filter(|p| is_here(register, p) && !own(p) && !owns(p)).collect()
}

/// Whether somebody is recorded and has not left.
pub fn is_here(register: &Register, person: &PersonId) -> bool {
    register.persons.get(person).is_some_and(|p| p.status != Status::Retired)
}

/// How many mailboxes these persons have among them.
pub fn mailboxes(world: &World, persons: &BTreeSet<PersonId>) -> usize {
    persons.iter().filter(|p| !persons.range(..*p).any(|before| world.mailboxes.shared(p, before))).count()
}

/// Everyone who could read what was sent for the proofs of a case: whoever could type a code that was sent gave the proof, as far as anyone can tell.
pub fn provers<'a>(world: &'a World, case: &'a Case) -> impl Iterator<Item = &'a PersonId> {
    let own = world.subject.as_ref().and_then(|s| s.person.as_ref());
    let read = |s: &'a ProofSession| {
        let sent_to = s.endpoint.as_ref().and_then(|e| world.mailboxes.endpoints.get(e));
        let asked = s.attester.as_ref().and_then(|p| world.mailboxes.attesters.get(p));
        sent_to.into_iter().chain(asked).flat_map(|r| &r.persons).filter(move |p| s.attester.as_ref() != Some(*p))
    };
    let proved = |s: &&ProofSession| s.outcome == Some(super::case::SessionOutcome::Proved);
    case.sessions.values().filter(proved).flat_map(read).filter(move |p| Some(*p) != own)
}

fn has_it(world: &World, person: &PersonId) -> bool {
    let assignee = world.case.as_ref().and_then(|c| c.assignee.as_ref());
    assignee.and_then(|o| world.register.person_of(o)).is_some_and(|p| p.id == *person)
}
