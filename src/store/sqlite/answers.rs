//! Answers kept for repeated requests: put with the change they answer, cleared away once a transaction.
//!
//! Contract: one answer a principal and key while it lives; the number of answers is bounded, the oldest go first. Knows nothing about
//! what was answered.

use rusqlite::{OptionalExtension as _, params};

use super::batch::Batch;
use super::commit::int;
use crate::store::{CommitError, KeptAnswer, StoreError};

/// How long an answer is kept for a repeated request.
pub(super) const ANSWER_LIFETIME_MS: i64 = 24 * 3_600 * 1_000;
/// How many answers are kept at most; beyond that the oldest go first.
const ANSWERS: i64 = 100_000;
/// How many go at once when there are more, so that counting them is rare.
const AT_ONCE: i64 = 1_000;
/// How many outlived answers are cleared away for each that is put.
const CLEARED: i64 = 16;

/// What was put in this transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answers {
    count: i64,
    latest: i64,
}

impl Batch<'_> {
    /// Keeps an answer.
    pub(super) fn put_answer(&mut self, answer: &KeptAnswer, at: i64) -> Result<(), CommitError> {
        // An outlived answer makes way; a living one was answered already, by a commit that came between.
        let sql = "INSERT INTO kept_answers (principal, key, request, status, body, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT DO UPDATE SET request = excluded.request, status = excluded.status, body = excluded.body, at = excluded.at WHERE at < ?7";
        let put = self.conn.prepare_cached(sql)?.execute(params![
            answer.principal,
            answer.key,
            answer.request_sha256.as_bytes(),
            answer.status,
            answer.body,
            at,
            at - ANSWER_LIFETIME_MS
        ])?;
        if put == 0 {
            return Err(CommitError::Conflict);
        }
        self.answers = Answers { count: self.answers.count + 1, latest: self.answers.latest.max(at) };
        Ok(())
    }

    /// Clears away what outlived its time, and what goes beyond the bound.
    pub(super) fn clear_answers(&self) -> Result<(), StoreError> {
        if self.answers.count == 0 {
            return Ok(());
        }
        let clear = "DELETE FROM kept_answers WHERE (principal, key) IN
            (SELECT principal, key FROM kept_answers WHERE at < ?1 ORDER BY at LIMIT ?2)";
        self.conn.prepare_cached(clear)?.execute([self.answers.latest - ANSWER_LIFETIME_MS, CLEARED * self.answers.count])?;
        let count: i64 =
            self.conn.prepare_cached("SELECT value FROM counters WHERE name = 'answers'")?.query_row([], |r| r.get(0)).optional()?.unwrap_or(0);
        let count = if count == 0 || count > ANSWERS { self.count_answers()? } else { count + self.answers.count };
        self.conn.prepare_cached("INSERT OR REPLACE INTO counters (name, value) VALUES ('answers', ?1)")?.execute([count])?;
        Ok(())
    }

    /// Counts them anew, and lets the oldest go if there are more than the bound: so many that the next thousand are not counted again.
    fn count_answers(&self) -> Result<i64, StoreError> {
        let real: i64 = self.conn.prepare_cached("SELECT count(*) FROM kept_answers")?.query_row([], |r| r.get(0))?;
        let oldest = "DELETE FROM kept_answers WHERE (principal, key) IN (SELECT principal, key FROM kept_answers ORDER BY at LIMIT ?1)";
        let over = if real > ANSWERS { real - ANSWERS + AT_ONCE } else { 0 };
        Ok(real - int(self.conn.prepare_cached(oldest)?.execute([over])? as u64))
    }
}
