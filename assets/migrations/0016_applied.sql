-- A policy comes into force when its proposal does: the entry that applies it names the proposal, and the proposal's own entry names the policy.

DROP TRIGGER in_force_next;
-- What took effect while no row was written for it.
INSERT INTO in_force SELECT (SELECT max(seq) FROM entries), unhex(json_extract(body, '$.policy')) FROM register
    WHERE length(unhex(json_extract(body, '$.policy'))) = 32
      AND unhex(json_extract(body, '$.policy')) IS NOT (SELECT policy FROM in_force ORDER BY seq DESC LIMIT 1);
CREATE TRIGGER in_force_next BEFORE INSERT ON in_force
WHEN EXISTS (SELECT 1 FROM in_force WHERE seq >= NEW.seq)
  OR lower(hex(NEW.policy)) IS NOT (
    SELECT CASE json_extract(CAST(e.bytes AS TEXT), '$.body.event')
        WHEN 'founded' THEN json_extract(CAST(e.bytes AS TEXT), '$.body.policy')
        WHEN 'changed' THEN iif(json_extract(CAST(e.bytes AS TEXT), '$.body.change.change') = 'set_policy',
                                json_extract(CAST(e.bytes AS TEXT), '$.body.change.to.policy'), NULL)
        WHEN 'proposal_applied' THEN (
            SELECT iif(json_extract(CAST(p.bytes AS TEXT), '$.body.change.change') = 'set_policy',
                       json_extract(CAST(p.bytes AS TEXT), '$.body.change.to.policy'), NULL)
            FROM entries p
            WHERE p.case_key IS NULL AND p.seq < e.seq AND json_extract(CAST(p.bytes AS TEXT), '$.body.event') = 'proposed'
              AND json_extract(CAST(p.bytes AS TEXT), '$.body.proposal') = json_extract(CAST(e.bytes AS TEXT), '$.body.proposal')
            ORDER BY p.seq DESC LIMIT 1) END
    FROM entries e WHERE e.seq = NEW.seq AND e.case_key IS NULL)
BEGIN SELECT RAISE(ABORT, 'the policy in force is what an entry of the register says, and the newest of them'); END;

-- Lanes took its place; files that had lanes before kept it.
DROP INDEX IF EXISTS outbox_available;
