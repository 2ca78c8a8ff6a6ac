//! Creating, saving, terminating.

use serde_json::Value;

use super::*;
use crate::{
    api::{Command, event::Progress},
    tui::app::{
        model::{Dialog, Focus, Sent, dialog::Field},
        reader,
    },
};

fn create(effects: &[Effect]) -> (Option<String>, crate::core::SandboxConfig) {
    effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Submit { request, .. } => match &request.command {
                Command::SandboxCreate { name, config, .. } => Some((name.clone(), config.clone())),
                _ => None,
            },
            _ => None,
        })
        .expect("a sandbox was asked for")
}

#[test]
fn enter_takes_the_defaults() {
    let mut screen = Screen::running();
    let (name, config) = create(&screen.press("ctrl-x n enter"));
    assert_eq!((name, config.image.base_image.as_str()), (None, ""));
}

#[test]
fn a_form_is_filled_field_by_field() {
    let mut screen = Screen::running();
    screen.press("ctrl-x n");
    screen.write("mine");
    screen.press("tab");
    screen.write("debian:12");
    screen.press("tab");
    screen.write("RUN true");
    screen.press("alt-enter");
    screen.write("ENV A=1");
    screen.press("tab");
    screen.write("one, two three");
    let (name, config) = create(&screen.press("enter"));
    assert_eq!(name.as_deref(), Some("mine"));
    assert_eq!(config.image.base_image, "debian:12");
    assert_eq!(config.image.dockerfile_commands, ["RUN true", "ENV A=1"]);
    assert_eq!(config.secrets, ["one", "two", "three"]);
}

#[test]
fn what_is_wrong_is_told_at_its_field_and_nothing_is_lost() {
    let mut screen = Screen::running();
    screen.press("ctrl-x n");
    screen.write("a b");
    assert_eq!(screen.press("enter"), []);
    let Some(Dialog::Create(form)) = screen.model.dialogs.last() else { panic!() };
    assert_eq!((form.field, form.problems.len(), form.name.lines()), (Field::Name, 1, &["a b".to_owned()][..]));
}

#[test]
fn a_new_sandbox_shows_its_log_and_is_selected_when_it_runs() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x n enter");
    let request = screen.accept(&effects);
    for step in ["building", "RUN true", "starting"] {
        screen.live(Live::Progress(Progress { request_id: request, step: step.into(), done: None, total: None }));
    }
    assert_eq!(screen.model.tasks.all[&request].log.len(), 3);
    screen.press("esc");
    assert!(screen.model.dialogs.is_empty() && screen.model.tasks.all.contains_key(&request));
    screen.press("ctrl-x p");
    assert!(matches!(screen.model.dialogs.as_slice(), [Dialog::Progress { .. }]));
    let new = sandbox(0, SandboxStatus::Running);
    screen.finish(request, serde_json::to_value(&new).unwrap(), None);
    assert_eq!(screen.model.sandbox().unwrap().sandbox_id, new.sandbox_id);
    assert!(screen.model.dialogs.is_empty());
}

#[test]
fn a_failed_build_keeps_its_log_open() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x n enter");
    let request = screen.accept(&effects);
    screen.live(Live::Progress(Progress { request_id: request, step: "RUN false".into(), done: None, total: None }));
    screen.finish(request, serde_json::Value::Null, Some(ApiError::failed("RUN false failed")));
    assert!(matches!(screen.model.dialogs.as_slice(), [Dialog::Progress { .. }]));
    screen.press("esc");
    screen.press("ctrl-x p");
    assert_eq!(screen.model.tasks.all[&request].log.len(), 1);
}

#[rstest::rstest]
#[case("enter", None)]
#[case("esc", None)]
#[case("k enter", None)]
#[case("j k j enter", Some(true))]
#[case("n", None)]
#[case("s", Some(true))]
#[case("down enter", Some(true))]
#[case("w", Some(false))]
fn terminating_asks(#[case] keys: &str, #[case] saves: Option<bool>) {
    let mut screen = Screen::running();
    screen.press("ctrl-x t");
    let effects = screen.press(keys);
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Submit { request, .. } => match &request.command {
            Command::SandboxTerminate { save, .. } => Some(*save),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(asked, saves);
}

#[test]
fn errors_stay_until_a_key_and_others_go_by_themselves() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x s");
    let request = screen.accept(&effects);
    screen.press("esc");
    screen.finish(request, serde_json::Value::Null, Some(ApiError::failed("no room")));
    screen.second += 60;
    screen.elapse(Timer::Toast);
    assert_eq!(screen.said(), ["no room"]);
    screen.press("esc");
    assert_eq!(screen.said(), Vec::<&str>::new());
    assert_eq!(screen.model.toasts.history.len(), 1);
}

#[test]
fn ctrl_c_stops_what_the_dialog_shows_and_then_closes_it() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x 1 s");
    let save = screen.accept(&effects);
    let effects = screen.press("ctrl-c");
    assert!(matches!(effects.as_slice(), [Effect::Interrupt { request, .. }] if *request == save), "{effects:?}");
    assert!(matches!(screen.model.dialogs.as_slice(), [Dialog::Progress { .. }]), "how it ends is seen");
    assert_eq!(screen.press("ctrl-c"), []);
    assert!(screen.model.dialogs.is_empty());
}

#[test]
fn who_waits_for_a_new_sandbox_talks_to_it_next() {
    let mut screen = Screen::running();
    screen.press("ctrl-x 1");
    let effects = screen.press("n enter");
    let request = screen.accept(&effects);
    let new = sandbox(0, SandboxStatus::Running);
    screen.finish(request, serde_json::to_value(&new).unwrap(), None);
    assert_eq!(
        (screen.model.sandbox().unwrap().sandbox_id.clone(), screen.model.focus),
        (new.sandbox_id, Focus::Prompt)
    );
}

#[test]
fn a_form_that_was_closed_or_came_to_nothing_comes_back() {
    let mut screen = Screen::running();
    let shown = |screen: &Screen| match screen.model.dialogs.last() {
        Some(Dialog::Create(form)) => form.name.lines().join(""),
        other => panic!("{other:?}"),
    };
    screen.press("ctrl-x n");
    screen.write("mine");
    screen.press("esc ctrl-x n");
    assert_eq!(shown(&screen), "mine");
    let effects = screen.press("enter");
    let request = screen.accept(&effects);
    screen.finish(request, serde_json::Value::Null, Some(ApiError::failed("no such image")));
    screen.press("esc ctrl-x n");
    assert_eq!(shown(&screen), "mine");
    let effects = screen.press("enter");
    let request = screen.accept(&effects);
    screen.finish(request, serde_json::to_value(sandbox(0, SandboxStatus::Running)).unwrap(), None);
    screen.press("ctrl-x n");
    assert_eq!(shown(&screen), "", "its sandbox is there");
}

#[test]
fn what_to_do_after_a_failure_is_never_cut() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x 1 s");
    let request = screen.accept(&effects);
    let hint = format!("write {} into the file", "[engine.images] stand_ins = {\"alpine:3.99\" = \"host\"} ".repeat(4));
    let error = ApiError::failed("there is no such image").hint(hint.trim_end());
    screen.finish(request, serde_json::Value::Null, Some(error));
    assert_eq!(screen.said(), Vec::<&str>::new(), "its dialog says it");
    let read = |screen: &Screen| {
        let dialog = screen.model.dialogs.last().unwrap();
        let rows = reader::rows(&screen.model, dialog, 60, 0, 100);
        assert!(rows.iter().all(|row| row.text().len() <= 60), "{rows:?}");
        rows.iter().map(|row| row.text().trim().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert!(read(&screen).contains(&hint), "{}", read(&screen));
    screen.press("ctrl-x m");
    assert!(read(&screen).contains(&hint), "{}", read(&screen));
}

#[test]
fn whoever_types_goes_on_typing_while_a_workspace_is_saved() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x s");
    assert!(submitted(&effects).is_some());
    assert!(screen.model.dialogs.is_empty());
    screen.write("fix it");
    assert_eq!(screen.model.prompt().seen(), "fix it");
}

#[test]
fn after_a_sandbox_that_did_not_come_its_form_is_there_with_the_reason() {
    let mut screen = Screen::running();
    screen.press("ctrl-x n");
    screen.write("heron");
    let (id, _) = submitted(&screen.press("enter")).unwrap();
    let error = ApiError::conflict("a sandbox named heron is there already");
    screen.done(id, Outcome::Command(Err(error)));
    assert!(matches!(screen.model.dialogs.last(), Some(Dialog::Progress { .. })), "the log is read first");
    screen.press("esc");
    let Some(Dialog::Create(form)) = screen.model.dialogs.last() else { panic!("{:?}", screen.model.dialogs) };
    assert_eq!(form.name.lines(), ["heron"]);
    assert_eq!(form.problems, [(Field::Name, "a sandbox named heron is there already".to_owned())]);
    screen.press("esc");
    assert!(screen.model.dialogs.is_empty(), "and no further");
}

#[test]
fn an_empty_chat_says_itself_why_nothing_came() {
    let mut screen = Screen::running();
    screen.write("hello");
    let (id, _) = submitted(&screen.press("enter")).unwrap();
    screen.done(id, Outcome::Command(Err(ApiError::not_configured("there is no key").hint("set api_key"))));
    assert_eq!(screen.model.chat().unwrap().refused.as_ref().unwrap().hint, "set api_key");
    assert_eq!(screen.said(), Vec::<String>::new(), "once is enough");
    assert_eq!(screen.model.prompt().seen(), "hello");
    screen.press("enter");
    assert_eq!(screen.model.chat().unwrap().refused, None);
}

#[test]
fn a_server_that_does_not_take_a_command_is_told_from_work() {
    let mut screen = Screen::running();
    screen.write("hello");
    let (id, request) = submitted(&screen.press("enter")).unwrap();
    let sent = |screen: &Screen| screen.model.tasks.all.get(&request).and_then(|task| screen.model.unanswered(task));
    assert_eq!(sent(&screen), Some(Sent::Now));
    screen.second += 5;
    screen.elapse(Timer::Second);
    assert_eq!(sent(&screen), Some(Sent::Long));
    screen.done(id, Outcome::Command(Ok(answer(request, CommandState::Running, Value::Null, None))));
    assert_eq!(sent(&screen), None);
}

#[test]
fn a_log_of_very_long_lines_is_kept_no_longer_than_it_can_be_laid_out() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x n enter");
    let request = screen.accept(&effects);
    for n in 0..100 {
        let step = format!("{n} {}", "日".repeat(5_000));
        screen.live(Live::Progress(Progress {
            request_id: request,
            step: step.as_str().into(),
            done: None,
            total: None,
        }));
    }
    let task = &screen.model.tasks.all[&request];
    let bytes: usize = task.log.iter().map(|line| line.as_str().len()).sum();
    assert!(bytes <= 256_000 && task.log.back() == Some(&task.step), "{bytes}");
}

#[test]
fn any_text_that_scrolls_is_filtered() {
    let mut screen = Screen::running();
    let effects = screen.press("ctrl-x 2 enter");
    let [Effect::Preview { id, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let path = |n: u64| crate::api::command::PathSize { path: format!("src/part_{n}.rs"), size: n };
    let changes = crate::api::command::Changes { added: (0..3_000).map(path).collect(), ..Default::default() };
    screen.done(*id, Outcome::Preview(Ok(changes)));
    screen.press("/");
    screen.write("PART_77");
    let open = screen.model.dialogs.last().unwrap();
    assert_eq!(reader::len(&screen.model, open, 70), 11);
    screen.press("enter");
    assert_eq!(reader::len(&screen.model, screen.model.dialogs.last().unwrap(), 70), 11, "the filter holds");
    screen.press("/ esc");
    assert_eq!(reader::len(&screen.model, screen.model.dialogs.last().unwrap(), 70), 3_000);
    screen.press("/ 7 7 7 enter esc");
    assert_eq!(reader::len(&screen.model, screen.model.dialogs.last().unwrap(), 70), 3_000, "esc shows all first");
    screen.press("esc");
    assert!(screen.model.dialogs.is_empty(), "and then closes");
}
