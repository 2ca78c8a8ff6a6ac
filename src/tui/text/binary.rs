//! Output that is no text: how much of it there is, and its first bytes as hexadecimal numbers.

/// Characters that are looked at before a text counts as binary: the first block of most formats.
const PROBE: usize = 8192;

/// Bytes in a row, as `hexdump -C` has them; half as many where the row would be too wide.
const ROW: usize = 16;

/// What stands for a byte that arrived as U+FFFD: it wasn't text, and what it was is gone.
const GONE: &str = "··";
/// The same where marks are plain ASCII.
const GONE_ASCII: &str = "??";

/// More than 30 % of it is what no text has.
pub(super) fn is_binary(text: &str) -> bool {
    let (mut strange, mut all) = (0_usize, 0_usize);
    for c in text.chars().take(PROBE) {
        all += 1;
        let usual = matches!(c, '\n' | '\r' | '\t' | '\u{1b}');
        strange += usize::from((c.is_control() && !usual) || c == '\u{fffd}');
    }
    strange * 10 > all * 3
}

/// The bytes that a text stands for, as far as they are known. Several that were no text may have become one U+FFFD.
fn bytes(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.chars().flat_map(|c| {
        let mut room = [0; 4];
        let known = if c == '\u{fffd}' { None } else { Some(c.encode_utf8(&mut room).len()) };
        let gone = known.is_none().then_some(None);
        room.into_iter().take(known.unwrap_or(0)).map(Some).chain(gone)
    })
}

/// About how much it was, and what its rows can't say.
pub(super) fn told(text: &str, ascii: bool) -> String {
    let size = format!("binary, about {} bytes", bytes(text).count());
    let sign = if ascii { GONE_ASCII } else { GONE };
    if text.contains('\u{fffd}') { format!("{size}; {sign} is one or more that are no text") } else { size }
}

/// Its first bytes in at most `rows` rows of at most `columns`: where in it, the bytes, and those that can be read.
/// None where not even four bytes fit.
pub(super) fn hex(text: &str, rows: usize, columns: usize, ascii: bool) -> Vec<String> {
    // `offset  xx xx … xx  letters`: 10 columns, 3 for each byte, 1 between, 1 for each letter.
    let Some(wide) = [ROW, ROW / 2, ROW / 4].into_iter().find(|n| 11 + 4 * n <= columns) else { return Vec::new() };
    let bytes: Vec<_> = bytes(text).take(rows * wide).collect();
    let row = |(at, row): (usize, &[Option<u8>])| {
        let numbers: String = row
            .iter()
            .map(|byte| match byte {
                Some(byte) => format!("{byte:02x} "),
                None if ascii => format!("{GONE_ASCII} "),
                None => format!("{GONE} "),
            })
            .collect();
        let letters: String =
            row.iter().map(|byte| byte.map(char::from).filter(|c| matches!(c, ' '..='~')).unwrap_or('.')).collect();
        format!("{:08x}  {numbers:width$} {letters}", at * wide, width = 3 * wide)
    };
    bytes.chunks(wide).enumerate().map(row).collect()
}
