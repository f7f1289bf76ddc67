//! A policy beside another one, in words: which settings differ and which way each leans, and which cases need something else.
//!
//! Contract: pure; shows what it is given and works nothing out. Texts are sanitised where they are printed.

use crate::api::governance::{PolicyCompared, SettingRow};

/// The whole comparison; `one` names the policy that would be, e.g. "The second".
pub fn words(found: &PolicyCompared, one: &str) -> String {
    let mut lines = vec![format!("{one} is {}.", found.leans())];
    lines.extend(found.settings.iter().map(setting));
    lines.extend(found.settings_left_out());
    match (found.classes, found.cases.is_empty()) {
        (None, _) => lines.push("There are too many classes of case to look at each: it counts as laxer.".to_owned()),
        (Some(_), true) => lines.push("They ask the same of every case.".to_owned()),
        (Some(all), false) => {
            for difference in &found.cases {
                lines.push(format!("{} in {} of {all} classes of case, e.g. {}", difference.verdict, difference.classes, difference.example));
                lines.extend(difference.gone.iter().map(|g| format!("  - {g}")));
                lines.extend(difference.added.iter().map(|a| format!("  + {a}")));
            }
            lines.extend(found.cases_left_out());
        }
    }
    lines.join("\n")
}

/// `laxer     governance.token_lifetime: 10 d -> 30 d`.
pub fn setting(row: &SettingRow) -> String {
    let said = |text: &str| if text.is_empty() { "not said".to_owned() } else { text.to_owned() };
    format!("{:<9} {}: {} -> {}", row.lean.label(), row.name, said(&row.was), said(&row.would_be))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_said() {
        let zeros = "0".repeat(64);
        let found = |more: u64| -> PolicyCompared {
            let class = serde_json::json!({"verdict": "laxer", "classes": 1, "example": "x", "gone": [], "added": []});
            serde_json::from_value(serde_json::json!({"sha256": zeros, "text": "", "current_sha256": zeros, "laxer": true, "stricter": false,
                "settings": [], "more_settings": more, "classes": 3, "cases": [class], "more_cases": more}))
            .unwrap()
        };
        let said = words(&found(7), "It");
        assert!(said.contains("7 more settings differ.") && said.contains("There are 7 more differences."), "{said}");
        assert!(!words(&found(0), "It").contains("more"), "{}", words(&found(0), "It"));
    }
}
