//! Modal's control plane (`modal.client.ModalClient`), answered from this machine.

pub mod auth;
pub mod mounts;
pub mod secrets;
