//! Typed client of the API: finds or starts the server, resumes after a break.
