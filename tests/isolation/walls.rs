//! What a program inside can see, reach and change of what is outside: nothing.

use std::{
    fs,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::{PermissionsExt, symlink},
            net::{SocketAddr, UnixListener},
        },
    },
    path::Path,
    process::{Child, Command},
};

use sandbank::engine::{
    jail::{self, make_dir},
    spec::{Bind, ExecEnd, IdMode},
};

use crate::place::{Place, command, processes_with, until};

/// A process of the host, found by its unusual argument.
struct HostProcess(Child, String);

impl HostProcess {
    fn start(place: &Place) -> Self {
        let seconds = format!("86{}", std::process::id());
        Self(Command::new("sleep").arg(&seconds).current_dir(place.path("")).spawn().unwrap(), seconds)
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn files_and_processes_of_the_host_are_not_there() {
    let place = Place::new();
    let process = HostProcess::start(&place);
    let sandbox = place.start("a").await;
    let secret = [place.path(""), place.path("data/access.json"), env!("CARGO_MANIFEST_DIR").into()];
    let mut paths: Vec<String> = secret.iter().map(|p| p.display().to_string()).collect();
    paths
        .extend(["/etc/shadow", "/etc/sudoers", "/etc/ssh", "/etc/machine-id", "/boot", "/sys/fs"].map(str::to_string));
    let env = [("HOST_PATHS", paths.join(":")), ("HOST_PROCESS", process.1.clone())];
    sandbox.probe("nothing_of_the_host_is_there", &env).await;
    sandbox.probe("settings_of_the_machine_cant_be_changed", &[]).await;
    sandbox.probe("no_descriptor_was_left_open", &[]).await;
    assert_ne!(sandbox.sh(&format!("kill -9 {}", process.0.id())).await.end, ExecEnd::Code(0));
}

#[tokio::test]
async fn the_kernel_is_closed_but_for_what_programs_need() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    sandbox.probe("the_kernel_refuses_what_no_program_at_work_needs", &[]).await;
    #[cfg(target_arch = "x86_64")]
    sandbox.probe("the_32_bit_way_into_the_kernel_is_closed", &[]).await;
    sandbox.probe("privileges_end_at_what_package_managers_need", &[]).await;
    sandbox.probe("the_first_process_is_closed_to_the_others", &[]).await;
}

#[tokio::test]
async fn processes_are_not_the_hosts_root_and_gain_nothing() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    let status = fs::read_to_string(format!("/proc/{}/status", sandbox.init().pid)).unwrap();
    let uids = status.lines().find_map(|l| l.strip_prefix("Uid:")).unwrap();
    assert!(uids.split_whitespace().all(|uid| uid != "0"), "root inside is root outside: {uids}");
    // A program with the set-uid bit runs as who starts it: the root file system, and a bind of the host's.
    sandbox.ok("cp /usr/bin/id /tmp/id && chmod 4755 /tmp/id && test -u /tmp/id").await;
    if place.ids.mode != IdMode::Single {
        let as_heron = "setpriv --reuid=1000 --regid=1000 --clear-groups --";
        assert_eq!(sandbox.ok(&format!("{as_heron} /tmp/id -u")).await, "1000\n");
        assert_ne!(sandbox.sh(&format!("{as_heron} sh -c 'echo x > /etc/passwd'")).await.end, ExecEnd::Code(0));
    }
    let mounts = sandbox.ok("cat /proc/self/mountinfo").await;
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let options = fields[5];
        assert!(options.split(',').any(|o| o == "nosuid"), "set-uid programs work below {}: {line}", fields[4]);
        let device = fields[4].starts_with("/dev/") && !matches!(fields[4], "/dev/pts" | "/dev/shm");
        assert!(
            device || options.contains("nodev") || fields[4] == "/dev/pts",
            "devices work below {}: {line}",
            fields[4]
        );
    }
}

#[tokio::test]
async fn sandboxes_see_nothing_of_each_other() {
    let place = Place::new();
    let (a, b) = (place.start("a").await, place.start("b").await);
    let seconds = format!("87{}", std::process::id());
    a.handle.exec(&crate::place::command(&["sleep", &seconds])).await.unwrap();
    a.ok("echo secret > /root/mine; echo secret > /tmp/mine; echo secret > /dev/shm/mine; ipcmk -M 4096 >/dev/null")
        .await;
    until("the sleeper is there", async || !processes_with(&seconds).is_empty()).await;
    assert_eq!(b.ok("ls -A /root /tmp /dev/shm | grep -c mine || true").await, "0\n");
    assert_eq!(b.ok("cat /proc/[0-9]*/comm | grep -c sleep || true").await, "0\n");
    assert_eq!(b.ok("ipcs -m | grep -c 4096 || true").await, "0\n");
    assert_eq!(b.ok("hostname").await, "heron\n");
    b.handle.terminate().await.unwrap();
    b.ended().await;
    assert_eq!(processes_with(&seconds).len(), 1, "the end of one sandbox touched another");
}

#[tokio::test]
async fn only_its_own_network_is_reached() {
    let place = Place::new();
    let host = TcpListener::bind("0.0.0.0:0").unwrap();
    let name = format!("sandbank-test-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let addresses = Command::new("hostname").arg("-I").output().unwrap();
    let sandbox = place.start("a").await;
    let env = [
        ("HOST_PORT", host.local_addr().unwrap().port().to_string()),
        ("HOST_ABSTRACT", name),
        ("HOST_ADDRESSES", String::from_utf8_lossy(&addresses.stdout).trim().to_string()),
    ];
    sandbox.probe("only_the_own_network_is_reached", &env).await;
}

#[tokio::test]
async fn what_is_shown_read_only_stays_so() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.root.binds.push(Bind { source: place.path("outside"), target: "/shown".into(), read_only: true });
    let sandbox = place.start_spec(&spec).await.unwrap();
    sandbox.probe("a_read_only_bind_stays_so", &[]).await;
    assert_eq!(fs::read_to_string(place.path("outside/heron.txt")).unwrap(), "outside");
}

#[tokio::test]
async fn links_that_an_image_brings_lead_nowhere_outside() {
    let place = Place::new();
    let target = place.path("outside");
    let base = place.path("base");
    let inside = target.display().to_string();
    let inside = inside.trim_start_matches('/');
    // Of the sandboxes' ids, each of them: overlayfs takes no folder up that belongs to another.
    let mut there = base.clone();
    for name in Path::new(inside) {
        there.push(name);
        make_dir(&place.ids, &there).unwrap();
    }
    symlink(&target, base.join("absolute")).unwrap();
    symlink(format!("{}{inside}", "../".repeat(40)), base.join("relative")).unwrap();
    symlink("/nowhere/heron", base.join("dangling")).unwrap();
    fs::create_dir(place.path("volume")).unwrap();
    fs::write(place.path("volume/of-the-volume"), "").unwrap();
    let mut spec = place.spec("a");
    for (link, at) in [("absolute", "one"), ("relative", "two")] {
        let bind = Bind { source: place.path("volume"), target: format!("/{link}/{at}"), read_only: true };
        spec.root.binds.push(bind);
    }
    spec.root.links.push(("/absolute/three".into(), "/etc/passwd".into()));
    let sandbox = place.start_spec(&spec).await.unwrap();
    // Inside, the links lead to a folder of that name in the sandbox.
    let seen = sandbox.ok(&format!("ls {}", target.display())).await;
    assert_eq!(seen, "one\nthree\ntwo\n");
    assert_eq!(sandbox.ok("ls /absolute/one").await, "of-the-volume\n");
    let outside: Vec<_> = fs::read_dir(&target).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(outside, ["heron.txt"], "a bind made something on the host");
    let mut spec = place.spec("b");
    let bind = Bind { source: place.path("volume"), target: "/dangling/x".into(), read_only: true };
    spec.root.binds.push(bind);
    let why = place.start_spec(&spec).await.err().expect("a link to nothing was followed").to_string();
    assert!(why.contains("/dangling/x"), "{why}");
}

#[tokio::test]
async fn a_link_into_proc_is_not_followed() {
    let place = Place::new();
    symlink("/proc/self/root", place.path("base/magic")).unwrap();
    let mut spec = place.spec("a");
    spec.root.binds.push(Bind { source: place.path("outside"), target: "/magic/x".into(), read_only: true });
    let why = place.start_spec(&spec).await.err().expect("a magic link was followed").to_string();
    assert!(why.contains("/magic/x"), "{why}");
    assert!(fs::symlink_metadata("/x").is_err());
    let mut spec = place.spec("b");
    spec.root.binds.push(Bind { source: place.path("outside"), target: "/a/../../x".into(), read_only: true });
    let why = place.start_spec(&spec).await.err().expect("a path with .. was taken").to_string();
    assert!(why.contains("absolute path"), "{why}");
}

#[tokio::test]
async fn a_tmp_that_an_image_made_a_link_changes_no_folder_of_the_host() {
    let place = Place::new();
    // Not below the host's /tmp, which is covered while the root is made.
    let folder = tempfile::Builder::new().prefix("sandbank-isolation-").tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    make_dir(&place.ids, &place.path("base").join(folder.path().strip_prefix("/").unwrap())).unwrap();
    symlink(folder.path(), place.path("base/tmp")).unwrap();
    let sandbox = place.start("a").await;
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o700, "the host's folder has mode {mode:o}");
    assert_eq!(sandbox.ok("ls -A /tmp/ | wc -l").await.trim(), "0");
}

#[tokio::test]
async fn the_engines_own_program_cant_be_run_and_so_not_be_changed() {
    if !jail::only_own_programs() {
        return;
    }
    let place = Place::new();
    let sandbox = place.start("a").await;
    sandbox.ok("printf '#!/proc/self/exe\\n' > /tmp/trick && chmod 755 /tmp/trick").await;
    for program in ["/tmp/trick", "/proc/self/exe"] {
        let exec = command(&[program]);
        sandbox.handle.exec(&exec).await.unwrap();
        let done = sandbox.done(&exec.exec_id).await;
        assert_eq!(done.end, ExecEnd::Code(126), "{program}: {done:?}");
    }
    // What programs do all day goes on: folders change places, files without a name are run.
    sandbox.ok("mkdir -p /tmp/a/b /tmp/c && touch /tmp/a/b/f && mv /tmp/a/b /tmp/c && ln /tmp/c/b/f /tmp/a/g").await;
    sandbox.ok("cp /bin/true /dev/shm/t && /dev/shm/t && cp /bin/true /run/t && /run/t").await;
}
