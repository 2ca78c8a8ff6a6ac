//! What an item says, for copying.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::{SHELL, parts};
use crate::core::{Item, ItemBody, item::Tool, text::sanitize};

/// What an item says, as it was written: what copying gives. Clean, unwrapped, without marks of ours.
pub fn plain(item: &Item) -> String {
    match &item.body {
        ItemBody::Prompt { text }
        | ItemBody::Text { text, .. }
        | ItemBody::Thinking { text, .. }
        | ItemBody::Notice { text, .. } => text.clean().to_string(),
        ItemBody::Tool(tool) => tool_text(tool),
        ItemBody::Result { usage, duration_ms, .. } => parts::spent(*duration_ms, usage.cost, false),
    }
}

fn tool_text(tool: &Tool) -> String {
    let (name, subject, output) = (tool.name.clean_line(), tool.subject().clean(), tool.output.clean());
    let head = match tool.input.get("command") {
        Some(_) => format!("$ {subject}"),
        None if subject.as_str().is_empty() => name.to_string(),
        None => format!("{name} {subject}"),
    };
    let mut lines = vec![head];
    if tool.diff.is_empty() || tool.name.raw() == SHELL {
        lines.push(output.as_str().trim_end_matches('\n').to_owned());
    } else {
        let diff = tool.diff.iter().map(|line| sanitize(&format!("{}{}", line.mark, line.text.raw())).to_string());
        lines.extend(diff);
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// The last block of code that an item holds: of prose its last fence, of a call its command or what it wrote.
pub fn last_code(item: &Item) -> Option<String> {
    match &item.body {
        ItemBody::Text { text, .. } | ItemBody::Prompt { text } => {
            let clean = text.clean();
            let mut last = None;
            let mut code: Option<String> = None;
            for event in Parser::new(clean.as_str()) {
                match event {
                    Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented)) => {
                        code = Some(String::new());
                    }
                    Event::Text(text) => {
                        if let Some(code) = &mut code {
                            code.push_str(&text);
                        }
                    }
                    Event::End(TagEnd::CodeBlock) => last = code.take(),
                    _ => {}
                }
            }
            last.map(|code| sanitize(&code).to_string())
        }
        ItemBody::Tool(tool) => {
            let input = |name: &str| tool.input.get(name).and_then(serde_json::Value::as_str);
            ["command", "new_string", "content"].into_iter().find_map(input).map(|code| sanitize(code).to_string())
        }
        _ => None,
    }
}
