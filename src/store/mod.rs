//! The server's database.
