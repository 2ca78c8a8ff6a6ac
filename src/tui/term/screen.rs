//! Cells to bytes: one frame is one run of bytes, and no bytes if nothing changed.

use std::{convert::Infallible, io::Write};

use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr;

use super::grid::{Grid, columns_of, uncertain};

/// A terminal that knows DEC mode 2026 shows all of what stands between at once; the others ignore it.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

const CLEAR: &[u8] = b"\x1b[2J";
const SHOW: &[u8] = b"\x1b[?25h";
const HIDE: &[u8] = b"\x1b[?25l";

/// What is too wide for its row stays in it, or goes on in the next.
const STAY: &[u8] = b"\x1b[?7l";
const WRAP: &[u8] = b"\x1b[?7h";

/// Bytes of a move by two columns and more in a row.
const MOVE: u16 = 4;

/// What ratatui draws on.
#[derive(Debug, Default)]
pub(super) struct Screen {
    size: Size,
    /// Bytes for the terminal.
    pub out: Vec<u8>,
    /// A frame has begun in `out`.
    open: bool,
    cleared: bool,
    grid: Grid,
    /// Where the frame wants the cursor, and where the terminal has it.
    caret: Option<Position>,
    shown: Option<Position>,
}

/// Where the terminal's cursor is while a frame is drawn, as far as that is certain, and how it writes.
#[derive(Debug, Default)]
struct Pen {
    at: Option<Position>,
    row: Option<u16>,
    look: Look,
}

/// How a cell looks; a terminal's own look at first and at the end of each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    fg: Color,
    bg: Color,
    line: Color,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, line: cell.underline_color, modifier: cell.modifier }
    }
}

impl Screen {
    pub fn new(columns: u16, rows: u16) -> Self {
        let mut screen = Self::default();
        screen.resize(columns, rows);
        screen
    }

    /// ratatui clears all when it sees another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = Size::new(columns, rows);
        if self.size != size {
            self.size = size;
            self.grid.clear(size);
        }
    }

    /// The terminal shows who knows what: the next frame begins with clearing it.
    pub fn anew(&mut self) {
        self.begin();
        self.out.extend_from_slice(HIDE);
        self.shown = None;
        self.clear_all();
    }

    fn clear_all(&mut self) {
        self.grid.clear(self.size);
        if !self.cleared {
            self.cleared = true;
            self.begin();
            self.out.extend_from_slice(CLEAR);
        }
    }

    fn begin(&mut self) {
        if !self.open {
            self.open = true;
            self.out.extend_from_slice(BEGIN);
        }
    }

    fn put(&mut self, args: std::fmt::Arguments<'_>) {
        // A vector takes all.
        let _ = self.out.write_fmt(args);
    }

    /// To (`x`, `y`) from where the last cell left the cursor; ahead in its row and the begin of the next are said
    /// shorter. Its row is known also where its column isn't.
    fn go(&mut self, from: Option<Position>, row: Option<u16>, x: u16, y: u16) {
        match from {
            Some(at) if at.y == y && at.x == x => {}
            Some(at) if at.y == y && at.x + 1 == x => self.put(format_args!("\x1b[C")),
            Some(at) if at.y == y && at.x < x => self.put(format_args!("\x1b[{}C", x - at.x)),
            _ if x == 0 && row.is_some_and(|row| row + 1 == y) => self.out.extend_from_slice(b"\r\n"),
            _ => self.put(format_args!("\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1)),
        }
    }

    fn look(&mut self, from: Look, to: Look) {
        if from == to {
            return;
        }
        self.out.extend_from_slice(b"\x1b[");
        let start = self.out.len();
        // Taking one attribute away is not the same in all terminals (bold and dim share theirs): all go at once.
        let mut from = from;
        if from.modifier.difference(to.modifier) != Modifier::empty() || to == Look::default() {
            from = Look::default();
            if to != from {
                self.put(format_args!("0;"));
            }
        }
        for (modifier, code) in MODIFIERS {
            if to.modifier.contains(modifier) && !from.modifier.contains(modifier) {
                self.put(format_args!("{code};"));
            }
        }
        for (before, now, base) in [(from.fg, to.fg, 30), (from.bg, to.bg, 40), (from.line, to.line, 50)] {
            if before != now {
                self.color(now, base);
            }
        }
        if self.out.len() > start {
            self.out.pop();
        }
        self.out.push(b'm');
    }

    /// `base`: 30 for letters, 40 for the background, 50 for the line below, which has no short names.
    fn color(&mut self, color: Color, base: u8) {
        const LINE: u8 = 50;
        match (color, named(color)) {
            (Color::Reset, _) => self.put(format_args!("{};", base + 9)),
            (Color::Indexed(n), _) => self.put(format_args!("{};5;{n};", base + 8)),
            (Color::Rgb(r, g, b), _) => self.put(format_args!("{};2;{r};{g};{b};", base + 8)),
            (_, n) if base == LINE => self.put(format_args!("{};5;{n};", base + 8)),
            (_, n @ 0..8) => self.put(format_args!("{};", base + n)),
            (_, n) => self.put(format_args!("{};", base + 60 + n - 8)),
        }
    }

    /// Writes again what stands between the cursor and a cell, where that is shorter than to move over it.
    fn through(&mut self, pen: &mut Pen, x: u16, y: u16) {
        let Some(at) = pen.at.filter(|at| at.y == y && at.x < x && x - at.x < MOVE) else { return };
        let between = self.grid.between(at.x, x, y);
        let plain = |cell: &Cell| matches!(cell.symbol().as_bytes(), [b' '..=b'~']) && Look::of(cell) == pen.look;
        if between.len() == usize::from(x - at.x) && between.iter().all(plain) {
            between.iter().for_each(|cell| self.out.extend_from_slice(cell.symbol().as_bytes()));
            pen.at = Some(Position::new(x, y));
        }
    }

    fn cell(&mut self, pen: &mut Pen, x: u16, y: u16, cell: &Cell) {
        self.begin();
        self.through(pen, x, y);
        self.go(pen.at, pen.row, x, y);
        let look = Look::of(cell);
        self.look(pen.look, look);
        pen.look = look;
        let symbol = cell.symbol();
        let doubt = uncertain(symbol);
        // A terminal that takes each of its characters for a wide one.
        let wraps = doubt && usize::from(x) + 2 * symbol.chars().count() > usize::from(self.size.width);
        if wraps {
            self.out.extend_from_slice(STAY);
        }
        // At the right edge the cursor stays until the next character; where, terminals differ.
        let width = self.text(symbol);
        if wraps {
            self.out.extend_from_slice(WRAP);
        }
        pen.at = width.map(|width| Position::new(x.saturating_add(width), y)).filter(|at| at.x < self.size.width);
        pen.row = (!doubt).then_some(y);
    }

    /// A row from its first uncertain cluster on, with what did not change: whatever the terminal takes the clusters
    /// for, nothing of what they covered, or cover now, is left.
    fn rest(&mut self, pen: &mut Pen, from: u16, y: u16) {
        for (x, cell) in self.grid.rest(from, y) {
            if uncertain(cell.symbol()) {
                // One that is narrower there leaves what stood in its other columns.
                let mut blank = Cell::new(" ");
                blank.set_style(cell.style());
                for column in (x..).take(columns_of(&cell)) {
                    self.cell(pen, column, y, &blank);
                }
            }
            self.cell(pen, x, y, &cell);
        }
    }

    /// The cell's text, and the columns that all terminals agree it takes.
    ///
    /// The last wall: whatever a widget has put into a cell, no control character leaves here.
    fn text(&mut self, symbol: &str) -> Option<u16> {
        if symbol.is_empty() || symbol.chars().any(char::is_control) {
            self.out.push(b' ');
            return Some(1);
        }
        self.out.extend_from_slice(symbol.as_bytes());
        // What is joined of several characters is wider in one terminal than in another.
        let alone = symbol.chars().nth(1).is_none();
        u16::try_from(symbol.width()).ok().filter(|_| alone)
    }
}

const MODIFIERS: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// A colour's place among the terminal's sixteen.
fn named(color: Color) -> u8 {
    match color {
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => 0,
    }
}

impl Backend for Screen {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let content: Vec<_> = content.collect();
        let mut pen = Pen::default();
        for row in content.chunk_by(|one, next| one.1 == next.1) {
            let y = row[0].1;
            let before = self.grid.uncertain(y);
            row.iter().for_each(|(x, _, cell)| self.grid.put(*x, y, cell));
            let rest = [before, self.grid.uncertain(y)].into_iter().flatten().min();
            for (x, _, cell) in row.iter().filter(|(x, ..)| rest.is_none_or(|rest| *x < rest)) {
                self.cell(&mut pen, *x, y, cell);
            }
            if let Some(rest) = rest {
                self.rest(&mut pen, rest, y);
            }
        }
        self.look(pen.look, Look::default());
        if !content.is_empty() && self.shown.is_some() {
            // It is somewhere else now.
            self.shown = Some(Position::new(u16::MAX, u16::MAX));
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.caret = None;
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.caret.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.caret = Some(position.into());
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    /// Always all: a full screen asks for nothing else.
    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        self.clear_all();
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    /// Ends the frame.
    fn flush(&mut self) -> Result<(), Infallible> {
        if self.caret != self.shown {
            self.begin();
            match self.caret {
                None => self.out.extend_from_slice(HIDE),
                Some(at) => {
                    self.go(None, None, at.x, at.y);
                    if self.shown.is_none() {
                        self.out.extend_from_slice(SHOW);
                    }
                }
            }
            self.shown = self.caret;
        }
        if std::mem::take(&mut self.open) {
            self.out.extend_from_slice(END);
        }
        self.cleared = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
