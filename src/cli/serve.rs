//! `sandbank serve`, `serve status|stop` and `engine run`: the only place that knows both server and engine.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit},
};

use super::{
    args::{Global, ServeCommand},
    context::Context,
    failure::Failure,
    local::Local,
    out,
};
use crate::{
    api::{ApiError, ServerStatus, StartReport},
    client,
    config::Config,
    config::DataDir,
    server::{self, Lock, LockError, Options},
    service::LocalPlace,
};

/// How long a new server waits for the lock while its holder can't be connected to: one that ends, or that starts.
/// Shorter than what the client who started it waits (30 s).
const LOCK_TIMEOUT: Duration = Duration::from_secs(25);

/// `serve status` and `serve stop`
pub(super) async fn tell(context: &Context, command: ServeCommand) -> Result<(), Failure> {
    let status = match command {
        ServeCommand::Status => match client::find(&context.data).await? {
            Some((_, status)) => status,
            None => not_running(),
        },
        ServeCommand::Stop => {
            let stopped = client::stopped(&context.data).await?;
            if !context.json {
                return Ok(out::line(match stopped {
                    Some(file) => format!("the server (process {}) has ended", file.pid),
                    None => "no server runs".to_owned(),
                })?);
            }
            not_running()
        }
    };
    if context.json {
        return Ok(out::json(&status)?);
    }
    let (Some(pid), Some(version)) = (status.pid, status.version) else { return Ok(out::line("no server runs")?) };
    out::line(format_args!("the server {version} runs in process {pid}"))?;
    out::field("data dir", &context.data.path().display().to_string())?;
    status.socket.map_or(Ok(()), |socket| Ok(out::field("socket", &socket.display().to_string())?))
}

fn not_running() -> ServerStatus {
    ServerStatus { running: false, pid: None, version: None, socket: None, url: None }
}

/// Serves for whoever started it, who reads one line about the start from our stdout.
pub(super) fn background(global: &Global) -> Result<(), Failure> {
    // Neither ctrl-c in that shell nor its end is meant for us. It fails only for a process that leads a group
    // already, which then gets neither.
    let _ = rustix::process::setsid();
    let started = Context::new(global).and_then(|context| {
        context.data.prepare()?;
        Ok((wait_for_lock(&context.data)?, context))
    });
    let (lock, context) = match started {
        Ok((Some(lock), context)) => (lock, context),
        Ok((None, _)) => return report(&StartReport::Held),
        Err(failure) => return report(&StartReport::Failed { error: told(failure) }),
    };
    let idle = Duration::from_secs(context.config.server.idle_secs.into());
    let served = serve(context, lock, Some(idle), None, || {
        if let Err(failure) = report(&StartReport::Ready) {
            tracing::warn!(?failure, "whoever started this server is gone");
        }
    });
    match served {
        Err(failure) => {
            tracing::error!(?failure, "the server ended");
            report(&StartReport::Failed { error: told(failure) })
        }
        Ok(()) => Ok(()),
    }
}

/// Serves in the foreground; with `engine` the engine is started at once and the server never ends by itself.
pub(super) fn foreground(global: &Global, engine: bool) -> Result<(), Failure> {
    let context = Context::new(global)?;
    context.data.prepare()?;
    let lock = Lock::take(&context.data).map_err(|e| match e {
        LockError::Held => ApiError::conflict(format!("a server of {} runs already", context.data.path().display()))
            .hint("`sandbank serve stop` ends it; `sandbank engine env` uses it as it is"),
        LockError::Io { .. } => ApiError::not_configured(e.to_string()),
    })?;
    let data = context.data.path().display().to_string();
    if engine {
        let local = Local::new(&context.config, &context.data)?;
        serve(context, lock, None, Some(local), move || {
            out::note(format_args!("sandbank: serving {data}; ctrl-c ends"))
        })
    } else {
        let idle = Duration::from_secs(context.config.server.idle_secs.into());
        serve(context, lock, Some(idle), None, move || {
            out::note(format_args!("sandbank: serving {data}; ends when idle, or by ctrl-c"));
        })
    }
}

/// The lock; nothing when somebody else has it who can be connected to.
fn wait_for_lock(data: &DataDir) -> Result<Option<Lock>, ApiError> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match Lock::take(data) {
            Ok(lock) => return Ok(Some(lock)),
            Err(LockError::Held) => {}
            Err(e) => return Err(ApiError::not_configured(e.to_string())),
        }
        if client::announced(data).is_some_and(|file| UnixStream::connect(file.socket).is_ok()) {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Err(ApiError::unavailable(format!(
                "another process holds {} and can't be connected to",
                data.lock().display()
            ))
            .hint(format!("`fuser {}` names it", data.lock().display())));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Everything from the lock to the end. `engine` is started before anyone is told that the server is ready.
fn serve(
    context: Context,
    lock: Lock,
    idle: Option<Duration>,
    engine: Option<Arc<Local>>,
    ready: impl FnOnce() + Send + 'static,
) -> Result<(), Failure> {
    // What we write is ours alone, and no key ends in a core dump.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(io::Error::from)?;
    // The proxies of one sandbox take up to 1,024; the keepers that are started set their programs' own.
    let all = getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: all, maximum: all }).map_err(io::Error::from)?;
    // A working directory could be on a disk that is to be taken out.
    std::env::set_current_dir("/")?;
    log(&context.config, &context.data)?;
    let Context { config, data, .. } = context;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let local = match engine {
            Some(local) => {
                local.access().await?;
                let status = local.status();
                for (name, url) in [("Modal", status.modal_url), ("S3", status.s3_url)] {
                    out::note(format_args!("sandbank: {name} at {}", url.unwrap_or_default()));
                }
                local
            }
            None => Local::new(&config, &data)?,
        };
        let result = server::run(Options { config, data, lock, local: local.clone(), idle }, ready).await;
        local.stop().await;
        result
    });
    // What still runs is stored; nothing waits for it.
    runtime.shutdown_background();
    Ok(result?)
}

/// Tells the starter, who waits for the end of our stdout.
fn report(report: &StartReport) -> Result<(), Failure> {
    out::json(report)?;
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null).map_err(io::Error::from)?;
    Ok(())
}

fn told(failure: Failure) -> ApiError {
    match failure {
        Failure::Api(error) => error,
        Failure::Io(error) => ApiError::failed(error.to_string()),
        Failure::Exit(code) => ApiError::failed(format!("ended with {code}")),
    }
}

/// Writes the log to the data dir: a file a day, a week of them.
fn log(config: &Config, data: &DataDir) -> Result<(), ApiError> {
    const DAYS: usize = 7;
    let failed = |e: &dyn std::fmt::Display| {
        ApiError::not_configured(format!("the log in {} can't be written: {e}", data.log_dir().display()))
    };
    let file = tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .max_log_files(DAYS)
        .filename_prefix("server")
        .filename_suffix("log")
        .build(data.log_dir())
        .map_err(|e| failed(&e))?;
    // Other crates log connections and requests below `warn`, some with headers.
    let filter = format!("warn,sandbank={}", config.server.log.as_str());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(file)
        .with_ansi(false)
        .try_init()
        .map_err(|e| failed(&e))?;
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panic")));
    Ok(())
}
