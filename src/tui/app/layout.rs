//! Which rectangle each part of the screen has. Pure: views draw by it, and `update` finds by it what was clicked.

use ratatui::layout::Rect;

use super::{
    draft,
    model::{
        Dialog, Focus, Model, Size,
        dialog::{CreateForm, Field, Palette, Question},
    },
    reader,
};

/// Below this nothing can be read: only a message is drawn.
pub const MIN: (u16, u16) = (40, 10);

/// From this width on lists and chat stand side by side.
pub const WIDE: u16 = 100;

/// From this width on tabs have names.
pub const NAMED_TABS: u16 = 60;

/// From this width on a list's rows have all their columns: a sandbox's image too, a version's age.
pub const WIDE_LIST: u16 = 60;

/// Columns at the left of a list's rows for the two marks: the row's own, and the cursor's.
pub const MARKS: u16 = 2;

/// Columns before a transcript's text: the selection's mark and a blank.
pub const GUTTER: u16 = 2;

/// Columns before the prompt's text: a blank, its mark, a blank.
pub const PROMPT_MARK: u16 = 3;

/// Lines of a log that a small dialog holds: a command's stages, but not a build's log.
const SHORT_LOG: usize = 8;

/// Columns of a dialog with prose; wider lines are hard to read.
const DIALOG: u16 = 76;

/// Rows of a form's Dockerfile commands: what most images need.
pub const COMMANDS: usize = 4;

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
    /// The transcript's rows; the mark of its selection stands [`GUTTER`] columns before them.
    pub transcript: Rect,
    /// The row between transcript and prompt: what the running turn does, the search, what came unseen.
    pub status: Rect,
    /// The prompt with its mark.
    pub prompt: Rect,
    /// The last row: hints.
    pub footer: Rect,
}

/// Nothing can be drawn but that it is too small.
pub fn too_small(size: Size) -> bool {
    size.columns < MIN.0 || size.rows < MIN.1
}

/// Where everything is.
pub fn areas(model: &Model) -> Areas {
    let Size { columns, rows } = model.size;
    if too_small(model.size) {
        return Areas::default();
    }
    let header = Rect::new(0, 0, columns, 1);
    let footer = Rect::new(0, rows - 1, columns, 1);
    if columns >= WIDE {
        // A quarter for the lists: names need 28, and what is above 48 is better spent on the chat.
        let left = (columns / 4).clamp(28, 48);
        let body = Rect::new(0, 2, columns, rows - 4);
        let (sandboxes, versions) = lists(model, Rect { width: left, ..body });
        let chat = Rect { x: left + 1, width: columns - left - 1, ..body };
        let divider = Rect::new(left, 1, 1, rows - 2);
        return Areas { header, footer, sandboxes, versions, divider, ..talk(model, chat, 1) };
    }
    let body = Rect::new(0, 1, columns, rows - 2);
    match model.focus {
        Focus::Sandboxes => Areas { header, footer, sandboxes: body, ..Areas::default() },
        Focus::Versions => Areas { header, footer, versions: body, ..Areas::default() },
        Focus::Transcript | Focus::Prompt => Areas { header, footer, ..talk(model, body, 0) },
    }
}

/// Two lists and a blank row between them. Sandboxes get what they need, up to a half when versions need theirs.
fn lists(model: &Model, column: Rect) -> (Rect, Rect) {
    // The title and at least two rows: what an empty list says has two.
    let wanted = |rows: usize| u16::try_from(rows).unwrap_or(u16::MAX).max(2).saturating_add(1);
    let total = column.height - 1;
    let (first, second) = (wanted(model.sandboxes.shown.len()), wanted(model.versions.shown.len()));
    let first = first.min((total / 2).max(total.saturating_sub(second)));
    let below = Rect { y: column.y + first + 1, height: total - first, ..column };
    (Rect { height: first, ..column }, below)
}

/// Title, transcript, status and prompt in a pane; `gap` blank rows below the title and columns at the right.
fn talk(model: &Model, pane: Rect, gap: u16) -> Areas {
    let width = pane.width - PROMPT_MARK - 1;
    // A third of the screen, and a row of the transcript stays.
    let most = (model.size.rows / 3).min(pane.height.saturating_sub(gap + 3)).max(1);
    let prompt = draft::height(&model.prompt().area, width, most);
    let row = |y: u16, height: u16| Rect { y, height, ..pane };
    let rows = pane.height - 1 - gap - 1 - prompt;
    let top = pane.y + 1 + gap;
    Areas {
        chat_title: row(pane.y, 1),
        transcript: Rect { x: pane.x + GUTTER, width: pane.width - GUTTER - gap, ..row(top, rows) },
        status: row(top + rows, 1),
        prompt: row(top + rows + 1, prompt),
        ..Areas::default()
    }
}

/// Where the prompt's text is, without its mark. The caret may stand in the column behind it.
pub fn prompt_text(prompt: Rect) -> Rect {
    let margin = PROMPT_MARK + 1;
    Rect { x: prompt.x + PROMPT_MARK.min(prompt.width), width: prompt.width.saturating_sub(margin), ..prompt }
}

/// The rows of a list below its title.
pub fn list_rows(list: Rect) -> Rect {
    Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list }
}

/// A dialog with its frame: as high as what is in it, when there is room.
pub fn dialog(model: &Model, dialog: &Dialog) -> Rect {
    let Size { columns, rows } = model.size;
    // A few columns of a pane on both sides say nothing: then the dialog has them too.
    let width = if columns < DIALOG + 8 { columns } else { DIALOG };
    // Inside the frame and its margin.
    let text = width.saturating_sub(4);
    let inner = match dialog {
        // Three fields of a row, the commands, what is wrong.
        Dialog::Create(form) => 3 + COMMANDS + form.problems.len(),
        // The detail, a blank, the choices.
        Dialog::Question(question) => {
            let detail: usize = question.detail.lines().map(|line| draft::wrap(line, text).len()).sum();
            detail + 1 + question.choices.len()
        }
        Dialog::Palette(palette) => 2 + palette.found.len(),
        // In two sizes, so that it doesn't grow with each line.
        Dialog::Progress { .. } if reader::len(model, dialog, text) <= SHORT_LOG => 3 + SHORT_LOG,
        Dialog::Progress { .. } => usize::from(rows),
        Dialog::Restore(_) | Dialog::Help(_) | Dialog::Toasts(_) => {
            let (above, below) = around(model, dialog, text);
            usize::from(above + below) + reader::len(model, dialog, text).max(1)
        }
    };
    let height = u16::try_from(inner).unwrap_or(u16::MAX).saturating_add(2).min(rows.saturating_sub(2));
    // What is typed into stays where it is while what fits becomes less.
    let top = if matches!(dialog, Dialog::Palette(_) | Dialog::Help(_)) { 1 } else { (rows - height) / 2 };
    Rect::new((columns - width) / 2, top, width, height)
}

/// Rows above and below a reader's own inside its dialog.
fn around(model: &Model, dialog: &Dialog, columns: u16) -> (u16, u16) {
    match dialog {
        // Why once more, the summary, who else it changes, and a blank; a blank and the choices.
        Dialog::Restore(preview) => {
            let said = reader::again(model, preview, columns).len() + reader::shared(model, preview, columns).len();
            // Where all that is said would leave no row for what changes, the blank gives way.
            let blank = u16::from(said < 2 || model.size.rows >= reader::ROOMY);
            (1 + blank + u16::try_from(said).unwrap_or(0), 2)
        }
        // The line of the filter and a blank.
        Dialog::Help(_) => (2, 0),
        // What it does now, the bar, a blank.
        Dialog::Progress { .. } => (3, 0),
        _ => (0, 0),
    }
}

/// A dialog inside its frame and margin.
pub fn inside(frame: Rect) -> Rect {
    Rect::new(frame.x + 2, frame.y + 1, frame.width.saturating_sub(4), frame.height.saturating_sub(2))
}

/// The rows of a reader: what scrolls in help, a log, earlier messages or what a restore changes.
pub fn reader_rows(model: &Model, open: &Dialog) -> Rect {
    let inside = inside(dialog(model, open));
    let (above, below) = around(model, open, inside.width);
    Rect { y: inside.y + above, height: inside.height.saturating_sub(above + below), ..inside }
}

/// A pane's name in the first row of a screen that is too narrow for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// Which it shows.
    pub pane: Focus,
    /// Its number, and its name if there is room.
    pub label: String,
    /// How many run, behind the label; nothing is said of none.
    pub running: usize,
    /// Its columns, with the blanks behind it.
    pub area: Rect,
}

/// Blanks behind a tab.
pub const TAB_GAP: u16 = 2;

/// The tabs; none on a wide screen.
pub fn tabs(model: &Model) -> Vec<Tab> {
    if model.size.columns >= WIDE || too_small(model.size) {
        return Vec::new();
    }
    let running = model.running();
    let named = model.size.columns >= NAMED_TABS;
    let panes = [(Focus::Sandboxes, "Sandboxes"), (Focus::Versions, "Versions"), (Focus::Transcript, "Chat")];
    let mut x = 1;
    let place = |((pane, name), n): ((Focus, &str), usize)| {
        let label = if named { format!("{n} {name}") } else { n.to_string() };
        let running = if pane == Focus::Sandboxes { running } else { 0 };
        // A blank, the mark, the number.
        let behind = if running > 0 { 2 + running.to_string().len() } else { 0 };
        let width = u16::try_from(label.len() + behind).unwrap_or(0) + TAB_GAP;
        let area = Rect::new(x, 0, width, 1);
        x += width;
        Tab { pane, label, running, area }
    };
    panes.into_iter().zip(1..).map(place).collect()
}

/// The choices of a question, a row each, at the end of its dialog's inside.
pub fn choices(inside: Rect, question: &Question) -> Rect {
    let height = u16::try_from(question.choices.len()).unwrap_or(u16::MAX).min(inside.height);
    Rect { y: inside.bottom() - height, height, ..inside }
}

/// Where a restore's "cancel" and "restore" stand in the last row of its dialog's inside.
pub fn offers(inside: Rect) -> [Rect; 2] {
    // The mark and a blank, the word, a blank; between them two more.
    let (cancel, restore) = (9, 10);
    let y = inside.bottom().saturating_sub(1);
    [Rect::new(inside.x, y, cancel, 1), Rect::new(inside.x + cancel + 2, y, restore, 1)]
        .map(|at| at.intersection(inside))
}

/// The rows of the palette, below its line and a blank, and which of what was found stands in the first of them.
pub fn palette_rows(inside: Rect, palette: &Palette) -> (Rect, usize) {
    let rows = Rect { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside };
    (rows, (palette.cursor + 1).saturating_sub(usize::from(rows.height)))
}

/// The fields of the form from above; what is wrong with one stands below it.
pub fn fields(inside: Rect, form: &CreateForm) -> [(Field, Rect); Field::ALL.len()] {
    // The commands give way when there is no room: every field and what is wrong with it stays.
    let spare = usize::from(inside.height).saturating_sub(Field::ALL.len() + form.problems.len());
    let commands = u16::try_from((spare + 1).clamp(1, COMMANDS)).unwrap_or(1);
    let mut y = inside.y;
    Field::ALL.map(|field| {
        let wanted = if field == Field::Commands { commands } else { 1 };
        let row = Rect { y, height: wanted.min(inside.bottom().saturating_sub(y)), ..inside };
        let problems = form.problems.iter().filter(|(of, _)| *of == field).count();
        y = row.bottom().saturating_add(u16::try_from(problems).unwrap_or(u16::MAX)).min(inside.bottom());
        (field, row)
    })
}
