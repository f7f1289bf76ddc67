//! The filter language of lists: `risk:high subject:vault-* mine unassigned !ended due:<2h okafor`.
//!
//! Contract: words apart from the known ones are full text; fields are `name:value[,value]`; `!` negates a flag word. A mistake is an
//! error that says what would be right. Knows neither SQL nor HTTP.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::base::Time;
use crate::base::ids::{OperatorId, PersonId};
use crate::domain::view::{Cursor, QueueFilter, Sort};
use crate::domain::vocabulary::{Action, CaseState, Channel, FlagKind, Path, Risk, SubjectKind, Tier, UnknownWord, WaitingOn};

/// The longest filter, in characters.
pub const MAX_FILTER: usize = 500;
/// The most words a filter may have.
pub const MAX_WORDS: usize = 20;
/// The farthest a `due:<` may look ahead.
const MAX_DUE_DAYS: i64 = 365;

/// What is wrong with a filter, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(pub String);

/// Who asks, for `mine` and `decidable`.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// Their account.
    pub operator: Option<OperatorId>,
    /// Their person.
    pub person: Option<PersonId>,
}

/// The fewest letters that stand for a longer word.
const LEAST_BEGINNING: usize = 3;

/// Reads a filter.
pub fn parse(text: &str, asker: &Asker, now: Time) -> Result<QueueFilter, FilterError> {
    if text.chars().count() > MAX_FILTER {
        return Err(FilterError(format!("a filter has at most {MAX_FILTER} characters")));
    }
    let mut filter = QueueFilter::default();
    let mut words = Vec::new();
    for (at, token) in tokens(text).iter().enumerate() {
        if at >= MAX_WORDS {
            return Err(FilterError(format!("a filter has at most {MAX_WORDS} words")));
        }
        let (negated, bare) = token.strip_prefix('!').map_or((false, token.as_str()), |rest| (true, rest));
        if flag(&mut filter, bare, negated, asker, now)? {
            continue;
        }
        match bare.split_once(':') {
            Some((name, value)) if !negated => field(&mut filter, name, value, asker, now)?,
            Some((name, _)) => {
                let name = crate::base::text::sanitise(name, false);
                return Err(FilterError(format!("\"!\" goes before a word such as ended, held or flagged, not before {name}:")));
            }
            None if negated => {
                return Err(FilterError(format!(
                    "\"!{}\" is not known; \"!\" goes before ended, held or flagged",
                    crate::base::text::sanitise(bare, false)
                )));
            }
            None => words.push(bare.to_owned()),
        }
    }
    filter.text = (!words.is_empty()).then(|| words.join(" "));
    Ok(filter)
}

/// Takes a flag word; whether it was one.
fn flag(filter: &mut QueueFilter, word: &str, negated: bool, asker: &Asker, now: Time) -> Result<bool, FilterError> {
    match word {
        "ended" => filter.ended = Some(!negated),
        "held" => filter.held = Some(!negated),
        "flagged" => filter.flagged = Some(!negated),
        "overdue" if !negated => filter.due_before = Some(now),
        "mine" | "unassigned" | "decidable" | "overdue" if negated => {
            return Err(FilterError(format!("\"!{word}\" can't be asked for; \"!\" goes before ended, held or flagged")));
        }
        "unassigned" => filter.unassigned = true,
        "mine" => {
            let me = asker.operator.clone().ok_or_else(|| FilterError("\"mine\" is for operators".to_owned()))?;
            filter.assignees.insert(me);
        }
        "decidable" => {
            let me = asker.person.clone().ok_or_else(|| FilterError("\"decidable\" is for operators".to_owned()))?;
            filter.decidable_by = Some(me);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn field(filter: &mut QueueFilter, name: &str, value: &str, asker: &Asker, now: Time) -> Result<(), FilterError> {
    match name {
        "risk" => words(&mut filter.risks, Risk::ALL, value),
        "state" => words(&mut filter.states, CaseState::ALL, value),
        "action" => words(&mut filter.actions, Action::ALL, value),
        "path" => words(&mut filter.paths, Path::ALL, value),
        "channel" => words(&mut filter.channels, Channel::ALL, value),
        "kind" => words(&mut filter.kinds, SubjectKind::ALL, value),
        "tier" => words(&mut filter.tiers, Tier::ALL, value),
        "waiting" => words(&mut filter.waiting_on, WaitingOn::ALL, value),
        "flag" if value == "any" => {
            filter.flagged = Some(true);
            Ok(())
        }
        "flag" => words(&mut filter.flags, FlagKind::ALL, value),
        "subject" => {
            let stem = value.strip_suffix('*').unwrap_or(value);
            crate::base::ids::SubjectId::parse(stem).map_err(|e| FilterError(format!("subject: {e}; a trailing * stands for any ending")))?;
            filter.subject = Some(value.to_owned());
            Ok(())
        }
        "assignee" if value == "me" => flag(filter, "mine", false, asker, now).map(drop),
        "assignee" => {
            for one in value.split(',') {
                filter.assignees.insert(OperatorId::parse(one).map_err(|e| FilterError(format!("assignee: {e}")))?);
            }
            Ok(())
        }
        "due" => {
            filter.due_before = Some(now + due(value)?);
            Ok(())
        }
        _ => Err(FilterError(format!(
            "\"{}:\" is not a field; there are risk, state, action, path, channel, kind, tier, waiting, flag, subject, assignee and due",
            crate::base::text::sanitise(name, false)
        ))),
    }
}

fn words<T>(into: &mut BTreeSet<T>, all: &[T], value: &str) -> Result<(), FilterError>
where
    T: FromStr<Err = UnknownWord> + std::fmt::Display + Copy + Ord,
{
    for word in value.split(',') {
        let known = word.parse().or_else(|unknown| shown_as(all, word).ok_or(unknown));
        into.insert(known.map_err(|e: UnknownWord| FilterError(format!("\"{}\" is {e}", crate::base::text::sanitise(word, false))))?);
    }
    Ok(())
}

/// The one that is shown to people under this name, or whose shown name alone begins with it: `med`, `awaiting_approval`, `awaiting approval`.
fn shown_as<T: std::fmt::Display + Copy>(all: &[T], word: &str) -> Option<T> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], " ");
    let wanted = plain(word);
    if let Some(exact) = all.iter().find(|w| plain(&w.to_string()) == wanted) {
        return Some(*exact);
    }
    let mut begin = all.iter().filter(|w| plain(&w.to_string()).starts_with(&wanted));
    match (begin.next(), begin.next()) {
        (Some(one), None) if wanted.chars().count() >= LEAST_BEGINNING => Some(*one),
        _ => None,
    }
}

/// The words of a filter; what stands between double quotes is one, without them.
fn tokens(text: &str) -> Vec<String> {
    let (mut out, mut open, mut quoted) = (Vec::new(), None::<String>, false);
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
        } else if c.is_whitespace() && !quoted {
            out.extend(open.take());
        } else {
            open.get_or_insert_default().push(c);
        }
    }
    out.extend(open);
    out
}

/// `<2h`, `<30m`, `<1d` or `overdue`.
fn due(value: &str) -> Result<chrono::Duration, FilterError> {
    let wrong = || FilterError("due: looks like due:<2h, due:<30m, due:<1d or due:overdue".to_owned());
    if value == "overdue" {
        return Ok(chrono::Duration::zero());
    }
    let rest = value.strip_prefix('<').ok_or_else(wrong)?;
    let unit = rest.chars().last().ok_or_else(wrong)?;
    let number: i64 = rest.get(..rest.len() - unit.len_utf8()).and_then(|n| n.parse().ok()).filter(|n| *n >= 0).ok_or_else(wrong)?;
    let span = match unit {
        'm' => chrono::Duration::try_minutes(number),
        'h' => chrono::Duration::try_hours(number),
        'd' => chrono::Duration::try_days(number),
        _ => None,
    };
    span.filter(|s| s.num_days() <= MAX_DUE_DAYS).ok_or_else(wrong)
}

/// Reads a sort word.
pub fn sort(text: Option<&str>) -> Result<Sort, FilterError> {
    match text {
        None | Some("due") => Ok(Sort::Due),
        Some("risk") => Ok(Sort::Risk),
        Some("opened") => Ok(Sort::Opened),
        Some("updated") => Ok(Sort::Updated),
        Some(_) => Err(FilterError("sort is due, risk, opened or updated".to_owned())),
    }
}

/// A cursor as clients hold it: 32 hexadecimal digits that mean nothing to them.
pub fn cursor(cursor: Cursor) -> String {
    format!("{:016x}{:016x}", cursor.key.cast_unsigned(), cursor.case.cast_unsigned())
}

/// The inverse of [`cursor`].
pub fn parse_cursor(text: &str) -> Result<Cursor, FilterError> {
    let wrong = || FilterError("a cursor is taken from the page before, as it is".to_owned());
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let half = |part: &str| u64::from_str_radix(part, 16).map(u64::cast_signed).map_err(|_| wrong());
    Ok(Cursor { key: half(&text[..16])?, case: half(&text[16..])? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker() -> Asker {
        Asker { operator: OperatorId::parse("nadia").ok(), person: PersonId::parse("p1").ok() }
    }

    fn read(text: &str) -> Result<QueueFilter, FilterError> {
        parse(text, &asker(), Time::default())
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        let shown = read("risk:med state:\"awaiting approval\",new maya").unwrap();
        assert_eq!(shown.risks.iter().copied().collect::<Vec<_>>(), [Risk::Medium]);
        assert_eq!(shown.states, BTreeSet::from([CaseState::Sealed, CaseState::New]));
        assert_eq!(shown.text.as_deref(), Some("maya"));
        for word in ["awaiting_approval", "awaiting-approval", "awaiting", "sealed"] {
            assert_eq!(read(&format!("state:{word}")).unwrap().states, BTreeSet::from([CaseState::Sealed]), "{word}");
        }
        assert!(read("risk:m").is_err() && read("risk:mean").is_err() && read("state:\"awaiting").is_ok());
        assert_eq!(tokens(" a \"b  c\"d\u{3000}e "), ["a", "b  cd", "e"]);
    }

    #[test]
    fn every_kind_of_word_is_understood() {
        let filter = read("risk:high,medium subject:vault-* mine unassigned !ended state:sealed due:<2h okafor 4127 held !flagged").unwrap();
        assert_eq!(filter.risks, BTreeSet::from([Risk::High, Risk::Medium]));
        assert_eq!(filter.states, BTreeSet::from([CaseState::Sealed]));
        assert_eq!(filter.subject.as_deref(), Some("vault-*"));
        assert_eq!(filter.text.as_deref(), Some("okafor 4127"));
        assert!(filter.unassigned && filter.assignees.len() == 1);
        assert_eq!((filter.ended, filter.held, filter.flagged), (Some(false), Some(true), Some(false)));
        assert_eq!(filter.due_before, Some(Time::default() + chrono::Duration::hours(2)));
    }

    #[test]
    fn flags_and_what_is_late_are_asked_for() {
        let filter = read("flag:pressure,look_alike overdue").unwrap();
        assert_eq!(filter.flags, BTreeSet::from([FlagKind::Pressure, FlagKind::LookAlike]));
        assert_eq!((filter.due_before, filter.text), (Some(Time::default()), None));
        assert_eq!(read("flag:any").unwrap(), read("flagged").unwrap());
        assert_eq!(read("overdue").unwrap(), read("due:overdue").unwrap());
        assert!(read("flag:haste").unwrap_err().0.contains("pressure"), "{}", read("flag:haste").unwrap_err());
        assert!(read("!overdue").is_err());
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (text, hint) in [
            ("risk:huge", "low, medium, high"),
            ("nope:1", "is not a field"),
            ("due:2h", "due:<2h"),
            ("due:<999999999999999999h", "due:<2h"),
            ("due:<é", "due:<2h"),
            ("!mine", "can't be asked"),
            ("!okafor", "is not known"),
            ("subject:A*", "a-z"),
        ] {
            assert!(read(text).unwrap_err().0.contains(hint), "{text}: {}", read(text).unwrap_err());
        }
        assert!(read(&"a ".repeat(21)).is_err() && read(&"a".repeat(501)).is_err());
        assert!(parse("mine", &Asker::default(), Time::default()).is_err());
    }

    #[test]
    fn cursors_round_trip() {
        for c in [Cursor { key: -1, case: i64::MAX }, Cursor { key: 0, case: 7 }] {
            assert_eq!(parse_cursor(&cursor(c)), Ok(c));
        }
        assert!(parse_cursor("x").is_err() && parse_cursor(&"é".repeat(16)).is_err());
    }
}
