//! Turns a policy file's text into a [`Bundle`], or lists everything that is wrong with it.
//!
//! Contract: pure; a bundle that comes out keeps every ceiling of [`super::ceilings`]. Knows the file's shape, not how rules combine.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::Mistake;
use super::bundle::{Acceptance, ActionRule, Bundle, Demand, Governance, Owners, Span, Start};
use super::ceilings as c;
use super::parse_rules::{SPANS, demand, rules};
use super::proofs::proofs;
use super::reader::{Reader, Table, show};
use crate::domain::register::Scope;
use crate::domain::requirement::{ApprovalNeed, CodeRules, Deadlines, Requirement, Seconds};
use crate::domain::vocabulary::{Action, Path, Role};

/// Reads a file.
pub fn bundle(text: &str) -> Result<Bundle, Vec<Mistake>> {
    if text.len() > c::MAX_BYTES {
        return Err(vec![Mistake { line: None, column: None, message: format!("a policy file has at most {} bytes", c::MAX_BYTES) }]);
    }
    let mut reader = Reader::new(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    // What follows such a place means nothing certain: whatever else could be said would lead astray.
    if let Some(error) = errors.iter().min_by_key(|e| e.span().map(|s| s.start)) {
        return Err(vec![reader.not_toml(text, error.span(), error.message())]);
    }
    let mut root = reader.open("", 0, tree.get_ref());
    "file".clone_into(&mut root.name);
    let bundle = sections(&mut reader, &mut root);
    reader.close(root);
    match bundle {
        Some(bundle) if reader.mistakes.is_empty() => Ok(bundle),
        _ => {
            reader.mistakes.sort_by_key(|m| m.line);
            Err(reader.mistakes)
        }
    }
}

/// Reads every section, so that all mistakes are found, before asking whether all of them are there.
fn sections(r: &mut Reader, root: &mut Table<'_>) -> Option<Bundle> {
    if r.number(root, "format", (1, 1, "the only format there is")).is_none() && !root.has("format") {
        r.mistake(Some(1), "write `format = 1` at the top");
    }
    let name = r.text(root, "name", 100);
    if !root.has("name") {
        r.missing(root, "name");
    }
    let proofs = proofs(r, root);
    let owners = section(r, root, "owners", owners);
    let acceptance = section(r, root, "acceptance", acceptance);
    let governance = section(r, root, "governance", governance);
    let automation = section(r, root, "automation", |r, t| Some(automation(r, t)));
    let start = section(r, root, "start", |r, t| Some(start(r, t)));
    let windows = section(r, root, "windows", windows);
    let codes = section(r, root, "codes", codes);
    let base = section(r, root, "base", |r, t| {
        let asked = demand(r, t, &proofs);
        says_all(r, t);
        Some(asked)
    });
    let rules = rules(r, root, &proofs);
    let actions = actions(r, root);
    let base_line = base.as_ref().map(|(_, line)| *line);
    let base = whole(&base?.0, windows?.0, codes?.0)?;
    let bundle = Bundle {
        name: name?,
        owners: owners?.0,
        acceptance: acceptance?.0,
        governance: governance?.0,
        automation: automation?.0,
        start: start?.0,
        base,
        rules,
        actions,
    };
    waits_fit(r, &bundle, base_line);
    Some(bundle)
}

/// One required section with its line.
fn section<'a, T>(
    r: &mut Reader,
    root: &mut Table<'a>,
    key: &'static str,
    read: impl FnOnce(&mut Reader, &mut Table<'a>) -> Option<T>,
) -> Option<(T, usize)> {
    if !root.has(key) {
        root.know(key);
        r.mistake(None, format!("the section [{key}] is missing"));
        return None;
    }
    let mut table = r.table(root, key)?;
    key.clone_into(&mut table.name);
    let read = read(r, &mut table);
    let line = table.line;
    r.close(table);
    read.map(|value| (value, line))
}

fn owners(r: &mut Reader, t: &mut Table<'_>) -> Option<Owners> {
    let found = ["identity_governance", "support_operations", "security_operations", "business"].map(|key| required_text(r, t, key));
    let [identity_governance, support_operations, security_operations, business] = found;
    Some(Owners {
        identity_governance: identity_governance?,
        support_operations: support_operations?,
        security_operations: security_operations?,
        business: business?,
    })
}

pub(super) fn required_text(r: &mut Reader, t: &mut Table<'_>, key: &'static str) -> Option<String> {
    if !t.has(key) {
        r.missing(t, key);
    }
    r.text(t, key, 200)
}

fn acceptance(r: &mut Reader, t: &mut Table<'_>) -> Option<Acceptance> {
    let by = required_text(r, t, "by");
    let words = required_text(r, t, "words");
    let on = match t.take("on") {
        None => {
            r.missing(t, "on");
            None
        }
        Some(value) => {
            let day = value.get_ref().as_datetime().and_then(|d| d.date).and_then(|d| {
                let (month, day) = (u32::from(d.month), u32::from(d.day));
                chrono::NaiveDate::from_ymd_opt(i32::from(d.year), month, day)
            });
            if day.is_none() {
                r.wrong(t, "on", value, "a day such as 2026-01-31, without quotes");
            }
            day
        }
    };
    Some(Acceptance { by: by?, on: on?, words: words? })
}

fn required_span(r: &mut Reader, t: &mut Table<'_>, key: &'static str, bound: c::Bound) -> Option<Seconds> {
    if !t.has(key) {
        r.missing(t, key);
    }
    r.span(t, key, bound)
}

fn required_number(r: &mut Reader, t: &mut Table<'_>, key: &'static str, bound: (u32, u32, &str)) -> Option<u32> {
    if !t.has(key) {
        r.missing(t, key);
    }
    r.number(t, key, bound)
}

fn governance(r: &mut Reader, t: &mut Table<'_>) -> Option<Governance> {
    let change_delay = required_span(r, t, "change_delay", c::CHANGE_DELAY);
    let proposal_lifetime = required_span(r, t, "proposal_lifetime", c::PROPOSAL_LIFETIME);
    let token_lifetime = required_span(r, t, "token_lifetime", c::TOKEN_LIFETIME);
    let tokens_per_holder = required_number(r, t, "tokens_per_holder", c::TOKENS_PER_HOLDER);
    Some(Governance {
        change_delay: change_delay?,
        proposal_lifetime: proposal_lifetime?,
        token_lifetime: token_lifetime?,
        tokens_per_holder: tokens_per_holder?,
    })
}

/// What software may do. The words that exist are all there is: nothing beyond invariant 6 can be written down.
fn automation(r: &mut Reader, t: &mut Table<'_>) -> BTreeSet<Scope> {
    let mut scopes = BTreeSet::new();
    if t.has("may_nothing") && r.yes(t, "may_nothing") == Some(true) {
        return scopes;
    }
    if !t.has("may") && !t.has("may_nothing") {
        r.missing(t, "may");
    }
    for (line, text) in r.texts(t, "may") {
        match text {
            "open" => _ = scopes.insert(Scope::Open),
            "route" => _ = scopes.insert(Scope::Route),
            "withdraw_own" => _ = scopes.insert(Scope::WithdrawOwn),
            "telemetry" => _ = scopes.insert(Scope::Telemetry),
            _ => {
                r.mistake(Some(line), format!("automation.may: \"{text}\" can't be given to software; at most open, route, withdraw_own, telemetry"));
            }
        }
    }
    scopes
}

fn start(r: &mut Reader, t: &mut Table<'_>) -> BTreeMap<Path, Start> {
    let mut starts = BTreeMap::new();
    for path in Path::ALL {
        let key = path.code();
        if !t.has(key) {
            r.missing(t, key);
        }
        let mut start = Start::default();
        for (line, text) in r.texts(t, key) {
            match (text, text.parse::<Role>()) {
                (_, Ok(role)) => _ = start.roles.insert(role),
                ("automation", _) if *path == Path::BreakGlass => {
                    r.mistake(Some(line), "start.break_glass: software can't start an emergency");
                }
                ("automation", _) => start.automation = true,
                ("subject", _) => start.subject = true,
                _ => {
                    let roles: Vec<&str> = Role::ALL.iter().map(|r| r.code()).collect();
                    r.mistake(Some(line), format!("start.{key}: \"{text}\" is none of {}, automation, subject", roles.join(", ")));
                }
            }
        }
        starts.insert(*path, start);
    }
    starts
}

fn windows(r: &mut Reader, t: &mut Table<'_>) -> Option<(Seconds, Seconds)> {
    let lineage = required_span(r, t, "lineage", c::LINEAGE_WINDOW);
    let linked = required_span(r, t, "linked_cases", c::LINKED_WINDOW);
    Some((lineage?, linked?))
}

fn codes(r: &mut Reader, t: &mut Table<'_>) -> Option<CodeRules> {
    let email = required_span(r, t, "email", c::CODE_EMAIL);
    let phone = required_span(r, t, "phone", c::CODE_PHONE);
    let postal = required_span(r, t, "postal", c::CODE_POSTAL);
    let contact = required_span(r, t, "contact", c::CODE_CONTACT);
    let page = required_span(r, t, "page", c::CODE_PAGE);
    let per_code = required_number(r, t, "attempts_per_code", c::ATTEMPTS_PER_CODE);
    let per_case = required_number(r, t, "attempts_per_case", c::ATTEMPTS_PER_CASE);
    Some(CodeRules {
        email: email?,
        phone: phone?,
        postal: postal?,
        contact: contact?,
        page: page?,
        attempts_per_code: u8::try_from(per_code?).ok()?,
        attempts_per_case: u8::try_from(per_case?).ok()?,
    })
}

/// Actions whose old credential is always revoked: reset is paired with revocation (mission.md, 2).
const REVOKING: [Action; 9] = [
    Action::PasswordReset,
    Action::MfaReenrolment,
    Action::RecoveryCodeReissue,
    Action::TokenReissue,
    Action::ApiKeyReissue,
    Action::SecretRotation,
    Action::SecretRevocation,
    Action::WorkloadRebind,
    Action::CertificateReplacement,
];

fn actions(r: &mut Reader, root: &mut Table<'_>) -> BTreeMap<Action, ActionRule> {
    let mut actions = BTreeMap::new();
    let Some(mut table) = r.table(root, "action") else {
        if !root.has("action") {
            r.mistake(None, "no action is described; write [action.password_reset] and so on");
        }
        return actions;
    };
    for action in Action::ALL {
        if !table.has(action.code()) {
            r.mistake(None, format!("[action.{}] is missing", action.code()));
        }
        let Some(mut inner) = r.table(&mut table, action.code()) else {
            continue;
        };
        let revokes = r.yes(&mut inner, "revokes_old");
        let rule = ActionRule {
            revokes_old: revokes.unwrap_or(false),
            rotates_dependents: r.yes(&mut inner, "rotates_dependents").unwrap_or(false),
            reversible: r.yes(&mut inner, "reversible").unwrap_or(false),
        };
        // Of one that is given and no yes or no, that was said.
        if REVOKING.contains(action) && !rule.revokes_old && (revokes.is_some() || !inner.has("revokes_old")) {
            r.mistake(Some(inner.line), format!("action.{}: a reset is paired with revocation: revokes_old = true", action.code()));
        }
        r.close(inner);
        actions.insert(*action, rule);
    }
    r.close(table);
    actions
}

/// Lists what `[base]` leaves out: it says something in every dimension. What is given and wrong was said where it stands.
fn says_all(r: &mut Reader, base: &Table<'_>) {
    if !base.has("proof") {
        r.mistake(Some(base.line), "base: \"proof\" is missing: every case needs at least one");
    }
    for (key, span, _) in SPANS {
        if !base.has(key) && span != Span::Grant {
            r.missing(base, key);
        }
    }
}

/// What every case needs at least; nothing if the base did not say it all.
fn whole(base: &Demand, windows: (Seconds, Seconds), codes: CodeRules) -> Option<Requirement> {
    let span = |span| base.spans.get(&span).copied();
    Some(Requirement {
        proofs: base.proofs.iter().map(|(_, need)| need.clone()).collect(),
        gates: base.gates.clone(),
        approvals: ApprovalNeed {
            count: base.approvals.unwrap_or(0),
            groups: base.groups.clone(),
            other_employer: base.other_employer,
            signature: base.signature,
        },
        min_endpoint_age: span(Span::EndpointAge)?,
        receipt_lifetime: span(Span::Receipt)?,
        approval_lifetime: span(Span::Approval)?,
        delay: span(Span::Delay)?,
        grace: span(Span::Grace)?,
        grant_lifetime: span(Span::Grant),
        restriction: span(Span::Restriction)?,
        deadlines: Deadlines {
            triage: span(Span::TriageDue)?,
            proofing: span(Span::ProofingDue)?,
            approval: span(Span::ApprovalDue)?,
            expiry: span(Span::Expiry)?,
            hold: span(Span::HoldDue)?,
        },
        lineage_window: windows.0,
        linked_window: windows.1,
        codes,
        review: base.review,
        escalates_to: base.escalates_to.clone(),
    })
}

/// An approval must outlive the wait before execution, or nothing would ever be executed; so must the case.
fn waits_fit(r: &mut Reader, bundle: &Bundle, line: Option<usize>) {
    let all = |span: Span| bundle.rules.iter().filter_map(move |rule| rule.demand.spans.get(&span).copied());
    let wait = all(Span::Delay).max().max(Some(bundle.base.delay)).unwrap_or_default().0
        + all(Span::Grace).max().max(Some(bundle.base.grace)).unwrap_or_default().0;
    let lasts = all(Span::Approval).chain([bundle.base.approval_lifetime]).min().unwrap_or_default();
    let expiry = all(Span::Expiry).chain([bundle.base.deadlines.expiry]).min().unwrap_or_default();
    if wait >= lasts.0 {
        let wait = show(Seconds(wait));
        r.mistake(
            line,
            format!("the longest delay and grace ({wait}) outlast the shortest approval_lifetime ({}): nothing would be executed", show(lasts)),
        );
    }
    if wait >= expiry.0 {
        let wait = show(Seconds(wait));
        r.mistake(line, format!("the longest delay and grace ({wait}) outlast the shortest expires_after ({})", show(expiry)));
    }
}
