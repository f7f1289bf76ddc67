//! Sample data and sample systems: what `countersign demo` plays with.
//!
//! Contract: nothing here is used by a real installation. Knows the server only as its users do.

pub mod target;
