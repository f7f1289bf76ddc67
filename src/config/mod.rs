//! Configuration: built-in defaults, then one TOML file, then the environment; every mistake reported at once with its line.
//!
//! Contract: text and a table of variables in, plain data out. Unknown keys are refused, because a misspelt limit that is silently
//! ignored is a limit that does not hold. [`paths`] alone knows where files lie on this system. Knows nothing about who uses the values.

pub mod client;
pub mod founding;
pub mod keys;
pub mod paths;
pub mod read;
pub mod server;

#[cfg(test)]
mod tests;

pub use client::ClientConfig;
pub use server::ServerConfig;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The largest configuration file read, in bytes.
pub const MAX_FILE: u64 = 256 * 1024;

/// Environment variables by name; handed in, so that tests decide them.
pub type Variables = BTreeMap<String, String>;

/// The process's own variables whose names begin with `COUNTERSIGN_` or `XDG_`, and `HOME`.
pub fn variables() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("COUNTERSIGN_") || name.starts_with("XDG_") || name == "HOME")
        .collect()
}

/// One thing wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Line in the file, from 1; `None` for a variable or something missing.
    pub line: Option<usize>,
    /// The variable that is wrong, if it isn't the file.
    pub variable: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Everything wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file it was read from, if there was one.
    pub file: Option<PathBuf>,
    /// In the order of the file.
    pub mistakes: Vec<Mistake>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map_or_else(|| "configuration".to_owned(), |f| f.display().to_string());
        for (i, mistake) in self.mistakes.iter().enumerate() {
            let end = if i + 1 < self.mistakes.len() { "\n" } else { "" };
            match (&mistake.variable, mistake.line) {
                (Some(variable), _) => write!(f, "{variable} in the environment: {}{end}", mistake.message)?,
                (None, Some(line)) => write!(f, "{file}:{line}: {}{end}", mistake.message)?,
                (None, None) => write!(f, "{file}: {}{end}", mistake.message)?,
            }
        }
        Ok(())
    }
}

impl ConfigError {
    /// One mistake about a file as a whole.
    pub fn about(file: &Path, message: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), mistakes: vec![Mistake { line: None, variable: None, message: message.into() }] }
    }

    /// Names the file the mistakes are in.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }
}

/// The text of a configuration file; `Ok(None)` if there is none and it may be missing.
pub fn read_file(file: &Path, may_be_missing: bool) -> Result<Option<String>, ConfigError> {
    let length = match std::fs::metadata(file) {
        Ok(meta) => meta.len(),
        Err(e) if may_be_missing && e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ConfigError::about(file, format!("can't be read: {e}"))),
    };
    if length > MAX_FILE {
        return Err(ConfigError::about(file, format!("is larger than {MAX_FILE} bytes")));
    }
    std::fs::read_to_string(file).map(Some).map_err(|e| ConfigError::about(file, format!("can't be read: {e}")))
}
