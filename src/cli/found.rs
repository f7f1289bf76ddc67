//! The founding ceremony: two persons, their accounts and tokens, keys, database, the first policy.
//!
//! Contract: once; what is missing is asked for at a terminal, or read from a file. Tokens go into files that their reader alone can read,
//! and are shown nowhere. Knows no rules.

#![allow(missing_docs, reason = "where the settings lie needs no words of its own")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::host::{Config, failed, kept, open, settings};
use super::out::{Failure, Out, REFUSED};
use crate::base::Untrusted;
use crate::base::ids::{EmployerId, OperatorId, PersonId};
use crate::base::ports::Ports;
use crate::base::span::span;
use crate::config::founding::Founding;
use crate::config::keys::{Reserved, ServerKeys};
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::event::RegisterChange;
use crate::domain::register::{Holder, Operator, Person, Token};
use crate::domain::vocabulary::{Role, Status};
use crate::service::register::Beside;
use crate::service::{Ask, Service};
use crate::store::PersonDetails;

/// How long the first tokens live.
const FIRST_TOKEN_HOURS: i64 = 24;

/// The founding ceremony.
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    config: Config,
    /// The account of the first person, who will own policy.
    #[arg(long, value_name = "ACCOUNT")]
    policy_owner: Option<OperatorId>,
    /// The account of the second person, who reviews security and approves what the first proposes.
    #[arg(long, value_name = "ACCOUNT")]
    security_reviewer: Option<OperatorId>,
    /// Who employs both.
    #[arg(long)]
    employer: Option<EmployerId>,
    /// A TOML file with policy_owner, security_reviewer and employer in place of the three; what is given nowhere is asked for.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where each person's token is written, as ACCOUNT.token, readable by its owner alone.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    tokens: PathBuf,
}

#[derive(Serialize)]
struct Founded {
    tokens: Vec<PathBuf>,
    database: PathBuf,
    keys: PathBuf,
}

/// Who founds.
struct Founders {
    people: [(OperatorId, Role); 2],
    employer: EmployerId,
}

impl Founders {
    fn find(init: &Init) -> Result<Self, Failure> {
        let answers = match &init.file {
            None => Founding::default(),
            Some(file) => Founding::parse(&crate::config::read_file(file, false)?.unwrap_or_default()).map_err(|e| e.in_file(file))?,
        };
        let policy_owner = ask("The first person's account (owns policy)", "--policy-owner", init.policy_owner.clone().or(answers.policy_owner))?;
        let reviewer = init.security_reviewer.clone().or(answers.security_reviewer);
        let reviewer = ask("The second person's account (reviews security, approves changes)", "--security-reviewer", reviewer)?;
        let employer = ask("Who employs both", "--employer", init.employer.clone().or(answers.employer))?;
        if policy_owner == reviewer {
            return Err(Failure::usage("Two different persons found a server: name two accounts."));
        }
        Ok(Self { people: [(policy_owner, Role::PolicyOwner), (reviewer, Role::SecurityReviewer)], employer })
    }
}

/// What was given, or else the answer to a question at the terminal.
fn ask<T: std::str::FromStr<Err = crate::base::ids::IdError>>(question: &str, argument: &str, given: Option<T>) -> Result<T, Failure> {
    if let Some(given) = given {
        return Ok(given);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{argument} is missing, and there is no terminal to ask at.")));
    }
    let (mut err, mut line) = (std::io::stderr(), String::new());
    let asked = write!(err, "{question}: ").and_then(|()| err.flush()).and_then(|()| std::io::stdin().lock().read_line(&mut line));
    asked.map_err(failed)?;
    line.trim().parse().map_err(|e: crate::base::ids::IdError| Failure::usage(e.to_string()))
}

/// What founding writes.
#[derive(Default)]
struct Writing {
    changes: Vec<RegisterChange>,
    people: Vec<PersonDetails>,
    persons: Vec<PersonId>,
    tokens: Vec<(PathBuf, String)>,
}

impl Writing {
    fn person(&mut self, service: &Service, init: &Init, (account, role): (&OperatorId, Role), employer: &EmployerId) -> Result<(), Failure> {
        let id = PersonId::parse(&format!("p-{account}")).map_err(|e| Failure::usage(e.to_string()))?;
        let (minted, now) = (service.mint()?, service.now());
        let (employer, status) = (employer.clone(), Status::Active);
        let person = Person { id: id.clone(), employer, team: None, manager: None, shift: None, on_call: false, status };
        let roles = BTreeSet::from([role]);
        let operator = Operator { id: account.clone(), person: id.clone(), roles, groups: BTreeSet::new(), enabled: true };
        let token = Token {
            id: minted.id.clone(),
            holder: Holder::Operator(account.clone()),
            on_behalf_of: Vec::new(),
            secret_sha256: minted.secret_sha256,
            issued_at: now,
            expires_at: now + chrono::Duration::hours(FIRST_TOKEN_HOURS),
            revoked_at: None,
        };
        self.changes.extend([RegisterChange::SetPerson(person), RegisterChange::SetOperator(operator), RegisterChange::IssueToken(token)]);
        self.people.push(PersonDetails { id: id.clone(), name: Untrusted::from(account.as_str()), email: None, since: None });
        self.persons.push(id);
        self.tokens
            .push((std::path::absolute(&init.tokens).unwrap_or_else(|_| init.tokens.clone()).join(format!("{account}.token")), minted.presented));
        Ok(())
    }
}

/// Runs it.
pub async fn run(init: &Init, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(&init.config)?;
    let founders = Founders::find(init)?;
    let ports = Ports::system();
    let (text, policy) = super::policy::read(config.policy.as_deref())?;
    let keys = if config.keys.exists() { ServerKeys::load(&config.keys)? } else { ServerKeys::create(&config.keys, &*ports.random)? };
    let (_, service) = open(&config, &keys, &ports)?;
    if service.store.register().await.map_err(kept)?.founded {
        let place = config.database.display();
        let says =
            format!("The register in {place} was founded before: `countersign serve` runs it. A new one takes another `database` in the settings.");
        return Err(Failure::new(REFUSED, says));
    }
    let mut writing = Writing::default();
    for (account, role) in &founders.people {
        writing.person(&service, init, (account, *role), &founders.employer)?;
    }
    let Writing { changes, people, persons, tokens } = writing;
    let by = <[PersonId; 2]>::try_from(persons).map_err(|_| failed("two persons are needed"))?;
    let command = RegisterCommand::Found { changes, by, policy: policy.sha256 };
    let beside = Beside { people, policy: Some((policy.sha256, text)), ..Beside::default() };
    // Both or neither: a token that is left behind would stand in the way of the next try.
    let reserved = tokens.iter().map(|(file, _)| Reserved::new(file)).collect::<Result<Vec<_>, _>>()?;
    let mut written = Vec::new();
    for (file, (_, token)) in reserved.into_iter().zip(&tokens) {
        match file.fill(token) {
            Ok(file) => written.push(file),
            Err(why) => {
                remove(&written);
                return Err(why.into());
            }
        }
    }
    if let Err(error) = service.govern(&Ask::system(Worker::Host), &command, &beside).await {
        // Tokens of a founding that did not take place open nothing; they only confuse.
        remove(&written);
        return Err(error.into());
    }
    out.answer(&Founded { tokens: written, database: config.database.clone(), keys: config.keys.clone() }, |f| {
        let files: Vec<String> = f.tokens.iter().map(|t| t.display().to_string()).collect();
        let keys = f.keys.display();
        format!(
            "Founded. Each of the two takes their token, good for a day: {}\nKeep {keys} safe and apart from backups.\n{}",
            files.join(", "),
            next(&founders, policy.bundle.governance.change_delay.0.into(), init.config.config.as_deref())
        )
    })
}

/// What comes next, in the order in which it has to be done.
fn next(founders: &Founders, delay: u64, config: Option<&Path>) -> String {
    let config = config.map(|file| format!(" --config {}", file.display())).unwrap_or_default();
    let [(first, _), (second, _)] = &founders.people;
    let (each, both) = (span(delay), span(delay.saturating_mul(2)));
    format!(
        "Next:\n\
         1. Import people and subjects (`countersign import{config}`), and issue saved codes (`countersign codes{config}`), before the server runs.\n\
         2. Start it: `countersign serve{config}`.\n\
         3. Within a day each of you renews their own token: `countersign token issue --operator {first} --hours 720 --file FILE`.\n\
         4. Whoever else is to sign in: {first} proposes the account (`register operator`) and {second} approves it (`register approve`); once that\n\
         \u{20}  counts, {each} later, their first token (`token issue`), approved by {second} too. Nobody else signs in before {both} have passed."
    )
}

fn remove(written: &[PathBuf]) {
    for file in written {
        drop(std::fs::remove_file(file));
    }
}
