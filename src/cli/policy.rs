//! Policies from the command line: check a file.
//!
//! Contract: reads files and prints what the rules say of them. Knows no rules.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::out::{Failure, Out};
use crate::domain::policy::{self, Policy};

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check a policy file; every mistake is listed with its line.
    Check {
        /// The file; the built-in policy if absent.
        file: Option<PathBuf>,
    },
    /// Print the built-in policy, to begin a file of one's own with.
    Default,
}

#[derive(Debug, Serialize)]
struct Checked {
    sha256: String,
    bytes: usize,
}

/// Runs one.
pub fn run(command: &PolicyCommand, out: Out) -> Result<(), Failure> {
    match command {
        PolicyCommand::Default => out.raw(policy::DEFAULT.as_bytes()),
        PolicyCommand::Check { file } => {
            let (text, policy) = read(file.as_deref())?;
            let checked = Checked { sha256: policy.sha256.to_string(), bytes: text.len() };
            out.answer(&checked, |c| format!("The policy is sound.\nsha256 {}\n", c.sha256))
        }
    }
}

/// A policy and its text, from a file or the built-in one.
pub fn read(file: Option<&Path>) -> Result<(String, Policy), Failure> {
    let text = match file {
        Some(file) => crate::config::read_file(file, false)?.unwrap_or_default(),
        None => policy::DEFAULT.to_owned(),
    };
    let name = file.map_or_else(|| "the built-in policy".to_owned(), |f| f.display().to_string());
    match Policy::parse(&text) {
        Ok(policy) => Ok((text, policy)),
        Err(mistakes) => Err(Failure::mistakes(format!("{name} can't be used."), mistakes.iter().map(ToString::to_string).collect())),
    }
}
