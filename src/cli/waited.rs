//! Whom a server waits for in vain, for `doctor`: proposals that too few could approve, and those who decide whom no mail reaches.
//!
//! Contract: reads a database file; names a bounded number of each. Knows no rules: who could approve what is asked of those that decide it.

use std::collections::BTreeSet;
use std::path::Path;

use super::doctor::NOTICE;
use crate::base::Time;
use crate::base::ids::PersonId;
use crate::base::text::sanitise;
use crate::domain::govern::{SecondWord, is_active};
use crate::domain::policy::Policy;
use crate::domain::vocabulary::Role;
use crate::store::sqlite::{policies_of, register_of, without_mail};

/// The most proposals, and the most persons, that a finding names.
const NAMED: usize = 5;

/// The roles whose holders are written to when something waits for them.
const WAITED_FOR: &[Role] = &[Role::Supervisor, Role::SecurityReviewer, Role::PolicyOwner];

/// Proposals that wait for approval, and those of them that fewer could approve than it takes.
pub fn proposals(database: &Path, now: Time) -> Result<String, String> {
    let register = register_of(database).map_err(|e| e.to_string())?;
    let all = policies_of(database).map_err(|e| e.to_string())?;
    let in_force = all.iter().find(|(proposal, _)| proposal.is_none()).and_then(|(_, text)| Policy::parse(text).ok());
    let Some(policy) = in_force else { return Ok("not looked at: the policy in force can't be read".to_owned()) };
    let word = SecondWord::of(&register, &policy, now);
    let waiting = register.proposals.values().filter(|p| p.approved_by.is_none() && now <= word.until(p));
    let (mut count, mut short) = (0_usize, Vec::new());
    for proposal in waiting {
        count += 1;
        short.extend(word.too_few(proposal).map(|why| format!("{}: {}", proposal.id, sanitise(&why, false))));
    }
    if short.is_empty() {
        return Ok(if count == 0 { "none waits for approval".to_owned() } else { format!("{count} waiting, each can be approved") });
    }
    Ok(format!("{NOTICE}{}", some(&short, " ")))
}

/// Those who decide and govern for whom no mail address is recorded.
pub fn mailless(database: &Path) -> Result<String, String> {
    let register = register_of(database).map_err(|e| e.to_string())?;
    let here = register.operators.values().filter(|o| o.enabled && WAITED_FOR.iter().any(|r| o.roles.contains(r)));
    let persons: BTreeSet<PersonId> = here.map(|o| o.person.clone()).filter(|p| is_active(&register, p)).collect();
    let without = without_mail(database, &persons).map_err(|e| e.to_string())?;
    if without.is_empty() {
        return Ok(format!("recorded for everyone who decides, reviews or governs ({})", persons.len()));
    }
    let names: Vec<String> = without.iter().map(ToString::to_string).collect();
    Ok(format!(
        "{NOTICE}none is recorded for {} of {} who decide, review or govern ({}): no mail of what waits for them, of held cases or of proposals \
         reaches them. Import a row with id and email for each (countersign import)",
        names.len(),
        persons.len(),
        some(&names, ", ")
    ))
}

/// The first few, and how many more there are.
fn some(all: &[String], between: &str) -> String {
    let more = all.len().saturating_sub(NAMED);
    let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(between);
    if more > 0 { format!("{first}{between}and {more} more") } else { first }
}
