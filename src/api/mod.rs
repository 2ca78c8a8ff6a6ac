//! The words between client and server: requests, answers, events, errors. Plain serde types.
