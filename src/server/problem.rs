//! Errors as problem details (RFC 9457): every way in which a request can fail, with its status.
//!
//! Contract: detail of the store's failures goes to the server's log and never to a client. The request id is put in by [`super::edge`].

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::problem::{Problem, TYPE_PREFIX};
use crate::base::ids::PersonId;
use crate::domain::refusal::Refusal;
use crate::service::{Service, ServiceError};
use crate::store::StoreError;

/// A failed request.
#[derive(Debug, Clone)]
pub struct Failure(pub Box<Problem>);

impl Failure {
    /// A failure of that status, stable code and sentence.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self(Box::new(Problem {
            kind: format!("{TYPE_PREFIX}{code}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            request_id: None,
            field: None,
            duties: Vec::new(),
            could_decide: None,
            mistakes: Vec::new(),
        }))
    }

    /// With the field at fault.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned());
        self
    }

    /// A value that can't be accepted.
    pub fn invalid(field: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", why).at(field)
    }
}

impl Failure {
    /// A value of the right shape that means nothing here.
    pub fn meaningless(field: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why).at(field)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The status of each refusal.
fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::SeparationOfDuties { .. } | Refusal::NotPermitted { .. } | Refusal::RoleMissing { .. } | Refusal::SecondPerson(_) => {
            StatusCode::FORBIDDEN
        }
        Refusal::Unknown(_) => StatusCode::NOT_FOUND,
        Refusal::Invalid { .. }
        | Refusal::ScopeExceeds
        | Refusal::NotRecoverable(_)
        | Refusal::EndpointUnusable(_)
        | Refusal::TooYoung(_)
        | Refusal::MethodUnusable(_)
        | Refusal::ChecklistIncomplete { .. }
        | Refusal::Deadlock { .. }
        | Refusal::SignatureMissing => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::TooManyAttempts | Refusal::Limit { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::WrongState { .. }
        | Refusal::Held
        | Refusal::Stopped { .. }
        | Refusal::StaleSeal
        | Refusal::StatementExpired
        | Refusal::ProofExpired { .. }
        | Refusal::SessionEnded
        | Refusal::Already(_)
        | Refusal::TooEarly(_) => StatusCode::CONFLICT,
    }
}

impl Failure {
    /// The same with the names of the persons in it, as far as they are recorded: refusals know ids.
    pub async fn named(mut self, service: &Service) -> Self {
        let ids: Vec<PersonId> = self.0.duties.iter().map(|d| d.person.clone()).collect();
        if ids.is_empty() {
            return self;
        }
        if let Ok(people) = service.store.people(&ids).await {
            for duty in &mut self.0.duties {
                if let Some(person) = people.get(&duty.person) {
                    duty.name = person.name.clone();
                }
            }
        }
        self
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(status(&refusal), refusal.code(), refusal.to_string());
        match &refusal {
            Refusal::SeparationOfDuties { duties, could, .. } => {
                let none = std::collections::BTreeMap::new();
                failure.0.duties = duties.iter().map(|d| crate::api::duty(d, &none, Some(&d.person))).collect();
                failure.0.could_decide = Some(could.into());
            }
            Refusal::Deadlock { could, .. } => failure.0.could_decide = Some(could.into()),
            Refusal::Invalid { field, .. } => failure.0.field = Some((*field).to_owned()),
            _ => {}
        }
        failure
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let detail = error.to_string();
        match error {
            ServiceError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            ServiceError::Refused(refusal) => (*refusal).into(),
            ServiceError::Stale { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail),
            ServiceError::Conflict | ServiceError::Answered(_) => Self::new(StatusCode::CONFLICT, "conflict", detail),
            ServiceError::Forbidden(_) => {
                tracing::error!("the database refused what the domain had let through");
                Self::new(StatusCode::FORBIDDEN, "separation-of-duties", detail)
            }
            ServiceError::NotFounded => Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-founded", detail),
            ServiceError::Policy(_) => {
                tracing::error!("a policy can't be read: see `countersign doctor`");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "policy-unreadable", detail)
            }
            ServiceError::Invalid { field, .. } => Self::invalid(field, detail),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = error.code(), engine = error.engine(), "the store failed");
        let (code, detail) = match error {
            StoreError::Busy => ("busy", "Too much is being written at once. Try again."),
            StoreError::Clock => (
                "clock",
                "The server's clock was moved; nothing is written until it is put right, or, where the machine slept, until the server is started again.",
            ),
            _ => ("store", "The server can't read or write its data. Nothing was changed."),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

impl From<crate::api::filter::FilterError> for Failure {
    fn from(error: crate::api::filter::FilterError) -> Self {
        Self::meaningless("filter", error.to_string())
    }
}
