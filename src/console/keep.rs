//! What the console keeps between two starts: where the user was, saved views, drafts.
//!
//! Contract: small private files in folders that are given in, written atomically; a file that can't be read is as good as none, never a reason
//! not to start. What is read is not trusted: it is bounded, and what could steer a terminal becomes visible marks. Knows no network.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::base::text::sanitise;
use crate::client::session::{read_small, write_private};

/// The most drafts that are kept.
pub const MAX_DRAFTS: usize = 200;
/// The largest draft, in bytes.
pub const MAX_DRAFT: usize = 256 * 1024;
/// The most saved views.
pub const MAX_VIEWS: usize = 100;
/// The largest file of state or views that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024;
/// The longest word of state or views (a filter, a name), in bytes.
const MAX_WORD: usize = 500;
/// The most entries of the drafts' folder that are looked at.
const MAX_LOOKED_AT: usize = 2000;
/// For how many days a draft that nobody goes on with is kept.
pub const DRAFT_DAYS: u64 = 60;
const DRAFT_AGE: Duration = Duration::from_hours(24 * DRAFT_DAYS);
/// How a draft's name ends.
const END: &str = ".draft";
/// Under which key earlier versions kept what was typed for a new case, for no one subject.
const NEW_CASE: &str = "new-case-summary";
/// How the name of a text ends that an editor left in the drafts' folder.
pub(super) const LEFT_END: &str = ".edited.txt";
/// How long another console is waited for that writes the views.
const LOCK_WAIT: Duration = Duration::from_secs(1);

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
    /// Whose it is: the mark of server and account.
    pub owner: Option<String>,
    /// The screen's name.
    pub screen: Option<String>,
    /// The page of approvals or temporary access, from 0.
    pub page: Option<usize>,
    /// The row selected there.
    pub row: Option<String>,
    /// The case that was in front.
    pub case: Option<String>,
    /// Its page, from 0.
    pub case_page: Option<usize>,
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
    path.and_then(|p| read_small(p, MAX_FILE).ok()).map(|bytes| parse_state(&bytes)).unwrap_or_default()
}

/// Where the user was, as a file says it; nothing of it if it is not what this program writes.
pub fn parse_state(bytes: &[u8]) -> State {
    let state: State = std::str::from_utf8(bytes).ok().and_then(|text| toml::from_str(text).ok()).unwrap_or_default();
    let word = |w: Option<String>| w.map(|w| sanitise(&w, false)).filter(|w| w.len() <= MAX_WORD);
    State {
        owner: word(state.owner),
        screen: word(state.screen),
        page: state.page,
        row: word(state.row),
        case: word(state.case),
        case_page: state.case_page,
        filter: word(state.filter),
        sort: word(state.sort),
        selected: word(state.selected),
        preview: state.preview,
        theme: word(state.theme),
    }
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
    match read_small(path, MAX_FILE) {
        Ok(bytes) => parse_views(&bytes).map_err(|(line, why)| format!("The saved views in {}, line {line}: {why}.", path.display())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(format!("The saved views in {} can't be read: {e}.", path.display())),
    }
}

/// Saved views, as a file says them; those whose name is empty, or whose words are too long, are left out.
///
/// # Errors
/// The line where the file is wrong, and what is.
pub fn parse_views(bytes: &[u8]) -> Result<Vec<View>, (usize, String)> {
    let line_of = |at: usize| bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1;
    let text = std::str::from_utf8(bytes).map_err(|e| (line_of(e.valid_up_to()), "this is no text".to_owned()))?;
    let views: Views = toml::from_str(text).map_err(|e| (e.span().map_or(1, |s| line_of(s.start)), sanitise(e.message(), false)))?;
    let clean = |v: View| View { name: sanitise(&v.name, false), filter: sanitise(&v.filter, false), sort: v.sort.map(|s| sanitise(&s, false)) };
    let fits = |v: &View| {
        let words = [Some(&v.filter), v.sort.as_ref()];
        (1..=MAX_WORD).contains(&v.name.len()) && words.into_iter().flatten().all(|w| w.len() <= MAX_WORD)
    };
    Ok(views.view.into_iter().map(clean).filter(fits).take(MAX_VIEWS).collect())
}

/// Keeps a view under its name, or forgets the one of that name, among those that are on disk now: another console may have saved some. Returns
/// all that are saved then, if views are kept at all.
///
/// # Errors
/// A sentence, when the file can't be read or written, or there are [`MAX_VIEWS`] already.
pub fn keep_view(path: Option<&Path>, name: &str, view: Option<View>) -> Result<Option<Vec<View>>, String> {
    let Some(path) = path else { return Ok(None) };
    let trouble = |e: io::Error| format!("The views can't be kept: {e}.");
    let _alone = alone(path).map_err(trouble)?;
    let mut views = load_views(Some(path))?;
    views.retain(|v| v.name != name);
    if view.is_some() && views.len() >= MAX_VIEWS {
        return Err(format!("The view \"{name}\" is not kept: {MAX_VIEWS} are saved already."));
    }
    views.extend(view);
    write_private(path, toml::to_string(&Views { view: views.clone() }).map_err(|e| trouble(io::Error::other(e)))?.as_bytes()).map_err(trouble)?;
    Ok(Some(views))
}

/// Holds a file that says that one is writing another, until it is dropped; waits for whoever holds it, for [`LOCK_WAIT`]. Where the file system
/// knows no locks, nobody is waited for. The system's own wait has no bound: a thread of its own waits, and lets go at once of what nobody wants
/// any more.
fn alone(path: &Path) -> io::Result<std::fs::File> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(path.with_extension("lock"))?;
    if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(lock);
    }
    let (give, given) = std::sync::mpsc::sync_channel(1);
    let wait = move || {
        let held = lock.lock().map(|()| lock);
        let _ = give.send(held);
    };
    std::thread::Builder::new().name("lock".into()).spawn(wait)?;
    let late = |_| Err(io::Error::new(io::ErrorKind::WouldBlock, "another console is writing them"));
    given.recv_timeout(LOCK_WAIT).unwrap_or_else(late)
}

/// Reads the drafts of an owner, the newest [`MAX_DRAFTS`] of the last [`DRAFT_DAYS`] days: each owner has a folder in that of drafts. Others
/// are removed, and texts that an editor left beside the folders as well, once they are as old; says how many drafts that were.
pub fn load_drafts(folder: Option<&Path>, owner: &str, now: SystemTime) -> (BTreeMap<String, String>, usize) {
    let Some(folder) = folder.filter(|_| fits(owner)) else { return <_>::default() };
    let old = |at: &SystemTime| now.duration_since(*at).is_ok_and(|age| age > DRAFT_AGE);
    for (_, left, _) in files(folder, LEFT_END).into_iter().filter(|(at, ..)| old(at)) {
        let _ = std::fs::remove_file(left);
    }
    let (mut drafts, mut gone) = (BTreeMap::new(), 0);
    for (_, of_nobody, _) in files(folder, END).into_iter().filter(|(at, ..)| old(at)) {
        gone += usize::from(std::fs::remove_file(of_nobody).is_ok());
    }
    let mut found = files(&folder.join(owner), END);
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.2.cmp(&b.2)));
    for (number, (at, path, key)) in found.into_iter().enumerate() {
        if number >= MAX_DRAFTS || old(&at) {
            gone += usize::from(std::fs::remove_file(path).is_ok());
        } else if let Some(text) = read_small(&path, MAX_DRAFT as u64).ok().and_then(|bytes| parse_draft(&bytes)) {
            drafts.insert(key, text);
        }
    }
    (drafts, gone)
}

/// The plain files of a folder whose names end so: when each was written, where it is, and its name without the end.
fn files(folder: &Path, end: &str) -> Vec<(SystemTime, PathBuf, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let file = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_str()?.strip_suffix(end).filter(|name| fits(name))?.to_owned();
        let meta = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((meta.modified().ok()?, entry.path(), name))
    };
    entries.flatten().take(MAX_LOOKED_AT).filter_map(file).collect()
}

/// Puts what an earlier version kept for a new case, for no one subject, beside the drafts: whose words it holds is not known, so that it
/// stands in nobody's form. Returns where it lies now.
pub fn put_aside(folder: Option<&Path>, owner: &str) -> Vec<PathBuf> {
    let Some(folder) = folder.filter(|_| fits(owner)) else { return Vec::new() };
    let aside = |(from, name): (PathBuf, String)| {
        let to = folder.join(name + LEFT_END);
        let text = read_small(&from, MAX_DRAFT as u64).ok().and_then(|bytes| parse_draft(&bytes)).filter(|_| !to.exists())?;
        write_private(&to, text.as_bytes()).and_then(|()| std::fs::remove_file(&from)).ok().map(|()| to)
    };
    let file = format!("{NEW_CASE}{END}");
    let both = [(folder.join(&file), NEW_CASE.to_owned()), (folder.join(owner).join(&file), format!("{NEW_CASE}-{owner}"))];
    both.into_iter().filter_map(aside).collect()
}

/// Gives drafts that an earlier version kept for no one account, in the folder itself, to whoever is signed in first. Only what became theirs,
/// is empty, or is older than theirs of the same key goes from the old place: what can't be taken over stays there until it is as old as drafts
/// get. Returns how many became theirs.
pub fn adopt_drafts(folder: Option<&Path>, owner: &str) -> usize {
    let Some((folder, entries)) = folder.filter(|_| fits(owner)).and_then(|f| Some((f, std::fs::read_dir(f).ok()?))) else { return 0 };
    let mut adopted = 0;
    for entry in entries.flatten().take(MAX_LOOKED_AT).filter(|e| e.file_type().is_ok_and(|t| t.is_file())) {
        let path = entry.path();
        let Some(key) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(END)).filter(|k| fits(k) && *k != NEW_CASE) else {
            continue;
        };
        let written = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        let theirs = written(&folder.join(owner).join(format!("{key}{END}")));
        if theirs.is_some() || entry.metadata().is_ok_and(|meta| meta.len() == 0) {
            if theirs.is_none() || written(&path) <= theirs {
                let _ = std::fs::remove_file(&path);
            }
            continue;
        }
        let text = read_small(&path, MAX_DRAFT as u64).ok().and_then(|bytes| parse_draft(&bytes)).filter(|_| adopted < MAX_DRAFTS);
        let taken = text.is_some_and(|text| save_draft(Some(folder), (owner, key), Some(&text)).is_ok());
        if taken && std::fs::remove_file(&path).is_ok() {
            adopted += 1;
        }
    }
    adopted
}

/// A draft, as its file says it; none if it is no text, or is too long once what steers terminals became visible.
pub fn parse_draft(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|t| t.len() <= MAX_DRAFT)?;
    Some(sanitise(&text.replace("\r\n", "\n"), true)).filter(|t| !t.is_empty() && t.len() <= MAX_DRAFT)
}

/// Keeps a draft of an owner under a key, or forgets it.
pub fn save_draft(folder: Option<&Path>, (owner, key): (&str, &str), text: Option<&str>) -> io::Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    if !fits(owner) || !fits(key) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let path = folder.join(owner).join(format!("{key}.draft"));
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
        let path = folder.path().join("views.toml");
        let view = |name: &str| View { name: name.into(), filter: "risk:high".into(), sort: Some("risk".into()) };
        assert_eq!(keep_view(Some(&path), "hot", Some(view("hot"))).unwrap().unwrap(), [view("hot")]);
        assert_eq!(load_views(Some(&path)).unwrap(), [view("hot")]);
        std::fs::write(&path, "[[view]]\nname = 'a'\n[[view]]\nfoo = 1\n").unwrap();
        assert!(load_views(Some(&path)).unwrap_err().contains("line 4"));
    }

    #[test]
    fn hostile_files_are_bounded_and_steer_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let huge = format!("filter = '{}'", "x".repeat(300 * 1024));
        let long = format!("filter = '{}'", "x".repeat(MAX_WORD + 1));
        for bad in ["filter = 1", "filter = ['a']", "[[filter]]", "filter = 'cut", "\0\0", &huge, &long] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(load_state(Some(&path)), State::default(), "{bad:.60}");
        }
        assert_eq!(parse_state(b"filter = 'a\xff'"), State::default());
        let state = parse_state(b"filter = \"a\\u001b]52;c;x\\u0007\\u202e\"\nsort = 'due'");
        assert_eq!((state.filter.unwrap(), state.sort.as_deref()), (sanitise("a\u{1b}]52;c;x\u{7}\u{202e}", false), Some("due")));
        assert_eq!(load_state(Some(folder.path())), State::default(), "a folder is no state");

        for bad in ["view = 1", "[[view]]\nname = 1", "[[view]]\nname = 'a", "[view]\nname = 'a'"] {
            std::fs::write(&path, bad).unwrap();
            assert!(load_views(Some(&path)).unwrap_err().contains(", line "), "{bad}");
        }
        std::fs::write(&path, vec![b' '; 300 * 1024]).unwrap();
        assert!(load_views(Some(&path)).unwrap_err().contains("can't be read"));
        assert_eq!(parse_views(b"[[view]]\nname = 'a'\n# \xff").unwrap_err().0, 3);
        let many = "[[view]]\nname = \"\\u001b[2J\"\n".repeat(MAX_VIEWS + 50);
        let views = parse_views(many.as_bytes()).unwrap();
        assert!(views.len() == MAX_VIEWS && views.iter().all(|v| !v.name.contains('\u{1b}')));
        let strange = format!("[[view]]\nname = ''\n[[view]]\nname = '{}'\n[[view]]\nname = 'b'\nfilter = '{0}'", "n".repeat(MAX_WORD + 1));
        assert!(parse_views(strange.as_bytes()).unwrap().is_empty());

        let top = folder.path().join("all");
        let drafts = top.join("drafts");
        std::fs::create_dir_all(drafts.join("folder.draft")).unwrap();
        std::fs::write(drafts.join("huge.draft"), vec![b'x'; MAX_DRAFT + 1]).unwrap();
        std::fs::write(drafts.join("bytes.draft"), b"\xff\xfe").unwrap();
        std::fs::write(drafts.join("a key with blanks.draft"), "x").unwrap();
        std::fs::write(drafts.join("steers.draft"), "one\r\n\u{1b}[2Jtwo\u{202e}").unwrap();
        let (read, gone) = load_drafts(Some(&top), "drafts", SystemTime::now());
        assert_eq!(gone, 0);
        assert_eq!(read.keys().collect::<Vec<_>>(), ["steers"]);
        assert_eq!(read["steers"], sanitise("one\n\u{1b}[2Jtwo\u{202e}", true));
        for n in 0..MAX_DRAFTS + 20 {
            std::fs::write(drafts.join(format!("d{n}.draft")), "x").unwrap();
        }
        let (read, gone) = load_drafts(Some(&top), "drafts", SystemTime::now());
        assert!(read.len() <= MAX_DRAFTS && gone > 0, "{gone}");
        assert!(load_drafts(Some(&top), "../all/drafts", SystemTime::now()).0.is_empty(), "an owner is no path");
        assert!(parse_draft(&vec![0x1b; MAX_DRAFT]).is_none(), "longer than allowed once it is visible");
    }

    #[test]
    fn drafts_of_the_version_before_become_those_of_whoever_comes_first_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = folder.path().join("drafts");
        std::fs::create_dir_all(&drafts).unwrap();
        for (name, text) in [("old", "half a thought"), ("both", "the older one"), ("empty", ""), (NEW_CASE, "somebody's phone")] {
            std::fs::write(drafts.join(format!("{name}.draft")), text).unwrap();
        }
        // What can't be taken over now is not lost.
        std::fs::write(drafts.join("bytes.draft"), b"\xff\xfe").unwrap();
        std::fs::write(drafts.join("long.draft"), vec![0x1b; MAX_DRAFT]).unwrap();
        let aside = drafts.join(format!("{NEW_CASE}{LEFT_END}"));
        assert_eq!(put_aside(Some(&drafts), "ann"), std::slice::from_ref(&aside));
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), "somebody's phone");
        std::fs::write(drafts.join("notes.txt"), "somebody's own file").unwrap();
        save_draft(Some(&drafts), ("ann", "both"), Some("the newer one")).unwrap();
        assert_eq!(adopt_drafts(Some(&drafts), "ann"), 1);
        let of = |owner: &str| load_drafts(Some(&drafts), owner, SystemTime::now()).0;
        assert_eq!(of("ann").into_iter().collect::<Vec<_>>(), [("both".into(), "the newer one".into()), ("old".into(), "half a thought".into())]);
        let mut left: Vec<_> = std::fs::read_dir(&drafts).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["ann", "bytes.draft", "long.draft", "new-case-summary.edited.txt", "notes.txt"]);
        assert_eq!((adopt_drafts(Some(&drafts), "bob"), adopt_drafts(Some(&drafts), ".."), adopt_drafts(None, "ann")), (0, 0, 0));
        assert!(of("bob").is_empty());
        let later = SystemTime::now() + DRAFT_AGE + Duration::from_mins(1);
        assert_eq!(load_drafts(Some(&drafts), "bob", later).1, 2, "as old as drafts get");
    }

    #[test]
    fn drafts_come_back_and_go_and_never_leave_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = folder.path().join("drafts");
        let of = |owner: &str| load_drafts(Some(&drafts), owner, SystemTime::now()).0;
        save_draft(Some(&drafts), ("ann", "comment-CS-26-000001"), Some("half a thou\nght")).unwrap();
        assert_eq!(of("ann").get("comment-CS-26-000001").map(String::as_str), Some("half a thou\nght"));
        assert!(of("bob").is_empty(), "what one writes is nobody else's");
        save_draft(Some(&drafts), ("bob", "comment-CS-26-000001"), None).unwrap();
        assert_eq!(of("ann").len(), 1);
        save_draft(Some(&drafts), ("ann", "comment-CS-26-000001"), None).unwrap();
        assert!(of("ann").is_empty());
        assert!(save_draft(Some(&drafts), ("ann", "../x"), Some("x")).is_err() && save_draft(Some(&drafts), ("..", "x"), Some("x")).is_err());
        save_draft(Some(&drafts), ("ann", "long"), Some(&format!("x{}", "é".repeat(MAX_DRAFT)))).unwrap();
        assert_eq!(of("ann")["long"].len(), MAX_DRAFT - 1, "cut before the letter that does not fit");
    }

    #[test]
    fn two_consoles_lose_none_of_each_others_views() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/views.toml");
        let view = |name: &str| View { name: name.into(), filter: "mine".into(), sort: None };
        let keep = |name: &str, view: Option<View>| keep_view(Some(&path), name, view);
        std::thread::scope(|s| {
            for one in ["a", "b", "c", "d"] {
                s.spawn(move || (0..5).for_each(|n| drop(keep(&format!("{one}{n}"), Some(view(&format!("{one}{n}")))).unwrap())));
            }
        });
        assert_eq!(load_views(Some(&path)).unwrap().len(), 20);
        assert_eq!(keep("a1", None).unwrap().unwrap().len(), 19);
        for n in 19..MAX_VIEWS {
            keep(&format!("n{n}"), Some(view(&format!("n{n}")))).unwrap();
        }
        assert!(keep("more", Some(view("more"))).unwrap_err().contains("are saved already"));
        assert_eq!(keep("a2", Some(view("a2"))).unwrap().unwrap().len(), MAX_VIEWS, "in place of the one of its name");
        std::fs::write(&path, "[[view]]\nnot a view").unwrap();
        assert!(keep("b1", None).unwrap_err().contains("line 2"), "what can't be read is never written over");
        assert!(std::fs::read_to_string(&path).unwrap().contains("not a view"));
    }

    #[test]
    fn whoever_holds_the_views_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.toml");
        let held = alone(&path).unwrap();
        assert_eq!(alone(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        std::thread::scope(|s| {
            let waits = s.spawn(|| alone(&path));
            drop(held);
            assert!(waits.join().unwrap().is_ok(), "the one that was given up takes it from nobody");
        });
    }

    #[test]
    fn the_newest_drafts_come_back_and_those_of_long_ago_go() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("ann");
        std::fs::create_dir_all(&mine).unwrap();
        let now = SystemTime::now();
        let write = |path: PathBuf, ago: Duration| {
            let file = std::fs::File::create(&path).unwrap();
            std::fs::write(&path, "words").unwrap();
            file.set_modified(now - ago).unwrap();
        };
        for n in 0..MAX_DRAFTS + 3 {
            write(mine.join(format!("d{n}.draft")), Duration::from_mins(n as u64));
        }
        write(mine.join("ancient.draft"), DRAFT_AGE + Duration::from_mins(1));
        write(folder.path().join("left-1.edited.txt"), Duration::from_mins(1));
        write(folder.path().join("left-2.edited.txt"), DRAFT_AGE + Duration::from_mins(1));
        let (drafts, gone) = load_drafts(Some(folder.path()), "ann", now);
        assert_eq!((drafts.len(), gone), (MAX_DRAFTS, 4));
        assert!(drafts.contains_key("d0") && drafts.contains_key("d199") && !drafts.contains_key("d200"), "the newest stay");
        assert!(
            !mine.join("ancient.draft").exists()
                && folder.path().join("left-1.edited.txt").exists()
                && !folder.path().join("left-2.edited.txt").exists()
        );
        assert_eq!(load_drafts(Some(folder.path()), "ann", now).1, 0);
    }
}
