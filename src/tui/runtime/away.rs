//! Programs that have the terminal for a while: an editor, a pager.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    api::{ApiError, PageQuery, Scope, Window},
    client::Client,
    core::{Item, ItemBody, SandboxId},
    tui::text,
};

/// Gives a text to the editor; what it leaves, or why not.
pub(super) async fn edit(folder: &Path, text: String) -> Result<String, String> {
    let file = Draft::write(folder, &text).map_err(|e| format!("the draft can't be written: {e}"))?;
    // As git does: the variable may hold arguments.
    let status = Command::new("sh")
        .args(["-c", "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"", "sh"])
        .arg(&file.0)
        .status()
        .await
        .map_err(|e| format!("no editor can be started: {e}"))?;
    if !status.success() {
        return Err("the editor gave up ($VISUAL, $EDITOR or vi); the draft is as it was".to_owned());
    }
    let edited = fs::read_to_string(&file.0).map_err(|e| format!("what the editor left can't be read: {e}"))?;
    // Editors end the last line; a prompt has no such end.
    Ok(edited.strip_suffix('\n').map(str::to_owned).unwrap_or(edited))
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
}

impl Drop for Draft {
    fn drop(&mut self) {
        // At worst a draft of the user's own stays in their own folder.
        let _ = fs::remove_file(&self.0);
    }
}

/// Shows a text in the pager.
async fn page(text: String) -> Result<(), String> {
    let mut child = Command::new("sh")
        .args(["-c", "exec ${PAGER:-less}"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|e| format!("no pager can be started: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that is closed early has shown enough.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let status = child.wait().await.map_err(|e| format!("the pager can't be waited for: {e}"))?;
    if status.success() { Ok(()) } else { Err("the pager failed ($PAGER, or less)".to_owned()) }
}

/// Shows a sandbox's whole conversation in the pager.
pub(super) async fn page_conversation(client: &Client, scope: &Scope, sandbox: &SandboxId) -> Result<(), String> {
    let text = conversation(client, scope, sandbox).await.map_err(|error| error.to_string())?;
    page(text).await
}

/// Items that are read at once: as many as the server gives.
const PAGE: u32 = 500;

async fn conversation(client: &Client, scope: &Scope, sandbox: &SandboxId) -> Result<String, ApiError> {
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
