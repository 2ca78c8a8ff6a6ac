//! Tables: columns if they fit, else each row as a list of what its cells say.

use pulldown_cmark::Alignment;

use super::super::{Role, Span, line::spans_width, wrap};

/// Blanks and line between two columns.
const BETWEEN: usize = 3;

/// Cells of one row that are looked at; the rest of a generated monster stays in its source.
const MAX_CELLS: usize = 64;

/// A table that is being read.
pub(super) struct Table {
    alignments: Vec<Alignment>,
    /// The first is the head.
    rows: Vec<Vec<Vec<Span>>>,
    row: Vec<Vec<Span>>,
}

impl Table {
    pub(super) fn new(alignments: Vec<Alignment>) -> Self {
        Self { alignments, rows: Vec::new(), row: Vec::new() }
    }

    pub(super) fn cell(&mut self, mut cell: Vec<Span>) {
        for span in &mut cell {
            if span.text.contains('\n') {
                span.text = span.text.replace('\n', " ");
            }
        }
        if self.row.len() < MAX_CELLS {
            self.row.push(cell);
        }
    }

    pub(super) fn row_ends(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    pub(super) fn rows(&self, columns: usize, ascii: bool) -> Vec<Vec<Span>> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count)
            .map(|i| self.rows.iter().filter_map(|row| row.get(i)).map(|cell| spans_width(cell)).max().unwrap_or(0))
            .collect();
        let wide = widths.iter().sum::<usize>() + BETWEEN * count.saturating_sub(1);
        if wide <= columns { self.grid(&widths, ascii) } else { self.list(columns) }
    }

    fn grid(&self, widths: &[usize], ascii: bool) -> Vec<Vec<Span>> {
        let (bar, line, cross) = if ascii { (" | ", "-", "-+-") } else { (" │ ", "─", "─┼─") };
        let mut out = Vec::new();
        for (i, row) in self.rows.iter().enumerate() {
            let mut spans = Vec::new();
            for (column, wide) in widths.iter().enumerate() {
                if column > 0 {
                    spans.push(Span::part(bar, Role::Dim));
                }
                let cell = row.get(column).map_or(&[][..], Vec::as_slice);
                let free = wide - spans_width(cell);
                let left = match self.alignments.get(column) {
                    Some(Alignment::Right) => free,
                    Some(Alignment::Center) => free / 2,
                    _ => 0,
                };
                let pad = |n: usize| (n > 0).then(|| Span::part(" ".repeat(n), Role::Text));
                spans.extend(pad(left));
                spans.extend(cell.iter().map(|span| if i == 0 { strong(span) } else { span.clone() }));
                spans.extend(pad(if column + 1 < widths.len() { free - left } else { 0 }));
            }
            out.push(spans);
            if i == 0 {
                let parts: Vec<String> = widths.iter().map(|wide| line.repeat(*wide)).collect();
                out.push(vec![Span::part(parts.join(cross), Role::Dim)]);
            }
        }
        out
    }

    fn list(&self, columns: usize) -> Vec<Vec<Span>> {
        let Some((head, body)) = self.rows.split_first() else { return Vec::new() };
        let mut out = Vec::new();
        let rows = if body.is_empty() { std::slice::from_ref(head) } else { body };
        for (i, row) in rows.iter().enumerate() {
            if i > 0 {
                out.push(Vec::new());
            }
            for (column, cell) in row.iter().enumerate() {
                let mut spans = Vec::new();
                if let Some(name) = head.get(column).filter(|name| !body.is_empty() && !name.is_empty()) {
                    spans.extend(name.iter().map(strong));
                    spans.push(Span::part(": ", Role::Strong));
                }
                spans.extend(cell.iter().cloned());
                if !spans.is_empty() {
                    out.extend(wrap::prose(&spans, columns));
                }
            }
        }
        out
    }
}

fn strong(span: &Span) -> Span {
    let role = if span.role == Role::Text { Role::Strong } else { span.role };
    Span::part(span.text.clone(), role)
}
