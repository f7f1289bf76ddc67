//! Whether the server's clock was moved (invariant 16, T12): asked before anything is stamped.
//!
//! Contract: a clock that left its monotonic companion by more than the step, and a time behind the last entry or ahead of the clock, stop
//! every write until it is put right. Knows nothing about entries but the time of the last one.

use crate::base::Time;
use crate::base::ports::{Clock, Ports};
use crate::store::StoreError;

use super::SqliteOptions;

/// What the clock is compared with.
pub(super) struct ClockGuard {
    wall: i64,
    monotonic: i64,
    step: i64,
    reorder: i64,
}

fn monotonic(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.monotonic_millis()).unwrap_or(i64::MAX)
}

impl ClockGuard {
    /// Starts comparing from now.
    pub(super) fn new(ports: &Ports, options: &SqliteOptions) -> Self {
        let millis = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Self {
            wall: ports.clock.now().timestamp_millis(),
            monotonic: monotonic(&*ports.clock),
            step: millis(options.clock_step),
            reorder: millis(options.reorder),
        }
    }

    /// Whether something may be stamped with this time, after an entry of `last` milliseconds.
    pub(super) fn check(&self, ports: &Ports, at: Time, last: i64) -> Result<(), StoreError> {
        let (now, at) = (ports.clock.now().timestamp_millis(), at.timestamp_millis());
        let expected = self.wall.saturating_add(monotonic(&*ports.clock).saturating_sub(self.monotonic));
        let moved = now.abs_diff(expected) > self.step.unsigned_abs();
        let behind = at < last.saturating_sub(self.reorder);
        let ahead = at > now.saturating_add(self.reorder);
        if moved || behind || ahead { Err(StoreError::Clock) } else { Ok(()) }
    }
}
