-- Whose mailbox an address is: persons' mail addresses in the form in which those of one mailbox are equal (base::mailbox), filled by the program.
-- Nothing is sent for proof to a mailbox that is also somebody's who works the case.

ALTER TABLE people ADD COLUMN mailbox TEXT;
CREATE INDEX people_by_mailbox ON people (mailbox) WHERE mailbox IS NOT NULL;
