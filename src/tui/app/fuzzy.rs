//! Finding by a few letters.

use frizbee::{Config, Matcher};

/// Texts that fit, best first, by their places, each with the places (in characters) that fit. All words must fit.
pub fn fuzzy<S: AsRef<str>>(needle: &str, texts: &[S]) -> Vec<(usize, Vec<usize>)> {
    let words: Vec<_> = needle.split_whitespace().map(frizbee::Pattern::from).collect();
    let mut matcher = Matcher::from_patterns(&words, &Config::default());
    let found = matcher.match_list_indices(texts).into_iter();
    let found = found.filter_map(|found| {
        let place = usize::try_from(found.index).ok()?;
        let text = texts.get(place)?.as_ref();
        Some((place, in_characters(text, &found.indices)))
    });
    found.collect()
}

/// Places in bytes, from the last one, as places in characters, from the first one.
fn in_characters(text: &str, bytes: &[u32]) -> Vec<usize> {
    let mut bytes: Vec<usize> = bytes.iter().filter_map(|at| usize::try_from(*at).ok()).collect();
    bytes.sort_unstable();
    let fits = |at: usize| bytes.binary_search(&at).is_ok();
    text.char_indices().enumerate().filter(|(_, (at, _))| fits(*at)).map(|(place, _)| place).collect()
}
