//! The engine as its clients see it: our own client of Modal's protocol, the real binary as keeper, real sandboxes.

#[cfg(test)]
mod builds;
#[cfg(test)]
mod control;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod life;
#[cfg(test)]
mod place;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod room;
