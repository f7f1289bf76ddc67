//! A proposal, whole: what it would change; of a policy how it differs from the one in force, for which cases, its text; and approving or ending it.
//!
//! Contract: what is approved is what was shown: a proposal never changes, and its digest stands in the question. Nothing is sent unconfirmed.
//! Whether one may is the server's word; what is known before it is asked (an account that may not, one's own proposal) is said first.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::case::pages::{clean, when};
use super::super::{Loading, Screen};
use crate::api::governance::{self, Lean, PolicyCompared, PolicyProposed, ProposalRow, ProposalView, RegisterAnswer, SettingRow, further};
use crate::api::lists::{Announcement, named};
use crate::base::ids::{PersonId, ProposalId};
use crate::base::{Digest, Time, Untrusted};
use crate::client::{ClientError, Write};
use crate::console::action::{Action, Applies};
use crate::console::effect::{Ask, Timer};
use crate::console::message::Reply;
use crate::console::model::{Latest, Place, Shared, Tone};
use crate::console::overlay::Confirmation;
use crate::console::theme::Role;
use crate::console::widget::sheet::{Scroll, Sheet};

/// How often it is asked for again at most while the register changes.
pub(in crate::console) const AGAIN: Duration = Duration::from_millis(700);

/// Names of persons by their ids.
pub(in crate::console) type Names = BTreeMap<String, Untrusted>;

/// What is known of a proposal before, and after, it is read whole.
#[derive(Debug, Clone)]
pub struct About {
    /// Which.
    pub(in crate::console) id: ProposalId,
    by: PersonId,
    at: Option<Time>,
    /// Of a policy its digest.
    sha256: Option<Digest>,
    /// What it would change, in words.
    says: String,
    approvals: Vec<PersonId>,
    missing: u8,
    approved_by: Option<PersonId>,
    effective_at: Option<Time>,
    could: Vec<PersonId>,
    /// That fewer could than it takes, and why.
    too_few: Option<String>,
    /// Whether the server would let the user approve it; not known of all.
    for_you: Option<bool>,
    until: Option<Time>,
    names: Names,
}

impl About {
    /// As the page of the policy has it.
    pub(super) fn of_policy(one: &PolicyProposed, names: Names) -> Self {
        Self {
            id: one.proposal.clone(),
            by: one.proposed_by.clone(),
            at: None,
            sha256: Some(one.sha256),
            says: String::new(),
            approvals: one.approvals.clone(),
            missing: one.approvals_missing,
            approved_by: one.approved_by.clone(),
            effective_at: one.effective_at,
            could: Vec::new(),
            too_few: None,
            for_you: None,
            until: None,
            names,
        }
    }

    /// As the register has it.
    pub(in crate::console) fn of_row(row: &ProposalRow, names: Names) -> Self {
        let policy = row.change.get("change").is_some_and(|change| change == "set_policy");
        let digest = row.change.get("to").and_then(|to| to.get("policy")).filter(|_| policy);
        let says = if row.says.is_empty() { row.change.to_string() } else { named(&row.says, &names) };
        Self {
            id: row.id.clone(),
            by: row.proposed_by.clone(),
            at: Some(row.proposed_at),
            sha256: digest.and_then(|digest| serde_json::from_value(digest.clone()).ok()),
            says: clean(&says),
            approvals: row.approvals.clone(),
            missing: row.approvals_missing,
            approved_by: row.approved_by.clone(),
            effective_at: row.effective_at,
            could: row.could_approve.clone(),
            too_few: row.too_few.as_ref().map(|why| clean(&named(why, &names))),
            // Who doesn't say until when it waits says nothing about whom it waits for.
            for_you: row.waits_until.map(|_| row.for_you),
            until: row.waits_until,
            names,
        }
    }

    /// Whether it is about a policy.
    pub(in crate::console) const fn is_policy(&self) -> bool {
        self.sha256.is_some()
    }

    /// Whether the user could approve it.
    pub(in crate::console) fn waits_for_user(&self) -> bool {
        self.for_you == Some(true)
    }

    /// What it would change, in words.
    pub(in crate::console) fn says(&self) -> &str {
        &self.says
    }

    /// Who proposed it.
    pub(in crate::console) fn by(&self) -> String {
        who(&self.by, &self.names)
    }

    /// Who proposed it and when.
    fn proposed(&self) -> String {
        let at = self.at.map(|at| format!(", {}", when(at))).unwrap_or_default();
        format!("{}{at}", self.by())
    }

    /// Who approved it so far, and how many it waits for.
    pub(in crate::console) fn stands(&self, now: Time) -> String {
        let by = (self.approvals.as_slice(), self.approved_by.as_ref());
        let counts = self.effective_at.map(|at| (when(at), governance::kept_back(Some(at), now)));
        governance::stands(by, self.missing, counts, |id| who(id, &self.names))
    }

    /// How it stands, in a word or two.
    pub(in crate::console) fn short(&self, now: Time) -> String {
        match (self.effective_at, self.until) {
            (at, _) if governance::kept_back(at, now) => "does not count".to_owned(),
            (Some(at), _) => format!("counts {}", when(at)),
            (None, Some(until)) if until < now => "waited too long".to_owned(),
            _ if self.waits_for_user() => "waits for you".to_owned(),
            _ => format!("{} missing", self.missing),
        }
    }

    /// What is to be known of it.
    pub(in crate::console) fn facts(&self, s: &mut Sheet, now: Time) {
        if !self.says.is_empty() && !self.is_policy() {
            s.fact("Would change", self.says.clone());
        }
        s.fact("Proposed by", self.proposed());
        s.fact("Stands", self.stands(now));
        if let Some(digest) = self.sha256 {
            s.fact("Digest", digest.to_string());
        }
        let Some(until) = self.until else { return };
        if until < now {
            return s.fact_as("Waited until", format!("{}: nobody can approve it any more; it can be proposed anew", when(until)), Role::Warn);
        }
        let could: Vec<String> = self.could.iter().map(|id| who(id, &self.names)).collect();
        if could.is_empty() {
            s.fact_as("Could approve", "nobody who is here now", Role::Warn);
        } else {
            s.fact("Could approve", could.join(", "));
        }
        if let Some(why) = &self.too_few {
            s.fact_as("Too few", why.clone(), Role::Warn);
        }
        s.fact("Waits until", when(until));
    }

    fn is_own(&self, shared: &Shared) -> bool {
        shared.me.as_ref().and_then(|me| me.person.as_ref()) == Some(&self.by)
    }

    /// Why an act can't be done, as far as is known of it.
    pub(in crate::console) fn refused(&self, shared: &Shared, action: Action) -> Option<String> {
        if !action.row().operation.is_some_and(|code| may(shared, code)) {
            return Some("Security reviewers and policy owners decide about proposals; your account does not.".into());
        }
        let me = shared.me.as_ref().and_then(|me| me.person.as_ref());
        match action {
            Action::EndProposal => None,
            _ if self.is_own(shared) => Some("You proposed it: somebody else must approve it.".into()),
            _ if self.approved_by.is_some() => Some("It is approved already.".into()),
            _ if self.approvals.iter().any(|id| Some(id) == me) => Some("You approved it already: somebody else must.".into()),
            _ if self.until.is_some_and(|until| until < shared.server_now()) => Some("It waited too long: it has to be proposed anew.".into()),
            _ if self.for_you == Some(false) => {
                let could: Vec<String> = self.could.iter().map(|id| who(id, &self.names)).collect();
                let could = if could.is_empty() { "nobody who is here now".to_owned() } else { could.join(", ") };
                Some(format!("You are no second person for it: you would gain by it, or act or acted for who had a hand in it. Who could: {could}."))
            }
            _ => None,
        }
    }

    /// Asks once more before it is approved or ended, from a screen; of a policy with how it stands to the one in force.
    pub(in crate::console) fn ask_first(
        &self,
        shared: &mut Shared,
        action: Action,
        (policy, unread): (Option<&PolicyCompared>, Option<String>),
        place: Place,
    ) {
        let mut lines = vec![format!("Proposed by {}.", self.by())];
        match self.sha256 {
            Some(digest) => lines.push(format!("Digest {digest}")),
            None => lines.push(format!("It would change: {}.", self.says)),
        }
        let what = if self.is_policy() { "policy" } else { "proposal" };
        let (write, question, label) = if action == Action::ApproveProposal {
            lines.extend(policy.map(|policy| format!("It is {}; settings that differ: {}.", policy.leans(), policy.settings_in_all())));
            lines.push(match self.missing {
                0 | 1 => "Yours is the last approval that it takes: it counts once its delay is over.".to_owned(),
                more => format!("It takes {} after you.", further(more - 1)),
            });
            lines.extend(unread);
            (Write::ApproveProposal(self.id.clone()), format!("Approve this {what}?"), "approve it")
        } else {
            let stays = if self.is_policy() { "the policy in force stays" } else { "nothing changes" };
            lines.push(format!("It is proposed no more; {stays}."));
            let own = self.is_own(shared);
            let question = if own { "Withdraw your proposal?" } else { "Refuse this proposal?" };
            (Write::EndProposal(self.id.clone()), question.to_owned(), if own { "withdraw it" } else { "refuse it" })
        };
        let order = shared.order(write, None, None);
        shared.confirm(Confirmation::new(question, lines, label, place, order));
    }
}

/// The proposal in front.
#[derive(Debug, Default)]
pub struct Proposal {
    about: Option<About>,
    view: Option<Box<ProposalView>>,
    failed: Option<String>,
    scroll: Scroll,
    /// The farthest it was scrolled: what is below was not seen.
    farthest: usize,
    asked: Latest,
    writing: Latest,
    /// What is being approved or ended: maybe not the one in front any more.
    sent: Option<ProposalId>,
}

/// A person by name, with the id beside it; where the name is not told, by id.
pub(super) fn who(id: &PersonId, names: &Names) -> String {
    names.get(id.as_str()).map_or_else(|| format!("person {id}"), |name| format!("{} ({id})", name.line()))
}

/// A setting that differs, as an item.
pub(super) fn setting(s: &mut Sheet, row: &SettingRow) {
    let said = |text: &str| if text.is_empty() { "not said".to_owned() } else { clean(text) };
    let role = if matches!(row.lean, Lean::Laxer | Lean::Depends) { Role::Warn } else { Role::Text };
    s.item(("•", Role::Dim), format!("{}: {}: {} → {}", row.lean.label(), clean(&row.name), said(&row.was), said(&row.would_be)), role);
}

/// Whether the account may ask for an operation at all, as far as is known.
pub(in crate::console) fn may(shared: &Shared, operation: &str) -> bool {
    shared.me.as_ref().is_some_and(|me| me.operations.iter().any(|o| o == operation))
}

impl Proposal {
    /// Which one it is about from now on.
    fn about(&mut self, about: About) {
        let (writing, sent) = (std::mem::take(&mut self.writing), self.sent.take());
        *self = Self { about: Some(about), writing, sent, ..Self::default() };
    }

    fn load(&mut self, shared: &mut Shared) {
        if let Some(one) = &self.about {
            let id = one.id.clone();
            self.asked.begin(shared.ask(Place::Proposal, Ask::Proposal(id)));
        }
    }

    fn sheet(&self, shared: &Shared) -> Sheet {
        let mut s = Sheet::default();
        let Some(one) = &self.about else { return s };
        s.head(format!("{} {}", if one.is_policy() { "Proposed policy" } else { "Proposal" }, one.id));
        if let Some(why) = &self.failed {
            let again = shared.keymap.shown(Action::Refresh).map(|key| format!(" {key} asks again.")).unwrap_or_default();
            s.item(("✕", Role::Bad), format!("{why}{again}"), Role::Bad);
        }
        one.facts(&mut s, shared.server_now());
        match self.view.as_deref() {
            Some(ProposalView { policy: Some(policy), .. }) => compared(&mut s, policy, shared),
            Some(_) if one.is_policy() => s.text("This version can't read it: what it would change is not known.", Role::Warn),
            None if self.failed.is_none() => s.text("Asking the server …", Role::Dim),
            _ => {}
        }
        s
    }

    /// Why an act can't be done, as far as is known before the server is asked.
    fn refused(&self, shared: &Shared, action: Action) -> Option<String> {
        let one = self.about.as_ref()?;
        let account = action.row().operation.is_some_and(|code| may(shared, code));
        if let Some(why) = self.failed.as_ref().filter(|_| account) {
            return Some(why.clone());
        }
        one.refused(shared, action).or_else(|| match (action, &self.view) {
            (Action::EndProposal, _) => None,
            (_, None) => Some("It is not here yet: what nobody has seen nobody approves.".into()),
            (_, Some(view)) if view.policy.is_none() && one.is_policy() => {
                Some("This version can't read it: what nobody can read nobody approves.".into())
            }
            _ => None,
        })
    }

    /// How much of it was never in sight, if any of it; whoever listens has heard it all.
    fn unread(&self, shared: &Shared) -> Option<String> {
        let area = shared.body();
        let seen = self.farthest.max(self.scroll.0) + usize::from(area.height);
        let below = self.sheet(shared).height(area.width).saturating_sub(seen);
        let lines = if below == 1 { "line" } else { "lines" };
        (below > 0 && !shared.plain).then(|| format!("Not yet read: {below} {lines} below what you saw of it."))
    }

    /// Asks once more before it is approved or ended.
    fn ask_first(&self, shared: &mut Shared, action: Action) {
        let Some(one) = &self.about else { return };
        if self.writing.waits() {
            return shared.say(Tone::Info, "Still sending.");
        }
        let policy = self.view.as_ref().and_then(|v| v.policy.as_ref());
        one.ask_first(shared, action, (policy, self.unread(shared)), Place::Proposal);
    }

    fn written(&mut self, shared: &mut Shared, reply: Result<Reply, ClientError>) {
        shared.dirty = true;
        let sent = self.sent.take();
        let elsewhere = sent.filter(|sent| self.about.as_ref().is_some_and(|one| one.id != *sent));
        match reply {
            Ok(Reply::Written(written)) => {
                let governed = written.governed.unwrap_or_default();
                let said = became(&governed);
                shared.say(Tone::Good, elsewhere.as_ref().map_or_else(|| said.clone(), |id| format!("{id}: {said}")));
                let over = governed.events.iter().any(|e| e == "proposal_ended" || e == "changed");
                if over && elsewhere.is_none() {
                    return shared.done_with(Place::Proposal, None);
                }
            }
            Ok(_) => {}
            Err(error) => shared.fail(&error),
        }
        self.load(shared);
    }
}

/// What an approval or an end led to. Of one that was repeated the server may know no more than that it was done.
pub(in crate::console) fn became(answer: &RegisterAnswer) -> String {
    match answer.effective_at {
        _ if answer.approvals_missing > 0 => format!("Approved. It waits for {}.", further(answer.approvals_missing)),
        Some(at) => format!("Approved: it counts from {}.", when(at)),
        None if answer.events.iter().any(|e| e == "proposal_ended") => "Ended: it is proposed no more.".to_owned(),
        None if answer.events.iter().any(|e| e == "changed") => "Approved: it is in force now.".to_owned(),
        None => "It was done before: see how it stands.".to_owned(),
    }
}

/// How it stands to the policy in force: settings first, then for which cases, then all of it.
fn compared(s: &mut Sheet, policy: &PolicyCompared, shared: &Shared) {
    s.head(format!("How it differs: {}", policy.leans()));
    if policy.settings.is_empty() {
        s.text("No setting differs.", Role::Dim);
    }
    policy.settings.iter().for_each(|row| setting(s, row));
    policy.settings_left_out().into_iter().for_each(|more| s.text(more, Role::Warn));
    s.head("Which cases it changes");
    match (policy.classes, policy.cases.is_empty()) {
        (None, _) => s.text("There are too many classes of case to look at each: it counts as laxer.", Role::Warn),
        (Some(_), true) => s.text("Both ask the same of every case.", Role::Text),
        (Some(all), false) => {
            for kind in &policy.cases {
                let text = format!("{} in {} of {all} classes of case, e.g. {}", clean(&kind.verdict), kind.classes, clean(&kind.example));
                s.item(("•", Role::Dim), text, Role::Text);
                kind.gone.iter().for_each(|gone| s.more(format!("no more: {}", clean(gone)), Role::Warn));
                kind.added.iter().for_each(|added| s.more(format!("new: {}", clean(added)), Role::Text));
            }
            policy.cases_left_out().into_iter().for_each(|more| s.text(more, Role::Warn));
        }
    }
    s.head("Its text");
    s.text(super::legible(&policy.text, shared), Role::Text);
}

impl Screen for Proposal {
    fn enter(&mut self, shared: &mut Shared, place: Place) {
        if let Some(about) = shared.opens.take() {
            self.about(*about);
        }
        self.refresh(shared, place);
    }

    fn refresh(&mut self, shared: &mut Shared, _place: Place) {
        self.load(shared);
    }

    fn loading(&self) -> Loading {
        Loading::of(self.view.is_some(), self.failed.is_some())
    }

    fn applies(&self, shared: &Shared, action: Action) -> Applies {
        match action {
            Action::ApproveProposal | Action::EndProposal => self.refused(shared, action).map_or(Applies::Yes, Applies::No),
            _ => Applies::Yes,
        }
    }

    fn act(&mut self, shared: &mut Shared, _place: Place, action: Action) {
        let area = shared.body();
        let sheet = self.sheet(shared);
        if self.scroll.act(action, sheet.height(area.width), usize::from(area.height)) {
            self.farthest = self.farthest.max(self.scroll.0);
            return;
        }
        match action {
            Action::ApproveProposal | Action::EndProposal => self.ask_first(shared, action),
            Action::Copy => shared.copy(sheet.lines().join("\n")),
            _ => {}
        }
    }

    fn sent(&mut self, _shared: &mut Shared, _place: Place, seq: u64) {
        self.writing.begin(seq);
        self.sent = self.about.as_ref().map(|one| one.id.clone());
    }

    fn answer(&mut self, shared: &mut Shared, _place: Place, seq: u64, reply: Result<Reply, ClientError>) {
        if self.writing.take(seq) {
            return self.written(shared, reply);
        }
        if !self.asked.take(seq) {
            return;
        }
        shared.dirty = true;
        match reply {
            Ok(Reply::Proposal(view)) => {
                self.failed = None;
                if let Some(one) = &mut self.about {
                    let mut names = std::mem::take(&mut one.names);
                    names.extend(view.names.clone());
                    let sha256 = one.sha256;
                    *one = About::of_row(&view.proposal, names);
                    one.sha256 = one.sha256.or(sha256);
                }
                let with = |view: &ProposalView| view.policy.as_ref().map(|policy| policy.current_sha256);
                if self.view.as_deref().and_then(with).is_some_and(|before| with(&view) != Some(before)) {
                    self.farthest = self.scroll.0;
                    shared.say(Tone::Info, "The policy in force changed: how this one differs from it is shown anew.");
                }
                self.view = Some(view);
            }
            Ok(_) => {}
            Err(error) => {
                self.failed = Some(crate::base::text::sanitise(&error.to_string(), false));
                shared.fail(&error);
            }
        }
    }

    fn news(&mut self, shared: &mut Shared, _place: Place, news: &Announcement) {
        if matches!(news, Announcement::Register | Announcement::Lagged) {
            shared.timer_once(Timer::Refresh, AGAIN);
        }
    }

    fn timer(&mut self, shared: &mut Shared, _place: Place, timer: Timer) {
        if timer == Timer::Refresh && !self.writing.waits() {
            self.load(shared);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, _place: Place) {
        self.sheet(shared).draw(frame.buffer_mut(), area, self.scroll.0, shared);
    }

    fn lines(&self, shared: &Shared, _place: Place) -> Vec<String> {
        let mut lines = self.sheet(shared).lines();
        let why = self.refused(shared, Action::ApproveProposal);
        lines.push(why.unwrap_or_else(|| "approve-proposal approves it, end-proposal refuses it; each is asked once more.".to_owned()));
        lines
    }
}
