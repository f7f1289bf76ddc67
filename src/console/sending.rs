//! Changes whose answers have not come yet, so that every answer is told: by the screen that sent it, or, where that was left, here.
//!
//! What has no answer when its sender leaves is kept for the next start, as a draft is.
//!
//! Contract: pure; holds at most `MAX` changes, the oldest are forgotten first. Knows no screen.

use std::collections::BTreeMap;

use super::effect::{Effect, Order};
use super::message::Reply;
use super::model::{Note, Shared, Tone};
use crate::api::words::Decision;
use crate::base::Time;
use crate::base::ids::CaseId;
use crate::base::text::sanitise;
use crate::client::{ClientError, Write};

/// The most changes that are remembered.
const MAX: usize = 64;

/// How the key begins under which a run keeps what it got no answer to.
const UNANSWERED: &str = "unanswered-";
/// The longest sentence about one that is taken from the disk, in bytes.
const MAX_KEPT: usize = 300;

/// A change on its way.
#[derive(Debug, Clone)]
struct Sent {
    case: Option<CaseId>,
    did: &'static str,
    draft: Option<String>,
    /// What the draft said when it was sent.
    words: Option<String>,
    since: Time,
}

impl Sent {
    /// The change in the words in which it is not known whether it happened.
    fn what(&self) -> String {
        let (did, case) = (self.did, self.case.map(|case| case.to_string()));
        match (did, did.strip_suffix(" as a proposal"), case) {
            (_, Some(did), _) => format!("the proposal was {did}"),
            ("kept as evidence", _, Some(case)) => format!("what you wrote in {case} was {did}"),
            (_, _, Some(case)) => format!("{case} was {did}"),
            (_, _, None) => format!("a case was {did}"),
        }
    }
}

/// Keeps for the next start what is not answered when whoever sent it leaves, or goes on as somebody else.
pub(super) fn keep(shared: &mut Shared) {
    let Some(owner) = shared.whose.clone().filter(|_| shared.sending.waits()) else { return };
    let left = shared.server_now().format("%Y-%m-%d %H:%MZ");
    let lines: Vec<String> = shared.sending.unanswered().map(|line| format!("Left at {left} without an answer. {line}")).collect();
    let key = format!("{UNANSWERED}{}-{}", shared.run, shared.seq);
    shared.effects.push(Effect::Draft(owner, key, Some(lines.join("\n"))));
}

/// What was kept so stands among the drafts of an account: it is told, and is no draft.
pub(super) fn recall(shared: &mut Shared, kept: &mut BTreeMap<String, String>) {
    let keys: Vec<String> = kept.keys().filter(|key| key.starts_with(UNANSWERED)).cloned().collect();
    for key in keys {
        let lines = kept.remove(&key).unwrap_or_default();
        for line in lines.lines().take(MAX).filter(|line| line.len() <= MAX_KEPT) {
            shared.say(Tone::Bad, sanitise(line, false));
        }
        if let Some(owner) = shared.whose.clone() {
            shared.effects.push(Effect::Draft(owner, key, None));
        }
    }
}

/// Whole seconds after which a change without an answer is told in the head line.
const SILENT: i64 = 3;

/// All changes on their way, by the numbers of their questions.
#[derive(Debug, Default)]
pub struct Sending(BTreeMap<u64, Sent>);

/// What an answer said about a change, kept while its screen takes it in.
#[derive(Debug)]
pub struct Outcome {
    sent: Sent,
    result: Result<Option<CaseId>, ClientError>,
    told: u64,
}

impl Sending {
    /// Remembers a change, and what the draft that it uses up said: what is typed there afterwards is not used up.
    pub fn begin(&mut self, seq: u64, order: &Order, words: Option<String>, now: Time) -> String {
        if self.0.len() == MAX {
            self.0.pop_first();
        }
        let did = did(&order.write);
        self.0.insert(seq, Sent { case: order.case, did, draft: order.draft.clone(), words, since: now });
        format!("Sending: to be {did} …")
    }

    /// For how many seconds the longest awaited answer has not come, once those are some.
    pub fn silent(&self, now: Time) -> Option<i64> {
        let since = self.0.values().map(|s| s.since).min()?;
        Some((now - since).num_seconds()).filter(|s| *s >= SILENT)
    }

    /// Whether an answer is awaited.
    pub fn waits(&self) -> bool {
        !self.0.is_empty()
    }

    /// When that shows another number, by this machine's clock.
    pub fn next_second(&self, now: Time) -> Option<Time> {
        let since = self.0.values().map(|s| s.since).min()?;
        let passed = (now - since).num_seconds().max(0);
        Some(since + chrono::TimeDelta::seconds((passed + 1).max(SILENT)))
    }

    /// What is not known of each, for whoever leaves now; oldest first.
    pub fn unanswered(&self) -> impl Iterator<Item = String> {
        self.0.values().map(|sent| format!("Whether {} is not known: look before you do it again.", sent.what()))
    }

    /// Forgets all: they were somebody else's.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// An answer came: what it says, if it is one to a change.
pub(super) fn answered(shared: &mut Shared, seq: u64, reply: &Result<Reply, ClientError>) -> Option<Outcome> {
    let sent = shared.sending.0.remove(&seq)?;
    let result = match reply {
        Ok(Reply::Written(written)) => Ok(written.case.as_ref().map(|c| c.row.id)),
        Ok(_) => Ok(None),
        Err(error) => Err(error.clone()),
    };
    Some(Outcome { sent, result, told: shared.told })
}

/// Its screen has taken it in: tells it if that said nothing, and names the case to whoever is elsewhere.
pub(super) fn tell(shared: &mut Shared, outcome: Outcome, in_front: bool) {
    let Outcome { sent, result, told } = outcome;
    let case = result.as_ref().ok().copied().flatten().or(sent.case);
    if result.is_ok()
        && let Some(draft) = &sent.draft
        && shared.drafts.get(draft) == sent.words.as_ref()
    {
        shared.forget_draft(draft);
    }
    let unknown = result.as_ref().is_err_and(ClientError::is_unknown);
    let kept = sent.draft.as_ref().is_some_and(|draft| shared.drafts.contains_key(draft));
    if shared.told == told && !unknown {
        match result {
            Ok(_) => shared.say(Tone::Good, sentence(sent.did)),
            Err(error) => {
                let text = format!("Not {}: {}", sent.did, sanitise(&error.to_string(), false));
                shared.note(Note::of(shared.now, &error, text));
            }
        }
        if let Some(case) = case {
            shared.name_case(case, told);
        }
    } else if let (false, Some(case)) = (in_front, case) {
        shared.name_case(case, told);
    }
    let told = shared.told;
    if unknown {
        let kept = if kept { "; what you wrote is kept as a draft" } else { "" };
        shared.say_weighty(format!("No answer: it is not known whether this was {}. Look before you do it again{kept}.", sent.did));
        if let Some(case) = case {
            shared.name_case(case, told);
        }
    }
}

fn sentence(did: &str) -> String {
    let mut letters = did.chars();
    letters.next().map(|c| c.to_uppercase().chain(letters).collect::<String>() + ".").unwrap_or_default()
}

/// What was done, for "approved" and "not approved".
const fn did(write: &Write) -> &'static str {
    match write {
        Write::Open(_) => "opened",
        Write::TakeNext(_) => "handed out",
        Write::Triage(_) => "triaged",
        Write::NoChange(_) => "ended without a recovery",
        Write::Route(_) => "routed",
        Write::Assign(_) => "given",
        Write::HandOver(_) => "handed over",
        Write::Comment(_) => "commented on",
        Write::Evidence(_) | Write::Telemetry(_) => "kept as evidence",
        Write::Proof(_) => "started to be proved",
        Write::Seal => "sealed",
        Write::Reopen(_) => "opened again",
        Write::Decide(decide) => match decide.decision {
            Decision::Approve => "approved",
            Decision::Deny => "denied",
        },
        Write::TakeBack(_) => "taken back",
        Write::Withdraw(_) => "withdrawn",
        Write::Hold(_) => "frozen",
        Write::LiftHold(_) => "freed of the freeze",
        Write::Flag(_) => "flagged",
        Write::Review(_) => "looked back at",
        Write::Close => "closed",
        Write::Retry => "tried again",
        Write::RollBack(_) => "undone",
        Write::RevokeGrant(..) => "freed of that access",
        Write::ApproveProposal(_) => "approved as a proposal",
        Write::EndProposal(_) => "ended as a proposal",
    }
}
