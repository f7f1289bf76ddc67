-- What the program derives otherwise than it did: names and addresses in any script in one form (domain::subject::handle), and when a case
-- that is held, failed or being proved is due. Both are written anew by the program when this migration runs.

DELETE FROM subject_handles;
