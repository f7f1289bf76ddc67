//! Changes whose answers have not come yet, so that every answer is told: by the screen that sent it, or, where that was left, here.
//!
//! Contract: pure; holds at most `MAX` changes, the oldest are forgotten first. Knows no screen.

use std::collections::BTreeMap;

use super::effect::Order;
use super::message::Reply;
use super::model::{Note, Shared, Tone};
use crate::api::words::Decision;
use crate::base::ids::CaseId;
use crate::base::text::sanitise;
use crate::client::{ClientError, Write};

/// The most changes that are remembered.
const MAX: usize = 64;

/// The draft of what is said when a case is opened.
pub const OPENING: &str = "new-case-summary";

/// A change on its way.
#[derive(Debug, Clone)]
struct Sent {
    case: Option<CaseId>,
    did: &'static str,
    draft: Option<String>,
}

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
    /// Remembers a change.
    pub fn begin(&mut self, seq: u64, order: &Order) {
        if self.0.len() == MAX {
            self.0.pop_first();
        }
        self.0.insert(seq, Sent { case: order.case, did: did(&order.write), draft: draft(&order.write, order.case) });
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
    {
        shared.forget_draft(draft);
    }
    if shared.told == told {
        match result {
            Ok(_) => shared.say(Tone::Good, sentence(sent.did)),
            Err(error) => {
                let text = format!("Not {}: {}", sent.did, sanitise(&error.to_string(), false));
                shared.note(Note { at: shared.now, tone: Tone::Bad, text, request_id: error.request_id(), code: Some(error.code().to_owned()) });
            }
        }
        if let Some(case) = case {
            shared.name_case(case, 1);
        }
    } else if let (false, Some(case)) = (in_front, case) {
        shared.name_case(case, shared.told - told);
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
    }
}

/// The key of the draft that a change uses up.
pub fn draft(write: &Write, case: Option<CaseId>) -> Option<String> {
    let code = match write {
        Write::Open(_) => return Some(OPENING.to_owned()),
        Write::Triage(_) => "triage",
        Write::NoChange(_) => "no-change",
        Write::Evidence(_) => "evidence",
        Write::Comment(_) => "comment",
        Write::HandOver(_) => "handover",
        Write::Reopen(_) => "reopen",
        Write::Withdraw(_) => "withdraw",
        Write::RollBack(_) => "roll-back",
        Write::Hold(_) => "hold",
        Write::LiftHold(_) => "lift-hold",
        Write::Review(_) => "review",
        Write::TakeBack(_) => "take-back",
        Write::RevokeGrant(..) => "revoke",
        Write::Decide(decide) => decide.decision.code(),
        _ => return None,
    };
    case.map(|id| format!("case-{id}-{code}"))
}
