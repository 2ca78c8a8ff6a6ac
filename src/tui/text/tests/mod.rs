//! What a reader sees of text that nobody vouches for.

mod cards;
mod code;
mod markdown;
mod recordings;
mod whatever;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::core::ItemBody;

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
