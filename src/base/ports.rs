//! The ports through which time and randomness come in: injected everywhere, so that tests decide both.
//!
//! Contract: production code asks these traits and never the system. Knows nothing about who asks.

use std::sync::Arc;

use super::Time;

/// The server's clock (invariant 16: time is the server's).
pub trait Clock: Send + Sync {
    /// Now, UTC, truncated to milliseconds.
    fn now(&self) -> Time;
    /// Milliseconds since an arbitrary start, never going back; compared with [`Clock::now`] to notice a moved clock (T12).
    fn monotonic_millis(&self) -> u64;
}

/// A source of unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// An opaque id with 128 bits of randomness behind a prefix, e.g. `rcp-4f...`.
    fn id(&self, prefix: &str) -> String {
        let mut bytes = [0_u8; 16];
        self.fill(&mut bytes);
        format!("{prefix}-{}", super::digest::hex(&bytes))
    }
}

/// The system's clock.
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic side starts now.
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        truncate(chrono::Utc::now())
    }
    fn monotonic_millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Cuts a time to whole milliseconds.
pub fn truncate(time: Time) -> Time {
    chrono::DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}

/// The operating system's randomness, straight from it: the crypto library's generator gathers jitter for some 30 ms of CPU before its first
/// byte, and the console asks for some before its first frame.
#[derive(Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// When the operating system has no randomness to give: going on without it would mint guessable secrets.
    #[allow(clippy::panic, clippy::manual_assert, reason = "no safe way to go on without randomness")]
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            panic!("the operating system gave no randomness");
        }
    }
}

/// The two ports together, as they are handed around.
#[derive(Clone)]
pub struct Ports {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Arc<dyn Random>,
}

impl Ports {
    /// The real ones.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock::new()), random: Arc::new(SystemRandom) }
    }
}
