//! Opens the console: settings, themes and keys from their places, all mistakes at once.
//!
//! Contract: reads files and hands over plain data. Knows nothing about screens.

use std::path::Path;

use url::Url;

use super::Arguments;
use super::connect::{Settings, access, settings};
use super::out::{FAILED, Failure};
use crate::base::ports::Ports;
use crate::config;
use crate::console::attention::Wanted;
use crate::console::background;
use crate::console::keep;
use crate::console::keymap::Keymap;
use crate::console::theme::{Depth, Theme};
use crate::console::{self, ConsoleConfig};

/// The most theme files read.
const MAX_THEMES: usize = 100;

/// The console as the settings say, against that server; state and session are kept under `state` if given.
pub fn configure(arguments: &Arguments, settings: &Settings, server: Url, state: Option<&Path>) -> Result<ConsoleConfig, Failure> {
    let mut out = ConsoleConfig::new(server);
    let mut mistakes = Vec::new();
    out.themes = themes(&settings.paths.themes(), &mut mistakes)?;
    let keymap = settings.config.keymap.clone().unwrap_or_else(|| settings.paths.keymap_file());
    if let Some(text) = config::read_file(&keymap, settings.config.keymap.is_none())? {
        match Keymap::parse(&keymap.display().to_string(), &text) {
            Ok(read) => out.keymap = read,
            Err(all) => mistakes.extend(all.iter().map(ToString::to_string)),
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::mistakes("The configuration can't be used.", mistakes));
    }
    let variable = |name: &str| std::env::var(name).ok();
    out.depth = Depth::of(variable("NO_COLOR").as_deref(), variable("COLORTERM").as_deref(), variable("TERM").as_deref());
    out.theme.clone_from(&settings.config.theme);
    out.background = variable("COLORFGBG").as_deref().and_then(background::from_variable);
    out.may_ask = background::may_ask(variable("TERM").as_deref(), variable("STY").is_some());
    out.timeout = super::connect::timeout(settings);
    let views = settings.config.views.iter();
    out.views = views.map(|(name, filter)| keep::View { name: name.clone(), filter: filter.clone(), sort: None }).collect();
    out.mouse = settings.config.mouse;
    out.read_only = settings.config.read_only || arguments.read_only;
    out.attention = Wanted {
        how: settings.config.attention,
        quiet: settings.config.quiet_hours,
        hour_of: |now| chrono::Timelike::hour(&now.with_timezone(&chrono::Local)),
    };
    out.plain = settings.config.plain || arguments.plain;
    out.editor = variable("VISUAL").or_else(|| variable("EDITOR"));
    if let Some(state) = state {
        out.paths = keep::Paths {
            state: Some(state.join("state.toml")),
            views: Some(state.join("views.toml")),
            drafts: Some(state.join("drafts")),
            session: None,
        };
    }
    Ok(out)
}

fn themes(folder: &Path, mistakes: &mut Vec<String>) -> Result<Vec<Theme>, Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).take(MAX_THEMES).collect();
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let text = config::read_file(&file, false)?.unwrap_or_default();
        match Theme::parse(&file.display().to_string(), &text) {
            Ok(theme) => out.push(theme),
            Err(all) => mistakes.extend(all.iter().map(ToString::to_string)),
        }
    }
    Ok(out)
}

/// Plain `countersign`.
pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings()?;
    let (server, token) = access(arguments.server.as_deref(), &settings)?;
    let url = Url::parse(&server).map_err(|e| Failure::usage(format!("--server: {e}")))?;
    let mut config = configure(arguments, &settings, url, Some(&settings.paths.state))?;
    config.paths.session = Some(settings.paths.session_file());
    config.token = token;
    if let Some(file) = &settings.config.ca_file {
        config.ca_pem = config::read_file(file, false)?.map(String::into_bytes);
    }
    open(config).await
}

/// Runs the console until the user leaves it.
pub async fn open(config: ConsoleConfig) -> Result<(), Failure> {
    console::run(config, Ports::system()).await.map_err(|e| Failure::new(FAILED, e.to_string()))
}
