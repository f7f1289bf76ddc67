//! The vocabulary's words as arguments: help and completions list them, and only they are taken.
//!
//! Contract: one function a word type needs nothing but its list and codes. Knows no command.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// A parser of words that are known by their codes.
pub fn parser<T>(all: &'static [T], code: fn(T) -> &'static str, label: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + FromStr<Err = crate::domain::vocabulary::UnknownWord> + Send + Sync + 'static,
{
    let values: Vec<PossibleValue> = all.iter().map(|w| PossibleValue::new(code(*w)).help(label(*w))).collect();
    PossibleValuesParser::new(values).try_map(|text| text.parse::<T>())
}

/// The parser of one of the vocabulary's types.
macro_rules! word {
    ($name:ident) => {
        $crate::cli::word::parser($name::ALL, $name::code, $name::label)
    };
}
pub(super) use word;
