//! What it takes to declare a word of the product: its code, its label, the list of all.
//!
//! Contract: whatever is declared with [`words`] reads and writes its code everywhere, on the wire as in the log. Knows no word.

/// Declares enumerations whose variants carry a stable code and a label.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $label:literal;)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $code)] $variant,)+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// The stable code, as in the API, the log and policy files.
            pub const fn code(self) -> &'static str { match self { $(Self::$variant => $code,)+ } }
            /// The words a reader sees.
            pub const fn label(self) -> &'static str { match self { $(Self::$variant => $label,)+ } }
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let codes = Self::ALL.iter().map(|w| w.code());
                utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String).enum_values(Some(codes)).build().into()
            }
        }
        impl utoipa::ToSchema for $name {}
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.label()) }
        }
        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|w| w.code() == text).ok_or_else(|| UnknownWord {
                    kind: stringify!($name), allowed: Self::ALL.iter().map(|w| w.code()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    )+};
}
pub(super) use words;

/// A code that is none of an enumeration's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a known {}; one of: {allowed}", plain(kind))]
pub struct UnknownWord {
    /// The enumeration's name.
    pub kind: &'static str,
    /// All codes it has.
    pub allowed: String,
}

/// An enumeration's name in words: `FailureType` is a failure type.
fn plain(kind: &str) -> String {
    kind.char_indices().flat_map(|(i, c)| (i > 0 && c.is_uppercase()).then_some(' ').into_iter().chain(c.to_lowercase())).collect()
}
