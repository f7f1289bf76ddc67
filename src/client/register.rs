//! Writes on the register: changes, proposals, tokens, policy.
//!
//! Contract: one method an endpoint, each done once however often it is repeated. Knows no rules: the server says what became of it.

use super::writes::{json, strange};
use super::{Client, ClientError};
use crate::api::governance::{ChangeRegister, IssueToken, PolicyExplained, ProposalView, ProposePolicy, RegisterAnswer, RegisterView};
use crate::base::ids::{CaseId, ProposalId, TokenId};

impl Client {
    /// The register.
    pub async fn register_view(&self) -> Result<RegisterView, ClientError> {
        self.get(self.address(&["register"])?).await
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
        let (value, _) = self.post(self.address(&parts)?, body, &self.key(), None).await?;
        serde_json::from_value(value).map_err(|_| strange())
    }
}
