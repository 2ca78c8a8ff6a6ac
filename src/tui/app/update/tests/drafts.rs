//! Drafts outlive the screen.

use super::*;
use crate::tui::app::model::Focus;

fn kept(effects: &[Effect]) -> Vec<(Option<&str>, &str)> {
    let kept = effects.iter().filter_map(|effect| match effect {
        Effect::KeepDraft { sandbox, text } => Some((sandbox.as_ref().map(SandboxId::as_str), text.as_str())),
        _ => None,
    });
    kept.collect()
}

fn id(n: i64) -> Option<SandboxId> {
    Some(sandbox(n, SandboxStatus::Running).sandbox_id)
}

/// A screen whose drafts can be brought back.
fn opened() -> (Screen, EffectId) {
    let mut screen = Screen::new();
    let effects = screen.connect();
    screen.answer_lists(&effects, vec![sandbox(1, SandboxStatus::Running), sandbox(2, SandboxStatus::Running)]);
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::LoadDrafts { id } => Some(*id),
        _ => None,
    });
    (screen, asked.unwrap())
}

#[test]
fn a_draft_is_kept_a_moment_after_it_changes_and_once() {
    let mut screen = Screen::running();
    screen.write("half a thou");
    assert!(screen.model.timers.contains(&Timer::Draft));
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [(Some("sb-1"), "half a thou")]);
    screen.press("left");
    assert_eq!(kept(&screen.elapse(Timer::Draft)), []);
    assert!(!screen.model.timers.contains(&Timer::Draft), "an idle screen sleeps");
}

#[test]
fn every_way_out_keeps_it() {
    for end in [Event::Term(TermEvent::Ended), Event::Term(TermEvent::Pressed { key: "q".parse().unwrap() })] {
        let mut screen = Screen::running();
        screen.write("half a thou");
        screen.press("ctrl-x 1");
        let effects = screen.take(end);
        assert_eq!(kept(&effects), [(Some("sb-1"), "half a thou")]);
        assert_eq!(effects.last(), Some(&Effect::Quit));
    }
}

#[test]
fn what_was_sent_is_forgotten_at_once_and_what_was_cleared_in_a_moment() {
    for key in ["enter", "ctrl-c"] {
        let mut screen = Screen::running();
        screen.write("do it");
        screen.elapse(Timer::Draft);
        let mut effects = screen.take(Event::Term(TermEvent::Pressed { key: key.parse().unwrap() }));
        if key == "ctrl-c" {
            effects = screen.elapse(Timer::Draft);
        }
        assert_eq!(kept(&effects), [(Some("sb-1"), "")], "{key}");
        assert_eq!(kept(&screen.take(Event::Term(TermEvent::Ended))), []);
    }
}

#[test]
fn what_was_written_here_is_kept_at_the_end_too_and_what_was_found_is_left_as_it_is() {
    let (mut screen, asked) = opened();
    screen.write("mine");
    screen.elapse(Timer::Draft);
    screen.done(asked, Outcome::Drafts(vec![(id(2), "found".into())]));
    assert_eq!(kept(&screen.take(Event::Term(TermEvent::Ended))), [(Some("sb-1"), "mine")]);
}

#[test]
fn drafts_come_back_each_to_its_sandbox() {
    let (mut screen, asked) = opened();
    screen.done(asked, Outcome::Drafts(vec![(id(1), "for one".into()), (id(2), "two\nlines".into())]));
    assert_eq!(screen.model.prompt().seen(), "for one");
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [], "what is kept already is not written again");
    screen.press("ctrl-x 1 j");
    assert_eq!(screen.model.prompt().seen(), "two\nlines");
}

#[test]
fn a_draft_that_comes_too_late_for_an_empty_prompt_is_in_the_history() {
    let (mut screen, asked) = opened();
    assert_eq!(screen.model.focus, Focus::Prompt);
    screen.write("new");
    screen.done(asked, Outcome::Drafts(vec![(id(1), "old".into())]));
    assert_eq!(screen.model.prompt().seen(), "new");
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [(Some("sb-1"), "new")]);
    screen.press("up");
    assert_eq!(screen.model.prompt().seen(), "old");
}

#[test]
fn a_draft_without_a_sandbox_is_kept_as_that_of_the_first_one_when_there_is_one() {
    let mut screen = Screen::with(Vec::new());
    screen.press("ctrl-x i");
    screen.write("hello");
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [(None, "hello")]);
    screen.stored(EventBody::Sandbox { sandbox: sandbox(1, SandboxStatus::Running) });
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [(None, ""), (Some("sb-1"), "hello")]);
}

#[test]
fn beside_a_draft_of_the_sandboxs_own_it_is_in_the_history() {
    let (mut screen, asked) = opened();
    screen.done(asked, Outcome::Drafts(vec![(id(1), "own".into()), (None, "for none".into())]));
    screen.press("ctrl-c");
    assert_eq!(screen.model.prompt().seen(), "", "nothing comes up in the place of what was cleared");
    screen.press("up up");
    assert_eq!(screen.model.prompt().seen(), "for none");
}

#[test]
fn while_older_prompts_are_looked_at_the_draft_behind_them_is_the_one_that_is_kept() {
    let mut screen = Screen::running();
    screen.write("an old one");
    screen.press("enter");
    screen.write("mine");
    screen.press("up");
    assert_eq!(screen.model.prompt().seen(), "an old one");
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [(Some("sb-1"), "mine")]);
    screen.write("!");
    assert_eq!(kept(&screen.elapse(Timer::Draft)), [(Some("sb-1"), "an old one!")]);
}
