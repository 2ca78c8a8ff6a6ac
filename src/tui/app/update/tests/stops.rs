//! What is told to stop before the server has it, or while it can't be told.

use serde_json::Value;

use super::*;
use crate::api::CommandSummary;

/// Something was sent, and nothing was heard of it: its order and its id.
fn sent(screen: &mut Screen, text: &str) -> (EffectId, RequestId) {
    screen.write(text);
    submitted(&screen.press("enter")).expect("it is sent")
}

/// The order that tells a command to stop.
fn stops(effects: &[Effect], of: RequestId) -> Option<EffectId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Interrupt { id, request } if *request == of => Some(*id),
        _ => None,
    })
}

fn accepted(request: RequestId) -> Outcome {
    Outcome::Command(Ok(answer(request, CommandState::Accepted, Value::Null, None)))
}

fn unknown() -> Outcome {
    Outcome::Command(Err(ApiError::not_found("there is no such command")))
}

#[rstest::rstest]
fn what_is_stopped_before_the_server_has_it_is_stopped_when_it_has(
    #[values("go", "!make")] text: &str,
    #[values("ctrl-c", "esc esc")] keys: &str,
    #[values(true, false)] overtakes: bool,
) {
    let mut screen = Screen::running();
    let (submit, request) = sent(&mut screen, text);
    let told = stops(&screen.press(keys), request).expect("at once");
    assert!(!screen.model.can_stop(request), "it is being stopped");
    let again = if overtakes {
        screen.done(told, unknown());
        assert!(!screen.model.can_stop(request), "still");
        screen.done(submit, accepted(request))
    } else {
        let again = screen.done(submit, accepted(request));
        screen.done(told, unknown());
        again
    };
    assert!(stops(&again, request).is_some(), "{again:?}");
    assert!(!screen.model.can_stop(request));
    screen.finish(request, Value::Null, Some(ApiError::interrupted("interrupted")));
    assert_eq!(screen.said(), Vec::<&str>::new(), "nothing went wrong");
    assert!(screen.model.interrupted.is_empty());
}

#[test]
fn a_save_is_stopped_like_a_prompt() {
    let mut screen = Screen::running();
    let (submit, request) = submitted(&screen.press("ctrl-x 1 s")).unwrap();
    let told = stops(&screen.press("ctrl-c"), request).unwrap();
    screen.done(told, unknown());
    assert_eq!(screen.said(), Vec::<&str>::new());
    assert!(stops(&screen.done(submit, accepted(request)), request).is_some());
}

#[test]
fn what_could_not_be_sent_comes_back_although_it_was_to_stop() {
    let mut screen = Screen::running();
    let (submit, request) = sent(&mut screen, "go");
    let told = stops(&screen.press("ctrl-c"), request).unwrap();
    screen.done(submit, Outcome::Command(Err(ApiError::failed("the disk is full"))));
    screen.done(told, unknown());
    assert_eq!(screen.model.prompt().seen(), "go");
    assert_eq!(screen.said(), Vec::<&str>::new(), "the chat says why, once");
    assert!(screen.model.interrupted.is_empty() && screen.model.turn().is_none());
}

/// A prompt was sent and stopped, and neither arrived before the connection broke; then it is back. Gives what follows
/// from the list of commands, which has the prompt or hasn't.
fn after_a_break(screen: &mut Screen, arrived: bool) -> (RequestId, Vec<Effect>) {
    let (submit, request) = sent(screen, "go");
    let told = stops(&screen.press("ctrl-c"), request).unwrap();
    screen.take(Event::Link(LinkEvent::Lost { error: ApiError::unavailable("gone") }));
    for order in [submit, told] {
        screen.done(order, Outcome::Command(Err(ApiError::unavailable("gone"))));
    }
    assert!(!screen.model.can_stop(request), "it is still to stop");
    let effects = screen.connect();
    let list = effects.iter().find_map(|e| if let Effect::ListCommands { id } = e { Some(*id) } else { None });
    let (kind, sandbox) = ("chat".into(), Some("heron-1".into()));
    let running =
        CommandSummary { request_id: request, kind, state: CommandState::Running, sandbox, created_at: at(NOW) };
    let running = arrived.then_some(running).into_iter().collect();
    (request, screen.done(list.unwrap(), Outcome::Commands(Ok(running))))
}

#[test]
fn what_was_to_stop_is_told_again_after_a_break() {
    let mut screen = Screen::running();
    let (request, effects) = after_a_break(&mut screen, true);
    assert!(stops(&effects, request).is_some(), "{effects:?}");
    assert_eq!(screen.said(), Vec::<&str>::new());
}

#[test]
fn what_got_lost_in_a_break_comes_back_and_is_not_named_by_its_id() {
    let mut screen = Screen::running();
    let (request, effects) = after_a_break(&mut screen, false);
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::AskCommand { id, request: of } if *of == request => Some(*id),
        _ => None,
    });
    screen.done(asked.unwrap(), Outcome::Command(Err(ApiError::not_found(format!("there is no command {request}")))));
    assert_eq!(screen.model.prompt().seen(), "go");
    let refused = screen.model.chat().unwrap().refused.as_ref().unwrap();
    assert!(!refused.message.contains(&request.to_string()) && !refused.hint.is_empty(), "{refused:?}");
}

#[test]
fn what_goes_on_since_it_could_not_be_told_to_stop_can_be_told_again() {
    let mut screen = Screen::running();
    let (submit, request) = sent(&mut screen, "go");
    screen.done(submit, accepted(request));
    let told = stops(&screen.press("ctrl-c"), request).unwrap();
    screen.done(told, Outcome::Command(Err(ApiError::failed("no"))));
    assert_eq!(screen.said(), ["no"]);
    assert!(stops(&screen.press("ctrl-c"), request).is_some());
}
