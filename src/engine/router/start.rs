//! TaskExecStart: the command's environment, its withheld keys, and the start, once for each id.

use std::sync::Arc;

use tonic::Status;

use super::status::status;
use crate::{
    engine::{
        Shared,
        keeper::{ENTRYPOINT, KeeperError, files},
        proxy::Keys,
        room,
        sandboxes::{
            Live, check_path,
            environment::{Env, Sources, defaults, gather, merge, terminal},
            keys,
        },
        spec::ExecSpec,
    },
    proto::{
        client::{PtyInfo, StringMap},
        task_command_router::{TaskExecStartRequest, TaskExecStderrConfig, TaskExecStdoutConfig},
    },
};

/// All arguments together: Modal's clients refuse more than half of it, and Modal itself more than this.
const MAX_ARGUMENTS: usize = 128 << 10;

/// A terminal whose size nobody said.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// Starts a command, or finds that it was started.
pub async fn start(shared: &Arc<Shared>, request: TaskExecStartRequest) -> Result<(), Status> {
    let live = shared.sandboxes.live(&request.task_id);
    let live = live.ok_or_else(|| Status::not_found(format!("the task {} has ended", request.task_id)))?;
    check(&request)?;
    match live.keeper.poll(&request.exec_id).await {
        // An earlier call may have failed right after the start.
        Ok(_) if live.outside.misses(&request.exec_id) => return serve_keys(&live).await,
        Ok(_) => return Ok(()),
        Err(KeeperError::NoSuchExec) => {}
        Err(e) => return Err(status(e)),
    }
    room::need(shared)?;
    let mut env = environment(shared, &live, &request).await?;
    let withheld =
        Keys::withhold(&mut env, &shared.settings.withhold, &request.exec_id).map_err(Status::invalid_argument)?;
    let pty = request.pty_info.as_ref().filter(|p| p.enabled);
    let spec = ExecSpec {
        exec_id: request.exec_id.clone(),
        pty: pty.map(|p| (side(p.winsz_rows, ROWS), side(p.winsz_cols, COLUMNS))),
        timeout_secs: request.timeout_secs.filter(|t| *t > 0).map(u64::from),
        workdir: request.workdir.clone().filter(|w| !w.is_empty()),
        stdout: request.stdout_config() == TaskExecStdoutConfig::Pipe,
        stderr: request.stderr_config() == TaskExecStderrConfig::Pipe,
        key_socket: withheld.is_some(),
        command: request.command_args,
        env,
    };
    match withheld {
        None => live.keeper.exec(&spec).await.map_err(status),
        Some(withheld) => {
            let (shared, live) = (shared.clone(), live.clone());
            // A caller that hangs up must not leave a command whose keys nobody puts in.
            let started = tokio::spawn(async move { with_keys(&shared, &live, &spec, withheld).await });
            started.await.map_err(|e| Status::internal(format!("starting the command was cut off: {e}")))?
        }
    }
}

/// The keys are known, to the next engine too, before the command can ask.
async fn with_keys(shared: &Arc<Shared>, live: &Arc<Live>, spec: &ExecSpec, withheld: Keys) -> Result<(), Status> {
    keys::know(shared, live, &spec.exec_id, withheld).await?;
    if let Err(refused) = live.keeper.exec(spec).await {
        keys::forget(shared, live, &spec.exec_id).await?;
        return Err(status(refused));
    }
    keys::forget_at_end(shared, live, spec.exec_id.clone());
    serve_keys(live).await
}

async fn serve_keys(live: &Live) -> Result<(), Status> {
    match live.outside.pick_up(&live.keeper).await {
        // It was started, and has ended already with its whole sandbox.
        Ok(()) | Err(KeeperError::Gone) => Ok(()),
        // Sent again, the call finds the command and tries this once more.
        Err(e) => Err(Status::unavailable(format!("the command's keys are not served yet: {e}"))),
    }
}

fn check(request: &TaskExecStartRequest) -> Result<(), Status> {
    let invalid = |why: String| Err(Status::invalid_argument(why));
    if !files::valid_id(&request.exec_id) || request.exec_id == ENTRYPOINT {
        return invalid("an exec id has 1 to 64 letters, digits, - and _".to_owned());
    }
    if !request.container_id.is_empty() {
        return Err(Status::unimplemented("the local engine has no sidecars: exec in the sandbox itself"));
    }
    if request.command_args.first().is_none_or(String::is_empty) {
        return invalid("there is no command".to_owned());
    }
    let length: usize = request.command_args.iter().map(String::len).sum();
    if length > MAX_ARGUMENTS {
        return invalid(format!("the arguments have {length} bytes; at most {MAX_ARGUMENTS} are allowed"));
    }
    if request.command_args.iter().any(|a| a.contains('\0')) {
        return invalid("an argument has a zero byte".to_owned());
    }
    if request.stderr_config() == TaskExecStderrConfig::Stdout {
        return invalid("standard error can't be merged into standard output: use a shell's 2>&1".to_owned());
    }
    request.workdir.as_deref().filter(|w| !w.is_empty()).map_or(Ok(()), check_path)
}

async fn environment(shared: &Shared, live: &Live, request: &TaskExecStartRequest) -> Result<Env, Status> {
    let plain = StringMap { contents: request.env.clone() };
    let sources = Sources { ids: &request.secret_ids, plain: vec![&plain], mixed: &request.secret_sources };
    let own = gather(shared, sources).await?;
    let pty = request.pty_info.as_ref().filter(|p: &&PtyInfo| p.enabled);
    let defaults = defaults(&live.row.id, &live.task_id, live.row.facts.network);
    Ok(merge([defaults, live.env.clone(), pty.map(terminal).unwrap_or_default(), own]))
}

fn side(asked: u32, default: u16) -> u16 {
    u16::try_from(asked).ok().filter(|n| *n > 0).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn request(args: &[&str]) -> TaskExecStartRequest {
        TaskExecStartRequest {
            exec_id: "e-1".to_owned(),
            command_args: args.iter().map(|a| (*a).to_owned()).collect(),
            ..TaskExecStartRequest::default()
        }
    }

    #[test]
    fn what_no_process_can_have_is_refused() {
        check(&request(&["true"])).unwrap();
        check(&request(&["echo", &"x".repeat(MAX_ARGUMENTS - 4)])).unwrap();
        for wrong in [
            request(&[]),
            request(&[""]),
            request(&["a\0"]),
            request(&["echo", &"x".repeat(MAX_ARGUMENTS)]),
            TaskExecStartRequest { exec_id: "../x".into(), ..request(&["true"]) },
            TaskExecStartRequest { exec_id: ENTRYPOINT.into(), ..request(&["true"]) },
            TaskExecStartRequest { workdir: Some("tmp".into()), ..request(&["true"]) },
            TaskExecStartRequest { stderr_config: TaskExecStderrConfig::Stdout.into(), ..request(&["true"]) },
        ] {
            assert_eq!(check(&wrong).unwrap_err().code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn a_terminal_has_a_size() {
        assert_eq!((side(0, ROWS), side(50, ROWS), side(1 << 20, ROWS)), (24, 50, 24));
    }
}
