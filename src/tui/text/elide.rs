//! What is too long for one row shows its beginning and its end: names and paths differ in either.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The bytes of a text that are left out of so many columns, for a sign of `sign` columns in their place; nothing when
/// all fits. The middle goes, or what hides the fewest characters that `fits` (by their places), which were searched
/// for.
pub fn elide(text: &str, columns: usize, sign: usize, fits: impl Fn(usize) -> bool) -> Option<Range<usize>> {
    // No character has more columns than bytes: short texts are not measured.
    if text.len() <= columns || text.width() <= columns {
        return None;
    }
    // Behind each cluster: its end in bytes, the columns and the characters that fit up to there.
    let mut behind = vec![(0, 0, 0)];
    let (mut used, mut character, mut found) = (0, 0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster.width();
        let next = character + cluster.chars().count();
        found += (character..next).filter(|place| fits(*place)).count();
        character = next;
        behind.push((at + cluster.len(), used, found));
    }
    let room = columns.saturating_sub(sign);
    let mut best: Option<((usize, usize), Range<usize>)> = None;
    let mut end = 0;
    for (start, (from, head, before)) in behind.iter().enumerate() {
        if *head > room {
            break;
        }
        // The longest end that still fits behind this beginning.
        while end < start || behind.get(end).is_some_and(|(_, upto, _)| used - upto > room - head) {
            end += 1;
        }
        let Some((to, _, upto)) = behind.get(end) else { break };
        let cost = (upto - before, head.abs_diff(room.div_ceil(2)));
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, *from..*to));
        }
    }
    best.map(|(_, hidden)| hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, columns: usize, fits: &[usize]) -> String {
        match elide(text, columns, 1, |at| fits.contains(&at)) {
            Some(hidden) => format!("{}…{}", &text[..hidden.start], &text[hidden.end..]),
            None => text.to_owned(),
        }
    }

    #[rstest::rstest]
    #[case::fits("heron-api", 9, &[], "heron-api")]
    #[case::both_ends("a-very-long-name-number-9", 11, &[], "a-ver…ber-9")]
    #[case::what_was_found_at_the_beginning("a-very-long-name-number-9", 11, &[6, 7], "a-very-l…-9")]
    #[case::what_was_found_at_the_end("a-very-long-name-number-9", 11, &[17], "a-…number-9")]
    #[case::wide("日本語のテスト", 9, &[], "日本…スト")]
    #[case::a_family("👨‍👩‍👧 family", 6, &[], "👨‍👩‍👧 …ly")]
    #[case::one_column("long", 1, &[], "…")]
    #[case::none("long", 0, &[], "…")]
    fn beginning_and_end_are_seen(
        #[case] text: &str,
        #[case] columns: usize,
        #[case] fits: &[usize],
        #[case] expected: &str,
    ) {
        assert_eq!(shown(text, columns, fits), expected);
    }
}
