//! `countersign restore`: a verified backup becomes the database, without bringing back what was taken away since.
//!
//! Contract: nothing is swapped in before the backup verifies and what the database there revoked or disabled is revoked and disabled in it,
//! by entries of the host. The replaced database stays, under a name that is printed. Knows no rules.

#![allow(missing_docs, reason = "where the settings lie needs no words of its own")]

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::host::{Config, failed, kept, settings};
use super::out::{FAILED, Failure, Out};
use crate::base::ids::TokenId;
use crate::base::ports::Ports;
use crate::config::ServerConfig;
use crate::config::keys::ServerKeys;
use crate::domain::case::Worker;
use crate::domain::command::RegisterCommand;
use crate::domain::event::RegisterChange;
use crate::domain::register::Holder;
use crate::service::register::Beside;
use crate::service::{Ask, Service, ServiceError};
use crate::store::sqlite::{Lost, RestoreError, Restoring, There};

/// A backup comes back.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    config: Config,
    /// The backup.
    file: PathBuf,
    /// Replace a database that is there; it is kept under another name.
    #[arg(long)]
    replace: bool,
    /// Revoke every token, for when nobody can tell what was revoked since the backup; recover-governance is the way back in.
    #[arg(long)]
    revoke_tokens: bool,
}

#[derive(Serialize, Default)]
struct Restored {
    entries: u64,
    /// What the replaced database knew and the backup does not; `None` if there was none of the same server that could be read.
    lost: Option<Lost>,
    tokens_revoked: u64,
    disabled: u64,
    /// What could not be disabled, with the reason.
    not_disabled: Vec<String>,
    every_token: bool,
    /// The replaced database.
    aside: Option<PathBuf>,
}

/// Runs it.
pub async fn run(arguments: &Restore, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(&arguments.config)?;
    let keys = ServerKeys::load(&config.keys);
    let master = keys.as_ref().ok().map(|k| &k.master);
    let restoring = Restoring::prepare(&arguments.file, &config.database, arguments.replace, master, &|_, _| {}).map_err(refused)?;
    let mut done = Restored { entries: restoring.entries, ..Restored::default() };
    let none = Lost::default();
    let (lost, said) = match &restoring.there {
        There::Nothing => (&none, "There was no database to compare it with: tokens that were revoked since the backup count again.".to_owned()),
        There::Other(n) => {
            (&none, format!("The database there was another server's ({n} entries): tokens that were revoked since the backup count again."))
        }
        There::Unreadable(why) => (&none, format!("The database there can't be read ({why}), so nobody can tell what it had revoked.")),
        There::Same(lost) => (lost, sentence(lost)),
    };
    done.every_token = arguments.revoke_tokens || matches!(restoring.there, There::Unreadable(_));
    if matches!(restoring.there, There::Same(_)) {
        done.lost = Some(lost.clone());
    }
    if done.every_token || lost.tokens.len() + lost.operators.len() + lost.automations.len() > 0 {
        narrow(&config, keys?, &restoring, lost, &mut done).await?;
    }
    done.aside = restoring.put(Ports::system().clock.now()).map_err(refused)?;
    out.answer(&done, |d| words(d, &said))?;
    if done.not_disabled.is_empty() { Ok(()) } else { Err(Failure::new(FAILED, "Restored, but not everything could be disabled again.")) }
}

fn refused(error: RestoreError) -> Failure {
    match error {
        RestoreError::Store(error) => kept(error),
        RestoreError::Exists(_) => Failure::usage(error.to_string()),
        other => failed(other),
    }
}

/// Revokes and disables in the backup what was revoked and disabled since, or revokes every token.
async fn narrow(config: &ServerConfig, keys: ServerKeys, restoring: &Restoring, lost: &Lost, done: &mut Restored) -> Result<(), Failure> {
    let config = ServerConfig { database: restoring.file().to_owned(), ..config.clone() };
    let (store, service) = super::host::open(&config, &keys, &Ports::system())?;
    let register = service.store.register().await.map_err(kept)?;
    let mut tokens: Vec<TokenId> = lost.tokens.clone();
    if done.every_token {
        let alive = register.tokens.values().filter(|t| t.revoked_at.is_none());
        tokens = alive.map(|t| t.id.clone()).collect();
    }
    let accounts = lost.operators.iter().map(|o| (o.to_string(), RegisterChange::DisableOperator(o.clone())));
    let software = lost.automations.iter().map(|a| (a.to_string(), RegisterChange::DisableAutomation(a.clone())));
    for (id, change) in accounts.chain(software) {
        match once(&service, change).await {
            Ok(()) => done.disabled += 1,
            // Those two alone could govern when the backup was made: without its tokens the account opens nothing.
            Err(ServiceError::Refused(why)) => {
                let theirs =
                    register.tokens.values().filter(|t| t.revoked_at.is_none() && matches!(&t.holder, Holder::Operator(o) if o.as_str() == id));
                tokens.extend(theirs.map(|t| t.id.clone()));
                done.not_disabled.push(format!("{id}: its tokens are revoked instead. {why}"));
            }
            Err(other) => return Err(other.into()),
        }
    }
    tokens.sort();
    tokens.dedup();
    for token in tokens {
        once(&service, RegisterChange::RevokeToken { token, at: service.now() }).await?;
        done.tokens_revoked += 1;
    }
    drop(service);
    store.close();
    Ok(())
}

async fn once(service: &Service, change: RegisterChange) -> Result<(), ServiceError> {
    let command = RegisterCommand::Change { id: service.fresh("prp")?, change };
    service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await.map(drop)
}

fn counted(n: usize, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

fn whole(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// What the backup knows nothing of.
fn sentence(lost: &Lost) -> String {
    let all = [
        counted(whole(lost.entries), "entry", "entries"),
        counted(lost.tokens.len(), "revoked token", "revoked tokens"),
        counted(lost.operators.len(), "disabled account", "disabled accounts"),
        counted(lost.automations.len(), "disabled software", "disabled pieces of software"),
        counted(whole(lost.holds), "hold", "holds"),
        counted(whole(lost.denials), "denial", "denials"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() {
        return "The database there held nothing that the backup does not.".to_owned();
    }
    format!("The database there held what the backup does not: {}.", all.join(", "))
}

fn words(done: &Restored, said: &str) -> String {
    let mut lines = vec![format!("Restored and verified: {} entries.", done.entries), said.to_owned()];
    if done.every_token {
        lines.push(format!(
            "Every token is revoked ({}), each with an entry: two governors come back with `countersign recover-governance`.",
            done.tokens_revoked
        ));
    } else if done.tokens_revoked + done.disabled > 0 {
        lines.push(format!("Taken over, each with an entry: {} tokens stay revoked, {} stay disabled.", done.tokens_revoked, done.disabled));
    }
    lines.extend(done.not_disabled.iter().map(|n| format!("Not disabled again: {n}")));
    if let Some(lost) = done.lost.as_ref().filter(|l| l.holds + l.denials > 0) {
        let all = [counted(whole(lost.holds), "hold", "holds"), counted(whole(lost.denials), "denial", "denials")];
        let all: Vec<String> = all.into_iter().flatten().collect();
        lines.push(format!("{} did not come along: look at the replaced database and put them right before the server starts.", all.join(" and ")));
    }
    if let Some(aside) = &done.aside {
        lines.push(format!("The database that was there is kept as {}.", aside.display()));
    }
    lines.join("\n")
}
