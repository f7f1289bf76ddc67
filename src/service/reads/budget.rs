//! How often someone looks for subjects and reads their records, and which reads are still to be written down.
//!
//! Contract: pure but for its lock, and bounded in every direction: searches and records a minute and principal, subjects remembered in all,
//! subjects of one entry. What was to be written comes out once, by [`Budget::due`] or when an entry is full. What is forgotten for want of room
//! costs an entry more, never one less. Knows no log.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use crate::base::Time;
use crate::base::ids::SubjectId;
use crate::domain::case::ActorRef;

/// Searches for subjects of one principal within a minute: one for every pause in typing.
pub const FINDS_PER_MINUTE: u32 = 60;
/// Records of subjects that one principal reads outside a case within a minute, those it read within the hour not counted; and questions of one
/// software about subjects within a minute, each of them counted.
pub const RECORDS_PER_MINUTE: u32 = 30;
/// Subjects of one entry, so that it stays under the log's size limit.
const PER_ENTRY: usize = 100;
/// Reads remembered at once, of all principals together.
const MAX_KNOWN: usize = 200_000;

/// What is to be done about reading a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It is to be written down first.
    First,
    /// It is in the log, within the hour.
    Known,
    /// Not now, but after so many seconds.
    Later(u64),
}

#[derive(Default)]
struct Reader {
    minute: i64,
    finds: u32,
    records: u32,
    questions: u32,
    hour: i64,
    /// Whose records or cases were read within the hour.
    known: HashSet<SubjectId>,
    /// Of these the ones whose entry is in the log.
    written: HashSet<SubjectId>,
    pending: BTreeSet<SubjectId>,
    /// The minute that `pending` began in.
    since: i64,
}

impl Reader {
    /// Puts the windows where the time is; how many are forgotten.
    fn turn(&mut self, now: Time) -> usize {
        let (minute, hour) = (now.timestamp().div_euclid(60), now.timestamp().div_euclid(3_600));
        if self.minute != minute {
            (self.minute, self.finds, self.records, self.questions) = (minute, 0, 0, 0);
        }
        if self.hour == hour {
            return 0;
        }
        self.hour = hour;
        self.written.clear();
        std::mem::take(&mut self.known).len()
    }
}

#[derive(Default)]
struct Table {
    readers: HashMap<ActorRef, Reader>,
    /// How many reads are remembered, of all readers.
    known: usize,
}

impl Table {
    fn reader(&mut self, who: &ActorRef, now: Time) -> &mut Reader {
        if self.known >= MAX_KNOWN {
            for reader in self.readers.values_mut() {
                reader.known.clear();
                reader.written.clear();
            }
            self.known = 0;
        }
        let reader = self.readers.entry(who.clone()).or_default();
        self.known = self.known.saturating_sub(reader.turn(now));
        reader
    }
}

/// Who reads what.
#[derive(Default)]
pub struct Budget {
    table: Mutex<Table>,
}

/// Seconds until the next minute, 1 to 60.
fn wait(now: Time) -> u64 {
    u64::try_from(60 - now.timestamp().rem_euclid(60)).unwrap_or(60)
}

impl Budget {
    /// Counts a search; or how many seconds until there may be another.
    pub(super) fn find(&self, who: &ActorRef, now: Time) -> Result<(), u64> {
        self.counted(who, now, FINDS_PER_MINUTE, |reader| &mut reader.finds)
    }

    /// Counts a question of software; or how many seconds until there may be another.
    pub(super) fn question(&self, who: &ActorRef, now: Time) -> Result<(), u64> {
        self.counted(who, now, RECORDS_PER_MINUTE, |reader| &mut reader.questions)
    }

    fn counted(&self, who: &ActorRef, now: Time, most: u32, of: impl FnOnce(&mut Reader) -> &mut u32) -> Result<(), u64> {
        let Ok(mut table) = self.table.lock() else { return Err(wait(now)) };
        let count = of(table.reader(who, now));
        if *count >= most {
            return Err(wait(now));
        }
        *count += 1;
        Ok(())
    }

    /// Counts the reading of a record.
    pub(super) fn record(&self, who: &ActorRef, id: &SubjectId, now: Time) -> Read {
        let Ok(mut table) = self.table.lock() else { return Read::Later(wait(now)) };
        let reader = table.reader(who, now);
        if reader.written.contains(id) {
            return Read::Known;
        }
        if reader.records >= RECORDS_PER_MINUTE {
            return Read::Later(wait(now));
        }
        reader.records += 1;
        table.known += usize::from(reader.known.insert(id.clone()));
        Read::First
    }

    /// The entry about these reads is in the log: within the hour there need be no other.
    pub(super) fn written(&self, who: &ActorRef, subjects: &BTreeSet<SubjectId>) {
        let Ok(mut table) = self.table.lock() else { return };
        let Some(reader) = table.readers.get_mut(who) else { return };
        // What was forgotten since for want of room stays so: there are never more of them than are known.
        for id in subjects {
            if reader.known.contains(id) {
                reader.written.insert(id.clone());
            }
        }
    }

    /// A read that could not be written down did not happen.
    pub(super) fn forget(&self, who: &ActorRef, id: &SubjectId) {
        let Ok(mut table) = self.table.lock() else { return };
        if table.readers.get_mut(who).is_some_and(|r| !r.written.contains(id) && r.known.remove(id)) {
            table.known = table.known.saturating_sub(1);
        }
    }

    /// Takes down that a case of a subject was read; what is to be written now, if an entry is full.
    pub(super) fn of_a_case(&self, who: &ActorRef, id: &SubjectId, now: Time) -> Option<BTreeSet<SubjectId>> {
        let mut table = self.table.lock().ok()?;
        let reader = table.reader(who, now);
        if !reader.known.insert(id.clone()) {
            return None;
        }
        if reader.pending.is_empty() {
            reader.since = reader.minute;
        }
        reader.pending.insert(id.clone());
        let full = (reader.pending.len() >= PER_ENTRY).then(|| std::mem::take(&mut reader.pending));
        table.known += 1;
        full
    }

    /// Takes out what was read in minutes that are over, or all of it, in pieces of one entry each.
    pub(super) fn due(&self, now: Time, all: bool) -> Vec<(ActorRef, BTreeSet<SubjectId>)> {
        let (minute, hour) = (now.timestamp().div_euclid(60), now.timestamp().div_euclid(3_600));
        let Ok(mut table) = self.table.lock() else { return Vec::new() };
        let mut due = Vec::new();
        for (who, reader) in &mut table.readers {
            if all || reader.since != minute {
                let mut pending = std::mem::take(&mut reader.pending);
                while !pending.is_empty() {
                    let rest = pending.iter().nth(PER_ENTRY).cloned().map(|at| pending.split_off(&at)).unwrap_or_default();
                    due.push((who.clone(), std::mem::replace(&mut pending, rest)));
                }
            }
        }
        // Whoever has read nothing for an hour takes no room.
        table.readers.retain(|_, r| r.hour == hour || !r.pending.is_empty());
        table.known = table.readers.values().map(|r| r.known.len()).sum();
        due
    }

    /// Puts back what could not be written; it is due again the next time.
    pub(super) fn give_back(&self, who: &ActorRef, subjects: BTreeSet<SubjectId>) {
        let Ok(mut table) = self.table.lock() else { return };
        table.readers.entry(who.clone()).or_default().pending.extend(subjects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        chrono::DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap()
    }

    fn who(n: usize) -> ActorRef {
        ActorRef::Operator { operator: format!("o{n}").parse().unwrap(), person: format!("p{n}").parse().unwrap() }
    }

    fn subject(n: usize) -> SubjectId {
        format!("s{n:06}").parse().unwrap()
    }

    #[test]
    fn invariant_12_records_and_searches_are_bounded_by_the_minute_and_each_by_itself() {
        let budget = Budget::default();
        for n in 0..RECORDS_PER_MINUTE as usize {
            assert_eq!(budget.record(&who(1), &subject(n), at(0)), Read::First);
        }
        assert_eq!(budget.record(&who(1), &subject(99), at(20)), Read::Later(40));
        budget.written(&who(1), &BTreeSet::from([subject(0)]));
        assert_eq!(budget.record(&who(1), &subject(0), at(20)), Read::Known, "what was read within the hour adds nothing");
        assert_eq!(budget.record(&who(2), &subject(99), at(20)), Read::First, "another reader has a bound of its own");
        for _ in 0..FINDS_PER_MINUTE {
            assert_eq!(budget.find(&who(1), at(20)), Ok(()), "searching is counted apart");
        }
        assert_eq!(budget.find(&who(1), at(59)), Err(1));
        assert_eq!((budget.find(&who(1), at(60)), budget.record(&who(1), &subject(99), at(60))), (Ok(()), Read::First));
        assert_eq!(budget.record(&who(1), &subject(0), at(3_600)), Read::First, "the next hour's reads are entries again");
        budget.forget(&who(1), &subject(0));
        assert_eq!(budget.record(&who(1), &subject(0), at(3_600)), Read::First, "what could not be written was not read");
    }

    #[test]
    fn invariant_12_reads_of_cases_come_out_once_with_every_subject_named() {
        let budget = Budget::default();
        for n in 0..PER_ENTRY - 1 {
            assert_eq!((budget.of_a_case(&who(1), &subject(n), at(0)), budget.of_a_case(&who(1), &subject(n), at(1))), (None, None));
        }
        assert_eq!(budget.of_a_case(&who(1), &subject(7_000), at(1)).map(|all| all.len()), Some(PER_ENTRY), "an entry that is full is written");
        budget.of_a_case(&who(1), &subject(8_000), at(2));
        assert_eq!(budget.due(at(59), false), [], "the minute is not over");
        assert_eq!(budget.due(at(60), false), [(who(1), BTreeSet::from([subject(8_000)]))]);
        assert_eq!(budget.due(at(60), true), []);
        assert_eq!(budget.record(&who(1), &subject(8_000), at(61)), Read::First, "what was shown of a case counts only when its entry is written");
        budget.written(&who(1), &BTreeSet::from([subject(8_000)]));
        assert_eq!(budget.record(&who(1), &subject(8_000), at(61)), Read::Known);
        budget.give_back(&who(1), (0..250).map(subject).collect());
        let again = budget.due(at(61), false);
        assert_eq!(again.iter().map(|(_, all)| all.len()).collect::<Vec<_>>(), [100, 100, 50], "none is lost, and no entry is too large");
    }

    #[test]
    fn invariant_12_what_is_remembered_is_bounded_and_costs_no_entry() {
        let budget = Budget::default();
        for n in 0..MAX_KNOWN + 10 {
            budget.of_a_case(&who(n % 7), &subject(n), at(0));
        }
        assert!(budget.table.lock().unwrap().readers.values().map(|r| r.known.len()).sum::<usize>() <= MAX_KNOWN);
        assert_eq!(budget.record(&who(0), &subject(0), at(1)), Read::First, "forgotten, so it is written once more");
        budget.due(at(7_200), true);
        let table = budget.table.lock().unwrap();
        assert_eq!((table.readers.len(), table.known), (0, 0));
    }
}
