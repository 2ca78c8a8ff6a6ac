//! What holds whatever happens.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Scroll(isize),
    Page(bool),
    HalfPage(bool),
    Top,
    Bottom,
    Next,
    Previous,
    Range,
    Fold,
    Folds,
    Click(u16),
    New,
    Change(usize),
    Grow(String),
    Keyframe,
    Found(Vec<u64>),
    NextMatch(bool),
    Resize(u16, u16),
    Answer,
    Fail,
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (-30isize..30).prop_map(Step::Scroll),
        4 => any::<bool>().prop_map(Step::Page),
        1 => any::<bool>().prop_map(Step::HalfPage),
        1 => Just(Step::Top),
        1 => Just(Step::Bottom),
        1 => Just(Step::Next),
        2 => Just(Step::Previous),
        1 => Just(Step::Range),
        1 => Just(Step::Fold),
        1 => Just(Step::Folds),
        1 => (0u16..30).prop_map(Step::Click),
        3 => Just(Step::New),
        1 => (0usize..300).prop_map(Step::Change),
        3 => "[a-z \n`-]{1,40}".prop_map(Step::Grow),
        1 => Just(Step::Keyframe),
        1 => prop::collection::vec(0u64..300, 0..4).prop_map(Step::Found),
        1 => any::<bool>().prop_map(Step::NextMatch),
        1 => (1u16..60, 1u16..30).prop_map(|(columns, rows)| Step::Resize(columns, rows)),
        6 => Just(Step::Answer),
        1 => Just(Step::Fail),
        1 => Just(Step::Refresh),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_place_is_valid(items in 0usize..300, steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new(items, 30, 10);
        let mut asked = None;
        for step in steps {
            match step {
                Step::Scroll(rows) => world.transcript.scroll(rows),
                Step::Page(down) => world.transcript.page(down),
                Step::HalfPage(down) => world.transcript.half_page(down),
                Step::Top => world.transcript.go_top(),
                Step::Bottom => world.transcript.go_bottom(),
                Step::Next => world.transcript.next_item(),
                Step::Previous => world.transcript.previous_item(),
                Step::Range => world.transcript.select_range(),
                Step::Fold => world.transcript.toggle_fold(),
                Step::Folds => world.transcript.toggle_folds(),
                Step::Click(y) => world.transcript.select_at(y),
                Step::New => {
                    let item = world.make(world.items.len());
                    world.transcript.take_items(vec![item]);
                }
                Step::Change(n) => {
                    let item = world.items.get(n).cloned();
                    world.transcript.take_items(item.into_iter().collect());
                }
                Step::Grow(text) => {
                    let from = world.transcript.open.first().map_or(0, |open| open.growing.len() as u64);
                    let block = world.open(&text);
                    world.transcript.take_delta(block, from);
                }
                Step::Keyframe => world.transcript.take_keyframe(vec![world.open("kept")]),
                Step::Found(mut found) => {
                    found.sort_unstable();
                    world.transcript.search = Some(Search { text: "item".into(), ..Search::default() });
                    world.transcript.take_found(found);
                }
                Step::NextMatch(forward) => {
                    world.transcript.next_match(forward);
                }
                Step::Resize(columns, rows) => (world.pane.columns, world.pane.rows) = (columns, rows),
                Step::Answer => if let Some((id, window)) = asked.take() {
                    let page = world.page(window);
                    world.transcript.take(id, Ok(page));
                },
                Step::Fail => if let Some((id, _)) = asked.take() {
                    world.transcript.take(id, Err(ApiError::usage("no")));
                },
                Step::Refresh => world.transcript.refresh(),
            }
            asked = world.settle().or(asked);

            let (transcript, rows) = (&world.transcript, usize::from(world.pane.rows));
            prop_assert!(transcript.entries.len() <= MAX_ITEMS);
            let positions: Vec<u64> = transcript.entries.iter().map(|entry| entry.item.position).collect();
            prop_assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
            let laid = transcript.entries.iter().filter(|entry| entry.laid.is_some()).count();
            prop_assert!(laid <= 4 * rows + 4 + 2 * NEAR, "{laid} laid for {rows} rows");
            if transcript.is_empty() {
                continue;
            }
            prop_assert!(transcript.top.entry < transcript.len());
            let seen: Vec<Place> = transcript.visible().map(|row| row.place).collect();
            prop_assert_eq!(seen.first(), Some(&transcript.top));
            if let Some(cursor) = &transcript.cursor {
                let on = |place: &Place| transcript.key(place.entry) == Some(cursor);
                prop_assert!(seen.iter().any(on), "the cursor is on {cursor}, which isn't seen");
            }
            if seen.len() < rows {
                prop_assert_eq!(transcript.top, Place::default());
            }
            if transcript.follow && !transcript.more_after {
                let last = transcript.len() - 1;
                let end = Place { entry: last, row: transcript.lines(last).len() - 1 };
                prop_assert_eq!(seen.last(), Some(&end));
            }
        }
    }
}
