//! Clocks that tests move or that stand, and randomness that is none: what suites inject where the host's own would be.
//!
//! Contract: time passes only as a test says. Knows nothing about who asks for it.

#![allow(dead_code, reason = "each suite uses its own part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::base::Time;
use countersign::base::ports::{Clock, Random};

/// When [`TestClock::new`] begins, in milliseconds: 2026-01-05 09:00 UTC, a Monday.
pub const START: i64 = 1_767_603_600_000;

/// A moment in milliseconds.
pub fn at(millis: i64) -> Time {
    chrono::DateTime::from_timestamp_millis(millis).unwrap()
}

/// A clock that tests move.
pub struct TestClock {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl TestClock {
    /// One that begins at [`START`].
    pub fn new() -> Arc<Self> {
        Self::from(START)
    }

    /// One that begins at that millisecond.
    pub fn from(millis: i64) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(millis), monotonic: AtomicI64::new(0) })
    }

    /// Time passes.
    pub fn pass(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1_000, Ordering::SeqCst);
        self.monotonic.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    /// Someone moves the clock on the wall.
    pub fn tamper(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        at(self.wall.load(Ordering::SeqCst))
    }
    fn monotonic_millis(&self) -> u64 {
        self.monotonic.load(Ordering::SeqCst).unsigned_abs()
    }
}

/// A clock that stands.
pub struct Still(pub Time);

impl Clock for Still {
    fn now(&self) -> Time {
        self.0
    }
    fn monotonic_millis(&self) -> u64 {
        0
    }
}

/// Randomness that is none.
pub struct Sevens;

impl Random for Sevens {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}
