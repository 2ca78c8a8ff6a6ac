-- How full a conversation's context is: what its last message says.

ALTER TABLE conversations ADD COLUMN context_tokens INTEGER;
