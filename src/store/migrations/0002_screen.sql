-- What a heading shows of a conversation, and the text of items as it is searched.

ALTER TABLE conversations ADD COLUMN title TEXT;
ALTER TABLE conversations ADD COLUMN model TEXT;

-- Clean text in lower case, beside the items: a search reads it whole and their JSON not at all. With rowids, whose
-- leaves hold four times as much of a long text as those of a table without.
CREATE TABLE texts (
    conversation TEXT NOT NULL,
    position     INTEGER NOT NULL,
    text         TEXT NOT NULL,
    PRIMARY KEY (conversation, position)
) STRICT;

-- Rows of before: SQL can't clean text and lowers only ASCII, which is near enough to find them again.
UPDATE conversations SET title = (
    SELECT substr(text, 1, min(200, instr(text || char(10), char(10)) - 1)) FROM (
        SELECT json_extract(body, '$.text') AS text FROM items
        WHERE items.conversation = conversations.conversation AND json_extract(body, '$.type') = 'prompt'
        ORDER BY position LIMIT 1
    )
);
INSERT INTO texts (conversation, position, text)
SELECT conversation, position, lower(CASE json_extract(body, '$.type')
    WHEN 'tool' THEN
        COALESCE(json_extract(body, '$.input.command'), json_extract(body, '$.input.file_path'), '') || char(10)
        || COALESCE(json_extract(body, '$.output'), '')
    ELSE COALESCE(json_extract(body, '$.text'), '')
END)
FROM items WHERE json_extract(body, '$.type') IN ('prompt', 'text', 'notice', 'tool');
