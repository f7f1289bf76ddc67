//! What runs within a text: figures that are others at each look, though nothing happened.
//!
//! Contract: pure. A figure that runs stands between two marks that no text from outside can hold, as the sanitiser makes them visible: whoever
//! reads out tells it from people's words by them. Marks are taken out before anything is drawn or said.

const FROM: char = '\u{e000}';
const TO: char = '\u{e001}';

/// A text with a figure that runs; what comes before its first digit (`late`, a sign) stands.
pub fn running(text: &str) -> String {
    let (stands, runs) = text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len()));
    if runs.is_empty() { text.to_owned() } else { format!("{stands}{FROM}{runs}{TO}") }
}

/// A text as it is drawn or said.
pub fn shown(text: &str) -> String {
    without(text, |figure| figure)
}

/// What stands of a text while its figures run.
pub fn standing(text: &str) -> String {
    without(text, |_| "")
}

/// A text without its marks, and with something of each figure. A mark alone is none.
fn without<'a>(text: &'a str, of: impl Fn(&'a str) -> &'a str) -> String {
    let mut parts = text.split(FROM);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some((figure, rest)) = part.split_once(TO) {
            out.extend([of(figure), rest]);
        } else {
            out.push(FROM);
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::sanitise;

    #[test]
    fn what_runs_is_shown_and_does_not_stand() {
        for (text, stands) in [("7m28s", ""), ("late 0:03", "late "), ("-0:03", "-"), ("now", "now")] {
            assert_eq!((shown(&running(text)).as_str(), standing(&running(text)).as_str()), (text, stands));
        }
        let line = format!("due in {}, held since {}.", running("0:42"), running("3m00s"));
        assert_eq!(shown(&line), "due in 0:42, held since 3m00s.");
        assert_eq!(standing(&line), "due in , held since .");
    }

    #[test]
    fn no_text_from_outside_runs() {
        let text = sanitise(&running("7m28s"), true);
        assert_eq!(standing(&text), text);
        let alone = format!("a{FROM}b");
        assert_eq!((shown(&alone), standing(&alone)), (alone.clone(), alone.clone()));
    }
}
