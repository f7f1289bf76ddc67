//! What a command says of a write of which nobody knows whether it was done.
//!
//! Contract: says what to look at, and how the same is asked again without being done twice. Knows no command.

use super::out::Failure;
use crate::base::ids::CaseId;
use crate::client::ClientError;

/// Why a write did not come about, or that this is not known; `version` is the case's that was written with it.
pub(super) fn unsure(error: ClientError, case: Option<CaseId>, version: Option<u64>) -> Failure {
    let unknown = matches!(error, ClientError::Unanswered { .. });
    let mut failure = Failure::from(error);
    let then = match (case, version) {
        _ if !unknown => String::new(),
        (Some(case), Some(version)) => format!(
            " `countersign case show {case}` and `case timeline {case}` say how it stands. Asked again with --version {version} it is not done twice: \
             it is refused if it was done, or if anything else moved the case."
        ),
        _ => " `countersign case list` says whether it is there.".to_owned(),
    };
    failure.detail.push_str(&then);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::out::{UNKNOWN, UNREACHABLE};

    #[test]
    fn whoever_does_not_know_whether_it_was_done_is_told_what_to_look_at_and_has_a_code_of_its_own() {
        let (server, why) = ("https://x".to_owned(), "no answer in time".to_owned());
        let case: CaseId = "CS-26-000043".parse().unwrap();
        let failure = unsure(ClientError::Unanswered { server: server.clone(), why: why.clone() }, Some(case), Some(7));
        assert_eq!((failure.code, failure.error.as_str()), (UNKNOWN, "unanswered"));
        for said in ["It is not known whether this was done", "`countersign case show CS-26-000043`", "--version 7 it is not done twice"] {
            assert!(failure.detail.contains(said), "{said}: {}", failure.detail);
        }
        let failure = unsure(ClientError::NotSent { server, why }, Some(case), Some(7));
        assert!(failure.code == UNREACHABLE && !failure.detail.contains("--version"), "{}", failure.detail);
    }
}
