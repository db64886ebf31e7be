-- The tables of a botwatch store. Any SQLite client may read all of them, and
-- may write accounts. Times are UTC text, 2006-01-02T15:04:05.000000Z.

-- The crawled accounts. The crawler inserts, updates, replaces and deletes rows;
-- triggers record each change. An id is a text, a number or a blob, and doc the
-- account as JSON text.
CREATE TABLE IF NOT EXISTS accounts (
  id  NOT NULL PRIMARY KEY,
  doc
);

-- What happened to accounts, in order. seq never comes again: the rows up to
-- state's trimmed_through are gone, since the checkpoint is past them.
CREATE TABLE IF NOT EXISTS changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id  NOT NULL,
  op  TEXT NOT NULL -- 'upsert' or 'delete'
);

-- One prediction an account: doc is the whole document, the columns are what
-- questions are asked by. Rows of status 'deleted' stand for accounts that are
-- gone, until expires_at.
CREATE TABLE IF NOT EXISTS predictions (
  id               NOT NULL PRIMARY KEY,
  epoch            INTEGER NOT NULL, -- epoch and seq: which version of the account
  seq              INTEGER NOT NULL,
  status           TEXT NOT NULL,    -- 'classified', 'insufficient', 'error' or 'deleted'
  class            TEXT,             -- the class's slug
  support          TEXT,             -- 'strong', 'weak' or 'none'
  score            REAL,             -- the largest of the scores
  margin           REAL,
  stale            INTEGER NOT NULL,
  has_error        INTEGER NOT NULL,
  user_id          TEXT,
  screen_name      TEXT,
  model            TEXT,             -- the model's digest
  fingerprint      TEXT,
  crawled_at       TEXT,
  classified_at    TEXT,
  class_changed_at TEXT,
  expires_at       TEXT,
  history          TEXT,             -- the document's, as JSON
  doc              TEXT NOT NULL
);

-- Answers counts by class and support by itself, and lists of a class.
CREATE INDEX IF NOT EXISTS predictions_by_class ON predictions (class, support, status, stale, has_error);

-- Lists what changed its class last.
CREATE INDEX IF NOT EXISTS predictions_by_change ON predictions (class_changed_at) WHERE class_changed_at IS NOT NULL;

-- Finds the newest version.
CREATE INDEX IF NOT EXISTS predictions_by_version ON predictions (epoch, seq);

-- Finds the tombstones that have expired.
CREATE INDEX IF NOT EXISTS predictions_by_expiry ON predictions (expires_at) WHERE expires_at IS NOT NULL;

-- What a daemon must remember: schema, identity (of the accounts table: another
-- after it was dropped), trimmed_through, epoch, holder and since (of the
-- lease), checkpoint and status (JSON).
CREATE TABLE IF NOT EXISTS state (
  key   TEXT NOT NULL PRIMARY KEY,
  value
);

-- The accounts that could not be read or classified, and why.
CREATE TABLE IF NOT EXISTS dead_letters (
  id         NOT NULL PRIMARY KEY,
  reason     TEXT NOT NULL,
  field      TEXT NOT NULL,
  error      TEXT NOT NULL,
  attempts   INTEGER NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen  TEXT NOT NULL,
  model      TEXT NOT NULL,
  epoch      INTEGER NOT NULL,
  seq        INTEGER NOT NULL
);

-- What people ask of the daemon; doc is the request as JSON.
CREATE TABLE IF NOT EXISTS requests (
  n        INTEGER PRIMARY KEY AUTOINCREMENT,
  finished INTEGER NOT NULL,
  doc      TEXT NOT NULL
);
