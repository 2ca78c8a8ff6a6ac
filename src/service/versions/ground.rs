//! Where a mover works: a sandbox, or whatever else can give one two pipes.

use std::{fmt, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use super::{
    conduit::{Conduit, Mover},
    trouble::Trouble,
};
use crate::{
    api::ApiError,
    core::{ExecId, SandboxId},
    modal::{ErrorKind, ExecRequest, ModalError, Sandbox},
    service::{carried, errors::has_ended},
};

/// How long the end of a sandbox, after which nothing could be started in it, may take to be told.
const END: Duration = Duration::from_secs(5);

type Open = dyn Fn() -> BoxFuture<'static, Result<Conduit, ApiError>> + Send + Sync;

/// A workspace that movers can be started on.
#[derive(Clone)]
pub struct Ground {
    open: Arc<Open>,
    root: String,
    /// Whose view of the workspace it is.
    pub sandbox: Option<SandboxId>,
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").field("root", &self.root).field("sandbox", &self.sandbox).finish()
    }
}

impl Ground {
    /// The folder `root`, on which `open` starts a mover each time it is called.
    pub fn new(
        root: impl Into<String>,
        open: impl Fn() -> BoxFuture<'static, Result<Conduit, ApiError>> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Arc::new(open), root: root.into(), sandbox: None }
    }

    /// The workspace of a sandbox, which is at `root` there.
    pub fn sandbox(sandbox: &Sandbox, root: &str) -> Self {
        let (it, id) = (sandbox.clone(), sandbox.id.clone());
        let open = move || {
            let it = it.clone();
            async move {
                let started = it.exec(&ExecRequest::new(ExecId::new(), carried::command(&["mover"]))).await;
                match started {
                    Ok(exec) => Ok(Conduit::exec(&exec)),
                    Err(error) => Err(why(&it, error).await),
                }
            }
            .boxed()
        };
        Self { sandbox: Some(id), ..Self::new(root, open) }
    }

    /// A new mover.
    pub(super) async fn mover(&self) -> Result<Mover, Trouble> {
        let conduit = (self.open)().await?;
        Ok(Mover::greet(conduit, &self.root).await?)
    }
}

/// Why nothing can be started in a sandbox. If it has ended, how says more.
async fn why(sandbox: &Sandbox, error: ModalError) -> ApiError {
    if error.kind == ErrorKind::NotFound
        && let Ok(Ok(end)) = tokio::time::timeout(END, sandbox.wait()).await
    {
        return has_ended(sandbox.id.as_str(), &end.reason());
    }
    error.into()
}
