//! When cases are due, written anew where an older version of the program derived it otherwise.
//!
//! Contract: a case's row then says what its entries make, as if it had been written now. Knows nothing about what becomes of a due case.

use rusqlite::{Connection, params};

use super::rows::{self, Ordinal as _, millis};
use crate::base::ids::CaseId;
use crate::domain::vocabulary::Risk;
use crate::store::StoreError;

/// Writes the due times of every case that is open or held: of all others they are derived as ever.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let keys: Vec<i64> = {
        let mut all = conn.prepare("SELECT id FROM cases WHERE held = 1 OR ended = 0")?;
        all.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?
    };
    for id in keys.into_iter().filter_map(CaseId::from_key) {
        let Some(case) = super::reads::fold(conn, id)? else { continue };
        // The columns of a row are those of this version, and some of them come later.
        let risk: i64 = conn.prepare_cached("SELECT risk FROM cases WHERE id = ?1")?.query_row([id.key()], |r| r.get(0))?;
        let Some(risk) = Risk::at(risk) else { continue };
        let due = case.deadline();
        conn.prepare_cached("UPDATE cases SET k_due = ?2, k_risk = ?3, next_due = ?4 WHERE id = ?1")?.execute(params![
            id.key(),
            rows::key_due(due),
            rows::key_risk(risk, due),
            case.next_due().map(millis)
        ])?;
    }
    Ok(())
}
