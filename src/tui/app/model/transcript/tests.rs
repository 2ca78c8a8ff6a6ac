//! A transcript as a person moves in it while a conversation goes on.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    api::ConversationPage,
    core::{
        ConversationId, Item, ItemBody,
        item::{Tool, ToolState},
    },
    tui::text::Fold,
};

/// Items of a part, as the server gives them.
const PART: usize = 60;

/// A conversation and one who looks at it.
struct World {
    conversation: ConversationId,
    items: Vec<PlacedItem>,
    transcript: Transcript,
    pane: Pane,
    effects: u64,
}

impl World {
    fn new(items: usize, columns: u16, rows: u16) -> Self {
        let pane = Pane { columns, rows, ..Pane::default() };
        let conversation = ConversationId::new();
        let mut world = Self { conversation, items: Vec::new(), transcript: Transcript::default(), pane, effects: 0 };
        for n in 0..items {
            world.make(n);
        }
        world
    }

    /// The next item, of a height and kind that depend on its number.
    fn make(&mut self, n: usize) -> PlacedItem {
        let text = format!("item {n} {}", "words that wrap ".repeat(n % 7));
        let body = match n % 5 {
            0 => ItemBody::Prompt { text: text.into() },
            1 => ItemBody::Tool(Tool {
                name: "Bash".into(),
                input: json!({"command": text}),
                output: "out\n".repeat(n % 40).into(),
                state: if n.is_multiple_of(2) { ToolState::Failed } else { ToolState::Running },
                ..Tool::default()
            }),
            2 => ItemBody::Text { text: format!("{text}\n\n```rust\nfn f{n}() {{}}\n```").into(), aborted: false },
            _ => ItemBody::Text { text: text.into(), aborted: false },
        };
        let item = Item { key: format!("k{n}"), parent: None, timestamp: None, body };
        let conversation = self.conversation;
        let placed = PlacedItem { conversation, position: n as u64 + 1, at: Timestamp::UNIX_EPOCH, item };
        self.items.push(placed.clone());
        placed
    }

    fn page(&self, window: Window) -> ConversationPage {
        let at = |position: u64| self.items.partition_point(|item| item.position < position);
        let len = self.items.len();
        let range = match window {
            Window::Last => len.saturating_sub(PART)..len,
            Window::Before(position) => at(position).saturating_sub(PART)..at(position),
            Window::After(position) => at(position + 1)..(at(position + 1) + PART).min(len),
            Window::Around(position) => at(position).saturating_sub(PART / 2)..(at(position) + PART / 2).min(len),
        };
        ConversationPage {
            conversation: None,
            items: self.items[range.clone()].to_vec(),
            more_before: range.start > 0,
            more_after: range.end < len,
        }
    }

    fn settle(&mut self) -> Option<(EffectId, Window)> {
        let wants = self.transcript.settle(self.pane.clone());
        let window = wants.part?;
        self.effects += 1;
        self.transcript.asking(EffectId(self.effects), window);
        Some((EffectId(self.effects), window))
    }

    /// Answers until nothing is asked for.
    fn calm(&mut self) {
        for _ in 0..40 {
            let Some((id, window)) = self.settle() else { return };
            let page = self.page(window);
            self.transcript.take(id, Ok(page));
        }
        panic!("it asks for ever");
    }

    fn open(&self, text: &str) -> OpenBlock {
        let conversation = self.conversation;
        OpenBlock { conversation, item: "open".into(), block: "text".into(), text: text.into() }
    }

    fn first_row(&self) -> String {
        self.transcript.visible().next().map(|row| row.line.text()).unwrap_or_default()
    }

    fn rows(&self) -> Vec<String> {
        self.transcript.visible().map(|row| row.line.text()).collect()
    }
}

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
    world.transcript.go_bottom();
    world.calm();
    assert_eq!(world.transcript.unseen, 0);
    assert!(world.rows().iter().any(|row| row.contains("item 102")));
}

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
fn a_match_far_away_is_fetched_and_shown() {
    let mut world = World::new(1000, 40, 12);
    world.calm();
    world.transcript.search = Some(Search { text: "item 78 w".into(), ..Search::default() });
    world.transcript.take_found(vec![79]);
    world.calm();
    assert!(world.rows().iter().any(|row| row.contains("item 78 w")), "{:?}", world.rows());
    assert_eq!(world.transcript.cursor.as_deref(), Some("k78"));
    let hits = world.transcript.visible().filter(|row| !world.transcript.matches(row.line).is_empty()).count();
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
                Step::NextMatch(forward) => world.transcript.next_match(forward),
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
            prop_assert!(laid <= 4 * rows + 4, "{laid} laid for {rows} rows");
            if transcript.is_empty() {
                continue;
            }
            prop_assert!(transcript.top.entry < transcript.len());
            let seen: Vec<Place> = transcript.visible().map(|row| row.place).collect();
            prop_assert_eq!(seen.first(), Some(&transcript.top));
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
