//! Builds: one task for each image, whose log any number of callers follow. A command runs in a jail of its own on the
//! layers below; what it wrote becomes the next layer.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;

use super::{
    Built, ENV,
    recipe::{self, Base, Step},
};
use crate::engine::{
    Shared, jail,
    keeper::{KeeperError, KeeperHandle, OutputFd},
    proxy, random, room,
    spec::{ExecEnd, ExecSpec, Limits, Network, SandboxSpec},
};

/// Bytes of a build's log that are kept in memory; a build that says more has its first part shown.
const LOG_MAX: usize = 4 << 20;

/// Bytes of one line of it.
const LINE_MAX: usize = 16 << 10;

/// Builds whose end is remembered, with their logs, for callers that ask late.
const ENDED_MAX: usize = 16;

/// A command may take an hour: compilers are built in less.
const COMMAND_SECS: u64 = 3600;

/// How long a command goes on while nobody follows its build. A client whose stream broke is back within a second; one
/// that was interrupted never is.
const UNFOLLOWED: Duration = Duration::from_secs(2);

/// Name of the exec in a build's jail.
const COMMAND: &str = "run";

/// How far a build is.
#[derive(Debug, Default)]
pub struct Progress {
    /// What it said.
    pub lines: Vec<String>,
    /// How it ended.
    pub result: Option<Result<(), String>>,
    bytes: usize,
}

/// The builds under way, and the last ones that ended.
#[derive(Debug, Default)]
pub struct Builds {
    /// Receivers are those who follow, and nobody else.
    known: Mutex<HashMap<String, Log>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Builds {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Log>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts off the commands of all builds: nobody would keep their layers. A build begins again when it is next asked
    /// for.
    pub fn cut_off(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    /// Waits until builds that were cut off have cleaned up.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// A build's progress.
    pub fn follow(&self, image_id: &str) -> Option<watch::Receiver<Progress>> {
        self.lock().get(image_id).map(|log| log.0.subscribe())
    }

    /// A build to begin, or the one under way. One that failed is begun again.
    fn enter(&self, image_id: &str) -> Result<(Log, watch::Receiver<Progress>), watch::Receiver<Progress>> {
        let mut builds = self.lock();
        let under_way = |log: &&Log| log.0.borrow().result.is_none();
        if let Some(log) = builds.get(image_id).filter(under_way) {
            return Err(log.0.subscribe());
        }
        let ended: Vec<String> = builds.iter().filter(|(_, log)| !under_way(log)).map(|(id, _)| id.clone()).collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_MAX)) {
            builds.remove(id);
        }
        let (sender, receiver) = watch::channel(Progress::default());
        let log = Log(Arc::new(sender));
        builds.insert(image_id.to_owned(), log.clone());
        Ok((log, receiver))
    }
}

/// Where a build writes its log.
#[derive(Debug, Clone)]
struct Log(Arc<watch::Sender<Progress>>);

impl Log {
    fn say(&self, line: &str) {
        self.0.send_modify(|progress| {
            let cut = line.floor_char_boundary(line.len().min(LINE_MAX));
            // An empty line takes room too.
            let size = cut + size_of::<String>();
            progress.bytes += size;
            match progress.bytes {
                ..=LOG_MAX => progress.lines.push(line[..cut].to_owned()),
                over if over - size <= LOG_MAX => progress.lines.push("(the rest of the log is not kept)".to_owned()),
                _ => {}
            }
        });
    }

    /// Waits until nobody has followed for a while.
    async fn unfollowed(&self) {
        loop {
            self.0.closed().await;
            tokio::time::sleep(UNFOLLOWED).await;
            if self.0.is_closed() {
                return;
            }
        }
    }
}

/// Begins the build of an image, unless it is under way.
///
/// # Errors
/// NOT_FOUND; RESOURCE_EXHAUSTED when the disk is short of room.
pub async fn begin(shared: &Arc<Shared>, image_id: &str) -> Result<watch::Receiver<Progress>, Status> {
    let recipe = shared.images.row(image_id).await?.recipe;
    room::need(shared)?;
    let (log, receiver) = match shared.images.builds.enter(image_id) {
        Ok(new) => new,
        Err(under_way) => return Ok(under_way),
    };
    let (tasks, shared, id) = (shared.images.builds.tasks.clone(), Arc::clone(shared), image_id.to_owned());
    tasks.spawn(async move {
        let result = match image(&shared, &recipe, &log).await {
            Ok(built) => keep(&shared, id, &built).await,
            Err(why) => Err(why),
        };
        let result = result.map_err(|why| room::explain(&shared.settings.dir, why));
        log.0.send_modify(|progress| progress.result = Some(result));
    });
    Ok(receiver)
}

async fn keep(shared: &Shared, image_id: String, built: &Built) -> Result<(), String> {
    let json = serde_json::to_string(built).map_err(|e| e.to_string())?;
    let write = move |db: &mut Connection| {
        Ok(db.execute("UPDATE images SET built = ?2 WHERE image_id = ?1", (image_id, json))?)
    };
    shared.state.call(write).await.map(|_| ()).map_err(|e| e.to_string())
}

async fn image(shared: &Arc<Shared>, recipe: &recipe::Recipe, log: &Log) -> Result<Built, String> {
    let text = |status: Status| status.message().to_owned();
    let mut built = match &recipe.base {
        Base::Host(key) => {
            let (host, wanted, lines) = (shared.images.host.clone(), key.clone(), log.clone());
            let base = tokio::task::spawn_blocking(move || host.ensure(&wanted, &|line| lines.say(line)));
            base.await.map_err(|e| e.to_string())??;
            let env = ENV.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Built { host: key.clone(), layers: Vec::new(), env, workdir: None }
        }
        Base::Image(id) => {
            let parent = shared.images.row(id).await.map_err(text)?.built;
            parent.ok_or_else(|| format!("the image {id} below this one is not built"))?
        }
    };
    let mut secrets = BTreeMap::new();
    for id in &recipe.secrets {
        secrets.extend(shared.secrets.values(id).await.map_err(text)?);
    }
    for step in &recipe.steps {
        match step {
            Step::Env(text) => {
                log.say(&format!("ENV {text}"));
                built.env.extend(recipe::assignments(text, &built.env)?);
            }
            Step::Workdir(text) => {
                log.say(&format!("WORKDIR {text}"));
                let path = recipe::expand(text, &built.env)?;
                let path = Path::new(built.workdir.as_deref().unwrap_or("/")).join(path);
                built.workdir = Some(path.to_string_lossy().into_owned());
            }
            Step::Run(argv) => {
                let name = layer_name(&built, argv, recipe);
                if !shared.images.layers.join(&name).is_dir() {
                    run(shared, &built, argv, &secrets, &name, log).await?;
                }
                built.layers.push(name);
            }
        }
    }
    Ok(built)
}

/// Hash of all that a command's result depends on.
fn layer_name(below: &Built, argv: &[String], recipe: &recipe::Recipe) -> String {
    let what = (&below.host, below.layers.last(), &below.env, &below.workdir, argv, &recipe.secrets, &recipe.salt);
    hex::encode(Sha256::digest(serde_json::to_vec(&what).unwrap_or_default()))
}

/// Runs a command on an image and keeps what it wrote as the layer `name`.
async fn run(
    shared: &Arc<Shared>,
    below: &Built,
    argv: &[String],
    secrets: &BTreeMap<String, String>,
    name: &str,
    log: &Log,
) -> Result<(), String> {
    let shown = match argv {
        [shell, flag, line] if shell == "/bin/sh" && flag == "-c" => line.clone(),
        _ => argv.join(" "),
    };
    log.say(&format!("RUN {shown}"));
    let id = random::id("build", 22).map_err(|e| format!("cannot name a build: {e}"))?;
    let scratch = shared.images.layers.join(format!("{id}.new"));
    let keeper = shared.settings.dir.join("builds").join(&id);
    let done = jailed(shared, below, argv, secrets, &scratch, &keeper, &id, log).await;
    let done = match done {
        Ok(ExecEnd::Code(0)) => settle(shared, &scratch, name).await,
        Ok(ExecEnd::Code(code)) => Err(format!("`{shown}` ended with exit code {code}")),
        Ok(ExecEnd::Signal(signal)) => Err(format!("`{shown}` was ended by signal {signal}")),
        Err(why) => Err(why),
    };
    let _ = tokio::fs::remove_dir_all(&keeper).await;
    remove(shared, scratch).await.map_err(|e| format!("cannot clean up after a build: {e}")).and(done)
}

#[allow(clippy::too_many_arguments, reason = "the parts of one command, named at its only call")]
async fn jailed(
    shared: &Arc<Shared>,
    below: &Built,
    argv: &[String],
    secrets: &BTreeMap<String, String>,
    scratch: &Path,
    keeper: &Path,
    id: &str,
    log: &Log,
) -> Result<ExecEnd, String> {
    let root = shared.images.bare(below).root(scratch);
    // The one above them too, so that all of it can be removed as their root.
    let folders = root.overlays.iter().flat_map(|overlay| [overlay.upper.as_path(), overlay.work.as_path()]);
    for folder in std::iter::once(scratch).chain(folders) {
        jail::make_dir(&shared.ids, folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    let workdir = below.workdir.clone().unwrap_or_else(|| "/".to_owned());
    let spec = SandboxSpec {
        sandbox_id: id.to_owned(),
        task_id: id.to_owned(),
        hostname: "build".to_owned(),
        root,
        ids: shared.ids.clone(),
        limits: Limits { timeout_secs: COMMAND_SECS, disk_floor: shared.settings.disk_floor, ..Limits::default() },
        network: Network { proxy_port: Some(proxy::PORT), forwards: Vec::new() },
        entrypoint: Vec::new(),
        workdir: workdir.clone(),
    };
    let say = |e: KeeperError| format!("cannot run a command of the build: {e}");
    let handle = KeeperHandle::start(&shared.settings.program, keeper, &spec, &BTreeMap::new()).await.map_err(say)?;
    let mut env = proxy::environment();
    env.extend(below.env.clone());
    env.extend(secrets.clone());
    let exec = ExecSpec {
        exec_id: COMMAND.to_owned(),
        command: argv.to_vec(),
        env,
        workdir: Some(workdir),
        pty: None,
        timeout_secs: None,
        stdout: true,
        stderr: true,
        key_socket: false,
    };
    let ended = async {
        // Served for as long as the command runs: packages come through it.
        let _outside = proxy::attach(&handle, id, &shared.sandboxes.upstream).await?;
        handle.exec(&exec).await?;
        handle.write_stdin(COMMAND, 0, &[], true).await?;
        follow(&handle, log).await?;
        handle.wait(COMMAND).await
    };
    let ended = tokio::select! {
        ended = ended => ended,
        () = shared.images.builds.stop.cancelled() => Err(KeeperError::Refused("the engine ends".to_owned())),
        () = log.unfollowed() => Err(KeeperError::Refused("nobody waits for it any more".to_owned())),
    };
    // Whatever happened: what it left running must not write into the layer any more.
    let _ = handle.terminate().await;
    let how = handle.ended().await;
    ended.map_err(|e| format!("a command of the build was cut off ({e}; the sandbox's end: {how:?})"))
}

/// Both outputs of the command, line by line, until it has closed them.
async fn follow(handle: &KeeperHandle, log: &Log) -> Result<(), KeeperError> {
    let part = |fd| handle.output(COMMAND, fd, 0).map(move |bytes| (fd, bytes));
    let mut both = stream::select(Box::pin(part(OutputFd::Out)), Box::pin(part(OutputFd::Err)));
    let mut open = [Vec::new(), Vec::new()];
    while let Some((fd, bytes)) = both.next().await {
        let open = &mut open[usize::from(fd == OutputFd::Err)];
        open.extend_from_slice(&bytes?);
        // Taken off together: a piece of nothing but line ends must not be moved for each of them.
        let whole = open.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        for line in open[..whole].split_inclusive(|b| *b == b'\n') {
            log.say(String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']));
        }
        open.drain(..whole);
        if open.len() > LINE_MAX {
            log.say(&String::from_utf8_lossy(open));
            open.clear();
        }
    }
    for rest in open.iter().filter(|rest| !rest.is_empty()) {
        log.say(&String::from_utf8_lossy(rest));
    }
    Ok(())
}

/// Gives what was written its names and its place. Another build may have been faster: then that one counts.
async fn settle(shared: &Shared, scratch: &Path, name: &str) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("cannot keep a layer in {}: {e}", shared.images.layers.display());
    remove(shared, scratch.join("work-0")).await.map_err(fail)?;
    remove(shared, scratch.join("work-1")).await.map_err(fail)?;
    for (from, to) in [("upper-0", "root"), ("upper-1", "usr")] {
        std::fs::rename(scratch.join(from), scratch.join(to)).map_err(fail)?;
    }
    let place = shared.images.layers.join(name);
    match std::fs::rename(scratch, &place) {
        Err(_) if place.is_dir() => Ok(()),
        done => done.map_err(fail),
    }
}

async fn remove(shared: &Shared, path: std::path::PathBuf) -> std::io::Result<()> {
    let (program, ids) = (shared.settings.program.clone(), shared.ids.clone());
    let run = move || jail::remove_tree(&program, &ids, &[path.as_path()]);
    tokio::task::spawn_blocking(run).await.map_err(std::io::Error::other)?
}

/// Ends what builds of an earlier engine left: their jails, then their files.
pub async fn clean(shared: &Shared) -> std::io::Result<()> {
    for entry in std::fs::read_dir(shared.settings.dir.join("builds"))?.flatten() {
        if let Ok(handle) = KeeperHandle::attach(&entry.path()).await {
            let _ = handle.terminate().await;
        }
        let _ = KeeperHandle::reap(&entry.path()).await;
        tokio::fs::remove_dir_all(entry.path()).await?;
    }
    for entry in std::fs::read_dir(&shared.images.layers)?.flatten() {
        if entry.path().extension().is_some_and(|e| e == "new") {
            remove(shared, entry.path()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_empty_lines_has_a_bound_too() {
        let (sender, receiver) = watch::channel(Progress::default());
        let log = Log(Arc::new(sender));
        for _ in 0..LOG_MAX / 8 {
            log.say("");
        }
        let kept = receiver.borrow().lines.len();
        assert!(kept <= LOG_MAX / size_of::<String>() + 1, "{kept} lines are kept");
    }
}
