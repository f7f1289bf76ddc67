//! Opens the console: settings, themes and keys from their places, all mistakes at once.
//!
//! Contract: reads files and hands over plain data. Knows nothing about screens.

use std::path::Path;

use url::Url;

use super::Arguments;
use super::connect::{Settings, access, settings};
use super::out::{FAILED, Failure};
use crate::base::ports::Ports;
use crate::base::text::sanitise;
use crate::config::{self, ConfigError, Mistake};
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
    let (own, broken) = themes(&settings.paths.themes());
    out.themes = own;
    if broken.iter().all(|(name, _)| *name != settings.config.theme) {
        mistakes.extend(unknown_theme(settings, &out.themes));
    }
    // Only the theme that is asked for has to be whole.
    for (name, wrong) in broken {
        if name == settings.config.theme {
            mistakes.extend(wrong);
        } else {
            out.warnings.extend(wrong.into_iter().next().map(|first| format!("The theme \"{name}\" can't be used: {first}")));
        }
    }
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
    out.timeout = super::connect::timeout(arguments, settings);
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
            drafts: Some(settings.paths.drafts()),
            session: None,
        };
    }
    Ok(out)
}

/// Where the settings name a theme that there is not, with the names there are.
fn unknown_theme(settings: &Settings, own: &[Theme]) -> Option<String> {
    let name = &settings.config.theme;
    if name == "auto" || own.iter().any(|t| t.name == *name) {
        return None;
    }
    let why = Theme::embedded(name).err()?;
    let (line, variable) = settings.config.theme_place.clone();
    let mistake = Mistake { line, variable, message: format!("theme: {why}") };
    Some(ConfigError { file: Some(settings.paths.console_file()), mistakes: vec![mistake] }.to_string())
}

/// What is wrong with a theme's file, by the file's name without its ending.
type Broken = Vec<(String, Vec<String>)>;

/// The user's themes, and those that can't be read.
fn themes(folder: &Path) -> (Vec<Theme>, Broken) {
    let Ok(entries) = std::fs::read_dir(folder) else { return Default::default() };
    let mut files: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).take(MAX_THEMES).collect();
    files.sort();
    let (mut out, mut broken) = (Vec::new(), Broken::new());
    for file in files {
        let read = match config::read_file(&file, false) {
            Ok(text) => Theme::parse(&file.display().to_string(), &text.unwrap_or_default())
                .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>()),
            Err(error) => Err(vec![error.to_string()]),
        };
        let name = file.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        match read {
            // A copy of another one says that one's name: what it is taken by is the file's.
            Ok(mut theme) => {
                theme.name = sanitise(&name, false);
                out.push(theme);
            }
            Err(wrong) => broken.push((name, wrong)),
        }
    }
    (out, broken)
}

/// Plain `countersign`.
pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings()?;
    let (server, token) = access(arguments.server.as_deref(), &settings)?;
    let url = Url::parse(&server).map_err(|e| Failure::usage(format!("The server's address can't be read: {e}.")))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_readme_says_of_keys_is_taken() {
        let readme = include_str!("../../README.md");
        let keys = readme.split("```toml\n[keys]\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let read = Keymap::parse("README.md", &format!("[keys]\n{keys}"));
        assert!(read.is_ok(), "{read:?}");
    }

    #[test]
    fn a_broken_theme_is_told_by_its_name_and_a_mistake_of_syntax_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), "bg = [").unwrap();
        std::fs::write(folder.path().join("odd.toml"), [0xff, 0xfe]).unwrap();
        // A copy of a built-in one has its file's name, not that one's.
        let good = crate::console::theme::EMBEDDED[0].1;
        std::fs::write(folder.path().join("good.toml"), good).unwrap();
        let (own, broken) = themes(folder.path());
        let names: Vec<&str> = broken.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((own.len(), names), (1, vec!["mine", "odd"]));
        assert_eq!(own[0].name, "good");
        let syntax = broken[0].1.join("\n");
        assert!(!syntax.contains("is missing") && syntax.contains("mine.toml:1"), "{syntax}");
    }
}
