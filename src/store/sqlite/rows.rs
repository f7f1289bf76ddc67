//! A case's row in lists, as columns: words as numbers, sort keys, the words found by full text, and the next time something is due.
//!
//! Contract: what is written reads back equal. Sort keys are all ascending integers, so that one kind of keyset serves every order.
//! Knows nothing about transactions or questions.

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};

use super::commit::int;
use super::found;
use crate::base::ids::{CaseId, OperatorId, SubjectId};
use crate::base::{Time, Untrusted};
use crate::domain::case::{Case, Grant};
use crate::domain::view::{CaseRow, Sort};
use crate::domain::vocabulary::{Action, CaseState, Channel, Path, Risk, SubjectKind, Tier, WaitingOn};
use crate::store::StoreError;

/// A word's place in its list, which is how a column holds it.
pub(super) trait Ordinal: Copy + 'static {
    /// Every word, in order.
    const LIST: &'static [Self];
    /// Its place.
    fn ordinal(self) -> i64;
    /// The word at a place.
    fn at(place: i64) -> Option<Self> {
        Self::LIST.get(usize::try_from(place).ok()?).copied()
    }
}

macro_rules! ordinals {
    ($($name:ty),+ $(,)?) => {$(
        impl Ordinal for $name {
            const LIST: &'static [Self] = Self::ALL;
            fn ordinal(self) -> i64 { self as i64 }
        }
    )+};
}

ordinals!(
    Action,
    CaseState,
    Channel,
    Path,
    Risk,
    SubjectKind,
    Tier,
    WaitingOn,
    crate::domain::vocabulary::Duty,
    crate::domain::vocabulary::Decision,
    crate::domain::vocabulary::FlagKind
);

/// The key of a case without a due time: after all others.
pub(super) const NEVER: i64 = i64::MAX;

pub(super) fn millis(time: Time) -> i64 {
    time.timestamp_millis()
}

pub(super) fn time(millis: i64) -> Result<Time, StoreError> {
    chrono::DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::Damaged(format!("{millis} is no time")))
}

/// The key by due time: soonest first, none last.
pub(super) fn key_due(due: Option<Time>) -> i64 {
    due.map_or(NEVER, millis)
}

/// The key by risk: highest first, then by due time. 44 bits of milliseconds reach to the year 2527.
pub(super) fn key_risk(risk: Risk, due: Option<Time>) -> i64 {
    const BITS: u32 = 44;
    let last = (1_i64 << BITS) - 1;
    let rank = match risk {
        Risk::High => 0_i64,
        Risk::Medium => 1,
        Risk::Low => 2,
    };
    (rank << BITS) | due.map_or(last, |d| millis(d).clamp(0, last - 1))
}

/// A sort order's column.
pub(super) const fn column(sort: Sort) -> &'static str {
    match sort {
        Sort::Due => "k_due",
        Sort::Risk => "k_risk",
        Sort::Opened => "k_opened",
        Sort::Updated => "k_updated",
    }
}

/// A row's key in a sort order.
pub(super) fn key(sort: Sort, row: &CaseRow) -> i64 {
    match sort {
        Sort::Due => key_due(row.due),
        Sort::Risk => key_risk(row.risk, row.due),
        Sort::Opened => -millis(row.opened_at),
        Sort::Updated => -millis(row.updated_at),
    }
}

/// Letters as people type them: lower case, Latin letters without their marks, so that `zoe` finds `Zoë`.
pub(super) fn fold(text: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => 'c',
        'ď' | 'đ' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ĝ' | 'ġ' => 'g',
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => 'i',
        'ł' | 'ľ' | 'ĺ' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' | 'ŕ' => 'r',
        'ś' | 'š' | 'ş' | 'ș' => 's',
        'ť' | 'ţ' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ž' | 'ż' => 'z',
        other => other,
    };
    text.chars().flat_map(char::to_lowercase).map(plain).collect()
}

/// The words of a text, for looking up. At most 32.
pub(super) fn words(text: &str) -> Vec<String> {
    fold(text).split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(32).map(str::to_owned).collect()
}

/// Beginnings of words that the index of words keeps lists of: in letters, as the migration says.
const BEGINNING: std::ops::RangeInclusive<usize> = 2..=6;

/// What the index of words is asked to find words, each with that mark before it: as far as it keeps their beginnings. What is longer is
/// compared in the rows.
pub(super) fn beginnings(mark: &str, words: &[String]) -> Vec<String> {
    let marked = words.iter().map(|w| mark.chars().chain(w.chars()).take(*BEGINNING.end()).collect::<String>());
    marked.filter(|w| w.chars().count() >= *BEGINNING.start()).map(|w| format!("\"{w}\"*")).collect()
}

/// A word of the vocabulary that the index of words knows as a mark: a letter for private use, which nobody's text can hold, because
/// [`words`] are letters and digits.
pub(super) trait Tagged: Ordinal {
    /// Where this list's marks begin.
    const BASE: u32;
    /// The mark.
    fn tag(self) -> char {
        u32::try_from(self.ordinal()).ok().and_then(|place| char::from_u32(Self::BASE + place)).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

macro_rules! tagged {
    ($($name:ty = $base:literal),+ $(,)?) => {$(impl Tagged for $name { const BASE: u32 = $base; })+};
}

// Sixty-four places each.
tagged!(Action = 0xE000, Path = 0xE040, SubjectKind = 0xE080, Tier = 0xE0C0, Risk = 0xE100, Channel = 0xE140);

/// The mark before each word of a case that has not ended.
pub(super) const OPEN: &str = "\u{E180}";

/// The words of a case: a blank before each, so that a word's beginning can also be looked for without the index; and the marks of what the
/// case is, so that those of a rare kind are found among a million.
pub(super) fn words_of(row: &CaseRow, target: &str) -> String {
    let texts = [row.subject_name.raw(), row.subject.as_str(), target];
    let mut out: String = texts.iter().flat_map(|t| words(t)).flat_map(|w| [" ".to_owned(), w]).collect();
    out.extend([" ".to_owned(), row.id.number().to_string(), format!(" {:06}", row.id.number())]);
    let marks = [row.action.tag(), row.path.tag(), row.kind.tag(), row.tier.tag(), row.risk.tag(), row.channel.tag()];
    out.extend(marks.into_iter().flat_map(|mark| [' ', mark]));
    out
}

/// The document that the index has of a case with those words: open cases, of which there are far fewer, are words of their own.
fn document_of(words: &str, open: bool) -> Cow<'_, str> {
    if open { words.replace(' ', &format!(" {OPEN}")).into() } else { words.into() }
}

/// Whether the target still holds a grant, as far as is known.
pub(super) fn lives(grant: &Grant) -> bool {
    grant.revoked_at.is_none()
}

fn small(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The columns that counters are kept of, before or after a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weights {
    pub(super) open: i64,
    pub(super) held: i64,
    pub(super) grants: i64,
}

/// A column and what goes into it.
type Put<'a> = (&'static str, ValueRef<'a>);

fn whole(value: impl Into<i64>) -> ValueRef<'static> {
    ValueRef::Integer(value.into())
}

fn text(value: Option<&str>) -> ValueRef<'_> {
    value.map_or(ValueRef::Null, |v| ValueRef::Text(v.as_bytes()))
}

/// The columns that no index and no counter stands on.
fn plain<'a>(row: &'a CaseRow, case: &'a Case) -> Vec<Put<'a>> {
    vec![
        ("version", whole(int(case.version))),
        ("risk", whole(row.risk.ordinal())),
        ("action", whole(row.action.ordinal())),
        ("path", whole(row.path.ordinal())),
        ("channel", whole(row.channel.ordinal())),
        ("kind", whole(row.kind.ordinal())),
        ("tier", whole(row.tier.ordinal())),
        ("waiting_on", whole(row.waiting_on.ordinal())),
        ("proof_done", whole(row.proof_done)),
        ("proof_needed", whole(row.proof_needed)),
        ("missing", whole(row.approvals_missing)),
        ("subject_name", text(Some(row.subject_name.raw()))),
        ("target", text(Some(case.route.target.as_str()))),
        ("seal", case.seal.as_ref().map_or(ValueRef::Null, |s| ValueRef::Blob(s.sha256.as_bytes()))),
        ("changed", whole(int(case.changed))),
        ("flag_kinds", whole(found::bits(&row.flag_kinds))),
    ]
}

/// The columns that indexes and counters stand on, in the order in which [`BEFORE`] reads them.
fn keyed<'a>(row: &'a CaseRow, case: &Case, words: &'a str) -> [Put<'a>; 13] {
    [
        ("words", text(Some(words))),
        ("ended", whole(row.state.is_ended())),
        ("held", whole(row.held)),
        ("grants", whole(small(case.grants.iter().filter(|g| lives(g)).count()))),
        ("state", whole(row.state.ordinal())),
        ("flags", whole(row.flags)),
        ("assignee", text(row.assignee.as_ref().map(OperatorId::as_str))),
        ("k_due", whole(key_due(row.due))),
        ("k_risk", whole(key_risk(row.risk, row.due))),
        ("k_opened", whole(-millis(row.opened_at))),
        ("k_updated", whole(-millis(row.updated_at))),
        ("next_due", case.next_due().map_or(ValueRef::Null, |t| whole(millis(t)))),
        ("subject", text(Some(row.subject.as_str()))),
    ]
}

const BEFORE: &str = "SELECT words, ended, held, grants, state, flags, assignee, k_due, k_risk, k_opened, k_updated, next_due, subject
  FROM cases WHERE id = ?1";

/// What was there before: its weights, its words if the index of words has another document now, and which of the keyed columns hold something else now.
struct Before<'a> {
    weights: Weights,
    words: Option<String>,
    changed: Vec<Put<'a>>,
}

fn before<'a>(conn: &Connection, id: i64, now: &[Put<'a>]) -> rusqlite::Result<Option<Before<'a>>> {
    let mut get = conn.prepare_cached(BEFORE)?;
    let mut rows = get.query([id])?;
    let Some(r) = rows.next()? else { return Ok(None) };
    let weights = Weights { open: 1 - r.get::<_, i64>(1)?, held: r.get(2)?, grants: r.get(3)? };
    let mut changed = Vec::new();
    for (i, (name, value)) in now.iter().enumerate() {
        if r.get_ref(i)? != *value {
            changed.push((*name, *value));
        }
    }
    let words = if changed.iter().any(|c| matches!(c.0, "words" | "ended")) { Some(r.get(0)?) } else { None };
    Ok(Some(Before { weights, words, changed }))
}

fn insert(conn: &Connection, columns: &[Put<'_>]) -> rusqlite::Result<usize> {
    let names: Vec<&str> = columns.iter().map(|c| c.0).collect();
    let places = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO cases ({}) VALUES ({places})", names.join(", "));
    conn.prepare_cached(&sql)?.execute(params_from_iter(columns.iter().map(|c| ToSqlOutput::Borrowed(c.1))))
}

/// Changes a row. The engine writes every index that stands on a named column, changed or not: so only what changed is named.
fn update(conn: &Connection, columns: &[Put<'_>]) -> rusqlite::Result<usize> {
    let mut sql = String::with_capacity(512);
    for (name, _) in columns.iter().skip(1) {
        sql.push_str(if sql.is_empty() { "UPDATE cases SET " } else { ", " });
        sql.push_str(name);
        sql.push_str(" = ?");
    }
    sql.push_str(" WHERE id = ?");
    let (id, others) = columns.split_at(1);
    conn.prepare_cached(&sql)?.execute(params_from_iter(others.iter().chain(id).map(|c| ToSqlOutput::Borrowed(c.1))))
}

/// Writes a case's row, and gives what that changes in the counters.
pub(super) fn put(conn: &Connection, row: &CaseRow, case: &Case) -> rusqlite::Result<Weights> {
    let id = row.id.key();
    let words = words_of(row, case.route.target.as_str());
    let document = document_of(&words, !row.state.is_ended());
    let keyed = keyed(row, case, &words);
    let old = before(conn, id, &keyed)?;
    let mut columns = vec![("id", ValueRef::Integer(id))];
    columns.extend(plain(row, case));
    let was = if let Some(old) = old {
        columns.extend(old.changed);
        update(conn, &columns)?;
        if let Some(was) = old.words {
            put_words(conn, "case_words", id, Some(&document_of(&was, old.weights.open == 1)), &document)?;
        }
        old.weights
    } else {
        columns.extend(keyed);
        insert(conn, &columns)?;
        put_words(conn, "case_words", id, None, &document)?;
        Weights::default()
    };
    let weights = |name: &str| keyed.iter().find(|c| c.0 == name).and_then(|c| c.1.as_i64().ok()).unwrap_or(0);
    Ok(Weights { open: 1 - weights("ended") - was.open, held: weights("held") - was.held, grants: weights("grants") - was.grants })
}

/// Brings a document of a contentless index up to date.
pub(super) fn put_words(conn: &Connection, index: &str, id: i64, old: Option<&str>, new: &str) -> rusqlite::Result<()> {
    if old == Some(new) {
        return Ok(());
    }
    if let Some(old) = old {
        conn.prepare_cached(&format!("INSERT INTO {index} ({index}, rowid, words) VALUES ('delete', ?1, ?2)"))?.execute(params![id, old])?;
    }
    conn.prepare_cached(&format!("INSERT INTO {index} (rowid, words) VALUES (?1, ?2)"))?.execute(params![id, new])?;
    Ok(())
}

/// The columns [`get`] reads, in its order.
pub(super) const COLUMNS: &str = "c.id, c.changed, c.subject, c.subject_name, c.kind, c.tier, c.action, c.path, c.channel, c.state, c.held, c.risk,
  c.proof_done, c.proof_needed, c.waiting_on, c.missing, c.assignee, c.k_due, c.k_opened, c.k_updated, c.flags, c.flag_kinds";

/// Reads a case's row.
pub(super) fn get(r: &Row) -> Result<CaseRow, StoreError> {
    let key: i64 = r.get(0)?;
    let id = CaseId::from_key(key).ok_or_else(|| StoreError::Damaged(format!("{key} is no case number")))?;
    let text = |i: usize| r.get_ref(i)?.as_str().map_err(rusqlite::Error::from);
    let wrong = |what: &dyn std::fmt::Display| StoreError::Damaged(format!("the row of {id}: {what}"));
    let due: i64 = r.get(17)?;
    Ok(CaseRow {
        id,
        version: u64::try_from(r.get::<_, i64>(1)?).map_err(|e| wrong(&e))?,
        subject: SubjectId::parse(text(2)?).map_err(|e| wrong(&e))?,
        subject_name: Untrusted::from(text(3)?),
        kind: word(r, 4)?,
        tier: word(r, 5)?,
        action: word(r, 6)?,
        path: word(r, 7)?,
        channel: word(r, 8)?,
        state: word(r, 9)?,
        held: r.get(10)?,
        risk: word(r, 11)?,
        proof_done: r.get(12)?,
        proof_needed: r.get(13)?,
        waiting_on: word(r, 14)?,
        approvals_missing: r.get(15)?,
        assignee: r.get_ref(16)?.as_str_or_null().map_err(rusqlite::Error::from)?.map(OperatorId::parse).transpose().map_err(|e| wrong(&e))?,
        due: if due == NEVER { None } else { Some(time(due)?) },
        opened_at: time(-r.get::<_, i64>(18)?)?,
        updated_at: time(-r.get::<_, i64>(19)?)?,
        flags: r.get(20)?,
        flag_kinds: found::kinds(r.get(21)?),
    })
}

fn word<T: Ordinal>(r: &Row, i: usize) -> Result<T, StoreError> {
    let place: i64 = r.get(i)?;
    T::at(place).ok_or_else(|| StoreError::Damaged(format!("a row holds the unknown word {place}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes<T: Ordinal + std::fmt::Debug>() -> String {
        let word = |(i, w): (usize, &T)| {
            assert_eq!(w.ordinal(), i64::try_from(i).unwrap());
            format!("{w:?}")
        };
        T::LIST.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    }

    /// Columns hold places: a new word goes to the end of its list, or a migration rewrites the columns.
    #[test]
    fn words_keep_their_places() {
        let lists = [
            codes::<Action>(),
            codes::<CaseState>(),
            codes::<Channel>(),
            codes::<Path>(),
            codes::<Risk>(),
            codes::<SubjectKind>(),
            codes::<Tier>(),
            codes::<WaitingOn>(),
            codes::<crate::domain::vocabulary::Duty>(),
            codes::<crate::domain::vocabulary::Decision>(),
            codes::<crate::domain::vocabulary::FlagKind>(),
        ];
        insta::assert_snapshot!(lists.join("\n"), @r"
        PasswordReset AccountUnlock AccountReactivation MfaReenrolment RecoveryCodeReissue TokenReissue ApiKeyReissue SecretRotation SecretRevocation WorkloadRebind CertificateReplacement ControlPlaneAccess JitAccess EmergencyAccess
        New Proofing Sealed Approved Executing Restored Closed Denied Withdrawn Expired NoChangeNeeded Failed RolledBack
        Phone Chat Email Ticket Portal Api
        SelfService Assisted Runbook BreakGlass
        Low Medium High
        Employee Contractor Executive PrivilegedAdmin ThirdParty ServiceAccount ApiKey WorkloadIdentity Certificate AiAgent
        Standard Elevated Privileged
        Agent Subject Attester Approval Delay Execution Security Review Nobody
        Subject Requester Router Prover EvidenceEditor Sealer AutomationOwner AutomationSponsor ActedFor SubjectOwner Delegation RuleAuthor ProofStarter
        Approve Deny
        RepeatRequest Pressure OffHours OddPair NoOwner NoInventory SuspectedCompromise Deadlock FreshAddress LookAlike Unreachable
        ");
    }

    #[test]
    fn keys_sort_as_the_orders_say() {
        let at = |m| chrono::DateTime::from_timestamp_millis(m);
        assert!(key_due(at(5)) < key_due(at(6)) && key_due(at(6)) < key_due(None));
        assert!(key_risk(Risk::High, None) < key_risk(Risk::Medium, at(0)));
        assert!(key_risk(Risk::Low, at(7)) < key_risk(Risk::Low, None));
    }

    #[test]
    fn letters_are_folded_as_people_type_them() {
        assert_eq!(words("Zoë Ångström-日本 m.okafor"), ["zoe", "angstrom", "日本", "m", "okafor"]);
    }
}
