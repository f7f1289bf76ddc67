-- What noticing patterns across cases needs: names by what they look like (T18), the latest approvals (T8).

ALTER TABLE subjects ADD COLUMN skeleton TEXT NOT NULL DEFAULT '';
CREATE INDEX subjects_by_skeleton ON subjects (skeleton) WHERE skeleton <> '';
CREATE INDEX approvals_by_time ON approvals (at);
