//! Calling for attention: a bell or a notification when something waits on the user. Off unless asked for.
//!
//! Contract: pure; time comes in. Calls at most once in [`GAP`]; what comes in between is put into the next call. In quiet hours nothing
//! calls and nothing is saved up. What the user did themselves is no news to them. Texts are made of numbers, ids and account names.
//! Knows no screen.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::TimeDelta;

use super::effect::{Effect, Timer};
use super::message::Reply;
use super::model::Shared;
use crate::api::lists::{Announcement, CaseRow};
use crate::api::words::WaitingOn;
use crate::base::Time;
use crate::base::ids::{CaseId, OperatorId};
use crate::client::ClientError;
pub use crate::config::client::Attention as How;

/// Between two calls at least.
pub const GAP: TimeDelta = TimeDelta::seconds(30);
/// How long before its deadline a case that waits on the user calls, once.
pub const NEAR: TimeDelta = TimeDelta::minutes(10);
/// How long a change of one's own explains news about the case.
const OWN: TimeDelta = TimeDelta::seconds(15);
/// The most cases of the user that are watched, and the most changes of their own that are remembered.
const MAX: usize = 500;

/// How the user wants to be called.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// By what.
    pub how: How,
    /// From which hour to which nothing calls.
    pub quiet: Option<(u8, u8)>,
    /// The hour of the day where the user is.
    pub hour_of: fn(Time) -> u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { how: How::Off, quiet: None, hour_of: |now| chrono::Timelike::hour(&now) }
    }
}

/// A case of the user's.
#[derive(Debug, Clone, Copy)]
struct Mine {
    due: Option<Time>,
    /// Whether it called for this deadline already.
    called: bool,
}

/// What waits, and when it was last called.
#[derive(Debug, Default)]
pub struct Attention {
    wanted: Wanted,
    mine: BTreeMap<CaseId, Mine>,
    own: VecDeque<(CaseId, Time)>,
    approvals: Option<u64>,
    proposals: Option<u64>,
    waiting: Option<String>,
    more: usize,
    last: Option<Time>,
}

impl Attention {
    /// As the user wants it.
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// By what it calls.
    pub const fn how(&self) -> How {
        self.wanted.how
    }

    /// Somebody else uses the console now; when it last called stays.
    pub fn forget(&mut self) {
        *self = Self { wanted: self.wanted, last: self.last, ..Self::default() };
    }

    /// The user sent a change of a case.
    pub fn wrote(&mut self, case: CaseId, now: Time) {
        if self.own.len() == MAX {
            self.own.pop_front();
        }
        self.own.push_back((case, now));
    }

    /// How many cases the user could decide.
    pub fn approvals(&mut self, count: u64) {
        let before = self.approvals.replace(count);
        if before.is_some_and(|b| count > b) {
            let cases = if count == 1 { "1 case waits".to_owned() } else { format!("{count} cases wait") };
            self.put(format!("Approval is asked of you: {cases}."));
        }
    }

    /// How many proposals the user could approve.
    pub fn proposals(&mut self, count: u64) {
        let before = self.proposals.replace(count);
        if before.is_some_and(|b| count > b) {
            let waits = if count == 1 { "1 proposal waits".to_owned() } else { format!("{count} proposals wait") };
            self.put(format!("Approval is asked of you: {waits}."));
        }
    }

    /// A case as it is now. `news`: the server announced it, so that a change of hands is one that just happened; what is found otherwise
    /// (at the start) has been there before. `now` is this machine's time, `server` the server's.
    pub fn case(&mut self, row: &CaseRow, me: &OperatorId, (now, server): (Time, Time), news: bool) {
        if self.wanted.how == How::Off {
            return;
        }
        let by_me = self.own.iter().any(|(case, at)| *case == row.id && now - *at <= OWN);
        let (was, is) = (self.mine.contains_key(&row.id), row.assignee.as_ref() == Some(me));
        if is {
            let due = row.due.filter(|_| row.waiting_on == WaitingOn::Agent && !row.held);
            let found_near = !news && due.is_some_and(|d| d - server <= NEAR);
            let called = self.mine.get(&row.id).map_or(found_near, |m| m.called && m.due == due);
            if was || self.mine.len() < MAX {
                self.mine.insert(row.id, Mine { due, called });
            }
            if news && !was && !by_me {
                self.put(format!("{} was given to you.", row.id));
            }
        } else if was {
            self.mine.remove(&row.id);
            if !by_me {
                let whose = row.assignee.as_ref().map_or_else(|| "nobody's".to_owned(), |a| format!("{a}'s"));
                self.put(format!("{} is no longer yours but {whose}.", row.id));
            }
        }
    }

    fn put(&mut self, text: String) {
        if self.wanted.how != How::Off && self.waiting.replace(text).is_some() {
            self.more += 1;
        }
    }

    /// What to call out now, if anything. `now` is this machine's time, `server` the server's.
    pub fn call(&mut self, now: Time, server: Time) -> Option<String> {
        let mut near = Vec::new();
        for (case, mine) in self.mine.iter_mut().filter(|(_, m)| !m.called && m.due.is_some_and(|d| d - server <= NEAR)) {
            mine.called = true;
            near.extend(mine.due.map(|due| (*case, due)));
        }
        for (case, due) in near {
            let minutes = (due - server).num_minutes();
            self.put(match minutes {
                ..=0 => format!("{case} is due now and waits on you."),
                1 => format!("{case} is due in a minute and waits on you."),
                _ => format!("{case} is due in {minutes} minutes and waits on you."),
            });
        }
        if self.is_quiet(now) {
            (self.waiting, self.more) = (None, 0);
        }
        if self.last.is_some_and(|last| now >= last && now - last < GAP) {
            return None;
        }
        let text = self.waiting.take()?;
        self.last = Some(now);
        Some(match std::mem::take(&mut self.more) {
            0 => text,
            more => format!("{text} And {more} more."),
        })
    }

    /// When to look again, by this machine's clock; `skew` is the server's time minus this machine's.
    pub fn next(&self, skew: TimeDelta) -> Option<Time> {
        let after_gap = self.waiting.as_ref().and(self.last).map(|last| last + GAP);
        let near = self.mine.values().filter(|m| !m.called).filter_map(|m| m.due).filter_map(|due| due.checked_sub_signed(NEAR + skew)).min();
        [after_gap, near].into_iter().flatten().min()
    }

    fn is_quiet(&self, now: Time) -> bool {
        let hour = (self.wanted.hour_of)(now);
        self.wanted.quiet.is_some_and(|(from, to)| {
            let (from, to) = (u32::from(from), u32::from(to));
            if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to }
        })
    }
}

/// What an answer says about cases of the user's own, and about how many wait for their decision.
pub(super) fn answered(shared: &mut Shared, reply: &Result<Reply, ClientError>) {
    let Some(me) = shared.me.as_ref().and_then(|m| m.operator.as_ref()) else { return };
    let times = (shared.now, shared.server_now());
    match reply {
        Ok(Reply::Counts(counts)) => {
            shared.attention.approvals(counts.approvals);
            shared.attention.proposals(counts.proposals);
        }
        Ok(Reply::Cases(page)) => page.rows.iter().for_each(|row| shared.attention.case(row, me, times, false)),
        Ok(Reply::Case(case)) => shared.attention.case(&case.row, me, times, false),
        _ => {}
    }
}

/// Calls if something waits, and sets a timer for what calls by itself.
pub(super) fn settle(shared: &mut Shared) {
    if shared.attention.how() == How::Off {
        return;
    }
    if let Some(text) = shared.attention.call(shared.now, shared.server_now()) {
        shared.effects.push(Effect::Attend(shared.attention.how(), text));
    }
    let next = shared.attention.next(shared.skew);
    if let Some(next) = next
        && shared.attention_due != Some(next)
    {
        let wait = (next - shared.now).to_std().unwrap_or(Duration::ZERO);
        shared.timer(Timer::Attention, wait.clamp(Duration::from_millis(20), Duration::from_hours(1)));
    }
    shared.attention_due = next;
}

/// What the server announced about a case of the user's own.
pub(super) fn announced(shared: &mut Shared, news: &Announcement) {
    if let (Announcement::Case { row }, Some(me)) = (news, shared.me.as_ref().and_then(|m| m.operator.as_ref())) {
        shared.attention.case(row, me, (shared.now, shared.server_now()), true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32, minute: u32, second: u32) -> Time {
        use chrono::TimeZone as _;
        chrono::Utc.with_ymd_and_hms(2026, 3, 2, hour, minute, second).unwrap()
    }

    fn bell(quiet: Option<(u8, u8)>) -> Attention {
        let mut attention = Attention::new(Wanted { how: How::Bell, quiet, ..Wanted::default() });
        attention.approvals(0);
        attention
    }

    #[test]
    fn one_call_in_a_while_tells_of_all() {
        let mut attention = bell(None);
        attention.approvals(1);
        assert_eq!(attention.call(at(9, 0, 0), at(9, 0, 0)).as_deref(), Some("Approval is asked of you: 1 case waits."));
        attention.approvals(2);
        attention.approvals(3);
        assert_eq!(attention.call(at(9, 0, 29), at(9, 0, 29)), None);
        assert_eq!(attention.next(TimeDelta::zero()), Some(at(9, 0, 30)));
        assert_eq!(attention.call(at(9, 0, 30), at(9, 0, 30)).as_deref(), Some("Approval is asked of you: 3 cases wait. And 1 more."));
        attention.approvals(2);
        assert_eq!((attention.call(at(9, 5, 0), at(9, 5, 0)), attention.next(TimeDelta::zero())), (None, None));
    }

    #[test]
    fn quiet_hours_are_quiet_over_midnight_too() {
        let mut attention = bell(Some((19, 7)));
        for (hour, calls) in [(18, true), (19, false), (23, false), (0, false), (6, false), (7, true)] {
            attention.last = None;
            attention.approvals = Some(0);
            attention.approvals(1);
            assert_eq!(attention.call(at(hour, 30, 0), at(hour, 30, 0)).is_some(), calls, "{hour}");
        }
        let mut day = bell(Some((9, 17)));
        day.approvals(1);
        assert_eq!(day.call(at(12, 0, 0), at(12, 0, 0)), None);
        assert_eq!(day.call(at(18, 0, 0), at(18, 0, 0)), None, "nothing is saved up");
    }
}
