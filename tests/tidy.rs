//! The house rules, read from the sources: who may know whom, sizes, headers, clocks, and what has no place here.
//!
//! Contract: text in, complaints out; every complaint names file and line, all of them at once. Knows no Rust beyond what rustfmt makes
//! regular: a function ends at the first line that closes at its own indentation.

#![allow(clippy::expect_used, reason = "a test that can't read the sources fails")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Who may know whom, besides `base`, which everyone may hold: the same table stands in the library's header.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("domain", &[]),
    ("log", &[]),
    ("config", &[]),
    ("api", &["domain", "log"]),
    ("store", &["domain", "log"]),
    ("outbound", &["config"]),
    ("proofing", &["domain", "config", "outbound"]),
    ("connectors", &["domain", "config", "outbound"]),
    ("service", &["domain", "log", "store", "proofing", "connectors", "outbound"]),
    ("server", &["service", "api", "domain", "log", "config", "store", "proofing", "connectors", "outbound"]),
    ("client", &["api", "log", "config"]),
    ("console", &["client", "api", "log", "config"]),
    ("demo", &["service", "server", "domain", "config", "store", "proofing", "connectors", "outbound"]),
    (
        "cli",
        &["base", "domain", "log", "config", "api", "store", "outbound", "proofing", "connectors", "service", "server", "client", "console", "demo"],
    ),
];

/// What may lie at the top, beside what git ignores.
const TOP: &[&str] = &[
    ".ci",
    ".git",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "assets",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
    "src",
    "target",
    "tests",
    "themes",
];

/// The most lines of a file, and of a function.
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

struct Source {
    path: String,
    text: String,
    /// Lines before the file's own test module; for a file of tests, none.
    production: usize,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &[&str], found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, ending, found);
        } else if ending.is_empty() || path.extension().is_some_and(|e| ending.contains(&e.to_string_lossy().as_ref())) {
            found.push(path);
        }
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    files(&root().join(folder), &["rs"], &mut found);
    assert!(!found.is_empty(), "no sources under {folder}");
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let path = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
            let tests = path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/");
            let own =
                text.lines().collect::<Vec<_>>().windows(2).position(|w| w[0] == "#[cfg(test)]" && w[1].starts_with("mod ") && w[1].ends_with('{'));
            let production = if tests { 0 } else { own.unwrap_or(usize::MAX) };
            Source { path, text, production }
        })
        .collect()
}

/// Lines that are code: neither comments nor documentation.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")).map(|(i, l)| (i + 1, l))
}

fn complain(complaints: &[String]) {
    let mut all = String::new();
    for complaint in complaints {
        let _ = writeln!(all, "{complaint}");
    }
    assert!(complaints.is_empty(), "{} complaints:\n{all}", complaints.len());
}

/// The rooms named in a text after `crate::`, grouped imports too.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let word = |t: &str| t.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    for (at, _) in text.match_indices("crate::") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut start) = (1, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                c if start && depth == 1 && !c.is_whitespace() => {
                    found.insert(word(&group[i..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn rooms_know_only_whom_they_may() {
    let known: BTreeSet<&str> = ROOMS.iter().map(|(r, _)| *r).collect();
    let mut complaints = Vec::new();
    for source in sources("src") {
        let Some((room, _)) = source.path.trim_start_matches("src/").split_once('/') else { continue };
        let Some((_, may)) = ROOMS.iter().find(|(r, _)| *r == room) else {
            complaints.push(format!("{}: {room} is no room of the table", source.path));
            continue;
        };
        let code: String =
            code(&source).take_while(|(n, _)| *n <= source.production || source.production == 0).fold(String::new(), |t, (_, l)| t + l + "\n");
        let tests_of_room = source.production == 0;
        for other in rooms_named(&code).into_iter().filter(|o| known.contains(o.as_str())) {
            if other != room && other != "base" && !may.contains(&other.as_str()) && !tests_of_room {
                complaints.push(format!("{}: {room} may not use {other}", source.path));
            }
        }
    }
    complain(&complaints);
}

#[test]
fn the_table_is_the_one_the_library_shows() {
    let header = std::fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let mut complaints = Vec::new();
    for (room, may) in ROOMS.iter().filter(|(r, _)| root().join("src").join(r).exists()) {
        let whom = match (*room, may.is_empty()) {
            ("cli", _) => "all".to_owned(),
            (_, true) => "nothing".to_owned(),
            _ => may.join(", "),
        };
        let row = format!("//! | {room} | {whom} |");
        if !header.contains(&row) {
            complaints.push(format!("src/lib.rs: lacks the row `{row}`"));
        }
    }
    complain(&complaints);
}

#[test]
fn files_and_functions_are_small_and_begin_with_their_contract() {
    let mut complaints = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let lines: Vec<&str> = source.text.lines().collect();
        if lines.len() > FILE_LINES {
            complaints.push(format!("{}: {} lines, more than {FILE_LINES}", source.path, lines.len()));
        }
        if !source.text.starts_with("//! ") {
            complaints.push(format!("{}: does not begin with a `//!` header", source.path));
        }
        for (i, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let words =
                body.strip_prefix("pub ").or_else(|| body.strip_prefix("pub(crate) ")).or_else(|| body.strip_prefix("pub(super) ")).unwrap_or(body);
            if !(words.starts_with("fn ") || words.starts_with("async fn ") || words.starts_with("const fn ")) {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - body.len()]);
            let length = lines[i..].iter().position(|l| **l == end).map_or(1, |n| n + 1);
            let one_line = line.ends_with('}') || line.ends_with(';');
            if !one_line && length > FUNCTION_LINES {
                complaints.push(format!("{}:{}: a function of {length} lines, more than {FUNCTION_LINES}", source.path, i + 1));
            }
        }
    }
    complain(&complaints);
}

#[test]
fn production_code_neither_panics_nor_asks_the_system_for_the_time() {
    let panics = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!(", "dbg!("];
    let mut complaints = Vec::new();
    for source in sources("src") {
        let ports = source.path == "src/base/ports.rs";
        for (number, line) in code(&source).filter(|(n, _)| *n <= source.production) {
            if source.production == 0 {
                break;
            }
            // Where going on would be worse, clippy was told so with a reason, at most eight lines above.
            let above = source.text.lines().take(number).skip(number.saturating_sub(9));
            let reasoned = above.into_iter().any(|l| l.trim_start().starts_with("#[allow(clippy::panic"));
            for bad in panics.iter().filter(|p| line.contains(**p) && !reasoned) {
                complaints.push(format!("{}:{number}: {bad}", source.path));
            }
            if !ports && (line.contains("Utc::now") || line.contains("SystemTime::now") || line.contains("Local::now")) {
                complaints.push(format!("{}:{number}: the time comes from base::ports", source.path));
            }
            if source.path != "src/config/paths.rs" && line.contains("directories::") {
                complaints.push(format!("{}:{number}: only src/config/paths.rs knows the system's folders", source.path));
            }
        }
    }
    complain(&complaints);
}

#[test]
fn tests_neither_sleep_nor_are_ignored() {
    let mut complaints = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")).filter(|s| s.path != "tests/tidy.rs") {
        for (number, line) in code(&source).filter(|(n, _)| *n > source.production) {
            if line.contains("thread::sleep(") || line.contains("time::sleep(") {
                complaints.push(format!("{}:{number}: tests wait on conditions with deadlines, they never sleep", source.path));
            }
        }
        for (number, _) in code(&source).filter(|(_, l)| l.trim_start().starts_with("#[ignore")) {
            complaints.push(format!("{}:{number}: an ignored test", source.path));
        }
    }
    complain(&complaints);
}

/// What a line of the server's journal may hold: ids that the server made, codes, numbers, and fixed words.
const NOTED: &[&str] = &[
    "request_id",
    "rows",
    "method",
    "route",
    "operation",
    "status",
    "refused",
    "millis",
    "case",
    "session",
    "grant",
    "item",
    "tries",
    "error",
    "addresses",
    "requests",
    "engine",
    "refusal",
    "state",
    "kind",
    "version",
    "file",
    "line",
    "system",
];

/// The words of an error may be a relay's, a target's or a person's: its code is noted, never it.
#[test]
fn the_journal_is_given_nothing_of_anyone() {
    let (mut complaints, mut places) = (Vec::new(), 0);
    for source in sources("src") {
        for level in ["error!(", "warn!(", "info!(", "debug!(", "trace!("] {
            for (at, _) in source.text.match_indices(&format!("tracing::{level}")) {
                places += 1;
                let call = &source.text[at..];
                let inner = call.split_once('(').map_or("", |(_, rest)| rest);
                let Some((fields, rest)) = inner.split_once('"') else { continue };
                let words = rest.split('"').next().unwrap_or_default();
                let number = source.text[..at].lines().count();
                let mut complain = |what: &str| complaints.push(format!("{}:{number}: {what}", source.path));
                if words.contains('{') {
                    complain("the journal's words are fixed: give values as fields");
                }
                for field in fields.split(',').map(str::trim).filter(|f| !f.is_empty() && *f != "env!(") {
                    let (name, value) = field.split_once('=').map_or((field.trim_start_matches(['%', '?']), field), |(n, v)| (n.trim(), v.trim()));
                    if !NOTED.contains(&name) || (name == "error" && !value.ends_with(".code()")) || (name == "kind" && !value.ends_with(".kind()")) {
                        complain(&format!("`{field}` is not for the journal"));
                    }
                }
            }
        }
    }
    assert!(places > 30, "{places} places that write to the journal");
    complain(&complaints);
}

#[test]
fn nothing_names_a_machine_and_nothing_strange_lies_at_the_top() {
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(root()).expect("the top").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !TOP.contains(&name.as_str()) {
            complaints.push(format!("{name}: has no place at the top"));
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "tests", "assets", "themes", ".ci"] {
        files(&root().join(folder), &[], &mut found);
    }
    found.extend(["README.md", "CHANGELOG.md", "Cargo.toml", "deny.toml"].map(|f| root().join(f)));
    let own = Path::new("tests").join("tidy.rs");
    for path in found.iter().filter(|p| !p.ends_with(&own)) {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        for (i, line) in text.lines().enumerate() {
            // A home folder, or the working folder of whoever wrote it.
            for bad in ["/home/", "/root/", "/Users/", concat!("/wo", "rk/")] {
                if line.contains(bad) {
                    complaints.push(format!("{}:{}: names a machine ({bad})", path.strip_prefix(root()).unwrap_or(path).display(), i + 1));
                }
            }
        }
    }
    complain(&complaints);
}

#[test]
fn licences_are_permissive() {
    // MPL-2.0 as an unmodified library; the first word of each alternative that we can choose.
    let allowed = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "Unicode-DFS-2016",
        "MPL-2.0",
        "CC0-1.0",
        "0BSD",
        "BSL-1.0",
        "Unlicense",
        "CDLA-Permissive-2.0",
        "MIT-0",
        "WTFPL",
        "OpenSSL",
        "NCSA",
        "BlueOak-1.0.0",
    ];
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = root().join("Cargo.toml");
    let out = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo metadata");
    let mut text = out.stdout;
    if !out.status.success() {
        // Packages of other systems may not have been fetched: ask again with the network, as a first build does.
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let again =
            std::process::Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).current_dir(root()).output().expect("cargo");
        text = again.stdout;
    }
    let metadata: serde_json::Value = serde_json::from_slice(&text).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100);
    let mut complaints = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        let choices = licence.replace('/', " OR ").replace(['(', ')'], "");
        let fits = |choice: &str| choice.split(" AND ").all(|l| allowed.contains(&l.split(" WITH ").next().unwrap_or(l).trim()));
        if !choices.split(" OR ").any(fits) {
            complaints.push(format!("{} {}: licence {licence}", package["name"], package["version"]));
        }
    }
    complain(&complaints);
}

#[test]
fn main_only_chooses_the_role() {
    let text = std::fs::read_to_string(root().join("src/main.rs")).expect("src/main.rs");
    assert!(text.lines().count() <= 60, "src/main.rs has {} lines, at most 60", text.lines().count());
}
