//! The Merkle tree over canonical entries (RFC 6962): leaf and node hashes, roots. Knows bytes, not cases.
