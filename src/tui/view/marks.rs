//! Signs and lines, once as they should be and once in ASCII.

/// What is drawn beside words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Before the row with the cursor.
    pub cursor: &'static str,
    /// Before a row that is marked.
    pub marked: &'static str,
    /// Before what runs.
    pub runs: &'static str,
    /// Between words of one line.
    pub dot: &'static str,
    /// Before the prompt, and the line of the palette.
    pub prompt: &'static str,
    /// Where a text was cut.
    pub cut: &'static str,
    /// There is more below.
    pub down: &'static str,
    /// Beside the selected item and beside messages.
    pub bar: &'static str,
    /// Lines.
    pub lines: Lines,
    /// A part of a bar that is done.
    pub done: &'static str,
    /// A part of a bar that isn't.
    pub missing: &'static str,
}

/// The pieces of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines {
    pub across: &'static str,
    pub down: &'static str,
    pub tee_down: &'static str,
    pub tee_up: &'static str,
    pub tee_right: &'static str,
    /// From the upper left in reading order.
    pub corners: [&'static str; 4],
}

const FULL: Marks = Marks {
    cursor: "▸",
    marked: "◆",
    runs: "●",
    dot: "·",
    prompt: "›",
    cut: "…",
    down: "↓",
    bar: "▌",
    lines: Lines {
        across: "─", down: "│", tee_down: "┬", tee_up: "┴", tee_right: "├", corners: ["┌", "┐", "└", "┘"]
    },
    done: "━",
    missing: "─",
};

const ASCII: Marks = Marks {
    cursor: ">",
    marked: "+",
    runs: "*",
    dot: "-",
    prompt: ">",
    cut: "~",
    down: "v",
    bar: "|",
    lines: Lines { across: "-", down: "|", tee_down: "+", tee_up: "+", tee_right: "+", corners: ["+"; 4] },
    done: "#",
    missing: ".",
};

/// Those for a terminal.
pub(super) fn marks(ascii: bool) -> &'static Marks {
    if ascii { &ASCII } else { &FULL }
}
