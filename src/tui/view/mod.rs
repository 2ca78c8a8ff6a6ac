//! Draws the model. Pure: it reads, and writes only cells and the place of the terminal's cursor.
//!
//! One file for each part. [`paint`] is the only one that puts text into cells, [`layout`](super::app::layout) says
//! where the parts are.

mod chat;
mod dialogs;
mod footer;
mod header;
mod list;
mod marks;
mod paint;
mod palette;
mod prompt;
mod reader;
mod sandboxes;
mod seen;
mod toasts;
mod transcript;
mod versions;
mod words;

use ratatui::{Frame, layout::Rect};

use self::paint::Paint;
use super::{
    app::{Model, layout},
    theme::{Part, Theme},
};

/// Draws the whole screen.
pub fn draw(model: &Model, theme: &Theme, frame: &mut Frame) {
    let all = frame.area();
    let mut paint = Paint::new(model, theme, frame.buffer_mut());
    if layout::too_small(model.size) || all.width < model.size.columns || all.height < model.size.rows {
        too_small(&mut paint);
    } else {
        whole(&mut paint);
    }
    if let Some(caret) = paint.caret {
        frame.set_cursor_position(caret);
    }
}

fn whole(paint: &mut Paint<'_>) {
    let areas = layout::areas(paint.model);
    header::draw(paint, areas.header);
    if areas.sandboxes.height > 0 {
        sandboxes::draw(paint, areas.sandboxes);
    }
    if areas.versions.height > 0 {
        versions::draw(paint, areas.versions);
    }
    if areas.chat_title.height > 0 {
        chat::draw(paint, &areas);
        prompt::draw(paint, areas.prompt);
    }
    if areas.divider.height > 0 {
        divide(paint, areas.divider, areas.status);
    }
    footer::draw(paint, areas.footer);
    // A message may lie over a pane and never over the prompt or a dialog: both are being read or written.
    toasts::draw(paint, &areas);
    dialogs::draw(paint);
}

/// The lines between header, lists, chat, prompt and footer.
fn divide(paint: &mut Paint<'_>, divider: Rect, status: Rect) {
    let (top, bottom) = (divider.y, divider.bottom() - 1);
    let lines = paint.marks.lines;
    for (y, tee) in [(top, lines.tee_down), (bottom, lines.tee_up)] {
        paint.across(Rect::new(0, y, paint.model.size.columns, 1));
        paint.sign((divider.x, y), tee);
    }
    for y in top + 1..bottom {
        paint.sign((divider.x, y), if y == status.y { lines.tee_right } else { lines.down });
    }
}

/// What can be said in any number of cells.
fn too_small(paint: &mut Paint<'_>) {
    let area = paint.buf.area;
    let (columns, rows) = layout::MIN;
    let text = format!("Too small: sandbank needs {columns}×{rows}. Make the window larger; nothing is lost.");
    let text = if paint.model.place.ascii { text.replace('×', "x") } else { text };
    let style = paint.part(Part::Dim);
    paint.prose(area, &text, style);
}
