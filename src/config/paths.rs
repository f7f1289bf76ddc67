//! Where files lie on this system; the only user of `directories`.
//!
//! Contract: `XDG_CONFIG_HOME` and `XDG_STATE_HOME` come first on every system, as people who share their settings
//! between machines expect; then the system's own places. Creates nothing.

use std::path::PathBuf;

use super::Variables;

const NAME: &str = "countersign";

/// The folders of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Settings: `console.toml`, `server.toml`, `keymap.toml`, `themes/`.
    pub config: PathBuf,
    /// What is remembered between runs: sessions, drafts, the screen one left.
    pub state: PathBuf,
}

impl Paths {
    /// The folders, from these variables or else the system's places; `None` where there is no home at all.
    pub fn find(variables: &Variables) -> Option<Self> {
        let own = directories::BaseDirs::new();
        let place = |variable: &str, fallback: Option<PathBuf>| {
            // The XDG base directory specification: a relative path is invalid and to be ignored.
            let xdg = variables.get(variable).map(PathBuf::from).filter(|p| p.is_absolute());
            xdg.or(fallback).map(|p| p.join(NAME))
        };
        let own = own.as_ref();
        Some(Self {
            config: place("XDG_CONFIG_HOME", own.map(|d| d.config_dir().to_owned()))?,
            state: place("XDG_STATE_HOME", own.map(|d| d.state_dir().unwrap_or_else(|| d.data_local_dir()).to_owned()))?,
        })
    }

    /// The console's settings.
    pub fn console_file(&self) -> PathBuf {
        self.config.join("console.toml")
    }

    /// The server's settings.
    pub fn server_file(&self) -> PathBuf {
        self.config.join("server.toml")
    }

    /// The user's own keys for the console.
    pub fn keymap_file(&self) -> PathBuf {
        self.config.join("keymap.toml")
    }

    /// The user's own themes.
    pub fn themes(&self) -> PathBuf {
        self.config.join("themes")
    }

    /// The signed-in session, readable by its owner only.
    pub fn session_file(&self) -> PathBuf {
        self.state.join("session.toml")
    }

    /// Typed drafts.
    pub fn drafts(&self) -> PathBuf {
        self.state.join("drafts")
    }
}
