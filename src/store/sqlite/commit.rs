//! One change, written: versions compared, entries hashed into the tree, projections and duty rows brought up to date, effects queued.
//!
//! Contract: all inside the caller's savepoint; an error means that nothing of it stays. Decides nothing.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::batch::Batch;
use super::errors::to_json;
use super::{duties, found, grants, handles, rows};
use crate::base::canonical;
use crate::base::ids::{CaseId, SubjectId};
use crate::base::mailbox::mailbox;
use crate::domain::anomaly::skeleton;
use crate::domain::event::{Body, CaseEvent, Entry, MAX_ENTRY};
use crate::domain::register::Register;
use crate::domain::subject::Recorded;
use crate::log::leaf_hash;
use crate::store::{Announcement, CaseChange, Change, CodeChange, CommitError, Committed, NewText, PersonDetails, StoreError};

/// Integers of the domain as the engine's.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Batch<'_> {
    /// Writes one change.
    pub(super) fn commit(&mut self, change: Change) -> Result<Committed, CommitError> {
        self.kept.clock.check(&self.kept.ports, change.at, self.tip.last_at)?;
        self.compare(&change)?;
        let first = self.tip.tree.size();
        let before = Arc::clone(&self.tip.register);
        self.put_rules(&change)?;
        let at = rows::millis(change.at);
        self.put_subjects(&change.subjects, at)?;
        self.put_case_entries(&change)?;
        self.put_register_entries(&change, &before)?;
        if let Some(case) = &change.case {
            self.put_case(case)?;
        }
        self.put_texts(&change.texts)?;
        self.put_people(&change.people, at)?;
        change.codes.iter().try_for_each(|code| self.put_code(code, at))?;
        for due in &change.effects {
            self.conn.prepare_cached("INSERT INTO outbox (effect, available, tries, lane) VALUES (?1, ?2, 0, ?3)")?.execute(params![
                to_json(&due.effect)?,
                rows::millis(due.not_before),
                due.effect.lane() as u8
            ])?;
        }
        if let Some(item) = change.finishes {
            // Someone else finished it: what was read has moved.
            if self.conn.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([item])? == 0 {
                return Err(CommitError::Conflict);
            }
        }
        if let Some(answer) = &change.idempotency {
            self.put_answer(answer, at)?;
        }
        let entries = self.tip.tree.size() - first;
        self.announce(change, entries);
        Ok(Committed { first, entries })
    }

    /// Writes many changes; each case's row once, at the end.
    pub(super) fn commit_all(&mut self, changes: Vec<Change>) -> Result<Committed, CommitError> {
        let first = self.tip.tree.size();
        self.deferred = Some(std::collections::BTreeMap::new());
        changes.into_iter().try_for_each(|change| self.commit(change).map(drop))?;
        for (row, case) in self.deferred.take().unwrap_or_default().into_values() {
            let weights = rows::put(self.conn, &row, &case)?;
            grants::put(self.conn, &case)?;
            self.tip.count(weights);
        }
        Ok(Committed { first, entries: self.tip.tree.size() - first })
    }

    fn announce(&mut self, change: Change, entries: u64) {
        if entries > 0 {
            let row = change.case.as_ref().map(|c| c.row.clone());
            let due = change.effects.iter().any(|e| e.not_before <= change.at);
            self.news.announcements.push(Announcement { seq: self.tip.tree.size() - 1, row, due, told: std::sync::OnceLock::new() });
        }
        if let Some(case) = change.case {
            self.news.cases.push(case.after);
        }
    }

    /// Compares everything that was read (invariant 18).
    fn compare(&self, change: &Change) -> Result<(), CommitError> {
        let conflict = |same: bool| if same { Ok(()) } else { Err(CommitError::Conflict) };
        if let Some(case) = &change.case {
            let before = case.after.version.checked_sub(case.events.len() as u64).ok_or(CommitError::Conflict)?;
            conflict(self.case_version(case.after.id)? == before)?;
        }
        let changed = change.case.as_ref().map(|c| (c.after.id, c.after.version - c.events.len() as u64));
        for read in change.reads.cases.iter().filter(|read| changed != Some(**read)) {
            conflict(self.case_version(read.0)? == read.1)?;
        }
        if let Some((subject, cases)) = &change.reads.linked_for {
            conflict(self.cases_of(subject)? == *cases)?;
        }
        if let Some((subject, version)) = &change.reads.subject {
            conflict(self.subject_version(subject)? == *version)?;
        }
        if let Some(version) = change.reads.register {
            conflict(self.tip.register.version == version)?;
        }
        if let Some(register) = &change.register {
            conflict(register.version > self.tip.register.version)?;
        }
        Ok(())
    }

    fn case_version(&self, id: CaseId) -> Result<u64, CommitError> {
        if let Some((_, case)) = self.deferred.as_ref().and_then(|d| d.get(&id)) {
            return Ok(case.version);
        }
        self.number("SELECT version FROM cases WHERE id = ?1", id.key())
    }

    fn cases_of(&self, subject: &SubjectId) -> Result<u64, CommitError> {
        self.number("SELECT cases FROM subject_cases WHERE subject = ?1", subject.as_str())
    }

    fn subject_version(&self, subject: &SubjectId) -> Result<u64, CommitError> {
        self.number("SELECT version FROM subjects WHERE id = ?1", subject.as_str())
    }

    /// A number that stands in one row; 0 if there is no row.
    fn number<P: rusqlite::ToSql>(&self, sql: &str, key: P) -> Result<u64, CommitError> {
        let found: Option<i64> = self.conn.prepare_cached(sql)?.query_row([key], |r| r.get(0)).optional()?;
        Ok(found.map_or(0, |n| u64::try_from(n).unwrap_or(0)))
    }

    fn put_case_entries(&mut self, change: &Change) -> Result<(), CommitError> {
        let Some(case) = &change.case else { return Ok(()) };
        let before = case.after.version - case.events.len() as u64;
        for (event, version) in case.events.iter().zip(before + 1..) {
            let seq = self.put_entry(change, Body::Case { case: case.after.id, version, event: event.clone() })?;
            duties::put(self, change, case, event, seq)?;
        }
        if case.events.iter().any(CaseEvent::links) {
            self.conn
                .prepare_cached("INSERT INTO subject_cases (subject, cases) VALUES (?1, 1) ON CONFLICT (subject) DO UPDATE SET cases = cases + 1")?
                .execute([case.after.route.subject.as_str()])?;
        }
        Ok(())
    }

    fn put_register_entries(&mut self, change: &Change, before: &Register) -> Result<(), CommitError> {
        let events = change.register_events.len() as u64;
        // The register's version counts its events; those that change nothing come without a register and carry the version that stands.
        let first = if change.register.is_some() { (self.tip.register.version + 1).saturating_sub(events) } else { self.tip.register.version };
        let step = u64::from(change.register.is_some());
        for (event, i) in change.register_events.iter().zip(0_u64..) {
            let seq = self.put_entry(change, Body::Register { version: first + i * step, event: event.clone() })?;
            self.put_in_force(before, event, seq)?;
        }
        Ok(())
    }

    /// Puts one entry into the log and the tree.
    fn put_entry(&mut self, change: &Change, body: Body) -> Result<i64, CommitError> {
        let seq = self.tip.tree.size();
        let (case, version) = match &body {
            Body::Case { case, version, .. } => (Some(case.key()), *version),
            Body::Register { version, .. } => (None, *version),
        };
        let entry = Entry { v: 1, seq, at: change.at, actor: change.actor.clone(), request: change.request.clone(), body };
        let bytes = canonical::to_vec(&entry).map_err(|e| StoreError::Engine(Box::new(e)))?;
        if bytes.len() >= MAX_ENTRY {
            return Err(CommitError::TooLarge);
        }
        let leaf = leaf_hash(&bytes);
        self.conn.prepare_cached("INSERT INTO entries (seq, bytes, leaf, case_key, version) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            int(seq),
            bytes,
            leaf.as_bytes(),
            case,
            int(version)
        ])?;
        self.tip.tree.append(leaf);
        self.tip.last_at = self.tip.last_at.max(rows::millis(change.at));
        Ok(int(seq))
    }

    fn put_case(&mut self, case: &CaseChange) -> Result<(), CommitError> {
        if let Some(deferred) = &mut self.deferred {
            deferred.insert(case.after.id, (case.row.clone(), Arc::clone(&case.after)));
            return Ok(());
        }
        let weights = rows::put(self.conn, &case.row, &case.after)?;
        grants::put(self.conn, &case.after)?;
        self.tip.count(weights);
        Ok(())
    }

    fn put_subjects(&self, subjects: &[Recorded], at: i64) -> Result<(), CommitError> {
        for Recorded { subject, salt } in subjects {
            let id = subject.id.as_str();
            let old: Option<(i64, String)> = self
                .conn
                .prepare_cached("SELECT row, words FROM subjects WHERE id = ?1")?
                .query_row([id], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()?;
            handles::put(self.conn, subject)?;
            let row = match &old {
                Some((row, _)) => *row,
                None => self.conn.prepare_cached("SELECT coalesce(max(row), 0) + 1 FROM subjects")?.query_row([], |r| r.get(0))?,
            };
            let words = found::words(subject);
            self.conn
                .prepare_cached(
                    "INSERT INTO subjects (id, version, body, row, words, skeleton, salt, since) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (id) DO UPDATE SET version = version + 1, body = excluded.body, words = excluded.words,
                         skeleton = excluded.skeleton, salt = excluded.salt, since = excluded.since",
                )?
                .execute(params![id, to_json(subject)?, row, words, skeleton(subject.name.raw()), salt, at])?;
            rows::put_words(self.conn, "subject_words", row, old.as_ref().map(|o| o.1.as_str()), &words)?;
        }
        Ok(())
    }

    fn put_texts(&self, texts: &[NewText]) -> Result<(), CommitError> {
        let random = &*self.kept.ports.random;
        let mut last = None;
        for text in texts {
            let key = match last.take() {
                Some((case, key)) if case == text.case => key,
                _ => self.case_key(text.case)?,
            };
            let sealed = key.seal(text.case, &text.id, text.salt, &text.text, random)?;
            self.conn.prepare_cached("INSERT INTO texts (id, case_key, sealed) VALUES (?1, ?2, ?3)")?.execute(params![
                text.id.as_str(),
                text.case.key(),
                sealed
            ])?;
            last = Some((text.case, key));
        }
        Ok(())
    }

    /// A case's key, made now if it has none.
    fn case_key(&self, case: CaseId) -> Result<super::vault::CaseKey, CommitError> {
        let kept: Option<Vec<u8>> =
            self.conn.prepare_cached("SELECT wrapped FROM case_keys WHERE case_key = ?1")?.query_row([case.key()], |r| r.get(0)).optional()?;
        if let Some(wrapped) = kept {
            return Ok(self.kept.vault.case_key(case, &wrapped)?);
        }
        let (key, wrapped) = self.kept.vault.new_case_key(case, &*self.kept.ports.random)?;
        self.conn.prepare_cached("INSERT INTO case_keys (case_key, wrapped) VALUES (?1, ?2)")?.execute(params![case.key(), wrapped])?;
        Ok(key)
    }

    /// Since when a mailbox is recorded: as is said of somebody new, never later than now; of whoever is known, until it is another one.
    fn put_people(&self, people: &[PersonDetails], at: i64) -> Result<(), CommitError> {
        for person in people {
            let email = person.email.as_ref().map(crate::base::Untrusted::raw);
            let since = person.since.map_or(at, |since| rows::millis(since).min(at));
            self.conn
                .prepare_cached(
                    "INSERT INTO people (id, name, email, mailbox, since) VALUES (?1, ?2, ?3, ?4, CASE WHEN ?4 IS NULL THEN NULL ELSE ?5 END)
                     ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, mailbox = excluded.mailbox,
                         since = CASE WHEN excluded.mailbox IS NULL THEN NULL WHEN excluded.mailbox = mailbox THEN since ELSE ?6 END",
                )?
                .execute(params![person.id.as_str(), person.name.raw(), email, email.map(mailbox), since, at])?;
        }
        Ok(())
    }

    fn put_code(&self, change: &CodeChange, at: i64) -> Result<(), CommitError> {
        match change {
            CodeChange::Replace { subject, hashes } => {
                self.conn.prepare_cached("DELETE FROM saved_codes WHERE subject = ?1")?.execute([subject.as_str()])?;
                for hash in hashes {
                    self.conn.prepare_cached("INSERT INTO saved_codes (subject, hash, used, since) VALUES (?1, ?2, 0, ?3)")?.execute(params![
                        subject.as_str(),
                        hash,
                        at
                    ])?;
                }
            }
            CodeChange::Add { subject, hash } => {
                // What takes the place of a used one is of the set that it belonged to.
                let sql = "INSERT INTO saved_codes (subject, hash, used, since)
                    VALUES (?1, ?2, 0, coalesce((SELECT max(since) FROM saved_codes WHERE subject = ?1), ?3))";
                self.conn.prepare_cached(sql)?.execute(params![subject.as_str(), hash, at])?;
            }
            CodeChange::Use { subject, hash } => {
                let used = self
                    .conn
                    .prepare_cached("UPDATE saved_codes SET used = 1 WHERE subject = ?1 AND hash = ?2 AND used = 0")?
                    .execute([subject.as_str(), hash])?;
                if used == 0 {
                    return Err(CommitError::Conflict);
                }
            }
        }
        Ok(())
    }
}
