//! The checklist: what policy requires of a case measured against its receipts, in order, with what is missing.
//!
//! Contract: pure; derived from what stands, kept for a look at most (see [`derived`]), never stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attest;
use super::case::{Case, Flag, Plan, Receipt, Route};
use super::command::World;
use super::dates;
use super::derived;
use super::gates;
use super::mailboxes;
use super::requirement::{ApprovalNeed, CodeRules, Deadlines, ProofNeed, ProofSet, Requirement, Seconds};
use super::subject::{Endpoint, Subject};
use super::vocabulary::{EndpointKind, Method};
use crate::base::Time;
use crate::base::ids::{EndpointId, PersonId};
use crate::base::mailbox::mailbox;

/// The requirement of the world's case: the stricter of the pinned and the current policy (invariant 14).
///
/// Without a case or its subject nothing can be judged: the answer is then one that nobody can meet.
pub fn requirement(world: &World) -> Arc<Requirement> {
    derived::requirement(world, || match (world.case.as_deref(), world.subject.as_deref()) {
        (Some(case), Some(subject)) => requirement_for(world, subject, (&case.route, &case.flags), case.request.opened_at),
        _ => unreachable_requirement(),
    })
}

/// The requirement a case on that route with those flags, opened then, would have in this world.
pub fn requirement_for(world: &World, subject: &Subject, (route, flags): (&Route, &[Flag]), opened: Time) -> Requirement {
    world.pinned.requirement_with(&world.current, subject, (route, flags), opened)
}

/// What would be done for the world's case: the narrower of the pinned and the current policy's plan, no longer than policy's grants live.
pub fn plan(world: &World) -> Option<Plan> {
    let (case, subject) = (world.case.as_deref()?, world.subject.as_deref()?);
    let need = requirement(world);
    let since = case.request.opened_at - need.min_endpoint_age.duration();
    let current = world.current.plan(subject, &case.route, since);
    let mut plan = world.pinned.plan(subject, &case.route, since);
    let longest = need.grant_lifetime;
    plan.lifetime = plan.lifetime.into_iter().chain(current.lifetime).chain(longest).min();
    plan.scope.retain(|s| current.scope.contains(s));
    plan.revokes_old |= current.revokes_old;
    plan.rotates.extend(current.rotates);
    plan.reversible &= current.reversible;
    Some(plan)
}

fn unreachable_requirement() -> Requirement {
    let none = Seconds(0);
    let quarter = Seconds(90 * 24 * 3600);
    Requirement {
        proofs: vec![ProofNeed { any_of: Vec::new() }],
        gates: BTreeSet::new(),
        approvals: ApprovalNeed { count: u8::MAX, groups: BTreeMap::new(), other_employer: true, signature: true },
        min_endpoint_age: Seconds(u32::MAX),
        receipt_lifetime: none,
        approval_lifetime: none,
        delay: Seconds(u32::MAX),
        grace: Seconds(u32::MAX),
        grant_lifetime: Some(none),
        restriction: quarter,
        deadlines: Deadlines { triage: none, proofing: none, approval: none, expiry: none, hold: none },
        lineage_window: quarter,
        linked_window: quarter,
        codes: CodeRules { email: none, phone: none, postal: none, contact: none, page: none, attempts_per_code: 0, attempts_per_case: 0 },
        review: true,
        escalates_to: BTreeSet::new(),
    }
}

/// How far a case is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// In the order in which they are asked for.
    pub items: Vec<Item>,
    /// Whether approval can be requested.
    pub complete: bool,
}

/// One item of the checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Methods any of which would do.
    pub methods: Vec<Method>,
    /// Whether it is a gate beside the proofs.
    pub gate: bool,
    /// The receipt that fills it.
    pub receipt: Option<Receipt>,
    /// What could be started now.
    pub startable: Vec<Way>,
}

/// What can be started: a method, over which endpoint, with whom.
pub type Way = (Method, Option<EndpointId>, Option<PersonId>);

/// Measures a case at a moment. For a sealed case the moment that counts is the seal's: see [`sealed_progress`].
pub fn progress(world: &World, now: Time) -> Arc<Progress> {
    derived::progress(world, now, || measured(world, now))
}

fn measured(world: &World, now: Time) -> Progress {
    let need = requirement(world);
    let Some(case) = world.case.as_deref() else { return Progress { items: Vec::new(), complete: false } };
    // What was proved for something else says nothing of what is asked now.
    let counting = |r: &&Receipt| counts_until(&need, r) > now && r.method != Method::RecoveryContact && !case.is_for_another(r);
    let valid = attest::impartial(world, case.receipts.iter().filter(counting).collect(), now);
    let gates: Vec<Method> = need.gates.iter().copied().collect();
    let met = arrange(&need, &gates, &mut Vec::new(), &valid);
    let complete = met.is_some();
    let (proofs, beside) = met.unwrap_or_else(|| so_far(&need, &gates, &valid));
    let item = |methods, gate, receipt| Item { methods, gate, receipt, startable: Vec::new() };
    let mut items: Vec<Item> = proofs.into_iter().flatten().map(|(methods, receipt)| item(methods, false, receipt)).collect();
    items.extend(gates.iter().zip(beside).map(|(gate, receipt)| item(vec![*gate], true, receipt.cloned())));
    let filled: Vec<Receipt> = items.iter().filter_map(|i| i.receipt.clone()).collect();
    for item in items.iter_mut().filter(|i| i.receipt.is_none()) {
        item.startable = item.methods.iter().flat_map(|m| startable(world, &need, *m, now)).collect();
        // Whoever gave their word for one place can't give it for another one.
        item.startable.retain(|(method, _, person)| {
            person.as_ref().is_none_or(|p| !filled.iter().any(|r| attest::giver(r) == Some(p) && (r.method == *method || !r.method.is_gate())))
        });
    }
    gates::leave_to_others(world, &mut items, &valid);
    Progress { items, complete }
}

type Arranged<'a> = (Vec<Slots>, Vec<Option<&'a Receipt>>);

/// How everything that is asked for is met, if it is. A gate stands beside the proof: it rests on something that no proof and no other gate
/// rests on. Every way is tried; gates and their receipts are few.
fn arrange<'a>(need: &Requirement, gates: &[Method], chosen: &mut Vec<&'a Receipt>, receipts: &[&'a Receipt]) -> Option<Arranged<'a>> {
    let taken = |chosen: &[&Receipt], r: &Receipt| chosen.iter().any(|c| same_root(c, r));
    let Some((gate, others)) = gates.split_first() else {
        let rest: Vec<&Receipt> = receipts.iter().copied().filter(|r| !taken(chosen, r)).collect();
        let filled: Vec<Slots> = need.proofs.iter().map(|p| fill_need(p, &rest)).collect::<Option<_>>()?;
        return filled.iter().flatten().all(|(_, r)| r.is_some()).then(|| (filled, chosen.iter().copied().map(Some).collect()));
    };
    for receipt in receipts.iter().filter(|r| r.method == *gate) {
        if taken(chosen, receipt) {
            continue;
        }
        chosen.push(receipt);
        let met = arrange(need, others, chosen, receipts);
        chosen.pop();
        if met.is_some() {
            return met;
        }
    }
    None
}

/// What is met of it so far: proofs first, and as many gates as what is left fills.
fn so_far<'a>(need: &Requirement, gates: &[Method], receipts: &[&'a Receipt]) -> Arranged<'a> {
    let proofs: Vec<Slots> = need.proofs.iter().filter_map(|p| fill_need(p, receipts)).collect();
    let taken: Vec<&Receipt> = proofs.iter().flatten().filter_map(|(_, r)| r.as_ref()).collect();
    let left: Vec<&Receipt> = receipts.iter().copied().filter(|r| !taken.iter().any(|t| same_root(t, r))).collect();
    let place = |(slot, gate): (usize, &Method)| Place { named: vec![*gate], fills: BTreeSet::from([*gate]), slot };
    let places: Vec<Place> = gates.iter().enumerate().map(place).collect();
    let beside = fill_way(false, &places, &left);
    (proofs, beside)
}

/// Whether two receipts rest on the same: the same mailbox, device, code set or person, whatever it is called there. They count as one.
pub(super) fn same_root(one: &Receipt, other: &Receipt) -> bool {
    one.trust_root.sha256 == other.trust_root.sha256 || attest::giver(one).is_some_and(|giver| attest::giver(other) == Some(giver))
}

/// Whether a need can be met in no other way than by an owner quorum, and there are too few owners who could be one.
pub fn lacks_owners(world: &World, now: Time) -> bool {
    let only_owners = |slot: &BTreeSet<Method>| slot.iter().filter(|m| is_carried_out(**m)).eq([&Method::OwnerQuorum]);
    let stuck = |need: &ProofNeed| need.any_of.iter().all(|set| set.slots.iter().any(only_owners));
    requirement(world).proofs.iter().any(stuck) && attest::attesters(world, Method::OwnerQuorum, now).is_empty()
}

/// Measures a sealed case as it was when it was sealed: receipts counted then count for that seal; without a seal, as it is now.
pub fn sealed_progress(world: &World, now: Time) -> Arc<Progress> {
    let at = world.case.as_deref().and_then(|c| c.seal.as_ref()).map_or(now, |s| s.at);
    progress(world, at)
}

/// Until when a receipt counts: as long as was said when it was recorded, or less where policy has become stricter since (invariant 14).
pub fn counts_until(need: &Requirement, receipt: &Receipt) -> Time {
    receipt.valid_until.min(receipt.at + need.receipt_lifetime.duration())
}

/// Until when the proof under a case's seal counts: the first moment at which one of its receipts does no longer. Whoever approves later
/// would decide on a proof that is none any more.
pub fn proof_until(world: &World, now: Time) -> Option<Time> {
    let need = requirement(world);
    sealed_progress(world, now).items.iter().filter_map(|i| i.receipt.as_ref()).map(|r| counts_until(&need, r)).min()
}

/// The methods of the receipts under a case's seal that no longer count.
pub fn lapsed(world: &World, now: Time) -> Vec<Method> {
    let need = requirement(world);
    let over = |r: &&Receipt| counts_until(&need, r) <= now;
    sealed_progress(world, now).items.iter().filter_map(|i| i.receipt.as_ref()).filter(over).map(|r| r.method).collect()
}

/// What is still missing: methods any of which would help next; of an item of which some can be started now, those.
pub fn missing(progress: &Progress) -> Vec<Method> {
    let mut out: Vec<Method> = Vec::new();
    for item in progress.items.iter().filter(|i| i.receipt.is_none()) {
        let offered = |m: &&Method| item.startable.is_empty() || item.startable.iter().any(|(method, ..)| method == *m);
        for method in item.methods.iter().filter(offered) {
            if !out.contains(method) {
                out.push(*method);
            }
        }
    }
    out
}

type Slots = Vec<(Vec<Method>, Option<Receipt>)>;

/// A place of a set, to be filled by one receipt.
#[derive(Clone)]
struct Place {
    /// As the checklist names it.
    named: Vec<Method>,
    /// Methods whose receipts fill it.
    fills: BTreeSet<Method>,
    /// Which slot of the set it belongs to: an owner quorum takes one slot and as many places as there are owners in it.
    slot: usize,
}

/// The ways to fill a set: each slot that an owner quorum may fill is filled by something else, or by that many owners.
fn ways(set: &ProofSet) -> Vec<Vec<Place>> {
    let owners = BTreeSet::from([Method::OwnerQuorum]);
    let mut ways: Vec<Vec<Place>> = vec![Vec::new()];
    for (at, slot) in set.slots.iter().enumerate() {
        let place =
            |named: &BTreeSet<Method>, fills: &BTreeSet<Method>| Place { named: named.iter().copied().collect(), fills: fills.clone(), slot: at };
        let others: BTreeSet<Method> = slot.difference(&owners).copied().collect();
        // Something else before the quorum: of ways that are equally far, the first is gone on with.
        let one = (!others.is_empty()).then(|| vec![place(slot, &others)]);
        let quorum = slot.contains(&Method::OwnerQuorum).then(|| (0..attest::QUORUM).map(|_| place(&owners, &owners)).collect());
        let choices: Vec<Vec<Place>> = one.into_iter().chain(quorum).collect();
        ways = choices.iter().flat_map(|choice| ways.iter().map(|way| [way.as_slice(), choice].concat()).collect::<Vec<_>>()).collect();
    }
    ways
}

/// The alternative to go on with, place by place: one that is met; else the one for which most is there already, policy's order deciding
/// between equals. A place that misses also offers what would meet the whole need instead.
fn fill_need(need: &ProofNeed, receipts: &[&Receipt]) -> Option<Slots> {
    let all = need.any_of.iter().flat_map(|set| ways(set).into_iter().map(move |way| (set.distinct_methods, way)));
    let receipts: Vec<&Receipt> = receipts.iter().copied().filter(|r| !r.method.is_gate()).collect();
    let tried = all.map(|(distinct, way)| {
        let filled = fill_way(distinct, &way, &receipts);
        (way, filled)
    });
    let (way, filled) = tried.min_by_key(|(_, filled)| {
        let there = filled.iter().flatten().count();
        (there < filled.len(), std::cmp::Reverse(there))
    })?;
    let singles = need.any_of.iter().filter(|s| s.slots.len() == 1).flat_map(|s| &s.slots[0]);
    let singles: Vec<Method> = singles.copied().filter(|m| !m.is_gate()).collect();
    let slots = way.into_iter().zip(filled).map(|(place, receipt)| {
        let mut methods = place.named;
        if receipt.is_none() {
            let others: Vec<Method> = singles.iter().copied().filter(|m| !methods.contains(m)).collect();
            methods.extend(others);
        }
        (methods, receipt.cloned())
    });
    Some(slots.collect())
}

/// The most places that receipts can fill, each by another trust root (and method, where asked). Places and receipts are few.
fn fill_way<'a>(distinct_methods: bool, way: &[Place], receipts: &[&'a Receipt]) -> Vec<Option<&'a Receipt>> {
    let mut best: Vec<Option<&Receipt>> = vec![None; way.len()];
    let mut chosen = Vec::with_capacity(way.len());
    try_places(distinct_methods, way, receipts, &mut chosen, &mut best);
    best
}

type Chosen<'a> = Vec<Option<&'a Receipt>>;

fn try_places<'a>(distinct: bool, way: &[Place], receipts: &[&'a Receipt], chosen: &mut Chosen<'a>, best: &mut Chosen<'a>) {
    let count = |v: &[Option<&Receipt>]| v.iter().flatten().count();
    if count(chosen) + (way.len() - chosen.len()) <= count(best) {
        return;
    }
    let Some(place) = way.get(chosen.len()) else {
        if count(chosen) > count(best) {
            best.clone_from(chosen);
        }
        return;
    };
    let mut roots = BTreeSet::new();
    for receipt in receipts.iter().filter(|r| place.fills.contains(&r.method)) {
        let as_other = |slot: usize, c: &Receipt| distinct && slot != place.slot && c.method == receipt.method;
        let clash =
            way.iter().zip(chosen.iter()).filter_map(|(p, c)| Some((p.slot, (*c)?))).any(|(slot, c)| same_root(c, receipt) || as_other(slot, c));
        // Receipts that differ in nothing that counts are tried once.
        if !clash && roots.insert((receipt.trust_root.sha256, attest::giver(receipt), receipt.method)) {
            chosen.push(Some(receipt));
            try_places(distinct, way, receipts, chosen, best);
            chosen.pop();
        }
    }
    chosen.push(None);
    try_places(distinct, way, receipts, chosen, best);
    chosen.pop();
}

/// How a method reaches whoever proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Over a recorded endpoint of the subject.
    Endpoint,
    /// Through the recorded manager or an owner.
    Attester,
    /// By a key or fact that needs neither.
    Bound,
}

/// Whether a method can be carried out at all today: by a page that takes a code, or one on which somebody attests. Keys, devices and
/// documents have no page yet, and nobody's recovery contact is recorded (a manager or owner in its place would be an attestation under another
/// name, which fills no set, §4.2.1); a policy may name them, and nothing is started that nobody could complete.
pub const fn is_carried_out(method: Method) -> bool {
    !matches!(reach(method), Reach::Bound) && !matches!(method, Method::RecoveryContact)
}

/// Why a method can't be carried out, if it can't.
pub fn not_carried_out(method: Method) -> Option<String> {
    match method {
        Method::RecoveryContact => Some("No recovery contact is recorded for anyone yet: nobody could be asked.".to_owned()),
        _ if !is_carried_out(method) => Some(format!("There is no page for {} yet: nobody could complete it.", method.label())),
        _ => None,
    }
}

/// How a method reaches whoever proves.
pub const fn reach(method: Method) -> Reach {
    match method {
        Method::SavedCode | Method::IssuedCode => Reach::Endpoint,
        Method::RecoveryContact | Method::OwnerQuorum | Method::ManagerAttestation | Method::TicketApproval | Method::InPerson => Reach::Attester,
        _ => Reach::Bound,
    }
}

/// How security can make contact over a held case.
const CONTACTS: [Method; 3] = [Method::IssuedCode, Method::SavedCode, Method::ManagerAttestation];

/// Every way to reach the subject, or whoever answers for it, over a case in any state: over recorded addresses that may serve it, and
/// through whoever may attest in it. What a hold is lifted by, whatever the checklist asks for or has already.
pub fn contacts(world: &World, now: Time) -> Vec<Way> {
    let need = requirement(world);
    CONTACTS.iter().flat_map(|method| startable(world, &need, *method, now)).collect()
}

fn startable(world: &World, need: &Requirement, method: Method, now: Time) -> Vec<Way> {
    let (Some(case), Some(subject)) = (world.case.as_deref(), world.subject.as_deref()) else { return Vec::new() };
    if !is_carried_out(method) || dates::problem(world, method, None, now).is_some() {
        return Vec::new();
    }
    match reach(method) {
        Reach::Endpoint => {
            let usable = subject.endpoints.iter().filter(|e| endpoint_problem(case, subject, need, &e.id, now).is_none());
            let usable = usable.filter(|e| !mailboxes::is_a_hands(world, &e.id, None, now));
            usable.filter(|e| e.kind == EndpointKind::Email).map(|e| (method, Some(e.id.clone()), None)).collect()
        }
        Reach::Attester => {
            let others = attest::attesters(world, method, now).into_iter().filter(|p| mailboxes::double(world, p, now).is_none());
            others.map(|p| (method, None, Some(p))).collect()
        }
        Reach::Bound => vec![(method, None, None)],
    }
}

/// Why nothing can be started now for an item that is not met, method by method; nothing where something can.
pub fn blocked(world: &World, item: &Item, now: Time) -> Option<String> {
    let waits = |case: &Case| case.waiting(now).any(|(_, s)| item.methods.contains(&s.method));
    if item.receipt.is_some() || !item.startable.is_empty() || world.case.as_deref().is_none_or(waits) {
        return None;
    }
    let each = |method: &Method| format!("{}: {}", method.label(), hindrance(world, *method, now).trim_end_matches('.'));
    Some(item.methods.iter().map(each).collect::<Vec<_>>().join("; "))
}

fn hindrance(world: &World, method: Method, now: Time) -> String {
    let (Some(case), Some(subject)) = (world.case.as_deref(), world.subject.as_deref()) else { return "nobody is known to prove it".to_owned() };
    if !is_carried_out(method) {
        return "there is no page for it yet".to_owned();
    }
    if let Some(why) = dates::problem(world, method, None, now) {
        return why.to_string();
    }
    if reach(method) == Reach::Attester {
        if let Some(why) = gates::hindrance(world, method, now) {
            return why;
        }
        let mut asked = subject.manager.iter().chain(subject.owners_at(now));
        let young = asked.find_map(|p| dates::problem(world, method, Some(p), now));
        return young.map_or_else(|| "nobody is recorded who could be asked and has no hand in it".to_owned(), |why| why.to_string());
    }
    let need = requirement(world);
    let mut mail = subject.endpoints.iter().filter(|e| e.kind == EndpointKind::Email).peekable();
    if mail.peek().is_none() {
        return "no mail address is recorded".to_owned();
    }
    let why = mail.find_map(|e| endpoint_problem(case, subject, &need, &e.id, now));
    why.unwrap_or_else(|| "the recorded mailbox is also that of somebody with a hand in it".to_owned())
}

/// Whether two recorded addresses are one place, whatever they are called and however they are written.
fn same_place(one: &Endpoint, other: &Endpoint) -> bool {
    one.kind == other.kind && mailbox(one.address.raw()) == mailbox(other.address.raw())
}

/// Why a recorded endpoint can't serve a case now, if it can't (invariant 5).
pub fn endpoint_problem(case: &Case, subject: &Subject, need: &Requirement, id: &EndpointId, now: Time) -> Option<String> {
    let Some(endpoint) = subject.endpoint(id) else { return Some("This address is not recorded for the subject.".to_owned()) };
    let carried = case.request.endpoint.as_ref();
    if carried == Some(id) || carried.and_then(|c| subject.endpoint(c)).is_some_and(|c| same_place(c, endpoint)) {
        return Some("The request came over this address, so it can't prove anything here.".to_owned());
    }
    if endpoint.confirmed_at.is_none() {
        return Some("This address was never confirmed.".to_owned());
    }
    dates::address(case, need, endpoint, now)
}
