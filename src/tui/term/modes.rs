//! The modes we ask a terminal for, and each taken back.

/// In this order; what stands after the alternate screen is kept by some terminals for each screen.
///
/// * 1049: the alternate screen, so that the shell's is as it was afterwards.
/// * 25: no cursor until a frame has one.
/// * `>1u`: keys that can be told apart (kitty's protocol: Escape, shift-enter, ctrl-i), pushed on the terminal's stack.
/// * 2004: a paste is told from typing. 1004: focus is told. 2031: a change between light and dark is told.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[>1u\x1b[?2004h\x1b[?1004h\x1b[?2031h";

/// Clicks and the wheel, with columns beyond 223; no moves.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// [`ENTER`] backwards. A frame may be open, wrapping off for a cluster at the edge (7), and a style set.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?7h\x1b[m\x1b[?1006l\x1b[?1000l\x1b[?2031l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l";

/// What takes back the modes that a killed editor or pager may have set. Not kitty's keys: they are a stack, and what
/// is on it may be the shell's.
pub(super) const ABANDONED: &[u8] =
    b"\x18\x1b[?2026l\x1b[m\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[?1049l";

/// CAN ends whatever sequence has begun.
const CANCEL: u8 = 0x18;

/// What is the background's colour, and what are you: all answer the second, so its answer says that no other follows.
/// Nobody waits for them.
pub(super) const ASK: &[u8] = b"\x1b]11;?\x1b\\\x1b[c";

/// Takes the terminal.
pub(super) fn enter(with_mouse: bool) -> Vec<u8> {
    let mouse = if with_mouse { MOUSE_ON } else { b"" };
    [ENTER, mouse, ASK].concat()
}

/// Switches the mouse.
pub(super) fn mouse(on: bool) -> &'static [u8] {
    if on { MOUSE_ON } else { MOUSE_OFF }
}

/// Gives the terminal back. `torn`: bytes that were written before may end in the middle of a sequence.
pub(super) fn leave(torn: bool) -> Vec<u8> {
    let mut bytes = if torn { vec![CANCEL] } else { Vec::new() };
    bytes.extend_from_slice(LEAVE);
    bytes
}
