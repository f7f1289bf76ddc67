-- The log, its tree, the projections, the duty rows, and what waits to be done. Times are milliseconds since 1970 UTC; words of the
-- vocabulary are their place in its list, which a test keeps from moving.

CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- The log ---------------------------------------------------------------------------------------------------------------------------

CREATE TABLE entries (
    seq      INTEGER PRIMARY KEY CHECK (seq >= 0),
    bytes    BLOB NOT NULL CHECK (length(bytes) BETWEEN 2 AND 65534),
    leaf     BLOB NOT NULL CHECK (length(leaf) = 32),
    case_key INTEGER,                     -- NULL: the register
    version  INTEGER NOT NULL CHECK (version >= 0)
) STRICT;
CREATE UNIQUE INDEX entries_of_case ON entries (case_key, version) WHERE case_key IS NOT NULL;

-- INSERT OR REPLACE passes the triggers on UPDATE and DELETE: only demanding the next number, and a version that is new, stops it.
CREATE TRIGGER entries_next BEFORE INSERT ON entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM entries)
BEGIN SELECT RAISE(ABORT, 'an entry takes the next place in the log and no other'); END;
CREATE TRIGGER entries_once BEFORE INSERT ON entries
WHEN NEW.case_key IS NOT NULL
 AND NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM entries WHERE case_key = NEW.case_key)
BEGIN SELECT RAISE(ABORT, 'an entry of a case takes its next version and no other'); END;
CREATE TRIGGER entries_kept BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;

CREATE TABLE tree (
    id       INTEGER PRIMARY KEY CHECK (id = 0),
    size     INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    root     BLOB NOT NULL CHECK (length(root) = 32),
    last_at  INTEGER NOT NULL
) STRICT;

-- Duty rows: the database's own knowledge of who may not decide --------------------------------------------------------------------------

CREATE TABLE lineage (
    case_key  INTEGER NOT NULL,
    person    TEXT NOT NULL CHECK (person <> ''),
    duty      INTEGER NOT NULL,
    via       TEXT NOT NULL,
    from_case INTEGER NOT NULL,           -- 0: this case
    seq       INTEGER NOT NULL,
    PRIMARY KEY (case_key, person, duty, via, from_case)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER lineage_once BEFORE INSERT ON lineage
WHEN EXISTS (SELECT 1 FROM lineage WHERE case_key = NEW.case_key AND person = NEW.person AND duty = NEW.duty AND via = NEW.via
             AND from_case = NEW.from_case)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER lineage_kept BEFORE UPDATE ON lineage BEGIN SELECT RAISE(ABORT, 'lineage is never changed'); END;
CREATE TRIGGER lineage_stays BEFORE DELETE ON lineage BEGIN SELECT RAISE(ABORT, 'lineage only grows'); END;

CREATE TABLE links (
    case_key INTEGER NOT NULL,
    linked   INTEGER NOT NULL CHECK (linked <> case_key),
    seq      INTEGER NOT NULL,
    PRIMARY KEY (case_key, linked)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER links_once BEFORE INSERT ON links
WHEN EXISTS (SELECT 1 FROM links WHERE case_key = NEW.case_key AND linked = NEW.linked) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER links_kept BEFORE UPDATE ON links BEGIN SELECT RAISE(ABORT, 'links between cases are never changed'); END;
CREATE TRIGGER links_stay BEFORE DELETE ON links BEGIN SELECT RAISE(ABORT, 'links between cases are never deleted'); END;

-- Which person an account belongs to: from the register, and for good.
CREATE TABLE accounts (operator TEXT PRIMARY KEY, person TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER accounts_once BEFORE INSERT ON accounts WHEN EXISTS (SELECT 1 FROM accounts WHERE operator = NEW.operator)
BEGIN SELECT RAISE(ABORT, 'an account belongs to one person for good'); END;
CREATE TRIGGER accounts_kept BEFORE UPDATE ON accounts BEGIN SELECT RAISE(ABORT, 'an account belongs to one person for good'); END;
CREATE TRIGGER accounts_stay BEFORE DELETE ON accounts BEGIN SELECT RAISE(ABORT, 'an account belongs to one person for good'); END;

-- Software that had a hand in a case; its owners are found when someone decides.
CREATE TABLE machines (
    case_key   INTEGER NOT NULL,
    automation TEXT NOT NULL CHECK (automation <> ''),
    seq        INTEGER NOT NULL,
    PRIMARY KEY (case_key, automation)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER machines_once BEFORE INSERT ON machines
WHEN EXISTS (SELECT 1 FROM machines WHERE case_key = NEW.case_key AND automation = NEW.automation) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER machines_kept BEFORE UPDATE ON machines BEGIN SELECT RAISE(ABORT, 'lineage is never changed'); END;
CREATE TRIGGER machines_stay BEFORE DELETE ON machines BEGIN SELECT RAISE(ABORT, 'lineage only grows'); END;

-- Who stands for whom: delegations, both ways, and software's owners and sponsors. `person <id>` or `automation <id>`. Kept when they end.
CREATE TABLE ties (
    from_who TEXT NOT NULL,
    to_who   TEXT NOT NULL,
    why      TEXT NOT NULL,               -- owner, sponsor, or the delegation's id
    since    INTEGER NOT NULL,
    until    INTEGER,                     -- NULL while it lasts; never earlier than when its end was recorded
    PRIMARY KEY (from_who, to_who, why)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ties_once BEFORE INSERT ON ties
WHEN EXISTS (SELECT 1 FROM ties WHERE from_who = NEW.from_who AND to_who = NEW.to_who AND why = NEW.why)
BEGIN SELECT RAISE(ABORT, 'who stood for whom is never rewritten'); END;
CREATE TRIGGER ties_kept BEFORE UPDATE ON ties
WHEN NEW.from_who <> OLD.from_who OR NEW.to_who <> OLD.to_who OR NEW.why <> OLD.why OR NEW.since > OLD.since
  OR NEW.until < coalesce(OLD.until, (SELECT last_at FROM tree), 0)
BEGIN SELECT RAISE(ABORT, 'who stood for whom is never rewritten'); END;
CREATE TRIGGER ties_stay BEFORE DELETE ON ties BEGIN SELECT RAISE(ABORT, 'who stood for whom is never rewritten'); END;

CREATE TABLE policies (
    sha256  BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    body    TEXT NOT NULL,
    lineage INTEGER NOT NULL CHECK (lineage >= 604800000), -- how far back ties count, in milliseconds; never under 7 days (invariant 2)
    linked  INTEGER NOT NULL CHECK (linked >= 86400000)    -- how far back other cases of the same subject and target count
) STRICT, WITHOUT ROWID;
CREATE TRIGGER policies_once BEFORE INSERT ON policies WHEN EXISTS (SELECT 1 FROM policies WHERE sha256 = NEW.sha256)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER policies_kept BEFORE UPDATE ON policies BEGIN SELECT RAISE(ABORT, 'policies are never changed'); END;
CREATE TRIGGER policies_stay BEFORE DELETE ON policies BEGIN SELECT RAISE(ABORT, 'policies are never deleted'); END;

-- The fewest persons that a policy lets decide a class of case, worked out from its text when it is kept.
CREATE TABLE needs (
    policy  BLOB NOT NULL REFERENCES policies (sha256),
    action  INTEGER NOT NULL,
    path    INTEGER NOT NULL,
    tier    TEXT NOT NULL,
    persons INTEGER NOT NULL,
    PRIMARY KEY (policy, action, path, tier),
    CHECK (persons >= 1 OR path IN (0, 2)) -- only self-service and runbook may need nobody
) STRICT, WITHOUT ROWID;
CREATE TRIGGER needs_once BEFORE INSERT ON needs
WHEN EXISTS (SELECT 1 FROM needs WHERE policy = NEW.policy AND action = NEW.action AND path = NEW.path AND tier = NEW.tier)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER needs_kept BEFORE UPDATE ON needs BEGIN SELECT RAISE(ABORT, 'what a policy demands is never changed'); END;
CREATE TRIGGER needs_stay BEFORE DELETE ON needs BEGIN SELECT RAISE(ABORT, 'what a policy demands is never changed'); END;

-- Where a case goes: a row when it is opened, routed or opened again. What was sealed before the last of them is not decided any more.
CREATE TABLE routes (
    case_key INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    policy   BLOB NOT NULL,
    subject  TEXT NOT NULL,
    action   INTEGER NOT NULL,
    path     INTEGER NOT NULL,
    PRIMARY KEY (case_key, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER routes_next BEFORE INSERT ON routes
WHEN NEW.seq IS NOT (SELECT seq FROM entries WHERE case_key = NEW.case_key ORDER BY version DESC LIMIT 1)
  OR EXISTS (SELECT 1 FROM routes WHERE case_key = NEW.case_key AND (seq >= NEW.seq OR policy <> NEW.policy OR subject <> NEW.subject))
BEGIN SELECT RAISE(ABORT, 'a route is newer than the ones before it, of the same subject and under the same policy'); END;
CREATE TRIGGER routes_kept BEFORE UPDATE ON routes BEGIN SELECT RAISE(ABORT, 'routes are never changed'); END;
CREATE TRIGGER routes_stay BEFORE DELETE ON routes BEGIN SELECT RAISE(ABORT, 'routes are never deleted'); END;

CREATE TABLE seals (
    case_key INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
    path     INTEGER NOT NULL,
    needed   INTEGER NOT NULL,            -- distinct persons; the policy's own count or more
    seq      INTEGER NOT NULL,
    PRIMARY KEY (case_key, revision),
    CHECK (needed >= 1 OR path IN (0, 2)) -- only self-service and runbook may need nobody
) STRICT, WITHOUT ROWID;
CREATE TRIGGER seals_next BEFORE INSERT ON seals
WHEN EXISTS (SELECT 1 FROM seals WHERE case_key = NEW.case_key AND (revision >= NEW.revision OR sha256 = NEW.sha256))
  OR NEW.seq IS NOT (SELECT seq FROM entries WHERE case_key = NEW.case_key ORDER BY version DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'a seal is newer than the ones before it'); END;
CREATE TRIGGER seals_enough BEFORE INSERT ON seals
WHEN NOT EXISTS (
    SELECT 1 FROM (SELECT * FROM routes WHERE case_key = NEW.case_key ORDER BY seq DESC LIMIT 1) r
    JOIN subjects s ON s.id = r.subject
    JOIN needs n ON n.policy = r.policy AND n.action = r.action AND n.path = r.path AND n.tier = json_extract(s.body, '$.tier')
    WHERE r.path = NEW.path AND n.persons <= NEW.needed)
BEGIN SELECT RAISE(ABORT, 'a seal needs at least as many persons as the policy of its case'); END;
CREATE TRIGGER seals_kept BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'seals are never changed'); END;
CREATE TRIGGER seals_stay BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'seals are never deleted'); END;

CREATE TABLE approvals (
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
    seq          INTEGER NOT NULL,
    UNIQUE (case_key, seal, person, decision)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER approvals_once BEFORE INSERT ON approvals
WHEN EXISTS (SELECT 1 FROM approvals WHERE id = NEW.id)
  -- Who took an approval back may still deny.
  OR EXISTS (SELECT 1 FROM approvals a WHERE a.case_key = NEW.case_key AND a.seal = NEW.seal AND a.person = NEW.person
             AND (a.decision = NEW.decision OR NOT EXISTS (SELECT 1 FROM voids v WHERE v.approval = a.id)))
BEGIN SELECT RAISE(ABORT, 'a person decides a seal once'); END;
-- The closure: hands of this case and of those it is linked with, however far, and whoever they stand for or who stands for them.
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

CREATE TABLE voids (approval TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER voids_once BEFORE INSERT ON voids WHEN EXISTS (SELECT 1 FROM voids WHERE approval = NEW.approval)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER voids_of_approvals BEFORE INSERT ON voids
WHEN NOT EXISTS (SELECT 1 FROM approvals WHERE id = NEW.approval AND decision = 0)
BEGIN SELECT RAISE(ABORT, 'an approval can be void, a denial stands'); END;
CREATE TRIGGER voids_kept BEFORE UPDATE ON voids BEGIN SELECT RAISE(ABORT, 'a void approval stays void'); END;
CREATE TRIGGER voids_stay BEFORE DELETE ON voids BEGIN SELECT RAISE(ABORT, 'a void approval stays void'); END;

CREATE TABLE executions (
    case_key INTEGER NOT NULL,
    attempt  INTEGER NOT NULL CHECK (attempt >= 1),
    seal     BLOB NOT NULL CHECK (length(seal) = 32),
    at       INTEGER NOT NULL,
    begun    INTEGER NOT NULL CHECK (begun IN (0, 1)), -- 0: found not to be allowed any more, so that nothing was touched
    seq      INTEGER NOT NULL,
    PRIMARY KEY (case_key, attempt)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER executions_next BEFORE INSERT ON executions
WHEN EXISTS (SELECT 1 FROM executions WHERE case_key = NEW.case_key AND attempt >= NEW.attempt)
BEGIN SELECT RAISE(ABORT, 'an execution is a new attempt'); END;
CREATE TRIGGER executions_of_last_seal BEFORE INSERT ON executions
WHEN NEW.begun = 1
 AND (NEW.seal IS NOT (SELECT sha256 FROM seals WHERE case_key = NEW.case_key ORDER BY revision DESC LIMIT 1)
  OR (SELECT max(seq) FROM seals WHERE case_key = NEW.case_key) <= (SELECT max(seq) FROM routes WHERE case_key = NEW.case_key))
BEGIN SELECT RAISE(ABORT, 'an execution carries out the last seal of its case'); END;
-- The same closure as in approvals_separate, written out again: a view over it can't be given the case to begin at, so SQLite works it out for
-- every case there is first (measured with 100,000 cases: 400 ms of CPU instead of less than one for each decision).
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
CREATE TRIGGER executions_kept BEFORE UPDATE ON executions BEGIN SELECT RAISE(ABORT, 'executions are never changed'); END;
CREATE TRIGGER executions_stay BEFORE DELETE ON executions BEGIN SELECT RAISE(ABORT, 'executions are never deleted'); END;

-- Projections: rebuilt from entries and compared by `doctor` -----------------------------------------------------------------------------

CREATE TABLE cases (
    id           INTEGER PRIMARY KEY,
    version      INTEGER NOT NULL,
    -- The version at which something last changed: refusals are entries and change nothing.
    changed      INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    ended        INTEGER NOT NULL,
    held         INTEGER NOT NULL,
    risk         INTEGER NOT NULL,
    action       INTEGER NOT NULL,
    path         INTEGER NOT NULL,
    channel      INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    tier         INTEGER NOT NULL,
    waiting_on   INTEGER NOT NULL,
    proof_done   INTEGER NOT NULL,
    proof_needed INTEGER NOT NULL,
    missing      INTEGER NOT NULL,
    flags        INTEGER NOT NULL,
    grants       INTEGER NOT NULL,
    assignee     TEXT,
    k_due        INTEGER NOT NULL,        -- sort keys, all ascending
    k_risk       INTEGER NOT NULL,
    k_opened     INTEGER NOT NULL,
    k_updated    INTEGER NOT NULL,
    next_due     INTEGER,
    subject      TEXT NOT NULL,
    subject_name TEXT NOT NULL,
    target       TEXT NOT NULL,
    seal         BLOB,
    words        TEXT NOT NULL
) STRICT;
CREATE INDEX cases_open_due ON cases (k_due, id) WHERE ended = 0;
CREATE INDEX cases_open_risk ON cases (k_risk, id) WHERE ended = 0;
CREATE INDEX cases_open_opened ON cases (k_opened, id) WHERE ended = 0;
CREATE INDEX cases_open_updated ON cases (k_updated, id) WHERE ended = 0;
CREATE INDEX cases_all_due ON cases (k_due, id);
CREATE INDEX cases_all_risk ON cases (k_risk, id);
CREATE INDEX cases_all_opened ON cases (k_opened, id);
CREATE INDEX cases_all_updated ON cases (k_updated, id);
CREATE INDEX cases_by_state ON cases (state, k_due, id);
CREATE INDEX cases_open_assignee ON cases (assignee, k_due, id) WHERE ended = 0 AND assignee IS NOT NULL;
CREATE INDEX cases_by_assignee ON cases (assignee, k_due, id) WHERE assignee IS NOT NULL;
CREATE INDEX cases_by_subject ON cases (subject, k_updated, id);
CREATE INDEX cases_next_due ON cases (next_due, id) WHERE next_due IS NOT NULL;
CREATE INDEX cases_undecided ON cases (id) WHERE state IN (0, 1, 2, 3);
CREATE INDEX cases_held ON cases (k_due, id) WHERE held = 1;
CREATE INDEX cases_flagged ON cases (k_due, id) WHERE flags <> 0;

-- One document a case: the words of its row and the marks of what it is, in one column, found by prefix: lists are kept of the beginnings
-- of words up to six letters, because gathering all words with a beginning takes longer than all else. Contentless: `cases.words` is the
-- content.
CREATE VIRTUAL TABLE case_words USING fts5 (words, content = '', detail = none, columnsize = 0, prefix = '2 3 4 5 6',
    tokenize = 'unicode61 remove_diacritics 0');

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE subjects (
    id      TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL,
    salt    BLOB NOT NULL CHECK (length(salt) = 16), -- of the digest that the log holds of the body
    row     INTEGER NOT NULL UNIQUE,      -- the document in subject_words
    words   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE subject_words USING fts5 (words, content = '', detail = none, columnsize = 0, prefix = '2 3 4 5 6',
    tokenize = 'unicode61 remove_diacritics 0');
CREATE TABLE subject_cases (subject TEXT PRIMARY KEY, cases INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE register (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT) STRICT, WITHOUT ROWID;

-- Beside the log ------------------------------------------------------------------------------------------------------------------------

CREATE TABLE case_keys (case_key INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE texts (id TEXT PRIMARY KEY, case_key INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX texts_of_case ON texts (case_key);
CREATE TABLE saved_codes (subject TEXT NOT NULL, hash TEXT NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (subject, hash)) STRICT, WITHOUT ROWID;

-- What waits ----------------------------------------------------------------------------------------------------------------------------

CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    effect    TEXT NOT NULL,
    available INTEGER NOT NULL,           -- due, or when the lease of whoever took it ends
    tries     INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_available ON outbox (available, id);
CREATE TABLE kept_answers (
    principal TEXT NOT NULL,
    key       TEXT NOT NULL,
    request   BLOB NOT NULL,
    status    INTEGER NOT NULL,
    body      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answers_at ON kept_answers (at);
