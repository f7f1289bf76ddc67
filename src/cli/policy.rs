//! Policies from the command line: check, compare, explain, try, propose.
//!
//! Contract: reads files and prints what the rules say of them; `explain` and `propose` ask the server, `simulate` looks at the database on
//! its host. Knows no rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::host::{Config, failed, kept, settings};
use super::out::{Failure, Out};
use super::unsure::{Look, unsure};
use super::{Arguments, connect, register};
use crate::api::governance::{PolicyExplained, ProposePolicy};
use crate::base::ids::CaseId;
use crate::base::span::readable;
use crate::domain::checklist::is_carried_out;
use crate::domain::policy::bundle::Bundle;
use crate::domain::policy::compare::{self, Simulation};
use crate::domain::policy::{self, Policy, crew};
use crate::domain::register::Register;
use crate::domain::requirement::Requirement;
use crate::domain::vocabulary::{Method, Role, Status};
use crate::store::sqlite::survey;

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check a policy file: every mistake with its line, or else the smallest crew it needs.
    Check {
        /// The file; the built-in policy if absent.
        file: Option<PathBuf>,
    },
    /// Print the built-in policy, to begin a file of one's own with.
    Default,
    /// Print the policy in force, with --json also its digest and who is accountable.
    Show,
    /// Say what policy asks of a case, and why.
    Explain {
        /// Which case.
        case: CaseId,
    },
    /// Compare two policy files: each setting that differs, and class by class of case where the second is stricter, where laxer.
    Diff {
        /// The one that is.
        old: PathBuf,
        /// The one that would be.
        new: PathBuf,
    },
    /// Say what another policy would mean for the cases there are (on the server's host).
    Simulate {
        /// Where the settings lie.
        #[command(flatten)]
        config: Config,
        /// The policy file.
        file: PathBuf,
    },
    /// Propose a policy file; it counts once a second person (two, where it starts or widens self-service or runbooks) has approved it and the
    /// delay is over. They read it, and what differs from the one in force, with `register proposals --id`.
    Propose {
        /// The policy file.
        file: PathBuf,
    },
}

#[derive(Debug, Serialize)]
struct Checked {
    sha256: String,
    bytes: usize,
    smallest_crew: Option<Vec<String>>,
    /// Methods that it names and nobody can complete yet.
    without_page: Vec<&'static str>,
}

/// Runs one.
pub async fn run(command: &PolicyCommand, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    match command {
        PolicyCommand::Default if out.is_json() => out.answer(&json!({ "text": policy::DEFAULT }), |_| String::new()),
        PolicyCommand::Default => out.raw(policy::DEFAULT.as_bytes()),
        PolicyCommand::Check { file } => {
            let (text, policy) = read(file.as_deref())?;
            let smallest_crew = crew::smallest(&policy.bundle).map(|crew| crew.lines());
            let without_page = without_page(&policy.bundle);
            out.answer(&Checked { sha256: policy.sha256.to_string(), bytes: text.len(), smallest_crew, without_page }, checked)
        }
        PolicyCommand::Diff { old, new } => {
            let ((_, old), (text, new)) = (read(Some(old))?, read(Some(new))?);
            out.answer(&crate::api::policy_compared(&old, &new, text), |found| super::compared::words(found, "The second"))
        }
        PolicyCommand::Show => {
            let client = connect::client(arguments)?;
            out.answer(&client.policy().await?, |view| view["text"].as_str().unwrap_or_default().to_owned())
        }
        PolicyCommand::Explain { case } => {
            let client = connect::client(arguments)?;
            out.answer(&client.explain(*case).await?, explained)
        }
        PolicyCommand::Simulate { config, file } => simulate(config, file, out),
        PolicyCommand::Propose { file } => {
            let (text, _) = read(Some(file))?;
            let client = connect::client(arguments)?;
            let proposed = client.propose_policy(&ProposePolicy { text }).await;
            register::said(&proposed.map_err(|e| unsure(e, &Look::Proposals))?, out)
        }
    }
}

fn checked(checked: &Checked) -> String {
    let crew = match &checked.smallest_crew {
        Some(lines) => format!("The smallest crew it needs:\n  {}", lines.join("\n  ")),
        None => "It tells too many classes of case apart to work out the smallest crew.".to_owned(),
    };
    let pages = match checked.without_page.join(", ") {
        none if none.is_empty() => String::new(),
        some => format!(
            "It names what has no page yet, so that nobody can complete it: {some}.\nWhat else it offers has to do; saved codes and addresses count once \
             they are as old as its min_record_age.\n"
        ),
    };
    format!("The policy is sound.\nsha256 {}\n{crew}\n{pages}", checked.sha256)
}

fn without_page(bundle: &Bundle) -> Vec<&'static str> {
    let rules = bundle.rules.iter().flat_map(|rule| &rule.demand.proofs).map(|(_, need)| need);
    let needs = bundle.base.proofs.iter().chain(rules);
    let slots = needs.flat_map(|need| &need.any_of).flat_map(|set| &set.slots).flatten();
    let gates = bundle.base.gates.iter().chain(bundle.rules.iter().flat_map(|rule| &rule.demand.gates));
    let all: BTreeSet<Method> = slots.chain(gates).copied().filter(|m| !is_carried_out(*m)).collect();
    all.into_iter().map(Method::label).collect()
}

fn explained(found: &PolicyExplained) -> String {
    let mut lines = vec![format!("opened under {}", found.pinned_sha256)];
    if found.pinned_sha256 != found.current_sha256 {
        lines.push(format!("in force     {} (the stricter of the two counts)", found.current_sha256));
    }
    for item in &found.checklist.items {
        lines.push(format!("{} {}  ({})", if item.receipt.is_some() { "[x]" } else { "[ ]" }, item.title, item.why));
    }
    lines.push(format!("approvals: {}", found.approvals_needed));
    lines.push("rules that apply:".to_owned());
    for rule in &found.rules {
        lines.push(format!("  {}: {}", rule.title(), rule.why));
        lines.extend(rule.asks.iter().map(|asks| format!("    {asks}")));
    }
    lines.extend(found.terms.iter().map(|term| readable(term)));
    lines.extend(found.accountable.iter().map(|a| format!("accountable for {}: {}", a.function, a.owner)));
    lines.join("\n")
}

fn simulate(from: &Config, file: &Path, out: Out) -> Result<(), Failure> {
    let (_, new) = read(Some(file))?;
    let (_, config) = settings(from)?;
    let there = survey(&config.database).map_err(kept)?;
    let text = there.policy.as_deref().ok_or_else(|| failed("The database holds no policy yet: run `countersign init`."))?;
    let old = Policy::parse(text).map_err(|_| failed("The policy in force can't be read by this version."))?;
    let found = compare::simulate(&old.bundle, &new.bundle, &there.cases, |need| enough_staff(&there.register, need));
    out.answer(&simulated(&found, there.cases.len()), |_| {
        let Simulation { stricter, laxer, mixed, same, undecidable } = &found;
        format!(
            "{} cases: {stricter} would need more, {laxer} less, {mixed} more of one thing and less of another, {same} the same.\n{undecidable} \
             would need more approvers than there are.",
            there.cases.len()
        )
    })
}

fn simulated(found: &Simulation, cases: usize) -> serde_json::Value {
    let Simulation { stricter, laxer, mixed, same, undecidable } = found;
    json!({ "cases": cases, "stricter": stricter, "laxer": laxer, "mixed": mixed, "same": same, "undecidable": undecidable })
}

/// Whether there are as many approving persons as a requirement asks for, each case's lineage left aside.
fn enough_staff(register: &Register, need: &Requirement) -> bool {
    let approvers = || {
        register
            .operators
            .values()
            .filter(|o| o.enabled && (o.roles.contains(&Role::Supervisor) || o.roles.contains(&Role::SecurityReviewer)))
            .filter(|o| register.persons.get(&o.person).is_some_and(|p| p.status == Status::Active))
    };
    let all = approvers().map(|o| &o.person).collect::<BTreeSet<_>>().len();
    let of_group = |group| approvers().filter(|o| o.groups.contains(group)).map(|o| &o.person).collect::<BTreeSet<_>>().len();
    all >= usize::from(need.approvals.count) && need.approvals.groups.iter().all(|(group, count)| of_group(group) >= usize::from(*count))
}

/// A policy and its text, from a file or the built-in one.
pub fn read(file: Option<&Path>) -> Result<(String, Policy), Failure> {
    let text = match file {
        Some(file) => crate::config::read_file(file, false)?.unwrap_or_default(),
        None => policy::DEFAULT.to_owned(),
    };
    let name = file.map_or_else(|| "the built-in policy".to_owned(), |f| f.display().to_string());
    match Policy::for_use(&text) {
        Ok(policy) => Ok((text, policy)),
        Err(mistakes) => Err(Failure::mistakes(format!("{name} can't be used."), mistakes.iter().map(ToString::to_string).collect())),
    }
}
