//! Going through what a search found.

use super::*;

/// Two items that hold the text in several rows, of three.
fn world(middle: ItemBody, text: &str) -> World {
    let mut world = World::new(10, 40, 12);
    world.add(answer(&["first needle", "second needle"]));
    world.add(middle);
    world.add(answer(&["third needle", "fourth needle"]));
    world.calm();
    world.transcript.search = Some(Search { text: text.into(), ..Search::default() });
    world
}

/// Paragraphs that are farther from each other than the pane is high.
fn answer(paragraphs: &[&str]) -> ItemBody {
    let text = paragraphs.iter().map(|text| format!("{text}\n\n{}", "between\n\n".repeat(20)));
    ItemBody::Text { text: text.collect::<String>().into(), aborted: false }
}

fn call(output: String) -> ItemBody {
    let input = json!({"command": "seq"});
    ItemBody::Tool(Tool {
        name: "Bash".into(),
        input,
        state: ToolState::Done,
        output: output.into(),
        ..Tool::default()
    })
}

/// The one row that is gone to.
fn shown(world: &mut World) -> String {
    world.calm();
    let Some(Search { spot: Some(Spot::Row(row)), .. }) = world.transcript.search else { return String::new() };
    let found = world
        .transcript
        .visible()
        .find(|seen| seen.place.row == row && seen.cursor && !world.transcript.matches(seen.place).is_empty());
    found.map(|row| row.line.text()).unwrap_or_default()
}

#[test]
fn each_place_of_an_item_is_gone_to_before_the_next_item() {
    let mut world = world(call("nothing".into()), "needle");
    world.transcript.take_found(vec![11, 13]);
    assert_eq!(shown(&mut world), "fourth needle", "the last one that isn't below the pane");
    let mut back = Vec::new();
    for _ in 0..3 {
        assert!(!world.transcript.next_match(false));
        back.push(shown(&mut world));
    }
    assert_eq!(back, ["third needle", "second needle", "first needle"]);
    assert!(world.transcript.next_match(false), "round at the first");
    assert_eq!(shown(&mut world), "fourth needle");
    assert!(world.transcript.next_match(true), "and at the last");
    assert_eq!(shown(&mut world), "first needle");
    assert!(!world.transcript.next_match(true));
    assert_eq!(shown(&mut world), "second needle");
}

#[test]
fn a_search_begins_with_what_is_above_the_lower_edge() {
    let mut world = world(call("nothing".into()), "needle");
    let long = world.transcript.index("k12").unwrap();
    world.transcript.top = Place { entry: long, row: 0 };
    world.transcript.follow = false;
    world.settle();
    world.transcript.take_found(vec![11, 13]);
    assert_eq!(shown(&mut world), "third needle");
}

#[test]
fn what_a_fold_hides_is_unfolded_for_the_search() {
    let output = (1..=30).map(|n| format!("row {n}.\n")).collect();
    let mut world = world(call(output), "row 25.");
    world.transcript.take_found(vec![12]);
    assert_eq!(shown(&mut world).trim(), "row 25.");
}

#[test]
fn places_that_a_fold_hides_beside_others_are_gone_to() {
    let output = (1..=30).map(|n| format!("needle {n}.\n")).collect();
    let mut world = world(call(output), "needle ");
    world.transcript.take_found(vec![12]);
    let first = shown(&mut world);
    let mut rest = Vec::new();
    while !world.transcript.next_match(false) {
        rest.push(shown(&mut world).trim().to_owned());
    }
    assert_eq!(first.trim(), "needle 30.");
    assert_eq!(rest, (1..30).rev().map(|n| format!("needle {n}.")).collect::<Vec<_>>());
}

#[test]
fn what_is_left_out_is_told_and_nothing_is_unfolded_for_it() {
    let output = (1..=1000).map(|n| format!("row {n}.\n")).collect();
    let mut world = world(call(output), "row 500.");
    world.transcript.take_found(vec![12]);
    world.calm();
    assert_eq!(world.transcript.search.as_ref().unwrap().spot, Some(Spot::LeftOut));
    assert_eq!(world.transcript.cursor.as_deref(), Some("k11"));
    assert_eq!(world.transcript.entries[11].unfolded, None);
    assert!(world.transcript.visible().any(|row| row.cursor));
}

#[test]
fn a_text_that_is_broken_at_the_edge_is_found() {
    let text = format!("{} two words", "x".repeat(32));
    let mut world = world(ItemBody::Text { text: text.into(), aborted: false }, "two words");
    world.transcript.take_found(vec![12]);
    world.calm();
    let Some(Spot::Row(row)) = world.transcript.search.as_ref().unwrap().spot else { panic!("it is told as left out") };
    let first = world.transcript.visible().find(|seen| seen.cursor && seen.place.row == row).unwrap().place;
    let marked = |world: &World, place: Place| -> Vec<String> {
        let text = world.transcript.lines(place.entry)[place.row].text();
        world.transcript.matches(place).into_iter().map(|found| text[found].to_owned()).collect()
    };
    assert_eq!(marked(&world, first), ["two"]);
    assert_eq!(marked(&world, Place { row: row + 1, ..first }), ["words"]);
}
