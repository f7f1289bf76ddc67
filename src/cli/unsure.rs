//! What a command says of a write of which nobody knows whether it was done.
//!
//! Contract: says what to look at, and how the same is asked again without being done twice. Knows no command.

use super::out::Failure;
use crate::base::ids::{CaseId, TokenId};
use crate::client::{ClientError, Write};

/// What shows whether a write was done.
pub(super) enum Look {
    /// At a case, that was written to as it was at a version.
    Case(CaseId, Option<u64>),
    /// At the cases there are, for one that was opened.
    Cases,
    /// At one's own cases, for one that was taken.
    Mine,
    /// At what waits, for a change of the register, and at the register for one that counts at once.
    Register,
    /// At what waits alone, for a policy.
    Proposals,
    /// At the tokens there are, and at what waits, for one that was issued.
    Issued,
    /// At the tokens there are, for one that was revoked.
    Revoked(TokenId),
}

impl Look {
    /// Where to look after a write.
    pub(super) fn after(write: &Write, case: Option<CaseId>, version: Option<u64>) -> Self {
        match (write, case) {
            (_, Some(case)) => Self::Case(case, version),
            (Write::TakeNext(_), None) => Self::Mine,
            (_, None) => Self::Cases,
        }
    }

    fn sentence(&self) -> String {
        match self {
            // First what everyone can do: software may read a case that it opened and no other, and neither lists nor timelines.
            Self::Case(case, Some(version)) => format!(
                "Asked again with --version {version} it is not done twice: it is refused if it was done, or if anything else moved the case. \
                 `countersign case show {case}` says how it stands, `case timeline {case}` what was done; whoever may not read it has somebody look."
            ),
            Self::Case(case, None) => format!(
                "`countersign case show {case}` says how it stands, `case timeline {case}` what was done; whoever may not read it has somebody look."
            ),
            Self::Cases => "`countersign case list` says whether it is there; software, which may not list cases, has somebody look.".to_owned(),
            Self::Mine => "`countersign case list mine` shows the cases that you have: whether one was taken.".to_owned(),
            Self::Register => "`countersign register proposals` shows what waits, `register show` what counts.".to_owned(),
            Self::Proposals => "`countersign register proposals` shows whether it waits.".to_owned(),
            Self::Issued => {
                "`countersign token list` shows whether there is one more, which nobody has: `token revoke` ends it. `register proposals` shows \
                 whether it waits for a second person: `register end` ends it."
                    .to_owned()
            }
            Self::Revoked(token) => format!(
                "Until you know, take it that {token} still opens what it opened. Run the same again: it is refused (\"revoked already\") if it was \
                 done, and done now if it was not. `countersign token list` shows the token no more once it is revoked."
            ),
        }
    }
}

/// Why a write did not come about, or that this is not known, and then where to look.
pub(super) fn unsure(error: ClientError, look: &Look) -> Failure {
    let unknown = matches!(error, ClientError::Unanswered { .. });
    let mut failure = Failure::from(error);
    if unknown {
        failure.detail.push(' ');
        failure.detail.push_str(&look.sentence());
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::requests::TakeNext;
    use crate::cli::out::{UNKNOWN, UNREACHABLE};

    #[test]
    fn whoever_does_not_know_whether_it_was_done_is_told_what_to_look_at_and_has_a_code_of_its_own() {
        let (server, why) = ("https://x".to_owned(), "no answer in time".to_owned());
        let case: CaseId = "CS-26-000043".parse().unwrap();
        let failure = unsure(ClientError::Unanswered { server: server.clone(), why: why.clone() }, &Look::Case(case, Some(7)));
        assert_eq!((failure.code, failure.error.as_str()), (UNKNOWN, "unanswered"));
        for said in ["It is not known whether this was done", "`countersign case show CS-26-000043`", "--version 7 it is not done twice"] {
            assert!(failure.detail.contains(said), "{said}: {}", failure.detail);
        }
        let all_can = failure.detail.find("--version 7").unwrap();
        assert!(failure.detail.find("case timeline").unwrap() > all_can, "software may read no timeline: {}", failure.detail);
        let failure = unsure(ClientError::NotSent { server: server.clone(), why: why.clone() }, &Look::Case(case, Some(7)));
        assert!(failure.code == UNREACHABLE && !failure.detail.contains("--version"), "{}", failure.detail);
        let looks = [
            (Look::after(&Write::TakeNext(TakeNext { filter: None }), None, None), "`countersign case list mine`"),
            (Look::after(&Write::Seal, Some(case), None), "`countersign case show CS-26-000043`"),
            (Look::Cases, "software, which may not list cases, has somebody look"),
            (Look::Register, "`register show`"),
            (Look::Proposals, "`countersign register proposals`"),
            (Look::Issued, "`token revoke`"),
            (Look::Revoked("tok-1".parse().unwrap()), "`countersign token list` shows the token no more"),
        ];
        for (look, named) in looks {
            let failure = unsure(ClientError::Unanswered { server: server.clone(), why: why.clone() }, &look);
            assert!(failure.code == UNKNOWN && failure.detail.contains(named), "{}", failure.detail);
        }
    }
}
