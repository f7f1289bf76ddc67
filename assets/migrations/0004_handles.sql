-- What subjects are called by those who ask from outside: their names and mail addresses, in one form (domain::subject::handle).

CREATE TABLE subject_handles (handle TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (handle, subject)) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO subject_handles (handle, subject) SELECT lower(trim(json_extract(body, '$.name'))), id FROM subjects;
INSERT OR IGNORE INTO subject_handles (handle, subject)
SELECT lower(trim(json_extract(e.value, '$.address'))), s.id FROM subjects s, json_each(s.body, '$.endpoints') e
WHERE json_extract(e.value, '$.kind') = 'email';
