//! `doctor`: recomputes the tree from the entries' bytes, folds every case and the register again, and compares with what is stored.
//!
//! Contract: reads one moment of the store, changes nothing, and names every row that differs, up to [`MOST`]; rows beside the log are
//! compared in `beside`. What depends on policy (risk, proofs needed, approvals missing) is not in the entries and is not compared. Holds
//! one case at a time, the register, and what is said of subjects in a scratch database: memory does not grow with the log.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::beside::Said;
use super::duties::via;
use super::rows::{self, Ordinal as _, millis};
use super::vault::Vault;
use crate::base::ids::{CaseId, SubjectId};
use crate::base::{Digest, Time};
use crate::domain::case::Case;
use crate::domain::event::{Body, CaseEvent, Entry, RegisterEvent};
use crate::domain::register::Register;
use crate::log::{Frontier, leaf_hash};
use crate::store::StoreError;

/// The most differences that are named.
const MOST: usize = 100;
/// After so many entries or cases progress is told.
const STEP: u64 = 4_096;

pub(super) struct Verify<'a> {
    pub(super) conn: &'a Connection,
    /// Opens texts; without it only their places are compared.
    pub(super) vault: Option<&'a Vault>,
    progress: &'a dyn Fn(u64, u64),
    done: u64,
    of: u64,
    found: Vec<String>,
    /// What the counters should say.
    counted: rows::Weights,
    /// Duty rows that entries account for, by table.
    duties: [i64; 5],
    /// What the log says was recorded of subjects, last.
    pub(super) subjects: Said,
    /// Policies that the log names.
    pub(super) policies: BTreeSet<Digest>,
    /// Whose saved codes were issued, and when last.
    pub(super) codes: BTreeMap<SubjectId, Time>,
    /// Texts that entries account for and that are there.
    pub(super) texts: i64,
}

/// The tables of duty rows of which every row is accounted for by an entry. Lineage and links have rows of the store's own beside.
const DUTIES: [&str; 5] = ["routes", "seals", "approvals", "voids", "executions"];

/// Every difference found.
pub(super) fn verify(conn: &Connection, vault: Option<&Vault>, progress: &dyn Fn(u64, u64)) -> Result<Vec<String>, StoreError> {
    looked(conn, vault, (2, progress), |v, register| {
        v.cases()?;
        v.beside(register)?;
        v.totals()
    })
}

/// Of these what one pass over the entries shows: that log and tree are as they were written, and what the register is made of. No case is looked at.
pub(super) fn verify_log(conn: &Connection, progress: &dyn Fn(u64, u64)) -> Result<Vec<String>, StoreError> {
    looked(conn, None, (1, progress), |_, _| Ok(()))
}

fn looked(
    conn: &Connection,
    vault: Option<&Vault>,
    (passes, progress): (u64, &dyn Fn(u64, u64)),
    further: impl FnOnce(&mut Verify<'_>, &Register) -> Result<(), StoreError>,
) -> Result<Vec<String>, StoreError> {
    let tx = conn.unchecked_transaction()?;
    let number = |sql: &str| tx.query_row(sql, [], |r| r.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or(0));
    let of = number("SELECT count(*) FROM entries")? * passes;
    let mut v = Verify {
        conn: &tx,
        vault,
        progress,
        done: 0,
        of,
        found: Vec::new(),
        counted: rows::Weights::default(),
        duties: [0; 5],
        subjects: Said::new()?,
        policies: BTreeSet::new(),
        codes: BTreeMap::new(),
        texts: 0,
    };
    v.made()?;
    let register = v.log()?;
    further(&mut v, &register)?;
    progress(of, of);
    v.found.truncate(MOST);
    Ok(v.found)
}

impl Verify<'_> {
    pub(super) fn differs(&mut self, what: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(what.into());
        }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(STEP) {
            (self.progress)(self.done, self.of);
        }
    }

    /// Bytes, leaves, places and the root; the register's entries are folded on the way.
    fn log(&mut self) -> Result<Register, StoreError> {
        let (mut tree, mut register) = (Frontier::default(), Register::default());
        let mut statement = self.conn.prepare("SELECT seq, bytes, leaf, case_key, version FROM entries ORDER BY seq")?;
        let mut found = statement.query([])?;
        while let Some(r) = found.next()? {
            let seq: i64 = r.get(0)?;
            let bytes = r.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let leaf = leaf_hash(bytes);
            if u64::try_from(seq).ok() != Some(tree.size()) {
                self.differs(format!("entry {seq}: stands where entry {} should", tree.size()));
            }
            if r.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)? != leaf.as_bytes() {
                self.differs(format!("entry {seq}: its bytes are not those that were hashed"));
            }
            tree.append(leaf);
            if r.get::<_, Option<i64>>(3)?.is_none() {
                self.register_entry(&mut register, seq, bytes, r.get(4)?)?;
            }
            self.step();
        }
        self.tree(&tree)?;
        // As bytes: what is no text any more differs as well.
        let sql = "SELECT CAST(body AS BLOB) FROM register WHERE id = 0";
        let kept: Option<Vec<u8>> = self.conn.query_row(sql, [], |r| r.get(0)).optional()?;
        let kept: Register = kept.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        if kept != register {
            self.differs("the register: its row is not what its entries make");
        }
        self.accounts(&register)?;
        Ok(register)
    }

    fn register_entry(&mut self, register: &mut Register, seq: i64, bytes: &[u8], version: i64) -> Result<(), StoreError> {
        let Ok(Entry { seq: own, at, body: Body::Register { version: said, event }, .. }) = serde_json::from_slice(bytes) else {
            self.differs(format!("entry {seq}: can't be read as an entry of the register"));
            return Ok(());
        };
        self.notes(&event, at)?;
        let quiet = matches!(
            event,
            RegisterEvent::Refused { .. }
                | RegisterEvent::RefusedMany { .. }
                | RegisterEvent::StrangersRefused { .. }
                | RegisterEvent::SubjectsRead { .. }
        );
        if !(quiet && said == register.version) {
            register.apply(&event, at);
        }
        if i64::try_from(own) != Ok(seq) || i64::try_from(said) != Ok(version) || said != register.version {
            self.differs(format!("entry {seq}: says that it is entry {own}, version {said} of the register"));
        }
        Ok(())
    }

    fn tree(&mut self, tree: &Frontier) -> Result<(), StoreError> {
        let sql = "SELECT size, root, frontier FROM tree WHERE id = 0";
        let kept: Option<(i64, Vec<u8>, Vec<u8>)> = self.conn.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?;
        let (size, root, frontier) = kept.unwrap_or_else(|| (0, tree.root().as_bytes().to_vec(), Vec::new()));
        if i64::try_from(tree.size()) != Ok(size) {
            self.differs(format!("the tree: it counts {size} entries, the log holds {}", tree.size()));
        } else if root != tree.root().as_bytes() || frontier != tree.to_bytes() {
            self.differs("the tree: the entries have another root than the one that is kept");
        }
        Ok(())
    }

    fn accounts(&mut self, register: &Register) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare("SELECT operator, person FROM accounts")?;
        let kept = statement.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
        let kept: std::collections::BTreeMap<String, String> = kept.collect::<Result<_, _>>()?;
        for (id, operator) in &register.operators {
            if kept.get(id.as_str()).map(String::as_str) != Some(operator.person.as_str()) {
                self.differs(format!("account {id}: is filed under another person than the register says"));
            }
        }
        if kept.len() != register.operators.len() {
            self.differs(format!("accounts: {} are filed, the register has {}", kept.len(), register.operators.len()));
        }
        Ok(())
    }

    /// Every case that has entries or a row.
    fn cases(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT min(k) FROM (SELECT min(case_key) AS k FROM entries WHERE case_key > ?1 UNION ALL SELECT min(id) FROM cases WHERE id > ?1)";
        let mut next = self.conn.prepare(sql)?;
        let mut last = -1_i64;
        while let Some(key) = next.query_row([last], |r| r.get::<_, Option<i64>>(0))? {
            last = key;
            match CaseId::from_key(key) {
                Some(id) => self.case(id)?,
                None => self.differs(format!("case {key}: is no case number")),
            }
        }
        Ok(())
    }

    fn case(&mut self, id: CaseId) -> Result<(), StoreError> {
        let sql = "SELECT seq, bytes, version FROM entries WHERE case_key = ?1 ORDER BY version";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut found = statement.query([id.key()])?;
        let (mut case, mut texts): (Option<Case>, _) = (None, self.texts_of(id)?);
        let mut version = 0_u64;
        while let Some(r) = found.next()? {
            self.step();
            version += 1;
            let seq: i64 = r.get(0)?;
            let entry: Result<Entry, _> = serde_json::from_slice(r.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
            let Ok(Entry { seq: own, at, actor, body: Body::Case { case: of, version: said, event }, .. }) = entry else {
                self.differs(format!("entry {seq}: can't be read as an entry of {id}"));
                continue;
            };
            if i64::try_from(own) != Ok(seq) || of != id || said != version || r.get::<_, i64>(2)? != i64::try_from(said).unwrap_or(-1) {
                self.differs(format!("entry {seq}: is filed as version {version} of {id} and says that it is entry {own}, version {said} of {of}"));
            }
            self.duty_rows(id, &event, seq)?;
            self.hand(id, &actor, &event, case.as_ref().is_some_and(|c| c.hold.is_some()))?;
            if let Some(text) = event.text() {
                self.text(text, &mut texts)?;
            }
            case = Case::apply(case, id, &event, at);
            if let Some(case) = &case {
                self.route_row(case, &event, at, seq)?;
            }
        }
        if let Some(case) = case {
            self.orders(&case)?;
            self.reaches(&case)?;
            return self.row(&case);
        }
        self.differs(format!("case {id}: has a row and no entries"));
        Ok(())
    }

    /// Whether each row that an event accounts for is there, as it should be.
    fn duty_rows(&mut self, id: CaseId, event: &CaseEvent, seq: i64) -> Result<(), StoreError> {
        let key = Value::from(id.key());
        let text = |t: &str| Value::from(t.to_owned());
        match event {
            CaseEvent::Opened { linked, .. } => {
                for l in linked {
                    self.row_of(
                        usize::MAX,
                        "links",
                        "case_key = ?1 AND linked = ?2",
                        vec![key.clone(), l.key().into()],
                        &format!("link of {id} to {l}"),
                    )?;
                }
            }
            CaseEvent::LineageGrew { lineage, .. } => {
                for e in lineage {
                    let values = vec![
                        key.clone(),
                        text(e.person.as_str()),
                        e.duty.ordinal().into(),
                        via(e.via.as_ref()).into(),
                        e.case.map_or(0, CaseId::key).into(),
                    ];
                    let sql = "case_key = ?1 AND person = ?2 AND duty = ?3 AND via = ?4 AND from_case = ?5";
                    self.row_of(usize::MAX, "lineage", sql, values, &format!("lineage of {id}: {} as {}", e.person, e.duty.code()))?;
                }
            }
            CaseEvent::Sealed { seal, .. } => {
                let values = vec![key, i64::from(seal.revision).into(), seal.sha256.as_bytes().to_vec().into(), seq.into()];
                let sql = "case_key = ?1 AND revision = ?2 AND sha256 = ?3 AND seq = ?4";
                self.row_of(1, "seals", sql, values, &format!("seal {} of {id}", seal.revision))?;
            }
            CaseEvent::Decided { approval: a } => {
                let (times, decision) = ((millis(a.at), millis(a.valid_until)), a.decision.ordinal());
                let mut values =
                    vec![text(a.id.as_str()), key, a.seal.as_bytes().to_vec().into(), text(a.person.as_str()), text(a.operator.as_str())];
                values.extend([decision.into(), times.0.into(), times.1.into(), seq.into()]);
                let sql = "id = ?1 AND case_key = ?2 AND seal = ?3 AND person = ?4 AND operator = ?5 AND decision = ?6 AND at = ?7 AND valid_until = ?8 AND seq = ?9";
                self.row_of(2, "approvals", sql, values, &format!("approval {} of {id}", a.id))?;
            }
            CaseEvent::ApprovalsVoided { approvals, .. } => {
                for a in approvals {
                    self.row_of(3, "voids", "approval = ?1", vec![text(a.as_str())], &format!("the voiding of approval {a} of {id}"))?;
                }
            }
            CaseEvent::ExecutionStarted { execution: e } => {
                let values = vec![key, i64::from(e.attempt).into(), e.seal.as_bytes().to_vec().into(), millis(e.started_at).into(), seq.into()];
                let sql = "case_key = ?1 AND attempt = ?2 AND seal = ?3 AND at = ?4 AND seq = ?5";
                self.row_of(4, "executions", sql, values, &format!("execution {} of {id}", e.attempt))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the case goes from here on, by which the database knows what was sealed before.
    fn route_row(&mut self, case: &Case, event: &CaseEvent, at: Time, seq: i64) -> Result<(), StoreError> {
        if !matches!(event, CaseEvent::Opened { .. } | CaseEvent::Routed { .. } | CaseEvent::Reopened { .. }) {
            return Ok(());
        }
        self.policies.insert(case.policy);
        let route = &case.route;
        let mut values = vec![case.id.key().into(), seq.into(), millis(at).into(), case.policy.as_bytes().to_vec().into()];
        values.extend([route.subject.as_str().to_owned().into(), route.action.ordinal().into(), route.path.ordinal().into()]);
        let sql = "case_key = ?1 AND seq = ?2 AND at = ?3 AND policy = ?4 AND subject = ?5 AND action = ?6 AND path = ?7";
        self.row_of(0, "routes", sql, values, &format!("route {seq} of {}", case.id))?;
        let values = vec![route.subject.as_str().to_owned().into(), route.target.as_str().to_owned().into(), case.id.key().into()];
        let sql = "subject = ?1 AND target = ?2 AND case_key = ?3";
        self.row_of(usize::MAX, "went", sql, values, &format!("{} as a case of {}", case.id, route.target))
    }

    fn row_of(&mut self, duty: usize, table: &str, wheres: &str, values: Vec<Value>, what: &str) -> Result<(), StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {wheres})");
        let there: bool = self.conn.prepare_cached(&sql)?.query_row(params_from_iter(values), |r| r.get(0))?;
        if let Some(count) = self.duties.get_mut(duty) {
            *count += 1;
        }
        if !there {
            self.differs(format!("{what}: has no row that says so"));
        }
        Ok(())
    }

    /// A case's row against the case that its entries make.
    fn row(&mut self, case: &Case) -> Result<(), StoreError> {
        const COLUMNS: &str =
            "version, changed, state, ended, held, action, path, channel, flags, flag_kinds, grants, assignee, k_due, k_opened, k_updated, next_due,
            subject, target, seal";
        self.grants(case)?;
        let id = case.id;
        let expected = expected(case);
        let weight = |column: &str| expected.iter().find(|e| e.0 == column).map_or(0, |e| if let Value::Integer(n) = e.1 { n } else { 0 });
        self.counted.open += 1 - weight("ended");
        self.counted.held += weight("held");
        self.counted.grants += weight("grants");
        let sql = format!("SELECT {COLUMNS} FROM cases WHERE id = ?1");
        let kept: Option<Vec<Value>> =
            self.conn.prepare_cached(&sql)?.query_row([id.key()], |r| (0..expected.len()).map(|i| r.get(i)).collect()).optional()?;
        let Some(kept) = kept else {
            self.differs(format!("case {id}: has entries and no row"));
            return Ok(());
        };
        for ((column, wanted), found) in expected.iter().zip(&kept) {
            if wanted != found {
                self.differs(format!("case {id}: its row holds {found:?} as {column}, its entries make {wanted:?}"));
            }
        }
        let listed = super::reads::row(self.conn, id)?;
        let words: String = self.conn.prepare_cached("SELECT words FROM cases WHERE id = ?1")?.query_row([id.key()], |r| r.get(0))?;
        let risk: i64 = self.conn.prepare_cached("SELECT k_risk FROM cases WHERE id = ?1")?.query_row([id.key()], |r| r.get(0))?;
        if listed.is_some_and(|row| words != rows::words_of(&row, case.route.target.as_str()) || risk != rows::key_risk(row.risk, row.due)) {
            self.differs(format!("case {id}: its row is found by other words or sorted by another risk than it shows"));
        }
        Ok(())
    }

    fn totals(&mut self) -> Result<(), StoreError> {
        for (table, counted) in DUTIES.into_iter().zip(self.duties) {
            let rows: i64 = self.conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0))?;
            if rows != counted {
                self.differs(format!("{table}: there are {rows} rows, the entries account for {counted}"));
            }
        }
        let stray = "SELECT case_key FROM (SELECT case_key, seq FROM lineage UNION ALL SELECT case_key, seq FROM machines
            UNION ALL SELECT CASE WHEN EXISTS (SELECT 1 FROM entries e WHERE e.seq = k.seq AND e.case_key = k.linked) THEN linked ELSE case_key END, seq
            FROM links k) l WHERE NOT EXISTS
            (SELECT 1 FROM entries e WHERE e.seq = l.seq AND e.case_key = l.case_key) LIMIT 1";
        if let Some(key) = self.conn.query_row(stray, [], |r| r.get::<_, i64>(0)).optional()? {
            let id = CaseId::from_key(key).map_or_else(|| key.to_string(), |id| id.to_string());
            self.differs(format!("lineage of {id}: holds a row that no entry of the case made"));
        }
        let texts: i64 = self.conn.query_row("SELECT count(*) FROM texts", [], |r| r.get(0))?;
        if texts != self.texts {
            self.differs(format!("texts: there are {texts} rows, the entries account for {}", self.texts));
        }
        for (name, wanted) in [("open", self.counted.open), ("held", self.counted.held), ("grants", self.counted.grants)] {
            let kept: Option<i64> = self.conn.query_row("SELECT value FROM counters WHERE name = ?1", [name], |r| r.get(0)).optional()?;
            if kept.unwrap_or(0) != wanted {
                self.differs(format!("counter {name}: says {}, the cases say {wanted}", kept.unwrap_or(0)));
            }
        }
        Ok(())
    }
}

/// What a case's row should hold, in the order in which it is read.
fn expected(case: &Case) -> Vec<(&'static str, Value)> {
    let flag = |b: bool| Value::from(i64::from(b));
    let count = |n: usize| Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    let optional = |t: Option<i64>| t.map_or(Value::Null, Value::from);
    vec![
        ("version", i64::try_from(case.version).unwrap_or(i64::MAX).into()),
        ("changed", i64::try_from(case.changed).unwrap_or(i64::MAX).into()),
        ("state", case.state.ordinal().into()),
        ("ended", flag(case.state.is_ended())),
        ("held", flag(case.hold.is_some())),
        ("action", case.route.action.ordinal().into()),
        ("path", case.route.path.ordinal().into()),
        ("channel", case.request.channel.ordinal().into()),
        ("flags", count(case.flags.len().min(usize::from(u8::MAX)))),
        ("flag_kinds", super::found::flagged(&case.flags).into()),
        ("grants", count(case.grants.iter().filter(|g| rows::lives(g)).count())),
        ("assignee", case.assignee.as_ref().map_or(Value::Null, |a| a.as_str().to_owned().into())),
        ("k_due", rows::key_due(case.deadline()).into()),
        ("k_opened", (-millis(case.request.opened_at)).into()),
        ("k_updated", (-millis(case.times.updated_at)).into()),
        ("next_due", optional(case.next_due().map(millis))),
        ("subject", case.route.subject.as_str().to_owned().into()),
        ("target", case.route.target.as_str().to_owned().into()),
        ("seal", case.seal.as_ref().map_or(Value::Null, |s| s.sha256.as_bytes().to_vec().into())),
    ]
}
