//! The real terminal: however the console ends, it is given back; it survives any size, lends itself to an editor, and obeys `NO_COLOR`.

use portable_pty::CommandBuilder;
use wiremock::matchers::path_regex;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::live::canned_server;
use crate::pty::{Pty, countersign};
use crate::whole;

/// The server, the user's home, and a console in a terminal that shows the queue.
struct Seat {
    _server: MockServer,
    home: tempfile::TempDir,
    pty: Pty,
}

impl Seat {
    async fn take(variables: &[(&str, &str)]) -> Self {
        Self::with(canned_server().await, variables, "").await
    }

    /// At that server, with these settings.
    async fn with(server: MockServer, variables: &[(&str, &str)], settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("countersign")).unwrap();
        std::fs::write(home.path().join("countersign/console.toml"), settings).unwrap();
        let variables: Vec<_> = [("COUNTERSIGN_TOKEN", "tok")].into_iter().chain(variables.iter().copied()).collect();
        let command = countersign(home.path(), &["--server", &server.uri()], &variables);
        let case = ResponseTemplate::new(200).set_body_json(serde_json::json!(whole::proofing()));
        Mock::given(path_regex("^/v1/cases/CS-26-[0-9]+$")).respond_with(case).mount(&server).await;
        let mut pty = Pty::start("the user", command, (100, 30));
        pty.shows("3 approvals");
        Self { _server: server, home, pty }
    }
}

/// Nothing of the console's settings is left.
fn given_back(pty: &Pty) {
    let screen = pty.screen();
    assert!(!screen.alternate_screen(), "the alternate screen is left");
    assert!(!screen.hide_cursor(), "the cursor is shown");
    assert!(!screen.bracketed_paste(), "bracketed paste is off");
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    let keys = pty.line_discipline();
    assert!(keys.is_empty() || (keys.contains("ICANON") && keys.contains("ECHO")), "lines and echo are back: {keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_given_back_on_leaving() {
    let mut seat = Seat::take(&[]).await;
    let screen = seat.pty.screen();
    assert!(screen.alternate_screen() && screen.bracketed_paste());
    assert_ne!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    seat.pty.write("q");
    assert!(seat.pty.ended().success());
    given_back(&seat.pty);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_given_back_at_signals() {
    for signal in ["TERM", "HUP", "INT"] {
        let mut seat = Seat::take(&[]).await;
        seat.pty.signal(signal);
        assert!(seat.pty.ended().success(), "{signal}");
        given_back(&seat.pty);
    }
}

/// Set where a test plays itself: started anew in a terminal it is what is looked at; else it looks on.
const PLAY: &str = "COUNTERSIGN_TEST_PANIC";

fn play(test: &str) -> Pty {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(PLAY, "1");
    // The least that is printed: what is written over shows.
    command.env("RUST_BACKTRACE", "0");
    Pty::start("the user", command, (100, 30))
}

/// What breaks off beside the loop takes the terminal from nobody, and the loop tells it.
#[test]
fn a_panic_elsewhere_is_told_and_leaves_the_terminal_to_the_console() {
    if std::env::var_os(PLAY).is_some() {
        let guard = countersign::console::terminal::Guard::take(true, None, None).unwrap();
        let (out, mut told) = tokio::sync::mpsc::channel(1);
        guard.tells(out, false);
        std::thread::spawn(|| panic!("on purpose")).join().unwrap_err();
        assert!(crossterm::terminal::is_raw_mode_enabled().unwrap(), "the console has it still");
        drop(guard);
        println!("told: {:?}", told.try_recv());
        return;
    }
    let mut pty = play("terminal::a_panic_elsewhere_is_told_and_leaves_the_terminal_to_the_console");
    assert!(pty.ended().success(), "{}", pty.text());
    let said = pty.prose();
    assert!(said.contains("A part of the program broke off at tests/console/terminal.rs:") && !said.contains("on purpose"), "{said}");
    given_back(&pty);
}

/// Takes the terminal and panics, or looks on.
#[test]
fn the_terminal_is_given_back_after_a_panic() {
    if std::env::var_os(PLAY).is_some() {
        let guard = countersign::console::terminal::Guard::take(true, None, None).unwrap();
        panic!("on purpose, at {:?}", guard.size());
    }
    let mut pty = play("terminal::the_terminal_is_given_back_after_a_panic");
    assert!(!pty.ended().success());
    let text = pty.text();
    assert!(text.contains("on purpose, at (100, 30)"), "what happened can be read:\n{text}");
    let broke = "The console broke off at tests/console/terminal.rs:";
    assert!(pty.prose().contains(broke) && pty.prose().contains("Please report"), "and what to do:\n{text}");
    assert!(String::from_utf8_lossy(&pty.bytes).contains("\u{1b}[?1049h"), "it had the terminal");
    given_back(&pty);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_size_is_survived() {
    let mut seat = Seat::take(&[]).await;
    for (columns, rows) in [(20, 5), (1, 1), (200, 60), (20, 5), (60, 12)] {
        seat.pty.resize(columns, rows);
        if columns >= 60 {
            seat.pty.shows("CS-26-004127");
        } else if columns >= 20 {
            seat.pty.shows("Too small");
        }
    }
    seat.pty.resize(100, 30);
    seat.pty.until("the whole queue", |s| s.contents().contains("3 approvals") && s.contents().contains("live"));
    seat.pty.write("q");
    assert!(seat.pty.ended().success());
    given_back(&seat.pty);
}

/// A key that comes together with a new size is not left lying in the terminal until the next one, nor is the size.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_with_a_new_size_acts_at_once() {
    let mut seat = Seat::take(&[]).await;
    for round in 0..100 {
        let (columns, key, chosen) = [(110, "j", "▌CS-26-004127"), (100, "k", "▌CS-26-004119")][round % 2];
        let edge = usize::from(columns) - 1;
        seat.pty.resize(columns, 30);
        seat.pty.write(key);
        seat.pty.until(&format!("round {round}: {chosen} at {columns} columns"), |s| {
            s.contents().contains(chosen) && s.contents().lines().any(|l| l.chars().count() > edge - 5)
        });
    }
    seat.pty.write("q");
    assert!(seat.pty.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_gets_the_terminal_and_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("editor");
    std::fs::write(&script, "printf 'EDITOR HERE '\nread line\nprintf '%s by hand' \"$line\" > \"$1\"\n").unwrap();
    let mut seat = Seat::take(&[("EDITOR", &format!("sh {}", script.display()))]).await;
    seat.pty.write("\r");
    seat.pty.shows("Checklist");
    seat.pty.write("c");
    seat.pty.shows("Ctrl-e");
    seat.pty.write("\u{5}");
    seat.pty.until("the editor", |s| s.contents().contains("EDITOR HERE") && !s.alternate_screen());
    given_back(&seat.pty);
    seat.pty.write("written\n");
    seat.pty.shows("written by hand");
    assert!(seat.pty.screen().alternate_screen() && seat.pty.screen().bracketed_paste());
    seat.pty.write(", and more");
    seat.pty.shows("written by hand, and more");
    seat.pty.write("\u{3}");
    assert!(seat.pty.ended().success());
    given_back(&seat.pty);
    let left = std::fs::read_dir(seat.home.path()).unwrap().flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".txt")).count();
    assert_eq!(left, 0, "the editor's file is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_color_means_none() {
    let mut seat = Seat::take(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]).await;
    seat.pty.write("q");
    seat.pty.ended();
    let text = String::from_utf8_lossy(&seat.pty.bytes).into_owned();
    let colours = |part: &&str| {
        let codes = part.split_once('m').map_or("", |(codes, _)| codes);
        let plain = codes.bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':');
        plain && codes.split([';', ':']).any(|c| matches!(c.parse::<u16>(), Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)))
    };
    let found: Vec<&str> = text.split("\u{1b}[").filter(colours).take(3).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(text.contains("\u{1b}[7m"), "the selection is seen all the same");
}

/// The colour of the product's name in the head line.
fn name_colour(screen: &vt100::Screen) -> Option<vt100::Color> {
    screen.cell(0, 1).map(vt100::Cell::fgcolor)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_theme_follows_the_background_whenever_the_terminal_answers() {
    const LIGHT: vt100::Color = vt100::Color::Rgb(0x0b, 0x5c, 0xad);
    const DARK: vt100::Color = vt100::Color::Rgb(0x6c, 0xb6, 0xff);
    let mut seat = Seat::take(&[("COLORTERM", "truecolor")]).await;
    let asked = String::from_utf8_lossy(&seat.pty.bytes).into_owned();
    let (first, question) = (asked.find("Countersign"), asked.find("\u{1b}]11;?"));
    assert!(first.is_some() && first < question, "asked once the first frame is there: {first:?} {question:?}");
    assert!(![Some(LIGHT), Some(DARK)].contains(&name_colour(seat.pty.screen())), "the terminal's own colours until then");
    // Keys before, between and after the answer's pieces; not one of its letters acts.
    seat.pty.write("j\u{1b}]11;rgb:ffff/ff");
    seat.pty.write("ff/f0f0\u{1b}\\j");
    seat.pty.until("the light theme", |s| name_colour(s) == Some(LIGHT) && s.contents().contains("▌CS-26-004131"));
    // Once more, long after and unasked.
    seat.pty.write("\u{1b}]11;rgb:0000/0000/0000\u{7}k");
    seat.pty.until("the dark theme", |s| name_colour(s) == Some(DARK) && s.contents().contains("▌CS-26-004127"));
    seat.pty.write("q");
    assert!(seat.pty.ended().success());
    given_back(&seat.pty);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_can_not_answer_is_not_asked() {
    for variables in [&[("TERM", "dumb")][..], &[("NO_COLOR", "1")], &[("STY", "1.pts"), ("COLORTERM", "truecolor")], &[("TERM", "linux")]] {
        let mut seat = Seat::take(variables).await;
        seat.pty.write("q");
        assert!(seat.pty.ended().success());
        assert!(!String::from_utf8_lossy(&seat.pty.bytes).contains("\u{1b}]11;?"), "{variables:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attention_reaches_the_terminal_as_it_was_asked_for() {
    for (settings, expected) in
        [("attention = \"notify\"\n", "\u{1b}]9;Countersign: CS-26-004131 was given to you.\u{1b}\\"), ("attention = \"bell\"\n", "\u{7}")]
    {
        let server = canned_server().await;
        let row = crate::canned::row(
            4131,
            "m.okafor",
            65,
            &serde_json::json!({"version": 9, "assignee": "nadia", "approvals_missing": 3, "waiting_on": "approval"}),
        );
        let event = format!("id: 5\ndata: {}\n\n", serde_json::json!({"kind": "case", "row": row}));
        let stream = ResponseTemplate::new(200).set_body_raw(event, "text/event-stream").set_delay(std::time::Duration::from_millis(100));
        Mock::given(path_regex("^/v1/events$")).respond_with(stream).with_priority(1).mount(&server).await;
        let mut seat = Seat::with(server, &[], settings).await;
        seat.pty.hears(expected);
        seat.pty.write("q");
        assert!(seat.pty.ended().success());
    }
}
