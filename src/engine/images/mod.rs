//! Images: the host's own `/usr` as a base, and layers that commands made on it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tonic::Status;

use super::spec::{Bind, Overlay, Root};

/// All images of a data dir.
#[derive(Debug)]
pub struct Images {}

/// What a sandbox on an image starts with.
#[derive(Debug, Clone, Default)]
pub struct ImageRoot {
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// Folder where commands start.
    pub workdir: Option<String>,
    /// Lower layers of each overlay: (target, layers with the topmost first).
    lowers: Vec<(String, Vec<PathBuf>)>,
    binds: Vec<Bind>,
    links: Vec<(String, String)>,
}

impl ImageRoot {
    /// The root of one sandbox, which writes below `scratch`. The folders named `upper` and `work` there are made by
    /// `jail::make_dir` before the keeper starts.
    pub fn root(&self, scratch: &Path) -> Root {
        let overlays = self.lowers.iter().enumerate().map(|(i, (target, lowers))| Overlay {
            target: target.clone(),
            lowers: lowers.clone(),
            upper: scratch.join(format!("upper-{i}")),
            work: scratch.join(format!("work-{i}")),
        });
        Root { overlays: overlays.collect(), binds: self.binds.clone(), links: self.links.clone() }
    }
}

impl Images {
    /// The root of an image that is built.
    ///
    /// # Errors
    /// NOT_FOUND, or FAILED_PRECONDITION when it is not built.
    pub async fn root(&self, image_id: &str) -> Result<ImageRoot, Status> {
        Err(Status::not_found(format!("there is no image {image_id}")))
    }
}
