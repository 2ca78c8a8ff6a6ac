//! Names in a sentence: as many as there is room for, and how many more there are.

use super::draft;
use crate::{core::text::sanitize_line, tui::text::elide};

/// Columns of a name in a sentence; of a longer one its beginning and its end are seen.
const NAME: usize = 30;

/// The first `shown` of several names: `heron, tern and 3 more`; of none of them, `5 others`.
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>, shown: usize, ascii: bool) -> String {
    let more = names.len().saturating_sub(shown);
    let shown: Vec<_> = names.take(shown).map(|name| short(name, ascii)).collect();
    match (shown.as_slice(), more) {
        ([], 1) => "1 other".to_owned(),
        ([], more) => format!("{more} others"),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A clean name that leaves room for others.
fn short(name: &str, ascii: bool) -> String {
    let name = sanitize_line(name);
    let sign = if ascii { "~" } else { "…" };
    match elide(name.as_str(), NAME, 1, |_| false) {
        Some(hidden) => format!("{}{sign}{}", &name.as_str()[..hidden.start], &name.as_str()[hidden.end..]),
        None => name.as_str().to_owned(),
    }
}

/// A sentence in at most so many rows, with as many names as they have room for; `sentence` has the first so many.
pub fn fitting(names: usize, columns: u16, rows: usize, sentence: impl Fn(usize) -> String) -> String {
    let fits = |text: &String| draft::wrap(text, columns).len() <= rows;
    let mut text = sentence(0);
    for shown in 1..=names {
        let more = sentence(shown);
        match fits(&more) {
            true => text = more,
            // With the last name "and 1 more" goes, which may be longer than that.
            false if shown > 1 => break,
            false => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(names: &[&str], columns: u16, rows: usize) -> String {
        fitting(names.len(), columns, rows, |shown| {
            format!("It changes in {} too.", listed(names.iter().copied(), shown, false))
        })
    }

    #[rstest::rstest]
    #[case::one(&["hobby"], 40, "It changes in hobby too.")]
    #[case::all(&["hobby", "tern"], 40, "It changes in hobby, tern too.")]
    #[case::some(&["hobby", "tern", "kite", "kestrel-api", "owl"], 20, "It changes in hobby, tern and 3 more too.")]
    #[case::none(&["hobby", "tern"], 12, "It changes in 2 others too.")]
    #[case::long(&[LONG], 50, "It changes in a-name-that-is-…lumn-of-a-list too.")]
    #[case::bad(&["a\u{1b}[31m\u{202e}b"], 40, "It changes in ab too.")]
    fn as_many_names_as_fit(#[case] names: &[&str], #[case] columns: u16, #[case] said: &str) {
        assert_eq!(sentence(names, columns, 2), said);
    }

    const LONG: &str = "a-name-that-is-so-long-that-it-cannot-stand-in-a-column-of-a-list";
}
