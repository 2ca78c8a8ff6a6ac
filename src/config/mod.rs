//! Typed TOML in layers (default < file < environment < flags), keys and profiles.
