//! The terminal: its modes, its bytes, and giving it back as it was.
