//! The rules through their front door: `decide` and `apply`, by invariant (product.md, "What may never happen").

#[path = "../support/play.rs"]
mod play;

mod duties;
mod life;
