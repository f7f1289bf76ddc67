//! Identifiers as types of their own, so that a person can't be passed where an operator is meant.
//!
//! Contract: an id is opaque, `[a-z0-9._-]{1,64}` (threats.md T32: never a wildcard, never a name that means more than it says),
//! or a case number `CS-YY-NNNNNN`. Knows nothing about what an id stands for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest opaque id accepted, in bytes.
pub const MAX_ID_LEN: usize = 64;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty or longer than [`MAX_ID_LEN`].
    #[error("an id has 1 to {MAX_ID_LEN} characters")]
    Length,
    /// A character outside `[a-z0-9._-]`.
    #[error("an id holds only a-z, 0-9, '.', '_' and '-'")]
    Alphabet,
    /// Not of the form `CS-YY-NNNNNN`.
    #[error("a case number looks like CS-26-004127")]
    CaseNumber,
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > MAX_ID_LEN {
        return Err(IdError::Length);
    }
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if text.bytes().all(fits) { Ok(()) } else { Err(IdError::Alphabet) }
}

macro_rules! opaque_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
        #[schema(value_type = String, pattern = "^[a-z0-9._-]{1,64}$")]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str { &self.0 }
            /// Takes the text as it is if it is an id.
            pub fn parse(text: &str) -> Result<Self, IdError> { check(text)?; Ok(Self(text.into())) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!(stringify!($name), "({})"), &self.0) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> { Self::parse(text) }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> { check(&text)?; Ok(Self(text.into_boxed_str())) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(&self.0) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::try_from(text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

opaque_ids! {
    /// Whose access is to be restored.
    SubjectId;
    /// A human; separation of duties is decided on persons, never on accounts.
    PersonId;
    /// An account of a person that signs in.
    OperatorId;
    /// A machine principal (AI agent, bot).
    AutomationId;
    /// A configured system in which an execution takes place.
    TargetId;
    /// A group of operators that policy can name.
    GroupId;
    /// A recorded address of a subject or person.
    EndpointId;
    /// One delegation in the register.
    DelegationId;
    /// One access token; its secret is never an id.
    TokenId;
    /// A session the server opened to a recorded endpoint, or in which a request came.
    SessionId;
    /// One recorded proof.
    ReceiptId;
    /// One item of evidence.
    EvidenceId;
    /// One access that an execution gave.
    GrantId;
    /// One text kept beside the log, encrypted per case.
    TextId;
    /// One pending change of the register.
    ProposalId;
    /// One approval of one seal.
    ApprovalId;
    /// One request as the server saw it.
    RequestId;
    /// One scope or entitlement name inside a target.
    ScopeId;
    /// An employer, as the inventory names it.
    EmployerId;
    /// A team, as the inventory names it.
    TeamId;
}

/// A case number, printed `CS-26-004127`: two digits of the year it was opened in, then a running number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseId {
    year: u8,
    number: u32,
}

impl CaseId {
    /// A case number from its two parts; `year` is taken modulo 100.
    pub fn new(year: u16, number: u32) -> Self {
        Self { year: u8::try_from(year % 100).unwrap_or(0), number }
    }

    /// The running number.
    pub fn number(self) -> u32 {
        self.number
    }

    /// One integer that sorts as the case numbers do (year, then number), for database keys.
    pub fn key(self) -> i64 {
        (i64::from(self.year) << 32) | i64::from(self.number)
    }

    /// The inverse of [`CaseId::key`]; `None` for an integer that no case number gives.
    pub fn from_key(key: i64) -> Option<Self> {
        let year = u8::try_from(key >> 32).ok().filter(|y| *y < 100)?;
        let number = u32::try_from(key & 0xffff_ffff).ok()?;
        Some(Self { year, number })
    }
}

impl utoipa::PartialSchema for CaseId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .pattern(Some("^CS-[0-9]{2}-[0-9]{6,9}$"))
            .examples(["CS-26-004127"])
            .into()
    }
}

impl utoipa::ToSchema for CaseId {}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CS-{:02}-{:06}", self.year, self.number)
    }
}

impl fmt::Debug for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for CaseId {
    type Err = IdError;
    /// Takes the printed form, with or without leading zeros and in either letter case; people type `cs-26-4127`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.split('-');
        let (Some(cs), Some(year), Some(number), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(IdError::CaseNumber);
        };
        let digits = |t: &str, most: usize| !t.is_empty() && t.len() <= most && t.bytes().all(|b| b.is_ascii_digit());
        if !cs.eq_ignore_ascii_case("cs") || year.len() != 2 || !digits(year, 2) || !digits(number, 10) {
            return Err(IdError::CaseNumber);
        }
        let year = year.parse().map_err(|_| IdError::CaseNumber)?;
        let number = number.parse().map_err(|_| IdError::CaseNumber)?;
        Ok(Self { year, number })
    }
}

impl Serialize for CaseId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CaseId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_wildcards_blanks_and_capitals() {
        for bad in ["", "*", "a b", "A", "a\n", "a/b", "é", &"x".repeat(65)] {
            assert!(PersonId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(PersonId::parse("p-0.1_a").map(|p| p.to_string()), Ok("p-0.1_a".into()));
    }

    #[test]
    fn case_numbers_round_trip_and_sort_by_key() {
        let id: CaseId = "cs-26-4127".parse().unwrap();
        assert_eq!(id.to_string(), "CS-26-004127");
        assert_eq!(CaseId::from_key(id.key()), Some(id));
        assert!(CaseId::new(2025, 9_999_999).key() < CaseId::new(2026, 1).key());
        for bad in ["", "CS-26", "CS-2-1", "CS-26-", "CS-26-1-2", "XX-26-1", "CS-26--1", "CS-26-99999999999", "CS-+6-1"] {
            assert!(bad.parse::<CaseId>().is_err(), "{bad}");
        }
        assert_eq!(CaseId::from_key(-1), None);
    }
}
