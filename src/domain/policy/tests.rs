//! Tests of policy files and of what follows from them.

use super::*;

#[test]
fn the_embedded_policy_has_no_mistakes() {
    let mistakes = Policy::parse(DEFAULT).err().unwrap_or_default();
    assert!(mistakes.is_empty(), "{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}
