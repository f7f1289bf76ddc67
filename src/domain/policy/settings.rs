//! Two policies setting by setting: each one that differs by its name in the file, with both values and which way it leans.
//!
//! Contract: pure and complete: every part of a [`Bundle`] is looked at, taken apart by name so that a part that is added does not compile
//! until it is looked at too. What a changed rule means for which cases is [`super::compare`]'s to say. Values are text from the files: whoever
//! shows them sanitises them.

use std::collections::{BTreeMap, BTreeSet};

use super::bundle::{Acceptance, ActionRule, Bundle, Demand, Governance, Owners, Rule, Start, When};
use super::compare::{Verdict, verdict};
use super::explain::{SPANS, proof_words};
use super::{derive::span_of, show_span};
use crate::domain::requirement::{CodeRules, ProofNeed, Requirement};
use crate::domain::vocabulary::{Action, Path};

/// Which way a changed setting leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lean {
    /// Less is asked for, or more allowed.
    Laxer,
    /// It depends on the case: a rule is about other ones.
    Depends,
    /// More is asked for, or less allowed.
    Stricter,
    /// Nothing else is asked for.
    Neither,
}

impl Lean {
    /// The words a reader sees.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Laxer => "laxer",
            Self::Depends => "laxer or stricter",
            Self::Stricter => "stricter",
            Self::Neither => "other",
        }
    }

    /// As [`Lean::label`], of whatever is bounded by a number: whether the new one is above the old one, and what that means.
    fn of<T: PartialOrd>(old: &T, new: &T, more: Self) -> Self {
        let less = if more == Self::Laxer { Self::Stricter } else { Self::Laxer };
        if new > old { more } else { less }
    }

    const fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::Neither,
            Verdict::Stricter => Self::Stricter,
            Verdict::Laxer => Self::Laxer,
            Verdict::Mixed => Self::Depends,
        }
    }
}

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name as in the file: `governance.token_lifetime`, `rule "privileged tier".delay`.
    pub name: String,
    /// What the old file says; empty where it says nothing.
    pub was: String,
    /// What the new file says; empty where it says nothing.
    pub would_be: String,
    /// Which way it leans.
    pub lean: Lean,
}

/// Every setting that differs, laxer ones first.
pub fn settings(old: &Bundle, new: &Bundle) -> Vec<Setting> {
    let Bundle { name, owners, acceptance, governance, automation, start, base, rules, actions } = new;
    let mut found = Found::default();
    found.other("name", &old.name, name);
    found.owners(&old.owners, owners);
    found.acceptance(&old.acceptance, acceptance);
    found.governance(old.governance, *governance);
    found.subset("automation.may", &words(&old.automation), &words(automation));
    found.start(&old.start, start);
    found.base(&old.base, base);
    found.rules(&old.rules, rules, &old.base);
    found.actions(&old.actions, actions);
    found.0.sort_by_key(|s| s.lean);
    found.0
}

#[derive(Default)]
struct Found(Vec<Setting>);

/// What a thing is called in the file.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn words<T: serde::Serialize>(all: &BTreeSet<T>) -> BTreeSet<String> {
    all.iter().map(word).collect()
}

fn list<'a>(all: impl IntoIterator<Item = &'a String>) -> String {
    all.into_iter().cloned().collect::<Vec<_>>().join(", ")
}

impl Found {
    #[allow(clippy::needless_pass_by_value, reason = "numbers, days and texts are named where they are made")]
    fn add(&mut self, name: impl Into<String>, was: impl ToString, would_be: impl ToString, lean: Lean) {
        let (was, would_be) = (was.to_string(), would_be.to_string());
        if was != would_be {
            self.0.push(Setting { name: name.into(), was, would_be, lean });
        }
    }

    fn other(&mut self, name: &str, was: &str, would_be: &str) {
        self.add(name, was, would_be, Lean::Neither);
    }

    /// A list of what is allowed.
    fn subset(&mut self, name: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        let lean = match (new.is_subset(old), old.is_subset(new)) {
            (true, _) => Lean::Stricter,
            (_, true) => Lean::Laxer,
            _ => Lean::Depends,
        };
        let shown = |all: &BTreeSet<String>| if all.is_empty() { "nobody, nothing".to_owned() } else { list(all) };
        self.add(name, shown(old), shown(new), lean);
    }

    fn owners(&mut self, old: &Owners, new: &Owners) {
        let Owners { identity_governance, support_operations, security_operations, business } = new;
        self.other("owners.identity_governance", &old.identity_governance, identity_governance);
        self.other("owners.support_operations", &old.support_operations, support_operations);
        self.other("owners.security_operations", &old.security_operations, security_operations);
        self.other("owners.business", &old.business, business);
    }

    fn acceptance(&mut self, old: &Acceptance, new: &Acceptance) {
        let Acceptance { by, on, words } = new;
        self.other("acceptance.by", &old.by, by);
        self.add("acceptance.on", old.on, on, Lean::Neither);
        self.other("acceptance.words", &old.words, words);
    }

    fn governance(&mut self, old: Governance, new: Governance) {
        let Governance { change_delay, proposal_lifetime, token_lifetime, tokens_per_holder } = new;
        let mut span = |name: &str, was, is, more| self.add(name, show_span(was), show_span(is), Lean::of(&was, &is, more));
        span("governance.change_delay", old.change_delay, change_delay, Lean::Stricter);
        span("governance.proposal_lifetime", old.proposal_lifetime, proposal_lifetime, Lean::Laxer);
        span("governance.token_lifetime", old.token_lifetime, token_lifetime, Lean::Laxer);
        let lean = Lean::of(&old.tokens_per_holder, &tokens_per_holder, Lean::Laxer);
        self.add("governance.tokens_per_holder", old.tokens_per_holder, tokens_per_holder, lean);
    }

    fn start(&mut self, old: &BTreeMap<Path, Start>, new: &BTreeMap<Path, Start>) {
        let who = |all: &BTreeMap<Path, Start>, path: &Path| {
            let Start { roles, automation, subject } = all.get(path).cloned().unwrap_or_default();
            let mut who = words(&roles);
            who.extend(automation.then(|| "automation".to_owned()));
            who.extend(subject.then(|| "subject".to_owned()));
            who
        };
        for path in Path::ALL {
            self.subset(&format!("start.{}", path.code()), &who(old, path), &who(new, path));
        }
    }

    /// What every case needs; each part is weighed by itself, as the rules weigh requirements.
    fn base(&mut self, old: &Requirement, new: &Requirement) {
        let weighed = |change: &dyn Fn(&mut Requirement)| {
            let mut changed = old.clone();
            change(&mut changed);
            Lean::from(verdict(old, &changed))
        };
        let mut span = |name: &str, was, is, lean| self.add(name, show_span(was), show_span(is), lean);
        span("windows.lineage", old.lineage_window, new.lineage_window, weighed(&|r| r.lineage_window = new.lineage_window));
        span("windows.linked_cases", old.linked_window, new.linked_window, weighed(&|r| r.linked_window = new.linked_window));
        self.codes(old.codes, new.codes);
        let as_demand = |r: &Requirement| Demand {
            proofs: r.proofs.iter().map(|p| (String::new(), p.clone())).collect(),
            gates: r.gates.clone(),
            approvals: Some(r.approvals.count).filter(|n| *n > 0),
            groups: r.approvals.groups.clone(),
            other_employer: r.approvals.other_employer,
            signature: r.approvals.signature,
            spans: SPANS.iter().filter_map(|(span, _)| Some((*span, span_of(r, *span)?))).collect(),
            codes: None,
            review: r.review,
            escalates_to: r.escalates_to.clone(),
        };
        self.demand("base", &as_demand(old), &as_demand(new));
    }

    fn codes(&mut self, old: CodeRules, new: CodeRules) {
        let CodeRules { email, phone, postal, contact, page, attempts_per_code, attempts_per_case } = new;
        let lives = [("email", old.email, email), ("phone", old.phone, phone), ("postal", old.postal, postal)];
        for (name, was, is) in lives.into_iter().chain([("contact", old.contact, contact), ("page", old.page, page)]) {
            self.add(format!("codes.{name}"), show_span(was), show_span(is), Lean::of(&was, &is, Lean::Laxer));
        }
        let tries = [("per_code", old.attempts_per_code, attempts_per_code), ("per_case", old.attempts_per_case, attempts_per_case)];
        for (name, was, is) in tries {
            self.add(format!("codes.attempts_{name}"), was, is, Lean::of(&was, &is, Lean::Laxer));
        }
    }

    /// What a rule, or every case, asks for.
    fn demand(&mut self, of: &str, old: &Demand, new: &Demand) {
        let Demand { proofs, gates, approvals, groups, other_employer, signature, spans, codes: _, review, escalates_to } = new;
        let named = |all: &[(String, ProofNeed)]| all.iter().map(|(_, need)| need.clone()).collect::<BTreeSet<_>>();
        let (were, are) = (named(&old.proofs), named(proofs));
        let covers = |these: &BTreeSet<ProofNeed>, those: &BTreeSet<ProofNeed>| those.iter().all(|o| these.iter().any(|n| n.implies(o)));
        let shown = |all: &BTreeSet<ProofNeed>| all.iter().map(|p| proof_words(p).replacen("proof: ", "", 1)).collect::<Vec<_>>().join("; and ");
        let lean = match (covers(&are, &were), covers(&were, &are)) {
            (true, true) => Lean::Neither,
            (true, false) => Lean::Stricter,
            (false, true) => Lean::Laxer,
            (false, false) => Lean::Depends,
        };
        self.add(format!("{of}.proof"), shown(&were), shown(&are), lean);
        self.more(&format!("{of}.gates"), &words(&old.gates), &words(gates));
        let number = |n: Option<u8>| n.map(|n| n.to_string()).unwrap_or_default();
        self.add(format!("{of}.approvals"), number(old.approvals), number(*approvals), Lean::of(&old.approvals, approvals, Lean::Stricter));
        let seats = |all: &BTreeMap<crate::base::ids::GroupId, u8>| all.iter().map(|(group, n)| format!("{group} = {n}")).collect::<BTreeSet<_>>();
        let fewer = old.groups.iter().any(|(group, n)| groups.get(group).is_none_or(|m| m < n));
        let more = groups.iter().any(|(group, n)| old.groups.get(group).is_none_or(|m| m < n));
        let lean = if fewer && more { Lean::Depends } else { Lean::of(&fewer, &more, Lean::Stricter) };
        self.add(format!("{of}.from_groups"), list(&seats(&old.groups)), list(&seats(groups)), lean);
        let yes =
            [("other_employer", old.other_employer, *other_employer), ("signature", old.signature, *signature), ("review", old.review, *review)];
        for (name, was, is) in yes {
            self.add(format!("{of}.{name}"), was, is, Lean::of(&was, &is, Lean::Stricter));
        }
        for (span, name) in SPANS {
            let (was, is) = (old.spans.get(&span).copied(), spans.get(&span).copied());
            let longer = match span {
                super::bundle::Span::EndpointAge | super::bundle::Span::Delay | super::bundle::Span::Grace | super::bundle::Span::Restriction => {
                    Lean::Stricter
                }
                _ => Lean::Laxer,
            };
            let lean = match (was, is) {
                (Some(was), Some(is)) => Lean::of(&was, &is, longer),
                // A rule only ever adds.
                (None, _) => Lean::Stricter,
                (_, None) => Lean::Laxer,
            };
            self.add(format!("{of}.{name}"), was.map(show_span).unwrap_or_default(), is.map(show_span).unwrap_or_default(), lean);
        }
        self.more(&format!("{of}.escalates_to"), &words(&old.escalates_to), &words(escalates_to));
    }

    /// A list of what is asked for.
    fn more(&mut self, name: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        let lean = match (old.is_subset(new), new.is_subset(old)) {
            (true, _) => Lean::Stricter,
            (_, true) => Lean::Laxer,
            _ => Lean::Depends,
        };
        self.add(name, list(old), list(new), lean);
    }

    /// Rules by name; several of one name are told apart by their order.
    fn rules(&mut self, old: &[Rule], new: &[Rule], base: &Requirement) {
        let (were, are) = (by_name(old), by_name(new));
        let asks = |rule: &Rule| {
            let mut asked = base.clone();
            rule.demand.add_to(&mut asked);
            verdict(base, &asked) != Verdict::Same
        };
        for (key, rule) in &were {
            let called = called(key);
            match are.get(key) {
                None => self.add(called, "there", "gone", if asks(rule) { Lean::Laxer } else { Lean::Neither }),
                Some(now) => {
                    self.add(format!("{called}.when"), condition(&rule.when), condition(&now.when), Lean::Depends);
                    self.other(&format!("{called}.why"), &rule.why, &now.why);
                    self.demand(&called, &rule.demand, &now.demand);
                }
            }
        }
        for (key, rule) in are.iter().filter(|(key, _)| !were.contains_key(*key)) {
            let lean = if asks(rule) { Lean::Stricter } else { Lean::Neither };
            self.add(called(key), "not there", format!("when {}", condition(&rule.when)), lean);
        }
    }

    fn actions(&mut self, old: &BTreeMap<Action, ActionRule>, new: &BTreeMap<Action, ActionRule>) {
        for action in Action::ALL {
            let was = old.get(action).copied().unwrap_or_default();
            let ActionRule { revokes_old, rotates_dependents, reversible } = new.get(action).copied().unwrap_or_default();
            let of = format!("action.{}", word(action));
            let lean = |was: bool, is: bool| Lean::of(&was, &is, Lean::Stricter);
            self.add(format!("{of}.revokes_old"), was.revokes_old, revokes_old, lean(was.revokes_old, revokes_old));
            let rotates = lean(was.rotates_dependents, rotates_dependents);
            self.add(format!("{of}.rotates_dependents"), was.rotates_dependents, rotates_dependents, rotates);
            self.add(format!("{of}.reversible"), was.reversible, reversible, Lean::Neither);
        }
    }
}

type Key = (String, usize);

fn by_name(rules: &[Rule]) -> BTreeMap<Key, &Rule> {
    let mut all = BTreeMap::new();
    for rule in rules {
        let nth = all.range((rule.name.clone(), 0)..=(rule.name.clone(), usize::MAX)).count();
        all.insert((rule.name.clone(), nth), rule);
    }
    all
}

fn called((name, nth): &Key) -> String {
    if *nth == 0 { format!("rule \"{name}\"") } else { format!("rule \"{name}\" ({})", nth + 1) }
}

/// Which cases a rule is about, in the file's words.
fn condition(when: &When) -> String {
    let When { actions, paths, tiers, ials, aals, kinds, environments, inventories, owner_known, flags } = when;
    let parts = [
        ("action", words(actions)),
        ("path", words(paths)),
        ("tier", words(tiers)),
        ("ial", words(ials)),
        ("aal", words(aals)),
        ("kind", words(kinds)),
        ("environment", words(environments)),
        ("inventory", words(inventories)),
        ("owner", owner_known.map(|known| if known { "known" } else { "unknown" }.to_owned()).into_iter().collect()),
        ("flag", words(flags)),
    ];
    let said: Vec<String> = parts.iter().filter(|(_, all)| !all.is_empty()).map(|(name, all)| format!("{name}: {}", list(all))).collect();
    if said.is_empty() { "every case".to_owned() } else { said.join("; ") }
}
