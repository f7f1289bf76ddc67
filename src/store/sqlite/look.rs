//! Looking at a database file from beside the server that uses it: copy, verify, and the classes of its cases.
//!
//! Contract: reads only, each question in one read of one moment; takes no lock and needs no key but for opening texts. Knows no rules.

use std::collections::BTreeSet;
use std::path::Path;

use super::errors::from_json;
use super::mailboxes::{self, Shared};
use super::rows::{millis, time};
use super::vault::Vault;
use super::{MasterKey, backup, reads, schema, sound, verify};
use crate::base::ids::{CaseId, PersonId, ProposalId};
use crate::base::{Digest, Time};
use crate::domain::event::RegisterChange;
use crate::domain::policy::Policy;
use crate::domain::policy::derive::Facts;
use crate::domain::register::Register;
use crate::domain::requirement::Seconds;
use crate::domain::subject::Subject;
use crate::store::StoreError;

/// The most cases that [`survey`] looks at: the newest ones.
pub const MAX_SURVEY: u32 = 100_000;

/// What lies in a database, as far as trying another policy needs it.
pub struct Survey {
    /// The register.
    pub register: Register,
    /// The text of the policy in force.
    pub policy: Option<String>,
    /// The classes of the newest cases, at most [`MAX_SURVEY`].
    pub cases: Vec<Facts>,
}

/// Copies the database to a new file while a server uses it, and looks through the copy's log, of which `progress` is told.
pub fn backup_of(from: &Path, to: &Path, progress: &dyn Fn(u64, u64)) -> Result<(), StoreError> {
    backup::back_up(from, to, progress)
}

/// Damage of the file itself, then every difference between its log, tree and projections, up to 100. In a damaged file nothing is compared. Texts are opened with the master key; without it only their
/// places are compared.
pub fn verify_file(path: &Path, master: Option<&MasterKey>, progress: &dyn Fn(u64, u64)) -> Result<Vec<String>, StoreError> {
    let damage = sound::damage_of(path)?;
    if !damage.is_empty() {
        return Ok(damage);
    }
    let conn = schema::open_walker(path)?;
    if schema::version(&conn)? == 0 {
        return Err(schema::refused(format!("{} holds nothing", path.display())));
    }
    if let Some(older) = schema::older(path)? {
        return Err(schema::refused(format!("{} was {older}", path.display())));
    }
    let vault = master.map(Vault::new).transpose()?;
    verify::verify(&conn, vault.as_ref(), progress)
}

/// A sentence about a file that an older version of this program wrote and that is not up to date yet; `None` for one that is.
pub fn older_file(path: &Path) -> Result<Option<String>, StoreError> {
    schema::older(path)
}

/// How many entries the file's log has, and the tree's root.
pub fn head_of(path: &Path) -> Result<(u64, Digest), StoreError> {
    reads::head(&schema::open_reader(path)?)
}

/// How a database is doing beside what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// When the last entry was written, in milliseconds since 1970; 0 if there is none.
    pub last_at: i64,
    /// Effects that wait.
    pub waiting: u64,
    /// Of these, how many were tried three times or more.
    pub stuck: u64,
}

/// How the file's database is doing.
pub fn pulse_of(path: &Path) -> Result<Pulse, StoreError> {
    let conn = schema::open_reader(path)?;
    schema::version(&conn)?;
    let last_at = conn.query_row("SELECT coalesce(max(last_at), 0) FROM tree", [], |r| r.get(0))?;
    let count = "SELECT count(*), coalesce(sum(tries >= 3), 0) FROM outbox";
    let (waiting, stuck): (i64, i64) = conn.query_row(count, [], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let whole = |n| u64::try_from(n).unwrap_or(0);
    Ok(Pulse { last_at, waiting: whole(waiting), stuck: whole(stuck) })
}

/// The register as it stands in the file.
pub fn register_of(path: &Path) -> Result<Register, StoreError> {
    read_register(&schema::open_reader(path)?)
}

/// The policy in force (no proposal) and those that are proposed, with their texts as they stand in the file; a text that is not there is empty.
pub fn policies_of(path: &Path) -> Result<Vec<(Option<ProposalId>, String)>, StoreError> {
    let conn = schema::open_reader(path)?;
    let register = read_register(&conn)?;
    let proposed = register.proposals.values().filter_map(|p| match &p.change {
        RegisterChange::SetPolicy { policy, .. } => Some((Some(p.id.clone()), *policy)),
        _ => None,
    });
    let all = register.policy.iter().map(|policy| (None, *policy)).chain(proposed);
    all.map(|(proposal, policy)| Ok((proposal, reads::policy(&conn, &policy)?.unwrap_or_default()))).collect()
}

/// Mailboxes that are more than one person's, and addresses of subjects that are somebody else's mailbox.
pub fn shared_mailboxes(path: &Path, now: Time) -> Result<Shared, StoreError> {
    let mut conn = schema::open_reader(path)?;
    let tx = conn.transaction()?;
    let register = read_register(&tx)?;
    mailboxes::shared(&tx, &register, now)
}

/// Those of some persons for whom no mail address is recorded.
pub fn without_mail(path: &Path, persons: &BTreeSet<PersonId>) -> Result<Vec<PersonId>, StoreError> {
    let mut conn = schema::open_reader(path)?;
    let tx = conn.transaction()?;
    schema::version(&tx)?;
    let mut has = tx.prepare("SELECT count(*) FROM people WHERE id = ?1 AND email IS NOT NULL")?;
    let mut without = Vec::new();
    for person in persons {
        if has.query_row([person.as_str()], |r| r.get::<_, i64>(0))? == 0 {
            without.push(person.clone());
        }
    }
    Ok(without)
}

/// How many of a kind are too young to prove anything now, and when the last one of these is old enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Young {
    /// How many.
    pub count: u64,
    /// When the last of those with a date is old enough.
    pub until: Option<Time>,
    /// Of how many nobody knows since when they are recorded: they never are, until they are recorded anew.
    pub undated: u64,
}

/// What is younger than the policy in force asks for: people's mailboxes, managers of subjects, and sets of saved codes.
pub fn too_young(path: &Path, now: Time) -> Result<[Young; 3], StoreError> {
    let conn = schema::open_walker(path)?;
    let text = read_register(&conn)?.policy.map(|digest| reads::policy(&conn, &digest)).transpose()?.flatten();
    let Some(policy) = text.and_then(|text| Policy::parse(&text).ok()) else { return Ok([Young::default(); 3]) };
    let age = policy.bundle.base.min_endpoint_age.duration();
    let young = |rows: &str| -> Result<Young, StoreError> {
        let sql = format!("SELECT count(*), max(since), count(*) - count(since) FROM ({rows}) WHERE since IS NULL OR since > ?1");
        let (count, last, undated): (i64, Option<i64>, i64) = conn.query_row(&sql, [millis(now - age)], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        let [count, undated] = [count, undated].map(|n| u64::try_from(n).unwrap_or(0));
        Ok(Young { count, until: last.map(time).transpose()?.map(|last| last + age), undated })
    };
    Ok([
        young("SELECT since FROM people WHERE mailbox IS NOT NULL")?,
        young(
            "SELECT coalesce(unixepoch(json_extract(body, '$.manager_since')) * 1000, since) AS since FROM subjects
             WHERE json_extract(body, '$.manager') IS NOT NULL",
        )?,
        young("SELECT max(since) AS since FROM saved_codes WHERE used = 0 GROUP BY subject")?,
    ])
}

pub(super) fn read_register(conn: &rusqlite::Connection) -> Result<Register, StoreError> {
    schema::version(conn)?;
    let body: String = conn.query_row("SELECT body FROM register WHERE id = 0", [], |r| r.get(0))?;
    serde_json::from_str(&body).map_err(|e| StoreError::Damaged(format!("the register: {e}")))
}

/// What there is to try a policy on.
pub fn survey(path: &Path) -> Result<Survey, StoreError> {
    let mut conn = schema::open_reader(path)?;
    let register = read_register(&conn)?;
    let policy = match &register.policy {
        Some(digest) => reads::policy(&conn, digest)?,
        None => None,
    };
    let keys: Vec<i64> = {
        let mut statement = conn.prepare("SELECT id FROM cases ORDER BY id DESC LIMIT ?1")?;
        statement.query_map([MAX_SURVEY], |r| r.get(0))?.collect::<Result<_, _>>()?
    };
    let mut cases = Vec::with_capacity(keys.len());
    for id in keys.into_iter().filter_map(CaseId::from_key) {
        let Some(case) = reads::fold(&conn, id)? else { continue };
        let subject: Option<Subject> = reads::subject(&mut conn, &case.route.subject)?.map(|record| Subject::clone(&record.subject));
        cases.extend(subject.map(|subject| Facts::of(&subject, &case.route, &case.flags)));
    }
    Ok(Survey { register, policy, cases })
}

/// How far what is recorded is old enough to be gone by in a request made now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ages {
    /// Policy's minimum age.
    pub least: Seconds,
    /// Subjects with saved codes that are good.
    pub sets: u64,
    /// Those of them whose codes are old enough.
    pub old_sets: u64,
    /// Subjects with a scope that is too young to be given back.
    pub young_scopes: u64,
    /// Subjects judged by what their record said before, too.
    pub former: u64,
}

/// How old it is; nothing before the register was founded.
pub fn ages_of(path: &Path, now: Time) -> Result<Option<Ages>, StoreError> {
    let mut conn = schema::open_reader(path)?;
    let tx = conn.transaction()?;
    let text = read_register(&tx)?.policy.map(|digest| reads::policy(&tx, &digest)).transpose()?.flatten();
    let Some(policy) = text.and_then(|text| Policy::parse(&text).ok()) else { return Ok(None) };
    let least = policy.bundle.base.min_endpoint_age;
    let since = now - least.duration();
    let sql = "SELECT count(*), coalesce(sum(old), 0) FROM (SELECT max(since) <= ?1 AS old FROM saved_codes WHERE used = 0 GROUP BY subject)";
    let (sets, old): (i64, i64) = tx.query_row(sql, [since.timestamp_millis()], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let whole = |n| u64::try_from(n).unwrap_or(0);
    let mut ages = Ages { least, sets: whole(sets), old_sets: whole(old), ..Ages::default() };
    let mut statement = tx.prepare("SELECT body FROM subjects WHERE body LIKE '%\"history\"%'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let subject: Subject = from_json("a subject", &row.get::<_, String>(0)?)?;
        ages.young_scopes += u64::from(subject.history.scopes.values().flat_map(|scopes| scopes.values()).any(|at| *at > since));
        ages.former += u64::from(subject.history.former.iter().any(|was| was.until > since));
    }
    Ok(Some(ages))
}
