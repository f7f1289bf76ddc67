//! Canonical JSON (RFC 8785) of values without floating-point numbers.
//!
//! Contract: equal values give equal bytes, on every machine and in every version. Floats are refused rather than formatted:
//! nothing that is hashed or signed here needs one. Knows nothing about what is written.

use serde::Serialize;
use serde_json::Value;

/// Why a value has no canonical form here.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value can't be written as JSON at all.
    #[error("not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A floating-point number, or an integer beyond 2^53 - 1 (RFC 8785 §3.2.2.3: such a number is not exact everywhere).
    #[error("a number that is not an exact integer has no place in hashed data")]
    Number,
}

/// The largest integer magnitude that every JSON reader holds exactly (RFC 8785 §3.2.2.3, I-JSON).
const MAX_EXACT: u64 = (1 << 53) - 1;

/// The canonical bytes of a value.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(256);
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => serde_json::to_writer(out, value)?,
        Value::Number(n) => {
            let magnitude = n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs));
            magnitude.filter(|m| *m <= MAX_EXACT).ok_or(CanonicalError::Number)?;
            serde_json::to_writer(out, n)?;
        }
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            // RFC 8785 §3.2.3 sorts by UTF-16 code units, which differs from UTF-8 order above U+FFFF.
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write(&map[key], out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(v: &Value) -> String {
        String::from_utf8(to_vec(v).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_sorted_by_utf16_and_nothing_is_padded() {
        assert_eq!(text(&json!({"b": [1, null, true], "a": "x\u{1}\"", "": {}})), r#"{"":{},"a":"x\u0001\"","b":[1,null,true]}"#);
        // U+FB33 sorts after U+1F600 in UTF-16 (RFC 8785 §3.2.3 example).
        assert_eq!(text(&json!({"\u{fb33}": 1, "\u{1f600}": 2})), "{\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn inexact_numbers_are_refused() {
        assert!(to_vec(&json!(1.5)).is_err());
        assert!(to_vec(&json!(1_u64 << 53)).is_err());
        assert_eq!(text(&json!(-9_007_199_254_740_991_i64)), "-9007199254740991");
    }
}
