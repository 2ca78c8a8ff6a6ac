//! Prompts of earlier days: a file with a JSON string on each line, newest last.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::whole;

/// Prompts that are kept; what people find again by pressing a key.
const MAX: usize = 1_000;

/// A longer prompt is not kept: it was pasted, and its source is elsewhere.
const MAX_PROMPT: usize = 64 << 10;

/// Oldest first. A file that isn't there or can't be read is an empty history; so is a line that isn't ours.
pub(super) fn load(path: &Path) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let mut prompts: Vec<String> =
        text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    prompts.drain(..prompts.len().saturating_sub(MAX));
    // Written anew when it has grown to twice of what counts. Two screens may do so at once: the rename is one of
    // them, and at worst a prompt of the other is lost.
    if text.len() > 1 && text.iter().filter(|b| **b == b'\n').count() > 2 * MAX {
        let _ = rewrite(path, &prompts);
    }
    prompts
}

/// Adds a prompt. What a person typed is for them alone: mode 0600.
pub(super) fn keep(path: &Path, prompt: &str) -> io::Result<()> {
    if prompt.len() > MAX_PROMPT {
        return Ok(());
    }
    let mut line = serde_json::to_vec(prompt)?;
    line.push(b'\n');
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(&line)
}

fn rewrite(path: &Path, prompts: &[String]) -> io::Result<()> {
    let mut text = Vec::new();
    for prompt in prompts {
        serde_json::to_writer(&mut text, prompt)?;
        text.push(b'\n');
    }
    whole::write(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_come_back_in_their_order_whatever_stands_between() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        assert_eq!(load(&path), Vec::<String>::new());
        keep(&path, "first\nof two lines").unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\xff broken\n").unwrap();
        keep(&path, "second").unwrap();
        keep(&path, &"x".repeat(MAX_PROMPT + 1)).unwrap();
        assert_eq!(load(&path), ["first\nof two lines", "second"]);
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        for n in 0..=2 * MAX {
            keep(&path, &n.to_string()).unwrap();
        }
        assert_eq!(load(&path).len(), MAX);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), MAX);
        assert_eq!(load(&path).last().unwrap(), &(2 * MAX).to_string());
    }
}
