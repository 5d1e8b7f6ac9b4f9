-- Which epoch may write; NULL while nobody holds the lease. Writers read it inside their
-- transactions; it follows the lease, whoever moves that: also the release before this one, and an
-- operator by hand.
CREATE TABLE fences (
  name  TEXT NOT NULL PRIMARY KEY,
  epoch INTEGER
) STRICT;
INSERT INTO fences (name, epoch)
  SELECT name, CASE WHEN holder IS NULL THEN NULL ELSE epoch END FROM lease;
CREATE TRIGGER fence_follows_new_lease AFTER INSERT ON lease
BEGIN
  INSERT INTO fences (name, epoch)
  VALUES (NEW.name, CASE WHEN NEW.holder IS NULL THEN NULL ELSE NEW.epoch END)
  ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch;
END;
CREATE TRIGGER fence_follows_lease AFTER UPDATE OF holder, epoch ON lease
BEGIN
  INSERT INTO fences (name, epoch)
  VALUES (NEW.name, CASE WHEN NEW.holder IS NULL THEN NULL ELSE NEW.epoch END)
  ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch;
END;

-- How the lease changed hands; the epoch is the one that began with it.
CREATE TABLE lease_takeovers (
  name        TEXT    NOT NULL,
  epoch       INTEGER NOT NULL,
  from_holder TEXT    NOT NULL,
  to_holder   TEXT    NOT NULL,
  at          REAL    NOT NULL,
  reason      TEXT    NOT NULL CHECK (reason IN ('released', 'expired', 'crashed', 'deposed')),
  gap_s       REAL    NOT NULL,
  PRIMARY KEY (name, epoch)
) STRICT;
INSERT INTO lease_takeovers (name, epoch, from_holder, to_holder, at, reason, gap_s)
  SELECT name, epoch, takeover_from, takeover_to, takeover_at, takeover_reason, takeover_gap_s
  FROM lease WHERE takeover_from IS NOT NULL;
-- The columns takeover_… stay for the release before this one, which may still be running.
ALTER TABLE lease ADD COLUMN is_deposed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lease ADD COLUMN has_session_lock INTEGER NOT NULL DEFAULT 0;

-- What was decided when the installation was made and cannot be changed by a setting. A database
-- that has seen a lease has had one shard so far.
CREATE TABLE installation (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  shards   INTEGER NOT NULL CHECK (shards BETWEEN 1 AND 64)
) STRICT;
INSERT INTO installation (only_row, shards) SELECT 1, 1 FROM lease LIMIT 1;

-- The sender numbers its claims: one whose answer it never got is made again under its number.
ALTER TABLE outbox ADD COLUMN claim_no INTEGER NOT NULL DEFAULT 0;

-- A user's oldest update that has not ended; and what is old enough to be forgotten.
CREATE INDEX inbox_of_user ON inbox (bot_id, user_id, update_id) WHERE state = 'new';
CREATE INDEX inbox_finished ON inbox (finished_at) WHERE state <> 'new';
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE state <> 'pending';
CREATE INDEX kie_callbacks_received ON kie_callbacks (received_at);
