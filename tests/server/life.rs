//! Started on demand, one for each data dir, gone when idle, replaced when killed.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::{Child, Stdio},
};

use serde_json::{Value, json};

use crate::program::{Place, kill, signal, text, wait_until};

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A place whose configuration has these lines.
fn configured(config: &str) -> Place {
    let mut place = Place::new();
    let file = place.data().with_file_name("config.toml");
    fs::write(&file, config).unwrap();
    place.env("SANDBANK_CONFIG", file.to_str().unwrap());
    place
}

#[test]
fn it_starts_when_needed_and_says_where_it_is() {
    let place = Place::new();
    assert_eq!(
        place.json(&["serve", "status"]),
        json!({"running": false, "pid": null, "version": null, "socket": null, "url": null})
    );
    assert!(!place.data().exists(), "asking for the status makes nothing");
    assert_eq!(place.json(&["sandbox", "list"]), json!([]));

    let status = place.json(&["serve", "status"]);
    assert_eq!(status["running"], true);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let pid = u32::try_from(status["pid"].as_u64().unwrap()).unwrap();
    assert!(lives(pid));
    for file in ["server.json", "server.sock", "server.lock"] {
        let mode = fs::metadata(place.data().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is its owner's alone");
    }

    let stopped = place.json(&["serve", "stop"]);
    assert_eq!(stopped["running"], false);
    assert!(!lives(pid), "stop waits for the end");
    assert!(!place.data().join("server.json").exists());
    assert_eq!(place.ok(&["serve", "stop"]), "no server runs\n");
}

#[test]
fn many_clients_at_once_get_one_server() {
    let place = Place::new();
    let clients: Vec<Child> = (0..10)
        .map(|_| place.command(&["sandbox", "list", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn())
        .map(Result::unwrap)
        .collect();
    for client in clients {
        let out = client.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert_eq!(text(&out.stdout), "[]\n");
    }
    let log = fs::read_dir(place.data().join("log"))
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect::<String>();
    assert_eq!(log.matches("serving").count(), 1, "{log}");
}

#[test]
fn it_ends_when_there_is_nothing_to_tend() {
    let place = configured("[server]\nidle_secs = 1\n");
    place.json(&["sandbox", "list"]);
    let pid = place.server().expect("it stays a second");
    wait_until("the idle server has ended", || !lives(pid));
    assert!(!place.data().join("server.json").exists() && !place.data().join("server.sock").exists());
}

#[test]
fn a_follower_that_goes_away_is_noticed_though_nothing_is_said_to_it() {
    let place = configured("[server]\nidle_secs = 1\n");
    place.json(&["sandbox", "list"]);
    let pid = place.server().expect("it stays a second");
    let socket = place.json(&["serve", "status"])["socket"].as_str().unwrap().to_owned();
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET /v1/events?account=default HTTP/1.1\r\nhost: sandbank\r\n\r\n").unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(stream);
    while !said.contains("keyframe") {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
    }
    assert!(lives(pid));
    drop(lines);
    wait_until("the idle server has ended", || !lives(pid));
}

#[test]
fn a_killed_server_is_followed_by_another() {
    let place = Place::new();
    place.json(&["sandbox", "list"]);
    let first = place.server().unwrap();
    kill(first);
    wait_until("it is dead", || !lives(first));
    assert!(place.data().join("server.sock").exists(), "it could not clean up");
    assert_eq!(place.json(&["serve", "status"])["running"], false, "what it left behind is no server");
    assert_eq!(place.json(&["sandbox", "list"]), json!([]));
    assert_ne!(place.server().unwrap(), first);
}

#[test]
fn a_signal_ends_it_in_order() {
    let place = Place::new();
    place.json(&["sandbox", "list"]);
    let pid = place.server().unwrap();
    signal(pid, "TERM");
    wait_until("it has ended", || !lives(pid));
    assert!(!place.data().join("server.json").exists());
}

#[test]
fn it_leaves_the_shell_and_its_keys_behind() {
    let mut place = Place::new();
    place.env("ANTHROPIC_API_KEY", "sk-ant-hunter2");
    place.env("AWS_SECRET_ACCESS_KEY", "hunter3");
    place.json(&["sandbox", "list"]);
    let pid = place.server().unwrap();
    let environ = text(&fs::read(format!("/proc/{pid}/environ")).unwrap());
    assert!(!environ.contains("hunter"), "keys come with a hello and stay in memory");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, pid.to_string(), "it leads a session of its own");
    let leak = std::process::Command::new("grep").args(["-rl", "hunter"]).arg(place.data()).output().unwrap();
    assert_eq!(text(&leak.stdout), "", "no key lies on disk");
}

#[test]
fn one_in_the_foreground_is_used_and_a_second_is_refused() {
    let place = Place::new();
    let mut server = place.command(&["serve"]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it serves", || place.server() == Some(server.id()));
    assert_eq!(place.json(&["sandbox", "list"]), json!([]));

    let second = place.run(&["serve", "--json"]);
    assert_eq!(second.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&second.stdout).unwrap();
    assert_eq!(document["error"]["code"], "conflict", "{document}");

    signal(server.id(), "INT");
    assert!(server.wait().unwrap().success());
}

#[test]
fn why_it_does_not_start_reaches_the_shell() {
    let place = Place::new();
    fs::create_dir_all(place.data().join("server.sock")).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let out = place.run(&["sandbox", "list"]);
    assert_eq!(out.status.code(), Some(3));
    assert!(text(&out.stderr).contains("server.sock"), "{}", text(&out.stderr));
}

#[test]
fn a_data_dir_with_a_long_path_works() {
    let mut place = Place::new();
    let long = place.data().join("x".repeat(120));
    place.env("SANDBANK_DATA_DIR", long.to_str().unwrap());
    assert_eq!(place.json(&["sandbox", "list"]), json!([]));
    let socket = place.json(&["serve", "status"])["socket"].as_str().unwrap().to_owned();
    place.ok(&["serve", "stop"]);
    let link = Path::new(&socket).parent().unwrap();
    assert_eq!(fs::read_link(link).unwrap(), long);
    fs::remove_file(link).unwrap();
}

#[test]
fn the_engine_is_not_started_by_asking() {
    let place = Place::new();
    let nothing = json!({"running": false, "pid": null, "version": null, "modal_url": null, "s3_url": null});
    assert_eq!(place.json(&["engine", "status"]), nothing);
    assert_eq!(place.json(&["serve", "status"])["running"], false, "nor is the server");
    place.json(&["config", "show"]);
    assert_eq!(place.json(&["serve", "status"])["running"], false);
}
