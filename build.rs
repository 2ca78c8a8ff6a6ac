//! Compiles `proto/` with protox (no protoc needed) and names the build.

use std::{env, error::Error, fs, path::PathBuf, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(["api.proto", "task_command_router.proto"], ["proto"])?;
    // The comparison with Modal's own descriptors reads this file (tests/modal).
    fs::write(out.join("descriptors.fds"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().bytes(".modal.task_command_router").compile_fds(descriptors)?;

    // A build is told from another of the same version by its commit, or "release" outside a checkout.
    println!("cargo:rerun-if-changed=.git/HEAD");
    let commit = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()
        .filter(|o| o.status.success())
        .and_then(|o| String::from_utf8(o.stdout).ok())
        .map_or_else(|| "release".to_owned(), |s| s.trim().to_owned());
    println!("cargo:rustc-env=SANDBANK_COMMIT={commit}");
    Ok(())
}
