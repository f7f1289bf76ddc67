//! The one place where the screen is drawn: head line, screen, hints, what lies over it; and the sweep that nothing steering gets through.
//!
//! Contract: a pure function of the model. Small terminals get a notice, never a panic.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::action::{Action, Applies, Scope};
use super::keymap;
use super::model::{Link, Model, Place, Tone};
use super::theme::Role;
use super::tutor;
use super::update::applies;
use super::widget::{clear, fit, put, wrap};

/// The least that is worked in: columns and rows.
pub const LEAST: (u16, u16) = (60, 12);

/// The most lines that a message takes at the bottom.
const NOTICE: usize = 3;

/// The area of a screen: without head line and hints, and without the rows the tour takes.
pub fn body(size: (u16, u16), tour: u16) -> Rect {
    Rect { x: 0, y: 1, width: size.0, height: size.1.saturating_sub(2 + tour) }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let shared = &model.shared;
    if area.width < LEAST.0 || area.height < LEAST.1 {
        for (y, line) in (area.y..area.bottom()).zip(too_small((area.width, area.height))) {
            put(frame.buffer_mut(), area, area.x, y, &line, shared.style(Role::Warn));
        }
        return;
    }
    frame.buffer_mut().set_style(area, shared.style(Role::Text));
    head(frame.buffer_mut(), Rect { height: 1, ..area }, model);
    let rows = shared.tutor.rows((area.width, area.height));
    let body = body((area.width, area.height), rows);
    let place = model.place();
    model.screen(place).draw(frame, body, shared, place);
    tutor::draw(frame.buffer_mut(), Rect { y: body.bottom(), height: rows, ..area }, shared);
    foot(frame.buffer_mut(), Rect { y: area.bottom() - 1, height: 1, ..area }, model);
    if let Some(overlay) = &model.overlay {
        overlay.draw(frame, body, shared);
    }
    sweep(frame.buffer_mut());
}

/// What stands in a terminal that is too small, in lines that fit: the more is said the more room there is, the size that is needed first.
fn too_small((width, height): (u16, u16)) -> Vec<String> {
    let (columns, rows) = LEAST;
    let needed = format!("{columns}x{rows}");
    let forms = [format!("Too small: {needed} needed, not {width}x{height}"), format!("Too small: {needed}"), format!("Need {needed}")];
    let lines = |text: &String| wrap(text, usize::from(width));
    forms
        .iter()
        .map(lines)
        .find(|l| l.len() <= usize::from(height) && l.iter().all(|l| l.len() <= usize::from(width)))
        .unwrap_or_else(|| vec![needed])
}

/// Replaces what could steer a terminal or a reader's eyes: the last of several defences, for whatever a screen let through.
fn sweep(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if symbol.len() > 1 && crate::base::text::sanitise(symbol, false) != symbol {
            cell.set_symbol("�");
        }
    }
}

/// The tabs of the head line: text, where it leads, whether one is there.
fn tabs(model: &Model) -> Vec<(String, Action, bool)> {
    let counts = model.shared.counts;
    let number = |f: fn(&crate::api::lists::Counts) -> u64| counts.as_ref().map(|c| format!(" {}", thousands(f(c)))).unwrap_or_default();
    let place = model.place();
    let mut tabs = vec![
        (format!("Queue{}", number(|c| c.open)), Action::GoQueue, place == Place::Queue),
        (format!("Approvals{}", number(|c| c.approvals)), Action::GoApprovals, place == Place::Approvals),
        (format!("Grants{}", number(|c| c.grants)), Action::GoGrants, place == Place::Grants),
        (format!("Log{}", number(|c| c.log)), Action::GoLog, place == Place::Log),
        ("Policy".to_owned(), Action::GoPolicy, matches!(place, Place::Policy(_) | Place::Proposal)),
    ];
    // Where nothing waits for this user it takes nothing from the others' room; beside what waits for their decision it is never cut off first.
    if place == Place::Proposals || counts.is_some_and(|c| c.proposals > 0) {
        tabs.insert(2, (format!("Proposals{}", number(|c| c.proposals)), Action::GoProposals, place == Place::Proposals));
    }
    if model.shared.mailbox {
        tabs.push(("Mailbox".to_owned(), Action::GoMailbox, place == Place::Mailbox));
    }
    tabs
}

/// The tabs that there is room for left of a column, each with the column it begins at: what is drawn, and what can be clicked.
fn placed(model: &Model, right: u16) -> Vec<(u16, (String, Action, bool))> {
    let mut x = u16::try_from(NAME.len()).unwrap_or(0) + 3;
    let mut all = Vec::new();
    for tab in tabs(model) {
        let end = x + u16::try_from(tab.0.width()).unwrap_or(0);
        if end >= right {
            break;
        }
        all.push((x, tab));
        x = end + 2;
    }
    all
}

/// The tab at a column of the head line.
pub fn tab_at(model: &Model, column: u16) -> Option<Action> {
    let (who, link, _) = right_of_head(model, model.shared.size.0);
    let tabs = placed(model, right_end(model.shared.size.0, &who, &link));
    let hit = |(x, (text, ..)): &(u16, (String, Action, bool))| (usize::from(*x)..usize::from(*x) + text.width()).contains(&usize::from(column));
    tabs.iter().find(|tab| hit(tab)).map(|(_, (_, action, _))| *action)
}

/// The column where the right part of the head line begins.
fn right_end(width: u16, who: &str, link: &str) -> u16 {
    width.saturating_sub(u16::try_from(who.width() + link.width() + 1).unwrap_or(width))
}

const NAME: &str = "Countersign";

/// What stands on the right of the head line: who one is, and how the connection is.
fn right_of_head(model: &Model, width: u16) -> (String, String, Role) {
    let shared = &model.shared;
    let silent = shared.sending.silent(shared.now);
    let (link, style) = match (shared.link, silent) {
        (Link::Live, Some(seconds)) => (format!("no answer for {seconds}s ◌"), Role::Warn),
        (Link::Live, None) => ("live ●".to_owned(), Role::Good),
        (Link::Connecting, _) => ("connecting ◌".to_owned(), Role::Dim),
        (Link::Lost(seconds), _) => match left(shared.retry_at, shared.now).unwrap_or(seconds) {
            0 => ("OFFLINE ✕ trying …".to_owned(), Role::Bad),
            seconds => (format!("OFFLINE ✕ again in {seconds}s"), Role::Bad),
        },
        (Link::Refused, _) => ("not signed in ◌".to_owned(), Role::Warn),
    };
    let who = shared.me.as_ref().map_or_else(String::new, |me| {
        let name = me.operator.as_ref().map_or_else(|| me.name.line(), ToString::to_string);
        let roles = me.roles.iter().map(|r| r.label()).collect::<Vec<_>>().join(", ");
        let only = if shared.read_only { " · read only" } else { "" };
        if width < 110 { format!("{name}{only} · ") } else { format!("{name} · {roles}{only} · ") }
    });
    (who, link, style)
}

fn head(buffer: &mut Buffer, area: Rect, model: &Model) {
    let shared = &model.shared;
    let (who, link, style) = right_of_head(model, area.width);
    let right = right_end(area.width, &who, &link);
    put(buffer, area, area.x + 1, area.y, NAME, shared.style(Role::Accent));
    for (x, (text, _, here)) in placed(model, right) {
        put(buffer, area, x, area.y, &text, shared.style(if here { Role::Accent } else { Role::Dim }));
    }
    let x = put(buffer, area, right, area.y, &who, shared.style(Role::Dim));
    put(buffer, area, x, area.y, &link, shared.style(style));
}

/// Whole seconds until a time, rounded up.
fn left(until: Option<crate::base::Time>, now: crate::base::Time) -> Option<u64> {
    let millis = u64::try_from((until? - now).num_milliseconds()).unwrap_or(0);
    Some(millis.div_ceil(1000))
}

fn foot(buffer: &mut Buffer, area: Rect, model: &Model) {
    let shared = &model.shared;
    if let Some(notice) = &shared.notice {
        let (mark, role) = match notice.tone {
            Tone::Good => ("✓", Role::Good),
            Tone::Info => ("·", Role::Info),
            Tone::Bad => ("✕", Role::Bad),
        };
        let room = usize::from(area.width).saturating_sub(4);
        // What is said whole needs more lines now and then: it takes them from the screen until the next key, but never from a question.
        let most = if model.overlay.is_some() { 1 } else { NOTICE };
        let mut lines = wrap(&notice.text, room);
        // What went wrong can be looked up; so can all that was noted and finds no room here.
        let more = if notice.tone == Tone::Bad || (notice.number > 0 && lines.len() > most) {
            shared.keymap.shown(Action::Messages).map(|k| format!("  ({k} all messages)")).unwrap_or_default()
        } else {
            String::new()
        };
        if lines.len() > most {
            let rest = lines.split_off(most - 1).join(" ");
            lines.push(fit(&rest, room.saturating_sub(more.width())));
        }
        // Where all is said, the way to the messages is worth no line of its own.
        let more = if lines.last().is_some_and(|last| last.width() + more.width() <= room) { more } else { String::new() };
        let top = area.y.saturating_sub(u16::try_from(lines.len() - 1).unwrap_or(0));
        let area = Rect { y: top, height: area.bottom() - top, ..area };
        clear(buffer, area, shared.style(Role::Text));
        put(buffer, area, area.x + 1, area.y, mark, shared.style(role));
        let mut x = area.x;
        for (y, line) in (area.y..area.bottom()).zip(&lines) {
            x = put(buffer, area, area.x + 3, y, line, shared.style(role));
        }
        put(buffer, area, x, area.bottom() - 1, &more, shared.style(Role::Dim));
        return;
    }
    let mut x = area.x + 1;
    if !model.pending.is_empty() {
        let text = format!("{} …  ", keymap::show(&model.pending));
        x = put(buffer, area, x, area.y, &text, shared.style(Role::Warn));
        for (key, hint) in following(model) {
            x = put(buffer, area, x, area.y, &key, shared.style(Role::Key)) + 1;
            x = put(buffer, area, x, area.y, hint, shared.style(Role::Dim)) + 2;
        }
        return;
    }
    let (mut hints, mut room) = (hints(model), usize::from(area.right()));
    // The ways to all keys and commands are never what there is no room for.
    for action in [Action::Help, Action::Palette] {
        let own = model.overlay.is_some() || model.scope() == Scope::FORM;
        let (Some(key), false) = (shared.keymap.shown(action), own) else { continue };
        let kept = hints.iter().position(|(k, h)| *k == key && *h == action.row().hint).map(|at| hints.remove(at));
        if let Some((key, hint)) = kept {
            room = room.saturating_sub(key.width() + hint.width() + 3);
            let at = u16::try_from(room + 1).unwrap_or(0);
            let at = put(buffer, area, at, area.y, &key, shared.style(Role::Key)) + 1;
            put(buffer, area, at, area.y, hint, shared.style(Role::Dim));
        }
    }
    for (key, hint) in hints {
        if usize::from(x) + key.width() + hint.width() + 1 > room {
            break;
        }
        x = put(buffer, area, x, area.y, &key, shared.style(Role::Key)) + 1;
        x = put(buffer, area, x, area.y, hint, shared.style(Role::Dim)) + 2;
    }
}

/// Actions worth a hint now, in the table's order, with their first keys. Refused ones stay, so that the line does not jump from row to
/// row; trying one says why not.
pub fn hints(model: &Model) -> Vec<(String, &'static str)> {
    if let Some(overlay) = &model.overlay {
        return overlay.hints();
    }
    let scope = model.scope();
    let own = if scope == Scope::FORM { model.screen(model.place()).typing_hints() } else { &[] };
    if !own.is_empty() {
        return own.iter().map(|(key, words)| ((*key).to_owned(), *words)).collect();
    }
    // Whoever watches over cases is not told first what is others' to decide, but that they can freeze it.
    let watches = model.shared.is(crate::api::words::Role::SecurityReviewer) && !model.shared.is(crate::api::words::Role::Supervisor);
    let hint = |a: Action| if a == Action::Hold && watches { "hold" } else { a.row().hint };
    let here = Action::ALL.iter().filter(|a| a.row().scope.meets(scope) && !hint(**a).is_empty());
    // In a case nothing moves from row to row: there, only what can be done is hinted.
    // What an account can never do is no hint to it: a policy owner takes and opens no cases.
    let never = |a: Action| {
        let operation = if a == Action::NewCase { Some("case_open") } else { a.row().operation.filter(|_| a == Action::TakeNext) };
        let may = |o: &str| model.shared.me.as_ref().is_none_or(|me| me.operations.iter().any(|own| own == o));
        operation.is_some_and(|o| !may(o))
    };
    let worth = |a: Action| match applies(model, a) {
        _ if never(a) => false,
        Applies::Yes => model.screen(model.place()).hints(&model.shared, a),
        Applies::No(_) => !matches!(scope, Scope::CASE | Scope::APPROVE | Scope::POLICY | Scope::PROPOSAL),
        Applies::Hidden => false,
    };
    let mut hints: Vec<(String, &'static str)> =
        here.filter(|a| worth(**a)).filter_map(|a| Some((model.shared.keymap.shown(*a)?, hint(*a)))).collect();
    if watches && let Some(at) = hints.iter().position(|(_, h)| *h == "hold") {
        hints[..=at].rotate_right(1);
    }
    if scope == Scope::FORM {
        hints.truncate(6);
    }
    hints
}

/// What may follow the keys of a chord that is pending.
fn following(model: &Model) -> Vec<(String, &'static str)> {
    let scope = model.scope();
    let here = Action::ALL.iter().filter(|a| a.row().scope.meets(scope));
    here.flat_map(|a| model.shared.keymap.chords(*a).iter().map(move |c| (a, c)))
        .filter(|(a, c)| c.len() > model.pending.len() && c.starts_with(&model.pending) && applies(model, **a) != Applies::Hidden)
        .map(|(a, c)| (keymap::show(&c[model.pending.len()..]), a.row().name))
        .collect()
}

/// A number with commas between the thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 1000, 48_211, 1_234_567].map(thousands), ["0", "999", "1,000", "48,211", "1,234,567"]);
    }
}
