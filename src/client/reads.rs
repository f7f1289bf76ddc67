//! What can be asked without changing anything.
//!
//! Contract: one method an endpoint, named as the endpoint.

use url::Url;

use super::{Client, ClientError};
use crate::api::case::{CaseDetail, RoutePreview, Statement};
use crate::api::lists::{Assignable, Counts, GrantPage, GrantParams, LogPage, Me, QueuePage, QueueParams, SubjectPage, SubjectRow};
use crate::api::requests::PreviewRoute;
use crate::api::words::Decision;
use crate::base::ids::{CaseId, SubjectId};

impl Client {
    /// Who one is.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.get(self.address(&["me"])?).await
    }

    /// Numbers for the head line.
    pub async fn counts(&self) -> Result<Counts, ClientError> {
        self.get(self.address(&["counts"])?).await
    }

    /// A page of grants.
    pub async fn grants(&self, params: &GrantParams) -> Result<GrantPage, ClientError> {
        let mut url = self.address(&["grants"])?;
        let limit = params.limit.map(|n| n.to_string());
        for (name, value) in [("state", &params.state), ("after", &params.after), ("limit", &limit)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        self.get(url).await
    }

    /// A page of the queue.
    pub async fn cases(&self, params: &QueueParams) -> Result<QueuePage, ClientError> {
        let mut url = self.address(&["cases"])?;
        {
            let mut pairs = url.query_pairs_mut();
            let limit = params.limit.map(|n| n.to_string());
            let all = [("filter", &params.filter), ("sort", &params.sort), ("after", &params.after), ("before", &params.before), ("limit", &limit)];
            for (name, value) in all {
                if let Some(value) = value {
                    pairs.append_pair(name, value);
                }
            }
        }
        self.get(url).await
    }

    /// A case, whole.
    pub async fn case(&self, id: CaseId) -> Result<CaseDetail, ClientError> {
        self.get(self.address(&["cases", &id.to_string()])?).await
    }

    /// Whom a case could be assigned to.
    pub async fn assignable(&self, id: CaseId) -> Result<Assignable, ClientError> {
        self.get(self.address(&["cases", &id.to_string(), "assignable"])?).await
    }

    /// A case's entries of the log, after one of them.
    pub async fn timeline(&self, id: CaseId, after: Option<u64>) -> Result<LogPage, ClientError> {
        self.get(with_after(self.address(&["cases", &id.to_string(), "timeline"])?, after)).await
    }

    /// What an approver would sign.
    pub async fn statement(&self, id: CaseId, decision: Decision) -> Result<Statement, ClientError> {
        let mut url = self.address(&["cases", &id.to_string(), "statement"])?;
        url.query_pairs_mut().append_pair("decision", decision.code());
        self.get(url).await
    }

    /// Subjects whose name or id holds the words.
    pub async fn subjects(&self, words: &str) -> Result<SubjectPage, ClientError> {
        let mut url = self.address(&["subjects"])?;
        url.query_pairs_mut().append_pair("q", words);
        self.get(url).await
    }

    /// A subject, for intake.
    pub async fn subject(&self, id: &SubjectId) -> Result<SubjectRow, ClientError> {
        self.get(self.address(&["subjects", id.as_str()])?).await
    }

    /// The policy in force, as the server words it.
    pub async fn policy(&self) -> Result<serde_json::Value, ClientError> {
        self.get(self.address(&["policy"])?).await
    }

    /// What policy asks of one case, and why.
    pub async fn case_policy(&self, id: CaseId) -> Result<serde_json::Value, ClientError> {
        self.get(self.address(&["cases", &id.to_string(), "policy"])?).await
    }

    /// Entries of the log after one of them.
    pub async fn log(&self, after: Option<u64>, limit: Option<u16>) -> Result<LogPage, ClientError> {
        let mut url = with_after(self.address(&["log"])?, after);
        if let Some(limit) = limit {
            url.query_pairs_mut().append_pair("limit", &limit.to_string());
        }
        self.get(url).await
    }

    /// What routing would cost; changes nothing, though it is a POST.
    pub async fn route_preview(&self, body: &PreviewRoute) -> Result<RoutePreview, ClientError> {
        let bytes = super::writes::json(body)?;
        self.ask(self.address(&["cases", "route-preview"])?, bytes).await
    }
}

fn with_after(mut url: Url, after: Option<u64>) -> Url {
    if let Some(after) = after {
        url.query_pairs_mut().append_pair("after", &after.to_string());
    }
    url
}
