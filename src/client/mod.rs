//! Typed client of the API: finds or starts the server, says hello, asks again after a break.
//!
//! Everything that can be asked may be asked twice: queries change nothing, and commands carry an id. So a call that
//! broke off is made again, to the same server or to the next one.

mod calls;
mod command;
mod events;
mod exec;
mod http;
mod meet;
mod start;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio::sync::Mutex;
use uuid::Uuid;

pub use command::Order;
pub use events::{Events, Follow};
pub use exec::{ExecControl, ExecIo, ExecOutput};
pub use start::{announced, engine_status, find, stopped};

use self::http::{Call, Trouble};
use crate::{
    api::{ApiError, BUILD, Hello, PROTOCOL, VERSION, hello::is_override},
    config::{DataDir, is_program},
};

/// Which server, and what of this process counts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's folder, prepared.
    pub data: DataDir,
    /// The configuration that a server is started with, when the user named one.
    pub config: Option<PathBuf>,
    /// The binary that is started.
    pub program: PathBuf,
}

/// A client of one data dir's server. Cheap to clone; all clones are one client to the server.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    hello: Hello,
    session: Mutex<Option<Session>>,
}

/// A server that knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Session {
    socket: PathBuf,
    client: Uuid,
}

/// A call is made again when its connection breaks, this many times in all: once for a server that was replaced
/// between two calls, once for one that was killed during the call. More means that servers die of it.
const ATTEMPTS: usize = 3;

impl Client {
    /// A client; nothing is started or asked before the first call.
    pub fn new(options: Options) -> Self {
        let hello = hello();
        Self { shared: Arc::new(Shared { options, hello, session: Mutex::default() }) }
    }

    /// The session, with a server that was started if none was there.
    async fn session(&self) -> Result<Session, ApiError> {
        let mut session = self.shared.session.lock().await;
        match &*session {
            Some(known) => Ok(known.clone()),
            None => {
                let new = start::connect(&self.shared.options, &self.shared.hello).await?;
                Ok(session.insert(new).clone())
            }
        }
    }

    /// Another session in place of one that turned out to be gone.
    async fn renew(&self, gone: &Session) -> Result<Session, ApiError> {
        let mut session = self.shared.session.lock().await;
        if session.as_ref() == Some(gone) {
            *session = None;
        }
        drop(session);
        self.session().await
    }

    /// Makes a call until it is answered; `read` takes the answer.
    async fn call<T>(
        &self,
        call: &Call,
        read: impl AsyncFn(http::Answer) -> Result<T, Trouble>,
    ) -> Result<T, ApiError> {
        let mut session = self.session().await?;
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let answer = async { read(http::send(&session.socket, Some(session.client), call).await?).await };
            match answer.await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Api(error)) => return Err(error),
                Err(Trouble::Stranger) => {}
                Err(Trouble::Gone(why)) => last = why,
            }
            session = self.renew(&session).await?;
        }
        Err(ApiError::unavailable(format!("the server ended {ATTEMPTS} times during {call}: {last}"))
            .hint(log_hint(&self.shared.options.data)))
    }
}

/// Where to read why a server failed.
fn log_hint(data: &DataDir) -> String {
    format!("its log is in {}", data.log_dir().display())
}

/// What this process says of itself.
fn hello() -> Hello {
    let env: BTreeMap<_, _> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_override(name))
        .collect();
    Hello { protocol: PROTOCOL, version: VERSION.to_owned(), build: BUILD.to_owned(), env, claude: claude() }
}

/// The `claude` of this process's PATH.
pub(crate) fn claude() -> Option<PathBuf> {
    first_in(&std::env::var_os("PATH")?, "claude")
}

/// The first executable file of that name in a PATH.
fn first_in(path: &std::ffi::OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|file| is_program(file))
}

#[cfg(test)]
mod tests;
