//! One road: a sandbox with a saved workspace, an action on it, a kill in the middle, and what must hold then.

use std::{
    collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, process::Output, thread::sleep, time::Duration,
};

use serde_json::{Value, json};

use crate::program::{self, Place, Running, text, wait_until};

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

/// What is going on then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A turn, in the middle of its answer.
    Chat,
    /// A save.
    Save,
    /// A restore.
    Restore,
}

/// A road that is walked once.
pub struct Road {
    place: Place,
    victim: Victim,
    action: Action,
    seed: u64,
    /// The version that was saved before.
    saved: String,
    /// The workspace as it was saved, and as it was changed then.
    trees: [String; 2],
}

impl Road {
    /// A workspace with one saved version and changes after it; beside it another account's sandbox.
    pub fn new(victim: Victim, action: Action, seed: u64) -> Self {
        let mut place = Place::new();
        let bin = place.data().with_file_name("bin");
        fs::create_dir(&bin).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kills/claude.sh"), bin.join("claude")).unwrap();
        fs::set_permissions(bin.join("claude"), fs::Permissions::from_mode(0o755)).unwrap();
        place.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
        place.env("ANTHROPIC_API_KEY", "sk-ant-test-000");
        place.json(&["sandbox", "create", "--name", "heron"]);
        place.json(&["--account", "other", "sandbox", "create", "--name", "egret"]);
        place.sh(
            "heron",
            "cd /mnt/workspace && for i in $(seq 60); do mkdir -p d$((i % 7)); echo $i > d$((i % 7))/$i; done",
        );
        let saved = place.json(&["version", "save", "heron"])["version"].to_string();
        let before = place.sh("heron", TREE);
        place.sh("heron", "cd /mnt/workspace && rm -r d1 && echo changed > d2/2 && chmod 600 d3/3 && ln -s d2 new");
        let after = place.sh("heron", TREE);
        assert_ne!(before, after);
        Self { place, victim, action, seed, saved, trees: [before, after] }
    }

    /// Acts, kills, and checks.
    pub fn walk(self) {
        let id = uuid::Uuid::new_v4().to_string();
        let args = self.args(&id);
        let mut client = Running::start(self.place.command(&args));
        if self.action == Action::Chat {
            client.wait_for("first heron");
        } else {
            // The seed chooses the moment; nothing is asserted about it.
            sleep(Duration::from_millis(self.seed * 37 % 150 + 40 * self.seed));
        }
        self.kill(&client);
        // The others end the turn, and with it whoever waits at the gate.
        if self.action == Action::Chat && matches!(self.victim, Victim::Client | Victim::Server) {
            self.place.run(&["sandbox", "exec", "heron", "--", "sh", "-c", "echo go > /tmp/gate"]);
        }
        let _ = client.finish();
        let result = self.result(&args);
        self.check_lives();
        match self.action {
            Action::Chat => self.check_chat(&result),
            Action::Save => self.check_save(&result),
            Action::Restore => self.check_restore(&result),
        }
    }

    fn args<'a>(&'a self, id: &'a str) -> Vec<&'a str> {
        let mut args = match self.action {
            Action::Chat => vec!["chat", "heron", "count the herons"],
            Action::Save => vec!["version", "save", "heron"],
            Action::Restore => vec!["version", "restore", "heron", &self.saved, "--yes"],
        };
        args.extend(["--request-id", id]);
        args
    }

    fn kill(&self, client: &Running) {
        match self.victim {
            Victim::Client => program::kill(client.pid()),
            Victim::Server => self.place.kill_server(),
            Victim::Keeper => program::kill(self.keeper("heron").expect("a sandbox has its keeper")),
            // One that is not there yet, or no longer, can't be killed: that moment is a fair one too.
            Victim::Inside => self.inside("inside").into_iter().for_each(kill_if_there),
            Victim::Claude => self.inside("claude").into_iter().for_each(kill_if_there),
        }
    }

    /// Process id of the keeper of a sandbox.
    fn keeper(&self, name: &str) -> Option<u32> {
        let account = if name == "egret" { "other" } else { "default" };
        let id = self.place.json(&["--account", account, "sandbox", "show", name])["sandbox_id"].as_str()?.to_owned();
        processes().into_iter().find(|pid| {
            let line = command_line(*pid);
            line.contains("engine keep") && line.contains(&id)
        })
    }

    /// Processes of the sandbox whose command line holds a word.
    fn inside(&self, word: &str) -> Vec<u32> {
        let mut family: BTreeSet<u32> = self.keeper("heron").into_iter().collect();
        let all = processes();
        // A parent may come after its child in the list: once round for each generation.
        for _ in 0..16 {
            let children: Vec<u32> =
                all.iter().copied().filter(|pid| parent(*pid).is_some_and(|p| family.contains(&p))).collect();
            family.extend(children);
        }
        family
            .into_iter()
            .filter(|pid| !command_line(*pid).contains("engine keep") && command_line(*pid).contains(word))
            .collect()
    }

    /// The command again by its id: it is not done a second time, and its result is told.
    fn result(&self, args: &[&str]) -> Output {
        let mut last = None;
        wait_until("the command's result", || {
            let out = self.place.run(args);
            let done = matches!(out.status.code(), Some(0 | 1 | 4));
            last = Some(out);
            done
        });
        last.unwrap()
    }

    fn name(&self, what: &str) -> String {
        format!("{what} ({:?} killed during {:?}, seed {})", self.victim, self.action, self.seed)
    }

    /// Who lives, and who ended why.
    fn check_lives(&self) {
        let show = || self.place.json(&["sandbox", "show", "heron"]);
        if self.victim == Victim::Keeper {
            wait_until("the sandbox's end is known", || show()["status"] != "running");
            let reason = show()["reason"].as_str().unwrap_or_default().to_owned();
            assert!(!reason.is_empty(), "{}: {}", self.name("no reason"), show());
        } else {
            assert_eq!(show()["status"], "running", "{}", self.name("the sandbox ended"));
        }
        let other = self.place.ok(&["--account", "other", "sandbox", "exec", "egret", "--", "echo", "alive"]);
        assert_eq!(other, "alive\n", "{}", self.name("another sandbox"));
    }

    fn check_chat(&self, result: &Output) {
        let items = self.place.json(&["chat", "heron", "--show"]);
        let items = items.as_array().unwrap();
        let of = |kind: &str| items.iter().filter(|i| i["type"] == kind).count();
        let texts: Vec<String> = items.iter().filter(|i| i["type"] == "text").map(Value::to_string).collect();
        let doubled = texts.iter().collect::<BTreeSet<_>>().len() != texts.len();
        assert!(of("prompt") == 1 && !doubled, "{}: {items:#?}", self.name("doubled items"));
        let said = format!("{}{}", text(&result.stdout), text(&result.stderr));
        if matches!(self.victim, Victim::Client | Victim::Server) {
            assert_eq!(result.status.code(), Some(0), "{}: {said}", self.name("the turn failed"));
            assert_eq!((of("text"), of("result")), (2, 1), "{}: {items:#?}", self.name("items"));
            assert_eq!(self.place.sh("heron", "cat heron.txt; wc -l < /tmp/starts"), "grey\n1\n");
        } else {
            assert_eq!(result.status.code(), Some(1), "{}: {said}", self.name("the turn should have failed"));
            assert!(!said.trim().is_empty(), "{}", self.name("no reason was told"));
        }
    }

    fn check_save(&self, result: &Output) {
        let versions = self.place.json(&["version", "list"]);
        let versions = versions.as_array().unwrap();
        let expected = if result.status.code() == Some(0) { 2 } else { 1 };
        assert_eq!(versions.len(), expected, "{}: {versions:#?}", self.name("versions"));
        for version in versions {
            assert_eq!(version["complete"], json!(true), "{}: {version}", self.name("a version that isn't whole"));
        }
        if self.victim == Victim::Keeper {
            self.place.json(&["sandbox", "create", "--name", "heron"]);
        }
        assert_eq!(self.place.sh("heron", TREE), self.trees[1], "{}", self.name("a save changed the workspace"));
    }

    fn check_restore(&self, result: &Output) {
        if self.victim == Victim::Keeper {
            self.place.json(&["sandbox", "create", "--name", "heron"]);
        }
        if result.status.code() == Some(0) {
            assert_eq!(
                self.place.sh("heron", TREE),
                self.trees[0],
                "{}",
                self.name("the restore said that it was done")
            );
        }
        // Whatever is there, before, after or unfinished: it can be gone on with.
        self.place.json(&["version", "restore", "heron", &self.saved, "--yes"]);
        assert_eq!(self.place.sh("heron", TREE), self.trees[0], "{}", self.name("the second restore"));
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        // The place ends the sandboxes of its own account only.
        let _ = self.place.run(&["--account", "other", "sandbox", "terminate", "egret", "--no-save", "--yes"]);
    }
}

fn kill_if_there(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

fn processes() -> Vec<u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
