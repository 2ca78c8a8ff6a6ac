//! Images: the host's own `/usr` as a base, and layers that commands made on it.
//!
//! An image is a *recipe* (what it stands on, and steps) and, once built, a list of layers. Layers lie below `layers/`
//! by the hash of what made them, so images share them; the base lies in the user's cache folder ([`host`]).

mod build;
mod claude;
mod host;
mod recipe;
mod rpc;
pub mod skeleton;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use tonic::Status;

use self::{build::Builds, host::Host, recipe::Recipe};
pub use self::{
    build::clean,
    rpc::{from_id, get_or_create, join},
};
use super::{
    Settings, names,
    spec::{Bind, IdMap, Overlay, Root},
    state::State,
};

/// Variables of the host base. Debian's own PATH; a UTF-8 locale that every glibc has; and what Claude Code asks for
/// before it works as uid 0.
const ENV: [(&str, &str); 4] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("IS_SANDBOX", "1"),
];

/// The CLI of new sandboxes; a client may replace it while the engine runs.
pub type Claude = Arc<RwLock<Option<PathBuf>>>;

/// All images of a data dir.
#[derive(Debug)]
pub struct Images {
    state: State,
    layers: PathBuf,
    host: Host,
    stand_ins: BTreeMap<String, String>,
    extra: Vec<PathBuf>,
    claude: Claude,
    pub builds: Builds,
}

/// A built image.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Built {
    /// State of the host that its base shows.
    host: String,
    /// Names of its layers, the lowest first.
    layers: Vec<String>,
    env: BTreeMap<String, String>,
    workdir: Option<String>,
}

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
    /// The root of one sandbox, which writes below `scratch`: each overlay's `upper` and `work` there are to be made by
    /// `jail::make_dir` before its keeper starts.
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

/// A row of an image.
struct Row {
    recipe: Recipe,
    built: Option<Built>,
}

impl Images {
    /// Images of a database, for these settings and ids.
    pub fn new(state: State, settings: &Settings, ids: &IdMap, claude: Claude) -> Self {
        Self {
            state,
            layers: settings.dir.join("layers"),
            host: Host::new(settings, ids),
            stand_ins: settings.stand_ins.clone(),
            extra: settings.extra.clone(),
            claude,
            builds: Builds::default(),
        }
    }

    /// The root of an image that is built. Makes the host base again if the cache was emptied.
    ///
    /// # Errors
    /// NOT_FOUND; FAILED_PRECONDITION when it is not built, or the host changed and its base is gone.
    pub async fn root(&self, image_id: &str) -> Result<ImageRoot, Status> {
        let built = self.row(image_id).await?.built.ok_or_else(|| {
            Status::failed_precondition(format!("the image {image_id} is not built: build it, then create the sandbox"))
        })?;
        let host = self.host.clone();
        let key = built.host.clone();
        let base = tokio::task::spawn_blocking(move || host.ensure(&key, &|line| tracing::info!("{line}")));
        base.await.map_err(|e| Status::internal(e.to_string()))?.map_err(Status::failed_precondition)?;
        let mut root = self.bare(&built);
        let cli = self.claude.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (binds, links) = claude::shown(cli.as_deref());
        root.binds.extend(binds);
        root.links.extend(links);
        Ok(root)
    }

    /// A root without the CLI: what builds get, so that no layer depends on it.
    fn bare(&self, built: &Built) -> ImageRoot {
        let base = self.host.folder(&built.host);
        let overlay = |part: &str| {
            let layers = built.layers.iter().rev().map(|name| self.layers.join(name).join(part));
            layers.chain([base.join(part)]).collect::<Vec<_>>()
        };
        let mut usr = overlay("usr");
        usr.push(PathBuf::from("/usr"));
        let shown = self.extra.iter().filter(|path| path.exists());
        let bind = |path: &PathBuf| Bind {
            source: path.clone(),
            target: path.to_string_lossy().into_owned(),
            read_only: true,
        };
        ImageRoot {
            env: built.env.clone(),
            workdir: built.workdir.clone(),
            lowers: vec![("/".to_owned(), overlay("root")), ("/usr".to_owned(), usr)],
            binds: shown.map(bind).collect(),
            links: Vec::new(),
        }
    }

    async fn row(&self, image_id: &str) -> Result<Row, Status> {
        let id = image_id.to_owned();
        let read = move |db: &mut Connection| {
            let sql = "SELECT recipe, built FROM images WHERE image_id = ?1";
            let row = db.query_row(sql, [id], |r| Ok((r.get::<_, String>(0)?, r.get::<_, Option<String>>(1)?)));
            let Some((recipe, built)) = row.optional()? else { return Ok(None) };
            let built = built.map(|b| serde_json::from_str(&b)).transpose()?;
            Ok(Some(Row { recipe: serde_json::from_str(&recipe)?, built }))
        };
        self.state.call(read).await?.ok_or_else(|| names::missing("image", image_id))
    }
}
