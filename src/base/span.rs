//! Spans of time in words.
//!
//! Contract: pure; whole, nothing of a span is rounded away. Knows nothing about what lasts so long.

/// A span of so many seconds: `1 hour 30 minutes`, `24 hours`, and from two days on in days where they are whole ones; of none, `none`.
pub fn span(seconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60;
    const UNITS: [(u64, &str); 3] = [(60 * 60, "hour"), (60, "minute"), (1, "second")];
    let plural = |n: u64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    if seconds == 0 {
        return "none".to_owned();
    }
    if seconds >= 2 * DAY && seconds.is_multiple_of(DAY) {
        return plural(seconds / DAY, "day");
    }
    let mut left = seconds;
    let mut words = Vec::new();
    for (length, unit) in UNITS {
        if left >= length {
            words.push(plural(left / length, unit));
            left %= length;
        }
    }
    words.join(" ")
}

/// A term of policy with its span in words: `delay before execution: 1800 s` as `delay before execution: 30 minutes`.
pub fn readable(term: &str) -> String {
    let parts = term.rsplit_once(": ").and_then(|(name, n)| Some((name, n.strip_suffix(" s")?.parse::<u64>().ok()?)));
    parts.map_or_else(|| term.to_owned(), |(name, seconds)| format!("{name}: {}", span(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_words() {
        for (seconds, words) in [
            ("0 s", "none"),
            ("1 s", "1 second"),
            ("90 s", "1 minute 30 seconds"),
            ("5400 s", "1 hour 30 minutes"),
            ("86400 s", "24 hours"),
            ("172800 s", "2 days"),
            ("7776000 s", "90 days"),
            ("180000 s", "50 hours"),
            ("supervisor", "supervisor"),
        ] {
            assert_eq!(readable(&format!("delay before execution: {seconds}")), format!("delay before execution: {words}"));
        }
    }
}
