//! How many refusals of whom become entries of their own within a minute, and what was only counted.
//!
//! Contract: pure but for its lock. Bounded in every direction: entries a minute and principal, entries a minute in all, principals, codes.
//! Whatever is not written is counted, and every count comes out once, by [`Budget::due`] or when its principal is refused again later.
//! Knows no log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use crate::base::Time;
use crate::domain::case::ActorRef;

/// Refusals of one principal that become entries of their own within one minute.
pub const PER_MINUTE: u32 = 60;
/// Refusals of all principals together that become entries of their own within one minute; the rest is counted by principal.
pub const PER_MINUTE_IN_ALL: u32 = 6_000;
/// Principals that are counted one by one within a minute; what others are refused goes into one count.
pub const MAX_PRINCIPALS: usize = 4_096;
/// Counts that could not be written and are kept with their minutes; what goes beyond is told with the oldest of those of all others.
const MAX_LATE: usize = MAX_PRINCIPALS;
/// Codes that one count tells apart; there are some forty. Others are counted as `other`.
const MAX_CODES: usize = 64;

/// What was refused within a minute and has no entry of its own: how often, by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counts {
    /// Whom; `None` for all whom the table had no room for.
    pub who: Option<ActorRef>,
    /// The minute, in minutes since 1970.
    pub minute: i64,
    /// How often, by code.
    pub by_code: BTreeMap<String, u32>,
}

/// What is to be done about one refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether it becomes an entry of its own.
    pub write: bool,
    /// What the same principal was refused in an earlier minute, to be written now.
    pub before: Option<Counts>,
}

#[derive(Default)]
struct Window {
    minute: i64,
    written: u32,
    by_code: BTreeMap<String, u32>,
}

impl Window {
    fn count(&mut self, code: &str, times: u32) {
        let full = self.by_code.len() >= MAX_CODES && !self.by_code.contains_key(code);
        let n = self.by_code.entry(if full { "other" } else { code }.to_owned()).or_default();
        *n = n.saturating_add(times);
    }

    fn counts(&mut self, who: Option<&ActorRef>) -> Option<Counts> {
        let by_code = std::mem::take(&mut self.by_code);
        (!by_code.is_empty()).then(|| Counts { who: who.cloned(), minute: self.minute, by_code })
    }
}

#[derive(Default)]
struct Table {
    principals: HashMap<ActorRef, Window>,
    others: Window,
    all: (i64, u32),
    /// What could not be written when it was due: by minute and whom.
    late: BTreeMap<(i64, Option<ActorRef>), Window>,
}

/// How many refusals each principal had in its present minute.
#[derive(Default)]
pub struct Budget {
    table: Mutex<Table>,
}

/// The minute of a time.
pub(super) fn minute(now: Time) -> i64 {
    now.timestamp().div_euclid(60)
}

impl Budget {
    /// Counts a refusal; `alone` if it is one that becomes an entry of its own within the bounds.
    pub(super) fn take(&self, who: &ActorRef, alone: bool, code: &str, now: Time) -> Verdict {
        let minute = minute(now);
        let Ok(mut table) = self.table.lock() else { return Verdict { write: false, before: None } };
        let table = &mut *table;
        if !table.principals.contains_key(who) && table.principals.len() >= MAX_PRINCIPALS {
            table.principals.retain(|_, w| w.minute == minute || !w.by_code.is_empty());
            if table.principals.len() >= MAX_PRINCIPALS {
                let before = (table.others.minute != minute).then(|| table.others.counts(None)).flatten();
                table.others.minute = minute;
                table.others.count(code, 1);
                return Verdict { write: false, before };
            }
        }
        if table.all.0 != minute {
            table.all = (minute, 0);
        }
        let window = table.principals.entry(who.clone()).or_insert_with(|| Window { minute, ..Window::default() });
        let mut before = None;
        if window.minute != minute {
            before = window.counts(Some(who));
            *window = Window { minute, ..Window::default() };
        }
        let write = alone && window.written < PER_MINUTE && table.all.1 < PER_MINUTE_IN_ALL;
        if write {
            window.written += 1;
            table.all.1 += 1;
        } else {
            window.count(code, 1);
        }
        Verdict { write, before }
    }

    /// Takes out what was counted in minutes that are over, or all of it.
    pub(super) fn due(&self, now: Time, all: bool) -> Vec<Counts> {
        let minute = minute(now);
        let Ok(mut table) = self.table.lock() else { return Vec::new() };
        let over = |w: &Window| all || w.minute != minute;
        let mut due: Vec<Counts> = Vec::new();
        table.principals.retain(|who, window| {
            if over(window) {
                due.extend(window.counts(Some(who)));
            }
            // How many it wrote in the present minute is still to be known.
            window.minute == minute
        });
        if over(&table.others) {
            due.extend(table.others.counts(None));
        }
        due.extend(std::mem::take(&mut table.late).into_iter().filter_map(|((_, who), mut window)| window.counts(who.as_ref())));
        due
    }

    /// Puts back what could not be written; it is due again, as of its own minute, the next time.
    pub(super) fn give_back(&self, counts: Counts) {
        let Ok(mut table) = self.table.lock() else { return };
        let Counts { who, minute, by_code } = counts;
        let mut place = (minute, who);
        if table.late.len() >= MAX_LATE && !table.late.contains_key(&place) {
            let oldest = table.late.keys().find(|(_, who)| who.is_none()).map_or(minute, |(minute, _)| *minute);
            place = (oldest, None);
        }
        let window = table.late.entry(place).or_insert_with_key(|(minute, _)| Window { minute: *minute, ..Window::default() });
        for (code, times) in by_code {
            window.count(&code, times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        chrono::DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap()
    }

    fn who(n: usize) -> ActorRef {
        ActorRef::Attester { person: format!("p{n}").parse().unwrap(), session: "s1".parse().unwrap() }
    }

    fn one(n: usize, minute: i64, counts: &[(&str, u32)]) -> Counts {
        Counts { who: Some(who(n)), minute, by_code: counts.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect() }
    }

    #[test]
    fn invariant_08_refusals_are_bounded_per_principal_and_the_rest_is_counted_by_code() {
        let budget = Budget::default();
        let first = minute(at(0));
        for _ in 0..PER_MINUTE {
            assert_eq!(budget.take(&who(1), true, "stale", at(0)), Verdict { write: true, before: None });
        }
        for (alone, code) in [(true, "stale"), (true, "stale"), (true, "held"), (false, "invalid")] {
            assert_eq!(budget.take(&who(1), alone, code, at(1)), Verdict { write: false, before: None });
        }
        assert!(budget.take(&who(2), true, "stale", at(2)).write, "another principal has a bound of its own");
        assert_eq!(budget.due(at(59), false), [], "the minute is not over");
        assert_eq!(budget.due(at(60), false), [one(1, first, &[("held", 1), ("invalid", 1), ("stale", 2)])]);
        assert_eq!(budget.due(at(60), false), [], "what came out is not told twice");
        assert!(budget.take(&who(1), true, "stale", at(61)).write);
    }

    #[test]
    fn invariant_08_what_no_worker_took_out_is_written_with_the_next_refusal_and_what_failed_is_kept() {
        let budget = Budget::default();
        assert!(!budget.take(&who(1), false, "invalid", at(0)).write);
        let next = budget.take(&who(1), true, "stale", at(60));
        let counts = one(1, minute(at(0)), &[("invalid", 1)]);
        assert_eq!(next, Verdict { write: true, before: Some(counts.clone()) });
        budget.give_back(counts);
        budget.take(&who(1), false, "invalid", at(61));
        let both = [one(1, minute(at(60)), &[("invalid", 1)]), one(1, minute(at(0)), &[("invalid", 1)])];
        assert_eq!(budget.due(at(61), true), both, "everything comes out at the end, as of its own minute");
        assert!(budget.take(&who(1), true, "stale", at(62)).write);
    }

    #[test]
    fn t35_what_can_t_be_written_for_long_is_bounded_and_its_number_is_kept() {
        let budget = Budget::default();
        for n in 0..MAX_LATE + 50 {
            budget.give_back(one(n, minute(at(0)), &[("stale", 2)]));
        }
        let due = budget.due(at(0), false);
        assert_eq!(due.len(), MAX_LATE + 1);
        assert_eq!(due.iter().flat_map(|c| c.by_code.values()).sum::<u32>(), 2 * (u32::try_from(MAX_LATE).unwrap() + 50));
        assert_eq!(budget.due(at(0), true), []);
    }

    #[test]
    fn invariant_08_coming_out_early_gives_nobody_a_second_budget() {
        let budget = Budget::default();
        for _ in 0..=PER_MINUTE {
            budget.take(&who(1), true, "stale", at(0));
        }
        assert_eq!(budget.due(at(1), true).len(), 1);
        assert!(!budget.take(&who(1), true, "stale", at(2)).write);
    }

    #[test]
    fn t35_beyond_the_table_others_are_one_count_and_entries_are_bounded_in_all() {
        let budget = Budget::default();
        let mut written = 0;
        for n in 0..MAX_PRINCIPALS + 10 {
            for _ in 0..2 {
                written += u32::from(budget.take(&who(n), true, "stale", at(0)).write);
            }
        }
        assert_eq!(written, PER_MINUTE_IN_ALL);
        let due = budget.due(at(60), false);
        let others: Vec<&Counts> = due.iter().filter(|c| c.who.is_none()).collect();
        assert_eq!(others, [&Counts { who: None, minute: minute(at(0)), by_code: [("stale".to_owned(), 20)].into() }]);
        let counted: u32 = due.iter().flat_map(|c| c.by_code.values()).sum();
        assert_eq!(written + counted, 2 * (u32::try_from(MAX_PRINCIPALS).unwrap() + 10), "none is lost");
        assert!(budget.take(&who(MAX_PRINCIPALS + 5), true, "stale", at(60)).write, "the table is empty again");
    }

    #[test]
    fn t35_what_others_were_refused_is_told_as_of_its_own_minute() {
        let budget = Budget::default();
        let full = |minute: i64| {
            for n in 0..MAX_PRINCIPALS {
                budget.take(&who(n), false, "stale", at(60 * minute));
            }
        };
        full(0);
        assert_eq!(budget.take(&who(MAX_PRINCIPALS), true, "held", at(1)), Verdict { write: false, before: None });
        full(1);
        let next = budget.take(&who(MAX_PRINCIPALS), true, "stale", at(60));
        let before = Counts { who: None, minute: minute(at(0)), by_code: [("held".to_owned(), 1)].into() };
        assert_eq!(next, Verdict { write: false, before: Some(before) });
    }

    #[test]
    fn t35_codes_are_bounded() {
        let budget = Budget::default();
        for n in 0..1_000 {
            budget.take(&who(1), false, &format!("c{n}"), at(0));
        }
        let due = budget.due(at(0), true);
        assert_eq!(due[0].by_code.len(), MAX_CODES + 1);
        assert_eq!(due[0].by_code.values().sum::<u32>(), 1_000);
    }
}
