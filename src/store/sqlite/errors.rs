//! Turning the engine's errors into the store's.
//!
//! Contract: a constraint or trigger that refuses is `Forbidden` with its sentence; everything else is the engine's failure, whose detail
//! is for the server's log. Knows nothing about what was being done.

use rusqlite::ErrorCode;

use crate::store::{CommitError, StoreError};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(Box::new(error))
    }
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(code, message) if code.code == ErrorCode::ConstraintViolation => {
                Self::Forbidden(message.clone().unwrap_or_else(|| "a constraint".into()))
            }
            rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::TooBig => Self::TooLarge,
            _ => Self::Store(error.into()),
        }
    }
}

/// A failure that is told to several waiting callers: only its words can be.
pub(super) fn told(error: &StoreError) -> StoreError {
    match error {
        StoreError::Busy => StoreError::Busy,
        StoreError::InUse(path) => StoreError::InUse(path.clone()),
        StoreError::Closed => StoreError::Closed,
        StoreError::Clock => StoreError::Clock,
        StoreError::Damaged(what) => StoreError::Damaged(what.clone()),
        StoreError::Engine(detail) => StoreError::Engine(detail.to_string().into()),
    }
}

/// JSON for a column. Only shapes that always have one are written.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Engine(Box::new(e)))
}

/// JSON from a column.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(format!("{what}: {e}")))
}
