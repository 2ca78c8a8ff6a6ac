-- Read by people too: sqlite3 s3/index.db 'SELECT key, size FROM object'.
-- Keys are TEXT with binary collation: the order of UTF-8 bytes is S3's order. Times are milliseconds since 1970.

CREATE TABLE bucket (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    made INTEGER NOT NULL
);

-- Content. Exactly one of: file (a name below blobs/), data (small content), rows in `piece` (a multipart object).
-- `refs` counts the objects, parts and wholes that need it; at 0 the row and the file go. (No foreign keys to it: each
-- delete would look for them through all objects.)
CREATE TABLE blob (
    id     INTEGER PRIMARY KEY,
    size   INTEGER NOT NULL,
    refs   INTEGER NOT NULL,
    sha256 BLOB UNIQUE,
    file   TEXT,
    data   BLOB
);

CREATE TABLE piece (
    whole INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    PRIMARY KEY (whole, n)
) WITHOUT ROWID;

CREATE TABLE object (
    bucket   INTEGER NOT NULL REFERENCES bucket (id),
    key      TEXT NOT NULL,
    blob     INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    etag     TEXT NOT NULL,
    modified INTEGER NOT NULL,
    sum      TEXT NOT NULL,
    headers  TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

CREATE TABLE upload (
    id      TEXT PRIMARY KEY,
    bucket  INTEGER NOT NULL REFERENCES bucket (id),
    key     TEXT NOT NULL,
    started INTEGER NOT NULL,
    rule    TEXT NOT NULL,
    headers TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX upload_by_key ON upload (bucket, key, id);

CREATE TABLE part (
    upload   TEXT NOT NULL,
    n        INTEGER NOT NULL,
    blob     INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    etag     TEXT NOT NULL,
    modified INTEGER NOT NULL,
    sum      TEXT NOT NULL,
    PRIMARY KEY (upload, n)
) WITHOUT ROWID;

-- An upload that was completed: the same request again gets the same answer, for its first one may have been lost.
CREATE TABLE completed (
    upload TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL,
    key    TEXT NOT NULL,
    etag   TEXT NOT NULL,
    at     INTEGER NOT NULL
) WITHOUT ROWID;
