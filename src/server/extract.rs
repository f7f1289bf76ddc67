//! Path and query, read strictly, with problems for what can't be read.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Failure;

/// The one id in a path.
pub struct Id<T>(pub T);

impl<T: std::str::FromStr, S: Send + Sync> FromRequestParts<S> for Id<T>
where
    T::Err: std::fmt::Display,
{
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Failure::invalid("id", "The id can't be read."))?;
        text.parse().map(Self).map_err(|e: T::Err| Failure::invalid("id", format!("id: {e}.")))
    }
}

/// The query; unknown parameters are refused.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Query::<T>::from_request_parts(parts, state).await.map(|q| Self(q.0)).map_err(|e| {
            let why = crate::base::text::sanitise(&e.body_text(), false);
            // The framework's own words say how it reads, not what is wrong.
            let why = why.strip_prefix("Failed to deserialize query string: ").unwrap_or(&why);
            let why = why.replace("number too large to fit in target type", "larger than any number that is taken");
            Failure::invalid("query", format!("The query can't be read: {why}."))
        })
    }
}
