-- The whole schema as one picture, to read; nothing executes it but the test that compares it with
-- what the migrations build. Change it in the commit that adds a migration.

CREATE TABLE schema_migrations (
  number     BIGINT           NOT NULL PRIMARY KEY,
  name       TEXT             NOT NULL,
  checksum   TEXT             NOT NULL,
  applied_at DOUBLE PRECISION NOT NULL
);

-- Every update that Telegram handed over, once; the key is what deduplicates.
CREATE TABLE inbox (
  bot_id      BIGINT           NOT NULL,
  update_id   BIGINT           NOT NULL,
  user_id     BIGINT           NOT NULL,
  chat_id     BIGINT           NOT NULL,
  kind        TEXT             NOT NULL,
  callback_id TEXT,
  cid         TEXT             NOT NULL,
  payload     BYTEA            NOT NULL,
  received_at DOUBLE PRECISION NOT NULL,
  shard       BIGINT           NOT NULL DEFAULT 0,
  state       TEXT             NOT NULL DEFAULT 'new'
    CHECK (state IN ('new', 'done', 'refused', 'dead')),
  attempts    BIGINT           NOT NULL DEFAULT 0,
  reason      TEXT,
  finished_at DOUBLE PRECISION,
  epoch       BIGINT,
  PRIMARY KEY (bot_id, update_id),
  CHECK ((state = 'new') = (finished_at IS NULL))
);
CREATE INDEX inbox_unfinished ON inbox (bot_id, shard, update_id) WHERE state = 'new';
CREATE INDEX inbox_of_user ON inbox (bot_id, user_id, update_id) WHERE state = 'new';
CREATE INDEX inbox_finished ON inbox (finished_at) WHERE state <> 'new';
CREATE INDEX inbox_cid ON inbox (cid);
CREATE INDEX inbox_by_user ON inbox (user_id, received_at);

-- What the bot remembers of each conversation.
CREATE TABLE sessions (
  user_id       BIGINT           NOT NULL PRIMARY KEY,
  chat_id       BIGINT           NOT NULL,
  language      TEXT             NOT NULL,
  screen_id     TEXT             NOT NULL,
  draft         TEXT,
  last_draft_id TEXT,
  shard         BIGINT           NOT NULL DEFAULT 0,
  epoch         BIGINT           NOT NULL,
  updated_at    DOUBLE PRECISION NOT NULL
);

-- One generation each, from the confirmation to the delivery or the refund.
CREATE TABLE jobs (
  job_id            TEXT             NOT NULL PRIMARY KEY,
  user_id           BIGINT           NOT NULL,
  chat_id           BIGINT           NOT NULL,
  draft_id          TEXT             NOT NULL,
  model_id          TEXT             NOT NULL,
  params            TEXT             NOT NULL,
  price_kopecks     BIGINT           NOT NULL CHECK (price_kopecks >= 0),
  language          TEXT             NOT NULL,
  cid               TEXT             NOT NULL,
  created_at        DOUBLE PRECISION NOT NULL,
  deadline_at       DOUBLE PRECISION NOT NULL,
  state             TEXT             NOT NULL CHECK (state IN (
    'reserved', 'submitting', 'submit_unknown', 'running', 'delivering', 'delivered', 'failed')),
  attempt           BIGINT           NOT NULL DEFAULT 0,
  task_id           TEXT,
  submitted_at      DOUBLE PRECISION,
  status_message_id BIGINT,
  reason            TEXT,
  result_urls       TEXT             NOT NULL DEFAULT '[]',
  shard             BIGINT           NOT NULL DEFAULT 0,
  epoch             BIGINT           NOT NULL,
  updated_at        DOUBLE PRECISION NOT NULL,
  credits_expected  TEXT,
  credits_consumed  TEXT,
  ready_at          DOUBLE PRECISION,
  ended_at          DOUBLE PRECISION,
  look_again_at     DOUBLE PRECISION,
  UNIQUE (user_id, draft_id)
);
CREATE INDEX jobs_unfinished ON jobs (shard, user_id) WHERE state NOT IN ('delivered', 'failed');
CREATE INDEX jobs_of_user ON jobs (user_id, created_at);
CREATE INDEX jobs_of_model ON jobs (model_id, ready_at) WHERE state = 'delivered';
CREATE INDEX jobs_to_look_at ON jobs (shard, look_again_at) WHERE look_again_at IS NOT NULL;
CREATE INDEX jobs_cid ON jobs (cid);

-- Every call of createTask, written before it is made.
CREATE TABLE job_attempts (
  job_id   TEXT             NOT NULL,
  attempt  BIGINT           NOT NULL,
  cid      TEXT             NOT NULL,
  epoch    BIGINT           NOT NULL,
  began_at DOUBLE PRECISION NOT NULL,
  ended_at DOUBLE PRECISION,
  outcome  TEXT CHECK (outcome IN (
    'created', 'refused', 'busy', 'unreached', 'unknown', 'interrupted')),
  task_id  TEXT,
  PRIMARY KEY (job_id, attempt),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE INDEX job_attempts_cid ON job_attempts (cid);
CREATE INDEX job_attempts_began ON job_attempts (began_at);

-- KIE's word that a task has ended; it may come before we know the task, and more than once.
CREATE TABLE kie_callbacks (
  job_id      TEXT             NOT NULL PRIMARY KEY,
  task_id     TEXT             NOT NULL,
  received_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX kie_callbacks_received ON kie_callbacks (received_at);

-- Money. A user's account may not be overdrawn; system accounts keep no running balance, because
-- every transfer would then wait for the same row.
CREATE TABLE accounts (
  account_id      BIGINT NOT NULL PRIMARY KEY,
  kind            TEXT   NOT NULL CHECK (kind IN ('user', 'system')),
  shard           BIGINT NOT NULL DEFAULT 0,
  debits_pending  BIGINT NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
  debits_posted   BIGINT NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
  credits_pending BIGINT NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
  credits_posted  BIGINT NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
  CHECK (kind = 'system' OR debits_pending + debits_posted <= credits_posted),
  CHECK (kind = 'user' OR debits_pending + debits_posted + credits_pending + credits_posted = 0)
);
INSERT INTO accounts (account_id, kind) VALUES
  (-1, 'system'), (-2, 'system'), (-3, 'system'), (-4, 'system');

CREATE TABLE transfers (
  transfer_no       BIGINT           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transfer_id       TEXT             NOT NULL UNIQUE,
  kind              TEXT             NOT NULL CHECK (kind IN ('single', 'pending', 'post', 'void')),
  debit_account_id  BIGINT           NOT NULL REFERENCES accounts (account_id),
  credit_account_id BIGINT           NOT NULL REFERENCES accounts (account_id),
  amount_kopecks    BIGINT           NOT NULL CHECK (amount_kopecks >= 0),
  pending_id        TEXT             REFERENCES transfers (transfer_id),
  code              TEXT             NOT NULL,
  job_id            TEXT,
  external_source   TEXT,
  external_id       TEXT,
  cid               TEXT             NOT NULL,
  shard             BIGINT           NOT NULL DEFAULT 0,
  epoch             BIGINT           NOT NULL,
  created_at        DOUBLE PRECISION NOT NULL,
  CHECK (debit_account_id <> credit_account_id),
  CHECK ((kind IN ('post', 'void')) = (pending_id IS NOT NULL)),
  CHECK ((external_source IS NULL) = (external_id IS NULL))
);
-- A pending transfer is resolved at most once: posted or voided.
CREATE UNIQUE INDEX transfers_resolution ON transfers (pending_id) WHERE pending_id IS NOT NULL;
-- What came from outside, or is an order of the operator's, moves money once per what it was for.
CREATE UNIQUE INDEX transfers_external ON transfers (external_source, external_id, code)
  WHERE external_id IS NOT NULL;
CREATE INDEX transfers_debit ON transfers (debit_account_id, transfer_no);
CREATE INDEX transfers_credit ON transfers (credit_account_id, transfer_no);
CREATE INDEX transfers_cid ON transfers (cid);
CREATE FUNCTION transfers_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'transfers are append-only: correct with a new transfer'
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER transfers_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
  FOR EACH STATEMENT EXECUTE FUNCTION transfers_are_append_only();

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

-- What is to be said to users, written with the decision to say it. The sender numbers its claims:
-- one whose answer it never got is made again under its number.
CREATE TABLE outbox (
  outbox_id          BIGINT           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  shard              BIGINT           NOT NULL DEFAULT 0,
  chat_id            BIGINT           NOT NULL,
  kind               TEXT             NOT NULL,
  reply              TEXT             NOT NULL,
  slot               TEXT,
  cid                TEXT             NOT NULL,
  job_id             TEXT,
  state              TEXT             NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'sent', 'failed', 'skipped')),
  claimant           TEXT,
  claim_no           BIGINT           NOT NULL DEFAULT 0,
  attempts           BIGINT           NOT NULL DEFAULT 0,
  attempts_ambiguous BIGINT           NOT NULL DEFAULT 0,
  message_id         BIGINT,
  detail             TEXT,
  epoch              BIGINT           NOT NULL,
  created_at         DOUBLE PRECISION NOT NULL,
  finished_at        DOUBLE PRECISION,
  CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX outbox_pending ON outbox (shard, outbox_id) WHERE state = 'pending';
CREATE INDEX outbox_of_job ON outbox (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX outbox_slot ON outbox (chat_id, slot, outbox_id)
  WHERE slot IS NOT NULL AND message_id IS NOT NULL;
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE state <> 'pending';
CREATE INDEX outbox_cid ON outbox (cid);

-- Who is active. The epoch only ever grows. The row is for the holder's renewals alone: writers
-- look at the fence.
CREATE TABLE lease (
  name             TEXT             NOT NULL PRIMARY KEY,
  holder           TEXT,
  pid              BIGINT,
  epoch            BIGINT           NOT NULL,
  released_by      TEXT,
  acquired_at      DOUBLE PRECISION NOT NULL,
  renewed_at       DOUBLE PRECISION NOT NULL,
  expires_at       DOUBLE PRECISION NOT NULL,
  is_deposed       BIGINT           NOT NULL DEFAULT 0,
  has_session_lock BIGINT           NOT NULL DEFAULT 0
);

-- Which epoch may write; NULL while nobody holds the lease. Writers lock it FOR SHARE inside their
-- transactions, so that a takeover waits for those under way. It follows the lease, whoever moves
-- that: also an operator by hand.
CREATE TABLE fences (
  name  TEXT NOT NULL PRIMARY KEY,
  epoch BIGINT
);
CREATE FUNCTION fence_follows_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fences (name, epoch)
  VALUES (NEW.name, CASE WHEN NEW.holder IS NULL THEN NULL ELSE NEW.epoch END)
  ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch;
  RETURN NULL;
END
$$;
CREATE TRIGGER fence_follows_lease AFTER INSERT OR UPDATE OF holder, epoch ON lease
  FOR EACH ROW EXECUTE FUNCTION fence_follows_lease();

-- How the lease changed hands; the epoch is the one that began with it.
CREATE TABLE lease_takeovers (
  name        TEXT             NOT NULL,
  epoch       BIGINT           NOT NULL,
  from_holder TEXT             NOT NULL,
  to_holder   TEXT             NOT NULL,
  at          DOUBLE PRECISION NOT NULL,
  reason      TEXT             NOT NULL
    CHECK (reason IN ('released', 'expired', 'crashed', 'deposed')),
  gap_s       DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (name, epoch)
);

-- What was decided when the installation was made and cannot be changed by a setting.
CREATE TABLE installation (
  only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
  shards   BIGINT NOT NULL CHECK (shards BETWEEN 1 AND 64)
);

-- When the operator was told of which kind of trouble last.
CREATE TABLE alarms (
  kind    TEXT NOT NULL PRIMARY KEY,
  cid     TEXT NOT NULL,
  told_at DOUBLE PRECISION NOT NULL
);

-- The diary that a complaint is looked up in, by its correlation id.
CREATE TABLE app_events (
  event_id  BIGINT           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        DOUBLE PRECISION NOT NULL,
  level     TEXT             NOT NULL,
  event     TEXT             NOT NULL,
  cid       TEXT,
  user_id   BIGINT,
  chat_id   BIGINT,
  update_id BIGINT,
  job_id    TEXT,
  model_id  TEXT,
  payload   TEXT             NOT NULL
);
CREATE INDEX app_events_cid ON app_events (cid, event_id) WHERE cid IS NOT NULL;
CREATE INDEX app_events_at ON app_events (at);
