-- Since when what a proof rests on is recorded: a set of saved codes, a person's mailbox, a subject's record as it is. What is younger than policy's
-- minimum age proves nothing. Of what was there before, the program writes when the log last named it: it may be older, and is never younger.

ALTER TABLE saved_codes ADD COLUMN since INTEGER;
ALTER TABLE people ADD COLUMN since INTEGER;
ALTER TABLE subjects ADD COLUMN since INTEGER;
