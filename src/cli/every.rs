//! Which command does what an operation of the API does.
//!
//! Contract: exhaustive, so that an operation that is added has a command or says here why it needs none; a test looks whether each command
//! is there. Knows no command's arguments.

use crate::domain::access::Operation;

/// The words after `countersign`; of an operation with several commands the first. None for what only subjects and attesters do, on their pages.
pub(super) const fn command_of(operation: Operation) -> Option<&'static str> {
    use Operation as O;
    Some(match operation {
        O::Me => "whoami",
        O::Counts => "case counts",
        O::QueueList => "case list",
        O::GrantList => "grants",
        O::CaseRead => "case show",
        O::CaseTimeline => "case timeline",
        O::CaseOpen => "case open",
        O::RoutePreview => "case preview",
        O::CaseTriage => "case triage",
        O::CaseNoChange => "case no-change",
        O::CaseRoute => "case route",
        O::CaseAssign => "case assign",
        O::CaseAssignable => "case assignable",
        O::CaseHandover => "case hand-over",
        O::CaseComment => "case comment",
        O::CaseEvidence => "case evidence",
        O::CaseTelemetry => "case telemetry",
        O::ProofStart => "case start-proof",
        O::CaseSeal => "case seal",
        O::CaseReopen => "case reopen",
        O::StatementRead => "case statement",
        O::CaseDecide => "case approve",
        O::ApprovalTakeBack => "case take-back",
        O::CaseWithdraw => "case withdraw",
        O::CaseHold => "case hold",
        O::CaseLiftHold => "case lift-hold",
        O::CaseFlag => "case flag",
        O::CaseReview => "case review",
        O::CaseClose => "case close",
        O::CaseRetry => "case retry",
        O::CaseRollBack => "case roll-back",
        O::GrantRevoke => "case revoke",
        O::TakeNext => "case take-next",
        O::SubjectFind => "subject list",
        O::SubjectRead => "subject show",
        O::Events => "events",
        O::PolicyRead => "policy show",
        O::PolicyExplain => "policy explain",
        O::LogRead => "log list",
        O::RegisterRead => "register show",
        O::RegisterChange => "register operator",
        O::ProposalApprove => "register approve",
        O::ProposalEnd => "register end",
        O::TokenIssue => "token issue",
        O::TokenRevoke => "token revoke",
        O::PageRead | O::PageCode | O::PageAttest | O::PageNotMe => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_operation_of_the_staff_api_is_done_by_a_command_that_there_is() {
        for operation in Operation::ALL {
            let row = operation.row();
            let Some(words) = command_of(*operation) else {
                assert!(row.roles.is_empty() && row.scopes.is_empty(), "{operation:?} is for the staff or software and has no command");
                continue;
            };
            let mut command = &crate::cli::Arguments::command();
            for word in words.split(' ') {
                command = command.find_subcommand(word).unwrap_or_else(|| panic!("{operation:?}: {words}"));
            }
            assert!(!command.has_subcommands(), "{words} is not a command yet");
        }
    }
}
