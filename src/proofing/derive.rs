//! Codes, links and words that are derived from a case and a session with a key that lies outside the database.
//!
//! Contract: equal inputs give equal secrets; without the key none can be told from random. Comparing takes the same time whatever was
//! typed. A link finds its place but does nothing by itself (T25). Knows nothing about lifetimes or attempts: those are the case's.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::base::Digest;
use crate::base::ids::{CaseId, SessionId};

/// The least key material accepted, in bytes.
pub const MIN_KEY: usize = 32;
/// Digits of an issued code (standards.md, §4.2.1.2: at least 6; we issue 8).
pub const CODE_DIGITS: usize = 8;
/// Length of a link's token in characters: 8 bytes of case number and 24 bytes (192 bits) of HMAC.
pub const TOKEN_LEN: usize = 43;

/// Letters of the "this wasn't me" word.
pub const WORD_LEN: usize = 6;

const CODE_SPACE: u64 = 100_000_000;
/// Letters of the "this wasn't me" word; chosen so that it can be said over the telephone.
const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// Why keys could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key material for codes must have at least {MIN_KEY} bytes")]
pub struct KeyError;

/// The key that codes, links and trust roots are derived with.
#[derive(Clone)]
pub struct Keys {
    key: hmac::Key,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    /// The page on which the subject types a code.
    Proof,
    /// The page on which a manager or owner answers.
    Attestation,
    /// The page of "this wasn't me".
    NotMe,
}

impl Page {
    const fn label(self) -> &'static str {
        match self {
            Self::Proof => "link-proof",
            Self::Attestation => "link-attestation",
            Self::NotMe => "link-not-me",
        }
    }
}

impl Keys {
    /// Keys over this material.
    pub fn new(material: &[u8]) -> Result<Self, KeyError> {
        if material.len() < MIN_KEY {
            return Err(KeyError);
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, material) })
    }

    /// HMAC-SHA256 over a label and parts, each with its length in front, so that no two lists of parts give the same bytes.
    pub(super) fn derive(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    fn of_session(&self, label: &str, case: CaseId, session: &str) -> [u8; 32] {
        self.derive(label, &[&case.key().to_be_bytes(), session.as_bytes()])
    }

    fn digits(&self, case: CaseId, session: &SessionId) -> Zeroizing<String> {
        let bytes = self.of_session("issued-code", case, session.as_str());
        let mut first = [0; 8];
        first.copy_from_slice(&bytes[..8]);
        // 2^64 is 1.8e11 times the space: the bias is below 1e-11.
        Zeroizing::new(format!("{:08}", u64::from_be_bytes(first) % CODE_SPACE))
    }

    /// The code of a session as it is sent: `1234 5678`.
    pub fn issued_code(&self, case: CaseId, session: &SessionId) -> Zeroizing<String> {
        let digits = self.digits(case, session);
        Zeroizing::new(format!("{} {}", &digits[..4], &digits[4..]))
    }

    /// Whether a typed text is the session's code; blanks and hyphens between digits do not matter.
    pub fn is_issued_code(&self, case: CaseId, session: &SessionId, typed: &str) -> bool {
        let typed: Zeroizing<String> = Zeroizing::new(typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect());
        same(self.digits(case, session).as_bytes(), typed.as_bytes())
    }

    /// The token of a link to the page of a session.
    pub fn token(&self, page: Page, case: CaseId, session: &SessionId) -> String {
        self.any_token(page, case, session.as_str())
    }

    /// The token of the "this wasn't me" link in what is sent to one recorded address, named by its id.
    pub fn not_me_token(&self, case: CaseId, address: &str) -> String {
        self.any_token(Page::NotMe, case, address)
    }

    fn any_token(&self, page: Page, case: CaseId, id: &str) -> String {
        let mac = self.of_session(page.label(), case, id);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&case.key().to_be_bytes());
        bytes[8..].copy_from_slice(&mac[..24]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether a token is that of this page and session.
    pub fn is_token(&self, page: Page, case: CaseId, session: &SessionId, token: &str) -> bool {
        same(self.token(page, case, session).as_bytes(), token.as_bytes())
    }

    /// Whether a token is that of the "this wasn't me" link sent to this address.
    pub fn is_not_me_token(&self, case: CaseId, address: &str, token: &str) -> bool {
        same(self.not_me_token(case, address).as_bytes(), token.as_bytes())
    }

    /// The word printed in what is sent to one address: it can cause a hold and nothing else (invariant 13).
    pub fn not_me_word(&self, case: CaseId, address: &str) -> String {
        let bytes = self.of_session("not-me-word", case, address);
        let pick = |i: usize, from: &[u8]| char::from(from[usize::from(bytes[i]) % from.len()]);
        [pick(0, CONSONANTS), pick(1, VOWELS), pick(2, CONSONANTS), pick(3, VOWELS), pick(4, CONSONANTS), pick(5, VOWELS)].iter().collect()
    }

    /// Whether a typed text is that word, in either letter case.
    pub fn is_not_me_word(&self, case: CaseId, address: &str, typed: &str) -> bool {
        let typed: String = typed.trim().chars().take(64).collect::<String>().to_lowercase();
        same(self.not_me_word(case, address).as_bytes(), typed.as_bytes())
    }

    /// A proof, for a cookie, that the right code of a session was typed at a time; see [`Keys::is_pass`].
    pub fn pass(&self, case: CaseId, session: &SessionId, until_millis: i64) -> String {
        let mac = self.derive("pass", &[&case.key().to_be_bytes(), session.as_str().as_bytes(), &until_millis.to_be_bytes()]);
        format!("{until_millis}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// Whether a pass was given for this session and still counts.
    pub fn is_pass(&self, case: CaseId, session: &SessionId, pass: &str, now_millis: i64) -> bool {
        let until = pass.split_once('.').and_then(|(until, _)| until.parse::<i64>().ok()).unwrap_or(i64::MIN);
        same(self.pass(case, session, until).as_bytes(), pass.as_bytes()) && until > now_millis
    }

    /// A digest under the key, for other places of the house that need a salted one (trust roots, rate-limit keys).
    pub fn salted(&self, label: &str, text: &str) -> Digest {
        Digest::from(self.derive(label, &[text.as_bytes()]))
    }
}

/// The case a token names, whether or not the token is good.
pub fn case_of(token: &str) -> Option<CaseId> {
    if token.len() != TOKEN_LEN {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let key: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    CaseId::from_key(i64::from_be_bytes(key))
}

/// Compares in constant time; lengths are no secret.
fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new(&[7; 32]).unwrap()
    }

    fn case() -> CaseId {
        CaseId::new(2026, 4127)
    }

    fn session(text: &str) -> SessionId {
        SessionId::parse(text).unwrap()
    }

    #[test]
    fn a_code_is_eight_digits_the_same_again_and_another_for_every_case_session_and_key() {
        let code = keys().issued_code(case(), &session("ses-1"));
        assert_eq!(*code, *keys().issued_code(case(), &session("ses-1")));
        assert!(code.len() == 9 && code.as_bytes()[4] == b' ' && code.bytes().filter(u8::is_ascii_digit).count() == 8);
        let others = [
            keys().issued_code(case(), &session("ses-2")),
            keys().issued_code(CaseId::new(2026, 4128), &session("ses-1")),
            Keys::new(&[8; 32]).unwrap().issued_code(case(), &session("ses-1")),
        ];
        assert!(others.iter().all(|o| **o != *code));
        assert!(Keys::new(&[7; 31]).is_err());
    }

    #[test]
    fn only_the_code_of_the_session_is_taken_with_or_without_its_blank() {
        let code = keys().issued_code(case(), &session("ses-1"));
        for typed in [code.to_string(), code.replace(' ', ""), code.replace(' ', "-"), format!(" {} ", *code)] {
            assert!(keys().is_issued_code(case(), &session("ses-1"), &typed), "{typed}");
        }
        for typed in ["", "00000000", "x", &code[..8], &format!("{}1", *code), &"1".repeat(5000)] {
            assert!(!keys().is_issued_code(case(), &session("ses-1"), typed), "{typed}");
        }
        assert!(!keys().is_issued_code(case(), &session("ses-2"), &code));
    }

    #[test]
    fn a_token_names_its_case_and_opens_one_page_of_one_session() {
        let token = keys().token(Page::Proof, case(), &session("ses-1"));
        assert_eq!((token.len(), case_of(&token)), (TOKEN_LEN, Some(case())));
        assert!(keys().is_token(Page::Proof, case(), &session("ses-1"), &token));
        assert!(!keys().is_token(Page::Attestation, case(), &session("ses-1"), &token));
        assert!(!keys().is_token(Page::Proof, case(), &session("ses-2"), &token));
        assert!(!keys().is_token(Page::Proof, CaseId::new(2026, 1), &session("ses-1"), &token));
        for bad in ["", "x", &"A".repeat(43), &"!".repeat(43), &"_".repeat(43), &"A".repeat(4300)] {
            assert!(case_of(bad).is_none_or(|c| c != case()), "{bad}");
        }
    }

    #[test]
    fn the_word_is_short_not_in_its_link_and_another_for_every_endpoint() {
        let word = keys().not_me_word(case(), "e1");
        assert!(word.len() == 6 && !keys().not_me_token(case(), "e1").contains(&word));
        assert_ne!(word, keys().not_me_word(case(), "e2"));
        assert!(keys().is_not_me_word(case(), "e1", &format!(" {} ", word.to_uppercase())));
        assert!(!keys().is_not_me_word(case(), "e2", &word) && !keys().is_not_me_word(case(), "e1", ""));
    }

    #[test]
    fn a_pass_ends() {
        let pass = keys().pass(case(), &session("ses-1"), 1000);
        assert!(keys().is_pass(case(), &session("ses-1"), &pass, 999));
        assert!(!keys().is_pass(case(), &session("ses-1"), &pass, 1000));
        assert!(!keys().is_pass(case(), &session("ses-2"), &pass, 999));
        assert!(!keys().is_pass(case(), &session("ses-1"), &pass.replace("1000", "9000"), 999));
        assert!(!keys().is_pass(case(), &session("ses-1"), "", 0));
    }
}
