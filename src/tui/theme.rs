//! How things look: [`Role`]s of text and [`Part`]s of the screen to styles, from `assets/theme.toml` with the user's
//! own file over it.

use std::{collections::BTreeMap, path::Path};

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use toml::Spanned;

use super::{defaults, keymap::line_of, text::Role};

/// What a terminal's background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Background {
    /// Light letters on dark.
    Dark,
    /// Dark letters on light.
    Light,
}

/// A part of the screen that has a look of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The program's name, a pane's title.
    Title,
    /// The one accent: the focused pane's title, the caret's mark.
    Accent,
    /// Lines between panes.
    Border,
    /// The row with the cursor, in the focused pane.
    Selected,
    /// The row with the cursor, in another pane.
    SelectedElsewhere,
    /// A row with a mark.
    Marked,
    /// Letters that fit a filter or search.
    Match,
    /// Secondary words.
    Dim,
    /// A key in a hint.
    HintKey,
    /// What a key does.
    Hint,
    /// Something that runs.
    Running,
    /// Something that is being made.
    Pending,
    /// Something that ended.
    Ended,
    /// A good message.
    Success,
    /// A message that something isn't as wanted.
    Warning,
    /// A message that something failed.
    Error,
    /// The frame and title of a dialog.
    Dialog,
    /// A choice with the cursor.
    Choice,
    /// What stands in an empty field.
    Placeholder,
}

/// Roles by the names that themes use.
const ROLES: [(&str, Role); 22] = [
    ("text", Role::Text),
    ("dim", Role::Dim),
    ("strong", Role::Strong),
    ("emphasis", Role::Emphasis),
    ("struck", Role::Struck),
    ("heading", Role::Heading),
    ("code", Role::Code),
    ("quote", Role::Quote),
    ("link", Role::Link),
    ("prompt", Role::Prompt),
    ("speaker", Role::Speaker),
    ("tool", Role::Tool),
    ("added", Role::Added),
    ("removed", Role::Removed),
    ("success", Role::Success),
    ("warning", Role::Warning),
    ("error", Role::Error),
    ("keyword", Role::Keyword),
    ("literal", Role::Literal),
    ("comment", Role::Comment),
    ("name", Role::Name),
    ("output", Role::Output),
];

/// Parts by the names that themes use.
const PARTS: [(&str, Part); 19] = [
    ("title", Part::Title),
    ("accent", Part::Accent),
    ("border", Part::Border),
    ("selected", Part::Selected),
    ("selected_elsewhere", Part::SelectedElsewhere),
    ("marked", Part::Marked),
    ("match", Part::Match),
    ("dim", Part::Dim),
    ("hint_key", Part::HintKey),
    ("hint", Part::Hint),
    ("running", Part::Running),
    ("pending", Part::Pending),
    ("ended", Part::Ended),
    ("success", Part::Success),
    ("warning", Part::Warning),
    ("error", Part::Error),
    ("dialog", Part::Dialog),
    ("choice", Part::Choice),
    ("placeholder", Part::Placeholder),
];

const COLORS: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

const ATTRIBUTES: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("struck", Modifier::CROSSED_OUT),
];

/// Styles for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    background: Background,
    roles: BTreeMap<Role, Style>,
    parts: BTreeMap<Part, Style>,
}

/// What of colours a terminal gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// The terminal's own sixteen, and what a user's theme names.
    Ansi,
    /// None (`NO_COLOR`): bold, dim, underlined and reversed stay.
    None,
}

/// A theme that can't be taken: file, line, key, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ThemeError(pub String);

type Looks = BTreeMap<Spanned<String>, Spanned<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tables {
    text: Looks,
    part: Looks,
    dark: OnBackground,
    light: OnBackground,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OnBackground {
    text: Looks,
    part: Looks,
}

impl Theme {
    /// The default theme with a user's file over it.
    ///
    /// # Errors
    /// Anything in the file that can't be taken, also for the other background.
    pub fn load(user: Option<(&Path, &str)>, background: Background, colors: Colors) -> Result<Self, ThemeError> {
        let mut theme = Self { background, roles: BTreeMap::new(), parts: BTreeMap::new() };
        theme.take_defaults().map_err(|problem| ThemeError(format!("assets/theme.toml: {problem}")))?;
        if let Some((path, text)) = user {
            theme.lay_over(path, text)?;
        }
        if colors == Colors::None {
            let styles = theme.roles.values_mut().chain(theme.parts.values_mut());
            styles.for_each(|style| *style = Style { fg: None, bg: None, ..*style });
        }
        Ok(theme)
    }

    fn take_defaults(&mut self) -> Result<(), String> {
        let background = match self.background {
            Background::Dark => "dark",
            Background::Light => "light",
        };
        for (table, name, words) in defaults::THEME {
            let look = words.first().copied().unwrap_or_default();
            // What counts on one background stands behind what counts on both.
            match table.rsplit_once('.').unwrap_or((background, table)) {
                (on, "text") if on == background => self.roles.extend([read(&ROLES, name, look)?]),
                (on, "part") if on == background => self.parts.extend([read(&PARTS, name, look)?]),
                _ => {}
            }
        }
        Ok(())
    }

    fn lay_over(&mut self, path: &Path, text: &str) -> Result<(), ThemeError> {
        let error =
            |at: usize, problem: String| ThemeError(format!("{}:{}: {problem}", path.display(), line_of(text, at)));
        let tables: Tables =
            toml::from_str(text).map_err(|e| error(e.span().map_or(0, |span| span.start), e.message().to_owned()))?;
        let on = |background| self.background == background;
        for (counts, texts, parts) in [
            (true, &tables.text, &tables.part),
            (on(Background::Dark), &tables.dark.text, &tables.dark.part),
            (on(Background::Light), &tables.light.text, &tables.light.part),
        ] {
            let roles = looks(&ROLES, texts).map_err(|(at, problem)| error(at, problem))?;
            let parts = looks(&PARTS, parts).map_err(|(at, problem)| error(at, problem))?;
            if counts {
                self.roles.extend(roles);
                self.parts.extend(parts);
            }
        }
        Ok(())
    }

    /// The background that it is for.
    pub fn background(&self) -> Background {
        self.background
    }

    /// How text of a role looks.
    pub fn role(&self, role: Role) -> Style {
        self.roles.get(&role).copied().unwrap_or_default()
    }

    /// How a part of the screen looks.
    pub fn part(&self, part: Part) -> Style {
        self.parts.get(&part).copied().unwrap_or_default()
    }
}

/// A table's looks; else where and what is wrong.
fn looks<T: Copy>(names: &[(&str, T)], table: &Looks) -> Result<Vec<(T, Style)>, (usize, String)> {
    let read = |(name, look): (&Spanned<String>, &Spanned<String>)| {
        read(names, name.get_ref(), look.get_ref()).map_err(|problem| (look.span().start, problem))
    };
    table.iter().map(read).collect()
}

/// One of them by its name.
fn read<T: Copy>(names: &[(&str, T)], name: &str, look: &str) -> Result<(T, Style), String> {
    let Some((_, of)) = names.iter().find(|(known, _)| *known == name) else {
        let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        return Err(format!("nothing is called `{}` here; there are {}", shown(name), all.join(", ")));
    };
    Ok((*of, style(look).map_err(|problem| format!("{name}: {problem}"))?))
}

/// Reads a look.
fn style(look: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = look.split_whitespace();
    while let Some(word) = words.next() {
        if let Some((_, attribute)) = ATTRIBUTES.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*attribute);
        } else if word == "on" {
            style = style.bg(color(words.next().ok_or("`on` needs a colour behind it")?)?);
        } else if style.fg.is_some() {
            return Err(format!(
                "`{}` is a second colour; the one behind the letters is written `on {0}`",
                shown(word)
            ));
        } else {
            style = style.fg(color(word)?);
        }
    }
    Ok(style)
}

#[expect(clippy::disallowed_methods, reason = "where a theme's colours come from")]
fn color(word: &str) -> Result<Color, String> {
    if let Some((_, color)) = COLORS.iter().find(|(name, _)| *name == word) {
        return Ok(*color);
    }
    let rgb = word.strip_prefix('#').filter(|hex| hex.len() == 6).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if let Some(rgb) = rgb {
        let [_, r, g, b] = rgb.to_be_bytes();
        return Ok(Color::Rgb(r, g, b));
    }
    let names: Vec<_> = COLORS.iter().map(|(name, _)| *name).collect();
    let attributes: Vec<_> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
    Err(format!(
        "`{}` is no look: {}, #rrggbb, `on` a colour, {}",
        shown(word),
        names.join(", "),
        attributes.join(", ")
    ))
}

fn shown(word: &str) -> String {
    crate::core::text::sanitize_line(word).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(text: &str) -> Result<Theme, ThemeError> {
        Theme::load(Some((Path::new("theme.toml"), text)), Background::Dark, Colors::Ansi)
    }

    #[test]
    fn every_role_and_part_has_a_look() {
        for background in [Background::Dark, Background::Light] {
            let theme = Theme::load(None, background, Colors::Ansi).unwrap();
            for (name, role) in ROLES {
                assert!(theme.roles.contains_key(&role), "{name}");
            }
            for (name, part) in PARTS {
                assert!(theme.parts.contains_key(&part), "{name}");
            }
        }
    }

    #[test]
    fn without_colours_what_matters_can_still_be_seen() {
        let theme = Theme::load(None, Background::Dark, Colors::None).unwrap();
        let styles: Vec<_> = theme.roles.values().chain(theme.parts.values()).collect();
        assert!(styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
        assert!(theme.part(Part::Selected).add_modifier.contains(Modifier::REVERSED));
        assert!(theme.part(Part::Error).add_modifier.contains(Modifier::BOLD));
    }

    #[test]
    fn a_light_background_has_looks_of_its_own_and_a_user_has_the_last_word() {
        let light = Theme::load(None, Background::Light, Colors::Ansi).unwrap();
        assert_ne!(
            light.part(Part::Pending),
            Theme::load(None, Background::Dark, Colors::Ansi).unwrap().part(Part::Pending)
        );
        let theme = user("[part]\npending = \"#ff8800 on black bold\"\n[light.part]\npending = \"red\"").unwrap();
        let style = Style::new().fg(Color::from_u32(0xff_88_00)).bg(Color::Black).add_modifier(Modifier::BOLD);
        assert_eq!(theme.part(Part::Pending), style);
    }

    #[rstest::rstest]
    #[case("[part]\n\ntitle = \"purple\"", "theme.toml:3: title: `purple` is no look: default, black")]
    #[case("[part]\ntitle = \"red blue\"", "theme.toml:2: title: `blue` is a second colour")]
    #[case("[part]\ntitle = \"on\"", "theme.toml:2: title: `on` needs")]
    #[case("[light.text]\nbanner = \"red\"", "theme.toml:2: nothing is called `banner` here; there are text, ")]
    #[case("[parts]\n", "theme.toml:1: ")]
    #[case("[part", "theme.toml:1: ")]
    fn what_cannot_be_taken_is_told_with_its_line(#[case] text: &str, #[case] said: &str) {
        let error = user(text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }

    proptest! {
        #[test]
        fn no_file_is_a_panic(text in r#"(\[(text|part|light.text|x)\]\n)?((dim|title) = "[a-z#0-9\- ]{0,20}"\n){0,2}\PC{0,20}"#) {
            if let Err(error) = user(&text) {
                prop_assert!(error.to_string().starts_with("theme.toml:"), "{error}");
            }
        }
    }
}
