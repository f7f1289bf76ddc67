//! A form that a browser sends twice: a second press of the button, or a network that tries again.
//!
//! Contract: the answer to a right code is given again to the same text on the same page for [`AGAIN_MILLIS`], so that whoever pressed twice
//! is neither told that the code was wrong nor loses the new one that is shown once. Nothing is judged, counted or recorded by it. Holds at
//! most [`MAX_KEPT`] answers, in memory only, and knows what was typed by a keyed digest only.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::Right;
use crate::base::Digest;

/// How long an answer is kept, in milliseconds: as long as someone may press again while a page loads.
pub(super) const AGAIN_MILLIS: u64 = 10_000;
/// Answers kept at once; the oldest go first.
const MAX_KEPT: usize = 512;

struct Kept {
    form: Digest,
    right: Right,
    until: u64,
}

/// The answers of the last seconds.
#[derive(Default)]
pub(super) struct Again {
    kept: Mutex<VecDeque<Kept>>,
}

impl Again {
    /// The answer that this form got a moment ago, `now` on the monotonic clock.
    pub(super) fn given(&self, form: &Digest, now: u64) -> Option<Right> {
        let mut kept = self.kept.lock().ok()?;
        kept.retain(|k| k.until > now);
        kept.iter().find(|k| k.form == *form).map(|k| k.right.clone())
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, form: Digest, right: &Right, now: u64) {
        let Ok(mut kept) = self.kept.lock() else { return };
        kept.retain(|k| k.until > now);
        if kept.len() >= MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(Kept { form, right: right.clone(), until: now.saturating_add(AGAIN_MILLIS) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(pass: &str) -> Right {
        Right { pass: pass.to_owned(), new_code: None }
    }

    #[test]
    fn an_answer_is_given_again_to_the_same_form_and_only_for_a_while() {
        let (again, one, other) = (Again::default(), Digest::of(b"one"), Digest::of(b"other"));
        again.keep(one, &right("p"), 5);
        assert_eq!(again.given(&one, 5 + AGAIN_MILLIS - 1).map(|r| r.pass).as_deref(), Some("p"));
        assert!(again.given(&other, 6).is_none());
        assert!(again.given(&one, 5 + AGAIN_MILLIS).is_none());
        assert!(again.kept.lock().unwrap().is_empty(), "what is over is forgotten");
    }

    #[test]
    fn memory_is_bounded() {
        let again = Again::default();
        for i in 0..MAX_KEPT + 10 {
            again.keep(Digest::of(&i.to_be_bytes()), &right("p"), 0);
        }
        assert_eq!(again.kept.lock().unwrap().len(), MAX_KEPT);
        assert!(again.given(&Digest::of(&0_usize.to_be_bytes()), 1).is_none());
    }
}
