-- Which kinds of flag a case carries, a bit each, so that lists can be asked for one kind. Filled by the program, which also writes anew what
-- subjects are found by: the skeletons of names were empty for whoever was recorded before there were any.

ALTER TABLE cases ADD COLUMN flag_kinds INTEGER NOT NULL DEFAULT 0;
