//! `countersign recover-governance`: the way back when the tokens of all who govern have ended.
//!
//! Contract: works on the stopped server's own machine, with its database and keys. Two recorded governors each get a short-lived token, at
//! once if both bring a former token of theirs and nobody's was revoked before its time, and otherwise after policy's delay, which begins when
//! the server has told everyone who governs; the entry in the log and the mail to them are written in the same transaction. Tokens go into
//! files that their reader alone can read. Knows no rules.

#![allow(missing_docs, reason = "where the settings lie needs no words of its own")]

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::host::{Config, failed, kept, opened};
use super::out::{Failure, Out, REFUSED};
use crate::base::Time;
use crate::base::ids::{OperatorId, PersonId};
use crate::config::keys::{read_private, write_private};
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::govern::recover;
use crate::domain::register::{Holder, Register, Token};
use crate::service::register::Beside;
use crate::service::{Ask, Service};

/// Two governors come back.
#[derive(Debug, Args)]
pub struct Recover {
    #[command(flatten)]
    config: Config,
    /// The account of the one, a policy owner.
    #[arg(required_unless_present = "stop")]
    policy_owner: Option<OperatorId>,
    /// The account of the other, a policy owner or security reviewer.
    #[arg(required_unless_present = "stop")]
    guard: Option<OperatorId>,
    /// A file with a former token of one of them, ended but never revoked; twice, and the new ones count at once, unless
    /// tokens of those who govern were revoked before their time.
    #[arg(long, value_name = "FILE")]
    proof: Vec<PathBuf>,
    /// Where each one's token is written, as ACCOUNT.recovery.token, readable by its owner alone.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    tokens: PathBuf,
    /// Revoke the tokens of a recovery that do not count yet.
    #[arg(long, conflicts_with_all = ["policy_owner", "guard", "proof"])]
    stop: bool,
}

#[derive(Serialize)]
struct Recovered {
    tokens: Vec<PathBuf>,
    proved: bool,
    /// `None` if that is policy's delay after the server has told everyone who governs.
    counts_from: Option<Time>,
    expires_at: Option<Time>,
    /// Those who govern and have no recorded address, and so get no mail.
    not_told: Vec<PersonId>,
}

/// Runs it.
pub async fn run(arguments: &Recover, out: Out) -> Result<(), Failure> {
    let (_, _, service) = opened(&arguments.config)?;
    if arguments.stop {
        return stop(&service, out).await;
    }
    let (Some(one), Some(other)) = (&arguments.policy_owner, &arguments.guard) else {
        return Err(Failure::usage("Name two accounts."));
    };
    if one == other {
        return Err(Failure::new(REFUSED, "It takes two different persons: name two accounts."));
    }
    let by = [one.clone(), other.clone()];
    let proved = proved(&service, &by, &arguments.proof).await?;
    let (first, second) = (service.mint()?, service.mint()?);
    let files = [one, other].map(|account| arguments.tokens.join(format!("{account}.recovery.token")));
    let token = |minted: &crate::service::tokens::Minted, holder: &OperatorId| Token {
        id: minted.id.clone(),
        holder: Holder::Operator(holder.clone()),
        on_behalf_of: Vec::new(),
        secret_sha256: minted.secret_sha256,
        issued_at: service.now(),
        expires_at: service.now(),
        revoked_at: None,
    };
    let tokens = Box::new([token(&first, one), token(&second, other)]);
    write_private(&files[0], &first.presented)?;
    if let Err(error) = write_private(&files[1], &second.presented) {
        drop(std::fs::remove_file(&files[0]));
        return Err(error.into());
    }
    let command = RegisterCommand::Recover { by, proved, tokens };
    let governed = match service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await {
        Ok(governed) => governed,
        Err(error) => {
            // Tokens of a recovery that did not take place open nothing; they only confuse.
            for file in &files {
                drop(std::fs::remove_file(file));
            }
            return Err(error.into());
        }
    };
    let Some(RegisterEvent::GovernanceRecovered { counts_from, proved, .. }) = governed.events.first() else {
        return Err(failed("nothing was recovered"));
    };
    let expires_at = counts_from.map(|from| from + recover::TOKEN_LIFE);
    let not_told = without_address(&service, &governed.register).await?;
    let answer = Recovered { tokens: files.to_vec(), proved: *proved, counts_from: *counts_from, expires_at, not_told };
    out.answer(&answer, sentences)
}

fn sentences(done: &Recovered) -> String {
    let show = |at: Time| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let files: Vec<String> = done.tokens.iter().map(|t| t.display().to_string()).collect();
    let files = files.join(", ");
    let mut text = match done.expires_at {
        Some(until) => format!(
            "Recovered, and written to the log. Each of the two takes their token: {files}\nThey count at once until {}: issue another one before \
             then.\nStart the server: it tells everyone who governs by mail.",
            show(until)
        ),
        None => format!(
            "Recovered, and written to the log. Each of the two takes their token: {files}\nStart the server: it tells everyone who governs by \
             mail. Policy's delay begins when it has, or when it has tried for about three hours in vain; then they count for 8 hours: issue \
             another one within them."
        ),
    };
    if !done.not_told.is_empty() {
        let names: Vec<&str> = done.not_told.iter().map(PersonId::as_str).collect();
        text += "\nWithout a recorded mail address, tell them yourself: ";
        text += &names.join(", ");
    }
    text
}

/// Whether the files show a former token of each of the two. A file that shows anything else is refused, not passed over.
async fn proved(service: &Service, by: &[OperatorId; 2], files: &[PathBuf]) -> Result<bool, Failure> {
    let mut shown = std::collections::BTreeSet::new();
    for file in files {
        let presented = read_private(file)?;
        match service.once_held(&presented).await? {
            Some(account) if by.contains(&account) => _ = shown.insert(account),
            _ => {
                let why = format!(
                    "{} holds no token that was issued to one of the two and never revoked: it proves nothing. Without --proof the two are let \
                     back in as well, and count after policy's delay, once everyone who governs was told.",
                    file.display()
                );
                return Err(Failure::new(REFUSED, why));
            }
        }
    }
    Ok(shown.len() == by.len())
}

async fn without_address(service: &Service, register: &Register) -> Result<Vec<PersonId>, Failure> {
    let all: Vec<PersonId> = recover::governors(register).cloned().collect();
    let known = service.store.people(&all).await.map_err(kept)?;
    Ok(all.into_iter().filter(|p| known.get(p).is_none_or(|d| d.email.is_none())).collect())
}

async fn stop(service: &Service, out: Out) -> Result<(), Failure> {
    let register = service.store.register().await.map_err(kept)?;
    let at = service.now();
    let mut stopped = 0;
    for token in recover::pending(&register, at) {
        let change = RegisterChange::RevokeToken { token: token.id.clone(), at };
        let command = RegisterCommand::Change { id: service.fresh("prp")?, change };
        service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await?;
        stopped += 1;
    }
    out.answer(&serde_json::json!({ "revoked": stopped }), |_| format!("{stopped} tokens that did not count yet are revoked."))
}
