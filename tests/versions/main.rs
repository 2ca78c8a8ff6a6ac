//! Versions end to end: the engine's own store, the real mover on a folder, and everything between.

mod bad_luck;
mod legacy;
mod movers;
mod races;
mod round_trip;
mod support;
