use proptest::prelude::*;

use super::*;
use crate::{agent::stream::parse, core::MicroDollars};

fn recording(name: &str) -> Vec<Line> {
    let path = format!("{}/tests/fixtures/claude/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().lines().map(parse).collect()
}

/// The transcript that a store would hold: items by key, in the order of their first appearance.
fn transcript(changed: impl IntoIterator<Item = Item>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for item in changed {
        match items.iter_mut().find(|i| i.key == item.key) {
            Some(old) => *old = item,
            None => items.push(item),
        }
    }
    items
}

fn fold(lines: &[Line]) -> (Vec<Item>, Fold) {
    let mut fold = Fold::new("p", Usage::default());
    let changed: Vec<_> = lines.iter().flat_map(|l| fold.apply(l)).collect();
    (transcript(changed), fold)
}

#[test]
fn how_full_the_context_is_is_said_by_the_last_message_of_the_conversation_itself() {
    let of = |name| fold(&recording(name)).1.context();
    assert_eq!(of("plain"), Some(12_577));
    assert_eq!(of("subagent"), Some(12_823), "a task's context is its own");
    assert_eq!(of("err-401"), None, "what the CLI says itself has taken nothing up");
    assert_eq!(of("slash-clear"), Some(0));
    let strange = r#"{"type":"assistant","message":{"id":"m","content":"hi","usage":{"input_tokens":null}}}"#;
    let (items, fold) = fold(&[parse(strange)]);
    assert_eq!((items.len(), fold.context()), (1, None), "a message is worth more than its figures");
}

/// A transcript in a form that reads like one.
fn outline(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .map(|item| {
            let indent = if item.parent.is_some() { "  " } else { "" };
            let cut = |t: &Untrusted| t.clean_line().as_str().chars().take(44).collect::<String>();
            let what = match &item.body {
                ItemBody::Prompt { text } => format!("prompt {}", cut(text)),
                ItemBody::Text { text, aborted } => {
                    format!("text{} {}", if *aborted { " (aborted)" } else { "" }, cut(text))
                }
                ItemBody::Thinking { text, .. } => format!("thinking {}", cut(text)),
                ItemBody::Tool(t) => format!(
                    "tool {} [{:?}] {} => {} diff {}",
                    t.name.raw(),
                    t.state,
                    cut(&t.subject()),
                    cut(&t.output),
                    t.diff.len()
                ),
                ItemBody::Notice { level, text } => format!("{level:?} {}", cut(text)),
                ItemBody::Result { usage, is_error, denied, .. } => {
                    format!("result {}{} denied {}", usage.cost, if *is_error { " error" } else { "" }, denied.len())
                }
            };
            format!("{indent}{what}")
        })
        .collect()
}

#[test]
fn a_turn_with_tools() {
    insta::assert_snapshot!(outline(&fold(&recording("tools")).0).join("\n"));
}

#[test]
fn refused_tools_are_shown() {
    insta::assert_snapshot!(outline(&fold(&recording("perm-dontAsk")).0).join("\n"));
}

#[test]
fn a_sub_agents_work_hangs_under_its_call() {
    insta::assert_snapshot!(outline(&fold(&recording("subagent")).0).join("\n"));
}

#[test]
fn retries_and_an_error_are_told() {
    insta::assert_snapshot!(outline(&fold(&recording("err-429-give-up")).0).join("\n"));
}

#[test]
fn an_interrupt_keeps_what_was_written() {
    insta::assert_snapshot!(outline(&fold(&recording("sigint-while-streaming")).0).join("\n"));
}

#[test]
fn an_interrupt_is_told_once_and_is_no_failure() {
    let told = |items: &[Item]| -> Vec<String> {
        let told = items.iter().filter_map(|item| match &item.body {
            ItemBody::Text { aborted: true, .. } => Some("aborted".to_owned()),
            ItemBody::Notice { text, .. } => Some(text.raw().to_owned()),
            ItemBody::Tool(tool) if tool.state != ToolState::Done => Some(format!("{:?}", tool.state)),
            ItemBody::Result { is_error: true, .. } => Some("failed".to_owned()),
            _ => None,
        });
        told.collect()
    };
    assert_eq!(told(&fold(&recording("sigint-while-streaming")).0), ["aborted"]);
    let stopped = fold(&recording("sigint-in-bash-tool")).0;
    assert_eq!(told(&stopped), ["Interrupted"], "the card of the command says it");
    let given = |item: &Item| matches!(&item.body, ItemBody::Tool(tool) if !tool.output.raw().is_empty());
    assert!(!stopped.iter().any(given), "what the model is told is nothing that the command gave back");
}

#[test]
fn the_half_answer_of_a_try_that_broke_goes_when_the_next_begins() {
    let mut lines = recording("partial");
    let line = lines.iter().position(|line| matches!(line.event, Event::Assistant(_))).unwrap();
    let tried = lines[..line].to_vec();
    lines.splice(..0, tried);
    let mut live = Fold::new("p", Usage::default());
    let mut told = Vec::new();
    for line in &lines {
        drop(live.apply(line));
        told.extend(live.take_changes());
    }
    let begun: Vec<usize> =
        told.iter().enumerate().filter(|(_, change)| matches!(change, Change::Begun(_))).map(|(at, _)| at).collect();
    let gone: Vec<usize> = told
        .iter()
        .enumerate()
        .filter(|(_, change)| matches!(change, Change::Dropped { .. }))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(gone.len(), 1, "{told:?}");
    assert!(begun[0] < gone[0] && gone[0] < begun[1], "before the next one begins");
}

#[test]
fn a_retry_without_an_answer_is_told_in_words() {
    let retry = r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":600.5,"error_status":null,"error":"unknown","uuid":"u"}"#;
    let ItemBody::Notice { text, .. } = &fold(&[parse(retry)]).0[0].body else { panic!("no notice") };
    assert_eq!(text.raw(), "the API gave no answer; attempt 1 of 10 in 1 s");
}

#[test]
fn a_finished_call_says_how_long_it_took() {
    let (items, _) = fold(&recording("tools"));
    let took = items.iter().filter_map(|item| match &item.body {
        ItemBody::Tool(tool) => Some(tool.elapsed_ms),
        _ => None,
    });
    // By the timestamps of the recording's first two calls and their results.
    assert_eq!(took.take(2).collect::<Vec<_>>(), [Some(29), Some(53)]);

    let back = tool::took("2026-11-23T12:02:49.219Z", "2026-11-23T12:02:49.190Z");
    assert_eq!((back, tool::took("soon", "later")), (None, None));
}

#[test]
fn a_call_whose_program_dies_runs_no_longer() {
    let lines = recording("tools");
    let called = |line: &Line| {
        matches!(&line.event, Event::Assistant(a) if matches!(&a.message.content,
        Content::Blocks(blocks) if blocks.iter().any(|b| matches!(b, Block::ToolUse { .. }))))
    };
    let first = lines.iter().position(called).unwrap();
    let (_, mut fold) = fold(&lines[..=first]);
    let ended = fold.end();
    assert!(matches!(&ended[0].body, ItemBody::Tool(tool) if tool.state == ToolState::Interrupted));
    assert_eq!(fold.end(), [], "told once");

    let (_, mut whole) = self::fold(&lines);
    assert_eq!(whole.end(), [], "all had their results");
}

#[test]
fn two_results_of_one_run_both_count_once() {
    let lines = recording("background-bash");
    let (items, fold) = fold(&lines);
    let sum = items.iter().fold(MicroDollars(0), |sum, i| match &i.body {
        ItemBody::Result { usage, .. } => sum + usage.cost,
        _ => sum,
    });
    assert_eq!(items.iter().filter(|i| matches!(i.body, ItemBody::Result { .. })).count(), 2);
    assert_eq!(fold.spent().cost, sum);
    // Cumulative and summed figures agree to the rounding of each result.
    assert!(fold.total().cost.0.abs_diff(sum.0) <= 2, "{:?} {sum:?}", fold.total());
}

#[test]
fn a_resumed_sessions_cumulative_cost_counts_only_what_is_new() {
    let mut lines = recording("plain");
    let before = fold(&lines).1.total();
    for line in &mut lines {
        if let Event::Result(result) = &mut line.event {
            result.model_usage_since_last_result = None;
        }
    }
    let mut resumed = Fold::new("q", before);
    lines.iter().for_each(|l| drop(resumed.apply(l)));
    assert_eq!(resumed.spent().cost, MicroDollars(0));
}

#[test]
fn the_session_to_resume_is_the_last_one_named() {
    // After /clear the CLI names a conversation id in the reset and then its session's id in `init`.
    let lines = recording("slash-clear");
    let named = |l: &Line| match &l.event {
        Event::Init(init) => Some(init.session_id.clone()),
        Event::ConversationReset(reset) => Some(reset.new_conversation_id.clone()),
        _ => None,
    };
    let names: Vec<_> = lines.iter().filter_map(named).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(fold(&lines).1.session(), names.last().map(String::as_str));
}

#[test]
fn deltas_then_the_block_are_the_block_alone() {
    for name in ["partial", "tools-partial", "markdown-partial", "thinking-partial", "err-cut-mid-stream"] {
        let lines = recording(name);
        let stored: Vec<_> = lines.iter().filter(|l| !matches!(l.event, Event::Stream(_))).cloned().collect();
        assert_eq!(fold(&lines).0, fold(&stored).0, "{name}");
        assert!(fold(&lines).1.open().is_empty(), "{name}: nothing stays open");
    }
}

#[test]
fn open_blocks_grow_to_the_text_that_is_committed() {
    let mut live = Fold::new("p", Usage::default());
    let (mut shown, mut committed) = (BTreeMap::new(), BTreeMap::new());
    for line in recording("markdown-partial") {
        for item in live.apply(&line) {
            if let ItemBody::Text { text, .. } = item.body {
                committed.insert(item.key, text.raw().to_owned());
            }
        }
        for change in live.take_changes() {
            match change {
                Change::Begun(block) => drop(shown.insert(block.item, block.text.raw().to_owned())),
                Change::Grown { item, from, text } => {
                    let so_far: &mut String = shown.get_mut(&item).unwrap();
                    assert_eq!(from, so_far.len());
                    so_far.push_str(text.raw());
                }
                Change::Dropped { item } => panic!("{item} got its line"),
            }
        }
    }
    assert!(!committed.is_empty());
    assert_eq!(shown, committed);
}

proptest! {
    #[test]
    fn a_restart_and_lines_seen_twice_change_nothing(
        name in prop::sample::select(vec!["tools", "perm-default", "background-bash", "subagent", "auto-compaction"]),
        cut in 0.0..1.0f64,
        back in 0usize..5,
    ) {
        let lines = recording(name);
        let whole = fold(&lines).0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let cut = (lines.len() as f64 * cut) as usize;

        // The store has the lines up to the cut; a new server folds them again and reads on, perhaps a little back.
        let mut after = Fold::new("p", Usage::default());
        let mut changed: Vec<_> = lines[..cut].iter().flat_map(|l| after.apply(l)).collect();
        changed.extend(lines[cut.saturating_sub(back)..].iter().flat_map(|l| after.apply(l)));
        prop_assert_eq!(transcript(changed), whole);
    }
}
