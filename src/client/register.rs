//! Writes on the register: changes, proposals, tokens, policy.
//!
//! Contract: one method an endpoint, each done once however often it is repeated. Knows no rules: the server says what became of it.

use super::writes::json;
use super::{Client, ClientError};
use crate::api::governance::{ChangeRegister, IssueToken, PolicyExplained, ProposalView, ProposePolicy, RegisterAnswer, RegisterKind, RegisterView};
use crate::base::ids::{CaseId, ProposalId, TokenId};

/// The most pages of one kind that are read: of 1,000 rows each, as many as a register holds.
const MAX_PAGES: usize = 100;

/// The id of the last row of a kind.
fn last(view: &RegisterView, kind: RegisterKind) -> Option<String> {
    match kind {
        RegisterKind::Persons => view.persons.last().map(|r| r.id.to_string()),
        RegisterKind::Operators => view.operators.last().map(|r| r.id.to_string()),
        RegisterKind::Automations => view.automations.last().map(|r| r.id.to_string()),
        RegisterKind::Delegations => view.delegations.last().map(|r| r.id.to_string()),
        RegisterKind::Proposals => view.proposals.last().map(|r| r.id.to_string()),
        RegisterKind::Tokens => view.tokens.last().map(|r| r.id.to_string()),
    }
}

impl Client {
    /// The register, of each kind at most the first 1,000 rows.
    pub async fn register_view(&self) -> Result<RegisterView, ClientError> {
        self.get(self.address(&["register"])?).await
    }

    /// Rows of one kind of the register, after the one of an id.
    pub async fn register_rows(&self, of: RegisterKind, after: Option<&str>) -> Result<RegisterView, ClientError> {
        let mut url = self.address(&["register"])?;
        url.query_pairs_mut().append_pair("of", of.code()).extend_pairs(after.map(|after| ("after", after)));
        self.get(url).await
    }

    /// The register with every row of every kind: read page after page, at most 100 of a kind. What is left out then is still named in `more`.
    pub async fn whole_register(&self) -> Result<RegisterView, ClientError> {
        let mut view = self.register_view().await?;
        let mut left = Vec::new();
        for kind in std::mem::take(&mut view.more) {
            let mut more = true;
            for _ in 1..MAX_PAGES {
                let Some(after) = last(&view, kind).filter(|_| more) else { break };
                let next = self.register_rows(kind, Some(&after)).await?;
                more = next.more.contains(&kind);
                view.persons.extend(next.persons);
                view.operators.extend(next.operators);
                view.automations.extend(next.automations);
                view.delegations.extend(next.delegations);
                view.tokens.extend(next.tokens);
            }
            if more {
                left.push(kind);
            }
        }
        view.more = left;
        Ok(view)
    }

    /// A proposal, whole: of a policy its text and how it stands to the one in force.
    pub async fn proposal(&self, id: &ProposalId) -> Result<ProposalView, ClientError> {
        self.get(self.address(&["register", "proposals", id.as_str()])?).await
    }

    /// What policy asks of one case, and why.
    pub async fn explain(&self, case: CaseId) -> Result<PolicyExplained, ClientError> {
        self.get(self.address(&["cases", &case.to_string(), "policy"])?).await
    }

    /// Changes the register, or proposes the change.
    pub async fn change_register(&self, change: &ChangeRegister) -> Result<RegisterAnswer, ClientError> {
        self.govern(&["changes"], json(change)?).await
    }

    /// Approves someone else's proposal.
    pub async fn approve_proposal(&self, id: &ProposalId) -> Result<RegisterAnswer, ClientError> {
        self.govern(&["proposals", id.as_str(), "approve"], b"{}".to_vec()).await
    }

    /// Withdraws or refuses a proposal.
    pub async fn end_proposal(&self, id: &ProposalId) -> Result<RegisterAnswer, ClientError> {
        self.govern(&["proposals", id.as_str(), "end"], b"{}".to_vec()).await
    }

    /// Issues a token.
    pub async fn issue_token(&self, body: &IssueToken) -> Result<RegisterAnswer, ClientError> {
        self.govern(&["tokens"], json(body)?).await
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: &TokenId) -> Result<RegisterAnswer, ClientError> {
        self.govern(&["tokens", id.as_str(), "revoke"], b"{}".to_vec()).await
    }

    /// Proposes another policy.
    pub async fn propose_policy(&self, body: &ProposePolicy) -> Result<RegisterAnswer, ClientError> {
        self.govern(&["policy"], json(body)?).await
    }

    async fn govern(&self, parts: &[&str], body: Vec<u8>) -> Result<RegisterAnswer, ClientError> {
        self.may_change()?;
        let parts: Vec<&str> = std::iter::once("register").chain(parts.iter().copied()).collect();
        self.post(self.address(&parts)?, body, &self.key(), None).await.map(|(answer, _)| answer)
    }
}
