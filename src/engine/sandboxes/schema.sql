-- The table of sandboxes; run at each start, so every statement is IF NOT EXISTS.

CREATE TABLE IF NOT EXISTS sandboxes (
    sandbox_id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    name TEXT,                   -- NULL: none
    created_at REAL NOT NULL,    -- no two are equal: lists are paged by it
    facts TEXT NOT NULL,         -- JSON: what it was made from, as far as it is asked for later
    tags TEXT NOT NULL,          -- JSON map
    env BLOB,                    -- sealed JSON map, what its commands start with; NULL when it has ended
    idempotency_key TEXT UNIQUE, -- the same key is the same sandbox
    started INTEGER NOT NULL,    -- 0 until its keeper said that the jail stands
    ended_at REAL,
    ending TEXT                  -- JSON: spec::End
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS sandboxes_by_name ON sandboxes (app_id, name)
    WHERE name IS NOT NULL AND ended_at IS NULL;
CREATE INDEX IF NOT EXISTS sandboxes_by_time ON sandboxes (created_at);

-- Withheld keys of commands that run.
CREATE TABLE IF NOT EXISTS exec_keys (
    sandbox_id TEXT NOT NULL,
    exec_id TEXT NOT NULL,
    sealed BLOB NOT NULL,        -- JSON: proxy::Keys
    PRIMARY KEY (sandbox_id, exec_id)
) STRICT;
