//! The conversation of the linear mode: typed lines become the same messages as keys, and the screen becomes lines to be heard.
//!
//! Contract: no I/O. Says only what is new; never repaints. Everything a key can do can be typed, under the same names.

use std::collections::{BTreeMap, BTreeSet};

use crossterm::event::{KeyCode, KeyEvent};

use crate::base::ids::CaseId;
use crate::base::text::sanitise;
use crate::console::action::{Action, Applies, Scope};
use crate::console::keymap::{Key, Meaning};
use crate::console::message::Message;
use crate::console::mistakes::did_you_mean;
use crate::console::model::{Model, Note, Place, Tone};
use crate::console::overlay::{Choice, Overlay, Picker};
use crate::console::plain::words::{for_the_eye, said};
use crate::console::screen::Screen as _;
use crate::console::screen::help::Help;
use crate::console::update;
use crate::console::widget::form::{Field, Input};
use crate::console::widget::runs::{shown, standing};

/// The farthest entry of a list that can be picked by its number.
const MAX_PICKED: usize = 1000;
/// The most entries of a list that are read out at once.
const MAX_OFFERED: usize = 60;

/// What was said so far, so that only what is new is said.
#[derive(Debug, Default)]
pub struct Talk {
    place: Option<Place>,
    /// The version of the case that was last said.
    version: Option<u64>,
    said: Vec<String>,
    /// The number of the note that was said last.
    note: u64,
    overlay: Option<Overlay>,
    field: Option<(usize, Field)>,
    /// Cases by the numbers they were last read out under, and which list that was.
    cases: BTreeMap<usize, CaseId>,
    list: String,
    /// The field of many lines that is being typed: its number in the form and its name.
    text: Option<(usize, &'static str)>,
    /// Whether the user waits for what a command brings.
    listening: bool,
    /// Whether all is to be read again.
    again: bool,
}

fn key(code: KeyCode) -> Message {
    Message::Key(KeyEvent::from(code))
}

fn times(code: KeyCode, n: usize) -> impl Iterator<Item = Message> {
    std::iter::repeat_with(move || key(code)).take(n)
}

impl Talk {
    /// What a typed line means: messages for the model, or sentences why it means nothing.
    pub fn hear(&mut self, model: &Model, line: &str) -> (Vec<Message>, Vec<String>) {
        self.listening = true;
        let line = line.trim_end_matches(['\r', '\n']);
        let command = line.trim().strip_prefix(':').map(str::trim);
        match (&model.overlay, command) {
            (Some(Overlay::Confirm(c)), _) => {
                let yes = line.trim().chars().eq([c.key]) && !c.outdated;
                (vec![key(if yes { KeyCode::Char(c.key) } else { KeyCode::Esc })], if yes { vec![] } else { vec!["Cancelled.".into()] })
            }
            (Some(Overlay::Pick(_)), _) => pick(model, line.trim()),
            (None, Some(command)) => {
                self.text = None;
                self.command(model, command)
            }
            (None, None) if model.screen(model.place()).typing() => self.long_text(model, line).unwrap_or_else(|| answer(model, line)),
            (None, None) => self.command(model, line.trim()),
        }
    }

    fn command(&mut self, model: &Model, text: &str) -> (Vec<Message>, Vec<String>) {
        let (word, rest) = text.split_once(' ').map_or((text, ""), |(w, r)| (w, r.trim()));
        let number = |t: &str| t.parse::<usize>().ok().filter(|n| *n > 0);
        if word.is_empty() || word == "read" {
            self.again = true;
            return (vec![], vec![]);
        }
        if word == "more" {
            return (vec![Message::ReadOn], vec![]);
        }
        if word == "help" {
            return (vec![], help(model));
        }
        if matches!(word, "send" | "submit") && found(model) > 1 {
            return (vec![], vec!["Several are found: type the number of the one you mean.".into()]);
        }
        let named = if word == "open" || word == "show" { rest } else { word };
        if let Ok(id) = named.parse::<CaseId>() {
            return (vec![Message::Open(id)], vec![]);
        }
        // On a case a number alone is one of its pages.
        let page = named == text && matches!(model.place(), Place::Case(_));
        if let Some(n) = number(named).filter(|_| !page) {
            return match self.cases.get(&n) {
                Some(id) => (vec![Message::Open(*id)], vec![]),
                None => (vec![], vec![format!("There is no number {n} in the list that was read.")]),
            };
        }
        if let ("pick", Some(n)) = (word, number(rest).filter(|n| *n <= MAX_PICKED)) {
            return match (model.scope(), model.place()) {
                // What is read and not chosen from; each step would lay all of it out anew.
                (Scope::CASE | Scope::APPROVE | Scope::POLICY | Scope::PROPOSAL, _) => (vec![], vec!["There is no list here to pick from.".into()]),
                (Scope::FORM, _) | (_, Place::Queue) => (nth(n, up()), vec![]),
                _ => (nth(n, vec![Message::Act(Action::First)]), vec![]),
            };
        }
        if word == "filter" && !rest.is_empty() {
            let clear = KeyEvent::new(KeyCode::Char('u'), crossterm::event::KeyModifiers::CONTROL);
            return (vec![Message::Act(Action::Filter), Message::Key(clear), Message::Paste(rest.to_owned()), key(KeyCode::Enter)], vec![]);
        }
        let action = match word {
            "send" => Some(Action::Submit),
            "back" if model.scope() == Scope::FORM => Some(Action::Cancel),
            _ => Action::ALL.iter().copied().find(|a| a.row().name == word).or_else(|| by_keys(model, text)),
        };
        if let Some(action) = action {
            return (vec![Message::Act(action)], vec![]);
        }
        let near = did_you_mean(word, Action::ALL.iter().map(|a| a.row().name));
        let word = sanitise(word, false);
        (vec![], vec![format!("\"{word}\" is no command{near}. Type help for those that apply here, palette for all with reasons.")])
    }

    /// A line of a text of many lines: the first one replaces what is there, a dot alone ends it, `..` is a line with a dot.
    fn long_text(&mut self, model: &Model, line: &str) -> Option<(Vec<Message>, Vec<String>)> {
        let form = model.screen(model.place()).form()?;
        let field = form.fields.get(form.focus).filter(|f| matches!(&f.input, Input::Text(text) if text.is_many()))?;
        let begun = self.text == Some((form.focus, field.name));
        if line == "." || (line.trim().is_empty() && !begun) {
            self.text = None;
            return Some(answer(model, ""));
        }
        self.text = Some((form.focus, field.name));
        let line = if line.starts_with("..") { &line[1..] } else { line };
        Some((vec![if begun { Message::Paste(format!("\n{line}")) } else { Message::Edited(Ok(line.to_owned())) }], vec![]))
    }

    /// What is to be said now. `answered`: something that was asked for came.
    pub fn tell(&mut self, model: &Model, answered: bool) -> Vec<String> {
        let mut out = self.new_notes(model);
        self.screen(model, answered, &mut out);
        if self.overlay != model.overlay {
            if let Some(overlay) = &model.overlay {
                out.extend(offered(overlay));
            }
            self.overlay.clone_from(&model.overlay);
        }
        if model.overlay.is_none() {
            self.prompt(model, &mut out);
        }
        out.iter().map(|line| sanitise(&said(&shown(line)), false)).collect()
    }

    fn new_notes(&mut self, model: &Model) -> Vec<String> {
        let notes = model.shared.notes.iter().rev();
        let mut new: Vec<&Note> = notes.take_while(|n| n.number > self.note).collect();
        new.reverse();
        let say = |n: &&Note| {
            let tone = match n.tone {
                Tone::Good => "Done",
                Tone::Info => "Note",
                Tone::Bad => "Refused or failed",
            };
            let request = n.request_id.as_ref().map(|r| format!(" Request {r}.")).unwrap_or_default();
            format!("{tone}: {}{request}", n.text)
        };
        let out = new.iter().map(say).collect();
        if let Some(last) = new.last() {
            self.note = last.number;
        }
        out
    }

    fn screen(&mut self, model: &Model, answered: bool, out: &mut Vec<String>) {
        let place = model.place();
        let moved = self.place != Some(place);
        let version = if matches!(place, Place::Case(_)) { model.screens.case.version() } else { None };
        if !(moved || self.again || self.listening) {
            // What others do to the case in front is told unasked; not into what is being typed.
            if self.version.is_none() || version == self.version || model.screen(place).typing() {
                return;
            }
            out.push("News of this case:".to_owned());
        }
        self.version = version;
        let lines = model.screen(place).lines(&model.shared, place);
        // Another list is read from its beginning: its rows have other numbers.
        let whole = moved || self.again || (numbered(place) && self.list != head(&lines));
        // A row that was heard is not read out again because time passes.
        let known: BTreeSet<String> = self.said.iter().map(|l| standing(l)).collect();
        let new: Vec<&String> = lines.iter().filter(|l| whole || !known.contains(&standing(l))).collect();
        if whole || lines != self.said {
            self.number(place, &lines, &new, out);
        }
        if answered || self.again {
            self.listening = moved;
        }
        self.again = false;
        self.place = Some(place);
        self.said = lines;
    }

    /// Says lines; in lists of cases each row has a number under which it can be opened.
    fn number(&mut self, place: Place, lines: &[String], new: &[&String], out: &mut Vec<String>) {
        if !numbered(place) {
            out.extend(new.iter().map(|l| (*l).clone()));
            return;
        }
        // A number means what was last read out under it. What is new is read out; what stands elsewhere now, but was heard, keeps its number.
        let head = head(lines);
        if self.list != head {
            head.clone_into(&mut self.list);
            self.cases.clear();
        }
        let mut number = 0;
        for line in lines {
            let case = line.split_whitespace().find_map(|w| w.parse::<CaseId>().ok());
            number += usize::from(case.is_some());
            if new.contains(&line) {
                if let Some(case) = case {
                    self.cases.insert(number, case);
                }
                out.push(if case.is_some() { format!("{number}. {line}") } else { line.clone() });
            }
        }
    }

    /// Asks for the field in focus, once.
    fn prompt(&mut self, model: &Model, out: &mut Vec<String>) {
        let form = model.screen(model.place()).form();
        let now = form.and_then(|f| Some((f.focus, f.fields.get(f.focus)?.clone())));
        if now == self.field {
            return;
        }
        // What is being typed is not read back line by line.
        let quiet = now.as_ref().is_some_and(|(focus, field)| self.text == Some((*focus, field.name)) && field.mistake.is_none());
        if let (Some(form), Some((focus, field)), false) = (form, &now, quiet) {
            let value = match &field.input {
                Input::Text(text) => text.text().to_owned(),
                Input::Secret(_) => String::new(),
                Input::Choice(options, at) => options.get(*at).map(|o| o.1.clone()).unwrap_or_default(),
                Input::Several(options, _) => options.iter().filter(|o| o.2).map(|o| o.1.as_str()).collect::<Vec<_>>().join(", "),
            };
            let same = self.field.as_ref().is_some_and(|(at, f)| at == focus && f.name == field.name);
            let is = if value.is_empty() { "empty".to_owned() } else { value };
            let begun = self.text == Some((*focus, field.name));
            if !begun {
                out.push(format!("Field {} of {}, {}: {is}", focus + 1, form.fields.len(), field.label));
            }
            out.extend(field.mistake.iter().map(|m| format!("Wrong: {m}")));
            if !same {
                out.extend(choices(field));
                out.push("Type the value; an empty line keeps it and goes on; :send sends, :back leaves.".to_owned());
            }
        }
        self.field = now;
    }
}

/// Whether rows of it have numbers.
fn numbered(place: Place) -> bool {
    matches!(place, Place::Queue | Place::Approvals | Place::Grants)
}

/// Which list it is: its first line, but for what comes last in it, which is how many there are.
fn head(lines: &[String]) -> &str {
    lines.first().map_or("", |l| l.rsplit_once(", ").map_or(l.as_str(), |(head, _)| head))
}

/// The commands that apply here, without going anywhere.
fn help(model: &Model) -> Vec<String> {
    let mut help = Help::default();
    help.about(model.scope(), model.place());
    let mut lines = help.lines(&model.shared, model.place());
    lines.retain(|l| l.split(':').next().is_none_or(|name| !for_the_eye(name)));
    lines.push("In a form a command begins with a colon.".to_owned());
    lines.iter().map(|l| said(l)).collect()
}

/// How many subjects a search has found to choose from.
fn found(model: &Model) -> usize {
    let place = model.place();
    let searches = model.screen(place).form().is_some_and(|f| f.fields.first().is_some_and(|f| f.name == "search"));
    let is_row = |l: &&String| l.split_once(". ").is_some_and(|(n, _)| n.parse::<usize>().is_ok());
    if searches { model.screen(place).lines(&model.shared, place).iter().filter(is_row).count() } else { 0 }
}

/// Keys that lead to the first row where no action does: in a form, and in the queue, whose beginning may have to be fetched.
fn up() -> Vec<Message> {
    times(KeyCode::Up, 100).collect()
}

/// What takes a row of a list, once `first` has led to its first one.
fn nth(n: usize, first: Vec<Message>) -> Vec<Message> {
    first.into_iter().chain(times(KeyCode::Down, n - 1)).chain(times(KeyCode::Enter, 1)).collect()
}

/// The action of keys typed as a line: `d a`, `ctrl-r`.
fn by_keys(model: &Model, text: &str) -> Option<Action> {
    let keys: Vec<Key> = text.split_whitespace().map(Key::parse).collect::<Option<_>>()?;
    match model.shared.keymap.meaning(&keys, |a| a.row().scope.meets(model.scope())) {
        Meaning::Act(action) => Some(action),
        Meaning::Prefix | Meaning::Nothing => None,
    }
}

/// The options of a field, numbered.
fn choices(field: &Field) -> Vec<String> {
    match &field.input {
        Input::Choice(options, _) => options.iter().enumerate().map(|(i, o)| format!("{}. {}", i + 1, o.1)).collect(),
        Input::Several(options, _) => {
            let mut lines: Vec<String> = options.iter().enumerate().map(|(i, o)| format!("{}. {}", i + 1, o.1)).collect();
            lines.push("Any of them: numbers with blanks between.".to_owned());
            lines
        }
        Input::Text(_) if field.name == "search" => vec!["Of several that are found, type the number of the one you mean.".to_owned()],
        Input::Text(text) if text.is_many() => vec!["As many lines as you like; a line with only a dot ends it.".to_owned()],
        Input::Text(_) | Input::Secret(_) => Vec::new(),
    }
}

/// What lies over the screen, as lines.
fn offered(overlay: &Overlay) -> Vec<String> {
    match overlay {
        Overlay::Confirm(c) => {
            let mut lines = vec![format!("Confirm number {}: {}", c.number, c.question)];
            lines.extend(c.said().cloned());
            let yes = if c.outdated { String::new() } else { format!("Type {} to {}; ", c.key, c.label) };
            lines.push(format!("{yes}anything else cancels."));
            lines
        }
        Overlay::Pick(p) => {
            let mut lines = vec![format!("Choose: {}", p.title)];
            for (i, choice) in p.offered().take(MAX_OFFERED).enumerate() {
                if p.purpose == "command" && for_the_eye(&choice.value) {
                    continue;
                }
                let refused = choice.refused.as_ref().map(|why| format!(" (refused: {why})")).unwrap_or_default();
                lines.push(format!("{}. {} {}{refused}", i + 1, choice.label, choice.note));
            }
            lines.push(format!("Type a number{}; an empty line cancels.", if p.free { " or a name" } else { " or words to narrow" }));
            lines
        }
    }
}

/// What is typed where that is taken as well: the row that is called just so, or else the line as it is, which is the last row. Never one that it only
/// resembles: nobody heard which.
fn typed(picker: &Picker, line: &str) -> (Vec<Message>, Vec<String>) {
    let is = |what: &dyn Fn(&Choice) -> bool| picker.offered().position(what);
    let row = is(&|c| c.value == line).or_else(|| is(&|c| c.label == line));
    let Some(row) = row else { return (vec![Message::Paste(line.to_owned()), key(KeyCode::Up), key(KeyCode::Enter)], vec![]) };
    match picker.offered().nth(row).and_then(|c| c.refused.as_ref()) {
        Some(why) => (vec![], vec![format!("Refused: {why}")]),
        None => (times(KeyCode::Down, row).chain(times(KeyCode::Enter, 1)).collect(), vec![]),
    }
}

fn pick(model: &Model, line: &str) -> (Vec<Message>, Vec<String>) {
    let Some(Overlay::Pick(picker)) = &model.overlay else { return (vec![], vec![]) };
    if line.is_empty() {
        return (vec![key(KeyCode::Esc)], vec!["Cancelled.".into()]);
    }
    let count = picker.offered().count();
    match line.parse::<usize>() {
        Ok(n) if (1..=count).contains(&n) => {
            if let Some(why) = picker.offered().nth(n - 1).and_then(|c| c.refused.as_ref()) {
                return (vec![], vec![format!("Refused: {why}")]);
            }
            (times(KeyCode::Down, n - 1).chain(times(KeyCode::Enter, 1)).collect(), vec![])
        }
        Ok(n) if !picker.free => (vec![], vec![format!("There is no number {n}.")]),
        _ if picker.free => typed(picker, line),
        // Words that match nothing would only leave an empty list to choose from.
        _ if picker.matches(line) == 0 => {
            let word = sanitise(line, false);
            (vec![], vec![format!("\"{word}\" matches nothing of: {}. Type a number or other words; an empty line cancels.", picker.title)])
        }
        _ => {
            let clear = KeyEvent::new(KeyCode::Char('u'), crossterm::event::KeyModifiers::CONTROL);
            (vec![Message::Key(clear), Message::Paste(line.to_owned())], vec![])
        }
    }
}

/// A line typed into the field that has the keys.
fn answer(model: &Model, line: &str) -> (Vec<Message>, Vec<String>) {
    let Some(form) = model.screen(model.place()).form() else {
        // A text without a form (a filter, a token): the line is it.
        return (vec![Message::Paste(line.trim().to_owned()), key(KeyCode::Enter)], vec![]);
    };
    let Some(field) = form.fields.get(form.focus) else { return (vec![], vec![]) };
    let next = form.focus + 1 < form.fields.len();
    let go_on = || if next { vec![Message::Act(Action::NextField)] } else { vec![] };
    if line.trim().is_empty() {
        let said = if next { vec![] } else { vec!["That was the last field. :send sends, :back leaves.".to_owned()] };
        return (go_on(), said);
    }
    if let Some(n) = line.trim().parse::<usize>().ok().filter(|n| (1..=found(model)).contains(n)) {
        return (nth(n, up()), vec![]);
    }
    let mut messages = match &field.input {
        Input::Text(_) | Input::Secret(_) => vec![Message::Edited(Ok(line.to_owned()))],
        Input::Choice(options, at) => {
            let wanted = line.trim();
            let by_number = wanted.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < options.len());
            let found = by_number.or_else(|| options.iter().position(|o| o.0 == wanted || o.1 == wanted));
            let Some(to) = found else { return (vec![], vec![format!("\"{}\" is none of them; type a number.", sanitise(wanted, false))]) };
            let code = if to > *at { KeyCode::Right } else { KeyCode::Left };
            times(code, to.abs_diff(*at)).collect()
        }
        Input::Several(options, at) => {
            let wanted: Option<Vec<usize>> = line.split([' ', ',']).filter(|w| !w.is_empty()).map(|w| w.parse::<usize>().ok()).collect();
            let Some(wanted) = wanted.filter(|w| w.iter().all(|n| (1..=options.len()).contains(n))) else {
                return (vec![], vec!["Type numbers of the list with blanks between.".into()]);
            };
            let mut keys: Vec<Message> = times(KeyCode::Left, *at).collect();
            for (i, option) in options.iter().enumerate() {
                if i > 0 {
                    keys.push(key(KeyCode::Right));
                }
                if option.2 != wanted.contains(&(i + 1)) {
                    keys.push(key(KeyCode::Char(' ')));
                }
            }
            keys
        }
    };
    messages.extend(go_on());
    (messages, vec![])
}

/// Whether an action typed by name can be done here, or why not.
pub fn allowed(model: &Model, action: Action) -> Result<(), String> {
    let scope = model.scope();
    if !action.row().scope.meets(scope) {
        return Err(format!("{} does not apply here.", action.row().name));
    }
    match update::applies(model, action) {
        Applies::Yes => Ok(()),
        Applies::No(why) => Err(why),
        Applies::Hidden => Err(format!("{} does not apply to what is here.", action.row().name)),
    }
}
