//! `server.json`: where this server is to be found, kept true for as long as it serves.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;

use crate::{
    api::{ApiError, BUILD, DoctorCheck, EngineStatus, PROTOCOL, ServerFile, VERSION},
    config::DataDir,
    service::{LocalAccess, LocalPlace},
};

/// The file and what stands in it.
pub(super) struct Announce {
    path: PathBuf,
    data: DataDir,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Nothing before the server is ready and after its end.
    published: Option<ServerFile>,
    modal_url: Option<String>,
    s3_url: Option<String>,
}

impl Announce {
    pub fn new(data: &DataDir) -> Self {
        Self { path: data.server_file(), data: data.clone(), state: Mutex::default() }
    }

    /// Writes the file: from now on clients come.
    pub fn publish(&self) -> Result<(), ApiError> {
        let pid = std::process::id();
        let socket = self.data.socket_address().map_err(|e| ApiError::not_configured(e.to_string()))?;
        let mut state = self.state();
        let file = ServerFile {
            pid,
            start_time: start_time(pid).unwrap_or_default(),
            version: VERSION.to_owned(),
            build: BUILD.to_owned(),
            protocol: PROTOCOL,
            socket,
            modal_url: state.modal_url.clone(),
            s3_url: state.s3_url.clone(),
        };
        write(&self.path, &file)
            .map_err(|e| ApiError::failed(format!("{} can't be written: {e}", self.path.display())))?;
        state.published = Some(file);
        Ok(())
    }

    /// Removes the file.
    pub fn withdraw(&self) {
        if self.state().published.take().is_some()
            && let Err(e) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), error = %e, "server.json can't be removed");
        }
    }

    /// Adds the engine's addresses, once it has some.
    fn engine(&self, status: &EngineStatus) {
        let mut state = self.state();
        if state.modal_url == status.modal_url && state.s3_url == status.s3_url {
            return;
        }
        state.modal_url.clone_from(&status.modal_url);
        state.s3_url.clone_from(&status.s3_url);
        if let Some(file) = &mut state.published {
            file.modal_url.clone_from(&status.modal_url);
            file.s3_url.clone_from(&status.s3_url);
            if let Err(e) = write(&self.path, file) {
                tracing::warn!(path = %self.path.display(), error = %e, "server.json can't be written");
            }
        }
    }

    /// Where the server listens, while it is announced.
    pub fn socket(&self) -> Option<PathBuf> {
        self.state().published.as_ref().map(|file| file.socket.clone())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole or not at all: a reader never sees half a file.
fn write(path: &Path, file: &ServerFile) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut out = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    out.write_all(&serde_json::to_vec_pretty(file)?)?;
    fs::rename(&new, path)
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat`, the 20th after the name.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The local place, with `server.json` kept true to it.
pub(super) struct Announcing {
    inner: Arc<dyn LocalPlace>,
    announce: Arc<Announce>,
}

impl Announcing {
    pub fn new(inner: Arc<dyn LocalPlace>, announce: Arc<Announce>) -> Self {
        Self { inner, announce }
    }
}

impl LocalPlace for Announcing {
    fn access(&self) -> BoxFuture<'_, Result<LocalAccess, ApiError>> {
        Box::pin(async {
            let access = self.inner.access().await;
            self.announce.engine(&self.inner.status());
            access
        })
    }

    fn status(&self) -> EngineStatus {
        self.inner.status()
    }

    fn variables(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, ApiError>> {
        Box::pin(async {
            let variables = self.inner.variables().await;
            self.announce.engine(&self.inner.status());
            variables
        })
    }

    fn set_claude(&self, path: Option<PathBuf>) {
        self.inner.set_claude(path);
    }

    fn checks(&self) -> BoxFuture<'_, Vec<DoctorCheck>> {
        self.inner.checks()
    }

    fn busy(&self) -> usize {
        self.inner.busy()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_the_owners_alone_and_gone_after() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::find(Some(dir.path())).unwrap();
        let announce = Announce::new(&data);
        let urls = |modal: &str| EngineStatus { modal_url: Some(modal.into()), ..EngineStatus::default() };
        announce.engine(&urls("http://127.0.0.1:1"));
        assert!(!data.server_file().exists(), "not before the server is ready");

        announce.publish().unwrap();
        let read = || serde_json::from_slice::<ServerFile>(&fs::read(data.server_file()).unwrap()).unwrap();
        assert_eq!(fs::metadata(data.server_file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read().modal_url.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(Some(read().start_time), start_time(std::process::id()));
        announce.engine(&urls("http://127.0.0.1:2"));
        assert_eq!(read().modal_url.as_deref(), Some("http://127.0.0.1:2"));

        announce.withdraw();
        assert!(!data.server_file().exists());
    }
}
