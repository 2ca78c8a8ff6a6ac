//! Whatever is written: it fits, shows nothing it must not, and loses nothing.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::{
    Untrusted, Usage,
    item::{DiffLine, Level, Tool, ToolState},
};

/// Text that is markdown more often than not, with what breaks layouts in it.
fn wild() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("  ".to_owned()),
        Just("```".to_owned()),
        Just("```rust\n".to_owned()),
        Just("| a | b |\n|---|---|\n".to_owned()),
        Just("- ".to_owned()),
        Just("12. ".to_owned()),
        Just("> ".to_owned()),
        Just("# ".to_owned()),
        Just("&#27;".to_owned()),
        Just("[a](b)".to_owned()),
        Just("<b>".to_owned()),
        Just("    ".to_owned()),
        Just("\u{1b}[31m".to_owned()),
        Just("日本".to_owned()),
        Just("👩\u{200d}👩\u{200d}👧".to_owned()),
        Just("e\u{301}\u{301}\u{301}".to_owned()),
        Just("\t".to_owned()),
        Just("\r".to_owned()),
        r"[*_~`\[\]()!|<>#+=-]{1,3}",
        "[a-z]{1,12}",
        r"\PC{0,4}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

fn check(lines: &[Line], width: u16) -> Result<(), TestCaseError> {
    for line in lines {
        let both = columns(&line.spans) + columns(&line.right);
        prop_assert!(both <= usize::from(width), "{both} > {width}: {line:?}");
        for span in line.spans.iter().chain(&line.right) {
            prop_assert!(!span.text().contains(char::is_control), "{span:?}");
            prop_assert!(!span.text().contains(['\u{202e}', '\u{200b}']), "{span:?}");
        }
    }
    Ok(())
}

fn kinds(text: &str) -> Vec<Item> {
    let untrusted = || Untrusted::new(text);
    let diff = vec![
        DiffLine { line: u64::MAX, mark: '+', text: untrusted() },
        DiffLine { line: 1, mark: '\u{7}', text: untrusted() },
    ];
    let tool = |state, diff| {
        let input = json!({"command": text, "other": {"a": text}});
        ItemBody::Tool(Tool {
            name: untrusted(),
            input,
            state,
            output: untrusted(),
            diff,
            elapsed_ms: Some(1),
            ..Tool::default()
        })
    };
    let shell = Tool {
        name: SHELL.into(),
        input: json!({"command": text}),
        state: ToolState::Failed,
        output: untrusted(),
        ..Tool::default()
    };
    let result = ItemBody::Result {
        usage: Usage::default(),
        duration_ms: u64::MAX,
        rounds: 1,
        is_error: true,
        denied: vec![untrusted()],
    };
    [
        ItemBody::Prompt { text: untrusted() },
        ItemBody::Text { text: untrusted(), aborted: true },
        ItemBody::Thinking { text: untrusted(), duration_ms: Some(9) },
        tool(ToolState::Failed, Vec::new()),
        tool(ToolState::Done, diff),
        ItemBody::Tool(shell),
        ItemBody::Notice { level: Level::Warning, text: untrusted() },
        result,
    ]
    .into_iter()
    .map(|body| Item { parent: Some("p".into()), ..item(body) })
    .collect()
}

proptest! {
    #[test]
    fn any_text_fits_any_width(text in wild(), width in 1u16..60, ascii: bool, speaker: bool) {
        for item in kinds(&text) {
            for fold in [Fold::Folded, Fold::Brief, Fold::Unfolded] {
                let clock = Some(Clock { hour: 14, minute: 2 });
                let lines = laid(&item, MadeFor { fold, ascii, speaker, gap: speaker, clock, ..made_for(width) });
                prop_assert!(!lines.is_empty());
                // Each byte stands in a row of its own at worst, and is shown a few times in a card.
                prop_assert!(lines.len() <= 60 + 20 * text.len(), "{} lines", lines.len());
                check(&lines, width)?;
            }
            plain(&item);
            last_code(&item);
        }
    }

    #[test]
    fn what_grew_looks_like_the_whole(text in wild(), cuts in prop::collection::vec(0usize..80, 0..40), width in 5u16..40, times in 1usize..120) {
        let text = text.repeat(times);
        let mut growing = Growing::new("text");
        let mut rest = &text[..];
        for cut in cuts {
            let mut cut = (cut * times).min(rest.len());
            while !rest.is_char_boundary(cut) {
                cut += 1;
            }
            growing.push(&rest[..cut]);
            rest = &rest[cut..];
            growing.settle(made_for(width));
        }
        growing.push(rest);
        growing.settle(made_for(width));
        prop_assert_eq!(growing.lines(), &laid(&prose(&text), made_for(width))[..]);
    }

    #[test]
    fn prose_loses_no_letter(words in prop::collection::vec("[a-z日👍]{1,9}", 1..20), width in 2u16..20) {
        let text = words.join(" ");
        let all: String = shown(&text, width).chars().filter(|c| !c.is_whitespace()).collect();
        prop_assert_eq!(all, words.concat());
    }
}
