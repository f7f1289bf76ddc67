//! The checklist: what policy requires of a case measured against its receipts, in order, with what is missing.
//!
//! Contract: pure; derived on every look, never stored.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Flag, Plan, Receipt, Route};
use super::command::World;
use super::requirement::{ApprovalNeed, CodeRules, Deadlines, ProofNeed, ProofSet, Requirement, Seconds};
use super::subject::Subject;
use super::vocabulary::{EndpointKind, Method};
use crate::base::Time;
use crate::base::ids::{EndpointId, PersonId};

/// The requirement of the world's case: the stricter of the pinned and the current policy (invariant 14).
///
/// Without a case or its subject nothing can be judged: the answer is then one that nobody can meet.
pub fn requirement(world: &World) -> Requirement {
    match (world.case.as_deref(), world.subject.as_deref()) {
        (Some(case), Some(subject)) => requirement_for(world, subject, &case.route, &case.flags),
        _ => unreachable_requirement(),
    }
}

/// The requirement a case on that route with those flags would have in this world.
pub fn requirement_for(world: &World, subject: &Subject, route: &Route, flags: &[Flag]) -> Requirement {
    world.pinned.requirement_with(&world.current, subject, route, flags)
}

/// What would be done for the world's case: the narrower of the pinned and the current policy's plan, no longer than policy's grants live.
pub fn plan(world: &World) -> Option<Plan> {
    let (case, subject) = (world.case.as_deref()?, world.subject.as_deref()?);
    let current = world.current.plan(subject, &case.route);
    let mut plan = world.pinned.plan(subject, &case.route);
    let longest = requirement(world).grant_lifetime;
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
    /// What could be started now: method, over which endpoint, by whom.
    pub startable: Vec<(Method, Option<EndpointId>, Option<PersonId>)>,
}

/// Measures a case at a moment. For a sealed case the moment that counts is the seal's: see [`sealed_progress`].
pub fn progress(world: &World, now: Time) -> Progress {
    let need = requirement(world);
    let Some(case) = world.case.as_deref() else { return Progress { items: Vec::new(), complete: false } };
    let valid: Vec<&Receipt> = case.receipts.iter().filter(|r| counts_until(&need, r) > now).collect();
    let mut items: Vec<Item> = Vec::new();
    let mut complete = true;
    for proof in &need.proofs {
        let filled = fill_need(proof, &valid);
        complete &= filled.as_ref().is_some_and(|f| f.iter().all(|(_, r)| r.is_some()));
        for (methods, receipt) in filled.unwrap_or_default() {
            items.push(Item { methods, gate: false, receipt, startable: Vec::new() });
        }
    }
    for gate in &need.gates {
        let receipt = valid.iter().find(|r| r.method == *gate).map(|r| (*r).clone());
        complete &= receipt.is_some();
        items.push(Item { methods: vec![*gate], gate: true, receipt, startable: Vec::new() });
    }
    for item in items.iter_mut().filter(|i| i.receipt.is_none()) {
        item.startable = item.methods.iter().flat_map(|m| startable(world, &need, *m)).collect();
    }
    Progress { items, complete }
}

/// Measures a sealed case as it was when it was sealed: receipts counted then count for that seal; without a seal, as it is now.
pub fn sealed_progress(world: &World, now: Time) -> Progress {
    let at = world.case.as_deref().and_then(|c| c.seal.as_ref()).map_or(now, |s| s.at);
    progress(world, at)
}

/// Until when a receipt counts: as long as was said when it was recorded, or less where policy has become stricter since (invariant 14).
fn counts_until(need: &Requirement, receipt: &Receipt) -> Time {
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

/// What is still missing: methods any of which would help next.
pub fn missing(progress: &Progress) -> Vec<Method> {
    let mut out: Vec<Method> = Vec::new();
    for method in progress.items.iter().filter(|i| i.receipt.is_none()).flat_map(|i| &i.methods) {
        if !out.contains(method) {
            out.push(*method);
        }
    }
    out
}

type Slots = Vec<(Vec<Method>, Option<Receipt>)>;

/// The alternative to go on with, slot by slot: one that is met; else the one for which most is there already, policy's order deciding
/// between equals. A slot that misses also offers what would meet the whole need in its place.
fn fill_need(need: &ProofNeed, receipts: &[&Receipt]) -> Option<Slots> {
    let tried = need.any_of.iter().map(|set| (set, fill_set(set, receipts)));
    let (set, filled) = tried.min_by_key(|(_, filled)| {
        let there = filled.iter().flatten().count();
        (there < filled.len(), std::cmp::Reverse(there))
    })?;
    let singles = need.any_of.iter().filter(|s| s.slots.len() == 1).flat_map(|s| &s.slots[0]);
    let singles: Vec<Method> = singles.copied().filter(|m| !m.is_gate()).collect();
    let slots = set.slots.iter().zip(filled).map(|(slot, receipt)| {
        let mut methods: Vec<Method> = slot.iter().copied().collect();
        if receipt.is_none() {
            methods.extend(singles.iter().filter(|m| !slot.contains(m)));
        }
        (methods, receipt.cloned())
    });
    Some(slots.collect())
}

/// The most slots of a set that receipts can fill, each by another trust root (and method, where asked). Sets and receipts are few.
fn fill_set<'a>(set: &ProofSet, receipts: &[&'a Receipt]) -> Vec<Option<&'a Receipt>> {
    let mut best: Vec<Option<&Receipt>> = vec![None; set.slots.len()];
    let mut present = Vec::with_capacity(set.slots.len());
    try_slots(set, receipts, &mut present, &mut best);
    best
}

fn try_slots<'a>(set: &ProofSet, receipts: &[&'a Receipt], chosen: &mut Vec<Option<&'a Receipt>>, best: &mut Vec<Option<&'a Receipt>>) {
    let count = |v: &[Option<&Receipt>]| v.iter().flatten().count();
    if count(best) == set.slots.len() {
        return;
    }
    let Some(slot) = set.slots.get(chosen.len()) else {
        if count(chosen) > count(best) {
            best.clone_from(chosen);
        }
        return;
    };
    let mut roots = BTreeSet::new();
    for receipt in receipts.iter().filter(|r| slot.contains(&r.method) && !r.method.is_gate()) {
        let clash = chosen.iter().flatten().any(|c| c.trust_root == receipt.trust_root || (set.distinct_methods && c.method == receipt.method));
        // Receipts that differ in nothing that counts are tried once.
        if !clash && roots.insert((&receipt.trust_root, receipt.method)) {
            chosen.push(Some(receipt));
            try_slots(set, receipts, chosen, best);
            chosen.pop();
        }
    }
    chosen.push(None);
    try_slots(set, receipts, chosen, best);
    chosen.pop();
}

/// How a method reaches whoever proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Over a recorded endpoint of the subject.
    Endpoint,
    /// Through the recorded manager, an owner or a contact.
    Attester,
    /// By a key or fact that needs neither.
    Bound,
}

/// Whether a method can be carried out at all today: by a page that takes a code, or one on which somebody attests. Keys, devices and
/// documents have no page yet; a policy may name them, and nothing is started that nobody could complete.
pub const fn is_carried_out(method: Method) -> bool {
    !matches!(reach(method), Reach::Bound)
}

/// How a method reaches whoever proves.
pub const fn reach(method: Method) -> Reach {
    match method {
        Method::SavedCode | Method::IssuedCode => Reach::Endpoint,
        Method::RecoveryContact | Method::OwnerQuorum | Method::ManagerAttestation | Method::TicketApproval | Method::InPerson => Reach::Attester,
        _ => Reach::Bound,
    }
}

fn startable(world: &World, need: &Requirement, method: Method) -> Vec<(Method, Option<EndpointId>, Option<PersonId>)> {
    let (Some(case), Some(subject)) = (world.case.as_deref(), world.subject.as_deref()) else { return Vec::new() };
    match reach(method) {
        Reach::Endpoint => {
            let usable = subject.endpoints.iter().filter(|e| endpoint_problem(case, subject, need, &e.id).is_none());
            usable.filter(|e| e.kind == EndpointKind::Email).map(|e| (method, Some(e.id.clone()), None)).collect()
        }
        Reach::Attester => attesters(world, case, subject, method).into_iter().map(|p| (method, None, Some(p))).collect(),
        Reach::Bound if is_carried_out(method) => vec![(method, None, None)],
        Reach::Bound => Vec::new(),
    }
}

/// Who can be asked to attest: the recorded manager and the present owners; never the subject, nor who routed the case.
pub fn attesters(world: &World, case: &Case, subject: &Subject, method: Method) -> BTreeSet<PersonId> {
    use super::register::Principal;
    use super::vocabulary::Duty;
    let owners = subject.owners_at(case.times.updated_at).cloned();
    let manager = subject.manager.iter().filter(|_| method != Method::OwnerQuorum).cloned();
    let routed = |p: &PersonId| case.hands.iter().any(|h| h.duty == Duty::Router && h.who == Principal::Person(p.clone()));
    let known = |p: &PersonId| world.register.persons.contains_key(p);
    owners.chain(manager).filter(|p| subject.person.as_ref() != Some(p) && !routed(p) && known(p)).collect()
}

/// Why a recorded endpoint can't serve a case, if it can't (invariant 5).
pub fn endpoint_problem(case: &Case, subject: &Subject, need: &Requirement, id: &EndpointId) -> Option<String> {
    let Some(endpoint) = subject.endpoint(id) else { return Some("This address is not recorded for the subject.".to_owned()) };
    if case.request.endpoint.as_ref() == Some(id) {
        return Some("The request came over this address, so it can't prove anything here.".to_owned());
    }
    if endpoint.confirmed_at.is_none() {
        return Some("This address was never confirmed.".to_owned());
    }
    if endpoint.recorded_at > case.request.opened_at - need.min_endpoint_age.duration() {
        return Some("This address was recorded too shortly before the request.".to_owned());
    }
    None
}
