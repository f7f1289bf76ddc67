//! What is drawn for the eye, in words for the ear.
//!
//! Contract: pure. Marks become words, hints about keys that the linear mode has not are left out. Knows no model.

use crate::console::action::Action;
use crate::console::widget::sheet::spoken;

/// What changes only what is seen: nothing to choose for somebody who listens.
pub const FOR_THE_EYE: [Action; 4] = [Action::Mouse, Action::Theme, Action::Preview, Action::Editor];

/// Hints about keys and marks within a line, and what is said instead.
const INSTEAD: [(&str, &str); 4] =
    [("; space takes one)", ")"), (" with the space bar", ""), ("choose with ↑ ↓, then Enter", "type the number of the one you mean"), ("‖ ", "")];

/// Whether a choice of the list of commands is only for the eye.
pub fn for_the_eye(name: &str) -> bool {
    FOR_THE_EYE.iter().any(|a| a.row().name == name)
}

/// A line as it is said.
pub fn said(line: &str) -> String {
    // A statement is read as it is signed.
    if line.starts_with('{') {
        return line.to_owned();
    }
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    let word = spoken(mark);
    let line = if word == mark || rest.is_empty() { line.to_owned() } else { format!("{word}: {rest}") };
    INSTEAD.iter().fold(line, |line, (seen, heard)| if line.contains(seen) { line.replace(seen, heard) } else { line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_hints_for_the_eye_become_words() {
        assert_eq!(said("✕ You can't approve: you routed it."), "refused or failed: You can't approve: you routed it.");
        assert_eq!(said("Will Brown, state: ‖ held"), "Will Brown, state: held");
        assert_eq!(said("Take at least one with the space bar."), "Take at least one.");
        assert_eq!(said("Name: Nuno"), "Name: Nuno");
        assert!(for_the_eye("mouse") && !for_the_eye("approve"));
    }
}
