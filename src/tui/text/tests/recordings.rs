//! What the real CLI has said, as it is shown.

use super::*;
use crate::{
    agent::{Fold as AgentFold, stream::parse},
    core::Usage,
};

fn recording(name: &str) -> Vec<Item> {
    let path = format!("{}/tests/fixtures/claude/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let lines: Vec<_> = std::fs::read_to_string(path).unwrap().lines().map(parse).collect();
    let mut fold = AgentFold::new("p", Usage::default());
    let mut items: Vec<Item> = Vec::new();
    for line in &lines {
        for item in fold.apply(line) {
            match items.iter_mut().find(|old| old.key == item.key) {
                Some(old) => *old = item,
                None => items.push(item),
            }
        }
    }
    items
}

fn picture(items: &[Item], fold: Fold, width: u16) -> String {
    items.iter().map(|item| marked(&laid(item, MadeFor { fold, ..made_for(width) }), width) + "~\n").collect()
}

#[rstest::rstest]
fn recordings_look_like_this(
    #[values("markdown-partial", "tools", "subagent", "perm-default", "thinking-partial", "err-429-give-up")]
    name: &str,
    #[values(20, 78, 120)] width: u16,
) {
    insta::assert_snapshot!(format!("{name}_{width}"), picture(&recording(name), Fold::Brief, width));
}

#[rstest::rstest]
fn unfolded_recordings_look_like_this(#[values("tools", "todowrite")] name: &str) {
    insta::assert_snapshot!(format!("{name}_unfolded"), picture(&recording(name), Fold::Unfolded, 78));
}
