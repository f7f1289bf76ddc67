//! Tells classes of case apart as far as the rules and floors of one or two policies do.
//!
//! Contract: pure and complete: values that neither a rule nor a floor tells apart form one class, every combination of classes is counted, and
//! of all that fit the same rules and floors one example is looked at. Dimensions are put together one by one and what came out equal is kept
//! once, so the work grows with what is different, not with the combinations. Flags are looked at one by one, which is enough: each only ever
//! adds. Knows nothing about what rules ask for.

use std::collections::{BTreeSet, HashMap};

use super::bundle::{Bundle, When};
use super::derive::{Facts, gives_for_a_time, is_temporary, only_takes};
use crate::domain::vocabulary::{Aal, Action, Environment, FlagKind, Ial, InventorySource, Path, SubjectKind, Tier};

/// The most classes that are told apart.
pub const MAX_CLASSES: usize = 2_000_000;

/// One bit for each rule of the files that are compared (at most two files of 200 rules).
type Mask = [u64; 7];

/// One bit for each thing that the compiled floors look at; see [`super::derive::floors`].
type Floors = u16;

const ASSISTED: Floors = 1;
const BREAK_GLASS: Floors = 2;
const PRIVILEGED: Floors = 4;
const NON_HUMAN: Floors = 8;
const AAL1: Floors = 16;
const OWNER_UNKNOWN: Floors = 32;
const NO_INVENTORY: Floors = 64;
const TEMPORARY: Floors = 128;
const ONLY_TAKES: Floors = 256;
/// Nobody is compared on site: what only holds where several things come together is told by what is missing of them.
const NOT_ON_SITE: Floors = 512;

/// Which rules of each file match, and which floors: two classes with the same key need the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    rules: Mask,
    floors: Floors,
}

impl Key {
    /// Whether the rule at that place matches: the first file's rules, then the second one's.
    pub(super) fn has(&self, rule: usize) -> bool {
        self.rules.get(rule / 64).is_some_and(|word| word & (1 << (rule % 64)) != 0)
    }

    fn and(mut self, choice: &Self) -> Self {
        self.rules.iter_mut().zip(choice.rules).for_each(|(all, word)| *all &= word);
        self.floors |= choice.floors;
        self
    }
}

/// A value with the rules that it fits in its dimension, and the floors it brings.
type Choice<T> = (T, Key);

fn bit(is: bool, floor: Floors) -> Floors {
    if is { floor } else { 0 }
}

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
fn apart<T: Copy + Ord>(all: &[T], bundles: &[&Bundle], of: impl Fn(&When) -> &BTreeSet<T>, floors: impl Fn(T) -> Floors) -> Vec<Choice<T>> {
    let mut seen = BTreeSet::new();
    let key = |value: &T| Key { rules: mask(bundles, |when| of(when).is_empty() || of(when).contains(value)), floors: floors(*value) };
    all.iter().map(|value| (*value, key(value))).filter(|(_, key)| seen.insert(*key)).collect()
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
    fn of(bundles: &[&Bundle], paths: &[Path]) -> Self {
        let way = |path| match path {
            Path::Assisted => ASSISTED,
            Path::BreakGlass => BREAK_GLASS | TEMPORARY,
            _ => 0,
        };
        let owner = |known: bool| {
            let rules = mask(bundles, |w| w.owner_known.is_none_or(|wanted| wanted == known));
            (known, Key { rules, floors: bit(!known, OWNER_UNKNOWN) })
        };
        let unflagged = (None, Key { rules: mask(bundles, |w| w.flags.is_empty()), floors: 0 });
        let flagged = apart(FlagKind::ALL, bundles, |w| &w.flags, |_| 0).into_iter().map(|(flag, key)| (Some(flag), key));
        Self {
            actions: apart(Action::ALL, bundles, |w| &w.actions, |a| bit(gives_for_a_time(a), TEMPORARY) | bit(only_takes(a), ONLY_TAKES)),
            paths: apart(paths, bundles, |w| &w.paths, way),
            tiers: apart(Tier::ALL, bundles, |w| &w.tiers, |t| bit(t == Tier::Privileged, PRIVILEGED)),
            ials: apart(Ial::ALL, bundles, |w| &w.ials, |i| bit(i != Ial::Ial3, NOT_ON_SITE)),
            aals: apart(Aal::ALL, bundles, |w| &w.aals, |a| bit(a == Aal::Aal1, AAL1) | bit(a != Aal::Aal3, NOT_ON_SITE)),
            kinds: apart(SubjectKind::ALL, bundles, |w| &w.kinds, |k| bit(k.is_non_human(), NON_HUMAN | NOT_ON_SITE)),
            environments: apart(Environment::ALL, bundles, |w| &w.environments, |_| 0),
            inventories: apart(InventorySource::ALL, bundles, |w| &w.inventories, |i| bit(i == InventorySource::None, NO_INVENTORY)),
            owners: [owner(true), owner(false)],
            flags: std::iter::once(unflagged).chain(flagged).collect(),
        }
    }

    /// Which rules and floors each value of each dimension leaves, in the order of [`Dimensions::example`].
    fn keys(&self) -> [Vec<Key>; 10] {
        fn keys<T>(all: &[Choice<T>]) -> Vec<Key> {
            all.iter().map(|(_, key)| *key).collect()
        }
        [
            keys(&self.actions),
            keys(&self.paths),
            keys(&self.tiers),
            keys(&self.ials),
            keys(&self.aals),
            keys(&self.kinds),
            keys(&self.environments),
            keys(&self.inventories),
            keys(&self.owners),
            keys(&self.flags),
        ]
    }

    /// The class with that number, of all combinations.
    fn example(&self, number: usize) -> Facts {
        let mut left = number;
        let mut place = |of: usize| {
            let at = left % of;
            left /= of;
            at
        };
        Facts {
            action: self.actions[place(self.actions.len())].0,
            path: self.paths[place(self.paths.len())].0,
            tier: self.tiers[place(self.tiers.len())].0,
            ial: self.ials[place(self.ials.len())].0,
            aal: self.aals[place(self.aals.len())].0,
            kind: self.kinds[place(self.kinds.len())].0,
            environment: self.environments[place(self.environments.len())].0,
            inventory: self.inventories[place(self.inventories.len())].0,
            owner_known: self.owners[place(self.owners.len())].0,
            flags: self.flags[place(self.flags.len())].0.into_iter().collect(),
        }
    }
}

/// Calls `look` with one example of all classes that have a key, and with how many have it; `None` (and no call) if there are more than
/// [`MAX_CLASSES`].
pub fn each_class(bundles: &[&Bundle], look: impl FnMut(&Key, &Facts, usize)) -> Option<usize> {
    each(&Dimensions::of(bundles, Path::ALL), look)
}

/// As [`each_class`], of cases on some paths only.
pub fn each_of_paths(bundles: &[&Bundle], paths: &[Path], look: impl FnMut(&Key, &Facts, usize)) -> Option<usize> {
    each(&Dimensions::of(bundles, paths), look)
}

/// As [`each_class`], of cases without any flag: as flags only ever add, nothing is laxer than these.
pub fn each_unflagged(bundle: &Bundle, look: impl FnMut(&Key, &Facts, usize)) -> Option<usize> {
    let mut dimensions = Dimensions::of(&[bundle], Path::ALL);
    dimensions.flags.truncate(1);
    each(&dimensions, look)
}

/// As [`each_class`], of cases with every flag at once: as flags only ever add, nothing is stricter than these.
pub fn each_flagged(bundle: &Bundle, mut look: impl FnMut(&Key, &Facts, usize)) -> Option<usize> {
    let mut dimensions = Dimensions::of(&[bundle], Path::ALL);
    dimensions.flags = vec![(None, Key { rules: [u64::MAX; 7], floors: 0 })];
    let flags: BTreeSet<FlagKind> = FlagKind::ALL.iter().copied().collect();
    each(&dimensions, |key, facts, count| look(key, &Facts { flags: flags.clone(), ..facts.clone() }, count))
}

fn each(dimensions: &Dimensions, mut look: impl FnMut(&Key, &Facts, usize)) -> Option<usize> {
    let keys = dimensions.keys();
    let classes = keys.iter().try_fold(1_usize, |product, all| product.checked_mul(all.len())).filter(|n| *n <= MAX_CLASSES)?;
    // By key: the lowest number of a class that has it, and how many have it.
    let mut found = HashMap::from([(Key { rules: [u64::MAX; 7], floors: 0 }, (0, 1))]);
    let mut stride = 1;
    for choices in keys {
        let mut next: HashMap<Key, (usize, usize)> = HashMap::with_capacity(found.len());
        for (key, (first, count)) in found {
            for (place, choice) in choices.iter().enumerate() {
                let number = first + place * stride;
                let (lowest, all) = next.entry(key.and(choice)).or_insert((number, 0));
                *lowest = number.min(*lowest);
                *all += count;
            }
        }
        stride *= choices.len();
        found = next;
    }
    let mut found: Vec<(Key, (usize, usize))> = found.into_iter().collect();
    found.sort_unstable_by_key(|(_, (first, _))| *first);
    for (key, (first, count)) in found {
        look(&key, &dimensions.example(first), count);
    }
    Some(classes)
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
