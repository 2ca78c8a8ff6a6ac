//! Whole screens as people see them: the text of every row, where the cursor stands, and a digest of all styles. Each
//! state once at 80×24, each size once. `cargo insta review` shows what changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod build;
mod chats;
mod dialogs;
mod lists;
mod sizes;

use std::fmt::Write as _;

use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, layout::Position};
use sandbank::tui::{
    app::Model,
    theme::{Background, Colors, Theme},
    view,
};
use sha2::{Digest as _, Sha256};
use unicode_width::UnicodeWidthStr as _;

/// The screen of a model, in the default looks.
fn screen(model: &Model) -> String {
    screen_in(model, Background::Dark, Colors::Ansi)
}

fn screen_in(model: &Model, background: Background, colors: Colors) -> String {
    let theme = Theme::load(None, background, colors).unwrap();
    let mut terminal = Terminal::new(TestBackend::new(model.size.columns, model.size.rows)).unwrap();
    terminal.draw(|frame| view::draw(model, &theme, frame)).unwrap();
    let cursor = terminal.backend().cursor_position();
    let buffer = terminal.backend().buffer();
    let mut out = text(buffer);
    // Nothing puts the cursor into the first cell: there it is where it was before.
    match cursor {
        Position::ORIGIN => out.push_str("cursor: hidden\n"),
        Position { x, y } => writeln!(out, "cursor: column {x}, row {y}").unwrap(),
    }
    writeln!(out, "styles: {}", styles(buffer)).unwrap();
    out
}

fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let (mut row, mut x) = (String::new(), 0);
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            x += u16::try_from(symbol.width().max(1)).unwrap();
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

fn styles(buffer: &Buffer) -> String {
    let mut digest = Sha256::new();
    for cell in &buffer.content {
        digest.update(format!("{:?}\n", cell.style()));
    }
    hex::encode(&digest.finalize()[..8])
}
