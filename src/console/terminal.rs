//! The real terminal: taken over, given back whatever happens, lent to `$EDITOR` in between.
//!
//! Contract: after [`Guard`] is dropped, or a panic of the loop that has it, the terminal is as it was before: screen, cursor, mouse, paste. A panic
//! elsewhere is told to that loop and takes the terminal from nobody. Knows no screen of ours.

use std::io::{self, Stdout, Write as _, stdout};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, EventStream, poll, read};
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{clipboard::CopyToClipboard, cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::mpsc;

use super::attention::How;
use super::background::{QUESTION, Sieve, Sieved};
use super::drive::{Input, LAST_ANSWER, Surface};
use super::keep::LEFT_END;
use super::message::Message;
use super::model::Model;
use super::{unread, view};
use crate::client::session::read_small;

/// The largest text taken back from an editor, in bytes.
const MAX_EDITED: u64 = 256 * 1024;

type Screen = Terminal<CrosstermBackend<io::BufWriter<Stdout>>>;

/// A terminal of which nothing is known to be drawn. `Terminal::clear` is no way to it: it asks the terminal where its cursor is and waits
/// for seconds where no answer comes.
fn blank() -> io::Result<Screen> {
    execute!(stdout(), Clear(ClearType::All))?;
    Terminal::new(CrosstermBackend::new(io::BufWriter::with_capacity(16 * 1024, stdout())))
}

/// The terminal, taken over; gives it back when dropped.
pub struct Guard {
    terminal: Screen,
    mouse: bool,
    editor: Option<String>,
    folder: Option<PathBuf>,
    awaited: Arc<AtomicBool>,
    told: Told,
}

/// Where a panic elsewhere is told, and whether whoever else hears of it writes to no terminal.
type Told = Arc<OnceLock<(mpsc::Sender<Message>, bool)>>;

/// Whether the process has the terminal. Leaving the other screen puts the cursor back to where it was left for it: done twice, what was written in
/// between would be written over.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal's settings back; done twice, it does nothing the second time.
pub fn give_back() {
    let mut out = stdout();
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(out, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    }
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// What a panic does: the loop's own gives the terminal back, and says there what it is; any other is told to the loop, which goes on.
fn broke_off(info: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>), own: ThreadId, told: &Told) {
    let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
    if let Some((out, journal)) = told.get().filter(|_| std::thread::current().id() != own) {
        let text = format!("A part of the program broke off at {place}; what was asked of it is not answered. Please report that place.");
        if out.try_send(Message::Trouble(text)).is_err() || *journal {
            before(info);
        }
        return;
    }
    give_back();
    before(info);
    let _ = writeln!(io::stderr(), "The console broke off at {place}, by a fault of its own. Please report that place, and what you did last.");
}

impl Guard {
    /// Takes the terminal over. `editor` is the command for long texts (`$VISUAL` or `$EDITOR`), `folder` where it writes them.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn take(mouse: bool, editor: Option<String>, folder: Option<PathBuf>) -> io::Result<Self> {
        // Colours are decided by the theme: crossterm's own handling of NO_COLOR would reset the attributes that stand in for them.
        crossterm::style::force_color_output(true);
        let told = Told::default();
        let (before, own, tells) = (std::panic::take_hook(), std::thread::current().id(), Arc::clone(&told));
        std::panic::set_hook(Box::new(move |info| broke_off(info, &before, own, &tells)));
        // Half of it may be done where it fails: there is nobody yet whose end would give that back.
        let terminal = enter(mouse).and_then(|()| blank()).inspect_err(|_| give_back())?;
        Ok(Self { terminal, mouse, editor, folder, awaited: Arc::default(), told })
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((80, 24), |s| (s.width, s.height))
    }
}

impl Guard {
    /// Has panics of other threads told there from now on. `journal`: whoever was told of panics before writes to no terminal, and goes on to be.
    pub fn tells(&self, out: mpsc::Sender<Message>, journal: bool) {
        let _ = self.told.set((out, journal));
    }

    /// Whether an answer of the terminal is on its way; to be handed to [`input`].
    pub fn awaited(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.awaited)
    }

    /// Takes in an answer that is still on its way, so that the shell that has the terminal next does not find it typed.
    fn take_answer(&self) {
        if !self.awaited.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut sieve = Sieve::new(true);
        for _ in 0..LAST_ANSWER.1 {
            let (Ok(true), true) = (poll(LAST_ANSWER.0), sieve.awaits()) else { break };
            let Ok(event) = read() else { break };
            sieve.take(event);
        }
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = stdout();
    execute!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
    if mouse { execute!(out, EnableMouseCapture) } else { Ok(()) }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.take_answer();
        give_back();
    }
}

impl Surface for Guard {
    fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| view::draw(frame, model)).map(|_| ())
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) }
    }

    fn ask_background(&mut self) -> io::Result<()> {
        self.awaited.store(true, Ordering::Relaxed);
        let mut out = stdout();
        out.write_all(QUESTION.as_bytes())?;
        out.flush()
    }

    fn attend(&mut self, how: How, text: &str) -> io::Result<()> {
        let mut out = stdout();
        match how {
            How::Off => return Ok(()),
            How::Bell => out.write_all(b"\x07")?,
            // OSC 9; nothing that could end it or begin another survives the sanitiser.
            How::Notify => write!(out, "\x1b]9;Countersign: {}\x1b\\", crate::base::text::sanitise(text, false))?,
        }
        out.flush()
    }

    fn awaits(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    fn edit(&mut self, text: &str) -> Result<String, String> {
        let editor = self.editor.clone().ok_or("Set VISUAL or EDITOR to write texts in your own editor.")?;
        self.awaited.store(false, Ordering::Relaxed);
        give_back();
        let edited = edit(&editor, text, self.folder.as_deref());
        let taken = enter(self.mouse).and_then(|()| blank()).map(|terminal| self.terminal = terminal);
        // What was written is never dropped for a terminal that can't be drawn on: the next drawing tells that.
        if let (Err(e), true) = (taken, edited.is_err()) {
            return Err(format!("The terminal can't be taken back: {e}."));
        }
        edited
    }
}

/// Runs the editor on a private file. What was written there and can't be taken stays in it, and the sentence names it.
fn edit(editor: &str, text: &str, folder: Option<&Path>) -> Result<String, String> {
    let say = |e: io::Error| format!("The editor \"{editor}\" could not be used: {e}.");
    let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
    std::fs::create_dir_all(&folder).map_err(say)?;
    let mut random = [0_u8; 8];
    crate::base::ports::Random::fill(&crate::base::ports::SystemRandom, &mut random);
    let path = folder.join(format!("countersign-{}{LEFT_END}", u64::from_be_bytes(random)));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&path).map_err(say)?;
    let result = file.write_all(text.as_bytes()).and_then(|()| {
        drop(file);
        let mut words = editor.split_whitespace();
        let program = words.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let status = std::process::Command::new(program).args(words).arg(&path).status()?;
        if !status.success() {
            return Err(io::Error::other("it ended with an error, the text here stays as it was"));
        }
        if std::fs::metadata(&path)?.len() > MAX_EDITED {
            return Err(io::Error::other("the text is too long"));
        }
        std::fs::read_to_string(&path)
    });
    let as_it_was = read_small(&path, MAX_EDITED).is_ok_and(|bytes| bytes == text.as_bytes());
    if result.is_err() && !as_it_was && path.exists() {
        return result.map_err(|e| format!("{} What you wrote is kept in {}.", say(e), path.display()));
    }
    let _ = std::fs::remove_file(&path);
    result.map_err(say)
}

/// The terminal's events, with its answers taken out of them; `awaited` as in [`Guard::awaited`].
pub fn input(awaited: Arc<AtomicBool>) -> Input {
    Box::pin(Sieved::new(unread::Read::new(EventStream::new(), unread::Own), awaited))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder, and an editor in it that does what a script says with the file it is given.
    fn editor(script: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("editor");
        std::fs::write(&path, script).unwrap();
        let command = format!("sh {}", path.display());
        (folder, command)
    }

    #[test]
    fn what_was_written_in_an_editor_is_taken_or_kept_and_named() {
        let kept = |drafts: &Path| std::fs::read_dir(drafts).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
        for (script, taken) in [("printf words > \"$1\"", Some("words")), ("true", Some("before")), ("false", None)] {
            let (folder, command) = editor(script);
            let drafts = folder.path().join("drafts");
            assert_eq!(edit(&command, "before", Some(&drafts)).ok().as_deref(), taken, "{script}");
            assert!(kept(&drafts).is_empty(), "{script}: nothing stays that is nowhere else");
        }
        let too_long = format!("head -c {} /dev/zero | tr '\\0' x > \"$1\"", MAX_EDITED + 1);
        for script in ["printf 'caf\\351' > \"$1\"", "printf words > \"$1\"; exit 3", &too_long] {
            let (folder, command) = editor(script);
            let drafts = folder.path().join("drafts");
            let why = edit(&command, "before", Some(&drafts)).unwrap_err();
            let [file] = &kept(&drafts)[..] else { panic!("{script}: {:?}", kept(&drafts)) };
            assert!(why.contains(&format!("What you wrote is kept in {}.", file.display())), "{why}");
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
            assert_ne!(std::fs::read(file).unwrap(), b"before", "{script}");
        }
    }
}
