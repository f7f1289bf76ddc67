//! The policy: what applies to a case and why, or the bundle in force with its owners.
//!
//! Contract: shows what the server words; numbers and rules are never worked out here. What it does not know it shows as it came. Policies that
//! wait to be approved stand first; each opens as a page of its own.

pub mod proposal;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use self::proposal::{About, Names, may, setting, who};
use super::case::pages::{self, clean};
use super::{Loading, Screen};
use crate::api::case::{Accountable, Checklist};
use crate::api::governance::{PolicyProposed, RuleApplied};
use crate::api::lists::Announcement;
use crate::base::ids::CaseId;
use crate::base::span::readable;
use crate::client::ClientError;
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared};
use crate::console::overlay::{Choice, Picker};
use crate::console::theme::Role;
use crate::console::widget::sheet::{Scroll, Sheet};
use crate::console::widget::wrap;

/// How deep an unknown value is shown.
const MAX_DEPTH: u16 = 4;
/// The operation that reads a proposal whole, as the server calls it.
pub(in crate::console) const READ: &str = "register_read";

/// The policy.
#[derive(Debug, Default)]
pub struct Policy {
    about: Option<CaseId>,
    value: Option<Box<Value>>,
    failed: Option<String>,
    scroll: Scroll,
    asked: Latest,
    /// The proposed policy that was opened.
    pub(in crate::console) proposal: proposal::Proposal,
}

/// A part of what the server sent, if it is what this version knows.
fn part<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    serde_json::from_value(value.get(name)?.clone()).ok()
}

impl Policy {
    /// The policies that wait.
    fn proposed(&self) -> Vec<PolicyProposed> {
        self.value.as_deref().and_then(|value| part(value, "proposed")).unwrap_or_default()
    }

    /// Names of those who had a hand in them.
    fn names(&self) -> Names {
        self.value.as_deref().and_then(|value| part(value, "names")).unwrap_or_default()
    }

    /// Opens a proposed policy; where there are several, which one is asked.
    fn open(&mut self, shared: &mut Shared, wanted: Option<&str>) {
        let (all, names) = (self.proposed(), self.names());
        let one = all.iter().find(|one| wanted == Some(one.proposal.as_str())).or_else(|| all.first().filter(|_| all.len() == 1));
        if let Some(one) = one {
            shared.opens = Some(Box::new(About::of_policy(one, names)));
            shared.go(Place::Proposal);
        } else if wanted.is_none() {
            let now = shared.server_now();
            let choice = |one: &PolicyProposed| {
                let label = format!("{} by {}", one.proposal, who(&one.proposed_by, &names));
                Choice::new(one.proposal.as_str(), label, About::of_policy(one, names.clone()).stands(now))
            };
            shared.pick(Picker::new("proposal", "Open which proposed policy", all.iter().map(choice).collect()));
        }
    }

    fn sheet(&self, shared: &Shared) -> Sheet {
        let mut s = Sheet::default();
        match self.about {
            Some(id) => s.head(format!("What policy asks of {id}, and why")),
            None => s.head("The policy in force"),
        }
        match (&self.value, &self.failed) {
            (_, Some(why)) => s.text(format!("✕ {why}"), Role::Bad),
            (None, None) => s.text("Asking the server …", Role::Dim),
            (Some(value), None) => known(&mut s, value, shared),
        }
        s
    }
}

/// The parts the server is known to send, each as it reads best; then whatever else there is.
fn known(s: &mut Sheet, value: &Value, shared: &Shared) {
    let Value::Object(map) = value else { return any(s, "", value, 0) };
    for (key, name) in [("sha256", "Digest"), ("pinned_sha256", "Opened under"), ("current_sha256", "In force"), ("approvals_needed", "Approvals")] {
        if let Some(text) = map.get(key).and_then(Value::as_str) {
            s.fact(name, clean(text));
        }
    }
    if let (Some(pinned), Some(current)) = (map.get("pinned_sha256"), map.get("current_sha256")) {
        let text = if pinned == current { "the same policy" } else { "the stricter of the two counts, rule by rule" };
        s.fact("Counts", text);
    }
    if let Some(owners) = part::<Vec<Accountable>>(value, "accountable") {
        for a in &owners {
            s.fact("Accountable", format!("{}: {}", clean(&a.function), clean(&a.owner)));
        }
    }
    let names: Names = part(value, "names").unwrap_or_default();
    for one in part::<Vec<PolicyProposed>>(value, "proposed").unwrap_or_default() {
        proposed(s, &one, &names, shared);
    }
    if let Some(terms) = map.get("terms").and_then(Value::as_array) {
        s.head("Delays, lifetimes, deadlines");
        for term in terms.iter().filter_map(Value::as_str) {
            s.item(("•", Role::Dim), readable(&clean(term)), Role::Text);
        }
    }
    if let Some(rules) = part::<Vec<RuleApplied>>(value, "rules") {
        s.head("Rules that apply");
        for rule in &rules {
            s.item(("•", Role::Dim), format!("{}: {}", clean(&rule.title()), clean(&rule.why)), Role::Text);
            if !rule.asks.is_empty() {
                s.more(clean(&rule.asks.join("; ")), Role::Dim);
            }
        }
    }
    if let Some(list) = part::<Checklist>(value, "checklist") {
        s.head("Proofs and gates");
        for item in &list.items {
            pages::checklist_item(s, item, shared.server_now());
        }
    }
    if let Some(text) = map.get("text").and_then(Value::as_str) {
        s.head("Its text");
        s.text(legible(text, shared), Role::Text);
    }
    let shown = [
        "sha256",
        "pinned_sha256",
        "current_sha256",
        "approvals_needed",
        "accountable",
        "terms",
        "checklist",
        "text",
        "proposed",
        "names",
        "rules",
        "asked",
    ];
    for (key, inner) in map.iter().filter(|(k, _)| !shown.contains(&k.as_str())) {
        any(s, key, inner, 0);
    }
}

/// A policy that waits, before the text of the one in force: what would change.
fn proposed(s: &mut Sheet, one: &PolicyProposed, names: &Names, shared: &Shared) {
    s.head("Proposed in its place");
    s.fact("Proposal", one.proposal.to_string());
    s.fact("Digest", one.sha256.to_string());
    s.fact("Proposed by", who(&one.proposed_by, names));
    s.fact("Stands", About::of_policy(one, names.clone()).stands(shared.server_now()));
    if one.unreadable {
        s.text("This version can't read it: what it would change is not known.", Role::Warn);
    }
    one.settings.iter().for_each(|row| setting(s, row));
    if one.more > 0 {
        s.text(format!("{} more settings differ.", one.more), Role::Warn);
    }
    s.text(opens(shared), Role::Dim);
}

/// The text of a policy, in which each line of a comment that has to be broken is one of a comment, and no ruled line is broken.
fn legible(text: &str, shared: &Shared) -> String {
    let text = crate::base::text::sanitise(text, true);
    // Only what is drawn has a width.
    if shared.plain { text } else { broken(&text, usize::from(shared.body().width).saturating_sub(2)) }
}

/// As [`legible`], in that many columns.
fn broken(text: &str, room: usize) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(comment) if line.width() > room => {
            let comment = comment.trim_start();
            let ruled = comment.chars().next().is_some_and(|c| !c.is_alphanumeric() && comment.chars().all(|other| other == c));
            let lines = wrap(comment, room.saturating_sub(2));
            lines.iter().take(if ruled { 1 } else { lines.len() }).map(|l| format!("# {l}")).collect::<Vec<_>>().join("\n")
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// How the rest of it is read, and by whom.
fn opens(shared: &Shared) -> String {
    if !may(shared, READ) {
        return "Its text, and which cases it changes, is for supervisors, security reviewers and policy owners.".to_owned();
    }
    let key = shared.keymap.shown(Action::Open).filter(|_| !shared.plain).unwrap_or_else(|| Action::Open.row().name.to_owned());
    format!("{key} opens it: its text, which cases it changes, and approving it.")
}

/// A value nobody told this screen about, as label and text, level by level.
fn any(s: &mut Sheet, name: &str, value: &Value, depth: u16) {
    let label = clean(name).replace('_', " ");
    let indent = "  ".repeat(usize::from(depth));
    match value {
        Value::Null => {}
        Value::Object(map) if depth < MAX_DEPTH => {
            s.text(format!("{indent}{label}"), Role::Heading);
            map.iter().for_each(|(k, v)| any(s, k, v, depth + 1));
        }
        Value::Array(items) if depth < MAX_DEPTH => {
            s.text(format!("{indent}{label}"), Role::Heading);
            for item in items {
                any(s, "•", item, depth + 1);
            }
        }
        Value::String(text) => s.text(format!("{indent}{label}  {}", clean(text)), Role::Text),
        other => s.text(format!("{indent}{label}  {}", clean(&other.to_string())), Role::Text),
    }
}

impl Screen for Policy {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        if let Place::Policy(about) = place
            && (about != self.about || self.value.is_none())
        {
            *self = Self { about, proposal: std::mem::take(&mut self.proposal), ..Self::default() };
        }
        self.refresh(shared, place);
    }

    fn refresh(&mut self, shared: &mut Shared, place: Place) {
        let ask = self.about.map_or(Ask::Policy, Ask::CasePolicy);
        self.asked.begin(shared.ask(place, ask));
    }

    fn loading(&self) -> Loading {
        Loading::of(self.value.is_some(), self.failed.is_some())
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        match action {
            Action::Open if self.proposed().is_empty() => Applies::Hidden,
            Action::Open if !may(shared, READ) => Applies::No(opens(shared)),
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let area = shared.body();
        let sheet = self.sheet(shared);
        if self.scroll.act(action, sheet.height(area.width), usize::from(area.height)) {
            return;
        }
        match action {
            Action::Open => self.open(shared, None),
            Action::Copy => shared.copy(sheet.lines().join("\n")),
            _ => {}
        }
    }

    fn picked(&mut self, shared: &mut Shared, _place: Place, purpose: &str, value: &str) {
        if purpose == "proposal" {
            self.open(shared, Some(value));
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        if matches!(news, Announcement::Register | Announcement::Lagged) {
            shared.timer_once(Timer::Refresh, proposal::AGAIN);
        }
    }

    fn timer(&mut self, shared: &mut Shared, place: Place, timer: Timer) {
        if timer == Timer::Refresh {
            self.refresh(shared, place);
        }
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if !self.asked.take(seq) {
            return;
        }
        shared.dirty = true;
        match reply {
            Ok(Reply::Value(value)) => (self.value, self.failed) = (Some(value), None),
            Ok(_) => {}
            Err(error) => {
                self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                shared.fail(&error);
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        self.sheet(shared).draw(frame.buffer_mut(), area, self.scroll.0, shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        self.sheet(shared).lines()
    }
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn a_comment_that_is_broken_stays_a_comment_and_a_rule_stays_a_line() {
        let text = format!("# {}\n# one two three four\nkey = \"one two three four\" # why\n#short", "-".repeat(30));
        assert_eq!(broken(&text, 12), format!("# {}\n# one two\n# three four\nkey = \"one two three four\" # why\n#short", "-".repeat(10)));
    }
}
