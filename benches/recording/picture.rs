//! A screen as an SVG.

use anstyle::{Ansi256Color, Color, Effects, RgbColor, Style};
use anstyle_svg::{Term, WIN10_CONSOLE};
use vt100::{Cell, Screen};

/// What stands on a screen, with its looks.
pub fn svg(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let lines: Vec<String> = (0..rows.get()).map(|row| line(screen, row, columns.get())).collect();
    Term::new().palette(WIN10_CONSOLE).render_svg(&lines.join("\n"))
}

fn line(screen: &Screen, row: u16, columns: u16) -> String {
    let cells = (0..columns).filter_map(|column| screen.cell(row, column));
    let mut line = String::new();
    for cell in cells.filter(|cell| !cell.is_wide_continuation()) {
        let style = style(cell);
        let letter = if cell.has_contents() { cell.contents() } else { " " };
        line.push_str(&format!("{style}{letter}{style:#}"));
    }
    line
}

fn style(cell: &Cell) -> Style {
    let effects = [
        (cell.bold(), Effects::BOLD),
        (cell.dim(), Effects::DIMMED),
        (cell.italic(), Effects::ITALIC),
        (cell.underline(), Effects::UNDERLINE),
        (cell.inverse(), Effects::INVERT),
    ];
    let effects = effects.into_iter().filter(|(has, _)| *has).fold(Effects::new(), |all, (_, one)| all | one);
    Style::new().effects(effects).fg_color(color(cell.fgcolor())).bg_color(color(cell.bgcolor()))
}

fn color(color: vt100::Color) -> Option<Color> {
    match color {
        vt100::Color::Default => None,
        vt100::Color::Idx(n) => Some(Ansi256Color(n).into()),
        vt100::Color::Rgb(r, g, b) => Some(RgbColor(r, g, b).into()),
    }
}
