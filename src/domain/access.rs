//! Who may call which operation: one table, role by operation, default deny.
//!
//! Contract: pure; a literal question is answered here and nowhere else. It says who may ask at all: whether the case lets them is `decide`'s
//! answer. Knows nothing about HTTP.

use std::collections::BTreeSet;

use super::case::ActorRef;
use super::command::{Actor, Command};
use super::refusal::Refusal;
use super::register::Scope;
use super::vocabulary::Role;

/// Whom an operation exists for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Roles, any of which will do.
    pub roles: &'static [Role],
    /// Scopes of software, any of which will do.
    pub scopes: &'static [Scope],
    /// The subject, in a session the server opened.
    pub subject: bool,
    /// An attester, in a session the server opened.
    pub attester: bool,
    /// Whether it changes something; a session that may only read never does.
    pub writes: bool,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $row:expr;)+) => {
        /// Every operation of the API and of the case pages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)+ }

        impl Operation {
            /// Every operation, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
            /// The stable code.
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)+ } }
            /// Whom it exists for. An operation without a row does not compile.
            pub const fn row(self) -> Row { match self { $(Self::$name => $row,)+ } }
        }
    };
}

use Role::{PolicyOwner as P, SecurityReviewer as R, Supervisor as S, SupportAgent as A};

const NOBODY: Row = Row { roles: &[], scopes: &[], subject: false, attester: false, writes: false };
const ANY: &[Role] = &[A, S, R, P];
/// Those who work cases: take, comment, keep evidence.
const DESK: &[Role] = &[A, S, R];
/// Those who route: support executes, and whoever routes a case never decides it (product.md, "route").
const AGENTS: &[Role] = &[A];

const fn reads(roles: &'static [Role]) -> Row {
    Row { roles, ..NOBODY }
}
const fn writes(roles: &'static [Role]) -> Row {
    Row { roles, writes: true, ..NOBODY }
}
const fn bot(scopes: &'static [Scope], row: Row) -> Row {
    Row { scopes, ..row }
}

operations! {
    /// Who one is, and what one may do.
    Me = "me", bot(&[Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry], reads(ANY));
    /// Numbers for the head line.
    Counts = "counts", reads(ANY);
    /// The queue.
    QueueList = "queue_list", reads(ANY);
    /// Temporary access that targets hold, or held.
    GrantList = "grant_list", reads(ANY);
    /// A case. Software reads its own cases only: where they stand and what is missing, nobody's data or id (invariant 6).
    CaseRead = "case_read", bot(&[Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry], reads(ANY));
    /// A case's timeline, with the texts of its entries: a read of its subject.
    CaseTimeline = "case_timeline", reads(ANY);
    /// Open a case; policy says who may start which path, the subject itself among them.
    CaseOpen = "case_open", Row { subject: true, ..bot(&[Scope::Open], writes(DESK)) };
    /// What routing would cost, and who would remain.
    RoutePreview = "route_preview", bot(&[Scope::Open, Scope::Route], reads(DESK));
    /// Say what failed.
    CaseTriage = "case_triage", writes(AGENTS);
    /// End it: nothing to recover.
    CaseNoChange = "case_no_change", writes(AGENTS);
    /// Route it anew.
    CaseRoute = "case_route", bot(&[Scope::Route], writes(AGENTS));
    /// Assign it.
    CaseAssign = "case_assign", writes(DESK);
    /// Whom it could be assigned to.
    CaseAssignable = "case_assignable", reads(DESK);
    /// Hand it over.
    CaseHandover = "case_handover", writes(DESK);
    /// Comment.
    CaseComment = "case_comment", writes(DESK);
    /// Keep evidence.
    CaseEvidence = "case_evidence", writes(DESK);
    /// Keep a fact that a program sent.
    CaseTelemetry = "case_telemetry", bot(&[Scope::Telemetry], NOBODY_WRITES);
    /// Open a proof session to a recorded endpoint; while a case is held, security's contact on another channel.
    ProofStart = "proof_start", writes(&[A, R]);
    /// Request approval.
    CaseSeal = "case_seal", writes(AGENTS);
    /// Open a sealed case again.
    CaseReopen = "case_reopen", writes(&[A, S]);
    /// The statement to sign, with its nonce.
    StatementRead = "statement_read", reads(&[S, R]);
    /// Approve or deny.
    CaseDecide = "case_decide", writes(&[S, R]);
    /// Take one's approval back.
    ApprovalTakeBack = "approval_take_back", writes(&[S, R]);
    /// Withdraw the request.
    CaseWithdraw = "case_withdraw", bot(&[Scope::WithdrawOwn], writes(AGENTS));
    /// Freeze it.
    CaseHold = "case_hold", writes(&[R]);
    /// Lift the freeze.
    CaseLiftHold = "case_lift_hold", writes(&[R]);
    /// Note an anomaly.
    CaseFlag = "case_flag", writes(DESK);
    /// Look back.
    CaseReview = "case_review", writes(&[R]);
    /// Close a restored case.
    CaseClose = "case_close", writes(DESK);
    /// Try the same plan again.
    CaseRetry = "case_retry", writes(&[A, S]);
    /// Undo what was done.
    CaseRollBack = "case_roll_back", writes(&[S, R]);
    /// End temporary access early.
    GrantRevoke = "grant_revoke", writes(DESK);
    /// Take the next case of the queue.
    TakeNext = "take_next", writes(DESK);
    /// Find subjects, for intake.
    SubjectFind = "subject_find", reads(DESK);
    /// A subject.
    SubjectRead = "subject_read", reads(DESK);
    /// Changes as they happen.
    Events = "events", reads(ANY);
    /// The policy in force.
    PolicyRead = "policy_read", reads(ANY);
    /// What policy asks of a case, and which rule asks it.
    PolicyExplain = "policy_explain", reads(ANY);
    /// The log: entries hold opaque ids and codes only, no texts beside them, so everyone on the staff may check it.
    LogRead = "log_read", reads(ANY);
    /// The register.
    RegisterRead = "register_read", reads(&[S, R, P]);
    /// Change the register; governance decides what waits for whom (own tokens may be renewed by anyone: `token_issue`).
    RegisterChange = "register_change", writes(&[R, P]);
    /// Approve a waiting change.
    ProposalApprove = "proposal_approve", writes(&[R, P]);
    /// Withdraw or refuse a waiting change.
    ProposalEnd = "proposal_end", writes(&[R, P]);
    /// Issue a token: one's own, one's bot's, or, for a policy owner, a proposal of someone else's.
    TokenIssue = "token_issue", writes(ANY);
    /// Revoke a token: one's own, one's bot's, or, for guards of the register, anyone's.
    TokenRevoke = "token_revoke", writes(ANY);
    /// See one's case page.
    PageRead = "page_read", Row { subject: true, attester: true, ..NOBODY };
    /// Type a code.
    PageCode = "page_code", Row { subject: true, writes: true, ..NOBODY };
    /// Attest, or decline to.
    PageAttest = "page_attest", Row { attester: true, writes: true, ..NOBODY };
    /// Say "this wasn't me".
    PageNotMe = "page_not_me", Row { subject: true, writes: true, ..NOBODY };
}

const NOBODY_WRITES: Row = writes(&[]);

impl Operation {
    /// The operation by which a command is asked for; `None` for what only the server's own workers and pages command.
    pub const fn of(command: &Command) -> Option<Self> {
        Some(match command {
            Command::Open(_) => Self::CaseOpen,
            Command::Triage { .. } => Self::CaseTriage,
            Command::NoChangeNeeded { .. } => Self::CaseNoChange,
            Command::Route { .. } => Self::CaseRoute,
            Command::Assign { .. } => Self::CaseAssign,
            Command::HandOver { .. } => Self::CaseHandover,
            Command::Comment { .. } => Self::CaseComment,
            Command::AddEvidence { .. } => Self::CaseEvidence,
            Command::AddTelemetry { .. } => Self::CaseTelemetry,
            Command::StartProof { .. } => Self::ProofStart,
            Command::Seal => Self::CaseSeal,
            Command::Reopen { .. } => Self::CaseReopen,
            Command::Decide(_) => Self::CaseDecide,
            Command::TakeBack { .. } => Self::ApprovalTakeBack,
            Command::Retry => Self::CaseRetry,
            Command::RollBack { .. } => Self::CaseRollBack,
            Command::RevokeGrant { .. } => Self::GrantRevoke,
            Command::Review { .. } => Self::CaseReview,
            Command::Close => Self::CaseClose,
            Command::Withdraw { .. } => Self::CaseWithdraw,
            Command::Hold { .. } => Self::CaseHold,
            Command::LiftHold { .. } => Self::CaseLiftHold,
            Command::Flag { .. } => Self::CaseFlag,
            _ => return None,
        })
    }
}

/// Whether an actor may call an operation. `roles` are those of the operator's account; they are ignored for anyone else.
pub fn may(actor: &Actor, roles: &BTreeSet<Role>, operation: Operation) -> Result<(), Refusal> {
    let row = operation.row();
    let exists = match &actor.who {
        ActorRef::Operator { .. } => row.roles.iter().any(|role| roles.contains(role)),
        ActorRef::Automation { .. } => row.scopes.iter().any(|scope| actor.scopes.contains(scope)),
        ActorRef::Subject { .. } => row.subject,
        ActorRef::Attester { .. } => row.attester,
        // The server's own workers call no operation: they command the domain themselves.
        ActorRef::System { .. } => false,
    };
    let needs = match (exists, actor.read_only && row.writes) {
        (true, false) => return Ok(()),
        (true, true) => "a session that may write".to_owned(),
        (false, _) if matches!(actor.who, ActorRef::Automation { .. }) && row.scopes.is_empty() => "a person, and software is none".to_owned(),
        (false, _) => needs(row),
    };
    Err(Refusal::NotPermitted { operation: operation.code(), needs })
}

/// What the code of an operation or a command stands for, as what somebody does. A code that nobody is told of is told without its underscores.
pub fn words(code: &str) -> String {
    let words = match code {
        "me" => "see who you are",
        "counts" => "see the numbers",
        "queue_list" => "list cases",
        "grant_list" => "list temporary access",
        "case_read" => "read this case",
        "case_timeline" => "read what happened in a case",
        "case_open" | "open" => "open a case this way",
        "route_preview" => "see what a way would cost",
        "case_triage" | "triage" => "triage a case",
        "case_no_change" | "no_change" => "end a case as one without anything to recover",
        "case_route" | "route" => "route a case",
        "case_assign" | "assign" => "assign a case",
        "case_assignable" => "see whom a case could be assigned to",
        "case_handover" | "handover" => "hand a case over",
        "case_comment" | "comment" => "comment on a case",
        "case_evidence" | "evidence" => "keep evidence",
        "case_telemetry" | "telemetry" => "keep what a program noticed",
        "proof_start" | "start_proof" => "start a proof",
        "case_seal" | "seal" => "seal a case",
        "case_reopen" | "reopen" => "reopen a case",
        "statement_read" => "read the statement that is signed",
        "case_decide" | "decide" => "approve or deny a case",
        "approval_take_back" | "take_back" => "take an approval back",
        "case_withdraw" | "withdraw" => "withdraw the request",
        "case_hold" | "hold" => "hold a case",
        "case_lift_hold" | "lift_hold" => "lift a hold",
        "case_flag" | "flag" => "flag a case",
        "case_review" | "review" => "look back at a case",
        "case_close" | "close" => "close a case",
        "case_retry" | "retry" => "try the same plan again",
        "case_roll_back" | "roll_back" => "roll a case back",
        "grant_revoke" | "revoke_grant" => "end temporary access",
        "take_next" => "take the next case",
        "subject_find" => "look for subjects",
        "subject_read" => "read a subject's record",
        "events" => "follow what happens",
        "policy_read" => "read the policy",
        "policy_explain" => "see what policy asks of a case",
        "log_read" => "read the log",
        "register_read" => "read the register",
        "register_change" => "change the register",
        "proposal_approve" => "approve a proposal",
        "proposal_end" => "end a proposal",
        "token_issue" => "issue a token",
        "token_revoke" => "revoke a token",
        "page_read" => "see this page",
        "page_code" => "type a code here",
        "page_attest" => "attest",
        "page_not_me" => "say \"this wasn't me\" here",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

/// Everything that an actor may call.
pub fn allowed(actor: &Actor, roles: &BTreeSet<Role>) -> Vec<Operation> {
    Operation::ALL.iter().copied().filter(|operation| may(actor, roles, *operation).is_ok()).collect()
}

fn needs(row: Row) -> String {
    let mut words: Vec<String> = row.roles.iter().map(|role| format!("the role {}", role.label())).collect();
    if !row.scopes.is_empty() && row.roles.is_empty() {
        words.push("a program with the scope for it".to_owned());
    }
    if row.subject || row.attester {
        words.push("a page that was opened for you".to_owned());
    }
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{AutomationId, OperatorId, PersonId, SessionId};

    fn actor(who: ActorRef, scopes: &[Scope]) -> Actor {
        Actor { who, scopes: scopes.iter().copied().collect(), read_only: false }
    }

    fn columns() -> Vec<(String, Actor, BTreeSet<Role>)> {
        let operator = || ActorRef::Operator { operator: OperatorId::parse("o").unwrap(), person: PersonId::parse("p").unwrap() };
        let automation = || ActorRef::Automation { automation: AutomationId::parse("b").unwrap(), on_behalf_of: Vec::new() };
        let session = || SessionId::parse("s").unwrap();
        let mut columns: Vec<_> = Role::ALL.iter().map(|r| (r.code().to_owned(), actor(operator(), &[]), BTreeSet::from([*r]))).collect();
        columns.push(("no_role".into(), actor(operator(), &[]), BTreeSet::new()));
        // Every role handed in beside an automation: they must not count.
        let all: BTreeSet<Role> = Role::ALL.iter().copied().collect();
        for (name, scope) in
            [("bot:open", Scope::Open), ("bot:route", Scope::Route), ("bot:withdraw", Scope::WithdrawOwn), ("bot:telemetry", Scope::Telemetry)]
        {
            columns.push((name.into(), actor(automation(), &[scope]), all.clone()));
        }
        columns.push(("bot:none".into(), actor(automation(), &[]), all.clone()));
        columns.push(("subject".into(), actor(ActorRef::Subject { session: session() }, &[]), all.clone()));
        columns.push(("attester".into(), actor(ActorRef::Attester { person: PersonId::parse("p").unwrap(), session: session() }, &[]), all));
        columns
    }

    fn table() -> String {
        let columns = columns();
        let mut text = String::new();
        for operation in Operation::ALL {
            let names: Vec<&str> = columns.iter().filter(|(_, a, r)| may(a, r, *operation).is_ok()).map(|(n, ..)| n.as_str()).collect();
            text.extend([format!("{:<20}", operation.code()), names.join(" "), "\n".to_owned()]);
        }
        text
    }

    #[test]
    fn the_table_is_the_committed_one() {
        let table = table();
        println!("{table}");
        assert_eq!(table, include_str!("access_table.txt"), "who may call what has changed: look at it, then commit the table");
    }

    #[test]
    fn every_operation_exists_for_someone_and_no_code_twice() {
        let codes: BTreeSet<&str> = Operation::ALL.iter().map(|o| o.code()).collect();
        assert_eq!(codes.len(), Operation::ALL.len());
        for line in table().lines() {
            assert!(line.split_whitespace().count() > 1, "nobody may: {line}");
        }
    }

    #[test]
    fn a_refusal_says_what_somebody_does_and_not_what_an_operation_is_called() {
        for operation in Operation::ALL {
            let words = words(operation.code());
            let shown = words.contains('_') || words == operation.code().replace('_', " ");
            assert!(!shown || *operation == Operation::PageAttest, "{} has no words of its own: {words}", operation.code());
        }
        let (_, agent, roles) = columns().swap_remove(0);
        let said = |operation| may(&agent, &roles, operation).unwrap_err().to_string();
        assert_eq!(said(Operation::CaseDecide), "You can't approve or deny a case: that needs the role supervisor or the role security reviewer.");
        assert_eq!(said(Operation::PageAttest), "You can't attest: that needs a page that was opened for you.");
    }

    #[test]
    fn invariant_06_software_never_proves_seals_decides_or_reads_people() {
        let scopes = [Scope::Open, Scope::Route, Scope::WithdrawOwn, Scope::Telemetry];
        let who = ActorRef::Automation { automation: AutomationId::parse("b").unwrap(), on_behalf_of: Vec::new() };
        let all: BTreeSet<Role> = Role::ALL.iter().copied().collect();
        let codes: Vec<&str> = allowed(&actor(who, &scopes), &all).into_iter().map(Operation::code).collect();
        assert_eq!(codes, ["me", "case_read", "case_open", "route_preview", "case_route", "case_telemetry", "case_withdraw"]);
    }

    #[test]
    fn a_reading_session_changes_nothing() {
        for (_, mut actor, roles) in columns() {
            actor.read_only = true;
            assert!(allowed(&actor, &roles).iter().all(|o| !o.row().writes));
        }
    }
}
