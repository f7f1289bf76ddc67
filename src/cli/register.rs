//! The register and its tokens from the command line, through the API like everyone.
//!
//! Contract: one command is one change; whether it takes effect at once or waits for a second person and the delay is the server's answer.
//! A token's secret is printed once, and only when it was issued. Knows no rules.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::out::{FAILED, Failure, Out, table};
use super::proposed::{names, policies, proposals, whole};
use super::shown::minute;
use super::unsure::{Look, unsure};
use super::{Arguments, connect};
use crate::api::governance::{ChangeRegister, IssueToken, PersonRow, RegisterAnswer, RegisterView};
use crate::base::Time;
use crate::base::ids::{AutomationId, DelegationId, EmployerId, GroupId, OperatorId, PersonId, ProposalId, TeamId, TokenId};
use crate::base::ports::{Clock as _, Random as _, SystemClock, SystemRandom};
use crate::base::text::sanitise;
use crate::client::{Client, ClientError};
use crate::config::keys::Reserved;
use crate::domain::event::RegisterChange;
use crate::domain::register::{Automation, Delegation, Operator, Person, Principal, Scope, Shift};
use crate::domain::subject::Ownership;
use crate::domain::vocabulary::{Role, Status};

/// What can be done with the register.
#[derive(Debug, Subcommand)]
pub enum RegisterCommand {
    /// Show persons who have an account, accounts, software, delegations and what waits.
    Show,
    /// Add or change a person.
    Person(PersonArgs),
    /// Add or change an account, with all its roles and groups.
    Operator(OperatorArgs),
    /// Stop an account from signing in; takes effect at once.
    DisableOperator {
        /// Which account.
        operator: OperatorId,
    },
    /// Add or change software that may sign in; owners that are there stay.
    Automation(AutomationArgs),
    /// Stop software from signing in; takes effect at once.
    DisableAutomation {
        /// Which software.
        automation: AutomationId,
    },
    /// End someone's ownership or sponsorship of software; it stays recorded.
    EndOwnership {
        /// Which software.
        automation: AutomationId,
        /// Whose.
        person: PersonId,
    },
    /// Record that someone acts for someone else.
    Delegate {
        /// Who delegates: a person's id, or `automation:ID`.
        from: String,
        /// To whom.
        to: String,
    },
    /// End a delegation; it stays recorded.
    EndDelegation {
        /// Which delegation.
        delegation: DelegationId,
    },
    /// List persons who have an account, at most 1,000: name, employer, team, manager and whether they are still here.
    ///
    /// What is recorded of everyone else `import`, without --write, compares with a file.
    Persons,
    /// List what waits for a second person or its delay, in words and with names; of a policy each setting that would change.
    Proposals {
        /// Only this one, whole: of a policy its text too, and which cases it changes.
        #[arg(long, value_name = "PROPOSAL")]
        id: Option<ProposalId>,
    },
    /// Approve someone else's proposal; `proposals --id` shows what it says.
    Approve {
        /// Which proposal.
        proposal: ProposalId,
    },
    /// Withdraw your own proposal, or refuse one.
    End {
        /// Which proposal.
        proposal: ProposalId,
    },
}

/// A person.
#[derive(Debug, Args)]
pub struct PersonArgs {
    /// Opaque id.
    id: PersonId,
    /// Who employs them.
    #[arg(long)]
    employer: EmployerId,
    /// Their team.
    #[arg(long)]
    team: Option<TeamId>,
    /// Their manager.
    #[arg(long)]
    manager: Option<PersonId>,
    /// Working hours in UTC, e.g. `08:00-16:30`; any time if absent.
    #[arg(long, value_parser = shift)]
    shift: Option<Shift>,
    /// On call outside the shift.
    #[arg(long)]
    on_call: bool,
    /// active, suspended or retired.
    #[arg(long, default_value = "active")]
    status: Status,
}

/// An account.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// The account.
    id: OperatorId,
    /// Whose it is.
    #[arg(long)]
    person: PersonId,
    /// support_agent, supervisor, security_reviewer or policy_owner; again for each.
    #[arg(long, required = true)]
    role: Vec<Role>,
    /// Approver groups; again for each.
    #[arg(long)]
    group: Vec<GroupId>,
}

/// Software.
#[derive(Debug, Args)]
pub struct AutomationArgs {
    /// Its id.
    id: AutomationId,
    /// Who owns it from now on, beside those who do; again for each.
    #[arg(long)]
    owner: Vec<PersonId>,
    /// Who sponsors it from now on; again for each.
    #[arg(long)]
    sponsor: Vec<PersonId>,
    /// open, route, withdraw_own or telemetry; again for each.
    #[arg(long, value_parser = scope)]
    scope: Vec<Scope>,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List live tokens, without their secrets.
    List,
    /// Issue a token; it is printed once, or written to a file of its own.
    Issue {
        /// For this account.
        #[arg(long, required_unless_present = "automation", conflicts_with = "automation")]
        operator: Option<OperatorId>,
        /// For this software.
        #[arg(long)]
        automation: Option<AutomationId>,
        /// The person it acts for, nearest first; again for each (software only).
        #[arg(long)]
        on_behalf_of: Vec<PersonId>,
        /// For how many hours.
        #[arg(long, default_value_t = 8)]
        hours: u16,
        /// A new file for it, readable by its owner alone; printed if absent.
        #[arg(long, value_name = "FILE")]
        file: Option<std::path::PathBuf>,
    },
    /// Revoke a token at once.
    Revoke {
        /// Its public half, e.g. `tok-...`.
        token: TokenId,
    },
}

fn shift(text: &str) -> Result<Shift, String> {
    let minutes = |t: &str| {
        let (hours, minutes) = t.trim().split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let both = text.split_once('-').and_then(|(start, end)| Some(Shift { start: minutes(start)?, end: minutes(end)? }));
    both.ok_or_else(|| "write it as 08:00-16:30".to_owned())
}

fn scope(text: &str) -> Result<Scope, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| "one of: open, route, withdraw_own, telemetry".to_owned())
}

fn principal(text: &str) -> Result<Principal, Failure> {
    let wrong = |e: crate::base::ids::IdError| Failure::usage(e.to_string());
    match text.strip_prefix("automation:") {
        Some(id) => AutomationId::parse(id).map(Principal::Automation).map_err(wrong),
        None => PersonId::parse(text).map(Principal::Person).map_err(wrong),
    }
}

/// Runs one.
pub async fn run(command: &RegisterCommand, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let client = connect::client(arguments)?;
    match command {
        RegisterCommand::Show => out.answer(&client.whole_register().await?, shown),
        RegisterCommand::Proposals { id: None } => {
            let view = client.whole_register().await?;
            let proposed = policies(&client, &view).await?;
            out.answer(&view.proposals, |all| proposals(all, &names(&view), &proposed, now()))
        }
        RegisterCommand::Proposals { id: Some(id) } => {
            let (view, one) = (client.whole_register().await?, client.proposal(id).await?);
            out.answer(&one, |one| whole(one, &names(&view), now()))
        }
        RegisterCommand::Persons => out.answer(&client.whole_register().await?.persons, |all| persons(all)),
        RegisterCommand::Approve { proposal } => said(&client.approve_proposal(proposal).await.map_err(unknown)?, out),
        RegisterCommand::End { proposal } => {
            let ended = client.end_proposal(proposal).await.map_err(unknown)?;
            out.answer(&ended, |_| "Ended: it will not count.".to_owned())
        }
        RegisterCommand::Automation(automation) => {
            let view = client.whole_register().await?;
            change(&client, RegisterChange::SetAutomation(with_owners(automation, &view, now())), out).await
        }
        RegisterCommand::EndOwnership { automation, person } => {
            let view = client.whole_register().await?;
            change(&client, RegisterChange::SetAutomation(without(automation, person, &view, now())?), out).await
        }
        other => change(&client, plain(other)?, out).await,
    }
}

/// A change that needs nothing but its arguments.
fn plain(command: &RegisterCommand) -> Result<RegisterChange, Failure> {
    let now = now();
    Ok(match command {
        RegisterCommand::Person(p) => RegisterChange::SetPerson(Person {
            id: p.id.clone(),
            employer: p.employer.clone(),
            team: p.team.clone(),
            manager: p.manager.clone(),
            shift: p.shift,
            on_call: p.on_call,
            status: p.status,
        }),
        RegisterCommand::Operator(o) => {
            let (roles, groups) = (o.role.iter().copied().collect(), o.group.iter().cloned().collect());
            RegisterChange::SetOperator(Operator { id: o.id.clone(), person: o.person.clone(), roles, groups, enabled: true })
        }
        RegisterCommand::DisableOperator { operator } => RegisterChange::DisableOperator(operator.clone()),
        RegisterCommand::DisableAutomation { automation } => RegisterChange::DisableAutomation(automation.clone()),
        RegisterCommand::Delegate { from, to } => {
            let id = DelegationId::parse(&SystemRandom.id("dlg")).map_err(|e| Failure::new(FAILED, e.to_string()))?;
            RegisterChange::Delegate(Delegation { id, from: principal(from)?, to: principal(to)?, since: now, until: None })
        }
        RegisterCommand::EndDelegation { delegation } => RegisterChange::RevokeDelegation { delegation: delegation.clone(), at: now },
        _ => return Err(Failure::usage("That is no change.")),
    })
}

/// Software as it is recorded, with further owners and scopes.
fn with_owners(wanted: &AutomationArgs, view: &RegisterView, now: Time) -> Automation {
    let row = view.automations.iter().find(|a| a.id == wanted.id);
    let add = |had: Vec<Ownership>, more: &[PersonId]| {
        let mut all = had;
        for person in more {
            if !all.iter().any(|o| &o.person == person && o.until.is_none()) {
                all.push(Ownership { person: person.clone(), since: now, until: None });
            }
        }
        all
    };
    let owners = add(row.map(|a| a.owner_history.clone()).unwrap_or_default(), &wanted.owner);
    let sponsors = add(row.map(|a| a.sponsor_history.clone()).unwrap_or_default(), &wanted.sponsor);
    let scopes = if wanted.scope.is_empty() { row.map(|a| a.scopes.clone()).unwrap_or_default() } else { wanted.scope.clone() };
    Automation { id: wanted.id.clone(), owners, sponsors, scopes: scopes.into_iter().collect(), enabled: true }
}

/// Software as it is recorded, with someone's ownership and sponsorship ended now.
fn without(id: &AutomationId, person: &PersonId, view: &RegisterView, now: Time) -> Result<Automation, Failure> {
    let row = view.automations.iter().find(|a| &a.id == id);
    let row = row.ok_or_else(|| Failure::new(super::out::NOT_FOUND, format!("There is no automation {id}.")))?;
    let end = |all: &[Ownership]| {
        let ended = |o: &Ownership| Ownership { until: o.until.or_else(|| (&o.person == person).then_some(now)), ..o.clone() };
        all.iter().map(ended).collect::<Vec<_>>()
    };
    let scopes = row.scopes.iter().copied().collect();
    Ok(Automation { id: id.clone(), owners: end(&row.owner_history), sponsors: end(&row.sponsor_history), scopes, enabled: row.enabled })
}

fn now() -> Time {
    SystemClock::new().now()
}

async fn change(client: &Client, change: RegisterChange, out: Out) -> Result<(), Failure> {
    let change = serde_json::to_value(&change).map_err(|e| Failure::new(FAILED, e.to_string()))?;
    said(&client.change_register(&ChangeRegister { change }).await.map_err(unknown)?, out)
}

fn unknown(error: ClientError) -> Failure {
    unsure(error, &Look::Register)
}

/// What became of a change.
pub fn said(answer: &RegisterAnswer, out: Out) -> Result<(), Failure> {
    let done = |a: &RegisterAnswer| a.events.iter().any(|e| e == "changed" || e == "proposal_ended");
    out.answer(answer, |a| became(a, done(a)) + &but(a))
}

/// That too few could approve it, on a line of its own.
fn but(answer: &RegisterAnswer) -> String {
    answer.too_few.as_ref().map(|why| format!("\n{}", sanitise(why, false))).unwrap_or_default()
}

fn became(a: &RegisterAnswer, done: bool) -> String {
    match (&a.proposal, a.effective_at) {
        (_, Some(at)) => format!("Approved: it counts from {}. Until then `countersign register end` stops it.", minute(at)),
        (Some(id), None) => {
            let who =
                if a.approvals_missing > 1 { "two further persons, as more would be restored without anyone's approval" } else { "a second person" };
            format!("Proposed as {id}: it waits for {who} (`countersign register approve {id}`), then for the delay.")
        }
        (None, None) if a.approvals_missing > 0 => "Approved. It takes one more person's approval.".to_owned(),
        (None, None) if done => format!("Done. The register has version {}.", a.version),
        (None, None) => "It was done before; `countersign register proposals` lists what still waits.".to_owned(),
    }
}

/// Runs one.
pub async fn token(command: &TokenCommand, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let client = connect::client(arguments)?;
    match command {
        TokenCommand::List => out.answer(&client.whole_register().await?.tokens, |all| {
            let rows: Vec<Vec<String>> =
                all.iter().map(|t| vec![t.id.to_string(), t.holder.clone(), t.on_behalf_of.join(" > "), minute(t.expires_at)]).collect();
            table(&["token", "holder", "acts for", "until"], &rows)
        }),
        TokenCommand::Issue { operator, automation, on_behalf_of, hours, file } => {
            let body = IssueToken { operator: operator.clone(), automation: automation.clone(), on_behalf_of: on_behalf_of.clone(), hours: *hours };
            if let Some(file) = file.as_ref().filter(|f| f.exists()) {
                return Err(Failure::usage(format!("{} is there already; nothing was issued.", file.display())));
            }
            // Before anything is issued: a token that can't be written down is one nobody has.
            let file = file.as_deref().map(Reserved::new).transpose()?;
            let answer = client.issue_token(&body).await.map_err(|e| unsure(e, &Look::Issued))?;
            issued(&client, answer, file, out).await
        }
        TokenCommand::Revoke { token } => said(&client.revoke_token(token).await.map_err(|e| unsure(e, &Look::Revoked(token.clone())))?, out),
    }
}

#[derive(Serialize)]
struct Issued {
    #[serde(flatten)]
    answer: RegisterAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<std::path::PathBuf>,
}

async fn issued(client: &Client, answer: RegisterAnswer, file: Option<Reserved>, out: Out) -> Result<(), Failure> {
    let Some(secret) = answer.secret.clone() else { return Err(untold(client, &answer).await) };
    // It opens nothing before its proposal counts, but it is told only now.
    let waits = answer.proposal.as_ref().map(|id| {
        format!(
            "Proposed as {id}: it opens nothing before a second person has approved it (`countersign register approve {id}`) and the delay is over."
        ) + &but(&answer)
    });
    let Some(file) = file else {
        return out.answer(&answer, |_| waits.map_or_else(|| secret.clone(), |waits| format!("{secret}\n{waits}")));
    };
    let file = match file.fill(&secret) {
        Ok(file) => file,
        Err(why) => return Err(Failure::new(FAILED, format!("{why}. {}", undone(client, &answer).await))),
    };
    let written = format!("Written to {}, readable by you alone.", file.display());
    let issued = Issued { answer: RegisterAnswer { secret: None, ..answer }, file: Some(file) };
    out.answer(&issued, |_| waits.map_or_else(|| written.clone(), |waits| format!("{written}\n{waits}")))
}

/// A token that was issued by an earlier try of the same request, whose answer was lost: it is shown once, so nobody has it.
async fn untold(client: &Client, answer: &RegisterAnswer) -> Failure {
    let why = "The token was issued, but the answer was lost on its way, and it is shown only once: nobody has it";
    Failure::new(FAILED, format!("{why}. {} Issue another one.", undone(client, answer).await))
}

/// Takes a token back that could not be written down; what became of it, in a sentence.
async fn undone(client: &Client, answer: &RegisterAnswer) -> String {
    let (done, by_hand) = match (&answer.proposal, &answer.token) {
        (Some(id), _) => (client.end_proposal(id).await, format!("register end {id}")),
        (None, Some(id)) => (client.revoke_token(id).await, format!("token revoke {id}")),
        (None, None) => return "Look at `countersign token list` and revoke the newest one: nobody has it.".to_owned(),
    };
    match done {
        Ok(_) => "The token was taken back at once: nobody has it, and it opens nothing.".to_owned(),
        Err(why) => format!("The token could not be taken back ({why}). Nobody has it; run `countersign {by_hand}`."),
    }
}

fn persons(all: &[PersonRow]) -> String {
    let row = |p: &PersonRow| {
        let team = p.team.as_ref().map(ToString::to_string).unwrap_or_default();
        let manager = p.manager.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![p.id.to_string(), p.name.line(), p.employer.to_string(), team, manager, p.status.label().to_owned()]
    };
    table(&["person", "name", "employer", "team", "manager", "status"], &all.iter().map(row).collect::<Vec<_>>())
}

fn shown(view: &RegisterView) -> String {
    let words = |all: Vec<String>| all.join(", ");
    let people = view.persons.iter().map(|p| vec![p.id.to_string(), p.name.line(), p.employer.to_string(), p.status.label().to_owned()]);
    let operators = view.operators.iter().map(|o| {
        let roles = words(o.roles.iter().map(ToString::to_string).collect());
        let groups = words(o.groups.iter().map(ToString::to_string).collect());
        vec![o.id.to_string(), o.person.to_string(), roles, groups, if o.enabled { String::new() } else { "disabled".to_owned() }]
    });
    let software = view.automations.iter().map(|a| {
        let owners = words(a.owners.iter().map(ToString::to_string).collect());
        vec![a.id.to_string(), owners, if a.enabled { String::new() } else { "disabled".to_owned() }]
    });
    let delegations = view.delegations.iter().map(|d| {
        let until = d.until.map_or_else(|| "now".to_owned(), minute);
        vec![d.id.to_string(), d.from.clone(), d.to.clone(), minute(d.since), until]
    });
    [
        format!("version {}, policy {}\n", view.version, view.policy_sha256.map_or_else(String::new, |p| p.to_string())),
        table(&["person", "name", "employer", "status"], &people.collect::<Vec<_>>()),
        table(&["account", "person", "roles", "groups", ""], &operators.collect::<Vec<_>>()),
        table(&["software", "owners", ""], &software.collect::<Vec<_>>()),
        table(&["delegation", "from", "to", "since", "until"], &delegations.collect::<Vec<_>>()),
        proposals(&view.proposals, &names(view), &[], now()),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_values_or_sentences() {
        assert_eq!(shift("08:00-16:30"), Ok(Shift { start: 480, end: 990 }));
        assert!(shift("8-16").is_err() && shift("24:00-01:00").is_err());
        assert_eq!(scope("withdraw_own"), Ok(Scope::WithdrawOwn));
        assert!(scope("approve").is_err());
        assert!(matches!(principal("automation:bot"), Ok(Principal::Automation(_))));
        assert!(matches!(principal("p-1"), Ok(Principal::Person(_))));
        assert!(principal("no good").is_err());
    }
}
