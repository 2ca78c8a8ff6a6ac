//! Which rectangle each part of the screen has. Pure: views draw by it, and `update` finds by it what was clicked.

use ratatui::layout::Rect;

use super::model::{Focus, Model};

/// Below this nothing can be read: only a message is drawn.
pub const MIN: (u16, u16) = (40, 10);

/// From this width on lists and chat stand side by side.
pub const WIDE: u16 = 100;

/// From this width on tabs have names.
pub const NAMED_TABS: u16 = 60;

/// Where everything is; a part that isn't drawn has no area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Areas {
    /// The first row: the program's name or the tabs, what runs, what it costs.
    pub header: Rect,
    /// The list of sandboxes, with its title.
    pub sandboxes: Rect,
    /// The list of versions, with its title.
    pub versions: Rect,
    /// The line between lists and chat.
    pub divider: Rect,
    /// The line above the transcript: sandbox, title, model.
    pub chat_title: Rect,
    /// The transcript's rows.
    pub transcript: Rect,
    /// The prompt.
    pub prompt: Rect,
    /// The last row: hints.
    pub footer: Rect,
}

/// Where everything is.
pub fn areas(model: &Model) -> Areas {
    let all = Rect::new(0, 0, model.size.columns, model.size.rows);
    match model.focus {
        Focus::Sandboxes | Focus::Versions | Focus::Transcript | Focus::Prompt => {
            Areas { transcript: all, ..Areas::default() }
        }
    }
}
