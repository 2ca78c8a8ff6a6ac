//! The engine as its clients see it: our own client of Modal's protocol, the real binary as keeper, real sandboxes.

mod control;
mod exec;
mod life;
mod place;
mod reach;
