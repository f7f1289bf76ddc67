//! What a policy demands of a case: the strictest of the base, of every rule that fits, and of floors that are compiled in.
//!
//! Contract: pure and monotone: another matching rule or flag can only make the requirement stricter. Knows nothing about files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bundle::{Bundle, Demand, Rule, Span, When};
use super::ceilings;
use crate::base::Time;
use crate::domain::case::{Flag, Plan, Route};
use crate::domain::history::Former;
use crate::domain::requirement::{ApprovalNeed, ProofNeed, ProofSet, Requirement, Seconds, merge_proofs};
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{Aal, Action, Environment, FlagKind, Ial, InventorySource, Method, Path, SubjectKind, Tier};

/// What rules look at: the class of a case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facts {
    /// What is to be restored.
    pub action: Action,
    /// Which way.
    pub path: Path,
    /// The subject's tier.
    pub tier: Tier,
    /// Its identity assurance.
    pub ial: Ial,
    /// Its authentication assurance.
    pub aal: Aal,
    /// What it is.
    pub kind: SubjectKind,
    /// Where it runs.
    pub environment: Environment,
    /// Where its record comes from.
    pub inventory: InventorySource,
    /// Whether anyone is known to own it; a person owns themselves.
    pub owner_known: bool,
    /// What was noticed.
    pub flags: BTreeSet<FlagKind>,
}

impl Facts {
    /// The class of a case.
    pub fn of(subject: &Subject, route: &Route, flags: &[Flag]) -> Self {
        Self {
            action: route.action,
            path: route.path,
            tier: subject.tier,
            ial: subject.ial,
            aal: subject.aal,
            kind: subject.kind,
            environment: subject.environment,
            inventory: subject.inventory,
            owner_known: subject.owner_known(),
            flags: flags.iter().map(|f| f.kind).collect(),
        }
    }

    /// The class that the case would be of if its subject's record were still what it was.
    fn before(&self, former: &Former) -> Self {
        let Former { kind, tier, ial, aal, environment, inventory, owner_known, until: _ } = *former;
        Self { tier, ial, aal, kind, environment, inventory, owner_known, ..self.clone() }
    }

    /// This class, and those of what the record said before that counts too, each with until when it said so.
    pub(super) fn counted(self, subject: &Subject, opened: Time, demanded: impl Fn(Self) -> Arc<Requirement>) -> Vec<(Self, Option<Time>)> {
        let now = demanded(self.clone()).min_endpoint_age;
        let before = |former: &Former| {
            let then = self.before(former);
            let age = now.max(demanded(then.clone()).min_endpoint_age);
            (former.until > opened - age.duration()).then_some((then, Some(former.until)))
        };
        let former: Vec<_> = subject.history.former.iter().filter_map(before).collect();
        std::iter::once((self, None)).chain(former).collect()
    }

    /// What a case of this class needs that was opened then: the stricter of what follows from its subject's record as it is, and as it was until
    /// less than policy's minimum age before (invariants 5, 14). Nobody makes an open case easier, nor one that comes, by changing the record.
    pub(super) fn strictest(self, subject: &Subject, opened: Time, demanded: impl Fn(Self) -> Arc<Requirement>) -> Arc<Requirement> {
        let now = demanded(self.clone());
        let mut all = Arc::clone(&now);
        for former in &subject.history.former {
            let then = demanded(self.before(former));
            let age = now.min_endpoint_age.max(then.min_endpoint_age);
            if former.until > opened - age.duration() {
                all = Arc::new(all.stricter(&then));
            }
        }
        all
    }
}

impl When {
    /// Whether a case of that class is meant.
    pub fn fits(&self, facts: &Facts) -> bool {
        fn any<T: Ord>(set: &BTreeSet<T>, value: &T) -> bool {
            set.is_empty() || set.contains(value)
        }
        any(&self.actions, &facts.action)
            && any(&self.paths, &facts.path)
            && any(&self.tiers, &facts.tier)
            && any(&self.ials, &facts.ial)
            && any(&self.aals, &facts.aal)
            && any(&self.kinds, &facts.kind)
            && any(&self.environments, &facts.environment)
            && any(&self.inventories, &facts.inventory)
            && self.owner_known.is_none_or(|known| known == facts.owner_known)
            && (self.flags.is_empty() || !self.flags.is_disjoint(&facts.flags))
    }
}

impl Demand {
    /// Makes a requirement stricter by this demand. As [`Requirement::stricter`], but touching only what is asked for: comparing two
    /// policies does this some hundred thousand times.
    pub fn add_to(&self, to: &mut Requirement) {
        if !self.proofs.is_empty() {
            let mine: Vec<ProofNeed> = self.proofs.iter().map(|(_, need)| need.clone()).collect();
            to.proofs = merge_proofs(&to.proofs, &mine);
        }
        to.gates.extend(&self.gates);
        let count = self.approvals.unwrap_or(0);
        if count > 0 || !self.groups.is_empty() || self.other_employer || self.signature {
            let groups = self.groups.clone();
            to.approvals = to.approvals.stricter(&ApprovalNeed { count, groups, other_employer: self.other_employer, signature: self.signature });
        }
        to.review |= self.review;
        to.escalates_to.extend(&self.escalates_to);
        for (span, value) in &self.spans {
            let longer = |field: &mut Seconds| *field = (*field).max(*value);
            let shorter = |field: &mut Seconds| *field = (*field).min(*value);
            match span {
                Span::EndpointAge => longer(&mut to.min_endpoint_age),
                Span::Delay => longer(&mut to.delay),
                Span::Grace => longer(&mut to.grace),
                Span::Restriction => longer(&mut to.restriction),
                Span::Receipt => shorter(&mut to.receipt_lifetime),
                Span::Approval => shorter(&mut to.approval_lifetime),
                Span::Grant => to.grant_lifetime = Some(to.grant_lifetime.map_or(*value, |had| had.min(*value))),
                Span::TriageDue => shorter(&mut to.deadlines.triage),
                Span::ProofingDue => shorter(&mut to.deadlines.proofing),
                Span::ApprovalDue => shorter(&mut to.deadlines.approval),
                Span::Expiry => shorter(&mut to.deadlines.expiry),
                Span::HoldDue => shorter(&mut to.deadlines.hold),
            }
        }
    }
}

/// A floor that is compiled in: what it asks for, and where it comes from.
pub struct Floor {
    /// What messages call it.
    pub name: &'static str,
    /// What it asks for.
    pub demand: Demand,
}

fn set(slots: &[&[Method]], distinct_methods: bool) -> ProofSet {
    ProofSet { slots: slots.iter().map(|slot| slot.iter().copied().collect()).collect(), distinct_methods }
}

const CODES: &[Method] = &[Method::SavedCode, Method::IssuedCode, Method::RecoveryContact];
const AUTHENTICATORS: &[Method] = &[Method::Passkey, Method::Totp];
const BOUND: &[Method] = &[Method::OldKeyPossession, Method::WorkloadAttestation, Method::OwnerQuorum];

/// One code or contact, or more (§4.2.2.1).
fn one_proof() -> ProofNeed {
    let any: Vec<Method> = Method::ALL.iter().copied().filter(|m| !m.is_gate()).collect();
    ProofNeed { any_of: vec![set(&[&any], false)] }
}

/// Two codes by different methods, one code and a bound single-factor authenticator, or repeated proofing (§4.2.2.2); for AAL3 of
/// IAL1 and IAL2 the same, and of IAL3 beside an attended comparison (§4.2.2.3).
fn two_codes() -> ProofNeed {
    ProofNeed { any_of: vec![set(&[CODES, CODES], true), set(&[CODES, AUTHENTICATORS], false), set(&[&[Method::RepeatedProofing]], false)] }
}

/// A non-human identity of AAL2 or more: two codes over addresses its owners hold, or one thing that only the workload, the old key's holder or
/// the owners together have (OWASP NHI4: insecure authentication).
fn non_human_proof() -> ProofNeed {
    let mut need = two_codes();
    need.any_of.push(set(&[BOUND], false));
    need
}

/// The floors under a class of case.
pub fn floors(facts: &Facts) -> Vec<Floor> {
    let mut floors = Vec::new();
    let mut add = |name, demand| floors.push(Floor { name, demand });
    let proof = |name: &str, need| Demand { proofs: vec![(name.to_owned(), need)], ..Demand::default() };
    match (facts.kind.is_non_human(), facts.aal) {
        (_, Aal::Aal1) => add("one proof (§4.2.2.1)", proof("one proof", one_proof())),
        (false, _) => add("two codes or repeated proofing (§4.2.2.2)", proof("two codes", two_codes())),
        (true, _) => add("two codes or a bound key (§4.2.2.2, OWASP NHI4)", proof("two codes or bound key", non_human_proof())),
    }
    if !facts.kind.is_non_human() && facts.aal == Aal::Aal3 && facts.ial == Ial::Ial3 {
        let there = Demand { gates: BTreeSet::from([Method::InPerson]), ..Demand::default() };
        add("someone compares the person with the record, on site (§4.2.2.3)", there);
    }
    if matches!(facts.path, Path::Assisted | Path::BreakGlass) {
        let one = Demand { approvals: Some(1), ..Demand::default() };
        add("one approval: whoever routes never decides", one);
    }
    if facts.path == Path::BreakGlass {
        let two = Demand { approvals: Some(2), review: true, ..Demand::default() };
        add("two approvals and a review of break-glass (mission.md, 5)", two);
    }
    if facts.tier == Tier::Privileged {
        let grace = (Span::Grace, ceilings::PRIVILEGED_GRACE);
        let two = |spans| Demand { approvals: Some(2), spans, ..Demand::default() };
        if only_takes(facts.action) {
            add("two approvals and a grace of a privileged case (standards.md, past incidents)", two(BTreeMap::from([grace])));
        } else {
            let spans = BTreeMap::from([grace, (Span::Delay, ceilings::PRIVILEGED_DELAY)]);
            add("two approvals, a delay and a grace of a privileged case (standards.md, past incidents)", two(spans));
        }
    }
    if !facts.owner_known || facts.inventory == InventorySource::None {
        let one = Demand { approvals: Some(1), gates: BTreeSet::from([Method::ManagerAttestation]), ..Demand::default() };
        add("more for a poorly inventoried identity (mission.md, 1)", one);
    }
    if is_temporary(facts) {
        let spans = BTreeMap::from([(Span::Grant, ceilings::GRANT_LIFETIME.most)]);
        add("every fallback grant is temporary", Demand { spans, ..Demand::default() });
    }
    floors
}

/// Whether a case of that class grants something that must end.
pub fn is_temporary(facts: &Facts) -> bool {
    facts.path == Path::BreakGlass || gives_for_a_time(facts.action)
}

/// Whether an action grants something that must end, whatever path it takes.
pub(super) fn gives_for_a_time(action: Action) -> bool {
    matches!(action, Action::ControlPlaneAccess | Action::JitAccess | Action::EmergencyAccess)
}

/// Whether an action gives nobody anything and only takes: what leaked stays good for as long as it is waited with.
pub(super) const fn only_takes(action: Action) -> bool {
    matches!(action, Action::SecretRevocation)
}

impl Bundle {
    /// The rules that fit a class of case, in the file's order.
    pub fn matching<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(|rule| rule.when.fits(facts))
    }

    /// What the file alone demands of a class of case, without the floors.
    pub fn written(&self, facts: &Facts) -> Requirement {
        let mut requirement = self.base.clone();
        for rule in self.matching(facts) {
            rule.demand.add_to(&mut requirement);
        }
        requirement
    }

    /// What a class of case needs: the strictest of everything.
    pub fn demanded(&self, facts: &Facts) -> Requirement {
        let mut requirement = self.written(facts);
        for floor in floors(facts) {
            floor.demand.add_to(&mut requirement);
        }
        requirement
    }

    /// The fewest persons that could decide a case of that action, path and tier, whatever else is true of it: a bound from below of what
    /// [`Bundle::demanded`] asks for.
    pub fn fewest_persons(&self, action: Action, path: Path, tier: Tier) -> usize {
        let mut requirement = self.base.clone();
        for rule in &self.rules {
            let when = &rule.when;
            let class = When { actions: BTreeSet::new(), paths: BTreeSet::new(), tiers: BTreeSet::new(), ..when.clone() };
            let meant = class == When::default()
                && (when.actions.is_empty() || when.actions.contains(&action))
                && (when.paths.is_empty() || when.paths.contains(&path))
                && (when.tiers.is_empty() || when.tiers.contains(&tier));
            if meant {
                rule.demand.add_to(&mut requirement);
            }
        }
        let mildest = Facts {
            action,
            path,
            tier,
            ial: Ial::Ial1,
            aal: Aal::Aal1,
            kind: SubjectKind::Employee,
            environment: Environment::Corporate,
            inventory: InventorySource::Hr,
            owner_known: true,
            flags: BTreeSet::new(),
        };
        for floor in floors(&mildest) {
            floor.demand.add_to(&mut requirement);
        }
        requirement.approvals.persons()
    }

    /// What would be done, with access that ends after the lifetime, if that is one that ends, and by dependents as recorded since then.
    pub fn plan(&self, subject: &Subject, route: &Route, (lifetime, since): (Option<Seconds>, Time)) -> Plan {
        let rule = self.actions.get(&route.action).copied().unwrap_or_default();
        Plan {
            target: route.target.clone(),
            action: route.action,
            scope: route.scope.clone(),
            lifetime,
            revokes_old: rule.revokes_old,
            rotates: if rule.rotates_dependents { subject.depended_on(since).cloned().collect() } else { BTreeSet::new() },
            reversible: rule.reversible,
        }
    }
}

/// A span of time that a requirement has, for explanations.
pub fn span_of(requirement: &Requirement, span: Span) -> Option<Seconds> {
    Some(match span {
        Span::EndpointAge => requirement.min_endpoint_age,
        Span::Receipt => requirement.receipt_lifetime,
        Span::Approval => requirement.approval_lifetime,
        Span::Delay => requirement.delay,
        Span::Grace => requirement.grace,
        Span::Grant => return requirement.grant_lifetime,
        Span::Restriction => requirement.restriction,
        Span::TriageDue => requirement.deadlines.triage,
        Span::ProofingDue => requirement.deadlines.proofing,
        Span::ApprovalDue => requirement.deadlines.approval,
        Span::Expiry => requirement.deadlines.expiry,
        Span::HoldDue => requirement.deadlines.hold,
    })
}
