-- What the operator bears when Telegram takes back what was already spent.
INSERT INTO accounts (account_id, kind) VALUES (-4, 'system') ON CONFLICT DO NOTHING;

-- What came from outside, or is an order of the operator's, moves money once per what it was for.
DROP INDEX transfers_external;
CREATE UNIQUE INDEX transfers_external ON transfers (external_source, external_id, code)
  WHERE external_id IS NOT NULL;

-- Every payment made elsewhere, once: what it brought is in the transfers.
CREATE TABLE payments (
  source         TEXT    NOT NULL,
  external_id    TEXT    NOT NULL,
  user_id        BIGINT  NOT NULL,
  amount_kopecks BIGINT  NOT NULL CHECK (amount_kopecks > 0),
  stars          BIGINT,
  order_id       TEXT,
  state          TEXT    NOT NULL DEFAULT 'credited'
    CHECK (state IN ('credited', 'refunding', 'refunded', 'disputed')),
  refund_no      BIGINT  NOT NULL DEFAULT 0,
  confirmed_at   DOUBLE PRECISION,
  cid            TEXT    NOT NULL,
  shard          BIGINT  NOT NULL,
  epoch          BIGINT  NOT NULL,
  created_at     DOUBLE PRECISION NOT NULL,
  updated_at     DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (source, external_id)
);
CREATE INDEX payments_of_user ON payments (user_id, created_at);
CREATE INDEX payments_refunding ON payments (shard, created_at) WHERE state = 'refunding';
CREATE INDEX payments_unconfirmed ON payments (shard, source, created_at)
  WHERE confirmed_at IS NULL;

-- Transfers by hand that were announced: the admin decides by the receipt.
CREATE TABLE topups (
  order_id       TEXT    NOT NULL PRIMARY KEY,
  user_id        BIGINT  NOT NULL,
  amount_kopecks BIGINT  NOT NULL CHECK (amount_kopecks > 0),
  state          TEXT    NOT NULL CHECK (state IN ('open', 'waiting', 'approved', 'rejected')),
  receipt        TEXT,
  cid            TEXT    NOT NULL,
  shard          BIGINT  NOT NULL,
  epoch          BIGINT  NOT NULL,
  created_at     DOUBLE PRECISION NOT NULL,
  updated_at     DOUBLE PRECISION NOT NULL,
  CHECK ((state = 'open') = (receipt IS NULL))
);
CREATE INDEX topups_of_user ON topups (user_id, created_at);

-- What the operator did with other people's money, and why.
CREATE TABLE admin_actions (
  action_id      TEXT    NOT NULL PRIMARY KEY,
  admin          TEXT    NOT NULL,
  kind           TEXT    NOT NULL CHECK (kind IN ('credit', 'debit', 'refund', 'approve', 'reject')),
  user_id        BIGINT  NOT NULL,
  amount_kopecks BIGINT  NOT NULL,
  subject        TEXT    NOT NULL,
  reason         TEXT    NOT NULL CHECK (reason <> ''),
  cid            TEXT    NOT NULL,
  at             DOUBLE PRECISION NOT NULL
);
CREATE INDEX admin_actions_of_user ON admin_actions (user_id, at);

-- How far Telegram's list of Star transactions was compared with the payments.
CREATE TABLE reconciliations (
  shard        BIGINT  NOT NULL PRIMARY KEY,
  lines_read   BIGINT  NOT NULL,
  lines_other  BIGINT  NOT NULL,
  checked_at   DOUBLE PRECISION NOT NULL
);
