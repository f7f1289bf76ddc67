//! The forms of a case: which fields each has, what it means to send it, and what is sent.
//!
//! Contract: pure; a mistake names its field. The server checks everything again. Knows no drawing.

use crate::api::case::CaseDetail;
use crate::api::cost::voids;
use crate::api::requests::{AddEvidence, AddReview, HandOver, Hold, LiftHold, Text, TriageCase};
use crate::api::words::{EvidenceKind, FailureType};
use crate::base::Untrusted;
use crate::base::ids::{CaseId, OperatorId};
use crate::client::Write;
use crate::console::action::Action;
use crate::console::model::Shared;
use crate::console::theme::Role;
use crate::console::widget::form::{Field, Form};

/// What a form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Triage,
    NoChange,
    Evidence,
    Comment,
    HandOver,
    Reopen,
    Withdraw,
    RollBack,
    Hold,
    LiftHold,
    Review,
    TakeBack,
    Revoke,
}

/// How many of those who could decide are named in one sentence.
const NAMED: usize = 4;

/// What is said of a reason that must be given.
pub(in crate::console::screen) fn required(shared: &Shared) -> String {
    let editor = shared.keymap.shown(Action::Editor).map(|key| format!(" {key} writes it in your editor.")).unwrap_or_default();
    format!("Required.{editor}")
}

/// What ending an access means.
pub(in crate::console::screen) const ENDS: &str = "The target is made to end it, again and again until it confirms.";
/// What is said when an end was ordered.
pub(in crate::console::screen) const ENDING: &str = "The access is being ended.";

/// A field that is wrong, and why.
pub(super) type Mistake = (&'static str, String);

/// Every form and the act that opens it.
const OPENED_BY: [(Purpose, Action); 13] = [
    (Purpose::Triage, Action::Triage),
    (Purpose::NoChange, Action::NoChange),
    (Purpose::Evidence, Action::Evidence),
    (Purpose::Comment, Action::Comment),
    (Purpose::HandOver, Action::HandOver),
    (Purpose::Reopen, Action::Reopen),
    (Purpose::Withdraw, Action::Withdraw),
    (Purpose::RollBack, Action::RollBack),
    (Purpose::Hold, Action::Hold),
    (Purpose::LiftHold, Action::LiftHold),
    (Purpose::Review, Action::Review),
    (Purpose::TakeBack, Action::TakeBack),
    (Purpose::Revoke, Action::Revoke),
];

impl Purpose {
    /// The form that an action opens.
    pub fn of(action: Action) -> Option<Self> {
        OPENED_BY.iter().find(|(_, opens)| *opens == action).map(|(purpose, _)| *purpose)
    }

    /// That it can't be undone once it is sent, and why; what the table of acts says.
    fn for_good(self) -> Option<String> {
        OPENED_BY.iter().find(|(purpose, _)| *purpose == self).and_then(|(_, action)| action.row().before())
    }

    /// Part of the draft's key.
    const fn code(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::NoChange => "no-change",
            Self::Evidence => "evidence",
            Self::Comment => "comment",
            Self::HandOver => "handover",
            Self::Reopen => "reopen",
            Self::Withdraw => "withdraw",
            Self::RollBack => "roll-back",
            Self::Hold => "hold",
            Self::LiftHold => "lift-hold",
            Self::Review => "review",
            Self::TakeBack => "take-back",
            Self::Revoke => "revoke",
        }
    }

    /// The words above the form.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Triage => "Triage: what failed, how it was seen, who owns what",
            Self::NoChange => "End it: there is nothing to recover",
            Self::Evidence => "Keep evidence",
            Self::Comment => "Comment",
            Self::HandOver => "Handover note for whoever works on it next",
            Self::Reopen => "Open the sealed case again",
            Self::Withdraw => "Withdraw the request",
            Self::RollBack => "Undo what was done",
            Self::Hold => "Freeze the case",
            Self::LiftHold => "Lift the freeze",
            Self::Review => "Look back: was all in order?",
            Self::TakeBack => "Take your approval back",
            Self::Revoke => "End a temporary access now",
        }
    }

    /// What sending it means, before it is typed: what it costs, and that it is for good.
    pub fn meaning(self, case: &CaseDetail, me: Option<&OperatorId>) -> Vec<(String, Role)> {
        self.costs(case, me).into_iter().chain(self.for_good().map(|text| (text, Role::Warn))).collect()
    }

    fn costs(self, case: &CaseDetail, me: Option<&OperatorId>) -> Option<(String, Role)> {
        let gives_up = |what: &str| {
            if case.you_cannot_decide.is_empty() {
                (format!("▲ {what} gives you a hand in this case: you can't decide it then. {}", who_remains(case, me)), Role::Warn)
            } else {
                (format!("You have a hand in this case already. {}", who_remains(case, None)), Role::Dim)
            }
        };
        match self {
            Self::Evidence => Some(gives_up("Keeping evidence")),
            Self::Comment => Some(("A comment is not routing: it costs you nothing. It is not part of what is sealed.".into(), Role::Dim)),
            Self::Triage => Some(gives_up("Triage")),
            Self::LiftHold if contacts(case).is_empty() => {
                let waits = case.hold.iter().flat_map(|h| &h.sessions).any(|s| s.outcome.is_none());
                let first = if waits {
                    "A contact was started and is not answered yet: this can be sent once it is."
                } else {
                    "Nobody was reached since the hold. First leave this form and reach somebody on another channel (prove); then lift it."
                };
                Some((format!("▲ {first}"), Role::Warn))
            }
            Self::LiftHold => {
                Some(("Needs someone outside the lineage, a reason, and contact made since the hold on another channel.".into(), Role::Dim))
            }
            _ => None,
        }
    }

    /// The question asked before it is sent, and what it means, for what can't be undone.
    pub fn question(self, case: &CaseDetail, form: &Form) -> Option<(String, Vec<String>, &'static str)> {
        let number = case.row.id;
        let live = case.approvals.iter().filter(|a| a.void.is_none()).count();
        let (question, lines, label) = match self {
            Self::NoChange => {
                (format!("End {number} without a recovery?"), vec!["The case ends. Nothing is changed in the target.".into()], "end it")
            }
            Self::Reopen => (format!("Open {number} again?"), vec![voids(live), "It needs a new seal and new approvals.".into()], "open it again"),
            Self::Withdraw => (format!("Withdraw {number}?"), vec!["Nothing of it is carried out.".into()], "withdraw it"),
            Self::RollBack => {
                (format!("Undo what {number} did?"), vec!["The target is told to undo the plan; that too is verified.".into()], "undo it")
            }
            Self::Hold => (
                format!("Freeze {number}?"),
                vec!["Nothing moves, grants are suspended or revoked, until security lifts the freeze.".into()],
                "freeze it",
            ),
            Self::LiftHold => (format!("Lift the freeze over {number}?"), vec!["The case goes on from where it was.".into()], "lift it"),
            Self::TakeBack => (
                format!("Take your approval of {number} back?"),
                vec!["It counts no more. You can decide anew while the seal stands.".into()],
                "take it back",
            ),
            Self::Revoke => {
                let grant = case.grants.iter().find(|g| g.id.as_str() == form.value("grant"));
                let what = grant.map(|g| format!("{}: {}.", g.id, super::pages::clean(&g.scope.join(", "))));
                ("End this access?".into(), what.into_iter().chain([ENDS.to_owned()]).collect(), "end it")
            }
            Self::Triage | Self::Evidence | Self::Comment | Self::HandOver | Self::Review => return None,
        };
        Some((question, lines, label))
    }

    /// What is said when it was done.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Triage => "Triage is recorded.",
            Self::NoChange => "Ended: no change needed.",
            Self::Evidence => "The evidence is kept.",
            Self::Comment => "The comment is kept.",
            Self::HandOver => "The handover note is kept.",
            Self::Reopen => "Open again; every approval became void.",
            Self::Withdraw => "Withdrawn.",
            Self::RollBack => "The target is told to undo it.",
            Self::Hold => "Frozen: nothing moves until security lifts it.",
            Self::LiftHold => "The freeze is lifted.",
            Self::Review => "The look back is recorded.",
            Self::TakeBack => "Your approval counts no more.",
            Self::Revoke => ENDING,
        }
    }

    /// The field whose text is kept as a draft.
    pub const fn main_field(self) -> &'static str {
        match self {
            Self::Triage => "reproduction",
            Self::HandOver | Self::Review => "note",
            Self::Hold | Self::LiftHold => "reason",
            _ => "text",
        }
    }

    /// The draft's key.
    pub fn draft(self, case: CaseId) -> String {
        format!("case-{case}-{}", self.code())
    }

    /// The form, with the draft in it.
    pub fn form(self, case: &CaseDetail, shared: &Shared) -> Form {
        let draft = shared.drafts.get(&self.draft(case.row.id)).map_or("", String::as_str);
        let many = |label: &str| Field::many(self.main_field(), label, draft);
        let me = shared.me.as_ref().and_then(|m| m.person.as_ref()).map_or("", |p| p.as_str());
        let fields = match self {
            Self::Triage => vec![
                Field::choice("failure", "What failed", words(FailureType::ALL.iter().map(|f| (f.code(), f.label()))), 0)
                    .with_help("← → choose. An outage or a local configuration fault is no recovery: no-change ends the case."),
                many("How it was reproduced"),
                Field::line("remedy_owner", "Who owns the remedy (person's id)", me),
                Field::line("triage_owner", "Who owns triage (person's id)", me),
            ],
            Self::Evidence => {
                let kinds = EvidenceKind::ALL.iter().filter(|k| !matches!(k, EvidenceKind::Telemetry));
                // The text has the keys first: what is typed at once is evidence, and changes no kind.
                vec![many("Evidence"), Field::choice("kind", "Kind", words(kinds.map(|k| (k.code(), k.label()))), 0)]
            }
            Self::Comment => vec![many("Comment")],
            Self::HandOver => vec![many("Note"), Field::line("to", "To (account; empty for whoever takes it)", "")],
            Self::Review => {
                vec![many("What you found"), Field::choice("in_order", "In order?", words([("no", "no"), ("yes", "yes")].into_iter()), 0)]
            }
            Self::Revoke => {
                let live = case.grants.iter().filter(|g| g.revoked_at.is_none() && !g.ending);
                let live = live.map(|g| (g.id.to_string(), format!("{}: {}", g.id, super::pages::clean(&g.scope.join(", ")))));
                vec![Field::choice("grant", "Which access", live.collect(), 0), many("Reason").with_help(&required(shared))]
            }
            Self::LiftHold => vec![many("Reason"), Field::choice("contact_session", "Reached since the hold through", contacts(case), 0)],
            _ => vec![many("Reason").with_help(&required(shared))],
        };
        Form::new(fields)
    }

    /// What is sent, or which field is wrong.
    pub fn write(self, form: &Form) -> Result<Write, Mistake> {
        let main = form.value(self.main_field());
        if main.trim().is_empty() {
            return Err((self.main_field(), "This must say something.".into()));
        }
        let text = Untrusted::from(main);
        let said = || Text { text: Untrusted::from(main) };
        Ok(match self {
            Self::Triage => {
                let owner = |name: &'static str| form.value(name).trim().parse().map_err(|e| (name, format!("A person's id, please: {e}.")));
                let owns_triage = form.value("triage_owner").trim().is_empty();
                Write::Triage(Box::new(TriageCase {
                    failure: form.value("failure").parse().map_err(|e| ("failure", format!("{e}")))?,
                    reproduction: text,
                    triage_owner: if owns_triage { None } else { Some(owner("triage_owner")?) },
                    remedy_owner: owner("remedy_owner")?,
                }))
            }
            Self::Evidence => Write::Evidence(AddEvidence { kind: form.value("kind").parse().map_err(|e| ("kind", format!("{e}")))?, text }),
            Self::HandOver => {
                let to = form.value("to").trim();
                let to = if to.is_empty() { None } else { Some(to.parse().map_err(|e| ("to", format!("An account's id, please: {e}.")))?) };
                Write::HandOver(HandOver { note: text, to })
            }
            Self::Hold => Write::Hold(Hold { reason: text }),
            Self::LiftHold => {
                let missing = || ("contact_session", "Nobody was reached since the hold: start a contact first (prove).".to_owned());
                Write::LiftHold(LiftHold { reason: text, contact_session: form.value("contact_session").parse().map_err(|_| missing())? })
            }
            Self::Review => Write::Review(AddReview { note: text, in_order: form.value("in_order") == "yes" }),
            Self::NoChange => Write::NoChange(said()),
            Self::Comment => Write::Comment(said()),
            Self::Reopen => Write::Reopen(said()),
            Self::Withdraw => Write::Withdraw(said()),
            Self::RollBack => Write::RollBack(said()),
            Self::TakeBack => Write::TakeBack(said()),
            Self::Revoke => {
                let grant = form.value("grant").parse().map_err(|_| ("grant", "There is no access that could be ended.".to_owned()))?;
                Write::RevokeGrant(grant, said())
            }
        })
    }
}

fn words<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    all.map(|(code, label)| (code.to_owned(), label.to_owned())).collect()
}

/// Contacts made since the hold by which the asker can lift it, as the server says; the last one first.
fn contacts(case: &CaseDetail) -> Vec<(String, String)> {
    let Some(hold) = &case.hold else { return Vec::new() };
    let made = hold.lifted_by.iter().filter_map(|id| hold.sessions.iter().find(|s| s.id == *id));
    made.map(|s| (s.id.to_string(), super::ways::contact(s))).collect()
}

/// Who could still decide, as a sentence; without the asker if they are about to give it up.
pub(in crate::console::screen) fn who_remains(case: &CaseDetail, without: Option<&OperatorId>) -> String {
    let could = &case.could_decide;
    let remain = |all: &[OperatorId]| -> Vec<String> { all.iter().filter(|o| Some(*o) != without).map(ToString::to_string).collect() };
    let (all, on) = (remain(&could.operators), remain(&could.on_shift));
    let on = if on.is_empty() { "none of them on shift".to_owned() } else { format!("on shift: {}", some(&on)) };
    let who = if without.is_some() { "Others who could decide" } else { "Could decide" };
    let enough = if could.enough { String::new() } else { format!(" Not enough{}.", missing(case)) };
    format!("{who}: {}; {on}.{enough}", all.len())
}

/// The first of some names, and how many more there are: the same wherever they are shown.
pub(in crate::console::screen) fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

fn missing(case: &CaseDetail) -> String {
    let groups: Vec<String> = case.could_decide.missing_groups.iter().map(|g| crate::base::text::sanitise(g, false)).collect();
    if groups.is_empty() { String::new() } else { format!(": nobody left of {}", groups.join(", ")) }
}
