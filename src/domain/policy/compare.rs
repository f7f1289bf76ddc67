//! Compares policies class by class: where is one stricter, where laxer; what would other rules mean for cases that there are.
//!
//! Contract: pure and complete: every class of case that `classes` tells apart is looked at. When there are too many classes to look
//! at, the answer is "laxer". What is the same for many classes is worked out once.

use std::collections::{BTreeSet, HashMap};

use super::bundle::{Bundle, Start};
use super::classes::{Key, each_class, each_of_paths};
use super::derive::Facts;
use super::explain::items;
use super::settings::{Lean, Setting, settings};
use crate::domain::register::Scope;
use crate::domain::requirement::Requirement;
use crate::domain::vocabulary::{Action, Path};

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

/// Whether by `new` more may start self-service or a runbook than by `old`, or less is asked of such a case or follows from it: nobody approves
/// these one by one, so those who approve the rule do (invariant 17).
pub fn widens_alone(old: &Bundle, new: &Bundle) -> bool {
    const ALONE: [Path; 2] = [Path::SelfService, Path::Runbook];
    if ALONE.iter().any(|path| wider_start(old, new, *path)) || Action::ALL.iter().any(|action| undoes_less(old, new, *action) != (false, false)) {
        return true;
    }
    let mut both = Both::of(old, new);
    let mut laxer = false;
    let classes = each_of_paths(&[old, new], &ALONE, |key, facts, _| {
        laxer = laxer || both.differ(key) && !at_least(&new.demanded(facts), &old.demanded(facts));
    });
    laxer || classes.is_none()
}

/// Who may really start a path: software only what it may open, or send down that path, besides (`automation.may`).
fn starters(bundle: &Bundle, path: Path) -> Start {
    let start = bundle.start.get(&path).cloned().unwrap_or_default();
    let may = bundle.automation.contains(&Scope::Open) || bundle.automation.contains(&Scope::Route);
    Start { automation: start.automation && may, ..start }
}

/// Whether more may start a path.
fn wider_start(old: &Bundle, new: &Bundle, path: Path) -> bool {
    let (was, is) = (starters(old, path), starters(new, path));
    !is.roles.is_subset(&was.roles) || (is.automation && !was.automation) || (is.subject && !was.subject)
}

/// Whether an action no longer revokes the old credential, and whether it no longer rotates dependents.
fn undoes_less(old: &Bundle, new: &Bundle, action: Action) -> (bool, bool) {
    let (was, is) = (old.actions.get(&action).copied().unwrap_or_default(), new.actions.get(&action).copied().unwrap_or_default());
    (was.revokes_old && !is.revokes_old, was.rotates_dependents && !is.rotates_dependents)
}

/// Two policies that are compared, with what they share.
struct Both {
    /// What the rules of either file ask for, the old file's first, as numbers: equal ones ask for the same.
    asks: Vec<usize>,
    /// How many of them are the old file's.
    olds: usize,
    same_base: bool,
    before: Vec<usize>,
    after: Vec<usize>,
}

impl Both {
    fn of(old: &Bundle, new: &Bundle) -> Self {
        let rules: Vec<_> = old.rules.iter().chain(&new.rules).collect();
        let first = |rule: &&super::bundle::Rule| rules.iter().position(|r| r.demand == rule.demand).unwrap_or_default();
        let asks = rules.iter().map(first).collect();
        Self { asks, olds: old.rules.len(), same_base: old.base == new.base, before: Vec::new(), after: Vec::new() }
    }

    /// Whether the classes with that key may need something else: not where the same is added, in the same order, to the same base.
    fn differ(&mut self, key: &Key) -> bool {
        if !self.same_base {
            return true;
        }
        self.before.clear();
        self.after.clear();
        for (at, ask) in self.asks.iter().enumerate().filter(|(at, _)| key.has(*at)) {
            if at < self.olds { &mut self.before } else { &mut self.after }.push(*ask);
        }
        self.before != self.after
    }
}

/// Compares two policies.
pub fn diff(old: &Bundle, new: &Bundle) -> Comparison {
    let mut both = Both::of(old, new);
    let mut found: Vec<Difference> = Vec::new();
    let mut kinds: HashMap<(Verdict, Vec<String>, Vec<String>), usize> = HashMap::new();
    let classes = each_class(&[old, new], |key, facts, classes| {
        if !both.differ(key) {
            return;
        }
        if let Some(difference) = compare(facts, &old.demanded(facts), &new.demanded(facts)) {
            let kind = (difference.verdict, difference.gone.clone(), difference.added.clone());
            let at = *kinds.entry(kind).or_insert_with(|| {
                found.push(difference);
                found.len() - 1
            });
            if let Some(difference) = found.get_mut(at) {
                difference.classes += classes;
            }
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
        let (revokes, rotates) = undoes_less(old, new, *action);
        laxer.extend(revokes.then(|| format!("{} no longer revokes the old credential", action.label())));
        laxer.extend(rotates.then(|| format!("{} no longer rotates dependents", action.label())));
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

/// The distinct requirements of a policy, each with one class that has it; `None` if there are too many classes.
pub fn requirements(bundle: &Bundle) -> Option<Vec<(Facts, Requirement)>> {
    let mut found = Vec::new();
    each_class(&[bundle], |_, facts, _| found.push((facts.clone(), bundle.demanded(facts))))?;
    Some(found)
}
