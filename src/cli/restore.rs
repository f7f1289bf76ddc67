//! `countersign restore`: a verified backup becomes the database, without bringing back what was taken away since.
//!
//! Contract: nothing is swapped in before the backup verifies and what the database there had taken from anyone is taken from them in it, and
//! the cases that had gone on there are held, by entries of the host. The replaced database stays, under a name that is printed. Knows no rules.

#![allow(missing_docs, reason = "where the settings lie needs no words of its own")]

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::host::{Config, failed, kept, settings};
use super::out::{FAILED, Failure, Out, progress};
use crate::base::Time;
use crate::base::ids::{CaseId, SubjectId, TargetId};
use crate::base::ports::Ports;
use crate::config::ServerConfig;
use crate::config::keys::ServerKeys;
use crate::connectors;
use crate::domain::case::Worker;
use crate::domain::command::{Command, RegisterCommand};
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::govern::{recover, restored};
use crate::domain::register::{Operator, Register};
use crate::domain::subject::Subject;
use crate::domain::vocabulary::Status;
use crate::service::register::Beside;
use crate::service::{Ask, Service};
use crate::store::sqlite::{Lost, RestoreError, Restoring, SKIPPED, There, register_of};
use crate::store::{PersonDetails, StoreError};

/// Records written in one commit.
const BATCH: usize = 500;

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
    #[serde(flatten)]
    taken: Taken,
    /// What targets may hold by orders of cases that the backup does not know: nobody here ends it.
    astray: Vec<AstrayOrder>,
    /// Who could not be disabled, because nobody could govern without them: their tokens are revoked instead.
    not_disabled: Vec<String>,
    every_token: bool,
    /// Until when two persons hold tokens to govern with; `None` if nobody can, so that the way back is recover-governance.
    governed_until: Option<Time>,
    /// The replaced database.
    aside: Option<PathBuf>,
}

/// What a target may hold of which this server has no case any more.
#[derive(Serialize)]
struct AstrayOrder {
    case: CaseId,
    subject: SubjectId,
    target: TargetId,
    /// Under which the target knows it.
    reference: String,
    /// When it ends by itself; `None` if it is not temporary.
    ends: Option<Time>,
}

impl AstrayOrder {
    fn of(lost: &Lost) -> Vec<Self> {
        let named = lost.astray.iter().map(|a| Self {
            case: a.case,
            subject: a.subject.clone(),
            target: a.order.plan.target.clone(),
            reference: connectors::reference(a.case, a.order.attempt),
            ends: a.order.ends(),
        });
        named.collect()
    }

    fn sentence(&self) -> String {
        let until = self.ends.map_or_else(|| "for good".to_owned(), |at| format!("until {}", at.format("%Y-%m-%d %H:%M:%SZ")));
        format!("  {} in {}, {until}: ordered as {} in {}", self.subject, self.target, self.reference, self.case)
    }
}

/// What was taken over from the replaced database, each with an entry.
#[derive(Serialize, Default)]
struct Taken {
    tokens_revoked: u64,
    /// Accounts and software that may no longer sign in.
    disabled: u64,
    /// Accounts and software that may do less, and bots with more owners.
    narrowed: u64,
    /// Persons who had left.
    persons_gone: u64,
    delegations: u64,
    /// Proposals that had been ended or applied: they have to be proposed anew.
    proposals_ended: u64,
    /// Subjects' records that had lost something.
    subjects: u64,
    /// Persons whose mail address had changed: they have none until it is imported anew.
    mailboxes: u64,
    /// Cases that are held, because more had happened in them.
    held: u64,
    /// Orders of these by which a target may hold access that only the replaced database knew: the server has them taken back.
    orders: u64,
}

/// Runs it.
pub async fn run(arguments: &Restore, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(&arguments.config)?;
    let keys = ServerKeys::load(&config.keys);
    let master = keys.as_ref().ok().map(|k| &k.master);
    let restoring = Restoring::prepare(&arguments.file, &config.database, arguments.replace, master, &progress("verifying the backup"));
    let restoring = restoring.map_err(|error| untouched(&arguments.file, error))?;
    let said = said(&restoring.there, arguments.revoke_tokens)?;
    let mut done = Restored { entries: restoring.entries, every_token: arguments.revoke_tokens, ..Restored::default() };
    if let There::Same(lost) = &restoring.there {
        done.lost = Some(lost.clone());
        done.astray = AstrayOrder::of(lost);
    }
    if done.every_token || done.lost.is_some() {
        narrow(&config, keys?, &restoring, &mut done).await?;
    }
    let now = Ports::system().clock.now();
    let register = register_of(restoring.file()).map_err(kept)?;
    done.governed_until = recover::governed_until(&register, now);
    done.aside = restoring.put(now).map_err(refused)?;
    out.answer(&done, |d| words(d, &said))?;
    if done.not_disabled.is_empty() { Ok(()) } else { Err(Failure::new(FAILED, "Restored, but not everyone could be disabled again.")) }
}

/// What is known of what was there; refused if nobody can tell what it had revoked and nobody said that every token may end.
fn said(there: &There, revoke_tokens: bool) -> Result<String, Failure> {
    let unread = |why: &str| {
        if revoke_tokens {
            return Ok(format!(
                "The database there can't be read ({why}), so nobody can tell what it had revoked. {SKIPPED} case numbers are left out."
            ));
        }
        Err(Failure::usage(format!(
            "The database there can't be read ({why}), so nobody can tell what it had revoked since the backup; nothing was restored. Give \
             --revoke-tokens: every token ends then, and two governors come back with `countersign recover-governance`, after its delay. Or move \
             that database away: then tokens count as in the backup."
        )))
    };
    let apart = |what: &str| format!("{what}: what was revoked since the backup counts again. {SKIPPED} case numbers are left out.");
    match there {
        There::Nothing => Ok(apart("There was no database to compare it with")),
        There::Other(n) => Ok(apart(&format!("The database there was another server's ({n} entries)"))),
        There::Newer(why) | There::Unreadable(why) => unread(why),
        There::Same(lost) => Ok(sentence(lost)),
    }
}

/// Why nothing was begun: whatever it is, nothing was put anywhere yet.
fn untouched(file: &std::path::Path, error: RestoreError) -> Failure {
    // The others say themselves what can't be restored, and that nothing was changed.
    let bare = matches!(&error, RestoreError::Io(_)) || matches!(&error, RestoreError::Store(store) if !matches!(store, StoreError::InUse(_)));
    let failure = if let RestoreError::Io(why) = error { failed(why) } else { refused(error) };
    if !bare {
        return failure;
    }
    let detail = format!("{} can't be restored: {}. Nothing was changed.", file.display(), failure.detail.trim_end_matches('.'));
    Failure { detail, ..failure }
}

fn refused(error: RestoreError) -> Failure {
    match error {
        RestoreError::Store(error) => kept(error),
        RestoreError::Exists(_) => Failure::usage(error.to_string()),
        other => failed(other),
    }
}

/// Takes from the backup what was taken from people since, holds the cases that had gone on, or revokes every token.
async fn narrow(config: &ServerConfig, keys: ServerKeys, restoring: &Restoring, done: &mut Restored) -> Result<(), Failure> {
    let config = ServerConfig { database: restoring.file().to_owned(), ..config.clone() };
    let (store, service) = super::host::open(&config, &keys, &Ports::system())?;
    let ask = Ask::system(Worker::Host);
    let register = service.store.register().await.map_err(kept)?;
    let was = done.lost.as_ref().map_or_else(|| Box::new(Register::clone(&register)), |lost| lost.was.clone());
    let command = RegisterCommand::TakeOver { was: was.clone(), every_token: done.every_token };
    let governed = service.govern(&ask, &command, &Beside::default()).await?;
    done.taken = counted_up(&register, &governed.events);
    done.not_disabled = still_there(&governed.register, &was);
    for gone_on in done.lost.iter().flat_map(|lost| &lost.moved) {
        let before = service.store.case(gone_on.case).await.map_err(kept)?;
        let (held, orders) = before.map_or((false, 0), |c| (c.hold.is_some(), c.there.orders.len()));
        let command = Command::TakeOver(Box::new(gone_on.there.clone()));
        let done_there = service.execute(&ask, gone_on.case, &command).await?;
        done.taken.held += u64::from(!held && done_there.case.hold.is_some());
        done.taken.orders += (done_there.case.there.orders.len() - orders) as u64;
    }
    if let Some(lost) = &done.lost {
        records(&service, lost, &mut done.taken).await?;
    }
    drop(service);
    store.close();
    Ok(())
}

/// Takes from the records of subjects what was taken from them since, and from persons a mail address that was changed.
async fn records(service: &Service, lost: &Lost, taken: &mut Taken) -> Result<(), Failure> {
    let mut narrowed = Vec::new();
    for was in &lost.subjects {
        let Some(record) = service.store.subject(&was.id).await.map_err(kept)? else { continue };
        let new = restored::subject(&record.subject, was, service.now());
        if new != *record.subject {
            // A record from before managers had a date has that of the record, which is written anew here.
            let since = record.dates.record.filter(|_| new.manager.is_some());
            narrowed.push(Subject { manager_since: new.manager_since.or(since), ..new });
        }
    }
    taken.subjects = narrowed.len() as u64;
    for some in narrowed.chunks(BATCH) {
        service.record_subjects(some.to_vec()).await?;
    }
    for some in lost.mailboxes.chunks(BATCH) {
        let register = service.store.register().await.map_err(kept)?;
        let known = service.store.people(some).await.map_err(kept)?;
        let persons: Vec<_> = some.iter().filter_map(|id| register.persons.get(id)).filter(|p| known.contains_key(&p.id)).cloned().collect();
        let people = persons.iter().filter_map(|p| known.get(&p.id)).map(|d| PersonDetails { email: None, ..d.clone() }).collect();
        taken.mailboxes += persons.len() as u64;
        let beside = Beside { people, ..Beside::default() };
        service.govern(&Ask::system(Worker::Host), &RegisterCommand::RecordPersons { persons }, &beside).await?;
    }
    Ok(())
}

fn counted_up(register: &Register, events: &[RegisterEvent]) -> Taken {
    let mut taken = Taken::default();
    for event in events {
        let count = match event {
            RegisterEvent::ProposalEnded { .. } => &mut taken.proposals_ended,
            RegisterEvent::Changed { change: RegisterChange::RevokeToken { .. } } => &mut taken.tokens_revoked,
            RegisterEvent::Changed { change: RegisterChange::Delegate(_) } => &mut taken.delegations,
            RegisterEvent::Changed { change: RegisterChange::SetPerson(_) } => &mut taken.persons_gone,
            RegisterEvent::Changed { change: RegisterChange::DisableOperator(_) } => &mut taken.disabled,
            RegisterEvent::Changed { change: RegisterChange::SetAutomation(a) }
                if !a.enabled && register.automations.get(&a.id).is_some_and(|o| o.enabled) =>
            {
                &mut taken.disabled
            }
            _ => &mut taken.narrowed,
        };
        *count += 1;
    }
    taken
}

/// Accounts that the replaced register had disabled, or whose person had left, and that nobody could govern without.
fn still_there(now: &Register, was: &Register) -> Vec<String> {
    let active = |register: &Register, o: &Operator| o.enabled && register.persons.get(&o.person).is_some_and(|p| p.status == Status::Active);
    let wider = |o: &Operator, then: &Operator| !o.roles.is_subset(&then.roles) || !o.groups.is_subset(&then.groups);
    let kept = now.operators.values().filter(|o| active(now, o)).filter(|o| was.operators.get(&o.id).is_some_and(|t| !active(was, t) || wider(o, t)));
    kept.map(|o| o.id.to_string()).collect()
}

fn counted(n: u64, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

fn listed(all: impl IntoIterator<Item = Option<String>>) -> String {
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What the backup knows nothing of.
fn sentence(lost: &Lost) -> String {
    let all = listed([
        counted(lost.entries, "entry", "entries"),
        counted(lost.moved.len() as u64, "case that had gone on", "cases that had gone on"),
        counted(lost.opened, "case that was opened since (open it anew)", "cases that were opened since (open them anew)"),
        counted(lost.denials, "denial", "denials"),
        lost.policy.then(|| "another policy in force (propose it anew)".to_owned()),
    ]);
    if all.is_empty() {
        return "The database there held nothing that the backup does not.".to_owned();
    }
    format!("The database there held what the backup does not: {all}.")
}

/// What nobody here can end, each of it in words up to a bound: what is printed is read by people.
fn astray(all: &[AstrayOrder]) -> Vec<String> {
    const NAMED: usize = 100;
    if all.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["Access that a target may hold by cases that the backup does not know. End it there by hand; nothing here will:".to_owned()];
    lines.extend(all.iter().take(NAMED).map(AstrayOrder::sentence));
    if all.len() > NAMED {
        lines.push(format!("  and {} more: --json names them all.", all.len() - NAMED));
    }
    lines
}

fn words(done: &Restored, said: &str) -> String {
    let mut lines = vec![format!("Restored and verified: {} entries.", done.entries), said.to_owned()];
    if done.every_token {
        lines.push(format!(
            "Every token is revoked ({}), each with an entry: two governors come back with `countersign recover-governance`.",
            done.taken.tokens_revoked
        ));
    }
    let taken = &done.taken;
    let all = listed([
        counted(taken.tokens_revoked, "token stays revoked", "tokens stay revoked").filter(|_| !done.every_token),
        counted(taken.disabled, "stays disabled", "stay disabled"),
        counted(taken.narrowed, "may do less", "may do less"),
        counted(taken.persons_gone, "person stays gone", "persons stay gone"),
        counted(taken.delegations, "delegation", "delegations"),
        counted(taken.subjects, "subject's record", "subjects' records"),
        counted(taken.proposals_ended, "proposal is ended", "proposals are ended"),
    ]);
    if !all.is_empty() {
        lines.push(format!("Taken over, each with an entry: {all}."));
    }
    if !done.not_disabled.is_empty() {
        let names = done.not_disabled.join(", ");
        lines.push(format!("Not taken from, because no two persons could govern then; their tokens are revoked instead: {names}."));
    }
    if let Some(held) = counted(taken.held, "case is held", "cases are held") {
        lines.push(format!("{held} until security has looked at the replaced database: more had happened there than the backup knows."));
    }
    if let Some(orders) = counted(taken.orders, "order by which a target may hold access is", "orders by which targets may hold access are") {
        lines.push(format!("{orders} taken back as soon as the server runs: only the replaced database knew of it."));
    }
    lines.extend(astray(&done.astray));
    if let Some(dropped) = counted(taken.mailboxes, "person's mail address was", "persons' mail addresses were") {
        lines.push(format!(
            "{dropped} changed since and can't be told from here: none is kept. Import persons and subjects anew before the server starts."
        ));
    } else if taken.subjects > 0 {
        lines.push("Subjects keep only what both databases say of them. Import persons and subjects anew before the server starts.".to_owned());
    }
    if let Some(void) = done.lost.as_ref().and_then(|l| counted(l.codes, "saved code is", "saved codes are")) {
        lines.push(format!("{void} void, as there. Codes that were issued since are unknown now: their subjects need new ones."));
    }
    if done.governed_until.is_none() && !done.every_token {
        lines.push(
            "Nobody can govern now: no two persons hold tokens for it that count in what was restored. Two of them come back with `countersign \
             recover-governance`."
                .to_owned(),
        );
    }
    if let Some(aside) = &done.aside {
        lines.push(format!("The database that was there is kept as {}.", aside.display()));
    }
    lines.join("\n")
}
