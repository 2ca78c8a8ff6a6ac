-- Times are Unix milliseconds, ids are text, documents are JSON. What each table is for: src/store/*.rs.

CREATE TABLE commands (
    request_id TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    account    TEXT NOT NULL,
    profile    TEXT NOT NULL,
    body       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('accepted', 'running', 'done', 'failed')),
    result     TEXT,
    error      TEXT,
    attempts   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_unfinished ON commands (created_at) WHERE state IN ('accepted', 'running');

-- One row for each sandbox that we asked for; its key is the id of the command that asked.
CREATE TABLE sandboxes (
    request_id TEXT PRIMARY KEY,
    sandbox_id TEXT UNIQUE,
    name       TEXT NOT NULL,
    account    TEXT NOT NULL,
    profile    TEXT NOT NULL,
    config     TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('pending', 'running', 'terminated', 'error')),
    reason     TEXT,
    ending     INTEGER NOT NULL DEFAULT 0 CHECK (ending IN (0, 1)),
    created_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sandboxes_live_name ON sandboxes (account, profile, name) WHERE status IN ('pending', 'running');
CREATE INDEX sandboxes_by_age ON sandboxes (account, profile, created_at);

CREATE TABLE events (
    account TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    profile TEXT NOT NULL,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_subject ON events (account, subject, seq);

CREATE TABLE conversations (
    conversation TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    profile      TEXT NOT NULL,
    sandbox_id   TEXT NOT NULL,
    session      TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_by_sandbox ON conversations (sandbox_id, updated_at);

CREATE TABLE items (
    conversation TEXT NOT NULL,
    key          TEXT NOT NULL,
    position     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (conversation, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX items_in_order ON items (conversation, position);

CREATE TABLE execs (
    exec_id      TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    profile      TEXT NOT NULL,
    sandbox_id   TEXT NOT NULL,
    conversation TEXT,
    spec         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('accepted', 'running', 'ended')),
    committed    INTEGER NOT NULL DEFAULT 0,
    exit_code    INTEGER,
    reason       TEXT,
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX execs_unfinished ON execs (sandbox_id) WHERE state <> 'ended';

CREATE TABLE outbox (
    exec_id TEXT NOT NULL,
    number  INTEGER NOT NULL,
    line    BLOB NOT NULL,
    PRIMARY KEY (exec_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    process      TEXT NOT NULL,
    result_index INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    at           INTEGER NOT NULL,
    cost_micros   INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (process, result_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_time ON usage (at);
