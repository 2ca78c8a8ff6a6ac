//! Programs that have the terminal for a while: an editor, a pager.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use tokio::process::Command;

use crate::{
    api::{ApiError, PageQuery, Scope, Window},
    client::Client,
    core::{Item, ItemBody, SandboxId},
    tui::{
        term::{Lent, Term},
        text,
    },
};

/// Gives a text to the editor; what it leaves, or why not.
///
/// # Errors
/// The terminal's.
pub(super) async fn edit(term: &mut Term, folder: &Path, text: &str) -> io::Result<Result<String, String>> {
    let file = match Draft::write(folder, text) {
        Ok(file) => file,
        Err(error) => return Ok(Err(format!("the draft can't be written: {error}"))),
    };
    // As git does, the shell reads the variable: it may hold arguments, in quotes too.
    let mut editor = Command::new("sh");
    editor.args(["-c", r#"eval "exec ${VISUAL:-${EDITOR:-vi}} \"\$1\"""#, "sh"]).arg(&file.0);
    Ok(match term.lend(editor, None).await? {
        // Told to end, it may have been left without a word: what was written to the file counts.
        Lent::Done(status) if status.success() => file.read(),
        Lent::Ended => file.read(),
        Lent::Done(status) => {
            let editor = named(&["VISUAL", "EDITOR"], "vi");
            Err(format!("{}; the draft is as it was", gave_up(&editor, "$EDITOR", status)))
        }
        Lent::NotStarted(error) => Err(format!("no editor can be started: {error}")),
    })
}

/// What the first of these variables that says something says.
fn named(variables: &[&str], usual: &str) -> String {
    let said = variables.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
    said.unwrap_or_else(|| usual.to_owned())
}

/// Why a program didn't do its work, as far as a shell tells.
fn gave_up(program: &str, variable: &str, status: ExitStatus) -> String {
    match status.code() {
        Some(127) => format!("`{program}` can't be found: set {variable}"),
        Some(126) => format!("`{program}` can't be run: set {variable}"),
        _ => format!("`{program}` gave up ({status})"),
    }
}

/// A draft in a file of its own, removed when it goes.
struct Draft(PathBuf);

impl Draft {
    fn write(folder: &Path, text: &str) -> io::Result<Self> {
        let path = folder.join(format!("prompt-{}.md", std::process::id()));
        // One that an earlier process of the same number left is not followed, whatever it is.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())?;
        Ok(Self(path))
    }

    fn read(&self) -> Result<String, String> {
        let edited = fs::read_to_string(&self.0).map_err(|e| format!("what the editor left can't be read: {e}"))?;
        // Editors end the last line; a prompt has no such end.
        Ok(edited.strip_suffix('\n').map(str::to_owned).unwrap_or(edited))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // At worst a draft of the user's own stays in their own folder.
        let _ = fs::remove_file(&self.0);
    }
}

/// Shows a text in the pager.
///
/// # Errors
/// The terminal's.
pub(super) async fn page(term: &mut Term, text: &str) -> io::Result<Result<(), String>> {
    let mut pager = Command::new("sh");
    pager.args(["-c", r#"eval "exec ${PAGER:-less}""#]);
    Ok(match term.lend(pager, Some(text)).await? {
        Lent::Done(status) if status.success() => Ok(()),
        Lent::Ended => Ok(()),
        Lent::Done(status) => Err(gave_up(&named(&["PAGER"], "less"), "$PAGER", status)),
        Lent::NotStarted(error) => Err(format!("no pager can be started: {error}")),
    })
}

/// Items that are read at once: as many as the server gives.
const PAGE: u32 = 500;

/// A sandbox's whole conversation as text.
pub(super) async fn conversation(client: &Client, scope: &Scope, sandbox: &SandboxId) -> Result<String, ApiError> {
    let mut pages = Vec::new();
    let mut window = Window::Last;
    loop {
        let query = PageQuery::new(scope.account.clone(), scope.profile, window, PAGE);
        let page = client.conversation(&query, sandbox.as_str()).await?;
        let first = page.items.first().map(|item| item.position);
        let more = page.more_before;
        pages.push(page.items);
        match first {
            Some(first) if more => window = Window::Before(first),
            _ => break,
        }
    }
    let mut out = String::new();
    for placed in pages.iter().rev().flatten() {
        said(&placed.item, &mut out);
    }
    Ok(out)
}

/// An item as it was written, under who said it.
fn said(item: &Item, out: &mut String) {
    let text = text::plain(item);
    if text.is_empty() {
        return;
    }
    if matches!(item.body, ItemBody::Prompt { .. }) {
        out.push_str("> ");
        out.push_str(&text.replace('\n', "\n> "));
    } else {
        out.push_str(&text);
    }
    out.push_str("\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_the_users_alone_and_goes_with_the_editor() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let draft = Draft::write(dir.path(), "a plan").unwrap();
        let path = draft.0.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a plan");
        drop(draft);
        assert!(!path.exists());
    }
}
