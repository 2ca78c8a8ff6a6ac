//! A restore: receive the tree, compare, stage, apply. `docs/mover.md` has the phases and what a crash leaves.

mod apply;
mod compare;
pub mod journal;
mod stage;
mod tree;
pub mod work;

use std::{io, sync::Arc};

use self::{
    compare::Plan,
    tree::{Tree, TreeWriter},
    work::Work,
};
use super::{
    context::Mover,
    path::TreeCheck,
    pipes::Input,
    stop::Stop,
    threads::blocking,
    words::{Digest, Facts, Frame, Phase, Totals, Unfinished},
};
use crate::fault;

/// What must stay free beside the version: folders, and the journal itself, need some.
const SPARE: u64 = 16 << 20;

/// What the service asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The version.
    pub target: u64,
    /// The version before.
    pub before: Option<u64>,
    /// Only compare.
    pub dry: bool,
    /// Go ahead over another unfinished restore.
    pub replace: bool,
}

/// Does a restore, or only its comparison.
pub async fn restore(mover: &Mover, input: &mut Input, wish: Wish) -> Result<(), Stop> {
    let root = mover.root.clone();
    let work = Arc::new(blocking(move || Work::open(root)).await.map_err(own_folder)?);
    let unfinished = find_unfinished(mover, wish).await?;
    let (tree, plan, only) = match prepare(mover, input, &work, wish, unfinished).await {
        Ok(prepared) if !wish.dry => prepared,
        // Nothing is left behind but what was there before.
        ended => {
            blocking(move || work.remove()).await.map_err(own_folder)?;
            return match ended {
                Ok((_, plan, _)) => mover.out.send(Frame::Compared(plan.totals)).await,
                Err(stop) => Err(stop),
            };
        }
    };
    mover.out.send(Frame::Compared(plan.totals)).await?;
    let mut entry = Unfinished {
        target: wish.target,
        before: wish.before.or(unfinished.and_then(|u| u.before)),
        // A workspace that is mixed stays so until the end.
        phase: unfinished.map_or(Phase::Stage, |u| u.phase),
    };
    write_journal(&work, entry).await?;
    let bytes = stage::stage(mover, input, &work, &tree, &plan).await?;
    if let Some(only) = only.filter(|_| bytes > 0) {
        // Fetching takes time, and what was written meanwhile nobody has seen.
        let state = compare::state(mover, &tree, wish.target).await?;
        if state != only {
            mover.out.send(Frame::State(state)).await?;
            blocking(move || drop_staged(&work, entry.phase)).await.map_err(own_folder)?;
            return Err(moved_on());
        }
    }

    let root = mover.root.clone();
    blocking(move || root.sync()).await.map_err(|e| Stop::at("the volume can't be synced; nothing was changed", e))?;
    entry.phase = Phase::Apply;
    write_journal(&work, entry).await?;
    let totals = Totals { bytes, ..plan.totals };
    finish(mover, work, tree, plan).await.map_err(|e| {
        Stop::at("the workspace is between two versions, since not all could be restored; restore again", e)
    })?;
    mover.out.send(Frame::Restored(totals)).await
}

/// Receives and compares. Touches nothing but the stage of a restore that is no more.
async fn prepare(
    mover: &Mover,
    input: &mut Input,
    work: &Arc<Work>,
    wish: Wish,
    unfinished: Option<Unfinished>,
) -> Result<(Tree, Plan, Option<Digest>), Stop> {
    let Received { tree, root, only } = receive(input, work).await?;
    let plan = Plan { root, ..compare::compare(mover, &tree, wish.target).await? };
    mover.out.send(Frame::State(plan.digest)).await?;
    if !wish.dry {
        if only.is_some_and(|only| only != plan.digest) {
            return Err(moved_on());
        }
        if unfinished.is_none_or(|u| u.target != wish.target) {
            let work = work.clone();
            blocking(move || work.clear_stage()).await.map_err(own_folder)?;
        }
        check_space(mover, work, &plan).await?;
    }
    Ok((tree, plan, only))
}

fn moved_on() -> Stop {
    Stop("the workspace has changed since it was compared; nothing was restored".to_owned())
}

/// What was fetched goes, unless the workspace is mixed: then the journal must stay.
fn drop_staged(work: &Work, phase: Phase) -> io::Result<()> {
    if phase == Phase::Stage {
        journal::remove(work.folder())?;
        work.clear_stage()?;
    }
    work.remove()
}

async fn find_unfinished(mover: &Mover, wish: Wish) -> Result<Option<Unfinished>, Stop> {
    let root = mover.root.clone();
    let unfinished = match blocking(move || journal::read(&root)).await {
        Err(e) if e.kind() == io::ErrorKind::InvalidData && (wish.replace || wish.dry) => None,
        other => other.map_err(|e| Stop::at("the restore's journal can't be read", e))?,
    };
    match unfinished {
        Some(Unfinished { target, phase: Phase::Apply, .. }) if target != wish.target && !wish.replace && !wish.dry => {
            Err(Stop(format!("a restore of version {target} is unfinished: go on with it, or replace it")))
        }
        other => Ok(other),
    }
}

fn own_folder(error: io::Error) -> Stop {
    Stop::at("the folder .sandbank in the workspace can't be used", error)
}

/// What the service has sent.
struct Received {
    tree: Tree,
    root: Option<Facts>,
    only: Option<Digest>,
}

/// Takes the tree, and checks it whole before anything is done with it.
async fn receive(input: &mut Input, work: &Work) -> Result<Received, Stop> {
    let mut tree = TreeWriter::new(work.scratch().map_err(own_folder)?);
    let (mut check, mut root, mut only) = (TreeCheck::default(), None, None);
    loop {
        match input.answer().await? {
            Some(Frame::Only(digest)) if check.entries() == 0 => only = Some(digest),
            Some(Frame::Root(facts)) if check.entries() == 0 => root = Some(facts),
            Some(Frame::Entry(entry)) => {
                check.push(&entry).map_err(|e| Stop::at("the version can't be restored; nothing was changed", e))?;
                tree.push(entry).map_err(own_folder)?;
            }
            Some(Frame::EndTree { entries }) if entries == check.entries() => {
                return Ok(Received { tree: tree.finish().map_err(own_folder)?, root, only });
            }
            Some(Frame::EndTree { entries }) => {
                let came = check.entries();
                return Err(Stop(format!("{came} entries came of {entries}; nothing was changed")));
            }
            Some(_) => return Err(Stop("the service sent a frame that has no place in a tree".to_owned())),
            None => return Err(Stop("the service is gone; nothing was changed".to_owned())),
        }
    }
}

async fn check_space(mover: &Mover, work: &Arc<Work>, plan: &Plan) -> Result<(), Stop> {
    let (root, work) = (mover.root.clone(), work.clone());
    let (free, staged) = blocking(move || Ok((root.free_bytes()?, work.staged_bytes()?))).await.map_err(own_folder)?;
    let needed = plan.totals.bytes.saturating_sub(staged).saturating_add(SPARE);
    match free {
        Some(free) if free < needed => Err(Stop(format!(
            "the volume has {free} bytes free and the restore needs {needed}; nothing was changed: delete something first"
        ))),
        _ => Ok(()),
    }
}

async fn write_journal(work: &Arc<Work>, entry: Unfinished) -> Result<(), Stop> {
    let work = work.clone();
    blocking(move || journal::write(work.folder(), &entry)).await.map_err(own_folder)
}

/// From here on nobody is needed any more.
async fn finish(mover: &Mover, work: Arc<Work>, tree: Tree, plan: Plan) -> io::Result<()> {
    let (root, out) = (mover.root.clone(), mover.out.clone());
    blocking(move || {
        apply::Apply::new(root.clone(), work.clone(), out).run(&tree, &plan)?;
        root.sync()?;
        fault::point("cleaning");
        journal::remove(work.folder())?;
        work.clear_stage()?;
        fault::point("cleaning");
        work.remove()
    })
    .await
}
