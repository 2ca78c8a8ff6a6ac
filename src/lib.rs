//! The rooms of sandbank. Arrows point down only (ARCHITECTURE.md):
//!
//! ```text
//! tui | cli → client → api → core      the screen and the commands, over one typed API
//! server → api, service                the process that owns the work
//! service → modal | storage | agent | inside (its words) | store → config → core
//! engine → proto, core, inside::spawn  the local Modal and S3; shares nothing else with its client
//! ```
//!
//! Only `cli::serve` knows both `server` and `engine`. `fault` is for tests.

pub mod agent;
pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod core;
pub mod engine;
pub mod fault;
pub mod inside;
pub mod modal;
pub mod proto;
pub mod server;
pub mod service;
pub mod storage;
pub mod store;
pub mod tui;
