//! The Claude CLI in a sandbox: that file, or the package that it is part of, and nothing around it.

use std::path::{Path, PathBuf};

use crate::engine::spec::Bind;

/// Where it is started from, inside; `/usr/local/bin/claude` leads there.
pub const PROGRAM: &str = "/opt/claude/claude";

/// Folder of an npm package, inside.
const PACKAGE: &str = "/opt/claude/package";

/// A link of the sandbox: (path inside, target).
type Link = (String, String);

/// What shows the CLI at `path` in a sandbox. Without it, or when it is gone, there is nothing to show.
pub fn shown(path: Option<&Path>) -> (Vec<Bind>, Vec<Link>) {
    let Some(real) = path.and_then(|p| p.canonicalize().ok()).filter(|p| p.is_file()) else {
        return (Vec::new(), Vec::new());
    };
    let bind =
        |source: &Path, target: &str| Bind { source: source.to_owned(), target: target.to_owned(), read_only: true };
    let (mut binds, mut links) = match package(&real) {
        Some(package) => {
            let inner = real.strip_prefix(&package).unwrap_or(&real).to_string_lossy().into_owned();
            (vec![bind(&package, PACKAGE)], vec![(PROGRAM.to_owned(), format!("{PACKAGE}/{inner}"))])
        }
        None => (vec![bind(&real, PROGRAM)], Vec::new()),
    };
    links.push(("/usr/local/bin/claude".to_owned(), PROGRAM.to_owned()));
    if let Some(node) = node(&real, path) {
        binds.push(bind(&node, "/opt/claude/node"));
        links.push(("/usr/local/bin/node".to_owned(), "/opt/claude/node".to_owned()));
    }
    (binds, links)
}

/// The npm package that a file is part of: `…/node_modules/NAME` or `…/node_modules/@SCOPE/NAME`, whichever is
/// innermost.
fn package(file: &Path) -> Option<PathBuf> {
    let modules = file.ancestors().find(|a| a.file_name().is_some_and(|n| n == "node_modules"))?;
    let mut parts = file.strip_prefix(modules).ok()?.components();
    let first = parts.next()?;
    let name = modules.join(first);
    let scoped = first.as_os_str().to_string_lossy().starts_with('@');
    let package = if scoped { name.join(parts.next()?) } else { name };
    (package != file).then_some(package)
}

/// The node that runs a CLI written for it, if a sandbox doesn't see it anyway: beside the CLI, as version managers
/// put both, or on the engine's PATH.
fn node(real: &Path, asked: Option<&Path>) -> Option<PathBuf> {
    let mut head = [0; 128];
    let n = std::io::Read::read(&mut std::fs::File::open(real).ok()?, &mut head).ok()?;
    let first = String::from_utf8_lossy(head[..n].split(|b| *b == b'\n').next()?).into_owned();
    if !first.starts_with("#!") || !first.contains("node") {
        return None;
    }
    let beside = asked.and_then(Path::parent).map(|dir| dir.join("node"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = beside.into_iter().chain(std::env::split_paths(&path).map(|dir| dir.join("node")));
    let node = found.filter_map(|p| p.canonicalize().ok()).find(|p| p.is_file())?;
    (!node.starts_with("/usr")).then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_shown_as_a_whole_and_a_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let package = dir.join("lib/node_modules/@anthropic-ai/claude-code");
        std::fs::create_dir_all(package.join("bin")).unwrap();
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::write(package.join("bin/claude.exe"), "ELF").unwrap();
        std::os::unix::fs::symlink(package.join("bin/claude.exe"), dir.join("bin/claude")).unwrap();
        let (binds, links) = shown(Some(&dir.join("bin/claude")));
        assert_eq!(binds.len(), 1);
        assert_eq!((binds[0].source.as_path(), binds[0].target.as_str()), (package.as_path(), PACKAGE));
        assert!(binds[0].read_only);
        assert_eq!(links[0], (PROGRAM.to_owned(), format!("{PACKAGE}/bin/claude.exe")));

        let alone = dir.join("claude-2.1");
        std::fs::write(&alone, "#!/bin/sh\n").unwrap();
        let (binds, links) = shown(Some(&alone));
        assert_eq!((binds[0].source.as_path(), binds[0].target.as_str()), (alone.as_path(), PROGRAM));
        assert_eq!(links, [("/usr/local/bin/claude".to_owned(), PROGRAM.to_owned())]);
        assert_eq!(shown(Some(&dir.join("gone"))), shown(None));
    }

    #[test]
    fn a_script_of_node_brings_the_node_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        std::fs::write(dir.join("claude"), "#!/usr/bin/env node\n").unwrap();
        std::fs::write(dir.join("node"), "ELF").unwrap();
        let (binds, _) = shown(Some(&dir.join("claude")));
        assert_eq!(binds[1].source, dir.join("node"));
    }
}
