-- Cases by the person behind their subject, whichever of their records it is: what was given back to somebody lately is looked for when another
-- case of theirs is opened. 0: their own access (`subject`).
CREATE INDEX lineage_of_subjects ON lineage (person, case_key) WHERE duty = 0 AND from_case = 0;
