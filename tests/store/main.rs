//! The store, seen from outside: one story that every engine must tell, and what may never happen to what is kept.

mod attacks;
mod crash;
mod races;
mod safety;
mod story;
mod world;
