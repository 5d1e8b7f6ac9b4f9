-- When the operator was told of which kind of trouble last.
CREATE TABLE alarms (
  kind    TEXT NOT NULL PRIMARY KEY,
  cid     TEXT NOT NULL,
  told_at REAL NOT NULL
) STRICT;

-- The story of one tap, and the taps of one user, are looked up while everything else goes on.
CREATE INDEX inbox_cid ON inbox (cid);
CREATE INDEX inbox_by_user ON inbox (user_id, received_at);
CREATE INDEX jobs_cid ON jobs (cid);
CREATE INDEX transfers_cid ON transfers (cid);
CREATE INDEX outbox_cid ON outbox (cid);
