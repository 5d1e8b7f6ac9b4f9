-- What KIE should take for a job and took, in its credits, exactly as written.
ALTER TABLE jobs ADD COLUMN credits_expected TEXT;
ALTER TABLE jobs ADD COLUMN credits_consumed TEXT;
-- When the result was there, and when the job ended; rows of before know neither.
ALTER TABLE jobs ADD COLUMN ready_at REAL;
ALTER TABLE jobs ADD COLUMN ended_at REAL;
-- When to ask KIE again about a failed job whose result may still come.
ALTER TABLE jobs ADD COLUMN look_again_at REAL;

CREATE INDEX jobs_of_user ON jobs (user_id, created_at);
CREATE INDEX jobs_of_model ON jobs (model_id, ready_at) WHERE state = 'delivered';
CREATE INDEX jobs_to_look_at ON jobs (shard, look_again_at) WHERE look_again_at IS NOT NULL;
CREATE INDEX outbox_of_job ON outbox (job_id) WHERE job_id IS NOT NULL;

-- Every call of createTask, written before it is made.
CREATE TABLE job_attempts (
  job_id   TEXT    NOT NULL,
  attempt  INTEGER NOT NULL,
  cid      TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  began_at REAL    NOT NULL,
  ended_at REAL,
  outcome  TEXT CHECK (outcome IN (
    'created', 'refused', 'busy', 'unreached', 'unknown', 'interrupted')),
  task_id  TEXT,
  PRIMARY KEY (job_id, attempt),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE INDEX job_attempts_cid ON job_attempts (cid);
CREATE INDEX job_attempts_began ON job_attempts (began_at);
