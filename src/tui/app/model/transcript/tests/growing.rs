//! What comes while one looks.

use super::*;
use crate::{
    api::OUTPUT,
    tui::text::{Fold, SHELL},
};

#[test]
fn the_end_is_shown_first_and_followed_as_it_grows() {
    let mut world = World::new(200, 40, 10);
    world.calm();
    assert_eq!(world.transcript.visible().last().map(|row| row.place.entry), Some(world.transcript.len() - 1));
    assert!(world.rows().iter().any(|row| row.contains("item 199")));
    let delta = world.open("an answer");
    world.transcript.take_delta(delta, 0);
    let delta = world.open(" that grows");
    world.transcript.take_delta(delta, 9);
    world.settle();
    assert_eq!(world.rows().last().unwrap(), "an answer that grows");
}

#[test]
fn an_open_block_becomes_its_item_in_place() {
    let mut world = World::new(4, 40, 10);
    world.calm();
    let delta = OpenBlock { item: "k4".into(), ..world.open("item 4") };
    world.transcript.take_delta(delta, 0);
    world.settle();
    let item = world.make(4);
    world.transcript.take_items(vec![item]);
    world.settle();
    assert!(world.transcript.open.is_empty());
    assert_eq!(world.transcript.len(), 5);
    // A delta that is late brings it back to nobody.
    let late = OpenBlock { item: "k4".into(), ..world.open("late") };
    world.transcript.take_delta(late, 0);
    assert!(world.transcript.open.is_empty());
}

#[test]
fn what_comes_while_one_reads_above_moves_nothing_and_is_counted() {
    let mut world = World::new(100, 40, 10);
    world.calm();
    world.transcript.page(false);
    world.calm();
    let before = world.rows();
    for n in 100..103 {
        let item = world.make(n);
        world.transcript.take_items(vec![item]);
        world.settle();
    }
    assert_eq!(world.rows(), before);
    assert_eq!(world.transcript.unseen, 3);
    let delta = OpenBlock { item: "k103".into(), ..world.open("item 103") };
    world.transcript.take_delta(delta, 0);
    world.settle();
    assert_eq!(world.transcript.new_below(), 4, "what is still being written too");
    let item = world.make(103);
    world.transcript.take_items(vec![item]);
    world.settle();
    assert_eq!(world.transcript.new_below(), 4, "once");
    world.transcript.go_bottom();
    world.calm();
    assert_eq!(world.transcript.new_below(), 0);
    assert!(world.rows().iter().any(|row| row.contains("item 102")));
}

#[test]
fn the_first_press_hides_what_is_shown_without_being_asked() {
    let mut world = World::new(3, 40, 12);
    let input = json!({"command": "seq 3"});
    let output = "1\n2\n3\n".into();
    world.add(ItemBody::Tool(Tool { name: SHELL.into(), input, output, state: ToolState::Done, ..Tool::default() }));
    world.calm();
    let rows = |world: &World| world.transcript.lines(3).len();
    let before = rows(&world);
    world.transcript.toggle_fold();
    world.calm();
    assert!(rows(&world) < before);
    world.transcript.toggle_fold();
    world.calm();
    assert_eq!(rows(&world), before);
}

#[test]
fn folds_by_hand_stay_when_the_item_changes() {
    let mut world = World::new(7, 40, 30);
    world.calm();
    world.transcript.cursor = Some("k6".into());
    world.transcript.toggle_fold();
    world.settle();
    let mut item = world.items[6].clone();
    if let ItemBody::Tool(tool) = &mut item.item.body {
        tool.output = "other".into();
    }
    world.transcript.take_items(vec![item]);
    world.settle();
    let laid = world.transcript.entries[6].laid.as_ref().unwrap();
    assert_eq!(laid.made_for.fold, Fold::Unfolded);
    assert!(world.rows().iter().any(|row| row.contains("other")));
}

#[test]
fn what_came_while_a_part_was_on_its_way_is_not_undone_by_it() {
    let mut world = World::new(3, 40, 30);
    let (id, window) = world.settle().unwrap();
    let old = world.page(window);
    let item = world.make(3);
    world.transcript.take_items(vec![item]);
    world.transcript.take(id, Ok(old));
    assert_eq!(world.transcript.len(), 4);
    // An answer to an order that is over changes nothing.
    let page = ConversationPage { items: Vec::new(), ..world.page(window) };
    world.transcript.take(id, Ok(page));
    assert_eq!(world.transcript.len(), 4);
}

/// A command that runs, and a piece of its output.
fn running(output: &str) -> Tool {
    let input = json!({"command": "make"});
    Tool { name: SHELL.into(), input, output: output.into(), state: ToolState::Running, ..Tool::default() }
}

fn piece(world: &World, text: &str) -> OpenBlock {
    OpenBlock { item: "k2".into(), block: OUTPUT.into(), ..world.open(text) }
}

#[test]
fn output_of_a_command_grows_in_its_item() {
    let mut world = World::new(2, 40, 20);
    world.add(ItemBody::Tool(running("")));
    world.calm();
    for (from, text) in [(0, "one\n"), (4, "two\n"), (99, "what came after something that was missed\n")] {
        let piece = piece(&world, text);
        world.transcript.take_delta(piece, from);
    }
    world.calm();
    assert_eq!(world.rows()[world.rows().len() - 2..], ["one", "two"]);
    assert!(world.transcript.open.is_empty());

    // What is asked for again meanwhile has nothing of it, and changes nothing.
    world.transcript.refresh();
    world.calm();
    let more = piece(&world, "three\n");
    world.transcript.take_delta(more, 8);
    world.settle();
    assert_eq!(world.rows()[world.rows().len() - 3..], ["one", "two", "three"]);

    // A part of it is stored, and what comes begins anew behind that.
    world.items[2].item.body = ItemBody::Tool(running("one\ntwo\n"));
    let stored = world.items[2].clone();
    world.transcript.take_items(vec![stored]);
    let anew = piece(&world, "four\n");
    world.transcript.take_delta(anew, 0);
    world.settle();
    assert_eq!(world.rows()[world.rows().len() - 3..], ["one", "two", "four"]);

    world.items[2].item.body = ItemBody::Tool(Tool { state: ToolState::Done, ..running("all\n") });
    let ended = world.items[2].clone();
    world.transcript.take_items(vec![ended]);
    let late = piece(&world, "late\n");
    world.transcript.take_delta(late, 5);
    world.settle();
    assert_eq!(world.rows().last().unwrap(), "all");
}

#[test]
fn who_comes_while_a_command_runs_sees_its_output_in_its_item() {
    let mut world = World::new(2, 40, 20);
    world.add(ItemBody::Tool(running("")));
    let open = piece(&world, "one\n");
    world.transcript.take_keyframe(vec![open]);
    world.calm();
    let more = piece(&world, "two\n");
    world.transcript.take_delta(more, 4);
    world.settle();
    assert_eq!(world.rows()[world.rows().len() - 2..], ["one", "two"]);
    assert!(world.transcript.open.is_empty(), "it is nothing that Claude says");
}
