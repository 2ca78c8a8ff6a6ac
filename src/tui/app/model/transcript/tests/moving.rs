//! Moving, searching, selecting.

use super::*;

#[test]
fn scrolling_up_reaches_the_first_item_and_down_the_last() {
    let mut world = World::new(1500, 40, 10);
    world.calm();
    for _ in 0..5000 {
        world.transcript.page(false);
        world.calm();
        assert!(world.transcript.entries.len() <= MAX_ITEMS);
    }
    assert_eq!(world.transcript.top, Place::default());
    assert!(!world.transcript.more_before && world.transcript.more_after);
    assert_eq!(world.first_row(), "you");
    for _ in 0..5000 {
        world.transcript.page(true);
        world.calm();
    }
    assert!(world.transcript.follow && !world.transcript.more_after);
}

#[test]
fn the_ends_are_one_step_away() {
    let mut world = World::new(2000, 40, 10);
    world.calm();
    world.transcript.go_top();
    world.calm();
    assert_eq!(world.transcript.entries.front().map(|entry| entry.item.position), Some(1));
    assert_eq!(world.transcript.top, Place::default());
    world.transcript.go_bottom();
    world.calm();
    assert_eq!(world.transcript.entries.back().map(|entry| entry.item.position), Some(2000));
}

#[test]
fn another_width_leaves_the_same_item_at_the_top() {
    let mut world = World::new(100, 80, 10);
    world.calm();
    world.transcript.page(false);
    world.calm();
    let key = world.transcript.key(world.transcript.top.entry).map(str::to_owned);
    for columns in [20, 33, 80] {
        world.pane.columns = columns;
        world.calm();
        assert_eq!(world.transcript.key(world.transcript.top.entry).map(str::to_owned), key, "{columns}");
    }
}

#[test]
fn the_cursor_is_never_off_the_screen() {
    let mut world = World::new(1000, 40, 12);
    world.calm();
    world.transcript.go_top();
    world.calm();
    for _ in 0..2 {
        world.transcript.next_item();
        world.settle();
    }
    assert_eq!(world.transcript.cursor.as_deref(), Some("k1"));
    world.transcript.go_bottom();
    world.calm();
    let first = world.transcript.top.entry;
    assert_eq!(world.transcript.cursor.as_deref(), world.transcript.key(first), "the nearest that is seen");
    assert_eq!(
        world.transcript.selected_text(),
        Some(crate::tui::text::plain(&world.transcript.entries[first].item.item))
    );
    world.transcript.previous_item();
    world.calm();
    assert_eq!(world.transcript.cursor.as_deref(), world.transcript.key(first - 1));
    world.transcript.go_top();
    world.calm();
    let last = world.transcript.visible().last().unwrap().place.entry;
    assert_eq!(world.transcript.cursor.as_deref(), world.transcript.key(last));
}

#[test]
fn code_that_is_copied_is_code_that_is_seen() {
    let mut world = World::new(3, 40, 12);
    world.add(ItemBody::Text { text: "word\n\n".repeat(60).into(), aborted: false });
    world.calm();
    assert_eq!(world.transcript.selected_code(), None);
    world.transcript.go_top();
    world.calm();
    assert_eq!(world.transcript.selected_code().as_deref(), Some("fn f2() {}\n"));
}

#[test]
fn a_match_far_away_is_fetched_and_shown() {
    let mut world = World::new(1000, 40, 12);
    world.calm();
    world.transcript.search = Some(Search { text: "item 78 w".into(), ..Search::default() });
    world.transcript.take_found(vec![79]);
    world.calm();
    assert!(world.rows().iter().any(|row| row.contains("item 78 w")), "{:?}", world.rows());
    assert_eq!(world.transcript.cursor.as_deref(), Some("k78"));
    let hits = world.transcript.visible().filter(|row| !world.transcript.matches(row.place).is_empty()).count();
    assert_eq!(hits, 1);
}

#[test]
fn a_range_is_copied_as_it_was_written() {
    let mut world = World::new(10, 40, 30);
    world.calm();
    world.transcript.previous_item();
    world.transcript.select_range();
    world.transcript.previous_item();
    world.settle();
    let expected: Vec<String> = world.items[8..].iter().map(|item| crate::tui::text::plain(&item.item)).collect();
    assert_eq!(world.transcript.selected_text(), Some(expected.join("\n\n")));
    assert!(world.transcript.visible().any(|row| row.selected) && world.transcript.visible().any(|row| !row.selected));
}
