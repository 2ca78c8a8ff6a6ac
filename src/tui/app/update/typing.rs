//! Keys in a text area: what people know from readline. A cluster of characters that is one on the screen is one to
//! the keys, and so is a paste's mark.

use tui_textarea::{CursorMove, TextArea};
use unicode_segmentation::UnicodeSegmentation;

use crate::tui::{
    app::model::Prompt,
    key::{Code, Key},
};

/// Edits a field. Whether the key meant something.
pub(super) fn edit(area: &mut TextArea<'static>, key: Key) -> bool {
    match (key.code, key.ctrl, key.alt) {
        (Code::Backspace, false, false) | (Code::Char('h'), true, false) => remove(area, false),
        (Code::Delete, ..) | (Code::Char('d'), true, false) => remove(area, true),
        (Code::Left, false, false) | (Code::Char('b'), true, false) => step(area, false),
        (Code::Right, false, false) | (Code::Char('f'), true, false) => step(area, true),
        (Code::Left, ..) | (Code::Char('b'), false, true) => area.move_cursor(CursorMove::WordBack),
        (Code::Right, ..) | (Code::Char('f'), false, true) => area.move_cursor(CursorMove::WordForward),
        (Code::Up, ..) => area.move_cursor(CursorMove::Up),
        (Code::Down, ..) => area.move_cursor(CursorMove::Down),
        (Code::Home, true, _) => area.move_cursor(CursorMove::Top),
        (Code::End, true, _) => area.move_cursor(CursorMove::Bottom),
        (Code::Home, ..) | (Code::Char('a'), true, false) => area.move_cursor(CursorMove::Head),
        (Code::End, ..) | (Code::Char('e'), true, false) => area.move_cursor(CursorMove::End),
        (Code::Char('u'), true, false) => drop(area.delete_line_by_head()),
        (Code::Char('k'), true, false) => drop(area.delete_line_by_end()),
        (Code::Char('w'), true, false) | (Code::Backspace, ..) => drop(area.delete_word()),
        (Code::Char('d'), false, true) => drop(area.delete_next_word()),
        (Code::Char('y'), true, false) => drop(area.paste()),
        _ => match key.typed() {
            Some(c) => area.insert_char(c),
            None => return false,
        },
    }
    true
}

/// Edits a draft: as a field, with its marks whole. Whether the key meant something.
pub(super) fn edit_prompt(prompt: &mut Prompt, key: Key) -> bool {
    let (row, column) = (prompt.area.cursor().0, prompt.area.cursor().1);
    let takes_back = matches!(key.code, Code::Backspace) || (key.ctrl && matches!(key.code, Code::Char('h' | 'w')));
    let takes_next = matches!(key.code, Code::Delete) || (matches!(key.code, Code::Char('d')) && (key.ctrl || key.alt));
    if let Some((from, to)) = prompt.mark_around() {
        if (takes_back && from < column) || (takes_next && column < to) {
            jump(&mut prompt.area, row, from);
            return prompt.area.delete_str(to - from);
        }
        if key.code == Code::Left && from < column {
            jump(&mut prompt.area, row, from);
            return true;
        }
    }
    let edited = edit(&mut prompt.area, key);
    // A caret inside a mark would break it.
    if let Some((from, to)) = prompt.mark_around() {
        let (row, column) = (prompt.area.cursor().0, prompt.area.cursor().1);
        if from < column && column < to {
            jump(&mut prompt.area, row, to);
        }
    }
    edited
}

fn jump(area: &mut TextArea<'static>, row: usize, column: usize) {
    let place = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    area.move_cursor(CursorMove::Jump(place(row), place(column)));
}

/// Characters of the cluster before or behind the cursor; none at a line's end.
fn cluster(area: &TextArea<'static>, forward: bool) -> Option<usize> {
    let cursor = area.cursor();
    let line = area.lines().get(cursor.0)?;
    let at = line.char_indices().nth(cursor.1).map_or(line.len(), |(at, _)| at);
    let (before, behind) = line.split_at(at);
    let found = if forward { behind.graphemes(true).next() } else { before.graphemes(true).next_back() };
    found.map(|found| found.chars().count())
}

fn step(area: &mut TextArea<'static>, forward: bool) {
    let direction = if forward { CursorMove::Forward } else { CursorMove::Back };
    for _ in 0..cluster(area, forward).unwrap_or(1) {
        area.move_cursor(direction);
    }
}

fn remove(area: &mut TextArea<'static>, forward: bool) {
    let Some(characters) = cluster(area, forward) else {
        if forward {
            area.delete_next_char();
        } else {
            area.delete_char();
        }
        return;
    };
    if !forward {
        step(area, false);
    }
    area.delete_str(characters);
}
