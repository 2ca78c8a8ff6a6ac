//! Processes that stop at a place of the program which a test has named, and stand still until it lets them go on.

use std::{fs, path::PathBuf};

use crate::{
    processes,
    program::{Place, signal_if_there, wait_until},
};

/// Names the file in which a process looks where to stop.
const VARIABLE: &str = "SANDBANK_TEST_STOP_AT";

/// That file in a sandbox.
const INSIDE: &str = "/tmp/stop-at";

/// Who is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The mover of a sandbox's save or restore.
    Mover,
    /// The server.
    Server,
}

/// A place of the program: its name there, and at which of its passes to stop.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub who: Who,
    pub name: &'static str,
    pub nth: u64,
}

impl Place {
    /// Makes servers stop where they are told to. Before the first command.
    pub fn with_stops(mut self) -> Self {
        let file = self.stop_file();
        self.env(VARIABLE, file.to_str().unwrap());
        self
    }

    fn stop_file(&self) -> PathBuf {
        self.data().with_file_name("stop-at")
    }

    /// A sandbox whose movers stop where they are told to.
    pub fn create_with_stops(&self, name: &str) {
        self.json(&["sandbox", "create", "--name", name, "--env", &format!("{VARIABLE}={INSIDE}")]);
    }

    /// Says where the next process has to stop.
    pub fn stop_at(&self, sandbox: &str, point: Point) {
        let wish = format!("{} {}", point.name, point.nth);
        match point.who {
            Who::Server => fs::write(self.stop_file(), wish).unwrap(),
            Who::Mover => drop(self.sh(sandbox, &format!("echo {wish} > {INSIDE}"))),
        }
    }

    /// Waits until it has stopped, and gives it. `server` and `keeper` are asked for before: a server that stands still
    /// tells nothing.
    pub fn stopped(&self, point: Point, server: u32, keeper: u32) -> Stopped {
        let mut found = None;
        wait_until(&format!("{point:?} is reached"), || {
            let mut those = match point.who {
                Who::Server => vec![server],
                Who::Mover => movers(keeper),
            };
            those.retain(|pid| processes::is_stopped(*pid));
            found = those.first().copied();
            found.is_some()
        });
        Stopped(found.unwrap())
    }

    /// Process id of a sandbox's keeper.
    pub fn keeper(&self, account: &str, name: &str) -> u32 {
        let shown = self.json(&["--account", account, "sandbox", "show", name]);
        let id = shown["sandbox_id"].as_str().unwrap();
        let keeps = |pid: &u32| {
            let line = processes::command_line(*pid);
            line.contains("engine keep") && line.contains(id)
        };
        processes::all().into_iter().find(keeps).expect("a sandbox has its keeper")
    }
}

/// The movers in the sandbox of a keeper.
pub fn movers(keeper: u32) -> Vec<u32> {
    inside(keeper, "inside mover")
}

/// The processes of a sandbox whose command line holds a text.
pub fn inside(keeper: u32, text: &str) -> Vec<u32> {
    let is = |pid: &u32| *pid != keeper && processes::command_line(*pid).contains(text);
    processes::family(keeper).into_iter().filter(is).collect()
}

/// A process that stands still. It goes on when this is dropped, if it is still there.
#[derive(Debug)]
pub struct Stopped(pub u32);

impl Drop for Stopped {
    fn drop(&mut self) {
        signal_if_there(self.0, "CONT");
    }
}
