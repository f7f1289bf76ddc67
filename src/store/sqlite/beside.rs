//! `doctor`'s second look: rows beside the log, as far as the log holds their digest or names them, and what the database knows for its own
//! constraints.
//!
//! Contract: reads only. A text that is missing counts as erased where its case has no key any more, since nothing of an erasure is in the
//! log; one that is there must be what was said. Not compared, because the log holds nothing of it or not enough, and said by whoever reports
//! ([`UNCHECKED`]): names and mail addresses of people, the saved codes themselves, notices that wait in the outbox, answers that are kept for
//! a day for repeated requests, and the index of words.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{Ordinal as _, millis};
use super::vault::CaseKey;
use super::verify::Verify;
use super::{rules, schema};
use crate::base::ids::{CaseId, TextId};
use crate::base::{Digest, Time};
use crate::domain::case::{ActorRef, Case, TextRef};
use crate::domain::effect::Effect;
use crate::domain::event::{CaseEvent, RegisterChange, RegisterEvent};
use crate::domain::govern::recover;
use crate::domain::policy::Policy;
use crate::domain::register::Register;
use crate::domain::subject::{Recorded, Subject};
use crate::domain::vocabulary::{CaseState, Duty};
use crate::store::StoreError;

/// What no look at a database can find, in words: the log holds neither it nor a digest of it.
pub const UNCHECKED: &str = "people's names and mail addresses and since when these are recorded, which saved codes are good (only that whoever \
    was issued some has any, of then), whether notices that still waited will be sent, answers kept for a day for requests that are repeated, and \
    the index that searches use, which the log does not hold";

/// What the log says was recorded of each subject, last. A site may have millions, so it is not held in memory.
pub(super) struct Said(Connection);

impl Said {
    pub(super) fn new() -> Result<Self, StoreError> {
        schema::open_scratch("CREATE TABLE said (id TEXT PRIMARY KEY, sha256 BLOB NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID; BEGIN")
            .map(Self)
    }

    fn put(&self, id: &str, sha256: &Digest, at: Time) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO said (id, sha256, at) VALUES (?1, ?2, ?3)";
        self.0.prepare_cached(sql)?.execute(params![id, sha256.as_bytes(), millis(at)])?;
        Ok(())
    }

    fn of(&self, id: &str) -> Result<(Option<Digest>, Option<i64>), StoreError> {
        let sql = "SELECT sha256, at FROM said WHERE id = ?1";
        let said: Option<([u8; 32], i64)> = self.0.prepare_cached(sql)?.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
        Ok(said.map(|(sha256, at)| (Digest::from(sha256), at)).unzip())
    }

    fn count(&self) -> Result<i64, StoreError> {
        Ok(self.0.query_row("SELECT count(*) FROM said", [], |r| r.get(0))?)
    }
}

/// A case's texts while its entries are gone through.
pub(super) struct Texts {
    case: CaseId,
    /// Whether the case has a key: erasing its texts takes the key first.
    kept: bool,
    key: Option<CaseKey>,
    seen: BTreeSet<TextId>,
}

impl Verify<'_> {
    /// Remembers what a register entry says of rows beside the log.
    pub(super) fn notes(&mut self, event: &RegisterEvent, at: Time) -> Result<(), StoreError> {
        match event {
            RegisterEvent::SubjectRecorded { subject, sha256 } => self.subjects.put(subject.as_str(), sha256, at)?,
            RegisterEvent::Founded { policy, .. } | RegisterEvent::Changed { change: RegisterChange::SetPolicy { policy, .. } } => {
                self.policies.insert(*policy);
            }
            RegisterEvent::CodesIssued { subject, .. } => _ = self.codes.insert(subject.clone(), at),
            _ => {}
        }
        Ok(())
    }

    /// Subjects, people and policies, and what the constraints stand on.
    pub(super) fn beside(&mut self, register: &Register) -> Result<(), StoreError> {
        self.policies.extend(register.policy);
        self.subject_rows()?;
        self.people_rows(register)?;
        self.mailboxes()?;
        self.code_rows()?;
        self.dates()?;
        self.policy_rows()?;
        self.in_force(register.policy)?;
        self.recoveries(register)?;
        self.tie_rows(register)
    }

    fn subject_rows(&mut self) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare("SELECT id, body, salt, words, skeleton, since FROM subjects")?;
        let mut found = statement.query([])?;
        let (mut rows, mut handles) = (0, 0);
        while let Some(r) = found.next()? {
            rows += 1;
            let (id, body, salt): (String, String, [u8; 16]) = (r.get(0)?, r.get(1)?, r.get(2)?);
            let recorded = serde_json::from_str::<Subject>(&body).ok().filter(|s| s.id.as_str() == id).map(|subject| Recorded { subject, salt });
            if let Some(recorded) = &recorded {
                handles += self.handles(&recorded.subject)?;
                self.found_by(&recorded.subject, &r.get::<_, String>(3)?, &r.get::<_, String>(4)?);
            }
            let digest = recorded.and_then(|r| r.digest().ok());
            let (said, at) = self.subjects.of(&id)?;
            if digest.is_none() || digest != said {
                self.differs(format!("subject {id}: its row is not what the log says was recorded"));
            }
            if r.get::<_, Option<i64>>(5)? != at {
                self.differs(format!("subject {id}: its row is not from when the log says that it was recorded"));
            }
        }
        self.handles_in_all(handles)?;
        let named = self.subjects.count()?;
        if rows != named {
            self.differs(format!("subjects: there are {rows} rows, the log names {named}"));
        }
        Ok(())
    }

    fn people_rows(&mut self, register: &Register) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare("SELECT id FROM people")?;
        let ids: Vec<String> = statement.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
        for id in ids {
            if !register.persons.keys().any(|p| p.as_str() == id) {
                self.differs(format!("person {id}: has a name and is in no register"));
            }
        }
        Ok(())
    }

    fn policy_rows(&mut self) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare("SELECT sha256, body FROM policies")?;
        let kept: Vec<([u8; 32], String)> = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut known = BTreeSet::new();
        let mut classes = 0_i64;
        for (sha256, body) in kept {
            let sha256 = Digest::from(sha256);
            known.insert(sha256);
            if Digest::of(body.as_bytes()) != sha256 {
                self.differs(format!("policy {sha256}: its text has another digest"));
            } else if let Ok(policy) = Policy::parse(&body) {
                classes += self.policy_needs(&policy)?;
            }
        }
        for missing in self.policies.difference(&known).copied().collect::<Vec<_>>() {
            self.differs(format!("policy {missing}: the log names it and its text is not kept"));
        }
        let rows: i64 = self.conn.query_row("SELECT count(*) FROM needs", [], |r| r.get(0))?;
        if rows != classes {
            self.differs(format!("needs: there are {rows} rows, the policies make {classes}"));
        }
        Ok(())
    }

    fn in_force(&mut self, policy: Option<Digest>) -> Result<(), StoreError> {
        let sql = "SELECT policy FROM in_force ORDER BY seq DESC LIMIT 1";
        let last: Option<[u8; 32]> = self.conn.query_row(sql, [], |r| r.get(0)).optional()?;
        if last.map(Digest::from) != policy {
            self.differs("in_force: its last row is not the policy that the log says is in force");
        }
        Ok(())
    }

    fn policy_needs(&mut self, policy: &Policy) -> Result<i64, StoreError> {
        let mut classes = 0;
        for (action, path, tier, persons) in rules::needs(policy) {
            classes += 1;
            let sql = "SELECT persons FROM needs WHERE policy = ?1 AND action = ?2 AND path = ?3 AND tier = ?4";
            let kept: Option<i64> =
                self.conn.prepare_cached(sql)?.query_row(params![policy.sha256.as_bytes(), action, path, tier], |r| r.get(0)).optional()?;
            if kept != Some(persons) {
                self.differs(format!("needs of policy {}: a class needs {persons} persons, its row says {kept:?}", policy.sha256));
            }
        }
        Ok(classes)
    }

    fn tie_rows(&mut self, register: &Register) -> Result<(), StoreError> {
        let ties = rules::ties(register);
        for ((from, to, why), span) in &ties {
            let sql = "SELECT since, until FROM ties WHERE from_who = ?1 AND to_who = ?2 AND why = ?3";
            let kept: Option<(i64, Option<i64>)> =
                self.conn.prepare_cached(sql)?.query_row(params![from, to, why], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
            // An end counts from when it was recorded, so it may be later than the register's.
            let right = kept.is_some_and(|(since, until)| {
                since <= span.since && until.is_some() == span.until.is_some() && until.zip(span.until).is_none_or(|(kept, said)| kept >= said)
            });
            if !right {
                self.differs(format!("tie from {from} to {to}: its row is not what the register says"));
            }
        }
        let rows: i64 = self.conn.query_row("SELECT count(*) FROM ties", [], |r| r.get(0))?;
        if usize::try_from(rows) != Ok(ties.len()) {
            self.differs(format!("ties: there are {rows} rows, the register makes {}", ties.len()));
        }
        Ok(())
    }

    /// Whoever acted stands among those with a hand in the case, whatever the rules recorded; `held` is whether the case was.
    pub(super) fn hand(&mut self, id: CaseId, actor: &ActorRef, event: &CaseEvent, held: bool) -> Result<(), StoreError> {
        let (actor, duty) = match event {
            CaseEvent::Opened { .. } | CaseEvent::Routed { .. } => (actor, Duty::Router),
            CaseEvent::EvidenceAdded { .. } | CaseEvent::Triaged { .. } => (actor, Duty::EvidenceEditor),
            CaseEvent::Sealed { .. } => (actor, Duty::Sealer),
            CaseEvent::SessionOpened { proof, .. } if !held && matches!(proof.by, ActorRef::Operator { .. }) => (&proof.by, Duty::ProofStarter),
            _ => return Ok(()),
        };
        let (there, who): (bool, _) = match actor {
            ActorRef::Automation { automation, .. } => {
                let sql = "SELECT EXISTS (SELECT 1 FROM machines WHERE case_key = ?1 AND automation = ?2)";
                (self.conn.prepare_cached(sql)?.query_row(params![id.key(), automation.as_str()], |r| r.get(0))?, automation.to_string())
            }
            ActorRef::Operator { person, .. } => {
                let sql = "SELECT EXISTS (SELECT 1 FROM lineage WHERE case_key = ?1 AND person = ?2 AND duty = ?3 AND via = '' AND from_case = 0)";
                let values = params![id.key(), person.as_str(), duty.ordinal()];
                (self.conn.prepare_cached(sql)?.query_row(values, |r| r.get(0))?, format!("{person} as {}", duty.code()))
            }
            _ => return Ok(()),
        };
        if !there {
            self.differs(format!("lineage of {id}: no row says that {who} had a hand in it"));
        }
        Ok(())
    }

    /// What is needed to look at a case's texts.
    pub(super) fn texts_of(&self, case: CaseId) -> Result<Texts, StoreError> {
        let sql = "SELECT wrapped FROM case_keys WHERE case_key = ?1";
        let wrapped: Option<Vec<u8>> = self.conn.prepare_cached(sql)?.query_row([case.key()], |r| r.get(0)).optional()?;
        let key = match (self.vault, &wrapped) {
            (Some(vault), Some(wrapped)) => vault.case_key(case, wrapped).ok(),
            _ => None,
        };
        Ok(Texts { case, kept: wrapped.is_some(), key, seen: BTreeSet::new() })
    }

    /// A text that is kept must be the one that the entry is about; it must be there while its case has a key.
    pub(super) fn text(&mut self, text: &TextRef, of: &mut Texts) -> Result<(), StoreError> {
        let case = of.case;
        if !of.seen.insert(text.id.clone()) {
            return Ok(());
        }
        let sql = "SELECT sealed FROM texts WHERE id = ?1 AND case_key = ?2";
        let sealed: Option<Vec<u8>> = self.conn.prepare_cached(sql)?.query_row(params![text.id.as_str(), case.key()], |r| r.get(0)).optional()?;
        let Some(sealed) = sealed else {
            if of.kept {
                self.differs(format!("text {} of {case}: is not there, and the case's texts were not erased", text.id));
            }
            return Ok(());
        };
        self.texts += 1;
        if self.vault.is_none() {
            return Ok(());
        }
        let opened = of.key.as_ref().and_then(|key| key.open(case, &text.id, &sealed).ok());
        let said = opened.map(|(salt, text)| Digest::of(&[salt.as_slice(), text.raw().as_bytes()].concat()));
        if said != Some(text.sha256) {
            self.differs(format!("text {} of {case}: is not what the log says was said", text.id));
        }
        Ok(())
    }

    /// Tables, indexes and triggers are those that this program makes: the database's own rules are among them.
    pub(super) fn made(&mut self) -> Result<(), StoreError> {
        let (wanted, found) = (schema::made(schema::version(self.conn)?)?, schema::objects(self.conn)?);
        for ((kind, name), sql) in &wanted {
            match found.get(&(kind.clone(), name.clone())) {
                Some(there) if there == sql => {}
                Some(_) => self.differs(format!("{kind} {name}: is not as this program makes it")),
                None => self.differs(format!("{kind} {name}: is not there")),
            }
        }
        for (kind, name) in found.keys().filter(|k| !wanted.contains_key(*k)) {
            self.differs(format!("{kind} {name}: is none of this program's"));
        }
        Ok(())
    }

    /// Orders to targets wait in the outbox until the target confirms them: what is approved is carried out, what began is brought to its end,
    /// what is to be undone or taken back is, and temporary access ends.
    pub(super) fn orders(&mut self, case: &Case) -> Result<(), StoreError> {
        let id = case.id;
        for grant in case.grants.iter().filter(|g| g.ending.is_some() && g.revoked_at.is_none()) {
            let order = Effect::RevokeGrant { case: id, grant: grant.id.clone() };
            self.order(&order, || format!("to end grant {} of {id}, which the target has not confirmed", grant.id))?;
        }
        for attempt in case.taken_back.iter().filter(|(_, done)| done.is_none()).map(|(attempt, _)| *attempt) {
            let why = || format!("to take back what attempt {attempt} of {id} gave, or may have given, which the target has not confirmed");
            self.order(&Effect::RollBack { case: id, attempt }, why)?;
        }
        match (case.state, case.executions.last()) {
            // Of a held case nothing is carried out, and lifting the hold orders it anew.
            (CaseState::Approved, _) if case.hold.is_none() && case.times.execute_after.is_some() => {
                let attempt = case.attempts().saturating_add(1);
                self.order(&Effect::Execute { case: id, attempt }, || format!("to carry {id} out, which is approved"))
            }
            (CaseState::Executing, Some(run)) if case.undoing.is_none() => {
                let order = Effect::Execute { case: id, attempt: run.attempt };
                self.order(&order, || format!("to bring attempt {} of {id} to its end", run.attempt))
            }
            (CaseState::Executing, Some(run)) => {
                let attempt = case.undoing.unwrap_or(run.attempt);
                self.order(&Effect::RollBack { case: id, attempt }, || format!("to undo attempt {attempt} of {id}, which was asked for"))
            }
            _ => Ok(()),
        }
    }

    /// Word to everyone who governs waits in the outbox until it was given: the delay of a recovery begins only then.
    fn recoveries(&mut self, register: &Register) -> Result<(), StoreError> {
        let mut untold: BTreeSet<_> = recover::untold(register).map(|t| t.id.clone()).collect();
        if untold.is_empty() {
            return Ok(());
        }
        let mut waiting = self.conn.prepare("SELECT effect FROM outbox")?;
        let mut found = waiting.query([])?;
        while let Some(r) = found.next()? {
            if let Ok(Effect::NotifyGovernors { tokens, .. }) = serde_json::from_str(&r.get::<_, String>(0)?) {
                // What was queued before tokens were named is of them all.
                untold.retain(|t| !tokens.is_empty() && !tokens.contains(t));
            }
        }
        for token in untold {
            self.differs(format!("outbox: nothing waits to tell those who govern that someone was let back in with the token {token}"));
        }
        Ok(())
    }

    fn order(&mut self, order: &Effect, what: impl Fn() -> String) -> Result<(), StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE effect = ?1)";
        if !self.conn.prepare_cached(sql)?.query_row([super::errors::to_json(order)?], |r| r.get::<_, bool>(0))? {
            self.differs(format!("outbox: nothing waits {}", what()));
        }
        Ok(())
    }

    /// Whoever was issued saved codes has rows of them, used ones too.
    fn code_rows(&mut self) -> Result<(), StoreError> {
        for subject in self.codes.keys().cloned().collect::<Vec<_>>() {
            let sql = "SELECT EXISTS (SELECT 1 FROM saved_codes WHERE subject = ?1)";
            if !self.conn.prepare_cached(sql)?.query_row([subject.as_str()], |r| r.get::<_, bool>(0))? {
                self.differs(format!("saved codes of {subject}: the log says that some were issued, none are kept"));
            }
        }
        Ok(())
    }
}
