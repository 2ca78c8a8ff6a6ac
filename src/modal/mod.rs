//! Client of Modal's control plane and command router. Whether the other side is Modal or the local engine it neither
//! knows nor asks.
//!
//! ```text
//! connection   channels and headers          retry     what is tried again, and when
//! auth         the short-lived token         error     what went wrong, on what
//! apps images volumes secrets mounts         what a sandbox is made from
//! sandboxes    create, list, wait            end       how one ended
//! router       the way to a sandbox's worker exec      a command: start, input, exit
//! reading      output by offset
//! ```
//!
//! Facts about the wire are those of PyPI `modal` 1.6.4, whose behaviour this client follows.

mod apps;
mod auth;
mod connection;
mod end;
mod error;
mod exec;
mod images;
mod mounts;
mod reading;
mod retry;
mod router;
mod sandboxes;
mod secrets;
mod volumes;

pub use connection::Modal;
pub use end::{EndKind, SandboxEnd};
pub use error::{ErrorKind, ModalError};
pub use exec::{Exec, ExecExit, ExecRequest, ExecStdin, Pty};
pub use mounts::{LocalFile, MountId};
pub use reading::StdioFd;
pub use sandboxes::{CreateRequest, Sandbox, SandboxRow, Stage};
pub use secrets::SecretValues;
