//! The queue's behaviour, without a terminal.
