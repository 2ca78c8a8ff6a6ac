//! Where a mover works: a sandbox, or whatever else can give one two pipes.

use std::{fmt, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use super::{
    conduit::{Conduit, Mover},
    trouble::Trouble,
};
use crate::{
    api::ApiError,
    core::{ExecId, SandboxId},
    modal::{ExecRequest, Sandbox},
    service::carried,
};

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
                let exec = it.exec(&ExecRequest::new(ExecId::new(), carried::command(&["mover"]))).await?;
                Ok(Conduit::exec(&exec))
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
