//! Reads `[base]`, and every `[[rule]]`: which cases it is about and what it asks for.
//!
//! Contract: as [`super::parse`]. Knows the file's shape, not how rules combine.

use super::bundle::{Demand, Rule, Span, When};
use super::ceilings as c;
use super::parse::required_text;
use super::proofs::Proofs;
use super::reader::{Reader, Table};
use crate::base::ids::GroupId;

pub(super) const SPANS: [(&str, Span, c::Bound); 12] = [
    ("min_record_age", Span::EndpointAge, c::ENDPOINT_AGE),
    ("receipt_lifetime", Span::Receipt, c::RECEIPT_LIFETIME),
    ("approval_lifetime", Span::Approval, c::APPROVAL_LIFETIME),
    ("delay", Span::Delay, c::DELAY),
    ("grace", Span::Grace, c::GRACE),
    ("grant_lifetime", Span::Grant, c::GRANT_LIFETIME),
    ("restriction", Span::Restriction, c::RESTRICTION),
    ("triage_within", Span::TriageDue, c::DEADLINE),
    ("proofing_within", Span::ProofingDue, c::DEADLINE),
    ("approval_within", Span::ApprovalDue, c::DEADLINE),
    ("expires_after", Span::Expiry, c::EXPIRY),
    ("hold_escalates_after", Span::HoldDue, c::HOLD),
];

/// What a rule or `[base]` asks for.
pub(super) fn demand(r: &mut Reader, t: &mut Table<'_>, known: &Proofs) -> Demand {
    let mut demand = Demand::default();
    for (line, name) in r.texts(t, "proof") {
        if let Some(need) = known.get(name) {
            demand.proofs.push((name.to_owned(), need.clone()));
        } else {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            r.mistake(Some(line), format!("{}: no [proof.{name}] is described; there are {}", t.name, names.join(", ")));
        }
    }
    demand.gates = r.words(t, "gates");
    if let Some(proof) = demand.gates.iter().find(|m| !m.is_gate()) {
        r.mistake(Some(t.line), format!("{}: {} is a proof and no gate; describe it under [proof.NAME]", t.name, proof.code()));
    }
    let count = r.number(t, "approvals", c::APPROVALS);
    demand.approvals = count.and_then(|n| u8::try_from(n).ok());
    groups(r, t, &mut demand);
    demand.other_employer = r.yes(t, "other_employer").unwrap_or(false);
    demand.signature = r.yes(t, "signature").unwrap_or(false);
    demand.review = r.yes(t, "review").unwrap_or(false);
    demand.escalates_to = r.words(t, "escalates_to");
    for (key, span, bound) in SPANS {
        if let Some(value) = r.span(t, key, bound) {
            demand.spans.insert(span, value);
        }
    }
    demand
}

fn groups(r: &mut Reader, t: &mut Table<'_>, demand: &mut Demand) {
    let Some(mut table) = r.table(t, "from_groups") else {
        return;
    };
    for (name, line, value) in table.drain() {
        let count = value.get_ref().as_integer().and_then(|i| i.as_str().parse::<u8>().ok()).filter(|n| (1..=9).contains(n));
        match (GroupId::parse(name), count) {
            (Ok(group), Some(count)) => _ = demand.groups.insert(group, count),
            (Err(error), _) => r.mistake(Some(line), format!("{}: \"{name}\": {error}", table.name)),
            (_, None) => r.mistake(Some(line), format!("{}: how many from {name}, 1 to 9?", table.name)),
        }
    }
}

/// `[[rule]]` tables.
pub(super) fn rules(r: &mut Reader, root: &mut Table<'_>, proofs: &Proofs) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for mut table in r.tables(root, "rule") {
        let Some(name) = required_text(r, &mut table, "name") else {
            continue;
        };
        table.name = format!("rule \"{name}\"");
        let why = required_text(r, &mut table, "why").unwrap_or_default();
        let when = match r.table(&mut table, "when") {
            None => When::default(),
            Some(mut inner) => {
                let when = when(r, &mut inner);
                r.close(inner);
                when
            }
        };
        if rules.iter().any(|other| other.name == name) {
            r.mistake(Some(table.line), format!("two rules are called \"{name}\""));
        }
        let before = r.mistakes.len();
        let demand = demand(r, &mut table, proofs);
        if demand == Demand::default() && r.mistakes.len() == before {
            r.mistake(Some(table.line), format!("rule \"{name}\" asks for nothing"));
        }
        rules.push(Rule { name, why, line: table.line, when, demand });
        r.close(table);
    }
    if rules.len() > c::MAX_RULES {
        r.mistake(None, format!("at most {} rules", c::MAX_RULES));
    }
    rules
}

fn when(r: &mut Reader, t: &mut Table<'_>) -> When {
    let mut when = When {
        actions: r.words(t, "action"),
        paths: r.words(t, "path"),
        tiers: r.words(t, "tier"),
        ials: r.words(t, "ial"),
        aals: r.words(t, "aal"),
        kinds: r.words(t, "kind"),
        environments: r.words(t, "environment"),
        inventories: r.words(t, "inventory"),
        owner_known: None,
        flags: r.words(t, "flag"),
    };
    for (line, text) in r.texts(t, "subject") {
        let human = match text {
            "person" => true,
            "non_human" => false,
            _ => {
                r.mistake(Some(line), format!("{}: \"subject\" is \"person\" or \"non_human\"", t.name));
                continue;
            }
        };
        let kinds = crate::domain::vocabulary::SubjectKind::ALL;
        when.kinds.extend(kinds.iter().copied().filter(|k| k.is_non_human() != human));
    }
    for (line, text) in r.texts(t, "owner") {
        match text {
            "known" => when.owner_known = Some(true),
            "unknown" => when.owner_known = Some(false),
            _ => r.mistake(Some(line), format!("{}: \"owner\" is \"known\" or \"unknown\"", t.name)),
        }
    }
    when
}
