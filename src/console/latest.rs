//! Which answer is awaited.
//!
//! Contract: a number; knows neither questions nor answers.

/// The number of the latest question of a kind, so that answers to earlier ones can be dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latest(Option<u64>);

impl Latest {
    /// Remembers the question.
    pub fn begin(&mut self, seq: u64) {
        self.0 = Some(seq);
    }
    /// Whether an answer is still awaited.
    pub const fn waits(&self) -> bool {
        self.0.is_some()
    }
    /// Whether this is the awaited answer; if so, it is awaited no more.
    pub fn take(&mut self, seq: u64) -> bool {
        let is = self.0 == Some(seq);
        if is {
            self.0 = None;
        }
        is
    }
}
