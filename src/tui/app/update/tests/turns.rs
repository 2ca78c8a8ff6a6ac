//! Turns: running, interrupted, failed; Esc, Ctrl-C and q.

use super::*;
use crate::{
    api::{CommandSummary, ConversationInfo, ConversationPage, OpenBlock, PlacedItem},
    core::{ConversationId, Item, Usage},
    tui::app::model::{ArmedFor, Focus},
};

fn turn() -> (Screen, RequestId) {
    let mut screen = Screen::running();
    screen.write("go");
    let effects = screen.press("enter");
    let request = screen.accept(&effects);
    (screen, request)
}

#[test]
fn esc_interrupts_at_the_second_press_only() {
    let (mut screen, request) = turn();
    assert_eq!(screen.press("esc"), []);
    assert_eq!(screen.model.armed.as_ref().unwrap().what, ArmedFor::Interrupt { request });
    let effects = screen.press("esc");
    assert!(matches!(effects.as_slice(), [Effect::Interrupt { request: r, .. }] if *r == request), "{effects:?}");
    assert_eq!(screen.model.focus, Focus::Prompt);
    screen.press("esc");
    assert_eq!(screen.model.focus, Focus::Sandboxes);
}

#[rstest::rstest]
#[case::too_late(3, "")]
#[case::another_key_between(0, "x")]
fn again_means_at_once(#[case] wait: i64, #[case] between: &str) {
    let (mut screen, _) = turn();
    screen.press("esc");
    screen.second += wait;
    screen.write(between);
    assert_eq!(screen.press("esc"), []);
}

#[test]
fn ctrl_c_interrupts_then_clears_then_quits() {
    let (mut screen, _) = turn();
    screen.write("draft");
    assert!(matches!(screen.press("ctrl-c").as_slice(), [Effect::Interrupt { .. }]));
    assert_eq!(screen.press("ctrl-c"), []);
    assert!(screen.model.prompt().is_empty());
    assert_eq!(screen.model.history.prompts.last().unwrap(), "draft");
    assert_eq!(screen.press("ctrl-c"), []);
    assert_eq!(screen.press("ctrl-c"), [Effect::Quit]);
    assert!(screen.model.ended);
}

#[test]
fn a_shell_command_is_stopped_too_the_newest_first() {
    let (mut screen, turn) = turn();
    screen.write("!yes");
    let effects = screen.press("enter");
    let shell = screen.accept(&effects);
    for stopped in [shell, turn] {
        let effects = screen.press("ctrl-c");
        assert!(
            matches!(effects.as_slice(), [Effect::Interrupt { request, .. }] if *request == stopped),
            "{effects:?}"
        );
    }
    assert_eq!(screen.press("ctrl-c"), []);
    screen.finish(shell, serde_json::Value::Null, None);
    assert!(screen.model.chat().unwrap().shells.is_empty());
}

#[test]
fn of_two_turns_the_one_that_was_heard_of_last_is_stopped_whatever_their_ids() {
    let mut screen = Screen::running();
    let mut tell = |n: u128, state| {
        let (request_id, sandbox) = (RequestId(Uuid::from_u128(n)), Some("heron-1".into()));
        screen.stored(EventBody::Command { request_id, command: "chat".into(), state, sandbox });
        screen.model.turn().map(|turn| turn.0.as_u128())
    };
    assert_eq!(tell(2, CommandState::Running), Some(2));
    assert_eq!(tell(1, CommandState::Running), Some(1));
    assert_eq!(tell(3, CommandState::Running), Some(3));
    assert_eq!(tell(3, CommandState::Done), Some(1), "the others go on");
    assert_eq!(tell(1, CommandState::Done), Some(2));
}

#[rstest::rstest]
fn what_runs_when_the_screen_opens_is_known_whatever_is_answered_first(#[values(true, false)] sandboxes_first: bool) {
    let mut screen = Screen::new();
    let effects = screen.connect();
    let request = RequestId(Uuid::from_u128(1));
    let running = CommandSummary {
        request_id: request,
        kind: "chat".into(),
        state: CommandState::Running,
        sandbox: Some("heron-1".into()),
        created_at: at(NOW),
    };
    let asked = |wanted: fn(&Effect) -> Option<EffectId>| effects.iter().find_map(wanted).unwrap();
    let sandboxes = asked(|effect| if let Effect::ListSandboxes { id } = effect { Some(*id) } else { None });
    let commands = asked(|effect| if let Effect::ListCommands { id } = effect { Some(*id) } else { None });
    let mut answers = [
        (sandboxes, Outcome::Sandboxes(Ok(vec![sandbox(1, SandboxStatus::Running)]))),
        (commands, Outcome::Commands(Ok(vec![running]))),
    ];
    if !sandboxes_first {
        answers.reverse();
    }
    for (id, outcome) in answers {
        screen.done(id, outcome);
    }
    assert_eq!(screen.model.stoppable(), Some(request));
}

#[test]
fn q_quits_from_lists_and_is_a_letter_in_the_prompt() {
    let mut screen = Screen::running();
    assert_eq!(screen.press("q"), []);
    assert_eq!(screen.model.prompt().seen(), "q");
    screen.press("esc");
    assert_eq!(screen.press("q"), [Effect::Quit]);
}

#[test]
fn what_is_sent_into_a_running_turn_is_kept() {
    let (mut screen, _) = turn();
    screen.write("and this");
    assert_eq!(screen.press("enter"), []);
    assert_eq!(screen.model.prompt().seen(), "and this");
    assert_eq!(screen.said(), ["Claude is at work; your text is kept"]);
}

#[test]
fn a_turn_that_fails_says_why_and_gives_the_text_back() {
    let (mut screen, request) = turn();
    let error = ApiError::not_configured("there is no key").hint("set ANTHROPIC_API_KEY");
    screen.finish(request, serde_json::Value::Null, Some(error));
    let refused = screen.model.chat().unwrap().refused.as_ref().unwrap();
    assert_eq!((refused.message.as_str(), refused.hint.as_str()), ("there is no key", "set ANTHROPIC_API_KEY"));
    assert_eq!(screen.model.prompt().seen(), "go");
    assert_eq!(screen.model.turn(), None);
}

#[test]
fn text_that_was_typed_meanwhile_is_not_written_over() {
    let (mut screen, request) = turn();
    screen.write("next");
    screen.finish(request, serde_json::Value::Null, Some(ApiError::failed("no")));
    assert_eq!(screen.model.prompt().seen(), "next");
}

#[test]
fn a_turn_of_another_screen_is_seen_here() {
    let mut screen = Screen::running();
    let request = RequestId(Uuid::from_u128(1));
    let went_on = |state| EventBody::Command {
        request_id: request,
        command: "chat".into(),
        state,
        sandbox: Some("heron-1".into()),
    };
    screen.stored(went_on(CommandState::Running));
    assert_eq!(screen.model.turn(), Some(request));
    let effects = screen.stored(went_on(CommandState::Done));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::AskCommand { .. })), "it isn't ours");
    assert_eq!(screen.model.turn(), None);
}

#[test]
fn a_new_conversation_is_of_the_sandbox_whose_turn_runs() {
    let (mut screen, _) = turn();
    let conversation = ConversationId(Uuid::from_u128(9));
    let item = PlacedItem { conversation, position: 1, at: at(NOW), item: Item::prompt("p", "go") };
    screen.live(Live::Items { items: vec![item] });
    screen.live(Live::Delta { conversation, item: "m:0".into(), block: "text".into(), from: 0, text: "Hel".into() });
    assert_eq!(screen.model.conversations[&conversation], sandbox(1, SandboxStatus::Running).sandbox_id);
    screen.live(Live::Keyframe { seq: 1, open: Vec::<OpenBlock>::new() });
    assert!(screen.model.chat().unwrap().transcript.open.is_empty());
}

#[test]
fn a_command_whose_fate_is_unknown_is_asked_for_after_the_connection_is_back() {
    let mut screen = Screen::running();
    screen.write("go");
    let effects = screen.press("enter");
    let (id, request) = submitted(&effects).unwrap();
    screen.take(Event::Link(LinkEvent::Lost { error: ApiError::unavailable("gone") }));
    screen.done(id, Outcome::Command(Err(ApiError::unavailable("gone"))));
    assert_eq!(screen.said(), Vec::<&str>::new());
    let effects = screen.connect();
    let list = effects.iter().find_map(|effect| match effect {
        Effect::ListCommands { id } => Some(*id),
        _ => None,
    });
    let effects = screen.done(list.unwrap(), Outcome::Commands(Ok(Vec::new())));
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::AskCommand { id, request: of } if *of == request => Some(*id),
        _ => None,
    });
    screen.done(asked.unwrap(), Outcome::Command(Err(ApiError::not_found("no such command"))));
    assert_eq!(screen.model.prompt().seen(), "go");
}

#[test]
fn what_the_title_says_of_a_conversation_is_as_new_as_its_last_turn() {
    let mut screen = Screen::running();
    let of = |tokens| ConversationInfo {
        conversation: ConversationId(Uuid::from_u128(7)),
        title: "go".into(),
        model: Some("a model".into()),
        context_tokens: Some(tokens),
        usage: Usage::default(),
    };
    let page = |tokens| {
        let (items, conversation) = (Vec::new(), Some(of(tokens)));
        Outcome::Items(Ok(ConversationPage { conversation, items, more_before: false, more_after: false }))
    };
    let loads = |effects: &[Effect]| {
        let load = |effect: &Effect| if let Effect::LoadItems { id, .. } = effect { Some(*id) } else { None };
        effects.iter().find_map(load)
    };
    let asked = screen.model.chat().unwrap().transcript.loading.unwrap();
    screen.done(asked, page(1));
    screen.write("go");
    let effects = screen.press("enter");
    let turn = screen.accept(&effects);
    let effects = screen.finish(turn, serde_json::Value::Null, None);
    screen.done(loads(&effects).expect("it is asked for"), page(80_000));
    assert_eq!(screen.model.chat().unwrap().info, Some(of(80_000)));
}
