//! Turning the engine's errors into the store's.
//!
//! Contract: a constraint or trigger that refuses is `Forbidden` with its sentence; a value that is not of the kind that was written is damage;
//! everything else is the engine's failure, whose number is for the server's journal. Knows nothing about what was being done.

use rusqlite::ErrorCode;

use crate::store::{CommitError, StoreError};

/// What is left of a failure that is told to several: its words, and the engine's number.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Told {
    words: String,
    engine: Option<i32>,
}

impl StoreError {
    /// The engine's own number of its failure (SQLite's extended result code), if it has one: for the server's journal, since it names no value.
    pub fn engine(&self) -> Option<i32> {
        let Self::Engine(detail) = self else { return None };
        match (detail.downcast_ref::<rusqlite::Error>(), detail.downcast_ref::<Told>()) {
            (Some(rusqlite::Error::SqliteFailure(code, _)), _) => Some(code.extended_code),
            (_, Some(told)) => told.engine,
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            // Its words name the column and what is wrong with the value, never the value.
            E::FromSqlConversionFailure(..) | E::InvalidColumnType(..) | E::Utf8Error(..) => {
                Self::Damaged(format!("a value is not of the kind that was written ({error})"))
            }
            // Of this one they have the value.
            E::IntegralValueOutOfRange(column, _) => Self::Damaged(format!("a number is not of the size that was written (column {column})")),
            other => Self::Engine(Box::new(other)),
        }
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
        StoreError::Engine(detail) => StoreError::Engine(Box::new(Told { words: detail.to_string(), engine: error.engine() })),
    }
}

/// JSON for a column. Only shapes that always have one are written.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Engine(Box::new(e)))
}

/// JSON from a column.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(format!("{what} can't be read: {e}")))
}
