//! The last row: what the keys do here, the most useful first; the least useful give way when there is no room.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::paint::{Paint, Piece, columns};
use crate::tui::{
    app::{Action, model::ArmedFor},
    theme::Part,
};

/// Below this width not all that is useful has room.
const NARROW: u16 = 58;

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    let area = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let context = paint.model.context();
    if let Some(armed) = &paint.model.armed {
        let (action, what) = match armed.what {
            ArmedFor::Interrupt { .. } => (Action::Back, "interrupt"),
            ArmedFor::Quit => (Action::Interrupt, "quit"),
        };
        let key = paint.key(context, action).unwrap_or_default();
        let style = paint.part(Part::Warning);
        paint.text((area.x, area.y), area.width, &format!("{key} again to {what}"), style);
        return;
    }
    // Who knows the sequence types on at once, and sees nothing flash by.
    if paint.model.chord_waited && !paint.model.chord.is_empty() {
        let pressed: Vec<_> = paint.model.chord.iter().map(ToString::to_string).collect();
        let used = paint.text((area.x, area.y), area.width, &pressed.join(" "), paint.theme.part(Part::Accent));
        let following = paint.model.keymap.following(context, &paint.model.chord);
        let hints = following.into_iter().map(|(key, action)| (key.to_string(), paint.model.hint(action)));
        let hints: Vec<_> = hints.collect();
        let x = (area.x + used + 3).min(area.right());
        draw_hints(paint, Rect { x, width: area.right() - x, ..area }, &hints);
        return;
    }
    let hints: Vec<_> = paint
        .model
        .useful()
        .into_iter()
        .filter_map(|action| Some((paint.key(context, action)?, paint.model.hint(action))))
        // That `down` goes down needs no telling.
        .filter(|(key, word)| key != word)
        .collect();
    // Where hints have little room the way to all keys has the last of it.
    let help = hints.iter().position(|(_, word)| *word == Action::Help.hint()).filter(|_| area.width < NARROW);
    let Some(help) = help else {
        draw_hints(paint, area, &hints);
        return;
    };
    let (key, word) = &hints[help];
    let kept = columns(key) + 1 + columns(word);
    let before = Rect { width: area.width.saturating_sub(kept + 3), ..area };
    let used = draw_hints(paint, before, &hints[..help]);
    draw_hints(paint, Rect { x: area.x + used, width: area.width - used, ..area }, &hints[help..]);
}

/// Draws those that fit; gives their columns, with the gap behind them.
fn draw_hints(paint: &mut Paint<'_>, area: Rect, hints: &[(String, Cow<'static, str>)]) -> u16 {
    // Three blanks between hints, or two when more of them fit so.
    let wide: usize = hints.iter().map(|(key, word)| key.len() + word.len() + 4).sum();
    let gap = if wide.saturating_sub(3) <= usize::from(area.width) { 3 } else { 2 };
    let mut x = area.x;
    for (key, word) in hints {
        let needed = columns(key) + 1 + columns(word);
        if x + needed > area.right() {
            break;
        }
        let pieces = [
            Piece::ours(key.as_str(), paint.part(Part::HintKey)),
            Piece::ours(format!(" {word}"), paint.part(Part::Hint)),
        ];
        x += paint.pieces((x, area.y), area.right() - x, &pieces) + gap;
    }
    x - area.x
}
