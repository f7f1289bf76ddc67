//! Cases and the log from the command line, through the API like everyone.
//!
//! Contract: one command is one request (a decision: the case, its statement, who decides, and the decision). Knows no rules: the server decides.

#![allow(missing_docs, reason = "arguments in variants are named after their types, which are documented")]

use clap::{Args, Subcommand};

use super::decide::{Verdict, decide};
use super::desk::{self, Way, more, numbers};
use super::out::{Failure, Out};
use super::shown::{detail, entries, rows, written_case};
use super::unsure::{Look, unsure};
use super::ways::unnamed;
use super::word::word;
use super::{Arguments, connect};
use crate::api::lists::QueueParams;
use crate::api::requests::{AddEvidence, AddFlag, AddReview, Assign, HandOver, Hold, LiftHold, OpenCase, StartProof, TakeNext, Text, TriageCase};
use crate::api::words::{Action, Channel, Decision, EvidenceKind, FailureType, FlagKind, Method, Path};
use crate::base::Untrusted;
use crate::base::ids::{CaseId, EndpointId, GrantId, OperatorId, PersonId, ScopeId, SessionId, SubjectId, TargetId};
use crate::client::{Client, ClientError, Write};
use crate::domain::view::MAX_PAGE;

/// Work on cases.
#[derive(Debug, Args)]
pub struct CaseArguments {
    /// The version of the case that was seen, as `row.version` of its JSON; otherwise the case is read first. Software that
    /// may write to a case and not read it gives the one it was told. Only with commands that change a case that is there.
    #[arg(long = "version", value_name = "N", global = true)]
    version: Option<u64>,
    /// Take the text from this file; without it and without a text, or with `-`, it is read from standard input.
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<std::path::PathBuf>,
    #[command(subcommand)]
    pub(super) command: CaseCommand,
}

/// What can be done with cases.
#[derive(Debug, Clone, Subcommand)]
pub enum CaseCommand {
    /// List cases, most urgent first.
    List(List),
    /// Show one case.
    Show {
        /// Which case.
        case: CaseId,
    },
    /// Show what happened to one case, oldest first, at most 100 entries.
    Timeline {
        /// Which case.
        case: CaseId,
        /// Go on after this version of the case, as the list before says at its end.
        #[arg(long)]
        after: Option<u64>,
    },
    /// Say how many cases, approvals, holds and entries there are.
    Counts,
    /// Take the most urgent case that nobody works on.
    TakeNext {
        /// Only of those: filter words and fields as of `case list`.
        filter: Vec<String>,
    },
    /// Say what a way would cost: whose hand it puts into the case, who could still decide, what would be needed. Changes nothing.
    Preview(super::desk::Preview),
    /// Open a case.
    Open(Open),
    /// Record what failed, how it was reproduced, and who owns the remedy.
    Triage(Triage),
    /// End a case in which, as its triage found, there is nothing to recover: a local fault, an outage, or another authenticator that works.
    NoChange(WithText),
    /// Send a case another way; voids approvals, and makes you its router.
    Route(RouteArgs),
    /// Say whom a case could be assigned to: those whom it waits for first, and of these those on shift.
    Assignable {
        /// Which case.
        case: CaseId,
    },
    /// Assign a case, or let go of it.
    Assign {
        /// Which case.
        case: CaseId,
        /// To whom; nobody if absent.
        operator: Option<OperatorId>,
    },
    /// Leave a note for whoever goes on.
    HandOver {
        /// Which case.
        case: CaseId,
        /// What whoever goes on needs to know.
        #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
        note: String,
        /// To whom; whoever takes it next if absent.
        #[arg(long)]
        to: Option<OperatorId>,
    },
    /// Comment on a case.
    Comment(WithText),
    /// Keep evidence.
    Evidence {
        /// Which case.
        case: CaseId,
        /// What it is.
        #[arg(long, default_value = "note", value_parser = word!(EvidenceKind))]
        kind: EvidenceKind,
        /// The text that is kept.
        #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
        text: String,
    },
    /// Keep a fact that a program noticed.
    Telemetry {
        /// Which case.
        case: CaseId,
        /// What was noticed.
        #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
        text: String,
    },
    /// Start a proof over a recorded address, or ask an attester.
    ///
    /// The same proof is sent again to the same address, or to the same person, after a minute at the earliest. Other proofs, and other
    /// addresses, need not wait.
    StartProof {
        /// Which case.
        case: CaseId,
        /// How it is proved.
        #[arg(value_parser = word!(Method))]
        method: Method,
        /// Over which recorded address, for a code that is sent.
        #[arg(long)]
        endpoint: Option<EndpointId>,
        /// Who is asked, for an attestation.
        #[arg(long)]
        attester: Option<PersonId>,
    },
    /// Request approval.
    Seal {
        /// Which case.
        case: CaseId,
    },
    /// Print the statement that you would decide on.
    Statement {
        /// Which case.
        case: CaseId,
        /// The statement of a denial.
        #[arg(long)]
        deny: bool,
    },
    /// Approve what is sealed.
    Approve(Verdict),
    /// Deny what is sealed; ends the case.
    Deny(Verdict),
    /// Take your approval back.
    TakeBack(WithText),
    /// Open a sealed or failed case again; voids approvals.
    Reopen(WithText),
    /// Take the request back.
    Withdraw(WithText),
    /// Freeze a case.
    Hold(WithText),
    /// Lift a freeze, after the subject was reached on another channel.
    LiftHold {
        /// Which case.
        case: CaseId,
        /// Why it may go on.
        #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
        reason: String,
        /// The proof session, opened since the hold, in which the subject was reached.
        #[arg(long)]
        contact: SessionId,
    },
    /// Note an anomaly.
    Flag {
        /// Which case.
        case: CaseId,
        /// What was noticed.
        #[arg(value_parser = word!(FlagKind))]
        kind: FlagKind,
    },
    /// Look back at a restored case.
    Review {
        /// Which case.
        case: CaseId,
        /// What was found.
        #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
        note: String,
        /// Something was not in order.
        #[arg(long)]
        not_in_order: bool,
    },
    /// Close a restored case.
    Close {
        /// Which case.
        case: CaseId,
    },
    /// Carry the same plan out again after a failure.
    Retry {
        /// Which case.
        case: CaseId,
    },
    /// Undo what was done; a closed case is held first (`case hold`).
    RollBack(WithText),
    /// End a temporary access now.
    Revoke {
        /// Which case.
        case: CaseId,
        /// Which grant, as `grants` lists it.
        grant: GrantId,
        /// Why.
        #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
        text: String,
    },
}

/// What can be done with the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Verify entries, tree and projections of the database on the server's host, also while it is served.
    Verify(super::host::Config),
    /// List entries, oldest first; those of one case are its `case timeline`.
    List {
        /// Go on after this entry.
        #[arg(long)]
        after: Option<u64>,
        /// How many, 1 to 200.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PAGE)))]
        limit: Option<u16>,
        /// The newest so many, 1 to 200.
        #[arg(long, conflicts_with_all = ["after", "limit"], value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PAGE)))]
        last: Option<u16>,
    },
}

/// How cases are listed.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Filter words and fields, e.g. `risk:high subject:vault-* !ended`.
    ///
    /// Words: mine, unassigned, decidable, overdue, ended, held, flagged (the last three also with `!` before them). Fields: risk, state, action,
    /// path, channel, kind, tier, waiting, flag (any, or a kind), subject, assignee, due (`due:<2h`). What else is typed is searched for.
    pub filter: Vec<String>,
    /// due, risk, opened or updated.
    #[arg(long)]
    pub sort: Option<String>,
    /// How many, 1 to 200.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PAGE)))]
    pub limit: Option<u16>,
    /// Go on after this cursor.
    #[arg(long)]
    pub after: Option<String>,
}

/// A case and a text about it.
#[derive(Debug, Clone, Args)]
pub struct WithText {
    /// Which case.
    pub case: CaseId,
    /// What is kept: a reason, or what there is to say. Needed: here, from --file, or on standard input.
    #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
    pub text: String,
}

/// A new case.
#[derive(Debug, Clone, Args)]
pub struct Open {
    /// Whose access.
    pub subject: SubjectId,
    /// What is to be restored.
    #[arg(value_parser = word!(Action))]
    pub action: Action,
    /// In which system.
    #[arg(long)]
    pub target: TargetId,
    /// How much of it; again for each.
    #[arg(long, required = true)]
    pub scope: Vec<ScopeId>,
    /// Which way.
    #[arg(long, default_value = "assisted", value_parser = word!(Path))]
    pub path: Path,
    /// How the request came in.
    #[arg(long, value_parser = word!(Channel))]
    pub channel: Channel,
    /// Who asked: `subject`, `unknown`, or a person's id.
    #[arg(long, default_value = "subject")]
    pub requester: String,
    /// The recorded address that carried the request, if it was one.
    #[arg(long)]
    pub endpoint: Option<EndpointId>,
    /// What they said.
    #[arg(long)]
    pub summary: Option<String>,
}

/// What triage found.
#[derive(Debug, Clone, Args)]
pub struct Triage {
    /// Which case.
    pub case: CaseId,
    /// What failed.
    #[arg(value_parser = word!(FailureType))]
    pub failure: FailureType,
    /// How it was reproduced.
    #[arg(default_value = "-", hide_default_value = true, value_name = "TEXT")]
    pub reproduction: String,
    /// Who owns the remedy.
    #[arg(long)]
    pub remedy_owner: PersonId,
    /// Who owns triage; you if absent.
    #[arg(long)]
    pub triage_owner: Option<PersonId>,
}

/// Another way.
#[derive(Debug, Clone, Args)]
pub struct RouteArgs {
    /// Which case.
    pub case: CaseId,
    #[command(flatten)]
    pub way: Way,
}

impl CaseCommand {
    /// Whether it changes a case that is there, and so can be refused where that changed meanwhile.
    fn is_write(&self) -> bool {
        use CaseCommand as C;
        !matches!(
            self,
            C::List(_)
                | C::Show { .. }
                | C::Timeline { .. }
                | C::Counts
                | C::TakeNext { .. }
                | C::Preview(_)
                | C::Open(_)
                | C::Assignable { .. }
                | C::Statement { .. }
        )
    }
}

/// Runs one.
pub async fn run(case: &CaseArguments, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let mut command = case.command.clone();
    if case.version.is_some() && !command.is_write() {
        return Err(Failure::usage("--version goes with what changes a case that is there; this reads, or takes whichever comes."));
    }
    super::said::fill(&mut command, case.file.as_deref())?;
    let client = connect::client(arguments)?;
    match &command {
        CaseCommand::List(list) => {
            let filter = Some(list.filter.join(" ")).filter(|f| !f.is_empty());
            let params = QueueParams { filter, sort: list.sort.clone(), after: list.after.clone(), limit: list.limit, ..QueueParams::default() };
            out.answer(&client.cases(&params).await?, |page| rows(&page.rows) + &more(page.rows.len(), page.after.as_ref()))
        }
        CaseCommand::Show { case } => out.answer(&client.case(*case).await?, detail),
        CaseCommand::Timeline { case, after } => out.answer(&client.timeline(*case, *after).await?, entries),
        CaseCommand::Assignable { case } => out.answer(&client.assignable(*case).await?, desk::assignable),
        CaseCommand::Counts => out.answer(&client.counts().await?, numbers),
        CaseCommand::Preview(way) => {
            let preview = client.route_preview(&way.asks()).await?;
            // Reading a case is noted in the log: it is read for the sentences alone, which say more of it than the answer does.
            let case = if let Some(case) = way.case.filter(|_| !out.is_json()) { Some(client.case(case).await) } else { None };
            out.answer(&preview, |preview| desk::cost_with(preview, case))
        }
        CaseCommand::Statement { case, deny } => {
            let decision = if *deny { Decision::Deny } else { Decision::Approve };
            out.answer(&client.statement(*case, decision).await?, |s| s.statement.clone())
        }
        CaseCommand::Approve(with) => decide(&client, with, Decision::Approve, case.version, out).await,
        CaseCommand::Deny(with) => decide(&client, with, Decision::Deny, case.version, out).await,
        other => {
            let (seen, (case, write)) = (case.version, write(other));
            send(&client, case, seen, &write, out).await
        }
    }
}

/// Looks at the log.
pub async fn log(command: &LogCommand, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    if let LogCommand::Verify(config) = command {
        return super::doctor::verify(config, out);
    }
    let client = connect::client(arguments)?;
    match command {
        LogCommand::Verify(_) => Ok(()),
        LogCommand::List { last: Some(last), .. } => {
            let after = client.counts().await?.log.checked_sub(u64::from(*last) + 1);
            out.answer(&client.log(after, Some(*last)).await?, entries)
        }
        LogCommand::List { after, limit, last: None } => out.answer(&client.log(*after, *limit).await?, entries),
    }
}

/// Who one is.
pub async fn whoami(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let client = connect::client(arguments)?;
    out.answer(&client.me().await?, desk::who)
}

async fn send(client: &Client, case: Option<CaseId>, seen: Option<u64>, write: &Write, out: Out) -> Result<(), Failure> {
    let version = match (case, seen) {
        (Some(case), None) => Some(client.case(case).await.map_err(unread)?.row.version),
        (_, seen) => seen,
    };
    finish(client, case, write, version, out).await
}

/// Why a case could not be read that was to be written to.
fn unread(error: ClientError) -> Failure {
    let hidden = error.status() == Some(403);
    let mut failure = Failure::from(error);
    if hidden {
        failure.detail += " To write to a case without reading it, give the version that you were told: --version N.";
    }
    failure
}

pub(super) async fn finish(client: &Client, case: Option<CaseId>, write: &Write, version: Option<u64>, out: Out) -> Result<(), Failure> {
    let written = match (client.send(write, case, version, &client.key()).await, case, write) {
        (Ok(written), ..) => written,
        (Err(error), Some(case), Write::Proof(start)) => return Err(unnamed(client, (case, version), start, error).await),
        (Err(error), ..) => return Err(unsure(error, &Look::after(write, case, version))),
    };
    match written.case {
        Some(case) => out.answer(&*case, |c| written_case(c, matches!(write, Write::Open(_)))),
        None => out.answer(&serde_json::json!({ "version": written.version }), |_| "done".to_owned()),
    }
}

pub(super) fn text(text: &str) -> Text {
    Text { text: Untrusted::from(text) }
}

/// The write that a command means, and the case it is about.
fn write(command: &CaseCommand) -> (Option<CaseId>, Write) {
    use CaseCommand as C;
    match command {
        C::Open(open) => (None, opening(open)),
        C::TakeNext { filter } => (None, Write::TakeNext(TakeNext { filter: Some(filter.join(" ")).filter(|f| !f.is_empty()) })),
        C::Triage(t) => {
            let reproduction = Untrusted::from(t.reproduction.as_str());
            let (triage_owner, remedy_owner) = (t.triage_owner.clone(), t.remedy_owner.clone());
            (Some(t.case), Write::Triage(Box::new(TriageCase { failure: t.failure, reproduction, triage_owner, remedy_owner })))
        }
        C::Route(r) => (Some(r.case), Write::Route(Box::new(r.way.route()))),
        C::Assign { case, operator } => (Some(*case), Write::Assign(Assign { operator: operator.clone() })),
        C::HandOver { case, note, to } => (Some(*case), Write::HandOver(HandOver { note: note.as_str().into(), to: to.clone() })),
        C::Evidence { case, kind, text } => (Some(*case), Write::Evidence(AddEvidence { kind: *kind, text: text.as_str().into() })),
        C::Telemetry { case, text } => (Some(*case), Write::Telemetry(Text { text: text.as_str().into() })),
        C::StartProof { case, method, endpoint, attester } => {
            (Some(*case), Write::Proof(StartProof { method: *method, endpoint: endpoint.clone(), attester: attester.clone() }))
        }
        C::LiftHold { case, reason, contact } => {
            (Some(*case), Write::LiftHold(LiftHold { reason: reason.as_str().into(), contact_session: contact.clone() }))
        }
        C::Flag { case, kind } => (Some(*case), Write::Flag(AddFlag { kind: *kind })),
        C::Review { case, note, not_in_order } => (Some(*case), Write::Review(AddReview { note: note.as_str().into(), in_order: !not_in_order })),
        C::Seal { case } => (Some(*case), Write::Seal),
        C::Close { case } => (Some(*case), Write::Close),
        C::Retry { case } => (Some(*case), Write::Retry),
        C::Revoke { case, grant, text: why } => (Some(*case), Write::RevokeGrant(grant.clone(), text(why))),
        C::Hold(with) => (Some(with.case), Write::Hold(Hold { reason: with.text.as_str().into() })),
        C::NoChange(with) => (Some(with.case), Write::NoChange(text(&with.text))),
        C::Comment(with) => (Some(with.case), Write::Comment(text(&with.text))),
        C::TakeBack(with) => (Some(with.case), Write::TakeBack(text(&with.text))),
        C::Reopen(with) => (Some(with.case), Write::Reopen(text(&with.text))),
        C::Withdraw(with) => (Some(with.case), Write::Withdraw(text(&with.text))),
        C::RollBack(with) => (Some(with.case), Write::RollBack(text(&with.text))),
        // Reading and deciding were told apart before; closing nothing is the harmless answer.
        C::List(_)
        | C::Show { .. }
        | C::Assignable { .. }
        | C::Timeline { .. }
        | C::Counts
        | C::Preview(_)
        | C::Statement { .. }
        | C::Approve(_)
        | C::Deny(_) => (None, Write::Close),
    }
}

fn opening(open: &Open) -> Write {
    Write::Open(Box::new(OpenCase {
        subject: open.subject.clone(),
        action: open.action,
        path: open.path,
        target: open.target.clone(),
        scope: open.scope.clone(),
        channel: open.channel,
        requester: open.requester.clone(),
        endpoint: open.endpoint.clone(),
        summary: open.summary.as_deref().map(Untrusted::from),
    }))
}
