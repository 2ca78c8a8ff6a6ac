//! The lists in all their states.

use insta::assert_snapshot;
use sandbank::{
    core::SandboxStatus,
    tui::{
        app::{
            EffectId,
            model::{Focus, Link, Remote, list::Filter},
        },
        theme::{Background, Colors},
    },
};

use super::{build, screen, screen_in};

#[test]
fn nothing_is_there_yet() {
    assert_snapshot!(screen(&build::model(80, 24)));
}

#[test]
fn everything_is_being_asked_for() {
    let mut model = build::model(120, 30);
    model.link = Link::Starting;
    model.spent_today = None;
    model.sandboxes.remote = Remote::Loading { id: EffectId(1) };
    model.versions.remote = Remote::NotAsked;
    assert_snapshot!(screen(&model));
}

#[test]
fn one_sandbox() {
    let mut model = build::model(80, 24);
    model.sandboxes = build::list(vec![build::sandbox("heron-api", SandboxStatus::Running, 5)]);
    assert_snapshot!(screen(&model));
}

#[test]
fn ten_thousand_sandboxes() {
    let mut model = build::model(80, 24);
    let all = (0..10_000).map(|n| build::sandbox(&format!("sandbox-{n:05}"), SandboxStatus::Running, n));
    model.sandboxes = build::list(all.collect());
    model.sandboxes.cursor = model.sandboxes.all().get(5_010).map(|one| one.sandbox_id.clone());
    model.sandboxes.top = 5_000;
    assert_snapshot!(screen(&model));
}

#[test]
fn versions() {
    assert_snapshot!(screen(&build::focused(build::afternoon(80, 24), Focus::Versions)));
}

#[test]
fn names_from_outside_stay_in_their_columns() {
    let mut model = build::model(80, 24);
    let names = [
        "日本語の名前がとても長いサンドボックスなので切れる",
        "👨‍👩‍👧‍👦 family 🦀 crab",
        "a\u{202e}gnp.exe\u{202c} \u{1b}[31mred\u{7}",
        "עברית العربية",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301} marks",
        "a-name-that-is-so-long-that-it-cannot-stand-in-a-column-of-any-list-whatever-its-width-is",
    ];
    let ids = ["a", "b", "c", "d", "e", "f"];
    let named = |(id, name): (&str, &str)| {
        let mut one = build::sandbox(id, SandboxStatus::Running, 7);
        one.name = name.to_owned();
        one
    };
    model.sandboxes = build::list(ids.into_iter().zip(names).map(named).collect());
    assert_snapshot!(screen(&model));
    model.size.columns = 120;
    assert_snapshot!(screen(&model));
}

#[test]
fn the_list_cannot_be_had() {
    let mut model = build::model(80, 24);
    model.sandboxes.remote = Remote::Failed { error: build::unreachable(), last: None };
    assert_snapshot!(screen(&model));
}

#[test]
fn the_server_is_lost_and_what_was_known_stays() {
    let mut model = build::afternoon(120, 30);
    model.link = Link::Lost { error: build::unreachable(), since: build::at(3) };
    let last = model.sandboxes.all().to_vec();
    model.sandboxes.remote = Remote::Failed { error: build::unreachable(), last: Some(last) };
    assert_snapshot!(screen(&model));
}

#[test]
fn a_filter_marks_what_fits() {
    let mut model = build::afternoon(80, 24);
    model.sandboxes.filter = Some(Filter { text: "sc".to_owned(), typing: true });
    model.sandboxes.shown = vec![(1, vec![0, 1])];
    model.sandboxes.cursor = model.sandboxes.all().get(1).map(|one| one.sandbox_id.clone());
    assert_snapshot!(screen(&model));
    model.sandboxes.filter = Some(Filter { text: "zzz".to_owned(), typing: true });
    model.sandboxes.shown.clear();
    assert_snapshot!(screen(&model));
}

#[test]
fn marked_rows_are_told_from_the_one_with_the_cursor() {
    let mut model = build::model(80, 24);
    let names = ["heron-api", "heron-web", "tern", "owl", "old-import"];
    let named = |(n, name): (i64, &&str)| build::sandbox(name, SandboxStatus::Running, 10 * n);
    model.sandboxes = build::list((1..).zip(&names).map(named).collect());
    for place in [0, 2, 4] {
        model.sandboxes.go(place);
        assert!(model.sandboxes.toggle_mark());
    }
    model.sandboxes.go(2);
    assert_snapshot!(screen(&model));
    model.size.columns = 120;
    model.place.ascii = true;
    model.sandboxes.sort_next();
    model.sandboxes.filter = Some(Filter { text: "e".to_owned(), typing: false });
    let shown = screen_in(&model, Background::Dark, Colors::None);
    assert!(shown.is_ascii(), "{shown}");
    assert_snapshot!(shown);
    model.sandboxes.filter = Some(Filter { text: "heron".to_owned(), typing: false });
    model.sandboxes.show(|_| true);
    model.size.columns = 80;
    assert_snapshot!("marks_that_a_filter_hides_are_counted_apart", screen(&model));
}

#[test]
fn long_names_are_told_apart_beside_a_chat() {
    let names: Vec<_> = (1..=9).map(|n| format!("a-very-long-name-for-a-sandbox-number-{n}-of-the-team")).collect();
    let mut model = build::model(120, 30);
    let named = |(n, name): (usize, &String)| {
        let mut one = build::sandbox(&format!("s{n}"), SandboxStatus::Running, 7);
        one.name = format!("{name}-{n}");
        one
    };
    model.sandboxes = build::list(names.iter().enumerate().map(named).collect());
    model.sandboxes.shown[2].1 = (24..30).collect();
    assert_snapshot!(screen(&model));
    model.size.columns = 200;
    assert_snapshot!(screen(&model));
}

#[test]
fn versions_of_one_minute_are_told_apart() {
    let mut model = build::model(120, 30);
    let mut twin = build::version(45, "", 1, 26);
    twin.version.0 += 7;
    twin.created_at = twin.created_at.checked_add(jiff::SignedDuration::from_secs(7)).unwrap();
    let yesterday = [build::version(60 * 30, "before lunch", 118, 3_400_000), build::version(60 * 31, "", 118, 900)];
    let mut versions = vec![build::version(2, "after turn", 128, 4_200_000), twin];
    versions.push(build::version(45, "kept", 10_000, 999));
    versions.extend(yesterday);
    model.versions = build::list(versions);
    assert_snapshot!(screen(&model));
    model.size.columns = 200;
    assert_snapshot!(screen(&model));
    model.size.columns = 80;
    assert_snapshot!(screen(&build::focused(model, Focus::Versions)));
}
