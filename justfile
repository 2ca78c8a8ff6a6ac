# Shortcuts; each wraps a command that works without `just`.

# What must pass before a commit.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo test --locked

# Licences, bans, sources.
deny:
    cargo deny check licenses bans sources

# What the road costs, as JSON lines; peers that are installed are measured beside it.
bench *WORD:
    cargo bench --locked --bench figures -- {{WORD}}

# The README's picture and recording, made anew from the program.
recording:
    cargo bench --locked --bench recording

# The screen beside bare ratatui and tmux, in one run: start, echo, CPU, wake-ups, memory. TUIBENCH is the harness's
# folder.
bench-screen *ARGS:
    cargo build --locked --release
    "${TUIBENCH:-../shared/tools/tuibench}/compare.sh" "$PWD/benches/screen/target.json" {{ARGS}}
