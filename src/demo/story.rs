//! The sample cases: what `assets/demo/stories.toml` tells, as acts at moments of the past weeks.
//!
//! Contract: reading and scheduling only; [`super::player`] does what they say. Every mistake names its case.

use chrono::Duration;
use serde::Deserialize;

use super::DemoError;
use crate::base::Time;
use crate::base::ids::{OperatorId, PersonId, SubjectId};
use crate::domain::vocabulary::{Action, Channel, EvidenceKind, FailureReason, FailureType, FlagKind, Method, Path};

const TEXT: &str = include_str!("../../assets/demo/stories.toml");
/// Minutes between two acts of a case.
const STEP_MINUTES: i64 = 4;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Story>,
}

/// One sample case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Whose access.
    pub subject: SubjectId,
    /// What.
    pub action: Action,
    /// Which way.
    #[serde(default = "assisted")]
    pub path: Path,
    /// How the request came in.
    pub channel: Channel,
    /// Who opened it: an account or an automation.
    pub by: String,
    /// Who works on it, if software opened it.
    pub agent: Option<OperatorId>,
    /// Who asked, if not the subject.
    pub requester: Option<PersonId>,
    /// How long ago.
    pub hours: f64,
    /// What they said.
    pub says: String,
    /// What happened then.
    #[serde(default)]
    acts: Vec<String>,
}

const fn assisted() -> Path {
    Path::Assisted
}

/// Something that happens in a sample case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It is opened.
    Open,
    /// Triage.
    Triage(FailureType),
    /// Someone takes it.
    Take(OperatorId),
    /// Evidence is kept.
    Evidence(EvidenceKind, String),
    /// Someone comments.
    Comment(OperatorId, String),
    /// A handover note.
    HandOver(String),
    /// A proof session is opened.
    Start(Method),
    /// So many items of the checklist are proved.
    Prove(usize),
    /// The attester says no.
    Decline,
    /// Wrong codes are typed.
    Wrong(u8),
    /// Approval is requested.
    Seal,
    /// Everyone who is needed approves.
    ApproveAll,
    /// One approves.
    Approve(OperatorId),
    /// One denies.
    Deny(OperatorId, String),
    /// One tries to approve and is refused.
    Refused(OperatorId),
    /// The plan is carried out.
    Execute,
    /// It is tried and fails.
    Fail(FailureReason),
    /// Someone looks back.
    Review(OperatorId),
    /// It is closed.
    Close,
    /// It is withdrawn.
    Withdraw,
    /// Nothing is to be recovered.
    NoChange,
    /// Security freezes it.
    Hold(OperatorId, String),
    /// Someone notes an anomaly.
    Flag(OperatorId, FlagKind),
}

/// All stories.
pub fn read() -> Result<Vec<Story>, DemoError> {
    let file: File = toml::from_str(TEXT).map_err(|e| DemoError::Sample(e.to_string()))?;
    Ok(file.case)
}

/// Every act of every story with its moment, in order of time; the number is the story's.
pub fn schedule(stories: &[Story], now: Time) -> Result<Vec<(Time, usize, Act)>, DemoError> {
    let mut all = Vec::new();
    for (i, story) in stories.iter().enumerate() {
        #[allow(clippy::cast_possible_truncation, reason = "a number of minutes within years")]
        let mut at = now - Duration::minutes((story.hours * 60.0) as i64);
        all.push((at, i, Act::Open));
        for text in &story.acts {
            let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
            if word == "wait" {
                at += Duration::minutes(rest.parse::<i64>().map_err(|e| wrong(story, text, &e))?);
                continue;
            }
            at += Duration::minutes(STEP_MINUTES);
            all.push((at, i, act(word, rest).ok_or_else(|| wrong(story, text, &"not an act"))?));
        }
    }
    all.sort_by_key(|(at, i, _)| (*at, *i));
    Ok(all)
}

fn wrong(story: &Story, text: &str, why: &dyn std::fmt::Display) -> DemoError {
    DemoError::Sample(format!("case of {}, \"{text}\": {why}", story.subject))
}

fn act(word: &str, rest: &str) -> Option<Act> {
    let operator = |text: &str| text.parse::<OperatorId>().ok();
    let two = || rest.split_once(' ').unwrap_or((rest, ""));
    Some(match word {
        "triage" => Act::Triage(rest.parse().ok()?),
        "take" => Act::Take(operator(rest)?),
        "note" => Act::Evidence(EvidenceKind::Note, rest.to_owned()),
        "log" => Act::Evidence(EvidenceKind::Log, rest.to_owned()),
        "change" => Act::Evidence(EvidenceKind::RecentChange, rest.to_owned()),
        "telemetry" => Act::Evidence(EvidenceKind::Telemetry, rest.to_owned()),
        "comment" => Act::Comment(operator(two().0)?, two().1.to_owned()),
        "handover" => Act::HandOver(rest.to_owned()),
        "start" => Act::Start(rest.parse().ok()?),
        "prove" if rest == "all" => Act::Prove(usize::MAX),
        "prove" => Act::Prove(rest.parse().ok()?),
        "decline" => Act::Decline,
        "wrong" => Act::Wrong(rest.parse().ok()?),
        "seal" => Act::Seal,
        "approve" if rest == "all" => Act::ApproveAll,
        "approve" => Act::Approve(operator(rest)?),
        "deny" => Act::Deny(operator(two().0)?, two().1.to_owned()),
        "refused" => Act::Refused(operator(rest)?),
        "execute" => Act::Execute,
        "fail" => Act::Fail(rest.parse().ok()?),
        "review" => Act::Review(operator(rest)?),
        "close" => Act::Close,
        "withdraw" => Act::Withdraw,
        "no_change" => Act::NoChange,
        "hold" => Act::Hold(operator(two().0)?, two().1.to_owned()),
        "flag" => Act::Flag(operator(two().0)?, two().1.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn some_sixty_stories_of_every_action_and_channel_can_be_read() {
        let stories = read().unwrap();
        assert!((55..=75).contains(&stories.len()), "{}", stories.len());
        let actions: BTreeSet<Action> = stories.iter().map(|s| s.action).collect();
        let channels: BTreeSet<Channel> = stories.iter().map(|s| s.channel).collect();
        assert_eq!(actions.len(), Action::ALL.len());
        assert_eq!(channels.len(), Channel::ALL.len());
        let acts = schedule(&stories, chrono::Utc::now()).unwrap();
        assert!(acts.windows(2).all(|w| w[0].0 <= w[1].0));
    }
}
