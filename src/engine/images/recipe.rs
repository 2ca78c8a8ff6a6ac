//! The Dockerfile lines of one layer, read. Three instructions are enough to make any file system; the others are named
//! in an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a layer stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The host's own `/usr`, in the state that this key names.
    Host(String),
    /// Another image.
    Image(String),
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Variables, as written.
    Env(String),
    /// Folder where later commands start.
    Workdir(String),
    /// A command.
    Run(Vec<String>),
}

/// What makes an image: its hash names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What it stands on.
    pub base: Base,
    /// What is done there.
    pub steps: Vec<Step>,
    /// Ids of secrets whose values the commands see.
    pub secrets: Vec<String>,
    /// Tells a build that must not take what is there from an equal one; empty else.
    pub salt: String,
}

/// What `FROM` names.
pub type From = String;

/// Reads lines that begin with `FROM`.
///
/// # Errors
/// A sentence that names the instruction.
pub fn parse(lines: &[String]) -> Result<(From, Vec<Step>), String> {
    let text = lines.join("\n");
    let mut instructions = instructions(&text).into_iter();
    let first = instructions.next().ok_or("the image has no instructions: it must begin with FROM")?;
    let from = match split(&first) {
        (word, name) if word.eq_ignore_ascii_case("FROM") && !name.is_empty() => {
            // Platforms and stage names say nothing here: there is one machine and one stage.
            let mut words = name.split_whitespace().filter(|w| !w.starts_with("--"));
            words.next().unwrap_or_default().to_owned()
        }
        _ => return Err(format!("an image must begin with FROM, not with {first:?}")),
    };
    let steps = instructions.map(|line| step(&line)).collect::<Result<_, _>>()?;
    Ok((from, steps))
}

fn step(line: &str) -> Result<Step, String> {
    let (word, rest) = split(line);
    match word.to_ascii_uppercase().as_str() {
        "ENV" if !rest.is_empty() => Ok(Step::Env(rest.to_owned())),
        "WORKDIR" if !rest.is_empty() => Ok(Step::Workdir(rest.to_owned())),
        "RUN" if rest.starts_with("--") || rest.starts_with("<<") => Err(format!(
            "the local engine runs plain commands only, without mounts, network modes or here-documents: {line}"
        )),
        "RUN" if !rest.is_empty() => Ok(Step::Run(
            serde_json::from_str(rest).unwrap_or_else(|_| vec!["/bin/sh".into(), "-c".into(), rest.to_owned()]),
        )),
        "ENV" | "WORKDIR" | "RUN" => Err(format!("{word} has no arguments")),
        _ => Err(format!(
            "the local engine builds images with ENV, WORKDIR and RUN, not with {word}: leave out {line:?}, or do the \
             same with RUN"
        )),
    }
}

fn split(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

/// Lines joined at their trailing backslashes, without comments.
fn instructions(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if line.trim_start().starts_with('#') || (!open && line.trim().is_empty()) {
            continue;
        }
        let more = line.trim_end().strip_suffix('\\');
        let part = more.unwrap_or(line);
        match out.last_mut().filter(|_| open) {
            Some(last) => last.push_str(part),
            None => out.push(part.trim_start().to_owned()),
        }
        open = more.is_some();
    }
    out.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The variables of an `ENV` instruction, `NAME=value …` or `NAME value`, with `$NAME` replaced by those before it.
///
/// # Errors
/// A sentence: a name or quote that is none.
pub fn assignments(text: &str, env: &BTreeMap<String, String>) -> Result<Vec<(String, String)>, String> {
    let named = |name: &str| {
        let fine = |(i, b): (usize, u8)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit());
        if !name.is_empty() && name.bytes().enumerate().all(fine) {
            Ok(name.to_owned())
        } else {
            Err(format!("ENV {text}: {name:?} can't be the name of a variable"))
        }
    };
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        return Ok(vec![(named(first)?, expand(text[first.len()..].trim(), env)?)]);
    }
    let words = words(text)?;
    words
        .iter()
        .map(|word| {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("ENV {text}: {word:?} has no ="))?;
            Ok((named(name)?, expand(value, env)?))
        })
        .collect()
}

/// Splits at blanks outside quotes; quotes stay.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut out, mut word, mut quote, mut escaped) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        let blank = c.is_whitespace() && quote.is_none() && !escaped;
        if blank {
            out.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty()));
            continue;
        }
        match quote {
            _ if escaped => escaped = false,
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => escaped = c == '\\' && quote != Some('\''),
        }
        word.push(c);
    }
    out.extend(Some(word).filter(|w| !w.is_empty()));
    if quote.is_some() { Err(format!("ENV {text}: a quote is not closed")) } else { Ok(out) }
}

/// Takes quotes away and puts variables in.
///
/// # Errors
/// A quote or brace that is not closed.
pub fn expand(text: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    let (mut out, mut quote) = (String::new(), None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            '\\' if quote != Some('\'') => out.extend(chars.next()),
            '$' if quote != Some('\'') => {
                let braced = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                if braced && chars.next_if_eq(&'}').is_none() {
                    return Err(format!("{text:?}: only ${{NAME}} is understood in braces"));
                }
                if name.is_empty() {
                    out.push('$');
                }
                out.push_str(env.get(&name).map_or("", String::as_str));
            }
            _ => out.push(c),
        }
    }
    if quote.is_some() { Err(format!("{text:?}: a quote is not closed")) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<(From, Vec<Step>), String> {
        parse(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_layer_is_from_and_its_steps() {
        let (from, steps) = read(&[
            "# made by hand",
            "FROM --platform=linux/amd64 host AS stage",
            "ENV A=1 B=\"two words\"",
            "",
            "workdir /srv",
            "RUN apt-get update && \\",
            "    apt-get install -y git",
            "RUN [\"/bin/echo\", \"a b\"]",
        ])
        .unwrap();
        assert_eq!(from, "host");
        assert_eq!(
            steps,
            [
                Step::Env("A=1 B=\"two words\"".into()),
                Step::Workdir("/srv".into()),
                Step::Run(vec!["/bin/sh".into(), "-c".into(), "apt-get update &&     apt-get install -y git".into()]),
                Step::Run(vec!["/bin/echo".into(), "a b".into()]),
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(read(&["FROM host", "COPY . /x"]).unwrap_err().contains("not with COPY"));
        assert!(read(&["RUN true"]).unwrap_err().contains("begin with FROM"));
        assert!(read(&["FROM host", "RUN --mount=type=cache true"]).unwrap_err().contains("plain commands"));
        assert!(read(&["FROM host", "RUN"]).unwrap_err().contains("no arguments"));
        assert!(read(&[]).is_err());
    }

    #[test]
    fn variables_know_those_before_them() {
        let env = BTreeMap::from([("PATH".to_owned(), "/bin".to_owned()), ("N".to_owned(), "7".to_owned())]);
        let one = |text: &str| assignments(text, &env).unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(one("PATH=/x:$PATH"), [pair("PATH", "/x:/bin")]);
        assert_eq!(one("A=\"${N} b\" B='$N' C=a\\ b"), [pair("A", "7 b"), pair("B", "$N"), pair("C", "a b")]);
        assert_eq!(one("TEXT all of it $N"), [pair("TEXT", "all of it 7")]);
        assert_eq!(one("A=$MISSING"), [pair("A", "")]);
        for bad in ["1A=x", "A=\"open", "A=1 B", "A=${N:-x}", "A-B c"] {
            assert!(assignments(bad, &env).is_err(), "{bad}");
        }
    }
}
