//! What the console keeps between two starts: where the user was, saved views, drafts.
//!
//! Contract: small private files in folders that are given in, written atomically; a file that can't be read is as good as none and is
//! told, never a reason not to start. Knows no network.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::session::write_private;

/// The most drafts that are kept.
pub const MAX_DRAFTS: usize = 200;
/// The largest draft, in bytes.
pub const MAX_DRAFT: usize = 64 * 1024;
/// The most saved views.
pub const MAX_VIEWS: usize = 100;

/// Where things are kept. `None` keeps nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// Where one was.
    pub state: Option<PathBuf>,
    /// Saved views.
    pub views: Option<PathBuf>,
    /// The folder of drafts.
    pub drafts: Option<PathBuf>,
    /// Server and token.
    pub session: Option<PathBuf>,
}

/// Where the user was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The screen's name.
    pub screen: Option<String>,
    /// The queue's filter.
    pub filter: Option<String>,
    /// The queue's sorting.
    pub sort: Option<String>,
    /// The selected case.
    pub selected: Option<String>,
    /// Whether the preview is shown, if that was chosen.
    pub preview: Option<bool>,
    /// The theme, if one was chosen.
    pub theme: Option<String>,
}

/// A saved view of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its filter.
    #[serde(default)]
    pub filter: String,
    /// Its sorting.
    #[serde(default)]
    pub sort: Option<String>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Views {
    #[serde(default)]
    view: Vec<View>,
}

/// Reads where the user was.
pub fn load_state(path: Option<&Path>) -> State {
    path.and_then(|p| read_small(p).ok()).map(|text| parse_state(&text)).unwrap_or_default()
}

/// Where the user was, from a file's text; nowhere in particular if it can't be read.
pub fn parse_state(text: &str) -> State {
    toml::from_str(text).unwrap_or_default()
}

/// Keeps where the user was.
pub fn save_state(path: Option<&Path>, state: &State) -> io::Result<()> {
    save(path, toml::to_string(state))
}

/// Reads saved views.
///
/// # Errors
/// A sentence, when there is a file that can't be read.
pub fn load_views(path: Option<&Path>) -> Result<Vec<View>, String> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = match read_small(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("The saved views in {} can't be read: {e}.", path.display())),
    };
    parse_views(&text).map_err(|(line, why)| format!("The saved views in {}, line {line}: {why}.", path.display()))
}

/// Saved views from a file's text.
///
/// # Errors
/// The line, and what is wrong there.
pub fn parse_views(text: &str) -> Result<Vec<View>, (usize, String)> {
    let views: Views = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text.get(..s.start).unwrap_or("").matches('\n').count() + 1);
        (line, crate::base::text::sanitise(e.message(), false))
    })?;
    Ok(views.view.into_iter().take(MAX_VIEWS).collect())
}

/// Keeps saved views.
pub fn save_views(path: Option<&Path>, views: &[View]) -> io::Result<()> {
    save(path, toml::to_string(&Views { view: views.to_vec() }))
}

/// Reads all drafts.
pub fn load_drafts(folder: Option<&Path>) -> BTreeMap<String, String> {
    let Some(entries) = folder.and_then(|f| std::fs::read_dir(f).ok()) else { return BTreeMap::new() };
    let mut drafts = BTreeMap::new();
    for entry in entries.flatten().take(MAX_DRAFTS) {
        let path = entry.path();
        let key = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".draft"));
        if let (Some(key), Ok(text)) = (key.filter(|k| fits(k)), read_small(&path)) {
            drafts.insert(key.to_owned(), text);
        }
    }
    drafts
}

/// Keeps a draft, or forgets it.
pub fn save_draft(folder: Option<&Path>, key: &str, text: Option<&str>) -> io::Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    if !fits(key) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let path = folder.join(format!("{key}.draft"));
    match text {
        Some(text) => write_private(&path, &text.as_bytes()[..text.floor_char_boundary(MAX_DRAFT)]),
        None => match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        },
    }
}

/// Whether a key is fit to be a file's name.
fn fits(key: &str) -> bool {
    (1..=120).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn read_small(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > 256 * 1024 {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    std::fs::read_to_string(path)
}

fn save(path: Option<&Path>, text: Result<String, toml::ser::Error>) -> io::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = text.map_err(io::Error::other)?;
    write_private(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = State { screen: Some("log".into()), filter: Some("risk:high \"x\"".into()), ..State::default() };
        let path = folder.path().join("state.toml");
        save_state(Some(&path), &state).unwrap();
        assert_eq!(load_state(Some(&path)), state);
        assert_eq!(load_state(Some(&folder.path().join("none"))), State::default());
        let views = vec![View { name: "hot".into(), filter: "risk:high".into(), sort: Some("risk".into()) }];
        let path = folder.path().join("views.toml");
        save_views(Some(&path), &views).unwrap();
        assert_eq!(load_views(Some(&path)).unwrap(), views);
        std::fs::write(&path, "[[view]]\nname = 'a'\n[[view]]\nfoo = 1\n").unwrap();
        assert!(load_views(Some(&path)).unwrap_err().contains("line 4"));
    }

    #[test]
    fn drafts_come_back_and_go_and_never_leave_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = folder.path().join("drafts");
        save_draft(Some(&drafts), "comment-CS-26-000001", Some("half a thou\nght")).unwrap();
        assert_eq!(load_drafts(Some(&drafts)).get("comment-CS-26-000001").map(String::as_str), Some("half a thou\nght"));
        save_draft(Some(&drafts), "comment-CS-26-000001", None).unwrap();
        assert!(load_drafts(Some(&drafts)).is_empty());
        assert!(save_draft(Some(&drafts), "../x", Some("x")).is_err());
        save_draft(Some(&drafts), "long", Some(&format!("x{}", "é".repeat(MAX_DRAFT)))).unwrap();
        assert_eq!(load_drafts(Some(&drafts))["long"].len(), MAX_DRAFT - 1, "cut before the letter that does not fit");
    }
}
