//! Compares policies class by class: where is one stricter, where laxer; what would other rules mean for cases that there are.
//!
//! Contract: pure and complete: values that no rule of either file tells apart form one class, and every combination of classes is looked at.
//! Flags are looked at one by one, which is enough: each only ever adds. When there are too many classes to look at, the answer is "laxer".

use std::collections::{BTreeMap, BTreeSet};

use super::bundle::{Bundle, When};
use super::derive::{Facts, is_temporary};
use super::explain::items;
use super::settings::{Lean, Setting, settings};
use crate::domain::requirement::Requirement;
use crate::domain::vocabulary::{Aal, Action, Environment, FlagKind, Ial, InventorySource, Path, SubjectKind, Tier};

/// The most classes that are looked at.
pub const MAX_CLASSES: usize = 2_000_000;

/// How one requirement stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The same.
    Same,
    /// Stricter in something, laxer in nothing.
    Stricter,
    /// Laxer in something, stricter in nothing.
    Laxer,
    /// Stricter in something and laxer in something else.
    Mixed,
}

impl Verdict {
    /// The words a reader sees.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Stricter => "stricter",
            Self::Laxer => "laxer",
            Self::Mixed => "stricter in part, laxer in part",
        }
    }
}

/// Whether `new` asks for at least as much as `old` in every dimension.
pub fn at_least(new: &Requirement, old: &Requirement) -> bool {
    let proofs = old.proofs.iter().all(|o| new.proofs.iter().any(|n| n.implies(o)));
    let bare = |r: &Requirement| Requirement { proofs: Vec::new(), ..r.clone() };
    let (new, old) = (bare(new), bare(old));
    proofs && old.stricter(&new) == new.stricter(&new)
}

/// How `new` stands to `old`.
pub fn verdict(old: &Requirement, new: &Requirement) -> Verdict {
    if old == new {
        return Verdict::Same;
    }
    match (at_least(new, old), at_least(old, new)) {
        (true, true) => Verdict::Same,
        (true, false) => Verdict::Stricter,
        (false, true) => Verdict::Laxer,
        (false, false) => Verdict::Mixed,
    }
}

/// One kind of difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How the new one stands to the old one.
    pub verdict: Verdict,
    /// What only the old one asks for.
    pub gone: Vec<String>,
    /// What only the new one asks for.
    pub added: Vec<String>,
    /// How many classes of case it concerns.
    pub classes: usize,
    /// One of them.
    pub example: Facts,
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Differences, laxer ones first, then by number of classes.
    pub differences: Vec<Difference>,
    /// How many classes there are.
    pub classes: usize,
    /// What is laxer outside the cases: who may start, what software may, governance, actions.
    pub loosened: Vec<String>,
    /// Whether there were too many classes to look at; then it counts as laxer.
    pub too_many: bool,
    /// Each setting that differs, by its name in the file.
    pub settings: Vec<Setting>,
}

impl Comparison {
    /// Whether the new policy is stricter anywhere.
    pub fn tightens(&self) -> bool {
        let stricter = |d: &Difference| matches!(d.verdict, Verdict::Stricter | Verdict::Mixed);
        self.settings.iter().any(|s| s.lean == Lean::Stricter) || self.differences.iter().any(stricter)
    }

    /// Whether the new policy is laxer anywhere.
    pub fn loosens(&self) -> bool {
        let laxer = |d: &Difference| matches!(d.verdict, Verdict::Laxer | Verdict::Mixed);
        self.too_many || !self.loosened.is_empty() || self.differences.iter().any(laxer)
    }
}

/// Whether `new` is laxer than `old` anywhere.
pub fn loosens(old: &Bundle, new: &Bundle) -> bool {
    diff(old, new).loosens()
}

/// Whether by `new` more may start self-service or a runbook than by `old`, or less is asked of such a case: nobody approves these one by
/// one, so those who approve the rule do (invariant 17).
pub fn widens_alone(old: &Bundle, new: &Bundle) -> bool {
    const ALONE: [Path; 2] = [Path::SelfService, Path::Runbook];
    if ALONE.iter().any(|path| wider_start(old, new, *path)) {
        return true;
    }
    let mut seen = BTreeSet::new();
    let mut laxer = false;
    let classes = each_class(&[old, new], |key, facts| {
        if !laxer && ALONE.contains(&facts.path) && seen.insert(key) {
            laxer = !at_least(&new.demanded(facts), &old.demanded(facts));
        }
    });
    laxer || classes.is_none()
}

/// Whether more may start a path.
fn wider_start(old: &Bundle, new: &Bundle, path: Path) -> bool {
    let (was, is) = (old.start.get(&path).cloned().unwrap_or_default(), new.start.get(&path).cloned().unwrap_or_default());
    !is.roles.is_subset(&was.roles) || (is.automation && !was.automation) || (is.subject && !was.subject)
}

/// Compares two policies.
pub fn diff(old: &Bundle, new: &Bundle) -> Comparison {
    let mut seen: BTreeMap<Key, Option<usize>> = BTreeMap::new();
    let mut found: Vec<Difference> = Vec::new();
    let classes = each_class(&[old, new], |key, facts| {
        let place = seen.entry(key).or_insert_with(|| {
            let difference = compare(facts, &old.demanded(facts), &new.demanded(facts))?;
            let same = |d: &Difference| d.verdict == difference.verdict && d.gone == difference.gone && d.added == difference.added;
            Some(found.iter().position(same).unwrap_or_else(|| {
                found.push(difference);
                found.len() - 1
            }))
        });
        if let Some(difference) = place.and_then(|at| found.get_mut(at)) {
            difference.classes += 1;
        }
    });
    found.sort_by_key(|d| (std::cmp::Reverse(d.verdict), std::cmp::Reverse(d.classes)));
    let mut settings = settings(old, new);
    if classes.is_some() {
        for setting in &mut settings {
            weigh(setting, &found);
        }
        settings.sort_by_key(|s| s.lean);
    }
    Comparison { differences: found, classes: classes.unwrap_or(0), loosened: loosened(old, new), too_many: classes.is_none(), settings }
}

/// A setting of what cases need leans no way that no class of case does: what it asks for, another rule asks for too.
fn weigh(setting: &mut Setting, found: &[Difference]) {
    if !["base.", "rule ", "codes.", "windows."].iter().any(|of| setting.name.starts_with(of)) {
        return;
    }
    let any = |verdict: Verdict| found.iter().any(|d| d.verdict == verdict || d.verdict == Verdict::Mixed);
    setting.lean = match (setting.lean, any(Verdict::Laxer), any(Verdict::Stricter)) {
        (Lean::Laxer | Lean::Depends, true, false) => Lean::Laxer,
        (Lean::Stricter | Lean::Depends, false, true) => Lean::Stricter,
        (lean, true, true) => lean,
        _ => Lean::Neither,
    };
}

fn compare(facts: &Facts, old: &Requirement, new: &Requirement) -> Option<Difference> {
    let verdict = verdict(old, new);
    if verdict == Verdict::Same {
        return None;
    }
    let (before, after): (BTreeSet<String>, BTreeSet<String>) = (items(old).into_iter().collect(), items(new).into_iter().collect());
    let gone = before.difference(&after).cloned().collect();
    let added = after.difference(&before).cloned().collect();
    Some(Difference { verdict, gone, added, classes: 0, example: facts.clone() })
}

/// What is laxer outside the requirement of cases.
fn loosened(old: &Bundle, new: &Bundle) -> Vec<String> {
    let mut laxer = Vec::new();
    let (was, is) = (old.governance, new.governance);
    laxer.extend((is.change_delay < was.change_delay).then(|| "changes count sooner".to_owned()));
    laxer.extend((is.proposal_lifetime > was.proposal_lifetime).then(|| "proposals wait longer".to_owned()));
    laxer.extend((is.token_lifetime > was.token_lifetime).then(|| "tokens live longer".to_owned()));
    laxer.extend((is.tokens_per_holder > was.tokens_per_holder).then(|| "a holder may have more tokens".to_owned()));
    laxer.extend((!new.automation.is_subset(&old.automation)).then(|| "software may do more".to_owned()));
    for path in Path::ALL {
        laxer.extend(wider_start(old, new, *path).then(|| format!("more may start {}", path.label())));
    }
    for action in Action::ALL {
        let (was, is) = (old.actions.get(action).copied().unwrap_or_default(), new.actions.get(action).copied().unwrap_or_default());
        laxer.extend((was.revokes_old && !is.revokes_old).then(|| format!("{} no longer revokes the old credential", action.label())));
        laxer.extend((was.rotates_dependents && !is.rotates_dependents).then(|| format!("{} no longer rotates dependents", action.label())));
    }
    laxer
}

/// What another policy would mean for cases that there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simulation {
    /// How many would need more.
    pub stricter: usize,
    /// How many would need less.
    pub laxer: usize,
    /// How many would need more of one thing and less of another.
    pub mixed: usize,
    /// How many would need the same.
    pub same: usize,
    /// How many nobody could decide any more.
    pub undecidable: usize,
}

/// Looks at cases' facts under another policy; `could` answers whether the staff there is could meet a requirement.
pub fn simulate(old: &Bundle, new: &Bundle, cases: &[Facts], could: impl Fn(&Requirement) -> bool) -> Simulation {
    let mut result = Simulation::default();
    for facts in cases {
        let (was, is) = (old.demanded(facts), new.demanded(facts));
        match verdict(&was, &is) {
            Verdict::Same => result.same += 1,
            Verdict::Stricter => result.stricter += 1,
            Verdict::Laxer => result.laxer += 1,
            Verdict::Mixed => result.mixed += 1,
        }
        result.undecidable += usize::from(!could(&is));
    }
    result
}

/// One bit for each rule of the files that are compared (at most two files of 200 rules).
type Mask = [u64; 7];

/// Which rules of each file match, and which floors: two classes with the same key need the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    rules: Mask,
    floors: [bool; 8],
}

/// A value with the rules that it fits in its dimension.
type Choice<T> = (T, Mask);

/// The rules whose `when` a test accepts.
fn mask(bundles: &[&Bundle], fits: impl Fn(&When) -> bool) -> Mask {
    let mut mask = [0; 7];
    let rules = bundles.iter().flat_map(|b| b.rules.iter());
    for (at, _) in rules.enumerate().filter(|(_, rule)| fits(&rule.when)) {
        if let Some(word) = mask.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    mask
}

/// One value for each set of values that neither a rule nor a floor tells apart.
fn apart<T: Copy + Ord>(all: &[T], bundles: &[&Bundle], of: impl Fn(&When) -> &BTreeSet<T>, floor: impl Fn(T) -> bool) -> Vec<Choice<T>> {
    let mut seen = BTreeSet::new();
    let signed = all.iter().map(|value| (*value, mask(bundles, |when| of(when).is_empty() || of(when).contains(value))));
    signed.filter(|(value, mask)| seen.insert((*mask, floor(*value)))).collect()
}

/// Every dimension with the values that matter.
struct Dimensions {
    actions: Vec<Choice<Action>>,
    paths: Vec<Choice<Path>>,
    tiers: Vec<Choice<Tier>>,
    ials: Vec<Choice<Ial>>,
    aals: Vec<Choice<Aal>>,
    kinds: Vec<Choice<SubjectKind>>,
    environments: Vec<Choice<Environment>>,
    inventories: Vec<Choice<InventorySource>>,
    owners: [Choice<bool>; 2],
    flags: Vec<Choice<Option<FlagKind>>>,
}

impl Dimensions {
    fn of(bundles: &[&Bundle]) -> Self {
        let temporary = |a: Action| matches!(a, Action::ControlPlaneAccess | Action::JitAccess | Action::EmergencyAccess);
        let owner = |known: bool| (known, mask(bundles, |w| w.owner_known.is_none_or(|wanted| wanted == known)));
        let unflagged = (None, mask(bundles, |w| w.flags.is_empty()));
        let flagged = apart(FlagKind::ALL, bundles, |w| &w.flags, |_| false).into_iter().map(|(flag, mask)| (Some(flag), mask));
        Self {
            actions: apart(Action::ALL, bundles, |w| &w.actions, temporary),
            paths: apart(Path::ALL, bundles, |w| &w.paths, |p| p == Path::Assisted)
                .into_iter()
                .filter(|(p, _)| *p != Path::BreakGlass)
                .chain(apart(&[Path::BreakGlass], bundles, |w| &w.paths, |_| false))
                .collect(),
            tiers: apart(Tier::ALL, bundles, |w| &w.tiers, |t| t == Tier::Privileged),
            ials: apart(Ial::ALL, bundles, |w| &w.ials, |_| false),
            aals: apart(Aal::ALL, bundles, |w| &w.aals, |a| a == Aal::Aal1),
            kinds: apart(SubjectKind::ALL, bundles, |w| &w.kinds, SubjectKind::is_non_human),
            environments: apart(Environment::ALL, bundles, |w| &w.environments, |_| false),
            inventories: apart(InventorySource::ALL, bundles, |w| &w.inventories, |i| i == InventorySource::None),
            owners: [owner(true), owner(false)],
            flags: std::iter::once(unflagged).chain(flagged).collect(),
        }
    }

    fn sizes(&self) -> [usize; 10] {
        let (a, b) = ([self.actions.len(), self.paths.len(), self.tiers.len(), self.ials.len(), self.aals.len()], 2);
        let c = [self.kinds.len(), self.environments.len(), self.inventories.len(), b, self.flags.len()];
        [a[0], a[1], a[2], a[3], a[4], c[0], c[1], c[2], c[3], c[4]]
    }

    /// The class at those places: its rules, and an example of it.
    fn class(&self, at: [usize; 10]) -> (Mask, Facts) {
        let (action, path, tier) = (self.actions[at[0]], self.paths[at[1]], self.tiers[at[2]]);
        let (ial, aal, kind) = (self.ials[at[3]], self.aals[at[4]], self.kinds[at[5]]);
        let (environment, inventory, owner, flag) = (self.environments[at[6]], self.inventories[at[7]], self.owners[at[8]], self.flags[at[9]]);
        let masks = [action.1, path.1, tier.1, ial.1, aal.1, kind.1, environment.1, inventory.1, owner.1, flag.1];
        let mut rules = [u64::MAX; 7];
        for mask in masks {
            rules.iter_mut().zip(mask).for_each(|(all, word)| *all &= word);
        }
        let facts = Facts {
            action: action.0,
            path: path.0,
            tier: tier.0,
            ial: ial.0,
            aal: aal.0,
            kind: kind.0,
            environment: environment.0,
            inventory: inventory.0,
            owner_known: owner.0,
            flags: flag.0.into_iter().collect(),
        };
        (rules, facts)
    }
}

/// What the compiled floors look at; see [`super::derive::floors`].
fn floor_key(facts: &Facts) -> [bool; 8] {
    [
        facts.path == Path::Assisted,
        facts.path == Path::BreakGlass,
        facts.tier == Tier::Privileged,
        facts.kind.is_non_human(),
        facts.aal == Aal::Aal1,
        facts.owner_known,
        facts.inventory == InventorySource::None,
        is_temporary(facts),
    ]
}

/// Calls `look` with one example of every class; `None` (and no call) if there are more than [`MAX_CLASSES`].
pub fn each_class(bundles: &[&Bundle], look: impl FnMut(Key, &Facts)) -> Option<usize> {
    each(&Dimensions::of(bundles), look)
}

/// As [`each_class`], of cases without any flag: as flags only ever add, nothing is laxer than these.
pub fn each_unflagged(bundle: &Bundle, look: impl FnMut(Key, &Facts)) -> Option<usize> {
    let mut dimensions = Dimensions::of(&[bundle]);
    dimensions.flags.truncate(1);
    each(&dimensions, look)
}

fn each(dimensions: &Dimensions, mut look: impl FnMut(Key, &Facts)) -> Option<usize> {
    let sizes = dimensions.sizes();
    let classes = sizes.iter().try_fold(1_usize, |product, n| product.checked_mul(*n)).filter(|n| *n <= MAX_CLASSES)?;
    for at in 0..classes {
        let mut left = at;
        let places = sizes.map(|n| {
            let place = left % n;
            left /= n;
            place
        });
        let (rules, facts) = dimensions.class(places);
        look(Key { rules, floors: floor_key(&facts) }, &facts);
    }
    Some(classes)
}

/// The distinct requirements of a policy, each with one class that has it; `None` if there are too many classes.
pub fn requirements(bundle: &Bundle) -> Option<Vec<(Facts, Requirement)>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    each_class(&[bundle], |key, facts| {
        if seen.insert(key) {
            found.push((facts.clone(), bundle.demanded(facts)));
        }
    })?;
    Some(found)
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let owner = if self.owner_known { "" } else { ", no owner known" };
        let temporary = if is_temporary(self) { ", temporary" } else { "" };
        write!(f, "{} of a {} {} by {}", self.action, self.tier, self.kind, self.path)?;
        write!(f, " ({}, {}, {}, {}{owner}{temporary})", self.ial, self.aal, self.environment, self.inventory)?;
        self.flags.iter().try_for_each(|flag| write!(f, ", flagged: {flag}"))
    }
}
