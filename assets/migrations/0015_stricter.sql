-- The database's own rules go as far back as the rules do: by the policy of a case or by the one in force, whichever goes further. Which ones were
-- in force is kept in rows of their own, so that a decision need not read the register; each stands on the entry that put it there.

CREATE TABLE in_force (
    seq    INTEGER PRIMARY KEY,
    policy BLOB NOT NULL CHECK (length(policy) = 32)
) STRICT;
-- Of a database from before: the one in force now.
INSERT INTO in_force SELECT (SELECT max(seq) FROM entries), unhex(json_extract(body, '$.policy')) FROM register
    WHERE length(unhex(json_extract(body, '$.policy'))) = 32;
CREATE TRIGGER in_force_next BEFORE INSERT ON in_force
WHEN EXISTS (SELECT 1 FROM in_force WHERE seq >= NEW.seq)
  OR lower(hex(NEW.policy)) IS NOT (
    SELECT CASE json_extract(CAST(bytes AS TEXT), '$.body.event')
        WHEN 'founded' THEN json_extract(CAST(bytes AS TEXT), '$.body.policy')
        WHEN 'changed' THEN iif(json_extract(CAST(bytes AS TEXT), '$.body.change.change') = 'set_policy',
                                json_extract(CAST(bytes AS TEXT), '$.body.change.to.policy'), NULL) END
    FROM entries WHERE seq = NEW.seq AND case_key IS NULL)
BEGIN SELECT RAISE(ABORT, 'the policy in force is what an entry of the register says, and the newest of them'); END;
CREATE TRIGGER in_force_kept BEFORE UPDATE ON in_force BEGIN SELECT RAISE(ABORT, 'which policies were in force is never changed'); END;
CREATE TRIGGER in_force_stay BEFORE DELETE ON in_force BEGIN SELECT RAISE(ABORT, 'which policies were in force is never changed'); END;

DROP TRIGGER approvals_separate;
-- The closure: hands of this case and of those it is linked with, however far, and whoever they stand for or who stands for them.
CREATE TRIGGER approvals_separate BEFORE INSERT ON approvals
WHEN 'person ' || NEW.person IN (
    WITH RECURSIVE
      chain (k) AS (SELECT NEW.case_key UNION SELECT linked FROM links JOIN chain ON links.case_key = chain.k),
      present (lineage) AS (SELECT coalesce((SELECT p.lineage FROM in_force i JOIN policies p ON p.sha256 = i.policy ORDER BY i.seq DESC LIMIT 1), 0)),
      horizon (back) AS (SELECT min(r.at) - max(max(p.lineage), (SELECT lineage FROM present)) FROM routes r JOIN policies p ON p.sha256 = r.policy
                         WHERE r.case_key IN (SELECT k FROM chain)),
      hand (who) AS (
        SELECT 'person ' || person FROM lineage WHERE case_key IN (SELECT k FROM chain)
        UNION SELECT 'automation ' || automation FROM machines WHERE case_key IN (SELECT k FROM chain)
        UNION SELECT t.to_who FROM hand JOIN ties t ON t.from_who = hand.who
              WHERE t.until IS NULL OR t.until >= (SELECT back FROM horizon))
    SELECT who FROM hand)
BEGIN SELECT RAISE(ABORT, 'no one in the lineage decides'); END;

DROP TRIGGER executions_approved;
-- The same closure, written out again (as in the first migration, for the same reason).
CREATE TRIGGER executions_approved BEFORE INSERT ON executions
WHEN NEW.begun = 1 AND (SELECT count(DISTINCT a.person) FROM approvals a
      WHERE a.case_key = NEW.case_key AND a.seal = NEW.seal AND a.decision = 0 AND a.valid_until > NEW.at
        AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.approval = a.id)
        AND 'person ' || a.person NOT IN (
            WITH RECURSIVE
              chain (k) AS (SELECT NEW.case_key UNION SELECT linked FROM links JOIN chain ON links.case_key = chain.k),
              present (lineage) AS (SELECT coalesce((SELECT p.lineage FROM in_force i JOIN policies p ON p.sha256 = i.policy ORDER BY i.seq DESC LIMIT 1), 0)),
              horizon (back) AS (SELECT min(r.at) - max(max(p.lineage), (SELECT lineage FROM present)) FROM routes r JOIN policies p
                                 ON p.sha256 = r.policy WHERE r.case_key IN (SELECT k FROM chain)),
              hand (who) AS (
                SELECT 'person ' || person FROM lineage WHERE case_key IN (SELECT k FROM chain)
                UNION SELECT 'automation ' || automation FROM machines WHERE case_key IN (SELECT k FROM chain)
                UNION SELECT t.to_who FROM hand JOIN ties t ON t.from_who = hand.who
                      WHERE t.until IS NULL OR t.until >= (SELECT back FROM horizon))
            SELECT who FROM hand))
   < (SELECT needed FROM seals WHERE case_key = NEW.case_key ORDER BY revision DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'an execution needs enough live approvals of distinct persons outside the lineage'); END;
