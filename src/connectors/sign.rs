//! Signatures of Standard Webhooks (standardwebhooks.com, symmetric `v1`): HMAC-SHA256 over `id.timestamp.payload`.
//!
//! Contract: signs; what a receiver checks is in the specification and needs nothing of ours. Knows nothing about what is sent.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// The specification asks for 24 to 64 bytes of secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret looks like whsec_ and the base64 of 24 to 64 random bytes")]
pub struct SecretError;

/// Signs messages to one receiver.
#[derive(Clone)]
pub struct Signer {
    key: hmac::Key,
}

impl Signer {
    /// A signer with a secret in the form `whsec_...`.
    pub fn new(secret: &SecretString) -> Result<Self, SecretError> {
        let encoded = secret.expose_secret().strip_prefix("whsec_").ok_or(SecretError)?;
        let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError)?);
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(SecretError);
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: i64, payload: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(payload);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }

    /// The three headers of a message.
    pub fn headers(&self, id: &str, timestamp: i64, payload: &[u8]) -> Vec<(&'static str, String)> {
        vec![("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp.to_string()), ("webhook-signature", self.sign(id, timestamp, payload))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_the_example_of_the_specification() {
        let signer = Signer::new(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn weak_or_malformed_secrets_are_refused() {
        for bad in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!"] {
            assert!(Signer::new(&SecretString::from(bad)).is_err(), "{bad}");
        }
    }
}
