//! The pictures of the README: what the real program shows on the demo, as SVG in `assets/pictures`.
//!
//! With `COUNTERSIGN_DRAW_PICTURES=1` they are drawn anew; otherwise what the program shows must be what they show, but for times, numbers
//! that grow and digests.

use std::fmt::Write as _;
use std::path::PathBuf;

use vt100::{Cell, Color, Screen};

use crate::demo::Demo;
use crate::pty::Pty;

/// Columns and rows.
const SIZE: (u16, u16) = (112, 30);
/// A cell's width and height, and the letters' size, in pixels.
const CELL: (f32, f32) = (8.4, 19.0);
const LETTERS: f32 = 14.0;
/// The frame around the screen: margin, and the bar on top.
const MARGIN: f32 = 16.0;
const BAR: f32 = 34.0;
/// The dark theme's paper and ordinary ink.
const PAPER: &str = "#14181c";
const INK: &str = "#d6dde4";
/// What draws the pictures anew.
const KNOB: &str = "COUNTERSIGN_DRAW_PICTURES";

fn colour(colour: Color, usual: &str) -> String {
    match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => usual.to_owned(),
    }
}

/// How a cell looks: ink, paper, bold, underlined.
#[derive(Clone, PartialEq)]
struct Look {
    ink: String,
    paper: String,
    bold: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (ink, paper) = (colour(cell.fgcolor(), INK), colour(cell.bgcolor(), PAPER));
        let (ink, paper) = if cell.inverse() { (paper, ink) } else { (ink, paper) };
        Self { ink, paper, bold: cell.bold(), underlined: cell.underline() }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A stretch of a row in one look, with its columns.
fn stretch(out: &mut String, (row, from, to): (u16, u16, u16), text: &str, look: &Look) {
    let (x, y) = (MARGIN + f32::from(from) * CELL.0, BAR + f32::from(row) * CELL.1);
    let width = f32::from(to - from) * CELL.0;
    if look.paper != PAPER {
        let _ = writeln!(out, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{:.1}" fill="{}"/>"#, CELL.1, look.paper);
    }
    let bold = if look.bold { r#" font-weight="bold""# } else { "" };
    let line = if look.underlined { r#" text-decoration="underline""# } else { "" };
    let base = y + CELL.1 - 5.0;
    for (column, words) in parts(text) {
        let x = MARGIN + (f32::from(from) + f32::from(column)) * CELL.0;
        let cells = if text.chars().count() == 1 { to - from } else { u16::try_from(words.chars().count()).unwrap() };
        let length = f32::from(cells) * CELL.0;
        let _ =
            writeln!(out, r#"<text x="{x:.1}" y="{base:.1}" textLength="{length:.1}" fill="{}"{bold}{line}>{}</text>"#, look.ink, escaped(&words));
    }
}

/// Words with single blanks between, each group with the column it begins at: renderers make one blank of several.
fn parts(text: &str) -> Vec<(u16, String)> {
    let mut out: Vec<(u16, String)> = Vec::new();
    let mut column = 0;
    let mut end = None;
    for word in text.split(' ') {
        let wide = u16::try_from(word.chars().count()).unwrap();
        if !word.is_empty() {
            match (&mut out.last_mut(), end) {
                (Some((_, last)), Some(end)) if end + 1 == column => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ => out.push((column, word.to_owned())),
            }
            end = Some(column + wide);
        }
        column += wide + 1;
    }
    out
}

fn svg(screen: &Screen, title: &str) -> String {
    let (columns, rows) = SIZE;
    let (width, height) = (f32::from(columns) * CELL.0 + 2.0 * MARGIN, f32::from(rows) * CELL.1 + BAR + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"{title}\">\n<title>{title}</title>\n<rect width=\"{width:.0}\" height=\"{height:.0}\" rx=\"10\" fill=\"{PAPER}\"/>\n"
    );
    for (i, dot) in ["#ff8078", "#f0b849", "#6ccf8e"].iter().enumerate() {
        let x = 20.0 + 18.0 * f32::from(u8::try_from(i).unwrap());
        let _ = writeln!(out, r#"<circle cx="{x:.0}" cy="17" r="5.5" fill="{dot}"/>"#);
    }
    let fonts = "ui-monospace,'DejaVu Sans Mono','SF Mono',Menlo,Consolas,monospace";
    let _ = writeln!(out, "<g font-family=\"{fonts}\" font-size=\"{LETTERS}\">");
    for row in 0..rows {
        let mut open: Option<(u16, String, Look)> = None;
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column).filter(|c| !c.is_wide_continuation()) else { continue };
            let text = if cell.has_contents() { cell.contents() } else { " " };
            let look = Look::of(cell);
            // Wide letters stand alone, so that each keeps to its columns.
            let goes_on = open.as_ref().is_some_and(|(_, _, l)| *l == look) && !cell.is_wide() && text.chars().count() == 1;
            if let (Some((_, stretch, _)), true) = (&mut open, goes_on) {
                stretch.push_str(text);
                continue;
            }
            if let Some((from, text, look)) = open.take() {
                stretch(&mut out, (row, from, column), &text, &look);
            }
            if cell.is_wide() {
                stretch(&mut out, (row, column, column + 2), text, &look);
            } else {
                open = Some((column, text.to_owned(), look));
            }
        }
        if let Some((from, text, look)) = open {
            stretch(&mut out, (row, from, columns), &text, &look);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// The words of a picture in alphabetical order (cases due in the same minute stand in either order): without times, numbers and digests.
fn words(svg: &str) -> Vec<String> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let texts = svg.lines().filter(|l| l.starts_with("<text")).filter_map(|l| l.split_once('>')?.1.strip_suffix("</text>"));
    let word = |w: &str| {
        // A digest, or an id: a few letters, a hyphen, and what is random.
        let random = w.rsplit('-').next().unwrap_or_default().trim_end_matches([',', ';', '.', ')']);
        let digest = random.len() >= 8 && random.bytes().all(|b| b.is_ascii_hexdigit()) && random.bytes().any(|b| b.is_ascii_digit());
        let w = if MONTHS.contains(&w) || digest { "" } else { w };
        w.chars().filter(|c| !c.is_ascii_digit() && !",:-".contains(*c)).collect::<String>()
    };
    let is_time = |w: &String| matches!(w.as_str(), "" | "m" | "s" | "d" | "h" | "ms" | "Z");
    let mut words: Vec<String> = texts.flat_map(str::split_whitespace).map(word).filter(|w| !is_time(w)).collect();
    words.sort();
    words
}

fn check(pty: &Pty, name: &str, title: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/pictures").join(format!("{name}.svg"));
    let now = svg(pty.screen(), title);
    if std::env::var_os(KNOB).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, now).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(words(&kept), words(&now), "{name}.svg is not what the program shows any more; {KNOB}=1 draws it anew");
}

fn console(demo: &Demo, who: &str) -> Pty {
    let mut pty = Pty::at_home(who, &["--server", &demo.line.api], &[("COUNTERSIGN_TOKEN", demo.token(who)), ("COLORTERM", "truecolor")], SIZE);
    pty.shows("live");
    // The terminal has a dark background.
    pty.write("\u{1b}]11;rgb:1414/1818/1c1c\u{1b}\\");
    pty.until("the dark theme", |p| p.cell(0, 1).is_some_and(|c| c.fgcolor() == Color::Rgb(0x6c, 0xb6, 0xff)));
    pty
}

#[test]
fn the_readme_shows_what_the_program_shows() {
    let demo = Demo::start();
    let mut nadia = console(&demo, "nadia");
    // Her own view comes once the server has said who she is.
    nadia.shows("mine unassigned");
    nadia.shows("Kunle");
    nadia.write("jj");
    nadia.until("the third row", |p| p.contents().lines().nth(5).is_some_and(|l| l.starts_with('▌')));
    check(&nadia, "queue", "The queue: cases with risk, proofs, whom each waits on, and deadlines");
    let mut ruiz = console(&demo, "d.ruiz");
    // A supervisor begins in the inbox once the server has said who it is; keys before that would be lost to the change of screen.
    ruiz.shows("To decide");
    ruiz.write("gq/");
    ruiz.write("subject:payments-batch\r");
    // The filter has answered once it is no longer typed; until then Enter would send it again.
    ruiz.until("only that case", |p| p.contents().matches("CS-26-").count() == 1 && !p.contents().contains("Enter filters"));
    ruiz.write("\r");
    ruiz.shows("Overview");
    ruiz.write("da");
    ruiz.shows("e writes the reason");
    ruiz.write("e");
    ruiz.write("called the owner back on the recorded number");
    ruiz.shows("recorded number");
    check(&ruiz, "approve", "Deciding a case: everything that is being signed, and who may decide it");
}
