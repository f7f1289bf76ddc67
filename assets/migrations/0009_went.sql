-- Every target that a case was ever sent to: a case is linked with others by all of them, so that sending it elsewhere sheds no lineage. The
-- entries of cases that were sent on tell where these had been.
CREATE TABLE went (
    subject  TEXT NOT NULL,
    target   TEXT NOT NULL,
    case_key INTEGER NOT NULL,
    PRIMARY KEY (subject, target, case_key)
) STRICT, WITHOUT ROWID;

INSERT INTO went SELECT subject, target, id FROM cases;
WITH
  sent (key) AS (SELECT DISTINCT case_key FROM entries WHERE case_key IS NOT NULL AND instr(bytes, CAST('"event":"routed"' AS BLOB)) > 0),
  told (key, entry) AS (SELECT e.case_key, CAST(e.bytes AS TEXT) FROM sent s JOIN entries e ON e.case_key = s.key)
INSERT OR IGNORE INTO went
  SELECT json_extract(entry, '$.body.route.subject'), json_extract(entry, '$.body.route.target'), key FROM told
  WHERE json_extract(entry, '$.body.event') IN ('opened', 'routed');

CREATE TRIGGER went_once BEFORE INSERT ON went
WHEN EXISTS (SELECT 1 FROM went WHERE subject = NEW.subject AND target = NEW.target AND case_key = NEW.case_key) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER went_kept BEFORE UPDATE ON went BEGIN SELECT RAISE(ABORT, 'where a case went is never changed'); END;
CREATE TRIGGER went_stay BEFORE DELETE ON went BEGIN SELECT RAISE(ABORT, 'where a case went is never forgotten'); END;
