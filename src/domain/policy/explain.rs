//! Why a case needs what it needs: which rules matched, what each asked for, and for each item of the requirement who asked for it.
//!
//! Contract: pure, derived from the same rules as the requirement, so it can't say anything else. Knows nothing about screens.

use std::collections::BTreeMap;

use super::bundle::{Bundle, Demand, Span};
use super::derive::{Facts, floors, span_of};
use super::show_span;
use crate::domain::requirement::{ProofNeed, Requirement};

/// What one rule contributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// The rule's name; `base` and floors that are compiled in among them.
    pub rule: String,
    /// Why the rule is there.
    pub why: String,
    /// Its line in the file; `None` for what is compiled in.
    pub line: Option<usize>,
    /// What it asks for, in words.
    pub asks: Vec<String>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What follows.
    pub requirement: Requirement,
    /// Everything that matched, in the file's order.
    pub matched: Vec<Contribution>,
    /// For each item of the requirement, in words, the rules that asked for just that.
    pub because: BTreeMap<String, Vec<String>>,
}

/// Names of the spans, as policy files write them.
pub const SPANS: [(Span, &str); 12] = [
    (Span::EndpointAge, "min_record_age"),
    (Span::Receipt, "receipt_lifetime"),
    (Span::Approval, "approval_lifetime"),
    (Span::Delay, "delay"),
    (Span::Grace, "grace"),
    (Span::Grant, "grant_lifetime"),
    (Span::Restriction, "restriction"),
    (Span::TriageDue, "triage_within"),
    (Span::ProofingDue, "proofing_within"),
    (Span::ApprovalDue, "approval_within"),
    (Span::Expiry, "expires_after"),
    (Span::HoldDue, "hold_escalates_after"),
];

/// A requirement in words, one item each; what asks for nothing (no delay, no approval) is left out.
pub fn items(requirement: &Requirement) -> Vec<String> {
    let mut items: Vec<String> = requirement.proofs.iter().map(proof_words).collect();
    items.extend(requirement.gates.iter().map(|gate| format!("gate: {}", gate.label())));
    let need = &requirement.approvals;
    if need.count > 0 {
        items.push(format!("approvals: {}", need.count));
    }
    items.extend(need.groups.iter().map(|(group, count)| format!("approvals from {group}: {count}")));
    items.extend(need.other_employer.then(|| "an approver of another employer".to_owned()));
    items.extend(need.signature.then(|| "signed approvals".to_owned()));
    items.extend(requirement.review.then(|| "a review afterwards".to_owned()));
    items.extend(requirement.escalates_to.iter().map(|role| format!("escalates to: {}", role.label())));
    for (span, name) in SPANS {
        if let Some(value) = span_of(requirement, span).filter(|s| s.0 > 0) {
            items.push(format!("{name}: {}", show_span(value)));
        }
    }
    items
}

/// A proof in words: `issued code or recovery contact + saved recovery code; or repeated proofing`.
pub fn proof_words(need: &ProofNeed) -> String {
    let set = |set: &crate::domain::requirement::ProofSet| {
        let slots = set.slots.iter().map(|slot| slot.iter().map(|m| m.label()).collect::<Vec<_>>().join(" or "));
        slots.collect::<Vec<_>>().join(" + ") + if set.distinct_methods { " (by different methods)" } else { "" }
    };
    format!("proof: {}", need.any_of.iter().map(set).collect::<Vec<_>>().join("; or "))
}

/// What a demand asks for by itself, in words.
fn asks(demand: &Demand) -> Vec<String> {
    let mut asks: Vec<String> = demand.proofs.iter().map(|(_, need)| proof_words(need)).collect();
    asks.extend(demand.gates.iter().map(|gate| format!("gate: {}", gate.label())));
    asks.extend(demand.approvals.filter(|n| *n > 0).map(|n| format!("approvals: {n}")));
    asks.extend(demand.groups.iter().map(|(group, count)| format!("approvals from {group}: {count}")));
    asks.extend(demand.other_employer.then(|| "an approver of another employer".to_owned()));
    asks.extend(demand.signature.then(|| "signed approvals".to_owned()));
    asks.extend(demand.review.then(|| "a review afterwards".to_owned()));
    asks.extend(demand.escalates_to.iter().map(|role| format!("escalates to: {}", role.label())));
    for (span, name) in SPANS {
        asks.extend(demand.spans.get(&span).map(|value| format!("{name}: {}", show_span(*value))));
    }
    asks
}

impl Bundle {
    /// Explains what a class of case needs.
    pub fn explain(&self, facts: &Facts) -> Explanation {
        let base = Contribution { rule: "base".to_owned(), why: "every case".to_owned(), line: None, asks: items(&self.base) };
        let rules = self.matching(facts).map(|rule| Contribution {
            rule: rule.name.clone(),
            why: rule.why.clone(),
            line: Some(rule.line),
            asks: asks(&rule.demand),
        });
        let built_in = floors(facts).into_iter().map(|floor| Contribution {
            rule: floor.name.to_owned(),
            why: "compiled in; no file can loosen it".to_owned(),
            line: None,
            asks: asks(&floor.demand),
        });
        let matched: Vec<Contribution> = std::iter::once(base).chain(rules).chain(built_in).collect();
        let requirement = self.demanded(facts);
        let because = items(&requirement)
            .into_iter()
            .map(|item| {
                let names = matched.iter().filter(|c| c.asks.contains(&item)).map(|c| c.rule.clone()).collect();
                (item, names)
            })
            .collect();
        Explanation { requirement, matched, because }
    }
}
