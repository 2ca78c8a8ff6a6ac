//! Lists, focus, dialogs, timers.

use std::time::Instant;

use super::*;
use crate::{
    api::Command,
    tui::app::{
        action::{Action, Context},
        event::Mouse,
        layout,
        model::{Dialog, Focus, Remote},
    },
};

#[test]
fn a_connection_asks_for_all_that_is_shown() {
    let mut screen = Screen::new();
    let effects = screen.connect();
    let names: Vec<_> = effects.iter().map(|effect| format!("{effect:?}")).collect();
    for wanted in ["LoadHistory", "ListSandboxes", "ListVersions", "ListCommands", "SumUsage"] {
        assert_eq!(names.iter().filter(|name| name.starts_with(wanted)).count(), 1, "{wanted} in {names:?}");
    }
}

#[rstest::rstest]
#[case(SandboxStatus::Running, Focus::Prompt)]
#[case(SandboxStatus::Pending, Focus::Sandboxes)]
#[case(SandboxStatus::Terminated, Focus::Sandboxes)]
fn who_comes_back_to_a_running_sandbox_can_talk_to_it(#[case] status: SandboxStatus, #[case] focus: Focus) {
    assert_eq!(Screen::with(vec![sandbox(1, status)]).model.focus, focus);
}

#[test]
fn a_focus_that_was_chosen_before_the_list_came_stays() {
    let mut screen = Screen::new();
    let effects = screen.connect();
    screen.press("j");
    screen.answer_lists(&effects, vec![sandbox(1, SandboxStatus::Running)]);
    assert_eq!(screen.model.focus, Focus::Sandboxes);
}

#[test]
fn the_cursor_stays_on_its_row_when_the_list_comes_again() {
    let mut screen = Screen::running();
    screen.press("ctrl-x 1 j");
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-2");
    let effects = screen.connect();
    let mut more: Vec<_> = (0..5).map(|n| sandbox(n, SandboxStatus::Running)).collect();
    more.reverse();
    screen.answer_lists(&effects, more);
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-2");
    assert_eq!(screen.model.sandboxes.place(), Some(2));
}

#[test]
fn a_list_is_sorted_by_what_its_reader_chooses_and_stays_so() {
    let named = |n, name: &str, status| SandboxInfo { name: name.into(), ..sandbox(n, status) };
    let (running, starting) = (SandboxStatus::Running, SandboxStatus::Pending);
    let mut screen = Screen::with(vec![named(1, "Cob", starting), named(2, "auk", running), named(3, "bee", running)]);
    let names = |screen: &Screen| -> Vec<String> {
        screen.model.sandboxes.rows().map(|(sandbox, _)| sandbox.name.clone()).collect()
    };
    assert_eq!(names(&screen), ["Cob", "auk", "bee"], "newest first");
    screen.press("ctrl-x 1 g o");
    assert_eq!(names(&screen), ["auk", "bee", "Cob"]);
    assert_eq!(screen.model.sandbox().unwrap().name, "Cob", "the cursor stays on its row");
    screen.stored(EventBody::Sandbox { sandbox: named(0, "ant", running) });
    assert_eq!(names(&screen), ["ant", "auk", "bee", "Cob"], "a new one has its place");
    screen.press("o");
    assert_eq!(names(&screen), ["ant", "auk", "bee", "Cob"], "what runs, newest first, then what starts");
    screen.press("o");
    assert_eq!(names(&screen), ["ant", "Cob", "auk", "bee"]);
}

#[test]
fn what_the_stream_says_while_a_list_is_asked_for_is_newer_than_the_list() {
    let mut screen = Screen::new();
    let effects = screen.connect();
    screen.stored(EventBody::Sandbox { sandbox: sandbox(1, SandboxStatus::Running) });
    screen.answer_lists(&effects, vec![sandbox(1, SandboxStatus::Pending)]);
    assert_eq!(screen.model.sandboxes.all()[0].status, SandboxStatus::Running);
}

#[test]
fn a_sandbox_that_ends_leaves_the_list_and_its_neighbour_has_the_cursor() {
    let mut screen = Screen::running();
    screen.stored(EventBody::Sandbox { sandbox: sandbox(1, SandboxStatus::Terminated) });
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-2");
    screen.press("ctrl-x 1 e");
    assert_eq!(screen.model.sandboxes.shown.len(), 2);
}

#[test]
fn a_filter_shows_the_best_first_and_esc_takes_it_away() {
    let mut screen = Screen::with((1..30).map(|n| sandbox(n, SandboxStatus::Running)).collect());
    screen.press("ctrl-x 1 /");
    assert_eq!(screen.model.context(), Context::Finder);
    screen.write("heron-21");
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-21");
    let (_, fits) = screen.model.sandboxes.rows().next().unwrap();
    assert_eq!(fits, [0, 1, 2, 3, 4, 5, 6, 7]);
    screen.write("nothing like it");
    assert_eq!(screen.model.sandboxes.shown.len(), 0);
    screen.press("esc");
    assert_eq!(screen.model.sandboxes.shown.len(), 29);
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-1", "what was selected before is what the next key means");
    screen.press("/");
    screen.write("heron-21");
    screen.press("enter esc");
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-21", "what was chosen stays");
    screen.press("/");
    screen.write("heron-3");
    screen.press("ctrl-u");
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-21");
}

fn found(screen: &mut Screen, filter: &str) -> Vec<String> {
    screen.press("ctrl-x 1 /");
    screen.write(filter);
    let found = screen.model.sandboxes.rows().map(|(sandbox, _)| sandbox.name.clone()).collect();
    screen.press("esc");
    found
}

#[test]
fn a_filter_finds_what_is_seen_and_an_id_from_its_beginning() {
    let (running, ended) = (SandboxStatus::Running, SandboxStatus::Terminated);
    let named = |n: i64, id: &str, name: &str, status| {
        let sandbox_id = SandboxId::new(id).unwrap();
        SandboxInfo { sandbox_id, name: name.into(), image: "python".into(), ..sandbox(n, status) }
    };
    let all = vec![
        named(1, "sb-zzAb12", "auk", running),
        named(2, "sb-zzCd34", "bee", running),
        named(3, "sb-xx", "cob", ended),
    ];
    let mut screen = Screen::with(all);
    let nothing: [&str; 0] = [];
    assert_eq!(found(&mut screen, "z"), nothing, "neither ids nor states are seen");
    assert_eq!(found(&mut screen, "sb-"), nothing);
    assert_eq!(found(&mut screen, "sb-zzc"), ["bee"]);
    assert_eq!(found(&mut screen, "python"), nothing, "beside a chat there is no room for images");
    screen.take(Event::Term(TermEvent::Resized { columns: 80, rows: 24 }));
    assert_eq!(found(&mut screen, "python"), ["auk", "bee"]);
    assert_eq!(screen.model.sandboxes.kept, 2, "those that ended are not counted");
}

#[test]
fn the_cursor_of_versions_follows_the_newest_until_it_is_moved() {
    let mut screen = Screen::running();
    let selected = |screen: &Screen| screen.model.version().unwrap().note.clone();
    assert_eq!(selected(&screen), "note 3");
    screen.stored(EventBody::Version { version: version(4) });
    assert_eq!(selected(&screen), "note 4");
    screen.press("ctrl-x 2 j");
    screen.stored(EventBody::Version { version: version(5) });
    assert_eq!(selected(&screen), "note 3", "it was put there");
    screen.press("g");
    screen.stored(EventBody::Version { version: version(6) });
    assert_eq!(selected(&screen), "note 6");
}

#[test]
fn places_that_fit_are_counted_in_characters() {
    assert_eq!(crate::tui::app::fuzzy::fuzzy("ab", &["é日ab"]), [(0, vec![2, 3])]);
}

#[rstest::rstest]
#[case("tab", Focus::Versions)]
#[case("tab tab", Focus::Transcript)]
#[case("shift-tab", Focus::Prompt)]
#[case("i", Focus::Prompt)]
#[case("enter", Focus::Prompt)]
#[case("ctrl-x 2", Focus::Versions)]
#[case("ctrl-x 3 i esc", Focus::Sandboxes)]
#[case("ctrl-x esc", Focus::Sandboxes)]
#[case("ctrl-x z", Focus::Sandboxes)]
fn keys_move_the_focus(#[case] keys: &str, #[case] focus: Focus) {
    let mut screen = Screen::running();
    screen.press("ctrl-x 1");
    screen.press(keys);
    assert_eq!(screen.model.focus, focus);
    assert!(screen.model.chord.is_empty());
}

#[test]
fn the_palette_finds_an_action_and_does_it() {
    let mut screen = Screen::running();
    screen.press("ctrl-x ctrl-x");
    screen.write("show earlier");
    screen.press("enter");
    assert!(matches!(screen.model.dialogs.as_slice(), [Dialog::Toasts(_)]), "{:?}", screen.model.dialogs);
}

#[test]
fn a_version_is_restored_only_when_what_it_changes_was_seen_and_accepted() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x 2 enter");
    let [Effect::Preview { id, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(screen.press("tab enter"), []);
    screen.press("tab");
    let gone = crate::api::command::PathSize { path: "a".into(), size: 1 };
    let changes = crate::api::command::Changes { deleted: vec![gone], ..Default::default() };
    screen.done(*id, Outcome::Preview(Ok(changes)));
    let Some(Dialog::Restore(open)) = screen.model.dialogs.last() else { panic!() };
    assert!(matches!(open.changes, Remote::Ready { .. }) && !open.confirmed);
    let effects = screen.press("tab enter");
    assert!(submitted(&effects).is_some(), "{effects:?}");
}

#[test]
fn a_restore_of_something_else_than_was_seen_is_shown_anew() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x 2 enter");
    let [Effect::Preview { id, version, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let gone = crate::api::command::PathSize { path: "a".into(), size: 1 };
    let changes =
        crate::api::command::Changes { deleted: vec![gone], digest: Some("seen".into()), ..Default::default() };
    screen.done(*id, Outcome::Preview(Ok(changes)));
    let effects = screen.press("tab enter");
    let submit = effects.iter().find_map(|effect| match effect {
        Effect::Submit { id, request } => Some((*id, request.clone())),
        _ => None,
    });
    let (submitted, request) = submit.unwrap();
    let Command::VersionRestore { expected, .. } = &request.command else { panic!() };
    assert_eq!(expected.as_deref(), Some("seen"));
    let answer = CommandAnswer {
        request_id: request.request_id,
        kind: request.command.kind().to_owned(),
        state: CommandState::Failed,
        result: serde_json::Value::Null,
        error: Some(ApiError::conflict("the workspace has changed")),
    };
    let effects = screen.done(submitted, Outcome::Command(Ok(answer)));
    let again = effects.iter().any(|e| matches!(e, Effect::Preview { version: again, .. } if again == version));
    assert!(again, "{effects:?}");
    let [Dialog::Restore(open)] = screen.model.dialogs.as_slice() else { panic!("{:?}", screen.model.dialogs) };
    assert!(matches!(open.changes, Remote::Loading { .. }) && !open.confirmed, "the safe choice again");
    assert!(open.again, "it says itself why: it lies over the messages");
    assert_eq!(screen.said(), Vec::<&str>::new());
    assert_eq!(screen.model.toasts.history.len(), 1);
    let [Effect::Preview { id, .. }] = orders(effects)[..] else { panic!() };
    screen.done(id, Outcome::Preview(Ok(crate::api::command::Changes::default())));
    screen.press("esc");
    screen.press("enter");
    let Some(Dialog::Restore(open)) = screen.model.dialogs.last() else { panic!("{:?}", screen.model.dialogs) };
    assert!(!open.again, "asked for by hand it is new");
}

#[test]
fn enter_on_a_fresh_preview_or_question_changes_nothing() {
    let mut screen = Screen::running();
    screen.press("ctrl-x t");
    assert_eq!(screen.press("enter"), []);
    assert!(screen.model.dialogs.is_empty());
    screen.press("ctrl-x r");
    assert_eq!(screen.press("enter"), []);
    assert!(screen.model.dialogs.is_empty());
}

#[test]
fn a_click_goes_where_it_points() {
    let mut screen = Screen::running();
    let rows = layout::list_rows(layout::areas(&screen.model).sandboxes);
    let (column, row) = (rows.x + 2, rows.y + 1);
    screen.take(Event::Term(TermEvent::Mouse { what: Mouse::Click, column, row }));
    assert_eq!(screen.model.focus, Focus::Sandboxes);
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-2");
}

#[test]
fn an_idle_screen_waits_for_nothing_but_the_minute_and_without_eyes_not_for_that() {
    let mut screen = Screen::running();
    assert_eq!(screen.model.timers.iter().copied().collect::<Vec<_>>(), [Timer::Minute]);
    let effects = screen.take(Event::Term(TermEvent::Focused { gained: false }));
    assert!(effects.contains(&Effect::StopTimer { timer: Timer::Minute }));
    assert!(screen.model.timers.is_empty());
}

#[test]
fn ten_thousand_rows_cost_a_key_nothing() {
    let mut screen = Screen::with((1..10_000).map(|n| sandbox(n, SandboxStatus::Running)).collect());
    screen.press("ctrl-x 1 G");
    assert_eq!(screen.model.sandbox().unwrap().name, "heron-9999");
    let begin = Instant::now();
    for _ in 0..100 {
        screen.press("k");
    }
    // A debug build on a busy machine; walking all rows for each key takes longer by far.
    assert!(begin.elapsed().as_millis() < 2_000, "{:?}", begin.elapsed());
}

#[test]
fn every_useful_action_has_a_key_here() {
    let screen = Screen::running();
    for action in screen.model.useful() {
        assert!(!screen.model.keymap.keys(screen.model.context(), action).is_empty(), "{}", action.name());
    }
    assert!(screen.model.useful().contains(&Action::Send));
}
