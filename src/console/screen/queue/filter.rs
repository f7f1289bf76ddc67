//! Help with the filter language: what may come where the cursor stands.
//!
//! Contract: offers only; the server reads filters and says what is wrong with one. Knows the words of the API.

use crate::api::words::{Action, CaseState, Channel, FlagKind, Path, Risk, SubjectKind, Tier, WaitingOn};
use crate::console::overlay::fuzzy;

/// The longest filter, in bytes (the server's bound).
pub const MAX_FILTER: usize = 500;

/// Flag words and fields, each with what it means.
pub const WORDS: &[(&str, &str)] = &[
    ("mine", "yours"),
    ("unassigned", "nobody works on them"),
    ("decidable", "you could decide them"),
    ("ended", "over; !ended: not over"),
    ("!ended", "not over"),
    ("held", "frozen"),
    ("!held", "not frozen"),
    ("flagged", "something was noticed"),
    ("overdue", "their time is over"),
    ("risk:", "low, medium, high"),
    ("state:", "where they stand"),
    ("action:", "what is to be restored"),
    ("path:", "which way they go"),
    ("channel:", "how the request came in"),
    ("kind:", "what the subject is"),
    ("tier:", "standard, elevated, privileged"),
    ("waiting:", "whom they wait for"),
    ("flag:", "what was noticed, or any"),
    ("subject:", "an id; a trailing * stands for any ending"),
    ("assignee:", "an operator, or me"),
    ("due:", "<2h, <30m, <1d or overdue"),
];

fn codes(field: &str) -> Vec<&'static str> {
    match field {
        "risk" => Risk::ALL.iter().map(|w| w.code()).collect(),
        "state" => CaseState::ALL.iter().map(|w| w.code()).collect(),
        "action" => Action::ALL.iter().map(|w| w.code()).collect(),
        "path" => Path::ALL.iter().map(|w| w.code()).collect(),
        "channel" => Channel::ALL.iter().map(|w| w.code()).collect(),
        "kind" => SubjectKind::ALL.iter().map(|w| w.code()).collect(),
        "tier" => Tier::ALL.iter().map(|w| w.code()).collect(),
        "waiting" => WaitingOn::ALL.iter().map(|w| w.code()).collect(),
        "flag" => std::iter::once("any").chain(FlagKind::ALL.iter().map(|w| w.code())).collect(),
        "assignee" => vec!["me"],
        "due" => vec!["overdue", "<30m", "<2h", "<1d"],
        _ => Vec::new(),
    }
}

/// What a new search begins with: the view's fields, without the words that were looked for before.
pub fn begun(filter: Option<&str>) -> String {
    let kept = without_words(filter.unwrap_or_default());
    if kept.is_empty() { kept } else { kept + " " }
}

/// Whether a part of a filter is a flag or a field, not a word to be looked for.
fn is_field(part: &str) -> bool {
    part.contains(':') || WORDS.iter().any(|(word, _)| *word == part)
}

/// A filter without the words that are looked for: its flags and fields.
pub fn without_words(text: &str) -> String {
    text.split_whitespace().filter(|w| is_field(w)).collect::<Vec<_>>().join(" ")
}

/// The words that are looked for, in small letters.
pub fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().filter(|w| !is_field(w)).map(str::to_lowercase).collect()
}

/// Whether words say of what a list is made of something else than the list's own filter does: `!held` of one of held cases. The server takes
/// the values of a field together and the last of a word, so that this would make the list another one instead of a shorter one.
pub fn contradicts(own: &str, words: &str) -> bool {
    let about = |part: &str| {
        let bare = part.trim_start_matches('!');
        bare.find(':').map_or(bare, |colon| &bare[..=colon]).to_owned()
    };
    let own: Vec<&str> = own.split_whitespace().collect();
    let bare = words.replace('"', "");
    bare.split_whitespace().any(|word| !own.contains(&word) && own.iter().any(|one| about(one) == about(word)))
}

/// A filter as far as it can be asked for while it is typed: without a last field that has no value yet, or a flag that is not one yet.
pub fn ready(typed: &str) -> String {
    let typed = typed.trim();
    let (head, last) = typed.rsplit_once(char::is_whitespace).unwrap_or(("", typed));
    let begun = last.ends_with([':', ',', '<']) || (last.starts_with('!') && !is_field(last));
    if begun { head.trim_end().to_owned() } else { typed.to_owned() }
}

/// What may stand for the last word: `(whole word, meaning)`, best first.
pub fn offers(text: &str) -> Vec<(String, &'static str)> {
    let word = text.rsplit(' ').next().unwrap_or("");
    if let Some((field, value)) = word.split_once(':') {
        let last = value.rsplit(',').next().unwrap_or("");
        let kept = &value[..value.len() - last.len()];
        let all = codes(field);
        return fuzzy(last, all.iter().map(|c| (*c).to_owned())).into_iter().map(|i| (format!("{field}:{kept}{}", all[i]), "")).collect();
    }
    if word.is_empty() {
        return WORDS.iter().map(|(w, m)| ((*w).to_owned(), *m)).collect();
    }
    fuzzy(word, WORDS.iter().map(|(w, _)| (*w).to_owned())).into_iter().map(|i| (WORDS[i].0.to_owned(), WORDS[i].1)).collect()
}

/// The text with its last word completed by the best offer.
pub fn complete(text: &str) -> Option<String> {
    let (word, _) = offers(text).into_iter().next()?;
    let head = text.rsplit_once(' ').map_or("", |(head, _)| head);
    let blank = if head.is_empty() { "" } else { " " };
    let after = if word.ends_with(':') { "" } else { " " };
    Some(format!("{head}{blank}{word}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_values_are_completed() {
        assert_eq!(complete("ri").as_deref(), Some("risk:"));
        assert_eq!(complete("mine risk:hi").as_deref(), Some("mine risk:high "));
        assert_eq!(complete("state:new,seal").as_deref(), Some("state:new,sealed "));
        assert_eq!(complete("zzzz"), None);
        assert!(offers("").len() == WORDS.len());
        assert_eq!(["mine ri", "mine risk:", "mine risk:high,", "!en", " a  b ", "due:<"].map(ready), ["mine ri", "mine", "mine", "", "a  b", ""]);
        for (own, words, otherwise) in [
            ("held", "okafor !held", true),
            ("held", "!\"held\"", true),
            ("held", "held okafor flagged", false),
            ("flagged !ended", "ended", true),
            ("flagged !ended", "!flagged", true),
            ("waiting:review", "waiting:subject", true),
            ("waiting:review", "waiting review", false),
        ] {
            assert_eq!(contradicts(own, words), otherwise, "{own}: {words}");
        }
        assert_eq!(words_of("mine Okfr risk:high"), ["okfr"]);
        assert_eq!(without_words("mine unassigned !ended maya due:<2h"), "mine unassigned !ended due:<2h");
    }
}
