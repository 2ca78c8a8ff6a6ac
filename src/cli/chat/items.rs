//! Items as lines of a terminal.

use std::io;

use crate::{
    cli::{out, show},
    core::{
        Item, ItemBody,
        item::{Level, Tool, ToolState},
    },
};

/// Columns of a tool's subject: with its name a line of 80.
const MAX_SUBJECT: usize = 60;

/// Prints a finished item.
pub(super) fn print(item: &Item) -> io::Result<()> {
    match &item.body {
        ItemBody::Prompt { text } => {
            for line in text.clean().as_str().lines() {
                out::line(format_args!("> {line}"))?;
            }
            Ok(())
        }
        ItemBody::Text { text, .. } => out::line(text.clean()),
        // Long, and seldom what is looked for in a shell; the screen and --json have it.
        ItemBody::Thinking { .. } => Ok(()),
        ItemBody::Tool(tool) => {
            out::line(call(tool))?;
            outcome(tool).map_or(Ok(()), out::line)
        }
        ItemBody::Notice { level, text } => notice(*level, text.clean().as_str()),
        ItemBody::Result { usage, duration_ms, .. } => {
            out::line(out::dim(&format!("{} · {}", show::duration(*duration_ms), usage.cost)))
        }
    }
}

/// A call of a tool in one line: what, and on what.
pub(super) fn call(tool: &Tool) -> String {
    let subject = tool.subject().clean_line();
    let mut shown: String = subject.as_str().chars().take(MAX_SUBJECT).collect();
    if shown.len() < subject.as_str().len() {
        shown.push('…');
    }
    format!("▸ {} {shown}", tool.name.clean_line()).trim_end().to_owned()
}

/// How a call ended, when it did not end well.
pub(super) fn outcome(tool: &Tool) -> Option<String> {
    let word = match tool.state {
        ToolState::Failed => "failed",
        ToolState::Refused => "refused",
        ToolState::Interrupted => "interrupted",
        ToolState::Running | ToolState::Done => return None,
    };
    let output = tool.output.clean();
    let first: String = output.as_str().lines().next().unwrap_or_default().chars().take(MAX_SUBJECT).collect();
    Some(if first.is_empty() { format!("  {word}") } else { format!("  {word}: {first}") })
}

/// A sentence about what happens.
pub(super) fn notice(level: Level, text: &str) -> io::Result<()> {
    match level {
        Level::Info => out::line(out::dim(text)),
        Level::Warning | Level::Error => out::line(format_args!("! {text}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_one_line_that_controls_nothing() {
        let tool = Tool {
            name: "Bash".into(),
            input: json!({ "command": format!("printf '\u{1b}[2J'\n{}", "x".repeat(100)) }),
            state: ToolState::Failed,
            output: "\u{1b}[31mno such file\nmore".into(),
            ..Tool::default()
        };
        let line = call(&tool);
        assert!(line.starts_with("▸ Bash printf ''") && line.ends_with('…') && line.chars().count() < 80, "{line:?}");
        assert_eq!(outcome(&tool).unwrap(), "  failed: no such file");
    }
}
