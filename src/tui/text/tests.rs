//! What a reader sees of text that nobody vouches for.

use proptest::prelude::*;
use serde_json::json;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::{
    agent::{Fold as AgentFold, stream::parse},
    core::{
        ItemBody, Untrusted, Usage,
        item::{DiffLine, Level, Tool, ToolState},
    },
};

fn made_for(width: u16) -> MadeFor {
    MadeFor { width, fold: Fold::Brief, ascii: false, seconds: 0, speaker: false, gap: false, clock: None }
}

fn item(body: ItemBody) -> Item {
    Item { key: "k".into(), parent: None, timestamp: None, body }
}

fn prose(text: &str) -> Item {
    item(ItemBody::Text { text: text.into(), aborted: false })
}

fn laid(item: &Item, made_for: MadeFor) -> Vec<Line> {
    lay(item, made_for, &Highlights::default()).lines
}

fn columns(spans: &[Span]) -> usize {
    spans.iter().flat_map(|span| span.text().graphemes(true)).map(UnicodeWidthStr::width).sum()
}

/// Rows as text; what isn't plain is marked by the first letters of its role.
fn marked(lines: &[Line], width: u16) -> String {
    let spans = |spans: &[Span]| -> String {
        let mark = |span: &Span| match span.role() {
            Role::Text => span.text().to_owned(),
            role => format!("{{{}:{}}}", &format!("{role:?}")[..2], span.text()),
        };
        spans.iter().map(mark).collect()
    };
    let mut out = String::new();
    for line in lines {
        let free = usize::from(width).saturating_sub(columns(&line.spans) + columns(&line.right));
        let right =
            if line.right.is_empty() { String::new() } else { format!("{}{}", " ".repeat(free), spans(&line.right)) };
        out.push_str(format!("{}{right}", spans(&line.spans)).trim_end());
        out.push('\n');
    }
    out
}

fn shown(text: &str, width: u16) -> String {
    laid(&prose(text), made_for(width)).iter().map(|line| line.text() + "\n").collect()
}

#[rstest::rstest]
#[case("one two three", 7, "one two\nthree\n")]
#[case("longerthanthewidth", 6, "longer\nthanth\newidth\n")]
#[case("日本語を話す", 5, "日本\n語を\n話す\n")]
#[case("ok 👩\u{200d}👩\u{200d}👧 ok", 5, "ok 👩\u{200d}👩\u{200d}👧\nok\n")]
#[case("日本", 1, "?\n?\n")]
#[case("- a\n- b\n  - c\n- d", 20, "• a\n• b\n  • c\n• d\n")]
#[case("3. a\n4. b c d e f", 8, "3. a\n4. b c d\n   e f\n")]
#[case("> quoted words here", 10, "▌ quoted\n▌ words\n▌ here\n")]
#[case("[words](https://a.b/c)", 40, "words (https://a.b/c)\n")]
#[case("<https://a.b/c>", 40, "https://a.b/c\n")]
#[case("a\n\n---\n\nb", 3, "a\n\n───\n\nb\n")]
#[case("| a | b |\n|---|--:|\n| 1 | 20 |", 20, "a │  b\n──┼───\n1 │ 20\n")]
#[case("| name | what |\n|---|---|\n| left | right side |", 12, "name: left\nwhat: right\nside\n")]
#[case("```rust\nfn f() {\n    1\n}\n```", 20, "  fn f() {\n      1\n  }\n")]
#[case("a&#27;[31mb", 20, "a[31mb\n")]
#[case("[only]: https://a.b 'a definition'", 40, "[only]: https://a.b 'a definition'\n")]
#[case("- [x] done\n- [ ] not", 20, "• ☑ done\n• ☐ not\n")]
#[case("para\n- item\n\nafter", 20, "para\n\n• item\n\nafter\n")]
#[case("- a\n\n  b\n- c", 20, "• a\n\n  b\n• c\n")]
#[case("- a\n\n- b", 20, "• a\n• b\n")]
fn markdown_becomes_rows(#[case] text: &str, #[case] width: u16, #[case] rows: &str) {
    assert_eq!(shown(text, width), rows);
}

#[test]
fn roles_say_what_words_mean() {
    let lines = laid(&prose("# Head\n\na *b* **c** ~~d~~ `e` [f](g)"), made_for(40));
    assert_eq!(marked(&lines, 40), "{He:Head}\n\na {Em:b} {St:c} {St:d} {Co:e} f{Li: (g)}\n");
}

#[test]
fn ascii_has_only_ascii_marks() {
    let call = Tool { name: "Edit".into(), diff: change(30), state: ToolState::Done, ..Tool::default() };
    let text = "- a\n\n> b\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] c";
    for body in
        [prose(text), item(ItemBody::Tool(call)), item(ItemBody::Thinking { text: "t".into(), duration_ms: None })]
    {
        let lines = laid(&body, MadeFor { ascii: true, ..made_for(30) });
        assert!(marked(&lines, 30).is_ascii(), "{}", marked(&lines, 30));
    }
}

fn change(lines: u64) -> Vec<DiffLine> {
    let mark = |n: u64| if n.is_multiple_of(2) { '-' } else { '+' };
    (1..=lines).map(|n| DiffLine { line: n, mark: mark(n), text: format!("line {n}").into() }).collect()
}

fn card(tool: Tool, fold: Fold, width: u16) -> String {
    marked(&laid(&item(ItemBody::Tool(tool)), MadeFor { fold, ..made_for(width) }), width)
}

#[test]
fn an_edit_shows_its_first_lines_and_how_many_there_are() {
    let tool = Tool {
        name: "Edit".into(),
        input: json!({"file_path": "src/a.rs"}),
        state: ToolState::Done,
        ..Tool::default()
    };
    let few = card(Tool { diff: change(2), ..tool.clone() }, Fold::Brief, 40);
    let rows = [
        "{Di:▾ }{To:Edit}   src/a.rs                  {Ad:+1}{Di: }{Re:−1}",
        "{Di:    1 }{Ad:+ }{Ad:line 1}",
        "{Di:    2 }{Re:- }{Re:line 2}",
    ];
    assert_eq!(few.lines().collect::<Vec<_>>(), rows);
    let many = card(Tool { diff: change(40), ..tool.clone() }, Fold::Brief, 40);
    assert_eq!(many.lines().count(), 1 + 12 + 1);
    assert!(many.contains("28 lines more"), "{many}");
    assert_eq!(card(Tool { diff: change(40), ..tool }, Fold::Folded, 40).lines().count(), 1);
}

#[test]
fn a_call_that_failed_says_why_at_once() {
    let output: String = (1..=50).map(|n| format!("line {n}\n")).collect();
    let tool = Tool {
        name: "Bash".into(),
        input: json!({"command": "make"}),
        state: ToolState::Failed,
        output: output.into(),
        ..Tool::default()
    };
    let text = card(tool, Fold::Brief, 40);
    assert!(text.contains("{Er:failed}") && text.contains("44 lines more") && text.contains("line 50"), "{text}");
    assert_eq!(text.lines().count(), 1 + 1 + 6);
}

#[test]
fn a_running_call_counts_seconds() {
    let tool = Tool { name: "Bash".into(), input: json!({"command": "make"}), ..Tool::default() };
    let lines = laid(&item(ItemBody::Tool(tool)), MadeFor { seconds: 9, ..made_for(30) });
    assert_eq!(marked(&lines, 30), "{Di:▸ }{To:Bash}   make              {Di:9 s}\n");
}

#[test]
fn huge_and_binary_output_is_told_and_not_shown() {
    let tool = |output: Untrusted| Tool {
        name: SHELL.into(),
        input: json!({"command": "cat x"}),
        state: ToolState::Done,
        output,
        ..Tool::default()
    };
    let binary = card(tool(Untrusted::from_bytes(&[0xff; 3000])), Fold::Brief, 40);
    assert!(binary.contains("binary, 9000 bytes"), "{binary}");
    let long = card(tool("x".repeat(1 << 20).into()), Fold::Brief, 40);
    assert!(long.len() < 6000 && long.contains("bytes more"), "{} bytes", long.len());
    let many = card(tool("y\n".repeat(100_000).into()), Fold::Brief, 40);
    assert_eq!(many.lines().count(), 1 + 200 + 1);
}

#[test]
fn copying_gives_what_was_written() {
    let text = "# A\n\n* b\n\n```sh\nls\n```\n";
    assert_eq!(plain(&prose(text)), text);
    assert_eq!(last_code(&prose(text)).as_deref(), Some("ls\n"));
    let tool = Tool {
        name: "Bash".into(),
        input: json!({"command": "ls\u{1b}[2J"}),
        output: "a\nb\n".into(),
        ..Tool::default()
    };
    assert_eq!(plain(&item(ItemBody::Tool(tool.clone()))), "$ ls\na\nb");
    assert_eq!(last_code(&item(ItemBody::Tool(tool))).as_deref(), Some("ls"));
}

#[test]
fn code_is_asked_for_and_then_in_colours() {
    let text = prose("```rust\nfn main() { \"x\" } // y\n```");
    let mut highlights = Highlights::default();
    let first = lay(&text, made_for(60), &highlights);
    let [code] = &first.wanted[..] else { panic!("{:?}", first.wanted) };
    assert!(highlights.ask(code) && !highlights.ask(code));
    assert!(highlights.take(highlight(&code.language, &code.code)));
    let second = lay(&text, made_for(60), &highlights);
    assert!(second.wanted.is_empty());
    let roles: Vec<Role> = second.lines[0].spans.iter().map(Span::role).collect();
    for role in [Role::Keyword, Role::Name, Role::Literal, Role::Comment] {
        assert!(roles.contains(&role), "{role:?} in {roles:?}");
    }
    assert_eq!(second.lines[0].text(), first.lines[0].text());
}

#[test]
fn code_of_no_known_language_stays_plain_and_is_not_asked_for_again() {
    let code = Code { language: "nosuch".into(), code: "x".into() };
    let mut highlights = Highlights::default();
    assert!(highlights.ask(&code));
    highlights.take(highlight(&code.language, &code.code));
    assert!(!highlights.ask(&code));
    assert_eq!(highlights.get(&code), Some(&[][..]));
}

#[test]
fn matches_are_found_in_any_case() {
    let line = Line::of("Straße İstanbul heron HERON", Role::Text);
    let found: Vec<String> = line.find("Heron").into_iter().map(|range| line.text()[range].to_owned()).collect();
    assert_eq!(found, ["heron", "HERON"]);
    assert!(line.find("").is_empty());
}

/// What is laid out again for one more word at the end of a long answer doesn't grow with the answer.
#[test]
fn a_long_answer_grows_at_its_end_alone() {
    for unit in ["A paragraph of words.\n\n", "- an item of a list\n", "```\ncode\n", "word ", "| a | b |\n"] {
        let mut growing = Growing::new("text");
        growing.push(&unit.repeat(200_000 / unit.len()));
        growing.settle(made_for(78));
        let before = growing.lines().len();
        growing.push("more");
        let redone = growing.redone(made_for(78));
        assert!(redone < 2000 && before > 1000, "{unit:?}: {redone} of {before}");
    }
}

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
