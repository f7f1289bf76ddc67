//! Lineage: everyone who had a hand in a case, resolved to persons, each with the reason (invariants 1 and 2).
//!
//! Contract: pure. The closure of the hands over the history of ownership and delegation within the window, joined with what was recorded
//! before and with the lineage of linked cases. Only grows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::Duration;

use super::case::{Case, LineageEntry};
use super::checklist;
use super::command::World;
use super::derived;
use super::mailboxes;
use super::quorum::Voter;
use super::refusal::CouldDecide;
use super::register::{Operator, Principal, Register};
use super::standing::Standing;
use super::subject::{Ownership, Subject};
use super::vocabulary::{Duty, Role, Status};
use crate::base::Time;
use crate::base::ids::{CaseId, EmployerId, PersonId};

/// The shortest history of ownership and delegation that counts, whatever policy says (invariant 2).
pub const FLOOR: Duration = Duration::days(7);

/// The lineage of the world's case as it stands now: recorded entries, and the closure of its hands over the register's history.
pub fn lineage(world: &World, now: Time) -> Arc<BTreeSet<LineageEntry>> {
    derived::lineage(world, now, || walked(world, now))
}

fn walked(world: &World, now: Time) -> BTreeSet<LineageEntry> {
    let Some(case) = world.case.as_deref() else { return BTreeSet::new() };
    let (mut walk, linked) = Walk::over(world, case, now);
    walk.start_case(case, None);
    if let Some(subject) = world.subject.as_deref() {
        walk.start_subject(subject);
    }
    for other in linked {
        walk.start_case(other, Some(other.id));
    }
    for person in mailboxes::provers(world, case) {
        walk.reach(person, Duty::Prover, None, None);
    }
    walk.run();
    walk.out
}

/// Everyone who works the case or a linked one, or did: who routed, triaged, wrote evidence, started a proof or sealed it, and whoever owns,
/// sponsors or is tied to them over the same history. Whoever asked for it, owns its subject or attested in it does not work it, nor does
/// software by being theirs.
pub fn working_hands(world: &World, now: Time) -> BTreeSet<PersonId> {
    hands_with(world, works, now)
}

/// The same, and whoever asked for the case, likewise.
pub fn hands_and_asking(world: &World, now: Time) -> BTreeSet<PersonId> {
    hands_with(world, |duty| works(duty) || duty == Duty::Requester, now)
}

const fn works(duty: Duty) -> bool {
    matches!(duty, Duty::Router | Duty::ProofStarter | Duty::EvidenceEditor | Duty::Sealer | Duty::ActedFor)
}

fn hands_with(world: &World, counts: impl Fn(Duty) -> bool, now: Time) -> BTreeSet<PersonId> {
    let Some(case) = world.case.as_deref() else { return BTreeSet::new() };
    let (mut walk, linked) = Walk::over(world, case, now);
    let cases: Vec<&Case> = linked.into_iter().chain([case]).collect();
    for case in &cases {
        for entry in case.lineage.iter().filter(|e| counts(e.duty)) {
            walk.reach(&entry.person, entry.duty, None, None);
        }
        for hand in case.hands.iter().filter(|h| counts(h.duty)) {
            walk.visit(hand.who.clone(), None);
            if let Principal::Person(person) = &hand.who {
                walk.reach(person, hand.duty, None, None);
            }
        }
    }
    walk.run();
    // Whoever owned the software behind such a hand then still counts, whatever the register says of it now.
    for entry in cases.iter().flat_map(|c| &c.lineage).filter(|e| matches!(e.duty, Duty::AutomationOwner | Duty::AutomationSponsor)) {
        if entry.via.as_ref().is_some_and(|via| walk.seen.contains(via)) {
            walk.reach(&entry.person, entry.duty, None, None);
        }
    }
    walk.run();
    persons(&walk.out)
}

/// The other cases whose lineage counts here: that are or ever were about the same subject and target, touched within the window before this one was opened or
/// later, whatever became of them; and those recorded as linked before.
pub fn linked<'a>(world: &'a World, case: &Case, window: Duration) -> Vec<&'a Case> {
    let near = |c: &Case| c.times.updated_at >= case.request.opened_at - window;
    world
        .linked
        .iter()
        .map(AsRef::as_ref)
        .filter(|c: &&Case| c.id != case.id && (case.linked.contains(&c.id) || (c.is_about_the_same(case) && near(c))))
        .collect()
}

/// Every duty of one person in the case.
pub fn duties(world: &World, person: &PersonId, now: Time) -> Vec<LineageEntry> {
    lineage(world, now).iter().filter(|e| &e.person == person).cloned().collect()
}

/// The persons of a lineage.
pub fn persons(lineage: &BTreeSet<LineageEntry>) -> BTreeSet<PersonId> {
    lineage.iter().map(|e| e.person.clone()).collect()
}

/// Who could decide the case now (invariant 15).
pub fn could_decide(world: &World, now: Time) -> CouldDecide {
    could_decide_in(&Standing::of(world, now), &world.register, now)
}

/// The same, of a case whose approvals are counted already.
pub fn could_decide_in(standing: &Standing, register: &Register, now: Time) -> CouldDecide {
    let present = |voter: &Voter| register.persons.get(&voter.person).is_some_and(|p| p.on_call || p.shift.is_none_or(|s| s.covers(now)));
    CouldDecide {
        operators: standing.others().map(|(id, _)| id.clone()).collect(),
        on_shift: standing.others().filter(|(_, voter)| present(voter)).map(|(id, _)| id.clone()).collect(),
        missing_groups: standing.missing_groups(),
        enough: standing.enough(),
        lacking: Box::new(standing.lacking()),
    }
}

/// Which security reviewers could lift the case's hold or look back at it now: those with no hand in it, but for `barred`.
pub fn could_review(world: &World, barred: &BTreeSet<PersonId>, now: Time) -> CouldDecide {
    let register = &world.register;
    let lineage = persons(&lineage(world, now));
    let person = |o: &Operator| register.persons.get(&o.person).filter(|p| p.status == Status::Active);
    let fit = |o: &&Operator| o.enabled && o.roles.contains(&Role::SecurityReviewer) && person(o).is_some();
    let outside = |o: &&Operator| !lineage.contains(&o.person) && !barred.contains(&o.person);
    let all: Vec<&Operator> = register.operators.values().filter(fit).filter(outside).collect();
    let here = |o: &&&Operator| person(o).is_some_and(|p| p.on_call || p.shift.is_none_or(|s| s.covers(now)));
    CouldDecide {
        on_shift: all.iter().filter(here).map(|o| o.id.clone()).collect(),
        enough: !all.is_empty(),
        operators: all.into_iter().map(|o| o.id.clone()).collect(),
        ..CouldDecide::default()
    }
}

/// The employers of those who routed and proved: where policy asks for another one, theirs don't count.
pub fn employers(register: &Register, lineage: &BTreeSet<LineageEntry>) -> BTreeSet<EmployerId> {
    let counts =
        |d: Duty| matches!(d, Duty::Router | Duty::Prover | Duty::ProofStarter | Duty::AutomationOwner | Duty::AutomationSponsor | Duty::ActedFor);
    let routed = lineage.iter().filter(|e| counts(e.duty));
    routed.filter_map(|e| register.persons.get(&e.person)).map(|p| p.employer.clone()).collect()
}

/// A walk from those with a hand in it along ownership (from automation to person) and delegation (both ways), to the end.
struct Walk<'a> {
    own: CaseId,
    register: &'a Register,
    /// Ownership and delegation that ended before this no longer count.
    from: Time,
    now: Time,
    seen: BTreeSet<Principal>,
    queue: VecDeque<(Principal, Option<CaseId>)>,
    out: BTreeSet<LineageEntry>,
}

impl<'a> Walk<'a> {
    /// A walk over the history that counts for a case, and the cases linked with it.
    fn over(world: &'a World, case: &Case, now: Time) -> (Self, Vec<&'a Case>) {
        let need = checklist::requirement(world);
        let window = need.lineage_window.duration().max(FLOOR);
        let linked: Vec<&Case> = linked(world, case, need.linked_window.duration());
        let from = linked.iter().map(|c| c.request.opened_at).chain([case.request.opened_at]).min().unwrap_or(now) - window;
        let walk = Self { own: case.id, register: &world.register, from, now, seen: BTreeSet::new(), queue: VecDeque::new(), out: BTreeSet::new() };
        (walk, linked)
    }
}

impl Walk<'_> {
    fn start_case(&mut self, case: &Case, label: Option<CaseId>) {
        for entry in &case.lineage {
            let entry = LineageEntry { case: entry.case.or(label).filter(|c| *c != self.own), ..entry.clone() };
            self.visit(Principal::Person(entry.person.clone()), entry.case);
            self.out.insert(entry);
        }
        for hand in &case.hands {
            if let Principal::Person(person) = &hand.who {
                self.out.insert(LineageEntry { person: person.clone(), duty: hand.duty, via: None, case: label });
            }
            self.visit(hand.who.clone(), label);
        }
    }

    fn start_subject(&mut self, subject: &Subject) {
        if let Some(person) = &subject.person {
            self.reach(person, Duty::Subject, None, None);
        }
        for owner in &subject.owners {
            if !self.counts(owner.since, owner.until) {
                continue;
            }
            self.reach(&owner.person, Duty::SubjectOwner, None, None);
        }
    }

    fn counts(&self, since: Time, until: Option<Time>) -> bool {
        since <= self.now && until.is_none_or(|u| u >= self.from)
    }

    fn visit(&mut self, who: Principal, label: Option<CaseId>) {
        if self.seen.insert(who.clone()) {
            self.queue.push_back((who, label));
        }
    }

    fn reach(&mut self, person: &PersonId, duty: Duty, via: Option<&Principal>, case: Option<CaseId>) {
        self.out.insert(LineageEntry { person: person.clone(), duty, via: via.cloned(), case });
        self.visit(Principal::Person(person.clone()), case);
    }

    fn run(&mut self) {
        let mut ties: BTreeMap<&Principal, Vec<&Principal>> = BTreeMap::new();
        let register = self.register;
        for d in register.delegations.iter().filter(|d| self.counts(d.since, d.until)) {
            ties.entry(&d.from).or_default().push(&d.to);
            ties.entry(&d.to).or_default().push(&d.from);
        }
        while let Some((who, label)) = self.queue.pop_front() {
            if let Principal::Automation(id) = &who
                && let Some(automation) = register.automations.get(id)
            {
                self.owners(&automation.owners, Duty::AutomationOwner, &who, label);
                self.owners(&automation.sponsors, Duty::AutomationSponsor, &who, label);
            }
            for tied in ties.get(&who).into_iter().flatten() {
                match tied {
                    Principal::Person(person) if !self.seen.contains(*tied) => self.reach(person, Duty::Delegation, Some(&who), label),
                    _ => self.visit((*tied).clone(), label),
                }
            }
        }
    }

    fn owners(&mut self, owners: &[Ownership], duty: Duty, via: &Principal, label: Option<CaseId>) {
        for owner in owners {
            if !self.counts(owner.since, owner.until) {
                continue;
            }
            self.reach(&owner.person, duty, Some(via), label);
        }
    }
}
