//! Marks, and what is done to several sandboxes.

use std::time::Instant;

use serde_json::Value;

use super::*;
use crate::{
    api::Command,
    tui::{
        app::{
            Action,
            action::Context,
            event::Mouse,
            layout,
            model::{Dialog, Focus, dialog::Then},
        },
        key::Code,
        keymap::Meaning,
    },
};

const RUNNING: SandboxStatus = SandboxStatus::Running;

/// Five that run, the newest first, and one that is being made; the list has the keys.
fn six() -> Screen {
    let mut all: Vec<_> = (1..6).map(|n| sandbox(n, RUNNING)).collect();
    all.push(sandbox(6, SandboxStatus::Pending));
    let mut screen = Screen::with(all);
    screen.press("ctrl-x 1 g");
    screen
}

fn marked(screen: &Screen) -> Vec<String> {
    screen.model.sandboxes.marked().map(|sandbox| sandbox.name.replace("heron-", "")).collect()
}

/// What was asked of the server: the order's id, the command's, and what.
fn commands(effects: &[Effect]) -> Vec<(EffectId, RequestId, String)> {
    let of = effects.iter().filter_map(|effect| match effect {
        Effect::Submit { id, request } => Some((
            *id,
            request.request_id,
            match &request.command {
                Command::SandboxTerminate { sandbox, save: true } => format!("save and end {sandbox}"),
                Command::SandboxTerminate { sandbox, save: false } => format!("end {sandbox}"),
                Command::VersionSave { sandbox, .. } => format!("save {sandbox}"),
                other => format!("{other:?}"),
            },
        )),
        _ => None,
    });
    of.collect()
}

fn words(effects: &[Effect]) -> Vec<String> {
    commands(effects).into_iter().map(|(.., what)| what).collect()
}

impl Screen {
    /// A command went well; what was ordered then.
    fn well(&mut self, request: RequestId, n: i64) -> Vec<Effect> {
        let result = serde_json::to_value(sandbox(n, SandboxStatus::Terminated)).unwrap();
        self.finish(request, result, None)
    }

    fn failed(&mut self, request: RequestId) -> Vec<Effect> {
        self.finish(request, Value::Null, Some(ApiError::failed("no room")))
    }
}

#[rstest::rstest]
#[case::one("space", &["1"], "2")]
#[case::two("space space", &["1", "2"], "3")]
#[case::and_back("space k space", &[], "2")]
#[case::the_last_one("G k space space", &["5"], "6")]
#[case::what_is_only_being_made("G space", &[], "6")]
#[case::from_the_last_mark("space j j V", &["1", "2", "3", "4"], "4")]
#[case::upwards("j j space g V", &["1", "2", "3"], "1")]
#[case::a_range_goes_on_from_its_end("space j V j V", &["1", "2", "3", "4"], "4")]
#[case::without_a_mark("j V", &["2"], "2")]
#[case::all("*", &["1", "2", "3", "4", "5"], "1")]
#[case::the_others_too("space *", &["1", "2", "3", "4", "5"], "2")]
#[case::none("* *", &[], "1")]
#[case::esc("space space esc", &[], "3")]
#[case::ctrl_c_is_not_esc("space ctrl-c", &["1"], "2")]
fn keys_mark_rows(#[case] keys: &str, #[case] names: &[&str], #[case] cursor: &str) {
    let mut screen = six();
    screen.press(keys);
    assert_eq!(marked(&screen), names);
    assert_eq!(screen.model.sandbox().unwrap().name, format!("heron-{cursor}"));
}

#[test]
fn what_cannot_be_marked_is_told() {
    let mut screen = six();
    screen.press("G space");
    assert_eq!(screen.said(), ["Only sandboxes that run can be marked"]);
}

#[test]
fn a_mark_stays_on_its_row_and_goes_with_it() {
    let mut screen = six();
    screen.press("space j space o");
    assert_eq!(marked(&screen), ["1", "3"]);
    screen.stored(EventBody::Sandbox { sandbox: sandbox(0, RUNNING) });
    let effects = screen.connect();
    screen.answer_lists(&effects, (0..4).rev().map(|n| sandbox(n, RUNNING)).collect());
    assert_eq!(marked(&screen), ["1", "3"], "sorted, with a new one, and asked for again");
    screen.press("/");
    screen.write("heron-2");
    assert_eq!(marked(&screen), Vec::<String>::new(), "what acts on marked rows acts on those that are seen");
    screen.press("esc");
    assert_eq!(marked(&screen), ["1", "3"], "a filter hides rows and takes no mark; esc in its line is the line's");
    screen.press("e");
    screen.stored(EventBody::Sandbox { sandbox: sandbox(3, SandboxStatus::Terminated) });
    assert_eq!(marked(&screen), ["1"], "also while those that ended are shown");
    let effects = screen.connect();
    screen.answer_lists(&effects, vec![sandbox(2, RUNNING)]);
    assert_eq!(marked(&screen), Vec::<String>::new());
}

#[test]
fn only_what_a_filter_shows_is_marked_at_once_and_esc_takes_its_marks_before_the_filter() {
    let mut screen = six();
    screen.press("space /");
    screen.write("heron-4");
    screen.press("enter *");
    assert_eq!(marked(&screen), ["4"]);
    screen.press("esc");
    assert!(marked(&screen).is_empty() && screen.model.sandboxes.filter.is_some());
    screen.press("esc");
    assert!(screen.model.sandboxes.filter.is_none());
    assert_eq!(marked(&screen), ["1"], "what was not seen kept its mark");
    screen.press("esc");
    assert!(screen.model.sandboxes.marks.is_empty());
}

#[rstest::rstest]
#[case::hidden("heron-4", "heron-4", "terminate", "sb-4")]
#[case::one_of_two("heron-2", "heron-2", "terminate 1", "sb-2")]
fn a_mark_that_a_filter_hides_is_left_alone(
    #[case] filter: &str,
    #[case] name: &str,
    #[case] hint: &str,
    #[case] id: &str,
) {
    let mut screen = six();
    screen.press("space space /");
    screen.write(filter);
    screen.press("enter");
    assert_eq!(screen.model.hint(Action::TerminateSandbox), hint);
    let effects = screen.press("y");
    assert!(matches!(effects.as_slice(), [Effect::Copy { text, .. }] if text == id), "{effects:?}");
    screen.press("t");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(question.title, format!("Terminate {name}?"));
    assert_eq!(words(&screen.press("esc s")), [format!("save {id}")]);
}

#[test]
fn one_question_ends_all_that_are_marked_each_by_a_command_of_its_own() {
    let mut screen = six();
    screen.press("* t");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(question.title, "Terminate 5 sandboxes?");
    assert!(question.detail.starts_with("heron-1, heron-2, heron-3, heron-4, heron-5\n"), "{}", question.detail);
    assert_eq!(screen.press("enter"), [], "the safe answer is the first");
    screen.press("t");
    let effects = screen.press("w");
    assert_eq!(words(&effects), ["end sb-1", "end sb-2", "end sb-3", "end sb-4"]);
    assert!(screen.model.dialogs.is_empty(), "nobody has to wait for it");
    let asked = commands(&effects);
    let ids: std::collections::BTreeSet<_> = asked.iter().map(|(_, request, _)| *request).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(screen.press("t"), [], "nothing is ended twice");
    assert_eq!(words(&screen.failed(asked[1].1)), ["end sb-5"]);
    assert_eq!(screen.said().last(), Some(&"heron-2 was not terminated: no room"));
    for (n, (_, request, _)) in [1, 3, 4].into_iter().zip([&asked[0], &asked[2], &asked[3]]) {
        screen.well(*request, n);
        assert_eq!(screen.said().last(), Some(&format!("heron-{n} terminated").as_str()));
    }
    assert_eq!(marked(&screen), ["2", "5"]);
    let last = *screen.model.jobs.running.keys().next().unwrap();
    screen.well(last, 5);
    assert_eq!(marked(&screen), ["2"], "what failed stays marked");
    assert_eq!(screen.said().last(), Some(&"1 of 5 failed; they stay marked"), "its message is gone from the screen");
    screen.press("esc");
    assert_eq!(marked(&screen), ["2"], "esc was for what it said");
    assert!(screen.said().iter().all(|said| !said.contains("failed")), "{:?}", screen.said());
    screen.press("esc");
    assert!(marked(&screen).is_empty());
}

#[test]
fn saves_go_one_after_another_and_what_is_saved_is_unmarked() {
    let mut screen = six();
    let effects = screen.press("space space s");
    assert_eq!(words(&effects), ["save sb-1"]);
    let saved = crate::api::command::Saved { version: version(9), stats: crate::core::SyncStats::default() };
    let effects = screen.finish(commands(&effects)[0].1, serde_json::to_value(saved).unwrap(), None);
    assert_eq!(words(&effects), ["save sb-2"]);
    assert_eq!((marked(&screen), screen.said()), (vec!["2".to_owned()], vec!["heron-1: saved 9 files"]));

    let effects = screen.press("g V t s");
    assert_eq!(words(&effects), Vec::<String>::new(), "after the save that is under way");
    let second = *screen.model.jobs.running.keys().next().unwrap();
    assert_eq!(words(&screen.failed(second)), ["save and end sb-1"], "and those already taken are not taken twice");
}

#[test]
fn one_that_is_marked_is_asked_for_by_its_name() {
    let mut screen = six();
    screen.press("space G t");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(question.title, "Terminate heron-1?");
    assert_eq!(words(&screen.press("w")), ["end sb-1"], "and not the one with the cursor");
}

#[test]
fn where_marks_are_not_seen_the_sandbox_that_is_seen_is_meant() {
    let mut screen = six();
    screen.press("space space ctrl-x i ctrl-x t");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(question.title, "Terminate heron-3?");
    screen.press("esc ctrl-x 1 enter");
    assert_eq!((screen.model.focus, marked(&screen).len()), (Focus::Prompt, 2), "enter opens the row with the cursor");
}

#[test]
fn what_ended_by_itself_is_not_ended_again() {
    let mut screen = six();
    screen.press("* t");
    screen.stored(EventBody::Sandbox { sandbox: sandbox(1, SandboxStatus::Terminated) });
    let effects = screen.press("s");
    assert_eq!(words(&effects), ["save and end sb-2"], "it has ended while the question was open");
    for n in [3, 4] {
        screen.stored(EventBody::Sandbox { sandbox: sandbox(n, SandboxStatus::Terminated) });
    }
    assert_eq!(words(&screen.well(commands(&effects)[0].1, 2)), ["save and end sb-5"]);
}

#[test]
fn without_a_server_what_has_not_begun_waits_for_it() {
    let mut screen = six();
    let effects = screen.press("space space t s");
    let first = commands(&effects)[0].1;
    screen.take(Event::Link(LinkEvent::Lost { error: ApiError::unavailable("gone") }));
    screen.finish(first, Value::Null, Some(ApiError::failed("no room")));
    assert_eq!(screen.press("space t"), [], "there is nobody to be asked");
    assert_eq!(screen.model.jobs.waiting.len(), 1);
    assert_eq!(words(&screen.connect()), ["save and end sb-2"]);
}

#[test]
fn a_stop_is_for_all_that_have_not_begun() {
    let mut screen = six();
    let effects = screen.press("* t s");
    let first = screen.accept(&effects);
    let effects = screen.press("p ctrl-c");
    assert!(matches!(effects.as_slice(), [Effect::Interrupt { request, .. }] if *request == first), "{effects:?}");
    assert_eq!(screen.said(), ["4 sandboxes wait no longer; what is marked is as it was"]);
    let effects = screen.finish(first, Value::Null, Some(ApiError::interrupted("stopped")));
    assert_eq!((words(&effects).len(), marked(&screen).len()), (0, 5));
    assert_eq!(screen.said().len(), 1, "that it was stopped is no failure");
}

#[rstest::rstest]
#[case::stays("q", "enter", false)]
#[case::stays("q", "esc", false)]
#[case::twice("q", "q", true)]
#[case::in_any_case("ctrl-c", "ctrl-c", true)]
fn a_quit_asks_when_something_would_never_begin(#[case] first: &str, #[case] second: &str, #[case] ended: bool) {
    let mut screen = six();
    screen.press("space space t s");
    screen.press(first);
    assert!(!screen.model.ended);
    screen.press(second);
    assert_eq!(screen.model.ended, ended);
    if !ended {
        assert!(screen.model.dialogs.is_empty() && !screen.model.jobs.waiting.is_empty());
    }
}

#[rstest::rstest]
#[case::of_one("t")]
#[case::of_several("* t")]
#[case::of_leaving("space space t s q")]
fn the_letter_of_an_answer_means_nothing_else_in_a_question(#[case] keys: &str) {
    let mut screen = six();
    screen.press(keys);
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    for (place, choice) in question.choices.iter().enumerate() {
        let meaning = screen.model.keymap.meaning(Context::Question, &[Key::plain(Code::Char(choice.key))]);
        let same = match meaning {
            Meaning::Nothing => true,
            Meaning::Action(Action::No) => place == 0,
            Meaning::Action(Action::Yes) => place == 1,
            _ => false,
        };
        // The key that asked to quit quits when it is pressed again.
        assert!(same || choice.then == Then::Quit, "{} {}: {meaning:?}", choice.key, choice.label);
    }
}

#[test]
fn ids_are_copied_one_a_line() {
    let mut screen = six();
    let copied = |screen: &mut Screen, keys| match screen.press(keys).as_slice() {
        [.., Effect::Copy { text, .. }] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(copied(&mut screen, "y"), "sb-1");
    assert_eq!(copied(&mut screen, "j space space y"), "sb-2\nsb-3");
    assert_eq!(copied(&mut screen, "ctrl-x 2 g y"), version(3).version.to_string());
    assert_eq!(copied(&mut screen, "* y").lines().count(), 3);
    assert_eq!(screen.model.versions.marks.len(), 3);
    assert!(submitted(&screen.press("enter esc s")).is_some(), "a save is of the selected sandbox there");
}

#[test]
fn hints_and_commands_say_how_many_they_are_for() {
    let mut screen = six();
    let hint = |screen: &Screen, action| screen.model.hint(action).into_owned();
    assert_eq!(hint(&screen, Action::TerminateSandbox), "terminate");
    screen.press("space space");
    assert_eq!(hint(&screen, Action::TerminateSandbox), "terminate 2");
    assert_eq!(hint(&screen, Action::Back), "unmark");
    for action in screen.model.useful() {
        assert!(!screen.model.keymap.keys(screen.model.context(), action).is_empty(), "{}", action.name());
    }
    screen.press(":");
    screen.write("terminate what is marked (2)");
    screen.press("enter");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!(question.title, "Terminate 2 sandboxes?");
    screen.press("esc tab");
    assert_eq!(hint(&screen, Action::TerminateSandbox), "terminate");
}

#[test]
fn names_in_the_question_are_clean_and_few() {
    let named = |n: i64| SandboxInfo { name: format!("{n}\u{1b}[31m{}", "x".repeat(200)), ..sandbox(n, RUNNING) };
    let mut screen = Screen::with((1..100).map(named).collect());
    screen.press("ctrl-x 1 * t");
    let Some(Dialog::Question(question)) = screen.model.dialogs.last() else { panic!() };
    assert!(question.detail.contains(" and 93 more\n") && !question.detail.contains('\u{1b}'), "{}", question.detail);
    assert!(question.detail.lines().next().unwrap().len() < 250);
}

#[test]
fn a_click_marks_with_control_or_on_the_column_of_marks() {
    let mut screen = six();
    let rows = layout::list_rows(layout::areas(&screen.model).sandboxes);
    let mut click = |what, column, row| {
        screen.take(Event::Term(TermEvent::Mouse { what, column, row }));
        (marked(&screen), screen.model.sandbox().unwrap().name.clone())
    };
    let at =
        |names: &[&str], cursor: &str| (names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), cursor.to_owned());
    assert_eq!(click(Mouse::Click, rows.x + 5, rows.y + 1), at(&[], "heron-2"));
    assert_eq!(click(Mouse::CtrlClick, rows.x + 5, rows.y + 2), at(&["3"], "heron-3"));
    assert_eq!(click(Mouse::Click, rows.x, rows.y), at(&["1", "3"], "heron-1"));
    assert_eq!(click(Mouse::Click, rows.x + 1, rows.y), at(&["3"], "heron-1"));
    assert_eq!(click(Mouse::WheelDown, rows.x, rows.y), at(&["3"], "heron-2"));
    assert_eq!(
        click(Mouse::CtrlClick, rows.x + 5, rows.bottom()),
        at(&["3"], "heron-2"),
        "below them there is nothing"
    );
}

#[test]
fn ten_thousand_marks_hold_nothing_up() {
    let mut screen = Screen::with((1..10_001).map(|n| sandbox(n, RUNNING)).collect());
    let begin = Instant::now();
    screen.press("ctrl-x 1 * * * G V g space space");
    assert_eq!(screen.model.sandboxes.marks.len(), 9_998);
    let effects = screen.press("t w");
    assert_eq!(words(&effects).len(), 4);
    let asked = commands(&effects);
    // All of those that wait end at once: that is looked at once and not for each.
    let effects = screen.connect();
    screen.answer_lists(&effects, (1..7).map(|n| sandbox(n, RUNNING)).collect());
    assert_eq!((screen.model.jobs.waiting.len(), screen.model.sandboxes.marks.len()), (0, 4));
    assert_eq!(words(&screen.well(asked[0].1, 3)).len(), 0);
    screen.press("esc q");
    // A debug build on a busy machine; what is done for each mark with each of the others takes longer by far.
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
}
