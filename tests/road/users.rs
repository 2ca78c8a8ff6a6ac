//! The engine as a whole, for whoever runs the tests, and as two kinds of ordinary user: images, volumes, versions, ends,
//! and that nothing which a hostile program does to its own files keeps the engine from removing or saving them.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use sandbank::engine::{
    jail,
    spec::{IdMap, IdMode},
};
use serde_json::{Value, json};

use crate::{
    claude::TREE,
    program::{self, Place},
    user::{self, Kind, User},
};

/// Makes a layer with files of another user, and closes what is above them to everyone.
const LAYER: &str = "mkdir -p /opt/nest && echo egg > /opt/nest/egg && chmod 640 /opt/nest/egg && \
                     chown 1000:1000 /opt/nest/egg && echo built in $COLOUR && chown 1000 / /usr && chmod 0 / /usr";

/// A workspace with files of several users, some closed to their own.
const FILES: &str = "mkdir wood && echo one > a && echo two > wood/b && ln -s a link && chmod 400 a && chmod 750 wood && \
                     chown 1000:1000 wood/b && chown 33 wood && touch -d 2020-01-01 wood/b";

#[test]
fn the_engine_serves_this_user() {
    if let Err(why) = jail::available() {
        return eprintln!("skipped: {why}");
    }
    let place = Place::new();
    // It fails where Claude or its key is missing; the rest must be fine.
    let found: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    let wrong = found["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == json!(false));
    let wrong: Vec<_> = wrong.filter(|check| !check["name"].as_str().unwrap().contains("claude")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    let image = ["--env", "COLOUR=grey", "--run", LAYER];
    place.json(&[&["sandbox", "create", "--name", "heron"], &image[..]].concat());
    let ids = ids(&place);
    assert!(user::has(ids.mode), "{ids:?}");
    // With one id only, `chown` pretends.
    let shown = |id: u32| if ids.mode == IdMode::Single { 0 } else { id };

    assert_eq!(place.sh("heron", "id -u; pwd; echo $COLOUR"), "0\n/mnt/workspace\ngrey\n");
    let egg = place.sh("heron", "stat -c '%u:%g %a' /opt/nest/egg; cat /opt/nest/egg");
    assert_eq!(egg, format!("{0}:{0} 640\negg\n", shown(1000)));

    place.sh("heron", FILES);
    let before = place.sh("heron", TREE);
    let owners = |tree: &str| tree.lines().filter_map(|l| Some(l.split('|').nth(3)?.to_owned())).collect::<Vec<_>>();
    // a, link, wood/b, wood and the root.
    let expected = [(0, 0), (0, 0), (1000, 1000), (33, 0), (0, 0)].map(|(u, g)| format!("{}:{}", shown(u), shown(g)));
    assert_eq!(owners(&before), expected, "{before}");
    // On the host they are ids that belong to this user.
    let hosts = place.sh("heron", "stat -c %i wood/b").trim().parse().unwrap();
    assert_eq!(owner_of_inode(&place.data().join("engine/volumes"), hosts), outside(&ids, shown(1000)));

    let saved = place.json(&["version", "save", "heron"]);
    assert_eq!(saved["files"], json!(2));
    place.sh(
        "heron",
        "rm a link && echo more >> wood/b && chown -R 44 wood && mkdir new && echo c > new/c && chmod 0 new",
    );
    let restored = place.json(&["version", "restore", "heron", &saved["version"].to_string(), "--yes"]);
    assert_eq!(place.sh("heron", TREE), before, "{restored}");

    // A program closes all it has, to itself and to the engine's user.
    place.sh("heron", "chmod 0 wood a && chown 1000 / /usr /mnt/workspace && chmod 0 / /usr /mnt/workspace");
    let closed = place.sh("heron", TREE);
    place.ok(&["sandbox", "terminate", "heron", "--save", "--yes"]);
    let listed = place.json(&["version", "list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["files"]), (2, &json!(2)), "{listed}");

    // What it wrote is gone, its layer and its volume go on.
    let scratch = place.data().join("engine/scratch");
    program::wait_until("scratch is cleared", || fs::read_dir(&scratch).unwrap().next().is_none());
    place.json(&[&["sandbox", "create", "--name", "wren"], &image[..]].concat());
    assert_eq!(place.sh("wren", TREE), closed);
    place.ok(&["version", "restore", "wren", &saved["version"].to_string(), "--yes"]);
    assert_eq!(place.sh("wren", TREE), before);
    place.ok(&["sandbox", "terminate", "wren", "--no-save", "--yes"]);
    assert_eq!(place.json(&["sandbox", "list"]), json!([]));
    program::wait_until("scratch is cleared", || fs::read_dir(&scratch).unwrap().next().is_none());
    assert_eq!(warnings(&place), Vec::<String>::new());
}

#[test]
fn the_engine_serves_an_ordinary_user_with_a_range_of_ids() {
    serves(Kind::Range);
}

#[test]
fn the_engine_serves_an_ordinary_user_with_one_id() {
    serves(Kind::One);
}

fn serves(kind: Kind) {
    let Some(user) = User::new(kind) else { return };
    user.run(&["users::the_engine_serves_this_user"], &[]);
    let Some(claude) = program::claude() else { return };
    if !user.command(&claude).arg("--version").output().unwrap().status.success() {
        assert!(std::env::var_os("SANDBANK_TEST_REQUIRE").is_none(), "users must be able to run {}", claude.display());
        return eprintln!("skipped: an ordinary user may not run {}", claude.display());
    }
    user.run(&["claude::the_whole_road"], &[("SANDBANK_TEST_CLAUDE", &claude)]);
}

/// The ids that the engine chose for this data dir.
fn ids(place: &Place) -> IdMap {
    let noted: Value = serde_json::from_slice(&fs::read(place.data().join("ids.json")).unwrap()).unwrap();
    serde_json::from_value(noted["map"].clone()).unwrap()
}

/// A sandbox's user id as the host's.
fn outside(ids: &IdMap, inside: u32) -> Option<u32> {
    let range = ids.uids.iter().find(|r| (r.inside..r.inside + r.count).contains(&inside))?;
    Some(range.outside + inside - range.inside)
}

/// Who owns a file below a folder, by its number.
fn owner_of_inode(folder: &Path, inode: u64) -> Option<u32> {
    fs::read_dir(folder).into_iter().flatten().flatten().find_map(|entry| {
        let found = entry.metadata().ok()?;
        if found.ino() == inode { Some(found.uid()) } else { owner_of_inode(&entry.path(), inode) }
    })
}

/// What the engine warned of: files that it could not remove, volumes that it could not make durable.
fn warnings(place: &Place) -> Vec<String> {
    let logs = fs::read_dir(place.data().join("log")).unwrap().flatten().map(|e| fs::read_to_string(e.path()).unwrap());
    let lines = logs.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|l| (l.contains(" WARN ") || l.contains(" ERROR ")) && l.contains("sandbank::engine")).collect()
}
