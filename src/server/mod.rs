//! The process that owns the work: routes, the event stream, start and stop.
//!
//! One for each data dir, held by a lock for its whole life. It listens on a Unix socket that only its owner can
//! open, ends when there is nothing to tend, and lets go of nothing that was accepted: what is under way is a row
//! that the next server takes up.

mod activity;
mod announce;
mod answer;
mod app;
mod listen;
mod lock;
mod routes;

use std::{sync::Arc, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use lock::{Lock, LockError};

use crate::{
    api::ApiError,
    config::{Config, DataDir},
    service::{LocalPlace, Service},
};

use self::{
    announce::{Announce, Announcing},
    app::Shared,
};

/// What a server is started with.
pub struct Options {
    /// The settings.
    pub config: Config,
    /// Its folder, prepared.
    pub data: DataDir,
    /// That folder's lock: who holds it is the server.
    pub lock: Lock,
    /// The engine, when somebody needs it.
    pub local: Arc<dyn LocalPlace>,
    /// How long it stays with nothing to tend; for ever when absent.
    pub idle: Option<Duration>,
}

/// Serves until it is told to stop, gets SIGTERM or SIGINT, or has had nothing to tend for a while. `ready` is called
/// once clients can connect.
///
/// # Errors
/// The database or the socket can't be opened, or `server.json` can't be written.
pub async fn run(options: Options, ready: impl FnOnce()) -> Result<(), ApiError> {
    let Options { config, data, lock, local, idle } = options;
    let announce = Arc::new(Announce::new(&data));
    let local: Arc<dyn LocalPlace> = Arc::new(Announcing::new(local, announce.clone()));
    let service = Service::open(config, data.clone(), local.clone()).await?;
    let listener = listen::bind(&data)?;
    let shared = Shared::new(service.clone(), local.clone(), announce.clone());
    announce.publish()?;
    tracing::info!(data = %data.path().display(), version = crate::api::VERSION, build = crate::api::BUILD, "serving");
    ready();

    let stop = shared.stop.clone();
    tokio::select! {
        () = listen::accept(listener, routes::router(shared.clone()), shared.activity.clone(), stop.clone()) => {}
        reason = ended(&shared, idle) => tracing::info!(reason, "ending"),
    }
    // From here on nobody finds this server; who is connected is told by the end of the connection.
    announce.withdraw();
    listen::unbind(&data);
    stop.cancel();
    service.close().await;
    shared.activity.drained(DRAIN).await;
    drop(lock);
    Ok(())
}

/// How long the end waits for answers that are being written. A client on the same machine reads in milliseconds; one
/// that was stopped (ctrl-z) must not hold the next server back.
const DRAIN: Duration = Duration::from_secs(2);

/// Waits for the first reason to end.
async fn ended(shared: &Shared, idle: Option<Duration>) -> &'static str {
    let idle = async {
        match idle {
            Some(time) => shared.activity.idle(time, || shared.busy()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = idle => "nothing to tend",
        () = shared.stop.cancelled() => "asked to stop",
        () = terminated() => "signal",
    }
}

async fn terminated() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals can't be caught");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Ends the server once what is under way has ended.
fn stop_when_finished(shared: Arc<Shared>) {
    /// Nothing tells when the last call ends; it is asked this often, only while a replacement waits for it.
    const LOOK: Duration = Duration::from_millis(50);
    let stop: CancellationToken = shared.stop.clone();
    tokio::spawn(async move {
        while shared.service.running() > 0 {
            tokio::time::sleep(LOOK).await;
        }
        stop.cancel();
    });
}
