//! Trust roots: what a receipt rests on, as a salted digest that is equal for the same mailbox or contact whatever it is called.
//!
//! Contract: two endpoints that lead to one mailbox have one root (invariant 5: receipts count as two only if their roots differ). When in
//! doubt addresses are taken for the same: that asks for more proof, never for less. Knows nothing about receipts.

use super::derive::Keys;
use crate::base::ids::{PersonId, SubjectId};
pub use crate::base::mailbox::mailbox;
use crate::domain::case::TrustRoot;
use crate::domain::vocabulary::TrustRootKind;

impl Keys {
    /// The root of what is proved over a mail address.
    pub fn mailbox_root(&self, address: &str) -> TrustRoot {
        TrustRoot { kind: TrustRootKind::Mailbox, sha256: self.salted("root-mailbox", &mailbox(address)) }
    }

    /// The root of what a person attests over a mail address: the mailbox, whoever reads it. Two persons with one mailbox are one root, and
    /// so are an owner and the recorded address of what they own.
    pub fn attester_root(&self, address: &str) -> TrustRoot {
        TrustRoot { kind: TrustRootKind::Contact, sha256: self.mailbox_root(address).sha256 }
    }

    /// The root of what is proved with a subject's saved codes: all of a set are one.
    pub fn code_set_root(&self, subject: &SubjectId) -> TrustRoot {
        TrustRoot { kind: TrustRootKind::CodeSet, sha256: self.salted("root-code-set", subject.as_str()) }
    }

    /// The root of what a person attests whose mailbox is not known.
    pub fn contact_root(&self, person: &PersonId) -> TrustRoot {
        TrustRoot { kind: TrustRootKind::Contact, sha256: self.salted("root-contact", person.as_str()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_root_however_it_is_written() {
        let keys = Keys::new(&[1; 32]).unwrap();
        let root = keys.mailbox_root("M.Okafor@Corp.Example");
        for same in ["m.okafor@corp.example", " mokafor@corp.example ", "m.okafor+recovery@corp.example", "M.OKAFOR@CORP.EXAMPLE."] {
            assert_eq!(keys.mailbox_root(same), root, "{same}");
        }
        for other in ["m.okafor@other.example", "okafor@corp.example", "m.okafor", ""] {
            assert_ne!(keys.mailbox_root(other), root, "{other}");
        }
        assert_eq!(keys.mailbox_root("a@bücher.example"), keys.mailbox_root("a@xn--bcher-kva.example"));
        assert_ne!(Keys::new(&[2; 32]).unwrap().mailbox_root("m.okafor@corp.example"), root);
        assert_ne!(keys.code_set_root(&SubjectId::parse("a").unwrap()).sha256, keys.contact_root(&PersonId::parse("a").unwrap()).sha256);
    }
}
