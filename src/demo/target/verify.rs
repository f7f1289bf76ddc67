//! Verification of Standard Webhooks, written from the specification for the receiving side.
//!
//! Contract: accepts a message only if one of its `v1` signatures is right and its timestamp within the tolerance. Knows nothing about the
//! sending side's code.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::Time;

/// Checks signatures.
pub struct Verifier {
    key: hmac::Key,
    tolerance: i64,
}

impl Verifier {
    /// With a secret as it is written (`whsec_` and base64); nothing if it is none.
    pub fn new(secret: &str, tolerance: Duration) -> Option<Self> {
        let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
        let tolerance = i64::try_from(tolerance.as_secs()).ok()?;
        (!bytes.is_empty()).then(|| Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), tolerance })
    }

    /// Whether the headers sign this payload now.
    pub fn accepts(&self, headers: &HeaderMap, payload: &[u8], now: Time) -> bool {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let (Some(id), Some(timestamp), Some(signatures)) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")) else {
            return false;
        };
        let Ok(at) = timestamp.parse::<i64>() else { return false };
        if at.abs_diff(now.timestamp()) > self.tolerance.unsigned_abs() {
            return false;
        }
        let mut signed = format!("{id}.{timestamp}.").into_bytes();
        signed.extend_from_slice(payload);
        signatures.split(' ').take(8).filter_map(|s| s.strip_prefix("v1,")).filter_map(|s| STANDARD.decode(s).ok()).any(|tag| {
            // `verify` compares in constant time.
            hmac::verify(&self.key, &signed, &tag).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_example_of_the_specification_and_nothing_near_it() {
        let verifier = Verifier::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Duration::from_mins(5)).unwrap();
        let headers = |signature: &str| {
            let mut map = HeaderMap::new();
            map.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap());
            map.insert("webhook-timestamp", "1614265330".parse().unwrap());
            map.insert("webhook-signature", signature.parse().unwrap());
            map
        };
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let at = |s: i64| chrono::DateTime::from_timestamp(1_614_265_330 + s, 0).unwrap();
        let body = b"{\"test\": 2432232314}";
        assert!(verifier.accepts(&headers(good), body, at(0)));
        assert!(verifier.accepts(&headers(&format!("v1,AAAA {good}")), body, at(300)));
        assert!(!verifier.accepts(&headers(good), body, at(301)));
        assert!(!verifier.accepts(&headers(good), body, at(-301)));
        assert!(!verifier.accepts(&headers(good), b"{\"test\": 2432232315}", at(0)));
        assert!(!verifier.accepts(&headers(&good.replace("v1,", "v2,")), body, at(0)));
        assert!(!verifier.accepts(&HeaderMap::new(), body, at(0)));
    }
}
