-- Who took an approval back decides the same seal anew: a person counts once, and what counts no more stays in the record. The table is made
-- again because its own constraint let each decision of a person stand there only once; everything else about it is as before.

DROP TRIGGER voids_of_approvals;
DROP TRIGGER executions_approved;
DROP TRIGGER executions_not_denied;
CREATE TABLE approvals_kept_so_far (
    id           TEXT PRIMARY KEY,
    case_key     INTEGER NOT NULL,
    seal         BLOB NOT NULL CHECK (length(seal) = 32),
    person       TEXT NOT NULL CHECK (person <> ''),
    operator     TEXT NOT NULL CHECK (operator <> ''),
    actor        TEXT NOT NULL CONSTRAINT "only a person at an account decides" CHECK (actor = 'operator'),
    actor_person TEXT NOT NULL CONSTRAINT "a decision is its maker's own" CHECK (actor_person = person),
    decision     INTEGER NOT NULL CHECK (decision IN (0, 1)),
    at           INTEGER NOT NULL,
    valid_until  INTEGER NOT NULL,
    seq          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO approvals_kept_so_far SELECT * FROM approvals;
DROP TABLE approvals;
ALTER TABLE approvals_kept_so_far RENAME TO approvals;
CREATE INDEX approvals_of_seal ON approvals (case_key, seal, person);
CREATE INDEX approvals_by_time ON approvals (at);
CREATE TRIGGER approvals_once BEFORE INSERT ON approvals
WHEN EXISTS (SELECT 1 FROM approvals WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM approvals a WHERE a.case_key = NEW.case_key AND a.seal = NEW.seal AND a.person = NEW.person
             AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.approval = a.id))
BEGIN SELECT RAISE(ABORT, 'a person decides a seal once'); END;
CREATE TRIGGER approvals_separate BEFORE INSERT ON approvals
WHEN 'person ' || NEW.person IN (
    WITH RECURSIVE
      chain (k) AS (SELECT NEW.case_key UNION SELECT linked FROM links JOIN chain ON links.case_key = chain.k),
      horizon (back) AS (SELECT min(r.at) - max(p.lineage) FROM routes r JOIN policies p ON p.sha256 = r.policy
                         WHERE r.case_key IN (SELECT k FROM chain)),
      hand (who) AS (
        SELECT 'person ' || person FROM lineage WHERE case_key IN (SELECT k FROM chain)
        UNION SELECT 'automation ' || automation FROM machines WHERE case_key IN (SELECT k FROM chain)
        UNION SELECT t.to_who FROM hand JOIN ties t ON t.from_who = hand.who
              WHERE t.until IS NULL OR t.until >= (SELECT back FROM horizon))
    SELECT who FROM hand)
BEGIN SELECT RAISE(ABORT, 'no one in the lineage decides'); END;
CREATE TRIGGER approvals_own_account BEFORE INSERT ON approvals
WHEN NOT EXISTS (SELECT 1 FROM accounts WHERE operator = NEW.operator AND person = NEW.person)
BEGIN SELECT RAISE(ABORT, 'a decision names the account of the person who makes it'); END;
CREATE TRIGGER approvals_of_last_seal BEFORE INSERT ON approvals
WHEN NEW.seal IS NOT (SELECT sha256 FROM seals WHERE case_key = NEW.case_key ORDER BY revision DESC LIMIT 1)
  OR (SELECT max(seq) FROM seals WHERE case_key = NEW.case_key) <= (SELECT max(seq) FROM routes WHERE case_key = NEW.case_key)
BEGIN SELECT RAISE(ABORT, 'a decision is about the last seal of its case'); END;
CREATE TRIGGER approvals_kept BEFORE UPDATE ON approvals BEGIN SELECT RAISE(ABORT, 'approvals are never changed'); END;
CREATE TRIGGER approvals_stay BEFORE DELETE ON approvals BEGIN SELECT RAISE(ABORT, 'approvals are never deleted'); END;
CREATE TRIGGER voids_of_approvals BEFORE INSERT ON voids
WHEN NOT EXISTS (SELECT 1 FROM approvals WHERE id = NEW.approval AND decision = 0)
BEGIN SELECT RAISE(ABORT, 'an approval can be void, a denial stands'); END;
CREATE TRIGGER executions_approved BEFORE INSERT ON executions
WHEN NEW.begun = 1 AND (SELECT count(DISTINCT a.person) FROM approvals a
      WHERE a.case_key = NEW.case_key AND a.seal = NEW.seal AND a.decision = 0 AND a.valid_until > NEW.at
        AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.approval = a.id)
        AND 'person ' || a.person NOT IN (
            WITH RECURSIVE
              chain (k) AS (SELECT NEW.case_key UNION SELECT linked FROM links JOIN chain ON links.case_key = chain.k),
              horizon (back) AS (SELECT min(r.at) - max(p.lineage) FROM routes r JOIN policies p ON p.sha256 = r.policy
                                 WHERE r.case_key IN (SELECT k FROM chain)),
              hand (who) AS (
                SELECT 'person ' || person FROM lineage WHERE case_key IN (SELECT k FROM chain)
                UNION SELECT 'automation ' || automation FROM machines WHERE case_key IN (SELECT k FROM chain)
                UNION SELECT t.to_who FROM hand JOIN ties t ON t.from_who = hand.who
                      WHERE t.until IS NULL OR t.until >= (SELECT back FROM horizon))
            SELECT who FROM hand))
   < (SELECT needed FROM seals WHERE case_key = NEW.case_key ORDER BY revision DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'an execution needs enough live approvals of distinct persons outside the lineage'); END;
CREATE TRIGGER executions_not_denied BEFORE INSERT ON executions
WHEN NEW.begun = 1 AND EXISTS (SELECT 1 FROM approvals a WHERE a.case_key = NEW.case_key AND a.seal = NEW.seal AND a.decision = 1
             AND NOT EXISTS (SELECT 1 FROM voids v WHERE v.approval = a.id))
BEGIN SELECT RAISE(ABORT, 'a denied seal is never carried out'); END;
