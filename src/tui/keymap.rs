//! Which keys do what: `assets/keymap.toml`, with the user's own file over it.
//!
//! Read once, checked as a whole: what can't be taken is an error with file and line before the screen opens. Which
//! action a key is, depends on nothing but the context and the keys before it.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use toml::Spanned;

use super::{
    app::action::{Action, Context},
    defaults,
    key::Key,
};

/// Keys in a sequence. Two are what people remember; the bound keeps a file from asking for a hundred.
const MAX_SEQUENCE: usize = 3;

/// All bindings.
#[derive(Debug, Clone)]
pub struct Keymap {
    /// In the order of the file, so that the first key of an action is the one that hints show. Two hundred; to look
    /// through them costs less than a map would, which each start would have to make.
    bindings: Vec<Binding>,
}

/// One action's keys in one context.
#[derive(Debug, Clone)]
struct Binding {
    context: Context,
    action: Action,
    sequences: Vec<Vec<Key>>,
    /// Where it is written; nothing for the default.
    line: Option<usize>,
}

/// What a sequence of keys means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// This.
    Action(Action),
    /// It begins a longer sequence.
    Begins,
    /// Nothing.
    Nothing,
}

/// A keymap that can't be taken: file, line, what contradicts what, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeymapError(pub String);

impl Context {
    /// Plain characters are text here, whatever is bound to them.
    pub fn types(self) -> bool {
        matches!(self, Self::Prompt | Self::Form | Self::Finder)
    }
}

impl Keymap {
    /// The default keymap with a user's file over it.
    ///
    /// # Errors
    /// Anything in the file that can't be taken; two actions on one key of one context.
    pub fn load(user: Option<(&Path, &str)>) -> Result<Self, KeymapError> {
        let mut bindings = by_default().map_err(|problem| KeymapError(format!("assets/keymap.toml: {problem}")))?;
        if let Some((path, text)) = user {
            for new in (File { path, text }).read()? {
                match bindings.iter_mut().find(|old| old.context == new.context && old.action == new.action) {
                    Some(old) => *old = new,
                    None => bindings.push(new),
                }
            }
        }
        if let Some((path, _)) = user {
            check(&bindings).map_err(|problem| KeymapError(format!("{}:{problem}", path.display())))?;
        }
        Ok(Self { bindings })
    }

    /// What a sequence means in a context; what that doesn't bind is looked up in [`Context::Global`].
    pub fn meaning(&self, context: Context, keys: &[Key]) -> Meaning {
        if context.types() && keys.first().is_some_and(|key| key.typed().is_some()) {
            return Meaning::Nothing;
        }
        let own = self.meaning_in(context, keys);
        if own == Meaning::Nothing { self.meaning_in(Context::Global, keys) } else { own }
    }

    fn meaning_in(&self, context: Context, keys: &[Key]) -> Meaning {
        let mut meaning = Meaning::Nothing;
        for (sequence, action) in self.beginning(context, keys) {
            if sequence == keys {
                return Meaning::Action(action);
            }
            meaning = Meaning::Begins;
        }
        meaning
    }

    /// Sequences of one context that begin with these keys, or are these.
    fn beginning(&self, context: Context, keys: &[Key]) -> impl Iterator<Item = (&[Key], Action)> {
        let of = self.bindings.iter().filter(move |binding| binding.context == context);
        of.flat_map(|binding| binding.sequences.iter().map(|sequence| (sequence.as_slice(), binding.action)))
            .filter(move |(sequence, _)| sequence.starts_with(keys))
    }

    /// The keys of an action in a context (or global), as they are written (`ctrl-x s`), the first one first.
    pub fn keys(&self, context: Context, action: Action) -> Vec<String> {
        let of = |context: Context| {
            self.bindings
                .iter()
                .filter(move |b| b.context == context && b.action == action)
                .flat_map(|b| &b.sequences)
                .filter(move |keys| !context.types() || keys.first().is_some_and(|key| key.typed().is_none()))
        };
        let global = (context != Context::Global).then_some(Context::Global);
        of(context).chain(global.into_iter().flat_map(of)).map(|keys| written(keys)).collect()
    }

    /// What may follow the keys that were pressed, for a hint: the next key and its action.
    pub fn following(&self, context: Context, keys: &[Key]) -> Vec<(Key, Action)> {
        let mut found: Vec<(Key, Action)> = Vec::new();
        for context in [context, Context::Global] {
            let from = found.len();
            for (sequence, action) in self.beginning(context, keys) {
                let Some(next) = sequence.get(keys.len()) else { continue };
                if !found.iter().any(|(key, _)| key == next) {
                    found.push((*next, action));
                }
            }
            found[from..].sort_by_key(|(key, _)| *key);
        }
        found
    }
}

/// A sequence as it is written.
fn written(keys: &[Key]) -> String {
    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
}

fn by_default() -> Result<Vec<Binding>, String> {
    defaults::KEYMAP.iter().map(|(table, name, keys)| Binding::read(context(table)?, name, keys)).collect()
}

impl Binding {
    fn read(context: Context, name: &str, keys: &[impl AsRef<str>]) -> Result<Self, String> {
        let action = named(Action::ALL, name, |a| a.name()).map_err(|allowed| unknown("action", name, &allowed))?;
        let sequences = keys.iter().map(|text| sequence(text.as_ref(), context)).collect::<Result<_, _>>();
        let sequences = sequences.map_err(|problem| format!("[{}] {}: {problem}", context.name(), action.name()))?;
        Ok(Self { context, action, sequences, line: None })
    }
}

fn context(table: &str) -> Result<Context, String> {
    named(Context::ALL, table, |c| c.name()).map_err(|allowed| unknown("place", table, &allowed))
}

/// The text of a user's keymap, and where it is.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

/// One key or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Many(Vec<String>),
}

type Tables = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Keys>>>;

impl File<'_> {
    fn read(&self) -> Result<Vec<Binding>, KeymapError> {
        let tables: Tables = toml::from_str(self.text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            self.error(at, format_args!("{}; a table for each place, `action = [\"key\", …]` in it", e.message()))
        })?;
        let mut bindings = Vec::new();
        for (table, entries) in tables {
            let context = context(table.get_ref()).map_err(|problem| self.error(table.span().start, problem))?;
            for (name, keys) in entries {
                let at = name.span().start;
                let keys = match keys.into_inner() {
                    Keys::One(keys) => vec![keys],
                    Keys::Many(keys) => keys,
                };
                let binding =
                    Binding::read(context, name.get_ref(), &keys).map_err(|problem| self.error(at, problem))?;
                bindings.push((at, Binding { line: Some(line_of(self.text, at)), ..binding }));
            }
        }
        bindings.sort_by_key(|(at, _)| *at);
        Ok(bindings.into_iter().map(|(_, binding)| binding).collect())
    }

    fn error(&self, at: usize, problem: impl std::fmt::Display) -> KeymapError {
        KeymapError(format!("{}:{}: {problem}", self.path.display(), line_of(self.text, at)))
    }
}

/// The line, from 1, in which a place of a text is.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count()
}

/// Something by its name; else all names.
fn named<T: Copy>(all: &[T], name: &str, name_of: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| name_of(*one) == name);
    found.ok_or_else(|| all.iter().map(|one| name_of(*one)).collect::<Vec<_>>().join(", "))
}

fn unknown(what: &str, name: &str, allowed: &str) -> String {
    format!("there is no {what} `{}`; there are {allowed}", crate::core::text::sanitize_line(name))
}

fn sequence(text: &str, context: Context) -> Result<Vec<Key>, String> {
    let keys = text.split_whitespace().map(str::parse).collect::<Result<Vec<Key>, _>>()?;
    match keys.first() {
        None => Err("a key is empty; to take the keys away write []".to_owned()),
        Some(_) if keys.len() > MAX_SEQUENCE => Err(format!("`{text}` has more than {MAX_SEQUENCE} keys")),
        Some(first) if context.types() && first.typed().is_some() => {
            Err(format!("`{text}` begins with a character, which is text here; begin with ctrl or alt"))
        }
        Some(_) => Ok(keys),
    }
}

/// An error when two bindings can't be told apart: `LINE: …`. The default ones can; a test holds it.
fn check(bindings: &[Binding]) -> Result<(), String> {
    let mut by_keys: BTreeMap<(Context, Vec<Key>), &Binding> = BTreeMap::new();
    for binding in bindings {
        for keys in &binding.sequences {
            if let Some(other) = by_keys.insert((binding.context, keys.clone()), binding) {
                return Err(conflict(other, binding, &format!("`{}` is bound to both", written(keys))));
            }
        }
    }
    let mut before: Option<(&(Context, Vec<Key>), &&Binding)> = None;
    for (at, binding) in &by_keys {
        if let Some(((context, keys), other)) = before
            && *context == at.0
            && at.1.starts_with(keys)
        {
            let problem = format!("`{}` is an action and begins `{}`", written(keys), written(&at.1));
            return Err(conflict(other, binding, &problem));
        }
        before = Some((at, binding));
    }
    for ((_, keys), binding) in by_keys.iter().filter(|((context, _), _)| *context != Context::Global) {
        // A place may have a whole key of all places for itself, but half of one leaves the other half without use.
        let global = |keys: &[Key]| (Context::Global, keys.to_vec());
        let longer = by_keys.range(global(keys)..).find(|((_, found), _)| found != keys);
        let longer = longer.filter(|((c, found), _)| *c == Context::Global && found.starts_with(keys));
        let shorter = (1..keys.len()).find_map(|n| by_keys.get_key_value(&global(&keys[..n])));
        if let Some(((_, found), other)) = longer.or(shorter) {
            let (short, long) = if found.len() > keys.len() { (keys, found) } else { (found, keys) };
            let problem = format!("`{}` is an action and begins `{}`", written(short), written(long));
            return Err(conflict(other, binding, &problem));
        }
    }
    Ok(())
}

fn conflict(a: &Binding, b: &Binding, problem: &str) -> String {
    // The line that the user can change, and the other one's name.
    let (mine, other) = if b.line.is_some() { (b, a) } else { (a, b) };
    let whose = if other.line.is_some() { "" } else { " (by default)" };
    let table = if mine.context == other.context { String::new() } else { format!("[{}] ", other.context.name()) };
    format!(
        "{}: [{}] {} and {table}{}{whose}: {problem}; give one of them another key, or none: {table}{} = []",
        mine.line.unwrap_or(1),
        mine.context.name(),
        mine.action.name(),
        other.action.name(),
        other.action.name()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        text.split(' ').map(|key| key.parse().unwrap()).collect()
    }

    fn user(text: &str) -> Result<Keymap, KeymapError> {
        Keymap::load(Some((Path::new("keymap.toml"), text)))
    }

    #[test]
    fn the_default_keymap_has_no_conflict_and_binds_every_action_somewhere() {
        let keymap = Keymap::load(None).unwrap();
        assert_eq!(check(&keymap.bindings), Ok(()));
        for action in Action::ALL {
            assert!(
                Context::ALL.iter().any(|context| !keymap.keys(*context, *action).is_empty()),
                "{} has no key",
                action.name()
            );
        }
    }

    #[rstest::rstest]
    #[case(Context::Sandboxes, "s", Meaning::Action(Action::Save))]
    #[case(Context::Sandboxes, "ctrl-c", Meaning::Action(Action::Interrupt))]
    #[case(Context::Prompt, "ctrl-x", Meaning::Begins)]
    #[case(Context::Prompt, "ctrl-x s", Meaning::Action(Action::Save))]
    #[case(Context::Prompt, "s", Meaning::Nothing)]
    #[case(Context::Prompt, "ctrl-x z", Meaning::Nothing)]
    #[case(Context::Question, "tab", Meaning::Action(Action::Down))]
    fn a_key_means_what_its_place_says(#[case] context: Context, #[case] pressed: &str, #[case] meaning: Meaning) {
        assert_eq!(Keymap::load(None).unwrap().meaning(context, &keys(pressed)), meaning);
    }

    #[test]
    fn a_users_file_changes_what_it_names_and_nothing_else() {
        let keymap = user("[sandboxes]\nsave = [\"S\", \"ctrl-s\"]\nterminate_sandbox = []\n").unwrap();
        assert_eq!(keymap.meaning(Context::Sandboxes, &keys("S")), Meaning::Action(Action::Save));
        assert_eq!(keymap.meaning(Context::Sandboxes, &keys("s")), Meaning::Nothing);
        assert_eq!(keymap.meaning(Context::Sandboxes, &keys("t")), Meaning::Nothing);
        assert_eq!(keymap.meaning(Context::Sandboxes, &keys("n")), Meaning::Action(Action::CreateSandbox));
        assert_eq!(keymap.keys(Context::Sandboxes, Action::Save), ["S", "ctrl-s", "ctrl-x s"]);
    }

    #[test]
    fn a_place_may_have_a_key_of_all_places_for_itself() {
        let keymap = user("[sandboxes]\nsort = \"ctrl-l\"").unwrap();
        assert_eq!(keymap.meaning(Context::Sandboxes, &keys("ctrl-l")), Meaning::Action(Action::Sort));
        assert_eq!(keymap.meaning(Context::Versions, &keys("ctrl-l")), Meaning::Action(Action::Redraw));
    }

    #[test]
    fn what_follows_a_beginning_is_known() {
        let following = Keymap::load(None).unwrap().following(Context::Prompt, &keys("ctrl-x"));
        assert!(following.contains(&(Key::plain(crate::tui::key::Code::Char('s')), Action::Save)), "{following:?}");
    }

    #[rstest::rstest]
    #[case(
        "[sandboxes]\n\nsave = \"t\"",
        "keymap.toml:3: [sandboxes] save and terminate_sandbox (by default): `t` is bound"
    )]
    #[case("[global]\nhelp = \"ctrl-x\"", "keymap.toml:2: [global] help and ")]
    #[case(
        "[global]\nsave = \"ctrl-y s\"\n[sandboxes]\nterminate_sandbox = [\"ctrl-y\"]",
        "keymap.toml:4: [sandboxes] terminate_sandbox and [global] save: `ctrl-y` is an action and begins `ctrl-y s`"
    )]
    #[case(
        "[sandboxes]\nterminate_sandbox = [\"ctrl-x\"]",
        "keymap.toml:2: [sandboxes] terminate_sandbox and [global] "
    )]
    #[case(
        "[sandboxes]\nsave = [\"ctrl-l s\"]",
        "keymap.toml:2: [sandboxes] save and [global] redraw (by default): `ctrl-l` is"
    )]
    #[case(
        "[global]\nquit = [\"g q\"]",
        "keymap.toml:2: [global] quit and [sandboxes] top (by default): `g` is an action"
    )]
    #[case("[nowhere]\nsave = \"t\"", "keymap.toml:1: there is no place `nowhere`; there are global, ")]
    #[case("[global]\n# why\nexplode = \"t\"", "keymap.toml:3: there is no action `explode`")]
    #[case("[global]\nsave = \"hyper-s\"", "keymap.toml:2: [global] save: `hyper-s` is no key")]
    #[case("[global]\nsave = 3", "keymap.toml:2: ")]
    #[case("[prompt]\nsend = \"s\"", "keymap.toml:2: [prompt] send: `s` begins with a character")]
    #[case("[global\n", "keymap.toml:1: ")]
    fn what_cannot_be_taken_is_told_with_its_line(#[case] text: &str, #[case] said: &str) {
        let error = user(text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }

    proptest! {
        #[test]
        fn no_file_is_a_panic(text in r#"(\[(global|prompt|x)\]\n)?((save|help|x) = (\[?"[a-z?\- ]{0,12}"\]?|3)\n){0,4}\PC{0,20}"#) {
            if let Err(error) = user(&text) {
                prop_assert!(error.to_string().starts_with("keymap.toml:"), "{error}");
            }
        }
    }
}
