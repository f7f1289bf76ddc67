//! The demo's mail: what the subject would find in their mailbox, so that one person can play the whole story.
//!
//! Contract: shows what [`crate::console::mail`] read; asks for it again and again while it is in front, which costs nothing unless something
//! came. Exists only where a folder was given.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::search::Search;
use super::{Loading, Screen};
use crate::base::ids::CaseId;
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::mail::{Mail, Mails};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::overlay::{Choice, Picker};
use crate::console::theme::Role;
use crate::console::widget::list::Cursor;
use crate::console::widget::{fit, put, wrap};

/// How often the folder is looked at while the mailbox is in front: nobody tells when a mail comes.
const AGAIN: Duration = Duration::from_secs(1);

/// The mailbox.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// All there are, newest first.
    all: Option<Mails>,
    /// Those of them that hold the words looked for.
    mails: Option<Vec<Arc<Mail>>>,
    search: Search,
    cursor: Cursor,
    /// Why the folder could not be read.
    failed: Option<String>,
    asked: Latest,
    typed: Latest,
    /// The case one came from: its mail is wanted.
    about: Option<CaseId>,
    /// Whether the reader went to a mail.
    moved: bool,
    /// The link of the mail a code is typed for.
    link: Option<String>,
    /// The code that was typed for it, where the page asks for an answer as well.
    code: Option<String>,
}

/// Whether a mail, or a link, leads to a page that takes a code.
fn takes_code(text: &str) -> bool {
    text.contains("/p/") || asks_more(text)
}

/// Whether a link leads to a page that asks a manager or owner for an answer after the code.
fn asks_more(text: &str) -> bool {
    text.contains("/a/")
}

impl Mailbox {
    /// One comes from a case (or from none): its newest mail is what one looks for, one with a page for a code before others.
    pub fn about(&mut self, case: Option<CaseId>) {
        (self.about, self.moved) = (case, false);
    }

    /// Where the cursor belongs among new mails.
    fn belongs(&self, mails: &[Arc<Mail>]) -> usize {
        if self.moved {
            let read = self.mails.as_ref().and_then(|old| old.get(self.cursor.at));
            return read.and_then(|read| mails.iter().position(|m| m == read)).unwrap_or(self.cursor.at);
        }
        let Some(case) = self.about.map(|c| c.to_string()) else { return 0 };
        let its = |m: &Arc<Mail>| m.subject.contains(&case);
        mails.iter().position(|m| its(m) && takes_code(&m.body)).or_else(|| mails.iter().position(its)).unwrap_or(0)
    }

    /// Rows of the list in sight.
    fn height(shared: &Shared) -> usize {
        usize::from(shared.body().height / 3)
    }

    /// The mails that hold every word looked for, in address, subject or text.
    fn holding(&self, all: &[Arc<Mail>]) -> Vec<Arc<Mail>> {
        all.iter().filter(|m| self.search.holds(|| format!("{}\n{}\n{}", m.to, m.subject, m.body))).cloned().collect()
    }

    fn look_for(&mut self, shared: &Shared) {
        self.mails = self.all.as_ref().map(|all| self.holding(&all.mails));
        self.cursor = Cursor::default();
        // What was looked for stays in front when new mail comes.
        self.moved = !self.search.words().is_empty();
        self.cursor.show(self.mails.as_ref().map_or(0, Vec::len), Self::height(shared));
    }

    /// What stands in the list while there are no rows.
    fn without_rows(&self) -> (String, Role) {
        match (&self.failed, &self.all, self.search.words().is_empty()) {
            (Some(why), ..) => (format!("✕ {why} It is tried again."), Role::Bad),
            (None, None, _) => ("Looking …".to_owned(), Role::Dim),
            (None, Some(_), true) => ("No mail yet.".to_owned(), Role::Dim),
            (None, Some(_), false) => ("No mail holds these words.".to_owned(), Role::Dim),
        }
    }

    /// The link of the mail in front to a page that takes its code.
    fn page(&self) -> Option<String> {
        self.link().filter(|l| takes_code(l))
    }

    /// The first link of the mail in front.
    fn link(&self) -> Option<String> {
        let mail = self.mails.as_ref()?.get(self.cursor.at)?;
        mail.body.split_whitespace().find(|w| w.starts_with("http://") || w.starts_with("https://")).map(str::to_owned)
    }
}

impl Screen for Mailbox {
    fn refresh(&mut self, shared: &mut Shared, place: Place) {
        let held = self.all.as_ref().map(|all| all.stamp);
        self.asked.begin(shared.ask(place, Ask::Mail(held, shared.now)));
        shared.timer_once(Timer::Refresh, AGAIN);
    }

    fn timer(&mut self, shared: &mut Shared, place: Place, timer: Timer) {
        if timer == Timer::Refresh {
            self.refresh(shared, place);
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let len = self.mails.as_ref().map_or(0, Vec::len);
        if self.cursor.act(action, len, Self::height(shared)) {
            self.moved = true;
            return;
        }
        match action {
            Action::Copy => self.link().into_iter().for_each(|link| shared.copy(link)),
            Action::TypeCode => {
                (self.link, self.code) = (self.page(), None);
                let whose = if self.link.as_deref().is_some_and(asks_more) { "whoever is asked types" } else { "the subject types" };
                shared.pick(Picker::new("code", format!("The code, as {whose} it on the page"), Vec::new()).or_typed());
            }
            _ if self.search.act(action) => self.look_for(shared),
            _ => {}
        }
    }

    fn loading(&self) -> Loading {
        Loading::of(self.mails.is_some(), self.failed.is_some())
    }

    fn applies(&self, _shared: &Shared, action: Action) -> Applies {
        match action {
            Action::Unfilter if self.search.words().is_empty() => Applies::Hidden,
            Action::TypeCode if self.page().is_none() => Applies::No("This mail leads to no page that takes a code.".into()),
            _ => Applies::Yes,
        }
    }

    fn typing(&self) -> bool {
        self.search.typing()
    }

    fn typed(&mut self, shared: &mut Shared, _place: Place, key: KeyEvent) {
        if self.search.typed(key) {
            self.look_for(shared);
        }
    }

    fn pasted(&mut self, shared: &mut Shared, text: &str, _whole: bool) {
        self.search.pasted(shared, text);
        self.look_for(shared);
    }

    fn typing_hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("Enter", "look at what is found"), ("Esc", "all mail")]
    }

    fn picked(&mut self, shared: &mut Shared, place: Place, purpose: &str, value: &str) {
        match (purpose, self.link.take(), self.code.take()) {
            ("code", Some(link), _) if asks_more(&link) => {
                (self.link, self.code) = (Some(link), Some(value.to_owned()));
                let answers = vec![
                    Choice::new("yes", "Yes", "they spoke to the person, and it is wanted"),
                    Choice::new("no", "No", "it is not wanted, or they could not find out"),
                ];
                shared.pick(Picker::new("answer", "Their answer, once they found out themselves", answers));
            }
            ("code", Some(link), _) => self.typed.begin(shared.ask(place, Ask::TypeCode(link, value.to_owned()))),
            ("answer", Some(link), Some(code)) => self.typed.begin(shared.ask(place, Ask::Attest(link, code, value == "yes"))),
            _ => {}
        }
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if self.typed.take(seq) {
            match reply {
                Ok(_) => shared.say(Tone::Good, "The page took it, as if they had typed it there."),
                Err(why) => shared.fail(&why),
            }
            return;
        }
        if !self.asked.take(seq) {
            return;
        }
        let failed = reply.as_ref().err().map(|why| crate::base::text::sanitise(&why.to_string(), false));
        shared.dirty |= failed != self.failed;
        self.failed = failed;
        if let Ok(Reply::Mail(Some(mails))) = reply {
            let shown = self.holding(&mails.mails);
            let at = self.belongs(&shown);
            shared.dirty |= self.mails.as_ref() != Some(&shown) || at != self.cursor.at;
            self.cursor.at = at;
            self.cursor.show(shown.len(), Self::height(shared));
            (self.all, self.mails) = (Some(mails), Some(shown));
        }
    }

    fn news(&mut self, shared: &mut Shared, place: Place, _news: &crate::api::lists::Announcement) {
        self.refresh(shared, place);
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        let buffer = frame.buffer_mut();
        let (words, typing) = (self.search.words(), self.search.typing());
        if typing || !words.is_empty() {
            let x = put(buffer, area, area.x + 1, area.y, if typing { "/ " } else { "Mail with " }, shared.style(Role::Key));
            let end = put(buffer, area, x, area.y, words, shared.style(Role::Input));
            let found =
                format!("  {} found{}", mails_of(self), if typing { String::new() } else { format!("; {} shows all", shared.key(Action::Unfilter)) });
            put(buffer, area, end + 1, area.y, &found, shared.style(Role::Dim));
        } else {
            let [find, copy, code] = [Action::Filter, Action::Copy, Action::TypeCode].map(|a| shared.key(a));
            let title = format!("Everybody's mail (demo): {find} finds, {copy} copies the link, {code} types the code there");
            put(buffer, area, area.x + 1, area.y, &title, shared.style(Role::Heading));
        }
        let list = Rect { y: area.y + 1, height: area.height / 3, ..area };
        let mails = self.mails.as_deref().unwrap_or_default();
        if mails.is_empty() {
            let (text, role) = self.without_rows();
            put(buffer, list, list.x + 1, list.y, &fit(&text, usize::from(list.width).saturating_sub(2)), shared.style(role));
        }
        let to = (list.width / 3).min(32);
        for (i, mail) in mails.iter().enumerate().skip(self.cursor.top).take(usize::from(list.height)) {
            let y = list.y + u16::try_from(i - self.cursor.top).unwrap_or(0);
            let here = i == self.cursor.at;
            put(buffer, list, list.x, y, if here { "▌" } else { " " }, shared.style(Role::Marker));
            put(buffer, list, list.x + 1, y, &fit(&mail.to, usize::from(to)), shared.style(Role::Dim));
            let x = list.x + to + 3;
            let style = shared.style(if here { Role::Selected } else { Role::Text });
            put(buffer, list, x, y, &fit(&mail.subject, usize::from(list.right().saturating_sub(x))), style);
        }
        if let Some(mail) = mails.get(self.cursor.at) {
            let below = Rect { y: list.bottom() + 1, height: area.bottom().saturating_sub(list.bottom() + 1), ..area };
            for (i, line) in wrap(&mail.body, usize::from(area.width) - 2).iter().enumerate().take(usize::from(below.height)) {
                put(buffer, below, area.x + 1, below.y + u16::try_from(i).unwrap_or(0), line, shared.style(Role::Text));
            }
        }
        self.search.cursor(frame, area);
    }

    fn lines(&self, _shared: &Shared, _place: Place) -> Vec<String> {
        let mails = self.mails.as_deref().unwrap_or_default();
        if mails.is_empty() {
            return vec![self.without_rows().0];
        }
        let mut lines: Vec<String> = mails.iter().enumerate().map(|(i, m)| format!("{} {} to {}", i + 1, m.subject, m.to)).collect();
        lines.extend(mails.get(self.cursor.at).iter().flat_map(|m| m.body.lines().map(str::to_owned)));
        lines
    }
}

/// How many mails are shown.
fn mails_of(mailbox: &Mailbox) -> usize {
    mailbox.mails.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_of_the_case_one_comes_from_is_in_front_until_the_reader_moves() {
        let mail = |subject: &str, body: &str| Arc::new(Mail { to: "x".into(), subject: subject.into(), date: String::new(), body: body.into() });
        let mails =
            [mail("Other", ""), mail("Started: case CS-26-000065", ""), mail("Your code for case CS-26-000065", "http://h/p/x"), mail("Old", "")];
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.belongs(&mails), 0);
        mailbox.about("CS-26-000065".parse().ok());
        assert_eq!((mailbox.belongs(&mails), mailbox.belongs(&mails[..2]), mailbox.belongs(&mails[3..])), (2, 1, 0));
        (mailbox.moved, mailbox.cursor.at, mailbox.mails) = (true, 0, Some(mails[1..].to_vec()));
        assert_eq!(mailbox.belongs(&mails), 1, "it stays with what is read");
    }
}
