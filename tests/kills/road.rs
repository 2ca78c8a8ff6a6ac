//! A sandbox on which something is killed, another beside it, and what must hold whatever was killed.

use std::process::Output;

use serde_json::Value;

use crate::{
    program::{self, Place, text, wait_until},
    scripted_api::ScriptedApi,
};

/// Bytes, modes and links of the workspace.
const TREE: &str = "cd /mnt/workspace && find . -path ./.sandbank -prune -o -printf '%P|%y|%m|%l\\n' | sort \
                    && find . -path ./.sandbank -prune -o -type f -exec sha256sum {} + | sort -k2";

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The command that a user typed.
    Client,
    /// The process that owns the work.
    Server,
    /// The sandbox's keeper.
    Keeper,
    /// Our process in the sandbox: the shim of a chat, the mover of a save or a restore.
    Inside,
    /// The Claude CLI.
    Claude,
}

/// A road with a victim.
pub struct Road {
    pub place: Place,
    pub victim: Victim,
    /// Chooses where exactly.
    pub seed: u64,
    /// The real CLI's, if there is one.
    pub api: Option<ScriptedApi>,
}

impl Road {
    /// A workspace with one saved version; beside it another account's sandbox.
    pub fn new(victim: Victim) -> Self {
        let claude = program::claude();
        let api = claude.as_ref().map(|_| ScriptedApi::start(program::KEY, Vec::new()));
        let place = match (&claude, &api) {
            (Some(claude), Some(api)) => Place::with_claude(claude, api.url()),
            _ => Place::new(),
        };
        let road = Self { place: place.with_stops(), victim, seed: 0, api };
        road.place.create_with_stops("heron");
        road.place.json(&["--account", "other", "sandbox", "create", "--name", "egret"]);
        road.place.sh("heron", "for i in $(seq 40); do mkdir -p d$((i % 7)); echo $i > d$((i % 7))/$i; done");
        road.place.json(&["version", "save", "heron"]);
        road
    }

    /// What the workspace is.
    pub fn tree(&self) -> String {
        self.place.sh("heron", TREE)
    }

    /// How many versions there are. All of them are whole.
    pub fn versions(&self, what: &str) -> usize {
        let versions = self.place.json(&["version", "list"]);
        let versions = versions.as_array().unwrap();
        for version in versions {
            assert_eq!(version["complete"], Value::Bool(true), "{what}: {version}");
        }
        versions.len()
    }

    /// Who lives, and who ended why. A sandbox that has ended gets a successor on the same workspace.
    pub fn check_lives(&self, what: &str) {
        let show = || self.place.json(&["sandbox", "show", "heron"]);
        if self.victim == Victim::Keeper {
            wait_until("the sandbox's end is known", || show()["status"] != "running");
            let reason = show()["reason"].as_str().unwrap_or_default().to_owned();
            assert!(!reason.is_empty(), "{what}: no reason: {}", show());
            self.place.create_with_stops("heron");
        } else {
            assert_eq!(show()["status"], "running", "{what}: the sandbox ended");
        }
        let other = self.place.ok(&["--account", "other", "sandbox", "exec", "egret", "--", "echo", "alive"]);
        assert_eq!(other, "alive\n", "{what}: another sandbox");
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        // The place ends the sandboxes of its own account only.
        let _ = self.place.run(&["--account", "other", "sandbox", "terminate", "egret", "--no-save", "--yes"]);
    }
}

/// All that a command said.
pub fn said(out: &Output) -> String {
    format!("{}{}", text(&out.stdout), text(&out.stderr))
}
