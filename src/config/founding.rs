//! The file that founds a server: whose accounts, and who employs them.
//!
//! Contract: pure; each answer may be missing (it is asked for then), and every mistake is named with its line. Knows no rules.

use super::ConfigError;
use super::read::{self, Reader, Section};
use crate::base::ids::{EmployerId, OperatorId};

/// The answers that a file gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Founding {
    /// The account of the first person, who owns policy.
    pub policy_owner: Option<OperatorId>,
    /// The account of the second person, who reviews security.
    pub security_reviewer: Option<OperatorId>,
    /// Who employs both.
    pub employer: Option<EmployerId>,
}

impl Founding {
    /// Reads the text of a file. Variables don't speak here: who founds is said where it is kept.
    ///
    /// # Errors
    /// Every mistake with its line.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        read::parse(text, &std::collections::BTreeMap::new(), |reader: &mut Reader<'_>, root: &mut Section<'_, '_>| Self {
            policy_owner: reader.parsed(root, "policy_owner"),
            security_reviewer: reader.parsed(root, "security_reviewer"),
            employer: reader.parsed(root, "employer"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_with_its_line_and_what_is_missing_is_none() {
        let found = Founding::parse("policy_owner = \"ana\"\nemployer = \"acme\"\n").unwrap();
        assert_eq!(found.policy_owner.unwrap().as_str(), "ana");
        assert!(found.security_reviewer.is_none());
        let why = Founding::parse("policy_owner = \"A B\"\nsurprise = 1\nemployer = 3\n").unwrap_err();
        let lines: Vec<Option<usize>> = why.mistakes.iter().map(|m| m.line).collect();
        assert_eq!(lines, [Some(1), Some(2), Some(3)], "{why}");
    }
}
