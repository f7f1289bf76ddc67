-- Temporary access, one row a grant, for the list of what lives and when it ends. Filled from the entries when this migration runs.

CREATE TABLE grants (
    id       INTEGER PRIMARY KEY,
    case_key INTEGER NOT NULL,
    name     TEXT NOT NULL,               -- its opaque id
    live     INTEGER NOT NULL CHECK (live IN (0, 1)), -- 0: the target confirmed that it is gone
    k_end    INTEGER NOT NULL,            -- when it ends or ended: the sort key
    body     TEXT NOT NULL,
    UNIQUE (case_key, name)
) STRICT;
CREATE INDEX grants_live ON grants (k_end, id) WHERE live = 1;
CREATE INDEX grants_all ON grants (k_end, id);
