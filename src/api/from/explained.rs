//! What policy asks of a case on the wire: every rule that matched, by name, and for each item the rules that asked for it.
//!
//! Contract: says what `Bundle::explain` says of the policy that the case was opened under and of the one in force; both count, so both are
//! named. Knows nothing about screens.

use super::parts;
use crate::api::governance::{AskedFor, PolicyExplained, RuleApplied, RuleOf};
use crate::domain::next;
use crate::domain::policy::derive::Facts;
use crate::domain::policy::explain::{Contribution, items, proof_words};
use crate::domain::requirement::{Requirement, Seconds};
use crate::domain::view::CaseView;
use crate::domain::vocabulary::Method;

/// What policy applies to a case, and why.
pub fn explain(v: &CaseView) -> PolicyExplained {
    let r = &v.requirement;
    let rules = rules(v);
    let named =
        |item: &String| rules.iter().filter(|rule| rule.asks.contains(item)).map(|rule| rule.rule.clone()).collect::<std::collections::BTreeSet<_>>();
    let asked = items(r).into_iter().map(|item| AskedFor { rules: named(&item).into_iter().collect(), item }).collect();
    let mut checklist = parts::checklist(v);
    for item in &mut checklist.items {
        if let Some(why) = because(&rules, r, &item.methods, item.gate) {
            item.why = why;
        }
    }
    PolicyExplained {
        pinned_sha256: v.world.pinned.sha256,
        current_sha256: v.world.current.sha256,
        checklist,
        approvals_needed: next::approvals(&r.approvals),
        rules,
        asked,
        terms: terms(r),
        accountable: parts::accountable(&v.world),
    }
}

/// Every rule that matched: by what is recorded of the subject, then by what was until shortly before the case was opened, which counts too.
fn rules(v: &CaseView) -> Vec<RuleApplied> {
    let Some(subject) = v.world.subject.as_deref() else { return Vec::new() };
    let case = &v.case;
    let mut rules: Vec<RuleApplied> = Vec::new();
    for (facts, until) in v.world.pinned.classes(&v.world.current, subject, (&case.route, &case.flags), case.request.opened_at) {
        let known: Vec<RuleApplied> =
            matched(v, &facts).into_iter().filter(|m| !rules.iter().any(|r| (&r.rule, &r.asks) == (&m.rule, &m.asks))).collect();
        let said = until.map(|until| format!(" (the record said so until {})", until.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
        rules.extend(known.into_iter().map(|rule| RuleApplied { why: format!("{}{said}", rule.why), ..rule }));
    }
    let picked = &case.route.picked_groups;
    rules.extend((!picked.is_empty()).then(|| RuleApplied {
        rule: "routing".to_owned(),
        why: "whoever routed the case picked these groups".to_owned(),
        line: None,
        asks: picked.iter().map(|group| format!("approvals from {group}: 1")).collect(),
        of: RuleOf::Both,
    }));
    rules
}

/// The rules that matched a class, those of the policy that the case was opened under first; one that stands alike in both stands here once.
fn matched(v: &CaseView, facts: &Facts) -> Vec<RuleApplied> {
    let same = v.world.pinned.sha256 == v.world.current.sha256;
    let applied = |c: &Contribution, of: RuleOf| RuleApplied {
        rule: c.rule.clone(),
        why: c.why.clone(),
        line: c.line.and_then(|line| u32::try_from(line).ok()),
        asks: c.asks.clone(),
        of,
    };
    let pinned = v.world.pinned.bundle.explain(facts).matched;
    let current = if same { pinned.clone() } else { v.world.current.bundle.explain(facts).matched };
    let alike = |one: &Contribution, others: &[Contribution]| others.iter().any(|c| (&c.rule, &c.asks) == (&one.rule, &one.asks));
    let opened = pinned.iter().map(|c| applied(c, if alike(c, &current) { RuleOf::Both } else { RuleOf::Pinned }));
    let since = current.iter().filter(|c| !alike(c, &pinned)).map(|c| applied(c, RuleOf::Current));
    opened.chain(since).collect()
}

/// The rules that asked for a proof that these methods can give, or for that gate, each with why it is there.
fn because(rules: &[RuleApplied], r: &Requirement, methods: &[Method], gate: bool) -> Option<String> {
    let slots = |need: &crate::domain::requirement::ProofNeed| {
        need.any_of.iter().any(|set| set.slots.iter().any(|slot| slot.iter().any(|m| methods.contains(m))))
    };
    let wanted: Vec<String> = if gate {
        methods.iter().map(|gate| format!("gate: {}", gate.label())).collect()
    } else {
        r.proofs.iter().filter(|need| slots(need)).map(proof_words).collect()
    };
    let asking = rules.iter().filter(|rule| rule.asks.iter().any(|asked| wanted.contains(asked)));
    let said: Vec<String> = asking.map(|rule| format!("{}: {}", rule.rule, rule.why.trim_end_matches('.'))).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn terms(r: &Requirement) -> Vec<String> {
    let seconds = |name: &str, s: Seconds| format!("{name}: {} s", s.0);
    let escalates: Vec<&str> = r.escalates_to.iter().map(|role| role.label()).collect();
    vec![
        seconds("age an address must have before the request", r.min_endpoint_age),
        seconds("a receipt counts for", r.receipt_lifetime),
        seconds("an approval counts for", r.approval_lifetime),
        seconds("delay before execution", r.delay),
        seconds("grace to take an approval back", r.grace),
        seconds("restriction after recovery", r.restriction),
        seconds("deadline of triage", r.deadlines.triage),
        seconds("deadline of proofing", r.deadlines.proofing),
        seconds("deadline of approval", r.deadlines.approval),
        seconds("a case expires after", r.deadlines.expiry),
        seconds("a hold that nobody lifts escalates after", r.deadlines.hold),
        seconds("ownership and delegation count back", r.lineage_window),
        seconds("other cases of subject and target count back", r.linked_window),
        format!("told of missed deadlines and failures: {}", if escalates.is_empty() { "supervisor".to_owned() } else { escalates.join(", ") }),
    ]
}
