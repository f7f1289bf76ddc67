//! What the console tells: notes in the bottom line and in the message log, errors, and drafts that are kept while one types.
//!
//! Contract: texts of notes are sanitised by whoever says them; notes are bounded. Knows no screen.

use std::time::Duration;

use super::effect::{Effect, Timer};
use super::model::{MAX_NOTES, Note, Place, Shared, Tone};
use crate::base::ids::CaseId;
use crate::client::ClientError;

impl Shared {
    /// Says something: in the bottom line until the next key, and in the message log.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.note(Note::new(self.now, tone, text.into()));
    }

    /// Says something of weight: it stays in the bottom line until somebody could have read it, whatever else is said meanwhile.
    pub fn say_weighty(&mut self, text: impl Into<String>) {
        self.note(Note { weighty: true, ..Note::new(self.now, Tone::Bad, text.into()) });
    }

    /// Puts a note into the bottom line, unless something of more weight stands there.
    pub(super) fn show(&mut self, note: Note) {
        if note.weighty || !self.notice.as_ref().is_some_and(|there| there.weighty) {
            self.notice = Some(note);
        }
        self.dirty = true;
    }

    /// Tells an error; 401 opens the sign-in over what is there. Whether the connection stands is the live stream's word, not one call's.
    pub fn fail(&mut self, error: &ClientError) {
        let text = crate::base::text::sanitise(&error.to_string(), false);
        let note = Note::of(self.now, error, text);
        if error.needs_sign_in() {
            self.go(Place::SignIn);
        }
        self.note(note);
    }

    /// Adds a note; one that says what the last one says is counted with it.
    pub fn note(&mut self, mut note: Note) {
        self.told += 1;
        note.number = self.told;
        if let Some(last) = self.notes.pop_back_if(|last| last.text == note.text && last.request_id == note.request_id) {
            note.times = last.times.saturating_add(1);
        }
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note.clone());
        self.show(note);
    }

    /// Names the case in the notes told since, where they don't: they are read on another screen than the case's. What was said before
    /// in the same words keeps them.
    pub(super) fn name_case(&mut self, case: CaseId, since: u64) {
        let name = case.to_string();
        let at = self.notes.iter().position(|n| n.number > since).unwrap_or(self.notes.len());
        let before = self.notes.get(at).map_or(0, |n| u64::from(n.times).saturating_sub(n.number - since));
        if let Some(note) = self.notes.get_mut(at)
            && before > 0
            && !note.text.contains(&name)
        {
            let earlier = u32::try_from(before).unwrap_or(u32::MAX);
            note.times -= earlier.min(note.times - 1);
            let kept = Note { times: earlier, number: since, ..note.clone() };
            self.notes.insert(at, kept);
        }
        for note in self.notes.iter_mut().filter(|n| n.number > since && !n.text.contains(&name)) {
            note.text = format!("{name}: {}", note.text);
        }
        while self.notes.len() > MAX_NOTES {
            self.notes.pop_front();
        }
        let there = self.notice.as_ref().filter(|there| there.weighty).map(|there| there.number);
        let said = self.notes.iter().rfind(|note| there.is_none_or(|number| note.number == number));
        self.notice = said.cloned().or_else(|| self.notice.take());
    }

    /// Keeps what is being typed; written to disk half a second later at most.
    pub fn keep_draft(&mut self, key: &str, text: &str) {
        if text.is_empty() {
            self.forget_draft(key);
            return;
        }
        self.drafts.insert(key.to_owned(), text.to_owned());
        if self.draft_waiting.as_ref().is_some_and(|(k, _)| k != key) {
            self.flush_draft();
        }
        if self.draft_waiting.is_none() {
            self.timer(Timer::Draft, Duration::from_millis(500));
        }
        self.draft_waiting = Some((key.to_owned(), text.to_owned()));
    }

    /// Forgets a draft: it was sent or emptied.
    pub fn forget_draft(&mut self, key: &str) {
        if self.draft_waiting.as_ref().is_some_and(|(k, _)| k == key) {
            self.draft_waiting = None;
        }
        if self.drafts.remove(key).is_some()
            && let Some(owner) = self.whose.clone()
        {
            self.effects.push(Effect::Draft(owner, key.to_owned(), None));
        }
    }

    /// Writes the waiting draft now; before anyone is known it waits in memory (its `own_drafts`).
    pub fn flush_draft(&mut self) {
        if let (Some((key, text)), Some(owner)) = (self.draft_waiting.take(), self.whose.clone()) {
            self.effects.push(Effect::Draft(owner, key, Some(text)));
        }
    }
}
