//! The Merkle tree over canonical entries (RFC 6962 §2.1): leaf and node hashes, and a root that grows by O(log n) work an entry.
//!
//! Contract: pure. A tree of the same entries has the same root here as in any other RFC 6962 implementation. Knows bytes, not cases,
//! and nothing about where entries are kept.

use crate::base::Digest;

/// The hash of an entry: `SHA-256(0x00 || entry)` (RFC 6962 §2.1).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hasher.update(&[0]);
    hasher.update(entry);
    finish(hasher)
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)` (RFC 6962 §2.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    finish(hasher)
}

fn finish(hasher: aws_lc_rs::digest::Context) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hasher.finish().as_ref());
    Digest::from(bytes)
}

/// Why stored bytes are no frontier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frontier of {size} entries has {expected} nodes of 32 bytes, not {found} bytes")]
pub struct FrontierError {
    size: u64,
    expected: u32,
    found: usize,
}

/// The right edge of a tree: the roots of its complete subtrees, largest first. All that appending and the root need; at most 64 nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Digest>,
}

impl Frontier {
    /// How many entries the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes in the next entry's leaf hash.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        let mut rest = self.size;
        while rest & 1 == 1 {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
            rest >>= 1;
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// The root: of no entries `SHA-256("")` (RFC 6962 §2.1).
    pub fn root(&self) -> Digest {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return Digest::of(b"") };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The nodes' bytes, one after the other, for keeping.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.nodes.iter().flat_map(|n| *n.as_bytes()).collect()
    }

    /// The inverse of [`Frontier::to_bytes`].
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, FrontierError> {
        let (chunks, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || chunks.len() != size.count_ones() as usize {
            return Err(FrontierError { size, expected: size.count_ones(), found: bytes.len() });
        }
        Ok(Self { size, nodes: chunks.iter().map(|c| Digest::from(*c)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eight entries and roots that Certificate Transparency implementations test against.
    const ENTRIES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"PQRSTUVW",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_the_ones_certificate_transparency_publishes() {
        let mut tree = Frontier::default();
        assert_eq!(tree.root().to_string(), ROOTS[0]);
        for (entry, root) in ENTRIES.iter().zip(&ROOTS[1..]) {
            tree.append(leaf_hash(entry));
            assert_eq!(tree.root().to_string(), *root, "after {} entries", tree.size());
        }
    }

    /// The definition of RFC 6962 §2.1, word for word.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&by_definition(&many[..split]), &by_definition(&many[split..]))
            }
        }
    }

    #[test]
    fn a_frontier_agrees_with_the_definition_and_survives_keeping() {
        let (mut tree, mut leaves) = (Frontier::default(), Vec::new());
        for i in 0..200_u32 {
            let leaf = leaf_hash(&i.to_be_bytes());
            leaves.push(leaf);
            tree.append(leaf);
            assert_eq!(tree.root(), by_definition(&leaves));
            assert_eq!(Frontier::from_bytes(tree.size(), &tree.to_bytes()).as_ref(), Ok(&tree));
        }
        assert!(Frontier::from_bytes(tree.size() - 1, &tree.to_bytes()).is_err());
        assert!(Frontier::from_bytes(1, &[0; 31]).is_err());
    }
}
