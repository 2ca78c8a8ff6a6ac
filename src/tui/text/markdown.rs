//! One piece of markdown to rows.

mod table;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use self::table::Table;
use super::{
    Code, Line, Role, Span,
    highlight::{self, Colours},
    line::{spans_width, width},
    wrap,
};
use crate::core::text::{sanitize, sanitize_line};

/// Code stands in by this.
const CODE_INDENT: &str = "  ";

/// Lays out clean markdown. What it says is never lost: what makes no rows as markdown is shown as it is.
pub(super) fn lay(text: &str, columns: usize, ascii: bool, colours: &mut Option<&mut Colours<'_>>) -> Vec<Line> {
    let mut writer = Writer { columns, ascii, ..Writer::default() };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for event in Parser::new_ext(text, options) {
        writer.event(event, colours);
    }
    writer.flush();
    if writer.lines.is_empty() && !text.trim().is_empty() {
        let rows = wrap::prose(&[Span::part(text.trim(), Role::Text)], columns);
        return rows.into_iter().map(|spans| Line { spans, right: Vec::new() }).collect();
    }
    writer.lines
}

#[derive(Default)]
struct Writer {
    columns: usize,
    ascii: bool,
    lines: Vec<Line>,
    /// What the block that is being written says so far.
    inline: Vec<Span>,
    /// Roles of emphasis, the innermost last.
    roles: Vec<Role>,
    /// Quotes and list items around.
    around: Vec<Around>,
    /// The next number of each list around; none for bullets.
    lists: Vec<Option<u64>>,
    /// Targets of links and images around, and where their words begin.
    links: Vec<(String, usize)>,
    code: Option<Code>,
    table: Option<Table>,
    /// An empty row belongs before the next block.
    gap: bool,
}

enum Around {
    Quote,
    /// An item: its mark, until it was written once.
    Item(Option<String>, usize),
}

impl Writer {
    fn event(&mut self, event: Event<'_>, colours: &mut Option<&mut Colours<'_>>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag, colours),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.code.push_str(&text),
                None => self.say(&text, None),
            },
            Event::Code(text) => self.say(&text, Some(Role::Code)),
            Event::Html(text) | Event::InlineHtml(text) => self.html(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.say(&text, None),
            Event::FootnoteReference(text) => self.say(&text, None),
            Event::SoftBreak => self.say(" ", None),
            Event::HardBreak => {
                let role = self.role();
                self.inline.push(Span::part("\n", role));
            }
            Event::Rule => {
                self.block();
                let rule = if self.ascii { "-" } else { "─" };
                let columns = self.room();
                self.put(vec![Span::part(rule.repeat(columns), Role::Dim)]);
                self.gap = true;
            }
            Event::TaskListMarker(done) => {
                let mark = match (done, self.ascii) {
                    (true, true) => "[x] ",
                    (false, true) => "[ ] ",
                    (true, false) => "☑ ",
                    (false, false) => "☐ ",
                };
                self.inline.push(Span::part(mark, Role::Text));
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block(),
            Tag::Heading { level, .. } => {
                self.block();
                self.roles.push(Role::Heading);
                // Without sizes of letters a mark says which is above which; the first two need none.
                if level > HeadingLevel::H2 {
                    self.inline.push(Span::part(format!("{} ", "#".repeat(level as usize)), Role::Heading));
                }
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.around.push(Around::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.block();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',', '{']).next().unwrap_or_default().to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some(Code { language, code: String::new() });
            }
            Tag::List(first) => {
                self.flush();
                if self.lists.is_empty() {
                    self.block();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.flush();
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ if self.ascii => "- ".to_owned(),
                    _ => "• ".to_owned(),
                };
                let wide = width(&mark);
                if self.gap && self.lists.len() == 1 && self.lines.is_empty() {
                    self.gap = false;
                }
                self.around.push(Around::Item(Some(mark), wide));
            }
            Tag::Table(alignments) => {
                self.block();
                self.table = Some(Table::new(alignments));
            }
            Tag::TableCell => self.inline.clear(),
            Tag::Emphasis => self.roles.push(Role::Emphasis),
            Tag::Strong => self.roles.push(Role::Strong),
            Tag::Strikethrough => self.roles.push(Role::Struck),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.inline.len()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, colours: &mut Option<&mut Colours<'_>>) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.flush();
                self.gap = true;
            }
            TagEnd::Heading(_) => {
                self.flush();
                self.roles.pop();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.around.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => {
                if let Some(code) = self.code.take() {
                    self.code(code, colours);
                }
                self.gap = true;
            }
            TagEnd::Item => {
                self.flush();
                // An empty item still has its mark.
                if matches!(self.around.last(), Some(Around::Item(Some(_), _))) {
                    self.put(Vec::new());
                }
                self.around.pop();
                self.gap = false;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.gap = self.lists.is_empty();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.inline);
                if let Some(table) = &mut self.table {
                    table.cell(cell);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                if let Some(table) = &mut self.table {
                    table.row_ends();
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    for spans in table.rows(self.room(), self.ascii) {
                        self.put(spans);
                    }
                }
                self.gap = true;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => drop(self.roles.pop()),
            TagEnd::Link | TagEnd::Image => self.link(),
            _ => {}
        }
    }

    fn role(&self) -> Role {
        let quoted = self.around.iter().any(|around| matches!(around, Around::Quote));
        self.roles.last().copied().unwrap_or(if quoted { Role::Quote } else { Role::Text })
    }

    /// Text of the block; entities may have become anything, so it is cleaned again.
    fn say(&mut self, text: &str, role: Option<Role>) {
        let role = role.unwrap_or_else(|| self.role());
        self.inline.push(Span::part(sanitize_line(text).as_str(), role));
    }

    fn html(&mut self, text: &str) {
        let clean = sanitize(text);
        let text = match clean.as_str().trim() {
            // The one tag that people write in markdown.
            "<br>" | "<br/>" | "<br />" => "\n",
            _ => clean.as_str(),
        };
        self.inline.push(Span::part(text, Role::Dim));
    }

    /// A link's target is visible: what a link says and where it leads are two things.
    fn link(&mut self) {
        let Some((target, from)) = self.links.pop() else { return };
        let target = sanitize_line(&target);
        let from = from.min(self.inline.len());
        let words: String = self.inline[from..].iter().map(Span::text).collect();
        if target.as_str().is_empty() {
            return;
        }
        if words == target.as_str() || target.as_str().strip_prefix("mailto:") == Some(&words) {
            self.inline[from..].iter_mut().for_each(|span| span.role = Role::Link);
            return;
        }
        let text = if words.is_empty() { target.to_string() } else { format!(" ({target})") };
        self.inline.push(Span::part(text, Role::Link));
    }

    fn code(&mut self, code: Code, colours: &mut Option<&mut Colours<'_>>) {
        let clean = sanitize(&code.code);
        let code = Code { language: code.language, code: clean.as_str().trim_end_matches('\n').to_owned() };
        let mut coloured = None;
        if let Some(colours) = colours.as_deref_mut().filter(|_| highlight::worth(&code)) {
            match colours.highlights.get(&code) {
                Some(lines) => coloured = Some(lines),
                None => colours.wanted.push(code.clone()),
            }
        }
        let room = self.room();
        let indent = if room > 2 * CODE_INDENT.len() { CODE_INDENT } else { "" };
        for (i, line) in code.code.split('\n').enumerate() {
            let plain = [Span::part(line, Role::Code)];
            let spans = coloured.and_then(|lines| lines.get(i)).map_or(&plain[..], Vec::as_slice);
            for mut row in wrap::verbatim(spans, room - indent.len()) {
                if !indent.is_empty() && !row.is_empty() {
                    row.insert(0, Span::part(indent, Role::Code));
                }
                self.put(row);
            }
        }
    }

    /// A block begins.
    fn block(&mut self) {
        self.flush();
        if std::mem::take(&mut self.gap) && !self.lines.is_empty() {
            // The mark of an item isn't taken by an empty row.
            let quotes = self.around.iter().any(|around| matches!(around, Around::Quote));
            let unused = matches!(self.around.last(), Some(Around::Item(Some(_), _)));
            if quotes && !unused {
                self.put(Vec::new());
            } else {
                self.lines.push(Line::default());
            }
        }
    }

    /// Wraps what was said.
    fn flush(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        if inline.iter().all(|span| span.text.trim().is_empty()) {
            return;
        }
        // What follows a tight item's own words in it, such as an inner list, needs no gap; a paragraph does.
        let mut rows = wrap::prose(&inline, self.room());
        while rows.last().is_some_and(Vec::is_empty) {
            rows.pop();
        }
        rows.into_iter().for_each(|row| self.put(row));
    }

    /// Columns that are left beside what is around.
    fn room(&self) -> usize {
        self.columns.saturating_sub(self.indent().iter().map(|(wide, _)| wide).sum()).max(1)
    }

    /// What is around, from the outside, as far as it leaves half of the columns.
    fn indent(&self) -> Vec<(usize, &Around)> {
        let mut left = self.columns / 2;
        let mut out = Vec::new();
        for around in &self.around {
            let wide = match around {
                Around::Quote => 2,
                Around::Item(_, wide) => *wide,
            };
            if wide > left {
                break;
            }
            left -= wide;
            out.push((wide, around));
        }
        out
    }

    fn put(&mut self, row: Vec<Span>) {
        let mut spans = Vec::new();
        for (wide, around) in self.indent() {
            match around {
                Around::Quote => spans.push(Span::part(if self.ascii { "| " } else { "▌ " }, Role::Dim)),
                Around::Item(Some(mark), _) => spans.push(Span::part(mark.clone(), Role::Dim)),
                Around::Item(None, _) => spans.push(Span::part(" ".repeat(wide), Role::Text)),
            }
        }
        for around in &mut self.around {
            if let Around::Item(mark, _) = around {
                *mark = None;
            }
        }
        debug_assert!(spans_width(&spans) <= self.columns);
        spans.extend(row);
        self.lines.push(Line { spans, right: Vec::new() });
    }
}
