-- Every update that Telegram handed over, once; the key is what deduplicates.
CREATE TABLE inbox (
  bot_id      INTEGER NOT NULL,
  update_id   INTEGER NOT NULL,
  user_id     INTEGER NOT NULL,
  chat_id     INTEGER NOT NULL,
  kind        TEXT    NOT NULL,
  callback_id TEXT,
  cid         TEXT    NOT NULL,
  payload     BLOB    NOT NULL,
  received_at REAL    NOT NULL,
  shard       INTEGER NOT NULL DEFAULT 0,
  state       TEXT    NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'refused', 'dead')),
  attempts    INTEGER NOT NULL DEFAULT 0,
  reason      TEXT,
  finished_at REAL,
  epoch       INTEGER,
  PRIMARY KEY (bot_id, update_id),
  CHECK ((state = 'new') = (finished_at IS NULL))
) STRICT;
CREATE INDEX inbox_unfinished ON inbox (bot_id, shard, update_id) WHERE state = 'new';

-- What the bot remembers of each conversation.
CREATE TABLE sessions (
  user_id       INTEGER PRIMARY KEY,
  chat_id       INTEGER NOT NULL,
  language      TEXT    NOT NULL,
  screen_id     TEXT    NOT NULL,
  draft         TEXT,
  last_draft_id TEXT,
  shard         INTEGER NOT NULL DEFAULT 0,
  epoch         INTEGER NOT NULL,
  updated_at    REAL    NOT NULL
) STRICT;

-- One generation each, from the confirmation to the delivery or the refund.
CREATE TABLE jobs (
  job_id            TEXT    NOT NULL PRIMARY KEY,
  user_id           INTEGER NOT NULL,
  chat_id           INTEGER NOT NULL,
  draft_id          TEXT    NOT NULL,
  model_id          TEXT    NOT NULL,
  params            TEXT    NOT NULL,
  price_kopecks     INTEGER NOT NULL CHECK (price_kopecks >= 0),
  language          TEXT    NOT NULL,
  cid               TEXT    NOT NULL,
  created_at        REAL    NOT NULL,
  deadline_at       REAL    NOT NULL,
  state             TEXT    NOT NULL CHECK (state IN (
    'reserved', 'submitting', 'submit_unknown', 'running', 'delivering', 'delivered', 'failed')),
  attempt           INTEGER NOT NULL DEFAULT 0,
  task_id           TEXT,
  submitted_at      REAL,
  status_message_id INTEGER,
  reason            TEXT,
  result_urls       TEXT    NOT NULL DEFAULT '[]',
  shard             INTEGER NOT NULL DEFAULT 0,
  epoch             INTEGER NOT NULL,
  updated_at        REAL    NOT NULL,
  UNIQUE (user_id, draft_id)
) STRICT;
CREATE INDEX jobs_unfinished ON jobs (shard, user_id) WHERE state NOT IN ('delivered', 'failed');

-- KIE's word that a task has ended; it may come before we know the task, and more than once.
CREATE TABLE kie_callbacks (
  job_id      TEXT NOT NULL PRIMARY KEY,
  task_id     TEXT NOT NULL,
  received_at REAL NOT NULL
) STRICT;

-- Money. A user's account may not be overdrawn; system accounts keep no running balance, because
-- every transfer would then wait for the same row.
CREATE TABLE accounts (
  account_id      INTEGER PRIMARY KEY,
  kind            TEXT    NOT NULL CHECK (kind IN ('user', 'system')),
  shard           INTEGER NOT NULL DEFAULT 0,
  debits_pending  INTEGER NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
  debits_posted   INTEGER NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
  credits_pending INTEGER NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
  credits_posted  INTEGER NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
  CHECK (kind = 'system' OR debits_pending + debits_posted <= credits_posted),
  CHECK (kind = 'user' OR debits_pending + debits_posted + credits_pending + credits_posted = 0)
) STRICT;
INSERT INTO accounts (account_id, kind) VALUES (-1, 'system'), (-2, 'system'), (-3, 'system');

CREATE TABLE transfers (
  transfer_no       INTEGER PRIMARY KEY,
  transfer_id       TEXT    NOT NULL UNIQUE,
  kind              TEXT    NOT NULL CHECK (kind IN ('single', 'pending', 'post', 'void')),
  debit_account_id  INTEGER NOT NULL REFERENCES accounts (account_id),
  credit_account_id INTEGER NOT NULL REFERENCES accounts (account_id),
  amount_kopecks    INTEGER NOT NULL CHECK (amount_kopecks >= 0),
  pending_id        TEXT    REFERENCES transfers (transfer_id),
  code              TEXT    NOT NULL,
  job_id            TEXT,
  external_source   TEXT,
  external_id       TEXT,
  cid               TEXT    NOT NULL,
  shard             INTEGER NOT NULL DEFAULT 0,
  epoch             INTEGER NOT NULL,
  created_at        REAL    NOT NULL,
  CHECK (debit_account_id <> credit_account_id),
  CHECK ((kind IN ('post', 'void')) = (pending_id IS NOT NULL)),
  CHECK ((external_source IS NULL) = (external_id IS NULL))
) STRICT;
-- A pending transfer is resolved at most once: posted or voided.
CREATE UNIQUE INDEX transfers_resolution ON transfers (pending_id) WHERE pending_id IS NOT NULL;
-- One payment outside is one credit inside.
CREATE UNIQUE INDEX transfers_external ON transfers (external_source, external_id)
  WHERE external_id IS NOT NULL;
CREATE INDEX transfers_debit ON transfers (debit_account_id, transfer_no);
CREATE INDEX transfers_credit ON transfers (credit_account_id, transfer_no);
CREATE TRIGGER transfers_never_change BEFORE UPDATE ON transfers
BEGIN
  SELECT RAISE(ABORT, 'transfers are append-only: correct with a new transfer');
END;
CREATE TRIGGER transfers_never_go BEFORE DELETE ON transfers
BEGIN
  SELECT RAISE(ABORT, 'transfers are append-only: correct with a new transfer');
END;

-- What is to be said to users, written with the decision to say it.
CREATE TABLE outbox (
  outbox_id          INTEGER PRIMARY KEY AUTOINCREMENT,
  shard              INTEGER NOT NULL DEFAULT 0,
  chat_id            INTEGER NOT NULL,
  kind               TEXT    NOT NULL,
  reply              TEXT    NOT NULL,
  slot               TEXT,
  cid                TEXT    NOT NULL,
  job_id             TEXT,
  state              TEXT    NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'sent', 'failed', 'skipped')),
  claimant           TEXT,
  attempts           INTEGER NOT NULL DEFAULT 0,
  attempts_ambiguous INTEGER NOT NULL DEFAULT 0,
  message_id         INTEGER,
  detail             TEXT,
  epoch              INTEGER NOT NULL,
  created_at         REAL    NOT NULL,
  finished_at        REAL,
  CHECK ((state = 'pending') = (finished_at IS NULL))
) STRICT;
CREATE INDEX outbox_pending ON outbox (shard, outbox_id) WHERE state = 'pending';
CREATE INDEX outbox_slot ON outbox (chat_id, slot, outbox_id)
  WHERE slot IS NOT NULL AND message_id IS NOT NULL;

-- Who is active. The epoch only ever grows and is checked inside every writing transaction.
CREATE TABLE lease (
  name            TEXT    NOT NULL PRIMARY KEY,
  holder          TEXT,
  pid             INTEGER,
  epoch           INTEGER NOT NULL,
  released_by     TEXT,
  acquired_at     REAL    NOT NULL,
  renewed_at      REAL    NOT NULL,
  expires_at      REAL    NOT NULL,
  takeover_from   TEXT,
  takeover_to     TEXT,
  takeover_at     REAL,
  takeover_reason TEXT CHECK (takeover_reason IN ('released', 'expired')),
  takeover_gap_s  REAL
) STRICT;

-- The diary that a complaint is looked up in, by its correlation id.
CREATE TABLE app_events (
  event_id  INTEGER PRIMARY KEY,
  at        REAL    NOT NULL,
  level     TEXT    NOT NULL,
  event     TEXT    NOT NULL,
  cid       TEXT,
  user_id   INTEGER,
  chat_id   INTEGER,
  update_id INTEGER,
  job_id    TEXT,
  model_id  TEXT,
  payload   TEXT    NOT NULL
) STRICT;
CREATE INDEX app_events_cid ON app_events (cid, event_id) WHERE cid IS NOT NULL;
CREATE INDEX app_events_at ON app_events (at);
