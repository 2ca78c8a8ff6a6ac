//! From a data dir to a server that knows us: the one that runs, or a new one.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt, process::Command, time};

use super::{
    Options, Session,
    http::{self, Call, Trouble},
    log_hint,
    meet::{Meeting, Side, meet},
};
use crate::{
    api::{
        ApiError, BUILD, EngineStatus, Hello, PROTOCOL, ServerFile, ServerStatus, StartReport, Stop, VERSION, Welcome,
        hello::is_override,
    },
    config::DataDir,
};

/// A server is ready in milliseconds; on a machine under load, or when it first takes up work of a dead one, it may
/// take seconds. What takes longer than this hangs.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an older server may take to finish what is under way before the user is told instead.
const FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// How often files of another process are looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(10);

/// The server that runs for a data dir, without starting one or saying hello.
///
/// # Errors
/// It is there and can't answer.
pub async fn find(data: &DataDir) -> Result<Option<(ServerFile, ServerStatus)>, ApiError> {
    let Some(file) = announced(data) else { return Ok(None) };
    let status = async { http::json(http::send(&file.socket, None, &Call::get("/v1/status")).await?).await };
    match status.await {
        Ok(status) => Ok(Some((file, status))),
        Err(Trouble::Gone(_)) => Ok(None),
        Err(Trouble::Api(error)) => Err(error),
        Err(Trouble::Stranger) => Err(ApiError::failed("the server wants a hello before it says how it is")),
    }
}

/// The engine of the server that runs for a data dir, without starting either.
///
/// # Errors
/// The server is there and can't answer.
pub async fn engine_status(data: &DataDir) -> Result<EngineStatus, ApiError> {
    let Some(file) = announced(data) else { return Ok(EngineStatus::default()) };
    let call = Call::get("/v1/engine/status");
    let status = async { http::json(http::send(&file.socket, None, &call).await?).await };
    match status.await {
        Ok(status) => Ok(status),
        Err(Trouble::Gone(_) | Trouble::Stranger) => Ok(EngineStatus::default()),
        Err(Trouble::Api(error)) => Err(error),
    }
}

/// Stops the server that runs, and waits until its process is gone. Tells what ran, if one did.
///
/// # Errors
/// It can't be asked, or doesn't end.
pub async fn stopped(data: &DataDir) -> Result<Option<ServerFile>, ApiError> {
    let Some((file, _)) = find(data).await? else { return Ok(None) };
    match http::send(&file.socket, None, &Call::post("/v1/stop", &Stop::default())).await {
        // Gone before it could answer is as good.
        Ok(_) | Err(Trouble::Gone(_) | Trouble::Stranger) => {}
        Err(Trouble::Api(error)) => return Err(error),
    }
    if gone(&file, START_TIMEOUT).await {
        return Ok(Some(file));
    }
    Err(ApiError::failed(format!("the server (process {}) does not end", file.pid)).hint(format!(
        "{}; `kill -9 {}` loses nothing that was accepted",
        log_hint(data),
        file.pid
    )))
}

/// Finds or starts the server and says hello.
pub(super) async fn connect(options: &Options, hello: &Hello) -> Result<Session, ApiError> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Some(file) = announced(&options.data)
            && let Some(welcome) = greet(&file, hello).await?
        {
            let ours = Side { version: VERSION, build: BUILD, protocol: PROTOCOL };
            match meet(ours, (&welcome).into(), welcome.running, cfg!(debug_assertions)) {
                Meeting::Talk => return Ok(Session { socket: file.socket, client: welcome.client_id }),
                Meeting::Replace => replace(&file, &welcome).await?,
                Meeting::Upgrade => {
                    return Err(ApiError::failed(format!(
                        "the server of this data dir is newer ({}) than this program ({VERSION})",
                        welcome.version
                    ))
                    .hint("upgrade this binary"));
                }
            }
        }
        if Instant::now() >= deadline {
            return Err(
                ApiError::unavailable("the server was started and can't be reached").hint(log_hint(&options.data))
            );
        }
        // Ready, or another one was faster: both are found above. One that has ended again is started again.
        if let StartReport::Failed { error } = launch(options).await? {
            return Err(error);
        }
        time::sleep(LOOK).await;
    }
}

/// Says hello; nothing when nobody is there.
async fn greet(file: &ServerFile, hello: &Hello) -> Result<Option<Welcome>, ApiError> {
    let call = Call::post("/v1/hello", hello);
    let welcome = async { http::json(http::send(&file.socket, None, &call).await?).await };
    match welcome.await {
        Ok(welcome) => Ok(Some(welcome)),
        Err(Trouble::Gone(_) | Trouble::Stranger) => Ok(None),
        Err(Trouble::Api(error)) => Err(error),
    }
}

/// Asks an older server to finish and end, and waits for it.
async fn replace(file: &ServerFile, welcome: &Welcome) -> Result<(), ApiError> {
    match http::send(&file.socket, None, &Call::post("/v1/stop", &Stop { finish: true })).await {
        Ok(_) | Err(Trouble::Gone(_) | Trouble::Stranger) => {}
        Err(Trouble::Api(error)) => return Err(error),
    }
    if gone(file, FINISH_TIMEOUT).await {
        return Ok(());
    }
    Err(ApiError::unavailable(format!(
        "an older server ({}) is in the middle of {} calls and takes no new ones; it is replaced when they are done",
        welcome.version, welcome.running
    ))
    .hint("try again later, or run `sandbank serve stop`: what is under way is then taken up by the next server"))
}

/// Starts a server; waits for what it says of its start.
async fn launch(options: &Options) -> Result<StartReport, ApiError> {
    let failed = |what: String| ApiError::failed(what).hint(log_hint(&options.data));
    let mut command = Command::new(&options.program);
    command.args(["serve", "--background", "--data-dir"]).arg(options.data.path());
    if let Some(config) = &options.config {
        command.arg("--config").arg(config);
    }
    // Keys come with each client's hello and lie in the server's memory only, not in its environment.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_override)) {
        command.env_remove(name);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("{} can't be started as server: {e}", options.program.display())))?;
    let mut said = Vec::new();
    if let Some(out) = &mut child.stdout {
        let read = time::timeout(START_TIMEOUT + Duration::from_secs(5), out.read_to_end(&mut said)).await;
        if !matches!(read, Ok(Ok(_))) {
            return Err(failed("the server does not come up".to_owned()));
        }
    }
    serde_json::from_slice(&said).map_err(|_| failed("the server ended while it started".to_owned()))
}

/// `server.json`, if there is one that can be read. Truth is the lock; this only says where to look.
pub fn announced(data: &DataDir) -> Option<ServerFile> {
    serde_json::from_slice(&fs::read(data.server_file()).ok()?).ok()
}

/// Waits until the process that wrote the file has ended.
async fn gone(file: &ServerFile, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while started(file.pid) == Some(file.start_time) {
        if Instant::now() >= deadline {
            return false;
        }
        time::sleep(LOOK).await;
    }
    true
}

/// When a process started, in clock ticks since boot; nothing for one that has ended. A zombie has ended too, but has
/// its entry until its parent looks.
pub(super) fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
