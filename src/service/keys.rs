//! The server's own secret key, from which the nonces of statements come (codes and links have a key of their own: `proofing`); both lie outside the database.
//!
//! Contract: HMAC-SHA-256 under a label of its own for each use, so that no value of one use serves another. Knows nothing about
//! where the key is kept.

use aws_lc_rs::hmac;

/// The server's master key; never printed.
#[derive(Clone)]
pub struct Keys {
    master: [u8; 32],
}

impl Keys {
    /// Takes 32 bytes of key, as kept by the host outside the database.
    pub const fn new(master: [u8; 32]) -> Self {
        Self { master }
    }

    /// `HMAC-SHA-256(HMAC-SHA-256(master, label), data)`.
    pub fn mac(&self, label: &str, data: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key(label));
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&key, data).as_ref());
        out
    }

    /// A key of its own for one use, to hand to a room that derives more from it.
    pub fn key(&self, label: &str) -> [u8; 32] {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &self.master);
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&master, label.as_bytes()).as_ref());
        out
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_has_a_key_of_its_own_and_debug_shows_none() {
        let keys = Keys::new([7; 32]);
        assert_ne!(keys.mac("a", b"x"), keys.mac("b", b"x"));
        assert_ne!(keys.mac("a", b"x"), keys.mac("a", b"y"));
        assert_eq!(keys.mac("a", b"x"), Keys::new([7; 32]).mac("a", b"x"));
        assert_eq!(format!("{keys:?}"), "Keys(..)");
    }
}
