//! What is asked for, and how often.

use super::*;

#[test]
fn a_part_that_cant_be_had_is_asked_for_again_when_one_moves() {
    let mut world = World::new(3, 40, 30);
    let (id, _) = world.settle().unwrap();
    world.transcript.take(id, Err(ApiError::usage("no")));
    assert!(world.settle().is_none());
    world.transcript.scroll(1);
    assert!(world.settle().is_some());
}

#[test]
fn code_in_view_is_asked_for_once() {
    let mut world = World::new(3, 40, 30);
    world.calm();
    world.transcript.refresh();
    world.calm();
    let wants = world.transcript.settle(world.pane.clone());
    assert_eq!(wants.code, Vec::new());
    let coloured = crate::tui::text::highlight("rust", "fn f2() {}");
    world.transcript.take_highlighted(coloured);
    world.settle();
    let roles = world.transcript.visible().flat_map(|row| row.line.spans.iter().map(crate::tui::text::Span::role));
    assert!(roles.into_iter().any(|role| role == crate::tui::text::Role::Keyword));
}
