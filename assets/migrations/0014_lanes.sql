-- What waits outside goes by lanes, so that orders to targets never wait behind mail; and what became of a message at each of its addresses is kept
-- with it, so that only those who have not had it are tried again.

ALTER TABLE outbox ADD COLUMN lane INTEGER NOT NULL DEFAULT 4;        -- domain::effect::Lane
ALTER TABLE outbox ADD COLUMN became TEXT NOT NULL DEFAULT '{}';
UPDATE outbox SET lane = CASE json_extract(effect, '$.effect')
    WHEN 'revoke_grant' THEN 0
    WHEN 'roll_back' THEN 0
    WHEN 'execute' THEN 1
    WHEN 'notify_security' THEN 2
    WHEN 'send_code' THEN 3
    WHEN 'ask_attester' THEN 3
    ELSE 4 END;
CREATE INDEX outbox_lanes ON outbox (lane, available, id);
