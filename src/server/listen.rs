//! The socket: bound under the lock, opened by its owner only, each connection counted.

use std::{fs, io, os::unix::fs::PermissionsExt, sync::Arc};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use crate::{api::ApiError, config::DataDir};

/// Binds the socket. Called by the holder of the lock, so that one which lies there is a dead server's.
pub(super) fn bind(data: &DataDir) -> Result<UnixListener, ApiError> {
    let path = data.socket_address().map_err(|e| ApiError::not_configured(e.to_string()))?;
    let bind = || {
        match fs::remove_file(data.socket()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    bind().map_err(|e| {
        ApiError::not_configured(format!("the socket {} can't be made: {e}", data.socket().display()))
            .hint("name a data dir on a local file system with --data-dir")
    })
}

/// Removes the socket. Called by the holder of the lock, so that it is still its own.
pub(super) fn unbind(data: &DataDir) {
    if let Err(e) = fs::remove_file(data.socket()) {
        tracing::warn!(error = %e, "the socket can't be removed");
    }
}

/// Takes connections until `stop`; those that are open then end after the answer they are in.
pub(super) async fn accept(listener: UnixListener, router: Router, activity: Arc<Activity>, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(e) => {
                    // Too many open files, most likely: connections that end make room again.
                    tracing::warn!(error = %e, "a connection can't be taken");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.cancelled() => return,
        };
        if !is_owner(&stream) {
            continue;
        }
        let client = activity.enter();
        let service = TowerToHyperService::new(router.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(e) = ended {
                tracing::debug!(error = %e, "a connection broke");
            }
            drop(client);
        });
    }
}

/// A second wall behind the socket's mode: whoever reaches it some other way is not answered.
fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "refused a connection of another user");
            false
        }
        Err(e) => {
            tracing::warn!(error = %e, "refused a connection whose user can't be told");
            false
        }
    }
}
