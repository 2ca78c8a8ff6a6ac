//! Calls of tools.

use serde_json::json;

use super::*;
use crate::core::{
    Untrusted,
    item::{DiffLine, Tool, ToolState},
};

fn change(lines: u64) -> Vec<DiffLine> {
    let mark = |n: u64| if n.is_multiple_of(2) { '-' } else { '+' };
    (1..=lines).map(|n| DiffLine { line: n, mark: mark(n), text: format!("line {n}").into() }).collect()
}

fn card(tool: Tool, fold: Fold, width: u16) -> String {
    marked(&laid(&item(ItemBody::Tool(tool)), MadeFor { fold, ..made_for(width) }), width)
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
fn a_change_that_reads_otherwise_than_it_runs_is_seen() {
    let line = DiffLine { mark: '+', line: 7, text: "check(); /* \u{202e} }".into() };
    let text = card(Tool { name: "Edit".into(), diff: vec![line], ..Tool::default() }, Fold::Brief, 60);
    assert!(text.contains("check(); /* ⟦U+202E⟧ }"), "{text}");
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
    assert!(binary.contains("binary, about 3000 bytes"), "{binary}");
    let elf = tool(Untrusted::from_bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\xfe\xed"));
    let (narrow, wide) = (card(elf.clone(), Fold::Brief, 50), card(elf, Fold::Brief, 80));
    let row = "00000000  7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00  .ELF............";
    assert!(wide.contains(row) && wide.contains("00000010  ·· ··"), "{wide}");
    assert!(narrow.contains("00000008  00 00 00 00 00 00 00 00  ........\n"), "{narrow}");
    assert!(card(tool(Untrusted::from_bytes(&[0; 9])), Fold::Brief, 24).lines().count() == 2, "no room for a row");
    let long = card(tool("x".repeat(1 << 20).into()), Fold::Brief, 40);
    assert!(long.len() < 6000 && long.contains("bytes more"), "{} bytes", long.len());
    let many = card(tool("y\n".repeat(100_000).into()), Fold::Brief, 40);
    assert_eq!(many.lines().count(), 1 + 200 + 1);
}

#[test]
fn a_long_prompt_shows_its_ends_and_is_copied_whole() {
    let text: String = (1..=26_000).map(|n| format!("line {n}\n")).collect();
    let prompt = item(ItemBody::Prompt { text: text.clone().into() });
    let rows =
        |fold| -> Vec<String> { laid(&prompt, MadeFor { fold, ..made_for(40) }).iter().map(Line::text).collect() };
    let brief = rows(Fold::Brief);
    assert_eq!((brief.len(), brief[19].as_str(), brief[20].as_str()), (41, "line 20", "… 25960 lines more"));
    assert_eq!(brief[40], "line 26000");
    let whole = rows(Fold::Unfolded);
    assert_eq!((whole.len(), whole[3000].as_str()), (6001, "… 20000 lines more"));
    assert_eq!(plain(&prompt), text);

    let one = item(ItemBody::Prompt { text: "word ".repeat(200_000).into() });
    let lines = laid(&one, made_for(80));
    assert!(lines.len() < 100 && lines.iter().any(|line| line.text().ends_with("kB more")), "{} rows", lines.len());
    let short: String = (1..=41).map(|n| format!("line {n}\n")).collect();
    assert_eq!(laid(&item(ItemBody::Prompt { text: short.into() }), made_for(40)).len(), 41, "no line hides one line");
}

#[test]
fn an_absurd_answer_shows_its_ends_in_their_own_looks() {
    let text = format!("begin\n\n```\n{}```\n\n*end*", "code\n".repeat(100_000));
    let lines = marked(&laid(&prose(&text), made_for(40)), 40);
    assert!(lines.lines().count() < 6100, "{}", lines.lines().count());
    let around: Vec<&str> = lines.lines().skip_while(|line| !line.contains("lines more")).take(2).collect();
    assert!(around.len() == 2 && around[1].contains("{Co:code"), "{around:?}");
    assert!(lines.trim_end().ends_with("{Em:end}"));
}

#[test]
fn how_a_long_command_went_is_said_below_it_too() {
    let tool = |lines: usize, state| Tool {
        name: SHELL.into(),
        input: json!({"command": "make"}),
        output: "y\n".repeat(lines).into(),
        elapsed_ms: Some(3000),
        state,
        ..Tool::default()
    };
    let ends = |lines, state| card(tool(lines, state), Fold::Brief, 40).matches("interrupted").count();
    assert_eq!(ends(5, ToolState::Interrupted), 1, "both are in sight");
    let long = card(tool(50, ToolState::Interrupted), Fold::Brief, 40);
    assert!(long.starts_with("{Pr:! make}") && long.trim_end().ends_with("{Wa:interrupted}{Di: }{Di:3.0 s}"), "{long}");
    let done = card(tool(50, ToolState::Done), Fold::Brief, 40);
    assert!(done.ends_with("\ny\n"), "what went well is no news: {done}");
}

#[test]
fn how_a_command_of_ones_own_went_is_never_left_out() {
    let tool = |command: &str, state, code, ms| Tool {
        name: SHELL.into(),
        input: json!({"command": command}),
        output: "out\n".into(),
        elapsed_ms: Some(ms),
        exit_code: Some(code),
        state,
        ..Tool::default()
    };
    let short = card(tool("false", ToolState::Failed, 3, 20), Fold::Brief, 40);
    assert_eq!(short, "{Pr:! false}                           {Er:exit 3}\nout\n");
    let wide = "echo a rather long command line | grep nothing";
    let failed = card(tool(wide, ToolState::Failed, 1, 20), Fold::Brief, 40);
    assert!(failed.ends_with("\nout\n{Er:exit 1}\n"), "{failed}");
    let slow = card(tool("sleep 4", ToolState::Done, 0, 4000), Fold::Brief, 40);
    assert!(slow.contains("{Di:4.0 s}"), "{slow}");
    let quick = card(tool(wide, ToolState::Done, 0, 400), Fold::Brief, 40);
    assert!(quick.ends_with("nothing}\nout\n"), "{quick}");
    let folded = card(tool("false", ToolState::Failed, 3, 20), Fold::Folded, 40);
    assert!(folded.ends_with("{Er:exit 3}\n{Di:… 1 line}\n"), "{folded}");
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
