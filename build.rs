//! Compiles `proto/` with protox (no protoc needed), reads the screen's defaults, and names the build.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(["api.proto", "task_command_router.proto"], ["proto"])?;
    // The comparison with Modal's own descriptors reads this file (tests/modal).
    fs::write(out.join("descriptors.fds"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().bytes(".modal.task_command_router").compile_fds(descriptors)?;

    println!("cargo:rerun-if-changed=assets");
    for name in ["keymap", "theme"] {
        let text = fs::read_to_string(format!("assets/{name}.toml"))?;
        fs::write(out.join(format!("{name}.rs")), entries(&text).map_err(|e| format!("assets/{name}.toml: {e}"))?)?;
    }

    place_fixed()?;

    // A build is told from another of the same version by its commit, or "release" outside a checkout.
    let git = |args: &[&str]| {
        let out = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
        String::from_utf8(out.stdout).ok()
    };
    // HEAD's own file stays as it is when its branch moves; its log then grows. Git knows where both are, in worktrees
    // too; a file that isn't there would have this run each time.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|p| Path::new(p.trim()).exists()) {
            println!("cargo:rerun-if-changed={}", path.trim());
        }
    }
    let commit =
        git(&["rev-parse", "--short=12", "HEAD"]).map_or_else(|| "release".to_owned(), |s| s.trim().to_owned());
    println!("cargo:rustc-env=SANDBANK_COMMIT={commit}");
    Ok(())
}

/// Has release builds lie at a fixed address, as programs in Go do; the stack, the heap and the libraries still lie
/// anywhere. Half of what a start took was writing 53,000 addresses into a megabyte of pages of its own, and this program
/// starts for every command, every sandbox and twice for what runs in one. `SANDBANK_PIE=1` has it placed anywhere.
fn place_fixed() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=SANDBANK_PIE");
    if env::var("PROFILE")? == "release" && env::var_os("SANDBANK_PIE").is_none() {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    Ok(())
}

/// A TOML file's entries as a Rust constant, in the order of the file: table, key, strings.
fn entries(text: &str) -> Result<String, Box<dyn Error>> {
    let mut found = Vec::new();
    collect(&DeTable::parse(text)?, "", &mut found)?;
    found.sort();
    let mut code = "&[\n".to_owned();
    for (_, table, key, values) in found {
        writeln!(code, "    ({table:?}, {key:?}, &{values:?}),")?;
    }
    Ok(code + "]\n")
}

fn collect(
    table: &Spanned<DeTable<'_>>,
    name: &str,
    found: &mut Vec<(usize, String, String, Vec<String>)>,
) -> Result<(), Box<dyn Error>> {
    for (key, value) in table.get_ref() {
        let strings = match value.get_ref() {
            DeValue::String(one) => vec![one.to_string()],
            DeValue::Array(all) => {
                let strings = all.iter().map(|value| value.get_ref().as_str().map(str::to_owned));
                strings.collect::<Option<_>>().ok_or_else(|| format!("{key} isn't all strings"))?
            }
            DeValue::Table(inner) => {
                let name = if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
                collect(&Spanned::new(value.span(), inner.clone()), &name, found)?;
                continue;
            }
            _ => return Err(format!("{key} is no string").into()),
        };
        found.push((key.span().start, name.to_owned(), key.to_string(), strings));
    }
    Ok(())
}
