//! Tests of policy files and of what follows from them.

use super::compare::{Verdict, diff, loosens, requirements, simulate, verdict};
use super::settings::{Lean, settings};
use super::*;
use crate::domain::vocabulary::*;

fn mistakes(text: &str) -> String {
    Policy::parse(text).err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn facts() -> Facts {
    Facts {
        action: Action::PasswordReset,
        path: Path::Assisted,
        tier: Tier::Standard,
        ial: Ial::Ial2,
        aal: Aal::Aal2,
        kind: SubjectKind::Employee,
        environment: Environment::Corporate,
        inventory: InventorySource::Hr,
        owner_known: true,
        flags: BTreeSet::new(),
    }
}

#[test]
fn the_embedded_policy_has_no_mistakes() {
    assert_eq!(mistakes(DEFAULT), "");
}

#[test]
fn every_mistake_is_listed_with_its_line() {
    let text = DEFAULT
        .replace("email = \"30 min\"", "email = \"25 h\"")
        .replace("phone = \"10 min\"", "phone = \"11 min\"")
        .replace("lineage = \"90 d\"", "lineage = \"6 d\"")
        .replace("attempts_per_code = 5", "attempts_per_code = 6")
        .replace("change_delay = \"24 h\"", "change_delay = \"1 s\"\nsurprise = 1")
        .replace("\"telemetry\"]", "\"telemetry\", \"approve\"]")
        .replace("password_reset = { revokes_old = true }", "password_reset = {}")
        .replace(
            "gates = \"manager_attestation\"\napprovals = 1\n\n[[rule]]\nname = \"elevated",
            "gates = \"saved_code\"\napprovals = -1\n\n[[rule]]\nname = \"elevated",
        );
    let found = mistakes(&text);
    for wanted in [
        "codes: \"email\" is 25 h; at most 1 d (§4.2.1.2)",
        "\"phone\" is 11 min; at most 10 min",
        "\"lineage\" is 6 d; at least 7 d (whoever had a hand in a case before stays in its lineage)",
        "\"attempts_per_code\" may be 1 to 5",
        "\"change_delay\" is 1 s; at least 1 h",
        "unknown key \"surprise\"",
        "\"approve\" can't be given to software",
        "action.password_reset: a reset is paired with revocation",
        "saved_code is a proof and no gate",
        "\"approvals\" may be 0 to 9",
    ] {
        assert!(found.contains(wanted), "{wanted}\nin\n{found}");
    }
    let line = text.lines().position(|l| l.starts_with("email = ")).unwrap() + 1;
    assert!(found.contains(&format!("line {line}: codes: \"email\"")), "{found}");
}

#[test]
fn what_is_not_toml_is_told_alone_with_its_place() {
    assert_eq!(mistakes("foo = ["), "line 1, column 8: not TOML: unclosed array, expected `]`");
    let broken = DEFAULT.replace("delay = \"", "delay = banana\"");
    let line = broken.lines().position(|l| l.contains("banana")).unwrap() + 1;
    let found = mistakes(&broken);
    assert!(found.starts_with(&format!("line {line}, column ")) && found.contains(": not TOML: "), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn a_wrong_value_is_told_once() {
    for (was, is) in [
        ("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"banana\""),
        ("format = 1", "format = 2"),
        ("[codes]\nemail = \"30 min\"", "[codes]\nemail = 30"),
        ("password_reset = { revokes_old = true }", "password_reset = { revokes_old = \"yes\" }"),
        ("may = [", "may_nothing = \"no\"\nmay = ["),
    ] {
        assert!(DEFAULT.contains(was), "{was}");
        let found = mistakes(&DEFAULT.replacen(was, is, 1));
        assert_eq!(found.lines().count(), 1, "{is}:\n{found}");
    }
    let without = mistakes(&DEFAULT.replacen("receipt_lifetime = \"24 h\"\n", "", 1));
    assert!(without.contains("base: \"receipt_lifetime\" is missing"), "{without}");
}

#[test]
fn the_embedded_policy_asks_for_no_less_than_what_is_compiled_in() {
    assert_eq!(Policy::for_use(DEFAULT).err().unwrap_or_default(), Vec::new());
}

#[test]
fn a_file_laxer_than_the_compiled_floors_is_refused_with_every_place_listed() {
    let text = DEFAULT
        .replace("approvals = 2\nfrom_groups = { security = 1 }\ndelay = \"30 min\"", "approvals = 1\ndelay = \"30 min\"")
        .replace("proof = \"two-codes\"\n", "review = true\n")
        .replace("gates = \"in_person\"\n", "review = true\n")
        .replace("when = { path = [\"assisted\", \"break_glass\"] }\napprovals = 1", "when = { path = \"break_glass\" }\napprovals = 1")
        .replace(
            "when = { action = [\"control_plane_access\", \"jit_access\"] }\napprovals = 1\ngrant_lifetime = \"8 h\"",
            "when = { action = [\"control_plane_access\", \"jit_access\"] }\napprovals = 1",
        );
    assert!(Policy::parse(&text).is_ok(), "each value alone is within its bounds");
    let all: Vec<String> = Policy::for_use(&text).unwrap_err().iter().map(ToString::to_string).collect();
    for wanted in [
        "two approvals, a delay and a grace of a privileged case",
        "two codes or repeated proofing",
        "one approval: whoever routes",
        "every fallback grant is temporary",
        "on site (§4.2.2.3)",
    ] {
        assert!(all.iter().any(|m| m.contains(wanted) && m.contains("e.g. ")), "{wanted}\nin\n{all:#?}");
    }
    let mut whole = all.clone();
    whole.sort();
    whole.dedup();
    assert_eq!(whole.len(), all.len(), "each once");
}

#[test]
fn hostile_files_are_refused_and_never_printed_raw() {
    for text in ["", "\0", "format = 2", "[[rule]]", "rule = 1", "a.b.c = {", "[base]\nproof = [[]]", &"x".repeat(300_000), "\u{1b}[31m = 1"] {
        let found = mistakes(text);
        assert!(!found.is_empty(), "{text:?}");
        assert!(!found.contains('\u{1b}'), "{found:?}");
    }
}

#[test]
fn what_works_today_meets_every_requirement_of_the_default() {
    let works = [Method::IssuedCode, Method::SavedCode];
    for (facts, requirement) in requirements(&Policy::builtin().bundle).unwrap() {
        let set = crate::domain::requirement::ProofSet { slots: works.map(|m| BTreeSet::from([m])).to_vec(), distinct_methods: true };
        for need in &requirement.proofs {
            assert!(need.any_of.iter().any(|alternative| set.implies(alternative)), "{facts}: {need:?}");
        }
        assert!(requirement.gates.iter().all(|g| matches!(g, Method::ManagerAttestation | Method::InPerson)), "{facts}");
        assert!(!requirement.approvals.signature, "{facts}");
    }
}

#[test]
fn the_strictest_of_all_matching_rules_counts() {
    let bundle = Policy::builtin().bundle;
    let plain = bundle.demanded(&facts());
    assert_eq!((plain.approvals.count, plain.proofs.len(), plain.gates.len()), (1, 1, 0));
    let privileged = Facts { tier: Tier::Privileged, ..facts() };
    let most = bundle.demanded(&privileged);
    assert_eq!((most.approvals.count, most.delay.0, most.grace.0), (2, 1_800, 60));
    let flagged = bundle.demanded(&Facts { flags: BTreeSet::from([FlagKind::SuspectedCompromise]), ..privileged });
    assert_eq!(flagged.delay.0, 3_600);
    assert_eq!(verdict(&most, &flagged), Verdict::Stricter);
    for facts in [Facts { owner_known: false, ..facts() }, Facts { inventory: InventorySource::None, ..facts() }] {
        assert_eq!(verdict(&plain, &bundle.demanded(&facts)), Verdict::Stricter, "unknown means more, not less");
    }
}

#[test]
fn floors_hold_even_for_a_file_without_rules() {
    let start = DEFAULT.find("\n[[rule]]").unwrap();
    let actions = DEFAULT.find("\n[action]").unwrap();
    let policy = Policy::parse(&format!("{}{}", &DEFAULT[..start], &DEFAULT[actions..])).unwrap();
    let needed = policy.bundle.demanded(&facts());
    assert_eq!(needed.approvals.count, 1);
    assert!(needed.proofs.iter().all(|p| p.any_of.iter().all(|s| s.slots.len() == 2 || s.slots[0].contains(&Method::RepeatedProofing))));
    assert_eq!(policy.bundle.demanded(&Facts { tier: Tier::Privileged, ..facts() }).approvals.count, 2);
    assert!(policy.bundle.demanded(&Facts { path: Path::BreakGlass, ..facts() }).grant_lifetime.is_some());
    // Recovery at AAL3 of who was proofed at IAL3 is attended on site (§4.2.2.3).
    let on_site = |ial, aal| policy.bundle.demanded(&Facts { ial, aal, ..facts() }).gates.contains(&Method::InPerson);
    assert!(on_site(Ial::Ial3, Aal::Aal3) && !on_site(Ial::Ial2, Aal::Aal3) && !on_site(Ial::Ial3, Aal::Aal2));
    assert!(loosens(&Policy::builtin().bundle, &policy.bundle));
    assert!(!loosens(&policy.bundle, &Policy::builtin().bundle));
}

#[test]
fn a_laxer_file_is_told_from_a_stricter_one() {
    let old = Policy::builtin().bundle;
    assert!(diff(&old, &old).differences.is_empty());
    let stricter = Policy::parse(&DEFAULT.replace("restriction = \"24 h\"", "restriction = \"48 h\"")).unwrap().bundle;
    let comparison = diff(&old, &stricter);
    assert!(!comparison.loosens() && comparison.differences.iter().all(|d| d.verdict == Verdict::Stricter), "{comparison:?}");
    assert!(!comparison.differences.is_empty() && loosens(&stricter, &old));
    let wider = Policy::parse(&DEFAULT.replace("runbook = [\"support_agent\"", "runbook = [\"automation\", \"support_agent\"")).unwrap().bundle;
    assert!(loosens(&old, &wider) && !loosens(&wider, &old));
    let result = simulate(&old, &stricter, &[facts(), Facts { tier: Tier::Privileged, ..facts() }], |r| r.approvals.count < 2);
    assert_eq!((result.same, result.stricter, result.laxer, result.undecidable), (1, 1, 0, 1));
}

#[test]
fn invariant_15_the_smallest_crew_of_the_default_is_six() {
    let crew = crew::smallest(&Policy::builtin().bundle).unwrap();
    assert_eq!((crew.approvers, crew.attesters, crew.persons, crew.unprovable), (2, 2, 6, None));
    // What several flags of one case ask for adds up: each of these alone takes one approver of a group, together they take four persons.
    let asks = |flag: &str, group: &str| {
        format!("[[rule]]\nname = \"{flag}\"\nwhy = \"own\"\nwhen = {{ flag = \"{flag}\" }}\nfrom_groups = {{ {group} = 1 }}\n\n")
    };
    let own = ["pressure", "off_hours", "odd_pair", "look_alike"].map(|flag| asks(flag, &flag.replace('_', "-")));
    let crew = crew::smallest(&Policy::parse(&format!("{DEFAULT}\n{}", own.concat())).unwrap().bundle).unwrap();
    let flags = crew.hardest.unwrap().flags;
    assert!(crew.approvers >= 4 && crew.persons == crew.approvers + 4 && flags.len() >= 4, "{flags:?}, {} approvers", crew.approvers);
    // Where only owners can prove, a quorum of them is needed beside who gives the gate; nothing counts on what nobody can give.
    let proved_by = |methods: &str| {
        let text = DEFAULT.replacen("[proof.one-code]", &format!("[proof.strange]\nany_of = [{{ all = [{methods}] }}]\n\n[proof.one-code]"), 1);
        crew::smallest(&Policy::parse(&text.replacen("proof = \"one-code\"", "proof = \"strange\"", 1)).unwrap().bundle).unwrap()
    };
    assert_eq!((proved_by("\"owner_quorum\"").attesters, proved_by("\"owner_quorum\"").persons), (4, 8));
    assert!(proved_by("\"recovery_contact\"").unprovable.is_some() && proved_by("\"passkey\"").unprovable.is_some());
}

#[test]
fn invariant_17_what_starts_or_widens_self_service_and_runbooks_is_told_from_what_does_not() {
    let old = Policy::builtin().bundle;
    let changed = |from: &str, to: &str| {
        assert!(DEFAULT.contains(from), "{from}");
        Policy::parse(&DEFAULT.replacen(from, to, 1)).unwrap().bundle
    };
    for (from, to) in [
        ("runbook = [\"support_agent\"", "runbook = [\"automation\", \"support_agent\""),
        ("self_service = [\"support_agent\", ", "self_service = [\"security_reviewer\", \"support_agent\", "),
        ("when = { path = [\"runbook\", \"self_service\"] }\nreview = true", "when = { path = \"self_service\" }\nreview = true"),
        ("when = { tier = \"elevated\" }\napprovals = 1", "when = { tier = \"elevated\", path = \"assisted\" }\napprovals = 1"),
        ("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"48 h\""),
        ("rotates_dependents = true", "rotates_dependents = false"),
    ] {
        let new = changed(from, to);
        assert!(compare::widens_alone(&old, &new), "{from}");
        assert!(!compare::widens_alone(&new, &old), "back: {from}");
    }
    for (from, to) in [
        ("assisted = [\"support_agent\", ", "assisted = [\"policy_owner\", \"support_agent\", "),
        ("when = { path = \"break_glass\" }\napprovals = 2\n", "when = { path = \"break_glass\" }\napprovals = 1\n"),
        ("restriction = \"24 h\"", "restriction = \"48 h\""),
    ] {
        assert!(!compare::widens_alone(&old, &changed(from, to)), "{from}");
    }
    // Software that a path names starts it from the day that it may open, or send cases down it.
    let may = |words: &str| changed("may = [\"open\", \"route\", \"withdraw_own\", \"telemetry\"]", &format!("may = [{words}]"));
    let looks = may("\"telemetry\"");
    for wider in ["\"open\", \"telemetry\"", "\"route\""] {
        assert!(compare::widens_alone(&looks, &may(wider)) && !compare::widens_alone(&may(wider), &looks), "{wider}");
    }
    assert!(!compare::widens_alone(&looks, &may("\"telemetry\", \"withdraw_own\"")));
}

#[test]
fn each_item_names_the_rules_that_asked_for_it() {
    let explanation = Policy::builtin().bundle.explain(&Facts { tier: Tier::Privileged, ..facts() });
    assert!(explanation.because["delay: 30 min"].contains(&"privileged tier".to_owned()), "{:?}", explanation.because);
    for (item, names) in &explanation.because {
        let derived = ["min_record_age", "receipt_lifetime"].iter().any(|s| item.starts_with(s));
        assert!(!names.is_empty() || derived, "nobody asked for {item}");
    }
}

/// One setting changed: its text before and after, its name, and which way it leans.
const CHANGES: &[(&str, &str, &str, Lean)] = &[
    ("token_lifetime = \"30 d\"", "token_lifetime = \"10 d\"", "governance.token_lifetime", Lean::Stricter),
    ("change_delay = \"24 h\"", "change_delay = \"48 h\"", "governance.change_delay", Lean::Stricter),
    ("proposal_lifetime = \"7 d\"", "proposal_lifetime = \"3 d\"", "governance.proposal_lifetime", Lean::Stricter),
    ("tokens_per_holder = 5", "tokens_per_holder = 3", "governance.tokens_per_holder", Lean::Stricter),
    (", \"automation\", \"subject\"]", "]", "start.self_service", Lean::Stricter),
    ("\"withdraw_own\", \"telemetry\"", "\"telemetry\"", "automation.may", Lean::Stricter),
    ("lineage = \"90 d\"", "lineage = \"30 d\"", "windows.lineage", Lean::Laxer),
    ("linked_cases = \"7 d\"", "linked_cases = \"1 d\"", "windows.linked_cases", Lean::Laxer),
    ("email = \"30 min\"", "email = \"20 min\"", "codes.email", Lean::Stricter),
    ("attempts_per_case = 10", "attempts_per_case = 8", "codes.attempts_per_case", Lean::Stricter),
    ("triage_within = \"4 h\"", "triage_within = \"6 h\"", "base.triage_within", Lean::Laxer),
    ("restriction = \"24 h\"", "restriction = \"48 h\"", "rule \"privileged tier\".restriction", Lean::Stricter),
    ("business = \"Chief Operating Officer\"", "business = \"Board\"", "owners.business", Lean::Neither),
    ("name = \"built-in\"", "name = \"ours\"", "name", Lean::Neither),
];

#[test]
fn each_setting_that_differs_is_named_with_both_values_and_which_way_it_leans() {
    let old = Policy::builtin().bundle;
    assert!(settings(&old, &old).is_empty());
    for (before, after, name, lean) in CHANGES {
        assert!(DEFAULT.contains(before), "{before}");
        let new = Policy::parse(&DEFAULT.replace(before, after)).unwrap_or_else(|e| panic!("{after}: {e:?}")).bundle;
        let found = settings(&old, &new);
        let one = found.iter().find(|s| s.name == *name).unwrap_or_else(|| panic!("{name}: {found:?}"));
        assert!(found.iter().all(|s| s.lean == *lean && s.name.rsplit('.').next() == name.rsplit('.').next()), "{found:?}");
        assert_ne!(one.was, one.would_be);
        let expected = match lean {
            Lean::Laxer => Lean::Stricter,
            Lean::Stricter => Lean::Laxer,
            other => *other,
        };
        assert_eq!(settings(&new, &old)[0].lean, expected, "and the other way round: {name}");
    }
    // All that is stricter together, which is as long to look at as one.
    let stricter = CHANGES.iter().filter(|c| c.3 == Lean::Stricter).fold(DEFAULT.to_owned(), |text, c| text.replace(c.0, c.1));
    let found = diff(&old, &Policy::parse(&stricter).unwrap().bundle);
    assert!(found.tightens() && !found.loosens() && found.settings.iter().all(|s| s.lean == Lean::Stricter), "{:?}", found.settings);
}

#[test]
fn a_rule_that_is_gone_or_new_is_named_and_leans_no_way_that_no_case_does() {
    let old = Policy::builtin().bundle;
    let start = DEFAULT.find("[[rule]]\nname = \"AI agents\"").unwrap();
    let end = start + DEFAULT[start..].find("\n\n").unwrap();
    let without = Policy::parse(&format!("{}{}", &DEFAULT[..start], &DEFAULT[end..])).unwrap().bundle;
    let gone = diff(&old, &without);
    assert_eq!((gone.settings.len(), gone.settings[0].name.as_str(), gone.settings[0].lean), (1, "rule \"AI agents\"", Lean::Laxer), "{gone:?}");
    let new = diff(&without, &old);
    assert!(new.settings[0].lean == Lean::Stricter && new.settings[0].would_be.contains("ai_agent"), "{:?}", new.settings);
    // Asked for by another rule too: nothing changes for anyone.
    let twice = format!("{DEFAULT}\n[[rule]]\nname = \"again\"\nwhy = \"no reason\"\nwhen = {{ kind = \"ai_agent\" }}\napprovals = 2\n");
    let twice = diff(&old, &Policy::parse(&twice).unwrap().bundle);
    assert_eq!((twice.settings[0].name.as_str(), twice.settings[0].lean), ("rule \"again\"", Lean::Neither), "{twice:?}");
    assert!(!twice.loosens() && !twice.tightens());
}

#[test]
fn what_leaked_is_not_waited_with_for_being_privileged() {
    let wait = |action| {
        let facts = Facts { action, tier: Tier::Privileged, ..facts() };
        let mut all = derive::floors(&facts).into_iter();
        (all.any(|f| f.demand.spans.contains_key(&bundle::Span::Delay)), derive::floors(&facts).iter().any(|f| f.demand.approvals == Some(2)))
    };
    assert_eq!(wait(Action::SecretRotation), (true, true));
    assert_eq!(wait(Action::SecretRevocation), (false, true), "two persons say so all the same");
    // A file may ask for less there, and only there.
    let rule = |actions: &str| {
        let privileged = "when = { tier = \"privileged\" }";
        assert_eq!(DEFAULT.matches(privileged).count(), 1);
        DEFAULT.replacen("delay = \"30 min\"", "delay = \"0 s\"", 1)
            + &format!("\n[[rule]]\nname = \"wait\"\nwhy = \"w\"\nwhen = {{ tier = \"privileged\", action = [{actions}] }}\ndelay = \"30 min\"\n")
    };
    let but = |left_out: &[Action]| {
        let all = Action::ALL.iter().filter(|a| !left_out.contains(a));
        rule(&all.map(|a| format!("\"{}\"", a.code())).collect::<Vec<_>>().join(", "))
    };
    let laxer = |left_out: &[Action]| Policy::for_use(&but(left_out)).err().unwrap_or_default().iter().map(ToString::to_string).collect::<String>();
    assert_eq!(laxer(&[Action::SecretRevocation]), "");
    let found = laxer(&[Action::SecretRevocation, Action::PasswordReset]);
    assert!(found.contains("a delay and a grace of a privileged case"), "{found}");
}
