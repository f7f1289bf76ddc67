//! Pure rules: what a case is, who may do what to it, and why not. No I/O, no async, no clock, no randomness: all comes in as arguments.
//!
//! Reading order: [`vocabulary`], [`subject`], [`register`], [`requirement`], [`policy`], [`case`], [`event`], [`command`], [`refusal`],
//! [`effect`], [`view`]; then the rules: [`apply`], [`lineage`], [`quorum`], [`checklist`], [`next`], [`seal`], [`decide`], [`govern`].

pub mod access;
pub mod anomaly;
pub mod apply;
pub mod approval;
pub mod attest;
pub mod bounds;
pub mod case;
pub mod checklist;
pub mod command;
pub mod dates;
pub mod decide;
pub mod derived;
pub mod effect;
pub mod elsewhere;
pub mod event;
mod gates;
pub mod govern;
pub mod grant;
pub mod history;
pub mod lineage;
pub mod mailboxes;
pub mod message;
pub mod next;
pub mod policy;
pub mod quorum;
pub mod receipt;
pub mod refusal;
pub mod register;
pub mod requirement;
pub mod seal;
pub mod standing;
pub mod subject;
pub mod view;
pub mod vocabulary;
mod words;
