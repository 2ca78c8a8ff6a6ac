//! Writing and sending.

use super::*;
use crate::{api::Command, tui::app::model::Focus};

fn command(effects: &[Effect]) -> Option<Command> {
    effects.iter().find_map(|effect| match effect {
        Effect::Submit { request, .. } => Some(request.command.clone()),
        _ => None,
    })
}

fn chat(prompt: &str) -> Command {
    Command::Chat { sandbox: "sb-1".into(), conversation: None, prompt: prompt.into() }
}

fn shell(command: &str) -> Command {
    Command::Shell { sandbox: "sb-1".into(), command: command.into() }
}

#[rstest::rstest]
#[case("fix the test", chat("fix the test"))]
#[case("!ls -l", shell("ls -l"))]
#[case("!!not a command", chat("!not a command"))]
#[case("//not ours", chat("/not ours"))]
#[case("/compact", chat("/compact"))]
#[case("/save before lunch", Command::VersionSave { sandbox: "sb-1".into(), note: "before lunch".into() })]
fn enter_sends_what_was_typed(#[case] typed: &str, #[case] sent: Command) {
    let mut screen = Screen::running();
    screen.write(typed);
    let effects = screen.press("enter");
    assert_eq!(command(&effects), Some(sent));
    assert!(screen.model.prompt().is_empty());
}

#[rstest::rstest]
#[case("alt-enter")]
#[case("shift-enter")]
#[case("\\ enter")]
fn a_line_is_made(#[case] keys: &str) {
    let mut screen = Screen::running();
    screen.write("one");
    assert_eq!(screen.press(keys), []);
    screen.write("two");
    assert_eq!(screen.model.prompt().seen(), "one\ntwo");
}

#[test]
fn what_can_not_be_sent_stays_and_says_what_to_do() {
    let mut screen = Screen::with(Vec::new());
    screen.press("ctrl-x i");
    screen.write("hello");
    assert_eq!(screen.press("enter"), []);
    assert_eq!(screen.model.prompt().seen(), "hello");
    assert_eq!(screen.said(), ["There is no sandbox yet"]);
    screen.stored(EventBody::Sandbox { sandbox: sandbox(1, SandboxStatus::Running) });
    assert_eq!(screen.model.prompt().seen(), "hello", "it is for the first sandbox");
}

#[test]
fn each_sandbox_keeps_its_draft() {
    let mut screen = Screen::running();
    screen.write("for one");
    screen.press("esc j i");
    assert!(screen.model.prompt().is_empty());
    screen.write("for two");
    screen.press("esc k");
    assert_eq!(screen.model.prompt().seen(), "for one");
}

#[test]
fn a_long_paste_is_a_mark_that_goes_as_a_whole_and_is_sent_as_it_was() {
    let mut screen = Screen::running();
    let long = "0123456789012345678901234567890123456789012345678\n".repeat(20_000);
    screen.write("see ");
    screen.paste(&long);
    assert_eq!(screen.model.prompt().seen(), "see [pasted 1.0 MB, 20,000 lines #1]");
    screen.press("backspace");
    assert_eq!(screen.model.prompt().seen(), "see ");
    screen.press("alt-z");
    screen.write(" ok");
    let effects = screen.press("enter");
    assert_eq!(command(&effects), Some(chat(&format!("see {long} ok"))));
}

#[test]
fn a_prompt_that_the_server_would_not_take_is_refused_at_once() {
    let mut screen = Screen::running();
    screen.write("a");
    screen.paste(&"x".repeat(7 << 20));
    assert_eq!(screen.said(), ["A prompt has at most 7 MiB"]);
    assert_eq!(screen.model.prompt().seen(), "a");
}

#[test]
fn the_editor_gets_the_pastes_and_gives_them_back_as_marks() {
    let mut screen = Screen::running();
    let long = "line\n".repeat(30);
    screen.paste(&long);
    let effects = screen.press("ctrl-g");
    let [Effect::Edit { id, text }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*text, long);
    screen.done(*id, Outcome::Edited(Ok(format!("Look: {long}"))));
    assert_eq!(screen.model.prompt().expanded(), format!("Look: {long}").trim_end());
}

#[test]
fn earlier_prompts_come_back_and_the_draft_behind_them() {
    let mut screen = Screen::new();
    let first = screen.connect();
    let Some(Effect::LoadHistory { id }) = first.iter().find(|e| matches!(e, Effect::LoadHistory { .. })) else {
        panic!()
    };
    screen.answer_lists(&first, vec![sandbox(1, SandboxStatus::Running)]);
    screen.done(*id, Outcome::History(vec!["old".into(), "older lines\nof two".into()]));
    screen.write("mine");
    screen.press("up");
    assert_eq!(screen.model.prompt().seen(), "older lines\nof two");
    screen.press("up up");
    assert_eq!(screen.model.prompt().seen(), "old");
    screen.press("down down");
    assert_eq!(screen.model.prompt().seen(), "mine");
}

#[rstest::rstest]
#[case("ae\u{301}", "backspace", "a")]
#[case("one two", "ctrl-w", "one ")]
#[case("one two", "ctrl-u", "")]
#[case("one", "ctrl-a ctrl-k", "")]
#[case("one", "left backspace", "oe")]
fn keys_edit_as_in_a_shell(#[case] text: &str, #[case] keys: &str, #[case] left: &str) {
    let mut screen = Screen::running();
    screen.paste(text);
    screen.press(keys);
    assert_eq!(screen.model.prompt().seen(), left);
}

#[test]
fn a_paste_over_a_list_is_for_the_prompt() {
    let mut screen = Screen::running();
    screen.press("esc");
    screen.paste("q\nq");
    assert_eq!((screen.model.focus, screen.model.prompt().seen().as_str()), (Focus::Prompt, "q\nq"));
}
