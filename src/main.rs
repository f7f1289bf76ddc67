//! Chooses the role.

fn main() {}
