//! `/command` in the prompt: the screen's own words. The CLI has slash commands too, so a word that isn't ours goes to
//! Claude as it is; `//word` goes there in any case.

use super::action::Action;

/// A word, what may stand behind it, and what it does.
const WORDS: [(&str, &str, Action); 17] = [
    ("save", "NOTE", Action::Save),
    ("restore", "VERSION", Action::Restore),
    ("new", "NAME", Action::CreateSandbox),
    ("terminate", "", Action::TerminateSandbox),
    ("search", "TEXT", Action::Search),
    ("help", "", Action::Help),
    ("quit", "", Action::Quit),
    ("exit", "", Action::Quit),
    ("commands", "", Action::Palette),
    ("sandboxes", "", Action::FocusSandboxes),
    ("versions", "", Action::FocusVersions),
    ("copy", "", Action::CopyItem),
    ("pager", "", Action::PageTranscript),
    ("editor", "", Action::EditPrompt),
    ("progress", "", Action::ShowProgress),
    ("messages", "", Action::Toasts),
    ("refresh", "", Action::Refresh),
];

/// The command of ours that a draft is, and what stands behind its word.
pub fn find(draft: &str) -> Option<(Action, &str)> {
    let line = draft.strip_prefix('/')?.trim_end();
    if line.contains('\n') {
        return None;
    }
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (.., action) = WORDS.iter().find(|(name, ..)| *name == word)?;
    Some((*action, rest.trim()))
}

/// Words that a draft may become, each with what may stand behind it: those that begin as it does.
pub fn fitting(draft: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let line = draft.strip_prefix('/').filter(|line| !line.contains('\n'));
    let word = line.map(|line| line.split_once(' ').map_or((line, false), |(word, _)| (word, true)));
    WORDS.iter().filter_map(move |(name, behind, _)| {
        let (word, whole) = word?;
        let fits = if whole { *name == word } else { name.starts_with(word) };
        fits.then_some((*name, *behind))
    })
}

/// A draft without the doubling of its first character that made it text.
pub fn undoubled(draft: &str) -> &str {
    match draft.as_bytes() {
        [b'/', b'/', ..] | [b'!', b'!', ..] => draft.get(1..).unwrap_or(draft),
        _ => draft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("/s", &["save", "search", "sandboxes"])]
    #[case("/se", &["search"])]
    #[case("/save my note", &["save"])]
    #[case("/cost", &[])]
    #[case("//save", &[])]
    #[case("save", &[])]
    #[case("/save\nmore", &[])]
    fn words_are_offered_while_they_are_typed(#[case] draft: &str, #[case] words: &[&str]) {
        assert_eq!(fitting(draft).map(|(word, _)| word).collect::<Vec<_>>(), words);
    }
}
