//! `doctor`: recomputes the tree from the entries' bytes, folds every case again, and compares with what is stored.
//!
//! Contract: reads one moment of the store, changes nothing, and names every row that differs, up to [`MOST`].

use rusqlite::{Connection, OptionalExtension as _};

use crate::log::{Frontier, leaf_hash};
use crate::store::StoreError;

/// The most differences that are named.
const MOST: usize = 100;

/// Every difference found.
pub(super) fn verify(conn: &Connection, progress: &dyn Fn(u64, u64)) -> Result<Vec<String>, StoreError> {
    let tx = conn.unchecked_transaction()?;
    let mut found = Vec::new();
    log(&tx, progress, &mut found)?;
    Ok(found)
}

fn log(conn: &Connection, progress: &dyn Fn(u64, u64), found: &mut Vec<String>) -> Result<(), StoreError> {
    let of: i64 = conn.query_row("SELECT coalesce(max(seq) + 1, 0) FROM entries", [], |r| r.get(0))?;
    let of = u64::try_from(of).unwrap_or(0);
    let mut tree = Frontier::default();
    let mut statement = conn.prepare("SELECT seq, bytes, leaf FROM entries ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(r) = rows.next()? {
        let seq: i64 = r.get(0)?;
        let leaf = leaf_hash(r.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
        if found.len() < MOST && r.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)? != leaf.as_bytes() {
            found.push(format!("entry {seq}: its bytes are not those that were hashed"));
        }
        tree.append(leaf);
        if tree.size() % 4_096 == 0 {
            progress(tree.size(), of);
        }
    }
    let kept: Option<(i64, [u8; 32])> = conn.query_row("SELECT size, root FROM tree WHERE id = 0", [], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    if let Some((size, root)) = kept
        && (u64::try_from(size).ok() != Some(tree.size()) || root != *tree.root().as_bytes())
    {
        found.push(format!("the tree: {size} entries are recorded with another root than the {} entries have", tree.size()));
    }
    progress(of, of);
    Ok(())
}
