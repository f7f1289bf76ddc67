//! The checklist: what policy requires of a case measured against its receipts, in order, with what is missing.
//!
//! Contract: pure; derived on every look, never stored.

use super::case::Receipt;
use super::command::World;
use super::requirement::Requirement;
use super::vocabulary::Method;
use crate::base::Time;
use crate::base::ids::{EndpointId, PersonId};

/// The requirement of the world's case: the stricter of the pinned and the current policy (invariant 14).
pub fn requirement(world: &World) -> Requirement {
    let _ = world;
    todo!()
}

/// How far a case is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// In the order in which they are asked for.
    pub items: Vec<Item>,
    /// Whether approval can be requested.
    pub complete: bool,
}

/// One item of the checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Methods any of which would do.
    pub methods: Vec<Method>,
    /// Whether it is a gate beside the proofs.
    pub gate: bool,
    /// The receipt that fills it.
    pub receipt: Option<Receipt>,
    /// What could be started now: method, over which endpoint, by whom.
    pub startable: Vec<(Method, Option<EndpointId>, Option<PersonId>)>,
}

/// Measures a case.
pub fn progress(world: &World, now: Time) -> Progress {
    let _ = (world, now);
    todo!()
}
