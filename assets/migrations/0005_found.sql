-- What has ended is due no more, but where it is held: it comes last, by number. Words of open cases are indexed with the mark of an open
-- case before them, so that looking among these costs as much as there are of them, however many have ended.

UPDATE cases SET words = replace(words, ' ' || char(57728), '') WHERE instr(words, char(57728)) > 0;
CREATE INDEX cases_ended ON cases (id) WHERE ended = 1 AND k_due = 9223372036854775807;
CREATE INDEX cases_ended_due ON cases (k_due, id) WHERE ended = 1 AND k_due <> 9223372036854775807;

DROP TABLE case_words;
CREATE VIRTUAL TABLE case_words USING fts5 (words, content = '', detail = none, columnsize = 0, prefix = '2 3 4 5 6',
    tokenize = 'unicode61 remove_diacritics 0');
INSERT INTO case_words (rowid, words) SELECT id, CASE WHEN ended = 1 THEN words ELSE replace(words, ' ', ' ' || char(57728)) END FROM cases;
