//! Sample data and sample systems: what `countersign demo` plays with.
//!
//! Contract: nothing here is used by a real installation. Every sample case is played through the real service; the sample target is a process
//! of its own with a state of its own.
//!
//! Reading order: [`organisation`], [`story`], [`player`], [`clock`]; [`bulk`]; [`fill`], [`host`]; [`target`].

pub mod bulk;
pub mod clock;
pub mod fill;
mod folder;
pub mod host;
pub mod organisation;
pub mod player;
pub mod story;
pub mod target;

use crate::service::ServiceError;

/// Why the demo could not be set up or run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The sample data is wrong.
    #[error("the sample data is wrong: {0}")]
    Sample(String),
    /// An id in the sample data is none.
    #[error("the sample data is wrong: {0}")]
    Id(#[from] crate::base::ids::IdError),
    /// The service refused or failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Something of the machine is missing or full.
    #[error("{0}")]
    Machine(String),
}
