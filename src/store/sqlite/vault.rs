//! Texts beside the log, encrypted per case, so that one case's texts can be erased by forgetting its key (invariant 9).
//!
//! Contract: AES-256-GCM; each case has a random key, kept wrapped by the master key; a text's id is bound to its ciphertext. Knows
//! nothing about tables.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::base::Untrusted;
use crate::base::ids::{CaseId, TextId};
use crate::base::ports::Random;
use crate::store::StoreError;

/// What opens every case's key: 32 random bytes, kept by the operator of the server outside the database.
pub type MasterKey = Zeroizing<[u8; 32]>;

/// A case's own key, unwrapped.
pub(super) struct CaseKey(LessSafeKey);

/// Wraps and unwraps.
pub(super) struct Vault {
    master: LessSafeKey,
}

fn key(bytes: &[u8]) -> Result<LessSafeKey, StoreError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| StoreError::Damaged("a key has the wrong length".into()))
}

/// `nonce || ciphertext || tag`.
fn seal(key: &LessSafeKey, aad: &[u8], plain: &[u8], random: &dyn Random) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0_u8; NONCE_LEN];
    random.fill(&mut nonce);
    let mut body = plain.to_vec();
    let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body);
    if sealed.is_err() {
        body.zeroize();
        return Err(StoreError::Engine("encryption failed".into()));
    }
    let mut out = nonce.to_vec();
    out.extend(body);
    Ok(out)
}

fn open(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut body = body.to_vec();
    let len = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut body).ok()?.len();
    body.truncate(len);
    Some(body)
}

fn wrap_aad(case: CaseId) -> Vec<u8> {
    format!("countersign case key\0{case}").into_bytes()
}

fn text_aad(case: CaseId, text: &TextId) -> Vec<u8> {
    format!("countersign text\0{case}\0{text}").into_bytes()
}

const CHECK: &[u8] = b"countersign master key";

impl Vault {
    pub(super) fn new(master: &MasterKey) -> Result<Self, StoreError> {
        Ok(Self { master: key(master.as_slice())? })
    }

    /// What is kept so that another master key is noticed when the store is opened.
    pub(super) fn check_value(&self, random: &dyn Random) -> Result<Vec<u8>, StoreError> {
        seal(&self.master, CHECK, CHECK, random)
    }

    /// Whether the kept check value is of this master key.
    pub(super) fn fits(&self, check_value: &[u8]) -> bool {
        open(&self.master, CHECK, check_value).is_some()
    }

    /// A fresh key for a case, and what to keep of it.
    pub(super) fn new_case_key(&self, case: CaseId, random: &dyn Random) -> Result<(CaseKey, Vec<u8>), StoreError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        random.fill(bytes.as_mut_slice());
        let wrapped = seal(&self.master, &wrap_aad(case), bytes.as_slice(), random)?;
        Ok((CaseKey(key(bytes.as_slice())?), wrapped))
    }

    /// A case's key from what was kept of it.
    pub(super) fn case_key(&self, case: CaseId, wrapped: &[u8]) -> Result<CaseKey, StoreError> {
        let bytes = open(&self.master, &wrap_aad(case), wrapped).map(Zeroizing::new);
        let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("the key of {case} does not open")))?;
        Ok(CaseKey(key(&bytes)?))
    }
}

impl CaseKey {
    /// What is kept of a text: its salt goes with it, so that erasing leaves nothing to guess the digest from.
    pub(super) fn seal(&self, case: CaseId, id: &TextId, salt: [u8; 16], text: &Untrusted, random: &dyn Random) -> Result<Vec<u8>, StoreError> {
        let mut plain = Zeroizing::new(salt.to_vec());
        plain.extend_from_slice(text.raw().as_bytes());
        seal(&self.0, &text_aad(case, id), &plain, random)
    }

    /// The salt and the text.
    pub(super) fn open(&self, case: CaseId, id: &TextId, sealed: &[u8]) -> Result<([u8; 16], Untrusted), StoreError> {
        let damaged = || StoreError::Damaged(format!("text {id} of {case} does not open"));
        let plain = open(&self.0, &text_aad(case, id), sealed).ok_or_else(damaged)?;
        let (salt, text) = plain.split_first_chunk::<16>().ok_or_else(damaged)?;
        Ok((*salt, Untrusted::new(String::from_utf8(text.to_vec()).map_err(|_| damaged())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ports::SystemRandom;

    #[test]
    fn a_text_opens_only_in_its_place_and_with_its_keys() {
        let vault = Vault::new(&Zeroizing::new([7; 32])).unwrap();
        let (case, id) = (CaseId::new(2026, 1), TextId::parse("t-1").unwrap());
        let (key, wrapped) = vault.new_case_key(case, &SystemRandom).unwrap();
        let text = Untrusted::from("Zoë\u{1b}[31m");
        let sealed = key.seal(case, &id, [9; 16], &text, &SystemRandom).unwrap();
        let again = vault.case_key(case, &wrapped).unwrap();
        assert_eq!(again.open(case, &id, &sealed).unwrap(), ([9; 16], text));
        assert!(again.open(case, &TextId::parse("t-2").unwrap(), &sealed).is_err(), "moved to another id");
        assert!(vault.case_key(CaseId::new(2026, 2), &wrapped).is_err(), "moved to another case");
        let mut bent = sealed.clone();
        bent[20] ^= 1;
        assert!(again.open(case, &id, &bent).is_err(), "changed");
        assert!(again.open(case, &id, &sealed[..5]).is_err(), "cut");
        let other = Vault::new(&Zeroizing::new([8; 32])).unwrap();
        assert!(other.case_key(case, &wrapped).is_err(), "another master key");
        let check = vault.check_value(&SystemRandom).unwrap();
        assert!(vault.fits(&check) && !other.fits(&check));
    }
}
