//! Saves and restores, each killed in a phase for certain: a process stands still there while the victim is killed.

use crate::{
    processes,
    program::{self, Running, wait_until},
    road::{Road, Victim, said},
    stops::{Point, Who, movers},
};

/// A phase: where it is stopped. At its n-th pass, if there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The version is claimed, nothing is sent yet.
    Claim,
    /// Some files are in the store.
    Uploads,
    /// All files are, and the manifest isn't.
    Manifest,
    /// The version is there, and nobody knows.
    Published,
    /// Some files are fetched.
    Stage,
    /// Some are in their places.
    Swap,
    /// All are, and the journal is still there.
    Clean,
}

/// Those of a save.
pub const SAVE: [Phase; 4] = [Phase::Claim, Phase::Uploads, Phase::Manifest, Phase::Published];

/// Those of a restore.
pub const RESTORE: [Phase; 3] = [Phase::Stage, Phase::Swap, Phase::Clean];

/// How a command must end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It is done, by whoever was there.
    Done,
    /// Nothing was done, and that is told.
    Interrupted,
    /// Its sandbox is gone.
    Failed,
}

impl Phase {
    fn point(self, seed: u64) -> Point {
        let (who, name, nth) = match self {
            Self::Claim => (Who::Mover, "walking", 1),
            Self::Uploads => (Who::Mover, "sending", 1 + seed),
            Self::Manifest => (Who::Server, "publishing", 1),
            Self::Published => (Who::Server, "published", 1),
            Self::Stage => (Who::Mover, "staging", 1 + seed),
            Self::Swap => (Who::Mover, "placing", 5 + seed),
            Self::Clean => (Who::Mover, "cleaning", 1),
        };
        Point { who, name, nth }
    }

    fn end(self, victim: Victim) -> End {
        match (victim, self) {
            // The server has all it needs.
            (Victim::Keeper, Self::Manifest | Self::Published) => End::Done,
            (Victim::Keeper, _) => End::Failed,
            // The user may have worked on since.
            (Victim::Server, Self::Stage) => End::Interrupted,
            _ => End::Done,
        }
    }
}

/// Runs a command, kills in a phase of it, and gives how it ended: asked for by its id, as often as one likes.
fn killed(road: &Road, args: &[&str], phase: Phase, what: &str) -> End {
    let (place, point) = (&road.place, phase.point(road.seed));
    let id = uuid::Uuid::new_v4().to_string();
    let args = [args, &["--request-id", &id]].concat();
    let (server, keeper) = (place.server().unwrap(), place.keeper("default", "heron"));
    place.stop_at("heron", point);
    let client = Running::start(place.command(&args));
    let stopped = place.stopped(point, server, keeper);
    match road.victim {
        Victim::Client => program::kill(client.pid()),
        Victim::Server => program::kill(server),
        Victim::Keeper => {
            program::kill(keeper);
            // Its sandbox goes with it, and not within the kill: a mover that goes on before may come to its end.
            if point.who == Who::Mover {
                wait_until("the mover is gone", || processes::is_gone(stopped.0));
            }
        }
        // In the last phases of a save there is none: then nothing is killed, and nothing may happen. One of them may be
        // another's child and go with it.
        Victim::Inside => movers(keeper).into_iter().for_each(|mover| program::signal_if_there(mover, "KILL")),
        Victim::Claude => unreachable!("it has no part in this"),
    }
    drop(stopped);
    let _ = client.finish();
    let (first, again) = (place.run(&args), place.run(&args));
    assert_eq!((first.status, said(&first)), (again.status, said(&again)), "{what}: told twice, it is the same");
    match first.status.code() {
        Some(0) => End::Done,
        Some(130) => End::Interrupted,
        code => {
            assert!(code == Some(1) && !first.stderr.is_empty(), "{what}: {code:?} {}", said(&first));
            End::Failed
        }
    }
}

/// Kills in a phase of a save.
pub fn save(road: &Road, phase: Phase) {
    let what = format!("{:?} killed in {phase:?} of a save, seed {}", road.victim, road.seed);
    let before = road.versions(&what);
    // Enough for each seed's pass of the uploads; the rest is copied inside the store.
    let change = format!("for i in 1 2 3 4 5 6; do echo '{phase:?}' $i > d$i/new; done; rm -f d0/*; ln -sf d2 link");
    road.place.sh("heron", &change);
    let tree = road.tree();
    let end = killed(road, &["version", "save", "heron"], phase, &what);
    assert_eq!(end, phase.end(road.victim), "{what}");
    road.check_lives(&what);
    assert_eq!(road.versions(&what), before + usize::from(end == End::Done), "{what}");
    assert_eq!(road.tree(), tree, "{what}: a save changed the workspace");
    if end == End::Done {
        let changes = road.place.json(&["version", "restore", "heron", "latest", "--yes"]);
        let none = ["added", "changed", "deleted"].iter().all(|kind| changes[kind].as_array().unwrap().is_empty());
        assert!(none, "{what}: the version isn't what was saved: {changes}");
    }
}

/// Kills in a phase of a restore.
pub fn restore(road: &Road, phase: Phase) {
    let what = format!("{:?} killed in {phase:?} of a restore, seed {}", road.victim, road.seed);
    if phase == Phase::Stage && road.victim == Victim::Server {
        // More than a mover asks for at once: what it has asked for, it fetches without the server too.
        road.place.sh("heron", "mkdir -p many && cd many && for i in $(seq 300); do echo $i > $i; done");
        road.place.json(&["version", "save", "heron"]);
    }
    let saved = road.tree();
    let version = road.place.json(&["version", "latest"])["version"].to_string();
    road.place.sh("heron", "rm -rf d1 many && echo changed > d2/2 && chmod 600 d3/3 && ln -s d2 new && mkdir -p e/f");
    let changed = road.tree();
    let restore = ["version", "restore", "heron", &version, "--yes"];
    let end = killed(road, &restore, phase, &what);
    assert_eq!(end, phase.end(road.victim), "{what}");
    road.check_lives(&what);
    match end {
        End::Done => assert_eq!(road.tree(), saved, "{what}"),
        End::Interrupted => assert_eq!(road.tree(), changed, "{what}: it was not to begin again"),
        End::Failed if phase == Phase::Stage => assert_eq!(road.tree(), changed, "{what}"),
        // Between two versions: the workspace says so, and nobody takes it for one of them.
        End::Failed => {
            let refused = road.place.run(&["version", "save", "heron"]);
            let said = said(&refused);
            let clear = !refused.status.success() && said.contains("is not finished") && said.contains(&version);
            assert!(clear, "{what}: {said}");
        }
    }
    // Whatever is there, before, after or unfinished: it can be gone on with.
    road.place.json(&restore);
    assert_eq!(road.tree(), saved, "{what}: the second restore");
    let left = road.place.sh("heron", "ls -d /mnt/workspace/.sandbank 2>/dev/null || true");
    assert_eq!(left, "", "{what}: something is left behind");
}
