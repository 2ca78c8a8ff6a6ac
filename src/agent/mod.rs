//! Claude: its command line, the events it prints, and the fold from events to what a transcript shows.
