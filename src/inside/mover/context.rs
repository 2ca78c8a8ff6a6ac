//! What all exchanges of a session work with.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{http::Http, pipes::Out, root::Root, stop::Stop};

/// Most requests at a time, whatever the service asks for: each has a connection, a descriptor and a piece of a file.
const MOST_IN_FLIGHT: u32 = 256;

/// The workspace and the ways out of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mover {
    /// The workspace.
    pub root: Arc<Root>,
    /// The store.
    pub http: Arc<Http>,
    /// To the service.
    pub out: Out,
    permits: Arc<Semaphore>,
}

impl Mover {
    /// Works on a workspace, with so many requests at a time.
    pub fn new(root: Root, out: Out, in_flight: u32) -> Self {
        let permits = Semaphore::new(in_flight.clamp(1, MOST_IN_FLIGHT) as usize).into();
        Self { root: root.into(), http: Arc::default(), out, permits }
    }

    /// Waits until one more request may go.
    pub async fn permit(&self) -> Result<OwnedSemaphorePermit, Stop> {
        self.permits.clone().acquire_owned().await.map_err(|e| Stop::at("no more requests can be made", e))
    }
}
