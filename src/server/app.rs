//! What all routes share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::{activity::Activity, announce::Announce};
use crate::{
    api::ApiError,
    service::{LocalPlace, Service},
};

/// What routes work with.
pub(super) struct Shared {
    pub service: Service,
    pub local: Arc<dyn LocalPlace>,
    pub announce: Arc<Announce>,
    pub activity: Arc<Activity>,
    /// Ends streams and the server.
    pub stop: CancellationToken,
    /// What is under way is finished, nothing new is taken: a newer server waits.
    pub finishing: AtomicBool,
}

/// The state of all routes.
pub(super) type App = Arc<Shared>;

impl Shared {
    pub fn new(service: Service, local: Arc<dyn LocalPlace>, announce: Arc<Announce>) -> App {
        Arc::new(Self {
            service,
            local,
            announce,
            activity: Arc::default(),
            stop: CancellationToken::new(),
            finishing: AtomicBool::new(false),
        })
    }

    /// Whether there is something to tend without any client.
    pub fn busy(&self) -> bool {
        self.service.busy() || self.local.busy() > 0
    }

    /// Refuses new work while the last of the old is finished.
    pub fn open(&self) -> Result<(), ApiError> {
        if self.finishing.load(Ordering::SeqCst) {
            return Err(ApiError::unavailable("this server is about to be replaced by a newer one").hint("try again"));
        }
        Ok(())
    }
}
