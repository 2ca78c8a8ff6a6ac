//! What is long costs once.

use super::*;

/// A prompt of many rows among the last items.
fn world() -> World {
    let mut world = World::new(40, 40, 10);
    world.add(ItemBody::Prompt { text: "a line of a long prompt\n".repeat(3000).into() });
    for n in 41..44 {
        world.make(n);
    }
    world.transcript.unfolded = true;
    world.calm();
    world
}

#[test]
fn no_event_lays_out_again_what_did_not_change() {
    let mut world = world();
    let long = world.transcript.index("k40").unwrap();
    while world.transcript.top.entry >= long {
        world.transcript.scroll(-200);
        world.calm();
    }
    let round = |world: &mut World| {
        for rows in [-1, 1, -9, 9, -40, 40] {
            world.transcript.scroll(rows);
            world.calm();
        }
        let from = world.transcript.open.first().map_or(0, |open| open.growing.len() as u64);
        world.transcript.take_delta(world.open("more "), from);
        world.calm();
        world.transcript.take_items(vec![world.items[40].clone()]);
        world.calm();
    };
    round(&mut world);
    let before = world.transcript.layouts;
    for _ in 0..20 {
        round(&mut world);
    }
    assert_eq!(world.transcript.layouts, before);
}

#[test]
fn another_width_lays_out_anew() {
    let mut world = world();
    let before = world.transcript.layouts;
    world.pane.columns = 30;
    world.calm();
    assert!(world.transcript.layouts > before);
}
