//! Modal's control plane (`modal.client.ModalClient`), answered from this machine: who may call, what happens once, and
//! one function for each RPC, by what it is about.

pub mod answers;
pub mod apps;
mod auth;
pub mod blobs;
pub mod mounts;
pub mod secrets;
mod server;
mod service;

pub use server::{Activity, serve};
