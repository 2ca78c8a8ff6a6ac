//! What a tool's result does to its card.

use jiff::Timestamp;
use serde_json::Value;

use crate::core::{
    Untrusted,
    item::{DiffLine, Tool, ToolState},
};

/// Takes the result of a call: its text, and the tool's own form of it.
pub(super) fn finish(tool: &mut Tool, output: &Untrusted, is_error: bool, structured: &Value) {
    tool.output = output.clone();
    tool.diff = diff(structured);
    // A refusal also comes as an error result; which it was is known already.
    if tool.state != ToolState::Refused {
        tool.state = if is_error { ToolState::Failed } else { ToolState::Done };
    }
}

/// Milliseconds from a call to its result, as the CLI's clock has both; nothing if it was set back meanwhile.
pub(super) fn took(called: &str, finished: &str) -> Option<u64> {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    u64::try_from(at(finished)?.duration_since(at(called)?).as_millis()).ok()
}

/// Lines of a diff that a card keeps: a whole rewritten file is looked at in the file.
const MAX_DIFF: usize = 2000;

/// Reads `structuredPatch` of the edit and write tools.
fn diff(structured: &Value) -> Vec<DiffLine> {
    let hunks = structured.get("structuredPatch").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    for hunk in hunks {
        let start = |name: &str| hunk.get(name).and_then(Value::as_u64).unwrap_or(1);
        let (mut old, mut new) = (start("oldStart"), start("newStart"));
        for line in hunk.get("lines").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let mut chars = line.chars();
            let mark = chars.next().unwrap_or(' ');
            let text = Untrusted::new(chars.as_str());
            let number = if mark == '-' { old } else { new };
            match mark {
                '-' => old = old.saturating_add(1),
                '+' => new = new.saturating_add(1),
                _ => (old, new) = (old.saturating_add(1), new.saturating_add(1)),
            }
            if lines.len() < MAX_DIFF {
                lines.push(DiffLine { line: number, mark, text });
            }
        }
    }
    lines
}
