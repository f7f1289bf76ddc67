//! Saved recovery codes (standards.md, §4.2.1.1): 128 random bits in grouped base32, kept only as Argon2id hashes.
//!
//! Contract: a code is shown once, where it is made; afterwards only its hash exists. A code that was used is struck out and replaced by
//! the caller, in the same commit as the proof. Hashing takes milliseconds of work: call it off the async threads.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::base::ports::Random;

/// How many codes one set has.
pub const SET: usize = 10;
/// The most hashes that one typed code is compared with.
pub const MAX_HASHES: usize = 20;

/// Crockford's base32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code: 26 x 5 bits hold the 128.
const CHARACTERS: usize = 26;

/// The hash could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code could not be hashed")]
pub struct HashError;

/// A fresh code and its hash.
pub struct Fresh {
    /// As it is shown, once: `XXXXX-XXXXX-XXXXX-XXXXX-XXXXXX`.
    pub code: Zeroizing<String>,
    /// As it is kept, in PHC form.
    pub hash: String,
}

/// 8 MiB, one pass: the cost defends secrets that can be guessed, and 128 random bits can't (§3.1.2.2 asks a password hash only below 112).
fn hasher() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(8 * 1024, 1, 1, Some(32)).map_err(|_| HashError)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Makes one code.
pub fn fresh(random: &dyn Random) -> Result<Fresh, HashError> {
    let mut bits = Zeroizing::new([0_u8; 16]);
    random.fill(&mut *bits);
    let characters = encode(&bits);
    let mut salt = [0_u8; 16];
    random.fill(&mut salt);
    let hash: argon2::password_hash::phc::PasswordHash = hasher()?.hash_password_with_salt(characters.as_bytes(), &salt).map_err(|_| HashError)?;
    let groups: Vec<&str> = [0..5, 5..10, 10..15, 15..20, 20..26].into_iter().map(|r| &characters[r]).collect();
    Ok(Fresh { code: Zeroizing::new(groups.join("-")), hash: hash.to_string() })
}

/// Makes a set of so many, at most a whole one.
pub fn fresh_set(random: &dyn Random, codes: usize) -> Result<Vec<Fresh>, HashError> {
    (0..codes.min(SET)).map(|_| fresh(random)).collect()
}

/// Which of the hashes a typed code belongs to; all are looked at, so that time says nothing about the place.
pub fn matching<'a>(typed: &str, hashes: &'a [String]) -> Option<&'a String> {
    let typed = normalise(typed)?;
    let mut found = None;
    for hash in hashes.iter().take(MAX_HASHES) {
        // The parameters of each hash are its own (PHC), so older ones stay good.
        if PasswordVerifier::<str>::verify_password(&Argon2::default(), typed.as_bytes(), hash.as_str()).is_ok() {
            found = Some(hash);
        }
    }
    found
}

/// Whether a typed text has the shape of a saved code.
pub fn looks_like_one(typed: &str) -> bool {
    normalise(typed).is_some()
}

/// The characters of a typed code, in the one spelling that is hashed; people type small letters, O for 0 and I or L for 1.
fn normalise(typed: &str) -> Option<Zeroizing<String>> {
    let mut out = Zeroizing::new(String::with_capacity(CHARACTERS));
    for c in typed.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let c = match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        };
        if out.len() == CHARACTERS || !c.is_ascii() || !ALPHABET.contains(&u8::try_from(c).ok()?) {
            return None;
        }
        out.push(c);
    }
    (out.len() == CHARACTERS).then_some(out)
}

fn encode(bits: &[u8; 16]) -> Zeroizing<String> {
    let value = u128::from_be_bytes(*bits);
    let digit = |i: usize| {
        let shift = 5 * (CHARACTERS - 1 - i);
        char::from(ALPHABET[usize::try_from((value >> shift) & 31).unwrap_or(0)])
    };
    Zeroizing::new((0..CHARACTERS).map(digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ports::SystemRandom;

    #[test]
    fn a_code_is_found_among_its_hashes_however_it_is_typed_and_no_other_is() {
        let set: Vec<Fresh> = (0..3).map(|_| fresh(&SystemRandom).unwrap()).collect();
        let hashes: Vec<String> = set.iter().map(|f| f.hash.clone()).collect();
        assert!(hashes.iter().all(|h| h.starts_with("$argon2id$v=19$")));
        let code = set[1].code.to_string();
        for typed in [code.clone(), code.to_lowercase(), code.replace('-', " "), code.replace('0', "O").replace('1', "l")] {
            assert_eq!(matching(&typed, &hashes), Some(&hashes[1]), "{typed}");
        }
        let other = fresh(&SystemRandom).unwrap();
        assert_eq!(matching(&other.code, &hashes), None);
        for typed in ["", "x", "1234 5678", &code[..29], &format!("{code}0"), &"é".repeat(26), &code.replace(&code[..1], "U")] {
            assert!(!looks_like_one(typed) && matching(typed, &hashes).is_none(), "{typed}");
        }
        assert_eq!(matching(&code, &["not a hash".to_owned()]), None);
    }

    #[test]
    fn all_bits_of_a_code_count() {
        assert_eq!(*encode(&[0; 16]), "0".repeat(26));
        assert_eq!(*encode(&[255; 16]), format!("7{}", "Z".repeat(25)));
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(*encode(&one), format!("{}1", "0".repeat(25)));
    }
}
