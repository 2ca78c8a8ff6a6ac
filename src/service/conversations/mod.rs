//! Conversations: prompts in, turns followed to their end, transcripts.

pub mod reader;
