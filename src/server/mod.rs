//! Routes, the event stream, start and stop.
