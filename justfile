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
