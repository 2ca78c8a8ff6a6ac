//! The pager: what is asked for first, and what may come between.

use super::*;
use crate::tui::app::model::Focus;

fn asked(effects: &[Effect]) -> EffectId {
    let [Effect::LoadTranscript { id, .. }] = effects else { panic!("{effects:?}") };
    *id
}

fn pages(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Page { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn the_pager_gets_the_terminal_when_its_text_is_there_and_not_before() {
    let mut screen = Screen::running();
    let id = asked(&screen.press("ctrl-x v"));
    assert!(screen.model.loads_transcript());
    screen.write("meanwhile");
    assert_eq!(screen.model.prompt().seen(), "meanwhile");
    let effects = screen.done(id, Outcome::Transcript(Ok("all of it".into())));
    assert_eq!(pages(&effects), Some("all of it"));
    assert!(!screen.model.loads_transcript());
}

#[test]
fn who_has_gone_elsewhere_is_not_taken_to_the_pager() {
    let mut screen = Screen::running();
    let id = asked(&screen.press("ctrl-x v"));
    screen.press("ctrl-x 1 j");
    let effects = screen.done(id, Outcome::Transcript(Ok("all of it".into())));
    assert_eq!(pages(&effects), None);
}

#[test]
fn of_two_requests_the_newer_one_counts_and_an_error_is_told() {
    let mut screen = Screen::running();
    let first = asked(&screen.press("ctrl-x v"));
    let second = asked(&screen.press("ctrl-x v"));
    assert_eq!(pages(&screen.done(first, Outcome::Transcript(Ok("old".into())))), None);
    screen.done(second, Outcome::Transcript(Err(ApiError::unavailable("no server"))));
    assert_eq!(screen.said(), ["no server"]);
}

#[test]
fn who_does_not_want_to_wait_for_the_pager_stops_that() {
    for key in ["esc", "ctrl-c"] {
        let mut screen = Screen::running();
        let id = asked(&screen.press("ctrl-x v"));
        let focus = screen.model.focus;
        screen.press(key);
        assert!(!screen.model.loads_transcript());
        assert_eq!(screen.model.focus, focus, "{key} did that and nothing else");
        assert_eq!(pages(&screen.done(id, Outcome::Transcript(Ok("all of it".into())))), None);
    }
}

#[test]
fn on_a_narrow_screen_the_pane_that_says_that_it_comes_is_shown() {
    let mut screen = Screen::running();
    screen.take(Event::Term(TermEvent::Resized { columns: 80, rows: 24 }));
    screen.press("ctrl-x 1 ctrl-x v");
    assert_eq!(screen.model.focus, Focus::Transcript);
}
