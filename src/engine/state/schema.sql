-- What the engine knows besides folders. Run at each start, so every statement is IF NOT EXISTS; times are unix
-- seconds with fractions, as Modal's messages have them.

CREATE TABLE IF NOT EXISTS environments (
    environment_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE IF NOT EXISTS apps (
    app_id TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    name TEXT,                   -- NULL: an ephemeral app
    description TEXT NOT NULL,
    state INTEGER NOT NULL,      -- AppState
    created_at REAL NOT NULL,
    stopped_at REAL
) STRICT;
-- A stopped app (5) gives its name free.
CREATE UNIQUE INDEX IF NOT EXISTS apps_by_name ON apps (environment, name) WHERE name IS NOT NULL AND state <> 5;

CREATE TABLE IF NOT EXISTS secrets (
    secret_id TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    name TEXT,                   -- NULL: values of one app or call
    keys TEXT NOT NULL,          -- JSON list: the names alone may be shown
    sealed BLOB NOT NULL,        -- nonce and ChaCha20-Poly1305 of a JSON map
    created_at REAL NOT NULL,
    used_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS secrets_by_name ON secrets (environment, name) WHERE name IS NOT NULL;

CREATE TABLE IF NOT EXISTS mounts (
    mount_id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE, -- of the list of files: equal lists are one mount
    files TEXT NOT NULL,         -- JSON list
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS blobs (
    blob_id TEXT PRIMARY KEY,
    key TEXT NOT NULL,           -- last part of its URL: whoever has it may send and read
    md5 TEXT NOT NULL,           -- base64
    sha256 TEXT NOT NULL,        -- base64
    length INTEGER NOT NULL,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS volumes (
    volume_id TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    name TEXT,                   -- NULL: ephemeral
    version INTEGER NOT NULL,    -- VolumeFsVersion
    created_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS volumes_by_name ON volumes (environment, name) WHERE name IS NOT NULL;

CREATE TABLE IF NOT EXISTS images (
    image_id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE, -- of what makes it: equal recipes are one image
    recipe TEXT NOT NULL,        -- JSON: parent and commands
    built TEXT,                  -- JSON: layers, environment, folder; NULL until it is built
    created_at REAL NOT NULL
) STRICT;

-- Answers by x-idempotency-key, so that a call sent again after a restart is still done once.
CREATE TABLE IF NOT EXISTS answers (
    method TEXT NOT NULL,
    key TEXT NOT NULL,
    answer BLOB NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (method, key)
) STRICT;
