//! A clock that can be led through the past while sample cases are played, and then runs with the real one.
//!
//! Contract: never goes back; wall time and monotonic time move together, so that the store's watch over the clock (T12) stays content.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Duration;

use crate::base::Time;
use crate::base::ports::{Clock, SystemClock, truncate};

/// The demo's clock: the real one, and how far it lies behind.
pub struct DemoClock {
    real: SystemClock,
    start_millis: i64,
    behind_millis: AtomicI64,
}

impl DemoClock {
    /// A clock that stands this far in the past.
    pub fn behind(span: Duration) -> Self {
        let behind = span.num_milliseconds().max(0);
        Self { real: SystemClock::new(), start_millis: behind, behind_millis: AtomicI64::new(behind) }
    }

    /// Leads it to that time, if that is ahead of it and not ahead of the real one.
    pub fn lead_to(&self, to: Time) {
        let behind = (self.real.now() - to).num_milliseconds().max(0);
        self.behind_millis.fetch_min(behind, Ordering::SeqCst);
    }

    /// Lets it run with the real one from now on.
    pub fn catch_up(&self) {
        self.behind_millis.store(0, Ordering::SeqCst);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Time {
        truncate(self.real.now() - Duration::milliseconds(self.behind_millis.load(Ordering::SeqCst)))
    }

    fn monotonic_millis(&self) -> u64 {
        let led = self.start_millis - self.behind_millis.load(Ordering::SeqCst);
        self.real.monotonic_millis().saturating_add(u64::try_from(led).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_led_forward_only_and_never_past_the_real_time() {
        let clock = DemoClock::behind(Duration::days(2));
        let (start, mono) = (clock.now(), clock.monotonic_millis());
        clock.lead_to(start + Duration::days(1));
        assert!(clock.now() >= start + Duration::days(1));
        assert!(clock.monotonic_millis() >= mono + 86_400_000);
        clock.lead_to(start);
        assert!(clock.now() >= start + Duration::days(1));
        clock.lead_to(start + Duration::days(9));
        assert!(clock.now() < start + Duration::days(3));
    }
}
