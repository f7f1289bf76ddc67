//! What the console and the command line are told: which server, which looks, which keys.
//!
//! Contract: plain data with defaults for all of it. Themes and keymaps are read by whoever draws; here are only their names.

use std::path::PathBuf;

use super::read::{self, Reader, Section};
use super::{ConfigError, Variables};

/// The console's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches of a user, each with its own key")]
pub struct ClientConfig {
    /// Base address of the staff API.
    pub server: Option<String>,
    /// A file with certificates to trust beside the system's, in PEM form.
    pub ca_file: Option<PathBuf>,
    /// Seconds until a request is given up, 1 to 300.
    pub timeout_seconds: u64,
    /// A built-in or user theme's name, or `auto`.
    pub theme: String,
    /// Where that name stands: line or variable; neither for the default.
    pub theme_place: (Option<usize>, Option<String>),
    /// A keymap file other than the usual one.
    pub keymap: Option<PathBuf>,
    /// Whether the console takes the mouse.
    pub mouse: bool,
    /// The linear mode for screen readers.
    pub plain: bool,
    /// No movement that only decorates. The console has none, so it changes nothing yet.
    pub reduced_motion: bool,
    /// Nothing can be changed.
    pub read_only: bool,
    /// Ring or notify when something waits on the user.
    pub attention: Attention,
    /// Hours of the day, local, in which nothing rings: from, to.
    pub quiet_hours: Option<(u8, u8)>,
    /// Saved views of the queue: name and filter.
    pub views: Vec<(String, String)>,
}

/// How the console calls for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attention {
    /// Not at all.
    #[default]
    Off,
    /// The terminal's bell.
    Bell,
    /// A notification (OSC 9).
    Notify,
}

impl std::str::FromStr for Attention {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "bell" => Ok(Self::Bell),
            "notify" => Ok(Self::Notify),
            _ => Err("one of: off, bell, notify"),
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            server: None,
            ca_file: None,
            timeout_seconds: 10,
            theme: "auto".to_owned(),
            theme_place: (None, None),
            keymap: None,
            mouse: true,
            plain: false,
            reduced_motion: false,
            read_only: false,
            attention: Attention::Off,
            quiet_hours: None,
            views: Vec::new(),
        }
    }
}

/// What only the console reads: a mistake in it stops no other command.
const CONSOLE_ONLY: &[&str] = &["theme", "keymap", "mouse", "plain", "reduced_motion", "attention", "quiet_hours", "views"];

/// The most saved views.
const MAX_VIEWS: usize = 50;

impl ClientConfig {
    /// Reads the text of a file (empty if there is none) and the variables over the defaults.
    pub fn parse(text: &str, variables: &Variables) -> Result<Self, ConfigError> {
        read::parse(text, variables, Self::read)
    }

    /// Reads what every command needs, and nothing of what only the console does.
    pub fn parse_for_commands(text: &str, variables: &Variables) -> Result<Self, ConfigError> {
        read::parse(text, variables, |reader, root| {
            let common = Self::common(reader, root);
            root.leave(CONSOLE_ONLY);
            common
        })
    }

    fn common(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> Self {
        let usual = Self::default();
        let server = reader.text(root, "server");
        if server.as_ref().is_some_and(|s| url::Url::parse(s).map_or(true, |u| !matches!(u.scheme(), "http" | "https"))) {
            reader.wrong(root, "server", "must be an http:// or https:// address");
        }
        Self {
            server,
            ca_file: reader.text(root, "ca_file").map(PathBuf::from),
            timeout_seconds: reader.number(root, "timeout_seconds", 1..=300).unwrap_or(usual.timeout_seconds),
            read_only: reader.flag(root, "read_only").unwrap_or(usual.read_only),
            ..usual
        }
    }

    fn read(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> Self {
        let usual = Self::common(reader, root);
        let views = reader.section(root, "views", |reader, views| views_of(reader, views));
        Self {
            theme: reader.text(root, "theme").unwrap_or_else(|| usual.theme.clone()),
            theme_place: reader.place(root, "theme"),
            keymap: reader.text(root, "keymap").map(PathBuf::from),
            mouse: reader.flag(root, "mouse").unwrap_or(usual.mouse),
            plain: reader.flag(root, "plain").unwrap_or(usual.plain),
            reduced_motion: reader.flag(root, "reduced_motion").unwrap_or(usual.reduced_motion),
            attention: reader.parsed(root, "attention").unwrap_or_default(),
            quiet_hours: quiet_hours(reader, root),
            views,
            ..usual
        }
    }
}

fn views_of(reader: &mut Reader<'_>, views: &mut Section<'_, '_>) -> Vec<(String, String)> {
    let found = reader.all_texts(views);
    if found.len() > MAX_VIEWS {
        reader.wrong(views, "", &format!("at most {MAX_VIEWS} views"));
    }
    found
}

fn quiet_hours(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> Option<(u8, u8)> {
    let text = reader.text(root, "quiet_hours")?;
    let hours = text.split_once('-').and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
    let hours = hours.filter(|(from, to): &(u8, u8)| *from < 24 && *to < 24);
    if hours.is_none() {
        reader.wrong(root, "quiet_hours", "must look like \"19-7\": from which hour to which");
    }
    hours
}
