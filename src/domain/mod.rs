//! Pure rules: what a case is, who may do what to it, and why not. No I/O, no async, no clock, no randomness: all comes in as arguments.
//!
//! Reading order: [`vocabulary`], [`subject`], [`register`], [`requirement`], [`policy`], [`case`], [`event`], [`command`], [`refusal`],
//! [`effect`], [`view`]; then the rules: [`lineage`], [`checklist`], [`decide`], [`govern`].

pub mod case;
pub mod checklist;
pub mod command;
pub mod decide;
pub mod effect;
pub mod event;
pub mod govern;
pub mod lineage;
pub mod policy;
pub mod refusal;
pub mod register;
pub mod requirement;
pub mod subject;
pub mod view;
pub mod vocabulary;
