//! Tests of invariant 17.
