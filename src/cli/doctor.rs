//! `countersign doctor`: everything an operator of a server would look at, in one go, each finding with what to do.
//!
//! Contract: changes nothing, runs beside a server that is up, and goes on after a finding. Exit codes: 0 all is in order, 1 anything is wrong,
//! 2 the settings can't be used, so that nothing was looked at. Sends no mail and gives targets no order: it only connects.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;

use super::host::{Config, settings};
use super::out::{FAILED, Failure, Out, progress};
use super::shown::minute;
use crate::base::Time;
use crate::base::ids::ProposalId;
use crate::base::ports::{Clock as _, SystemClock};
use crate::config::ServerConfig;
use crate::config::keys::ServerKeys;
use crate::config::server::{MailWay, SmtpSecurity, Tls, unprotected};
use crate::connectors::configured::connectors;
use crate::domain::govern::recover;
use crate::domain::policy::Policy;
use crate::domain::register::{Holder, Register, Token};
use crate::outbound::mail::Mailer;
use crate::server::certificate::examine;
use crate::store::StoreError;
use crate::store::sqlite::{
    SharedMailbox, UNCHECKED, ages_of, head_of, older_file, policies_of, pulse_of, register_of, shared_mailboxes, too_young, verify_file,
};

/// How long connecting to a target or mail server may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The first time that a sane clock can show: this program is not older than 2026.
const NOT_BEFORE: i64 = 1_767_225_600;
/// How far the clock may lie behind the last entry, in milliseconds: requests overtake each other by that much.
const CLOCK_BEHIND: i64 = 10_000;
/// A certificate that ends within that time is a finding.
const RENEW: chrono::Duration = chrono::Duration::days(14);
/// Governing tokens that end within that time are a finding.
const GOVERN_SOON: chrono::Duration = chrono::Duration::hours(2);

/// The most persons that a finding names for one mailbox.
const SHARERS: usize = 4;

/// What a finding begins with that is not wrong, and not what a server in use has.
pub(super) const NOTICE: &str = "NOTICE: ";

/// What a finding of the database begins with if the file itself is torn.
const DAMAGED: &str = "the file ";

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    says: String,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &str, result: Result<String, String>) {
        let (ok, says) = match result {
            Ok(says) => (true, says),
            Err(says) => {
                // What keeps one thing from being looked at often keeps others: it is said once.
                let said = self.0.iter().find(|f| !f.ok && f.says == says);
                (false, said.map_or_else(|| says.clone(), |f| format!("the same as of {}", f.what)))
            }
        };
        self.0.push(Finding { what: what.to_owned(), ok, says });
    }
}

/// Runs it.
pub async fn run(from: &Config, out: Out) -> Result<(), Failure> {
    let (file, config) = settings(from)?;
    let now = SystemClock::new().now();
    let mut found = Findings::default();
    found.add("settings", settings_file(&file));
    let keys = ServerKeys::load(&config.keys);
    if config.database.exists() || config.keys.exists() {
        found.add("keys", keys.as_ref().map(|_| full(&config.keys)).map_err(ToString::to_string));
    }
    if !config.database.exists() {
        found.add("database", Err(super::host::nothing_founded(&config)));
    }
    found.add("policy file", policy(&config));
    found.add("clock", clock(&config.database, now));
    if config.database.exists() {
        found.add("database", kept_private(&config.database).and_then(|()| whole(&config.database, keys.as_ref().ok())));
        found.add("governance", governance(&config.database, now));
        found.add("policies", policies(&config.database));
        found.add("proposals", super::waited::proposals(&config.database, now));
        found.add("outbox", outbox(&config.database));
        if older_file(&config.database).is_ok_and(|older| older.is_none()) {
            found.add("mailboxes", mailboxes(&config.database, now));
            found.add("mail addresses", super::waited::mailless(&config.database));
            young(&mut found, &config.database, now);
            found.add("records", records(&config.database, now));
        }
    }
    if let Some(tls) = &config.tls {
        found.add("certificate", certificate(tls, &config, now));
        found.add("certificate's key", private(&tls.key).map(|()| full(&tls.key)));
    }
    found.add("mail", mail(&config).await);
    if config.targets.is_empty() {
        found.add("targets", Ok("NOTICE: none is configured, so no case can be carried out".to_owned()));
    }
    for target in &config.targets {
        let set_up = connectors(std::slice::from_ref(target)).map_err(|e| e.to_string());
        let reached = match set_up {
            Ok(_) => reach(&target.url).await.map(|says| plainly(&target.url, says)),
            Err(why) => Err(why),
        };
        found.add(&format!("target {}", target.id), reached);
    }
    report(&found.0, out)
}

fn report(found: &[Finding], out: Out) -> Result<(), Failure> {
    let wrong = found.iter().filter(|f| !f.ok).count();
    let notices = found.iter().filter(|f| f.ok && f.says.starts_with(NOTICE)).count();
    out.answer(&serde_json::json!({ "ok": wrong == 0, "notices": notices, "findings": found }), |_| {
        let lines = found.iter().map(|f| {
            let (mark, says) = match f.says.strip_prefix(NOTICE) {
                Some(says) if f.ok => ("note ", says),
                _ => (if f.ok { "ok   " } else { "WRONG" }, f.says.as_str()),
            };
            format!("{mark}  {}: {says}\n", f.what)
        });
        let end = match (wrong, notices) {
            (0, 0) => "All is in order.",
            (0, _) => "Nothing is wrong; mind the notes.",
            _ => "",
        };
        lines.collect::<String>() + end
    })?;
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new(FAILED, "One thing is wrong.")),
        n => Err(Failure::new(FAILED, format!("{n} things are wrong."))),
    }
}

fn policy(config: &ServerConfig) -> Result<String, String> {
    match super::policy::read(config.policy.as_deref()) {
        Ok((_, policy)) => Ok(format!("sound, sha256 {}", policy.sha256)),
        Err(failure) => Err(format!("{} {}", failure.detail, failure.mistakes.join("; "))),
    }
}

/// Whether this version can read the policy in force, without which nothing is decided, and those that are proposed, which else never count.
fn policies(database: &Path) -> Result<String, String> {
    let all = policies_of(database).map_err(|e| e.to_string())?;
    let unread = |(proposal, text): &(Option<ProposalId>, String)| {
        let why = Policy::parse(text).err()?.into_iter().next().map(|m| m.to_string()).unwrap_or_default();
        let why = crate::base::text::sanitise(&why, false);
        Some(match proposal {
            None => format!("this version can't read the one in force ({why}): run the version that it was made for"),
            Some(id) => format!("this version can't read what {id} proposes ({why}), and it never counts: countersign register end {id}"),
        })
    };
    let wrong: Vec<String> = all.iter().filter_map(unread).collect();
    if wrong.is_empty() {
        Ok(format!("the one in force can be read, and so can {} proposed", all.len().saturating_sub(1)))
    } else {
        Err(wrong.join("; "))
    }
}

/// The settings, which nobody else may write: whoever can, decides where mail goes and which targets are called.
fn settings_file(file: &Path) -> Result<String, String> {
    if !file.exists() {
        return Ok("none; the built-in ones".to_owned());
    }
    mode(file, 0o022, "can be written by others; take that from them (chmod go-w)")?;
    Ok(full(file))
}

/// The clock against this program's age and against the log: a server whose clock lies behind its last entry writes nothing.
fn clock(database: &Path, now: Time) -> Result<String, String> {
    if now.timestamp() < NOT_BEFORE {
        return Err("shows a time before this program was written: set it".to_owned());
    }
    let last = pulse_of(database).map(|p| p.last_at).unwrap_or_default();
    let behind = last - now.timestamp_millis();
    if behind > CLOCK_BEHIND {
        return Err(format!("lies {} s behind the log's last entry; nothing is written until it is put right", behind / 1_000));
    }
    Ok(format!("{}, not behind the log", show(now)))
}

/// Whether two persons can still change the register, and for how long.
fn governance(database: &Path, now: Time) -> Result<String, String> {
    let register = register_of(database).map_err(|e| e.to_string())?;
    let pending = recover::pending(&register, now).map(|t| t.issued_at).min();
    match (recover::governed_until(&register, now), pending) {
        (Some(until), _) if until - now < GOVERN_SOON => Err(format!(
            "two persons can govern only until {}: let {} renew theirs (countersign token issue)",
            show(until),
            first_to_end(&register, until, now)
        )),
        (Some(until), _) => {
            Ok(format!("two persons hold tokens to govern with, until {}, when that of {} ends", show(until), first_to_end(&register, until, now)))
        }
        (None, Some(from)) if from >= recover::NOT_TOLD => {
            Err("nobody can govern; a recovery waits until the server has told everyone who governs: start it".to_owned())
        }
        (None, Some(from)) => Err(format!("nobody can govern; a recovery counts from {}", show(from))),
        (None, None) => Err("nobody holds a token to govern with: see countersign recover-governance --help".to_owned()),
    }
}

/// Whose tokens to govern with end then.
fn first_to_end(register: &Register, until: Time, now: Time) -> String {
    let live = |t: &&Token| t.revoked_at.is_none() && t.issued_at <= now;
    // Whoever holds another one for longer goes on.
    let longer = |t: &Token| register.tokens.values().filter(live).any(|o| o.holder == t.holder && o.expires_at > until);
    let ends = |t: &&Token| live(t) && t.expires_at == until && !longer(t);
    let accounts = register.tokens.values().filter(ends).filter_map(|t| match &t.holder {
        Holder::Operator(id) => Some(id.to_string()),
        Holder::Automation(_) => None,
    });
    accounts.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" and ")
}

fn outbox(database: &Path) -> Result<String, String> {
    let pulse = pulse_of(database).map_err(|e| e.to_string())?;
    match pulse.stuck {
        0 => Ok(format!("{} waiting, none of them tried in vain", pulse.waiting)),
        stuck => Err(format!("{stuck} of {} waiting were tried three times or more: look at mail and targets", pulse.waiting)),
    }
}

/// Mailboxes that are more than one's. Nothing is wrong with the server then, but with what HR or the inventory says, or it is a team's.
fn mailboxes(database: &Path, now: Time) -> Result<String, String> {
    let shared = shared_mailboxes(database, now).map_err(|e| e.to_string())?;
    let whose = |one: &SharedMailbox| {
        let more = one.persons.len().saturating_sub(SHARERS);
        let first = one.persons.iter().take(SHARERS).map(ToString::to_string).collect::<Vec<_>>();
        if more > 0 { format!("{} and {more} more", first.join(", ")) } else { first.join(" and ") }
    };
    let all = |kept: &[SharedMailbox], more: u64, says: &dyn Fn(&SharedMailbox) -> String| {
        let more = (more > 0).then(|| format!("and {more} more"));
        kept.iter().map(says).chain(more).collect::<Vec<_>>().join("; ")
    };
    let mut says = Vec::new();
    if !shared.persons.is_empty() {
        says.push(format!("persons with one mailbox: {}", all(&shared.persons, shared.more_persons, &whose)));
    }
    if !shared.subjects.is_empty() {
        let of = |one: &SharedMailbox| match &one.of {
            Some((subject, address)) => format!("{subject}'s {address} that of {}", whose(one)),
            None => whose(one),
        };
        says.push(format!("A subject's address is somebody else's mailbox: {}", all(&shared.subjects, shared.more_subjects, &of)));
    }
    if says.is_empty() {
        return Ok("each is one person's".to_owned());
    }
    let meant = "Persons who share one count as one where two have to say yes, and no code goes to a mailbox of somebody who works \
        the case: put right what is not meant so";
    Ok(format!("{NOTICE}{}. {meant}", says.join(". ")))
}

/// What is too young to prove anything now, a line each where there is any: after an import or an upgrade nobody need wonder why.
fn young(found: &mut Findings, database: &Path, now: Time) {
    let [mailboxes, managers, codes] = match too_young(database, now) {
        Ok(young) => young,
        Err(e) => return found.add("what is new", Err(e.to_string())),
    };
    for (what, of, proves) in [
        ("new mailboxes", mailboxes, "mail addresses of people that are younger than policy's min_record_age, so that who has one can't attest yet"),
        (
            "new managers",
            managers,
            "subjects whose manager is recorded for less than policy's min_record_age, so that this one can't attest for them yet",
        ),
        ("new saved codes", codes, "sets of saved codes that are younger than policy's min_record_age and prove nothing yet"),
    ] {
        if of.count > 0 {
            let dated = of.until.map(|at| format!("the last until {}", minute(at)));
            let undated = (of.undated > 0).then(|| format!("{} of them, of unknown date, until they are recorded anew", of.undated));
            let until: Vec<String> = dated.into_iter().chain(undated).collect();
            found.add(what, Ok(format!("{NOTICE}{proves}: {}, {}", of.count, until.join("; "))));
        }
    }
}

/// What is recorded too shortly to be gone by, and whether anyone could prove something by a saved code now.
fn records(database: &Path, now: Time) -> Result<String, String> {
    let Some(ages) = ages_of(database, now).map_err(|e| e.to_string())? else { return Ok("nothing was founded yet".to_owned()) };
    let days = f64::from(ages.least.0) / 86_400.0;
    let unit = if ages.least.0 == 86_400 { "day" } else { "days" };
    let mut says = vec![format!("subjects with saved codes: {}, of them with codes older than {days} {unit}: {}", ages.sets, ages.old_sets)];
    if ages.old_sets == 0 {
        let what = "whoever policy asks for a saved code can complete no checklist today; repeated proofing, passkeys and one-time passwords have no \
            page yet. Issue the sets with `countersign codes`";
        says.push(what.to_owned());
    }
    if ages.young_scopes > 0 {
        says.push(format!("subjects with a scope that is recorded too shortly to be given back: {}", ages.young_scopes));
    }
    if ages.former > 0 {
        says.push(format!("subjects whose record changed, judged by what it said before, too: {}", ages.former));
    }
    let notice = if ages.old_sets == 0 { NOTICE } else { "" };
    Ok(format!("{notice}{}", says.join(". ")))
}

/// The pair as the listener reads it, its dates, and whether it is made out for the name that requesters are sent to.
fn certificate(tls: &Tls, config: &ServerConfig, now: Time) -> Result<String, String> {
    let url = url::Url::parse(&config.public_url).ok();
    let name = url.as_ref().filter(|u| u.scheme() == "https" && config.trusted_proxy.is_none()).and_then(|u| u.host_str());
    let good = examine(&tls.certificate, &tls.key, name).map_err(|e| e.to_string())?;
    let file = full(&tls.certificate);
    let days = (good.until - now).num_days();
    if now < good.from {
        return Err(format!("{file} is good only from {}", show(good.from)));
    }
    if now >= good.until {
        return Err(format!("{file} ended at {}: renew it, the server reads it again by itself", show(good.until)));
    }
    if good.until - now < RENEW {
        return Err(format!("{file} ends at {}, in {days} days: renew it, the server reads it again by itself", show(good.until)));
    }
    Ok(format!("{file}, good until {}, {days} days", show(good.until)))
}

/// Where something lies, from the root: what is read a year later is read in another folder.
fn full(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn show(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Whether nobody but the owner can get at a file.
fn private(path: &Path) -> Result<(), String> {
    mode(path, 0o077, "can be reached by others; make it yours alone (chmod 600)")
}

/// The database, what SQLite keeps beside it, and that nobody else can put another file in its place.
fn kept_private(path: &Path) -> Result<(), String> {
    private(path)?;
    for beside in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        if Path::new(&name).exists() {
            private(Path::new(&name))?;
        }
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    mode(folder, 0o022, "can be written by others, who could put another database in its place (chmod go-w)")
}

/// Refuses a file that has any of these rights.
fn mode(path: &Path, rights: u32, why: &str) -> Result<(), String> {
    let meta = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&meta) & rights != 0 {
        return Err(format!("{} {why}", path.display()));
    }
    Ok(())
}

/// Verifies the database alone.
pub fn verify(from: &Config, out: Out) -> Result<(), Failure> {
    let (_, config) = settings(from)?;
    super::host::founded(&config)?;
    let keys = ServerKeys::load(&config.keys).ok();
    let says = database(&config.database, keys.as_ref()).map_err(|why| Failure::new(FAILED, why))?;
    let (entries, root) = head_of(&config.database).map_err(super::host::kept)?;
    let answer = serde_json::json!({ "entries": entries, "root_sha256": root.to_string(), "texts_opened": keys.is_some(), "not_checked": UNCHECKED });
    out.answer(&answer, |_| says)
}

/// What the database holds; of one that an older version wrote, that it did, which is nothing wrong.
fn whole(path: &Path, keys: Option<&ServerKeys>) -> Result<String, String> {
    match older_file(path).unwrap_or_default() {
        Some(older) => Ok(format!("{NOTICE}{}, {older}", full(path))),
        None => database(path, keys),
    }
}

fn database(path: &Path, keys: Option<&ServerKeys>) -> Result<String, String> {
    let found = verify_file(path, keys.map(|k| &k.master), &progress("verifying the database"));
    let restore = "Restore a backup that was made before (countersign restore --replace)";
    let found = found.map_err(|e| {
        let mend = if matches!(e, StoreError::Damaged(_)) { format!(". {restore}") } else { String::new() };
        format!("{}: {e}{mend}", full(path))
    })?;
    if found.first().is_some_and(|first| first.starts_with(DAMAGED)) {
        return Err(format!("{}. Nothing in it was compared: restore a backup (countersign restore --replace)", found.join("; ")));
    }
    if !found.is_empty() {
        return Err(format!("{}: differs from its log: {}. {restore}", full(path), found.join("; ")));
    }
    let (entries, root) = head_of(path).map_err(|e| e.to_string())?;
    let texts = if keys.is_some() { "every text opens and is what was said" } else { "texts are there (not opened: the keys can't be read)" };
    let all = format!("{}, {entries} entries, root {root}; every page can be read; tables, triggers and projections agree; {texts}", full(path));
    Ok(format!("{all}. Not checked: {UNCHECKED}"))
}

/// Whether mail could be handed over now; sends nothing.
async fn mail(config: &ServerConfig) -> Result<String, String> {
    if let MailWay::Folder(folder) = &config.mail.way {
        if folder.exists() {
            mode(folder, 0o077, "holds codes and can be reached by others; make it yours alone (chmod 700)")?;
        }
        let mailer = Mailer::configured(&config.mail).map_err(|e| e.to_string())?;
        mailer.reachable().await.map_err(|e| e.to_string())?;
        return Ok(format!("NOTICE: written into {}, nothing is sent: set [mail.smtp] before anyone depends on it", full(folder)));
    }
    let MailWay::Smtp { host, port, security, .. } = &config.mail.way else { return Ok(String::new()) };
    let better = if *security == SmtpSecurity::StartTls {
        "; security = \"tls\" (port 465) is the better way where the server has it: with STARTTLS the beginning is in the clear"
    } else {
        ""
    };
    let mailer = Mailer::configured(&config.mail).map_err(|e| e.to_string())?;
    match tokio::time::timeout(CONNECT * 2, mailer.reachable()).await {
        Ok(Ok(())) => Ok(format!("{host}:{port} answers and takes mail{better}")),
        Ok(Err(e)) => Err(format!("{host}:{port}: {e}")),
        Err(_) => Err(format!("{host}:{port}: no answer within {} s", 2 * CONNECT.as_secs())),
    }
}

/// Says so where a target is asked over plain HTTP beyond this machine: answers are not signed, and they alone are believed.
fn plainly(url: &str, says: String) -> String {
    if !unprotected(url) {
        return says;
    }
    format!("{NOTICE}{says}, over plain HTTP: whoever sits in between can read what is restored and answer in its place; use https://")
}

async fn reach(url: &str) -> Result<String, String> {
    let url = url::Url::parse(url).map_err(|e| e.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    connect(&host, url.port_or_known_default().unwrap_or(443)).await
}

async fn connect(host: &str, port: u16) -> Result<String, String> {
    match tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(format!("{host}:{port} answers")),
        Ok(Err(e)) => Err(format!("{host}:{port}: {e}")),
        Err(_) => Err(format!("{host}:{port}: no answer within {} s", CONNECT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_several_things_from_being_looked_at_is_said_once() {
        let mut found = Findings::default();
        let why = || Err("the file can't be opened".to_owned());
        found.add("settings", Ok("the file can't be opened".to_owned()));
        found.add("database", why());
        found.add("governance", why());
        found.add("outbox", why());
        found.add("clock", Err("lies behind".to_owned()));
        let says: Vec<&str> = found.0.iter().skip(1).map(|f| f.says.as_str()).collect();
        assert_eq!(says, ["the file can't be opened", "the same as of database", "the same as of database", "lies behind"]);
        assert_eq!(found.0.iter().filter(|f| !f.ok).count(), 4, "each is a finding");
    }
}
