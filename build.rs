//! Compiles `proto/` with protox (no protoc needed) and names the build.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(["api.proto", "task_command_router.proto"], ["proto"])?;
    // The comparison with Modal's own descriptors reads this file (tests/modal).
    fs::write(out.join("descriptors.fds"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().bytes(".modal.task_command_router").compile_fds(descriptors)?;

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
