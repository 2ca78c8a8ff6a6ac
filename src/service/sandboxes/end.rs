//! A sandbox is ended, and its volumes committed.

use std::time::Duration;

use jiff::Timestamp;

use super::{ended, is_live};
use crate::{
    agent::command::AGENT_DIR,
    api::{ApiError, CommandRequest, EventBody, command::Terminated},
    core::{ExecId, SandboxStatus, Untrusted},
    fault,
    modal::{EndKind, ErrorKind, ExecRequest, ModalError, Sandbox, SandboxEnd},
    service::{clients::ClientEnv, errors::interrupted, inner::Inner, outcome::Outcome, run::Run, versions},
    store::SandboxRow,
};

/// How long Modal may take to say that a sandbox which it was told to end has ended.
const ENDING: Duration = Duration::from_secs(15);

/// How long a commit of a volume may take before what waits for it goes on without: the place commits by itself too.
const COMMIT: Duration = Duration::from_secs(60);

impl Inner {
    /// Ends a sandbox, after a save if it was asked for.
    pub(in crate::service) async fn terminate(
        &self,
        request: &CommandRequest,
        client: &ClientEnv,
        run: &Run,
        name: &str,
        save: bool,
    ) -> Result<Outcome, ApiError> {
        let mut found = self.find(client, &request.account, request.profile, name).await?;
        let was_ours = run.attempts > 1 && found.row.as_ref().is_some_and(|r| r.ending);
        if !is_live(found.info.status) {
            // The server before this one ended it and died before it could say so.
            if was_ours {
                let saved = match save {
                    true => {
                        let place = self.places.place(request.profile, &client.env).await?;
                        versions::saved_by(&place, &request.account, run).await?
                    }
                    false => None,
                };
                let events = saved.iter().map(|done| EventBody::Version { version: done.version.clone() }).collect();
                return Ok(Outcome::of(&Terminated { sandbox: found.info, saved })?.with(events));
            }
            found.must_run()?;
        }
        let mut events = Vec::new();
        let mut saved = None;
        if save {
            found.must_run()?;
            let place = self.places.place(request.profile, &client.env).await?;
            let done = versions::save(&place, &found.workspace(), &request.account, "before its end", run).await?;
            events.push(EventBody::Version { version: done.version.clone() });
            saved = Some(done);
        }
        if run.cancel.is_cancelled() {
            return Err(interrupted());
        }
        run.step("ending the sandbox");
        if found.row.is_some() {
            self.commit(&found.sandbox, &[found.workspace().root.to_owned(), AGENT_DIR.to_owned()]).await;
        }
        match &mut found.row {
            Some(row) => {
                self.end(row, &found.sandbox).await?;
                if let Some(info) = row.info() {
                    found.info = info;
                }
            }
            None => {
                found.sandbox.terminate().await?;
                found.info.status = SandboxStatus::Terminated;
                found.info.ended_at = Some(Timestamp::now());
                events.push(EventBody::Sandbox { sandbox: found.info.clone() });
            }
        }
        let outcome = Outcome::of(&Terminated { sandbox: found.info, saved })?.with(events);
        Ok(match found.row {
            Some(row) => outcome.with_row(row),
            None => outcome,
        })
    }

    /// Ends one of ours. That it is to end is stored before; that it has ended stands in the row, for the caller to store.
    pub(super) async fn end(&self, row: &mut SandboxRow, sandbox: &Sandbox) -> Result<(), ApiError> {
        row.ending = true;
        self.put_sandbox(row).await?;
        sandbox.terminate().await?;
        let end = match tokio::time::timeout(ENDING, sandbox.wait()).await {
            Ok(Ok(end)) => end,
            Ok(Err(error)) if error.kind != ErrorKind::NotFound => return Err(error.into()),
            // It was told; if it lingers, the next look at it says so.
            _ => SandboxEnd { kind: EndKind::Terminated, code: 137, message: Untrusted::default() },
        };
        ended(row, Some(&end));
        fault::point("ended");
        Ok(())
    }

    /// Commits volumes of a sandbox. Trouble is no failure: the place commits by itself, only later.
    pub(in crate::service) async fn commit(&self, sandbox: &Sandbox, mounts: &[String]) {
        let words = ["sync".to_owned()].into_iter().chain(mounts.iter().cloned());
        let done = async {
            let exec = sandbox.exec(&ExecRequest::new(ExecId::new(), words)).await?;
            exec.wait().await
        };
        let outcome: Result<_, ModalError> = match tokio::time::timeout(COMMIT, done).await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::warn!(sandbox = %sandbox.id, "a commit takes long; going on without it");
                return;
            }
        };
        match outcome {
            Ok(exit) if exit.code() == 0 => {}
            Ok(exit) => tracing::warn!(sandbox = %sandbox.id, code = exit.code(), "a commit failed"),
            Err(error) => tracing::warn!(sandbox = %sandbox.id, %error, "a commit failed"),
        }
    }
}
