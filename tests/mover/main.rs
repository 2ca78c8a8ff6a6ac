//! The mover as a process, between a service and a store of the tests' own.

mod disk;
mod random;
mod restore;
mod save;
mod session;
mod store;
