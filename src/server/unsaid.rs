//! Requests of those of whom nothing is known: their lines are for a debug journal; any other has one line a minute with their number (T35).
//!
//! Contract: each is counted, and each number comes out once, with the first of them after its minute or
//! when somebody looks whether it is over. Knows nothing about what is asked.

use std::sync::Mutex;

/// How many there were.
#[derive(Debug, Default)]
pub(super) struct Unsaid(Mutex<(u64, u64)>);

impl Unsaid {
    /// Counts one, `millis` on the monotonic clock; the number of the last minute that had any, if it is over.
    pub(super) fn count(&self, millis: u64) -> Option<u64> {
        let minute = millis / 60_000;
        let mut counted = self.0.lock().ok()?;
        // Never back: who read the clock a moment before belongs to the minute that has begun.
        if minute <= counted.0 {
            counted.1 += 1;
            return None;
        }
        let before = std::mem::replace(&mut *counted, (minute, 1));
        (before.1 > 0).then_some(before.1)
    }

    /// The number of a minute that is over, if it had any and nobody was told it.
    pub(super) fn over(&self, millis: u64) -> Option<u64> {
        let mut counted = self.0.lock().ok()?;
        let over = counted.0 < millis / 60_000 && counted.1 > 0;
        over.then(|| std::mem::take(&mut counted.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_when_its_minute_is_over() {
        let unsaid = Unsaid::default();
        let told: Vec<_> = [0, 1, 59_999, 60_000, 60_001, 300_000, 300_001].map(|at| unsaid.count(at)).to_vec();
        assert_eq!(told, [None, None, None, Some(3), None, Some(2), None]);
        assert_eq!(unsaid.count(299_999), None, "who read the clock a moment before begins no minute");
        assert_eq!([unsaid.over(359_999), unsaid.over(360_000), unsaid.over(420_000)], [None, Some(3), None]);
        assert_eq!(unsaid.count(420_000), None, "what was told is told once");
    }
}
