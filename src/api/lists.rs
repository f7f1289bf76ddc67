//! Lists on the wire: the queue, subjects, log entries, who one is, server-sent events.
//!
//! Contract: pages are bounded and continue by opaque cursors. Texts from outside are [`Untrusted`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{Action, CaseState, Channel, FlagKind, GrantEnd, GrantState, Path, Risk, Role, SubjectKind, Tier, WaitingOn};
use crate::base::ids::{AutomationId, CaseId, GrantId, OperatorId, PersonId, SubjectId, TargetId};
use crate::base::{Digest, Untrusted};

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseRow {
    /// Its number.
    pub id: CaseId,
    /// Its version.
    pub version: u64,
    /// Whose access.
    pub subject: SubjectId,
    /// The subject's name, as recorded.
    pub subject_name: Untrusted,
    /// What the subject is.
    pub kind: SubjectKind,
    /// Its tier.
    pub tier: Tier,
    /// What is to be restored.
    pub action: Action,
    /// Which way.
    pub path: Path,
    /// How the request came in.
    pub channel: Channel,
    /// Where it stands.
    pub state: CaseState,
    /// Whether it is frozen.
    pub held: bool,
    /// How much attention it asks for.
    pub risk: Risk,
    /// Proofs and gates that are done.
    pub proof_done: u8,
    /// Proofs and gates needed.
    pub proof_needed: u8,
    /// Whom it waits for.
    pub waiting_on: WaitingOn,
    /// Approvals missing.
    pub approvals_missing: u8,
    /// Who works on it.
    pub assignee: Option<OperatorId>,
    /// When its phase is due.
    pub due: Option<DateTime<Utc>>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When anything last happened.
    pub updated_at: DateTime<Utc>,
    /// Flags it carries.
    pub flags: u8,
    /// Of which kinds, each once.
    #[serde(default)]
    pub flag_kinds: Vec<FlagKind>,
    /// When the seal in force was made. This and the next three stand only in lists of what waits for a decision or a look back, is held, or is flagged
    /// (`decidable`, `state:sealed`, `waiting:review`, `held`, `flagged`, `flag:`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_at: Option<DateTime<Utc>>,
    /// When it was frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<DateTime<Utc>>,
    /// When the first of its flags was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flagged_since: Option<DateTime<Utc>>,
    /// When what was approved was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<DateTime<Utc>>,
}

/// A page of the queue, in sort order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QueuePage {
    /// The rows.
    pub rows: Vec<CaseRow>,
    /// Pass as `before` to go up; absent at the beginning.
    pub before: Option<String>,
    /// Pass as `after` to go down; absent at the end.
    pub after: Option<String>,
}

/// An account that a case could be assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssignableRow {
    /// The account.
    pub operator: OperatorId,
    /// The name of its person.
    pub name: Untrusted,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Whether its person is on shift or on call now.
    pub on_shift: bool,
    /// Whether what the case waits for is theirs to do: an agent's work, an approval that they could give, or security's look.
    pub fits: bool,
}

/// Whom a case could be assigned to, besides whoever has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Assignable {
    /// Those whom it waits for first, of these those on shift first; at most 50.
    pub rows: Vec<AssignableRow>,
    /// How many more there are.
    #[serde(default)]
    pub more: u64,
}

/// Query of `GET /v1/cases`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct QueueParams {
    /// Filter words and fields, e.g. `risk:high subject:vault-* mine !ended okafor`; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 500)]
    pub filter: Option<String>,
    /// `due` (default), `risk`, `opened` or `updated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^(due|risk|opened|updated)$")]
    pub sort: Option<String>,
    /// Cursor to go on after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Cursor to go up before; `end` for the very end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Rows, 1 to 200; default 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
}

/// Temporary access in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantRow {
    /// Opaque id.
    pub id: GrantId,
    /// The case that gave it.
    pub case: CaseId,
    /// The case's version.
    pub version: u64,
    /// Whose access.
    pub subject: SubjectId,
    /// The subject's name, as recorded.
    pub subject_name: Untrusted,
    /// What the subject is.
    pub kind: SubjectKind,
    /// Where.
    pub target: TargetId,
    /// What was restored.
    pub action: Action,
    /// To what.
    pub scope: Vec<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when at most.
    pub expires_at: DateTime<Utc>,
    /// Where it stands.
    pub state: GrantState,
    /// Since when the target is made to end it; unconfirmed as long as `revoked_at` is absent.
    pub ending_since: Option<DateTime<Utc>>,
    /// Why it ends.
    pub ending_why: Option<GrantEnd>,
    /// When the target confirmed that it is gone.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why the asker can't revoke it; absent where they may.
    pub refused: Option<String>,
}

/// A page of grants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct GrantPage {
    /// The rows: of those that live the one that ends soonest first; of all the one that ends or ended last.
    pub rows: Vec<GrantRow>,
    /// Pass as `after` to go on; absent at the end.
    pub after: Option<String>,
}

/// Query of `GET /v1/grants`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct GrantParams {
    /// `live` (default): those that a target holds still, as far as is known; or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^(live|all)$")]
    pub state: Option<String>,
    /// Cursor to go on after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows, 1 to 200; default 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
}

/// Numbers for the head line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Cases not ended.
    pub open: u64,
    /// Cases the asker could decide.
    pub approvals: u64,
    /// Grants that live.
    pub grants: u64,
    /// Cases frozen.
    pub held: u64,
    /// Entries in the log.
    pub log: u64,
    /// Changes of policy or register that the asker could approve.
    #[serde(default)]
    pub proposals: u64,
}

/// Who one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The account, for an operator.
    pub operator: Option<OperatorId>,
    /// Its person.
    pub person: Option<PersonId>,
    /// The automation, for software.
    pub automation: Option<AutomationId>,
    /// Name to show.
    pub name: Untrusted,
    /// Roles of the account.
    pub roles: Vec<Role>,
    /// What this principal may do at all: operation codes.
    pub operations: Vec<String>,
    /// Whether the session may only read.
    pub read_only: bool,
    /// When the credential ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// The server's time, to count deadlines by.
    pub server_time: DateTime<Utc>,
}

/// A subject that a search found: enough to tell it from others. What it held and its addresses are read one by one (invariant 12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectFound {
    /// Immutable id.
    pub id: SubjectId,
    /// Name.
    pub name: Untrusted,
    /// What it is.
    pub kind: SubjectKind,
    /// Its tier.
    pub tier: Tier,
    /// Cases of it that are not ended, shown at intake.
    pub open_cases: Vec<CaseId>,
}

/// A subject, for intake. Reading it is an entry of the log (invariant 12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectRow {
    /// Immutable id.
    pub id: SubjectId,
    /// Name.
    pub name: Untrusted,
    /// What it is.
    pub kind: SubjectKind,
    /// Its tier.
    pub tier: Tier,
    /// Cases of it that are not ended, shown at intake.
    pub open_cases: Vec<CaseId>,
    /// What it held before, by target: what can be asked for.
    pub entitlements: Vec<Entitlement>,
    /// Opaque ids and kinds of its recorded addresses; never the addresses (invariant 12).
    pub endpoints: Vec<EndpointRow>,
    /// What its record said before: a case that is opened within policy's minimum age after it is judged by that, too.
    #[serde(default)]
    pub former: Vec<FormerRow>,
}

/// What a record said until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormerRow {
    /// In words, e.g. `employee, privileged tier, IAL2/AAL2, recorded in hr, corporate`.
    pub facts: String,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// What a subject held in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entitlement {
    /// Where.
    pub target: TargetId,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Since when each is recorded, of those of which that is known: one that is younger than policy's minimum age before a request is not given
    /// back in it.
    #[serde(default)]
    pub since: BTreeMap<String, DateTime<Utc>>,
}

/// A recorded address, without the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointRow {
    /// Opaque id.
    pub id: crate::base::ids::EndpointId,
    /// What kind.
    pub kind: super::words::EndpointKind,
    /// When it was confirmed.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When it was last set.
    pub recorded_at: DateTime<Utc>,
}

/// A list of subjects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SubjectPage {
    /// The rows, at most 50.
    pub rows: Vec<SubjectFound>,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Place in the log.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as a reader names them: `nadia`, `triage-bot for nadia`, `subject`, `server`.
    pub actor: String,
    /// The event's code.
    pub event: String,
    /// The case, if it is about one.
    pub case: Option<CaseId>,
    /// What happened, in a sentence made of codes and ids only.
    pub summary: String,
    /// Whose records were read, where the entry is of that: all of them, of which the sentence names the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<SubjectId>,
    /// Text kept beside it (a reason, a comment), in the timeline of its case, if it is not erased and the reader may see it. The whole log holds
    /// no texts.
    pub text: Option<Untrusted>,
    /// RFC 6962 leaf hash of the entry.
    pub leaf_sha256: Digest,
}

/// A page of the log or of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// Entries in order.
    pub entries: Vec<LogEntry>,
    /// Pass as `after` to go on; absent at the end.
    pub after: Option<u64>,
    /// How many entries the log has.
    pub size: u64,
    /// Root of the tree over them.
    pub root_sha256: Option<Digest>,
    /// Names of the persons in the summaries, by their ids, for those who may read names; they stand beside the log, never in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Untrusted>,
}

/// The persons that a sentence of the log names: each id follows the word "person".
pub fn persons_in(sentence: &str) -> impl Iterator<Item = &str> {
    let words = sentence.split(' ');
    words.clone().zip(words.skip(1)).filter(|(word, _)| *word == "person").map(|(_, id)| bare(id)).filter(|id| !id.is_empty())
}

/// An id without the marks that follow it in a sentence.
fn bare(word: &str) -> &str {
    word.trim_end_matches([',', ';', ':', ')', '.'])
}

/// A sentence of the log with names in place of ids, where they are known; otherwise it stays "person p-...".
pub fn named(sentence: &str, names: &BTreeMap<String, Untrusted>) -> String {
    let mut out: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        let name = if out.last().is_some_and(|w| w == "person") { names.get(bare(word)) } else { None };
        match name {
            Some(name) => {
                out.pop();
                out.push(format!("{}{}", name.line(), &word[bare(word).len()..]));
            }
            None => out.push(word.to_owned()),
        }
    }
    out.join(" ")
}

/// Data of a server-sent event of `GET /v1/events`; its id is the log's sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Announcement {
    /// A case changed; this is its row now.
    Case {
        /// The row.
        row: Box<CaseRow>,
    },
    /// The register or policy changed.
    Register,
    /// Events were missed: load again.
    Lagged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_they_are_known_and_ids_with_their_kind_where_not() {
        let names = BTreeMap::from([("p-nadia".to_owned(), Untrusted::from("Nadia Rahman"))]);
        let said = "asked person p-ines: x; refused to person p-nadia: decide (by person p-nadia)";
        assert_eq!(persons_in(said).collect::<Vec<_>>(), ["p-ines", "p-nadia", "p-nadia"]);
        assert_eq!(named(said, &names), "asked person p-ines: x; refused to Nadia Rahman: decide (by Nadia Rahman)");
    }
}
