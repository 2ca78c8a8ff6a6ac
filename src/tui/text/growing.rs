//! Text that grows, laid out again only where it changes.
//!
//! Markdown is cut into pieces that mean the same alone: at empty lines outside of lists and fences, and, so that no
//! piece is long, after 8 KiB. Where it is cut depends only on what stands before, so a text that grows is cut as the
//! whole is, and a piece that is complete never changes. Price: a link's definition counts only in its own piece.

use super::{Fold, Line, MadeFor, Role, highlight::Colours, line, long, markdown, parts};
use crate::{api::OUTPUT, core::text::sanitize};

/// A piece ends at the next line's end after this: what is laid out again for each frame while it grows.
const MAX_PIECE: usize = 8 << 10;

/// A piece ends inside a line after this.
const MAX_LONG: usize = 2 * MAX_PIECE;

/// A block that is being written, and its lines.
#[derive(Debug, Clone, Default)]
pub struct Growing {
    kind: Kind,
    text: String,
    /// Bytes that came, also of what isn't shown.
    len: usize,
    cutter: Cutter,
    /// Bytes in complete pieces.
    cut: usize,
    lines: Vec<Line>,
    /// Lines of complete pieces.
    complete: usize,
    made_for: Option<MadeFor>,
    /// Something came since the lines were made.
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Text,
    Thinking,
    Tool,
    /// A shell command's, which goes into its item as soon as that is there.
    Output,
}

impl Growing {
    /// A block of a kind as `OpenBlock` names it.
    pub fn new(kind: &str) -> Self {
        let kind = match kind {
            "thinking" => Kind::Thinking,
            "tool" => Kind::Tool,
            OUTPUT => Kind::Output,
            _ => Kind::Text,
        };
        Self { kind, ..Self::default() }
    }

    /// Bytes of the text so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nothing came yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// More text.
    pub fn push(&mut self, text: &str) {
        self.len += text.len();
        self.changed = true;
        if matches!(self.kind, Kind::Text | Kind::Output) {
            self.text.push_str(text);
        }
    }

    /// The text so far, of what is shown or will be.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines as of the last [`Self::settle`].
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Brings the lines up to date.
    pub fn settle(&mut self, made_for: MadeFor) {
        if self.made_for == Some(made_for) && !self.changed {
            return;
        }
        if self.made_for != Some(made_for) {
            self.made_for = Some(made_for);
            self.lines.clear();
            parts::head(None, made_for, &mut self.lines);
            self.complete = self.lines.len();
            self.cutter = Cutter::default();
            self.cut = 0;
        }
        self.changed = false;
        self.lines.truncate(self.complete);
        if self.kind != Kind::Text {
            self.lines.push(self.working(made_for));
            return;
        }
        while let Some((piece, taken)) = self.cutter.next(&self.text[self.cut..], false) {
            self.cut += taken;
            add(&mut self.lines, &piece, made_for, &mut None);
        }
        self.complete = self.lines.len();
        let mut cutter = self.cutter.clone();
        cutter.rest(&self.text[self.cut..], |piece| add(&mut self.lines, &piece, made_for, &mut None));
        if self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }

    /// Lines that are laid out again although only the end changed.
    #[cfg(test)]
    pub(super) fn redone(&mut self, made_for: MadeFor) -> usize {
        self.settle(made_for);
        self.lines.len() - self.complete
    }

    fn working(&self, made_for: MadeFor) -> Line {
        let what = match self.kind {
            Kind::Thinking => "thinking",
            Kind::Output => "a command runs",
            Kind::Tool | Kind::Text => "calling a tool",
        };
        let mark = parts::mark(Fold::Folded, made_for.ascii);
        let text = format!("{mark} {what}{} {}", parts::dots(made_for.ascii), parts::size(self.len));
        Line::of(line::cut(&text, usize::from(made_for.width), made_for.ascii), Role::Dim)
    }
}

/// Lays out a whole text of markdown; of an absurd one its ends.
pub(super) fn whole(text: &str, made_for: MadeFor, lines: &mut Vec<Line>, colours: &mut Colours<'_>) {
    let mut colours = Some(colours);
    let mut cutter = Cutter::default();
    let Some(ends) = long::ends(text, long::ALL) else {
        return cutter.rest(text, |piece| add(lines, &piece, made_for, &mut colours));
    };
    cutter.rest(ends.first, |piece| add(lines, &piece, made_for, &mut colours));
    lines.push(ends.row(made_for));
    // What is left out says whether the rest stands in a fence.
    cutter.rest(ends.middle, drop);
    cutter.rest(ends.last, |piece| add(lines, &piece, made_for, &mut colours));
}

fn add(lines: &mut Vec<Line>, piece: &Piece, made_for: MadeFor, colours: &mut Option<&mut Colours<'_>>) {
    let new = markdown::lay(&piece.text, usize::from(made_for.width), made_for.ascii, colours);
    let head = usize::from(made_for.speaker) + usize::from(made_for.gap);
    if !new.is_empty() && !piece.goes_on && lines.len() > head {
        lines.push(Line::default());
    }
    lines.extend(new);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Clean markdown.
    pub(super) text: String,
    /// It was cut from the piece before without need.
    goes_on: bool,
}

/// Cuts markdown into pieces.
#[derive(Debug, Clone, Default)]
pub(super) struct Cutter {
    /// The fence that the last piece was cut in.
    fence: Option<String>,
    goes_on: bool,
}

impl Cutter {
    /// All pieces of what is left of a text.
    pub(super) fn rest(&mut self, mut text: &str, mut each: impl FnMut(Piece)) {
        while let Some((piece, taken)) = self.next(text, true) {
            text = &text[taken..];
            each(piece);
        }
    }

    /// The next piece from the front of a text, and how many bytes it takes, if its end is certain; at the `last`,
    /// whatever is there.
    fn next(&mut self, text: &str, last: bool) -> Option<(Piece, usize)> {
        let mut fence = self.fence.clone();
        let (mut list, mut filled, mut blank) = (false, false, false);
        let mut at = 0;
        let end = loop {
            let rest = &text[at..];
            let newline = rest.find('\n');
            if newline.map_or(text.len(), |end| at + end) >= MAX_LONG {
                blank = false;
                break cut_inside(text);
            }
            let line = newline.map(|end| &rest[..end]).or(last.then_some(rest))?;
            let empty = line.trim().is_empty();
            if blank && !empty && begins_piece(line, list) {
                break at;
            }
            match &fence {
                Some(open) if closes(line, open) => fence = None,
                Some(_) => {}
                None => {
                    list |= begins_item(line);
                    fence = opens(line, list);
                }
            }
            // Empty lines before the first of a block belong to it.
            filled |= !empty;
            blank = empty && filled && fence.is_none();
            at += line.len() + usize::from(newline.is_some());
            if newline.is_none() || at >= MAX_PIECE {
                break at;
            }
        };
        if end == 0 {
            return None;
        }
        let mut clean = sanitize(&text[..end]).as_str().to_owned();
        if let Some(open) = std::mem::replace(&mut self.fence, fence) {
            clean.insert_str(0, &format!("{open}\n"));
        }
        let goes_on = std::mem::replace(&mut self.goes_on, !blank);
        Some((Piece { text: clean, goes_on }, end))
    }
}

/// Where to cut a line that is too long: at a blank if there is one in its second half.
fn cut_inside(text: &str) -> usize {
    let mut end = MAX_LONG;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut half = MAX_PIECE;
    while !text.is_char_boundary(half) {
        half += 1;
    }
    text[half..end].rfind([' ', '\n']).map_or(end, |at| half + at + 1)
}

/// Whether a line behind an empty one stands for itself. In a list it may be the next item, or go on with this one.
fn begins_piece(line: &str, list: bool) -> bool {
    !line.starts_with([' ', '\t']) && !(list && (begins_item(line) || line.is_empty()))
}

fn begins_item(line: &str) -> bool {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let mark = if rest.len() < line.len() { rest.strip_prefix(['.', ')']) } else { line.strip_prefix(['-', '*', '+']) };
    mark.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r']))
}

/// The fence that a line opens at the left edge; those inside of lists end with the list.
fn opens(line: &str, list: bool) -> Option<String> {
    let body = line.trim_start_matches(' ');
    if line.len() - body.len() > if list { 1 } else { 3 } {
        return None;
    }
    let mark = body.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let ticks = body.len() - body.trim_start_matches(mark).len();
    let info = &body[ticks..];
    (ticks >= 3 && !(mark == '`' && info.contains('`'))).then(|| body.trim_end().to_owned())
}

fn closes(line: &str, open: &str) -> bool {
    let mark = open.chars().next().unwrap_or('`');
    let ticks = open.len() - open.trim_start_matches(mark).len();
    let indent = line.len() - line.trim_start_matches(' ').len();
    let line = line.trim();
    indent <= 3 && line.len() >= ticks && line.chars().all(|c| c == mark)
}
