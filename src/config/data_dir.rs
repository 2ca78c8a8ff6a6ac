//! The folder that holds everything of one server: its lock, socket, database, log, and the engine's folders.
//!
//! Two data dirs never see each other. Only its owner may enter: keys lie below it.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::ConfigError;

/// Bytes of a socket's address on Linux, with its final NUL.
const MAX_SOCKET_PATH: usize = 108;

/// A data dir by its absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The named one, or the user's own: `~/.local/share/sandbank`.
    ///
    /// # Errors
    /// None is named and there is no home directory; or the working directory is gone.
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match named {
            Some(path) => std::path::absolute(path)
                .map_err(|e| ConfigError::DataDir(format!("the data dir {} can't be found: {e}", path.display())))?,
            None => directories::ProjectDirs::from("", "", "sandbank")
                .map(|dirs| dirs.data_local_dir().to_owned())
                .ok_or_else(|| {
                    ConfigError::DataDir("there is no home directory; name a data dir with --data-dir".to_owned())
                })?,
        };
        Ok(Self(path))
    }

    /// Makes it if needed, and checks that nobody else can enter and that it can be written to.
    ///
    /// # Errors
    /// What is wrong with it and how to mend it.
    pub fn prepare(&self) -> Result<(), ConfigError> {
        let path = self.0.display();
        let fail = |text: String| Err(ConfigError::DataDir(text));
        if !self.0.exists()
            && let Err(e) = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
        {
            return fail(format!("the data dir {path} can't be made: {e}; name another with --data-dir"));
        }
        let meta = match fs::metadata(&self.0) {
            Ok(meta) => meta,
            Err(e) => return fail(format!("the data dir {path} can't be read: {e}")),
        };
        if !meta.is_dir() {
            return fail(format!("the data dir {path} is not a folder; name another with --data-dir"));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return fail(format!(
                "the data dir {path} belongs to user {}; name one of your own with --data-dir",
                meta.uid()
            ));
        }
        if meta.permissions().mode() & 0o077 != 0 {
            return fail(format!("others can enter the data dir {path}, which holds keys; run: chmod 700 {path}"));
        }
        if let Err(e) = rustix::fs::access(&self.0, rustix::fs::Access::WRITE_OK) {
            return fail(format!("the data dir {path} can't be written to: {e}; name another with --data-dir"));
        }
        Ok(())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Held with flock for a server's whole life.
    pub fn lock(&self) -> PathBuf {
        self.0.join("server.lock")
    }

    /// Where its holder is to be found.
    pub fn server_file(&self) -> PathBuf {
        self.0.join("server.json")
    }

    /// The server's log.
    pub fn log_dir(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.0.join("sandbank.db")
    }

    /// The engine's folder.
    pub fn engine(&self) -> PathBuf {
        self.0.join("engine")
    }

    /// Where the socket lies.
    pub fn socket(&self) -> PathBuf {
        self.0.join("server.sock")
    }

    /// A path to the socket that is short enough for a socket's address: its own, or one through a link to the data
    /// dir in a folder of this user alone.
    ///
    /// # Errors
    /// The link can't be made, or somebody else's thing lies in its place.
    pub fn socket_address(&self) -> Result<PathBuf, ConfigError> {
        let socket = self.socket();
        if socket.as_os_str().len() < MAX_SOCKET_PATH {
            return Ok(socket);
        }
        let link = self.link().map_err(|e| {
            ConfigError::DataDir(format!(
                "the path of the data dir {} is too long for a socket and no short link to it can be made: {e}",
                self.0.display()
            ))
        })?;
        Ok(link.join("server.sock"))
    }

    fn link(&self) -> std::io::Result<PathBuf> {
        let uid = rustix::process::geteuid().as_raw();
        let folder = match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
            // Longer ones would not leave room for what comes below them.
            Some(dir) if dir.is_absolute() && dir.is_dir() && dir.as_os_str().len() < 60 => dir.join("sandbank"),
            _ => PathBuf::from(format!("/tmp/sandbank-{uid}")),
        };
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        // In /tmp anyone could have made the folder first and lead us to a socket of their own.
        let meta = fs::symlink_metadata(&folder)?;
        if !meta.is_dir() || meta.uid() != uid || meta.permissions().mode() & 0o077 != 0 {
            return Err(std::io::Error::other(format!("{} is not a folder of yours alone", folder.display())));
        }
        let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, self.0.as_os_str().as_encoded_bytes());
        let link = folder.join(name.simple().to_string());
        match std::os::unix::fs::symlink(&self.0, &link) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && fs::read_link(&link)? == self.0 => Ok(link),
            Err(e) => Err(e),
            Ok(()) => Ok(link),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::find(Some(&dir.path().join("a/b"))).unwrap();
        data.prepare().unwrap();
        assert_eq!(fs::metadata(data.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn one_that_others_can_enter_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let error = DataDir::find(Some(dir.path())).unwrap().prepare().unwrap_err().to_string();
        assert!(error.ends_with(&format!("chmod 700 {}", dir.path().display())), "{error}");
    }

    #[test]
    fn a_long_path_gets_a_short_socket_address_that_leads_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::find(Some(&dir.path().join("x".repeat(120)))).unwrap();
        data.prepare().unwrap();
        let address = data.socket_address().unwrap();
        assert!(address.as_os_str().len() < MAX_SOCKET_PATH);
        assert_eq!(data.socket_address().unwrap(), address);
        fs::write(&address, "").unwrap();
        assert!(data.socket().exists());
        fs::remove_file(address.parent().unwrap()).unwrap();
    }
}
